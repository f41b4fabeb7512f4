//! Cipher suites: their names, what is weak about them, and which versions may use them.
//!
//! The table is tls-parser's copy of the IANA registry; the judgement of weakness follows [RFC 9325 §4.1].
//!
//! [RFC 9325 §4.1]: https://www.rfc-editor.org/rfc/rfc9325#section-4.1

use super::TlsVersion;
use std::fmt;
use tls_parser::{CIPHERS, TlsCipherAu, TlsCipherEnc, TlsCipherKx, TlsCipherMac, TlsCipherSuite};

/// TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746 §3.3): a signal, no suite.
pub(super) const RENEGOTIATION_SCSV: u16 = 0x00ff;
/// TLS_FALLBACK_SCSV (RFC 7507). Never offered by us: it makes a good server refuse a version it speaks.
const FALLBACK_SCSV: u16 = 0x5600;

/// Why a suite should not be used, worst first; the order matters where a suite has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weakness {
    /// Nothing is encrypted (RFC 9325 §4.1).
    Null,
    /// No certificate: anybody in the middle may answer (RFC 5246 §A.5).
    Anonymous,
    /// 40-bit keys of the export rules (RFC 9325 §4.1).
    Export,
    /// 56-bit DES, or IDEA (RFC 5469).
    DesOrIdea,
    /// RC4 (RFC 7465).
    Rc4,
    /// Triple DES: 64-bit blocks (RFC 9325 §4.1).
    TripleDes,
    /// The client's secret under the server's RSA key: no forward secrecy (RFC 9325 §4.1).
    RsaKeyExchange,
    /// Diffie-Hellman with the certificate's own key: no forward secrecy (RFC 9325 §4.1).
    StaticDiffieHellman,
}

impl Weakness {
    /// Every weakness, worst first.
    pub const ALL: [Self; 8] = [
        Self::Null,
        Self::Anonymous,
        Self::Export,
        Self::DesOrIdea,
        Self::Rc4,
        Self::TripleDes,
        Self::RsaKeyExchange,
        Self::StaticDiffieHellman,
    ];

    /// What is wrong, in a few words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "no encryption",
            Self::Anonymous => "no certificate",
            Self::Export => "export-grade keys",
            Self::DesOrIdea => "DES or IDEA",
            Self::Rc4 => "RC4",
            Self::TripleDes => "triple DES",
            Self::RsaKeyExchange => "RSA key exchange, no forward secrecy",
            Self::StaticDiffieHellman => "static Diffie-Hellman, no forward secrecy",
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The IANA name of a suite; a number without one is given as `0xNNNN`.
pub fn suite_name(suite: u16) -> String {
    match TlsCipherSuite::from_id(suite) {
        Some(known) => known.name.to_owned(),
        None => format!("0x{suite:04X}"),
    }
}

/// The suite of an IANA name.
pub fn suite_by_name(name: &str) -> Option<u16> {
    TlsCipherSuite::from_name(name).map(|known| known.id.0)
}

/// The worst that is known against a suite. CBC alone is no weakness; a suite nobody registered has none.
pub fn weakness(suite: u16) -> Option<Weakness> {
    if is_signal(suite) {
        return None;
    }
    let known = TlsCipherSuite::from_id(suite)?;
    let by_cipher = match known.enc {
        TlsCipherEnc::Null => Some(Weakness::Null),
        // The registry has 40-bit keys in export suites only.
        _ if known.enc_size == 40 => Some(Weakness::Export),
        TlsCipherEnc::Des | TlsCipherEnc::Idea => Some(Weakness::DesOrIdea),
        TlsCipherEnc::Rc2 | TlsCipherEnc::Rc4 => Some(Weakness::Rc4),
        TlsCipherEnc::TripleDes => Some(Weakness::TripleDes),
        TlsCipherEnc::Aegis
        | TlsCipherEnc::Aes
        | TlsCipherEnc::Aria
        | TlsCipherEnc::Camellia
        | TlsCipherEnc::Chacha20_Poly1305
        | TlsCipherEnc::Seed
        | TlsCipherEnc::Sm4 => None,
    };
    let by_exchange = match (known.kx, known.au) {
        (TlsCipherKx::Dh | TlsCipherKx::Ecdh, TlsCipherAu::Null) | (TlsCipherKx::Aecdh, _) => {
            Some(Weakness::Anonymous)
        }
        (TlsCipherKx::Dh | TlsCipherKx::Ecdh, _) => Some(Weakness::StaticDiffieHellman),
        (TlsCipherKx::Rsa, TlsCipherAu::Rsa) => Some(Weakness::RsaKeyExchange),
        _ => None,
    };
    // The least in the order of `Weakness` is the worst.
    by_cipher.into_iter().chain(by_exchange).min()
}

/// Every registered suite of this weakness that a server with a certificate, or none, could choose
/// (no pre-shared keys, passwords or Kerberos), by number.
pub fn suites_of(weak: Weakness) -> Vec<u16> {
    registered(|suite| is_for_mail(suite) && weakness(suite.id.0) == Some(weak))
}

/// Every suite with ephemeral finite-field Diffie-Hellman and nothing worse against it than perhaps a
/// short prime, by number.
pub fn suites_with_dhe() -> Vec<u16> {
    registered(|suite| {
        is_for_mail(suite) && suite.kx == TlsCipherKx::Dhe && weakness(suite.id.0).is_none()
    })
}

/// Whether a version may choose a suite at all.
pub fn is_usable_at(suite: u16, version: TlsVersion) -> bool {
    if is_signal(suite) {
        return version < TlsVersion::Tls13;
    }
    let Some(known) = TlsCipherSuite::from_id(suite) else { return false };
    if known.kx == TlsCipherKx::Tls13 {
        return version == TlsVersion::Tls13;
    }
    let oldest = match (known.kx, known.mac) {
        // RFC 5246 §1.2, RFC 5288 §4, RFC 5289 §2: the suites with a hash of their own, and all AEAD, came with 1.2.
        (_, TlsCipherMac::Aead)
        | (_, TlsCipherMac::HmacSha256 | TlsCipherMac::HmacSha384 | TlsCipherMac::HmacSha512) => {
            TlsVersion::Tls12
        }
        // RFC 8422 §2: elliptic curves need extensions, which SSL 3.0 lacks.
        (TlsCipherKx::Ecdh | TlsCipherKx::Ecdhe | TlsCipherKx::Aecdh, _) => TlsVersion::Tls10,
        _ => TlsVersion::Ssl3,
    };
    (oldest..TlsVersion::Tls13).contains(&version)
}

/// What a ServerKeyExchange holds for a suite ([RFC 5246 §7.4.3], [RFC 8422 §5.4]).
///
/// [RFC 5246 §7.4.3]: https://www.rfc-editor.org/rfc/rfc5246#section-7.4.3
/// [RFC 8422 §5.4]: https://www.rfc-editor.org/rfc/rfc8422#section-5.4
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameters {
    /// Diffie-Hellman over a curve.
    Curve,
    /// Diffie-Hellman over a finite field.
    FiniteField,
    /// Something else, or nothing.
    Other,
}

pub(super) fn parameters(suite: u16) -> Parameters {
    match TlsCipherSuite::from_id(suite).map(|known| (known.kx, known.au)) {
        // With a pre-shared key a hint comes first (RFC 4279 §3): not read.
        Some((_, TlsCipherAu::Psk)) => Parameters::Other,
        Some((TlsCipherKx::Dhe, _) | (TlsCipherKx::Dh, TlsCipherAu::Null)) => {
            Parameters::FiniteField
        }
        Some((TlsCipherKx::Ecdhe | TlsCipherKx::Aecdh, _))
        | Some((TlsCipherKx::Ecdh, TlsCipherAu::Null)) => Parameters::Curve,
        _ => Parameters::Other,
    }
}

/// Whether the server proves itself with an ECDSA certificate; none for suites that leave it open.
pub(super) fn is_ecdsa(suite: u16) -> Option<bool> {
    match TlsCipherSuite::from_id(suite)?.au {
        TlsCipherAu::Ecdsa => Some(true),
        TlsCipherAu::Rsa => Some(false),
        _ => None,
    }
}

fn is_signal(suite: u16) -> bool {
    matches!(suite, RENEGOTIATION_SCSV | FALLBACK_SCSV)
}

fn is_for_mail(suite: &TlsCipherSuite) -> bool {
    let exchange = matches!(
        suite.kx,
        TlsCipherKx::Rsa
            | TlsCipherKx::Dh
            | TlsCipherKx::Dhe
            | TlsCipherKx::Ecdh
            | TlsCipherKx::Ecdhe
            | TlsCipherKx::Aecdh
    );
    exchange && suite.au != TlsCipherAu::Psk
}

fn registered(is_wanted: impl Fn(&TlsCipherSuite) -> bool) -> Vec<u16> {
    let mut found: Vec<u16> =
        CIPHERS.values().filter(|suite| is_wanted(suite)).map(|suite| suite.id.0).collect();
    found.sort_unstable();
    found
}
