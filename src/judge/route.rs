//! Where the mail goes: whether there is a route, and hosts with addresses on it ([RFC 5321 §5.1]).
//!
//! [RFC 5321 §5.1]: https://www.rfc-editor.org/rfc/rfc5321#section-5.1

use crate::model::{
    finding::{Finding, FindingId, Severity},
    obstacle::{Obstacle, ObstacleId},
    resolution::{
        Addresses, DnsFailure, DnsFailureKind, Exchange, ExchangeHost, Resolution, Route,
    },
    session::{Ending, Endpoint, NotTried, Session},
    target::Target,
};
use core::net::IpAddr;

/// What DNS alone says.
#[derive(Debug, Default)]
pub(super) struct Routed {
    pub(super) findings: Vec<Finding>,
    pub(super) obstacles: Vec<Obstacle>,
    /// One for each thing that is not known and that endpoints cannot make up for.
    pub(super) unproved: usize,
}

impl Routed {
    fn violation(&mut self, id: FindingId, subject: &str, seen: &str, expected: &str) {
        self.findings.push(Finding::new(id, Severity::Violation, subject, seen, expected));
    }

    fn warning(&mut self, id: FindingId, subject: &str, seen: String, expected: &str) {
        self.findings.push(Finding::new(id, Severity::Warning, subject, seen, expected));
    }

    fn obstacle(&mut self, id: ObstacleId, subject: &str, detail: impl Into<String>) {
        self.obstacles.push(Obstacle::new(id, subject, detail));
        self.unproved += 1;
    }

    fn failure(&mut self, subject: &str, failure: &DnsFailure) {
        let id = match failure.kind {
            DnsFailureKind::Bogus => ObstacleId::DnsBogus,
            DnsFailureKind::CnameLoop
            | DnsFailureKind::Other
            | DnsFailureKind::Refused
            | DnsFailureKind::ServFail
            | DnsFailureKind::Timeout => ObstacleId::DnsFailure,
        };
        self.obstacle(id, subject, failure.detail.clone());
    }
}

/// What the route of `target` says, when these endpoints were looked at.
pub(super) fn judge(target: &Target, resolution: &Resolution, seen: &[&Endpoint]) -> Routed {
    let mut routed = Routed::default();
    let subject = target.to_string();
    match &resolution.route {
        Route::Explicit | Route::Implicit | Route::Mx => {}
        Route::Failed(failure) => routed.failure(&subject, failure),
        Route::NoMx => routed.violation(
            FindingId::NoMx,
            &subject,
            "neither MX records nor an address of its own",
            "a domain that takes mail",
        ),
        // RFC 7505 §3: the domain says that it takes no mail.
        Route::NullMx => routed.violation(
            FindingId::NullMx,
            &subject,
            "a null MX record (`0 .`)",
            "a domain that takes mail",
        ),
        Route::Nxdomain => {
            routed.obstacle(ObstacleId::Nxdomain, &subject, "the domain does not exist");
        }
    }
    for exchange in &resolution.exchanges {
        judge_exchange(exchange, &mut routed);
        unseen(exchange, seen, &mut routed);
    }
    let left_out = resolution.left_out;
    if left_out > 0 {
        let detail = format!("{left_out} more MX hosts were not looked at");
        routed.obstacle(ObstacleId::NotTestable, &subject, detail);
    }
    // A literal among good hosts is skipped by senders; where there is nothing else, nothing is known.
    let has_hosts = resolution.exchanges.iter().any(|exchange| exchange.host.name().is_some());
    if !has_hosts && seen.is_empty() && resolution.route == Route::Mx {
        let detail = "no MX record names a host: senders differ in what they make of that";
        routed.obstacle(ObstacleId::NotTestable, &subject, detail);
    }
    routed
}

fn judge_exchange(exchange: &Exchange, routed: &mut Routed) {
    let subject = exchange.host.shown();
    match &exchange.host {
        ExchangeHost::Name(_) => {}
        ExchangeHost::Address(_) if exchange.preference.is_none() => return,
        // RFC 5321 §5.1: the MX target must be a domain name.
        ExchangeHost::Address(_) => {
            routed.warning(
                FindingId::MxIsAddress,
                &subject,
                format!("an MX record points at the address {subject}"),
                "a host name",
            );
            return;
        }
        ExchangeHost::Invalid(text) => {
            let seen = format!("an MX record points at `{text}`, which is no host name");
            routed.violation(FindingId::MxNoAddress, &subject, &seen, "a host with an address");
            return;
        }
    }
    if let Some(alias) = exchange.aliases.last() {
        // RFC 2181 §10.3: an MX record must not point at an alias.
        if exchange.preference.is_some() {
            let seen = format!("the MX host is an alias (CNAME) of {alias}");
            routed.warning(
                FindingId::MxIsCname,
                &subject,
                seen,
                "a host with addresses of its own",
            );
        }
    }
    for (family, addresses) in [("A", &exchange.v4), ("AAAA", &exchange.v6)] {
        if let Addresses::Failed(failure) = addresses {
            routed.failure(&format!("{subject} {family}"), failure);
        }
    }
    let known_empty = |addresses: &Addresses| match addresses {
        Addresses::None | Addresses::NotAsked => true,
        Addresses::Found(addresses) => addresses.is_empty(),
        Addresses::Failed(_) => false,
    };
    if known_empty(&exchange.v4) && known_empty(&exchange.v6) {
        match (&exchange.v4, &exchange.v6) {
            // Asked for one family only: the other may have what this one lacks.
            (Addresses::NotAsked, _) | (_, Addresses::NotAsked) => routed.obstacle(
                ObstacleId::FamilyUnavailable,
                &subject,
                "no address of the family asked for",
            ),
            _ => routed.violation(
                FindingId::MxNoAddress,
                &subject,
                "neither an A nor an AAAA record",
                "a host with an address",
            ),
        }
    }
}

/// Addresses that nobody looked at: what is not seen is not proved.
fn unseen(exchange: &Exchange, seen: &[&Endpoint], routed: &mut Routed) {
    let is_seen = |address: &&IpAddr| {
        seen.iter().any(|endpoint| {
            endpoint.host.as_ref() == exchange.host.name() && endpoint.address == **address
        })
    };
    let found = exchange.v4.found().iter().chain(exchange.v6.found());
    let unseen = found.filter(|address| !is_seen(address)).count() + exchange.left_out;
    if unseen > 0 {
        let detail = format!("{unseen} of its addresses were not looked at");
        routed.obstacle(ObstacleId::NotTestable, &exchange.host.shown(), detail);
    }
}

/// Per session: whether it is left out of the count, because this machine has no route for its
/// address family and the same host was tried over the other one.
pub(super) fn waived(sessions: &[&Session]) -> Vec<bool> {
    let unavailable = |session: &Session| {
        matches!(session.ending, Ending::NotTried(NotTried::FamilyUnavailable(_)))
    };
    // A host beyond reach looks the same as a family without a route; but where anybody of the family
    // was reached, it is the host.
    let is_routed = |session: &Session| {
        sessions.iter().any(|other| {
            other.endpoint.address.is_ipv4() == session.endpoint.address.is_ipv4()
                && !matches!(other.ending, Ending::NotTried(_))
        })
    };
    let tried_otherwise = |session: &Session| {
        sessions.iter().any(|other| {
            other.endpoint.host == session.endpoint.host
                && other.endpoint.address.is_ipv4() != session.endpoint.address.is_ipv4()
                && !matches!(other.ending, Ending::NotTried(_))
        })
    };
    let waived =
        |session: &Session| unavailable(session) && !is_routed(session) && tried_otherwise(session);
    sessions.iter().map(|session| waived(session)).collect()
}
