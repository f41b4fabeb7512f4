//! TLS alerts ([RFC 8446 §6], [RFC 5246 §7.2]), by the names of the IANA registry.
//!
//! [RFC 5246 §7.2]: https://www.rfc-editor.org/rfc/rfc5246#section-7.2
//! [RFC 8446 §6]: https://www.rfc-editor.org/rfc/rfc8446#section-6

use std::{borrow::Cow, fmt};

/// What a peer says when it gives up, or warns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert {
    /// 1 warning, 2 fatal.
    pub level: u8,
    /// The number of the IANA registry.
    pub description: u8,
}

impl Alert {
    /// The name of the IANA registry, such as `protocol_version`.
    pub fn name(self) -> Cow<'static, str> {
        alert_name(self.description)
    }

    /// Whether nothing follows it. RFC 5246 §7.2.1: after close_notify, a warning, nothing is sent either.
    pub fn is_end(self) -> bool {
        self.level != 1 || self.description == 0
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// The IANA name of an alert; a number without one is given as `alert_N`.
pub fn alert_name(description: u8) -> Cow<'static, str> {
    Cow::Borrowed(match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        52 => "too_many_cids_requested",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        117 => "general_error",
        120 => "no_application_protocol",
        121 => "ech_required",
        other => return Cow::Owned(format!("alert_{other}")),
    })
}
