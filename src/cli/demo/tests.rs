//! What is held against what, and how it is told: a demo that finds everything in order whatever is found proves nothing.

use super::{
    expected::{Because, PARTNERS, amiss},
    told::found,
};
use crate::cli::render::Style;
use crate::model::{
    finding::{Finding, Severity},
    obstacle::{Obstacle, ObstacleId},
    standing::Standing,
    state::State,
};
use crate::record::samples::standing;

/// Every claim as it was made.
fn as_made() -> Vec<Standing> {
    let of_partner = |partner: &super::expected::Partner| {
        let domain = partner.domain;
        let stands = move |(claim, because): (_, Because)| {
            let (mut findings, mut obstacles) = (Vec::new(), Vec::new());
            match because {
                Because::Broken(id) => {
                    findings.push(Finding::new(
                        id,
                        Severity::Violation,
                        domain,
                        "seen",
                        "expected",
                    ));
                }
                Because::Hidden(id) => obstacles.push(Obstacle::new(id, domain, "detail")),
                Because::Proved => {}
            }
            Standing { claim, findings, obstacles, ..standing(domain, because.state(), "") }
        };
        partner.claims().map(stands).collect::<Vec<_>>()
    };
    PARTNERS.iter().flat_map(of_partner).collect()
}

fn told(standings: &[Standing], width: Option<usize>) -> String {
    let mut out = Vec::new();
    found(&mut out, standings, Style { width, ..Style::default() }).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn all_is_as_it_should_be_only_where_every_claim_is() {
    let made = as_made();
    assert_eq!(amiss(&made), Vec::<String>::new());
    let last = told(&made, None);
    assert!(last.ends_with("All 19 claims are as they should be.\n"), "{last}");
    for at in 0..made.len() {
        let spoilt = |spoil: &dyn Fn(&mut Standing)| {
            let mut standings = made.clone();
            spoil(&mut standings[at]);
            amiss(&standings)
        };
        for state in [State::Compliant, State::Unknown, State::Violated] {
            let is_amiss = !spoilt(&|one| one.state = state).is_empty();
            assert_eq!(is_amiss, state != made[at].state, "{state}: {:?}", made[at]);
        }
        // For another reason, or without a proof.
        let unfounded = |one: &mut Standing| {
            (one.proven_at, one.findings, one.obstacles) = (None, Vec::new(), Vec::new());
        };
        assert_eq!(spoilt(&unfounded).len(), 1, "{:?}", made[at]);
        assert_eq!(spoilt(&|one| one.looked_at = None).len(), 1);
        assert_eq!(spoilt(&|one| one.partner = "somebody.test".to_owned()).len(), 1);
    }
    assert_eq!(amiss(&[]).len(), made.len());
    let more: Vec<_> =
        made.iter().cloned().chain([standing("more.test", State::Unknown, "")]).collect();
    assert_eq!(amiss(&more), ["1 claims are made that are not known here"]);
}

#[test]
fn what_is_amiss_is_told_and_no_line_runs_over_the_terminal() {
    let mut standings = as_made();
    standings[0].state = State::Unknown;
    standings[0].obstacles = vec![Obstacle::new(ObstacleId::Stale, "mx", "old")];
    standings[0].summary = "a sentence with a tail ".repeat(20);
    let all = told(&standings, None);
    assert!(
        all.contains("NOT AS IT SHOULD BE: healthy.test outbound/receiver-offers: unknown"),
        "{all}"
    );
    assert!(!all.contains("claims are as they should be"), "{all}");
    let wide = told(&standings, Some(80));
    let line = wide.lines().next().unwrap();
    assert!(line.starts_with("  ? unknown    healthy.test        stale: a sentence"), "{line}");
    assert!(line.ends_with('…') && line.chars().count() == 80, "{line}");
}
