use super::*;
use crate::lab::ca::{Ca, LeafSpec};
use crate::model::{
    canary::Personality,
    connector::{MailTarget, SubmitSecurity, Until},
    requirement::Level,
};
use secrecy::ExposeSecret as _;
use settings::{Dnssec, Reachable};
use std::{fmt::Write as _, os::unix::fs::PermissionsExt as _};
use tempfile::TempDir;

const FOLDER: &str = "tests/data/config";

/// What a run of the program would say: warnings, then mistakes.
fn said(outcome: Result<Loaded, ConfigErrors>) -> String {
    let mut text = String::new();
    let warnings = match &outcome {
        Ok(loaded) => &loaded.warnings,
        Err(errors) => &errors.warnings,
    };
    for warning in warnings {
        writeln!(text, "warning: {warning}").unwrap();
    }
    if let Err(errors) = outcome {
        writeln!(text, "{errors}").unwrap();
    }
    text
}

/// Every mistake has a file, and beside it the exact words. `UPDATE=1` takes what is said now.
#[test]
fn mistakes_are_told_as_they_were() {
    let mut wrong = String::new();
    let mut entries: Vec<_> = fs::read_dir(FOLDER).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    let mut seen = 0;
    for file in entries {
        let name = file.file_name().unwrap().to_str().unwrap();
        let is_invalid = name.starts_with("invalid-");
        if !name.ends_with(".toml") || !(is_invalid || name.starts_with("warns-")) {
            continue;
        }
        seen += 1;
        let outcome = if is_invalid {
            match Config::read(&file) {
                Ok(loaded) => Ok(loaded),
                Err(ConfigError::Mistakes(errors)) => Err(errors),
                Err(error) => panic!("{error}"),
            }
        } else {
            Config::parse(&fs::read_to_string(&file).unwrap(), &file)
        };
        assert_eq!(outcome.is_err(), is_invalid, "{name}: {}", said(outcome));
        let said = said(outcome);
        assert!(!said.contains("geheim"), "{name} tells a secret:\n{said}");
        let expected = file.with_extension("stderr");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&expected, &said).unwrap();
        } else if said != fs::read_to_string(&expected).unwrap_or_default() {
            write!(wrong, "\n{name}: is\n{said}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}\nUPDATE=1 takes what is said now");
    assert!(seen >= 30, "only {seen} files");
}

fn parse(text: &str) -> Result<Loaded, ConfigErrors> {
    Config::parse(text, Path::new("/etc/mxwarden/mxwarden.toml"))
}

/// The example with what stands behind `#` without a blank.
fn uncommented() -> String {
    let lines = Config::example().lines().map(|line| match line.strip_prefix('#') {
        Some(key) if !key.is_empty() && !key.starts_with([' ', 'o']) => key,
        Some(key) if key.starts_with("outbound") => key,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_valid_with_and_without_its_comments() {
    let loaded = parse(Config::example()).unwrap();
    assert_eq!(loaded.warnings, []);
    let full = parse(&uncommented()).unwrap().config;
    assert_eq!(full.outbound("to-banks").unwrap().canaries.len(), Personality::ALL.len());
    let claims: Vec<String> =
        full.claims_of(&full.partners[0]).iter().map(ToString::to_string).collect();
    assert_eq!(
        claims,
        [
            "outbound/receiver-offers",
            "outbound/receiver-enforces",
            "outbound/sender-enforces",
            "inbound/receiver-offers",
            "inbound/receiver-enforces",
            "inbound/sender-enforces",
        ]
    );
}

/// Leaving a line out changes nothing, unless the example says so.
#[test]
fn the_example_holds_the_defaults() {
    let whole = parse(Config::example()).unwrap().config;
    let lines: Vec<&str> = Config::example().lines().collect();
    let mut keys = 0;
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with(['#', '[']) || line.is_empty() {
            continue;
        }
        keys += 1;
        let without: Vec<&str> =
            lines.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, line)| *line).collect();
        let outcome = parse(&without.join("\n"));
        let comment = lines[at - 1];
        if comment.ends_with("(needed)") {
            assert!(outcome.is_err(), "`{line}` is not needed");
        } else if comment.ends_with("(no default)") {
            assert_ne!(outcome.unwrap().config, whole, "`{line}` is a default");
        } else {
            assert_eq!(outcome.unwrap().config, whole, "`{line}` is no default");
        }
    }
    assert!(keys > 80, "only {keys} keys");
}

#[test]
fn the_example_explains_every_key() {
    let text = uncommented();
    let told = Told::new(Path::new("x"), &text);
    parse_tree(&told, &text);
    let example = Config::example();
    // Asked for only to be refused.
    let refused = [
        "password",
        "client_secret",
        "token",
        "read_token",
        "write_token",
        "routing_key",
        "secret",
        "receiver_enforces.until",
    ];
    for key in told.asked() {
        let last = key.rsplit('.').next().unwrap();
        let is_refused = refused.iter().any(|refused| key.ends_with(&format!(".{refused}")));
        let is_there = example.lines().any(|line| {
            let line = line.trim_start_matches('#').trim_start_matches("or ");
            line.starts_with(&format!("{last} = "))
                || line.trim_matches(['[', ']']) == key
                || line.contains(&format!("{{ {last} = "))
                || line.contains(&format!(", {last} = "))
                || line.starts_with(&format!("[{key}."))
        });
        assert!(is_there || is_refused, "`{key}` is not in the example");
    }
    let mut before = "";
    for line in example.lines() {
        let is_key = line.contains(" = ") && !line.starts_with("# ");
        let is_explained = before.starts_with("# ");
        let is_pair = line.starts_with("#password_file") || line.starts_with("#or token_file");
        assert!(!is_key || is_explained || is_pair, "`{line}` has no sentence");
        before = line;
    }
}

fn parse_tree(told: &Told<'_>, text: &str) {
    let files = Files::of(Path::new("/etc/mxwarden/mxwarden.toml"), None);
    assert!(super::parse(told, text, &files).is_some());
    assert!(!told.is_wrong());
}

#[test]
fn the_least_is_enough() {
    let loaded = parse(include_str!("../../config/minimal.toml")).unwrap();
    assert_eq!(loaded.warnings, []);
    let config = loaded.config;
    assert_eq!(config.organisation.targets, [MailTarget::Mx]);
    assert_eq!(config.organisation.offers.level, Level::Name);
    assert_eq!(config.limits, Limits::default());
    let claims = config.claims_of(config.partner("Fabrikam").unwrap());
    assert_eq!(claims, [Claim::OUTBOUND_RECEIVER_OFFERS]);
}

const CONTRACT: &str = include_str!("../../tests/data/config/contract.toml");

#[test]
fn the_contract_is_taken_to_the_letter() {
    let config = parse(CONTRACT).unwrap().config;
    assert_eq!(config.dns.resolvers, ["127.0.53.53:53".parse().unwrap()]);
    assert_eq!(
        (config.dns.dnssec, config.dns.allow_private),
        (Dnssec::Validate, Reachable::Public)
    );
    let outbound = config.outbound("to-banks").unwrap();
    let submit = outbound.submit.as_ref().unwrap();
    assert_eq!((submit.security, submit.port), (SubmitSecurity::Opportunistic, 2525));
    assert_eq!(outbound.canaries[&Personality::Good].as_str(), "good.canary.test");
    assert_eq!(outbound.timing, crate::model::connector::Timing::default());
    let probe = config.inbound("from-fabrikam").unwrap().probe.as_ref().unwrap();
    assert_eq!((probe.envelope.until, probe.envelope.decides), (Until::Rcpt, Until::Rcpt));
    assert_eq!(config.claims, ClaimTimes::default());
    assert_eq!(config.record, Record::default());
    assert_eq!(config.rounds, Rounds::default());
    assert_eq!(config.partners[0].labels["tier"], "1");
    assert_eq!(config.canaries[0].listen, ["127.0.9.2:25".parse().unwrap()]);
}

/// The contract's example in a folder with every file it names.
fn installed() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let now = "2026-02-01T12:00:00Z".parse().unwrap();
    let root = Ca::new("Root", now).unwrap();
    let leaf = root.issue(&LeafSpec::host("probe.contoso.test")).unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    put("chain.pem", root.pem().as_bytes());
    let key = crate::wire::text::base64(leaf.key.secret_der());
    let key = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n");
    put("key.pem", key.as_bytes());
    put("token", b"very secret\n");
    put("root.key", b". IN DS 1 2 3 4\n");
    let text = CONTRACT
        .replace("username = \"…\"", "username = \"probe\"\npassword_file = \"token\"")
        .replace("chain_file = \"…\"", "chain_file = \"chain.pem\"")
        .replace("key_file = \"…\"", "key_file = \"key.pem\"")
        .replace("_token_file = \"…\"", "_token_file = \"token\"")
        .replace("/etc/mxwarden/root.key", "root.key");
    put("mxwarden.toml", text.as_bytes());
    let path = folder.path().join("mxwarden.toml");
    (folder, path)
}

#[test]
fn files_are_found_beside_the_configuration() {
    let (folder, path) = installed();
    let loaded = Config::read(&path).unwrap();
    let token = loaded.config.http.read_token_file.unwrap();
    assert_eq!(token, folder.path().join("token"));
    assert_eq!(secret(&token).unwrap().expose_secret(), "very secret");
    assert!(!loaded.warnings.iter().any(|warning| warning.what.contains("everybody")));
}

#[test]
fn what_is_wrong_with_a_file_is_told_and_its_content_is_not() {
    let (folder, path) = installed();
    #[track_caller]
    fn check(folder: &TempDir, name: &str, content: &str, expect: &str) {
        let file = folder.path().join(name);
        let before = fs::read(&file).unwrap();
        fs::write(&file, content).unwrap();
        let error = Config::read(&folder.path().join("mxwarden.toml")).unwrap_err().to_string();
        assert!(error.contains(&format!("{name} {expect}")), "{error}");
        assert!(!error.contains("geheim"), "{error}");
        fs::write(&file, before).unwrap();
    }
    check(&folder, "token", "", "is empty");
    check(&folder, "token", "\n", "is empty");
    check(&folder, "token", "geheim\ngeheim\n", "holds more than one line, or a control character");
    check(&folder, "key.pem", "geheim", "holds no private key in PEM form");
    check(&folder, "chain.pem", "geheim", "holds no certificate in PEM form");
    check(&folder, "root.key", " \n", "is empty");
    // A secret that everybody can read is used, and told.
    let token = folder.path().join("token");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let warnings = Config::read(&path).unwrap().warnings;
    let told = warnings.iter().find(|warning| warning.key == "http.read_token_file").unwrap();
    assert!(told.what.ends_with("can be read by everybody on this host"), "{told}");
    assert_eq!(warnings.iter().filter(|warning| warning.what == told.what).count(), 3);
}

#[test]
fn credentials_come_from_where_systemd_puts_them() {
    let text = "[organisation]\nname = \"C\"\ndomains = [\"c.test\"]\n\
                [http]\nread_token_file = \"$CREDENTIALS_DIRECTORY/token\"\n\
                write_token_file = \"${CREDENTIALS_DIRECTORY}/token\"\n";
    let file = Path::new("/etc/mxwarden.toml");
    let told = Told::new(file, text);
    let files = Files::of(file, Some(PathBuf::from("/run/credentials/mxwarden.service")));
    let http = super::parse(&told, text, &files).unwrap().http;
    let expect = Some(PathBuf::from("/run/credentials/mxwarden.service/token"));
    assert_eq!((&http.read_token_file, &http.write_token_file), (&expect, &expect));
    let told = Told::new(file, text);
    super::parse(&told, text, &Files::of(file, None));
    let told = told.into_remarks();
    assert_eq!((told.mistakes.len(), told.unseen.len()), (0, 2));
}

#[test]
fn a_secret_that_cannot_be_looked_at_here_fails_where_it_is_used() {
    let text = "[organisation]\nname = \"C\"\ndomains = [\"c.test\"]\n\
                [http]\nread_token_file = \"$CREDENTIALS_DIRECTORY/token\"\n\
                certificate = { chain_file = \"$CREDENTIALS_DIRECTORY/chain\", \
                key_file = \"$CREDENTIALS_DIRECTORY/key\" }\n";
    let file = Path::new("/etc/mxwarden.toml");
    let told = Told::new(file, text);
    let files = Files::of(file, None);
    let config = super::parse(&told, text, &files);
    files.check(&told);
    let loaded = loaded(file, told, config).unwrap();
    assert_eq!((loaded.warnings.len(), loaded.unseen.len()), (0, 3));
    assert!(loaded.unseen[0].to_string().starts_with(
        "/etc/mxwarden.toml:5: http.read_token_file: $CREDENTIALS_DIRECTORY is not set"
    ));
    let path = loaded.config.http.read_token_file.clone().unwrap();
    assert!(is_unseen(&path) && !is_unseen(Path::new("/etc/token")));
    let error = secret(&path).unwrap_err().to_string();
    let expect =
        "$CREDENTIALS_DIRECTORY is not set, so $CREDENTIALS_DIRECTORY/token cannot be read";
    assert_eq!(error, expect);
    let whole = loaded.whole().unwrap_err();
    assert_eq!(whole.mistakes.len(), 3);
}

#[test]
fn exchange_online_decides_after_data() {
    #[track_caller]
    fn check(targets: &str, expect: Until) {
        let text = Config::example().replace("decides = \"rcpt\"\n", "").replace(
            "targets = [\"mx\"]\n# What the connector",
            &format!("targets = {targets}\n# What the connector"),
        );
        let config = parse(&text).unwrap().config;
        assert_eq!(config.inbound[0].probe.as_ref().unwrap().envelope.decides, expect, "{targets}");
    }
    check("[\"mx\"]", Until::Rcpt);
    check("[\"mx\", \"host:contoso-test.mail.protection.outlook.com\"]", Until::Data);
    check("[\"host:contoso-test.a-v1.mx.microsoft:25\"]", Until::Data);
    check("[\"host:mail.protection.outlook.com.contoso.test\"]", Until::Rcpt);
    check("[\"host:notmx.microsoft\"]", Until::Rcpt);
}

#[test]
fn what_this_version_cannot_submit_is_claimed_all_the_same() {
    let file = Path::new(FOLDER).join("warns-later.toml");
    let config = Config::parse(&fs::read_to_string(&file).unwrap(), &file).unwrap().config;
    let claims = config.claims_of(&config.partners[0]);
    assert!(claims.iter().any(|claim| claim.to_string() == "outbound/sender-enforces"));
    assert_eq!(config.not_yet["to-fabrikam"], "submission through Microsoft Graph");
}

#[test]
fn no_text_panics() {
    use proptest::prelude::*;
    proptest!(|(text in "(\\[|\\]|=|\"|\\.|organisation|connector|canary|name|\n|\\PC){0,60}")| {
        let _ = parse(&text);
    });
    proptest!(|(at in 0..Config::example().len(), with in "\\PC?")| {
        if Config::example().is_char_boundary(at) {
            let (before, after) = Config::example().split_at(at);
            let _ = parse(&format!("{before}{with}{after}"));
            let _ = parse(before);
        }
    });
}
