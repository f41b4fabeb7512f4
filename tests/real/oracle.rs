//! Two programs that share no code with ours, asked about the same servers: Postfix's `posttls-finger` and OpenSSL's `s_client`.

use crate::lab::{SMTP_PORT, finish, lab};
use std::process::Command;

/// What Postfix's client, at level `verify`, calls the session with that MX host.
///
/// `Verified`, `Untrusted` or `no TLS`. Like most real senders it sends no SNI, unless `sni` is given.
pub(crate) fn posttls_finger(host: &str, sni: Option<&str>) -> String {
    posttls_finger_at("verify", host, sni)
}

/// The same at level `encrypt`, where it calls `Trusted` what is good but for the name.
pub(crate) fn posttls_finger_unnamed(host: &str) -> String {
    posttls_finger_at("encrypt", host, None)
}

fn posttls_finger_at(level: &str, host: &str, sni: Option<&str>) -> String {
    let mut command = Command::new("posttls-finger");
    command.env("MAIL_CONFIG", lab().postfix_config());
    command.args(["-l", level, "-L", "summary", "-t", "10", "-T", "10"]);
    command.arg("-F").arg(lab().pki.root());
    if let Some(name) = sni {
        command.args(["-s", name]);
    }
    command.arg(format!("[{}]:{SMTP_PORT}", lab().host(host).address)).arg(host);
    let said = finish(&command);
    // "posttls-finger: Verified TLS connection established to …"
    let mut lines = said.stdout.lines().filter_map(|line| line.strip_prefix("posttls-finger: "));
    let word = lines.find_map(|line| line.split_once(" TLS connection established to"));
    match word {
        Some((word, _)) => word.to_owned(),
        // It asks for nothing that is not offered, and says goodbye.
        None if said.stdout.contains("> QUIT") && !said.stdout.contains("STARTTLS") => {
            "no TLS".to_owned()
        }
        None => panic!("posttls-finger says nothing about {host}: {said:?}"),
    }
}

/// What OpenSSL's verifier makes of that MX host's certificate, held to its name.
///
/// Code and words as `openssl verify` documents them, such as `10 (certificate has expired)`; `no TLS` without a handshake.
pub(crate) fn s_client(host: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-starttls", "smtp", "-servername", host, "-verify_hostname", host]);
    command.arg("-connect").arg(format!("{}:{SMTP_PORT}", lab().host(host).address));
    command.arg("-no-CApath").arg("-no-CAstore").arg("-CAfile").arg(lab().pki.root());
    let said = finish(&command);
    let code =
        said.stdout.lines().find_map(|line| line.trim().strip_prefix("Verify return code: "));
    match code {
        Some(code) if !said.stdout.contains("no peer certificate available") => code.to_owned(),
        Some(_) | None => "no TLS".to_owned(),
    }
}
