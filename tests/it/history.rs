//! `mxwarden history` as people and scripts meet it.

use jiff::{SignedDuration, Timestamp};
use mxwarden::{
    model::{
        claim::Claim,
        event::{Event, Happening},
        finding::{Finding, FindingId, Severity},
        obstacle::ObstacleId,
        state::State,
    },
    record::{Commit, Record},
};
use std::process::{Command, Stdio};

/// A state directory with a record in it, and a configuration that names it.
struct Kept {
    dir: tempfile::TempDir,
    record: Option<Record>,
}

fn events() -> Vec<Event> {
    let at = |minutes| {
        let noon: Timestamp = "2024-01-31T12:00:00.5Z".parse().unwrap();
        noon + SignedDuration::from_mins(minutes)
    };
    let fabrikam = || (Some("Fabrikam".to_owned()), Some(Claim::OUTBOUND_RECEIVER_OFFERS));
    let changed = |from, to, summary: &str| Happening::StateChanged {
        from,
        to,
        summary: summary.to_owned(),
        findings: Vec::new(),
        obstacles: Vec::new(),
        evidence: String::new(),
    };
    let expired = Happening::StateChanged {
        from: State::Compliant,
        to: State::Violated,
        summary: "1 of 2 endpoints falls short: certificate expired".to_owned(),
        findings: vec![FindingId::CertExpired],
        obstacles: vec![ObstacleId::ConnectTimeout],
        evidence: "sha256:1234".to_owned(),
    };
    let noticed = Happening::Noticed {
        finding: Finding::new(
            FindingId::CertChanged,
            Severity::Warning,
            "mx1.fabrikam.test [192.0.2.1]:25",
            "serial 2\u{1b}[31m",
            "serial 1",
        ),
    };
    let all = [
        (None, None, Happening::Started { version: "0.1.0".to_owned() }),
        (fabrikam().0, fabrikam().1, changed(State::Unknown, State::Compliant, "2 of 2 endpoints")),
        (fabrikam().0, fabrikam().1, noticed),
        (fabrikam().0, fabrikam().1, expired),
        (
            Some("=Contoso".to_owned()),
            fabrikam().1,
            changed(State::Unknown, State::Compliant, "all well"),
        ),
    ];
    let numbered = (0..).zip(all).map(|(number, (partner, claim, what))| Event {
        id: format!("01KGATX0G0000000000000000{number}"),
        at: at(i64::from(number)),
        partner,
        claim,
        what,
    });
    numbered.collect()
}

impl Kept {
    fn new() -> Self {
        let kept = Self::without_record();
        let record = Record::open(&kept.dir.path().join("state")).unwrap();
        record.commit(&Commit { events: events(), ..Commit::default() }).unwrap();
        Self { record: Some(record), ..kept }
    }

    fn without_record() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = r#"
            state_dir = "state"
            [organisation]
            name = "Contoso"
            domains = ["contoso.test"]
            [[partner]]
            name = "Northwind"
            domains = ["northwind.test"]
            outbound = "to-all"
            [[connector]]
            name = "to-all"
            direction = "outbound"
            level = "encrypt"
        "#;
        std::fs::write(dir.path().join("mxwarden.toml"), config).unwrap();
        Self { dir, record: None }
    }

    /// Exit code, standard output, standard error.
    fn history(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
        command.args(["history", "--config"]).arg(self.dir.path().join("mxwarden.toml")).args(args);
        for variable in ["CLICOLOR_FORCE", "CLICOLOR", "NO_COLOR", "CREDENTIALS_DIRECTORY"] {
            command.env_remove(variable);
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let err = text(output.stderr).replace(&self.dir.path().display().to_string(), "DIR");
        (output.status.code(), text(output.stdout), err)
    }
}

#[test]
fn one_line_a_change_while_the_writer_holds_the_record() {
    let kept = Kept::new();
    assert!(kept.record.is_some());
    let (code, out, err) = kept.history(&[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    insta::assert_snapshot!(out, @r#"
    2024-01-31T12:00:00Z  -         -                         mxwarden started      version 0.1.0
    2024-01-31T12:01:00Z  Fabrikam  outbound/receiver-offers  unknown → compliant   2 of 2 endpoints
    2024-01-31T12:02:00Z  Fabrikam  outbound/receiver-offers  cert-changed          mx1.fabrikam.test [192.0.2.1]:25; seen serial 2\x1b[31m; expected serial 1
    2024-01-31T12:03:00Z  Fabrikam  outbound/receiver-offers  compliant → violated  1 of 2 endpoints falls short: certificate expired (cert-expired, connect-timeout)
    2024-01-31T12:04:00Z  =Contoso  outbound/receiver-offers  unknown → compliant   all well
    "#);
}

#[test]
fn a_partner_alone_and_the_newest_alone() {
    let kept = Kept::new();
    let (code, out, err) = kept.history(&["Fabrikam", "--limit", "2"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    insta::assert_snapshot!(out, @r#"
    2024-01-31T12:02:00Z  Fabrikam  outbound/receiver-offers  cert-changed          mx1.fabrikam.test [192.0.2.1]:25; seen serial 2\x1b[31m; expected serial 1
    2024-01-31T12:03:00Z  Fabrikam  outbound/receiver-offers  compliant → violated  1 of 2 endpoints falls short: certificate expired (cert-expired, connect-timeout)
    "#);
    let since = kept.history(&["--since", "1h"]);
    let expect = "nothing changed that the record knows of\n";
    assert_eq!(since, (Some(0), String::new(), expect.to_owned()));
    // A partner that is configured and of which nothing is known yet.
    assert_eq!(kept.history(&["Northwind"]), (Some(0), String::new(), expect.to_owned()));
}

#[test]
fn scripts_get_objects_and_rows() {
    let kept = Kept::new();
    let (_, out, _) = kept.history(&["--format", "jsonl"]);
    let told: Vec<Event> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told, events());
    let (_, out, _) = kept.history(&["--format", "json", "--limit", "1"]);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["format"], "mxwarden/1");
    assert_eq!(told["events"][0]["what"]["to"], "compliant");
    let (_, out, _) = kept.history(&["--format", "csv"]);
    insta::assert_snapshot!(out, @r#"
    at,partner,claim,event,from,to,why,evidence,id
    2024-01-31T12:00:00Z,,,started,,,version 0.1.0,,01KGATX0G00000000000000000
    2024-01-31T12:01:00Z,Fabrikam,outbound/receiver-offers,state-changed,unknown,compliant,2 of 2 endpoints,,01KGATX0G00000000000000001
    2024-01-31T12:02:00Z,Fabrikam,outbound/receiver-offers,noticed,,,mx1.fabrikam.test [192.0.2.1]:25; seen serial 2\x1b[31m; expected serial 1,,01KGATX0G00000000000000002
    2024-01-31T12:03:00Z,Fabrikam,outbound/receiver-offers,state-changed,compliant,violated,"1 of 2 endpoints falls short: certificate expired (cert-expired, connect-timeout)",sha256:1234,01KGATX0G00000000000000003
    2024-01-31T12:04:00Z,'=Contoso,outbound/receiver-offers,state-changed,unknown,compliant,all well,,01KGATX0G00000000000000004
    "#);
}

#[test]
fn a_slip_is_told_with_what_was_meant() {
    let kept = Kept::new();
    let (code, out, err) = kept.history(&["Fabrikan"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert_eq!(err, "error: no partner is called `Fabrikan`\nhint: did you mean `Fabrikam`?\n");
    let (code, _, err) = kept.history(&["Nobody"]);
    assert_eq!(code, Some(2));
    assert_eq!(
        err,
        "error: no partner is called `Nobody`\nhint: partners are named in [[partner]]\n"
    );
    let (code, _, err) = kept.history(&["--since", "yesterday"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("no time; write 24h, 30d or 1y"), "{err}");
}

#[test]
fn no_record_is_said() {
    let (code, out, err) = Kept::without_record().history(&[]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    let expect = "error: there is no record yet: DIR/state/mxwarden.sqlite does not exist; \
                  `mxwarden run` makes it; what `mxwarden verify` finds is printed and not recorded\n";
    assert_eq!(err, expect);
}
