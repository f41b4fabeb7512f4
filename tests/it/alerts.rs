//! `mxwarden alert test` and `mxwarden mute` as people and scripts meet them.

use mxwarden::{
    lab::ca::{Ca, LeafSpec},
    observe::clock::Clock,
};
use rustls::{ServerConfig, ServerConnection, Stream, crypto::aws_lc_rs};
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    thread,
};
use tempfile::TempDir;

/// Exit code, standard output, standard error.
fn run(args: &[&str], config: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    let output =
        command.args(args).arg("--config").arg(config).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn configure(folder: &TempDir, alert: &str) -> PathBuf {
    let file = folder.path().join("mxwarden.toml");
    let text = format!(
        "state_dir = \"state\"\n[organisation]\nname = \"Contoso\"\ndomains = [\"contoso.test\"]\n\
         [[connector]]\nname = \"to-fabrikam\"\ndirection = \"outbound\"\nlevel = \"name\"\n\
         [[partner]]\nname = \"Fabrikam\"\ndomains = [\"fabrikam.test\"]\noutbound = \"to-fabrikam\"\n{alert}"
    );
    fs::write(&file, text).unwrap();
    file
}

/// Reads one request and answers it.
fn answer(mut peer: impl Read + Write) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = peer.read(&mut buffer) {
        request.extend_from_slice(&buffer[..read]);
        if request.ends_with(b"}") {
            let _ = peer.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
            let _ = peer.flush();
            return;
        }
    }
}

#[test]
fn a_sample_is_sent_over_tls_that_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::new("Root", Clock::system().now()).unwrap();
    let identity = ca.issue(&LeafSpec::host("localhost")).unwrap();
    fs::write(folder.path().join("root.pem"), ca.pem()).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .unwrap();
    let tls = Arc::new(tls);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut peer in listener.incoming().flatten() {
            let mut session = ServerConnection::new(Arc::clone(&tls)).unwrap();
            answer(Stream::new(&mut session, &mut peer));
        }
    });
    let channel = |host: &str, more: &str| {
        format!(
            "[[alert.channel]]\nname = \"ops\"\nkind = \"webhook\"\nurl = \"https://{host}:{port}/geheim\"\n{more}"
        )
    };
    let ours = "ca_file = \"root.pem\"\n";
    let config = configure(&folder, &channel("localhost", ours));
    let (code, out, err) = run(&["alert", "test"], &config);
    assert_eq!((code, out.as_str()), (Some(0), "ops: took the sample\n"), "{err}");
    // A root that nobody trusts, and a name the certificate is not for.
    for wrong in [channel("localhost", ""), channel("127.0.0.1", ours)] {
        let config = configure(&folder, &wrong);
        let (code, out, err) = run(&["alert", "test", "ops"], &config);
        let expect =
            "ops: did not take the sample: no answer: the connection, or its TLS, was not made\n";
        assert_eq!((code, out.as_str()), (Some(1), expect), "{err}");
        assert!(!err.contains("geheim"), "{err}");
    }
}

#[test]
fn what_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = configure(&folder, "");
    let (code, out, err) = run(&["alert", "test"], &config);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    insta::assert_snapshot!(err, @r"
    error: the configuration holds no alert channel
    hint: `mxwarden config example` shows each kind of [[alert.channel]]
    ");
    let channel = "[[alert.channel]]\nname = \"ops\"\nkind = \"alertmanager\"\nurl = \"http://127.0.0.1:1\"\n";
    let config = configure(&folder, channel);
    let (code, _, err) = run(&["alert", "test", "obs"], &config);
    assert_eq!(code, Some(2));
    insta::assert_snapshot!(err, @r"
    error: no alert channel is called `obs`
    hint: did you mean `ops`?
    ");
    let (code, _, err) = run(&["mute", "Fabrikan", "--for", "2h", "--why", "x"], &config);
    assert_eq!(code, Some(2));
    insta::assert_snapshot!(err, @r"
    error: no partner is called `Fabrikan`
    hint: did you mean `Fabrikam`?
    ");
    // Nobody is there who could be silent.
    let (code, _, err) = run(&["mute", "Fabrikam", "--for", "2h", "--why", "x"], &config);
    assert_eq!(code, Some(2));
    assert!(err.starts_with("error: no daemon runs on "), "{err}");
    let (code, _, err) = run(&["mute", "Fabrikam", "--end"], &config);
    assert_eq!(code, Some(2));
    assert!(err.starts_with("error: no daemon runs on "), "{err}");
    for (wrong, told) in [
        (&["mute", "Fabrikam", "--for", "400d", "--why", "x"][..], "365d at most"),
        (&["mute", "Fabrikam", "--for", "1w", "--why", "x"], "365d at most"),
        (&["mute", "Fabrikam", "--for", "0s", "--why", "x"], "no time at all"),
        (&["mute", "Fabrikam", "--for", "2h", "--why", " "], "a mute needs a time and a reason"),
        (&["mute", "Fabrikam", "--for", "2h"], "--why"),
        (&["mute", "Fabrikam", "--end", "--for", "2h"], "cannot be used"),
        (&["mute", "Fabrikam", "--list"], "cannot be used"),
        (&["mute", "--end"], "PARTNER"),
    ] {
        let (code, out, err) = run(wrong, &config);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(err.contains(told), "{wrong:?} {err}");
    }
}

/// Without a daemon: from the record, as it was left, and the configuration.
#[test]
fn who_is_muted_is_told_without_a_daemon_too() {
    let folder = tempfile::tempdir().unwrap();
    let config = configure(&folder, "");
    let (code, out, _) = run(&["mute", "--list"], &config);
    assert_eq!((code, out.as_str()), (Some(0), "no partner is muted\n"));
    let always = "[[mute]]\npartner = \"Fabrikam\"\nfrom = 2020-01-01T00:00:00Z\n\
                  until = 2999-01-01T00:00:00Z\nwhy = \"moves\"\n";
    let config = configure(&folder, always);
    let (code, out, err) = run(&["mute", "--list"], &config);
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "Fabrikam: muted until 2999-01-01 00:00 UTC: moves\n")
    );
    assert!(err.contains("no daemon runs"), "{err}");
}

/// The last mute holds, and one without length ends it.
#[test]
fn what_was_asked_for_is_read_from_the_record() {
    use mxwarden::model::told::{AskedMute, Change};
    let folder = tempfile::tempdir().unwrap();
    let config = configure(&folder, "");
    let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let asked = |until: &str, why: &str| {
        Change::Muted(AskedMute {
            partner: "Fabrikam".to_owned(),
            from: time("2026-01-01T00:00:00Z"),
            until: time(until),
            why: why.to_owned(),
        })
    };
    let record = mxwarden::record::Record::open(&folder.path().join("state")).unwrap();
    record.keep_alerts(&[asked("2999-01-01T00:00:00Z", "first")]).unwrap();
    record.keep_alerts(&[asked("2888-01-01T00:00:00Z", "second")]).unwrap();
    let (code, out, _) = run(&["mute", "--list"], &config);
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "Fabrikam: muted until 2888-01-01 00:00 UTC: second\n")
    );
    record.keep_alerts(&[asked("2026-01-01T00:00:00Z", "")]).unwrap();
    let (code, out, _) = run(&["mute", "--list"], &config);
    assert_eq!((code, out.as_str()), (Some(0), "no partner is muted\n"));
}
