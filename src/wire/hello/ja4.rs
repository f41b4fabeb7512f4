//! The JA4 fingerprint of a TLS client: what tells one mail system's TLS from another's in 36 characters.
//!
//! 1. The first part is told in clear: transport, version, SNI, how many suites and extensions, ALPN.
//! 2. The second is a hash over the suites, the third one over the extensions and signature algorithms; suites and
//!    extensions are sorted, because some clients shuffle them.
//! 3. GREASE ([RFC 8701]) counts nowhere: it is different in each connection.
//!
//! As published by FoxIO, "JA4: TLS Client Fingerprinting" (`technical_details/JA4.md` of FoxIO-LLC/ja4), which is under the
//! BSD licence.
//!
//! [RFC 8701]: https://www.rfc-editor.org/rfc/rfc8701

use super::{
    TlsVersion,
    client::{ALPN, ClientHello, ProtocolName, SERVER_NAME, is_grease},
};
use crate::wire::text;
use sha2::{Digest, Sha256};

impl ClientHello {
    /// The JA4 fingerprint over TCP, such as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
    pub fn ja4(&self) -> String {
        let suites = meant(&self.suites);
        let extensions = meant(&self.extensions);
        let hashed: Vec<u16> = extensions
            .iter()
            .copied()
            .filter(|number| !matches!(*number, SERVER_NAME | ALPN))
            .collect();
        let mut third = listed(&sorted(hashed));
        if !third.is_empty() && !self.signature_algorithms.is_empty() {
            third.push('_');
            third.push_str(&listed(&meant(&self.signature_algorithms)));
        }
        format!(
            "t{}{}{:02}{:02}{}_{}_{}",
            self.version_mark(),
            if self.has_extension(SERVER_NAME) { 'd' } else { 'i' },
            suites.len().min(99),
            extensions.len().min(99),
            protocol_mark(self.alpn.first()),
            digest(&listed(&sorted(suites))),
            digest(&third),
        )
    }

    fn version_mark(&self) -> &'static str {
        let number = match &self.supported_versions {
            Some(listed) => meant(listed).into_iter().max(),
            None => Some(self.legacy_version),
        };
        match number.and_then(TlsVersion::from_wire) {
            Some(TlsVersion::Tls13) => "13",
            Some(TlsVersion::Tls12) => "12",
            Some(TlsVersion::Tls11) => "11",
            Some(TlsVersion::Tls10) => "10",
            Some(TlsVersion::Ssl3) => "s3",
            None => "00",
        }
    }
}

/// The first and the last character of a name; of its hexadecimal form where either is no letter or digit.
fn protocol_mark(name: Option<&ProtocolName>) -> String {
    let Some((first, last)) = name.and_then(|name| name.0.first().zip(name.0.last())) else {
        return "00".to_owned();
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(*first), char::from(*last)].iter().collect();
    }
    let (first, last) = (text::hex(&[*first]), text::hex(&[*last]));
    first.chars().take(1).chain(last.chars().skip(1)).collect()
}

fn meant(numbers: &[u16]) -> Vec<u16> {
    numbers.iter().copied().filter(|number| !is_grease(*number)).collect()
}

fn sorted(mut numbers: Vec<u16>) -> Vec<u16> {
    numbers.sort_unstable();
    numbers
}

fn listed(numbers: &[u16]) -> String {
    let numbers: Vec<String> = numbers.iter().map(|number| format!("{number:04x}")).collect();
    numbers.join(",")
}

/// Twelve digits; zeros where there is nothing.
fn digest(list: &str) -> String {
    if list.is_empty() {
        return "0".repeat(12);
    }
    text::hex(&Sha256::digest(list)).chars().take(12).collect()
}
