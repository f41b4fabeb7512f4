//! How attempts are told: as probes of the report, as findings, as obstacles.
//!
//! Invariant: tells what was read, and judges nothing.

use super::{
    attempt::{Came, Tried},
    experiment::Judged,
};
use crate::model::{
    enforcement::{AttemptKind, Demand, ReplyClass},
    finding::FindingId,
    obstacle::ObstacleId,
    report::{Outcome, ProbeKind, ProbeReport},
    session::{Endpoint, Phase},
};
use crate::wire::smtp::Reply;

/// One row an attempt.
pub(super) fn probes(endpoint: &Endpoint, experiments: &[Judged<'_>]) -> Vec<ProbeReport> {
    let tried = experiments.iter().flat_map(|experiment| &experiment.tried);
    tried.map(|tried| probe(endpoint, tried)).collect()
}

fn probe(endpoint: &Endpoint, tried: &Tried<'_>) -> ProbeReport {
    let reached = reached(tried);
    let (outcome, phase, reply, class) = match &tried.came {
        Came::Accepted(reply) => (Outcome::Accepted, reached, reply.to_string(), None),
        Came::Answered(version) => {
            let words = format!("a hello of {version} was answered");
            (Outcome::Inconclusive, reached, words, None)
        }
        Came::EnvelopeTaken(reply) => {
            let words = format!("{reply} (envelope accepted, DATA not tried)");
            (Outcome::Inconclusive, reached, words, None)
        }
        Came::Hindered(_, detail) => (Outcome::Inconclusive, reached, detail.clone(), None),
        Came::Refused(refusal) => {
            (Outcome::Refused, refusal.phase, refusal.said.clone(), refusal.class)
        }
    };
    ProbeReport {
        kind: ProbeKind::Attempt(tried.attempt.kind),
        target: endpoint.to_string(),
        outcome,
        phase,
        reply: Some(reply),
        class,
    }
}

/// The highest phase: that of the session, or of the envelope's last reply.
fn reached(tried: &Tried<'_>) -> Phase {
    let envelope = &tried.attempt.envelope;
    let taken = envelope.message.as_ref().is_some_and(Reply::is_positive);
    let phases = [
        (envelope.mail.is_some(), Phase::Mail),
        (envelope.rcpt.is_some(), Phase::Rcpt),
        (envelope.data.is_some() || envelope.message.is_some(), Phase::Data),
        (taken, Phase::Accepted),
    ];
    let replied = phases.into_iter().filter(|(seen, _)| *seen).map(|(_, phase)| phase).max();
    replied.unwrap_or(Phase::Connect).max(tried.attempt.session.reached)
}

/// What it is that a negative was taken, and what was expected.
pub(super) fn finding_of(tried: &Tried<'_>, demand: &Demand) -> Option<(FindingId, &'static str)> {
    let session = &tried.attempt.session;
    let in_clear = (FindingId::PlaintextAccepted, "a refusal of mail in clear");
    let legacy =
        (FindingId::MailAcceptedOverLegacyTls, "a refusal of TLS below the lowest version");
    let no_certificate = (
        FindingId::ClientCertNotRequired,
        "a refusal of clients without the partner's certificate",
    );
    match tried.attempt.kind {
        AttemptKind::Control | AttemptKind::NullSender => None,
        AttemptKind::ForeignAddress => {
            let lowest = demand.floor.min_version.version();
            let version = session.tls.as_ref().and_then(|tls| tls.version);
            if !session.has_completed_tls() {
                Some(in_clear)
            } else if version.is_some_and(|version| version < lowest) {
                Some(legacy)
            } else {
                // No certificate can have been shown where we hold none.
                let is_bare =
                    !demand.floor.client_names.is_empty() && !demand.has_client_certificate;
                is_bare.then_some(no_certificate)
            }
        }
        AttemptKind::LegacyTls => Some(legacy),
        AttemptKind::NoClientCert => Some(no_certificate),
        AttemptKind::OtherClientCert | AttemptKind::SelfMadeClientCert => Some((
            FindingId::WrongClientCertAccepted,
            "a refusal of certificates other than the partner's",
        )),
        AttemptKind::Plaintext => Some(in_clear),
    }
}

/// What was seen where a negative was taken.
pub(super) fn taken(tried: &Tried<'_>, reply: &Reply) -> String {
    let how = match tried.attempt.kind {
        AttemptKind::Control => "the control",
        AttemptKind::ForeignAddress => "from an address outside the connector's networks",
        AttemptKind::LegacyTls => "over TLS below the lowest version",
        AttemptKind::NoClientCert => "over TLS without a client certificate",
        AttemptKind::NullSender => "in clear with MAIL FROM:<>",
        AttemptKind::OtherClientCert => "over TLS with a trusted certificate for another name",
        AttemptKind::Plaintext => "in clear",
        AttemptKind::SelfMadeClientCert => "over TLS with a self-made certificate",
    };
    let sender = tried.attempt.mail_from.as_ref().map_or_else(String::new, ToString::to_string);
    let step = if tried.attempt.envelope.message.is_some() { "the message" } else { "RCPT" };
    let depth = if tried.attempt.envelope.message.is_some() {
        ""
    } else {
        "; envelope accepted, DATA not tried"
    };
    format!("{how}, as <{sender}>, {step} was answered {reply}{depth}")
}

/// A refusal for a reason known not to be TLS.
pub(super) fn other_reason(class: Option<ReplyClass>, said: &str) -> Vec<(ObstacleId, String)> {
    let mut told = vec![(ObstacleId::RefusedForOtherReason, said.to_owned())];
    told.extend(class.and_then(more_of).map(|id| (id, said.to_owned())));
    told
}

/// The obstacle that says more than that there was another reason.
fn more_of(class: ReplyClass) -> Option<ObstacleId> {
    match class {
        ReplyClass::Greylisted => Some(ObstacleId::Greylisted),
        ReplyClass::RateLimited => Some(ObstacleId::RateLimited),
        ReplyClass::CertificateOrAddress
        | ReplyClass::CertificateRequired
        | ReplyClass::PolicyOther
        | ReplyClass::RecipientUnknown
        | ReplyClass::RelayDenied
        | ReplyClass::Reputation
        | ReplyClass::TlsRequired
        | ReplyClass::Unrecognised => None,
    }
}

/// Why a control did not pass.
pub(super) fn control(which: &str, came: &Came) -> Vec<(ObstacleId, String)> {
    let refused = |detail: String| (ObstacleId::ControlRefused, detail);
    match came {
        Came::Accepted(_) => Vec::new(),
        Came::Answered(version) => vec![refused(format!("{which}: only {version} could be had"))],
        Came::EnvelopeTaken(reply) => vec![refused(format!("{which}: {reply}"))],
        Came::Refused(refusal) => {
            let said = format!("{which}: at {}: {}", refusal.phase, refusal.said);
            let more = refusal.class.and_then(more_of).map(|id| (id, said.clone()));
            [refused(said)].into_iter().chain(more).collect()
        }
        Came::Hindered(id, detail) => {
            let said = format!("{which}: {detail}");
            // Nobody was there to refuse anything, or nothing was asked.
            let is_alone = matches!(
                id,
                ObstacleId::ConnectRefused
                    | ObstacleId::ConnectTimeout
                    | ObstacleId::FamilyUnavailable
                    | ObstacleId::InternalError
                    | ObstacleId::NotTestable
            );
            if is_alone { vec![(*id, said)] } else { vec![refused(said.clone()), (*id, said)] }
        }
    }
}
