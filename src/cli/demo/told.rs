//! What the demo says: ten lines of what is proved and what was found; then what changes, as it changes.

use super::{
    Failure,
    expected::{BROKEN, PARTNERS, Partner, SENDING, SENDS, Sending, amiss, is_as_made},
    heard::Alert,
    place::Place,
    world::World,
};
use crate::cli::render::{self, HistoryFormat, Style};
use crate::model::{
    event::{Event, Happening},
    standing::Standing,
    state::State,
};
use crate::wire::text::printable;
use std::{io, io::Write, net::SocketAddr};

/// Lines of an alert that say the most.
const OF_AN_ALERT: [&str; 3] = ["Where", "Seen", "It lasted"];

/// What is being proved, before anything is.
pub(super) fn beginning(out: &mut dyn Write, world: &World) -> io::Result<()> {
    writeln!(
        out,
        "Contoso has agreed on forced TLS with {} partners. Is it so? Their {} mail servers and ours, our mail system, \
         and {} servers that misbehave on purpose (canaries) run on this machine alone; the daemon proves it.",
        PARTNERS.len(),
        world.servers() - 1,
        world.canaries.len(),
    )?;
    out.flush()
}

/// What was found: a line for each partner, and one for each rule by which our mail system sends.
pub(super) fn found(
    out: &mut dyn Write,
    standings: &[Standing],
    style: Style,
) -> Result<(), Failure> {
    for partner in &PARTNERS {
        let line = of_partner(partner, standings);
        told(out, partner.domain, partner.story, line, style)?;
    }
    for sending in SENDING {
        told(out, sending.name, sending.story, of_rule(sending, standings), style)?;
    }
    for wrong in amiss(standings) {
        writeln!(out, "NOT AS IT SHOULD BE: {}", printable(wrong.as_bytes()))?;
    }
    out.flush()?;
    Ok(())
}

/// One line of what was found.
struct Line {
    state: State,
    said: String,
    is_as_made: bool,
}

fn told(out: &mut dyn Write, who: &str, story: &str, line: Line, style: Style) -> io::Result<()> {
    let Line { state, said, is_as_made } = line;
    let verdict = if is_as_made { "as it should be" } else { "NOT AS IT SHOULD BE" };
    let (mark, said) = (render::marked(style, state), printable(said.as_bytes()));
    writeln!(out, "  {mark}  {who:<18}  {story}: {said} ({verdict})")
}

/// The worst of its claims; those that rest on our mail system alone are told beneath.
fn of_partner(partner: &Partner, standings: &[Standing]) -> Line {
    let mut worst: Option<&Standing> = None;
    let (mut count, mut is_right) = (0, true);
    for (claim, because) in partner.claims().filter(|(claim, _)| *claim != SENDS) {
        let of_claim = |one: &&Standing| one.partner == partner.domain && one.claim == claim;
        let found = standings.iter().find(of_claim);
        is_right &= found.is_some_and(|standing| is_as_made(standing, because));
        count += 1;
        if found.is_some_and(|one| worst.is_none_or(|worst| one.state > worst.state)) {
            worst = found;
        }
    }
    let (state, said) = match worst {
        None => (State::Unknown, "nothing is known".to_owned()),
        Some(standing) if standing.state == State::Compliant && count > 1 => {
            (State::Compliant, format!("all {count} claims are proved, both ways"))
        }
        Some(standing) => (standing.state, format!("{}: {}", standing.claim, standing.summary)),
    };
    Line { state, said, is_as_made: is_right }
}

/// What was found of our mail system, which is the same for every partner under the rule.
fn of_rule(sending: Sending, standings: &[Standing]) -> Line {
    let under = |one: &&Standing| {
        let mut partners = PARTNERS.iter().filter(|partner| partner.outbound == sending);
        one.claim == SENDS && partners.any(|partner| partner.domain == one.partner)
    };
    let all: Vec<&Standing> = standings.iter().filter(under).collect();
    let is_right = !all.is_empty() && all.iter().all(|one| is_as_made(one, sending.sender));
    let worst = all.into_iter().max_by_key(|one| one.state);
    match worst {
        None => {
            Line { state: State::Unknown, said: "nothing is known".to_owned(), is_as_made: false }
        }
        Some(worst) => Line {
            state: worst.state,
            said: format!("{}: {}", worst.claim, worst.summary),
            is_as_made: is_right,
        },
    }
}

/// Where there is more to see while it runs.
pub(super) fn where_to_look(
    out: &mut dyn Write,
    http: SocketAddr,
    world: &World,
    place: &Place,
) -> io::Result<()> {
    let (config, ca) = (place.config_file(), place.path().join("root.pem"));
    writeln!(out, "Look at http://{http}/ and http://{http}/metrics, or in another terminal:")?;
    writeln!(out, "  mxwarden history --config {}", config.display())?;
    writeln!(out, "  mxwarden verify --config {} trusted.test", config.display())?;
    writeln!(
        out,
        "  mxwarden check --resolver {} --port {} --allow-private --ca-file {} one-of-two.test",
        world.dns.address(),
        world.port,
        ca.display()
    )?;
    out.flush()
}

/// Something the demo does.
pub(super) fn done(out: &mut dyn Write, what: &str) -> io::Result<()> {
    writeln!(out, "\n{what}")?;
    out.flush()
}

/// What changed about the partner that is broken.
pub(super) fn changed(out: &mut dyn Write, event: &Event, style: Style) -> io::Result<()> {
    let is_told = match event.what {
        Happening::StateChanged { .. } => event.partner.as_deref() == Some(BROKEN),
        Happening::SelfOutageBegan { .. } | Happening::SelfOutageEnded { .. } => true,
        Happening::ConfigReloaded { .. }
        | Happening::Noticed { .. }
        | Happening::Started { .. }
        | Happening::Stopped => false,
    };
    if is_told {
        render::history(out, std::slice::from_ref(event), HistoryFormat::Text, style)?;
    }
    Ok(())
}

/// An alert as it came.
pub(super) fn alerted(out: &mut dyn Write, alert: &Alert) -> io::Result<()> {
    let word = if alert.resolved { "ALL CLEAR" } else { "ALERT" };
    writeln!(out, "{word}: {}", printable(alert.headline.as_bytes()))?;
    let lines = alert.parts.iter().flat_map(|part| &part.lines);
    for line in lines.filter(|line| OF_AN_ALERT.contains(&line.label.as_str())) {
        writeln!(out, "  {}: {}", line.label, printable(line.text.as_bytes()))?;
    }
    out.flush()
}
