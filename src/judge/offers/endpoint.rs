//! One endpoint on its own: what the session says about TLS, then about the certificate.
//!
//! Invariant: a time-out, a lost connection or a transient refusal is an obstacle, never a violation;
//! what was proved before the session ended stands.

use super::{
    Look, Rules,
    chain::{self, Chain},
    hello, required_names, shown,
};
use crate::judge::certificate::{self, Verdict};
use crate::model::{
    finding::{Finding, FindingId, Severity},
    judgement::Violation,
    obstacle::{Obstacle, ObstacleId},
    report::{Channel, DaneReport, DaneState, EndpointReport, NameMatch, StartTlsState},
    requirement::{Level, TlsVersion},
    session::{
        ConnectFailure, Ending, HandshakeFailure, NotTried, Phase, SeenBy, Session, StartTls, Tls,
    },
    state::State,
};
use crate::wire::{name::NamePattern, smtp::Reply};
use std::collections::BTreeSet;

pub(super) fn judge(session: &Session, preference: Option<u16>, rules: &Rules<'_>) -> Look {
    let mut look = Draft { session, rules, findings: Vec::new(), obstacles: Vec::new() };
    look.transport();
    let verdict = session.tls.as_ref().map(|tls| look.tls(tls));
    if let Some(deep) = &session.deep {
        look.deep(deep);
    }
    look.oddities();
    let completed = session.has_completed_tls();
    let state = if look.findings.iter().any(|finding| Violation::of(finding).is_some()) {
        State::Violated
    } else if completed && look.obstacles.is_empty() {
        State::Compliant
    } else {
        look.name_the_unknown();
        State::Unknown
    };
    let report = look.report(state, preference, verdict.as_ref());
    Look {
        report,
        findings: look.findings,
        obstacles: look.obstacles,
        subject: session.endpoint.to_string(),
    }
}

pub(super) struct Draft<'a> {
    pub(super) session: &'a Session,
    pub(super) rules: &'a Rules<'a>,
    pub(super) findings: Vec<Finding>,
    obstacles: Vec<Obstacle>,
}

impl Draft<'_> {
    pub(super) fn find(
        &mut self,
        id: FindingId,
        severity: Severity,
        seen: impl Into<String>,
        expected: &str,
    ) {
        self.findings.push(Finding::new(id, severity, &self.session.endpoint, seen, expected));
    }

    pub(super) fn hinder(&mut self, id: ObstacleId, detail: impl Into<String>) {
        self.obstacles.push(Obstacle::new(id, &self.session.endpoint, detail));
    }

    /// Everything up to the end of the handshake.
    fn transport(&mut self) {
        if self.session.starttls == StartTls::NotOffered {
            let from = self
                .session
                .local_address
                .map_or_else(String::new, |from| format!(" as seen from {from}"));
            let offered = self.session.ehlo.as_ref().map_or_else(String::new, |ehlo| {
                match ehlo.capabilities.lines() {
                    [] => format!("{:?} answered without any capability", ehlo.command),
                    lines => format!("EHLO offers {}", lines.join(", ")),
                }
            });
            self.find(
                FindingId::StarttlsNotOffered,
                Severity::Violation,
                format!("{offered}{from}"),
                "STARTTLS",
            );
            return;
        }
        // After the handshake nothing can take back what it proved.
        if self.session.has_completed_tls() {
            return;
        }
        match &self.session.ending {
            Ending::Quit => {}
            Ending::Connect(failure) => self.connect(failure),
            Ending::NotTried(why) => self.not_tried(why),
            Ending::Internal(detail) => self.hinder(ObstacleId::InternalError, detail.clone()),
            Ending::Handshake(failure) => self.handshake(failure),
            Ending::Refused(Phase::Starttls, reply) => self.starttls_reply(reply),
            Ending::Refused(phase, reply) => self.refused(*phase, reply),
            Ending::Lost(Phase::Starttls, how) => {
                self.unconfirmed(
                    FindingId::StarttlsBroken,
                    format!("connection {how} instead of an answer to STARTTLS"),
                );
            }
            Ending::Deadline(Phase::Starttls) => {
                self.unconfirmed(
                    FindingId::StarttlsBroken,
                    "no answer to STARTTLS in time".to_owned(),
                );
            }
            Ending::Lost(phase, how) => {
                self.hinder(ObstacleId::ConnectionLost, format!("connection {how} at {phase}"));
            }
            Ending::Deadline(phase) => {
                self.hinder(ObstacleId::Deadline, format!("out of time at {phase}"));
            }
            Ending::Protocol(phase, detail) => {
                self.hinder(ObstacleId::ProtocolError, format!("at {phase}: {detail}"));
            }
            Ending::TooMuchData(phase, detail) => {
                self.hinder(ObstacleId::TooMuchData, format!("at {phase}: {detail}"));
            }
        }
    }

    fn connect(&mut self, failure: &ConnectFailure) {
        match failure {
            ConnectFailure::TimedOut(detail) => {
                self.hinder(ObstacleId::ConnectTimeout, detail.clone())
            }
            ConnectFailure::Refused(detail) | ConnectFailure::Other(detail) => {
                self.hinder(ObstacleId::ConnectRefused, detail.clone());
            }
        }
    }

    fn not_tried(&mut self, why: &NotTried) {
        match why {
            NotTried::FamilyUnavailable(detail) => {
                self.hinder(ObstacleId::FamilyUnavailable, detail.clone());
            }
            NotTried::PrivateAddress => {
                self.private();
                let detail = "not connected to: the address is private (--allow-private connects)";
                self.hinder(ObstacleId::NotTestable, detail);
            }
        }
    }

    fn private(&mut self) {
        let seen = format!("{} is no public address", self.session.endpoint.address);
        self.find(
            FindingId::MxIsPrivate,
            Severity::Warning,
            seen,
            "an address on the public internet",
        );
    }

    /// Refused before STARTTLS: a server that is busy, or that does not want us.
    fn refused(&mut self, phase: Phase, reply: &Reply) {
        let detail = format!("at {phase}: {reply}");
        let crowded = reply.to_string().to_ascii_lowercase().contains("too many");
        if reply.is_transient() || crowded {
            self.hinder(ObstacleId::RateLimited, detail);
        } else {
            self.hinder(ObstacleId::RefusedForOtherReason, detail);
        }
    }

    /// STARTTLS was offered, and answered with something other than 220.
    fn starttls_reply(&mut self, reply: &Reply) {
        let seen = format!("STARTTLS answered {reply}");
        if reply.is_permanent() {
            self.find(FindingId::StarttlsRefused, Severity::Violation, seen, "220");
        } else if reply.is_transient() {
            self.unconfirmed(FindingId::StarttlsRefused, seen);
        } else {
            self.hinder(ObstacleId::ProtocolError, seen);
        }
    }

    /// What may be a moment's failure: it counts when a try at least ten minutes later ends alike.
    fn unconfirmed(&mut self, id: FindingId, seen: String) {
        let detail = format!(
            "{seen}; this counts when another try, at least 10 minutes later, ends the same way"
        );
        // RFC 3207 §4.1: whoever injected bytes cannot then pass for a server that was busy.
        if self.session.injected.is_some() {
            self.find(FindingId::StarttlsBroken, Severity::Violation, seen, "a TLS handshake");
            return;
        }
        self.find(id, Severity::Info, seen, "a TLS handshake");
        self.hinder(ObstacleId::Unconfirmed, detail);
    }

    fn handshake(&mut self, failure: &HandshakeFailure) {
        if self.after_hellos(failure) {
            return;
        }
        let seen = failure.to_string();
        let tls = self.session.tls.as_ref();
        match failure {
            HandshakeFailure::Lost(_) | HandshakeFailure::TimedOut => {
                self.unconfirmed(FindingId::StarttlsBroken, seen);
            }
            HandshakeFailure::VersionTooOld(_) => self.too_old(seen),
            HandshakeFailure::Alert(name) if name == "protocol_version" => self.too_old(seen),
            // RFC 5246 §7.4.6: without a certificate of ours a server may stop here; that says nothing against its TLS.
            HandshakeFailure::Alert(_)
                if tls.is_some_and(|tls| tls.client_certificate_requested && tls.key_proved) =>
            {
                let expected = "a server that also takes clients without a certificate";
                self.find(FindingId::ClientCertRequired, Severity::Info, seen.clone(), expected);
                let detail = format!("{seen} after it had asked for a client certificate");
                self.hinder(ObstacleId::RefusedForOtherReason, detail);
            }
            HandshakeFailure::Unsupported(_) => {
                self.hinder(ObstacleId::NotTestable, seen);
            }
            HandshakeFailure::Alert(_)
            | HandshakeFailure::NotTls(_)
            | HandshakeFailure::Protocol(_) => {
                self.find(FindingId::StarttlsBroken, Severity::Violation, seen, "a TLS handshake");
            }
        }
    }

    pub(super) fn too_old(&mut self, seen: String) {
        let expected = format!("{} or newer", self.rules.requirement.min_version.version());
        self.find(FindingId::TlsVersionTooOld, Severity::Violation, seen, &expected);
    }

    /// Version, certificate and name, as far as they were shown.
    fn tls(&mut self, tls: &Tls) -> Verdict {
        let rules = self.rules;
        let lowest = rules.requirement.min_version.version();
        if let Some(version) = tls.version.filter(|version| tls.completed && *version < lowest) {
            self.too_old(format!("{version} is the newest the server speaks"));
        }
        let verdict = certificate::judge(&tls.chain, tls.ocsp.as_ref(), rules.roots, rules.now);
        let required = required_names(rules, self.session);
        let chain =
            Chain { session: self.session, tls, verdict: &verdict, required: &required, rules };
        match tls.seen_by {
            SeenBy::Handshake => self.findings.extend(chain.findings()),
            // RFC 8446 §4.4.2: the certificate is encrypted, so a hello sees none of it.
            SeenBy::Hello if tls.version == Some(TlsVersion::Tls13) => {}
            SeenBy::Hello => self.findings.extend(chain.findings().into_iter().map(|finding| {
                Finding { seen: format!("{}{}", finding.seen, hello::BY_HELLO), ..finding }
            })),
        }
        match tls.seen_by {
            SeenBy::Handshake => {}
            SeenBy::Hello => self.seen_by_hello(tls),
        }
        if tls.completed && !tls.key_proved && rules.requirement.level != Level::Encrypt {
            self.hinder(
                ObstacleId::NotTestable,
                "the server's signature could not be checked with its certificate's key",
            );
        }
        if tls.completed && tls.version.is_none() {
            self.hinder(ObstacleId::NotTestable, "which version was agreed on is not known");
        }
        match rules.requirement.level {
            Level::Dane | Level::MtaSts => {
                let detail = format!("level {} is not in this version", rules.requirement.level);
                self.hinder(ObstacleId::NotTestable, detail);
            }
            Level::Ca | Level::Encrypt | Level::Name | Level::Pinned => {}
        }
        if rules.requirement.level.is_name_required() && required.is_empty() {
            self.hinder(ObstacleId::NotTestable, "no name is required of an address without one");
        }
        verdict
    }

    /// Facts beside the point that a postmaster wants to know.
    fn oddities(&mut self) {
        if let Some(bytes) = &self.session.injected {
            let seen = format!("in clear behind the 220 to STARTTLS: `{bytes}`");
            self.find(
                FindingId::StarttlsInjection,
                Severity::Warning,
                seen,
                "TLS and nothing else",
            );
        }
        if let Some(how) = &self.session.post_quantum_refused {
            let seen =
                format!("with the post-quantum key share X25519MLKEM768: {how}; without it: TLS");
            self.find(
                FindingId::PqIntolerant,
                Severity::Warning,
                seen,
                "a hello of 1.5 kB is answered",
            );
        }
        let Some(tls) = &self.session.tls else { return };
        let turned_away = match &self.session.ending {
            Ending::Refused(Phase::EhloTls, reply) => Some(reply.to_string()),
            Ending::Handshake(failure) => Some(failure.to_string()),
            Ending::Lost(Phase::EhloTls, how) => {
                Some(format!("connection {how} after the handshake"))
            }
            Ending::Connect(_)
            | Ending::Deadline(_)
            | Ending::Internal(_)
            | Ending::Lost(..)
            | Ending::NotTried(_)
            | Ending::Protocol(..)
            | Ending::Quit
            | Ending::Refused(..)
            | Ending::TooMuchData(..) => None,
        };
        if let Some(seen) =
            turned_away.filter(|_| tls.completed && tls.client_certificate_requested)
        {
            let expected = "a server that also takes clients without a certificate";
            self.find(FindingId::ClientCertRequired, Severity::Info, seen, expected);
        }
        if self.session.endpoint.host.is_some() && self.is_private_and_tried() {
            self.private();
        }
    }

    /// `--allow-private` connects; that the address is private is told all the same. Loopback is a lab's.
    fn is_private_and_tried(&self) -> bool {
        let address = self.session.endpoint.address;
        !address.is_loopback()
            && !crate::wire::address::is_public(address)
            && !matches!(self.session.ending, Ending::NotTried(_))
    }

    /// An unknown endpoint always says why.
    fn name_the_unknown(&mut self) {
        if self.obstacles.is_empty() {
            self.hinder(ObstacleId::NotTestable, "the session ended before TLS without a reason");
        }
    }

    fn report(
        &self,
        state: State,
        preference: Option<u16>,
        verdict: Option<&Verdict>,
    ) -> EndpointReport {
        let session = self.session;
        let required = required_names(self.rules, session);
        let ids: BTreeSet<FindingId> = self.findings.iter().map(|finding| finding.id).collect();
        let obstacles: BTreeSet<ObstacleId> = self.obstacles.iter().map(|o| o.id).collect();
        EndpointReport {
            mx: session.endpoint.host.clone(),
            preference,
            address: session.endpoint.address,
            port: session.endpoint.port,
            state,
            channel: self.channel(verdict, &required),
            banner: session.banner.as_ref().map(Reply::to_string),
            capabilities: session.ehlo.as_ref().map(|e| e.capabilities.clone()).unwrap_or_default(),
            capabilities_tls: session.ehlo_tls.as_ref().map(|ehlo| ehlo.capabilities.clone()),
            starttls: self.starttls_state(&ids),
            tls: session.tls.as_ref().zip(verdict).map(|(tls, verdict)| {
                shown::tls_report(tls, verdict, &required, session.deep.as_ref())
            }),
            dane: DaneReport { state: DaneState::NotChecked },
            findings: ids.into_iter().collect(),
            obstacles: obstacles.into_iter().collect(),
            duration_ms: session.spent_ms.iter().map(|(_, spent)| spent).sum(),
        }
    }

    fn channel(&self, verdict: Option<&Verdict>, required: &[NamePattern]) -> Channel {
        let session = self.session;
        let Some((tls, verdict)) =
            session.tls.as_ref().zip(verdict).filter(|(tls, _)| tls.completed)
        else {
            let spoke =
                session.banner.as_ref().is_some_and(Reply::is_positive) && session.ehlo.is_some();
            return if spoke { Channel::Plain } else { Channel::None };
        };
        let trusted = chain::is_good(verdict) && tls.key_proved;
        match (trusted, verdict.name(required)) {
            (false, _) => Channel::Encrypted,
            (true, NameMatch::Match) => Channel::Matched,
            (true, NameMatch::Mismatch | NameMatch::NoName) => Channel::Trusted,
        }
    }

    fn starttls_state(&self, ids: &BTreeSet<FindingId>) -> StartTlsState {
        match &self.session.starttls {
            StartTls::NotAsked => StartTlsState::Unknown,
            StartTls::NotOffered => StartTlsState::NotOffered,
            StartTls::Refused(_) => StartTlsState::Refused,
            StartTls::Unanswered => StartTlsState::Broken,
            StartTls::Agreed(_) | StartTls::Implicit => {
                if ids.contains(&FindingId::StarttlsBroken) {
                    StartTlsState::Broken
                } else {
                    StartTlsState::Offered
                }
            }
        }
    }
}
