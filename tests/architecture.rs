//! The import table of `src/lib.rs`, enforced: who may import whom, and who may name which crate.
//!
//! The sources are read token by token, so that a path counts wherever it stands: in a `use`, in a
//! group, inline. Comments and strings do not count.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// One module: which of ours it may import, which crates it may name.
struct Row {
    module: &'static str,
    ours: &'static [&'static str],
    crates: &'static [&'static str],
}

/// Every module may name these.
const EVERYONE: &[&str] = &["jiff", "secrecy", "thiserror", "zeroize"];
/// Every module but the pure ones may name this one.
const LOG: &str = "tracing";

/// Lower never sees higher. A change here is a change of the architecture: it goes with `src/lib.rs`.
const TABLE: &[Row] = &[
    Row {
        module: "wire",
        ours: &[],
        // aws_lc_rs and md5 are the primitives of legacy_tls, and of nothing else here.
        crates: &[
            "aws_lc_rs",
            "data_encoding",
            "der",
            "hmac",
            "idna",
            "md5",
            "psl",
            "serde",
            "sha2",
            "tls_parser",
            "x509_ocsp",
            "x509_parser",
        ],
    },
    Row { module: "model", ours: &["wire"], crates: &["ipnet", "serde"] },
    Row {
        module: "judge",
        ours: &["wire", "model"],
        // rustls_pki_types holds the types webpki speaks in; it does no I/O.
        crates: &["aws_lc_rs", "rustls_pki_types", "webpki"],
    },
    Row {
        module: "config",
        ours: &["wire", "model"],
        // Not serde: it ends at the first mistake. rustls_pki_types takes PEM apart; serde_json is the form
        // PowerShell exports connectors in, and the one imported records are kept in.
        crates: &["ipnet", "rustls_pki_types", "serde_json", "toml"],
    },
    Row {
        module: "observe",
        ours: &["wire", "model"],
        // rsa verifies with the keys below 2048 bits that aws-lc refuses; rcgen makes the canaries' certificates.
        crates: &[
            "aws_lc_rs",
            "hickory_net",
            "hickory_resolver",
            "http_body_util",
            "ipnet",
            "listenfd",
            "oauth2",
            "rcgen",
            "reqwest",
            "rsa",
            "rustls",
            "rustls_native_certs",
            "serde",
            "serde_json",
            "sha2",
            "tokio",
            "tokio_rustls",
            "tokio_util",
            "webpki",
            "webpki_roots",
        ],
    },
    Row {
        module: "record",
        ours: &["wire", "model"],
        // aws_lc_rs draws the key of probe tokens.
        crates: &["aws_lc_rs", "rusqlite", "serde", "serde_json", "sha2", "zstd"],
    },
    Row {
        module: "tell",
        ours: &["wire", "model", "record"],
        // aws_lc_rs signs webhooks; tokio_rustls and hyper carry the pages; minijinja fills the operator's template.
        crates: &[
            "aws_lc_rs",
            "axum",
            "http_body_util",
            "hyper",
            "hyper_util",
            "lettre",
            "minijinja",
            "prometheus",
            "reqwest",
            "rustls",
            "rustls_pki_types",
            "serde",
            "serde_json",
            "sha2",
            "subtle",
            "tokio",
            "tokio_rustls",
            "tokio_util",
            "tower",
        ],
    },
    Row {
        module: "daemon",
        ours: &["wire", "model", "judge", "config", "observe", "record", "tell"],
        crates: &[
            "aws_lc_rs",
            "ipnet",
            "rustls",
            "sd_notify",
            "serde",
            "serde_json",
            "sha2",
            "tokio",
            "tokio_util",
            "ulid",
        ],
    },
    Row {
        module: "lab",
        ours: &["wire", "model"],
        crates: &[
            "aws_lc_rs",
            "der",
            "hickory_net",
            "hickory_server",
            "rcgen",
            "rustls",
            "sha2",
            "tokio",
            "tokio_rustls",
            "x509_ocsp",
            "x509_parser",
        ],
    },
    Row {
        module: "cli",
        ours: &["wire", "model", "judge", "config", "observe", "record", "tell", "daemon", "lab"],
        crates: &[
            "anstream",
            "anyhow",
            "clap",
            "clap_complete",
            "clap_mangen",
            "comfy_table",
            "csv",
            "gethostname",
            "indicatif",
            "owo_colors",
            "quick_junit",
            "rlimit",
            "serde",
            "serde_json",
            "terminal_size",
            "tokio",
            "tokio_util",
            "tracing_subscriber",
        ],
    },
    Row { module: "main", ours: &["cli"], crates: &["mxwarden"] },
    Row { module: "lib", ours: &[], crates: &[] },
];

/// The pure modules touch nothing outside themselves.
const PURE: &[&str] = &["wire", "model", "judge"];
const IMPURE_STD: &[&str] = &["env", "fs", "net", "process", "thread"];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    PathSep,
    Open,
    Close,
    Comma,
    Other(char),
}

/// Words, `::`, braces and commas; comments, strings and character literals are passed over.
fn tokens(source: &str) -> Vec<Token> {
    let text: Vec<char> = source.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        match rest {
            ['/', '/', ..] => at += rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => {
                let end = rest.windows(2).position(|w| w == ['*', '/']);
                at += end.map_or(rest.len(), |end| end + 2);
            }
            ['"', ..] => at += string_length(rest),
            ['r', '"', ..] | ['r', '#', '"' | '#', ..] => at += raw_length(rest),
            ['b', '"', ..] => at += 1 + string_length(&rest[1..]),
            ['\'', '\\', _, ..] => {
                at += 3 + rest[3..].iter().position(|c| *c == '\'').unwrap_or(0) + 1;
            }
            ['\'', _, '\'', ..] => at += 3,
            [':', ':', ..] => {
                out.push(Token::PathSep);
                at += 2;
            }
            [c, ..] if c.is_alphabetic() || *c == '_' => {
                let end = rest.iter().position(|c| !c.is_alphanumeric() && *c != '_');
                let end = end.unwrap_or(rest.len());
                out.push(Token::Word(rest[..end].iter().collect()));
                at += end;
            }
            [c, ..] => {
                match c {
                    '{' => out.push(Token::Open),
                    '}' => out.push(Token::Close),
                    ',' => out.push(Token::Comma),
                    c if c.is_whitespace() => {}
                    c => out.push(Token::Other(*c)),
                }
                at += 1;
            }
            [] => break,
        }
    }
    out
}

fn string_length(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_length(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = &rest[2 + hashes..];
    let length = body.windows(end.len()).position(|w| w == end).unwrap_or(body.len());
    2 + hashes + length + end.len()
}

/// What stands first in a group: `a` and `b` of `{a::x, b}`.
fn heads(tokens: &[Token]) -> Vec<String> {
    let mut depth = 0;
    let mut at_head = true;
    let mut heads = Vec::new();
    for token in tokens {
        match token {
            Token::Open => depth += 1,
            Token::Close if depth <= 1 => break,
            Token::Close => depth -= 1,
            Token::Comma if depth == 1 => at_head = true,
            Token::Word(word) if depth == 1 && at_head => {
                heads.push(word.clone());
                at_head = false;
            }
            _ => {}
        }
    }
    heads
}

/// What one file names from outside itself.
#[derive(Debug, Default)]
struct Named {
    ours: BTreeSet<String>,
    crates: BTreeSet<String>,
    std: BTreeSet<String>,
    complaints: Vec<String>,
    reads_a_clock: bool,
}

fn read(source: &str, depth: usize, is_test_file: bool, dependencies: &BTreeSet<String>) -> Named {
    let tokens = tokens(source);
    let mut named = Named::default();
    let mut in_tests = is_test_file;
    for (at, token) in tokens.iter().enumerate() {
        let Token::Word(word) = token else { continue };
        if word == "mod" && tokens.get(at + 1) == Some(&Token::Word("tests".into())) {
            in_tests |= tokens.get(at + 2) == Some(&Token::Open);
        }
        let begins = at == 0 || tokens[at - 1] != Token::PathSep;
        let is_path = tokens.get(at + 1) == Some(&Token::PathSep);
        let used = at > 0 && tokens[at - 1] == Token::Word("use".into());
        if !begins || !(is_path || used) {
            continue;
        }
        let next = tokens.get(at + 2);
        match word.as_str() {
            "crate" => match next {
                Some(Token::Word(module)) if !(in_tests && module == "lab") => {
                    named.ours.insert(module.clone());
                }
                Some(Token::Word(_)) => {}
                _ => named.complaints.push("`crate::{…}`: write one `use` a module".into()),
            },
            "super" => {
                let supers = tokens[at..]
                    .iter()
                    .step_by(2)
                    .take_while(|t| **t == Token::Word("super".into()));
                if supers.count() >= depth && !in_tests {
                    named.complaints.push("`super::` leaves the module".into());
                }
            }
            "std" => match next {
                Some(Token::Word(part)) => drop(named.std.insert(part.clone())),
                Some(Token::Open) => named.std.extend(heads(&tokens[at + 2..])),
                _ => {}
            },
            other if dependencies.contains(other) => drop(named.crates.insert(other.into())),
            _ => {}
        }
        if word == "Timestamp" && next == Some(&Token::Word("now".into())) {
            named.reads_a_clock = true;
        }
    }
    named
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The crates of `[dependencies]`, by the names they are imported under.
fn dependencies() -> BTreeSet<String> {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let names = section
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.replace('-', "_"));
    names.chain(["mxwarden".to_owned()]).collect()
}

#[test]
fn lower_never_sees_higher() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let dependencies = dependencies();
    let table: BTreeMap<&str, &Row> = TABLE.iter().map(|row| (row.module, row)).collect();
    let mut broken = Vec::new();
    let mut used = BTreeSet::new();
    for path in sources(&root) {
        let place = path.strip_prefix(&root).unwrap();
        let parts: Vec<String> =
            place.with_extension("").iter().map(|p| p.to_string_lossy().into_owned()).collect();
        let module = parts[0].as_str();
        let Some(row) = table.get(module) else {
            broken.push(format!("{}: `{module}` is no module of the table", place.display()));
            continue;
        };
        let depth = parts.iter().filter(|part| *part != "mod").count();
        let is_test =
            parts.last().is_some_and(|last| last == "tests") || parts.iter().any(|p| p == "tests");
        let named = read(&fs::read_to_string(&path).unwrap(), depth, is_test, &dependencies);
        used.extend(named.crates.iter().cloned());
        broken.extend(named.complaints.iter().map(|what| format!("{}: {what}", place.display())));
        for ours in &named.ours {
            if ours != module && !row.ours.contains(&ours.as_str()) {
                broken.push(format!("{}: `{module}` may not import `{ours}`", place.display()));
            }
        }
        for name in &named.crates {
            let may_log = name == LOG && !PURE.contains(&module);
            let allowed =
                may_log || EVERYONE.contains(&name.as_str()) || row.crates.contains(&name.as_str());
            if !allowed && !is_test {
                broken.push(format!(
                    "{}: `{module}` may not name the crate `{name}`",
                    place.display()
                ));
            }
        }
        if PURE.contains(&module) && !is_test {
            if named.reads_a_clock {
                broken.push(format!("{}: `{module}` is pure and reads a clock", place.display()));
            }
            for part in named.std.iter().filter(|part| IMPURE_STD.contains(&part.as_str())) {
                broken.push(format!(
                    "{}: `{module}` is pure and names `std::{part}`",
                    place.display()
                ));
            }
        }
    }
    assert!(broken.is_empty(), "the import table is broken:\n{}", broken.join("\n"));
    let idle: Vec<_> = dependencies.difference(&used).collect();
    assert!(idle.is_empty(), "dependencies that nothing names: {idle:?}");
}

#[test]
fn the_reader_sees_what_matters() {
    let dependencies = ["tokio", "rustls", "tokio_rustls"].map(String::from).into_iter().collect();
    #[track_caller]
    fn check(
        source: &str,
        dependencies: &BTreeSet<String>,
        ours: &[&str],
        crates: &[&str],
        complaints: usize,
    ) {
        let named = read(source, 1, false, dependencies);
        assert_eq!(named.ours.iter().collect::<Vec<_>>(), ours, "{source}");
        assert_eq!(named.crates.iter().collect::<Vec<_>>(), crates, "{source}");
        assert_eq!(named.complaints.len(), complaints, "{source}: {:?}", named.complaints);
    }
    check("use crate::judge::x;", &dependencies, &["judge"], &[], 0);
    check("fn f() { crate::record::g() }", &dependencies, &["record"], &[], 0);
    check("use crate::{judge, record};", &dependencies, &[], &[], 1);
    check("use super::record;", &dependencies, &[], &[], 1);
    check("mod tests { use super::*; }", &dependencies, &[], &[], 0);
    check("// crate::judge::x\n\"tokio::spawn\"", &dependencies, &[], &[], 0);
    check("tokio_rustls::x()", &dependencies, &[], &["tokio_rustls"], 0);
    check("use tokio;", &dependencies, &[], &["tokio"], 0);
    check("a::tokio::b", &dependencies, &[], &[], 0);
    assert!(read("let x = Timestamp::now();", 1, false, &dependencies).reads_a_clock);
    let std =
        read("use std::{fmt, fs::File, collections::{HashMap, env}};", 1, false, &dependencies).std;
    assert_eq!(std.iter().collect::<Vec<_>>(), ["collections", "fmt", "fs"]);
}
