//! A real Exim as receiver: one address for each place where its ACLs may demand TLS.

use super::{
    Client, Receiver, assert_compliant, assert_probe, assert_unknown, assert_violated,
    world::{Grounds, sockets},
};
use crate::lab::{SMTP_PORT, lab, serve, succeed};
use std::{fs, net::Ipv4Addr, path::Path, process::Command};

/// Where `tests/run` unpacks it.
const EXIM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/exim/usr/sbin/exim4");

const DATA: &str = "until = \"data\"\n";

/// Options are the ACL of a phase (`tls`, `wordless`), whether certificates are verified, and GnuTLS's priorities.
pub(super) const RECEIVERS: &[Receiver] = &[
    Receiver::new("exim-mail", &[("mail", "tls")]),
    Receiver::new("exim-rcpt", &[("rcpt", "tls")]),
    Receiver::new("exim-predata", &[("predata", "tls")]).probed(DATA),
    Receiver::new("exim-data", &[("data", "tls")]).probed(DATA),
    Receiver::new("exim-wordless", &[("rcpt", "wordless")]),
    Receiver::new("exim-verifies", &[("verify", "*")]).with(Client::Partners),
    Receiver::new(
        "exim-verifies-1-2",
        &[("verify", "*"), ("rcpt", "tls"), ("priorities", "SECURE128:-VERS-ALL:+VERS-TLS1.2")],
    )
    .with(Client::Partners),
    Receiver::new("exim-verifies-rcpt", &[("verify", "*"), ("rcpt", "tls")]).with(Client::Partners),
];

/// Starts it.
pub(super) fn start(grounds: &Grounds, addresses: &[Ipv4Addr]) {
    let directory = grounds.directory.join("exim");
    fs::create_dir(&directory).unwrap();
    fs::create_dir(directory.join("spool")).unwrap();
    succeed(Command::new("chown").arg("Debian-exim").arg(directory.join("spool")));
    let mut settings = String::new();
    for (receiver, address) in RECEIVERS.iter().zip(addresses) {
        settings += &format!("{address}:");
        for (key, value) in receiver.options {
            settings += &format!(" {key}={value}");
        }
        settings.push('\n');
    }
    let table = directory.join("settings");
    fs::write(&table, settings).unwrap();
    let config = directory.join("exim.conf");
    fs::write(&config, configuration(grounds, &directory, &table, addresses)).unwrap();
    let mut exim = Command::new(EXIM);
    exim.arg("-C").arg(config).arg("-bdf");
    serve(lab().scratch(), "receiving-exim", &exim, &sockets(addresses));
}

/// What is taken stays in the queue.
fn configuration(
    grounds: &Grounds,
    directory: &Path,
    table: &Path,
    addresses: &[Ipv4Addr],
) -> String {
    let setting = |key: &str, default: &str| {
        format!(
            "${{extract{{{key}}}{{${{lookup{{$received_ip_address}}lsearch{{{table}}}}}}}{{$value}}{{{default}}}}}",
            table = table.display()
        )
    };
    let interfaces: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let acls: String = ["mail", "rcpt", "predata", "data"]
        .iter()
        .map(|phase| format!("acl_smtp_{phase} = {}\n", setting(phase, "pass")))
        .collect();
    format!(
        "primary_hostname = mx.receiver.test\n\
         spool_directory = {directory}/spool\n\
         log_file_path = {directory}/spool/%s.log\n\
         pid_file_path = {directory}/exim.pid\n\
         daemon_smtp_ports = {SMTP_PORT}\n\
         local_interfaces = {interfaces}\n\
         disable_ipv6 = true\n\
         keep_environment =\n\
         host_lookup =\n\
         rfc1413_query_timeout = 0s\n\
         queue_only = true\n\
         smtp_accept_max = 200\n\
         tls_advertise_hosts = *\n\
         tls_certificate = {chain}\n\
         tls_require_ciphers = {priorities}\n\
         tls_verify_hosts = {verify}\n\
         tls_verify_certificates = {root}\n\
         {acls}\
         begin acl\n\
         pass:\n  accept\n\
         tls:\n  deny message = TLS is required for mail from $sender_address_domain\n       !encrypted = *\n  accept\n\
         wordless:\n  deny !encrypted = *\n  accept\n",
        directory = directory.display(),
        interfaces = interfaces.join(" : "),
        chain = grounds.chain.display(),
        priorities = setting("priorities", "NORMAL"),
        verify = setting("verify", ""),
        root = lab().pki.root().display(),
    )
}

/// Setup: `deny !encrypted = *` at MAIL, RCPT, DATA and after the message.
/// Test: each is proof, where the probe goes as far.
#[test]
fn acl_that_demands_tls_is_compliant() {
    for (name, phase) in [
        ("exim-mail", "mail"),
        ("exim-rcpt", "rcpt"),
        ("exim-predata", "data"),
        ("exim-data", "data"),
    ] {
        assert_compliant(name);
        assert_probe(name, "plaintext", phase, "tls-required");
    }
}

/// Setup: the same without words of the administrator's: `550 Administrative prohibition`.
/// Test: that may be about anything.
#[test]
fn acl_without_words_is_unknown() {
    assert_unknown("exim-wordless", &["refused-for-other-reason"]);
    assert_probe("exim-wordless", "plaintext", "rcpt", "policy-other");
}

/// Setup: `tls_verify_hosts` and no demand for TLS.
/// Test: no certificate is refused, and clear is taken.
#[test]
fn verified_certificate_without_a_demand_for_tls_is_violated() {
    assert_violated("exim-verifies", "plaintext-accepted");
}

/// Setup: `tls_verify_hosts`, and TLS is demanded at RCPT.
/// Test: who shows no certificate is refused after the handshake, by alert or by the end of the connection.
#[test]
fn verified_certificate_with_a_demand_for_tls() {
    assert_compliant("exim-verifies-rcpt");
}

/// Setup: the same in TLS 1.2 alone, where Exim answers no certificate with `decode_error`.
/// Test: such an alert may be about anything; a second experiment, a minute later, would tell.
#[test]
fn verified_certificate_in_tls_1_2_is_undecided_at_first() {
    assert_unknown("exim-verifies-1-2", &["undecided"]);
    assert_probe("exim-verifies-1-2", "self-made-client-cert", "handshake", "certificate-required");
}
