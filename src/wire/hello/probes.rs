//! The hellos of our own: what is asked of a server that rustls cannot speak to, and of every server with `--deep`.
//!
//! Invariant: anonymous suites are offered alone, never beside others, because a server that takes
//! one shows no certificate; and no finite-field group is named (RFC 7919), because a server that
//! knows them would hide the prime it uses with everybody else.

use super::{
    Extension, Offer, TlsVersion, Weakness, groups,
    suites::{self, is_usable_at, suites_of, suites_with_dhe},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The TLS 1.2 suites rustls speaks, most wanted first.
pub const RUSTLS_TLS12: &[u16] = &[0xc02c, 0xc02b, 0xcca9, 0xc030, 0xc02f, 0xcca8];

/// The suites of TLS 1.2 and older that rustls lacks and senders still offer, strong ones first: no
/// anonymous, unencrypted or export suite.
pub const NOT_RUSTLS_TLS12: &[u16] = &[
    // ECDHE with CBC, CCM, Camellia and ARIA.
    0xc024,
    0xc028,
    0xc023,
    0xc027,
    0xc00a,
    0xc014,
    0xc009,
    0xc013,
    0xc0ad,
    0xc0ac,
    0xc0af,
    0xc0ae,
    0xc073,
    0xc077,
    0xc072,
    0xc076,
    0xc05d,
    0xc061,
    0xc05c,
    0xc060,
    // DHE with an RSA certificate, then with a DSA one.
    0x009f,
    0x009e,
    0xccaa,
    0x006b,
    0x0067,
    0x0039,
    0x0033,
    0xc09f,
    0xc09e,
    0x00c4,
    0x00be,
    0x0088,
    0x0045,
    0x009a,
    0x00a3,
    0x00a2,
    0x006a,
    0x0040,
    0x0038,
    0x0032,
    // RSA key exchange.
    0x009d,
    0x009c,
    0x003d,
    0x003c,
    0x0035,
    0x002f,
    0xc09d,
    0xc09c,
    0xc051,
    0xc050,
    0x00c0,
    0x00ba,
    0x0084,
    0x0041,
    0x0096,
    // Static elliptic-curve Diffie-Hellman.
    0xc02e,
    0xc032,
    0xc02d,
    0xc031,
    0xc026,
    0xc02a,
    0xc025,
    0xc029,
    0xc005,
    0xc00f,
    0xc004,
    0xc00e,
    // Triple DES, RC4, IDEA.
    0xc008,
    0xc012,
    0x0016,
    0x0013,
    0x000a,
    0xc003,
    0xc00d,
    0xc007,
    0xc011,
    0x0005,
    0x0004,
    0x0007,
    // Secure renegotiation (RFC 5746): strict servers refuse clients that do not know it.
    suites::RENEGOTIATION_SCSV,
];

/// What only a broken server would choose: DES, export, no encryption. A version is accepted with these too.
const WORST: &[u16] = &[
    0x0015, 0x0012, 0x0009, 0x0014, 0x0011, 0x0008, 0x0006, 0x0003, 0xc006, 0xc010, 0x003b, 0x0002,
    0x0001,
];

const TLS13: &[u16] = &[0x1302, 0x1301, 0x1303];

/// SHA-1 included: an old server may have nothing better.
const SIGNATURE_ALGORITHMS: &[u16] = &[
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401,
    0x0501, 0x0601, 0x0402, 0x0203, 0x0201, 0x0202,
];

const EXTENSIONS: &[Extension] = &[
    Extension::ServerName,
    Extension::StatusRequest,
    Extension::SupportedGroups,
    Extension::EcPointFormats,
    Extension::SignatureAlgorithms,
    Extension::ExtendedMasterSecret,
    Extension::SupportedVersions,
    Extension::PskKeyExchangeModes,
    Extension::KeyShare,
];

/// The key of a certificate: a server may hold one of each, renewed apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateKind {
    /// An elliptic-curve key.
    Ecdsa,
    /// An RSA key.
    Rsa,
}

impl fmt::Display for CertificateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ecdsa => "ECDSA",
            Self::Rsa => "RSA",
        })
    }
}

impl Offer {
    /// The suites of TLS 1.2 and older that rustls lacks, at TLS 1.2 at most: what is asked after rustls failed.
    pub fn not_rustls() -> Self {
        Self::of(TlsVersion::Tls12, NOT_RUSTLS_TLS12)
    }

    /// Everything this version may use, anonymous suites apart: whether it is accepted at all.
    pub fn up_to(version: TlsVersion) -> Self {
        let all: Vec<u16> = [TLS13, RUSTLS_TLS12, NOT_RUSTLS_TLS12, WORST].concat();
        let offered = all.into_iter().filter(|suite| match version {
            TlsVersion::Tls13 => TlsVersion::ALL.iter().any(|older| is_usable_at(*suite, *older)),
            older => is_usable_at(*suite, older),
        });
        Self::of(version, &offered.collect::<Vec<u16>>())
    }

    /// Every suite of one weakness, and nothing else.
    pub fn weak(weakness: Weakness, version: TlsVersion) -> Self {
        Self::only(suites_of(weakness), version)
    }

    /// Every suite with ephemeral finite-field Diffie-Hellman, and nothing else: what prime is used.
    pub fn dhe(version: TlsVersion) -> Self {
        Self::only(suites_with_dhe(), version)
    }

    /// The TLS 1.2 suites that need a certificate with this kind of key.
    pub fn for_certificate(kind: CertificateKind) -> Self {
        let wanted = kind == CertificateKind::Ecdsa;
        let all = [RUSTLS_TLS12, NOT_RUSTLS_TLS12].concat();
        let suites =
            all.into_iter().filter(|suite| suites::is_ecdsa(*suite) == Some(wanted)).collect();
        Self::only(suites, TlsVersion::Tls12)
    }

    fn only(suites: Vec<u16>, version: TlsVersion) -> Self {
        let mut offered: Vec<u16> =
            suites.into_iter().filter(|suite| is_usable_at(*suite, version)).collect();
        offered.push(suites::RENEGOTIATION_SCSV);
        Self::of(version, &offered)
    }

    fn of(version: TlsVersion, suites: &[u16]) -> Self {
        Self {
            version,
            lowest: TlsVersion::Tls10.min(version),
            suites: suites.to_vec(),
            sni: None,
            groups: vec![
                groups::X25519,
                groups::SECP256R1,
                groups::SECP384R1,
                groups::SECP521R1,
                groups::X448,
                // Brainpool P-256, P-384, P-512, and secp256k1.
                26,
                27,
                28,
                22,
            ],
            shares: vec![groups::X25519],
            signature_algorithms: SIGNATURE_ALGORITHMS.to_vec(),
            extensions: EXTENSIONS.to_vec(),
        }
    }
}
