use super::*;
use crate::model::{
    claim::Claim,
    finding::{Finding, FindingId, Severity},
    obstacle::ObstacleId,
    requirement::Level,
    state::State,
};
use crate::tell::metrics::tests::standing;

#[tokio::test]
async fn each_path_says_what_it_should() {
    let running = start(WebPlan::loopback()).await;
    let ask = async |method: &str, path: &str| {
        running.ask(&format!("{method} {path} HTTP/1.1\r\nhost: x\r\n")).await
    };
    for (method, path, status, kind) in [
        ("GET", "/healthz", 200, "text/plain; charset=utf-8"),
        ("HEAD", "/healthz", 200, "text/plain; charset=utf-8"),
        ("GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("GET", "/", 200, "text/html; charset=utf-8"),
        ("GET", "/readyz", 503, "text/plain; charset=utf-8"),
        ("GET", "/probe", 400, "text/plain; charset=utf-8"),
        ("GET", "/partner/A", 404, "text/html; charset=utf-8"),
        ("GET", "/partner/%FF", 400, "text/plain; charset=utf-8"),
        ("GET", "/partner/", 404, "text/plain; charset=utf-8"),
        ("GET", "/evidence/x", 400, "text/plain; charset=utf-8"),
        ("POST", "/partner/A", 405, "text/plain; charset=utf-8"),
        ("GET", "/nowhere", 404, "text/plain; charset=utf-8"),
        ("GET", "/metrics/", 404, "text/plain; charset=utf-8"),
        ("GET", "//metrics", 404, "text/plain; charset=utf-8"),
        ("POST", "/metrics", 405, "text/plain; charset=utf-8"),
        ("DELETE", "/", 405, "text/plain; charset=utf-8"),
    ] {
        let reply = ask(method, path).await;
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
        reply.says(&format!("content-type: {kind}"));
        reply.says("x-content-type-options: nosniff");
        reply.says("x-frame-options: deny");
        reply.says("cache-control: no-store");
        reply.says("referrer-policy: no-referrer");
        assert!(
            reply.head.contains("content-security-policy: default-src 'none'; style-src 'sha256-")
        );
    }
    assert_eq!(ask("GET", "/healthz").await.body, "ok\n");
    assert_eq!(ask("HEAD", "/healthz").await.body, "");
    assert!(ask("GET", "/metrics").await.body.contains("\nmxwarden_panics_total 0\n"));
    ask("PUT", "/metrics").await.says("allow: get,head");
}

#[tokio::test]
async fn a_path_is_served_to_who_shows_the_token_or_to_all_where_it_is_open() {
    let plan = WebPlan {
        read_token: token("reader"),
        write_token: token("writer"),
        open_paths: vec!["/metrics".into(), "/healthz".into()],
        ..WebPlan::loopback()
    };
    let running = start(plan).await;
    // Without a token, with the wrong one, and with each of the right ones.
    for (path, bare, known) in [
        ("/metrics", 200, 200),
        ("/healthz", 200, 200),
        ("/readyz", 401, 503),
        ("/", 401, 200),
        ("/probe?target=a.test", 401, 403),
        ("/partner/A", 401, 404),
        ("/evidence/x", 401, 400),
        ("/nowhere", 401, 404),
        ("/metrics/", 401, 404),
    ] {
        for (shown, expect) in
            [(None, bare), (Some("wrong"), bare), (Some("reader"), known), (Some("writer"), known)]
        {
            let shown = shown.map(|token| format!("authorization: Bearer {token}\r\n"));
            let shown = shown.unwrap_or_default();
            let reply = running.ask(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n{shown}")).await;
            assert_eq!(reply.status, expect, "{path} {shown}");
            if expect == 401 {
                assert!(reply.head.contains("www-authenticate: bearer realm=\"mxwarden\""));
                reply.says("x-content-type-options: nosniff");
            }
        }
    }
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let running = start(WebPlan::loopback()).await;
    let reply = running.get("/readyz").await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (
            503,
            "not ready\nconfig: none is loaded\nstore: it takes no writes: not opened yet\nround: the first has not begun\n"
        )
    );
    let mut readiness =
        Readiness { config_loaded: true, store: Ok(()), first_round_under_way: true };
    running
        .snapshot
        .send_replace(Arc::new(Snapshot { readiness: readiness.clone(), ..Snapshot::default() }));
    let reply = running.get("/readyz").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "ready\n"));
    readiness.store = Err("No space left on device".into());
    running.snapshot.send_replace(Arc::new(Snapshot { readiness, ..Snapshot::default() }));
    let reply = running.get("/readyz").await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (503, "not ready\nstore: it takes no writes: No space left on device\n")
    );
}

#[tokio::test]
async fn the_page_is_a_matrix_worst_first_and_nothing_from_outside_is_markup() {
    let running = start(WebPlan::loopback()).await;
    let none = running.get("/").await.body;
    assert!(none.contains("no partner is configured"), "{none}");
    let mut evil =
        standing("<script>alert('x')</script>&\"", Claim::all().last().unwrap(), State::Violated);
    evil.summary = "seen <b>\u{1b}[31m\u{202e}".into();
    let good = standing("Good", Claim::OUTBOUND_RECEIVER_OFFERS, State::Compliant);
    let unsure = standing("Unsure", Claim::OUTBOUND_RECEIVER_OFFERS, State::Unknown);
    running.snapshot.send_replace(Arc::new(Snapshot {
        standings: Arc::new(vec![good, unsure, evil]),
        ..Snapshot::default()
    }));
    let page = running.get("/").await.body;
    let place = |word: &str| page.find(word).unwrap_or_else(|| panic!("{word}\n{page}"));
    let order = [
        "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;</a></th>",
        ">Unsure<",
        ">Good<",
    ];
    assert!(order.map(place).is_sorted());
    assert!(page.contains("3 partners: 1 violated, 1 unknown, 1 compliant."));
    assert!(page.contains("seen &lt;b&gt;\\x1b[31m\\u{202e}"));
    assert!(!page.contains("<script") && !page.contains('\u{1b}'));
    // A claim nobody makes has no column.
    assert!(!page.contains("outbound/sender-enforces"));
    assert!(page.contains("<th scope=\"col\">inbound/sender-enforces</th>"));
}

#[tokio::test]
async fn who_is_muted_and_what_is_not_claimed_is_told() {
    let until = "2026-03-02T02:00:00Z".parse().unwrap();
    let muted = Muted { until, why: "moves <b>its servers".to_owned() };
    let running =
        start_with(WebPlan::loopback(), Mutes([("Silent".to_owned(), muted)].into())).await;
    let of = |name: &str| standing(name, Claim::OUTBOUND_RECEIVER_OFFERS, State::Violated);
    running.snapshot.send_replace(Arc::new(Snapshot {
        standings: vec![of("Loud"), of("Silent")].into(),
        unclaimed: Arc::new([("Loud".to_owned(), "not claimed: <all> else".to_owned())].into()),
        ..Snapshot::default()
    }));
    let words = "muted until 2026-03-02 02:00 UTC: moves &lt;b&gt;its servers";
    let index = running.get("/").await.body;
    let row =
        |name: &str| index.lines().find(|line| line.contains(&format!(">{name}</a>"))).unwrap();
    assert!(row("Silent").contains(words), "{index}");
    assert_eq!(index.matches("muted until").count(), 1, "{index}");
    assert!(running.get("/partner/Silent").await.body.contains(words));
    let loud = running.get("/partner/Loud").await.body;
    assert!(!loud.contains("muted until"), "{loud}");
    assert!(loud.contains("<p>not claimed: &lt;all&gt; else.</p>"), "{loud}");
    assert!(!running.get("/partner/Silent").await.body.contains("not claimed"));
}

fn configured(target: &str) -> Arc<Snapshot> {
    let configured = Configured {
        partner: "A".into(),
        target: target.parse().unwrap(),
        requirement: Requirement::of(Level::Name),
    };
    Arc::new(Snapshot { targets: vec![configured].into(), ..Snapshot::default() })
}

fn report(state: State) -> ClaimReport {
    let finding = Finding::new(FindingId::CertExpired, Severity::Violation, "mx", "", "");
    ClaimReport {
        claim: Claim::OUTBOUND_RECEIVER_OFFERS,
        state,
        requirement: Requirement::of(Level::Name),
        summary: String::new(),
        findings: if state == State::Violated { vec![finding] } else { Vec::new() },
        obstacles: Vec::new(),
        endpoints: Vec::new(),
        probes: Vec::new(),
        proven_at: None,
        evidence: String::new(),
    }
}

#[tokio::test]
async fn a_probe_is_an_order_and_its_answer_metrics() {
    let mut running = start(WebPlan::loopback()).await;
    running.snapshot.send_replace(configured("a.test"));
    for (answer, status, line) in [
        (Answer::Report(Box::new(report(State::Compliant))), 200, "mxwarden_probe_success 1"),
        (Answer::Report(Box::new(report(State::Violated))), 200, "mxwarden_probe_success 0"),
        (
            Answer::Report(Box::new(report(State::Violated))),
            200,
            "mxwarden_probe_finding{id=\"cert-expired\",severity=\"violation\"} 1",
        ),
        (
            Answer::Report(Box::new(report(State::Unknown))),
            200,
            "mxwarden_probe_state{state=\"unknown\"} 1",
        ),
        (Answer::Refused("an operator is busy".into()), 503, "an operator is busy"),
    ] {
        let asks = "GET /probe?target=a.test&require=name HTTP/1.1\r\nhost: x\r\n";
        let stream = running.connect().await;
        let (reply, ()) = tokio::join!(exchange(stream, asks), async {
            let asked = running.orders.recv().await.unwrap();
            let target = "a.test".parse().unwrap();
            let order = Order::Probe { target, requirement: Requirement::of(Level::Name) };
            assert_eq!((asked.order, asked.reach), (order, Reach::Configured));
            assert_eq!(asked.within, WebLimits::default().probe_within);
            asked.reply.send(answer).unwrap();
        });
        assert_eq!(reply.status, status, "{reply:?}");
        assert!(reply.body.lines().any(|one| one == line), "{line}\n{}", reply.body);
    }
    // The daemon drops what it cannot do.
    let stream = running.connect().await;
    let (reply, ()) =
        tokio::join!(exchange(stream, "GET /probe?target=a.test HTTP/1.1\r\nhost: x\r\n"), async {
            drop(running.orders.recv().await.unwrap())
        });
    assert_eq!((reply.status, reply.body.as_str()), (503, "the probe was given up\n"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_answered_in_time_is_unknown_and_who_left_is_seen_to() {
    let mut running = start(WebPlan::loopback()).await;
    running.snapshot.send_replace(configured("a.test"));
    let began = tokio::time::Instant::now();
    let reply = running
        .ask("GET /probe?target=a.test HTTP/1.1\r\nhost: x\r\nx-prometheus-scrape-timeout-seconds: 10\r\n")
        .await;
    assert_eq!(began.elapsed().as_secs(), 9);
    assert_eq!(reply.status, 200);
    for line in [
        "mxwarden_probe_success 0",
        "mxwarden_probe_state{state=\"unknown\"} 1",
        "mxwarden_probe_state{state=\"violated\"} 0",
        &format!("mxwarden_probe_obstacle{{id=\"{}\"}} 1", ObstacleId::Deadline.as_str()),
    ] {
        assert!(reply.body.lines().any(|one| one == line), "{line}\n{}", reply.body);
    }
    assert!(running.orders.recv().await.unwrap().reply.is_closed());
}

#[tokio::test]
async fn any_target_may_be_asked_by_who_has_the_token_and_reaches_public_addresses_alone() {
    let plan =
        WebPlan { read_token: token("reader"), probe: ProbeTargets::Any, ..WebPlan::loopback() };
    let mut running = start(plan).await;
    assert_eq!(running.get("/probe?target=stranger.test").await.status, 401);
    let asks =
        "GET /probe?target=stranger.test HTTP/1.1\r\nhost: x\r\nauthorization: Bearer reader\r\n";
    let stream = running.connect().await;
    let (reply, ()) = tokio::join!(exchange(stream, asks), async {
        let asked = running.orders.recv().await.unwrap();
        assert_eq!(asked.reach, Reach::Public);
        asked.reply.send(Answer::Report(Box::new(report(State::Compliant)))).unwrap();
    });
    assert_eq!(reply.status, 200);
    let private = "GET /probe?target=[127.0.0.1]:25&require=ca HTTP/1.1\r\nhost: x\r\nauthorization: Bearer reader\r\n";
    assert_eq!(running.ask(private).await.status, 403);
    assert!(running.orders.try_recv().is_err());
}

#[tokio::test]
async fn a_plan_that_would_open_us_to_strangers_is_refused() {
    let files = tls::Files::new();
    let certificate = || Some(Arc::new(Certificate::load(files.files.clone()).unwrap()));
    let plan = WebPlan::loopback;
    let any = ProbeTargets::Any;
    let metrics = vec!["/metrics".to_owned()];
    #[track_caller]
    fn check(plan: WebPlan, listen: &str, expect: Option<&str>) {
        let refused = plan.check(listen.parse().unwrap()).err().map(|error| error.to_string());
        match (refused, expect) {
            (None, None) => {}
            (Some(refused), Some(expect)) if refused.contains(expect) => {}
            (refused, expect) => panic!("{refused:?} where {expect:?} belongs"),
        }
    }
    let (inside, outside) = ("127.0.0.1:1", "192.0.2.1:1");
    check(plan(), inside, None);
    check(plan(), "[::1]:1", None);
    check(plan(), outside, Some("without a read token and a certificate"));
    check(plan(), "0.0.0.0:1", Some("without a read token and a certificate"));
    check(plan(), "[::]:1", Some("without a read token and a certificate"));
    check(WebPlan { read_token: token("r"), ..plan() }, outside, Some("without a certificate"));
    check(WebPlan { certificate: certificate(), ..plan() }, outside, Some("without a read token"));
    check(
        WebPlan { write_token: token("w"), certificate: certificate(), ..plan() },
        outside,
        Some("without a read token"),
    );
    check(WebPlan { read_token: token("r"), certificate: certificate(), ..plan() }, outside, None);
    check(WebPlan { exposure: Exposure::Open, ..plan() }, outside, None);
    check(WebPlan { read_token: token(""), ..plan() }, inside, Some("the read token is empty"));
    check(WebPlan { write_token: token(""), ..plan() }, inside, Some("the write token is empty"));
    check(WebPlan { probe: any, ..plan() }, inside, Some("probe_any needs a read token"));
    check(
        WebPlan { probe: any, exposure: Exposure::Open, ..plan() },
        outside,
        Some("probe_any needs a read token"),
    );
    check(WebPlan { open_paths: metrics, ..plan() }, inside, None);
    check(
        WebPlan { open_paths: vec!["/probe".into()], ..plan() },
        inside,
        Some("open_paths holds /probe"),
    );
    check(
        WebPlan { open_paths: vec!["/partner/A".into()], ..plan() },
        inside,
        Some("open_paths holds /partner/A"),
    );
    // And `serve` asks.
    let running = start(WebPlan { probe: any, ..plan() }).await;
    assert!(matches!(running.task.await.unwrap(), Err(WebError::ProbeAnyForAnybody)));
}
