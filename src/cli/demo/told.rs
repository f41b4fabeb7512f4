//! What the demo says: ten lines of what is proved and what was found; then what changes, as it changes.

use super::{
    Failure,
    expected::{BROKEN, OFFERS, PARTNERS, Partner, SENDING, SENDS, Sending, amiss},
    heard::Alert,
    place::Place,
    world::World,
};
use crate::cli::render::{self, HistoryFormat, Style};
use crate::model::{
    event::{Event, Happening},
    finding::Severity,
    standing::Standing,
    state::State,
};
use crate::wire::text::printable;
use std::{io, io::Write, net::SocketAddr};

/// Lines of an alert that say the most.
const OF_AN_ALERT: [&str; 3] = ["Where", "Seen", "It lasted"];

/// Columns before what is said in a line, and the fewest that are left for it.
const BEFORE: usize = 35;
const LEAST: usize = 20;

/// What is being proved, before anything is.
pub(super) fn beginning(out: &mut dyn Write, world: &World) -> io::Result<()> {
    writeln!(
        out,
        "Is mail with these {} partners really forced through TLS? Proved on this machine alone, with {} mail servers, our\n\
         mail system with its {} connectors, and {} receivers that misbehave on purpose (canaries):",
        PARTNERS.len(),
        world.servers(),
        SENDING.len(),
        world.canaries.len(),
    )?;
    out.flush()
}

/// What was found: a line for each partner, and one for each connector by which our mail system sends.
pub(super) fn found(
    out: &mut dyn Write,
    standings: &[Standing],
    style: Style,
) -> Result<(), Failure> {
    for partner in &PARTNERS {
        told(out, partner.domain, &of_partner(partner, standings), style)?;
    }
    for sending in SENDING {
        told(out, sending.name, &of_connector(sending, standings), style)?;
    }
    let amiss = amiss(standings);
    if amiss.is_empty() {
        writeln!(out, "All {} claims are as they should be.", standings.len())?;
    }
    for wrong in amiss {
        writeln!(out, "NOT AS IT SHOULD BE: {}", printable(wrong.as_bytes()))?;
    }
    out.flush()?;
    Ok(())
}

/// One line of what was found.
struct Line {
    state: State,
    said: String,
}

impl Line {
    fn nothing() -> Self {
        Self { state: State::Unknown, said: "nothing is known".to_owned() }
    }

    /// What weighs most in a standing, by its id, and the sentence.
    fn of(standing: &Standing) -> Self {
        let Standing { state, summary, claim, findings, obstacles, .. } = standing;
        let id = match state {
            State::Compliant => None,
            State::Unknown => obstacles.first().map(|obstacle| obstacle.id.as_str()),
            State::Violated => findings
                .iter()
                .find(|finding| finding.severity == Severity::Violation)
                .map(|finding| finding.id.as_str()),
        };
        let id = id.map(|id| format!("{id}: ")).unwrap_or_default();
        // Of partners what they offer is told, of connectors what they send: only the rest needs its name.
        let claim = match *claim {
            OFFERS | SENDS => String::new(),
            other => format!("{other}, "),
        };
        Self { state: *state, said: format!("{claim}{id}{summary}") }
    }
}

/// One line, cut where the terminal ends: all of it stands in the record, and on the pages.
fn told(out: &mut dyn Write, who: &str, line: &Line, style: Style) -> io::Result<()> {
    let said = printable(line.said.as_bytes());
    let room = style.width.map_or(usize::MAX, |width| width.saturating_sub(BEFORE).max(LEAST));
    let cut: String = match said.char_indices().nth(room) {
        Some(_) => said.chars().take(room - 1).chain(['…']).collect(),
        None => said,
    };
    writeln!(out, "  {}  {who:<18}  {cut}", render::marked(style, line.state))
}

/// The worst of its claims; those that rest on our mail system alone are told beneath.
fn of_partner(partner: &Partner, standings: &[Standing]) -> Line {
    let own = |one: &&Standing| one.partner == partner.domain && one.claim != SENDS;
    let all: Vec<&Standing> = standings.iter().filter(own).collect();
    let mut worst: Option<&Standing> = None;
    for standing in &all {
        if worst.is_none_or(|worst| standing.state > worst.state) {
            worst = Some(standing);
        }
    }
    match worst {
        None => Line::nothing(),
        Some(standing) if standing.state == State::Compliant && all.len() > 1 => Line {
            state: State::Compliant,
            said: format!(
                "all {} claims are proved: it and we offer TLS, and take no less",
                all.len()
            ),
        },
        Some(standing) => Line::of(standing),
    }
}

/// What was found of our mail system, which is the same for every partner under the connector.
fn of_connector(sending: Sending, standings: &[Standing]) -> Line {
    let under = |one: &&Standing| {
        let mut partners = PARTNERS.iter().filter(|partner| partner.outbound == sending);
        one.claim == SENDS && partners.any(|partner| partner.domain == one.partner)
    };
    let worst = standings.iter().filter(under).max_by_key(|one| one.state);
    worst.map_or_else(Line::nothing, Line::of)
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
