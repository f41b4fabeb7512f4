//! Our own tool, asked as a user asks it, and what it must answer.
//!
//! A [`Scenario`] states what is seen at a server, which no level changes, and what each level makes of it. The oracles are
//! asked first: where they disagree with the scenario, it is the server that does not misbehave as it should.

use crate::{
    lab::{SMTP_PORT, finish, lab},
    oracle,
};
use serde_json::Value;
use std::{collections::BTreeSet, process::Command};

/// A finding's id and severity.
pub(crate) type Found = (&'static str, &'static str);

/// One mail domain with one MX host, `mx.DOMAIN`.
pub(crate) struct Scenario {
    /// The mail domain.
    pub(crate) domain: &'static str,
    /// What the endpoint reaches.
    pub(crate) channel: &'static str,
    /// What came of STARTTLS.
    pub(crate) starttls: &'static str,
    /// The handshake; none without one.
    pub(crate) tls: Option<Tls>,
    /// What level `encrypt` makes of it.
    pub(crate) at_encrypt: Judged,
    /// What level `ca` makes of it.
    pub(crate) at_ca: Judged,
    /// What level `name` makes of it, beside `dns-insecure`, which every domain here has there.
    pub(crate) at_name: Judged,
    /// What `posttls-finger` says; by default what the channel amounts to in its words.
    pub(crate) posttls_finger: Oracle,
    /// The number `s_client` gives; by default the one that stands for trust, validity and name.
    pub(crate) s_client: Oracle,
}

/// What is seen of a handshake.
pub(crate) struct Tls {
    /// `TLSv1.2` or `TLSv1.3`.
    pub(crate) version: &'static str,
    /// Such as `RSA-2048`.
    pub(crate) key: &'static str,
    /// The chain.
    pub(crate) trust: &'static str,
    /// The dates.
    pub(crate) validity: &'static str,
    /// The name.
    pub(crate) name: &'static str,
}

impl Tls {
    /// A handshake without a fault.
    pub(crate) const GOOD: Self =
        Self { version: "TLSv1.3", key: "RSA-2048", trust: "ok", validity: "ok", name: "match" };
}

/// What one level makes of it.
pub(crate) struct Judged {
    /// The state.
    pub(crate) state: &'static str,
    /// Every finding, in any order.
    pub(crate) findings: &'static [Found],
}

impl Judged {
    /// Compliant, and nothing to tell.
    pub(crate) const FLAWLESS: Self = Self::compliant(&[]);

    /// Compliant, and something to tell.
    pub(crate) const fn compliant(findings: &'static [Found]) -> Self {
        Self { state: "compliant", findings }
    }

    /// Violated.
    pub(crate) const fn violated(findings: &'static [Found]) -> Self {
        Self { state: "violated", findings }
    }
}

/// Whether another program sees it as we do.
pub(crate) enum Oracle {
    /// It does.
    Agrees,
    /// It says something else.
    Differs {
        /// What.
        says: &'static str,
        /// And why it is right in its way, and we in ours.
        because: &'static str,
    },
}

impl Scenario {
    /// A server without a fault, from which the others differ.
    pub(crate) const fn good(domain: &'static str) -> Self {
        Self {
            domain,
            channel: "matched",
            starttls: "offered",
            tls: Some(Tls::GOOD),
            at_encrypt: Judged::FLAWLESS,
            at_ca: Judged::FLAWLESS,
            at_name: Judged::FLAWLESS,
            posttls_finger: Oracle::Agrees,
            s_client: Oracle::Agrees,
        }
    }

    /// Asks the oracles, then our tool at each level.
    pub(crate) fn assert(&self) {
        self.assert_oracles();
        for (level, judged) in
            [("encrypt", &self.at_encrypt), ("ca", &self.at_ca), ("name", &self.at_name)]
        {
            let report = check(&[self.domain, "--require", level]);
            self.assert_report(&report, level, judged);
        }
    }

    fn assert_oracles(&self) {
        let host = format!("mx.{}", self.domain);
        let finger = oracle::posttls_finger(&host, None);
        expect(&host, "posttls-finger", &finger, &self.posttls_finger, self.channel_at_postfix());
        if self.channel == "trusted" {
            assert_eq!(oracle::posttls_finger_unnamed(&host), "Trusted", "{host}");
        }
        let verified = oracle::s_client(&host);
        let code = verified.split_once(' ').map_or(&*verified, |(code, _)| code);
        let code = if verified == "no TLS" { "no TLS" } else { code };
        expect(&host, "openssl s_client", code, &self.s_client, self.code_at_openssl());
    }

    fn channel_at_postfix(&self) -> &'static str {
        match self.channel {
            "plain" => "no TLS",
            "encrypted" | "trusted" => "Untrusted",
            "matched" => "Verified",
            other => panic!("posttls-finger has no word for the channel {other}"),
        }
    }

    /// The numbers are those of X509_V_ERR_… in OpenSSL's x509_vfy.h.
    fn code_at_openssl(&self) -> &'static str {
        let Some(tls) = &self.tls else { return "no TLS" };
        match (tls.trust, tls.validity, tls.name) {
            ("ok", "ok", "match") => "0",
            ("ok", "not-yet-valid", _) => "9",
            ("ok", "expired", _) => "10",
            ("self-signed", ..) => "18",
            // The stranger's root is sent with the leaf: "self-signed certificate in certificate chain".
            ("unknown-issuer", ..) => "19",
            // "unable to verify the first certificate".
            ("incomplete", ..) => "21",
            ("ok", "ok", "mismatch") => "62",
            other => panic!("no number at OpenSSL stands for {other:?}"),
        }
    }

    fn assert_report(&self, report: &Report, level: &str, judged: &Judged) {
        let about = format!("{} at {level}", self.domain);
        report.assert_state(&about, judged.state);
        let mut findings = judged.findings.to_vec();
        if level == "name" {
            // No name was required and the zone is not signed: a forged MX would pass (contract, level `name`).
            findings.push(("dns-insecure", "warning"));
        }
        report.assert_findings(&about, &findings);
        report.assert_no_obstacles(&about);

        let claim = report.claim();
        assert_eq!(claim["requirement"]["level"], level, "{about}: {report}");
        let endpoints = claim["endpoints"].as_array().unwrap();
        assert_eq!(endpoints.len(), 1, "{about}: {report}");
        let endpoint = &endpoints[0];
        let host = lab().host(&format!("mx.{}", self.domain));
        assert_eq!(endpoint["mx"], host.name, "{about}: {report}");
        assert_eq!(endpoint["preference"], host.preference, "{about}: {report}");
        assert_eq!(endpoint["address"], host.address.to_string(), "{about}: {report}");
        assert_eq!(endpoint["port"], SMTP_PORT, "{about}: {report}");
        assert_eq!(endpoint["state"], judged.state, "{about}: {report}");
        assert_eq!(endpoint["channel"], self.channel, "{about}: {report}");
        assert_eq!(endpoint["starttls"], self.starttls, "{about}: {report}");
        match &self.tls {
            None => assert_eq!(endpoint["tls"], Value::Null, "{about}: {report}"),
            Some(expected) => {
                let tls = &endpoint["tls"];
                assert_eq!(tls["version"], expected.version, "{about}: {report}");
                assert_eq!(tls["certificates"][0]["key"], expected.key, "{about}: {report}");
                assert_eq!(tls["trust"], expected.trust, "{about}: {report}");
                assert_eq!(tls["validity"], expected.validity, "{about}: {report}");
                assert_eq!(tls["name"], expected.name, "{about}: {report}");
                assert_eq!(tls["revocation"], "not-checked", "{about}: {report}");
            }
        }
    }
}

fn expect(host: &str, program: &str, said: &str, oracle: &Oracle, agreed: &str) {
    match oracle {
        Oracle::Agrees => assert_eq!(said, agreed, "{program} about {host}"),
        Oracle::Differs { says, because } => {
            assert_ne!(*says, agreed, "{program} about {host} does not differ");
            assert_eq!(said, *says, "{program} about {host}, because {because}");
        }
    }
}

/// What `mxwarden check` answered about one target.
pub(crate) struct Report {
    exit: Option<i32>,
    json: Value,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n{:#}", self.exit, self.json)
    }
}

/// Runs `mxwarden check` with the lab's resolver, root and port, and one target among `arguments`.
pub(crate) fn check(arguments: &[&str]) -> Report {
    let said = finish(command().args(arguments));
    let json = serde_json::from_str(&said.stdout)
        .unwrap_or_else(|error| panic!("check {arguments:?} answers no JSON ({error}): {said:?}"));
    let report = Report { exit: said.status, json };
    assert_eq!(report.json["format"], "mxwarden/1", "{report}");
    assert_eq!(report.json["tool"]["name"], "mxwarden", "{report}");
    assert_eq!(report.json["partners"].as_array().unwrap().len(), 1, "{report}");
    report
}

/// `mxwarden check` in the lab.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    command.args(["check", "--format", "json", "--allow-private", "--timeout", "20"]);
    command.args(["--resolver", &lab().resolver(), "--port", &SMTP_PORT.to_string()]);
    command.arg("--ca-file").arg(lab().pki.root());
    command
}

impl Report {
    /// The one claim.
    pub(crate) fn claim(&self) -> &Value {
        let claims = self.partner()["claims"].as_array().unwrap();
        assert_eq!(claims.len(), 1, "{self}");
        assert_eq!(claims[0]["claim"], "outbound/receiver-offers", "{self}");
        &claims[0]
    }

    fn partner(&self) -> &Value {
        &self.json["partners"][0]
    }

    /// The state, everywhere it is told, and the exit code that goes with it.
    pub(crate) fn assert_state(&self, about: &str, state: &str) {
        assert_eq!(self.claim()["state"], state, "{about}: {self}");
        assert_eq!(self.partner()["state"], state, "{about}: {self}");
        assert_eq!(self.json["state"], state, "{about}: {self}");
        let exit = match state {
            "compliant" => 0,
            "violated" => 1,
            "unknown" => 3,
            other => panic!("no state is called {other}"),
        };
        assert_eq!(self.exit, Some(exit), "{about}: {self}");
        // What is not known was not proved; what is known was.
        assert_eq!(self.claim()["proven_at"].is_null(), state == "unknown", "{about}: {self}");
    }

    /// These findings and no others, each with all its words.
    pub(crate) fn assert_findings(&self, about: &str, expected: &[Found]) {
        let findings = self.claim()["findings"].as_array().unwrap();
        let seen: BTreeSet<_> = findings
            .iter()
            .map(|finding| (finding["id"].as_str().unwrap(), finding["severity"].as_str().unwrap()))
            .collect();
        assert_eq!(seen, expected.iter().copied().collect(), "{about}: {self}");
        for finding in findings {
            for key in ["subject", "seen", "expected", "advice", "reference"] {
                assert_ne!(finding[key].as_str().unwrap(), "", "{about}: {key} in {self}");
            }
        }
    }

    /// This finding, among others.
    pub(crate) fn assert_finding(&self, about: &str, (id, severity): Found) {
        let findings = self.claim()["findings"].as_array().unwrap();
        let told = findings.iter().any(|found| found["id"] == id && found["severity"] == severity);
        assert!(told, "{about}: no {severity} {id}: {self}");
    }

    /// Nothing kept us from knowing.
    pub(crate) fn assert_no_obstacles(&self, about: &str) {
        self.assert_obstacles(about, &[]);
    }

    /// These obstacles and no others.
    pub(crate) fn assert_obstacles(&self, about: &str, expected: &[&str]) {
        let obstacles = self.claim()["obstacles"].as_array().unwrap();
        let seen: BTreeSet<_> =
            obstacles.iter().map(|obstacle| obstacle["id"].as_str().unwrap()).collect();
        assert_eq!(seen, expected.iter().copied().collect(), "{about}: {self}");
    }

    /// The summary says this.
    pub(crate) fn assert_summary(&self, about: &str, part: &str) {
        let summary = self.claim()["summary"].as_str().unwrap();
        assert!(summary.contains(part), "{about}: {self}");
    }
}
