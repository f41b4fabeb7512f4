//! One test case a claim, for CI: violated is a failure, unknown an error, so that neither is green.

use super::{Details, Style, probes, words};
use crate::model::report::{ClaimReport, EndpointReport, PartnerReport, Report};
use crate::model::state::State;
use jiff::Timestamp;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use std::io::{self, Write};
use std::time::Duration;

/// Octets of `system-out` a test case may carry; CI keeps every run.
const MOST_OUTPUT: usize = 32 * 1024;

pub(super) fn write(
    out: &mut dyn Write,
    report: &Report,
    details: &[Details],
    style: Style,
) -> io::Result<()> {
    let mut document = quick_junit::Report::new(report.tool.name);
    document.set_time(between(report.started_at, report.finished_at));
    for partner in &report.partners {
        let mut suite = TestSuite::new(words::clean(&partner.partner));
        suite.extra.insert("timestamp".into(), report.started_at.to_string().into());
        for claim in &partner.claims {
            let mut case = TestCase::new(claim.claim.to_string(), status(claim));
            case.set_classname(words::clean(&partner.partner));
            case.set_system_out(bounded(output(partner, claim, details, style)));
            suite.add_test_case(case);
        }
        document.add_test_suite(suite);
    }
    // Written in one go and by us: quick-junit hides whether it was the reader that went away.
    let text = document.to_string().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

fn status(claim: &ClaimReport) -> TestCaseStatus {
    let kind = match claim.state {
        State::Compliant => return TestCaseStatus::success(),
        State::Unknown => NonSuccessKind::Error,
        State::Violated => NonSuccessKind::Failure,
    };
    let findings = claim.findings.iter().map(words::finding);
    let obstacles = claim.obstacles.iter().map(words::obstacle);
    let told: Vec<_> = match claim.state {
        // What decided comes first.
        State::Unknown => obstacles.chain(findings).collect(),
        State::Compliant | State::Violated => findings.chain(obstacles).collect(),
    };
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_message(words::clean(&claim.summary))
        .set_type(claim.state.as_str())
        .set_description(bounded(told));
    status
}

fn output(
    partner: &PartnerReport,
    claim: &ClaimReport,
    details: &[Details],
    style: Style,
) -> Vec<String> {
    let mut lines = vec![format!("required: {}", words::level(&claim.requirement))];
    for endpoint in &claim.endpoints {
        lines.push(told(endpoint));
        if style.verbose {
            let place = words::place(endpoint);
            let said = Details::transcript(details, &partner.partner, &place);
            lines.extend(said.iter().map(|line| format!("  {}", words::clean(line))));
        }
    }
    lines.extend(claim.probes.iter().map(probes::told));
    lines
}

fn told(endpoint: &EndpointReport) -> String {
    let EndpointReport { state, channel, starttls, .. } = endpoint;
    let (channel, starttls) = (channel.as_str(), starttls.as_str());
    let mut line =
        format!("{}: {state}, channel {channel}, starttls {starttls}", words::place(endpoint));
    let version = endpoint.tls.as_ref().and_then(|tls| tls.version);
    if let Some(version) = version {
        line.push_str(&format!(", {version}"));
    }
    if let Some(banner) = &endpoint.banner {
        line.push_str(&format!(", banner {}", words::clean(banner)));
    }
    line
}

fn bounded(lines: Vec<String>) -> String {
    let mut text = String::new();
    for line in lines {
        if text.len() + line.len() >= MOST_OUTPUT {
            text.push_str("[cut here]\n");
            break;
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn between(start: Timestamp, end: Timestamp) -> Duration {
    // A clock set back in between must not fail the run.
    Duration::try_from(end.duration_since(start)).unwrap_or_default()
}
