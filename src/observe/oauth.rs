//! Tokens by OAuth 2 client credentials ([RFC 6749 §4.4]), from any token endpoint.
//!
//! 1. A token is asked for over verified HTTPS, with the client's secret in the body or the header, and kept.
//! 2. Before it expires another one is asked for; after a refusal it is forgotten, so that the next one is new.
//! 3. The endpoint is bounded in octets and time, and is not followed elsewhere.
//!
//! Invariant: neither secret nor token is part of an error, whatever the endpoint answers.
//!
//! [RFC 6749 §4.4]: https://www.rfc-editor.org/rfc/rfc6749#section-4.4

use super::{clock::Clock, dns::Resolver};
use crate::model::{connector::OAuth2Client, roots::Roots, target::Target};
use crate::wire::{name::Host, text::printable_within};
use jiff::{SignedDuration, Timestamp};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse,
    RequestTokenError, Scope, TokenResponse as _, TokenUrl,
    basic::{BasicClient, BasicErrorResponse},
};
use reqwest::redirect::Policy;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{Der, TrustAnchor},
};
use secrecy::{ExposeSecret, SecretString};
use std::{error::Error, fmt, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// How long the endpoint has.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much of an answer is read.
const LARGEST: usize = 64 * 1024;
/// How long before its end a token is not used any more.
const MARGIN: SignedDuration = SignedDuration::from_secs(120);
/// How long a token holds whose endpoint does not say ([RFC 6749 §5.1] recommends that it does).
///
/// [RFC 6749 §5.1]: https://www.rfc-editor.org/rfc/rfc6749#section-5.1
const UNSAID: Duration = Duration::from_secs(300);

/// Why there is no token, in words: never with what the endpoint echoes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no token: {0}")]
pub struct NoToken(String);

/// A client cannot be made at all.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// TLS.
    #[error("cannot set up the TLS library")]
    Tls(#[from] rustls::Error),
    /// The address of the endpoint.
    #[error("token_url is no address of a token endpoint")]
    Url,
}

/// Gets tokens for one client, and keeps the last.
pub struct TokenSource {
    client: OAuth2Client,
    secret: SecretString,
    url: reqwest::Url,
    tls: ClientConfig,
    resolver: Resolver,
    clock: Clock,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    token: SecretString,
    until: Timestamp,
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("client", &self.client).finish_non_exhaustive()
    }
}

impl TokenSource {
    /// A source for one client; the endpoint's certificate must end at one of `roots`.
    ///
    /// # Errors
    ///
    /// No TLS, or no address.
    pub fn new(
        client: OAuth2Client,
        secret: SecretString,
        roots: &Roots,
        resolver: Resolver,
        clock: Clock,
    ) -> Result<Self, OAuthError> {
        let url: reqwest::Url = client.token_url.parse().map_err(|_| OAuthError::Url)?;
        if url.scheme() != "https" || url.host_str().is_none() {
            return Err(OAuthError::Url);
        }
        let anchors = roots.anchors.iter().map(|root| TrustAnchor {
            subject: Der::from(root.subject.clone()),
            subject_public_key_info: Der::from(root.spki.clone()),
            name_constraints: root.name_constraints.clone().map(Der::from),
        });
        let store = RootCertStore { roots: anchors.collect() };
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(Self { client, secret, url, tls, resolver, clock, kept: Mutex::new(None) })
    }

    /// A token that holds for now: the kept one, or a new one.
    ///
    /// # Errors
    ///
    /// The endpoint cannot be reached, or gives none.
    pub async fn token(&self) -> Result<SecretString, NoToken> {
        // Held while asking: probes that wait for a token get the same one.
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        if let Some(kept) = kept.as_ref().filter(|kept| now < kept.until) {
            return Ok(kept.token.clone());
        }
        let (token, holds_for) = self.ask().await?;
        let holds_for = SignedDuration::try_from(holds_for).unwrap_or(SignedDuration::MAX);
        // One that hardly holds is used for half its time, so that it is not asked for each time.
        let used_for = holds_for.saturating_sub(MARGIN).max(holds_for / 2);
        let until = self.clock.now().saturating_add(used_for).unwrap_or(Timestamp::MAX);
        *kept = Some(Kept { token: token.clone(), until });
        Ok(token)
    }

    /// Forgets a token that was refused; another one that came meanwhile stays.
    pub async fn forget(&self, token: &SecretString) {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|kept| kept.token.expose_secret() == token.expose_secret()) {
            *kept = None;
        }
    }

    async fn ask(&self) -> Result<(SecretString, Duration), NoToken> {
        let no = |what: &str| NoToken(what.to_owned());
        let url = TokenUrl::new(self.client.token_url.clone()).map_err(|_| no("no address"))?;
        let http = self.http().await?;
        let client = BasicClient::new(ClientId::new(self.client.client_id.clone()))
            .set_client_secret(ClientSecret::new(self.secret.expose_secret().to_owned()))
            .set_token_uri(url)
            // RFC 6749 §2.3.1 allows both; Entra ID and the others take it in the body.
            .set_auth_type(AuthType::RequestBody);
        let asked = client
            .exchange_client_credentials()
            .add_scope(Scope::new(self.client.scope.clone()))
            .request_async(&http)
            .await;
        match asked {
            Ok(answer) => {
                let token = answer.access_token().secret();
                // RFC 6750 §2.1: what would end the SASL response early, or a line, is no token.
                if token.is_empty() || !token.bytes().all(|octet| octet.is_ascii_graphic()) {
                    return Err(no("what the endpoint gave is no bearer token"));
                }
                Ok((SecretString::from(token.as_str()), answer.expires_in().unwrap_or(UNSAID)))
            }
            Err(error) => Err(NoToken(in_words(&error))),
        }
    }

    /// A client that knows one address: the one our own resolver found.
    async fn http(&self) -> Result<Http, NoToken> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .redirect(Policy::none())
            .https_only(true)
            .no_proxy()
            .timeout(PATIENCE)
            .user_agent(concat!("mxwarden/", env!("CARGO_PKG_VERSION")));
        if let Some(name) = self.url.domain() {
            let host: Host = name.parse().map_err(|_| NoToken("no host".to_owned()))?;
            let target = Target::Host { host, port: None };
            let resolution = self.resolver.resolve(&target).await;
            let found = resolution.exchanges.iter();
            let found = found.flat_map(|one| one.v4.found().iter().chain(one.v6.found()));
            let addresses: Vec<SocketAddr> = found.map(|ip| SocketAddr::new(*ip, 0)).collect();
            if addresses.is_empty() {
                return Err(NoToken(format!("{name}: no address is known for it")));
            }
            builder = builder.resolve_to_addrs(name, &addresses);
        }
        builder.build().map(Http).map_err(|_| NoToken("no HTTP client can be made".to_owned()))
    }
}

/// The endpoint did not answer as it should.
#[derive(Debug, thiserror::Error)]
enum Fetch {
    #[error("the token endpoint cannot be reached")]
    Http(#[from] reqwest::Error),
    #[error("its answer is larger than {LARGEST} octets")]
    TooLarge,
    #[error("its answer is none")]
    Form(#[from] oauth2::http::Error),
}

/// A client for one request.
struct Http(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = Fetch;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Fetch>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(fetch(&self.0, request))
    }
}

async fn fetch(http: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Fetch> {
    let mut response = http.execute(request.try_into()?).await?;
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > LARGEST {
            return Err(Fetch::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    let mut answer = oauth2::http::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        answer = answer.header(name, value);
    }
    Ok(answer.body(body)?)
}

/// What became of a request. An endpoint may echo what it was told, so of its own words only the error's code is
/// told, which is one of a list ([RFC 6749 §5.2]) or looks like one.
///
/// [RFC 6749 §5.2]: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
fn in_words(error: &RequestTokenError<Fetch, BasicErrorResponse>) -> String {
    match error {
        RequestTokenError::ServerResponse(answer) => {
            let code = answer.error().to_string();
            let is_code =
                code.len() <= 40 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            let code = if is_code { code.as_str() } else { "with an unknown error" };
            format!("the token endpoint refuses: {code}")
        }
        RequestTokenError::Request(error) => {
            let mut told = error.to_string();
            let mut source: Option<&dyn Error> = error.source();
            while let Some(cause) = source {
                // The URL of the endpoint is in reqwest's own words, and nothing that was sent.
                told.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            printable_within(told.as_bytes(), 300)
        }
        RequestTokenError::Parse(..) => "what the token endpoint answers is no token".to_owned(),
        RequestTokenError::Other(_) => "what the token endpoint answers cannot be used".to_owned(),
    }
}
