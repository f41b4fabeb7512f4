//! A ClientHello as a value, and as bytes ([RFC 5246 §7.4.1.2], [RFC 8446 §4.1.2], [RFC 6101 §5.6.1.2]).
//!
//! The extensions stand in the order in which they are sent, so that a recorded hello comes out octet for octet.
//!
//! [RFC 5246 §7.4.1.2]: https://www.rfc-editor.org/rfc/rfc5246#section-7.4.1.2
//! [RFC 6101 §5.6.1.2]: https://www.rfc-editor.org/rfc/rfc6101#section-5.6.1.2
//! [RFC 8446 §4.1.2]: https://www.rfc-editor.org/rfc/rfc8446#section-4.1.2

use super::{TlsVersion, groups};
use crate::wire::name::Host;

/// What a client says it can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The highest version.
    pub version: TlsVersion,
    /// The lowest version; it is told to the server only where the highest is 1.3.
    pub lowest: TlsVersion,
    /// The suites, most wanted first, signals (RFC 5746) included.
    pub suites: Vec<u16>,
    /// The host asked for ([RFC 6066 §3]); sent where `extensions` lists it too.
    ///
    /// [RFC 6066 §3]: https://www.rfc-editor.org/rfc/rfc6066#section-3
    pub sni: Option<Host>,
    /// The key exchange groups, most wanted first.
    pub groups: Vec<u16>,
    /// The groups a key share is sent for: X25519 and X25519MLKEM768 can be had, others are left out.
    /// None at all makes a TLS 1.3 server name the group it wants ([RFC 8446 §4.2.8]).
    ///
    /// [RFC 8446 §4.2.8]: https://www.rfc-editor.org/rfc/rfc8446#section-4.2.8
    pub shares: Vec<u16>,
    /// The signature algorithms, most wanted first.
    pub signature_algorithms: Vec<u16>,
    /// The extensions, in the order in which they are sent. SSL 3.0 has none.
    pub extensions: Vec<Extension>,
}

/// An extension of the ClientHello; what it says is in the [`Offer`] or always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// ec_point_formats (RFC 8422 §5.1.2): uncompressed.
    EcPointFormats,
    /// ec_point_formats as OpenSSL sends it, with the two compressed forms that nobody uses.
    EcPointFormatsAll,
    /// encrypt_then_mac (RFC 7366).
    EncryptThenMac,
    /// extended_master_secret (RFC 7627).
    ExtendedMasterSecret,
    /// key_share (RFC 8446 §4.2.8).
    KeyShare,
    /// padding up to 512 octets, where the hello is longer than 255 (RFC 7685).
    Padding,
    /// psk_key_exchange_modes (RFC 8446 §4.2.9): with Diffie-Hellman.
    PskKeyExchangeModes,
    /// renegotiation_info (RFC 5746 §3.2), empty.
    RenegotiationInfo,
    /// server_name (RFC 6066 §3), where the offer has one.
    ServerName,
    /// session_ticket (RFC 5077), empty.
    SessionTicket,
    /// signature_algorithms (RFC 8446 §4.2.3), where the version is 1.2 or higher.
    SignatureAlgorithms,
    /// signed_certificate_timestamp (RFC 6962 §3.3.1), empty.
    SignedCertificateTimestamp,
    /// status_request (RFC 6066 §8): a stapled OCSP response is welcome.
    StatusRequest,
    /// supported_groups (RFC 8446 §4.2.7).
    SupportedGroups,
    /// supported_versions (RFC 8446 §4.2.1), where the version is 1.3.
    SupportedVersions,
}

/// What must differ from one hello to the next. Nothing secret is ever made of it: 32 octets of any
/// kind are a valid X25519 public key ([RFC 7748 §5]), and no handshake of ours is finished.
///
/// [RFC 7748 §5]: https://www.rfc-editor.org/rfc/rfc7748#section-5
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fresh {
    /// The client's random.
    pub random: [u8; 32],
    /// The session id, sent where 1.3 is offered ([RFC 8446 §D.4]).
    ///
    /// [RFC 8446 §D.4]: https://www.rfc-editor.org/rfc/rfc8446#appendix-D.4
    pub session_id: [u8; 32],
    /// The X25519 key share.
    pub key_share: [u8; 32],
}

impl Offer {
    /// The hello as the records that carry it; one write sends it.
    pub fn to_records(&self, fresh: &Fresh) -> Vec<u8> {
        let mut message = vec![1];
        block(&mut message, Width::U24, |body| self.put_body(body, fresh));
        let mut records = Vec::with_capacity(message.len() + 5);
        // RFC 5246 §E.1: the lowest version, as old servers look at the record's too.
        let version = self.version.min(TlsVersion::Tls10).to_wire();
        // RFC 5246 §6.2.1: a record holds 2^14 octets at most.
        for fragment in message.chunks(1 << 14) {
            records.push(22);
            put(&mut records, version);
            block(&mut records, Width::U16, |body| body.extend_from_slice(fragment));
        }
        records
    }

    /// The same offer without these suites: what a server chooses next shows what else it accepts.
    #[must_use]
    pub fn without(mut self, suites: &[u16]) -> Self {
        self.suites.retain(|suite| !suites.contains(suite));
        self
    }

    /// The same offer for this host, or for none.
    #[must_use]
    pub fn to_host(mut self, host: Option<Host>) -> Self {
        self.sni = host;
        self
    }

    fn put_body(&self, out: &mut Vec<u8>, fresh: &Fresh) {
        // RFC 8446 §4.1.2: 1.3 calls itself 1.2 here, and tells the truth in an extension.
        put(out, self.version.min(TlsVersion::Tls12).to_wire());
        out.extend_from_slice(&fresh.random);
        block(out, Width::U8, |id| {
            if self.version == TlsVersion::Tls13 {
                id.extend_from_slice(&fresh.session_id);
            }
        });
        block(out, Width::U16, |list| put_all(list, &self.suites));
        // No compression (RFC 5246 §7.4.1.2).
        out.extend_from_slice(&[1, 0]);
        if self.version == TlsVersion::Ssl3 {
            return;
        }
        // Padding counts what stands before it: the message's header, the body, the length of the extensions.
        let before = out.len() + 4 + 2;
        block(out, Width::U16, |list| {
            for extension in &self.extensions {
                self.put_extension(list, *extension, before, fresh);
            }
        });
    }

    fn put_extension(&self, out: &mut Vec<u8>, extension: Extension, before: usize, fresh: &Fresh) {
        let is_13 = self.version == TlsVersion::Tls13;
        match extension {
            Extension::EcPointFormats => entry(out, 11, |body| body.extend_from_slice(&[1, 0])),
            Extension::EcPointFormatsAll => {
                entry(out, 11, |body| body.extend_from_slice(&[3, 0, 1, 2]));
            }
            Extension::EncryptThenMac => entry(out, 22, |_| {}),
            Extension::ExtendedMasterSecret => entry(out, 23, |_| {}),
            Extension::KeyShare if is_13 => entry(out, 51, |body| self.put_shares(body, fresh)),
            Extension::Padding => put_padding(out, before),
            Extension::PskKeyExchangeModes if is_13 => {
                entry(out, 45, |body| body.extend_from_slice(&[1, 1]));
            }
            Extension::RenegotiationInfo => entry(out, 0xff01, |body| body.push(0)),
            Extension::ServerName => {
                if let Some(host) = &self.sni {
                    entry(out, 0, |body| put_server_name(body, host));
                }
            }
            Extension::SessionTicket => entry(out, 35, |_| {}),
            Extension::SignatureAlgorithms if self.version >= TlsVersion::Tls12 => {
                entry(out, 13, |body| put_list(body, &self.signature_algorithms));
            }
            Extension::SignedCertificateTimestamp => entry(out, 18, |_| {}),
            // OCSP, no responders named, no extensions.
            Extension::StatusRequest => {
                entry(out, 5, |body| body.extend_from_slice(&[1, 0, 0, 0, 0]))
            }
            Extension::SupportedGroups => entry(out, 10, |body| put_list(body, &self.groups)),
            Extension::SupportedVersions if is_13 => entry(out, 43, |body| {
                block(body, Width::U8, |list| {
                    let offered = TlsVersion::ALL.into_iter().rev().filter(|v| *v >= self.lowest);
                    offered.for_each(|version| put(list, version.to_wire()));
                });
            }),
            Extension::KeyShare
            | Extension::PskKeyExchangeModes
            | Extension::SignatureAlgorithms
            | Extension::SupportedVersions => {}
        }
    }

    fn put_shares(&self, out: &mut Vec<u8>, fresh: &Fresh) {
        block(out, Width::U16, |list| {
            for group in &self.shares {
                let kem: &[u8] = match *group {
                    groups::X25519 => &[],
                    groups::X25519_MLKEM768 => &ML_KEM_768_ZERO,
                    _ => continue,
                };
                put(list, *group);
                block(list, Width::U16, |key| {
                    if !kem.is_empty() {
                        key.extend_from_slice(kem);
                        key.extend_from_slice(&fresh.random);
                    }
                    key.extend_from_slice(&fresh.key_share);
                });
            }
        });
    }
}

/// The vector of an ML-KEM-768 encapsulation key, all zero: every coefficient is below the modulus, which
/// is all a server checks (FIPS 203 §7.2; tried with AWS-LC). Its 32-octet seed, which may be anything, follows it.
const ML_KEM_768_ZERO: [u8; 1152] = [0; 1152];

fn put_server_name(out: &mut Vec<u8>, host: &Host) {
    block(out, Width::U16, |list| {
        list.push(0);
        block(list, Width::U16, |name| name.extend_from_slice(host.as_str().as_bytes()));
    });
}

/// RFC 7685 §3: some servers hang on hellos of 256 to 511 octets, so these are made 512 long.
fn put_padding(out: &mut Vec<u8>, before: usize) {
    let length = before + out.len();
    if (256..512).contains(&length) {
        let zeros = (512 - length).saturating_sub(4);
        entry(out, 21, |body| body.resize(zeros, 0));
    }
}

fn entry(out: &mut Vec<u8>, number: u16, body: impl FnOnce(&mut Vec<u8>)) {
    put(out, number);
    block(out, Width::U16, body);
}

fn put_list(out: &mut Vec<u8>, values: &[u16]) {
    block(out, Width::U16, |list| put_all(list, values));
}

fn put_all(out: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|value| put(out, *value));
}

pub(in crate::wire) fn put(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// How many octets a length takes.
#[derive(Clone, Copy)]
pub(in crate::wire) enum Width {
    U8,
    U16,
    U24,
}

/// What `body` writes, behind its length. What does not fit is left out: every list of ours does.
pub(in crate::wire) fn block(out: &mut Vec<u8>, width: Width, body: impl FnOnce(&mut Vec<u8>)) {
    let mut content = Vec::new();
    body(&mut content);
    let (octets, most) = match width {
        Width::U8 => (1, 0xff),
        Width::U16 => (2, 0xffff),
        Width::U24 => (3, 0xff_ffff),
    };
    content.truncate(most);
    let length = content.len().to_be_bytes();
    out.extend(length.iter().skip(length.len() - octets));
    out.extend_from_slice(&content);
}
