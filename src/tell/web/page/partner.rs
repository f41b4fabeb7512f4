//! The page of a partner: how each claim stands and what that rests on, and below it what changed.

use super::{END, Snapshot, begun, escaped, marked, silence};
use crate::model::{
    claim::Claim,
    event::Event,
    finding::Finding,
    obstacle::Obstacle,
    standing::{EndpointStanding, Standing},
    state::State,
    told::Muted,
};
use crate::tell::{
    message::{sentence, time},
    path,
    phrase::Phrase,
};
use std::{cmp::Reverse, collections::BTreeMap, fmt::Write as _};

/// Changes that are shown.
pub(in crate::tell::web) const CHANGES: usize = 50;
/// Findings of a claim that are shown, and obstacles.
const FINDINGS: usize = 50;
/// Endpoints of a claim that are shown.
const ENDPOINTS: usize = 100;

/// What the record says of a partner.
pub(in crate::tell::web) enum Past {
    /// It could be read.
    Read {
        /// What changed, newest first.
        changes: Vec<Event>,
        /// The digest of the body that stands for the evidence of each claim, where there is one.
        kept: BTreeMap<Claim, String>,
    },
    /// It cannot be read.
    Unreadable,
}

/// The page.
pub(in crate::tell::web) fn partner(
    snapshot: &Snapshot,
    name: &str,
    muted: Option<&Muted>,
    past: &Past,
) -> String {
    let standings = snapshot.standings.iter();
    let mut claims: Vec<&Standing> = standings.filter(|one| one.partner == name).collect();
    claims.sort_by_key(|standing| (Reverse(standing.state), standing.claim));
    let mut page = begun(name);
    page.push_str("<p><a href=\"../\">All partners</a></p>\n");
    if claims.is_empty() {
        page.push_str("<p>The configuration claims nothing of this partner.</p>\n");
    } else {
        let state = State::worst(claims.iter().map(|standing| standing.state));
        let _ = writeln!(page, "<p>This partner is {state}: the worst of its claims.</p>");
    }
    if let Some(unclaimed) = snapshot.unclaimed.get(name).filter(|words| !words.is_empty()) {
        let _ = writeln!(page, "<p>{}.</p>", escaped(unclaimed));
    }
    if let Some(muted) = muted {
        let _ = writeln!(page, "<p>Nobody is told of this partner: {}</p>", silence(muted));
    }
    for standing in claims {
        claim(&mut page, standing, past);
    }
    history(&mut page, past);
    page.push_str(END);
    page
}

/// That there is none called so.
pub(in crate::tell::web) fn nobody(name: &str) -> String {
    let mut page = begun("No such partner");
    let _ = write!(
        page,
        "<p>No partner is called “{}”, and the record knows of none that was. Names are told with their \
         capitals, as in [[partner]].</p>\n<p><a href=\"../\">All partners</a></p>\n{END}",
        escaped(name)
    );
    page
}

fn claim(page: &mut String, standing: &Standing, past: &Past) {
    let Standing { partner, claim, state, .. } = standing;
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "<h2 id=\"{claim}\">{claim}: {state}</h2>\n<p>The claim: {}.</p>\n<dl>",
        escaped(&sentence(*claim, partner))
    );
    fact(page, "State", &escaped(&format!("{state} since {}", time(standing.since))));
    if let (State::Unknown, Some(last)) = (state, standing.last_known) {
        let text = format!("{}, since {}", last.state, time(last.since));
        fact(page, "Last known", &escaped(&text));
    }
    fact(page, "Result", &escaped(&standing.summary));
    fact(page, "Agreed", &escaped(&format!("level {}", standing.requirement.level)));
    let proved = standing.proven_at.map_or_else(|| "never".to_owned(), time);
    fact(page, "Proved", &escaped(&proved));
    let looked = standing.looked_at.map_or_else(|| "never".to_owned(), time);
    fact(page, "Looked at", &escaped(&looked));
    if let Some(pending) = standing.pending {
        let text = format!(
            "{}, first seen {}; it counts once more looks agree",
            pending.state,
            time(pending.since)
        );
        fact(page, "A change waits", &escaped(&text));
    }
    if !standing.evidence.is_empty() {
        fact(page, "Evidence", &evidence_of(standing, past));
    }
    page.push_str("</dl>\n");
    findings(page, &standing.findings);
    obstacles(page, &standing.obstacles);
    endpoints(page, &standing.endpoints);
}

/// A term and what is said of it, the latter as HTML.
fn fact(page: &mut String, term: &str, html: &str) {
    let _ = writeln!(page, "<dt>{term}</dt><dd>{html}</dd>");
}

/// A link to what is kept of the evidence, and in words what is not.
fn evidence_of(standing: &Standing, past: &Past) -> String {
    let own = &standing.evidence;
    let rule = "bodies are kept on change, for violations and daily";
    let kept = match past {
        Past::Read { kept, .. } => kept.get(&standing.claim),
        Past::Unreadable => Some(own),
    };
    match kept {
        Some(kept) if kept == own => evidence(own, own),
        Some(kept) => format!("{}, kept last: {rule}", evidence(kept, kept)),
        None => format!("{}, not kept: {rule}", escaped(own)),
    }
}

fn evidence(digest: &str, words: &str) -> String {
    format!("<a href=\"../{}\">{}</a>", path::evidence(digest), escaped(words))
}

/// What was cut, where something was.
fn cut(page: &mut String, all: usize, shown: usize, what: &str) {
    if let Some(more) = all.checked_sub(shown).filter(|more| *more > 0) {
        let _ = writeln!(page, "<p>{more} more {what} are not shown.</p>");
    }
}

fn findings(page: &mut String, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    page.push_str("<h3>Findings</h3>\n<ul>\n");
    for finding in findings.iter().take(FINDINGS) {
        let Finding { id, severity, subject, seen, expected, advice, reference } = finding;
        let _ = writeln!(
            page,
            "<li>{severity} {id} at {}: {}\n<dl>",
            escaped(subject),
            marked(id.explanation().title)
        );
        let facts = [
            ("Seen", seen),
            ("Expected", expected),
            ("What to do", advice),
            ("Reference", reference),
        ];
        for (term, text) in facts.into_iter().filter(|(_, text)| !text.is_empty()) {
            fact(page, term, &marked(text));
        }
        page.push_str("</dl></li>\n");
    }
    page.push_str("</ul>\n");
    cut(page, findings.len(), FINDINGS, "findings");
}

fn obstacles(page: &mut String, obstacles: &[Obstacle]) {
    if obstacles.is_empty() {
        return;
    }
    page.push_str("<h3>Obstacles</h3>\n<ul>\n");
    for Obstacle { id, subject, detail } in obstacles.iter().take(FINDINGS) {
        let explained = id.explanation();
        let _ =
            writeln!(page, "<li>{id} at {}: {}\n<dl>", escaped(subject), escaped(explained.title));
        fact(page, "Seen", &escaped(detail));
        fact(page, "What to do", &marked(explained.advice));
        page.push_str("</dl></li>\n");
    }
    page.push_str("</ul>\n");
    cut(page, obstacles.len(), FINDINGS, "obstacles");
}

fn endpoints(page: &mut String, endpoints: &[EndpointStanding]) {
    if endpoints.is_empty() {
        return;
    }
    page.push_str("<h3>Endpoints</h3>\n<table>\n<thead>\n<tr>");
    let heads =
        ["MX", "Address", "Port", "STARTTLS", "TLS", "Certificate until", "Channel", "State"];
    for head in heads {
        let _ = write!(page, "<th scope=\"col\">{head}</th>");
    }
    page.push_str("</tr>\n</thead>\n<tbody>\n");
    for endpoint in endpoints.iter().take(ENDPOINTS) {
        let tls = endpoint.tls.as_ref();
        let until = tls.and_then(|tls| tls.leaf.as_ref()).map(|leaf| time(leaf.not_after));
        let cells = [
            endpoint.mx.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string),
            endpoint.address.to_string(),
            endpoint.port.to_string(),
            endpoint.starttls.as_str().to_owned(),
            tls.and_then(|tls| tls.version)
                .map_or_else(|| "none".to_owned(), |version| version.to_string()),
            until.unwrap_or_else(|| "none".to_owned()),
            endpoint.channel.as_str().to_owned(),
        ];
        page.push_str("<tr>");
        for cell in cells {
            let _ = write!(page, "<td>{}</td>", escaped(&cell));
        }
        let state = endpoint.state;
        let _ = writeln!(page, "<td class=\"{state}\">{state}</td></tr>");
    }
    page.push_str("</tbody>\n</table>\n");
    cut(page, endpoints.len(), ENDPOINTS, "endpoints");
}

fn history(page: &mut String, past: &Past) {
    page.push_str("<h2 id=\"changes\">What changed</h2>\n");
    let events = match past {
        Past::Unreadable => {
            page.push_str("<p>The record cannot be read now; the log says why.</p>\n");
            return;
        }
        Past::Read { changes, .. } if changes.is_empty() => {
            page.push_str("<p>Nothing that the record knows of.</p>\n");
            return;
        }
        Past::Read { changes, .. } => changes,
    };
    page.push_str("<table>\n<thead>\n<tr>");
    for head in ["When", "Claim", "What", "Why", "Evidence"] {
        let _ = write!(page, "<th scope=\"col\">{head}</th>");
    }
    page.push_str("</tr>\n</thead>\n<tbody>\n");
    for event in events.iter().take(CHANGES) {
        let Phrase { what, why, evidence: digest, .. } = Phrase::of(&event.what);
        let claim = event.claim.map(|claim| claim.to_string()).unwrap_or_default();
        page.push_str("<tr>");
        for cell in [time(event.at), claim, what, why] {
            let _ = write!(page, "<td>{}</td>", escaped(&cell));
        }
        let link = if digest.is_empty() { String::new() } else { evidence(&digest, "evidence") };
        let _ = writeln!(page, "<td>{link}</td></tr>");
    }
    page.push_str("</tbody>\n</table>\n");
    if events.len() > CHANGES {
        let _ = writeln!(
            page,
            "<p>These are the last {CHANGES}; <code>mxwarden history</code> tells all of them.</p>"
        );
    }
}
