//! `mxwarden demo`: the whole thing on this machine alone, with nothing to configure.
//!
//! 1. A DNS server, a CA and a handful of mail servers start in this process, on loopback, on ports of
//!    their own; most of them misbehave, each in one named way.
//! 2. `check` looks at them: the very code, with the very rules.
//! 3. What was found is held against what each was made to be.
//!
//! Invariant: nothing leaves this machine, and nothing is left behind.

use super::{
    Failure,
    args::DemoArgs,
    check::{self, ObserverPlan},
    render::{self, Format, Style},
};
use crate::daemon::look::Standard;
use crate::lab::{
    LabError,
    ca::{Ca, LeafSpec},
    dns::{LabDns, Zone},
    smtp::{Peer, Script},
};
use crate::model::{
    deep::Depth,
    finding::FindingId,
    judgement::Quorum,
    limits::Limits,
    obstacle::ObstacleId,
    report::{PartnerReport, Report},
    requirement::{Level, Requirement},
    roots::Roots,
    state::State,
    target::Target,
};
use crate::observe::{
    clock::Clock,
    dns::{DnsPlan, Resolvers},
    offers::{OffersPlan, Reach},
    roots,
    starttls::{Opening, StartTlsPlan},
};
use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// What a partner of the demo must be judged to be, and why.
struct Expected {
    domain: &'static str,
    story: &'static str,
    state: State,
    finding: Option<FindingId>,
    obstacle: Option<ObstacleId>,
}

/// The partner whose report is shown whole.
const SHOWN: &str = "one-of-two.test";

const EXPECTED: [Expected; 6] = [
    Expected {
        domain: "healthy.test",
        story: "two mail servers, both in order",
        state: State::Compliant,
        finding: None,
        obstacle: None,
    },
    Expected {
        domain: "expired.test",
        story: "nobody renewed the certificate",
        state: State::Violated,
        finding: Some(FindingId::CertExpired),
        obstacle: None,
    },
    Expected {
        domain: "lost-starttls.test",
        story: "an update switched STARTTLS off",
        state: State::Violated,
        finding: Some(FindingId::StarttlsNotOffered),
        obstacle: None,
    },
    Expected {
        domain: "wrong-name.test",
        story: "a good certificate, for another host",
        state: State::Violated,
        finding: Some(FindingId::CertNameMismatch),
        obstacle: None,
    },
    Expected {
        domain: "one-of-two.test",
        story: "the second mail server signs its own certificate",
        state: State::Violated,
        finding: Some(FindingId::CertSelfSigned),
        obstacle: None,
    },
    Expected {
        domain: "busy.test",
        story: "too busy to talk: neither good nor bad, but unknown",
        state: State::Unknown,
        finding: None,
        obstacle: Some(ObstacleId::RateLimited),
    },
];

/// Runs the command; the exit code.
pub(super) fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(async {
        let world = World::start().await?;
        writeln!(out, "{}", world.introduction())?;
        let report = world.check().await?;
        let all_right = compare(&report, out)?;
        let shown = report.partners.iter().filter(|partner| partner.partner == SHOWN).cloned();
        let one = Report { partners: shown.collect(), ..report };
        writeln!(out, "\nWhat check says of one of them:\n")?;
        render::report(out, &one, &[], Format::Text, Style::default())?;
        if !args.once {
            let ca_file = world.write_ca()?;
            writeln!(out, "\nThe servers keep running. Look for yourself, in another terminal:")?;
            writeln!(out, "  {}", world.command(&ca_file))?;
            writeln!(out, "Ctrl-C ends them.")?;
            out.flush()?;
            tokio::signal::ctrl_c().await?;
            // A file in the temporary folder that cannot be removed is no failure of the demo.
            let _ = std::fs::remove_file(&ca_file);
        }
        Ok::<_, Failure>(u8::from(!all_right))
    });
    runtime.shutdown_background();
    code
}

/// Says for each partner whether it was judged as it was made; whether all were.
fn compare(report: &Report, out: &mut dyn Write) -> Result<bool, Failure> {
    let mut all_right = true;
    for expected in &EXPECTED {
        let partner = report.partners.iter().find(|partner| partner.partner == expected.domain);
        let right = partner.is_some_and(|partner| is_as_expected(expected, partner));
        all_right &= right;
        let verdict = if right { "as it should be" } else { "NOT AS IT SHOULD BE" };
        let Expected { domain, story, .. } = expected;
        let state = partner.map_or(State::Unknown, |partner| partner.state);
        let found = partner.into_iter().flat_map(|partner| &partner.claims);
        let found = found.map(|claim| claim.summary.as_str()).collect::<Vec<_>>().join("; ");
        writeln!(out, "  {domain:<18} made so: {story}")?;
        writeln!(out, "  {state:<18} found:   {found} ({verdict})")?;
    }
    out.flush()?;
    Ok(all_right)
}

fn is_as_expected(expected: &Expected, partner: &PartnerReport) -> bool {
    let mut claims = partner.claims.iter();
    partner.state == expected.state
        && claims.all(|claim| {
            let finding = |id| claim.findings.iter().any(|finding| finding.id == id);
            let obstacle = |id| claim.obstacles.iter().any(|obstacle| obstacle.id == id);
            expected.finding.is_none_or(finding) && expected.obstacle.is_none_or(obstacle)
        })
}

/// The demo's small internet.
struct World {
    dns: LabDns,
    peers: Vec<Peer>,
    ca: Ca,
    port: u16,
}

impl World {
    async fn start() -> Result<Self, Failure> {
        let ca = Ca::new("mxwarden demo root", Clock::system().now())?;
        let good =
            |host: &str| Ok::<_, LabError>(Script::healthy(ca.issue(&LeafSpec::host(host))?));
        let scripts = [
            ("healthy.test", "mx1.healthy.test", good("mx1.healthy.test")?),
            ("healthy.test", "mx2.healthy.test", good("mx2.healthy.test")?),
            (
                "expired.test",
                "mx.expired.test",
                Script::healthy(ca.issue(&LeafSpec::host("mx.expired.test").expired())?),
            ),
            ("lost-starttls.test", "mx.lost-starttls.test", Script::no_starttls()),
            ("wrong-name.test", "mx.wrong-name.test", good("mail.elsewhere.test")?),
            ("one-of-two.test", "mx1.one-of-two.test", good("mx1.one-of-two.test")?),
            (
                "one-of-two.test",
                "mx2.one-of-two.test",
                Script::healthy(ca.issue(&LeafSpec::host("mx2.one-of-two.test").self_signed())?),
            ),
            ("busy.test", "mx.busy.test", Script::busy()),
        ];
        let mut zone = Zone::default();
        let mut peers: Vec<Peer> = Vec::new();
        let mut port = 0;
        for (at, (domain, host, script)) in (1u8..).zip(scripts) {
            let address = Ipv4Addr::new(127, 0, 88, at);
            // The first peer finds a port that is free; the others take the same at addresses of their own.
            let peer = Peer::start(SocketAddr::new(IpAddr::V4(address), port), script).await?;
            port = peer.address().port();
            zone = zone.mx(domain, u16::from(at) * 10, host).a(host, address);
            peers.push(peer);
        }
        let dns = LabDns::start(zone).await?;
        Ok(Self { dns, peers, ca, port })
    }

    fn introduction(&self) -> String {
        format!(
            "A small internet runs on this machine: a DNS server, a certificate authority and {} mail\n\
             servers, on loopback alone. Six partner domains are checked against what banks agree on:\n\
             every mail server of the partner must offer TLS 1.2 or newer (STARTTLS), with a\n\
             certificate that is in date, from a trusted authority, for that very host (level name).\n\
             Every server is looked at, not just the first that answers. What could not be proved is\n\
             unknown, never good and never bad: a server that is busy today is no breach.\n",
            self.peers.len()
        )
    }

    async fn check(&self) -> Result<Report, Failure> {
        let limits = Limits::default();
        let plan = ObserverPlan {
            dns: DnsPlan {
                resolvers: Resolvers::Given(vec![self.dns.address()]),
                ..DnsPlan::default()
            },
            starttls: StartTlsPlan {
                opening: Opening::ByPort,
                ehlo: None,
                deadline: Duration::from_secs(10),
                retry_after: Duration::ZERO,
                limits,
            },
            offers: OffersPlan {
                port: self.port,
                reach: Reach::Anywhere,
                depth: Depth::Shallow,
                limits,
            },
        };
        let standard = Standard {
            requirement: Requirement::of(Level::Name),
            roots: Arc::new(self.roots()?),
            quorum: Quorum::All,
            warn_days: 30,
        };
        let targets = EXPECTED.iter().map(|expected| expected.domain.parse());
        let targets: Vec<Target> = targets.collect::<Result<_, _>>()?;
        let run = check::Run {
            targets: &targets,
            standard: &standard,
            format: Format::Text,
            verbose: false,
        };
        let done = run.probe(&Arc::new(plan.build()?), &mut std::io::sink()).await?;
        Ok(done.report)
    }

    fn roots(&self) -> Result<Roots, Failure> {
        Ok(roots::pem("the demo's own root", self.ca.pem().as_bytes())?)
    }

    /// The demo's root, where `check --ca-file` can read it.
    fn write_ca(&self) -> Result<PathBuf, Failure> {
        let path = std::env::temp_dir().join(format!("mxwarden-demo-{}.pem", std::process::id()));
        std::fs::write(&path, self.ca.pem())?;
        Ok(path)
    }

    fn command(&self, ca_file: &std::path::Path) -> String {
        format!(
            "mxwarden check --resolver {} --port {} --allow-private --ca-file {} {SHOWN}",
            self.dns.address(),
            self.port,
            ca_file.display()
        )
    }
}
