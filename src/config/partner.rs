//! Reads `[organisation]` and `[[partner]]`: who has agreed on what with whom.

use super::{
    connector::decides,
    section::Section,
    told::Placed,
    words::{DOMAIN, HOST, MAILBOX, requirement, targets, values},
};
use crate::model::{
    connector::MailTarget,
    partner::{AgreedProbe, Echo, Organisation, Partner},
    requirement::Level,
};
use crate::wire::{
    mailbox::Mailbox,
    name::{Domain, Host},
};

/// None where it has no name or no domain.
pub(super) fn organisation(section: &Section<'_>) -> Option<Organisation> {
    let name = section.text("name");
    if !section.has("name") {
        section.missing("name", "[organisation] says who we are: name = \"Contoso\"");
    }
    let domains = domains(section, "domains = [\"contoso.test\"]: our mail domains");
    let targets = targets(section);
    let ehlo = section.parsed::<Host>("ehlo", HOST).map(|host| host.value);
    let offers = requirement(&section.section("offers"), Some(Level::Name));
    Some(Organisation { name: name?.value, domains: values(domains?), targets, ehlo, offers })
}

/// `domains`, at least one; none where there is none that could be read.
fn domains(section: &Section<'_>, hint: &str) -> Option<Vec<Placed<Domain>>> {
    let domains = section.list::<Domain>("domains", DOMAIN);
    if !section.has("domains") {
        section.missing("domains", hint);
    } else if section.is_empty_list("domains") {
        section.mistake("domains", "must hold at least one domain", hint);
    }
    for (at, domain) in domains.iter().enumerate() {
        if domains.iter().take(at).any(|before| before.value == domain.value) {
            let what = format!("`{}` stands in it twice", domain.value);
            section.told().mistake(&domain.place, what, "");
        }
    }
    (!domains.is_empty()).then_some(domains)
}

/// One partner, with the places the rest of the configuration is held against.
pub(super) struct ReadPartner {
    pub(super) name: Option<Placed<String>>,
    pub(super) formerly: Option<Placed<String>>,
    pub(super) domains: Vec<Placed<Domain>>,
    pub(super) outbound: Option<Placed<String>>,
    pub(super) inbound: Option<Placed<String>>,
    pub(super) mail_from: Option<Placed<Mailbox>>,
    pub(super) partner: Option<Partner>,
}

pub(super) fn read(section: &Section<'_>) -> ReadPartner {
    let name = section.text("name");
    if !section.has("name") {
        section.missing("name", "its name is its identity, and its history stands under it");
    }
    let domains = domains(section, "domains = [\"fabrikam.test\"]: the partner's mail domains");
    let targets = targets(section);
    let labels = section.labels("labels");
    let formerly = section.text("formerly");
    let outbound = section.text_or_empty("outbound");
    let inbound = section.text_or_empty("inbound");
    if outbound.is_none() && inbound.is_none() {
        let of_whom = name.as_ref().map_or("", |name| name.value.as_str());
        section.told().warn(
            &section.place,
            format!("nothing is proved for {of_whom}: it names no connector"),
            "write outbound = \"CONNECTOR\" or inbound = \"CONNECTOR\"",
        );
    }
    let probe = section.section("receiver_enforces");
    let receiver_enforces =
        probe.is_there().then(|| agreed_probe(&probe, domains.as_deref(), &targets)).flatten();
    let mail_from = receiver_enforces.as_ref().map(|agreed| Placed {
        value: agreed.mail_from.clone(),
        place: probe.place_of("mail_from"),
    });
    let echo = section.section("echo");
    let echo = echo.is_there().then(|| read_echo(&echo)).flatten();
    let value = |text: &Option<Placed<String>>| text.as_ref().map(|text| text.value.clone());
    let partner = name.as_ref().zip(domains.as_ref()).map(|(name, domains)| Partner {
        name: name.value.clone(),
        formerly: value(&formerly),
        domains: domains.iter().map(|domain| domain.value.clone()).collect(),
        targets,
        labels,
        outbound: value(&outbound),
        inbound: value(&inbound),
        receiver_enforces,
        echo,
    });
    if let Some(partner) = &partner {
        tell_idle(section, partner);
    }
    let domains = domains.unwrap_or_default();
    ReadPartner { name, formerly, domains, outbound, inbound, mail_from, partner }
}

/// Tells what asks about mail that no connector is for.
fn tell_idle(section: &Section<'_>, partner: &Partner) {
    if partner.outbound.is_none() && partner.receiver_enforces.is_some() {
        let what = "asks about mail from us to it, and outbound names no connector";
        section.warn("receiver_enforces", what, "");
    }
    if partner.inbound.is_none() && partner.echo.is_some() {
        section.warn("echo", "asks about mail from it to us, and inbound names no connector", "");
    }
}

/// `agreed`: nobody is bothered without it.
fn agreed(section: &Section<'_>) -> Option<String> {
    if !section.has("agreed") {
        section.missing("agreed", "write who agreed to be probed so, and when");
    }
    section.text("agreed").map(|text| text.value)
}

fn agreed_probe(
    section: &Section<'_>,
    domains: Option<&[Placed<Domain>]>,
    targets: &[MailTarget],
) -> Option<AgreedProbe> {
    let agreed = agreed(section);
    let mail_from = section.parsed::<Mailbox>("mail_from", MAILBOX);
    let rcpt_to = section.parsed::<Mailbox>("rcpt_to", MAILBOX);
    for (key, hint) in [
        ("mail_from", "an address of ours, as production mail has it"),
        ("rcpt_to", "the one address at the partner that is tried"),
    ] {
        if !section.has(key) {
            section.missing(key, hint);
        }
    }
    section.refuse(
        &["until"],
        "a partner's receiver is never sent DATA",
        "leave it out; decides = \"data\" says that the partner's receiver decides after the message",
    );
    if let (Some(rcpt_to), Some(domains)) = (&rcpt_to, domains)
        && !domains.iter().any(|domain| domain.value == *rcpt_to.value.domain())
    {
        let what = format!("`{}` is no domain of this partner", rcpt_to.value.domain());
        section.warn("rcpt_to", what, "its servers are asked to take mail for this address");
    }
    let decides = decides(section, targets);
    Some(AgreedProbe {
        agreed: agreed?,
        mail_from: mail_from?.value,
        rcpt_to: rcpt_to?.value,
        decides,
    })
}

fn read_echo(section: &Section<'_>) -> Option<Echo> {
    let agreed = agreed(section);
    let covers_canaries = section.flag("covers_canaries").is_some_and(|flag| flag.value);
    let address = section.parsed::<Mailbox>("address", MAILBOX);
    if !section.has("address") {
        section.missing("address", "the address at the partner that answers");
    }
    let what = "not in this version: echo addresses; the claim will be unknown";
    section.told().warn(&section.place, what, "");
    Some(Echo { agreed: agreed?, covers_canaries, address: address?.value })
}
