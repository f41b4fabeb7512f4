//! The laboratory: a scratch directory, a loopback network, the servers, and their end.
//!
//! Invariant: nothing outlives the test process. Each server leads a process group of its own, and a shell that holds
//! the other end of a pipe from us ends them all and removes the scratch directory as soon as we are gone, killed or not.

use crate::{dns, exim, legacy, pki::Pki, postfix};
use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::LazyLock,
    thread::sleep,
    time::Duration,
};

/// Where every SMTP server listens: all on one port, each on an address of its own.
pub(crate) const SMTP_PORT: u16 = 2525;
/// Where TLS is spoken at once, behind a front that speaks SMTP.
pub(crate) const TLS_PORT: u16 = 2526;
/// Where the resolver listens.
pub(crate) const DNS_PORT: u16 = 5353;

/// Started by whichever test comes first; where it fails, every test fails.
static LAB: LazyLock<Lab> = LazyLock::new(Lab::start);

/// The laboratory, running.
pub(crate) fn lab() -> &'static Lab {
    &LAB
}

/// Everything the tests share.
pub(crate) struct Lab {
    /// 127.N.0.0/16, ours alone.
    pub(crate) network: Network,
    /// Keys and certificates.
    pub(crate) pki: Pki,
    /// Who listens where.
    pub(crate) hosts: Vec<Host>,
    scratch: PathBuf,
    _janitor: Child,
}

/// One MX host of the zone.
pub(crate) struct Host {
    /// The mail domain.
    pub(crate) domain: &'static str,
    /// Its MX host.
    pub(crate) name: &'static str,
    /// The preference of the MX record.
    pub(crate) preference: u16,
    /// Where it listens.
    pub(crate) address: Ipv4Addr,
}

impl Lab {
    fn start() -> Self {
        // Servers under other users read their certificates here. The keys are worth nothing.
        let scratch = tempfile::Builder::new().prefix("mxwarden-real-").tempdir().unwrap().keep();
        fs::set_permissions(&scratch, Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(scratch.join("pids")).unwrap();
        let janitor = hire_janitor(&scratch);
        let network = Network::take();

        let pki = Pki::make(&scratch.join("pki"));
        let mut hosts = postfix::start(&scratch, &network, &pki);
        hosts.extend(exim::start(&scratch, &network, &pki));
        hosts.extend(legacy::start(&scratch, &network, &pki));
        dns::start(&scratch, &network, &hosts);
        Self { network, pki, hosts, scratch, _janitor: janitor }
    }

    /// The host of that name.
    pub(crate) fn host(&self, name: &str) -> &Host {
        let found = self.hosts.iter().find(|host| host.name == name);
        found.unwrap_or_else(|| panic!("no server of the lab is called {name}"))
    }

    /// The scratch directory.
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// The resolver, as `--resolver` takes it.
    pub(crate) fn resolver(&self) -> String {
        self.network.resolver().to_string()
    }

    /// Postfix's configuration directory, which its tools cannot do without.
    pub(crate) fn postfix_config(&self) -> PathBuf {
        postfix::config_directory(&self.scratch)
    }
}

/// One of the 127.N.0.0/16, so that two runs on one machine do not meet.
pub(crate) struct Network {
    second_octet: u8,
    _held: TcpListener,
}

impl Network {
    /// The first that nobody holds. Whoever listens on port 2500 of 127.N.0.1 holds it, until its process ends.
    fn take() -> Self {
        for second_octet in 25..=250 {
            match TcpListener::bind((Ipv4Addr::new(127, second_octet, 0, 1), 2500)) {
                Ok(held) => {
                    let network = Self { second_octet, _held: held };
                    if network.is_quiet() {
                        return network;
                    }
                }
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => panic!("cannot listen on 127.{second_octet}.0.1: {error}"),
            }
        }
        panic!("no loopback network is free");
    }

    /// Whether the servers of a run that has just ended are gone too.
    fn is_quiet(&self) -> bool {
        let mail = [self.postfix(0), self.exim(0), self.dovecot(0), self.receiver(0)]
            .map(|ip| SocketAddrV4::new(ip, SMTP_PORT));
        let tls = SocketAddrV4::new(self.openssl(0), TLS_PORT);
        mail.iter()
            .chain([&tls, &self.resolver()])
            .all(|address| TcpStream::connect(address).is_err())
    }

    /// The `index`th Postfix.
    pub(crate) fn postfix(&self, index: u8) -> Ipv4Addr {
        self.address(25, index)
    }

    /// The `index`th Exim.
    pub(crate) fn exim(&self, index: u8) -> Ipv4Addr {
        self.address(26, index)
    }

    /// The `index`th `openssl s_server`.
    pub(crate) fn openssl(&self, index: u8) -> Ipv4Addr {
        self.address(27, index)
    }

    /// Dovecot, the endpoint whose tokens it takes, and the canary it relays to.
    pub(crate) fn dovecot(&self, index: u8) -> Ipv4Addr {
        self.address(28, index)
    }

    /// The `index`th real sender.
    pub(crate) fn sender(&self, index: u8) -> Ipv4Addr {
        self.address(30, index)
    }

    /// The `index`th receiver that enforces something, or not.
    pub(crate) fn receiver(&self, index: u8) -> Ipv4Addr {
        self.address(40, index)
    }

    /// The `index`th policy that a receiver asks.
    pub(crate) fn policy(&self, index: u8) -> Ipv4Addr {
        self.address(41, index)
    }

    /// The resolver that knows the receivers.
    pub(crate) fn receivers_resolver(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address(53, 2), DNS_PORT)
    }

    /// The resolver of the senders, which must be at port 53.
    pub(crate) fn senders_resolver(&self) -> Ipv4Addr {
        self.address(53, 1)
    }

    /// The canary number `index` of the `connector`th connector.
    pub(crate) fn canary(&self, connector: u8, index: u8) -> Ipv4Addr {
        self.address(100 + connector, index)
    }

    /// An address where nobody listens.
    pub(crate) fn nobody(&self) -> Ipv4Addr {
        self.address(99, 0)
    }

    /// The resolver.
    pub(crate) fn resolver(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address(53, 0), DNS_PORT)
    }

    fn address(&self, third_octet: u8, index: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.second_octet, third_octet, index + 1)
    }
}

/// Starts a server that stays in the foreground, and waits until it listens at each of `at`.
pub(crate) fn serve(scratch: &Path, name: &str, command: &Command, at: &[SocketAddrV4]) {
    let log = log_file(scratch, name);
    launch(scratch, name, command, at, Stdio::null(), log.into());
}

/// The same for a server that has something to say to us: its input and output are ours.
pub(crate) fn serve_piped(
    scratch: &Path,
    name: &str,
    command: &Command,
    at: SocketAddrV4,
) -> (ChildStdin, ChildStdout) {
    launch(scratch, name, command, &[at], Stdio::piped(), Stdio::piped()).unwrap()
}

fn log_path(scratch: &Path, name: &str) -> PathBuf {
    scratch.join(format!("{name}.log"))
}

fn log_file(scratch: &Path, name: &str) -> File {
    OpenOptions::new().create(true).append(true).open(log_path(scratch, name)).unwrap()
}

/// Starts a server and waits until it listens; its input and output, where both are pipes.
fn launch(
    scratch: &Path,
    name: &str,
    command: &Command,
    at: &[SocketAddrV4],
    input: Stdio,
    output: Stdio,
) -> Option<(ChildStdin, ChildStdout)> {
    // A session of its own, and with it a process group. Postfix insists on being able to make one.
    let mut own_session = Command::new("setsid");
    own_session.arg(command.get_program()).args(command.get_args());
    own_session.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let mut child = own_session
        .stdin(input)
        .stdout(output)
        .stderr(log_file(scratch, name))
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{name} cannot be started (tests/run installs it): {error}")
        });
    fs::write(scratch.join("pids").join(name), format!("{}\n", child.id())).unwrap();
    for address in at {
        wait_until_listening(name, &mut child, *address, &log_path(scratch, name));
    }
    child.stdin.take().zip(child.stdout.take())
}

fn wait_until_listening(name: &str, child: &mut Child, address: SocketAddrV4, log: &Path) {
    let pause = Duration::from_millis(50);
    for _ in 0..400 {
        if TcpStream::connect(address).is_ok() {
            return;
        }
        if let Some(status) = child.try_wait().unwrap() {
            panic!("{name} ended ({status}) instead of listening on {address}:\n{}", read(log));
        }
        sleep(pause);
    }
    panic!("{name} does not listen on {address}:\n{}", read(log));
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Runs a tool to its end, a minute at most; panics, with what it said, unless it succeeds.
pub(crate) fn succeed(command: &Command) -> String {
    let said = finish(command);
    assert!(said.status == Some(0), "{command:?} failed: {said:?}");
    said.stdout
}

/// What a program said.
#[derive(Debug)]
pub(crate) struct Said {
    /// The exit status; none where a signal ended it.
    pub(crate) status: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

/// Runs a program to its end, without input, a minute at most.
pub(crate) fn finish(command: &Command) -> Said {
    finish_within(60, command)
}

/// The same within other bounds. `timeout` (coreutils) ends it.
pub(crate) fn finish_within(seconds: u16, command: &Command) -> Said {
    let mut bounded = Command::new("timeout");
    bounded.arg(seconds.to_string()).arg(command.get_program()).args(command.get_args());
    bounded.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = bounded
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    let status = output.status;
    assert!(status.code() != Some(124), "{command:?} did not end within {seconds} s");
    assert!(status.signal().is_none(), "{command:?} was ended by a signal: {status}");
    Said {
        status: status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Sees to the end: a shell that sleeps until the pipe closes. Statics are never dropped, and a killed process drops nothing.
fn hire_janitor(scratch: &Path) -> Child {
    const DUTIES: &str = r#"
        trap '' HUP INT TERM
        alive() { [ -e "/proc/$1" ] && ! grep -q ') Z ' "/proc/$1/stat"; }
        cat >/dev/null
        servers=$(cat "$1"/pids/*)
        for pid in $servers; do kill -s TERM -- "-$pid"; done
        for pid in $servers; do
            tries=0
            while alive "$pid" && [ "$tries" -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
            kill -s KILL -- "-$pid"
        done
        rm -rf "$1"
    "#;
    Command::new("setsid")
        .args(["sh", "-c", DUTIES, "janitor"])
        .arg(scratch)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
