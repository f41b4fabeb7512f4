//! Reads `[[connector]]`, in both directions.

use super::{
    files::Files,
    section::{Section, Zero, shown},
    span::written,
    submit,
    told::{Place, Placed},
    words::{MAILBOX, NETWORK, PATTERN, address, network, requirement, targets, values},
};
use crate::model::{
    canary::Personality,
    claim::Direction,
    connector::{
        InboundConnector, InboundProbe, KeyedOn, MailTarget, OutboundConnector, ProbeEnvelope,
        SenderMarks, SendsSni, Timing, Until,
    },
};
use crate::wire::{
    mailbox::Mailbox,
    name::{Domain, NamePattern},
};

/// Keys of the one direction.
const OUTBOUND: [&str; 6] = ["sni", "proved_on", "submit", "canaries", "sender", "timing"];
/// Keys of the other.
const INBOUND: [&str; 2] = ["client_names", "probe"];

const UNTIL: [(&str, Until); 2] = [("rcpt", Until::Rcpt), ("data", Until::Data)];

/// One connector, with the places the rest of the configuration is held against.
pub(super) struct ReadConnector {
    pub(super) place: Place,
    pub(super) name: Option<Placed<String>>,
    pub(super) proved_on: Option<Place>,
    pub(super) canaries: Vec<Placed<(Personality, Domain)>>,
    pub(super) mail_from: Option<Place>,
    pub(super) rcpt_to: Option<Place>,
    /// Submission that is configured and not in this version.
    pub(super) not_yet: Option<String>,
    /// None where the direction is not known.
    pub(super) rule: Option<Rule>,
}

/// The connector itself.
pub(super) enum Rule {
    Inbound(Box<InboundConnector>),
    Outbound(Box<OutboundConnector>),
}

impl ReadConnector {
    pub(super) fn direction(&self) -> Option<Direction> {
        self.rule.as_ref().map(|rule| match rule {
            Rule::Inbound(_) => Direction::Inbound,
            Rule::Outbound(_) => Direction::Outbound,
        })
    }
}

pub(super) fn read(section: Section<'_>, files: &Files) -> ReadConnector {
    let name = section.text("name");
    if !section.has("name") {
        section.missing("name", "partners name the connector by it");
    }
    let directions = [("outbound", Direction::Outbound), ("inbound", Direction::Inbound)];
    let direction = section.word("direction", &directions).map(|word| word.value);
    if !section.has("direction") {
        let hint = "outbound = we send to the partner, inbound = the partner sends to us";
        section.missing("direction", hint);
    }
    let mut read = ReadConnector {
        place: section.place.clone(),
        name,
        proved_on: None,
        canaries: Vec::new(),
        mail_from: None,
        rcpt_to: None,
        not_yet: None,
        rule: None,
    };
    match direction {
        Some(Direction::Outbound) => {
            let hint = "it belongs to a connector with direction = \"inbound\"";
            section.refuse(&INBOUND, "an outbound connector has no such key", hint);
            let connector = outbound(&section, files, &mut read);
            read.rule = Some(Rule::Outbound(Box::new(connector)));
        }
        Some(Direction::Inbound) => {
            let hint = "it belongs to a connector with direction = \"outbound\"";
            section.refuse(&OUTBOUND, "an inbound connector has no such key", hint);
            let connector = inbound(&section, files, &mut read);
            read.rule = Some(Rule::Inbound(Box::new(connector)));
        }
        // Which keys belong here is not known.
        None => section.give_up(),
    }
    read
}

fn name_of(read: &ReadConnector) -> String {
    read.name.as_ref().map(|name| name.value.clone()).unwrap_or_default()
}

fn outbound(section: &Section<'_>, files: &Files, read: &mut ReadConnector) -> OutboundConnector {
    let requirement = requirement(section, None);
    let proved_on = section.text_or_empty("proved_on");
    read.proved_on = proved_on.as_ref().map(|name| name.place.clone());
    let submitted = submit::read(&section.section("submit"), files);
    read.not_yet = submitted.not_yet;
    read.canaries = canaries(&section.section("canaries"));
    let sender = section.section("sender");
    let networks = sender.list_by("networks", NETWORK, network);
    let ehlo = sender.list::<NamePattern>("ehlo", PATTERN);
    if !read.canaries.is_empty() && !sender.has_items("networks") {
        sender.warn(
            "networks",
            "is missing: a refusal that does not come from the control's very address is told as unattributed",
            "networks = [\"198.51.100.0/28\"]: every address your mail system sends from",
        );
    }
    OutboundConnector {
        name: name_of(read),
        requirement,
        sni: sends_sni(section),
        proved_on: proved_on.map(|name| name.value),
        submit: submitted.submit,
        canaries: read.canaries.iter().map(|canary| canary.value.clone()).collect(),
        sender: SenderMarks { networks: values(networks), ehlo: values(ehlo) },
        timing: timing(&section.section("timing")),
    }
}

fn sends_sni(section: &Section<'_>) -> SendsSni {
    let Some(word) = section.flag_or_text("sni") else { return SendsSni::default() };
    match word.value.as_str() {
        "true" => SendsSni::Yes,
        "false" => SendsSni::No,
        "unknown" => SendsSni::Unknown,
        other => {
            let what = format!("`{}` is not one of its words", shown(other));
            section.mistake("sni", what, "write true, false or \"unknown\"");
            SendsSni::default()
        }
    }
}

fn canaries(section: &Section<'_>) -> Vec<Placed<(Personality, Domain)>> {
    let mut canaries: Vec<Placed<(Personality, Domain)>> = Vec::new();
    for personality in Personality::ALL {
        let domain = section.parsed::<Domain>(personality.as_str(), super::words::DOMAIN);
        canaries.extend(domain.map(|domain| domain.map(|domain| (personality, domain))));
    }
    if !canaries.is_empty() && !section.has(Personality::Good.as_str()) {
        let hint = "without the control no refusal means anything: good = \"good.canary.test\"";
        section.missing(Personality::Good.as_str(), hint);
    }
    canaries
}

fn timing(section: &Section<'_>) -> Timing {
    let usual = Timing::default();
    let first = section.duration("first_attempt_within", Zero::Refused);
    let attempts = section.number("attempts", 1..=100);
    let lifetime = section.duration("queue_lifetime", Zero::Refused);
    let is_never = section.is_word("drain_after", "never");
    let drain = if is_never { None } else { section.duration("drain_after", Zero::Refused) };
    let timing = Timing {
        first_attempt_within: first.map_or(usual.first_attempt_within, |span| span.value),
        attempts: attempts.unwrap_or(usual.attempts),
        queue_lifetime: lifetime.map_or(usual.queue_lifetime, |span| span.value),
        drain_after: match drain {
            Some(span) => Some(span.value),
            None if is_never => None,
            None => usual.drain_after,
        },
    };
    if let Some(drain) = timing.drain_after.filter(|drain| *drain > timing.queue_lifetime) {
        let key = if section.has("queue_lifetime") { "queue_lifetime" } else { "drain_after" };
        let what = format!(
            "queue_lifetime ({}) is shorter than drain_after ({})",
            written(timing.queue_lifetime),
            written(drain)
        );
        section.mistake(
            key,
            what,
            "drain before the queue gives up, or write drain_after = \"never\"",
        );
    }
    timing
}

fn inbound(section: &Section<'_>, files: &Files, read: &mut ReadConnector) -> InboundConnector {
    let requirement = requirement(section, None);
    let client_names = values(section.list::<NamePattern>("client_names", PATTERN));
    let table = section.section("probe");
    let probe = table.is_there().then(|| inbound_probe(&table, files, read)).flatten();
    if let Some(probe) = &probe {
        let keyed_on = probe.envelope.keyed_on;
        if keyed_on == KeyedOn::Certificate && client_names.is_empty() {
            let hint = "client_names = [\"*.fabrikam.test\"] in the connector";
            let what = "a connector keyed on the certificate needs client_names";
            table.mistake("keyed_on", what, hint);
        }
        let has_control =
            probe.client_certificate.is_some() || probe.envelope.control_mail_from.is_some();
        if !client_names.is_empty() && !has_control {
            section.warn(
                "client_names",
                "a certificate is required and the control has none: the claim will be unknown",
                "give probe.client_certificate, or probe.control_mail_from",
            );
        }
    }
    InboundConnector { name: name_of(read), requirement, client_names, probe }
}

fn inbound_probe(
    section: &Section<'_>,
    files: &Files,
    read: &mut ReadConnector,
) -> Option<InboundProbe> {
    let keys = [
        ("sender", KeyedOn::Sender),
        ("certificate", KeyedOn::Certificate),
        ("address", KeyedOn::Address),
    ];
    let mail_from = section.parsed::<Mailbox>("mail_from", MAILBOX);
    let rcpt_to = section.parsed::<Mailbox>("rcpt_to", MAILBOX);
    for (key, hint) in [
        ("mail_from", "an address of the partner's, as whom we probe"),
        ("rcpt_to", "a mailbox of ours that takes the probes"),
    ] {
        if !section.has(key) {
            section.missing(key, hint);
        }
    }
    let control_mail_from = section.parsed::<Mailbox>("control_mail_from", MAILBOX);
    tell_same_domain(section, control_mail_from.as_ref(), mail_from.as_ref());
    read.mail_from = mail_from.as_ref().map(|mailbox| mailbox.place.clone());
    read.rcpt_to = rcpt_to.as_ref().map(|mailbox| mailbox.place.clone());
    let targets = targets(section);
    let keyed_on = section.word("keyed_on", &keys).map(|word| word.value).unwrap_or_default();
    let until = section.word("until", &UNTIL).map(|word| word.value).unwrap_or_default();
    let decides = decides(section, &targets);
    let client_certificate = files.certificate(section, "client_certificate");
    let other_client_certificate = files.certificate(section, "other_client_certificate");
    let networks = values(section.list_by("networks", NETWORK, network));
    let source_addresses =
        section.list_by("source_addresses", "write an address of this host", address);
    Some(InboundProbe {
        envelope: ProbeEnvelope {
            mail_from: mail_from?.value,
            rcpt_to: rcpt_to?.value,
            control_mail_from: control_mail_from.map(|mailbox| mailbox.value),
            keyed_on,
            until,
            decides,
        },
        targets,
        client_certificate,
        other_client_certificate,
        networks,
        source_addresses: values(source_addresses),
    })
}

/// Tells a control that is no other sender than the one it stands beside.
fn tell_same_domain(
    section: &Section<'_>,
    control: Option<&Placed<Mailbox>>,
    mail_from: Option<&Placed<Mailbox>>,
) {
    if let (Some(control), Some(mail_from)) = (control, mail_from)
        && control.value.domain() == mail_from.value.domain()
    {
        let what = format!("lies in the domain of mail_from, `{}`", mail_from.value.domain());
        let hint = "the control must come from a sender that the connector does not know";
        section.mistake("control_mail_from", what, hint);
    }
}

/// `decides`, or what is known of the receiver: Exchange Online takes RCPT from anybody and decides after DATA.
pub(super) fn decides(section: &Section<'_>, targets: &[MailTarget]) -> Until {
    if let Some(word) = section.word("decides", &UNTIL) {
        return word.value;
    }
    let exchange = |target: &MailTarget| match target {
        MailTarget::Host { host, .. } => {
            ["mail.protection.outlook.com", "mx.microsoft"].iter().any(|suffix| {
                host.as_str().strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'))
            })
        }
        MailTarget::Mx => false,
    };
    if targets.iter().any(exchange) { Until::Data } else { Until::Rcpt }
}
