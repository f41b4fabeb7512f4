//! A Postfix that speaks what only old clients want. The scenarios are in [`crate::legacy`].
//!
//! Setup: OpenSSL 3 speaks TLS 1.0 and 1.1, anonymous suites and short primes at security level 0 only.

use super::Listener;
use crate::pki::{Key, Leaf};

macro_rules! listener {
    ($name:literal, $($option:literal = $value:literal),+ $(,)?) => {
        Listener {
            options: &[$(($option, $value)),+],
            ..Listener::new(
                concat!($name, ".postfix.test"),
                concat!("mx.", $name, ".postfix.test"),
                Leaf::good(concat!("mx.", $name, ".postfix.test")),
            )
        }
    };
}

pub(super) const LISTENERS: &[Listener] = &[
    listener!(
        "tls-1-0",
        "smtpd_tls_protocols" = ">=TLSv1, <=TLSv1",
        "tls_medium_cipherlist" = "ALL:!aNULL:@SECLEVEL=0",
    ),
    listener!(
        "tls-1-1",
        "smtpd_tls_protocols" = ">=TLSv1.1, <=TLSv1.1",
        "tls_medium_cipherlist" = "ALL:!aNULL:@SECLEVEL=0",
    ),
    listener!(
        "tls-1-0-to-1-3",
        "smtpd_tls_protocols" = ">=TLSv1",
        "tls_medium_cipherlist" = "ALL:!aNULL:@SECLEVEL=0",
    ),
    listener!(
        "cbc",
        "smtpd_tls_protocols" = ">=TLSv1.2, <=TLSv1.2",
        "tls_medium_cipherlist" = "ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA",
    ),
    listener!(
        "rsa-exchange",
        "smtpd_tls_protocols" = ">=TLSv1.2, <=TLSv1.2",
        "tls_medium_cipherlist" = "AES128-GCM-SHA256:AES128-SHA",
    ),
    listener!(
        "dhe-1024",
        "smtpd_tls_protocols" = ">=TLSv1.2, <=TLSv1.2",
        "tls_medium_cipherlist" = "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-SHA:@SECLEVEL=0",
        "smtpd_tls_dh1024_param_file" = "$lab_dh_1024",
    ),
    Listener {
        leaf: None,
        ..listener!(
            "anonymous",
            "smtpd_tls_security_level" = "may",
            "smtpd_tls_cert_file" = "none",
            "smtpd_tls_protocols" = ">=TLSv1.2, <=TLSv1.2",
            "tls_medium_cipherlist" = "aNULL:!eNULL:@SECLEVEL=0",
        )
    },
    Listener {
        second_leaf: Some(Leaf {
            file: "half-renewed-postfix-ec",
            key: Key::Ec,
            ..Leaf::good("mx.half-renewed.postfix.test")
        }),
        options: &[("tls_medium_cipherlist", "HIGH:!aNULL")],
        ..Listener::new(
            "half-renewed.postfix.test",
            "mx.half-renewed.postfix.test",
            Leaf { not_after: "20210101000000Z", ..Leaf::good("mx.half-renewed.postfix.test") },
        )
    },
    // Postfix 3.7's own default; the instance has a higher one.
    listener!("defaults", "smtpd_tls_protocols" = ">=TLSv1"),
];
