//! Partners, and ourselves: who has agreed on what with whom.

use super::{connector::MailTarget, requirement::Requirement};
use crate::wire::{
    mailbox::Mailbox,
    name::{Domain, Host},
};
use std::collections::BTreeMap;

/// Us: the mail system whose mail is under contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// What people call it.
    pub name: String,
    /// Our mail domains.
    pub domains: Vec<Domain>,
    /// Where they receive.
    pub targets: Vec<MailTarget>,
    /// How our probes introduce themselves.
    pub ehlo: Option<Host>,
    /// What our own targets must offer.
    pub offers: Requirement,
}

/// The other side: one or more mail domains under a forced-TLS agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// Its identity.
    pub name: String,
    /// The name its history stands under.
    pub formerly: Option<String>,
    /// Its mail domains.
    pub domains: Vec<Domain>,
    /// Where they receive.
    pub targets: Vec<MailTarget>,
    /// Whatever the operator wants to tell partners apart by.
    pub labels: BTreeMap<String, String>,
    /// The name of the connector for mail to it.
    pub outbound: Option<String>,
    /// The name of the connector for mail from it.
    pub inbound: Option<String>,
    /// By agreement: whether it refuses plaintext from us.
    pub receiver_enforces: Option<AgreedProbe>,
    /// By agreement: an address that answers to the envelope sender.
    pub echo: Option<Echo>,
}

/// A probe at a partner's MX, by agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedProbe {
    /// Who agreed, and when.
    pub agreed: String,
    /// The envelope sender.
    pub mail_from: Mailbox,
    /// The recipient; never more addresses than this one.
    pub rcpt_to: Mailbox,
    /// When the partner's receiver decides.
    pub decides: super::connector::Until,
}

/// An address at the partner that answers to the envelope sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    /// Who agreed, and when.
    pub agreed: String,
    /// Whether the partner has put our canary domains under its own rule.
    pub covers_canaries: bool,
    /// The address.
    pub address: Mailbox,
}
