//! A real Postfix: one `master`, and one `smtpd` for each host, every one misconfigured in its own way.
//!
//! Setup: an instance of its own below the scratch directory, with Debian's users and nothing of the system's
//! configuration. A host's listener differs from the others in its certificate and the options stated beside it.

mod certificate;
mod client_certificate;
mod legacy;
mod plain;
mod sni;
mod target;
mod two_mx;
mod version;

use crate::{
    lab::{Host, Network, SMTP_PORT, serve, succeed},
    pki::{Leaf, Pki},
};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    path::{Path, PathBuf},
    process::Command,
};

/// Where Debian keeps Postfix's daemons.
pub(crate) const DAEMONS: &str = "/usr/lib/postfix/sbin";

/// One MX host.
#[derive(Clone, Copy)]
pub(crate) struct Listener {
    /// The mail domain.
    domain: &'static str,
    /// The MX host.
    host: &'static str,
    /// The preference of its MX record.
    preference: u16,
    /// Its certificate; none: it does not offer TLS.
    leaf: Option<Leaf>,
    /// The certificate of the other kind of key.
    second_leaf: Option<Leaf>,
    /// The certificate it shows who asks for its name by SNI.
    leaf_by_sni: Option<Leaf>,
    /// Postfix parameters that differ from the instance's.
    options: &'static [(&'static str, &'static str)],
    /// Whether it listens on port 465 as well, where TLS comes first.
    implicit_tls: bool,
}

impl Listener {
    /// An MX host with that certificate.
    const fn new(domain: &'static str, host: &'static str, leaf: Leaf) -> Self {
        Self {
            domain,
            host,
            preference: 10,
            leaf: Some(leaf),
            second_leaf: None,
            leaf_by_sni: None,
            options: &[],
            implicit_tls: false,
        }
    }
}

fn listeners() -> Vec<&'static Listener> {
    let rooms = [
        plain::LISTENERS,
        certificate::LISTENERS,
        version::LISTENERS,
        legacy::LISTENERS,
        client_certificate::LISTENERS,
        sni::LISTENERS,
        two_mx::LISTENERS,
    ];
    rooms.into_iter().flatten().collect()
}

/// Where this instance's `main.cf` lies.
pub(crate) fn config_directory(scratch: &Path) -> PathBuf {
    scratch.join("postfix")
}

/// Starts Postfix; returns its hosts.
pub(crate) fn start(scratch: &Path, network: &Network, pki: &Pki) -> Vec<Host> {
    let config = config_directory(scratch);
    fs::create_dir(&config).unwrap();
    fs::create_dir(config.join("queue")).unwrap();
    fs::create_dir(config.join("data")).unwrap();
    succeed(Command::new("chown").arg("postfix").arg(config.join("data")));
    fs::write(config.join("main.cf"), main_cf(scratch, &config, pki)).unwrap();

    let mut services = SERVICES.to_owned();
    let mut hosts = Vec::new();
    for (listener, index) in listeners().into_iter().zip(0..) {
        let address = network.postfix(index);
        services += &service(listener, address, &config, pki);
        hosts.push(Host {
            domain: listener.domain,
            name: listener.host,
            preference: listener.preference,
            address,
        });
    }
    fs::write(config.join("master.cf"), services).unwrap();

    // Makes the queue's directories, and complains of what is wrong.
    succeed(Command::new("postfix").arg("-c").arg(&config).arg("check"));
    let mut master = Command::new(format!("{DAEMONS}/master"));
    master.arg("-c").arg(&config).arg("-s").env("MAIL_CONFIG", &config);
    let at: Vec<_> = hosts.iter().map(|host| SocketAddrV4::new(host.address, SMTP_PORT)).collect();
    serve(scratch, "postfix", &master, &at);
    hosts
}

/// TLS 1.2 is the floor, so that what a later rule says of Debian's default (TLS 1.0) does not disturb every case.
/// Nothing is looked up in DNS, nothing is delivered, and no TLS session is remembered between the oracles and us.
fn main_cf(scratch: &Path, config: &Path, pki: &Pki) -> String {
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {config}/queue\n\
         data_directory = {config}/data\n\
         daemon_directory = {DAEMONS}\n\
         maillog_file_prefixes = {scratch}\n\
         maillog_file = {scratch}/postfix.log\n\
         lab_root = {root}\n\
         lab_dh_1024 = {dh}\n\
         inet_interfaces = all\n\
         inet_protocols = ipv4\n\
         myhostname = lab.test\n\
         mydestination =\n\
         mynetworks = 127.0.0.0/8\n\
         local_recipient_maps =\n\
         alias_maps =\n\
         alias_database =\n\
         smtpd_peername_lookup = no\n\
         smtpd_relay_restrictions = reject\n\
         smtpd_tls_security_level = may\n\
         smtpd_tls_protocols = >=TLSv1.2\n\
         smtpd_tls_mandatory_protocols = >=TLSv1.2\n\
         smtpd_tls_session_cache_database =\n\
         smtpd_tls_loglevel = 1\n",
        scratch = scratch.display(),
        config = config.display(),
        root = pki.root().display(),
        dh = pki.dh_1024().display(),
    )
}

/// What a listening `smtpd` needs beside it.
pub(crate) const SERVICES: &str = "\
postlog unix-dgram n - n - 1 postlogd
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
";

/// What one that takes mail needs besides.
pub(crate) const QUEUE_SERVICES: &str = "\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
proxymap unix - - n - - proxymap
";

fn service(listener: &Listener, address: Ipv4Addr, config: &Path, pki: &Pki) -> String {
    let options = options(listener, config, pki);
    let mut services = format!("{address}:{SMTP_PORT} inet n - n - - smtpd\n{options}");
    if listener.implicit_tls {
        services += &format!("{address}:465 inet n - n - - smtpd\n{options}");
        services += "  -o { smtpd_tls_wrappermode = yes }\n";
    }
    services
}

fn options(listener: &Listener, config: &Path, pki: &Pki) -> String {
    let mut service = String::new();
    let mut option = |name: &str, value: &str| {
        service += &format!("  -o {{ {name} = {value} }}\n");
    };
    option("myhostname", listener.host);
    match &listener.leaf {
        Some(leaf) => {
            let leaves = [Some(leaf), listener.second_leaf.as_ref()];
            let chains = leaves.into_iter().flatten().map(|leaf| pki.chain(leaf));
            let chains: Vec<_> = chains.map(|chain| chain.display().to_string()).collect();
            option("smtpd_tls_chain_files", &chains.join(" "));
        }
        None => option("smtpd_tls_security_level", "none"),
    }
    if let Some(leaf) = &listener.leaf_by_sni {
        let map = config.join(format!("sni-{}", leaf.file));
        fs::write(&map, format!("{} {}\n", listener.host, pki.chain(leaf).display())).unwrap();
        let map = format!("hash:{}", map.display());
        succeed(Command::new("postmap").arg("-c").arg(config).args(["-F", &map]));
        option("tls_server_sni_maps", &map);
    }
    for (name, value) in listener.options {
        option(name, value);
    }
    service
}
