//! What DNS says: whether the resolvers answer, and whether our name, its address and the address's name agree.

use super::{Check, Kind, Means, Symptom};
use crate::observe::{
    dns::{DnsPlan, Outcome, RData, RecordType, Resolver, Resolvers},
    host,
};
use crate::wire::{
    address::is_public,
    name::{Domain, Host},
};
use std::{net::IpAddr, time::Duration};
use tokio::task::JoinSet;

/// How long one resolver may take: whoever waits longer than this for a name has no resolver.
const ANSWER: Duration = Duration::from_secs(5);

/// Each resolver apart: where one of two is gone, every second question waits.
pub(super) async fn resolvers(means: &Means, patience: Duration) -> Vec<Check> {
    let Some(domain) = means.config.organisation.domains.first() else { return Vec::new() };
    let patience = patience.min(ANSWER);
    let given = &means.config.dns.resolvers;
    if given.is_empty() {
        return vec![resolver(Resolvers::System, "the system's", domain, patience).await];
    }
    let mut asked = JoinSet::new();
    for (at, address) in given.iter().copied().enumerate() {
        let domain = domain.clone();
        asked.spawn(async move {
            let only = Resolvers::Given(vec![address]);
            (at, resolver(only, &address.to_string(), &domain, patience).await)
        });
    }
    let mut checks = asked.join_all().await;
    checks.sort_by_key(|(at, _)| *at);
    checks.into_iter().map(|(_, check)| check).collect()
}

async fn resolver(whom: Resolvers, subject: &str, domain: &Domain, patience: Duration) -> Check {
    let kind = Kind::Resolver;
    let plan = DnsPlan { resolvers: whom, timeout: patience, ..DnsPlan::default() };
    let resolver = match Resolver::new(plan) {
        Ok(resolver) => resolver,
        Err(error) => {
            let seen = crate::daemon::verify::chain(&error);
            return Check::problem(kind, subject, Symptom::Unusable, seen);
        }
    };
    match resolver.lookup(&Host::from(domain.clone()), RecordType::MX).await.outcome {
        Outcome::Failed(failure) => {
            Check::problem(kind, subject, Symptom::ResolverSilent, failure.detail)
        }
        Outcome::Records(_) => Check::ok(kind, subject, format!("answers for {domain}")),
        Outcome::NoData => Check::ok(kind, subject, format!("answers; {domain} has no MX record")),
        Outcome::Nxdomain => Check::ok(kind, subject, format!("answers; {domain} does not exist")),
    }
}

/// The name we say in EHLO has addresses, each address has that name, and probes leave from one of them.
pub(super) async fn own_name(means: &Means, name: Option<Host>) -> Vec<Check> {
    let kind = Kind::Name;
    let Some(name) = name else {
        let seen = "neither [organisation] ehlo nor this host's name is one";
        return vec![Check::problem(kind, "", Symptom::NoName, seen)];
    };
    let subject = name.to_string();
    let mut addresses: Vec<IpAddr> = Vec::new();
    for family in [RecordType::A, RecordType::AAAA] {
        match means.resolver().lookup(&name, family).await.outcome {
            Outcome::Failed(failure) => {
                return vec![Check::unclear(kind, subject, Symptom::DnsUnseen, failure.detail)];
            }
            Outcome::NoData | Outcome::Nxdomain => {}
            Outcome::Records(records) => addresses.extend(records.iter().filter_map(address)),
        }
    }
    if addresses.is_empty() {
        let seen = "has no address in DNS";
        return vec![Check::problem(kind, subject, Symptom::NameWithoutAddress, seen)];
    }
    let mut checks = Vec::new();
    for address in &addresses {
        checks.push(reverse(means, &name, *address).await);
    }
    checks.extend(source(&name, &addresses));
    checks
}

async fn reverse(means: &Means, name: &Host, address: IpAddr) -> Check {
    let kind = Kind::Name;
    let subject = format!("{name} [{address}]");
    let Ok(reversed) = reverse_name(address).parse::<Host>() else {
        return Check::unclear(kind, subject, Symptom::DnsUnseen, "cannot be asked for");
    };
    let named = match means.resolver().lookup(&reversed, RecordType::PTR).await.outcome {
        Outcome::Failed(failure) => {
            return Check::unclear(kind, subject, Symptom::DnsUnseen, failure.detail);
        }
        Outcome::NoData | Outcome::Nxdomain => Vec::new(),
        Outcome::Records(records) => records.iter().filter_map(pointed_at).collect(),
    };
    if named.iter().any(|one| one.eq_ignore_ascii_case(name.as_str())) {
        return Check::ok(kind, subject, "name, address and PTR record agree");
    }
    let seen = match named.as_slice() {
        [] => format!("{reversed} has no PTR record"),
        named => format!("{reversed} points at {}", named.join(", ")),
    };
    Check::problem(kind, subject, Symptom::PtrWrong, seen)
}

/// A public address that probes leave from must be one of the name's. Behind NAT it cannot be seen from here.
fn source(name: &Host, addresses: &[IpAddr]) -> Option<Check> {
    let wrong: Vec<String> = addresses
        .iter()
        .filter_map(|address| host::source_address(*address))
        .filter(|source| is_public(*source) && !addresses.contains(source))
        .map(|source| source.to_string())
        .collect();
    let first = wrong.first()?;
    let seen = format!("probes leave from {first}");
    Some(Check::problem(Kind::Name, name.to_string(), Symptom::SourceNotOurs, seen))
}

fn address(record: &RData) -> Option<IpAddr> {
    record.ip_addr()
}

fn pointed_at(record: &RData) -> Option<String> {
    match record {
        RData::PTR(name) => {
            let name = name.0.to_ascii();
            Some(name.strip_suffix('.').unwrap_or(&name).to_owned())
        }
        _ => None,
    }
}

/// The name a PTR record of this address stands at (RFC 1035 §3.5, RFC 3596 §2.5).
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let digits = format!("{:032x}", address.to_bits());
            let mut name: String = digits.chars().rev().flat_map(|digit| [digit, '.']).collect();
            name.push_str("ip6.arpa");
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_turned_round() {
        #[track_caller]
        fn check(address: &str, expect: &str) {
            let name = reverse_name(address.parse().unwrap());
            assert_eq!(name, expect);
            assert_eq!(name.parse::<Host>().unwrap().as_str(), expect);
        }
        check("192.0.2.7", "7.2.0.192.in-addr.arpa");
        check(
            "2001:db8::567:89ab",
            "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        );
    }
}
