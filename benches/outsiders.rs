//! Other programs that look at STARTTLS, each as it is meant to be used, on the same servers.

use crate::world::{NAME, World, micros};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Runs of each program.
const RUNS: usize = 100;

/// Scrapes of blackbox_exporter, which costs less: a clock tick is 10 ms.
const SCRAPES: usize = 600;

/// A program, and how it looks at one endpoint.
type Outsider = (&'static str, fn(&World, SocketAddr) -> Command);

const PROGRAMS: [Outsider; 3] =
    [("mxwarden", mxwarden), ("openssl", openssl), ("posttls-finger", posttls_finger)];

/// Prints what each costs, and how much that is of what a full probe costs here.
pub(crate) fn compare(world: &World, full: Duration) {
    println!("  {:44} {:7.0} µs", "full probe, in one process for all", micros(full));
    let tell = |name: &str, cost: Option<Duration>| match cost {
        Some(cost) => {
            let ratio = cost.as_secs_f64() / full.as_secs_f64();
            println!("  {name:44} {:7.0} µs  {ratio:.1}×", micros(cost));
        }
        None => println!("  {name:44} not installed: left out"),
    };
    tell("mxwarden check --file, all endpoints", Some(list(world)));
    for (name, command) in PROGRAMS {
        tell(&format!("{name}, a process each"), one_by_one(world, command));
    }
    tell("prometheus-blackbox-exporter, one daemon", blackbox(world));
}

/// CPU of a process for each endpoint; none where the program is missing.
fn one_by_one(world: &World, command: fn(&World, SocketAddr) -> Command) -> Option<Duration> {
    let addresses = world.smtp();
    let before = children();
    for address in addresses.iter().cycle().take(RUNS) {
        let mut command = command(world, *address);
        let run = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A program that does not approve of a sound server was not asked rightly.
        assert!(run.status().ok()?.success(), "{command:?}");
    }
    Some((children() - before) / u32::try_from(RUNS).unwrap())
}

fn mxwarden(world: &World, address: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    command.arg("check").arg("--ca-file").arg(world.root()).args(["--require", "name"]);
    command.args(["--name", NAME, "--allow-private", "--ehlo", "probe.bench.test"]);
    command.arg(format!("[{}]:{}", address.ip(), address.port()));
    command
}

fn list(world: &World) -> Duration {
    let list = world.root().with_file_name("list");
    let lines: String =
        world.smtp().iter().map(|at| format!("[{}]:{}\n", at.ip(), at.port())).collect();
    fs::write(&list, lines).unwrap();
    let before = children();
    let mut command = mxwarden(world, world.smtp()[0]);
    command.arg("--file").arg(list);
    let run = command.stdin(Stdio::null()).stdout(Stdio::null());
    assert!(run.status().unwrap().success());
    (children() - before) / u32::try_from(world.smtp().len()).unwrap()
}

fn openssl(world: &World, address: SocketAddr) -> Command {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-brief", "-starttls", "smtp", "-name", "probe.bench.test"]);
    command.arg("-connect").arg(address.to_string()).arg("-CAfile").arg(world.root());
    command.args(["-verify_return_error", "-verify_hostname", NAME]);
    command
}

fn posttls_finger(world: &World, address: SocketAddr) -> Command {
    let mut command = Command::new("posttls-finger");
    command.args(["-c", "-l", "secure", "-F"]).arg(world.root());
    command.arg(format!("[{}]:{}", address.ip(), address.port())).arg(NAME);
    command
}

/// blackbox_exporter as its own documentation probes STARTTLS, scraped over one HTTP connection each.
fn blackbox(world: &World) -> Option<Duration> {
    let config = world.root().with_file_name("blackbox.yml");
    fs::write(&config, module(&world.root())).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("prometheus-blackbox-exporter");
    command.arg(format!("--config.file={}", config.display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let exporter = Exporter(quiet.spawn().ok()?, port);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let addresses = world.smtp();
    // What it does for the first time is not what it does.
    addresses.iter().take(20).for_each(|address| exporter.scrape(*address));
    let before = exporter.cpu();
    addresses.iter().cycle().take(SCRAPES).for_each(|address| exporter.scrape(*address));
    Some((exporter.cpu() - before) / u32::try_from(SCRAPES).unwrap())
}

fn module(root: &Path) -> String {
    format!(
        r#"modules:
  smtp_starttls:
    prober: tcp
    timeout: 5s
    tcp:
      query_response:
        - expect: "^220 ([^ ]+) ESMTP"
        - send: "EHLO probe.bench.test\r"
        - expect: "^250[- ]STARTTLS"
        - send: "STARTTLS\r"
        - expect: "^220"
        - starttls: true
        - send: "EHLO probe.bench.test\r"
        - expect: "^250 "
        - send: "QUIT\r"
      tls_config:
        ca_file: {}
        server_name: {NAME}
"#,
        root.display()
    )
}

/// A running exporter and its port.
struct Exporter(Child, u16);

impl Exporter {
    fn scrape(&self, address: SocketAddr) {
        let mut http = TcpStream::connect(("127.0.0.1", self.1)).unwrap();
        let request = format!(
            "GET /probe?module=smtp_starttls&target={address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        http.write_all(request.as_bytes()).unwrap();
        let mut page = String::new();
        http.read_to_string(&mut page).unwrap();
        assert!(page.contains("\nprobe_success 1"), "{page}");
    }

    fn cpu(&self) -> Duration {
        let [user, system, ..] = ticks(&format!("/proc/{}/stat", self.0.id()));
        duration(user + system)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// User and system time of the children this process has waited for.
fn children() -> Duration {
    let [.., user, system] = ticks("/proc/self/stat");
    duration(user + system)
}

/// proc_pid_stat(5): utime, stime, cutime and cstime are the fields 14 to 17; the second may hold spaces.
fn ticks(path: &str) -> [u64; 4] {
    let stat = fs::read_to_string(path).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let mut fields = fields.split_whitespace().skip(11).map(|field| field.parse().unwrap());
    [(); 4].map(|()| fields.next().unwrap())
}

/// Linux tells these times in hundredths of a second (USER_HZ).
fn duration(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 10)
}
