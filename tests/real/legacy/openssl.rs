//! `openssl s_server`, and the SMTP it lacks.
//!
//! 1. One `s_server` a host, on a port of its own, each with the options stated beside it.
//! 2. A front of ours speaks SMTP up to the 220 to STARTTLS; from there on it hands on bytes and reads none of them.
//! 3. What `s_server` decrypts comes out of its standard output; a second thread answers it there, so that the session
//!    inside TLS goes on as at any server. It serves one connection at a time, so the two cannot be confused.

use crate::{
    lab::{Host, Network, SMTP_PORT, TLS_PORT, serve_piped},
    pki::{Key, Leaf, Pki},
};
use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Shutdown, SocketAddrV4, TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
};

struct Server {
    domain: &'static str,
    host: &'static str,
    /// Its RSA certificate, or none.
    leaf: Option<Leaf>,
    /// The ECDSA certificate.
    second_leaf: Option<Leaf>,
    /// Whether finite fields have 1024 bits.
    dh_1024: bool,
    options: &'static [&'static str],
}

macro_rules! server {
    ($name:literal, $($option:literal),* $(,)?) => {
        Server {
            domain: concat!($name, ".openssl.test"),
            host: concat!("mx.", $name, ".openssl.test"),
            leaf: Some(Leaf::good(concat!("mx.", $name, ".openssl.test"))),
            second_leaf: None,
            dh_1024: false,
            options: &[$($option),*],
        }
    };
}

const SERVERS: &[Server] = &[
    server!("tls-1-0", "-tls1", "-cipher", "ALL:!aNULL:@SECLEVEL=0"),
    server!("tls-1-1", "-tls1_1", "-cipher", "ALL:!aNULL:@SECLEVEL=0"),
    server!("tls-1-0-to-1-3", "-cipher", "ALL:!aNULL:@SECLEVEL=0"),
    server!("cbc", "-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA"),
    server!("rsa-exchange", "-tls1_2", "-cipher", "AES128-GCM-SHA256:AES128-SHA"),
    Server {
        dh_1024: true,
        ..server!(
            "dhe-1024",
            "-tls1_2",
            "-cipher",
            "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-SHA:@SECLEVEL=0",
        )
    },
    Server { leaf: None, ..server!("anonymous", "-tls1_2", "-cipher", "aNULL:!eNULL:@SECLEVEL=0") },
    Server {
        leaf: Some(Leaf {
            not_after: "20210101000000Z",
            ..Leaf::good("mx.half-renewed.openssl.test")
        }),
        second_leaf: Some(Leaf {
            file: "half-renewed-openssl-ec",
            key: Key::Ec,
            ..Leaf::good("mx.half-renewed.openssl.test")
        }),
        ..server!("half-renewed", "-no_tls1", "-no_tls1_1")
    },
    server!("everything", "-cipher", "ALL:eNULL:@SECLEVEL=0"),
];

/// Starts them; returns the hosts.
pub(super) fn start(scratch: &Path, network: &Network, pki: &Pki) -> Vec<Host> {
    let mut hosts = Vec::new();
    for (server, index) in SERVERS.iter().zip(0..) {
        let address = network.openssl(index);
        let tls = SocketAddrV4::new(address, TLS_PORT);
        let name = format!("s_server-{}", server.domain);
        let (input, output) = serve_piped(scratch, &name, &server.command(tls, pki), tls);
        thread::spawn(move || answer(BufReader::new(output), input, "250 mx.test\r\n"));
        let listener = TcpListener::bind(SocketAddrV4::new(address, SMTP_PORT)).unwrap();
        thread::spawn(move || {
            for client in listener.incoming() {
                // A client that has gone is none.
                let Ok(client) = client else { continue };
                thread::spawn(move || front(client, tls));
            }
        });
        hosts.push(Host { domain: server.domain, name: server.host, preference: 10, address });
    }
    hosts
}

impl Server {
    fn command(&self, at: SocketAddrV4, pki: &Pki) -> Command {
        let mut command = Command::new("openssl");
        // Nothing of this machine's configuration, such as a lowest version.
        command.env("OPENSSL_CONF", "/dev/null");
        command.args(["s_server", "-quiet", "-accept", &at.to_string()]);
        let leaves = [("-", &self.leaf), ("-d", &self.second_leaf)];
        for (prefix, leaf) in leaves {
            let Some(leaf) = leaf else { continue };
            let chain = pki.chain(leaf);
            command.arg(format!("{prefix}key")).arg(&chain);
            command.arg(format!("{prefix}cert")).arg(&chain);
            command.arg(format!("{prefix}cert_chain")).arg(pki.intermediate());
        }
        if self.leaf.is_none() {
            command.arg("-nocert");
        }
        if self.dh_1024 {
            command.arg("-dhparam").arg(pki.dh_1024());
        }
        command.args(self.options);
        command
    }
}

/// One client. Whoever leaves in the middle has seen what they came for.
fn front(mut client: TcpStream, tls: SocketAddrV4) {
    let Ok(reader) = client.try_clone() else { return };
    if client.write_all(b"220 mx.test ESMTP\r\n").is_err() {
        return;
    }
    // What came with STARTTLS in one packet is forgotten with this reader (RFC 3207 §4.2).
    if !answer(BufReader::new(reader), &client, "250-mx.test\r\n250 STARTTLS\r\n") {
        return;
    }
    let Ok(server) = TcpStream::connect(tls) else { return };
    let (Ok(to_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else { return };
    thread::spawn(move || hand_on(client, to_server));
    hand_on(server, to_client);
}

/// Answers each line, up to STARTTLS; whether that came.
fn answer(lines: impl BufRead, mut to: impl Write, to_ehlo: &str) -> bool {
    for line in lines.split(b'\n') {
        let Ok(line) = line else { return false };
        let command = String::from_utf8_lossy(&line).trim().to_ascii_uppercase();
        let reply = match command.split(' ').next() {
            Some("EHLO") => to_ehlo,
            Some("NOOP") => "250 mx.test\r\n",
            Some("QUIT") => "221 mx.test\r\n",
            Some("STARTTLS") => "220 mx.test\r\n",
            _ => "502 mx.test\r\n",
        };
        if to.write_all(reply.as_bytes()).and_then(|()| to.flush()).is_err() {
            return false;
        }
        if command == "STARTTLS" {
            return true;
        }
    }
    false
}

/// Copies until either side has gone, and tells both.
fn hand_on(mut from: TcpStream, mut to: TcpStream) {
    // How it ends is the same to a client of TLS as to a server of it.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
