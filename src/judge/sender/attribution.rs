//! Whose session it was: our mail system's, on behalf of a probe, or somebody else's.
//!
//! 1. A token in the recipient tells it, whoever brought it.
//! 2. Without one: the canary, the time between the making of the probe and its expiry, the address and the
//!    EHLO name must all fit. A mark that is not configured is taken from what this round's control session
//!    showed, so that a health check from the sender's own network is nobody's refusal.
//! 3. Where a mark is neither configured nor shown, nobody knows, and the session counts for nothing.
//!
//! Invariant: a session without EHLO, of another canary, of another probe or of a canary that was being
//! drained belongs to no probe.

use crate::model::{
    canary::{Acting, Personality},
    connector::SenderMarks,
    delivery::{CanaryLook, CanarySession, DeliveryEvidence, Probe, Submission},
};

/// Whose a session was, as seen from one probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Another's: a stranger's, a health check, another probe's.
    Another,
    /// The probe's.
    Ours,
    /// It may be the probe's, and nothing shows that it is.
    Unclear,
}

/// How one mark of a session compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// As configured, or as the control showed it.
    Fits,
    /// Nothing is configured, and the control showed no such thing.
    Open,
    /// Not as configured.
    Wrong,
}

/// What sessions are attributed by.
pub(super) struct Attribution<'a> {
    marks: &'a SenderMarks,
    /// The sessions that brought the control.
    control: Vec<&'a CanarySession>,
}

impl<'a> Attribution<'a> {
    pub(super) fn of(evidence: &'a DeliveryEvidence) -> Self {
        let good = evidence.probes.iter().find(|probe| probe.personality == Personality::Good);
        let brought = |session: &&CanarySession| {
            good.is_some_and(|probe| has_token(session, probe)) && session.message.is_some()
        };
        Self {
            marks: &evidence.sender,
            control: evidence.sessions.iter().filter(brought).collect(),
        }
    }

    /// Whose `session` was, if anybody's then that of `probe`, which was for the canary of `look`.
    pub(super) fn whose(&self, session: &CanarySession, look: &CanaryLook, probe: &Probe) -> Whose {
        if has_token(session, probe) {
            return Whose::Ours;
        }
        let Some(Submission::Accepted { .. } | Submission::Unclear { .. }) = probe.submission
        else {
            return Whose::Another;
        };
        // From the making, not from the reply: a queue may be quicker than the reply's way to us.
        let is_in_time =
            probe.created_at <= session.started_at && session.started_at < probe.expires_at;
        if !is_in_time || !is_at(session, look) {
            return Whose::Another;
        }
        match self.marked(session) {
            // Our envelope from an address nobody told us of: perhaps a way out that is not configured.
            Whose::Another if is_from(session, probe) => Whose::Unclear,
            whose @ (Whose::Another | Whose::Ours | Whose::Unclear) => whose,
        }
    }

    /// Whether it may have been our mail system, on behalf of a probe of an earlier round.
    pub(super) fn is_perhaps_sender(&self, session: &CanarySession, look: &CanaryLook) -> bool {
        is_at(session, look) && self.marked(session) != Whose::Another
    }

    fn marked(&self, session: &CanarySession) -> Whose {
        match (self.address(session), self.ehlo(session)) {
            (Mark::Fits, Mark::Fits) => Whose::Ours,
            (Mark::Wrong, _) | (_, Mark::Wrong) => Whose::Another,
            (Mark::Open, _) | (_, Mark::Open) => Whose::Unclear,
        }
    }

    fn address(&self, session: &CanarySession) -> Mark {
        let address = session.peer.ip().to_canonical();
        let networks = &self.marks.networks;
        if networks.iter().any(|network| network.contains(&address)) {
            return Mark::Fits;
        }
        let is_shown =
            || self.control.iter().any(|shown| shown.peer.ip().to_canonical() == address);
        if !networks.is_empty() {
            Mark::Wrong
        } else if is_shown() {
            Mark::Fits
        } else {
            Mark::Open
        }
    }

    fn ehlo(&self, session: &CanarySession) -> Mark {
        let Some(ehlo) = &session.ehlo else { return Mark::Wrong };
        let patterns = &self.marks.ehlo;
        if patterns.iter().any(|pattern| pattern.is_met_by(ehlo)) {
            return Mark::Fits;
        }
        let is_same = |shown: &&CanarySession| {
            shown.ehlo.as_ref().is_some_and(|shown| shown.eq_ignore_ascii_case(ehlo))
        };
        if !patterns.is_empty() {
            Mark::Wrong
        } else if self.control.iter().any(is_same) {
            Mark::Fits
        } else {
            Mark::Open
        }
    }
}

/// Whether a session brought the token of this probe to its canary in time, and met the canary as itself.
fn has_token(session: &CanarySession, probe: &Probe) -> bool {
    session.acting == Acting::AsItself
        && session.personality == probe.personality
        && session.probe.as_ref() == Some(&probe.id)
        && session.started_at < probe.expires_at
}

/// Whether a session without a token said EHLO at this canary, and met it as itself.
fn is_at(session: &CanarySession, look: &CanaryLook) -> bool {
    session.acting == Acting::AsItself
        && session.personality == look.personality
        && session.hostname == look.hostname
        && session.probe.is_none()
        && session.ehlo.is_some()
}

/// Whether the envelope sender is the probe's.
pub(super) fn is_from(session: &CanarySession, probe: &Probe) -> bool {
    let ours = probe.mail_from.to_string();
    session.mail_from.as_ref().is_some_and(|from| from.eq_ignore_ascii_case(&ours))
}
