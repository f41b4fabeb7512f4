//! Submission with a token (XOAUTH2) at a real Dovecot, which looks into the token itself.
//!
//! Setup: Dovecot's submission service with the passdb `oauth2`, which knows the issuer's public key and demands its
//! signature, the issuer, the dates and the mailbox; TLS required. It relays to one canary of personality `good`, so
//! that what was handed in is seen to arrive. A token endpoint over HTTPS issues what each test says.
//! Test: `mxwarden doctor` and `mxwarden verify`, what they say, what Dovecot logged, how often a token was asked for;
//! and that neither token nor secret is in anything they said or kept.

mod tokens;
mod world;

pub(crate) use world::records;

use crate::lab::{Said, finish, lab};
use data_encoding::BASE64;
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use serde_json::Value;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    sync::MutexGuard,
};
use tempfile::TempDir;
use tokens::{Endpoint, Signer};
use world::{CANARY, Dovecot, NAME};

const SECRET: &str = "client-secret-with.more-than_enough-octets";

/// One mailbox that probes are sent as, its tokens, and everything that our tool said.
struct Scene {
    dovecot: MutexGuard<'static, Dovecot>,
    folder: TempDir,
    endpoint: Endpoint,
    user: String,
    said: String,
}

impl Scene {
    fn new(mailbox: &str, signers: &[Signer]) -> Self {
        let dovecot = world::dovecot();
        let folder = tempfile::tempdir().unwrap();
        let user = format!("{mailbox}@contoso.test");
        let endpoint = Endpoint::start(folder.path(), &user, signers);
        let secret = folder.path().join("secret");
        fs::write(&secret, SECRET).unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        let scene = Self { dovecot, folder, endpoint, user, said: String::new() };
        fs::write(scene.folder.path().join("mxwarden.toml"), scene.configuration()).unwrap();
        scene
    }

    fn configuration(&self) -> String {
        format!(
            "state_dir = \"state\"\n\
             [organisation]\nname = \"Contoso\"\ndomains = [\"contoso.test\"]\nehlo = \"probe.contoso.test\"\n\
             [dns]\nresolvers = [\"{resolver}\"]\nallow_private = true\n\
             [tls]\nroots = \"none\"\nca_files = [{root:?}]\n\
             [[connector]]\nname = \"out\"\ndirection = \"outbound\"\nlevel = \"encrypt\"\n\
             [connector.submit]\nurl = \"smtp+starttls://{NAME}:{port}\"\nfrom = \"{user}\"\nusername = \"{user}\"\n\
             oauth2 = {{ token_url = \"{token_url}\", client_id = \"11111111-2222\", \
             client_secret_file = \"secret\", scope = \"https://outlook.test/.default\" }}\n\
             [connector.sender]\nnetworks = [\"127.0.0.0/8\"]\n\
             [connector.canaries]\ngood = \"{CANARY}\"\n\
             [[partner]]\nname = \"Fabrikam\"\ndomains = [\"fabrikam.test\"]\noutbound = \"out\"\n\
             [[canary]]\npersonality = \"good\"\nlisten = [\"{canary}\"]\ndomains = [\"{CANARY}\"]\n\
             hostname = \"mx.{CANARY}\"\n",
            resolver = lab().resolver(),
            root = lab().pki.root(),
            port = self.dovecot.address.port(),
            user = self.user,
            token_url = self.endpoint.url(),
            canary = self.dovecot.canary,
        )
    }

    /// Where mail is handed in, in our words.
    fn place(&self) -> String {
        let address = self.dovecot.address;
        format!("{NAME} [{}]:{}", address.ip(), address.port())
    }

    fn mxwarden(&mut self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
        let config = self.folder.path().join("mxwarden.toml");
        let said =
            finish(command.args(arguments).args(["--format", "json", "--config"]).arg(config));
        self.said += &said.stdout;
        self.said += &said.stderr;
        said
    }

    /// The claim that the sender enforces, proved with one canary: unknown for want of the others.
    fn verify(&mut self) -> Value {
        let claim = ["--claim", "outbound/sender-enforces", "--wait", "40s"];
        let said = self.mxwarden(&[&["verify", "Fabrikam"][..], &claim].concat());
        let report: Value =
            serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"));
        let claim = report["partners"][0]["claims"][0].clone();
        assert_eq!(claim["state"], "unknown", "{claim:#}");
        claim
    }

    /// What the doctor says of submission: a state, and words.
    fn examine(&mut self) -> Value {
        let said = self.mxwarden(&["doctor", "--timeout", "20"]);
        let diagnosis: Value =
            serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"));
        let checks = diagnosis["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["check"] == "submit");
        check.unwrap_or_else(|| panic!("{diagnosis:#}")).clone()
    }

    /// How Dovecot refused this mailbox, so often.
    #[track_caller]
    fn assert_refusals(&self, times: usize) {
        let who = format!("oauth2({},", self.user);
        self.dovecot.assert_logged(&[&who, "Local validation failed: Bad signature"], times);
    }

    /// Dovecot let this mailbox in, by XOAUTH2 within TLS, so often.
    #[track_caller]
    fn assert_logins(&self, times: usize) {
        let who = format!("Login: user=<{}>, method=XOAUTH2,", self.user);
        self.dovecot.assert_logged(&[&who, ", TLS,"], times);
    }

    /// The endpoint was asked for a token so often, each time with our secret.
    #[track_caller]
    fn assert_asked(&self, times: usize) {
        let asked = self.endpoint.asked();
        assert_eq!(asked.len(), times, "{asked:#?}");
        for one in asked {
            assert!(one.contains("grant_type=client_credentials") && one.contains(SECRET), "{one}");
        }
    }

    /// No token, no response that holds one and no secret is in what was said and what was kept, nor a piece of one
    /// worth anything. `words` are in the record: it is there, and it is read.
    #[track_caller]
    fn assert_hushed(&self, words: &str) {
        let state = self.folder.path().join("state");
        let record = record(&state);
        assert!(record.contains(words), "{record}");
        let kept = format!("{}{record}{}", self.said, files(&state)).to_ascii_lowercase();
        let mut secrets = vec![SECRET.to_owned(), BASE64.encode(SECRET.as_bytes())];
        for token in self.endpoint.tokens() {
            let response = format!("user={}\x01auth=Bearer {token}\x01\x01", self.user);
            secrets.extend([response, token.clone()].map(|one| BASE64.encode(one.as_bytes())));
            secrets.extend(token.split('.').map(str::to_owned));
        }
        for secret in secrets {
            // Whatever shares 36 octets with it holds one of these.
            for at in (0..=secret.len().saturating_sub(24)).step_by(12) {
                let piece: String = secret.chars().skip(at).take(24).collect();
                assert!(!kept.contains(&piece.to_ascii_lowercase()), "{piece}: {kept}");
            }
        }
    }
}

/// Everything in the record, compressed or not.
fn record(state: &Path) -> String {
    let file = state.join("mxwarden.sqlite");
    let base = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut tables = base.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables: Vec<String> =
        tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut text = String::new();
    for table in tables {
        let mut all = base.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = all.column_count();
        let mut rows = all.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                let octets = match row.get_ref(column).unwrap() {
                    ValueRef::Text(octets) => octets.to_vec(),
                    ValueRef::Blob(octets) => {
                        zstd::stream::decode_all(octets).unwrap_or_else(|_| octets.to_vec())
                    }
                    ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => continue,
                };
                text += &String::from_utf8_lossy(&octets);
                text.push('\n');
            }
        }
    }
    text
}

/// Every file below a directory, as it is on disk.
fn files(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &files(&path);
        } else {
            text += &String::from_utf8_lossy(&fs::read(path).unwrap());
        }
    }
    text
}

/// The obstacles of a claim that are about the control, and not about canaries that are not there.
fn obstacles(claim: &Value) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let told = claim["obstacles"].as_array().unwrap().iter();
    let told = told.map(|one| (word(&one["id"]), word(&one["detail"])));
    told.filter(|(id, _)| id != "not-testable").collect()
}

/// Setup: tokens that Dovecot finds in order.
/// Test: the doctor comes in and leaves; a probe is taken, relayed, and seen at the canary; a command asks for one token.
#[test]
fn dovecot_takes_mail_for_a_token_that_is_in_order() {
    let mut scene = Scene::new("taken", &[Signer::Issuer, Signer::Issuer]);
    let check = scene.examine();
    let expect = format!("{}: TLSv1.3, authenticated as {}", scene.place(), scene.user);
    assert_eq!(check["state"], "ok", "{check:#}");
    assert_eq!(check["seen"], expect);
    scene.assert_asked(1);

    let claim = scene.verify();
    assert_eq!(obstacles(&claim), []);
    let probe = &claim["probes"][0];
    assert_eq!(probe["outcome"], "delivered", "{probe:#}");
    assert!(probe["reply"].as_str().unwrap().contains(&format!("as {NAME}")), "{probe:#}");
    scene.assert_asked(2);
    scene.assert_logins(2);
    scene.assert_refusals(0);
    scene.dovecot.assert_logged(&[&format!("relayed message: from=<{}>", scene.user)], 1);
    scene.assert_hushed("Taken, hashed and thrown away");
}

/// Setup: tokens for the right mailbox, signed by somebody else.
/// Test: not handed in, in Dovecot's own words; a second token was asked for, and no third. The doctor says the same
/// after one.
#[test]
fn dovecot_refuses_tokens_by_a_stranger() {
    let mut scene = Scene::new("refused", &[Signer::Stranger, Signer::Stranger, Signer::Stranger]);
    let refused =
        format!("{}: authentication refused: 535 5.7.8 Authentication failed.", scene.place());
    let claim = scene.verify();
    assert_eq!(obstacles(&claim), [("submit-failed".to_owned(), refused.clone())]);
    scene.assert_asked(2);
    scene.assert_refusals(2);

    let check = scene.examine();
    assert_eq!(check["state"], "problem", "{check:#}");
    assert_eq!(check["seen"], refused);
    scene.assert_asked(3);
    scene.assert_refusals(3);
    scene.assert_logins(0);
    scene.assert_hushed("535 5.7.8 Authentication failed.");
}

/// Setup: the first token is by somebody else, the second in order.
/// Test: the probe arrives, with the second.
#[test]
fn a_token_that_dovecot_refuses_is_asked_for_anew() {
    let mut scene = Scene::new("anew", &[Signer::Stranger, Signer::Issuer]);
    let claim = scene.verify();
    assert_eq!(obstacles(&claim), []);
    assert_eq!(claim["probes"][0]["outcome"], "delivered", "{claim:#}");
    scene.assert_asked(2);
    scene.assert_refusals(1);
    scene.assert_logins(1);
    scene.assert_hushed("Taken, hashed and thrown away");
}
