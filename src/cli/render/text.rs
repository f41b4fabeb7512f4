//! For people.
//!
//! 1. The answer.
//! 2. Each partner, worst first; where it has several claims their matrix, one sentence each.
//! 3. Each claim: the endpoints, the probes, the findings, the obstacles.
//! 4. With `--verbose`: what each endpoint said and showed.

use super::layout::Page;
use super::{Details, Style, detail, endpoints, probes, words};
use crate::model::claim::Unclaimed;
use crate::model::finding::Finding;
use crate::model::obstacle::Obstacle;
use crate::model::report::{ClaimReport, PartnerReport, Report};
use crate::model::requirement::Requirement;
use crate::model::state::State;
use std::io::{self, Write};

pub(super) fn write(
    out: &mut dyn Write,
    report: &Report,
    details: &[Details],
    style: Style,
) -> io::Result<()> {
    let mut page = Page::new(style);
    match report.partners.as_slice() {
        [only] => {
            page.line(0, &answer(style, only));
            partner(&mut page, only, details);
        }
        _ => {
            page.line(0, &words::counts(report));
            for one in words::worst_first(report) {
                page.blank();
                page.line(0, &answer(style, one));
                partner(&mut page, one, details);
            }
        }
    }
    // Each block ends in a blank line; the page does not.
    let text = page.into_text();
    writeln!(out, "{}", text.trim_end())
}

fn answer(style: Style, partner: &PartnerReport) -> String {
    let PartnerReport { partner: name, state, .. } = partner;
    let state = style.paint(*state, state.as_str());
    format!("{}: {state} — {}", words::clean(name), words::gist(partner))
}

fn partner(page: &mut Page, partner: &PartnerReport, details: &[Details]) {
    let unclaimed = Unclaimed::in_words(&partner.unclaimed);
    if !unclaimed.is_empty() {
        page.line(2, &unclaimed);
    }
    page.blank();
    let alone = partner.claims.len() == 1;
    let claims = words::worst_claims_first(partner);
    if !alone {
        probes::matrix(page, 2, &claims);
    }
    for one in claims {
        let indent = if alone {
            2
        } else {
            let ClaimReport { claim, state, requirement, .. } = one;
            let state = page.style().marked(*state);
            page.line(2, &format!("{claim}: {state} ({})", words::level(requirement)));
            page.blank();
            4
        };
        claim(page, indent, one);
        if page.style().verbose {
            detail::write(page, indent, one, |place| {
                Details::transcript(details, &partner.partner, place)
            });
        }
    }
}

fn claim(page: &mut Page, indent: usize, claim: &ClaimReport) {
    required(page, indent, &claim.requirement);
    endpoints::write(page, indent, &claim.endpoints);
    probes::write(page, indent, &claim.probes);
    findings(page, indent, &claim.findings);
    obstacles(page, indent, &claim.obstacles);
}

/// What the answer does not say of the requirement: the names and pins somebody asked for.
fn required(page: &mut Page, indent: usize, requirement: &Requirement) {
    let names: Vec<_> = requirement.names.iter().map(ToString::to_string).collect();
    let pins: Vec<_> = requirement.pins.iter().map(|pin| pin.as_hex().to_owned()).collect();
    if names.is_empty() && pins.is_empty() {
        return;
    }
    page.labelled(indent, &[("names", names.join(", ")), ("pins", pins.join("\n"))]);
    page.blank();
}

/// Facts that are alike but for their subject, in the order the first of each came.
fn alike<T>(facts: &[T], same: impl Fn(&T, &T) -> bool) -> Vec<Vec<&T>> {
    let mut groups: Vec<Vec<&T>> = Vec::new();
    for fact in facts {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| same(first, fact))) {
            Some(group) => group.push(fact),
            None => groups.push(vec![fact]),
        }
    }
    groups
}

fn findings(page: &mut Page, indent: usize, findings: &[Finding]) {
    let same = |a: &Finding, b: &Finding| {
        (a.id, a.severity, &a.seen, &a.expected) == (b.id, b.severity, &b.seen, &b.expected)
    };
    for group in alike(findings, same) {
        let Some(first) = group.first() else { continue };
        let Finding { id, severity, seen, expected, advice, reference, .. } = first;
        let weight = page.style().weighed(*severity);
        page.line(indent, &format!("{weight}  {id}"));
        let rows = [
            ("at", subjects(group.iter().map(|finding| finding.subject.as_str()))),
            ("seen", words::clean(seen)),
            ("expected", words::clean(expected)),
            ("advice", words::clean(advice)),
            ("reference", words::clean(reference)),
        ];
        page.labelled(indent + 4, &rows);
        page.blank();
    }
}

fn obstacles(page: &mut Page, indent: usize, obstacles: &[Obstacle]) {
    let same = |a: &Obstacle, b: &Obstacle| (a.id, &a.detail) == (b.id, &b.detail);
    for group in alike(obstacles, same) {
        let Some(Obstacle { id, detail, .. }) = group.first() else { continue };
        let weight = page.style().paint(State::Unknown, "? obstacle");
        page.line(indent, &format!("{weight}  {id}"));
        let rows = [
            ("at", subjects(group.iter().map(|obstacle| obstacle.subject.as_str()))),
            ("detail", words::clean(detail)),
        ];
        page.labelled(indent + 4, &rows);
        page.blank();
    }
}

fn subjects<'a>(subjects: impl Iterator<Item = &'a str>) -> String {
    subjects.map(words::clean).collect::<Vec<_>>().join("\n")
}
