//! How mail comes in: one client, one session, a letter for each recipient.
//!
//! Invariant: nothing is answered 250 that has no place in the queue.

use super::{House, Letter, Queued, talk::Talk};
use crate::wire::smtp::{Command, Envelope};
use std::{io, sync::Arc};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, mpsc::Sender},
};

/// Octets of one message.
const MESSAGE: usize = 256 << 10;
/// Recipients of one message.
const RECIPIENTS: usize = 16;

/// What was said of the letter so far.
#[derive(Debug, Default)]
struct Draft {
    from: Option<String>,
    letters: Vec<Letter>,
    places: Vec<OwnedSemaphorePermit>,
}

/// Takes what one client hands over.
pub(super) async fn session(tcp: TcpStream, house: &House, out: &Sender<Queued>) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let ehlo = &house.plan.ehlo;
    let mut talk = Talk::over(tcp);
    talk.say(format!("220 {ehlo} ESMTP\r\n").as_bytes()).await?;
    let mut draft = Draft::default();
    while let Some(line) = talk.line().await? {
        let answer = match Command::parse(&line) {
            Command::Ehlo(_) => format!("250-{ehlo}\r\n250-8BITMIME\r\n250 SIZE {MESSAGE}"),
            Command::Helo(_) => format!("250 {ehlo}"),
            Command::Mail(envelope) => {
                draft = Draft { from: envelope.path, ..Draft::default() };
                "250 2.1.0 Ok".to_owned()
            }
            Command::Rcpt(envelope) => recipient(&mut draft, &envelope, house).to_owned(),
            Command::Data if draft.letters.is_empty() => "503 5.5.1 No recipient".to_owned(),
            Command::Data => {
                talk.say(b"354 End data with <CR><LF>.<CR><LF>\r\n").await?;
                match body(&mut talk).await? {
                    Some(body) => queue(std::mem::take(&mut draft), body, out).await,
                    None => "552 5.3.4 The message is too long".to_owned(),
                }
            }
            Command::Noop => "250 2.0.0 Ok".to_owned(),
            Command::Rset => {
                draft = Draft::default();
                "250 2.0.0 Ok".to_owned()
            }
            Command::Quit => {
                return talk.say(b"221 2.0.0 Bye\r\n").await;
            }
            Command::Bdat { .. }
            | Command::Help
            | Command::Malformed(_)
            | Command::StartTls
            | Command::Unknown
            | Command::Vrfy => "502 5.5.2 Not here".to_owned(),
        };
        talk.say(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn recipient(draft: &mut Draft, envelope: &Envelope, house: &House) -> &'static str {
    let Some(from) = &draft.from else { return "503 5.5.1 MAIL first" };
    let (Some(to), Some((_, domain))) = (&envelope.path, envelope.address()) else {
        return "501 5.1.3 No address";
    };
    let domain = domain.to_ascii_lowercase();
    let Some(connector) = house.connector(&domain) else {
        return "550 5.7.1 No connector leads there";
    };
    if draft.letters.len() >= RECIPIENTS {
        return "452 4.5.3 Too many recipients";
    }
    let Ok(place) = Arc::clone(&house.room).try_acquire_owned() else {
        return "452 4.3.1 The queue is full";
    };
    draft.places.push(place);
    draft.letters.push(Letter {
        from: from.clone(),
        to: to.clone(),
        domain,
        forcing: connector.forcing,
        body: Arc::default(),
    });
    "250 2.1.5 Ok"
}

/// A message as it comes, its last line included; none where it is too long.
async fn body(talk: &mut Talk<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(line) = talk.line().await? {
        // What is too long is read to its end all the same: it would be taken for commands.
        if body.len() <= MESSAGE {
            body.extend_from_slice(&line);
            body.extend_from_slice(b"\r\n");
        }
        if line == b"." {
            return Ok((body.len() <= MESSAGE).then_some(body));
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

async fn queue(draft: Draft, body: Vec<u8>, out: &Sender<Queued>) -> String {
    let body = Arc::new(body);
    for (letter, place) in draft.letters.into_iter().zip(draft.places) {
        // The channel holds as many as the queue: it ends only with the mail system.
        if out.send((Letter { body: Arc::clone(&body), ..letter }, place)).await.is_err() {
            return "451 4.3.2 Shutting down".to_owned();
        }
    }
    "250 2.0.0 Ok: queued".to_owned()
}
