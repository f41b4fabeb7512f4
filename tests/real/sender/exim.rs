//! A real Exim as sender: one transport for each way of demanding TLS, chosen by the envelope sender's domain.

use super::world::{Grounds, in_grounds};
use crate::lab::{serve, succeed};
use std::{fs, process::Command};

/// Where `tests/run` unpacks it.
const EXIM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/exim/usr/sbin/exim4");

const FLOOR: &str = "tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

/// Modes, with the options of their transports.
const MODES: &[(&str, &[&str])] = &[
    ("default", &[]),
    ("require", &["hosts_require_tls = *"]),
    ("require-floor", &["hosts_require_tls = *", FLOOR]),
    ("verify-floor", &["hosts_require_tls = *", "tls_verify_hosts = *", FLOOR]),
];

/// Starts it; it takes mail from this machine at `grounds.exim`.
pub(super) fn start(grounds: &Grounds) {
    let directory = grounds.directory.join("exim");
    fs::create_dir(&directory).unwrap();
    fs::create_dir(directory.join("spool")).unwrap();
    succeed(Command::new("chown").arg("Debian-exim").arg(directory.join("spool")));
    let config = directory.join("exim.conf");
    fs::write(&config, configuration(grounds)).unwrap();
    // It starts itself again as the user it became, who may not enter the checkout: root's home is root's alone.
    let program = directory.join("exim4");
    fs::copy(EXIM, &program).unwrap();
    let mut exim = in_grounds(grounds, program.to_str().unwrap());
    exim.arg("-C").arg(config).arg("-bdf").arg("-q5s");
    serve(crate::lab::lab().scratch(), "sending-exim", &exim, &[grounds.exim]);
}

/// To Exim every 127.0.0.0/8 address is its own; `self = send` sends there all the same.
fn configuration(grounds: &Grounds) -> String {
    let mut routers = String::new();
    let mut transports = String::new();
    for (mode, options) in MODES {
        let name = mode.replace('-', "_");
        routers += &format!(
            "{name}:\n  driver = dnslookup\n  self = send\n  senders = *@exim-{mode}.sender.test\n  transport = {name}\n"
        );
        transports += &format!(
            "{name}:\n  driver = smtp\n  interface = {ip}\n  helo_data = out.exim.test\n  \
             tls_verify_certificates = {ca}\n  hosts_try_dane =\n",
            ip = grounds.exim.ip(),
            ca = grounds.ca.display(),
        );
        for option in *options {
            transports += &format!("  {option}\n");
        }
    }
    format!(
        "primary_hostname = out.exim.test\n\
         exim_path = {directory}/exim/exim4\n\
         spool_directory = {directory}/exim/spool\n\
         log_file_path = {directory}/exim/spool/%s.log\n\
         pid_file_path = {directory}/exim/exim.pid\n\
         daemon_smtp_ports = {port}\n\
         local_interfaces = {ip}\n\
         disable_ipv6 = true\n\
         keep_environment =\n\
         host_lookup =\n\
         rfc1413_query_timeout = 0s\n\
         tls_advertise_hosts =\n\
         queue_run_max = 20\n\
         acl_smtp_rcpt = take\n\
         acl_smtp_data = take\n\
         begin acl\ntake:\n  accept\n\
         begin routers\n{routers}\
         begin transports\n{transports}\
         begin retry\n* * F,1h,9s\n",
        directory = grounds.directory.display(),
        port = grounds.exim.port(),
        ip = grounds.exim.ip(),
    )
}
