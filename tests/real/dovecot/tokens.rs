//! A token endpoint, and tokens as one issues them: JSON Web Tokens, signed by the `openssl` tool.
//!
//! The endpoint speaks HTTPS and answers the first request with the first token it was given, the second with the
//! second, and all others with the last.

use crate::{
    lab::{lab, succeed},
    pki::Leaf,
};
use data_encoding::BASE64URL_NOPAD;
use mxwarden::observe::clock::Clock;
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::json;
use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// The endpoint's host.
pub(super) const HOST: &str = "login.submission.test";
/// Who signs the tokens that are good, by a file of the lab.
pub(super) const ISSUER: &str = "intermediate.key";

/// Who signed a token.
#[derive(Clone, Copy)]
pub(super) enum Signer {
    /// The one whose key the mail system knows.
    Issuer,
    /// Somebody else.
    Stranger,
}

/// A token for `user`, good for an hour from now, if it is signed by whom it should be.
fn token(folder: &Path, user: &str, signer: Signer, number: usize) -> String {
    let now = Clock::system().now().as_second();
    let header = json!({ "typ": "JWT", "alg": "RS256" });
    let claims = json!({
        "iss": format!("https://{HOST}"), "sub": user, "iat": now - 5, "exp": now + 3600,
        "jti": format!("token-{number}"),
    });
    let encoded = [header, claims].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
    let text = encoded.join(".");
    let (unsigned, signature) = (folder.join("unsigned"), folder.join("signature"));
    fs::write(&unsigned, &text).unwrap();
    let key = match signer {
        Signer::Issuer => ISSUER,
        Signer::Stranger => "stranger.key",
    };
    let mut sign = Command::new("openssl");
    sign.args(["dgst", "-sha256", "-sign"]).arg(lab().pki.path(key));
    succeed(sign.arg("-out").arg(&signature).arg(&unsigned));
    format!("{text}.{}", BASE64URL_NOPAD.encode(&fs::read(signature).unwrap()))
}

/// A token endpoint. It listens as long as this process lives.
pub(super) struct Endpoint {
    port: u16,
    tokens: Vec<String>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    /// An endpoint with tokens for `user` by these signers, in this order.
    pub(super) fn start(folder: &Path, user: &str, signers: &[Signer]) -> Self {
        let tokens: Vec<String> =
            signers.iter().zip(1..).map(|(by, number)| token(folder, user, *by, number)).collect();
        let listener = TcpListener::bind((lab().network.dovecot(1), 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (config, heard, given) = (tls(), Arc::clone(&asked), tokens.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who says nothing has asked for nothing.
                let Ok(mut tls) = accept(stream, &config) else { continue };
                let Ok(body) = hear(&mut tls) else { continue };
                let mut asked = heard.lock().unwrap();
                let token = &given[asked.len().min(given.len() - 1)];
                asked.push(body);
                drop(asked);
                // Who leaves before the answer has asked all the same.
                let _ = give(&mut tls, token);
            }
        });
        Self { port, tokens, asked }
    }

    /// Its address.
    pub(super) fn url(&self) -> String {
        format!("https://{HOST}:{}/tenant/oauth2/v2.0/token", self.port)
    }

    /// The tokens it has.
    pub(super) fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// What it was asked.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn tls() -> Arc<ServerConfig> {
    let file = lab().pki.chain(&Leaf::good(HOST));
    let chain = CertificateDer::pem_file_iter(&file).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&file).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

type Tls = BufReader<StreamOwned<ServerConnection, TcpStream>>;

fn accept(stream: TcpStream, config: &Arc<ServerConfig>) -> io::Result<Tls> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    Ok(BufReader::new(StreamOwned::new(connection, stream)))
}

/// The body of a request.
fn hear(tls: &mut Tls) -> io::Result<String> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if tls.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(octets) = line.strip_prefix("content-length: ") {
            length = octets.parse().map_err(io::Error::other)?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    tls.read_exact(&mut body)?;
    String::from_utf8(body).map_err(io::Error::other)
}

fn give(tls: &mut Tls, token: &str) -> io::Result<()> {
    let said = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": token });
    let said = said.to_string();
    let tls = tls.get_mut();
    write!(
        tls,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{said}",
        said.len()
    )?;
    tls.conn.send_close_notify();
    tls.flush()
}
