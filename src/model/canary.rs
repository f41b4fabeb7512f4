//! Canaries: our own receivers, each of which misbehaves in one named way (contract §4).

use super::{
    connector::CertificateFiles,
    requirement::{Level, MinVersion, TlsVersion},
};
use crate::wire::name::{Domain, Host};
use core::net::{IpAddr, SocketAddr};
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf, str::FromStr};

/// The one way in which a canary misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Personality {
    /// A certificate that passes for its own host and matches none of its TLSA records.
    DaneMismatch,
    /// An expired certificate of an otherwise good chain.
    Expired,
    /// Nothing is wrong with it: the control.
    Good,
    /// Speaks only versions below the lowest.
    LegacyTls,
    /// Does not offer STARTTLS.
    NoStarttls,
    /// A self-signed certificate.
    SelfSigned,
    /// Answers 220, reads the hello, and fails the handshake with a fatal alert.
    StarttlsBroken,
    /// Offers STARTTLS, answers it 454.
    StarttlsRefused,
    /// A chain to a root nobody trusts.
    UnknownCa,
    /// A good chain for another name.
    WrongName,
}

impl Personality {
    /// Every one, the control first, then as contract §4 lists them.
    pub const ALL: [Self; 10] = [
        Self::Good,
        Self::NoStarttls,
        Self::StarttlsRefused,
        Self::StarttlsBroken,
        Self::LegacyTls,
        Self::SelfSigned,
        Self::UnknownCa,
        Self::Expired,
        Self::WrongName,
        Self::DaneMismatch,
    ];

    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DaneMismatch => "dane-mismatch",
            Self::Expired => "expired",
            Self::Good => "good",
            Self::LegacyTls => "legacy-tls",
            Self::NoStarttls => "no-starttls",
            Self::SelfSigned => "self-signed",
            Self::StarttlsBroken => "starttls-broken",
            Self::StarttlsRefused => "starttls-refused",
            Self::UnknownCa => "unknown-ca",
            Self::WrongName => "wrong-name",
        }
    }

    /// Whether mail may be delivered to it under this level: right, and told as info.
    pub fn is_allowed_at(self, level: Level) -> bool {
        match self {
            Self::Good => true,
            Self::NoStarttls | Self::StarttlsRefused | Self::StarttlsBroken | Self::LegacyTls => {
                false
            }
            Self::SelfSigned | Self::UnknownCa | Self::Expired => match level {
                Level::Encrypt | Level::Dane => true,
                Level::Ca | Level::Name | Level::MtaSts | Level::Pinned => false,
            },
            Self::WrongName => match level {
                Level::Encrypt | Level::Ca | Level::Dane => true,
                Level::Name | Level::MtaSts | Level::Pinned => false,
            },
            Self::DaneMismatch => level != Level::Dane,
        }
    }

    /// Whether a sender that was turned away once may still deliver in clear on a retry, so that one
    /// refusal is none.
    pub fn is_refusal_repeated(self) -> bool {
        matches!(self, Self::StarttlsRefused | Self::StarttlsBroken | Self::LegacyTls)
    }

    /// Whether the handshake of this canary is one that can succeed, so that its certificate is what is wrong.
    pub fn is_about_certificate(self) -> bool {
        match self {
            Self::DaneMismatch
            | Self::Expired
            | Self::SelfSigned
            | Self::UnknownCa
            | Self::WrongName => true,
            Self::Good
            | Self::LegacyTls
            | Self::NoStarttls
            | Self::StarttlsBroken
            | Self::StarttlsRefused => false,
        }
    }
}

impl fmt::Display for Personality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that must be proved at a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// One of the two.
    Either([Personality; 2]),
    /// This one.
    One([Personality; 1]),
}

impl Need {
    /// What a level needs of every set of canaries (contract §4).
    pub fn at(level: Level) -> Vec<Self> {
        let mut needs = vec![
            Self::One([Personality::NoStarttls]),
            Self::One([Personality::StarttlsRefused]),
            Self::One([Personality::StarttlsBroken]),
            Self::One([Personality::LegacyTls]),
        ];
        let untrusted = Self::Either([Personality::SelfSigned, Personality::UnknownCa]);
        match level {
            Level::Encrypt => {}
            Level::Ca => needs.push(untrusted),
            Level::MtaSts | Level::Name => {
                needs.extend([untrusted, Self::One([Personality::WrongName])]);
            }
            Level::Pinned => needs.push(Self::One([Personality::SelfSigned])),
            Level::Dane => needs.push(Self::One([Personality::DaneMismatch])),
        }
        needs
    }

    /// What it can be met by.
    pub fn personalities(&self) -> &[Personality] {
        match self {
            Self::Either(two) => two,
            Self::One(one) => one,
        }
    }

    /// Whether these are enough.
    pub fn is_met_by(&self, these: &[Personality]) -> bool {
        self.personalities().iter().any(|personality| these.contains(personality))
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Either([one, other]) => write!(f, "{one} or {other}"),
            Self::One([one]) => write!(f, "{one}"),
        }
    }
}

/// No such personality.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no canary personality is called `{0}`")]
pub struct UnknownPersonality(String);

impl FromStr for Personality {
    type Err = UnknownPersonality;

    fn from_str(text: &str) -> Result<Self, UnknownPersonality> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| UnknownPersonality(text.chars().take(80).collect()))
    }
}

/// One canary, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// How it misbehaves.
    pub personality: Personality,
    /// Where it listens here; empty for a remote one.
    pub listen: Vec<SocketAddr>,
    /// The addresses senders see; where empty, those it listens on.
    pub public: Vec<IpAddr>,
    /// The recipient domains it takes probes for.
    pub domains: Vec<Domain>,
    /// Its MX host name: what it greets with and what its certificate is for.
    pub hostname: Host,
    /// The operator's certificate; without one the canary makes its own.
    pub certificate: Option<CertificateFiles>,
    /// A `mxwarden canary` elsewhere.
    pub remote: Option<RemoteCanary>,
}

/// A `mxwarden canary` elsewhere, whose sessions are pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteCanary {
    /// Its address, `https://…`.
    pub url: String,
    /// The file its token is read from.
    pub token_file: PathBuf,
}

/// How a canary acts in one session: as itself, or as the good one while a queue is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acting {
    /// With its defect.
    AsItself,
    /// As `good` does, so that the probe that was refused leaves the sender's queue.
    Draining,
}

/// Whether a version is one `legacy-tls` speaks: any below the lowest.
pub fn is_legacy(version: TlsVersion, lowest: MinVersion) -> bool {
    version < lowest.version()
}
