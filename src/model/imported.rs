//! What a mail system says of its own connectors: records as they were imported, in the words of no platform.
//!
//! 1. `config` reads exports (Exchange Online's JSON, Postfix' tables) into [`Imported`]; it is kept as JSON.
//! 2. `judge::configured` holds it against the agreement.
//!
//! Invariant: what an export does not say is `None`, never a default; what was seen is kept, nothing is judged here.

use super::requirement::{Level, Pin, TlsVersion};
use crate::wire::name::{Domain, NameError, NamePattern};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The version of this form.
pub const FORMAT: &str = "mxwarden-import/1";

/// Everything one import found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// [`FORMAT`].
    pub format: String,
    /// Whose words they were.
    pub platform: Platform,
    /// When the oldest of the exports was made.
    pub exported_at: Timestamp,
    /// How that is known.
    #[serde(default)]
    pub dated: Dated,
    /// The rules for mail from us; none where they were not exported.
    pub outbound: Option<Vec<OutboundRecord>>,
    /// The rules for mail to us; none where they were not exported.
    pub inbound: Option<Vec<InboundRecord>>,
    /// Mail flow rules that send mail to connectors or force TLS; none where they were not exported.
    pub rules: Option<Vec<RuleRecord>>,
    /// Our mail domains; none where they were not exported.
    pub accepted_domains: Option<Vec<AcceptedDomain>>,
    /// What holds for all mail; none where it was not exported.
    pub transport: Option<TransportRecord>,
    /// The import before this one, without the one before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Box<Self>>,
}

/// How it is known when records were exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dated {
    /// The exports say it themselves.
    ByExport,
    /// By the time of a file, which a copy may have made younger.
    #[default]
    ByFile,
}

/// Whose words the records were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Exchange Online.
    ExchangeOnline,
    /// Postfix.
    Postfix,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExchangeOnline => "Exchange Online",
            Self::Postfix => "Postfix",
        })
    }
}

/// Which domains a rule is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DomainPattern {
    /// `*`: every one.
    All,
    /// This one.
    Exact(Domain),
    /// `*.domain`: those below it. That it is for the domain itself is nowhere said.
    Under(Domain),
}

/// How closely a pattern fits a domain, the closest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Every domain fits.
    Any,
    /// It lies below; the more labels the pattern has, the closer.
    Below(usize),
    /// It is the very domain.
    Exact,
}

impl DomainPattern {
    /// How closely it fits; none where it does not.
    pub fn fit(&self, domain: &Domain) -> Option<Fit> {
        match self {
            Self::All => Some(Fit::Any),
            Self::Exact(own) => (own == domain).then_some(Fit::Exact),
            Self::Under(suffix) => {
                let before = domain.as_str().strip_suffix(suffix.as_str())?;
                let labels = suffix.as_str().split('.').count();
                (before.len() > 1 && before.ends_with('.')).then_some(Fit::Below(labels))
            }
        }
    }

    /// Whether it is for names below this very domain, and so looks as if it were for the domain.
    pub fn is_below(&self, domain: &Domain) -> bool {
        matches!(self, Self::Under(suffix) if suffix == domain)
    }
}

impl FromStr for DomainPattern {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.strip_prefix("*.") {
            _ if text == "*" => Ok(Self::All),
            Some(suffix) => suffix.parse().map(Self::Under),
            None => text.parse().map(Self::Exact),
        }
    }
}

impl TryFrom<String> for DomainPattern {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<DomainPattern> for String {
    fn from(pattern: DomainPattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Exact(domain) => write!(f, "{domain}"),
            Self::Under(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

/// The type of an Exchange Online connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConnectorType {
    /// For our own servers.
    OnPremises,
    /// For others.
    Partner,
}

/// How much a rule demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forced {
    /// This level.
    At(Level),
    /// Nothing: TLS where it happens to work.
    Not,
}

impl fmt::Display for Forced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(level) => write!(f, "level {level}"),
            Self::Not => f.write_str("no TLS demanded"),
        }
    }
}

/// What a connector does with a policy that the receiver's domain publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyMode {
    /// Nothing is sent without one that is met.
    Mandatory,
    /// It is not looked at.
    None,
    /// It is honoured where there is one.
    Opportunistic,
}

impl PolicyMode {
    /// The platform's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mandatory => "Mandatory",
            Self::None => "None",
            Self::Opportunistic => "Opportunistic",
        }
    }
}

/// A rule for mail from us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundRecord {
    /// Its name.
    pub name: String,
    /// What stays when it is renamed.
    pub guid: Option<String>,
    /// Its type; none where the platform has none or does not say.
    pub connector_type: Option<ConnectorType>,
    /// Whether it is on.
    pub enabled: Option<bool>,
    /// Whether it is in test mode.
    pub test_mode: Option<bool>,
    /// Whether only mail flow rules send mail to it.
    pub rule_scoped: Option<bool>,
    /// Whether all of the organisation's mail takes the way through its own servers.
    pub all_mail_via_on_premises: Option<bool>,
    /// Whether it is for all accepted domains.
    pub all_accepted_domains: Option<bool>,
    /// The domains it is for.
    pub domains: Vec<DomainPattern>,
    /// Whether mail goes where MX records say.
    pub uses_mx: Option<bool>,
    /// Where mail goes instead, as written.
    pub smart_hosts: Vec<String>,
    /// How much it demands; none where the export does not say.
    pub forced: Option<Forced>,
    /// The same in the platform's own words, such as `TlsSettings EncryptionOnly`.
    pub said: String,
    /// Names, one of which the certificate must match; empty means the MX host's own.
    pub names: Vec<NamePattern>,
    /// Pins.
    pub pins: Vec<Pin>,
    /// The lowest version; none where the export does not say.
    pub lowest: Option<TlsVersion>,
    /// MTA-STS.
    pub mta_sts: Option<PolicyMode>,
    /// DANE.
    pub dane: Option<PolicyMode>,
    /// When it was last changed.
    pub changed_at: Option<Timestamp>,
    /// Who made it: the admin centre, a wizard.
    pub source: Option<String>,
}

/// A rule for mail to us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundRecord {
    /// Its name.
    pub name: String,
    /// What stays when it is renamed.
    pub guid: Option<String>,
    /// Its type; none where the platform has none or does not say.
    pub connector_type: Option<ConnectorType>,
    /// Whether it is on.
    pub enabled: Option<bool>,
    /// Whether TLS is demanded.
    pub requires_tls: Option<bool>,
    /// The name the client certificate must have, as written.
    pub certificate_name: Option<String>,
    /// Whether a sender without that certificate is refused.
    pub restricted_to_certificate: Option<bool>,
    /// Whether a sender from elsewhere is refused.
    pub restricted_to_addresses: Option<bool>,
    /// The senders it is for.
    pub domains: Vec<DomainPattern>,
    /// The networks it is for.
    pub networks: Vec<IpNet>,
    /// Our domains it is limited to; empty means all.
    pub accepted_domains: Vec<Domain>,
    /// The lowest version; none where the export does not say.
    pub lowest: Option<TlsVersion>,
    /// When it was last changed.
    pub changed_at: Option<Timestamp>,
    /// Who made it.
    pub source: Option<String>,
}

/// A mail flow rule that has to do with the way mail leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRecord {
    /// Its name.
    pub name: String,
    /// Whether it is on and enforced; none where the export does not say.
    pub active: Option<bool>,
    /// Which comes first.
    pub priority: Option<i64>,
    /// The connector it sends mail to.
    pub routes_to: Option<String>,
    /// Whether it demands TLS, with any certificate.
    pub requires_tls: Option<bool>,
    /// The recipients' domains it is for.
    pub recipient_domains: Vec<Domain>,
    /// What else must hold, or must not: such a rule may let mail pass by.
    pub other_conditions: Vec<String>,
    /// When it was last changed.
    pub changed_at: Option<Timestamp>,
}

/// One of our mail domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedDomain {
    /// The domain.
    pub domain: Domain,
    /// Whether it is the default one.
    pub is_default: Option<bool>,
}

/// What holds for all mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportRecord {
    /// How many seconds a message is tried for.
    pub message_expires_after: Option<u64>,
    /// Whether clients may speak old TLS.
    pub allows_legacy_clients: Option<bool>,
}

impl Imported {
    /// An import without anything in it.
    pub fn empty(platform: Platform, exported_at: Timestamp) -> Self {
        Self {
            format: FORMAT.to_owned(),
            platform,
            exported_at,
            dated: Dated::default(),
            outbound: None,
            inbound: None,
            rules: None,
            accepted_domains: None,
            transport: None,
            previous: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_what_it_says_and_no_more() {
        #[track_caller]
        fn check(pattern: &str, domain: &str, expect: Option<Fit>) {
            let pattern: DomainPattern = pattern.parse().unwrap();
            assert_eq!(pattern.fit(&domain.parse().unwrap()), expect, "{pattern} {domain}");
            assert_eq!(pattern.to_string().parse::<DomainPattern>(), Ok(pattern));
        }
        check("*", "fabrikam.test", Some(Fit::Any));
        check("fabrikam.test", "fabrikam.test", Some(Fit::Exact));
        check("fabrikam.test", "mail.fabrikam.test", None);
        check("*.fabrikam.test", "mail.fabrikam.test", Some(Fit::Below(2)));
        check("*.fabrikam.test", "a.b.fabrikam.test", Some(Fit::Below(2)));
        check("*.fabrikam.test", "fabrikam.test", None); // nobody says that it does
        check("*.fabrikam.test", "xfabrikam.test", None);
        check("*.mail.fabrikam.test", "a.mail.fabrikam.test", Some(Fit::Below(3)));
        assert!("a.*.fabrikam.test".parse::<DomainPattern>().is_err());
        assert!(Fit::Any < Fit::Below(1) && Fit::Below(9) < Fit::Exact);
    }
}
