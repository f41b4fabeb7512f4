//! What one probe on demand found, for whoever asked and nobody else: metrics of its own, made for one answer.
//!
//! Invariant: a success is a proof; what could not be proved is told as unknown, never as success.

use super::{ENDPOINTS_PER_PARTNER, MetricsError, STATES, make::Make, seconds, shown::handshake};
use crate::model::{
    report::{ClaimReport, EndpointReport},
    state::State,
};
use prometheus::{Registry, TextEncoder};
use std::{cmp::Reverse, time::Duration};

/// What came of a probe.
#[derive(Debug, Clone, Copy)]
pub enum Probed<'a> {
    /// Nothing before the deadline, so that nothing is known.
    Late,
    /// This.
    Report(&'a ClaimReport),
}

/// A probe as metrics.
pub fn probed(probed: Probed<'_>, took: Duration) -> Result<String, MetricsError> {
    let registry = Registry::new();
    let make = Make(&registry);
    let state = match probed {
        Probed::Late => State::Unknown,
        Probed::Report(report) => report.state,
    };
    make.gauge("mxwarden_probe_success", "1 where the requirement was proved to be met, else 0.")?
        .set(i64::from(state == State::Compliant));
    make.real("mxwarden_probe_took_seconds", "How long the probe took.")?.set(took.as_secs_f64());
    let states = make.gauges(
        "mxwarden_probe_state",
        "1 for the state that was found, 0 for the others.",
        &["state"],
    )?;
    for one in STATES {
        states.with_label_values(&[one.as_str()]).set(i64::from(one == state));
    }
    let obstacles =
        make.gauges("mxwarden_probe_obstacle", "How many obstacles of an id were met.", &["id"])?;
    match probed {
        Probed::Late => obstacles.with_label_values(&["deadline"]).set(1),
        Probed::Report(report) => {
            for obstacle in &report.obstacles {
                obstacles.with_label_values(&[obstacle.id.as_str()]).inc();
            }
            findings(&make, report)?;
            endpoints(&make, report)?;
        }
    }
    TextEncoder::new().encode_to_string(&registry.gather()).map_err(MetricsError::Encode)
}

fn findings(make: &Make<'_>, report: &ClaimReport) -> Result<(), MetricsError> {
    let findings = make.gauges(
        "mxwarden_probe_finding",
        "How many findings of an id and severity there are.",
        &["id", "severity"],
    )?;
    for finding in &report.findings {
        findings.with_label_values(&[finding.id.as_str(), finding.severity.as_str()]).inc();
    }
    Ok(())
}

fn endpoints(make: &Make<'_>, report: &ClaimReport) -> Result<(), MetricsError> {
    let channel = make.gauges(
        "mxwarden_probe_endpoint_channel",
        "Always 1; the channel an endpoint reached: none, plain, encrypted, trusted or matched.",
        &["mx", "address", "port", "channel"],
    )?;
    let tls_info = make.gauges(
        "mxwarden_probe_endpoint_tls_info",
        "Always 1; the handshake of an endpoint.",
        &["mx", "address", "port", "version", "cipher_suite", "group"],
    )?;
    let not_after = make.reals(
        "mxwarden_probe_certificate_not_after_timestamp_seconds",
        "When the certificate of an endpoint ends, or ended, in seconds since 1970.",
        &["mx", "address", "port"],
    )?;
    let mut endpoints: Vec<&EndpointReport> = report.endpoints.iter().collect();
    endpoints.sort_by_key(|endpoint| Reverse(endpoint.state));
    for endpoint in endpoints.into_iter().take(ENDPOINTS_PER_PARTNER) {
        let (address, port) = (endpoint.address.to_string(), endpoint.port.to_string());
        let mx = endpoint.mx.as_ref().map_or("", |mx| mx.as_str());
        let (address, port) = (address.as_str(), port.as_str());
        channel.with_label_values(&[mx, address, port, endpoint.channel.as_str()]).set(1);
        let Some(tls) = &endpoint.tls else { continue };
        let [version, suite, group] = handshake(tls.version, &tls.cipher_suite, &tls.group);
        tls_info.with_label_values(&[mx, address, port, &version, &suite, &group]).set(1);
        if let Some(leaf) = tls.certificates.first() {
            not_after.with_label_values(&[mx, address, port]).set(seconds(leaf.not_after));
        }
    }
    Ok(())
}
