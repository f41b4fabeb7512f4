//! Our receivers as a sender meets them: their records, their addresses, and who greets there.

use super::{Check, Kind, Means, Symptom};
use crate::model::canary::Canary;
use crate::observe::{
    canary_dns,
    dns::{Outcome, RecordType},
    host,
};
use crate::wire::name::{Domain, Host};
use std::{
    collections::{BTreeSet, HashSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{task::JoinSet, time::timeout};

/// Every canary: its records, its addresses, who greets there.
pub(super) async fn canaries(means: &Arc<Means>, patience: Duration) -> Vec<Check> {
    let configured = &means.config.canaries;
    let mut looks = JoinSet::new();
    let pairs =
        configured.iter().flat_map(|one| one.domains.iter().map(move |domain| (one, domain)));
    for (at, (canary, domain)) in pairs.enumerate() {
        let (means, canary, domain) = (Arc::clone(means), canary.clone(), domain.clone());
        looks.spawn(async move {
            let look = timeout(patience, records(&means, &canary, &domain)).await;
            let late = || {
                let subject = format!("{} {domain}", canary.personality);
                Check::unclear(Kind::Canary, subject, Symptom::DnsUnseen, "no answer in time")
            };
            (at, look.unwrap_or_else(|_| late()))
        });
    }
    let (mut looked, greeted) = tokio::join!(looks.join_all(), greetings(configured, patience));
    looked.sort_by_key(|(at, _)| *at);
    let listens: BTreeSet<IpAddr> =
        configured.iter().flat_map(|one| &one.listen).map(SocketAddr::ip).collect();
    let mut checks: Vec<Check> = looked.into_iter().map(|(_, check)| check).collect();
    checks.extend(listens.into_iter().map(here));
    checks.extend(greeted);
    checks
}

/// The addresses senders should find.
fn shown(canary: &Canary) -> Vec<IpAddr> {
    if !canary.public.is_empty() {
        return canary.public.clone();
    }
    canary.listen.iter().map(SocketAddr::ip).collect()
}

async fn records(means: &Means, canary: &Canary, domain: &Domain) -> Check {
    let kind = Kind::Canary;
    let subject = format!("{} {domain}", canary.personality);
    let addresses = shown(canary);
    if addresses.is_empty() {
        let seen = "its addresses are not written here, so its records cannot be compared";
        return Check::unclear(kind, subject, Symptom::CanaryElsewhere, seen);
    }
    // What could not be looked up is not wrong. The answers are kept, so that this asks nobody twice.
    let questions = [
        (Host::from(domain.clone()), RecordType::MX),
        (canary.hostname.clone(), RecordType::A),
        (canary.hostname.clone(), RecordType::AAAA),
    ];
    for (name, record_type) in &questions {
        if let Outcome::Failed(failure) = means.resolver().lookup(name, *record_type).await.outcome
        {
            return Check::unclear(kind, subject, Symptom::DnsUnseen, failure.detail);
        }
    }
    match canary_dns::look(means.resolver(), domain, &canary.hostname, &addresses).await {
        Ok(()) => Check::ok(kind, subject, format!("mail for it comes to {}", canary.hostname)),
        Err(seen) => Check::problem(kind, subject, Symptom::DnsWrong, seen),
    }
}

/// Whether an interface of this host has the address.
fn here(address: IpAddr) -> Check {
    let subject = address.to_string();
    match host::listen_at(address) {
        Ok(()) => Check::ok(Kind::Canary, subject, "this host has it"),
        Err(error) => {
            Check::problem(Kind::Canary, subject, Symptom::AddressNotHere, error.to_string())
        }
    }
}

/// Who greets at the addresses senders use. From this host a firewall before it is not seen.
async fn greetings(canaries: &[Canary], patience: Duration) -> Vec<Check> {
    let mut hosts: Vec<(SocketAddr, Vec<&Host>)> = Vec::new();
    for canary in canaries {
        let ports: HashSet<u16> = canary.listen.iter().map(SocketAddr::port).collect();
        for address in shown(canary) {
            for port in &ports {
                let address = SocketAddr::new(address, *port);
                match hosts.iter_mut().find(|(one, _)| *one == address) {
                    Some((_, names)) => names.push(&canary.hostname),
                    None => hosts.push((address, vec![&canary.hostname])),
                }
            }
        }
    }
    let mut asked = JoinSet::new();
    for (at, (address, _)) in hosts.iter().enumerate() {
        let address = *address;
        asked.spawn(async move { (at, host::greeting(address, patience).await) });
    }
    let mut heard = asked.join_all().await;
    heard.sort_by_key(|(at, _)| *at);
    let told = hosts.iter().zip(heard).map(|((address, names), (_, heard))| {
        let subject = address.to_string();
        match heard {
            Ok(line) if is_ours(&line, names) => {
                Check::ok(Kind::Canary, subject, format!("greets: {line}"))
            }
            Ok(line) => {
                let seen = format!("somebody else greets: {line}");
                Check::problem(Kind::Canary, subject, Symptom::AddressNotHere, seen)
            }
            // Nobody need listen while neither the daemon nor `verify` runs, and NAT may not lead back from inside.
            Err(error) => {
                Check::unclear(Kind::Canary, subject, Symptom::CanarySilent, error.to_string())
            }
        }
    });
    told.collect()
}

/// `220 HOST …`: one of those that share the address. 421 is a canary that has too many guests.
fn is_ours(line: &str, names: &[&Host]) -> bool {
    let mut words = line.split(' ');
    let code = words.next();
    let host = words.next().unwrap_or_default();
    code == Some("421")
        || code == Some("220") && names.iter().any(|name| name.as_str().eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_tells_whose_it_is() {
        let (one, two): (Host, Host) = ("mx.a.test".parse().unwrap(), "mx.b.test".parse().unwrap());
        #[track_caller]
        fn check(line: &str, names: &[&Host], expect: bool) {
            assert_eq!(is_ours(line, names), expect, "{line}");
        }
        check("220 mx.a.test ESMTP", &[&one, &two], true);
        check("220 MX.B.test ESMTP", &[&one, &two], true);
        check("421 4.7.0 too many sessions", &[&one], true);
        check("220 mail.contoso.test ESMTP Postfix", &[&one, &two], false);
        check("220", &[&one], false);
        check("SSH-2.0-OpenSSH_9.2", &[&one], false);
    }
}
