use super::*;
use crate::lab::ca::{Ca, Identity, LeafSpec};
use crate::model::connector::CertificateFiles;
use crate::wire::text::base64;
use jiff::Timestamp;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use std::fs;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A certificate of our own CA, in files.
pub(super) struct Files {
    ca: Ca,
    _folder: TempDir,
    pub(super) files: CertificateFiles,
}

fn pem(label: &str, der: &[u8]) -> String {
    let lines: Vec<String> = base64(der)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

impl Files {
    pub(super) fn new() -> Self {
        // A moment at which the client's clock says that the certificate is good.
        #[expect(clippy::disallowed_methods, reason = "rustls reads the same clock")]
        let now = Timestamp::now();
        let folder = tempfile::tempdir().unwrap();
        let files = CertificateFiles {
            chain_file: folder.path().join("chain.pem"),
            key_file: folder.path().join("key.pem"),
        };
        let made = Self { ca: Ca::new("Operator CA", now).unwrap(), _folder: folder, files };
        made.write(&made.issue());
        made
    }

    fn issue(&self) -> Identity {
        self.ca.issue(&LeafSpec::host("mxwarden.test")).unwrap()
    }

    fn write(&self, identity: &Identity) {
        let chain: String = identity.chain.iter().map(|one| pem("CERTIFICATE", one)).collect();
        fs::write(&self.files.chain_file, chain).unwrap();
        fs::write(&self.files.key_file, pem("PRIVATE KEY", identity.key.secret_der())).unwrap();
    }

    fn plan(&self) -> WebPlan {
        let certificate = Certificate::load(self.files.clone()).unwrap();
        WebPlan { certificate: Some(Arc::new(certificate)), ..WebPlan::loopback() }
    }

    async fn connect(&self, running: &Running) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.certificate().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("mxwarden.test").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, running.connect().await).await
    }

    /// The leaf that is served now.
    async fn served(&self, running: &Running) -> Vec<u8> {
        let stream = self.connect(running).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }
}

#[tokio::test]
async fn pages_are_served_over_tls_and_only_so() {
    let files = Files::new();
    let plan = WebPlan { read_token: token("reader"), ..files.plan() };
    let running = start(plan).await;
    for (shown, status) in [("", 401), ("authorization: Bearer reader\r\n", 200)] {
        let stream = files.connect(&running).await.unwrap();
        let reply = exchange(stream, &format!("GET / HTTP/1.1\r\nhost: x\r\n{shown}")).await;
        assert_eq!(reply.status, status);
    }
    // In clear there is no answer at all, only an alert.
    let mut clear = running.connect().await;
    clear.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut text = Vec::new();
    let _ = clear.read_to_end(&mut text).await;
    assert!(!text.starts_with(b"HTTP"));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_shake_hands_is_cut_off() {
    let files = Files::new();
    let running = start(files.plan()).await;
    let mut silent = running.connect().await;
    let began = tokio::time::Instant::now();
    let mut text = Vec::new();
    let _ = silent.read_to_end(&mut text).await;
    assert!(text.is_empty());
    assert!(
        began.elapsed() >= Duration::from_secs(9) && began.elapsed() <= Duration::from_secs(12)
    );
}

#[test]
fn a_new_certificate_is_taken_and_a_bad_one_never_replaces_a_good_one() {
    let files = Files::new();
    let certificate = Certificate::load(files.files.clone()).unwrap();
    #[track_caller]
    fn kept(renewed: Renewed, words: &str) {
        let told = match renewed {
            Renewed::Kept(error) => error.to_string(),
            Renewed::Same | Renewed::Taken => String::new(),
        };
        assert!(told.starts_with(words), "{told:?} where {words} belongs");
    }
    assert!(matches!(certificate.renew(), Renewed::Same));
    let first = fs::read(&files.files.chain_file).unwrap();
    files.write(&files.issue());
    assert!(matches!(certificate.renew(), Renewed::Taken));
    assert!(matches!(certificate.renew(), Renewed::Same));
    // The chain was written, its key not yet: what a renewal looks like halfway.
    fs::write(&files.files.chain_file, first).unwrap();
    kept(certificate.renew(), "cannot serve TLS with ");
    // It is told once.
    assert!(matches!(certificate.renew(), Renewed::Same));
    fs::write(&files.files.key_file, "nonsense").unwrap();
    kept(certificate.renew(), "cannot read a private key in ");
    fs::write(&files.files.chain_file, "").unwrap();
    assert!(matches!(certificate.renew(), Renewed::Kept(_)));
    fs::write(&files.files.chain_file, vec![b'a'; (1 << 20) + 1]).unwrap();
    assert!(matches!(certificate.renew(), Renewed::Kept(CertificateError::TooLong { .. })));
    fs::remove_file(&files.files.chain_file).unwrap();
    kept(certificate.renew(), "cannot read ");
    files.write(&files.issue());
    assert!(matches!(certificate.renew(), Renewed::Taken));
}

#[test]
fn files_that_are_no_certificate_are_refused_at_the_start() {
    let files = Files::new();
    for text in ["", "nonsense", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        fs::write(&files.files.chain_file, text).unwrap();
        assert!(Certificate::load(files.files.clone()).is_err(), "{text}");
    }
}

#[tokio::test]
async fn the_next_connection_gets_the_new_certificate_and_a_bad_one_changes_nothing() {
    let files = Files::new();
    let mut plan = files.plan();
    plan.limits.certificate_every = Duration::from_millis(5);
    let running = start(plan).await;
    let old = files.served(&running).await;
    fs::write(&files.files.key_file, "nonsense").unwrap();
    for _ in 0..5 {
        assert_eq!(files.served(&running).await, old);
    }
    let next = files.issue();
    files.write(&next);
    let comes = async { while files.served(&running).await != next.leaf() {} };
    timeout(Duration::from_secs(30), comes).await.unwrap();
}
