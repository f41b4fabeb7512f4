//! A real Exim, on GnuTLS: what holds for Postfix and OpenSSL must not hold for them alone.
//!
//! Setup: Debian's MTAs exclude each other, so Exim is unpacked below `target/tools/exim` and not installed. One daemon
//! listens at every address and chooses certificate and rules by the address it was called at.

use crate::{
    check::{Judged, Scenario, Tls, check},
    lab::{Host, Network, SMTP_PORT, serve, succeed},
    pki::{Leaf, Pki},
};
use std::{fs, net::SocketAddrV4, path::Path, process::Command};

/// Where `tests/run` unpacks it.
const EXIM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/exim/usr/sbin/exim4");

struct Listener {
    domain: &'static str,
    host: &'static str,
    leaf: Option<Leaf>,
    wants_certificate: bool,
    priorities: &'static str,
}

/// GnuTLS's words for TLS 1.2 and 1.3, and for 1.2 alone.
const MODERN: &str = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
const TLS_1_2: &str = "SECURE128:-VERS-ALL:+VERS-TLS1.2";

/// The old beside the new, for [`crate::legacy`].
const WEAK: &str = "NORMAL:+VERS-TLS1.1:+VERS-TLS1.0:+3DES-CBC:+ARCFOUR-128";

const LISTENERS: &[Listener] = &[
    Listener {
        domain: "weak-ciphers.exim.test",
        host: "mx.weak-ciphers.exim.test",
        leaf: Some(Leaf::good("mx.weak-ciphers.exim.test")),
        wants_certificate: false,
        priorities: WEAK,
    },
    Listener {
        domain: "exim-good.test",
        host: "mx.exim-good.test",
        leaf: Some(Leaf::good("mx.exim-good.test")),
        wants_certificate: false,
        priorities: MODERN,
    },
    Listener {
        domain: "exim-expired.test",
        host: "mx.exim-expired.test",
        leaf: Some(Leaf { not_after: "20210101000000Z", ..Leaf::good("mx.exim-expired.test") }),
        wants_certificate: false,
        priorities: MODERN,
    },
    Listener {
        domain: "exim-no-tls.test",
        host: "mx.exim-no-tls.test",
        leaf: None,
        wants_certificate: false,
        priorities: MODERN,
    },
    Listener {
        domain: "exim-client-cert.test",
        host: "mx.exim-client-cert.test",
        leaf: Some(Leaf::good("mx.exim-client-cert.test")),
        wants_certificate: true,
        priorities: MODERN,
    },
    Listener {
        domain: "exim-client-cert-1-2.test",
        host: "mx.exim-client-cert-1-2.test",
        leaf: Some(Leaf::good("mx.exim-client-cert-1-2.test")),
        wants_certificate: true,
        priorities: TLS_1_2,
    },
];

/// Starts Exim; returns its hosts.
pub(crate) fn start(scratch: &Path, network: &Network, pki: &Pki) -> Vec<Host> {
    let directory = scratch.join("exim");
    fs::create_dir(&directory).unwrap();
    fs::create_dir(directory.join("spool")).unwrap();
    succeed(Command::new("chown").arg("Debian-exim").arg(directory.join("spool")));

    let mut hosts = Vec::new();
    let mut settings = String::new();
    for (listener, index) in LISTENERS.iter().zip(0..) {
        let address = network.exim(index);
        let chain = listener.leaf.map(|leaf| pki.chain(&leaf).display().to_string());
        settings += &format!(
            "{address}: name={} chain={} tls={} wants={} priorities={}\n",
            listener.host,
            chain.as_deref().unwrap_or("none"),
            if chain.is_some() { "*" } else { "none" },
            if listener.wants_certificate { "*" } else { "none" },
            listener.priorities,
        );
        hosts.push(Host { domain: listener.domain, name: listener.host, preference: 10, address });
    }
    let table = directory.join("settings");
    fs::write(&table, settings).unwrap();
    let config = directory.join("exim.conf");
    let at: Vec<_> = hosts.iter().map(|host| SocketAddrV4::new(host.address, SMTP_PORT)).collect();
    fs::write(&config, configuration(&directory, &table, pki, &at)).unwrap();
    let mut exim = Command::new(EXIM);
    exim.arg("-C").arg(config).arg("-bdf");
    serve(scratch, "exim", &exim, &at);
    hosts
}

fn configuration(directory: &Path, table: &Path, pki: &Pki, at: &[SocketAddrV4]) -> String {
    let setting = |key: &str| {
        format!(
            "${{extract{{{key}}}{{${{lookup{{$received_ip_address}}lsearch{{{table}}}}}}}}}",
            table = table.display()
        )
    };
    let interfaces: Vec<_> = at.iter().map(|address| address.ip().to_string()).collect();
    format!(
        "primary_hostname = mx.exim.test\n\
         smtp_active_hostname = {name}\n\
         spool_directory = {directory}/spool\n\
         log_file_path = {directory}/spool/%s.log\n\
         pid_file_path = {directory}/exim.pid\n\
         daemon_smtp_ports = {SMTP_PORT}\n\
         local_interfaces = {interfaces}\n\
         disable_ipv6 = true\n\
         keep_environment =\n\
         host_lookup =\n\
         rfc1413_query_timeout = 0s\n\
         smtp_enforce_sync = true\n\
         tls_advertise_hosts = {tls}\n\
         tls_certificate = {chain}\n\
         tls_require_ciphers = {priorities}\n\
         tls_verify_hosts = {wants}\n\
         tls_verify_certificates = {root}\n\
         acl_smtp_rcpt = refuse\n\
         begin acl\n\
         refuse:\n  deny\n",
        directory = directory.display(),
        interfaces = interfaces.join(" : "),
        name = setting("name"),
        tls = setting("tls"),
        chain = setting("chain"),
        priorities = setting("priorities"),
        wants = setting("wants"),
        root = pki.root().display(),
    )
}

/// Setup: a good certificate.
/// Test: as good as at Postfix.
#[test]
fn good() {
    Scenario::good("exim-good.test").assert();
}

/// Setup: it ran out in 2021.
/// Test: as at Postfix.
#[test]
fn expired() {
    Scenario {
        channel: "encrypted",
        tls: Some(Tls { validity: "expired", ..Tls::GOOD }),
        at_encrypt: Judged::compliant(&[("cert-expired", "info")]),
        at_ca: Judged::violated(&[("cert-expired", "violation")]),
        at_name: Judged::violated(&[("cert-expired", "violation")]),
        ..Scenario::good("exim-expired.test")
    }
    .assert();
}

/// Setup: `tls_advertise_hosts` leaves us out.
/// Test: as at Postfix.
#[test]
fn no_tls() {
    const NOT_OFFERED: Judged = Judged::violated(&[("starttls-not-offered", "violation")]);
    Scenario {
        channel: "plain",
        starttls: "not-offered",
        tls: None,
        at_encrypt: NOT_OFFERED,
        at_ca: NOT_OFFERED,
        at_name: NOT_OFFERED,
        ..Scenario::good("exim-no-tls.test")
    }
    .assert();
}

/// Setup: `tls_verify_hosts`, TLS 1.3: Exim's alert (`certificate_required`) comes after the handshake is complete for the client.
/// Test: TLS, chain and name were seen before that and are judged.
#[test]
fn client_certificate_required() {
    const TOLD: Judged = Judged::compliant(&[("client-cert-required", "info")]);
    Scenario {
        at_encrypt: TOLD,
        at_ca: TOLD,
        at_name: TOLD,
        ..Scenario::good("exim-client-cert.test")
    }
    .assert();
}

/// Setup: the same with TLS 1.2, where Exim's alert (a `decode_error`) comes before the handshake is complete.
/// Test: no session can be had without a certificate, so none is proved. That one is wanted was seen and is told.
#[test]
fn client_certificate_required_tls_1_2() {
    let report = check(&["exim-client-cert-1-2.test", "--require", "ca"]);
    assert_ne!(report.claim()["state"], "compliant", "{report}");
    report.assert_finding("TLS 1.2", ("client-cert-required", "info"));
    let tls = &report.claim()["endpoints"][0]["tls"];
    assert_eq!(tls["certificates"][0]["subject"], "CN=mx.exim-client-cert-1-2.test", "{report}");
}
