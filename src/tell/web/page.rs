//! Pages for people, readable without JavaScript or colour: the matrix of partners and claims, worst first, and the
//! page of each partner.
//!
//! Invariant: nothing from outside reaches one unescaped, and each is of bounded length.

mod partner;

pub(super) use partner::{CHANGES, Past, nobody, partner};

use super::Snapshot;
use crate::model::{claim::Claim, standing::Standing, state::State, told::Muted};
use crate::tell::{message::time, path};
use crate::wire::text;
use axum::http::HeaderValue;
use sha2::{Digest as _, Sha256};
use std::{cmp::Reverse, collections::BTreeMap, fmt::Write as _};

/// Partners that are shown; the rest is counted.
const PARTNERS: usize = 500;
/// Claims that are told in a sentence each.
const SENTENCES: usize = 200;
/// The longest text from outside, in characters.
const TEXT: usize = 2000;

const STYLE: &str = "body{font:1em/1.4 system-ui,sans-serif;margin:2em;color:#111;background:#fff}\
table{border-collapse:collapse}th,td{border:1px solid #888;padding:.3em .6em;text-align:left}\
thead th{background:#eee}td.violated{background:#fbd5d5;font-weight:bold}td.unknown{background:#fdf0c4}\
td.compliant{background:#dff3df}td.none{color:#666}td a{color:inherit}\
dt{font-weight:bold}dd,td{overflow-wrap:anywhere}\
td.violated,td.unknown,td.compliant{overflow-wrap:normal}.since{white-space:nowrap}.muted{font-weight:normal}";

/// What a browser may do with it: apply its one style sheet, and nothing else.
pub(super) fn policy() -> HeaderValue {
    let digest = text::base64(&Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy)
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}

struct Row<'a> {
    partner: &'a str,
    state: State,
    claims: BTreeMap<Claim, &'a Standing>,
}

/// Partners, the worst first; of those that are alike, by name.
fn rows(snapshot: &Snapshot) -> Vec<Row<'_>> {
    let mut partners: BTreeMap<&str, BTreeMap<Claim, &Standing>> = BTreeMap::new();
    for standing in snapshot.standings.iter() {
        partners.entry(&standing.partner).or_default().insert(standing.claim, standing);
    }
    let rows = partners.into_iter().map(|(partner, claims)| {
        let state = State::worst(claims.values().map(|standing| standing.state));
        Row { partner, state, claims }
    });
    let mut rows: Vec<Row<'_>> = rows.collect();
    rows.sort_by_key(|row| Reverse(row.state));
    rows
}

/// What every page ends with.
const END: &str = "</body>\n</html>\n";

/// What every page begins with.
fn begun(title: &str) -> String {
    let title = escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    )
}

/// The matrix.
pub(super) fn index(snapshot: &Snapshot, muted: &BTreeMap<String, Muted>) -> String {
    let rows = rows(snapshot);
    let mut page = begun("mxwarden");
    if rows.is_empty() {
        page.push_str("<p>Nothing is claimed: no partner is configured.</p>\n");
    } else {
        matrix(&mut page, &rows, muted);
        sentences(&mut page, &rows);
    }
    page.push_str(
        "<h2>Paths</h2>\n<ul>\n\
         <li><a href=\"metrics\">/metrics</a>: for Prometheus</li>\n\
         <li><a href=\"healthz\">/healthz</a>: whether mxwarden lives</li>\n\
         <li><a href=\"readyz\">/readyz</a>: whether it does its work</li>\n\
         <li>/probe?target=DOMAIN&amp;require=LEVEL: one look at one target, as metrics</li>\n</ul>\n",
    );
    page.push_str(END);
    page
}

fn matrix(page: &mut String, rows: &[Row<'_>], muted: &BTreeMap<String, Muted>) {
    let is_used = |claim: &Claim| rows.iter().any(|row| row.claims.contains_key(claim));
    let claims: Vec<Claim> = Claim::all().filter(is_used).collect();
    let count = |state| rows.iter().filter(|row| row.state == state).count();
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "<p>{} partners: {} violated, {} unknown, {} compliant.</p>\n<table>\n<thead>\n<tr><th scope=\"col\">Partner</th>\
         <th scope=\"col\">State</th>",
        rows.len(),
        count(State::Violated),
        count(State::Unknown),
        count(State::Compliant),
    );
    for claim in &claims {
        let _ = write!(page, "<th scope=\"col\">{}</th>", escaped(&claim.to_string()));
    }
    page.push_str("</tr>\n</thead>\n<tbody>\n");
    for row in rows.iter().take(PARTNERS) {
        let (partner, link) = (escaped(row.partner), path::partner(row.partner));
        let silence = muted.get(row.partner).map(silence);
        let silence = silence
            .map(|words| format!("<br><span class=\"muted\">{words}</span>"))
            .unwrap_or_default();
        let _ = write!(
            page,
            "<tr><th scope=\"row\"><a href=\"{link}\">{partner}</a>{silence}</th>{}",
            cell(row.state, &link, "")
        );
        for claim in &claims {
            match row.claims.get(claim) {
                Some(standing) => {
                    let since = standing.since.strftime("%Y-%m-%d %H:%M");
                    let since = format!(" <span class=\"since\">since {since}</span>");
                    let link = path::claim(row.partner, *claim);
                    page.push_str(&cell(standing.state, &link, &since));
                }
                None => page.push_str("<td class=\"none\">not claimed</td>"),
            }
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n<p>Times are UTC.</p>\n");
    if let Some(more) = rows.len().checked_sub(PARTNERS).filter(|more| *more > 0) {
        let _ = writeln!(page, "<p>{more} more partners are not shown; the metrics have them.</p>");
    }
}

/// That nobody is told of a partner, as HTML.
fn silence(Muted { until, why }: &Muted) -> String {
    escaped(&format!("muted until {}: {why}", time(*until)))
}

/// A state, and more HTML behind it.
fn cell(state: State, link: &str, more: &str) -> String {
    format!("<td class=\"{state}\"><a href=\"{link}\">{state}{more}</a></td>")
}

/// What is not proved to hold, in a sentence each.
fn sentences(page: &mut String, rows: &[Row<'_>]) {
    let mut wanting: Vec<&Standing> = rows
        .iter()
        .flat_map(|row| row.claims.values().copied())
        .filter(|standing| standing.state != State::Compliant)
        .collect();
    if wanting.is_empty() {
        return;
    }
    wanting.sort_by_key(|standing| Reverse(standing.state));
    page.push_str("<h2>What is wrong</h2>\n<ul>\n");
    for standing in wanting.iter().take(SENTENCES) {
        let _ = writeln!(
            page,
            "<li>{}, {}: {}: {}</li>",
            escaped(&standing.partner),
            standing.claim,
            standing.state,
            escaped(&standing.summary)
        );
    }
    page.push_str("</ul>\n");
    if let Some(more) = wanting.len().checked_sub(SENTENCES).filter(|more| *more > 0) {
        let _ = writeln!(page, "<p>And {more} more.</p>");
    }
}

/// As text in HTML; what stands between two backticks is code.
fn marked(raw: &str) -> String {
    let text = escaped(raw);
    let parts: Vec<&str> = text.split('`').collect();
    // An even number of parts: one backtick has no other.
    if parts.len().is_multiple_of(2) {
        return text;
    }
    let marked = parts.iter().enumerate().map(|(at, part)| match at.is_multiple_of(2) {
        true => (*part).to_owned(),
        false => format!("<code>{part}</code>"),
    });
    marked.collect()
}

/// As text in HTML, or in a quoted attribute; on one line, without control characters, and no longer than it may be.
fn escaped(raw: &str) -> String {
    let mut safe = String::with_capacity(raw.len());
    for character in text::printable_within(raw.as_bytes(), TEXT).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
