//! A real Postfix as smart host: it takes the mail over TLS and delivers it to a Maildir.

use super::{break_and_recover, configure, sample, wait_for};
use crate::{
    lab::{lab, serve, succeed},
    pki::Leaf,
    postfix::{DAEMONS, QUEUE_SERVICES, SERVICES},
};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

/// The smart host, and where mail for `postmaster@contoso.test` arrives.
fn start() -> (u16, PathBuf) {
    let folder = lab().scratch().join("alert-postfix");
    for part in ["", "queue", "data", "mail"] {
        fs::create_dir(folder.join(part)).unwrap();
    }
    succeed(Command::new("chown").arg("postfix").arg(folder.join("data")).arg(folder.join("mail")));
    let id = |kind: &str| succeed(Command::new("id").args([kind, "postfix"])).trim().to_owned();
    let main = format!(
        "compatibility_level = 3.6\n\
         queue_directory = {folder}/queue\ndata_directory = {folder}/data\ndaemon_directory = {DAEMONS}\n\
         maillog_file_prefixes = {scratch}\nmaillog_file = {scratch}/alert-postfix.log\n\
         inet_interfaces = loopback-only\ninet_protocols = ipv4\nmyhostname = relay.contoso.test\n\
         mydestination =\nmynetworks = 127.0.0.0/8\nalias_maps =\nalias_database =\nsmtpd_peername_lookup = no\n\
         virtual_mailbox_domains = contoso.test\nvirtual_mailbox_base = {folder}/mail\n\
         virtual_mailbox_maps = static:postmaster/\n\
         virtual_minimum_uid = 1\nvirtual_uid_maps = static:{uid}\nvirtual_gid_maps = static:{gid}\n\
         smtpd_tls_security_level = encrypt\nsmtpd_tls_chain_files = {chain}\nsmtpd_tls_received_header = yes\n\
         smtpd_tls_session_cache_database =\n",
        folder = folder.display(),
        scratch = lab().scratch().display(),
        uid = id("-u"),
        gid = id("-g"),
        chain = lab().pki.chain(&Leaf::good("localhost")).display(),
    );
    fs::write(folder.join("main.cf"), main).unwrap();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let services = format!(
        "{SERVICES}{QUEUE_SERVICES}virtual unix - n n - - virtual\n127.0.0.1:{port} inet n - n - - smtpd\n"
    );
    fs::write(folder.join("master.cf"), services).unwrap();
    succeed(Command::new("postfix").arg("-c").arg(&folder).arg("check"));
    let mut master = Command::new(format!("{DAEMONS}/master"));
    master.arg("-c").arg(&folder).arg("-s").env("MAIL_CONFIG", &folder);
    serve(
        lab().scratch(),
        "alert-postfix",
        &master,
        &[SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)],
    );
    (port, folder.join("mail/postmaster/new"))
}

/// Every mail in the Maildir.
fn mails(maildir: &Path) -> Vec<String> {
    let entries = fs::read_dir(maildir).into_iter().flatten();
    entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

/// The mail with this reason.
fn mail(maildir: &Path, reason: &str) -> Option<String> {
    let wanted = format!("\nX-Mxwarden-Reason: {reason}\n");
    mails(maildir).into_iter().find(|mail| mail.contains(&wanted))
}

/// A header, unfolded.
fn header(mail: &str, name: &str) -> String {
    let (head, _) = mail.split_once("\n\n").unwrap();
    let head = head.replace("\n ", " ").replace("\n\t", " ");
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
}

/// Setup: Postfix that takes nothing without TLS, told of a claim that breaks and recovers.
/// Test: both mails are delivered, in one thread, with text and HTML; a sample too; and none where its certificate ends
/// at a root that is not ours.
#[test]
fn postfix_receives_the_mail_and_delivers_it() {
    let (port, maildir) = start();
    let channel = |root: &Path| {
        format!(
            "name = \"post\"\nkind = \"mail\"\nsmart_host = \"smtp+starttls://localhost:{port}\"\n\
             from = \"mxwarden@contoso.test\"\nto = [\"postmaster@contoso.test\"]\nca_file = \"{}\"\n",
            root.display()
        )
    };
    let config = configure("mail", &channel(&lab().pki.root()));
    let mut threads = Vec::new();
    break_and_recover(&config, |state| {
        let reason = if state == "violated" { "first-seen" } else { "recovered" };
        let mail = wait_for(reason, || mail(&maildir, reason));
        threads.push(header(&mail, "References"));
        assert_eq!(header(&mail, "References"), header(&mail, "In-Reply-To"));
        assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
        assert!(
            header(&mail, "Subject")
                .starts_with("[mxwarden] Fabrikam: outbound/receiver-offers is "),
            "{mail}"
        );
        for part in ["Content-Type: text/plain", "Content-Type: text/html"] {
            assert!(mail.contains(part), "{mail}");
        }
        let is_escaped = mail.replace("=\n", "").contains("2026-01-01 &lt;b&gt;");
        assert_eq!(is_escaped, state == "violated", "{mail}");
        // Postfix says how it came.
        assert!(mail.contains("using TLSv1.3"), "{mail}");
    });
    assert_eq!(threads[0], threads[1]);
    let said = sample(&config);
    assert_eq!(
        (said.status, said.stdout.as_str()),
        (Some(0), "post: took the sample\n"),
        "{said:?}"
    );
    wait_for("the sample", || mail(&maildir, "sample"));
    let stranger = configure("mail-stranger", &channel(&lab().pki.path("stranger.pem")));
    let said = sample(&stranger);
    assert_eq!(said.status, Some(1), "{said:?}");
    assert!(
        said.stdout
            .starts_with("post: did not take the sample: the smart host did not take the mail"),
        "{said:?}"
    );
    assert_eq!(mails(&maildir).len(), 3);
}
