//! The mail system: a real Dovecot that takes mail for whoever shows a token, and relays it to a canary.

use super::tokens::{HOST, ISSUER};
use crate::{
    lab::{Network, SMTP_PORT, lab, serve, succeed},
    pki::Leaf,
};
use std::{
    fs,
    net::SocketAddrV4,
    path::{Path, PathBuf},
    process::Command,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::Duration,
};

/// Where mail is handed in.
pub(super) const NAME: &str = "mail.submission.test";
/// The mail domain of the canary.
pub(super) const CANARY: &str = "good.submission.test";

/// What the lab's zone says of all this, below `test.`.
pub(crate) fn records(network: &Network) -> String {
    format!(
        "mail.submission A {}\nlogin.submission A {}\n\
         good.submission MX 10 mx.good.submission\nmx.good.submission A {}\n",
        network.dovecot(0),
        network.dovecot(1),
        network.dovecot(2),
    )
}

/// A running Dovecot.
pub(super) struct Dovecot {
    /// Where it takes mail.
    pub(super) address: SocketAddrV4,
    /// Where the canary is, and nobody while no command keeps one.
    pub(super) canary: SocketAddrV4,
    log: PathBuf,
}

static DOVECOT: LazyLock<Mutex<Dovecot>> = LazyLock::new(|| Mutex::new(Dovecot::start()));

/// Dovecot, for one test at a time: there is one address for the canary.
pub(super) fn dovecot() -> MutexGuard<'static, Dovecot> {
    DOVECOT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Dovecot {
    fn start() -> Self {
        let directory = lab().scratch().join("dovecot");
        for part in ["", "run", "state", "mail", "keys/default/RS256"] {
            fs::create_dir_all(directory.join(part)).unwrap();
        }
        succeed(Command::new("chown").arg("nobody:nogroup").arg(directory.join("mail")));
        // The file that says whose signature counts, for a token that names no key.
        let mut public = Command::new("openssl");
        public.args(["pkey", "-pubout", "-in"]).arg(lab().pki.path(ISSUER));
        succeed(public.arg("-out").arg(directory.join("keys/default/RS256/default")));
        fs::write(
            directory.join("oauth2.conf"),
            format!(
                "introspection_mode = local\n\
                 local_validation_key_dict = fs:posix:prefix={}/keys/\n\
                 issuers = https://{HOST}\n\
                 username_attribute = sub\n",
                directory.display()
            ),
        )
        .unwrap();
        let at = |index| SocketAddrV4::new(lab().network.dovecot(index), SMTP_PORT);
        let dovecot =
            Self { address: at(0), canary: at(2), log: lab().scratch().join("dovecot.log") };
        let config = directory.join("dovecot.conf");
        fs::write(&config, dovecot.configuration(&directory)).unwrap();
        let mut command = Command::new("dovecot");
        command.arg("-F").arg("-c").arg(config);
        serve(lab().scratch(), "dovecot", &command, &[dovecot.address]);
        dovecot
    }

    /// It makes who fails wait, longer each time, unless its penalties are switched off.
    fn configuration(&self, directory: &Path) -> String {
        format!(
            "base_dir = {directory}/run\n\
             state_dir = {directory}/state\n\
             instance_name = lab\n\
             protocols = submission\n\
             log_path = /dev/stderr\n\
             hostname = {NAME}\n\
             auth_verbose = yes\n\
             auth_mechanisms = xoauth2 oauthbearer\n\
             auth_failure_delay = 0\n\
             ssl = required\n\
             ssl_cert = <{chain}\n\
             ssl_key = <{chain}\n\
             passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {directory}/oauth2.conf\n}}\n\
             userdb {{\n  driver = static\n  args = uid=nobody gid=nogroup home={directory}/mail\n}}\n\
             mail_location = sdbox:{directory}/mail\n\
             submission_relay_host = {relay}\n\
             submission_relay_port = {relay_port}\n\
             submission_relay_ssl = starttls\n\
             submission_relay_ssl_verify = no\n\
             service submission-login {{\n  \
               inet_listener submission {{\n    address = {ip}\n    port = {port}\n  }}\n  \
               inet_listener submissions {{\n    port = 0\n  }}\n}}\n\
             service anvil {{\n  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n}}\n",
            directory = directory.display(),
            chain = lab().pki.chain(&Leaf::good(NAME)).display(),
            relay = self.canary.ip(),
            relay_port = self.canary.port(),
            ip = self.address.ip(),
            port = self.address.port(),
        )
    }

    /// Dovecot's log must hold so many lines with these words of it, and no more. It is written by a process of its
    /// own, which may be late.
    #[track_caller]
    pub(super) fn assert_logged(&self, words: &[&str], times: usize) {
        let count = |log: &str| {
            log.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
        };
        let mut log = String::new();
        for _ in 0..100 {
            log = fs::read_to_string(&self.log).unwrap();
            if count(&log) >= times {
                break;
            }
            sleep(Duration::from_millis(50));
        }
        assert_eq!(count(&log), times, "{words:?} in\n{log}");
    }
}
