//! One HTTP request to a channel: over TLS that is verified, without redirects, within ten seconds.
//!
//! Invariant: an error never holds the address: whoever knows it can write to the channel.

use super::{SendError, Tools};
use crate::model::alert::{ClearHttp, HttpTarget, UrlSource};
use reqwest::{
    Client, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, Der, TrustAnchor, pem::PemObject as _},
};
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of an answer is read, so that the connection can be used again.
const ANSWER: usize = 64 << 10;
/// The largest file that holds a secret or a template.
const FILE: u64 = 1 << 20;

/// Where requests go.
#[derive(Debug)]
pub(super) struct Http {
    /// Through a proxy where the environment names one.
    client: Client,
    /// To this host itself, never through a proxy.
    near: Client,
    url: UrlSource,
    token_file: Option<PathBuf>,
    clear: ClearHttp,
}

impl Http {
    pub(super) fn new(target: &HttpTarget, tools: &Tools) -> Result<Self, SendError> {
        let tls = tls(target.ca_file.as_deref(), tools)?;
        let client = |proxied: Proxied| {
            let builder = Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(Policy::none())
                .timeout(PATIENCE)
                .user_agent(concat!("mxwarden/", env!("CARGO_PKG_VERSION")));
            let builder = match proxied {
                Proxied::AsTheEnvironmentSays => builder,
                Proxied::Never => builder.no_proxy(),
            };
            builder.build().map_err(|_| SendError::Build("the HTTP client".to_owned()))
        };
        Ok(Self {
            client: client(Proxied::AsTheEnvironmentSays)?,
            near: client(Proxied::Never)?,
            url: target.url.clone(),
            token_file: target.token_file.clone(),
            clear: target.clear,
        })
    }

    /// Posts JSON; `path` is put behind the address.
    pub(super) async fn post(
        &self,
        path: &str,
        body: Vec<u8>,
        headers: &[(&'static str, String)],
    ) -> Result<(), SendError> {
        let url = self.url(path).await?;
        let client = if is_loopback(&url) { &self.near } else { &self.client };
        let mut all = HeaderMap::new();
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                all.insert(HeaderName::from_static(name), value);
            }
        }
        if let Some(file) = &self.token_file {
            let token = secret(file).await?;
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
            let mut value = value.map_err(|_| not(file, "holds no token"))?;
            value.set_sensitive(true);
            all.insert(AUTHORIZATION, value);
        }
        let sent = client.post(url).headers(all).body(body).send().await;
        let mut answer = sent.map_err(|error| SendError::NoAnswer(why(&error)))?;
        let status = answer.status();
        let mut read = 0;
        while let Ok(Some(chunk)) = answer.chunk().await {
            read += chunk.len();
            if read > ANSWER {
                break;
            }
        }
        if status.is_success() { Ok(()) } else { Err(SendError::Refused(status.as_u16())) }
    }

    async fn url(&self, path: &str) -> Result<Url, SendError> {
        let text = match &self.url {
            UrlSource::Plain(text) => SecretString::from(text.as_str()),
            UrlSource::File(file) => secret(file).await?,
        };
        let text = text.expose_secret().trim_end_matches('/');
        let no_url = || SendError::Build("the address is none".to_owned());
        let url = Url::parse(&format!("{text}{path}")).map_err(|_| no_url())?;
        match url.scheme() {
            "https" => Ok(url),
            "http" if self.clear == ClearHttp::Anywhere || is_loopback(&url) => Ok(url),
            "http" => Err(SendError::Clear),
            _ => Err(no_url()),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Proxied {
    AsTheEnvironmentSays,
    Never,
}

/// By its address: a name can lead anywhere.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn why(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "the connection, or its TLS, was not made"
    } else {
        "the connection was lost"
    }
}

fn tls(ca_file: Option<&Path>, tools: &Tools) -> Result<ClientConfig, SendError> {
    let mut store = RootCertStore::empty();
    match ca_file {
        Some(file) => {
            let read = CertificateDer::pem_file_iter(file);
            for one in read.map_err(|_| not(file, "cannot be read"))? {
                let one = one.map_err(|_| not(file, "is no PEM"))?;
                store.add(one).map_err(|_| not(file, "holds something that is no root"))?;
            }
        }
        None => store.roots.extend(tools.roots.anchors.iter().map(|root| TrustAnchor {
            subject: Der::from(root.subject.clone()),
            subject_public_key_info: Der::from(root.spki.clone()),
            name_constraints: root.name_constraints.clone().map(Der::from),
        })),
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| SendError::Build("the TLS library".to_owned()))?;
    Ok(config.with_root_certificates(store).with_no_client_auth())
}

fn not(file: &Path, what: &'static str) -> SendError {
    SendError::File { path: file.to_owned(), what }
}

/// The text in a file.
pub(super) async fn file(path: &Path) -> Result<Vec<u8>, SendError> {
    let size = tokio::fs::metadata(path).await.map_err(|_| not(path, "cannot be read"))?.len();
    if size > FILE {
        return Err(not(path, "is larger than 1 MiB"));
    }
    tokio::fs::read(path).await.map_err(|_| not(path, "cannot be read"))
}

/// The secret in a file, without the line end.
pub(super) async fn secret(path: &Path) -> Result<SecretString, SendError> {
    let bytes = zeroize::Zeroizing::new(file(path).await?);
    let text = str::from_utf8(&bytes).map_err(|_| not(path, "is no UTF-8 text"))?.trim();
    if text.is_empty() || text.contains(char::is_control) {
        return Err(not(path, "holds no secret in one line"));
    }
    Ok(SecretString::from(text))
}
