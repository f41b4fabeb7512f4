//! The senders' world: their resolver, the canaries' addresses and names, the configuration, and the one round.

use super::{DAEMONS, PARTNERS, exim, postfix};
use crate::lab::{finish_within, lab, serve, succeed};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddrV4, TcpStream},
    path::PathBuf,
    process::Command,
    sync::LazyLock,
    thread::sleep,
    time::Duration,
};

/// The canaries of every connector.
pub(super) const PERSONALITIES: [&str; 9] = [
    "good",
    "no-starttls",
    "starttls-refused",
    "starttls-broken",
    "legacy-tls",
    "self-signed",
    "unknown-ca",
    "expired",
    "wrong-name",
];

/// One sender with one of its settings, and the level it is held against.
pub(super) struct Partner {
    /// Whose transport.
    program: Program,
    /// How it is set.
    mode: &'static str,
    /// The level of the connector.
    level: &'static str,
    /// What tells its name from that of another with the same setting.
    mark: &'static str,
}

enum Program {
    Exim,
    Postfix,
}

impl Partner {
    pub(super) const fn postfix(mode: &'static str, level: &'static str) -> Self {
        Self { program: Program::Postfix, mode, level, mark: "" }
    }

    pub(super) const fn exim(mode: &'static str, level: &'static str) -> Self {
        Self { program: Program::Exim, mode, level, mark: "" }
    }

    /// The same, proved by a daemon.
    pub(super) const fn of_daemon(self) -> Self {
        Self { mark: "-daemon", ..self }
    }

    fn sender(&self) -> String {
        match self.program {
            Program::Exim => format!("exim-{}", self.mode),
            Program::Postfix => format!("postfix-{}", self.mode),
        }
    }

    fn name(&self) -> String {
        format!("{}-{}{}", self.sender(), self.level, self.mark)
    }
}

/// Where everything is.
pub(super) struct Grounds {
    pub(super) directory: PathBuf,
    /// Where Postfix takes mail, and sends it from.
    pub(super) postfix: SocketAddrV4,
    /// Where Exim does.
    pub(super) exim: SocketAddrV4,
    /// The senders' resolver.
    dns: SocketAddrV4,
    /// The root of the canaries.
    pub(super) ca: PathBuf,
}

impl Grounds {
    fn take() -> Self {
        let network = &lab().network;
        let directory = lab().scratch().join("senders");
        fs::create_dir(&directory).unwrap();
        Self {
            postfix: SocketAddrV4::new(network.sender(0), 2587),
            exim: SocketAddrV4::new(network.sender(1), 2587),
            dns: SocketAddrV4::new(network.senders_resolver(), 53),
            ca: directory.join("canary-ca.pem"),
            directory,
        }
    }

    fn resolver(&self) -> String {
        self.dns.to_string()
    }
}

/// A program in a mount namespace in which the senders' resolver is everybody's.
pub(super) fn in_grounds(grounds: &Grounds, program: &str) -> Command {
    const ENTER: &str = r#"mount --bind "$0" /etc/resolv.conf && exec "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", ENTER]).arg(grounds.directory.join("resolv.conf"));
    command.arg(program);
    command
}

/// A canary's names and address.
struct Canary {
    personality: &'static str,
    domain: String,
    hostname: String,
    address: Ipv4Addr,
}

fn canaries(number: usize, name: &str) -> Vec<Canary> {
    let of = |(at, personality): (usize, &&'static str)| {
        let domain = format!("{personality}.{name}.canary.test");
        let (number, at) = (u8::try_from(number).unwrap(), u8::try_from(at).unwrap());
        Canary {
            personality,
            hostname: format!("mx.{domain}"),
            domain,
            address: lab().network.canary(number, at),
        }
    };
    PERSONALITIES.iter().enumerate().map(of).collect()
}

/// Those of the round, and behind them those of the daemon.
fn all_canaries() -> Vec<Canary> {
    let named = |(number, partner): (usize, &Partner)| canaries(number, &partner.name());
    PARTNERS.iter().chain(DAEMONS).enumerate().flat_map(named).collect()
}

fn start_dns(grounds: &Grounds) {
    let mut zone = String::new();
    for Canary { domain, hostname, address, .. } in all_canaries() {
        zone += &format!("    local-data: \"{domain}. 60 MX 10 {hostname}.\"\n");
        zone += &format!("    local-data: \"{hostname}. 60 A {address}\"\n");
    }
    let config = grounds.directory.join("unbound.conf");
    let ip = grounds.dns.ip();
    fs::write(
        &config,
        format!(
            "server:\n    directory: \"{}\"\n    chroot: \"\"\n    username: \"\"\n    pidfile: \"\"\n    \
             use-syslog: no\n    interface: {ip}@53\n    access-control: 127.0.0.0/8 allow\n    \
             num-threads: 1\n    module-config: \"iterator\"\n    local-zone: \".\" static\n{zone}\
             remote-control:\n    control-enable: no\n",
            grounds.directory.display()
        ),
    )
    .unwrap();
    fs::write(
        grounds.directory.join("resolv.conf"),
        format!("nameserver {ip}\noptions timeout:2 attempts:2\n"),
    )
    .unwrap();
    let mut unbound = Command::new("unbound");
    unbound.args(["-dd", "-c"]).arg(config);
    serve(lab().scratch(), "senders-unbound", &unbound, &[grounds.dns]);
}

/// Every partner in one configuration.
fn configuration(grounds: &Grounds) -> String {
    let mut text = format!(
        "state_dir = \"{state}\"\n\
         [organisation]\nname = \"Contoso\"\ndomains = [\"sender.test\"]\ntargets = [\"mx\"]\nehlo = \"probe.sender.test\"\n\
         [dns]\nresolvers = [\"{resolver}\"]\ndnssec = \"off\"\nallow_private = true\n",
        state = grounds.directory.join("state").display(),
        resolver = grounds.resolver(),
    );
    for (number, partner) in PARTNERS.iter().enumerate() {
        text += &connector(grounds, number, partner);
    }
    text
}

/// The configuration of a daemon that proves round after round, with a state directory of its own and the CA that the
/// senders trust.
pub(super) fn daemon_configuration(grounds: &Grounds, http: std::net::SocketAddr) -> PathBuf {
    let folder = grounds.directory.join("daemon");
    fs::create_dir_all(folder.join("state")).unwrap();
    let mut copy = Command::new("cp");
    succeed(copy.arg("-a").arg(grounds.directory.join("state/canary")).arg(folder.join("state")));
    let mut text = format!(
        "state_dir = \"{state}\"\n\
         [organisation]\nname = \"Contoso\"\ndomains = [\"sender.test\"]\nehlo = \"probe.sender.test\"\n\
         [dns]\nresolvers = [\"{resolver}\"]\nallow_private = true\n\
         [claims.sender-enforces]\ninterval = \"5s\"\nmax_age = \"1h\"\n[http]\nlisten = \"{http}\"\n",
        state = folder.join("state").display(),
        resolver = grounds.resolver(),
    );
    for (number, partner) in DAEMONS.iter().enumerate() {
        text += &connector(grounds, PARTNERS.len() + number, partner);
    }
    let config = folder.join("mxwarden.toml");
    fs::write(&config, text).unwrap();
    config
}

fn connector(grounds: &Grounds, number: usize, partner: &Partner) -> String {
    let (name, sender) = (partner.name(), partner.sender());
    let submit = match partner.program {
        Program::Exim => grounds.exim,
        Program::Postfix => grounds.postfix,
    };
    let canaries = canaries(number, &name);
    let mut text = format!(
        "\n[[connector]]\nname = \"{name}\"\ndirection = \"outbound\"\nlevel = \"{level}\"\n\
         [connector.submit]\nurl = \"smtp+plain://{submit}\"\nfrom = \"probe@{sender}.sender.test\"\n\
         [connector.sender]\nnetworks = [\"{ip}/32\"]\n\
         [connector.timing]\nfirst_attempt_within = \"45s\"\nattempts = 2\nqueue_lifetime = \"1h\"\ndrain_after = \"2s\"\n\
         [connector.canaries]\n",
        level = partner.level,
        ip = submit.ip(),
    );
    for Canary { personality, domain, .. } in &canaries {
        text += &format!("{personality} = \"{domain}\"\n");
    }
    text += &format!(
        "\n[[partner]]\nname = \"{name}\"\ndomains = [\"{name}.partner.test\"]\ntargets = [\"mx\"]\noutbound = \"{name}\"\n"
    );
    for Canary { personality, domain, hostname, address } in &canaries {
        text += &format!(
            "\n[[canary]]\npersonality = \"{personality}\"\nlisten = [\"{address}:25\"]\n\
             domains = [\"{domain}\"]\nhostname = \"{hostname}\"\n"
        );
    }
    text
}

/// The report of one round over all partners.
pub(super) struct Round {
    pub(super) grounds: Grounds,
    config: PathBuf,
    report: Value,
}

impl Round {
    /// The claim of one partner after another round for it alone, which waits so long at most.
    pub(super) fn again(&self, name: &str, wait: &str) -> Value {
        let mut verify = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
        verify.args(["verify", name, "--format", "json", "--claim", "outbound/sender-enforces"]);
        verify.args(["--wait", wait, "--config"]).arg(&self.config);
        let said = finish_within(180, &verify);
        let report: Value = serde_json::from_str(&said.stdout).unwrap();
        report["partners"][0]["claims"][0].clone()
    }

    /// The claim of one partner.
    pub(super) fn claim(&self, name: &str) -> &Value {
        let partners = self.report["partners"].as_array().unwrap();
        let partner = partners.iter().find(|partner| partner["partner"] == name);
        let partner = partner.unwrap_or_else(|| panic!("no partner {name}: {:#}", self.report));
        let claims = partner["claims"].as_array().unwrap();
        assert_eq!(claims.len(), 1, "{partner:#}");
        assert_eq!(claims[0]["claim"], "outbound/sender-enforces");
        &claims[0]
    }
}

static ROUND: LazyLock<Round> = LazyLock::new(run);

/// The round, made by whichever test comes first.
pub(super) fn round() -> &'static Round {
    &ROUND
}

fn run() -> Round {
    let grounds = Grounds::take();
    let config = grounds.directory.join("mxwarden.toml");
    fs::write(&config, configuration(&grounds)).unwrap();
    // Makes the canaries' CA, which the senders are told to trust.
    let mut zone = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    succeed(zone.args(["canary", "zone", "--config"]).arg(&config));
    fs::copy(grounds.directory.join("state/canary/root.pem"), &grounds.ca).unwrap();
    start_dns(&grounds);
    postfix::start(&grounds);
    exim::start(&grounds);
    let mut verify = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    verify.args(["verify", "--format", "json", "--claim", "outbound/sender-enforces"]);
    verify.args(["--wait", "150s", "--config"]).arg(&config);
    let strangers = std::thread::spawn(come_as_strangers);
    let said = finish_within(180, &verify);
    strangers.join().unwrap();
    let report = serde_json::from_str(&said.stdout);
    let report = report.unwrap_or_else(|error| panic!("{error}: {said:?}"));
    Round { grounds, config, report }
}

/// Health checks at the canaries of the sender that is stopped, as soon as they listen.
fn come_as_strangers() {
    let is_stopped = |partner: &Partner| partner.mode == "stopped";
    let number = PARTNERS.iter().position(is_stopped).unwrap();
    for canary in canaries(number, &PARTNERS[number].name()) {
        let at = SocketAddrV4::new(canary.address, 25);
        let mut stream = loop {
            match TcpStream::connect(at) {
                Ok(stream) => break stream,
                Err(_) => sleep(Duration::from_millis(100)),
            }
        };
        drop(TcpStream::connect(at).unwrap());
        let mut said = [0; 512];
        let _ = stream.read(&mut said).unwrap();
        stream.write_all(b"EHLO monitor.example\r\n").unwrap();
        let _ = stream.read(&mut said).unwrap();
        stream.write_all(b"QUIT\r\n").unwrap();
        let _ = stream.read(&mut said);
    }
}
