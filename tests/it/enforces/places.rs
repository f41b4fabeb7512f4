//! Where attempts go, and where they come from.

use super::{enforces, lines, only, with};
use crate::world::{PATIENT, World};
use mxwarden::{
    lab::smtp::Script,
    model::{
        enforcement::{AttemptKind, EnforcesEvidence},
        session::{Ending, NotTried},
        target::Target,
    },
    observe::offers::Reach,
};
use std::net::IpAddr;

/// Kind, what was asked for and what came of it.
fn origins(evidence: &EnforcesEvidence) -> Vec<(AttemptKind, Option<IpAddr>, Option<IpAddr>)> {
    let attempts = only(evidence).attempts.iter();
    attempts.map(|made| (made.kind, made.source, made.session.local_address)).collect()
}

/// A connector keyed on addresses is tried from within and from without.
#[tokio::test]
async fn a_foreign_address_is_refused() {
    let mut world = World::new().await;
    let ours: IpAddr = "127.9.8.7".parse().unwrap();
    let foreign: IpAddr = "127.1.2.3".parse().unwrap();
    let script = Script::exchange_requires_address(world.good(), "fabrikam.test", ours);
    let peer = world.domain("keyed", script).await;
    let plan = with("keyed", |plan| {
        plan.demand.networks = vec!["127.9.8.0/24".parse().unwrap()];
        plan.sources = vec!["::1".parse().unwrap(), foreign, ours];
    });
    let evidence = enforces(&world, &plan).await;
    let (ours, foreign) = (Some(ours), Some(foreign));
    let expect = [
        (AttemptKind::Control, ours, ours),
        (AttemptKind::Plaintext, ours, ours),
        (AttemptKind::LegacyTls, ours, ours),
        (AttemptKind::ForeignAddress, foreign, foreign),
        (AttemptKind::NullSender, ours, ours),
        (AttemptKind::Control, ours, ours),
    ];
    assert_eq!(origins(&evidence), expect);
    let heard: Vec<IpAddr> = world.peer(peer).heard().iter().map(|said| said.from.ip()).collect();
    let at: Vec<_> = heard.iter().map(|from| Some(*from) == foreign).collect();
    assert_eq!(at, [false, false, false, false, true, false, false]);
    let refused = &lines(only(&evidence))[3];
    let start = "foreign-address rcpt, refused at rcpt: 550 5.7.51 TenantInboundAttribution; ";
    assert!(refused.starts_with(start), "{refused}");
    assert!(only(&evidence).attempts[3].session.has_completed_tls());
}

/// Nothing differs where the control comes from without as well.
#[tokio::test]
async fn without_an_address_within_there_is_no_foreign_one() {
    let mut world = World::new().await;
    world.domain("open", Script::healthy(world.good())).await;
    let address: IpAddr = "127.1.2.3".parse().unwrap();
    let plan = with("open", |plan| {
        plan.demand.networks = vec!["198.51.100.0/24".parse().unwrap()];
        plan.sources = vec![address];
    });
    let seen = origins(&enforces(&world, &plan).await);
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|(_, _, from)| *from == Some(address)), "{seen:?}");
}

/// An address that is not ours, or of the other family, is our trouble, and nobody is connected to.
#[tokio::test]
async fn an_address_that_cannot_be_had_is_our_trouble() {
    let mut world = World::new().await;
    let peer = world.domain("far", Script::healthy(world.good())).await;
    let plan = with("far", |plan| plan.sources = vec!["198.51.100.1".parse().unwrap()]);
    let evidence = enforces(&world, &plan).await;
    let [control] = only(&evidence).attempts.as_slice() else { panic!("{evidence:?}") };
    let Ending::Internal(why) = &control.session.ending else { panic!("{control:?}") };
    assert!(why.starts_with("this host cannot send from its address 198.51.100.1: "), "{why}");

    let plan = with("far", |plan| plan.sources = vec!["::1".parse().unwrap()]);
    let evidence = enforces(&world, &plan).await;
    let ending = &only(&evidence).attempts[0].session.ending;
    assert!(matches!(ending, Ending::NotTried(NotTried::FamilyUnavailable(_))), "{ending:?}");
    assert_eq!(world.peer(peer).sessions(), 0);
}

/// DNS may not aim us at our own network; a target that is an address may.
#[tokio::test]
async fn private_addresses_are_gone_to_only_by_their_own_name() {
    let mut world = World::new().await;
    let peer = world.domain("inside", Script::healthy(world.good())).await;
    let observer = world.observer_reaching(Reach::Public, PATIENT);
    let named = with("inside", |_| {});
    let mut evidence = observer.enforces(&named).await;
    let not_tried = |evidence: &EnforcesEvidence| {
        let ending = &evidence.endpoints[0].experiments.last().unwrap().attempts[0].session.ending;
        *ending == Ending::NotTried(NotTried::PrivateAddress)
    };
    assert!(not_tried(&evidence));
    let endpoints = [evidence.endpoints[0].endpoint.clone()];
    observer.enforces_again(&named, &mut evidence, &endpoints).await;
    assert!(not_tried(&evidence) && evidence.endpoints[0].experiments.len() == 2);
    assert_eq!(world.peer(peer).sessions(), 0);

    let address = world.peer(peer).address();
    let by_address = with("inside", |plan| {
        plan.targets = vec![Target::Address { address: address.ip(), port: Some(address.port()) }];
    });
    let evidence = observer.enforces(&by_address).await;
    assert_eq!(lines(only(&evidence)).len(), 5);
}

/// Several targets, each place once; places that share an address are met one after the other.
#[tokio::test]
async fn each_place_is_met_once() {
    let mut world = World::new().await;
    let shared = world.domain("one", Script::healthy(world.good())).await;
    world.mx("two", "one");
    let IpAddr::V4(address) = world.peer(shared).address().ip() else { panic!() };
    world.write(|zone| zone.a("alias.lab.test", address));
    world.mx("three", "alias");
    let other = world.host("other", Script::healthy(world.good())).await;
    world.mx("one", "other");
    let plan = with("one", |plan| {
        let all = ["one.test", "two.test", "three.test", "nowhere.test"];
        plan.targets = all.map(|target| target.parse().unwrap()).to_vec();
    });
    let evidence = enforces(&world, &plan).await;
    let mut hosts: Vec<_> = evidence
        .endpoints
        .iter()
        .map(|seen| seen.endpoint.host.as_ref().unwrap().to_string())
        .collect();
    hosts.sort();
    assert_eq!(hosts, ["alias.lab.test", "one.lab.test", "other.lab.test"]);
    assert_eq!(evidence.routes.len(), 4);
    for seen in &evidence.endpoints {
        assert_eq!(seen.experiments[0].attempts.len(), 5);
        for made in &seen.experiments[0].attempts {
            assert_eq!(made.session.endpoint, seen.endpoint);
        }
    }
    assert_eq!((world.peer(shared).sessions(), world.peer(other).sessions()), (12, 6));
    // The two at one address did not mix: six sessions by the one name, then six by the other.
    let names: Vec<_> =
        world.peer(shared).heard().into_iter().filter_map(|session| session.sni).collect();
    assert_eq!(names.len(), 4);
    assert!(names[0] == names[1] && names[2] == names[3] && names[0] != names[2], "{names:?}");
}

/// Nobody listens: one attempt, and no more.
#[tokio::test]
async fn where_nobody_listens_nothing_more_is_tried() {
    let mut world = World::new().await;
    world.domain("up", Script::healthy(world.good())).await;
    world.write(|zone| zone.a("down.lab.test", "127.0.0.99".parse().unwrap()));
    world.mx("down", "down");
    let evidence = enforces(&world, &with("down", |_| {})).await;
    assert_eq!(lines(only(&evidence)), ["control connect, nobody listens"]);
}
