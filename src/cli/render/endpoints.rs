//! The endpoints of a claim: a table where it fits, two lines each where it does not.

use super::layout::{self, Page};
use super::words;
use crate::model::report::{EndpointReport, NameMatch, Trust, Validity};
use crate::wire::name::Host;

const HEADER: [&str; 8] =
    ["pref", "MX", "address", "STARTTLS", "TLS", "certificate", "channel", "state"];

pub(super) fn write(page: &mut Page, indent: usize, endpoints: &[EndpointReport]) {
    if endpoints.is_empty() {
        return;
    }
    let header = HEADER.map(str::to_owned).to_vec();
    let rows = std::iter::once(header).chain(endpoints.iter().map(row)).collect();
    match page.aligned(indent, rows) {
        Some(lines) => table(page, indent, &lines, endpoints),
        None => endpoints.iter().for_each(|endpoint| stacked(page, indent, endpoint)),
    }
    page.blank();
    endpoints.iter().for_each(|endpoint| senders(page, indent, endpoint));
}

/// What a deep look says of well-known senders, best first.
fn senders(page: &mut Page, indent: usize, endpoint: &EndpointReport) {
    let Some(tls) = endpoint.tls.as_ref().filter(|tls| !tls.senders.is_empty()) else { return };
    let place = words::place(endpoint);
    page.line(indent, &format!("what senders would get at {place}, best first"));
    let rows: Vec<(&str, String)> = tls
        .senders
        .iter()
        .map(|sender| {
            let version = sender.version.map(|version| version.to_string());
            let agreed = [version, sender.cipher_suite.clone(), sender.group.clone()];
            let agreed: Vec<String> = agreed.into_iter().flatten().collect();
            let words = if agreed.is_empty() { "no TLS".to_owned() } else { agreed.join(" ") };
            (sender.name.as_str(), words::clean(&words))
        })
        .collect();
    page.facts(indent + 4, &rows);
    page.blank();
}

fn table(page: &mut Page, indent: usize, lines: &[String], endpoints: &[EndpointReport]) {
    let mut lines = lines.iter();
    if let Some(header) = lines.next() {
        page.line(indent, header);
    }
    for (line, endpoint) in lines.zip(endpoints) {
        // Colour is put on afterwards: its escapes would count as width.
        let state = endpoint.state;
        let line = match line.strip_suffix(&layout::marked(state)) {
            Some(start) => format!("{start}{}", page.style().marked(state)),
            None => line.clone(),
        };
        page.line(indent, &line);
    }
}

fn stacked(page: &mut Page, indent: usize, endpoint: &EndpointReport) {
    let preference = endpoint
        .preference
        .map_or_else(String::new, |preference| format!(", preference {preference}"));
    let state = page.style().marked(endpoint.state);
    page.line(indent, &format!("{state}  {}{preference}", words::place(endpoint)));
    let reached = format!(
        "STARTTLS {}, TLS {}, channel {}",
        endpoint.starttls.as_str(),
        tls_version(endpoint),
        endpoint.channel.as_str()
    );
    let certificate = certificate(endpoint);
    page.labelled(indent + 4, &[("reached", reached), ("certificate", certificate)]);
}

fn row(endpoint: &EndpointReport) -> Vec<String> {
    let dash = || "-".to_owned();
    vec![
        endpoint.preference.map_or_else(dash, |preference| preference.to_string()),
        endpoint.mx.as_ref().map_or_else(dash, Host::to_string),
        address(endpoint),
        endpoint.starttls.as_str().to_owned(),
        tls_version(endpoint),
        certificate(endpoint),
        endpoint.channel.as_str().to_owned(),
        layout::marked(endpoint.state),
    ]
}

fn address(endpoint: &EndpointReport) -> String {
    match endpoint.port {
        25 => endpoint.address.to_string(),
        port => format!("[{}]:{port}", endpoint.address),
    }
}

fn tls_version(endpoint: &EndpointReport) -> String {
    let Some(version) = endpoint.tls.as_ref().and_then(|tls| tls.version) else {
        return "-".to_owned();
    };
    let version = version.to_string();
    version.strip_prefix("TLSv").unwrap_or(&version).to_owned()
}

/// Dates, trust and name of the leaf in short: `until 2026-03-13, trusted, name ok`.
fn certificate(endpoint: &EndpointReport) -> String {
    let (Some(tls), Some(leaf)) = (&endpoint.tls, words::leaf(endpoint)) else {
        return "-".to_owned();
    };
    let dates = match tls.validity {
        Validity::Expired => format!("expired {}", words::day(leaf.not_after)),
        Validity::NotYetValid => format!("not before {}", words::day(leaf.not_before)),
        Validity::Ok => format!("until {}", words::day(leaf.not_after)),
    };
    let trust = match tls.trust {
        Trust::Ok => "trusted",
        other => other.as_str(),
    };
    let name = match tls.name {
        NameMatch::Match => "name ok",
        NameMatch::Mismatch => "wrong name",
        NameMatch::NoName => "no name",
    };
    format!("{dates}, {trust}, {name}")
}
