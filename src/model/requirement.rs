//! What a connector must guarantee: a level and a lowest TLS version.

use crate::wire::{name::NamePattern, text};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

pub use crate::wire::hello::TlsVersion;

/// How much the receiver must show (contract §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A chain that is complete, in date, and ends at a trusted root.
    Ca,
    /// Usable, DNSSEC-secure TLSA records for every MX, and a match (RFC 7672).
    Dane,
    /// STARTTLS at the lowest version or better; any certificate will do.
    Encrypt,
    /// A policy in mode enforce that lists the MX, and a pass (RFC 8461).
    MtaSts,
    /// As `ca`, and a match with a required name.
    Name,
    /// One of the pins.
    Pinned,
}

impl Level {
    /// Every one, as contract §2 lists them.
    pub const ALL: [Self; 6] =
        [Self::Encrypt, Self::Ca, Self::Name, Self::Pinned, Self::Dane, Self::MtaSts];

    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Dane => "dane",
            Self::Encrypt => "encrypt",
            Self::MtaSts => "mta-sts",
            Self::Name => "name",
            Self::Pinned => "pinned",
        }
    }

    /// Whether the path to a trusted root is part of the requirement.
    pub fn is_path_required(self) -> bool {
        match self {
            Self::Ca | Self::Name | Self::MtaSts => true,
            Self::Dane | Self::Encrypt | Self::Pinned => false,
        }
    }

    /// Whether a name match is part of the requirement.
    pub fn is_name_required(self) -> bool {
        match self {
            Self::Name | Self::MtaSts => true,
            Self::Ca | Self::Dane | Self::Encrypt | Self::Pinned => false,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The lowest version a requirement accepts: `1.2` or `1.3`, nothing older.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum MinVersion {
    /// TLS 1.2.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    Tls13,
}

impl MinVersion {
    /// The version meant.
    pub fn version(self) -> TlsVersion {
        match self {
            Self::Tls12 => TlsVersion::Tls12,
            Self::Tls13 => TlsVersion::Tls13,
        }
    }
}

/// The SHA-256 of a certificate or of its public key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pin(String);

impl Pin {
    /// The digest in lower-case hexadecimal.
    pub fn as_hex(&self) -> &str {
        &self.0
    }
}

/// The text is no SHA-256 digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no SHA-256 digest: 64 hexadecimal digits, or 44 characters of base64")]
pub struct NotAPin(String);

impl FromStr for Pin {
    type Err = NotAPin;

    fn from_str(text: &str) -> Result<Self, NotAPin> {
        let trimmed = text.trim().trim_start_matches("sha256//").trim_start_matches("sha256:");
        let digest = match text::from_hex(trimmed) {
            Some(digest) => Some(digest),
            None => text::from_base64(trimmed),
        };
        match digest {
            Some(digest) if digest.len() == 32 => Ok(Self(text::hex(&digest))),
            _ => Err(NotAPin(text.chars().take(80).collect())),
        }
    }
}

impl TryFrom<String> for Pin {
    type Error = NotAPin;

    fn try_from(text: String) -> Result<Self, NotAPin> {
        text.parse()
    }
}

impl From<Pin> for String {
    fn from(pin: Pin) -> Self {
        pin.0
    }
}

/// What a receiver must offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// How much.
    pub level: Level,
    /// Names, one of which a certificate must match; empty means the MX host's own.
    #[serde(default)]
    pub names: Vec<NamePattern>,
    /// Pins, one of which the certificate or its key must match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Pin>,
    /// Lowest TLS version.
    pub min_version: MinVersion,
}

impl Requirement {
    /// The level with everything else at its default.
    pub fn of(level: Level) -> Self {
        Self { level, names: Vec::new(), pins: Vec::new(), min_version: MinVersion::default() }
    }
}
