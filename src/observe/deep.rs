//! `--deep`: everything a server takes, asked one session after another.
//!
//! 1. Versions below TLS 1.2.
//! 2. Weak suites, class by class; what a server chose is left out of the next hello, a few times.
//! 3. The prime of its finite-field exchange, and the certificate of each kind of key.
//! 4. Whether a NOOP sent in the same packet as STARTTLS is answered inside TLS ([RFC 3207 §4.2]).
//! 5. What well-known senders would get.
//!
//! Invariant: every session waits for its leave, and a server that no longer talks to us, or takes
//! too much of our time, is left alone; what was not asked is never told as refused.
//!
//! [RFC 3207 §4.2]: https://www.rfc-editor.org/rfc/rfc3207#section-4.2

use super::{
    approach::{Approach, Command, Stage, farewell},
    dialogue::{Dialogue, Transcript},
    hello::{Version, is_taken},
    pace::Pace,
    starttls::{self, Prober, half_way},
    tls::{Hello, KeyShare, Shaken, Sni, Versions},
};
use crate::model::{
    deep::{Agreed, Asked, Deep, DhSeen, HelloOutcome, KindShown, Piggyback, SenderSeen},
    session::{Der, Ending, Endpoint, Phase, Session, StartTls},
};
use crate::wire::{
    hello::{
        CertificateKind, Flight, Offer, Sender, TlsVersion, Weakness, group_name, senders,
        suite_name,
    },
    name::Host,
    smtp::Reply,
};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// Suites asked for of one weakness: enough to see that the class is open.
const SUITES_PER_CLASS: usize = 3;

/// How long a reply to a command nobody sent inside TLS is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sessions in a row that may fail before the hello; then the server wants no more of them.
const MOST_UNSENT: u32 = 2;

/// The time sessions may take in all, in deadlines of one endpoint; waiting for leave apart.
const MOST_DEADLINES: u32 = 4;

/// One deep look, so far.
pub(super) struct DeepLook<'a> {
    prober: &'a Prober,
    pace: &'a Pace,
    endpoint: &'a Endpoint,
    deep: Deep,
    unsent: u32,
    spent: Duration,
}

/// Whether there is TLS to look into.
pub(super) fn is_worth_a_look(session: &Session) -> bool {
    matches!(session.starttls, StartTls::Agreed(_) | StartTls::Implicit) && session.tls.is_some()
}

impl<'a> DeepLook<'a> {
    pub(super) fn new(prober: &'a Prober, pace: &'a Pace, endpoint: &'a Endpoint) -> Self {
        Self { prober, pace, endpoint, deep: Deep::default(), unsent: 0, spent: Duration::ZERO }
    }

    /// Asks everything of the endpoint that `session` has seen.
    pub(super) async fn look(mut self, session: &Session) -> Deep {
        self.legacy_versions().await;
        for weakness in Weakness::ALL {
            self.weak_suites(weakness).await;
        }
        self.finite_field().await;
        for kind in [CertificateKind::Rsa, CertificateKind::Ecdsa] {
            self.certificate(kind).await;
        }
        let completed = session.has_completed_tls();
        if completed && matches!(session.starttls, StartTls::Agreed(_)) {
            self.piggyback().await;
        }
        for sender in senders() {
            self.sender(&sender).await;
        }
        self.deep
    }

    async fn legacy_versions(&mut self) {
        for version in [TlsVersion::Tls11, TlsVersion::Tls10, TlsVersion::Ssl3] {
            let offer = Offer::up_to(version).to_host(self.host());
            let question = format!("{version} at most");
            if self.ask(question, &offer, Version::Offered).await.is_some() {
                self.deep.legacy_versions.push(version);
            }
        }
    }

    async fn weak_suites(&mut self, weakness: Weakness) {
        let mut offer = Offer::weak(weakness, TlsVersion::Tls12).to_host(self.host());
        for _ in 0..SUITES_PER_CLASS {
            let question = format!("suites with {weakness}");
            let flight = self.ask(question, &offer, Version::Any).await;
            let Some(suite) = flight.and_then(|flight| flight.suite) else { return };
            self.deep.weak_suites.push(suite_name(suite));
            offer = offer.without(&[suite]);
        }
    }

    async fn finite_field(&mut self) {
        let offer = Offer::dhe(TlsVersion::Tls12).to_host(self.host());
        let question = "finite-field Diffie-Hellman".to_owned();
        let Some(flight) = self.ask(question, &offer, Version::Any).await else { return };
        self.deep.dh = flight
            .suite
            .zip(flight.dh_bits)
            .map(|(suite, bits)| DhSeen { cipher_suite: suite_name(suite), bits });
    }

    async fn certificate(&mut self, kind: CertificateKind) {
        let offer = Offer::for_certificate(kind).to_host(self.host());
        let question = format!("an {kind} certificate");
        let Some(flight) = self.ask(question, &offer, Version::Any).await else { return };
        if !flight.certificates.is_empty() {
            let chain = flight.certificates.into_iter().map(Der).collect();
            self.deep.certificates.push(KindShown { kind, chain });
        }
    }

    async fn sender(&mut self, sender: &Sender) {
        let offer = match &self.endpoint.host {
            Some(host) => sender.offer_to(host),
            None => sender.offer.clone(),
        };
        let question = format!("the hello of {}", sender.name);
        let flight = self.ask(question, &offer, Version::Any).await;
        // A sender gives up below its own lowest version.
        let negotiated = flight
            .filter(|flight| flight.version >= Some(offer.lowest))
            .and_then(|flight| flight.negotiated())
            .map(|negotiated| Agreed {
                version: negotiated.version,
                cipher_suite: suite_name(negotiated.suite),
                group: negotiated.group.map(group_name),
            });
        let outcome = self.deep.asked.last().map(|asked| asked.outcome.clone());
        self.deep.senders.push(SenderSeen {
            name: sender.name.to_owned(),
            negotiated,
            outcome: outcome.unwrap_or_default(),
        });
    }

    async fn piggyback(&mut self) {
        if !self.may_go_on() {
            return;
        }
        let leave = self.pace.leave(self.endpoint).await;
        let begun = Instant::now();
        let until = begun + self.prober.plan.deadline;
        let seen = self.prober.piggyback(self.endpoint, until).await;
        self.spent += begun.elapsed();
        drop(leave);
        let outcome = match &seen {
            Piggyback::Answered(reply) => format!("answered inside TLS: {reply}"),
            Piggyback::Forgotten => "not answered inside TLS".to_owned(),
            Piggyback::Unclear(why) => format!("unclear: {why}"),
        };
        let question = "a NOOP in the same packet as STARTTLS".to_owned();
        self.deep.asked.push(Asked { question, outcome });
        self.deep.piggyback = Some(seen);
    }

    /// One hello in one session; the flight, where the server took the offer.
    async fn ask(&mut self, question: String, offer: &Offer, version: Version) -> Option<Flight> {
        if !self.may_go_on() {
            let outcome = HelloOutcome::Unsent("the look was given up".to_owned()).to_string();
            self.deep.asked.push(Asked { question, outcome });
            return None;
        }
        let leave = self.pace.leave(self.endpoint).await;
        let begun = Instant::now();
        let until = begun + self.prober.plan.deadline;
        let answer = self.prober.ask(self.endpoint, offer, until).await.answer;
        self.spent += begun.elapsed();
        drop(leave);
        let outcome = answer.outcome(offer, version);
        self.deep.asked.push(Asked { question, outcome: outcome.to_string() });
        match outcome {
            HelloOutcome::Unsent(_) => self.unsent += 1,
            HelloOutcome::Accepted(_)
            | HelloOutcome::Older(_)
            | HelloOutcome::Refused(_)
            | HelloOutcome::Unclear(_) => self.unsent = 0,
        }
        let is_accepted = matches!(outcome, HelloOutcome::Accepted(_));
        let flight = answer.flight().filter(|flight| is_accepted && is_taken(flight, offer));
        flight.cloned()
    }

    fn may_go_on(&self) -> bool {
        let most = self.prober.plan.deadline * MOST_DEADLINES;
        self.unsent < MOST_UNSENT && self.spent < most
    }

    fn host(&self) -> Option<Host> {
        self.endpoint.host.clone()
    }
}

impl Prober {
    /// Sends a NOOP in the same write as STARTTLS, and waits inside TLS for a reply to it.
    async fn piggyback(&self, endpoint: &Endpoint, until: Instant) -> Piggyback {
        let mut session = Session::new(endpoint.clone(), self.clock.now());
        let mut stage = Stage::new(Transcript::new(&self.plan.limits));
        let until = half_way(until);
        let approach = self.approach(&mut session, &mut stage, Command::WithNoop, until);
        let screen = match timeout_at(until, approach).await {
            Ok(Ok(Approach::Agreed(screen))) => screen,
            Ok(Ok(Approach::NotOffered)) => {
                return Piggyback::Unclear("STARTTLS was not offered".to_owned());
            }
            Ok(Err(ending)) => {
                session.ending = ending;
                return Piggyback::Unclear(starttls::in_words(&session));
            }
            Err(_) => return Piggyback::Unclear("no answer in time".to_owned()),
        };
        let hello = Hello {
            host: endpoint.host.as_ref(),
            address: endpoint.address,
            key_share: KeyShare::PostQuantum,
            versions: Versions::All,
            sni: Sni::Sent,
            identity: None,
            chain_limit: self.plan.limits.chain,
        };
        let stream = match timeout_at(until, self.tls.shake(screen, hello)).await {
            Ok(Shaken::Done(stream, ..)) => stream,
            Ok(Shaken::Failed { failure, .. }) => return Piggyback::Unclear(failure.to_string()),
            Err(_) => return Piggyback::Unclear("no handshake in time".to_owned()),
        };
        let mut smtp = Dialogue::new(*stream, &self.plan.limits);
        let heard = timeout(PATIENCE, smtp.hear(Phase::EhloTls, &mut stage.log)).await;
        match heard {
            Ok(Ok(reply)) => {
                farewell(&mut smtp, &mut stage).await;
                of_noop(&reply)
            }
            Ok(Err(ending)) => {
                session.ending = ending;
                Piggyback::Unclear(starttls::in_words(&session))
            }
            // A slow server may still answer it, before it answers QUIT.
            Err(_) => match smtp.ask("QUIT", Phase::EhloTls, &mut stage.log).await {
                Ok(reply) => of_noop(&reply),
                Err(Ending::Lost(..)) => Piggyback::Forgotten,
                Err(ending) => {
                    session.ending = ending;
                    Piggyback::Unclear(starttls::in_words(&session))
                }
            },
        }
    }
}

/// RFC 5321 §4.3.2: what answers QUIT is 221, what answers a NOOP is 250, or says that it was not wanted.
/// Anything else, such as a second greeting or a farewell, is no answer to it.
fn of_noop(reply: &Reply) -> Piggyback {
    match reply.code {
        221 => Piggyback::Forgotten,
        250 | 500 | 501 | 502 | 503 | 530 => Piggyback::Answered(reply.to_string()),
        _ => Piggyback::Unclear(reply.to_string()),
    }
}
