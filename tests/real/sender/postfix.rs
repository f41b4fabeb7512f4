//! A real Postfix as sender: one smtp client for each security level, chosen by the envelope sender's domain.

use super::world::{Grounds, in_grounds};
use crate::{
    lab::{serve, succeed},
    postfix::{DAEMONS, QUEUE_SERVICES, SERVICES},
};
use std::{fs, process::Command};

/// Modes, as transports, with what each is set to.
const MODES: &[(&str, &str)] = &[
    ("none", "smtp_tls_security_level=none"),
    ("may", "smtp_tls_security_level=may"),
    ("encrypt", "smtp_tls_security_level=encrypt"),
    ("encrypt-floor", "smtp_tls_security_level=encrypt -o smtp_tls_mandatory_protocols=>=TLSv1.2"),
    ("verify-floor", "smtp_tls_security_level=verify -o smtp_tls_mandatory_protocols=>=TLSv1.2"),
    ("secure", "smtp_tls_security_level=secure"),
    ("secure-floor", "smtp_tls_security_level=secure -o smtp_tls_mandatory_protocols=>=TLSv1.2"),
];

/// Starts it; it takes mail from this machine at `grounds.postfix`.
pub(super) fn start(grounds: &Grounds) {
    let config = grounds.directory.join("postfix");
    for part in ["", "queue", "data"] {
        fs::create_dir(config.join(part)).unwrap();
    }
    succeed(Command::new("chown").arg("postfix").arg(config.join("data")));
    fs::write(config.join("main.cf"), main_cf(grounds)).unwrap();
    let mut services =
        format!("{} inet n - n - - smtpd\n{SERVICES}{QUEUE_SERVICES}{CLIENTS}", grounds.postfix);
    for (mode, options) in MODES {
        services += &format!("{mode} unix - - n - - smtp -o {options}\n");
    }
    fs::write(config.join("master.cf"), services).unwrap();
    succeed(Command::new("postfix").arg("-c").arg(&config).arg("check"));
    let mut master = in_grounds(grounds, &format!("{DAEMONS}/master"));
    master.arg("-c").arg(&config).arg("-s").env("MAIL_CONFIG", &config);
    serve(crate::lab::lab().scratch(), "sending-postfix", &master, &[grounds.postfix]);
}

/// How many messages wait in its queue for this recipient domain.
pub(super) fn queued(grounds: &Grounds, domain: &str) -> usize {
    let config = grounds.directory.join("postfix");
    let mut list = Command::new("postqueue");
    let list = succeed(list.arg("-c").arg(config).arg("-j"));
    list.lines().filter(|line| line.contains(domain)).count()
}

/// Retries come every nine seconds: later than the eight within which a connection belongs to the attempt before.
fn main_cf(grounds: &Grounds) -> String {
    let modes: Vec<_> =
        MODES.iter().map(|(mode, _)| format!("{{@postfix-{mode}.sender.test={mode}:}}")).collect();
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {directory}/postfix/queue\n\
         data_directory = {directory}/postfix/data\n\
         daemon_directory = {DAEMONS}\n\
         maillog_file_prefixes = {directory}\n\
         maillog_file = {directory}/sending-postfix.log\n\
         inet_interfaces = all\n\
         inet_protocols = ipv4\n\
         myhostname = out.postfix.test\n\
         mydestination =\n\
         mynetworks = 127.0.0.0/8\n\
         local_recipient_maps =\n\
         alias_maps =\n\
         alias_database =\n\
         smtpd_peername_lookup = no\n\
         smtpd_relay_restrictions = permit_mynetworks, reject\n\
         smtp_bind_address = {ip}\n\
         smtp_tls_CAfile = {ca}\n\
         smtp_tls_session_cache_database =\n\
         smtp_tls_loglevel = 1\n\
         minimal_backoff_time = 9s\n\
         maximal_backoff_time = 9s\n\
         queue_run_delay = 5s\n\
         default_destination_concurrency_failed_cohort_limit = 100\n\
         smtpd_sender_restrictions = check_sender_access inline:{{postfix-stopped.sender.test=HOLD}}\n\
         sender_dependent_default_transport_maps = inline:{{{modes}}}\n",
        directory = grounds.directory.display(),
        ip = grounds.postfix.ip(),
        ca = grounds.ca.display(),
        modes = modes.join(", "),
    )
}

/// Postfix's own clients, and what they share.
const CLIENTS: &str = "\
smtp unix - - n - - smtp
relay unix - - n - - smtp
scache unix - - n - 1 scache
";
