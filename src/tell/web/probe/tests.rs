use super::*;

fn configured(partner: &str, target: &str, level: Level) -> Configured {
    Configured {
        partner: partner.into(),
        target: target.parse().unwrap(),
        requirement: Requirement {
            names: vec!["*.known.test".parse().unwrap()],
            ..Requirement::of(level)
        },
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        targets: vec![
            configured("A", "known.test", Level::Name),
            configured("B", "known.test", Level::Encrypt),
            configured("A", "[10.0.0.1]:2525", Level::Name),
        ]
        .into(),
        ..Snapshot::default()
    }
}

fn ask(query: &str, probe: ProbeTargets) -> Result<Found, Refusal> {
    let uri = format!("/probe?{query}").parse().unwrap();
    let Query(pairs): Query<Vec<(String, String)>> = Query::try_from_uri(&uri).unwrap();
    Ask::read(&pairs)?.find(&snapshot(), probe)
}

#[test]
fn what_is_configured_may_be_probed_and_what_is_not_only_where_anything_may() {
    #[track_caller]
    fn good(query: &str, probe: ProbeTargets, target: &str, level: Level, reach: Reach) {
        let found = ask(query, probe).unwrap();
        let told = (found.target.to_string(), found.requirement.level, found.reach);
        assert_eq!(told, (target.to_owned(), level, reach), "{query}");
    }
    use ProbeTargets::{Any, Configured as Known};
    good("target=known.test", Known, "known.test", Level::Name, Reach::Configured);
    good("target=KNOWN.test.", Any, "known.test", Level::Name, Reach::Configured);
    good(
        "target=known.test&require=encrypt",
        Known,
        "known.test",
        Level::Encrypt,
        Reach::Configured,
    );
    good("target=known.test&require=ca", Known, "known.test", Level::Ca, Reach::Configured);
    good("target=%5B10.0.0.1%5D:2525", Known, "[10.0.0.1]:2525", Level::Name, Reach::Configured);
    good("target=[10.0.0.1]&port=2525", Any, "[10.0.0.1]:2525", Level::Name, Reach::Configured);
    good("target=other.test", Any, "other.test", Level::Name, Reach::Public);
    good(
        "target=host:mx.other.test&port=465",
        Any,
        "host:mx.other.test:465",
        Level::Name,
        Reach::Public,
    );
    good("target=[9.9.9.9]&require=encrypt", Any, "[9.9.9.9]", Level::Encrypt, Reach::Public);
}

#[test]
fn the_configured_requirement_holds_unless_another_level_is_asked_for() {
    let names = |query: &str| ask(query, ProbeTargets::Any).unwrap().requirement.names.len();
    assert_eq!(names("target=known.test"), 1);
    assert_eq!(names("target=known.test&require=name"), 1);
    assert_eq!(names("target=known.test&require=ca"), 0);
    assert_eq!(names("target=known.test&name=a.test&name=b.test"), 2);
    let found = ask("target=known.test&min_tls=1.3", ProbeTargets::Any).unwrap();
    assert_eq!(found.requirement.min_version, MinVersion::Tls13);
    let pin = "00".repeat(32);
    let found = ask(&format!("target=a.test&require=pinned&pin={pin}"), ProbeTargets::Any).unwrap();
    assert_eq!(found.requirement.pins[0].as_hex(), pin);
}

#[test]
fn what_cannot_be_understood_is_refused_in_words() {
    #[track_caller]
    fn check(query: &str, code: u16, words: &str) {
        let (refused, told) = ask(query, ProbeTargets::Any).unwrap_err();
        assert_eq!((refused.as_u16(), told.as_str()), (code, words), "{query}");
    }
    check("", 400, "`target` is missing: /probe?target=example.org&require=name");
    check("target=", 400, "target: `` has an empty label");
    check("target=a@b.test", 400, "target: `a@b.test` holds `@`, which no host name may");
    check("target=a.test&target=b.test", 400, "`target` is given more than once");
    check(
        "target=a.test&module=smtp",
        400,
        "`module` is no parameter; there are target, require, port, name, pin, min_tls",
    );
    check(
        "target=a.test&require=tls",
        400,
        "`require` is none of encrypt, ca, name, pinned, dane, mta-sts",
    );
    check("target=a.test&require=pinned", 400, "level pinned needs a `pin`");
    check("target=host:a.test&port=0", 400, "`port` is no port from 1 to 65535");
    check("target=host:a.test&port=%2B25", 400, "`port` is no port from 1 to 65535");
    check("target=host:a.test&port=65536", 400, "`port` is no port from 1 to 65535");
    check("target=host:a.test:25&port=25", 400, "`port` is given, and `target` says one too");
    check(
        "target=a.test&port=25",
        400,
        "`port` goes with target=host:NAME or target=[ADDRESS]: a domain's MX hosts have theirs",
    );
    check("target=a.test&min_tls=1.1", 400, "`min_tls` is neither 1.2 nor 1.3");
    check("target=[9.9.9.9]", 400, "an address has no name to match: give a `name`, or require=ca");
    // Nobody aims us at our own network, or at what is no mail server.
    for private in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1"]
    {
        let (refused, told) =
            ask(&format!("target=[{private}]:25&require=encrypt"), ProbeTargets::Any).unwrap_err();
        assert_eq!(refused, StatusCode::FORBIDDEN, "{told}");
    }
    check(
        "target=host:a.test:6379",
        403,
        "port 6379 is no mail port (25, 465, 587), and host:a.test:6379 is no partner's target",
    );
    check(
        "target=[9.9.9.9]:80&require=ca",
        403,
        "port 80 is no mail port (25, 465, 587), and [9.9.9.9]:80 is no partner's target",
    );
}

#[test]
fn what_is_not_configured_is_refused_unless_anything_may_be_asked() {
    let (refused, told) = ask("target=other.test", ProbeTargets::Configured).unwrap_err();
    assert_eq!(refused, StatusCode::FORBIDDEN);
    assert_eq!(told, "other.test is no target of a configured partner, and probe_any is not set");
    // A configured address at another port is another target.
    assert!(ask("target=[10.0.0.1]:25", ProbeTargets::Configured).is_err());
    assert!(ask("target=[10.0.0.1]:25", ProbeTargets::Any).is_err());
}

#[test]
fn the_scraper_says_how_long_it_waits() {
    #[track_caller]
    fn check(value: Option<&str>, expect: Option<u64>) {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(SCRAPE_TIMEOUT, value.parse().unwrap());
        }
        let within = deadline(&headers, Duration::from_secs(60)).ok();
        assert_eq!(within.map(|within| within.as_millis()), expect.map(u128::from), "{value:?}");
    }
    check(None, Some(60_000));
    check(Some("10"), Some(9500));
    check(Some("10.25"), Some(9750));
    check(Some("0.4"), Some(200));
    check(Some("3600"), Some(60_000));
    check(Some("1e300"), None);
    check(Some("0"), None);
    check(Some("-1"), None);
    check(Some("NaN"), None);
    check(Some("inf"), None);
    check(Some("soon"), None);
}
