//! Every metric: its name and its help stand here and nowhere else.
//!
//! 1. [`Metrics::measure`] folds what the daemon measures into counters and histograms.
//! 2. [`Metrics::show`] replaces everything that is said of partners by what stands now: who is gone leaves no series.
//!    It only keeps it, because claims change more often than anybody asks.
//! 3. [`Metrics::encode`] writes it all down, as of one instant. It reads `/proc` and is called off the runtime.
//!
//! Invariant: every series that can be known in advance is there from the first scrape on.
//! Invariant: what strangers send is never more than a value of a label, and the number of series is bounded by the
//! configuration, not by them: see [`ENDPOINTS_PER_PARTNER`].

mod make;
mod probed;
mod shown;
mod text;

pub use probed::{Probed, probed};

use crate::model::{
    canary::Personality,
    claim::{Claim, Statement},
    session::Phase,
    signal::Signal,
    standing::Standing,
    state::State,
};
use jiff::Timestamp;
use make::Make;
use prometheus::{
    Gauge, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};
use shown::Partners;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Endpoints of one partner that have series; the worst are kept, what is left out is counted.
pub const ENDPOINTS_PER_PARTNER: usize = 128;

/// The type of what [`Metrics::encode`] writes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What becomes of a notification.
const ALERT_OUTCOMES: [&str; 3] = ["told", "failed", "dropped"];
/// Why a canary turns somebody away.
const REFUSED_REASONS: [&str; 3] = ["busy", "source", "stranger"];
/// What is proved: the statements of contract §3.
const KINDS: [&str; 4] = ["configured", "receiver-enforces", "receiver-offers", "sender-enforces"];
const STATES: [State; 3] = [State::Compliant, State::Violated, State::Unknown];
/// In the order of the dialogue.
const PHASES: [Phase; 9] = [
    Phase::Connect,
    Phase::Ehlo,
    Phase::Starttls,
    Phase::Handshake,
    Phase::EhloTls,
    Phase::Mail,
    Phase::Rcpt,
    Phase::Data,
    Phase::Accepted,
];

/// Seconds: from a neighbour's answer to the patience of a greylisting server.
const SESSION_BUCKETS: [f64; 12] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
/// Seconds: from a comparison of connectors to a queue that is watched for days.
const PROOF_BUCKETS: [f64; 10] =
    [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 21_600.0, 86_400.0];
/// Seconds: from at once to a day late.
const LAG_BUCKETS: [f64; 9] = [0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86_400.0];

/// The metrics cannot be made or written.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Not written down.
    #[error("cannot write the metrics down")]
    Encode(#[source] prometheus::Error),
    /// A name or label that Prometheus does not take, or one that is taken.
    #[error("cannot make the metric {name}")]
    Make {
        /// Which.
        name: String,
        /// Why.
        source: prometheus::Error,
    },
}

/// Which program this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build {
    /// Its version.
    pub version: &'static str,
    /// The commit it was built from; empty where nobody knows.
    pub revision: &'static str,
}

/// How often a claim is looked at, and for how long a proof of it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Which claim.
    pub claim: Claim,
    /// How often.
    pub interval: Duration,
    /// How long.
    pub max_age: Duration,
}

/// Everything that is shown, whole: what it does not name has no series.
#[derive(Debug, Clone)]
pub struct Shown<'a> {
    /// One a configured claim, also where it was never looked at.
    pub standings: Arc<Vec<Standing>>,
    /// One a claim that is configured for anybody.
    pub paces: &'a [Pace],
    /// The personalities of the configured canaries.
    pub canaries: &'a [Personality],
    /// The names of the channels.
    pub channels: &'a [String],
}

/// Every metric of a daemon.
#[derive(Debug)]
pub struct Metrics {
    measured: Registry,
    alerts: IntCounterVec,
    backlog: IntGauge,
    canary_refused: IntCounterVec,
    canary_sessions: IntCounterVec,
    canary_up: IntGaugeVec,
    in_flight: IntGauge,
    panics: IntCounter,
    phases: HistogramVec,
    probe_lag: prometheus::Histogram,
    probes: IntCounterVec,
    proofs: HistogramVec,
    record_errors: IntCounter,
    reload: IntGauge,
    round_duration: Gauge,
    round_last: Gauge,
    told: Mutex<Told>,
}

/// What is said of the configured world; whoever holds it keeps a scrape from seeing half a change.
#[derive(Debug)]
struct Told {
    /// Of partners, and of nothing else.
    partners: Arc<Partners>,
    canaries: BTreeSet<Personality>,
    channels: BTreeSet<String>,
    /// The last word of each canary.
    up: BTreeMap<Personality, bool>,
}

impl Metrics {
    /// Metrics at nought: nobody is shown, nothing was measured, the configuration was read.
    pub fn new(build: Build) -> Result<Self, MetricsError> {
        let measured = Registry::new();
        let make = Make(&measured);
        let metrics = Self {
            alerts: make.counters(
                "mxwarden_alerts_total",
                "Notifications by channel, and whether the channel took them.",
                &["channel", "outcome"],
            )?,
            backlog: make
                .gauge("mxwarden_record_backlog", "Observations that wait for the record.")?,
            canary_refused: make.counters(
                "mxwarden_canary_refused_total",
                "Connections and recipients that canaries turned away, by reason.",
                &["reason"],
            )?,
            canary_sessions: make.counters(
                "mxwarden_canary_sessions_total",
                "Sessions at canaries, by personality and the highest phase reached.",
                &["personality", "phase"],
            )?,
            canary_up: make.gauges(
                "mxwarden_canary_up",
                "Whether the canaries of a personality listen: 1, or 0.",
                &["personality"],
            )?,
            in_flight: make.gauge("mxwarden_probes_in_flight", "Proofs that are under way.")?,
            panics: make.counter("mxwarden_panics_total", "Tasks that panicked.")?,
            phases: make.histograms(
                "mxwarden_probe_duration_seconds",
                "Time that sessions with receivers spent in each phase.",
                &["phase"],
                &SESSION_BUCKETS,
            )?,
            probe_lag: make.histogram(
                "mxwarden_probe_lag_seconds",
                "How long behind their due time proofs began.",
                &LAG_BUCKETS,
            )?,
            probes: make.counters(
                "mxwarden_probes_total",
                "Proofs that ended, by what was to be proved and what came of it.",
                &["kind", "outcome"],
            )?,
            proofs: make.histograms(
                "mxwarden_proof_duration_seconds",
                "Time that whole proofs took, by what was to be proved.",
                &["kind"],
                &PROOF_BUCKETS,
            )?,
            record_errors: make.counter(
                "mxwarden_record_errors_total",
                "Times the record could not be written.",
            )?,
            reload: make.gauge(
                "mxwarden_config_last_reload_successful",
                "Whether the configuration was taken when it was last read: 1, or 0.",
            )?,
            round_duration: make
                .real("mxwarden_round_duration_seconds", "How long the last round took.")?,
            round_last: make.real(
                "mxwarden_round_last_timestamp_seconds",
                "When the last round ended, in seconds since 1970; 0 before the first.",
            )?,
            told: Mutex::new(Told {
                partners: Arc::default(),
                canaries: BTreeSet::new(),
                channels: BTreeSet::new(),
                up: BTreeMap::new(),
            }),
            measured: measured.clone(),
        };
        make.gauges(
            "mxwarden_build_info",
            "Always 1; which program this is.",
            &["version", "revision"],
        )?
        .with_label_values(&[build.version, build.revision])
        .set(1);
        make.process()?;
        metrics.fill();
        Ok(metrics)
    }

    /// Every series that is known in advance, at nought.
    fn fill(&self) {
        self.reload.set(1);
        for reason in REFUSED_REASONS {
            drop(self.canary_refused.with_label_values(&[reason]));
        }
        for phase in PHASES {
            drop(self.phases.with_label_values(&[phase.as_str()]));
            for personality in Personality::ALL {
                let labels = [personality.as_str(), phase.as_str()];
                drop(self.canary_sessions.with_label_values(&labels));
            }
        }
        for kind in KINDS {
            drop(self.proofs.with_label_values(&[kind]));
            for state in STATES {
                drop(self.probes.with_label_values(&[kind, state.as_str()]));
            }
        }
    }

    /// Takes in one measurement.
    pub fn measure(&self, signal: &Signal) {
        match signal {
            Signal::Alert { channel, outcome } => self.alert(channel, outcome),
            Signal::CanaryRefused { reason } => {
                self.canary_refused.with_label_values(&[reason]).inc();
            }
            Signal::CanarySession { personality, phase } => {
                let labels = [personality.as_str(), phase.as_str()];
                self.canary_sessions.with_label_values(&labels).inc();
            }
            Signal::CanaryUp { personality, up } => self.canary(*personality, *up),
            Signal::ProbeBegan => self.in_flight.inc(),
            Signal::ProbeEnded { kind, outcome, took, lag } => {
                self.in_flight.dec();
                self.probes.with_label_values(&[kind, outcome]).inc();
                self.proofs.with_label_values(&[kind]).observe(took.as_secs_f64());
                self.probe_lag.observe(lag.as_secs_f64());
            }
            Signal::PhaseTook { phase, took } => {
                self.phases.with_label_values(&[phase.as_str()]).observe(took.as_secs_f64());
            }
            Signal::Panic => self.panics.inc(),
            Signal::RecordBacklog(waiting) => {
                self.backlog.set(i64::try_from(*waiting).unwrap_or(i64::MAX));
            }
            Signal::RecordError => self.record_errors.inc(),
            Signal::Reload { successful } => self.reload.set(i64::from(*successful)),
            Signal::RoundEnded { took, at } => {
                self.round_duration.set(took.as_secs_f64());
                self.round_last.set(*at);
            }
        }
    }

    /// Remembered also where it is not shown yet: a canary may speak before it is.
    fn canary(&self, personality: Personality, up: bool) {
        let mut told = self.told();
        told.up.insert(personality, up);
        if told.canaries.contains(&personality) {
            self.canary_up.with_label_values(&[personality.as_str()]).set(i64::from(up));
        }
    }

    /// Remembered by name, so that [`Self::show`] finds it where the channel is gone.
    fn alert(&self, channel: &str, outcome: &str) {
        let mut told = self.told();
        if !told.channels.contains(channel) {
            told.channels.insert(channel.to_owned());
        }
        self.alerts.with_label_values(&[channel, outcome]).inc();
    }

    /// Shows this and nothing else. A scrape sees what was shown before, or all of this.
    pub fn show(&self, shown: Shown<'_>) {
        let Shown { standings, paces, canaries, channels } = shown;
        let mut told = self.told();
        told.partners = Arc::new(Partners { standings, paces: paces.to_vec() });
        self.show_canaries(&mut told, canaries);
        self.show_channels(&mut told, channels);
    }

    fn show_canaries(&self, told: &mut Told, canaries: &[Personality]) {
        let canaries: BTreeSet<_> = canaries.iter().copied().collect();
        for gone in told.canaries.difference(&canaries) {
            told.up.remove(gone);
            // An error says that there was no such series, which is what is wanted.
            let _ = self.canary_up.remove_label_values(&[gone.as_str()]);
        }
        for personality in &canaries {
            let up = told.up.get(personality).is_some_and(|up| *up);
            self.canary_up.with_label_values(&[personality.as_str()]).set(i64::from(up));
        }
        told.canaries = canaries;
    }

    fn show_channels(&self, told: &mut Told, channels: &[String]) {
        let channels: BTreeSet<_> = channels.iter().cloned().collect();
        for gone in told.channels.difference(&channels) {
            for outcome in ALERT_OUTCOMES {
                let _ = self.alerts.remove_label_values(&[gone.as_str(), outcome]);
            }
        }
        for channel in &channels {
            for outcome in ALERT_OUTCOMES {
                drop(self.alerts.with_label_values(&[channel.as_str(), outcome]));
            }
        }
        told.channels = channels;
    }

    /// Everything, in the text format of Prometheus. Blocks.
    pub fn encode(&self) -> Result<String, MetricsError> {
        let (families, partners) = {
            let told = self.told();
            (self.measured.gather(), Arc::clone(&told.partners))
        };
        // What is shown of partners is replaced, never changed: nobody need wait while it is read.
        let mut text =
            TextEncoder::new().encode_to_string(&families).map_err(MetricsError::Encode)?;
        partners.write(&mut text);
        Ok(text)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        // Nothing that holds it leaves it half changed: a panic elsewhere is no reason to fall silent.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The word for what a claim states.
pub fn kind(statement: Statement) -> &'static str {
    match statement {
        Statement::Configured => "configured",
        Statement::ReceiverEnforces => "receiver-enforces",
        Statement::ReceiverOffers => "receiver-offers",
        Statement::SenderEnforces => "sender-enforces",
    }
}

/// Seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "exact for the next hundred million years")]
fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

#[cfg(test)]
pub(in crate::tell) mod tests;
