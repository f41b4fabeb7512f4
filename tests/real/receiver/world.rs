//! The receivers' world: their addresses and names, the probes' certificates, the configuration, and the one round.

use super::{exim, policy, postfix};
use crate::{
    lab::{SMTP_PORT, finish_within, lab, serve},
    pki::Leaf,
};
use serde_json::Value;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    process::Command,
    sync::LazyLock,
};

/// One receiver with one of its settings.
#[derive(Clone, Copy)]
pub(super) struct Receiver {
    /// What it misbehaves in: the name of partner and connector.
    pub(super) name: &'static str,
    /// Its settings that differ from the program's in this lab.
    pub(super) options: &'static [(&'static str, &'static str)],
    /// What the connector says beside name, direction and level.
    floor: &'static str,
    /// What `[connector.probe]` says beside envelope and certificates.
    probe: &'static str,
    /// The certificates of the probes.
    client: Client,
}

/// What our probes can show.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// None, and none is asked of the partner.
    Nothing,
    /// The partner's.
    Partners,
    /// And a trusted one for another name.
    PartnersAndOther,
}

impl Receiver {
    pub(super) const fn new(
        name: &'static str,
        options: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { name, options, floor: "", probe: "", client: Client::Nothing }
    }

    pub(super) const fn held_to(self, floor: &'static str) -> Self {
        Self { floor, ..self }
    }

    pub(super) const fn probed(self, probe: &'static str) -> Self {
        Self { probe, ..self }
    }

    pub(super) const fn with(self, client: Client) -> Self {
        Self { client, ..self }
    }

    fn host(&self) -> String {
        format!("mx.{}.receiver.test", self.name)
    }
}

/// Where everything is.
pub(super) struct Grounds {
    pub(super) directory: PathBuf,
    /// Key, certificate and issuer of every receiver.
    pub(super) chain: PathBuf,
    client: PathBuf,
    other_client: PathBuf,
}

impl Grounds {
    fn take() -> Self {
        let pki = &lab().pki;
        let directory = lab().scratch().join("receivers");
        fs::create_dir(&directory).unwrap();
        Self {
            chain: pki.chain(&Leaf::good("mx.receiver.test")),
            client: pki.chain(&Leaf::client(CLIENT)),
            other_client: pki.chain(&Leaf::client("client.elsewhere.test")),
            directory,
        }
    }
}

/// The name of the partners' client certificate.
pub(super) const CLIENT: &str = "client.partner.test";

/// The partner whose MX is probed by agreement, as us.
pub(super) const AGREED: &str = "agreed";

/// Every receiver and its address: Postfix's first.
fn all() -> impl Iterator<Item = (&'static Receiver, Ipv4Addr)> {
    let both = postfix::receivers().into_iter().chain(exim::RECEIVERS);
    both.zip(0..).map(|(receiver, index)| (receiver, lab().network.receiver(index)))
}

fn start_dns(grounds: &Grounds) {
    let mut zone = String::new();
    for (receiver, address) in all() {
        zone += &format!("    local-data: \"{}. 60 A {address}\"\n", receiver.host());
    }
    let config = grounds.directory.join("unbound.conf");
    let resolver = lab().network.receivers_resolver();
    fs::write(
        &config,
        format!(
            "server:\n    directory: \"{}\"\n    chroot: \"\"\n    username: \"\"\n    pidfile: \"\"\n    \
             use-syslog: no\n    interface: {ip}@{port}\n    access-control: 127.0.0.0/8 allow\n    \
             num-threads: 1\n    module-config: \"iterator\"\n    local-zone: \".\" static\n{zone}\
             remote-control:\n    control-enable: no\n",
            grounds.directory.display(),
            ip = resolver.ip(),
            port = resolver.port(),
        ),
    )
    .unwrap();
    let mut unbound = Command::new("unbound");
    unbound.args(["-dd", "-c"]).arg(config);
    serve(lab().scratch(), "receivers-unbound", &unbound, &[resolver]);
}

/// Every receiver in one configuration.
fn configuration(grounds: &Grounds) -> String {
    let mut text = format!(
        "state_dir = \"{state}\"\n\
         [organisation]\nname = \"Contoso\"\ndomains = [\"contoso.test\"]\ntargets = [\"mx\"]\nehlo = \"probe.contoso.test\"\n\
         [dns]\nresolvers = [\"{resolver}\"]\ndnssec = \"off\"\nallow_private = true\n",
        state = grounds.directory.join("state").display(),
        resolver = lab().network.receivers_resolver(),
    );
    for (receiver, _) in all() {
        text +=
            &if receiver.name == AGREED { agreed(receiver) } else { inbound(grounds, receiver) };
    }
    text
}

fn inbound(grounds: &Grounds, receiver: &Receiver) -> String {
    let Receiver { name, floor, probe, client, .. } = receiver;
    let host = receiver.host();
    let names = if *client == Client::Nothing {
        String::new()
    } else {
        format!("client_names = [\"{CLIENT}\"]\n")
    };
    let certificate = |key: &str, file: &PathBuf| {
        let file = file.display();
        format!("{key} = {{ chain_file = \"{file}\", key_file = \"{file}\" }}\n")
    };
    let ours = || certificate("client_certificate", &grounds.client);
    let certificates = match client {
        Client::Nothing => String::new(),
        Client::Partners => ours(),
        Client::PartnersAndOther => {
            ours() + &certificate("other_client_certificate", &grounds.other_client)
        }
    };
    format!(
        "\n[[connector]]\nname = \"{name}\"\ndirection = \"inbound\"\nlevel = \"encrypt\"\n{floor}{names}\
         [connector.probe]\nmail_from = \"tls-probe@{name}.partner.test\"\nrcpt_to = \"tls-probe@contoso.test\"\n\
         targets = [\"host:{host}:{SMTP_PORT}\"]\n{probe}{certificates}\
         [[partner]]\nname = \"{name}\"\ndomains = [\"{name}.partner.test\"]\ntargets = [\"mx\"]\ninbound = \"{name}\"\n"
    )
}

fn agreed(receiver: &Receiver) -> String {
    let (name, host) = (receiver.name, receiver.host());
    format!(
        "\n[[connector]]\nname = \"{name}\"\ndirection = \"outbound\"\nlevel = \"encrypt\"\n\
         [[partner]]\nname = \"{name}\"\ndomains = [\"{name}.partner.test\"]\n\
         targets = [\"host:{host}:{SMTP_PORT}\"]\noutbound = \"{name}\"\n\
         [partner.receiver_enforces]\nagreed = \"J. Doe, 2026-01-31\"\n\
         mail_from = \"tls-probe@contoso.test\"\nrcpt_to = \"postmaster@{name}.partner.test\"\n"
    )
}

/// The report of one round over all receivers.
pub(super) struct Round {
    report: Value,
}

impl Round {
    /// The claim of one partner.
    pub(super) fn claim(&self, name: &str) -> &Value {
        let partners = self.report["partners"].as_array().unwrap();
        let partner = partners.iter().find(|partner| partner["partner"] == name);
        let partner = partner.unwrap_or_else(|| panic!("no partner {name}: {:#}", self.report));
        let claims = partner["claims"].as_array().unwrap();
        assert_eq!(claims.len(), 1, "{partner:#}");
        let side = if name == AGREED { "outbound" } else { "inbound" };
        assert_eq!(claims[0]["claim"], format!("{side}/receiver-enforces"));
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
    let addresses: Vec<Ipv4Addr> = all().map(|(_, address)| address).collect();
    let (at_postfix, at_exim) = addresses.split_at(postfix::receivers().len());
    policy::start(&lab().network);
    postfix::start(&grounds, at_postfix);
    exim::start(&grounds, at_exim);
    start_dns(&grounds);
    let config = grounds.directory.join("mxwarden.toml");
    fs::write(&config, configuration(&grounds)).unwrap();
    let mut verify = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    verify.args(["verify", "--format", "json", "--wait", "5s"]);
    for claim in ["inbound/receiver-enforces", "outbound/receiver-enforces"] {
        verify.args(["--claim", claim]);
    }
    let said = finish_within(120, verify.arg("--config").arg(&config));
    let report = serde_json::from_str(&said.stdout);
    let report = report.unwrap_or_else(|error| panic!("{error}: {said:?}"));
    Round { report }
}

/// Where the servers of this world take mail.
pub(super) fn sockets(addresses: &[Ipv4Addr]) -> Vec<SocketAddrV4> {
    addresses.iter().map(|address| SocketAddrV4::new(*address, SMTP_PORT)).collect()
}
