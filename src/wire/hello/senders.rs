//! What well-known senders offer, as data: the best and the worst a receiver would get from them.
//!
//! Invariant: a recorded offer gives back the recorded octets; a composed one says that it is composed.

use super::{Extension, Offer, TlsVersion, groups};
use crate::wire::name::Host;

/// A sender whose hello we can repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Its name, for people.
    pub name: &'static str,
    /// How its offer is known.
    pub source: Source,
    /// Whether it names the host it wants.
    pub sends_sni: bool,
    /// What it offers, to no host in particular.
    pub offer: Offer,
}

/// How an offer is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Recorded from the program itself.
    Captured(&'static str),
    /// Put together from what the maker publishes; order and details may differ.
    Composed(&'static str),
}

impl Sender {
    /// What it offers to this host.
    pub fn offer_to(&self, host: &Host) -> Offer {
        self.offer.clone().to_host(self.sends_sni.then(|| host.clone()))
    }
}

/// The senders known, by name.
pub fn senders() -> Vec<Sender> {
    vec![exchange_online(), gmail(), postfix()]
}

/// Composed, not captured: suites and order from Microsoft's "TLS Cipher Suites in Windows Server 2022"
/// as SCH_USE_STRONG_CRYPTO leaves them (no NULL, no pre-shared keys), curves from "TLS (Schannel SSP)
/// changes": curve25519, NistP256, NistP384. That a share is sent for the first curve alone, and the
/// signature algorithms, are what SChannel clients are commonly seen to do.
fn exchange_online() -> Sender {
    Sender {
        name: "Exchange Online (SChannel of Windows Server 2022)",
        source: Source::Composed("Microsoft, TLS Cipher Suites in Windows Server 2022"),
        sends_sni: true,
        offer: Offer {
            version: TlsVersion::Tls13,
            lowest: TlsVersion::Tls12,
            suites: vec![
                0x1302, 0x1301, 0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc024, 0xc023,
                0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009d, 0x009c, 0x003d, 0x003c,
                0x0035, 0x002f,
            ],
            sni: None,
            groups: vec![groups::X25519, groups::SECP256R1, groups::SECP384R1],
            shares: vec![groups::X25519],
            signature_algorithms: vec![
                0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0201, 0x0403, 0x0503, 0x0203, 0x0202,
                0x0601, 0x0603,
            ],
            extensions: vec![
                Extension::ServerName,
                Extension::StatusRequest,
                Extension::SupportedGroups,
                Extension::EcPointFormats,
                Extension::SignatureAlgorithms,
                Extension::SessionTicket,
                Extension::SupportedVersions,
                Extension::ExtendedMasterSecret,
                Extension::PskKeyExchangeModes,
                Extension::KeyShare,
                Extension::RenegotiationInfo,
            ],
        },
    }
}

/// Composed, not captured: the suites Google names for Gmail's SMTP ("Ciphers for Gmail SMTP TLS
/// connections": TLS 1.0 to 1.3, triple DES last) in BoringSSL's default order, with the groups of
/// Google's own clients. BoringSSL as published offers X25519, P-256 and P-384 by default: that
/// Gmail's outbound mail adds X25519MLKEM768 is an assumption.
fn gmail() -> Sender {
    Sender {
        name: "Gmail (BoringSSL)",
        source: Source::Composed("Google, Ciphers for Gmail SMTP TLS connections; BoringSSL"),
        sends_sni: true,
        offer: Offer {
            version: TlsVersion::Tls13,
            lowest: TlsVersion::Tls10,
            suites: vec![
                0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc009,
                0xc013, 0xc00a, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035, 0x000a,
            ],
            sni: None,
            groups: vec![
                groups::X25519_MLKEM768,
                groups::X25519,
                groups::SECP256R1,
                groups::SECP384R1,
            ],
            shares: vec![groups::X25519_MLKEM768, groups::X25519],
            signature_algorithms: vec![
                0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201,
            ],
            extensions: vec![
                Extension::ServerName,
                Extension::ExtendedMasterSecret,
                Extension::RenegotiationInfo,
                Extension::SupportedGroups,
                Extension::EcPointFormats,
                Extension::SessionTicket,
                Extension::SignatureAlgorithms,
                Extension::KeyShare,
                Extension::PskKeyExchangeModes,
                Extension::SupportedVersions,
            ],
        },
    }
}

/// Captured from Debian 12's smtp(8) (Postfix 3.7.11, OpenSSL 3.0) at `smtp_tls_security_level = may`, its default:
/// `tests/data/hellos/postfix-3.7-openssl-3.0-may.hex`. posttls-finger sends the same.
///
/// Twelve of its suites are anonymous: a server that takes one shows this sender no certificate at all.
fn postfix() -> Sender {
    Sender {
        name: "Postfix 3.7 (OpenSSL 3.0, Debian 12, level may)",
        source: Source::Captured("Debian 12, postfix 3.7.11 smtp(8), OpenSSL 3.0"),
        sends_sni: false,
        offer: Offer {
            version: TlsVersion::Tls13,
            lowest: TlsVersion::Tls10,
            suites: POSTFIX_SUITES.to_vec(),
            sni: None,
            groups: vec![
                groups::X25519,
                groups::X448,
                groups::SECP256R1,
                groups::SECP521R1,
                groups::SECP384R1,
            ],
            shares: vec![groups::X25519],
            signature_algorithms: vec![
                0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080a, 0x080b, 0x0804, 0x0805,
                0x0806, 0x0401, 0x0501, 0x0601, 0x0303, 0x0203, 0x0301, 0x0201, 0x0302, 0x0202,
                0x0402, 0x0502, 0x0602,
            ],
            extensions: vec![
                Extension::EcPointFormatsAll,
                Extension::SupportedGroups,
                Extension::SessionTicket,
                Extension::EncryptThenMac,
                Extension::ExtendedMasterSecret,
                Extension::SignatureAlgorithms,
                Extension::SupportedVersions,
                Extension::PskKeyExchangeModes,
                Extension::KeyShare,
                Extension::Padding,
            ],
        },
    }
}

const POSTFIX_SUITES: &[u16] = &[
    0x1302, 0x1303, 0x1301, 0x00a7, 0x006d, 0x00c5, 0xc019, 0x003a, 0x0089, 0xc02c, 0xc030, 0x00a3,
    0x009f, 0xcca9, 0xcca8, 0xccaa, 0xc0af, 0xc0ad, 0xc0a3, 0xc09f, 0xc05d, 0xc061, 0xc057, 0xc053,
    0xc024, 0xc028, 0x006b, 0x006a, 0xc073, 0xc077, 0x00c4, 0x00c3, 0xc00a, 0xc014, 0x0039, 0x0038,
    0x0088, 0x0087, 0x009d, 0xc0a1, 0xc09d, 0xc051, 0x003d, 0x00c0, 0x0035, 0x0084, 0x00a6, 0x006c,
    0x00bf, 0xc018, 0x0034, 0x0046, 0xc02b, 0xc02f, 0x00a2, 0x009e, 0xc0ae, 0xc0ac, 0xc0a2, 0xc09e,
    0xc05c, 0xc060, 0xc056, 0xc052, 0xc023, 0xc027, 0x0067, 0x0040, 0xc072, 0xc076, 0x00be, 0x00bd,
    0xc009, 0xc013, 0x0033, 0x0032, 0x0045, 0x0044, 0x009c, 0xc0a0, 0xc09c, 0xc050, 0x003c, 0x00ba,
    0x002f, 0x0041, 0x00ff,
];
