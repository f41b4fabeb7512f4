//! `/probe`: one look at one target, answered as metrics, as a blackbox exporter would.
//!
//! | parameter | says |
//! | --- | --- |
//! | `target` | where: a domain, `host:NAME[:PORT]` or `[ADDRESS][:PORT]` |
//! | `require` | the level; without it what is configured for the target, else `name` |
//! | `port` | the port, where `target` is a host or an address without one |
//! | `name`, `pin` | a name or pin that will do; repeatable |
//! | `min_tls` | `1.2` or `1.3` |
//!
//! 1. What cannot be understood is answered 400, in words; what is not configured 403, unless any target may be asked.
//! 2. An order goes to the daemon; where it or we have too much to do, the answer is 503.
//! 3. What is not answered before the deadline, or before the scraper gives up, is told as unknown.
//!
//! Invariant: a target nobody configured is looked at only on mail ports and public addresses, whatever the
//! configuration allows our own: an address is refused here, and what a name leads to by [`Reach::Public`].

use super::{
    Answer, Asked, Configured, ProbeTargets, Reach, Snapshot,
    route::{Means, failed},
};
use crate::model::{
    order::Order,
    requirement::{Level, MinVersion, Requirement},
    target::Target,
};
use crate::tell::metrics::{CONTENT_TYPE, Probed, probed};
use crate::wire::address::is_public;
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE as TYPE},
    response::{IntoResponse as _, Response},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

/// What Prometheus waits, in seconds.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";
/// What the way back takes.
const WAY_BACK: Duration = Duration::from_millis(500);
/// Where mail is taken: relay, implicit TLS, submission.
const MAIL_PORTS: [u16; 3] = [25, 465, 587];
const LEVELS: [Level; 6] =
    [Level::Encrypt, Level::Ca, Level::Name, Level::Pinned, Level::Dane, Level::MtaSts];

/// Why nothing is probed.
type Refusal = (StatusCode, String);

fn bad(what: impl Into<String>) -> Refusal {
    (StatusCode::BAD_REQUEST, what.into())
}

pub(super) async fn probe(
    State(means): State<Means>,
    headers: HeaderMap,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Response {
    let refused = |(code, words): Refusal| (code, format!("{words}\n")).into_response();
    let Ok(Query(pairs)) = query else {
        return refused(bad("the query is no list of KEY=VALUE"));
    };
    let snapshot = Arc::clone(&means.shared.snapshot.borrow());
    let asked = Ask::read(&pairs).and_then(|ask| {
        let within = deadline(&headers, means.plan.limits.probe_within)?;
        Ok((ask.find(&snapshot, means.plan.probe)?, within))
    });
    let (found, within) = match asked {
        Ok(asked) => asked,
        Err(refusal) => return refused(refusal),
    };
    // Held until the answer is there, or whoever asked has gone.
    let Ok(_permit) = means.probes.try_acquire() else {
        return refused((StatusCode::SERVICE_UNAVAILABLE, "too many probes at once".into()));
    };
    let began = Instant::now();
    let (reply, answer) = oneshot::channel();
    let order = Order::Probe { target: found.target, requirement: found.requirement };
    let asked = Asked { order, reach: found.reach, within, reply };
    if means.shared.orders.try_send(asked).is_err() {
        return refused((StatusCode::SERVICE_UNAVAILABLE, "the daemon takes no orders".into()));
    }
    let text = match timeout(within, answer).await {
        Ok(Ok(Answer::Report(report))) => probed(Probed::Report(&report), began.elapsed()),
        Ok(Ok(Answer::Refused(why))) => return refused((StatusCode::SERVICE_UNAVAILABLE, why)),
        Ok(Err(_)) => {
            return refused((StatusCode::SERVICE_UNAVAILABLE, "the probe was given up".into()));
        }
        Err(_) => probed(Probed::Late, began.elapsed()),
    };
    match text {
        Ok(text) => ([(TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => failed(&error),
    }
}

/// How long there is: what the scraper waits, less the way back; never more than `most`.
fn deadline(headers: &HeaderMap, most: Duration) -> Result<Duration, Refusal> {
    let Some(value) = headers.get(SCRAPE_TIMEOUT) else { return Ok(most) };
    let seconds = value.to_str().ok().and_then(|text| text.trim().parse::<f64>().ok());
    let waits = seconds
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| bad("X-Prometheus-Scrape-Timeout-Seconds is no number of seconds"))?;
    let within = waits.checked_sub(WAY_BACK).unwrap_or_default().max(waits / 2);
    Ok(within.min(most))
}

/// What is asked.
#[derive(Debug)]
struct Ask {
    target: Target,
    level: Option<Level>,
    names: Vec<String>,
    pins: Vec<String>,
    min_version: Option<MinVersion>,
}

/// What is to be looked at.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    target: Target,
    requirement: Requirement,
    reach: Reach,
}

impl Ask {
    fn read(pairs: &[(String, String)]) -> Result<Self, Refusal> {
        let known = ["target", "require", "port", "name", "pin", "min_tls"];
        if let Some((key, _)) = pairs.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            let key: String = key.chars().take(80).collect();
            return Err(bad(format!("`{key}` is no parameter; there are {}", known.join(", "))));
        }
        let all = |key: &str| -> Vec<String> {
            let of_key = pairs.iter().filter(|(one, _)| one == key);
            of_key.map(|(_, value)| value.clone()).collect()
        };
        let one = |key: &str| -> Result<Option<String>, Refusal> {
            let mut values = all(key);
            match values.len() {
                0 | 1 => Ok(values.pop()),
                _ => Err(bad(format!("`{key}` is given more than once"))),
            }
        };
        let Some(target) = one("target")? else {
            return Err(bad("`target` is missing: /probe?target=example.org&require=name"));
        };
        let target: Target = target.parse().map_err(|error| bad(format!("target: {error}")))?;
        let port = one("port")?;
        Ok(Self {
            target: match port {
                Some(port) => with_port(target, &port)?,
                None => target,
            },
            level: one("require")?.map(|word| level(&word)).transpose()?,
            names: all("name"),
            pins: all("pin"),
            min_version: one("min_tls")?.map(|word| min_version(&word)).transpose()?,
        })
    }

    /// Where it may go, and what is required there.
    fn find(self, snapshot: &Snapshot, probe: ProbeTargets) -> Result<Found, Refusal> {
        let of_target = |one: &&Configured| one.target == self.target;
        // The same target may be configured for several partners, at several levels.
        let level = self.level;
        let configured = snapshot
            .targets
            .iter()
            .filter(of_target)
            .find(|one| level.is_none_or(|level| level == one.requirement.level))
            .or_else(|| snapshot.targets.iter().find(of_target));
        let reach = match (configured, probe) {
            (Some(_), _) => Reach::Configured,
            (None, ProbeTargets::Any) => {
                is_for_strangers(&self.target)?;
                Reach::Public
            }
            (None, ProbeTargets::Configured) => {
                let words = format!(
                    "{} is no target of a configured partner, and probe_any is not set",
                    self.target
                );
                return Err((StatusCode::FORBIDDEN, words));
            }
        };
        let told = configured.map(|one| one.requirement.clone());
        let mut requirement = match (told, level) {
            (Some(told), None) => told,
            (Some(told), Some(level)) if told.level == level => told,
            (_, Some(level)) => Requirement::of(level),
            (None, None) => Requirement::of(Level::Name),
        };
        if !self.names.is_empty() {
            let names = self.names.iter().map(|name| name.parse());
            requirement.names =
                names.collect::<Result<_, _>>().map_err(|error| bad(format!("name: {error}")))?;
        }
        if !self.pins.is_empty() {
            let pins = self.pins.iter().map(|pin| pin.parse());
            requirement.pins =
                pins.collect::<Result<_, _>>().map_err(|error| bad(format!("pin: {error}")))?;
        }
        if let Some(lowest) = self.min_version {
            requirement.min_version = lowest;
        }
        is_complete(&requirement, &self.target)?;
        Ok(Found { target: self.target, requirement, reach })
    }
}

/// Contract §2: what cannot be met by anything is a mistake of whoever asks.
fn is_complete(requirement: &Requirement, target: &Target) -> Result<(), Refusal> {
    if requirement.level == Level::Pinned && requirement.pins.is_empty() {
        return Err(bad("level pinned needs a `pin`"));
    }
    let is_address = matches!(target, Target::Address { .. });
    if is_address && requirement.level.is_name_required() && requirement.names.is_empty() {
        return Err(bad("an address has no name to match: give a `name`, or require=ca"));
    }
    Ok(())
}

/// What anybody with a token may aim at.
fn is_for_strangers(target: &Target) -> Result<(), Refusal> {
    let port = match target {
        Target::Address { address, port } => {
            if !is_public(*address) {
                let words = format!("{address} is no public address, and no partner's target");
                return Err((StatusCode::FORBIDDEN, words));
            }
            port
        }
        Target::Host { host: _, port } => port,
        Target::Domain(_) => &None,
    };
    match port {
        Some(port) if !MAIL_PORTS.contains(port) => {
            let words = format!(
                "port {port} is no mail port (25, 465, 587), and {target} is no partner's target"
            );
            Err((StatusCode::FORBIDDEN, words))
        }
        _ => Ok(()),
    }
}

fn with_port(target: Target, text: &str) -> Result<Target, Refusal> {
    let digits = text.bytes().all(|octet| octet.is_ascii_digit());
    let port = text.parse::<u16>().ok().filter(|port| digits && *port != 0);
    let port = port.ok_or_else(|| bad("`port` is no port from 1 to 65535"))?;
    match target {
        Target::Address { address, port: None } => {
            Ok(Target::Address { address, port: Some(port) })
        }
        Target::Host { host, port: None } => Ok(Target::Host { host, port: Some(port) }),
        Target::Address { .. } | Target::Host { .. } => {
            Err(bad("`port` is given, and `target` says one too"))
        }
        Target::Domain(_) => Err(bad(
            "`port` goes with target=host:NAME or target=[ADDRESS]: a domain's MX hosts have theirs",
        )),
    }
}

fn level(word: &str) -> Result<Level, Refusal> {
    LEVELS.into_iter().find(|level| level.as_str() == word).ok_or_else(|| {
        let words = LEVELS.map(Level::as_str).join(", ");
        bad(format!("`require` is none of {words}"))
    })
}

fn min_version(word: &str) -> Result<MinVersion, Refusal> {
    match word {
        "1.2" => Ok(MinVersion::Tls12),
        "1.3" => Ok(MinVersion::Tls13),
        _ => Err(bad("`min_tls` is neither 1.2 nor 1.3")),
    }
}

#[cfg(test)]
mod tests;
