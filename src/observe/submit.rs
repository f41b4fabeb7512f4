//! Probe mail handed to our own mail system, as any client of it would ([RFC 6409]).
//!
//! 1. Connect; TLS first, by STARTTLS, where it is offered, or none, as the connector's address says.
//! 2. Where TLS is required its certificate is verified, for the name that was configured.
//! 3. AUTH PLAIN or LOGIN, never in clear unless `smtp+plain` says so.
//! 4. The envelope and the message, once: what is not taken is not tried again.
//!
//! The dialogue is the one the probes use, and not a mail library's: a submission is evidence, its replies are
//! bounded and kept, and a connection lost behind the message is told apart from a refusal.
//!
//! Invariant: no password reaches a transcript, a reply or an error.
//!
//! [RFC 6409]: https://www.rfc-editor.org/rfc/rfc6409

mod hush;

use super::{
    approach::{Arrival, Command, Stage, farewell},
    dialogue::{Dialogue, Transcript},
    dns::Resolver,
    envelope::{Answered, Handover, Way, transact},
    letter::encoded,
    screen::Screen,
    starttls::{Opening, Prober, Try, in_words},
};
use crate::model::{
    connector::{Submit, SubmitHost, SubmitSecurity},
    delivery::{Probe, Submission},
    roots::Roots,
    session::{Ending, Endpoint, Session},
    target::Target,
};
use crate::wire::{name::Host, text};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use secrecy::{ExposeSecret, SecretString};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use zeroize::Zeroizing;

/// How long one submission may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a probe says of itself to whoever reads it.
#[derive(Debug, Clone)]
pub struct ProbeWords {
    /// What people call us.
    pub organisation: String,
}

/// Ten octets nobody can guess, for a probe's id.
///
/// # Errors
///
/// The random number generator fails.
pub fn fresh_id() -> Result<[u8; 10], rustls::Error> {
    let mut id = [0; 10];
    aws_lc_rs::rand::fill(&mut id).map_err(|_| rustls::Error::FailedToGetRandomBytes)?;
    Ok(id)
}

/// Hands probes to one mail system.
#[derive(Debug)]
pub struct Submitter {
    submit: Submit,
    password: Option<SecretString>,
    roots: Arc<Roots>,
    resolver: Resolver,
    prober: Prober,
    words: ProbeWords,
    /// Mail systems take few connections at once from one client.
    turns: Arc<Semaphore>,
}

/// Why a submission did not come to its end.
enum Failed {
    /// In words, before anything could have been taken.
    Before(String),
    /// How the session ended.
    Session(Ending),
}

/// What a session with the mail system is for.
#[derive(Debug, Clone, Copy)]
enum Errand<'a> {
    /// To hand over this probe.
    Probe(&'a Probe),
    /// To see that one could be.
    Rehearsal,
}

impl From<Ending> for Failed {
    fn from(ending: Ending) -> Self {
        Self::Session(ending)
    }
}

impl Submitter {
    /// A submitter; `prober` is the run's own, for its clock, name and bounds; so are the `turns`.
    pub fn new(
        submit: Submit,
        password: Option<SecretString>,
        roots: Arc<Roots>,
        resolver: Resolver,
        prober: &Prober,
        words: ProbeWords,
        turns: Arc<Semaphore>,
    ) -> Self {
        let mut prober = prober.clone();
        prober.plan.opening = match submit.security {
            SubmitSecurity::Implicit => Opening::Tls,
            SubmitSecurity::None | SubmitSecurity::Opportunistic | SubmitSecurity::Required => {
                Opening::Clear
            }
        };
        Self { submit, password, roots, resolver, prober, words, turns }
    }

    /// Submits one probe, once.
    pub async fn submit(&self, probe: &Probe) -> Submission {
        // A semaphore that is never closed always gives a turn.
        let _turn = self.turns.acquire().await.ok();
        let endpoint = match self.endpoint().await {
            Ok(endpoint) => endpoint,
            Err(detail) => return Submission::Failed { at: self.prober.clock.now(), detail },
        };
        let until = Instant::now() + PATIENCE;
        let mut session = Session::new(endpoint, self.prober.clock.now());
        let mut stage = Stage::new(Transcript::new(&self.prober.plan.limits));
        let mut answered = Answered::default();
        let errand = Errand::Probe(probe);
        let talk = self.talk(&mut session, &mut stage, &mut answered, errand, until);
        let talked = timeout_at(until, talk).await;
        // What a refusal was is known before the farewell, whatever becomes of that.
        let ended = match (talked, answered.ending) {
            (Ok(Err(failed)), _) => Err(failed),
            (_, Some(ending)) => Err(Failed::Session(ending)),
            (Ok(Ok(())), None) => Ok(()),
            (Err(_), None) => Err(Failed::Session(Ending::Deadline(session.reached))),
        };
        let at = self.prober.clock.now();
        let envelope = answered.envelope;
        if let Some(reply) = envelope.message.as_ref().filter(|reply| reply.is_positive()) {
            let reply = self.without_secrets(&reply.to_string());
            let queue_id = queue_id(&reply);
            return Submission::Accepted { at, reply, queue_id };
        }
        let detail = match ended {
            Ok(()) => "the mail system took no message".to_owned(),
            Err(Failed::Before(detail)) => detail,
            Err(Failed::Session(ending)) => {
                session.ending = ending;
                in_words(&session)
            }
        };
        let detail = format!("{}: {}", session.endpoint, self.without_secrets(&detail));
        // RFC 5321 §4.5.3.2.6: who loses the reply to the message does not know whether it was taken.
        let is_sent = envelope.data.as_ref().is_some_and(|reply| reply.code == 354);
        match envelope.message {
            None if is_sent => Submission::Unclear { at, detail },
            _ => Submission::Failed { at, detail },
        }
    }

    /// Everything but the mail: connect, TLS, authenticate, QUIT. Where, in words.
    ///
    /// # Errors
    ///
    /// What went wrong, in words.
    pub async fn rehearse(&self, patience: Duration) -> Result<String, String> {
        let _turn = self.turns.acquire().await.ok();
        let until = Instant::now() + patience.min(PATIENCE);
        let endpoint = match timeout_at(until, self.endpoint()).await {
            Ok(endpoint) => endpoint?,
            Err(_) => {
                return Err(format!("{}: its address was not found in time", self.submit.host));
            }
        };
        let mut session = Session::new(endpoint, self.prober.clock.now());
        let mut stage = Stage::new(Transcript::new(&self.prober.plan.limits));
        let mut answered = Answered::default();
        let talk = self.talk(&mut session, &mut stage, &mut answered, Errand::Rehearsal, until);
        let detail = match timeout_at(until, talk).await {
            Ok(Ok(())) => {
                let tls = session.tls.as_ref().and_then(|tls| tls.version);
                let tls = tls.map_or_else(|| "in clear".to_owned(), |version| version.to_string());
                let login = match &self.submit.credentials {
                    Some(credentials) => format!("authenticated as {}", credentials.username),
                    None => "without authentication".to_owned(),
                };
                return Ok(format!("{}: {tls}, {login}", session.endpoint));
            }
            Ok(Err(Failed::Before(detail))) => detail,
            Ok(Err(Failed::Session(ending))) => {
                session.ending = ending;
                in_words(&session)
            }
            Err(_) => {
                session.ending = Ending::Deadline(session.reached);
                in_words(&session)
            }
        };
        Err(format!("{}: {}", session.endpoint, self.without_secrets(&detail)))
    }

    async fn endpoint(&self) -> Result<Endpoint, String> {
        let Submit { host, port, .. } = &self.submit;
        let host = match host {
            SubmitHost::Address(address) => {
                return Ok(Endpoint { host: None, address: *address, port: *port });
            }
            SubmitHost::Name(host) => host,
        };
        let target = Target::Host { host: host.clone(), port: Some(*port) };
        let resolution = self.resolver.resolve(&target).await;
        let found = resolution.exchanges.iter();
        let found: Option<IpAddr> =
            found.flat_map(|one| one.v4.found().iter().chain(one.v6.found())).next().copied();
        match found {
            Some(address) => Ok(Endpoint { host: Some(host.clone()), address, port: *port }),
            None => Err(format!("{host}: no address is known for it")),
        }
    }

    async fn talk(
        &self,
        session: &mut Session,
        stage: &mut Stage,
        answered: &mut Answered,
        errand: Errand<'_>,
        until: Instant,
    ) -> Result<(), Failed> {
        let security = self.submit.security;
        let mut smtp = match self.prober.arrive(session, stage, until).await? {
            Arrival::Greeted(smtp) => smtp,
            Arrival::InTls(tcp) => {
                let screen = Screen::new(tcp, Vec::new(), self.prober.plan.limits.injected);
                let mut smtp = self.prober.shake(session, stage, screen, Try::by(until)).await?;
                self.verify(session)?;
                return self.send(&mut smtp, session, stage, answered, errand).await;
            }
        };
        let offered = session.ehlo.as_ref().is_some_and(|ehlo| ehlo.capabilities.has("STARTTLS"));
        let is_wanted = security != SubmitSecurity::None;
        if security == SubmitSecurity::Required && !offered {
            return Err(Failed::Before(
                "it does not offer STARTTLS, which smtp+starttls:// requires".to_owned(),
            ));
        }
        if !offered || !is_wanted {
            return self.send(&mut smtp, session, stage, answered, errand).await;
        }
        let screen = self.prober.agree(smtp, session, stage, Command::Alone).await?;
        let mut smtp = self.prober.shake(session, stage, screen, Try::by(until)).await?;
        if security == SubmitSecurity::Required {
            self.verify(session)?;
        }
        self.send(&mut smtp, session, stage, answered, errand).await
    }

    /// The chain must lead to one of our roots, for the name that was configured, before anything secret is said.
    fn verify(&self, session: &Session) -> Result<(), Failed> {
        let refuse = |why: String| Failed::Before(format!("its certificate will not do: {why}"));
        let name = match &self.submit.host {
            SubmitHost::Address(address) => ServerName::IpAddress((*address).into()),
            SubmitHost::Name(host) => {
                server_name(host).ok_or_else(|| refuse("no name".to_owned()))?
            }
        };
        let chain = session.tls.as_ref().map_or(&[][..], |tls| tls.chain.as_slice());
        let chain: Vec<CertificateDer<'_>> =
            chain.iter().map(|der| CertificateDer::from(der.0.as_slice())).collect();
        let Some((leaf, rest)) = chain.split_first() else {
            return Err(refuse("it has none".to_owned()));
        };
        let anchors: Vec<TrustAnchor<'_>> = self
            .roots
            .anchors
            .iter()
            .map(|root| TrustAnchor {
                subject: root.subject.as_slice().into(),
                subject_public_key_info: root.spki.as_slice().into(),
                name_constraints: root.name_constraints.as_deref().map(Into::into),
            })
            .collect();
        let leaf = webpki::EndEntityCert::try_from(leaf).map_err(|e| refuse(e.to_string()))?;
        let seconds = u64::try_from(self.prober.clock.now().as_second()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let usage = webpki::KeyUsage::server_auth();
        leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            rest,
            now,
            usage,
            None,
            None,
        )
        .map_err(|error| refuse(error.to_string()))?;
        leaf.verify_is_valid_for_subject_name(&name).map_err(|error| refuse(error.to_string()))
    }

    async fn send<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        smtp: &mut Dialogue<S>,
        session: &mut Session,
        stage: &mut Stage,
        answered: &mut Answered,
        errand: Errand<'_>,
    ) -> Result<(), Failed> {
        self.authenticate(smtp, session, stage).await?;
        let Errand::Probe(probe) = errand else {
            farewell(smtp, stage).await;
            return Ok(());
        };
        let message = message(probe, &self.words, self.prober.clock.now());
        let handover = Handover {
            way: Way::Clear,
            mail_from: Some(&probe.mail_from),
            rcpt_to: &probe.rcpt_to,
            message: Some(&message),
        };
        Ok(transact(smtp, session, stage, answered, handover).await?)
    }

    async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        smtp: &mut Dialogue<S>,
        session: &Session,
        stage: &mut Stage,
    ) -> Result<(), Failed> {
        let (Some(credentials), Some(password)) = (&self.submit.credentials, &self.password) else {
            return Ok(());
        };
        if !session.has_completed_tls() && self.submit.security != SubmitSecurity::None {
            let why = "it does not offer STARTTLS, and the password is not sent in clear";
            return Err(Failed::Before(why.to_owned()));
        }
        let ehlo = session.ehlo_tls.as_ref().or(session.ehlo.as_ref());
        let offers = |mechanism: &str| {
            let offered = ehlo.map_or(&[][..], |ehlo| ehlo.capabilities.lines());
            offered
                .iter()
                .filter_map(|line| line.strip_prefix("AUTH"))
                .any(|line| line.split([' ', '=']).any(|word| word.eq_ignore_ascii_case(mechanism)))
        };
        let username = &credentials.username;
        let (phase, log) = (session.reached, &mut stage.log);
        let reply = if offers("PLAIN") {
            // RFC 4616 §2.
            let plain = Zeroizing::new(format!("\0{username}\0{}", password.expose_secret()));
            let line = Zeroizing::new(format!("AUTH PLAIN {}", text::base64(plain.as_bytes())));
            smtp.ask_in_secret(&line, "AUTH PLAIN …", phase, log).await.map_err(hush::hushed)?
        } else if offers("LOGIN") {
            let user = text::base64(username.as_bytes());
            for line in ["AUTH LOGIN", &user] {
                let reply = smtp.ask(line, phase, log).await?;
                // RFC 4954 §4: 334 alone asks for more; after a refusal the next line would pass for a command.
                if reply.code != 334 {
                    return Err(Failed::Before(format!("authentication refused: {reply}")));
                }
            }
            let secret = Zeroizing::new(text::base64(password.expose_secret().as_bytes()));
            smtp.ask_in_secret(&secret, "…", phase, log).await.map_err(hush::hushed)?
        } else {
            return Err(Failed::Before("it offers neither AUTH PLAIN nor AUTH LOGIN".to_owned()));
        };
        // RFC 4954 §4: 235 alone is success.
        if reply.code == 235 {
            return Ok(());
        }
        Err(Failed::Before(format!("authentication refused: {reply}")))
    }

    fn without_secrets(&self, text: &str) -> String {
        match (&self.password, &self.submit.credentials) {
            (Some(password), Some(credentials)) => {
                hush::without_secrets(text, &credentials.username, password)
            }
            _ => text.to_owned(),
        }
    }
}

fn server_name(host: &Host) -> Option<ServerName<'static>> {
    ServerName::try_from(host.as_str().to_owned()).ok()
}

/// The queue id a mail system names when it takes a message, in the ways of the well-known ones.
fn queue_id(reply: &str) -> Option<String> {
    // Postfix `queued as X`, Exim `OK id=X`, Exchange `[InternalId=X, Hostname=…] Queued mail for delivery`.
    let marks = ["queued as ", " id=", "InternalId=", "Message accepted for delivery "];
    let rest = marks.iter().find_map(|mark| reply.split_once(mark).map(|(_, rest)| rest))?;
    let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let id: String = rest.chars().take_while(|c| is_id(*c)).take(80).collect();
    (!id.is_empty()).then_some(id)
}

/// The message: it says what it is and whom to ask.
fn message(probe: &Probe, words: &ProbeWords, now: Timestamp) -> String {
    let Probe { id, personality, mail_from, rcpt_to, .. } = probe;
    let date = DateTimePrinter::new().timestamp_to_string(&now).unwrap_or_default();
    let organisation = text::printable_within(words.organisation.as_bytes(), 100);
    let (encoding, body) = encoded(&format!(
        "This is a probe by which {organisation} checks that its mail system refuses to\n\
         deliver over less TLS than its connector demands. It may be deleted.\n\
         Questions go to <{mail_from}>.\n"
    ));
    [
        format!("From: <{mail_from}>"),
        format!("To: <{rcpt_to}>"),
        format!("Date: {date}"),
        format!("Message-ID: <{id}@{}>", mail_from.domain()),
        format!("Subject: mxwarden probe to the canary {personality}"),
        "Auto-Submitted: auto-generated".to_owned(),
        format!("X-Mxwarden-Probe: {}", rcpt_to.local()),
        "MIME-Version: 1.0".to_owned(),
        "Content-Type: text/plain; charset=utf-8".to_owned(),
        format!("Content-Transfer-Encoding: {encoding}"),
        String::new(),
        body,
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_ids_are_found() {
        #[track_caller]
        fn check(reply: &str, expect: Option<&str>) {
            assert_eq!(queue_id(reply).as_deref(), expect);
        }
        check("250 2.0.0 Ok: queued as 4XyZ12345", Some("4XyZ12345"));
        check("250 OK id=1rAbCd-000123-4E", Some("1rAbCd-000123-4E"));
        check(
            "250 2.6.0 <a@b> [InternalId=123456, Hostname=x] Queued mail for delivery",
            Some("123456"),
        );
        check("250 2.0.0 Ok", None);
    }
}
