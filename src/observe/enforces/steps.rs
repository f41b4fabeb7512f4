//! Which attempts make an experiment, from where and as whom. Pure.
//!
//! 1. The control is as the agreement wants it; where its certificate cannot be had, as another sender.
//! 2. Each negative differs from it in one thing, and is always as the partner.
//! 3. At a partner's MX six sessions are the most, both controls among them. What no longer fits is left
//!    out, the least telling first: `MAIL FROM:<>`, a certificate we made ourselves, the hellos below
//!    TLS 1.2 (they decide nothing), another address, another certificate, none.
//!
//! Invariant: a control and its negatives go out from the same address, but for the one that is about it.

use super::EnforcesPlan;
use crate::model::{
    connector::KeyedOn,
    enforcement::{AttemptKind, Demand, Place},
    requirement::MinVersion,
};
use crate::wire::mailbox::Mailbox;
use core::net::IpAddr;

/// Sessions of one experiment at a partner's MX.
const MOST_AT_PARTNERS: usize = 6;

/// Sessions of one attempt with hand-made hellos, one a version.
pub(super) const HELLOS: usize = 2;

/// One attempt to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) kind: AttemptKind,
    pub(super) means: Means,
    pub(super) sender: Sender,
    pub(super) origin: Origin,
}

/// How mail is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// In clear.
    Clear,
    /// Not at all: hand-made hellos below TLS 1.2.
    Hellos,
    /// Inside TLS, at any version.
    Tls(Certificate),
    /// Inside TLS 1.2.
    Tls12(Certificate),
}

/// What is presented where the server asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certificate {
    /// Nothing.
    None,
    /// A trusted one for another name.
    Other,
    /// The one of the control.
    Ours,
    /// One for the right name that we made ourselves.
    SelfMade,
}

/// The envelope sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// The control's, where it has one of its own.
    Control,
    /// Nobody: `<>`.
    Null,
    /// The partner.
    Partner,
}

impl Sender {
    pub(super) fn of(self, demand: &Demand) -> Option<&Mailbox> {
        let envelope = &demand.envelope;
        match self {
            Self::Control => {
                Some(envelope.control_mail_from.as_ref().unwrap_or(&envelope.mail_from))
            }
            Self::Null => None,
            Self::Partner => Some(&envelope.mail_from),
        }
    }
}

/// Where an attempt goes out from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// An address outside the connector's networks.
    Foreign(IpAddr),
    /// This address of ours, or the system's choice.
    Usual(Option<IpAddr>),
}

impl Origin {
    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Foreign(address) => Some(address),
            Self::Usual(address) => address,
        }
    }
}

/// The local addresses of the experiment at one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Origins {
    usual: Option<IpAddr>,
    foreign: Option<IpAddr>,
}

/// The addresses to use towards `to`; none where some are configured, but none of its family.
pub(super) fn origins(plan: &EnforcesPlan, to: IpAddr) -> Option<Origins> {
    if plan.sources.is_empty() {
        return Some(Origins { usual: None, foreign: None });
    }
    let networks = &plan.demand.networks;
    let is_inside = |address: &IpAddr| networks.iter().any(|network| network.contains(address));
    let ours = || plan.sources.iter().copied().filter(|source| source.is_ipv4() == to.is_ipv4());
    let inside = ours().find(is_inside);
    // A control from outside would have nothing to differ in.
    let foreign = inside.and_then(|_| ours().find(|source| !is_inside(source)));
    Some(Origins { usual: Some(inside.or_else(|| ours().next())?), foreign })
}

/// The control.
pub(super) fn control(plan: &EnforcesPlan, origins: Origins) -> Step {
    let is_missing = plan.client.is_none() && is_certificate_wanted(&plan.demand);
    Step {
        kind: AttemptKind::Control,
        means: Means::Tls(certificate(plan)),
        sender: if is_missing { Sender::Control } else { Sender::Partner },
        origin: Origin::Usual(origins.usual),
    }
}

/// The negatives, in the order in which they are made.
pub(super) fn negatives(plan: &EnforcesPlan, origins: Origins) -> Vec<Step> {
    let demand = &plan.demand;
    let usual = Origin::Usual(origins.usual);
    let step = |kind, means| Step { kind, means, sender: Sender::Partner, origin: usual };
    let mut steps = vec![
        step(AttemptKind::Plaintext, Means::Clear),
        step(AttemptKind::LegacyTls, Means::Hellos),
    ];
    if demand.floor.min_version == MinVersion::Tls13 {
        steps.push(step(AttemptKind::LegacyTls, Means::Tls12(certificate(plan))));
    }
    if !demand.floor.client_names.is_empty() {
        steps.push(step(AttemptKind::NoClientCert, Means::Tls(Certificate::None)));
        steps.push(step(AttemptKind::SelfMadeClientCert, Means::Tls(Certificate::SelfMade)));
        if plan.other_client.is_some() {
            steps.push(step(AttemptKind::OtherClientCert, Means::Tls(Certificate::Other)));
        }
    }
    if let Some(foreign) = origins.foreign {
        let origin = Origin::Foreign(foreign);
        let means = Means::Tls(certificate(plan));
        steps.push(Step { origin, ..step(AttemptKind::ForeignAddress, means) });
    }
    steps.push(Step { sender: Sender::Null, ..step(AttemptKind::NullSender, Means::Clear) });
    match demand.place {
        Place::Ours => steps,
        Place::Partners => few(&steps),
    }
}

/// As many as a partner is asked for, beside two controls.
fn few(steps: &[Step]) -> Vec<Step> {
    let mut room = MOST_AT_PARTNERS - 2;
    let mut by_weight: Vec<&Step> = steps.iter().collect();
    by_weight.sort_by_key(|step| weight(step));
    let mut kept = Vec::new();
    for step in by_weight {
        let sessions = if step.means == Means::Hellos { HELLOS } else { 1 };
        if let Some(left) = room.checked_sub(sessions) {
            room = left;
            kept.push(*step);
        }
    }
    steps.iter().copied().filter(|step| kept.contains(step)).collect()
}

/// What is left out last has the lowest.
fn weight(step: &Step) -> u8 {
    match (step.kind, step.means) {
        (AttemptKind::Control | AttemptKind::Plaintext, _) => 0,
        (AttemptKind::LegacyTls, Means::Hellos) => 5,
        (AttemptKind::LegacyTls, Means::Clear | Means::Tls(_) | Means::Tls12(_)) => 1,
        (AttemptKind::NoClientCert, _) => 2,
        (AttemptKind::OtherClientCert, _) => 3,
        (AttemptKind::ForeignAddress, _) => 4,
        (AttemptKind::SelfMadeClientCert, _) => 6,
        (AttemptKind::NullSender, _) => 7,
    }
}

fn is_certificate_wanted(demand: &Demand) -> bool {
    !demand.floor.client_names.is_empty() || demand.envelope.keyed_on == KeyedOn::Certificate
}

/// What the control presents, and every negative that is not about it.
fn certificate(plan: &EnforcesPlan) -> Certificate {
    match &plan.client {
        Some(_) if is_certificate_wanted(&plan.demand) => Certificate::Ours,
        Some(_) | None => Certificate::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connector::{Floor, ProbeEnvelope, Until};
    use crate::observe::{identity::ClientIdentity, letter::Letterhead};
    use std::sync::Arc;

    fn plan(place: Place, min_version: MinVersion, client_names: &[&str]) -> EnforcesPlan {
        let names = client_names.iter().map(|name| name.parse().unwrap()).collect();
        EnforcesPlan {
            demand: Demand {
                place,
                envelope: ProbeEnvelope {
                    mail_from: "a@fabrikam.test".parse().unwrap(),
                    rcpt_to: "b@contoso.test".parse().unwrap(),
                    control_mail_from: None,
                    keyed_on: KeyedOn::Sender,
                    until: Until::Data,
                    decides: Until::Rcpt,
                },
                floor: Floor { min_version, client_names: names },
                has_client_certificate: false,
                networks: vec!["192.0.2.0/28".parse().unwrap(), "2001:db8::/64".parse().unwrap()],
            },
            targets: Vec::new(),
            client: None,
            other_client: None,
            sources: Vec::new(),
            letterhead: Letterhead {
                organisation: String::new(),
                from: "c@contoso.test".parse().unwrap(),
                contact: String::new(),
            },
        }
    }

    fn other() -> Option<Arc<ClientIdentity>> {
        let now = "2026-01-31T12:00:00Z".parse().unwrap();
        let made = ClientIdentity::self_made(&"x.test".parse().unwrap(), now).unwrap();
        Some(Arc::new(made))
    }

    #[test]
    fn a_partner_sees_six_sessions_at_most_the_telling_ones() {
        #[track_caller]
        fn check(plan: &EnforcesPlan, foreign: Option<&str>, expect: &str) {
            let foreign = foreign.map(|address| address.parse().unwrap());
            let steps = negatives(plan, Origins { usual: None, foreign });
            let kinds: Vec<_> = steps.iter().map(|step| step.kind.as_str()).collect();
            assert_eq!(kinds.join(" "), expect);
            let sessions = |step: &Step| if step.means == Means::Hellos { HELLOS } else { 1 };
            let all: usize = steps.iter().map(sessions).sum();
            assert!(plan.demand.place == Place::Ours || all + 2 <= MOST_AT_PARTNERS, "{all}");
        }
        let (old, new) = (MinVersion::Tls12, MinVersion::Tls13);
        let at = |min_version, names: &[&str]| plan(Place::Partners, min_version, names);
        check(&at(old, &[]), None, "plaintext legacy-tls null-sender");
        check(&at(new, &[]), None, "plaintext legacy-tls legacy-tls");
        check(&at(old, &["a.test"]), None, "plaintext legacy-tls no-client-cert");
        check(
            &at(new, &["a.test"]),
            None,
            "plaintext legacy-tls no-client-cert self-made-client-cert",
        );
        let mut crowded = at(new, &["a.test"]);
        crowded.other_client = other();
        let kept = "plaintext legacy-tls no-client-cert other-client-cert";
        check(&crowded, Some("198.51.100.1"), kept);
        crowded.demand.place = Place::Ours;
        let all = "plaintext legacy-tls legacy-tls no-client-cert self-made-client-cert \
                   other-client-cert foreign-address null-sender";
        check(&crowded, Some("198.51.100.1"), all);
    }

    #[test]
    fn data_is_for_our_own_receiver() {
        #[track_caller]
        fn check(place: Place, kind: AttemptKind, expect: Until) {
            assert_eq!(plan(place, MinVersion::Tls12, &[]).demand.until(kind), expect);
        }
        check(Place::Ours, AttemptKind::Control, Until::Data);
        check(Place::Ours, AttemptKind::Plaintext, Until::Data);
        check(Place::Ours, AttemptKind::NullSender, Until::Rcpt);
        check(Place::Partners, AttemptKind::Control, Until::Rcpt);
        check(Place::Partners, AttemptKind::Plaintext, Until::Rcpt);
    }

    #[test]
    fn addresses_are_of_the_family_and_foreign_only_beside_our_own() {
        #[track_caller]
        fn check(sources: &[&str], to: &str, expect: Option<(Option<&str>, Option<&str>)>) {
            let mut plan = plan(Place::Ours, MinVersion::Tls12, &[]);
            plan.sources = sources.iter().map(|source| source.parse().unwrap()).collect();
            let read = |text: Option<&str>| text.map(|text| text.parse().unwrap());
            let expect = expect
                .map(|(usual, foreign)| Origins { usual: read(usual), foreign: read(foreign) });
            assert_eq!(origins(&plan, to.parse().unwrap()), expect);
        }
        check(&[], "203.0.113.1", Some((None, None)));
        check(&["192.0.2.1"], "203.0.113.1", Some((Some("192.0.2.1"), None)));
        let both = ["198.51.100.1", "192.0.2.1", "192.0.2.2"];
        check(&both, "203.0.113.1", Some((Some("192.0.2.1"), Some("198.51.100.1"))));
        check(&["198.51.100.1"], "203.0.113.1", Some((Some("198.51.100.1"), None)));
        check(&["192.0.2.1"], "2001:db8:1::1", None);
        let mixed = ["192.0.2.1", "2001:db8:2::1", "2001:db8::1"];
        check(&mixed, "2001:db8:1::1", Some((Some("2001:db8::1"), Some("2001:db8:2::1"))));
    }

    #[test]
    fn the_control_goes_as_somebody_else_only_for_want_of_a_certificate() {
        #[track_caller]
        fn check(names: &[&str], keyed_on: KeyedOn, has: bool, expect: (Sender, Certificate)) {
            let mut plan = plan(Place::Ours, MinVersion::Tls12, names);
            plan.demand.envelope.keyed_on = keyed_on;
            plan.client = other().filter(|_| has);
            let control = control(&plan, Origins::default());
            assert_eq!((control.sender, control.means), (expect.0, Means::Tls(expect.1)));
        }
        let (sender, certificate) = (KeyedOn::Sender, KeyedOn::Certificate);
        check(&[], sender, false, (Sender::Partner, Certificate::None));
        check(&[], sender, true, (Sender::Partner, Certificate::None));
        check(&["a.test"], sender, true, (Sender::Partner, Certificate::Ours));
        check(&["a.test"], sender, false, (Sender::Control, Certificate::None));
        check(&[], certificate, true, (Sender::Partner, Certificate::Ours));
        check(&[], certificate, false, (Sender::Control, Certificate::None));
    }
}
