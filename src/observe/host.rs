//! What this host can do by itself: listen at an address, be greeted at one, and from where it goes out.
//!
//! Invariant: nothing is said to anybody but QUIT, and no port that somebody may need is bound.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::{
    io,
    net::{TcpListener, UdpSocket},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Octets of a greeting that are read.
const GREETING: u64 = 512;

/// Whether an interface of this host has the address. Any free port will do: port 25 may be about to be bound.
///
/// # Errors
///
/// What the system says: mostly that the address is not ours.
pub fn listen_at(address: IpAddr) -> io::Result<()> {
    TcpListener::bind((address, 0)).map(drop)
}

/// The first line that whoever listens there greets with.
///
/// # Errors
///
/// No connection, or no line in time.
pub async fn greeting(address: SocketAddr, patience: Duration) -> io::Result<String> {
    let talk = async {
        let mut stream = TcpStream::connect(address).await?;
        let mut heard = Vec::new();
        let mut limited = (&mut stream).take(GREETING);
        while !heard.contains(&b'\n') {
            if limited.read_buf(&mut heard).await? == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "closed without a greeting",
                ));
            }
        }
        // Whether anybody hears it is nobody's business.
        let _ = stream.write_all(b"QUIT\r\n").await;
        let line = heard.split(|octet| *octet == b'\n').next().unwrap_or_default();
        Ok(crate::wire::text::printable(line.trim_ascii()))
    };
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no greeting in time");
    timeout(patience, talk).await.map_err(|_| late())?
}

/// The address this host would send from to a host of that kind far away. Nothing is sent: connecting a UDP socket
/// only asks the routing table.
pub fn source_address(toward: IpAddr) -> Option<IpAddr> {
    // Documentation addresses (RFC 5737, RFC 3849): nobody has a route of its own for them.
    let (here, there): (IpAddr, IpAddr) = match toward {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        IpAddr::V6(_) => {
            (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into())
        }
    };
    let socket = UdpSocket::bind((here, 0)).ok()?;
    socket.connect((there, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_greeting_is_heard_and_silence_is_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 mx.canary.test ESMTP\x1b[2J\r\n").await.unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            drop(stream);
            said
        });
        let patience = Duration::from_secs(30);
        let heard = greeting(address, patience).await.unwrap();
        assert!(heard.starts_with("220 mx.canary.test ESMTP"), "{heard}");
        assert!(!heard.contains('\x1b'), "{heard}");
        let error = greeting(address, patience).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(server.await.unwrap(), "QUIT\r\n");
        let error = greeting(address, patience).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn loopback_is_ours_and_documentation_is_not() {
        listen_at("127.0.0.1".parse().unwrap()).unwrap();
        let error = listen_at("192.0.2.7".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
