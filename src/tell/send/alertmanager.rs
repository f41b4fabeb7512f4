//! Alertmanager's API v2: labels as in the metrics, and an end for what is over.
//!
//! An alert is its labels: what may change while an incident is open stands in the annotations. Where it gets worse
//! its name changes, so the old alert is ended in the same request.

use super::{Channel, SendError, Sending, Tools, http::Http};
use crate::model::{alert::HttpTarget, finding::Severity, state::State, told::Reason, told::Topic};
use crate::tell::message::{Message, Part};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// Alerts in one request.
const AT_ONCE: usize = 100;
/// How long an incident lasts without another word from us. Alertmanager ends by itself what it does not hear of; an
/// incident that ends for our silence would be a false all-clear.
const LASTS: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long something that has no end is shown.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug)]
pub(super) struct Alertmanager {
    http: Http,
}

impl Alertmanager {
    pub(super) fn new(target: &HttpTarget, tools: &Tools) -> Result<Self, SendError> {
        Ok(Self { http: Http::new(target, tools)? })
    }
}

/// What an alert is called.
fn name(part: &Part, state: Option<State>) -> &'static str {
    match (&part.topic, state) {
        (Topic::Claim { .. }, Some(State::Unknown)) => "MxwardenClaimUnknown",
        (Topic::Claim { .. }, Some(State::Compliant | State::Violated) | None) => {
            "MxwardenClaimViolated"
        }
        (Topic::Certificate { .. }, _) => "MxwardenCertificateExpiresSoon",
        (Topic::Channel { .. }, _) => "MxwardenAlertChannelFailed",
        (Topic::Notice { .. }, _) => "MxwardenChanged",
    }
}

fn labels(message: &Message, part: &Part, state: Option<State>) -> Map<String, Value> {
    let mut labels = Map::new();
    let mut label = |key: &str, value: &str| {
        // Alertmanager takes an empty label for none.
        if !value.is_empty() {
            labels.insert(key.to_owned(), Value::from(value));
        }
    };
    let severity = match (&part.topic, state) {
        (Topic::Claim { .. }, Some(State::Unknown)) => Severity::Warning,
        (Topic::Claim { .. }, _) => Severity::Violation,
        _ => part.severity,
    };
    let name = if message.reason == Reason::Sample {
        "MxwardenSample"
    } else if matches!(message.reason, Reason::SelfOutage | Reason::SelfOutageOver) {
        "MxwardenSelfOutage"
    } else {
        name(part, state)
    };
    label("alertname", name);
    label("organisation", &message.organisation);
    label("severity", severity.as_str());
    label("partner", part.partner.as_deref().unwrap_or_default());
    label("claim", &part.claim.map(|claim| claim.to_string()).unwrap_or_default());
    match &part.topic {
        Topic::Certificate { sha256, .. } => label("sha256", sha256),
        Topic::Channel { name } => label("channel", name),
        Topic::Notice { .. } => label("id", part.id.unwrap_or_default()),
        Topic::Claim { .. } => {}
    }
    labels
}

fn alert(message: &Message, part: &Part, state: Option<State>, ends_at: Timestamp) -> Value {
    let mut annotations = Map::new();
    annotations.insert("summary".to_owned(), Value::from(part.title.as_str()));
    let lines = part.lines.iter().map(|line| format!("{}: {}", line.label, line.text));
    let lines: Vec<String> = lines.collect();
    annotations.insert("description".to_owned(), Value::from(lines.join("\n")));
    annotations.insert("reason".to_owned(), Value::from(message.reason.as_str()));
    if let Some(id) = part.id {
        annotations.insert("id".to_owned(), Value::from(id));
    }
    let since = part.since.min(message.at).min(ends_at);
    let mut alert = json!({
        "labels": labels(message, part, state),
        "annotations": annotations,
        "startsAt": since.to_string(),
        "endsAt": ends_at.to_string(),
    });
    let link = part.link.as_ref().or(message.link.as_ref());
    if let (Some(link), Some(alert)) = (link, alert.as_object_mut()) {
        alert.insert("generatorURL".to_owned(), Value::from(link.as_str()));
    }
    alert
}

/// What becomes of an alert.
enum Course {
    Ends,
    /// It lasts until we say otherwise, in this state.
    Lasts(Option<State>),
    Shown,
}

fn course(reason: Reason, before: Option<State>) -> Course {
    match reason {
        Reason::ChannelWorks
        | Reason::KnownAgain
        | Reason::NoLongerClaimed
        | Reason::Recovered
        | Reason::SelfOutageOver => Course::Ends,
        Reason::CannotTell => Course::Lasts(Some(State::Unknown)),
        Reason::FirstSeen | Reason::Regressed | Reason::Worse => {
            Course::Lasts(Some(State::Violated))
        }
        Reason::ChannelFailed | Reason::SelfOutage | Reason::StillBroken => Course::Lasts(before),
        Reason::Changed | Reason::ExpiresSoon | Reason::Sample => Course::Shown,
    }
}

/// What the requests hold.
pub(super) fn alerts(message: &Message) -> Vec<Value> {
    let after = |span| message.at.saturating_add(span).unwrap_or(message.at);
    let mut alerts = Vec::new();
    for part in &message.parts {
        match course(message.reason, part.before) {
            Course::Ends => alerts.push(alert(message, part, part.before, message.at)),
            Course::Shown => alerts.push(alert(message, part, None, after(SHOWN))),
            Course::Lasts(state) => {
                if state == Some(State::Violated) && part.before == Some(State::Unknown) {
                    alerts.push(alert(message, part, part.before, message.at));
                }
                alerts.push(alert(message, part, state, after(LASTS)));
            }
        }
    }
    alerts
}

impl Channel for Alertmanager {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(async move {
            for some in alerts(message).chunks(AT_ONCE) {
                let body = Value::from(some.to_vec()).to_string().into_bytes();
                self.http.post("/api/v2/alerts", body, &[]).await?;
            }
            Ok(())
        })
    }
}
