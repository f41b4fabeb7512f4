//! One try to deliver one letter.
//!
//! 1. EHLO, STARTTLS, the handshake, EHLO again, the envelope, the message, QUIT.
//! 2. Where STARTTLS is missing or refused, a sender that insists says QUIT; one that does not goes on in clear.
//! 3. Where the handshake fails, a sender that does not insist comes a second time and asks for no TLS, as real
//!    opportunistic senders do.

use super::{Forcing, Letter, talk::Talk, trust::Trust};
use crate::wire::smtp::{Capabilities, Reply};
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// An MX host at one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) host: String,
    pub(super) address: SocketAddr,
}

/// Why a letter was not taken.
#[derive(Debug)]
pub(super) enum Failed {
    /// Another time, perhaps.
    Later(String),
    /// Not at all.
    Never(String),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Later(error.to_string())
    }
}

/// What a session goes without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    Clear,
    Tls,
}

/// How one connection ended that brought no answer for the letter.
enum Ended {
    Failed(Failed),
    Handshake(io::Error),
}

impl<E: Into<Failed>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A letter, and what it is delivered with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery<'a> {
    pub(super) ehlo: &'a str,
    pub(super) trust: &'a Trust,
    pub(super) letter: &'a Letter,
}

impl Delivery<'_> {
    /// To the first host that takes it, or refuses it for good.
    pub(super) async fn to_first_of(self, hops: &[Hop]) -> Result<(), Failed> {
        let mut last = Failed::Later("no host has an address".to_owned());
        for hop in hops {
            match self.to(hop).await {
                Err(Failed::Later(why)) => last = Failed::Later(why),
                answered @ (Ok(()) | Err(Failed::Never(_))) => return answered,
            }
        }
        Err(last)
    }

    async fn to(self, hop: &Hop) -> Result<(), Failed> {
        let ended = match (self.session(hop, Wants::Tls).await, self.letter.forcing) {
            (Err(Ended::Handshake(_)), Forcing::InAppearance) => {
                self.session(hop, Wants::Clear).await
            }
            (ended, Forcing::InAppearance | Forcing::Really) => ended,
        };
        ended.map_err(|ended| match ended {
            Ended::Failed(failed) => failed,
            Ended::Handshake(error) => Failed::Later(format!("no TLS: {error}")),
        })
    }

    async fn session(self, hop: &Hop, wants: Wants) -> Result<(), Ended> {
        let tcp = TcpStream::connect(hop.address).await?;
        tcp.set_nodelay(true)?;
        let mut talk = Talk::over(tcp);
        taken(&talk.reply().await?)?;
        let offered = self.introduce(&mut talk).await?;
        if wants == Wants::Clear {
            return Ok(self.hand_over(talk).await?);
        }
        if !offered.has("STARTTLS") {
            return Ok(self.without_tls(talk, "STARTTLS is not offered").await?);
        }
        let go = talk.command("STARTTLS").await?;
        if go.code != 220 {
            return Ok(self.without_tls(talk, &format!("STARTTLS was answered {go}")).await?);
        }
        let tcp = talk.into_stream()?;
        let shaken = self.trust.shake(self.letter.forcing, &hop.host, tcp).await;
        let mut talk = Talk::over(shaken.map_err(Ended::Handshake)?);
        self.introduce(&mut talk).await?;
        Ok(self.hand_over(talk).await?)
    }

    async fn introduce<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        talk: &mut Talk<S>,
    ) -> Result<Capabilities, Failed> {
        let reply = talk.command(&format!("EHLO {}", self.ehlo)).await?;
        taken(&reply)?;
        Ok(Capabilities::of(&reply))
    }

    /// What is left where both sides came to no TLS.
    async fn without_tls(self, talk: Talk<TcpStream>, why: &str) -> Result<(), Failed> {
        match self.letter.forcing {
            Forcing::InAppearance => self.hand_over(talk).await,
            Forcing::Really => {
                talk.quit().await;
                Err(Failed::Later(why.to_owned()))
            }
        }
    }

    async fn hand_over<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        mut talk: Talk<S>,
    ) -> Result<(), Failed> {
        let outcome = self.transact(&mut talk).await;
        talk.quit().await;
        outcome
    }

    async fn transact<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        talk: &mut Talk<S>,
    ) -> Result<(), Failed> {
        let Letter { from, to, body, .. } = self.letter;
        taken(&talk.command(&format!("MAIL FROM:<{from}>")).await?)?;
        taken(&talk.command(&format!("RCPT TO:<{to}>")).await?)?;
        taken(&talk.command("DATA").await?)?;
        talk.say(body).await?;
        taken(&talk.reply().await?)
    }
}

fn taken(reply: &Reply) -> Result<(), Failed> {
    match reply.code {
        200..400 => Ok(()),
        400..500 => Err(Failed::Later(reply.to_string())),
        _ => Err(Failed::Never(reply.to_string())),
    }
}
