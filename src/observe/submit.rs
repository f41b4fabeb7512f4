//! Probe mail handed to our own mail system, as any client of it would ([RFC 6409]).
//!
//! 1. Connect; TLS first, by STARTTLS, where it is offered, or none, as the connector's address says.
//! 2. Where TLS is required its certificate is verified, for the name that was configured.
//! 3. AUTH PLAIN, LOGIN or XOAUTH2, never in clear unless `smtp+plain` says so. A token that is refused is asked
//!    for anew, once.
//! 4. The envelope and the message, once: what is not taken is not tried again.
//!
//! The dialogue is the one the probes use, and not a mail library's: a submission is evidence, its replies are
//! bounded and kept, and a connection lost behind the message is told apart from a refusal.
//!
//! Invariant: no password and no token reaches a transcript, a reply or an error.
//!
//! [RFC 6409]: https://www.rfc-editor.org/rfc/rfc6409

mod hush;

use super::{
    approach::{Arrival, Command, Stage, farewell},
    dialogue::{Dialogue, Transcript},
    dns::Resolver,
    envelope::{Answered, Handover, Way, transact},
    letter::encoded,
    oauth::TokenSource,
    screen::Screen,
    starttls::{Opening, Prober, Try, in_words},
};
use crate::model::{
    connector::{Credentials, Submit, SubmitHost, SubmitSecurity},
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
    login: Option<Login>,
    roots: Arc<Roots>,
    resolver: Resolver,
    prober: Prober,
    words: ProbeWords,
    /// Mail systems take few connections at once from one client.
    turns: Arc<Semaphore>,
}

/// What we prove with who we are.
#[derive(Debug, Clone)]
pub enum Login {
    /// A password.
    Password(SecretString),
    /// Tokens.
    Tokens(Arc<TokenSource>),
}

/// Why a submission did not come to its end.
enum Failed {
    /// Our login was refused, in words.
    Login(String),
    /// In words, before anything could have been taken.
    Before(String),
    /// How the session ended.
    Session(Ending),
}

/// What a session with the mail system is for.
#[derive(Debug, Clone, Copy)]
struct Errand<'a> {
    /// What is handed over; none where it is only to be seen that something could be.
    probe: Option<&'a Probe>,
    /// What we prove with who we are.
    secret: Option<&'a SecretString>,
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
        login: Option<Login>,
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
        Self { submit, login, roots, resolver, prober, words, turns }
    }

    /// Submits one probe, once.
    pub async fn submit(&self, probe: &Probe) -> Submission {
        // A semaphore that is never closed always gives a turn.
        let _turn = self.turns.acquire().await.ok();
        let endpoint = match self.endpoint().await {
            Ok(endpoint) => endpoint,
            Err(detail) => return Submission::Failed { at: self.prober.clock.now(), detail },
        };
        let Some(Login::Tokens(source)) = &self.login else {
            let secret = match &self.login {
                Some(Login::Password(password)) => Some(password),
                Some(Login::Tokens(_)) | None => None,
            };
            return self.attempt(probe, endpoint, secret).await.submission;
        };
        let mut last = None;
        // A token may have been withdrawn before its time: a new one is asked for, and that is that.
        for _ in 0..2 {
            let token = match source.token().await {
                Ok(token) => token,
                Err(error) => {
                    let detail = format!("{endpoint}: authentication not tried: {error}");
                    return Submission::Failed { at: self.prober.clock.now(), detail };
                }
            };
            let attempt = self.attempt(probe, endpoint.clone(), Some(&token)).await;
            let is_refused = attempt.is_login_refused;
            let submission = last.insert(attempt.submission);
            if !is_refused {
                return submission.clone();
            }
            source.forget(&token).await;
        }
        last.unwrap_or_else(|| Submission::Failed {
            at: self.prober.clock.now(),
            detail: "it was not tried".to_owned(),
        })
    }

    /// One session.
    async fn attempt(
        &self,
        probe: &Probe,
        endpoint: Endpoint,
        secret: Option<&SecretString>,
    ) -> Attempt {
        let until = Instant::now() + PATIENCE;
        let mut session = Session::new(endpoint, self.prober.clock.now());
        let mut stage = Stage::new(Transcript::new(&self.prober.plan.limits));
        let mut answered = Answered::default();
        let errand = Errand { probe: Some(probe), secret };
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
            let reply = self.without_secrets(&reply.to_string(), secret);
            let queue_id = queue_id(&reply);
            return Attempt {
                submission: Submission::Accepted { at, reply, queue_id },
                is_login_refused: false,
            };
        }
        let is_login_refused = matches!(ended, Err(Failed::Login(_)));
        let detail = match ended {
            Ok(()) => "the mail system took no message".to_owned(),
            Err(Failed::Before(detail) | Failed::Login(detail)) => detail,
            Err(Failed::Session(ending)) => {
                session.ending = ending;
                in_words(&session)
            }
        };
        let detail = format!("{}: {}", session.endpoint, self.without_secrets(&detail, secret));
        // RFC 5321 §4.5.3.2.6: who loses the reply to the message does not know whether it was taken.
        let is_sent = envelope.data.as_ref().is_some_and(|reply| reply.code == 354);
        let submission = match envelope.message {
            None if is_sent => Submission::Unclear { at, detail },
            _ => Submission::Failed { at, detail },
        };
        Attempt { submission, is_login_refused }
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
        let token = match &self.login {
            Some(Login::Tokens(source)) => match timeout_at(until, source.token()).await {
                Ok(token) => {
                    Some(token.map_err(|error| format!("authentication not tried: {error}"))?)
                }
                Err(_) => return Err("authentication not tried: no token came in time".to_owned()),
            },
            Some(Login::Password(password)) => Some(password.clone()),
            None => None,
        };
        let secret = token.as_ref();
        let errand = Errand { probe: None, secret };
        let talk = self.talk(&mut session, &mut stage, &mut answered, errand, until);
        let detail = match timeout_at(until, talk).await {
            Ok(Ok(())) => {
                let tls = session.tls.as_ref().and_then(|tls| tls.version);
                let tls = tls.map_or_else(|| "in clear".to_owned(), |version| version.to_string());
                let login = match &self.submit.credentials {
                    Some(credentials) => format!("authenticated as {}", credentials.username()),
                    None => "without authentication".to_owned(),
                };
                return Ok(format!("{}: {tls}, {login}", session.endpoint));
            }
            Ok(Err(Failed::Before(detail) | Failed::Login(detail))) => detail,
            Ok(Err(Failed::Session(ending))) => {
                session.ending = ending;
                in_words(&session)
            }
            Err(_) => {
                session.ending = Ending::Deadline(session.reached);
                in_words(&session)
            }
        };
        Err(format!("{}: {}", session.endpoint, self.without_secrets(&detail, secret)))
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
        self.authenticate(smtp, session, stage, errand.secret).await?;
        let Some(probe) = errand.probe else {
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
        secret: Option<&SecretString>,
    ) -> Result<(), Failed> {
        let (Some(credentials), Some(secret)) = (&self.submit.credentials, secret) else {
            return Ok(());
        };
        if !session.has_completed_tls() && self.submit.security != SubmitSecurity::None {
            let secret = match credentials {
                Credentials::OAuth2 { .. } => "token",
                Credentials::Password { .. } => "password",
            };
            let why = format!("it does not offer STARTTLS, and the {secret} is not sent in clear");
            return Err(Failed::Before(why));
        }
        let ehlo = session.ehlo_tls.as_ref().or(session.ehlo.as_ref());
        let offers = |mechanism: &str| {
            let offered = ehlo.map_or(&[][..], |ehlo| ehlo.capabilities.lines());
            offered
                .iter()
                .filter_map(|line| line.strip_prefix("AUTH"))
                .any(|line| line.split([' ', '=']).any(|word| word.eq_ignore_ascii_case(mechanism)))
        };
        let (phase, log) = (session.reached, &mut stage.log);
        let reply = match credentials {
            Credentials::OAuth2 { username, .. } if offers("XOAUTH2") => {
                let response = xoauth2(username, secret);
                let line = Zeroizing::new(format!("AUTH XOAUTH2 {}", response.as_str()));
                let asked = smtp.ask_in_secret(&line, "AUTH XOAUTH2 …", phase, log).await;
                let reply = asked.map_err(hush::hushed)?;
                // A refusal comes as a challenge that says why; an empty response ends the exchange.
                if reply.code == 334 {
                    smtp.ask("", phase, log).await.map_err(hush::hushed)?
                } else {
                    reply
                }
            }
            Credentials::OAuth2 { .. } => {
                return Err(Failed::Before("it does not offer AUTH XOAUTH2".to_owned()));
            }
            Credentials::Password { username, .. } if offers("PLAIN") => {
                // RFC 4616 §2.
                let plain = Zeroizing::new(format!("\0{username}\0{}", secret.expose_secret()));
                let line = Zeroizing::new(format!("AUTH PLAIN {}", text::base64(plain.as_bytes())));
                smtp.ask_in_secret(&line, "AUTH PLAIN …", phase, log).await.map_err(hush::hushed)?
            }
            Credentials::Password { username, .. } if offers("LOGIN") => {
                let user = text::base64(username.as_bytes());
                for line in ["AUTH LOGIN", &user] {
                    let reply = smtp.ask(line, phase, log).await?;
                    // RFC 4954 §4: 334 alone asks for more; after a refusal the next line would pass for a command.
                    if reply.code != 334 {
                        return Err(Failed::Login(format!("authentication refused: {reply}")));
                    }
                }
                let line = Zeroizing::new(text::base64(secret.expose_secret().as_bytes()));
                smtp.ask_in_secret(&line, "…", phase, log).await.map_err(hush::hushed)?
            }
            Credentials::Password { .. } => {
                return Err(Failed::Before(
                    "it offers neither AUTH PLAIN nor AUTH LOGIN".to_owned(),
                ));
            }
        };
        // RFC 4954 §4: 235 alone is success.
        if reply.code == 235 {
            return Ok(());
        }
        Err(Failed::Login(format!("authentication refused: {reply}")))
    }

    fn without_secrets(&self, text: &str, secret: Option<&SecretString>) -> String {
        match (secret, &self.submit.credentials) {
            (Some(token), Some(Credentials::OAuth2 { username, .. })) => {
                hush::without_token(text, &xoauth2(username, token), token)
            }
            (Some(password), Some(Credentials::Password { username, .. })) => {
                hush::without_secrets(text, username, password)
            }
            (None, _) | (_, None) => text.to_owned(),
        }
    }
}

/// One session, as far as it came.
struct Attempt {
    submission: Submission,
    is_login_refused: bool,
}

/// The response of XOAUTH2, which no RFC describes: Google and Microsoft do, alike.
fn xoauth2(username: &str, token: &SecretString) -> Zeroizing<String> {
    let response =
        Zeroizing::new(format!("user={username}\x01auth=Bearer {}\x01\x01", token.expose_secret()));
    Zeroizing::new(text::base64(response.as_bytes()))
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
