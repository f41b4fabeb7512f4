//! Every rule against the lab's DNS on loopback.

use super::*;
use crate::lab::dns::{Failure, LabDns, Zone};
use tokio::net::UdpSocket;

const QUICK: Duration = Duration::from_millis(400);

fn plan(resolvers: &[SocketAddr]) -> DnsPlan {
    // Long enough for a busy machine, and never waited for: no test that uses it meets silence.
    let timeout = Duration::from_secs(20);
    DnsPlan { resolvers: Resolvers::Given(resolvers.to_vec()), timeout, ..DnsPlan::default() }
}

fn resolver(plan: DnsPlan) -> Resolver {
    Resolver::new(plan).unwrap()
}

async fn lab(zone: Zone) -> (LabDns, Resolver) {
    let dns = LabDns::start(zone).await.unwrap();
    let resolver = resolver(plan(&[dns.address()]));
    (dns, resolver)
}

async fn resolve(zone: Zone, target: &str) -> Resolution {
    let (_dns, resolver) = lab(zone).await;
    resolver.resolve(&target.parse().unwrap()).await
}

fn found(addresses: &[&str]) -> Addresses {
    Addresses::Found(addresses.iter().map(|a| a.parse().unwrap()).collect())
}

fn v4(last: u8) -> std::net::Ipv4Addr {
    [192, 0, 2, last].into()
}

fn v6(last: u16) -> std::net::Ipv6Addr {
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, last].into()
}

fn hosts(resolution: &Resolution) -> Vec<String> {
    let shown = |e: &Exchange| match e.preference {
        Some(preference) => format!("{preference} {}", e.host.shown()),
        None => e.host.shown(),
    };
    resolution.exchanges.iter().map(shown).collect()
}

fn lookups(resolution: &Resolution) -> Vec<String> {
    let shown = |l: &Lookup| format!("{} {}: {}", l.record_type, l.name, l.answer.join(", "));
    resolution.lookups.iter().map(shown).collect()
}

#[track_caller]
fn kind_of(route: &Route) -> DnsFailureKind {
    match route {
        Route::Failed(failure) => failure.kind,
        other => panic!("not a failure: {other:?}"),
    }
}

fn two_hosts() -> Zone {
    Zone::new()
        .mx("a.test", 20, "mx2.a.test")
        .mx("a.test", 5, "mx1.a.test")
        .a("mx1.a.test", v4(2))
        .a("mx1.a.test", v4(1))
        .aaaa("mx1.a.test", v6(1))
        .a("mx2.a.test", v4(3))
}

#[tokio::test]
async fn mx_hosts_stand_by_preference_with_both_families() {
    let resolution = resolve(two_hosts(), "A.test.").await;
    assert_eq!(resolution.route, Route::Mx);
    assert_eq!(hosts(&resolution), ["5 mx1.a.test", "20 mx2.a.test"]);
    assert_eq!(resolution.left_out, 0);
    let [first, second] = &resolution.exchanges[..] else { panic!() };
    assert_eq!(first.v4, found(&["192.0.2.1", "192.0.2.2"]));
    assert_eq!(first.v6, found(&["2001:db8::1"]));
    assert_eq!(second.v4, found(&["192.0.2.3"]));
    assert_eq!(second.v6, Addresses::None);
    assert_eq!(
        lookups(&resolution),
        [
            "MX a.test: 5 mx1.a.test, 20 mx2.a.test",
            "A mx1.a.test: 192.0.2.1, 192.0.2.2",
            "AAAA mx1.a.test: 2001:db8::1",
            "A mx2.a.test: 192.0.2.3",
            "AAAA mx2.a.test: no data",
        ]
    );
}

#[tokio::test]
async fn a_host_named_twice_counts_once_at_its_lowest_preference() {
    let zone = Zone::new()
        .mx("a.test", 20, "MX.a.test")
        .mx("a.test", 10, "mx.a.test")
        .mx("a.test", 10, "b.a.test")
        .a("mx.a.test", v4(1));
    assert_eq!(hosts(&resolve(zone, "a.test").await), ["10 b.a.test", "10 mx.a.test"]);
}

#[tokio::test]
async fn hosts_and_addresses_are_bounded_and_the_rest_is_counted() {
    let mut zone = Zone::new();
    for host in 0..5 {
        let name = format!("mx{host}.a.test");
        zone = zone.mx("a.test", host, &name);
        for address in 0..4 {
            zone = zone.a(&name, v4(address));
        }
    }
    let dns = LabDns::start(zone).await.unwrap();
    let plan = DnsPlan { hosts_per_domain: 2, addresses_per_host: 3, ..plan(&[dns.address()]) };
    let resolution = resolver(plan).resolve(&"a.test".parse().unwrap()).await;
    assert_eq!(hosts(&resolution), ["0 mx0.a.test", "1 mx1.a.test"]);
    assert_eq!(resolution.left_out, 3);
    assert_eq!(resolution.exchanges[0].v4.found().len(), 3);
    assert_eq!(resolution.exchanges[0].left_out, 1);
    assert_eq!(dns.asked("mx2.a.test", RecordType::A), 0);
}

#[tokio::test]
async fn a_null_mx_is_told_from_an_empty_host_among_others() {
    let resolution = resolve(Zone::new().null_mx("a.test").a("a.test", v4(1)), "a.test").await;
    assert_eq!(resolution.route, Route::NullMx);
    assert_eq!(lookups(&resolution), ["MX a.test: 0 ."]); // and nothing else was asked
    let other_number = resolve(Zone::new().mx("a.test", 10, "."), "a.test").await;
    assert_eq!(other_number.route, Route::NullMx);
    let zone = Zone::new().null_mx("a.test").mx("a.test", 10, "mx.a.test").a("mx.a.test", v4(1));
    let resolution = resolve(zone, "a.test").await;
    assert_eq!(resolution.route, Route::Mx);
    assert_eq!(hosts(&resolution), ["0 .", "10 mx.a.test"]);
    assert_eq!(resolution.exchanges[0].host, ExchangeHost::Invalid(".".to_owned()));
    assert_eq!(resolution.exchanges[0].v4, Addresses::NotAsked);
}

#[tokio::test]
async fn without_mx_the_domain_stands_for_itself() {
    let resolution = resolve(Zone::new().aaaa("a.test", v6(1)), "a.test").await;
    assert_eq!(resolution.route, Route::Implicit);
    assert_eq!(hosts(&resolution), ["a.test"]);
    assert_eq!(resolution.exchanges[0].v4, Addresses::None);
    assert_eq!(resolution.exchanges[0].v6, found(&["2001:db8::1"]));
    let nothing = resolve(Zone::new().txt("a.test", "hello"), "a.test").await;
    assert_eq!((nothing.route, nothing.exchanges), (Route::NoMx, vec![]));
    let below = resolve(Zone::new().a("www.a.test", v4(1)), "a.test").await;
    assert_eq!(below.route, Route::NoMx); // exists, if only for what is below it
}

#[tokio::test]
async fn a_failed_lookup_never_makes_an_implicit_mx() {
    for (failure, kind, word) in [
        (Failure::ServFail, DnsFailureKind::ServFail, "SERVFAIL"),
        (Failure::Refused, DnsFailureKind::Refused, "REFUSED"),
    ] {
        let zone = Zone::new().a("a.test", v4(1)).fail_type("a.test", RecordType::MX, failure);
        let (dns, resolver) = lab(zone).await;
        let resolution = resolver.resolve(&"a.test".parse().unwrap()).await;
        let detail = format!("MX a.test: {word} from {}", dns.address());
        assert_eq!(resolution.route, Route::Failed(DnsFailure { kind, detail: detail.clone() }));
        assert_eq!(resolution.lookups[0].answer, [detail]);
        assert_eq!(dns.asked("a.test", RecordType::A), 0);
    }
}

#[tokio::test]
async fn a_domain_whose_addresses_are_not_known_is_not_called_mail_less() {
    let zone = Zone::new().txt("a.test", "x").fail_type("a.test", RecordType::A, Failure::ServFail);
    let resolution = resolve(zone, "a.test").await;
    assert_eq!(kind_of(&resolution.route), DnsFailureKind::ServFail);
    assert_eq!(resolution.exchanges, []);
    let zone =
        Zone::new().aaaa("a.test", v6(1)).fail_type("a.test", RecordType::A, Failure::ServFail);
    let resolution = resolve(zone, "a.test").await;
    assert_eq!(resolution.route, Route::Implicit);
    assert!(matches!(resolution.exchanges[0].v4, Addresses::Failed(_)));
}

#[tokio::test]
async fn a_domain_that_does_not_exist() {
    let resolution = resolve(two_hosts(), "b.test").await;
    assert_eq!(resolution.route, Route::Nxdomain);
    assert_eq!(lookups(&resolution), ["MX b.test: NXDOMAIN"]);
    let dangling = resolve(Zone::new().cname("a.test", "gone.test"), "a.test").await;
    assert_eq!(dangling.route, Route::Nxdomain);
    assert_eq!(lookups(&dangling), ["MX a.test: a.test CNAME gone.test, NXDOMAIN"]);
}

#[tokio::test]
async fn one_family_failing_does_not_hide_the_other() {
    let zone = two_hosts().fail_type("mx1.a.test", RecordType::A, Failure::ServFail);
    let resolution = resolve(zone, "a.test").await;
    let Addresses::Failed(failure) = &resolution.exchanges[0].v4 else { panic!() };
    assert_eq!(failure.kind, DnsFailureKind::ServFail);
    assert_eq!(resolution.exchanges[0].v6, found(&["2001:db8::1"]));
}

#[tokio::test]
async fn a_family_left_out_is_not_asked() {
    let (dns, _) = lab(two_hosts().aaaa("six.test", v6(9))).await;
    let four = resolver(DnsPlan { families: Families::V4, ..plan(&[dns.address()]) });
    let resolution = four.resolve(&"a.test".parse().unwrap()).await;
    assert_eq!(resolution.exchanges[0].v4, found(&["192.0.2.1", "192.0.2.2"]));
    assert_eq!(resolution.exchanges[0].v6, Addresses::NotAsked);
    assert_eq!(dns.asked("mx1.a.test", RecordType::AAAA), 0);
    // But whether a domain without MX takes mail at all hangs on both.
    let resolution = four.resolve(&"six.test".parse().unwrap()).await;
    assert_eq!(resolution.route, Route::Implicit);
    assert_eq!(resolution.exchanges[0].v4, Addresses::None);
    assert_eq!(resolution.exchanges[0].v6, Addresses::NotAsked);
    let six = resolver(DnsPlan { families: Families::V6, ..plan(&[dns.address()]) });
    let resolution = six.resolve(&"a.test".parse().unwrap()).await;
    assert_eq!(resolution.exchanges[0].v4, Addresses::NotAsked);
    assert_eq!(resolution.exchanges[1].v6, Addresses::None);
}

#[tokio::test]
async fn aliases_are_followed_and_told() {
    let zone = Zone::new()
        .cname("a.test", "b.test") // of the domain: nobody's fault
        .mx("b.test", 10, "mx.b.test")
        .cname("mx.b.test", "one.test")
        .cname("one.test", "two.test")
        .a("two.test", v4(1));
    let resolution = resolve(zone, "a.test").await;
    assert_eq!(resolution.route, Route::Mx);
    assert_eq!(hosts(&resolution), ["10 mx.b.test"]);
    let exchange = &resolution.exchanges[0];
    let names: Vec<&str> = exchange.aliases.iter().map(Host::as_str).collect();
    assert_eq!(names, ["one.test", "two.test"]);
    assert_eq!(exchange.v4, found(&["192.0.2.1"]));
    assert_eq!(exchange.v6, Addresses::None);
    let chain = "mx.b.test CNAME one.test, one.test CNAME two.test";
    assert_eq!(lookups(&resolution)[1], format!("A mx.b.test: {chain}, two.test A 192.0.2.1"));
}

#[tokio::test]
async fn a_lone_alias_is_asked_for() {
    let zone = Zone::new().lone_cname("mx.test", "far.test").aaaa("far.test", v6(1));
    let resolution = resolve(zone, "host:mx.test").await;
    assert_eq!(resolution.exchanges[0].v6, found(&["2001:db8::1"]));
    assert_eq!(
        lookups(&resolution),
        [
            "A mx.test: mx.test CNAME far.test",
            "A far.test: no data",
            "AAAA mx.test: mx.test CNAME far.test",
            "AAAA far.test: 2001:db8::1",
        ]
    );
}

#[tokio::test]
async fn aliases_without_end_are_told() {
    let circle = Zone::new().cname("a.test", "b.test").cname("b.test", "a.test");
    let alone = Zone::new().lone_cname("a.test", "b.test").lone_cname("b.test", "a.test");
    for zone in [circle, alone] {
        let resolution = resolve(zone, "a.test").await;
        assert_eq!(kind_of(&resolution.route), DnsFailureKind::CnameLoop);
    }
    let mut long = Zone::new();
    for step in 0..9 {
        long = long.lone_cname(&format!("n{step}.test"), &format!("n{}.test", step + 1));
    }
    let long = long.a("n9.test", v4(1));
    let resolution = resolve(long.clone(), "host:n1.test").await; // eight aliases
    assert_eq!(resolution.exchanges[0].v4, found(&["192.0.2.1"]));
    let resolution = resolve(long, "host:n0.test").await;
    let Addresses::Failed(failure) = &resolution.exchanges[0].v4 else { panic!() };
    assert_eq!(failure.kind, DnsFailureKind::CnameLoop);
    assert_eq!(failure.detail, "A n0.test: more than 8 aliases");
}

#[tokio::test]
async fn an_mx_that_is_no_host_name_is_never_asked_for() {
    let zone = Zone::new()
        .mx("a.test", 1, "192.0.2.1.")
        .mx("a.test", 2, "mail host.test")
        .mx("a.test", 3, "mx.a.test")
        .a("mx.a.test", v4(1));
    let (dns, resolver) = lab(zone).await;
    let resolution = resolver.resolve(&"a.test".parse().unwrap()).await;
    let [address, odd, good] = &resolution.exchanges[..] else { panic!() };
    assert_eq!(address.host, ExchangeHost::Address(v4(1).into()));
    assert_eq!((&address.v4, &address.v6), (&Addresses::NotAsked, &Addresses::NotAsked));
    assert_eq!(odd.host, ExchangeHost::Invalid("mail host.test".to_owned()));
    assert_eq!(good.v4, found(&["192.0.2.1"]));
    assert_eq!(dns.questions(), 3); // MX, A, AAAA
}

#[tokio::test]
async fn hosts_and_addresses_skip_the_mx() {
    let (dns, resolver) = lab(two_hosts()).await;
    let resolution = resolver.resolve(&"host:mx1.a.test:2525".parse().unwrap()).await;
    assert_eq!(resolution.route, Route::Explicit);
    assert_eq!(resolution.exchanges[0].preference, None);
    assert_eq!(resolution.exchanges[0].v6, found(&["2001:db8::1"]));
    let resolution = resolver.resolve(&"host:-odd_.a.test".parse().unwrap()).await;
    assert_eq!(resolution.exchanges[0].v4, Addresses::None);
    let asked = dns.questions();
    let resolution = resolver.resolve(&"[2001:db8::7]:25".parse().unwrap()).await;
    assert_eq!(resolution.route, Route::Explicit);
    assert_eq!(resolution.exchanges, [at("2001:db8::7".parse().unwrap())]);
    assert_eq!(resolution.exchanges[0].v4, Addresses::NotAsked);
    assert_eq!((dns.questions(), resolution.lookups.len()), (asked, 0));
}

#[tokio::test]
async fn names_are_asked_in_a_labels_and_shown_so() {
    let zone = Zone::new()
        .mx("xn--bcher-kva.test", 10, "mx.xn--bcher-kva.test")
        .a("mx.xn--bcher-kva.test", v4(1));
    let resolution = resolve(zone, "Bücher.test").await;
    assert_eq!(hosts(&resolution), ["10 mx.xn--bcher-kva.test"]);
    assert_eq!(lookups(&resolution)[0], "MX xn--bcher-kva.test: 10 mx.xn--bcher-kva.test");
}

#[tokio::test]
async fn a_truncated_answer_is_fetched_over_tcp() {
    let marked = two_hosts().fail("a.test", Failure::Truncate);
    assert_eq!(hosts(&resolve(marked, "a.test").await), ["5 mx1.a.test", "20 mx2.a.test"]);
    let mut large = Zone::new();
    for host in 0..120 {
        large = large.mx("a.test", host, &format!("a-rather-long-name-{host:03}.a.test"));
    }
    let resolution = resolve(large, "a.test").await;
    assert_eq!((resolution.exchanges.len(), resolution.left_out), (32, 88));
    let shown = &resolution.lookups[0].answer;
    assert_eq!((shown.len(), shown[32].as_str()), (33, "and 88 more"));
}

#[tokio::test]
async fn the_second_resolver_answers_for_the_first() {
    let good = LabDns::start(two_hosts()).await.unwrap();
    for failure in [Failure::Refused, Failure::ServFail] {
        let bad = LabDns::start(two_hosts().fail("a.test", failure)).await.unwrap();
        let resolver = resolver(plan(&[bad.address(), good.address()]));
        let resolution = resolver.resolve(&"a.test".parse().unwrap()).await;
        assert_eq!(resolution.route, Route::Mx, "{failure:?}");
        assert_eq!(bad.asked("a.test", RecordType::MX), 1);
        // The others are still asked of the first: it refused one question, not all.
        assert_eq!(bad.asked("mx1.a.test", RecordType::A), 1);
    }
}

#[tokio::test]
async fn a_silent_first_resolver_is_passed_over_and_not_asked_first_again() {
    let good = LabDns::start(two_hosts()).await.unwrap();
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let resolvers = [silent.local_addr().unwrap(), good.address()];
    let resolver = resolver(DnsPlan { timeout: 5 * QUICK, ..plan(&resolvers) });
    let start = tokio::time::Instant::now();
    let resolution = resolver.resolve(&"a.test".parse().unwrap()).await;
    assert_eq!(resolution.route, Route::Mx);
    assert!(resolution.exchanges.iter().all(|e| matches!(e.v4, Addresses::Found(_))));
    assert!(start.elapsed() < 10 * QUICK, "{:?}", start.elapsed());
    // The first question and its repetition, but none of the four that followed.
    let heard = std::iter::from_fn(|| silent.try_recv(&mut [0; 512]).ok()).count();
    assert!((1..=2).contains(&heard), "{heard}");
}

#[tokio::test]
async fn an_nxdomain_of_the_first_resolver_is_an_answer() {
    let first = LabDns::start(Zone::new()).await.unwrap();
    let second = LabDns::start(two_hosts()).await.unwrap();
    let resolver = resolver(plan(&[first.address(), second.address()]));
    assert_eq!(resolver.resolve(&"a.test".parse().unwrap()).await.route, Route::Nxdomain);
    assert_eq!(second.questions(), 0);
}

#[tokio::test]
async fn silence_is_a_timeout_within_the_plan() {
    let dns = LabDns::start(two_hosts().fail("a.test", Failure::Timeout)).await.unwrap();
    let resolver = resolver(DnsPlan { timeout: QUICK, ..plan(&[dns.address()]) });
    let start = tokio::time::Instant::now();
    let resolution = resolver.resolve(&"a.test".parse().unwrap()).await;
    assert_eq!(kind_of(&resolution.route), DnsFailureKind::Timeout);
    let detail = format!("MX a.test: no answer from {}", dns.address());
    assert_eq!(resolution.lookups[0].answer, [detail]);
    assert!(start.elapsed() < 10 * QUICK, "{:?}", start.elapsed());
    assert!(dns.asked("a.test", RecordType::MX) >= 2); // it was tried again
}

#[tokio::test]
async fn resolvers_that_fail_apart_are_each_told() {
    let refusing = LabDns::start(two_hosts().fail("a.test", Failure::Refused)).await.unwrap();
    let failing = LabDns::start(two_hosts().fail("a.test", Failure::ServFail)).await.unwrap();
    let (first, second) = (refusing.address(), failing.address());
    let resolution = resolver(plan(&[first, second])).resolve(&"a.test".parse().unwrap()).await;
    let Route::Failed(failure) = resolution.route else { panic!() };
    assert_eq!(failure.kind, DnsFailureKind::ServFail);
    assert_eq!(failure.detail, format!("MX a.test: REFUSED from {first}, SERVFAIL from {second}"));
}

/// Answers every question with these bytes, behind the identifier of the question where `keep` says so.
async fn answering(junk: &'static [u8], keep: usize) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let mut reply = buffer[..length.min(keep)].to_vec();
            reply.extend_from_slice(junk);
            let _ = socket.send_to(&reply, from).await;
        }
    });
    address
}

#[tokio::test]
async fn junk_ends_in_a_failure_within_the_plan() {
    let referral = b"\x81\x80\0\x01\0\0\0\x01\0\0\x01a\x04test\0\0\x0f\0\x01\x04test\0\0\x02\0\x01\0\0\0\x3c\0\x04\x02ns\0";
    let foreign = b"\x81\x80\0\x01\0\x01\0\0\0\0\x01a\x04test\0\0\x0f\0\x01\x01b\x04test\0\0\x0f\0\x01\0\0\0\x3c\0\x03\0\0\0";
    for (junk, keep, kind) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], 0, DnsFailureKind::Timeout), // another identifier
        (b"", 0, DnsFailureKind::Timeout),
        (b"\xff", 2, DnsFailureKind::Other), // a header that breaks off
        (b"\x81\x80\xff\xff\xff\xff\xff\xff\xff\xff", 2, DnsFailureKind::Other),
        (b"", 512, DnsFailureKind::Other), // the question itself, which is no response
        (b"\x81\x84\0\0\0\0\0\0\0\0", 2, DnsFailureKind::Timeout), // a reply to no question
        (foreign, 2, DnsFailureKind::Other), // a null MX, of another name
        (referral, 2, DnsFailureKind::Other), // a server that does not resolve
    ] {
        let address = answering(junk, keep).await;
        let resolver = resolver(DnsPlan { timeout: QUICK, ..plan(&[address]) });
        let start = tokio::time::Instant::now();
        let resolution = resolver.resolve(&"a.test".parse().unwrap()).await;
        assert_eq!(kind_of(&resolution.route), kind, "{junk:?}: {resolution:?}");
        assert!(start.elapsed() < 10 * QUICK, "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn what_was_answered_lately_is_not_asked_again() {
    let (dns, resolver) = lab(two_hosts()).await;
    let target: Target = "a.test".parse().unwrap();
    let first = resolver.resolve(&target).await;
    let asked = dns.questions();
    assert_eq!(resolver.clone().resolve(&target).await, first);
    assert_eq!(dns.questions(), asked); // the empty AAAA of mx2 among them
    assert_eq!(resolver.resolve(&"gone.test".parse().unwrap()).await.route, Route::Nxdomain);
    assert_eq!(resolver.resolve(&"gone.test".parse().unwrap()).await.route, Route::Nxdomain);
    assert_eq!(dns.asked("gone.test", RecordType::MX), 1);
}

#[tokio::test]
async fn memory_ends_with_the_time_to_live_and_never_lasts_long() {
    for (ttl, within, beyond) in [(60, 59, 2), (1_000_000, 299, 2)] {
        let (dns, resolver) = lab(two_hosts().ttl(ttl)).await;
        let target: Target = "a.test".parse().unwrap();
        resolver.resolve(&target).await;
        for (seconds, asked) in [(within, 1), (beyond, 2)] {
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(seconds)).await;
            tokio::time::resume();
            resolver.resolve(&target).await;
            assert_eq!(dns.asked("a.test", RecordType::MX), asked, "ttl {ttl}, +{seconds} s");
        }
    }
}

#[tokio::test]
async fn failures_are_not_remembered() {
    let (dns, resolver) = lab(two_hosts().fail("a.test", Failure::ServFail)).await;
    let target: Target = "a.test".parse().unwrap();
    assert_eq!(kind_of(&resolver.resolve(&target).await.route), DnsFailureKind::ServFail);
    dns.set(two_hosts());
    assert_eq!(resolver.resolve(&target).await.route, Route::Mx);
}

#[tokio::test]
async fn many_questions_at_once_are_all_answered() {
    let mut zone = Zone::new();
    for domain in 0..300 {
        let host = format!("mx.d{domain}.test");
        zone = zone.mx(&format!("d{domain}.test"), 10, &host).a(&host, v4(1));
    }
    let (_dns, resolver) = lab(zone).await;
    let mut tasks = JoinSet::new();
    for domain in 0..300 {
        let resolver = resolver.clone();
        let target: Target = format!("d{domain}.test").parse().unwrap();
        tasks.spawn(async move { resolver.resolve(&target).await });
    }
    for resolution in tasks.join_all().await {
        assert_eq!(resolution.exchanges[0].v4, found(&["192.0.2.1"]), "{resolution:?}");
    }
}

#[test]
fn without_a_resolver_there_is_none() {
    let error = Resolver::new(plan(&[])).unwrap_err();
    assert_eq!(error.to_string(), "no resolver was given");
}
