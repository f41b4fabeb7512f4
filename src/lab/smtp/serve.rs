//! One session of a peer, from the accepted connection to its end.

use crate::lab::smtp::{
    Loaded,
    heard::Log,
    say::{Next, Say, Wire, close, drain},
    script::{Handshake, Replies, Starts, Tls},
    visitor::Visitor,
};
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Octets of one line; a client that sends more is left.
const LINE: usize = 64 << 10;

/// Where a session is within its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The connection is gone, or the client left.
    Over,
    /// Both sides agreed to TLS.
    StartTls,
}

/// Plays the script over one connection.
pub(super) async fn session(mut tcp: TcpStream, loaded: &Loaded, log: &Log) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let greeting = loaded.greeting();
    let mut visitor = Visitor::new(tcp.peer_addr()?.ip());
    match loaded.script.starts {
        Starts::InTls => match handshake(tcp, loaded, log).await? {
            Some(mut tls) => match greeting.to(&mut tls).await? {
                Next::GoOn => in_tls(tls, loaded, &mut visitor, log).await,
                Next::Over => Ok(()),
            },
            None => Ok(()),
        },
        Starts::InClear => {
            if greeting.to(&mut tcp).await? == Next::Over {
                return Ok(());
            }
            let hear = |line: &str| log.write(|heard| heard.in_clear.push(line.to_owned()));
            match dialogue(&mut tcp, loaded, &mut visitor, hear).await? {
                Then::Over => Ok(()),
                Then::StartTls => match handshake(tcp, loaded, log).await? {
                    Some(tls) => in_tls(tls, loaded, &mut visitor, log).await,
                    None => Ok(()),
                },
            }
        }
    }
}

async fn in_tls(
    mut tls: TlsStream<TcpStream>,
    loaded: &Loaded,
    visitor: &mut Visitor,
    log: &Log,
) -> io::Result<()> {
    let hear = |line: &str| log.write(|heard| heard.in_tls.push(line.to_owned()));
    visitor.enter_tls(tls.get_ref().1.peer_certificates());
    dialogue(&mut tls, loaded, visitor, hear).await.map(|_| ())
}

/// Commands and replies until one side ends it or TLS begins. What a client sends behind STARTTLS in
/// clear is dropped (RFC 3207 §4.2).
async fn dialogue<W: Wire>(
    wire: &mut W,
    loaded: &Loaded,
    visitor: &mut Visitor,
    hear: impl Fn(&str),
) -> io::Result<Then> {
    let mut lines = Lines(Vec::new());
    loop {
        let Some(line) = lines.next(wire).await? else {
            return close(wire).await.map(|_| Then::Over);
        };
        hear(&line);
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        visitor.hear(&line);
        let reply = reply(loaded, visitor, &verb);
        if reply.to(wire).await? == Next::Over {
            return Ok(Then::Over);
        }
        if verb == "STARTTLS" && reply.start().starts_with(b"220") {
            return Ok(Then::StartTls);
        }
        if verb == "DATA" && reply.start().starts_with(b"354") {
            while let Some(line) = lines.next(wire).await? {
                hear(&line);
                if line == "." {
                    break;
                }
            }
            if self::reply(loaded, visitor, ".").to(wire).await? == Next::Over {
                return Ok(Then::Over);
            }
        }
    }
}

/// What the first rule says that fits, else the table.
fn reply(loaded: &Loaded, visitor: &Visitor, verb: &str) -> Say {
    let script = &loaded.script;
    let of_verb = script.rules.iter().filter(|rule| rule.verb == verb);
    let mut fitting = of_verb.filter(|rule| visitor.fits(&rule.when, &loaded.known));
    let replies: &Replies = if visitor.is_in_tls() { &script.in_tls } else { &script.in_clear };
    fitting.next().map_or_else(|| replies.to(verb), |rule| rule.say.clone())
}

/// Does what the script does once TLS is agreed; only a real handshake leaves a stream.
async fn handshake(
    mut tcp: TcpStream,
    loaded: &Loaded,
    log: &Log,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    let (Handshake::Tls(tls), Some(config)) = (&loaded.script.handshake, &loaded.tls) else {
        no_tls(&mut tcp, &loaded.script.handshake).await?;
        return Ok(None);
    };
    let octets = hello_octets(&tcp).await?;
    log.write(|heard| heard.hello_octets = octets);
    if let Some(limit) = &tls.intolerance
        && loaded.greeted.load(std::sync::atomic::Ordering::Relaxed) <= limit.connections
        && octets.is_some_and(|octets| octets > limit.octets)
    {
        no_tls(&mut tcp, &Handshake::AfterHello(limit.then.clone())).await?;
        return Ok(None);
    }
    if let Some(flight) = legacy(&tcp, tls).await? {
        no_tls(&mut tcp, &Handshake::AfterHello(Say::Bytes(flight))).await?;
        return Ok(None);
    }
    tcp.write_all(&tls.injected).await?;
    match TlsAcceptor::from(Arc::clone(config)).accept(tcp).into_fallible().await {
        Ok(stream) => afterwards(stream, tls, log).await,
        Err((error, mut tcp)) => {
            log.write(|heard| heard.handshake = Some(Err(error.to_string())));
            close(&mut tcp).await?;
            Ok(None)
        }
    }
}

async fn afterwards(
    mut stream: TlsStream<TcpStream>,
    tls: &Tls,
    log: &Log,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    let (_, connection) = stream.get_ref();
    let sni = connection.server_name().map(str::to_owned);
    let version = connection.protocol_version().map(|version| format!("{version:?}"));
    let certificates = connection.peer_certificates().map_or(0, <[_]>::len);
    log.write(|heard| {
        heard.sni = sni;
        heard.handshake = Some(Ok(version.unwrap_or_default()));
        heard.client_certificates = certificates;
    });
    match &tls.afterwards {
        Some(say) if say.to(&mut stream).await? == Next::Over => Ok(None),
        Some(_) | None => Ok(Some(stream)),
    }
}

/// What is not TLS; then the connection stays open until the client leaves.
async fn no_tls(tcp: &mut TcpStream, handshake: &Handshake) -> io::Result<()> {
    let say = match handshake {
        Handshake::AfterHello(say) => {
            read_record(tcp).await?;
            say
        }
        Handshake::AtOnce(say) => say,
        Handshake::Tls(_) => &Say::Close,
    };
    match say.to(tcp).await? {
        Next::GoOn => drain(tcp).await,
        Next::Over => Ok(()),
    }
}

/// Takes one TLS record off the wire (RFC 8446 §5.1: type, version, length, fragment).
async fn read_record(tcp: &mut TcpStream) -> io::Result<()> {
    let mut header = [0; 5];
    tcp.read_exact(&mut header).await?;
    let mut fragment = vec![0; fragment_octets(header)];
    tcp.read_exact(&mut fragment).await?;
    Ok(())
}

/// The size of the record that comes next, which stays where it is; none where the client left.
async fn hello_octets(tcp: &TcpStream) -> io::Result<Option<usize>> {
    let mut header = [0; 5];
    loop {
        match tcp.peek(&mut header).await? {
            0 => return Ok(None),
            5 => return Ok(Some(header.len() + fragment_octets(header))),
            // A client may send less than a header and leave; then the rest never comes.
            _ => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
        }
    }
}

/// The answer to a hello that offers an old version at most. RFC 5246 §7.4.1.2: behind the record header
/// (5 octets) and the message's (4) stands client_version.
async fn legacy(tcp: &TcpStream, tls: &Tls) -> io::Result<Option<Vec<u8>>> {
    if tls.legacy.is_empty() {
        return Ok(None);
    }
    let mut start = [0; 11];
    loop {
        match tcp.peek(&mut start).await? {
            0 => return Ok(None),
            11 => break,
            _ => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
        }
    }
    let [.., high, low] = start;
    let asked = u16::from_be_bytes([high, low]);
    let known = tls.legacy.iter().find(|(version, _)| version.to_wire() == asked);
    Ok(known.map(|(_, flight)| flight.clone()))
}

fn fragment_octets(header: [u8; 5]) -> usize {
    let [_, _, _, high, low] = header;
    usize::from(u16::from_be_bytes([high, low]))
}

/// Lines as they come; octets that are no UTF-8 are replaced.
struct Lines(Vec<u8>);

impl Lines {
    async fn next<W: Wire>(&mut self, wire: &mut W) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.0.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.0.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                return Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()));
            }
            if self.0.len() > LINE {
                return Err(io::Error::other("the client's line is too long"));
            }
            if wire.read_buf(&mut self.0).await? == 0 {
                return Ok(None);
            }
        }
    }
}
