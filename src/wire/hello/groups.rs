//! Key exchange groups, by the names of the IANA registry ([RFC 8446 §4.2.7], [RFC 8422 §5.1.1]).
//!
//! [RFC 8422 §5.1.1]: https://www.rfc-editor.org/rfc/rfc8422#section-5.1.1
//! [RFC 8446 §4.2.7]: https://www.rfc-editor.org/rfc/rfc8446#section-4.2.7

pub(super) const SECP256R1: u16 = 23;
pub(super) const SECP384R1: u16 = 24;
pub(super) const SECP521R1: u16 = 25;
pub(super) const X25519: u16 = 29;
pub(super) const X448: u16 = 30;
pub(super) const X25519_MLKEM768: u16 = 0x11ec;

const NAMES: &[(u16, &str)] = &[
    (1, "sect163k1"),
    (3, "sect163r2"),
    (6, "sect233k1"),
    (7, "sect233r1"),
    (9, "sect283k1"),
    (10, "sect283r1"),
    (11, "sect409k1"),
    (12, "sect409r1"),
    (13, "sect571k1"),
    (14, "sect571r1"),
    (15, "secp160k1"),
    (16, "secp160r1"),
    (17, "secp160r2"),
    (18, "secp192k1"),
    (19, "secp192r1"),
    (20, "secp224k1"),
    (21, "secp224r1"),
    (22, "secp256k1"),
    (SECP256R1, "secp256r1"),
    (SECP384R1, "secp384r1"),
    (SECP521R1, "secp521r1"),
    (26, "brainpoolP256r1"),
    (27, "brainpoolP384r1"),
    (28, "brainpoolP512r1"),
    (X25519, "x25519"),
    (X448, "x448"),
    (31, "brainpoolP256r1tls13"),
    (32, "brainpoolP384r1tls13"),
    (33, "brainpoolP512r1tls13"),
    (41, "curveSM2"),
    (256, "ffdhe2048"),
    (257, "ffdhe3072"),
    (258, "ffdhe4096"),
    (259, "ffdhe6144"),
    (260, "ffdhe8192"),
    (0x0200, "MLKEM512"),
    (0x0201, "MLKEM768"),
    (0x0202, "MLKEM1024"),
    (0x11eb, "SecP256r1MLKEM768"),
    (X25519_MLKEM768, "X25519MLKEM768"),
    (0x11ed, "SecP384r1MLKEM1024"),
    (0x6399, "X25519Kyber768Draft00"),
];

/// The IANA name of a group; a number without one is given as `0xNNNN`.
pub fn group_name(group: u16) -> String {
    match NAMES.iter().find(|(number, _)| *number == group) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("0x{group:04X}"),
    }
}
