//! What is said about one topic.

use super::{
    Detail, Line, Part, ThreadStays, Words, evidence_link, is_partners, lasted, partner_link,
    sentence, shown, since, time,
};
use crate::model::{
    event::{Event, Happening},
    finding::{Finding, FindingId, Severity},
    obstacle::{Obstacle, ObstacleId},
    standing::Standing,
    state::State,
    told::{Reason, Topic},
};
use crate::tell::decide::{Expiring, Speech};

/// Findings and obstacles told at length.
const AT_LENGTH: usize = 3;

pub(super) fn part(words: &Words<'_>, topic: &Topic, speech: &Speech, detail: Detail) -> Part {
    let mut part = Part {
        topic: topic.clone(),
        thread: String::new(),
        thread_stays: ThreadStays::Closed,
        before: speech.before.state,
        partner: topic.partner().map(shown),
        claim: None,
        state: None,
        severity: speech.severity,
        since: speech.since,
        id: None,
        title: String::new(),
        lines: Vec::new(),
        link: topic.partner().and_then(|partner| partner_link(words, partner)),
    };
    match topic {
        Topic::Claim { partner, claim } => {
            part.claim = Some(*claim);
            let standing = words.standings.get(&(partner.as_str(), *claim)).copied();
            about_claim(words, &mut part, speech, standing, detail);
        }
        Topic::Certificate { partner, sha256 } => {
            let one = words.certificates.get(&(partner.as_str(), sha256.as_str()));
            about_certificate(words, &mut part, one, detail);
        }
        Topic::Channel { name } => about_channel(&mut part, speech, name, words),
        Topic::Notice { event } => {
            if let Some(event) = words.events.get(event.as_str()) {
                about_event(words, &mut part, event, detail);
            }
        }
    }
    let who = part.partner.clone();
    let what = clause(words, topic, speech.reason, part.state, part.id);
    part.title = match who {
        Some(who) => format!("{who}: {what}"),
        None => what,
    };
    part
}

/// The worst finding, or the first obstacle.
fn worst(standing: &Standing) -> (Option<&Finding>, Option<&Obstacle>) {
    let broken = standing.findings.iter().find(|one| one.severity == Severity::Violation);
    match standing.state {
        State::Violated => (broken, None),
        State::Unknown => (None, standing.obstacles.first()),
        State::Compliant => (None, None),
    }
}

fn about_claim(
    words: &Words<'_>,
    part: &mut Part,
    speech: &Speech,
    standing: Option<&Standing>,
    detail: Detail,
) {
    let Some(standing) = standing else {
        part.lines.push(since(speech, words.now));
        let text = "The configuration does not claim it any more; nothing was proved by that.";
        part.lines.push(Line::new("What happened", text));
        return;
    };
    part.state = Some(standing.state);
    let (finding, obstacle) = worst(standing);
    part.id = finding.map(|one| one.id.as_str()).or_else(|| obstacle.map(|one| one.id.as_str()));
    part.lines.push(Line::new("What happened", happened(words, speech, standing)));
    if speech.reason.is_end() {
        let span = standing.since.max(speech.since).duration_since(speech.since);
        let text = format!(
            "{} (from {} to {})",
            lasted(span),
            time(speech.since),
            time(standing.since.max(speech.since))
        );
        part.lines.push(Line::new("It lasted", text));
    } else {
        part.lines.push(since(speech, words.now));
    }
    let claim = sentence(standing.claim, &standing.partner);
    part.lines.push(Line::new("The claim", format!("{claim} ({})", standing.claim)));
    part.lines.push(Line::new("Result", &standing.summary));
    if let (State::Unknown, Some(last)) = (standing.state, standing.last_known) {
        let text = format!("{}, since {}", last.state, time(last.since));
        part.lines.push(Line::new("Last known", text));
    }
    match detail {
        Detail::Brief => brief(part, finding, obstacle),
        Detail::Whole => {
            at_length(part, standing);
            if let Some(text) = to_partner(words, standing, finding) {
                part.lines.push(Line::new("To tell the partner", text));
            }
        }
    }
    if !standing.evidence.is_empty() {
        part.lines.push(Line::new("Evidence", evidence_link(words, standing)));
    }
}

/// What changed, in a sentence.
fn happened(words: &Words<'_>, speech: &Speech, standing: &Standing) -> String {
    match speech.reason {
        Reason::CannotTell => format!(
            "Whether the claim holds cannot be told, for {} now. That is no proof of a fault, and none of health.",
            lasted(words.now.duration_since(standing.since))
        ),
        Reason::FirstSeen => "The claim is violated; that was proved.".to_owned(),
        Reason::Regressed => "The claim had recovered, and is violated again.".to_owned(),
        Reason::Worse => "It was open before, and something worse was proved.".to_owned(),
        Reason::StillBroken => match standing.state {
            State::Unknown if speech.before.state == Some(State::Violated) => {
                "Violated when it was last proved; since then it cannot be told.".to_owned()
            }
            State::Unknown => "It still cannot be told whether the claim holds.".to_owned(),
            State::Compliant | State::Violated => "The claim is still violated.".to_owned(),
        },
        Reason::Recovered => "The claim was violated, and is proved to hold again.".to_owned(),
        Reason::KnownAgain => {
            "It could not be told whether the claim holds; now it is proved to.".to_owned()
        }
        Reason::NoLongerClaimed
        | Reason::Changed
        | Reason::ChannelFailed
        | Reason::ChannelWorks
        | Reason::ExpiresSoon
        | Reason::Sample
        | Reason::SelfOutage
        | Reason::SelfOutageOver => standing.summary.clone(),
    }
}

fn brief(part: &mut Part, finding: Option<&Finding>, obstacle: Option<&Obstacle>) {
    if let Some(finding) = finding {
        part.lines.push(Line::new("Seen", format!("{}: {}", finding.subject, finding.seen)));
    }
    if let Some(obstacle) = obstacle {
        part.lines
            .push(Line::new("Obstacle", format!("{}: {}", obstacle.subject, obstacle.detail)));
    }
}

fn at_length(part: &mut Part, standing: &Standing) {
    let breaks = standing.findings.iter().filter(|one| one.severity == Severity::Violation);
    let shows = match standing.state {
        State::Violated => AT_LENGTH,
        State::Compliant | State::Unknown => 0,
    };
    for finding in breaks.take(shows) {
        facts(part, finding);
    }
    if standing.state == State::Unknown {
        for obstacle in standing.obstacles.iter().take(AT_LENGTH) {
            let text = format!("{} at {}: {}", obstacle.id, obstacle.subject, obstacle.detail);
            part.lines.push(Line::new("Obstacle", text));
            part.lines.push(Line::new("What to do", obstacle.id.explanation().advice));
        }
    }
}

fn facts(part: &mut Part, finding: &Finding) {
    let title = finding.id.explanation().title;
    part.lines.push(Line::new("Finding", format!("{title} ({})", finding.id)));
    part.lines.push(Line::new("Where", &finding.subject));
    part.lines.push(Line::new("Seen", &finding.seen));
    part.lines.push(Line::new("Expected", format!("{} ({})", finding.expected, finding.reference)));
    part.lines.push(Line::new("What to do", &finding.advice));
}

/// A text that can be sent to the partner as it is; none where the fault is on our side.
fn to_partner(words: &Words<'_>, standing: &Standing, finding: Option<&Finding>) -> Option<String> {
    let finding = finding.filter(|_| is_partners(standing.claim))?;
    Some(format!(
        "Dear postmaster of {}, we have agreed that mail between us is protected by TLS. Since {} we see that this does not hold: \
         {}. Seen at {}: {}. Expected: {} ({}). Please correct it, and tell us; we look again by ourselves. \
         Postmaster of {}",
        standing.partner,
        time(standing.since),
        finding.id.explanation().title,
        finding.subject,
        finding.seen,
        finding.expected,
        finding.reference,
        words.organisation,
    ))
}

fn about_certificate(words: &Words<'_>, part: &mut Part, one: Option<&Expiring>, detail: Detail) {
    let Some(one) = one else { return };
    part.id = Some(FindingId::CertExpiresSoon.as_str());
    part.since = one.not_after;
    let left = lasted(one.not_after.duration_since(words.now));
    let hosts: Vec<&str> = one.hosts.iter().map(String::as_str).take(10).collect();
    let text = format!("The certificate expires in {left}, at {}.", time(one.not_after));
    part.lines.push(Line::new("What happened", text));
    part.lines.push(Line::new("Where", hosts.join(", ")));
    if detail == Detail::Brief {
        return;
    }
    let claims: Vec<String> =
        one.claims.iter().map(|claim| sentence(*claim, &one.partner)).collect();
    part.lines.push(Line::new("The claim", claims.join("; ")));
    part.lines.push(Line::new("Seen", format!("{}, issued by {}", one.subject, one.issuer)));
    part.lines.push(Line::new("Expected", "a certificate in date, before this one ends"));
    let advice = FindingId::CertExpiresSoon.explanation().advice;
    part.lines.push(Line::new("What to do", advice));
    if one.claims.iter().any(|claim| is_partners(*claim)) {
        let text = format!(
            "Dear postmaster of {}, the certificate of {} ({}) expires at {}. From then on mail from us would not be \
             delivered. Please renew it, and see that the mail server serves the new one. Postmaster of {}",
            one.partner,
            hosts.join(", "),
            one.subject,
            time(one.not_after),
            words.organisation,
        );
        part.lines.push(Line::new("To tell the partner", text));
    }
    part.lines.push(Line::new("Certificate", format!("SHA-256 {}", one.sha256)));
}

fn about_channel(part: &mut Part, speech: &Speech, name: &str, words: &Words<'_>) {
    let name = shown(name);
    if speech.reason == Reason::ChannelWorks {
        let text =
            format!("The channel {name} takes alerts again; what it missed is sent to it now.");
        part.lines.push(Line::new("What happened", text));
        part.lines.push(Line::new("It lasted", lasted(words.now.duration_since(speech.since))));
        return;
    }
    let text =
        format!("The channel {name} does not take alerts. They are kept for it, and tried again.");
    part.lines.push(Line::new("What happened", text));
    part.lines.push(since(speech, words.now));
    let advice = format!("See the log for why, and try it with `mxwarden alert test {name}`.");
    part.lines.push(Line::new("What to do", advice));
}

fn about_event(words: &Words<'_>, part: &mut Part, event: &Event, detail: Detail) {
    part.partner = event.partner.as_deref().map(shown);
    part.claim = event.claim;
    part.link = event.partner.as_deref().and_then(|partner| partner_link(words, partner));
    let when = Line::new("When", time(event.at));
    match &event.what {
        Happening::Noticed { finding } => {
            part.id = Some(finding.id.as_str());
            part.lines.push(when);
            if let (Some(claim), Some(partner)) = (event.claim, &event.partner) {
                let text = format!("{} ({claim})", sentence(claim, partner));
                part.lines.push(Line::new("The claim", text));
                let standing = words.standings.get(&(partner.as_str(), claim));
                if let Some(standing) = standing {
                    part.state = Some(standing.state);
                }
            }
            match detail {
                Detail::Whole => facts(part, finding),
                Detail::Brief => brief(part, Some(finding), None),
            }
        }
        Happening::SelfOutageBegan { detail } => {
            part.id = Some(ObstacleId::SelfOutage.as_str());
            let text = "Everything failed at once, so the fault is ours. Nothing can be proved meanwhile, and \
                        nobody is accused of anything.";
            part.lines.push(Line::new("What happened", text));
            part.lines.push(when);
            part.lines.push(Line::new("Seen", detail));
            part.lines.push(Line::new("What to do", ObstacleId::SelfOutage.explanation().advice));
        }
        Happening::SelfOutageEnded { detail } => {
            part.id = Some(ObstacleId::SelfOutage.as_str());
            part.lines.push(Line::new(
                "What happened",
                "Our own outage is over; claims are proved again.",
            ));
            part.lines.push(when);
            part.lines.push(Line::new("Seen", detail));
        }
        Happening::ConfigReloaded { .. }
        | Happening::Started { .. }
        | Happening::StateChanged { .. }
        | Happening::Stopped => {}
    }
}

/// What happened, without the partner.
pub(super) fn clause(
    words: &Words<'_>,
    topic: &Topic,
    reason: Reason,
    state: Option<State>,
    id: Option<&str>,
) -> String {
    let title = id.map(|id| match (id.parse::<FindingId>(), id.parse::<ObstacleId>()) {
        (Ok(id), _) => id.explanation().title,
        (_, Ok(id)) => id.explanation().title,
        (Err(_), Err(_)) => "",
    });
    let because = title.filter(|title| !title.is_empty()).map(|title| format!(": {title}"));
    let because = because.unwrap_or_default();
    match topic {
        Topic::Claim { claim, .. } => match (reason, state) {
            (Reason::FirstSeen, _) => format!("{claim} is violated{because}"),
            (Reason::Regressed, _) => format!("{claim} is violated again{because}"),
            (Reason::Worse, _) => format!("{claim} got worse{because}"),
            (Reason::StillBroken, Some(State::Unknown)) => {
                format!("{claim} is still open, and unknown{because}")
            }
            (Reason::StillBroken, _) => format!("{claim} is still violated{because}"),
            (Reason::CannotTell, _) => format!("{claim} cannot be told{because}"),
            (Reason::Recovered, _) => format!("{claim} is compliant again"),
            (Reason::KnownAgain, _) => format!("{claim} is known again, and compliant"),
            (Reason::NoLongerClaimed, _) => format!("{claim} is not claimed any more"),
            (
                Reason::Changed
                | Reason::ChannelFailed
                | Reason::ChannelWorks
                | Reason::ExpiresSoon
                | Reason::Sample
                | Reason::SelfOutage
                | Reason::SelfOutageOver,
                _,
            ) => claim.to_string(),
        },
        Topic::Certificate { partner, sha256 } => {
            match words.certificates.get(&(partner.as_str(), sha256.as_str())) {
                Some(one) => {
                    let left = lasted(one.not_after.duration_since(words.now));
                    let host = one.hosts.first().map_or("its server", String::as_str);
                    format!("the certificate of {host} expires in {left}")
                }
                None => "a certificate expires soon".to_owned(),
            }
        }
        Topic::Channel { name } if reason == Reason::ChannelWorks => {
            format!("the alert channel {} works again", shown(name))
        }
        Topic::Channel { name } => format!("the alert channel {} does not work", shown(name)),
        Topic::Notice { .. } => match (reason, title) {
            (Reason::SelfOutageOver, _) => "our own outage is over".to_owned(),
            (Reason::SelfOutage, _) => "our own outage: nothing can be proved".to_owned(),
            (_, Some(title)) if !title.is_empty() => title.to_owned(),
            _ => "something changed".to_owned(),
        },
    }
}

/// What happened, where there are many causes.
pub(super) fn many(reason: Reason) -> &'static str {
    match reason {
        Reason::CannotTell => "claims cannot be told, for several causes",
        Reason::Changed => "several changes",
        Reason::ChannelFailed => "several alert channels do not work",
        Reason::ChannelWorks => "several alert channels work again",
        Reason::ExpiresSoon => "several certificates expire soon",
        Reason::FirstSeen => "claims are violated, for several causes",
        Reason::KnownAgain => "claims are known again, and compliant",
        Reason::NoLongerClaimed => "claims are not claimed any more",
        Reason::Recovered => "claims are compliant again",
        Reason::Regressed => "claims are violated again, for several causes",
        Reason::Sample => "a sample",
        Reason::SelfOutage => "our own outage: nothing can be proved",
        Reason::SelfOutageOver => "our own outage is over",
        Reason::StillBroken => "incidents are still open",
        Reason::Worse => "incidents got worse",
    }
}
