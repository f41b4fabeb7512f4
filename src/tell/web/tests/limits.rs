use super::*;
use tokio::time::{Instant, timeout};

fn with(change: impl FnOnce(&mut WebLimits)) -> WebPlan {
    let mut plan = WebPlan::loopback();
    change(&mut plan.limits);
    plan
}

#[tokio::test(start_paused = true)]
async fn who_sends_its_head_a_letter_a_time_is_cut_off() {
    let running = start(WebPlan::loopback()).await;
    let mut slow = running.connect().await;
    let began = Instant::now();
    let feeding = async {
        let (mut reads, mut writes) = slow.split();
        let letters = async {
            writes.write_all(b"GET / HTTP/1.1\r\nx: ").await?;
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                writes.write_all(b"a").await?;
            }
        };
        let mut text = Vec::new();
        let ended: std::io::Result<()> = tokio::select! {
            ended = letters => ended,
            ended = reads.read_to_end(&mut text) => ended.map(drop),
        };
        drop(ended);
        String::from_utf8(text).unwrap()
    };
    let text = timeout(Duration::from_secs(60), feeding).await.unwrap();
    assert!(!text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(began.elapsed() <= WebLimits::default().head_within + Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_cut_off_before_a_request_and_between_two() {
    let running = start(WebPlan::loopback()).await;
    for said in ["", "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut idle = running.connect().await;
        idle.write_all(said.as_bytes()).await.unwrap();
        let began = Instant::now();
        let mut text = Vec::new();
        let _ = idle.read_to_end(&mut text).await;
        assert!(began.elapsed() >= Duration::from_secs(14), "{said}");
        assert!(began.elapsed() <= Duration::from_secs(17), "{said}");
        assert_eq!(text.is_empty(), said.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_always_busy_ends_all_the_same() {
    let running = start(WebPlan::loopback()).await;
    let mut busy = running.connect().await;
    let began = Instant::now();
    let mut answers = 0;
    let mut buf = vec![0; 4096];
    // Until the server closes: a request every five seconds, so that it is never idle for long.
    while busy.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok() {
        match busy.read(&mut buf).await {
            Ok(0) | Err(_) => break,
            Ok(count) => assert!(buf[..count].starts_with(b"HTTP/1.1 200 OK")),
        }
        answers += 1;
        assert!(answers < 100, "nobody ends it");
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert!(answers > 20, "{answers}");
    assert!(began.elapsed() < WebLimits::default().connection_within + Duration::from_secs(10));
}

#[tokio::test]
async fn a_head_or_a_body_that_is_too_long_is_refused() {
    let running = start(WebPlan::loopback()).await;
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n", "a".repeat(20_000));
    assert_eq!(running.ask(&long).await.status, 431);
    let many = (0..65).map(|field| format!("x{field}: a\r\n")).collect::<String>();
    assert_eq!(running.ask(&format!("GET / HTTP/1.1\r\nhost: x\r\n{many}")).await.status, 431);
    let path = format!("GET /{} HTTP/1.1\r\nhost: x\r\n", "a".repeat(20_000));
    assert!([414, 431].contains(&running.ask(&path).await.status));
    let fat = "GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 65537\r\n";
    assert_eq!(running.ask(fat).await.status, 413);
    let thin = "GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 65536\r\n";
    assert_eq!(running.ask(thin).await.status, 200);
    assert_eq!(running.ask("nonsense\r\n").await.status, 400);
    // None of it has done any harm.
    assert_eq!(running.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_there_is_room_when_another_ends() {
    let running = start(with(|limits| limits.connections = 2)).await;
    let held = [running.connect().await, running.connect().await];
    let reply = running.get("/healthz").await;
    assert_eq!((reply.status, reply.body.as_str()), (503, "too many connections\n"));
    reply.says("connection: close");
    drop(held);
    let comes_in = async { while running.get("/healthz").await.status != 200 {} };
    timeout(Duration::from_secs(30), comes_in).await.unwrap();
}

#[tokio::test]
async fn probes_and_orders_are_bounded_and_who_leaves_makes_room() {
    let plan = with(|limits| limits.probes = 1);
    let mut running = start(plan).await;
    let configured = Configured {
        partner: "A".into(),
        target: "a.test".parse().unwrap(),
        requirement: Requirement::of(crate::model::requirement::Level::Name),
    };
    running.snapshot.send_replace(Arc::new(Snapshot {
        targets: vec![configured].into(),
        ..Snapshot::default()
    }));
    let mut first = running.connect().await;
    first.write_all(b"GET /probe?target=a.test HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut asked = running.orders.recv().await.unwrap();
    let second = running.get("/probe?target=a.test").await;
    assert_eq!((second.status, second.body.as_str()), (503, "too many probes at once\n"));
    drop(first);
    timeout(Duration::from_secs(30), asked.reply.closed()).await.unwrap();
    // There is room again; and a daemon that is gone takes no orders.
    running.orders.close();
    let third = running.get("/probe?target=a.test").await;
    assert_eq!((third.status, third.body.as_str()), (503, "the daemon takes no orders\n"));
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_who_is_there_and_no_longer() {
    let running = start(WebPlan::loopback()).await;
    let mut idle = running.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut head = [0; 15];
    idle.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    let began = Instant::now();
    running.shutdown.cancel();
    running.task.await.unwrap().unwrap();
    // An idle connection is closed at once.
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(TcpStream::connect(running.address).await.is_err());
}
