//! `mxwarden check TARGET…`: what the mail servers of any domain offer, once.
//!
//! 1. Targets and flags are read and checked; every mistake is told before anything is sent.
//! 2. Targets are looked at side by side, as far as politeness allows.
//! 3. What there is is printed: as it comes (jsonl) or at the end; Ctrl-C ends the waiting, not the printing.

use super::{
    EXIT_UNKNOWN, Failure,
    args::{CheckArgs, Dnssec, ProbingArgs, RequireLevel},
    render::{self, Details, Format, Style},
};
use crate::daemon::look::{self, Judged, Standard};
use crate::model::{
    claim::Claim,
    deep::Depth,
    evidence::OffersEvidence,
    judgement::Quorum,
    limits::Limits,
    obstacle::ObstacleId,
    report::{self, PartnerReport, Report, Subjects, Tool},
    requirement::{Level, Requirement},
    state::State,
    target::Target,
};
use crate::observe::{
    clock::Clock,
    dns::{DnsPlan, Families, Resolver, Resolvers},
    offers::{Observer, OffersPlan, Reach},
    roots,
    starttls::{Opening, Prober, StartTlsPlan},
    tls::TlsClient,
};
use crate::wire::name::Host;
use anyhow::Context as _;
use std::{
    collections::HashSet,
    io::{self, IsTerminal, Read as _, Write},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinSet;

/// Days before the end of a certificate from which on it is told, where nobody says otherwise.
const WARN_DAYS: u32 = 30;

/// Runs the command; the exit code.
pub(super) fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    let targets = targets(args)?;
    let standard = standard(args, &targets)?;
    let observer_plan = ObserverPlan::of(
        &args.probing,
        args.port,
        if args.deep { Depth::Deep } else { Depth::Shallow },
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let format = args.probing.format;
    let run = Run { targets: &targets, standard: &standard, format, verbose: args.probing.verbose };
    let done = runtime.block_on(async {
        let observer = Arc::new(observer_plan.build()?);
        run.probe(&observer, out).await
    })?;
    let Done { report, details, interrupted } = done;
    runtime.shutdown_background();
    if format != Format::Jsonl {
        render::report(out, &report, &details, format, style(&args.probing))?;
    }
    out.flush()?;
    if interrupted {
        tell(&format!(
            "interrupted: {} of {} targets were looked at",
            report.partners.len(),
            targets.len()
        ));
    }
    let code = render::exit_code(report.state, format, render::worst_severity(&report.partners));
    // What was not looked at is not known.
    Ok(if interrupted && code == 0 { EXIT_UNKNOWN } else { code })
}

/// The targets of the command line and of the list, each once, in the order given.
fn targets(args: &CheckArgs) -> Result<Vec<Target>, Failure> {
    let mut texts: Vec<(String, String)> =
        args.targets.iter().map(|text| (String::new(), text.clone())).collect();
    if let Some(path) = &args.file {
        texts.extend(listed(path)?);
    }
    if texts.is_empty() {
        return Err(Failure::usage(
            "no target is given",
            "name a domain: mxwarden check example.org; or a list: --file FILE",
        ));
    }
    let mut wrong = Vec::new();
    let mut seen = HashSet::new();
    let mut targets = Vec::new();
    for (place, text) in texts {
        match text.parse::<Target>() {
            Ok(target) if seen.insert(target.clone()) => targets.push(target),
            Ok(_) => {}
            Err(error) => wrong.push(format!("{place}{error}")),
        }
    }
    if wrong.is_empty() {
        return Ok(targets);
    }
    Err(Failure::usage(
        wrong.join("\nerror: "),
        "a target is a domain, host:NAME[:PORT] or [ADDRESS]:PORT",
    ))
}

/// The lines of a list with their places, comments and empty lines left out.
fn listed(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let shown = path.display();
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    }
    .with_context(|| format!("cannot read the list {shown}"))?;
    let text = str::from_utf8(&bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Failure::usage(
            format_args!("{shown}:{line}: the list is no UTF-8 text"),
            "save it as UTF-8",
        )
    })?;
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let entries = lines.map(|(at, line)| {
        let entry = line.split('#').next().unwrap_or_default().trim();
        (format!("{shown}:{}: ", at + 1), entry.to_owned())
    });
    Ok(entries.filter(|(_, entry)| !entry.is_empty()).collect())
}

/// What every target is judged by, once the flags make sense together.
fn standard(args: &CheckArgs, targets: &[Target]) -> Result<Standard, Failure> {
    let probing = &args.probing;
    let dnssec = probing.dnssec.unwrap_or(Dnssec::Off);
    let later = match (args.require, dnssec) {
        (RequireLevel::Dane, _) => Some("--require dane"),
        (RequireLevel::MtaSts, _) => Some("--require mta-sts"),
        (_, Dnssec::Validate) => Some("--dnssec validate"),
        (_, Dnssec::TrustAd) => Some("--dnssec trust-ad"),
        _ if probing.trust_anchor.is_some() => Some("--trust-anchor"),
        _ => None,
    };
    if let Some(flag) = later {
        let hint = "this version knows the levels encrypt, ca, name and pinned, and --dnssec off";
        return Err(Failure::usage(format!("{flag} is not in this version"), hint));
    }
    let level = Level::from(args.require);
    if level == Level::Pinned && args.pins.is_empty() {
        return Err(Failure::usage("--require pinned needs a pin", "give --pin SHA256"));
    }
    if level != Level::Pinned && !args.pins.is_empty() {
        let what = format!("level {level} does not look at pins");
        return Err(Failure::usage(what, "write --require pinned, or leave --pin out"));
    }
    if !level.is_name_required() && !args.names.is_empty() {
        let what = format!("level {level} does not look at names");
        return Err(Failure::usage(what, "write --require name, or leave --name out"));
    }
    let nameless = targets.iter().find(|target| matches!(target, Target::Address { .. }));
    if let Some(target) = nameless.filter(|_| level == Level::Name && args.names.is_empty()) {
        return Err(Failure::usage(
            format!("{target} has no name that a certificate could match"),
            "give --name NAME, or a level without names: --require ca",
        ));
    }
    let roots = if probing.ca_files.is_empty() {
        roots::mozilla()
    } else {
        roots::files(&probing.ca_files)?
    };
    Ok(Standard {
        requirement: Requirement {
            level,
            names: args.names.clone(),
            pins: args.pins.clone(),
            min_version: args.min_tls.into(),
        },
        roots: Arc::new(roots),
        quorum: probing.quorum.map_or(Quorum::All, Quorum::from),
        warn_days: probing.warn_days.unwrap_or(WARN_DAYS),
    })
}

/// Everything an observer is built from.
pub(super) struct ObserverPlan {
    pub(super) dns: DnsPlan,
    pub(super) starttls: StartTlsPlan,
    pub(super) offers: OffersPlan,
}

impl ObserverPlan {
    fn of(probing: &ProbingArgs, port: u16, depth: Depth) -> Result<Self, Failure> {
        let limits = Limits::default();
        let resolvers = if probing.resolvers.is_empty() {
            Resolvers::System
        } else {
            Resolvers::Given(probing.resolvers.clone())
        };
        Ok(Self {
            dns: DnsPlan { resolvers, families: families(probing), ..DnsPlan::default() },
            starttls: StartTlsPlan {
                ehlo: probing.ehlo.clone().or_else(own_name),
                deadline: Duration::from_secs(probing.timeout),
                opening: Opening::ByPort,
                retry_after: Duration::from_secs(5),
                limits,
            },
            offers: OffersPlan {
                port,
                reach: if probing.allow_private { Reach::Anywhere } else { Reach::Public },
                depth,
                limits,
            },
        })
    }

    pub(super) fn build(self) -> Result<Observer, Failure> {
        let resolver = Resolver::new(self.dns)?;
        let prober = Prober::new(TlsClient::new()?, Clock::system(), self.starttls);
        Ok(Observer::new(resolver, prober, self.offers))
    }
}

/// The address families asked for.
pub(super) fn families(probing: &ProbingArgs) -> Families {
    match (probing.v4, probing.v6) {
        (true, _) => Families::V4,
        (_, true) => Families::V6,
        _ => Families::Both,
    }
}

/// This host's name, if it is one that others could look up.
pub(super) fn own_name() -> Option<Host> {
    let name: Host = gethostname::gethostname().to_str()?.parse().ok()?;
    name.as_str().contains('.').then_some(name)
}

/// One run over many targets.
pub(super) struct Run<'a> {
    pub(super) targets: &'a [Target],
    pub(super) standard: &'a Standard,
    pub(super) format: Format,
    pub(super) verbose: bool,
}

/// What came of a run.
pub(super) struct Done {
    pub(super) report: Report,
    details: Vec<Details>,
    interrupted: bool,
}

impl Run<'_> {
    /// Looks at every target; what there is when all is done or somebody presses Ctrl-C.
    pub(super) async fn probe(
        &self,
        observer: &Arc<Observer>,
        out: &mut dyn Write,
    ) -> Result<Done, Failure> {
        let Run { targets, standard, .. } = self;
        let started_at = observer.clock().now();
        let bar = progress(targets.len());
        let standard = Arc::new(Standard::clone(standard));
        let mut waiting = targets.iter().cloned().enumerate();
        let mut looks = JoinSet::new();
        let mut done: Vec<Option<Looked>> = Vec::new();
        done.resize_with(targets.len(), || None);
        let mut interrupted = false;
        let at_once = Limits::default().probes;
        // One listener for the whole run: a new one each round would miss what comes between two.
        let ctrl_c = tokio::signal::ctrl_c();
        tokio::pin!(ctrl_c);
        let mut stopped = false;
        loop {
            while !stopped && looks.len() < at_once {
                let Some((at, target)) = waiting.next() else { break };
                let observer = Arc::clone(observer);
                let standard = Arc::clone(&standard);
                looks.spawn(async move {
                    (at, look::look_and_judge(&observer, &target, &standard).await)
                });
            }
            let next = if stopped {
                // What is done is kept; what is not is not waited for.
                looks.try_join_next()
            } else {
                tokio::select! {
                    next = looks.join_next() => next,
                    _ = &mut ctrl_c => {
                        (stopped, interrupted) = (true, true);
                        continue;
                    }
                }
            };
            let Some(next) = next else { break };
            // A look that panicked is left out here and counted as not looked at.
            let Ok((at, judged)) = next else {
                interrupted = true;
                continue;
            };
            bar.inc(1);
            let looked = Looked::of(judged, &standard, self.verbose);
            if self.format == Format::Jsonl {
                render::jsonl_line(out, &looked.partner)?;
            }
            if let Some(place) = done.get_mut(at) {
                *place = Some(looked);
            }
        }
        bar.finish_and_clear();
        looks.abort_all();
        let mut partners = Vec::new();
        let mut details = Vec::new();
        for looked in done.into_iter().flatten() {
            partners.push(looked.at_the_end(observer, &standard));
            details.extend(looked.details);
        }
        let report = Report {
            format: report::FORMAT,
            tool: Tool::THIS,
            started_at,
            finished_at: observer.clock().now(),
            subjects: Subjects::Targets,
            state: State::worst(partners.iter().map(|partner| partner.state)),
            partners,
        };
        Ok(Done { report, details, interrupted })
    }
}

/// One target, looked at.
struct Looked {
    partner: PartnerReport,
    details: Option<Details>,
    /// Kept where what the rest of the run shows may change the judgement.
    evidence: Option<OffersEvidence>,
}

impl Looked {
    fn of(judged: Judged, standard: &Standard, verbose: bool) -> Self {
        let name = judged.evidence.target.to_string();
        let partner = judged.report(name, Claim::OUTBOUND_RECEIVER_OFFERS, standard);
        let evidence = judged.evidence;
        let details = verbose.then(|| Details {
            partner: partner.partner.clone(),
            transcripts: evidence
                .sessions
                .iter()
                .map(|session| (session.endpoint.to_string(), session.transcript.clone()))
                .collect(),
        });
        let timed_out = partner.claims.iter().any(|claim| {
            claim.obstacles.iter().any(|obstacle| obstacle.id == ObstacleId::ConnectTimeout)
        });
        Self { partner, details, evidence: timed_out.then_some(evidence) }
    }

    /// The report once the whole run is over: by then we know whether port 25 is blocked for all.
    fn at_the_end(&self, observer: &Observer, standard: &Standard) -> PartnerReport {
        match &self.evidence {
            Some(evidence) => {
                let vantage = observer.vantage();
                let evidence = OffersEvidence { vantage, ..evidence.clone() };
                let name = evidence.target.to_string();
                look::report(name, Claim::OUTBOUND_RECEIVER_OFFERS, standard, &evidence)
            }
            None => self.partner.clone(),
        }
    }
}

pub(super) fn style(probing: &ProbingArgs) -> Style {
    Style { verbose: probing.verbose, ..plain_style() }
}

/// How text looks where nothing more than the report is told.
pub(super) fn plain_style() -> Style {
    let terminal = io::stdout().is_terminal();
    let colour = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
    let width = terminal.then(console_width).flatten();
    Style { colour, width, verbose: false }
}

fn console_width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// A bar on standard error, for many targets on a terminal.
fn progress(targets: usize) -> indicatif::ProgressBar {
    if targets < 4 || !io::stderr().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    bar(targets, "targets")
}

/// A bar that counts to `length`.
pub(super) fn bar(length: usize, noun: &str) -> indicatif::ProgressBar {
    let template = format!("{{bar:40}} {{pos}}/{{len}} {noun}, {{elapsed}}");
    let bar = indicatif::ProgressBar::new(length as u64);
    match indicatif::ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[expect(clippy::print_stderr, reason = "a remark to the person at the terminal")]
pub(super) fn tell(text: &str) {
    eprintln!("{text}");
}
