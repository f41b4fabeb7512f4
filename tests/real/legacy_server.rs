//! The canary's TLS 1.0 and 1.1 ([`mxwarden::wire::legacy_tls`]) against the clients that mail systems are built on:
//! OpenSSL's and GnuTLS's own programs.
//!
//! 1. A thread serves one connection on a port of its own and answers each line in capitals.
//! 2. The client says a line, hears the answer, and leaves as its library leaves.
//! 3. What the server saw is compared with what the client was told to do.

use crate::lab::succeed;
use mxwarden::wire::{
    hello::TlsVersion,
    legacy_tls::{End, Fault, LegacyIdentity, LegacyServer, Phase, Progress},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, LazyLock},
    thread::{self, JoinHandle},
    time::Duration,
};
use tempfile::TempDir;

/// Keys and certificates, made by the `openssl` tool; once a run.
struct Material {
    folder: TempDir,
    identity: Arc<LegacyIdentity>,
}

static MATERIAL: LazyLock<Material> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    for name in ["server", "client"] {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=mx.legacy.test"]);
        command.args(["-addext", "keyUsage=critical,digitalSignature,keyEncipherment"]);
        command.args(["-newkey", "rsa:2048", "-sha256"]);
        command.arg("-keyout").arg(folder.path().join(name).with_extension("key"));
        command.arg("-out").arg(folder.path().join(name).with_extension("pem"));
        succeed(&command);
    }
    let at = folder.path().join("server");
    let chain = CertificateDer::pem_file_iter(at.with_extension("pem")).unwrap();
    let chain = chain.map(|certificate| certificate.unwrap().to_vec()).collect();
    let key = PrivateKeyDer::from_pem_file(at.with_extension("key")).unwrap();
    let identity = Arc::new(LegacyIdentity::new(chain, key.secret_der()).unwrap());
    Material { folder, identity }
});

fn file(name: &str) -> PathBuf {
    MATERIAL.folder.path().join(name)
}

/// What the server saw of one connection.
#[derive(Debug)]
struct Seen {
    progress: Progress,
    version: Option<TlsVersion>,
    suite: Option<String>,
    certificates: Vec<Vec<u8>>,
    said: String,
    /// Records of application data the client sent.
    records: usize,
}

/// Serves one connection.
fn serve() -> (SocketAddr, JoinHandle<Seen>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let identity = Arc::clone(&MATERIAL.identity);
    (address, thread::spawn(move || answer(&listener.accept().unwrap().0, identity)))
}

fn answer(mut client: &TcpStream, identity: Arc<LegacyIdentity>) -> Seen {
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let random = |bytes: &mut [u8]| aws_lc_rs::rand::fill(bytes).unwrap();
    let mut server = LegacyServer::new(identity, Box::new(random));
    let (mut said, mut stream, mut buffer) = (Vec::new(), Vec::new(), [0; 700]);
    loop {
        // A client that has gone is told nothing more.
        let _ = client.write_all(&server.output());
        let Ok(length @ 1..) = client.read(&mut buffer) else { break };
        stream.extend_from_slice(&buffer[..length]);
        server.take_in(&buffer[..length]);
        let line = server.plaintext();
        if !line.is_empty() {
            said.extend_from_slice(&line);
            server.send(&line.to_ascii_uppercase()).unwrap();
        }
    }
    Seen {
        progress: server.progress(),
        version: server.version(),
        suite: server.suite_name(),
        certificates: server.client_certificates().to_vec(),
        said: String::from_utf8(said).unwrap(),
        records: application_records(&stream),
    }
}

fn application_records(mut stream: &[u8]) -> usize {
    let mut found = 0;
    while let [kind, _, _, high, low, rest @ ..] = stream {
        found += usize::from(*kind == 23);
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        stream = rest.get(length..).unwrap_or_default();
    }
    found
}

/// Runs a client that says `line` and waits for it in capitals, then closes; returns what the server saw.
fn talk(client: impl FnOnce(SocketAddr) -> Command, line: &str) -> Seen {
    let (address, server) = serve();
    let command = client(address);
    let mut child = Command::new("timeout")
        .arg("30")
        .arg(command.get_program())
        .args(command.get_args())
        .envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // A client that was turned away no longer listens.
    let _ = input.write_all(format!("{line}\n").as_bytes());
    let answers = BufReader::new(child.stdout.take().unwrap());
    let wanted = line.to_ascii_uppercase();
    for answer in answers.split(b'\n').map_while(Result::ok) {
        if String::from_utf8_lossy(&answer).contains(&wanted) {
            break;
        }
    }
    drop(input);
    child.wait().unwrap();
    server.join().unwrap()
}

fn s_client(options: &[&str]) -> impl FnOnce(SocketAddr) -> Command {
    move |address| {
        let mut command = Command::new("openssl");
        // Nothing of this machine's configuration, such as a lowest version.
        command.env("OPENSSL_CONF", "/dev/null");
        command.args(["s_client", "-quiet", "-no_ign_eof", "-connect", &address.to_string()]);
        command.args(options);
        command
    }
}

fn gnutls(priority: &str) -> impl FnOnce(SocketAddr) -> Command {
    move |address| {
        let mut command = Command::new("gnutls-cli");
        // Nothing of this machine's configuration, as above.
        command.env("GNUTLS_SYSTEM_PRIORITY_FILE", "/dev/null");
        command.args(["--no-ca-verification", "--disable-sni", "--priority", priority]);
        command.args(["--port", &address.port().to_string(), "127.0.0.1"]);
        command
    }
}

const HELLO: &str = "ehlo mx.legacy.test";

/// A client that came through, and said its line.
#[track_caller]
fn assert_through(seen: &Seen, version: TlsVersion, suite: &str) {
    assert_eq!(seen.progress.phase, Phase::Finished, "{seen:?}");
    assert_eq!(seen.progress.end, Some(End::ClientClosed), "{seen:?}");
    assert_eq!(seen.version, Some(version), "{seen:?}");
    assert_eq!(seen.suite.as_deref(), Some(suite), "{seen:?}");
    assert_eq!(seen.said, format!("{HELLO}\n"), "{seen:?}");
}

const AES_128: &str = "TLS_RSA_WITH_AES_128_CBC_SHA";
const AES_256: &str = "TLS_RSA_WITH_AES_256_CBC_SHA";

/// Setup: `openssl s_client` at each version with each suite.
/// Test: lines go both ways.
#[test]
fn openssl_comes_through() {
    for (option, version) in [("-tls1", TlsVersion::Tls10), ("-tls1_1", TlsVersion::Tls11)] {
        for (cipher, suite) in
            [("AES128-SHA@SECLEVEL=0", AES_128), ("AES256-SHA@SECLEVEL=0", AES_256)]
        {
            let seen = talk(s_client(&[option, "-cipher", cipher]), HELLO);
            assert_through(&seen, version, suite);
            assert_eq!(seen.certificates, Vec::<Vec<u8>>::new());
        }
    }
}

/// Setup: `openssl s_client` that would take any version up to 1.1, and up to 1.3 as it comes without configuration.
/// Test: the highest version that both speak, and the client's own order of suites.
#[test]
fn the_highest_version_is_chosen() {
    let options = ["-max_protocol", "TLSv1.1", "-min_protocol", "TLSv1"];
    let seen = talk(s_client(&[&options[..], &["-cipher", "ALL:@SECLEVEL=0"]].concat()), HELLO);
    assert_through(&seen, TlsVersion::Tls11, AES_256);
    assert_through(&talk(s_client(&[]), HELLO), TlsVersion::Tls11, AES_256);
}

/// Setup: a client certificate, at security levels that do and do not let OpenSSL sign with MD5 and SHA-1.
/// Test: the first shows it; the second goes on without rather than leave.
#[test]
fn openssl_shows_a_certificate_where_it_may() {
    let (certificate, key) = (file("client.pem"), file("client.key"));
    let own = ["-cert", certificate.to_str().unwrap(), "-key", key.to_str().unwrap()];
    for (option, version) in [("-tls1", TlsVersion::Tls10), ("-tls1_1", TlsVersion::Tls11)] {
        for (cipher, count) in [("AES128-SHA@SECLEVEL=0", 1), ("AES128-SHA@SECLEVEL=1", 0)] {
            let seen = talk(s_client(&[&own[..], &[option, "-cipher", cipher]].concat()), HELLO);
            assert_through(&seen, version, AES_128);
            assert_eq!(seen.certificates.len(), count, "{seen:?}");
        }
    }
    let sent = CertificateDer::from_pem_file(&certificate).unwrap().to_vec();
    let seen =
        talk(s_client(&[&own[..], &["-tls1", "-cipher", "AES128-SHA@SECLEVEL=0"]].concat()), HELLO);
    assert_eq!(seen.certificates, [sent]);
}

/// Setup: OpenSSL's precaution against an attack on TLS 1.0, an empty record before each other; `-bugs` does without.
/// Test: the line is read all the same.
#[test]
fn empty_records_are_nothing() {
    let options = ["-tls1", "-cipher", "AES128-SHA@SECLEVEL=0"];
    let seen = talk(s_client(&options), HELLO);
    assert_through(&seen, TlsVersion::Tls10, AES_128);
    assert_eq!(seen.records, 2, "{seen:?}");
    let seen = talk(s_client(&[&options[..], &["-bugs"]].concat()), HELLO);
    assert_through(&seen, TlsVersion::Tls10, AES_128);
    assert_eq!(seen.records, 1, "{seen:?}");
}

/// Setup: records of at most 512 octets from OpenSSL, and a line longer than a record.
/// Test: the line arrives whole, and so does the answer.
#[test]
fn long_lines_come_in_many_records() {
    let line = "noop ".repeat(700);
    let options = ["-tls1_1", "-cipher", "AES256-SHA@SECLEVEL=0", "-max_send_frag", "512"];
    let seen = talk(s_client(&options), &line);
    assert_eq!(seen.said, format!("{line}\n"));
    assert!(seen.records > 5, "{seen:?}");
}

/// Setup: clients with nothing in common with this server, in the ways there are.
/// Test: whose alert it is, and what it says.
#[test]
fn openssl_with_a_floor_leaves() {
    #[track_caller]
    fn check(options: &[&str], phase: Phase, expect: &str) {
        let seen = talk(s_client(options), HELLO);
        let told = match &seen.progress.end {
            Some(End::ClientAlert(alert)) => format!("theirs: {alert}"),
            Some(End::OurAlert { alert, why }) => format!("ours: {alert}: {why}"),
            other => format!("{other:?}"),
        };
        assert_eq!((seen.progress.phase, told.as_str()), (phase, expect), "{options:?}");
    }
    let nothing_shared = "ours: protocol_version: no version in common";
    check(&["-min_protocol", "TLSv1.2"], Phase::HelloRead, nothing_shared);
    check(&["-tls1_3"], Phase::HelloRead, nothing_shared);
    // It does not say that it speaks nothing lower, so it is answered, and says so itself.
    check(&["-tls1_2"], Phase::FlightSent, "theirs: protocol_version");
    check(
        &["-tls1", "-cipher", "ECDHE-RSA-AES128-SHA@SECLEVEL=0"],
        Phase::HelloRead,
        "ours: handshake_failure: no suite in common",
    );
    let trusting_nobody =
        ["-tls1", "-cipher", "AES128-SHA@SECLEVEL=0", "-verify_return_error", "-verify", "1"];
    check(&trusting_nobody, Phase::FlightSent, "theirs: unknown_ca");
}

/// Setup: `s_client` asked, by its R command, to begin the handshake anew.
/// Test: a warning; OpenSSL takes it for an end.
#[test]
fn renegotiation_is_declined() {
    let client = |address: SocketAddr| {
        let mut command = Command::new("openssl");
        command.env("OPENSSL_CONF", "/dev/null");
        command.args(["s_client", "-connect", &address.to_string(), "-tls1_1"]);
        command.args(["-cipher", "AES128-SHA@SECLEVEL=0"]);
        command
    };
    let seen = talk(client, "R");
    assert_eq!(seen.progress.phase, Phase::Finished, "{seen:?}");
    let Some(End::ClientAlert(alert)) = seen.progress.end else { panic!("{seen:?}") };
    assert_eq!(alert.name(), "handshake_failure");
}

/// Setup: GnuTLS at each version with each suite.
/// Test: as with OpenSSL.
#[test]
fn gnutls_comes_through() {
    for (name, version) in [("VERS-TLS1.0", TlsVersion::Tls10), ("VERS-TLS1.1", TlsVersion::Tls11)]
    {
        for (cipher, suite) in [("AES-128-CBC", AES_128), ("AES-256-CBC", AES_256)] {
            let priority = format!(
                "NORMAL:-VERS-ALL:+{name}:-KX-ALL:+RSA:-CIPHER-ALL:+{cipher}:-MAC-ALL:+SHA1"
            );
            assert_through(&talk(gnutls(&priority), HELLO), version, suite);
        }
    }
}

/// Setup: GnuTLS without any extension, as clients of the time of TLS 1.0 were.
/// Test: comes through all the same.
#[test]
fn gnutls_without_extensions_comes_through() {
    let priority = "NORMAL:-VERS-ALL:+VERS-TLS1.0:+VERS-TLS1.1:-KX-ALL:+RSA:%NO_EXTENSIONS";
    assert_through(&talk(gnutls(priority), HELLO), TlsVersion::Tls11, AES_256);
}

/// Setup: GnuTLS with a floor of 1.2, with and without 1.3 above it.
/// Test: whose alert it is, as with OpenSSL.
#[test]
fn gnutls_with_a_floor_leaves() {
    let seen = talk(gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"), HELLO);
    assert_eq!(seen.progress.phase, Phase::HelloRead, "{seen:?}");
    let Some(End::OurAlert { why, .. }) = seen.progress.end else { panic!("{seen:?}") };
    assert_eq!(why, Fault::NoSharedVersion);

    let seen = talk(gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2"), HELLO);
    assert_eq!(seen.progress.phase, Phase::FlightSent, "{seen:?}");
    let Some(End::ClientAlert(alert)) = seen.progress.end else { panic!("{seen:?}") };
    assert_eq!(alert.name(), "protocol_version");
}
