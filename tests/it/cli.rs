//! The tool as people and scripts meet it: exit code, standard output, standard error.

use crate::world::World;
use mxwarden::lab::{
    ca::LeafSpec,
    dns::Failure,
    smtp::{Peer, Script},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// The program, with nothing around it that changes how it speaks.
fn mxwarden(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    command.args(args).stdin(Stdio::null());
    for variable in ["CLICOLOR_FORCE", "CLICOLOR", "NO_COLOR", "COLUMNS"] {
        command.env_remove(variable);
    }
    command
}

/// What one run said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn said(output: Output) -> Said {
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(args: &[&str]) -> Said {
    said(mxwarden(args).output().unwrap())
}

/// A world for the binary: its DNS and its root on the command line.
struct Shown {
    world: World,
    scratch: TempDir,
}

impl Shown {
    async fn new() -> Self {
        let world = World::new().await;
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("root.pem"), world.root.pem()).unwrap();
        Self { world, scratch }
    }

    /// `check` inside this world.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = mxwarden(&["check", "--allow-private", "--ehlo", "probe.contoso.test"]);
        command.args(["--resolver", &self.world.dns.address().to_string()]);
        command.arg("--ca-file").arg(self.scratch.path().join("root.pem"));
        command.args(["--port", &self.world.port().to_string(), "--timeout", "30"]).args(args);
        command
    }

    async fn check(&self, args: &[&str]) -> Said {
        let mut command = self.command(args);
        said(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap())
    }
}

/// A world with one good domain, one expired, and one of two MX expired.
async fn small_world() -> Shown {
    let mut shown = Shown::new().await;
    let world = &mut shown.world;
    let good = world.good();
    let expired = world.issue(&LeafSpec::host("*.lab.test").expired());
    world.domain("good", Script::healthy(good)).await;
    world.domain("bad", Script::healthy(expired)).await;
    world.mx("pair", "good");
    world.mx("pair", "bad");
    shown
}

/// What changes from run to run, made the same.
macro_rules! stable {
    ($text:expr, @$expect:literal) => {
        insta::with_settings!({ filters => vec![
            // As wide as what they stand for.
            (r"127\.\d{3}\.\d{3}\.\d{3}\]:\d{5}", "ADDRESS........]:PORT."),
            (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"),
            (r"\d{4}-\d\d-\d\d", "YYYY-MM-DD"),
        ] }, { insta::assert_snapshot!($text, @$expect) });
    };
}

#[test]
fn help_is_an_answer() {
    for args in [&["--help"][..], &["check", "--help"], &["explain", "--help"], &["--version"]] {
        let said = run(args);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{args:?}");
        assert!(said.out.contains("mxwarden"), "{args:?}");
    }
    let help = run(&["check", "--help"]).out;
    for flag in [
        "--format",
        "--resolver",
        "--dnssec",
        "--trust-anchor",
        "--ca-file",
        "--timeout",
        "-4",
        "-6",
        "--ehlo",
        "--allow-private",
        "--quorum",
        "--warn-days",
        "--verbose",
        "--require",
        "--name",
        "--pin",
        "--min-tls",
        "--port",
        "--deep",
        "--file",
    ] {
        assert!(help.contains(flag), "{flag}");
    }
    assert!(run(&["--help"]).out.contains("Exit codes: 0 every claim compliant"));
}

/// Contract §5: 2 is a mistake on the command line; nothing was looked at, and standard output is empty.
#[test]
fn mistakes_are_told_before_anything_is_sent() {
    #[track_caller]
    fn check(args: &[&str], expect: &[&str]) {
        let said = run(&[&["check"], args].concat());
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}: {}", said.err);
        assert!(said.err.starts_with("error: "), "{args:?}: {}", said.err);
        for part in expect {
            assert!(said.err.contains(part), "{args:?} wants {part:?}: {}", said.err);
        }
    }
    let key = "0".repeat(64);
    check(&[], &["no target", "hint: name a domain"]);
    check(&["--frobnicate", "a.test"], &["--frobnicate"]);
    check(&["--require", "best", "a.test"], &["best", "encrypt", "pinned"]);
    check(&["--require", "dane", "a.test"], &["--require dane is not in this version", "hint: "]);
    check(&["--require", "mta-sts", "a.test"], &["--require mta-sts is not in this version"]);
    check(&["--dnssec", "validate", "a.test"], &["--dnssec validate is not in this version"]);
    check(&["[127.0.0.1]:25"], &["[127.0.0.1]:25 has no name", "--name", "--require"]);
    check(&["127.0.0.1"], &["[127.0.0.1]:25"]);
    check(&["host:mx.a.test:0"], &["port"]);
    check(&["a..test", "b_.test.", "c d"], &["a..test", "c d"]); // all of them at once
    check(&["--require", "pinned", "a.test"], &["needs a pin", "--pin SHA256"]);
    check(&["--pin", &key, "a.test"], &["level name does not look at pins", "--require pinned"]);
    let encrypt = ["--require", "encrypt", "--name", "foo.test", "a.test"];
    check(&encrypt, &["level encrypt does not look at names", "--require name"]);
    check(&["--require", "pinned", "--pin", "abc", "a.test"], &["abc"]);
    check(&["--min-tls", "1.1", "a.test"], &["1.1", "1.2"]);
    check(&["-4", "-6", "a.test"], &["-4", "-6"]);
    check(&["--port", "0", "a.test"], &["--port"]);
    check(&["--timeout", "0", "a.test"], &["--timeout"]);
    check(&["--resolver", "dns.test", "a.test"], &["dns.test", "192.0.2.53"]);
    check(&["--ca-file", "/nonexistent/ca.pem", "a.test"], &["/nonexistent/ca.pem"]);
    check(&["--ca-file", "Cargo.toml", "a.test"], &["Cargo.toml holds no certificate"]);
    check(&["--file", "/nonexistent/list"], &["cannot read the list /nonexistent/list"]);
}

#[test]
fn a_list_is_told_by_line() {
    let scratch = tempfile::tempdir().unwrap();
    let list = scratch.path().join("list.txt");
    std::fs::write(&list, "\u{feff}# ours\ngood.test\n\nb@d.test # no\n[300.0.0.1]:25\n").unwrap();
    let said = run(&["check", "--file", list.to_str().unwrap()]);
    assert_eq!(said.code, Some(2));
    let err = said.err.replace(list.to_str().unwrap(), "LIST");
    stable!(err, @r#"
    error: LIST:4: `b@d.test` holds `@`, which no host name may
    error: LIST:5: `[300.0.0.1]:25` holds no IP address between its brackets; write [192.0.2.1]:25 or [2001:db8::1]:25
    hint: a target is a domain, host:NAME[:PORT] or [ADDRESS]:PORT
    "#);
}

#[test]
fn a_list_in_another_encoding_is_told_by_line() {
    let scratch = tempfile::tempdir().unwrap();
    let list = scratch.path().join("list.txt");
    std::fs::write(&list, b"good.test\nm\xfcller.test\n").unwrap();
    let said = run(&["check", "--file", list.to_str().unwrap()]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    let err = said.err.replace(list.to_str().unwrap(), "LIST");
    stable!(err, @r"
    error: LIST:2: the list is no UTF-8 text
    hint: save it as UTF-8
    ");
}

/// Whoever reads no further has what it wanted: no command takes it for an error.
#[test]
fn a_closed_pipe_changes_no_exit_code() {
    let scratch = tempfile::tempdir().unwrap();
    let config = scratch.path().join("mxwarden.toml");
    let minimal = include_str!("../../config/minimal.toml");
    std::fs::write(&config, format!("state_dir = \"state\"\n{minimal}")).unwrap();
    drop(mxwarden::record::Record::open(&scratch.path().join("state")).unwrap());
    let config = config.to_str().unwrap();
    for (args, code) in [
        (&["explain"][..], 0),
        (&["explain", "cert-expired"], 0),
        (&["--help"], 0),
        (&["config", "example"], 0),
        (&["config", "check", config], 0),
        (&["history", "--config", config, "--format", "json"], 0),
        (&["mute", "--list", "--config", config], 0),
        (&["completions", "bash"], 0),
        (&["check", "--resolver", "127.0.0.1:1", "--timeout", "1", "a.test"], 3),
        (
            &[
                "check",
                "--resolver",
                "127.0.0.1:1",
                "--timeout",
                "1",
                "--format",
                "jsonl",
                "a.test",
            ],
            3,
        ),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
        let status = command.args(args).stdin(Stdio::null()).stdout(writer).stderr(Stdio::null());
        assert_eq!(status.status().unwrap().code(), Some(code), "{args:?}");
    }
}

#[test]
fn a_claim_that_is_not_configured_says_what_it_needs() {
    let scratch = tempfile::tempdir().unwrap();
    let config = scratch.path().join("mxwarden.toml");
    let minimal = include_str!("../../config/minimal.toml");
    std::fs::write(&config, format!("state_dir = \"state\"\n{minimal}")).unwrap();
    for (claim, needs) in [
        (
            "outbound/sender-enforces",
            "sender-enforces needs [connector.submit], [connector.canaries] and their [[canary]]",
        ),
        ("outbound/receiver-enforces", "[partner.receiver_enforces]"),
        ("outbound/configured", "[imported]"),
        ("inbound/receiver-offers", "`inbound` in the [[partner]]"),
        ("inbound/receiver-enforces", "[connector.probe]"),
        ("inbound/sender-enforces", "not in this version"),
    ] {
        let said = run(&["verify", "--config", config.to_str().unwrap(), "--claim", claim]);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{claim}");
        let (what, hint) = said.err.split_once("\nhint: ").unwrap();
        assert_eq!(what, "error: nothing that was asked for is configured");
        assert!(hint.contains(needs), "{claim}: {hint}");
    }
}

/// A monitor takes 2 for a partner's breach: our own mistake is 3 there, with a line to read.
#[test]
fn a_mistake_is_no_alarm() {
    let said = run(&["check", "--format", "nagios", "--frobnicate"]);
    assert_eq!(said.code, Some(3));
    assert!(said.out.starts_with("MXWARDEN UNKNOWN - "), "{}", said.out);
}

#[test]
fn ids_are_explained() {
    let said = run(&["explain", "cert-expired"]);
    assert_eq!(said.code, Some(0));
    assert!(said.out.starts_with("cert-expired (finding): "));
    for part in ["What it means", "Why it matters", "What to do", "RFC 5280"] {
        assert!(said.out.contains(part), "{part}");
    }
    assert!(run(&["explain", "UNCONFIRMED"]).out.starts_with("unconfirmed (obstacle): "));
    for (word, title) in [
        ("no-starttls", "no-starttls (canary): a canary that does not offer STARTTLS\n"),
        ("sender-enforces", "sender-enforces (claim): "),
        ("inbound/receiver-offers", "inbound/receiver-offers (claim): "),
        ("level", "level (word): "),
        ("compliant", "compliant (state): "),
        ("mta-sts", "mta-sts (level): "),
        ("matched", "matched (channel): "),
    ] {
        let said = run(&["explain", word]);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{word}");
        assert!(said.out.starts_with(title), "{}", said.out);
        assert!(said.out.contains("\nReference\n   mxwarden contract §"), "{}", said.out);
    }
    let both = run(&["explain", "starttls-broken"]).out;
    assert!(
        both.starts_with("starttls-broken (canary): ")
            && both.contains("\n\nstarttls-broken (finding): "),
        "{both}"
    );
    let one = run(&["explain", "outbound/sender-enforces"]).out;
    assert!(
        one.ends_with("\n\noutbound: probe mail through our own mail system to the canaries\n"),
        "{one}"
    );
    let said = run(&["explain", "cert-expird"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    stable!(said.err, @r#"
    error: no word is called `cert-expird`
    hint: did you mean `cert-expired`?
    "#);
    let said = run(&["explain", "the mail did not get through"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    stable!(said.err, @r#"
    error: this text is not known: `the mail did not get through`
    hint: if it is a reply, paste it from its code on, such as `450 4.7.1 …`; `mxwarden explain` lists all words
    "#);
    let all = run(&["explain"]).out;
    for id in [
        "no-starttls",
        "sender-enforces",
        "violated",
        "pinned",
        "trusted",
        "level",
        "cert-expired",
        "starttls-injection",
        "dns-failure",
        "unconfirmed",
    ] {
        assert!(all.contains(&format!("\n  {id} ")), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_stands_first() {
    let shown = small_world().await;
    let good = shown.check(&["good.test"]).await;
    assert_eq!((good.code, good.err.as_str()), (Some(0), ""), "{}", good.out);
    assert!(good.out.starts_with("good.test: compliant — its one endpoint offers"), "{}", good.out);
    let bad = shown.check(&["bad.test"]).await;
    assert_eq!((bad.code, bad.err.as_str()), (Some(1), ""), "{}", bad.out);
    assert!(bad.out.starts_with("bad.test: violated — "), "{}", bad.out);
    // The name asked for counts, not the host's own; encrypted is all level encrypt asks.
    assert_eq!(shown.check(&["--name", "mx.other.test", "good.test"]).await.code, Some(1));
    assert_eq!(shown.check(&["--require", "encrypt", "bad.test"]).await.code, Some(0));
    let host = shown.check(&["host:good.lab.test"]).await;
    assert_eq!(host.code, Some(0), "{}", host.out);

    let pair = shown.check(&["pair.test"]).await;
    assert_eq!(pair.code, Some(1));
    assert!(!pair.out.contains('\u{1b}'));
    stable!(pair.out, @r#"
    pair.test: violated — 1 of 2 endpoints falls short: the certificate has expired (level name, TLS 1.2 or newer)

      pref  MX             address                  STARTTLS  TLS  certificate                           channel    state
      10    bad.lab.test   [ADDRESS........]:PORT.  offered   1.3  expired YYYY-MM-DD, trusted, name ok  encrypted  ✗ violated
      10    good.lab.test  [ADDRESS........]:PORT.  offered   1.3  until YYYY-MM-DD, trusted, name ok    matched    ✓ compliant

      ✗ violation  cert-expired
          at         bad.lab.test [ADDRESS........]:PORT.
          seen       not_after TIME
          expected   in date
          advice     Tell the host's operator: renew, install and reload; most often
                     the renewal ran but the mail server still serves the old file
                     (`postfix reload`; on Exchange Server
                     `Enable-ExchangeCertificate -Services SMTP`). Check with
                     `openssl s_client -starttls smtp -connect HOST:25 -servername
                     HOST </dev/null | openssl x509 -noout -dates`.
          reference  RFC 5280 §4.1.2.5

      ! warning  dns-insecure
          at         pair.test
          seen       the MX records were not validated with DNSSEC
          expected   required names, or MX records that DNSSEC proves
          advice     Agree with the partner which names its certificates carry and
                     put them into `names` (or `--name`; in Postfix `secure match=`,
                     at Exchange Online `TlsDomain`), or ask the partner to sign its
                     zone.
          reference  RFC 7672 §1.3.2

      i info  cert-differs-between-endpoints
          at         bad.lab.test [ADDRESS........]:PORT. and good.lab.test
                     [ADDRESS........]:PORT.
          seen       different certificates at 2 endpoints
          expected   one certificate for all hosts, or one for each: nothing to do
                     where that is meant
          advice     Where it is not meant so, ask the operator to install the
                     current certificate on every machine behind the name. Check
                     each address: `openssl s_client -starttls smtp -connect
                     ADDRESS:25 -servername HOST`.
          reference  RFC 5321 §5.1
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_format_says_the_same() {
    let shown = small_world().await;
    let all = ["good.test", "bad.test"];
    let in_format = async |format: &str| {
        let said = shown.check(&[&["--format", format], all.as_slice()].concat()).await;
        assert_eq!(said.err, "", "{format}");
        assert!(!said.out.contains('\u{1b}'), "{format}");
        said
    };
    let json = in_format("json").await;
    assert_eq!(json.code, Some(1));
    let report: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(report["format"], "mxwarden/1");
    assert_eq!(report["state"], "violated");
    assert_eq!(report["partners"][0]["partner"], "good.test");
    let claim = &report["partners"][1]["claims"][0];
    assert_eq!(claim["claim"], "outbound/receiver-offers");
    assert_eq!(claim["findings"][0]["id"], "cert-expired");
    assert_eq!(claim["endpoints"][0]["tls"]["validity"], "expired");
    assert_eq!(claim["endpoints"][0]["tls"]["trust"], "ok");
    assert_eq!(claim["endpoints"][0]["channel"], "encrypted");

    let jsonl = in_format("jsonl").await;
    assert_eq!(jsonl.code, Some(1));
    let lines: Vec<serde_json::Value> =
        jsonl.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut states: Vec<_> = lines.iter().map(|l| l["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["compliant", "violated"]);

    let csv = in_format("csv").await;
    assert_eq!(csv.code, Some(1));
    assert_eq!(csv.out.lines().count(), 3); // the header, and one row an endpoint
    assert!(csv.out.starts_with("partner,claim,state,level,mx,"));

    let junit = in_format("junit").await;
    assert_eq!(junit.code, Some(1));
    assert!(junit.out.contains("tests=\"2\"") && junit.out.contains("failures=\"1\""));

    let nagios = in_format("nagios").await;
    assert_eq!(nagios.code, Some(2));
    assert!(
        nagios.out.starts_with("MXWARDEN CRITICAL - 2 targets: 1 violated, 1 compliant; bad.test")
    );
    assert_eq!(nagios.out.lines().count(), 1);
    assert!(nagios.out.contains("'days_to_expiry'=-"), "{}", nagios.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_comes_from_a_file_or_a_pipe() {
    let shown = small_world().await;
    let list = shown.scratch.path().join("list");
    std::fs::write(&list, "good.test # ours\n\n# bad.test\ngood.test\n").unwrap();
    let said = shown.check(&["--format", "csv", "--file", list.to_str().unwrap()]).await;
    assert_eq!((said.code, said.out.lines().count()), (Some(0), 2), "{}", said.err);
    let mut piped = shown.command(&["--format", "jsonl", "--file", "-"]);
    let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(b"good.test\r\nbad.test\r\n").unwrap();
    let piped = tokio::task::spawn_blocking(move || piped.wait_with_output().unwrap());
    let said = self::said(piped.await.unwrap());
    assert_eq!((said.code, said.out.lines().count()), (Some(1), 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_unknown() {
    let mut shown = small_world().await;
    shown.world.host("busy", Script::busy()).await;
    shown.world.mx("half", "good");
    shown.world.mx("half", "busy");
    shown.world.write(|zone| zone.fail("lost.test", Failure::ServFail));
    let half = shown.check(&["half.test"]).await;
    assert_eq!(half.code, Some(3), "{}", half.out);
    assert!(half.out.starts_with("half.test: unknown — 1 of 2 endpoints"), "{}", half.out);
    assert_eq!(shown.check(&["--quorum", "any", "half.test"]).await.code, Some(0));
    let lost = shown.check(&["lost.test"]).await;
    assert_eq!(lost.code, Some(3), "{}", lost.out);
    assert!(lost.out.contains("dns-failure") && lost.out.contains("SERVFAIL"), "{}", lost.out);
    let none = shown.check(&["nowhere.example"]).await;
    assert_eq!(none.code, Some(3));
    assert!(none.out.contains("nxdomain"), "{}", none.out);
    let both = shown.check(&["lost.test", "bad.test"]).await;
    assert_eq!(both.code, Some(1)); // one violation outweighs obstacles
    assert!(both.out.starts_with("2 targets: 1 violated, 1 unknown"), "{}", both.out);
    // Where a partner's DNS points at us, we do not go unasked.
    let mut own = mxwarden(&["check", "--resolver", &shown.world.dns.address().to_string()]);
    let own = own.args(["good.test"]).output().unwrap();
    let own = said(own);
    assert_eq!(own.code, Some(3));
    assert!(own.out.contains("mx-is-private"), "{}", own.out);
}

/// Nobody listens at the resolver's address.
#[test]
fn a_dead_resolver_is_unknown() {
    let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = run(&["check", "--resolver", &gone.to_string(), "good.test"]);
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.out.starts_with("good.test: unknown — could not be judged"), "{}", said.out);
    assert!(said.out.contains("dns-failure"), "{}", said.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colour_is_for_terminals() {
    let shown = small_world().await;
    // A pipe is no terminal; only by force is it coloured.
    assert!(!shown.check(&["bad.test"]).await.out.contains('\u{1b}'));
    let mut plain = shown.command(&["bad.test"]);
    let plain = said(plain.env("NO_COLOR", "1").output().unwrap());
    assert!(!plain.out.contains('\u{1b}'));
    let mut forced = shown.command(&["bad.test"]);
    let forced = said(forced.env("CLICOLOR_FORCE", "1").output().unwrap());
    assert!(forced.out.contains('\u{1b}'));
    let mut verbose = shown.command(&["--verbose", "good.test"]);
    let verbose = said(verbose.output().unwrap());
    assert!(verbose.out.contains("S: 220 mx.lab.test ESMTP"), "{}", verbose.out);
    assert!(verbose.out.contains("C: STARTTLS"));
}

/// `mxwarden check … | head -0`: a reader that is gone is no reason to panic, and what was found is what it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_pipe_is_no_panic() {
    let shown = small_world().await;
    for (format, target, code) in [
        ("text", "good.test", 0),
        ("json", "bad.test", 1),
        ("jsonl", "good.test", 0),
        ("csv", "bad.test", 1),
        ("junit", "good.test", 0),
        ("nagios", "bad.test", 2),
    ] {
        let mut command = shown.command(&["--format", format, target]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let said = said(child.wait_with_output().unwrap());
        assert_eq!((said.code, said.err.as_str()), (Some(code), ""), "{format}");
    }
    for args in [&["--help"][..], &["explain"], &["explain", "no-mx"], &["check", "--frob"]] {
        let mut child =
            mxwarden(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        let code = child.wait().unwrap().code();
        assert!(code.is_some_and(|code| code < 4), "{args:?}: {code:?}");
    }
}

/// Ctrl-C ends the waiting, not the printing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_run_keeps_what_there_is() {
    let mut shown = small_world().await;
    let slow = shown.world.domain("slow", Script::hangs()).await;
    let targets = ["good.test", "slow.test"];
    let mut command = shown.command(&[&["--format", "jsonl"], targets.as_slice()].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    assert!(first.contains("\"partner\":\"good.test\",\"state\":\"compliant\""), "{first}");
    reached(shown.world.peer(slow)).await;
    interrupt(child.id());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    let left = said(child.wait_with_output().unwrap());
    assert_eq!(left.code, Some(3));
    assert_eq!(left.err, "interrupted: 1 of 2 targets were looked at\n");

    // All at the end: the report holds what was done until then.
    let mut command = shown.command(&targets);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while shown.world.peer(slow).sessions() < 2 || shown.world.peer(0).heard().len() < 2 {
        tokio::task::yield_now().await;
    }
    while !shown.world.peer(0).heard()[1].in_tls.contains(&"QUIT".to_owned()) {
        tokio::task::yield_now().await;
    }
    interrupt(child.id());
    let left = said(child.wait_with_output().unwrap());
    assert_eq!(left.code, Some(3), "{}", left.out);
    assert!(left.err.starts_with("interrupted: "), "{}", left.err);
}

/// The peer has a session.
async fn reached(peer: &Peer) {
    while peer.sessions() == 0 {
        tokio::task::yield_now().await;
    }
}

fn interrupt(child: u32) {
    let told = Command::new("kill").args(["-INT", &child.to_string()]).status().unwrap();
    assert!(told.success());
}
