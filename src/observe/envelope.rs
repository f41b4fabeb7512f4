//! One session with an envelope in it: MAIL and RCPT, and DATA where that was asked for ([RFC 5321 §3.3]).
//!
//! 1. Up to the reply to EHLO: in clear, or inside TLS.
//! 2. MAIL, RCPT; DATA and a message only where the plan goes so far.
//! 3. RSET and QUIT, whatever was said, unless the server has left (421).
//!
//! Invariant: a refusal is data, never tried again here; and nothing is delivered that was not asked for.
//!
//! [RFC 5321 §3.3]: https://www.rfc-editor.org/rfc/rfc5321#section-3.3

use super::{
    approach::{Approach, Command, Stage, farewell},
    dialogue::{Dialogue, Transcript},
    starttls::{Prober, Try},
    tls::{KeyShare, Sni, Versions},
};
use crate::model::{
    connector::{CertificateFiles, Until},
    enforcement::{Attempt, AttemptKind, Envelope},
    session::{Ending, Endpoint, HandshakeFailure, Phase, Session, StartTls},
};
use crate::wire::{mailbox::Mailbox, name::Host, smtp::Reply};
use rustls::{
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout, timeout_at},
};

/// How long a peer may take to answer RSET; nothing depends on it.
const FAREWELL: Duration = Duration::from_secs(2);

/// A client certificate and its key.
#[derive(Debug, Clone)]
pub struct ClientIdentity(Arc<CertifiedKey>);

/// No client certificate could be had.
#[derive(Debug, thiserror::Error)]
pub enum ClientIdentityError {
    /// A certificate and a key that do not go together, or a key of a kind we cannot use.
    #[error("the client certificate {} and its key {} cannot be used", chain.display(), key.display())]
    Key {
        /// The certificates.
        chain: PathBuf,
        /// The key.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// We could not make one.
    #[error("cannot make a client certificate")]
    Make(#[from] rcgen::Error),
    /// No PEM.
    #[error("{} holds no {what} in PEM form", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
}

impl ClientIdentity {
    /// From PEM files.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, holds something else, or does not go with the other.
    pub fn read(files: &CertificateFiles) -> Result<Self, ClientIdentityError> {
        let CertificateFiles { chain_file, key_file } = files;
        let no_pem = |path: &PathBuf, what| {
            let path = path.clone();
            move |source| ClientIdentityError::Pem { path, what, source }
        };
        let chain: Vec<_> = CertificateDer::pem_file_iter(chain_file)
            .and_then(Iterator::collect)
            .map_err(no_pem(chain_file, "certificate"))?;
        let key =
            PrivateKeyDer::from_pem_file(key_file).map_err(no_pem(key_file, "private key"))?;
        let unusable = |source| ClientIdentityError::Key {
            chain: chain_file.clone(),
            key: key_file.clone(),
            source,
        };
        let signer = any_supported_type(&key).map_err(unusable)?;
        let certified = CertifiedKey::new(chain, signer);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
                Ok(Self(Arc::new(certified)))
            }
            Err(source) => Err(unusable(source)),
        }
    }

    /// One for this name that nobody has reason to trust.
    ///
    /// # Errors
    ///
    /// The library fails to make it.
    pub(super) fn self_made(name: &Host) -> Result<Self, ClientIdentityError> {
        let mut params = rcgen::CertificateParams::new(vec![name.to_string()])?;
        params.distinguished_name.push(rcgen::DnType::CommonName, name.as_str());
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let key = rcgen::KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let made = |_| ClientIdentityError::Make(rcgen::Error::CouldNotParseKeyPair);
        let signer = any_supported_type(&key).map_err(made)?;
        Ok(Self(Arc::new(CertifiedKey::new(vec![certificate], signer))))
    }
}

/// How the envelope travels.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way<'a> {
    /// In clear, whatever is offered.
    Clear,
    /// Inside TLS.
    Tls { versions: Versions, identity: Option<&'a ClientIdentity> },
}

/// What one attempt says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) kind: AttemptKind,
    pub(super) way: Way<'a>,
    /// None is `<>`.
    pub(super) mail_from: Option<&'a Mailbox>,
    pub(super) rcpt_to: &'a Mailbox,
    pub(super) goes: Until,
    /// The message, lines ended by CRLF but the last; sent only where the attempt goes to DATA.
    pub(super) message: &'a str,
}

impl Prober {
    /// Makes one attempt.
    pub(super) async fn attempt(&self, endpoint: &Endpoint, asked: &Asked<'_>) -> Attempt {
        let until = Instant::now() + self.plan.deadline;
        let mut session = Session::new(endpoint.clone(), self.clock.now());
        let mut stage = Stage::new(Transcript::new(&self.plan.limits));
        let mut envelope = Envelope::default();
        let talk = self.convey(&mut session, &mut stage, &mut envelope, asked, until);
        session.ending = match timeout_at(until, talk).await {
            Ok(Ok(())) => Ending::Quit,
            Ok(Err(ending)) => ending,
            Err(_) if session.reached == Phase::Handshake => {
                Ending::Handshake(HandshakeFailure::TimedOut)
            }
            Err(_) => Ending::Deadline(session.reached),
        };
        if matches!(
            session.ending,
            Ending::Deadline(Phase::Starttls) | Ending::Lost(Phase::Starttls, _)
        ) {
            session.starttls = StartTls::Unanswered;
        }
        stage.finish(&mut session);
        let source = self.plan.source;
        Attempt { kind: asked.kind, mail_from: asked.mail_from.cloned(), source, session, envelope }
    }

    async fn convey(
        &self,
        session: &mut Session,
        stage: &mut Stage,
        envelope: &mut Envelope,
        asked: &Asked<'_>,
        until: Instant,
    ) -> Result<(), Ending> {
        match asked.way {
            Way::Clear => {
                let mut smtp = self.open(session, stage, until).await?;
                write(&mut smtp, session, stage, envelope, asked).await
            }
            Way::Tls { versions, identity } => {
                let hello = Try {
                    key_share: KeyShare::PostQuantum,
                    sni: Sni::Sent,
                    versions,
                    identity: identity.map(|identity| &identity.0),
                    until,
                };
                match self.approach(session, stage, Command::Alone, until).await? {
                    Approach::Agreed(screen) => {
                        let mut smtp = self.secure(session, stage, screen, hello).await?;
                        write(&mut smtp, session, stage, envelope, asked).await
                    }
                    Approach::NotOffered => Ok(()),
                }
            }
        }
    }
}

/// The envelope, and the leave-taking.
pub(super) async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    smtp: &mut Dialogue<S>,
    session: &mut Session,
    stage: &mut Stage,
    envelope: &mut Envelope,
    asked: &Asked<'_>,
) -> Result<(), Ending> {
    let refused = match enclose(smtp, session, stage, envelope, asked).await {
        Ok(refused) => refused,
        Err(ending) => return Err(ending),
    };
    // RFC 5321 §3.8: after 421 the server closes.
    if refused.as_ref().is_none_or(|(_, reply)| reply.code != 421) {
        let _ = timeout(FAREWELL, smtp.ask("RSET", session.reached, &mut stage.log)).await;
        farewell(smtp, stage).await;
    }
    match refused {
        Some((phase, reply)) => Err(Ending::Refused(phase, reply)),
        None => Ok(()),
    }
}

/// As far as it is taken and goes; the refusal, where there was one.
async fn enclose<S: AsyncRead + AsyncWrite + Unpin>(
    smtp: &mut Dialogue<S>,
    session: &mut Session,
    stage: &mut Stage,
    envelope: &mut Envelope,
    asked: &Asked<'_>,
) -> Result<Option<(Phase, Reply)>, Ending> {
    stage.enter(session, Phase::Mail);
    let from = asked.mail_from.map(ToString::to_string).unwrap_or_default();
    let reply = smtp.ask(&format!("MAIL FROM:<{from}>"), Phase::Mail, &mut stage.log).await?;
    envelope.mail = Some(reply.clone());
    if !reply.is_positive() {
        return Ok(Some((Phase::Mail, reply)));
    }
    stage.enter(session, Phase::Rcpt);
    let rcpt = format!("RCPT TO:<{}>", asked.rcpt_to);
    let reply = smtp.ask(&rcpt, Phase::Rcpt, &mut stage.log).await?;
    envelope.rcpt = Some(reply.clone());
    if !reply.is_positive() {
        return Ok(Some((Phase::Rcpt, reply)));
    }
    if asked.goes == Until::Rcpt {
        return Ok(None);
    }
    stage.enter(session, Phase::Data);
    let reply = smtp.ask("DATA", Phase::Data, &mut stage.log).await?;
    envelope.data = Some(reply.clone());
    // RFC 5321 §4.3.2: 354 alone asks for the message.
    if reply.code != 354 {
        return Ok(Some((Phase::Data, reply)));
    }
    let message = format!("{}\r\n.", asked.message);
    let reply = smtp.ask(&message, Phase::Data, &mut stage.log).await?;
    envelope.message = Some(reply.clone());
    if !reply.is_positive() {
        return Ok(Some((Phase::Data, reply)));
    }
    stage.enter(session, Phase::Accepted);
    Ok(None)
}
