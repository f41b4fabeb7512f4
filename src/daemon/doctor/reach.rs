//! What gets through: port 25 to a host that is configured, the daemon's own port, the way into our mail system.

use super::{Check, Kind, Means, Symptom, disk};
use crate::config::{Config, SecretError};
use crate::daemon::means::MeansError;
use crate::model::{
    connector::{MailTarget, OutboundConnector},
    evidence::OffersEvidence,
    resolution::{Addresses, Route},
    session::{ConnectFailure, Ending, NotTried, Phase, Session},
    target::Target,
};
use crate::observe::health::{self, Channel, HealthPlan};
use crate::wire::address::is_public;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Semaphore, task::JoinSet};

/// Hosts that port 25 is tried at.
const TRIED: usize = 3;
/// Sessions at once with our mail systems.
const SUBMISSIONS: usize = 4;

/// The daemon that holds the state directory; none where nobody does.
pub(super) async fn daemon(config: &Config, patience: Duration) -> Option<Check> {
    let held = disk::is_held(&config.state_dir);
    if held == Some(false) {
        return None;
    }
    let address = SocketAddr::new(reached(config.http.listen.ip()), config.http.listen.port());
    let channel = if config.http.certificate.is_some() { Channel::Tls } else { Channel::Clear };
    let subject = address.to_string();
    match (health::ask(&HealthPlan { address, channel, patience }).await, held) {
        (Ok(()), _) => Some(Check::ok(Kind::Daemon, subject, "answers")),
        (Err(error), Some(_)) => {
            let seen = format!(
                "{} is held, and {}",
                config.state_dir.display(),
                crate::daemon::verify::chain(&error)
            );
            Some(Check::problem(Kind::Daemon, subject, Symptom::DaemonSilent, seen))
        }
        // Whether one runs cannot be seen, and none answers.
        (Err(_), None) => None,
    }
}

/// Where a wildcard address is reached from this host.
fn reached(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

/// Whether port 25 leaves: at the beacons, else at our own mail hosts on the Internet.
pub(super) async fn port25(means: &Means) -> Vec<Check> {
    let kind = Kind::Port25;
    let beacons = &means.config.rounds.beacons;
    let targets: Vec<Target> = if beacons.is_empty() {
        let ours = &means.config.organisation;
        ours.targets.iter().flat_map(|target| MailTarget::targets(target, &ours.domains)).collect()
    } else {
        let target = |host, port| Target::Host { host, port };
        beacons.iter().map(|beacon| target(beacon.host.clone(), beacon.port)).collect()
    };
    let mut sessions = Vec::new();
    let mut nowhere = Vec::new();
    let mut looks = JoinSet::new();
    for target in targets.into_iter().take(TRIED) {
        let observer = Arc::clone(&means.observer);
        looks.spawn(async move {
            let evidence = observer.offers(&target).await;
            (target, evidence)
        });
    }
    while let Some(look) = looks.join_next().await {
        let Ok((target, evidence)) = look else { continue };
        if evidence.sessions.is_empty() {
            nowhere.push(unfound(&target, &evidence));
        }
        sessions.extend(evidence.sessions);
    }
    if beacons.is_empty() {
        // Our own host in our own network proves nothing about the way out of it.
        sessions.retain(|session: &Session| is_public(session.endpoint.address));
    }
    nowhere.sort();
    vec![told(kind, &sessions, &nowhere)]
}

/// Why nobody could be tried, though somebody is configured.
fn unfound(target: &Target, evidence: &OffersEvidence) -> String {
    let shown = match target {
        Target::Host { host, .. } => host.to_string(),
        Target::Address { .. } | Target::Domain(_) => target.to_string(),
    };
    let resolution = &evidence.resolution;
    let of_hosts = resolution.exchanges.iter().flat_map(|one| [&one.v4, &one.v6]);
    let failed = of_hosts.filter_map(|addresses| match addresses {
        Addresses::Failed(failure) => Some(failure),
        Addresses::Found(_) | Addresses::None | Addresses::NotAsked => None,
    });
    let of_route = match &resolution.route {
        Route::Failed(failure) => Some(failure),
        Route::Explicit
        | Route::Implicit
        | Route::Mx
        | Route::NoMx
        | Route::NullMx
        | Route::Nxdomain => None,
    };
    match of_route.into_iter().chain(failed).next() {
        Some(failure) => format!("{shown}: {}", failure.detail),
        None => format!("{shown}: has no address in DNS"),
    }
}

fn told(kind: Kind, sessions: &[Session], nowhere: &[String]) -> Check {
    if let Some(session) = sessions.iter().find(|session| session.banner.is_some()) {
        return Check::ok(kind, session.endpoint.to_string(), "answers");
    }
    let tried: Vec<&Session> =
        sessions.iter().filter(|session| !matches!(session.ending, Ending::NotTried(_))).collect();
    let names = |sessions: &[&Session]| {
        let names: Vec<String> =
            sessions.iter().map(|session| session.endpoint.to_string()).collect();
        names.join(", ")
    };
    let private =
        |session: &Session| matches!(session.ending, Ending::NotTried(NotTried::PrivateAddress));
    match tried.as_slice() {
        [] if sessions.iter().any(private) => {
            let seen = "the hosts that are configured have private addresses";
            Check::unclear(kind, "", Symptom::NobodyToTry, seen)
        }
        [] if !nowhere.is_empty() => {
            Check::unclear(kind, "", Symptom::HostUnfound, nowhere.join("; "))
        }
        [] => Check::unclear(kind, "", Symptom::NobodyToTry, "no host is configured to try it at"),
        tried => {
            let hosts: std::collections::HashSet<_> =
                tried.iter().map(|session| &session.endpoint.host).collect();
            let is_late = |session: &&Session| {
                matches!(
                    session.ending,
                    Ending::Connect(ConnectFailure::TimedOut(_)) | Ending::Deadline(Phase::Connect)
                )
            };
            // One host that is silent may be down; several of them, all silent, are not.
            if hosts.len() > 1 && tried.iter().all(is_late) {
                let seen = "no connection, whoever is tried";
                return Check::problem(kind, names(tried), Symptom::Port25Blocked, seen);
            }
            Check::unclear(kind, names(tried), Symptom::Port25Unanswered, "no greeting from there")
        }
    }
}

/// The way into our mail system. Connectors that share one are examined by one session.
pub(super) async fn submissions(means: &Means, patience: Duration) -> Vec<Check> {
    let mut checks = Vec::new();
    for (connector, what) in &means.config.not_yet {
        let seen = format!("not in this version: {what}");
        checks.push(Check::unclear(Kind::Submit, connector.clone(), Symptom::SubmitNotYet, seen));
    }
    let mut ways: Vec<(&OutboundConnector, Vec<&str>)> = Vec::new();
    for connector in means.config.outbound.iter().filter(|one| one.submit.is_some()) {
        match ways.iter_mut().find(|(known, _)| known.submit == connector.submit) {
            Some((_, names)) => names.push(&connector.name),
            None => ways.push((connector, vec![&connector.name])),
        }
    }
    let turns = Arc::new(Semaphore::new(SUBMISSIONS));
    let mut sessions = JoinSet::new();
    for (connector, names) in ways {
        let subject = names.join(", ");
        match means.submitter(connector, &turns) {
            Ok(None) => {}
            Ok(Some(submitter)) => {
                sessions.spawn(async move { (subject, submitter.rehearse(patience).await) });
            }
            Err(error @ MeansError::Password { source: SecretError::Unseen { .. }, .. }) => {
                let seen = format!("not tried: {}", crate::daemon::verify::chain(&error));
                checks.push(Check::unclear(Kind::Submit, subject, Symptom::SecretUnseen, seen));
            }
            Err(error) => {
                let seen = crate::daemon::verify::chain(&error);
                checks.push(Check::problem(Kind::Submit, subject, Symptom::SubmitFails, seen));
            }
        }
    }
    let mut held = sessions.join_all().await;
    held.sort_by(|(a, _), (b, _)| a.cmp(b));
    checks.extend(held.into_iter().map(|(subject, session)| match session {
        Ok(seen) => Check::ok(Kind::Submit, subject, seen),
        Err(seen) => Check::problem(Kind::Submit, subject, Symptom::SubmitFails, seen),
    }));
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::doctor::Outcome;
    use crate::model::session::Endpoint;
    use crate::wire::smtp::Reply;

    fn session(host: &str, ending: Ending) -> Session {
        let endpoint = Endpoint {
            host: Some(host.parse().unwrap()),
            address: "192.0.2.1".parse().unwrap(),
            port: 25,
        };
        let mut session = Session::new(endpoint, "2026-01-01T00:00:00Z".parse().unwrap());
        if matches!(ending, Ending::Quit) {
            session.banner = Some(Reply { code: 220, lines: vec!["hello".to_owned()] });
        }
        session.ending = ending;
        session
    }

    #[test]
    fn one_silent_host_is_no_blocked_port() {
        let late = || Ending::Connect(ConnectFailure::TimedOut("nobody".to_owned()));
        let refused = || Ending::Connect(ConnectFailure::Refused("refused".to_owned()));
        #[track_caller]
        fn check(sessions: &[Session], expect: Outcome) {
            assert_eq!(told(Kind::Port25, sessions, &[]).outcome, expect);
        }
        check(&[], Outcome::Unclear(Symptom::NobodyToTry));
        check(&[session("a.test", Ending::Quit), session("b.test", late())], Outcome::Ok);
        check(&[session("a.test", late())], Outcome::Unclear(Symptom::Port25Unanswered));
        // Two addresses of one host are one host.
        let twice = [session("a.test", late()), session("a.test", late())];
        check(&twice, Outcome::Unclear(Symptom::Port25Unanswered));
        let two = [session("a.test", late()), session("b.test", Ending::Deadline(Phase::Connect))];
        check(&two, Outcome::Problem(Symptom::Port25Blocked));
        // Somebody refused: a packet came back from somewhere.
        let mixed = [session("a.test", late()), session("b.test", refused())];
        check(&mixed, Outcome::Unclear(Symptom::Port25Unanswered));
        let private = Ending::NotTried(NotTried::PrivateAddress);
        check(&[session("a.test", private)], Outcome::Unclear(Symptom::NobodyToTry));
        // Somebody is configured, and cannot be found.
        let unfound = told(Kind::Port25, &[], &["a.test: has no address in DNS".to_owned()]);
        assert_eq!(unfound.outcome, Outcome::Unclear(Symptom::HostUnfound));
        assert_eq!(unfound.seen, "a.test: has no address in DNS");
    }

    #[test]
    fn a_wildcard_is_reached_on_loopback() {
        let check = |at: &str, expect: &str| {
            assert_eq!(reached(at.parse().unwrap()).to_string(), expect);
        };
        check("0.0.0.0", "127.0.0.1");
        check("::", "::1");
        check("192.0.2.1", "192.0.2.1");
    }
}
