//! A real Postfix as receiver: one `smtpd` for each way of refusing mail, or not.

mod certificate;
mod depth;
mod limit;

use super::{
    Receiver, assert_compliant, assert_probe, assert_unknown, assert_violated, policy, round,
    world::{AGREED, CLIENT, Grounds, sockets},
};
use crate::{
    lab::{SMTP_PORT, lab, serve, succeed},
    postfix::{DAEMONS, QUEUE_SERVICES, SERVICES},
};
use std::{fs, net::Ipv4Addr, process::Command};

const ENCRYPT: (&str, &str) = ("smtpd_tls_security_level", "encrypt");
const FOR_THE_PARTNER: (&str, &str) = (
    "smtpd_sender_restrictions",
    "check_sender_access inline:{{$lab_partner = reject_plaintext_session}}",
);
const FOR_ANOTHER: (&str, &str) = (
    "smtpd_sender_restrictions",
    "check_sender_access inline:{{elsewhere.test = reject_plaintext_session}}",
);
const AT_MAIL: (&str, &str) = ("smtpd_delay_reject", "no");
const FOR_GOOD: (&str, &str) = ("plaintext_reject_code", "550");
const FLOOR: (&str, &str) = ("smtpd_tls_mandatory_protocols", ">=TLSv1.2");
const TLS_1_3: &str = "min_version = \"1.3\"\n";

const PLAIN: &str = "plaintext-accepted";

const RECEIVERS: &[Receiver] = &[
    Receiver::new("may", &[]),
    Receiver::new("encrypt", &[ENCRYPT]),
    Receiver::new("no-starttls", &[("smtpd_tls_security_level", "none")]),
    Receiver::new("partner-at-rcpt", &[FOR_THE_PARTNER]),
    Receiver::new("partner-at-rcpt-550", &[FOR_THE_PARTNER, FOR_GOOD]),
    Receiver::new("partner-at-mail", &[FOR_THE_PARTNER, AT_MAIL]),
    Receiver::new("partner-at-mail-550", &[FOR_THE_PARTNER, AT_MAIL, FOR_GOOD]),
    Receiver::new("another-at-rcpt", &[FOR_ANOTHER]),
    Receiver::new("another-at-mail-550", &[FOR_ANOTHER, AT_MAIL, FOR_GOOD]),
    Receiver::new("tls-1-2-beside-1-3", &[ENCRYPT, FLOOR]).held_to(TLS_1_3),
    Receiver::new("tls-1-3-alone", &[ENCRYPT, ("smtpd_tls_mandatory_protocols", ">=TLSv1.3")])
        .held_to(TLS_1_3),
    Receiver::new(AGREED, &[ENCRYPT]),
];

/// All of them. The last is the one whose port is waited for: none that counts connections.
pub(super) fn receivers() -> Vec<&'static Receiver> {
    let rooms = [certificate::RECEIVERS, limit::RECEIVERS, depth::RECEIVERS, RECEIVERS];
    rooms.into_iter().flatten().collect()
}

fn log() -> std::path::PathBuf {
    lab().scratch().join("receiving-postfix.log")
}

/// Starts it.
pub(super) fn start(grounds: &Grounds, addresses: &[Ipv4Addr]) {
    let config = grounds.directory.join("postfix");
    for part in ["", "queue", "data"] {
        fs::create_dir(config.join(part)).unwrap();
    }
    succeed(Command::new("chown").arg("postfix").arg(config.join("data")));
    fs::write(config.join("main.cf"), main_cf(grounds)).unwrap();
    let mut services = format!("{SERVICES}{QUEUE_SERVICES}");
    for (receiver, address) in receivers().into_iter().zip(addresses) {
        let name = receiver.name;
        services += &format!(
            "{address}:{SMTP_PORT} inet n - n - - smtpd\n  -o {{ syslog_name = {name} }}\n  \
             -o {{ lab_partner = {name}.partner.test }}\n"
        );
        for (key, value) in receiver.options {
            services += &format!("  -o {{ {key} = {value} }}\n");
        }
    }
    fs::write(config.join("master.cf"), services).unwrap();
    succeed(Command::new("postfix").arg("-c").arg(&config).arg("check"));
    let mut master = Command::new(format!("{DAEMONS}/master"));
    master.arg("-c").arg(&config).arg("-s").env("MAIL_CONFIG", &config);
    // Where the last listens, all do; and a connection to each would count against rate limits.
    let at = sockets(addresses);
    serve(lab().scratch(), "receiving-postfix", &master, &at[at.len() - 1..]);
}

/// As `check_ccert_access` has it.
fn fingerprint() -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]);
    let said = succeed(openssl.arg(lab().pki.path(&format!("{CLIENT}.pem"))));
    said.trim().split_once('=').unwrap().1.to_owned()
}

/// Mail for us is taken and thrown away. No client is of the house.
fn main_cf(grounds: &Grounds) -> String {
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {directory}/postfix/queue\n\
         data_directory = {directory}/postfix/data\n\
         daemon_directory = {DAEMONS}\n\
         maillog_file_prefixes = {scratch}\n\
         maillog_file = {log}\n\
         lab_client = {client}\n\
         lab_partner =\n\
         {policies}\
         inet_interfaces = all\n\
         inet_protocols = ipv4\n\
         myhostname = mx.receiver.test\n\
         mydestination = contoso.test, {AGREED}.partner.test\n\
         local_transport = discard:\n\
         mynetworks = 127.255.255.255/32\n\
         local_recipient_maps =\n\
         alias_maps =\n\
         alias_database =\n\
         smtpd_peername_lookup = no\n\
         smtpd_relay_restrictions = reject_unauth_destination\n\
         smtpd_tls_security_level = may\n\
         smtpd_tls_chain_files = {chain}\n\
         smtpd_tls_CAfile = {root}\n\
         smtpd_tls_fingerprint_digest = sha256\n\
         smtpd_tls_session_cache_database =\n\
         smtpd_tls_loglevel = 1\n",
        directory = grounds.directory.display(),
        scratch = lab().scratch().display(),
        log = log().display(),
        client = fingerprint(),
        policies = policy::parameters(&lab().network),
        chain = grounds.chain.display(),
        root = lab().pki.root().display(),
    )
}

/// Setup: `smtpd_tls_security_level = may`.
/// Test: it takes mail in clear.
#[test]
fn may_takes_mail_in_clear() {
    assert_violated("may", PLAIN);
}

/// Setup: `smtpd_tls_security_level = encrypt`.
/// Test: 530 at MAIL is proof.
#[test]
fn encrypt_is_compliant() {
    assert_compliant("encrypt");
    assert_probe("encrypt", "plaintext", "mail", "tls-required");
}

/// Setup: no STARTTLS.
/// Test: no control can be had, so nothing is proved here; `receiver-offers` says the rest.
#[test]
fn no_starttls_is_not_testable() {
    assert_unknown("no-starttls", &["not-testable"]);
}

/// Setup: `reject_plaintext_session` for the partner's domain, at MAIL and at RCPT, for now and for good.
/// Test: each is proof, a 450 as well.
#[test]
fn refusal_for_the_partner_alone_is_compliant() {
    for (name, phase) in [
        ("partner-at-rcpt", "rcpt"),
        ("partner-at-rcpt-550", "rcpt"),
        ("partner-at-mail", "mail"),
        ("partner-at-mail-550", "mail"),
    ] {
        assert_compliant(name);
        assert_probe(name, "plaintext", phase, "tls-required");
    }
}

/// Setup: the same for another domain.
/// Test: caught.
#[test]
fn refusal_for_another_domain_is_violated() {
    assert_violated("another-at-rcpt", PLAIN);
    assert_violated("another-at-mail-550", PLAIN);
}

/// Setup: TLS 1.3 is agreed on, and TLS 1.2 is taken as well.
/// Test: it is carried to RCPT, so that it counts.
#[test]
fn tls_1_2_below_the_floor_is_violated() {
    assert_violated("tls-1-2-beside-1-3", "mail-accepted-over-legacy-tls");
    assert_compliant("tls-1-3-alone");
}

/// Setup: `encrypt` at a partner's MX, probed by agreement.
/// Test: compliant, with six sessions at most, and Postfix saw no DATA.
#[test]
fn agreed_partner_is_compliant_without_data() {
    assert_compliant(AGREED);
    assert_probe(AGREED, "plaintext", "mail", "tls-required");
    let log = fs::read_to_string(log()).unwrap();
    let of_partner = || log.lines().filter(|line| line.contains(&format!("{AGREED}/smtpd[")));
    assert!(of_partner().any(|line| line.contains(" rcpt=1 ")), "{log}");
    assert!(!of_partner().any(|line| line.contains(" data=")), "{log}");
    // One more: the port was waited for.
    let connects = of_partner().filter(|line| line.contains(": connect from ")).count();
    assert!((4..=7).contains(&connects), "{connects} sessions: {log}");
    assert_eq!(round().claim(AGREED)["claim"], "outbound/receiver-enforces");
}
