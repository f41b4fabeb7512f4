//! Connectors: the rules on our side that are supposed to force TLS, each with what proves it.

use super::{
    canary::Personality,
    requirement::{MinVersion, Requirement},
    target::Target,
};
use crate::wire::{
    mailbox::Mailbox,
    name::{Domain, Host, NamePattern},
};
use core::{net::IpAddr, time::Duration};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, path::PathBuf};

/// A certificate chain and its key, by file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM, leaf first.
    pub chain_file: PathBuf,
    /// PEM, PKCS#8, PKCS#1 or SEC1.
    pub key_file: PathBuf,
}

/// One of a partner's or our own `targets`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MailTarget {
    /// `host:NAME[:PORT]`.
    Host {
        /// Whose addresses.
        host: Host,
        /// TCP port; none means the port of the run.
        port: Option<u16>,
    },
    /// `mx`: the MX records of every mail domain.
    Mx,
}

impl MailTarget {
    /// What is looked at for these mail domains.
    pub fn targets(&self, domains: &[Domain]) -> Vec<Target> {
        match self {
            Self::Host { host, port } => vec![Target::Host { host: host.clone(), port: *port }],
            Self::Mx => domains.iter().cloned().map(Target::Domain).collect(),
        }
    }
}

impl fmt::Display for MailTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { host, port: Some(port) } => write!(f, "host:{host}:{port}"),
            Self::Host { host, port: None } => write!(f, "host:{host}"),
            Self::Mx => f.write_str("mx"),
        }
    }
}

/// The rule for mail from us to a partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundConnector {
    /// Its name.
    pub name: String,
    /// What it must demand of the receiver.
    pub requirement: Requirement,
    /// Whether our sender sends SNI.
    pub sni: SendsSni,
    /// The connector whose canaries prove this one (a clone of it).
    pub proved_on: Option<String>,
    /// How probe mail enters our mail system.
    pub submit: Option<Submit>,
    /// The probe recipient domain per personality.
    pub canaries: BTreeMap<Personality, Domain>,
    /// How our mail system's connections are recognised at a canary.
    pub sender: SenderMarks,
    /// When what is expected.
    pub timing: Timing,
}

/// Whether a sender sends SNI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SendsSni {
    /// It does not.
    No,
    /// Nobody said.
    #[default]
    Unknown,
    /// It does.
    Yes,
}

/// How probe mail enters our mail system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// How the connection is protected.
    pub security: SubmitSecurity,
    /// A name, resolved by `[dns]`, or an address.
    pub host: SubmitHost,
    /// TCP port.
    pub port: u16,
    /// Envelope sender and From of probes.
    pub from: Mailbox,
    /// Who we say we are.
    pub credentials: Option<Credentials>,
}

/// Where submission goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitHost {
    /// This address.
    Address(IpAddr),
    /// This host.
    Name(Host),
}

impl fmt::Display for SubmitHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(host) => write!(f, "{host}"),
        }
    }
}

/// How the submission connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitSecurity {
    /// `smtps://`: TLS from the first octet, verified.
    Implicit,
    /// `smtp+plain://`: none.
    None,
    /// `smtp://`: STARTTLS if it is offered, not verified.
    Opportunistic,
    /// `smtp+starttls://`: STARTTLS, verified.
    Required,
}

/// Who we say we are to our mail system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// SMTP AUTH XOAUTH2.
    OAuth2 {
        /// The mailbox that is written as.
        username: String,
        /// Who asks for tokens.
        client: OAuth2Client,
    },
    /// SMTP AUTH PLAIN or LOGIN.
    Password {
        /// The user.
        username: String,
        /// The file the password is read from.
        password_file: PathBuf,
    },
}

impl Credentials {
    /// Who we say we are.
    pub fn username(&self) -> &str {
        match self {
            Self::OAuth2 { username, .. } | Self::Password { username, .. } => username,
        }
    }
}

/// A client of an OAuth 2 token endpoint that asks in its own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2Client {
    /// `https://…`.
    pub token_url: String,
    /// Its id.
    pub client_id: String,
    /// The file its secret is read from.
    pub client_secret_file: PathBuf,
    /// What the token is for.
    pub scope: String,
}

/// How our mail system's connections are recognised at a canary.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SenderMarks {
    /// Where they come from.
    pub networks: Vec<IpNet>,
    /// The names they introduce themselves with.
    pub ehlo: Vec<NamePattern>,
}

/// When what is expected of our mail system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// No attempt seen by then: unknown.
    pub first_attempt_within: Duration,
    /// Refusals needed where a retry may fall back to clear.
    pub attempts: u32,
    /// How long our mail system keeps trying.
    pub queue_lifetime: Duration,
    /// When the canary turns good for a refused probe; none means never.
    pub drain_after: Option<Duration>,
}

impl Default for Timing {
    fn default() -> Self {
        const HOUR: u64 = 3600;
        Self {
            first_attempt_within: Duration::from_secs(300),
            attempts: 2,
            queue_lifetime: Duration::from_secs(25 * HOUR),
            drain_after: Some(Duration::from_secs(6 * HOUR)),
        }
    }
}

/// The rule for mail from a partner to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundConnector {
    /// Its name.
    pub name: String,
    /// What the partner's sender must do: the level and the lowest version.
    pub requirement: Requirement,
    /// Names, one of which the client certificate must match; empty means that none is required.
    pub client_names: Vec<NamePattern>,
    /// How we probe as the partner.
    pub probe: Option<InboundProbe>,
}

/// How we probe as the partner, at our own MX.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundProbe {
    /// Whom we and where; who.
    pub envelope: ProbeEnvelope,
    /// Where we receive.
    pub targets: Vec<MailTarget>,
    /// The certificate of the control, where one is required.
    pub client_certificate: Option<CertificateFiles>,
    /// A trusted certificate for another name, for the negative.
    pub other_client_certificate: Option<CertificateFiles>,
    /// Networks the connector recognises the partner by.
    pub networks: Vec<IpNet>,
    /// Local addresses to probe from; those outside `networks` are foreign.
    pub source_addresses: Vec<IpAddr>,
}

/// What an envelope probe says, and what it is judged by. Part of the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeEnvelope {
    /// The envelope sender of probes.
    pub mail_from: Mailbox,
    /// The recipient.
    pub rcpt_to: Mailbox,
    /// The envelope sender of the control where no certificate can be had.
    pub control_mail_from: Option<Mailbox>,
    /// What the connector recognises the partner by.
    pub keyed_on: KeyedOn,
    /// How far probes go.
    pub until: Until,
    /// When this receiver decides.
    pub decides: Until,
}

/// What a connector recognises the partner by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyedOn {
    /// Where it comes from.
    Address,
    /// Its client certificate.
    Certificate,
    /// The domain of its envelope sender.
    #[default]
    Sender,
}

/// The phase a probe goes to, or a receiver decides at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// After the message.
    Data,
    /// At RCPT.
    #[default]
    Rcpt,
}

/// What an inbound connector demands of TLS, beside certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floor {
    /// Lowest TLS version.
    pub min_version: MinVersion,
    /// Names, one of which the client certificate must match; empty means that none is required.
    pub client_names: Vec<NamePattern>,
}
