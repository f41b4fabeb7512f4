//! A real Postfix as receiver: one `smtpd` for each way of refusing mail, or not.

use super::{
    Client, Receiver, assert_claim, assert_compliant, assert_probe, assert_unknown,
    assert_violated, policy, round,
    world::{AGREED, CLIENT, Grounds, sockets},
};
use crate::lab::{SMTP_PORT, lab, serve, succeed};
use std::{fs, net::Ipv4Addr, process::Command};

/// Where Debian keeps Postfix's daemons.
const DAEMONS: &str = "/usr/lib/postfix/sbin";

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
const ASKS_CERTIFICATE: (&str, &str) = ("smtpd_tls_ask_ccert", "yes");
const WANTS_CERTIFICATE: (&str, &str) = ("smtpd_tls_req_ccert", "yes");
const FLOOR: (&str, &str) = ("smtpd_tls_mandatory_protocols", ">=TLSv1.2");
const NOBODY_IS_EXEMPT: (&str, &str) = ("smtpd_client_event_limit_exceptions", "");
const TLS_1_3: &str = "min_version = \"1.3\"\n";
const DATA: &str = "until = \"data\"\ndecides = \"data\"\n";

/// The last is the one whose port is waited for: none that counts connections.
pub(super) const RECEIVERS: &[Receiver] = &[
    Receiver::new("may", &[]),
    Receiver::new("encrypt", &[ENCRYPT]),
    Receiver::new("no-starttls", &[("smtpd_tls_security_level", "none")]),
    Receiver::new("partner-at-rcpt", &[FOR_THE_PARTNER]),
    Receiver::new("partner-at-rcpt-550", &[FOR_THE_PARTNER, FOR_GOOD]),
    Receiver::new("partner-at-mail", &[FOR_THE_PARTNER, AT_MAIL]),
    Receiver::new("partner-at-mail-550", &[FOR_THE_PARTNER, AT_MAIL, FOR_GOOD]),
    Receiver::new("another-at-rcpt", &[FOR_ANOTHER]),
    Receiver::new("another-at-mail-550", &[FOR_ANOTHER, AT_MAIL, FOR_GOOD]),
    Receiver::new(
        "ccert-access",
        &[
            ENCRYPT,
            ASKS_CERTIFICATE,
            (
                "smtpd_recipient_restrictions",
                "check_ccert_access inline:{{$lab_client = OK}}, reject",
            ),
        ],
    )
    .with(Client::PartnersAndOther),
    Receiver::new(
        "ccert-access-in-words",
        &[
            ASKS_CERTIFICATE,
            (
                "smtpd_recipient_restrictions",
                "check_ccert_access inline:{{$lab_client = OK}}, \
                 check_sender_access static:{554 5.7.1 A client certificate is required}",
            ),
        ],
    )
    .with(Client::PartnersAndOther),
    Receiver::new("req-ccert", &[ENCRYPT, WANTS_CERTIFICATE]).with(Client::PartnersAndOther),
    Receiver::new("req-ccert-other-not-tried", &[ENCRYPT, WANTS_CERTIFICATE, FLOOR])
        .with(Client::Partners),
    Receiver::new("ask-ccert", &[ENCRYPT, ASKS_CERTIFICATE]).with(Client::Partners),
    Receiver::new(
        "grey-lister",
        &[("smtpd_recipient_restrictions", "check_policy_service $lab_grey_lister")],
    ),
    Receiver::new(
        "grey-lister-beside-tls",
        &[("smtpd_recipient_restrictions", "check_policy_service $lab_grey_lister_beside_tls")],
    ),
    Receiver::new(
        "wordless-grey-lister-beside-tls",
        &[("smtpd_recipient_restrictions", "check_policy_service $lab_wordless_beside_tls")],
    ),
    Receiver::new(
        "rate-limit-of-two",
        &[ENCRYPT, NOBODY_IS_EXEMPT, ("smtpd_client_connection_rate_limit", "2")],
    ),
    Receiver::new(
        "rate-limit-of-one",
        &[NOBODY_IS_EXEMPT, ("smtpd_client_connection_rate_limit", "1")],
    ),
    Receiver::new(
        "message-rate-limit",
        &[NOBODY_IS_EXEMPT, ("smtpd_client_message_rate_limit", "1")],
    ),
    Receiver::new(
        "recipient-rate-limit",
        &[NOBODY_IS_EXEMPT, ("smtpd_client_recipient_rate_limit", "1")],
    ),
    Receiver::new(
        "tls-session-rate-limit",
        &[ENCRYPT, NOBODY_IS_EXEMPT, ("smtpd_client_new_tls_session_rate_limit", "1")],
    ),
    Receiver::new("tls-1-2-beside-1-3", &[ENCRYPT, FLOOR]).held_to(TLS_1_3),
    Receiver::new("tls-1-3-alone", &[ENCRYPT, ("smtpd_tls_mandatory_protocols", ">=TLSv1.3")])
        .held_to(TLS_1_3),
    Receiver::new("at-data", &[("smtpd_data_restrictions", "reject_plaintext_session")])
        .probed(DATA),
    Receiver::new(
        "after-data",
        &[("smtpd_end_of_data_restrictions", "check_policy_service $lab_tls_alone")],
    )
    .probed(DATA),
    Receiver::new("takes-the-message", &[]).probed(DATA),
    Receiver::new(
        "after-data-not-tried",
        &[("smtpd_end_of_data_restrictions", "check_policy_service $lab_tls_alone")],
    )
    .probed("until = \"rcpt\"\ndecides = \"data\"\n"),
    Receiver::new(
        "after-data-not-declared",
        &[("smtpd_end_of_data_restrictions", "check_policy_service $lab_tls_alone")],
    ),
    Receiver::new(AGREED, &[ENCRYPT]),
];

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
    let mut services = SERVICES.to_owned();
    for (receiver, address) in RECEIVERS.iter().zip(addresses) {
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

/// What a receiving Postfix needs.
const SERVICES: &str = "\
postlog unix-dgram n - n - 1 postlogd
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
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

const PLAIN: &str = "plaintext-accepted";

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

/// Setup: `check_ccert_access`, then `reject`, which says `554 5.7.1 … Access denied`.
/// Test: such words may be about anything; a second experiment, a minute later, would tell.
#[test]
fn certificate_access_is_undecided_at_first() {
    assert_unknown("ccert-access", &["undecided"]);
    assert_probe("ccert-access", "plaintext", "mail", "tls-required");
    for kind in ["no-client-cert", "self-made-client-cert", "other-client-cert"] {
        assert_probe("ccert-access", kind, "rcpt", "unrecognised");
    }
}

/// Setup: the same, but the refusal says what it is about.
/// Test: compliant at once, also without a demand for TLS of its own.
#[test]
fn certificate_access_in_words_is_compliant() {
    assert_compliant("ccert-access-in-words");
    for kind in ["plaintext", "no-client-cert", "self-made-client-cert", "other-client-cert"] {
        assert_probe("ccert-access-in-words", kind, "rcpt", "certificate-required");
    }
}

/// Setup: `smtpd_tls_req_ccert` and `encrypt`.
/// Test: no certificate and a self-made one are refused after the handshake; anybody's trusted one is taken. A hello
/// below TLS 1.2 fails inside OpenSSL, which cannot ask for a certificate there, with an alert that may mean anything.
#[test]
fn required_certificate_of_anybody_is_violated() {
    assert_claim("req-ccert", "violated", &["wrong-client-cert-accepted"], &["undecided"]);
    assert_probe("req-ccert", "no-client-cert", "ehlo-tls", "certificate-required");
    assert_probe("req-ccert", "self-made-client-cert", "ehlo-tls", "certificate-required");
}

/// Setup: the same, with TLS 1.2 as the floor; we have no other certificate to try.
/// Test: what was tried is refused, and what was not is told.
#[test]
fn required_certificate_of_anybody_is_told_as_not_tested() {
    assert_compliant("req-ccert-other-not-tried");
    let summary = round().claim("req-ccert-other-not-tried")["summary"].as_str().unwrap();
    assert!(summary.ends_with("; not tested: a trusted certificate for another name"), "{summary}");
}

/// Setup: `smtpd_tls_ask_ccert` alone.
/// Test: a certificate is asked for, and none is needed.
#[test]
fn asked_for_certificate_is_not_required() {
    let violations = ["client-cert-not-required", "wrong-client-cert-accepted"];
    assert_claim("ask-ccert", "violated", &violations, &[]);
}

/// Setup: a policy that refuses every envelope once.
/// Test: the control is refused, so nothing is known; and never "enforced".
#[test]
fn grey_lister_is_unknown() {
    assert_unknown("grey-lister", &["control-refused", "greylisted"]);
    assert_probe("grey-lister", "control", "rcpt", "greylisted");
}

/// Setup: one that lets TLS pass, as some do; one says what it does, the other does not.
/// Test: what looks like a demand for TLS is not one yet.
#[test]
fn grey_lister_that_exempts_tls_is_unknown() {
    assert_unknown("grey-lister-beside-tls", &["greylisted", "refused-for-other-reason"]);
    assert_probe("grey-lister-beside-tls", "plaintext", "rcpt", "greylisted");
    assert_unknown("wordless-grey-lister-beside-tls", &["undecided"]);
    assert_probe("wordless-grey-lister-beside-tls", "plaintext", "rcpt", "unrecognised");
}

/// Setup: `smtpd_client_connection_rate_limit`, met at the third connection and at the second.
/// Test: neither a violation, nor is the refusal in clear one for want of TLS.
#[test]
fn rate_limit_is_unknown() {
    let obstacles = ["control-refused", "rate-limited", "refused-for-other-reason"];
    assert_unknown("rate-limit-of-two", &obstacles);
    assert_unknown("rate-limit-of-one", &obstacles);
    assert_probe("rate-limit-of-one", "plaintext", "connect", "rate-limited");
}

/// Setup: `smtpd_client_message_rate_limit` and `smtpd_client_recipient_rate_limit`, which the control uses up, and TLS
/// is not demanded; `smtpd_client_new_tls_session_rate_limit` where it is.
/// Test: 450 in clear is not a demand for TLS, and a proof without a second control is none.
#[test]
fn other_rate_limits_are_unknown() {
    let obstacles = ["control-refused", "rate-limited", "refused-for-other-reason"];
    assert_unknown("message-rate-limit", &obstacles);
    assert_probe("message-rate-limit", "plaintext", "mail", "rate-limited");
    assert_unknown("recipient-rate-limit", &obstacles);
    assert_probe("recipient-rate-limit", "plaintext", "rcpt", "rate-limited");
    assert_unknown("tls-session-rate-limit", &obstacles[..2]);
    assert_probe("tls-session-rate-limit", "plaintext", "mail", "tls-required");
}

/// Setup: TLS 1.3 is agreed on, and TLS 1.2 is taken as well.
/// Test: it is carried to RCPT, so that it counts.
#[test]
fn tls_1_2_below_the_floor_is_violated() {
    assert_violated("tls-1-2-beside-1-3", "mail-accepted-over-legacy-tls");
    assert_compliant("tls-1-3-alone");
}

/// Setup: clear is refused at DATA, and after the message.
/// Test: compliant where the probe goes as far.
#[test]
fn refusal_at_data_is_compliant() {
    for name in ["at-data", "after-data"] {
        assert_compliant(name);
        assert_probe(name, "plaintext", "data", "tls-required");
        // It stops at RCPT, so nothing can be said of it.
        let findings = round().claim(name)["findings"].as_array().unwrap();
        assert!(!findings.iter().any(|finding| finding["id"] == PLAIN), "{findings:?}");
    }
}

/// Setup: nothing is refused, and the probe sends a message.
/// Test: the 250 after the dot is the violation.
#[test]
fn message_taken_in_clear_is_violated() {
    assert_violated("takes-the-message", PLAIN);
}

/// Setup: clear is refused after the message, and the probe ends at RCPT.
/// Test: an envelope is not a message.
#[test]
fn refusal_after_data_is_undecided_at_rcpt() {
    assert_unknown("after-data-not-tried", &["undecided"]);
}

/// Setup: the same, and nobody told us that it decides so late.
/// Test: violated, as far as an envelope goes, which is told.
#[test]
fn envelope_taken_in_clear_is_violated() {
    assert_violated("after-data-not-declared", PLAIN);
    let findings = &round().claim("after-data-not-declared")["findings"];
    let seen = findings[0]["seen"].as_str().unwrap();
    assert!(seen.ends_with("; envelope accepted, DATA not tried"), "{findings:#}");
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
