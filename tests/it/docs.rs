//! The pages: every command in them is parsed by the very definition the program has, and run where it can be run offline;
//! every configuration is read; every link leads somewhere.
//!
//! ```` ```sh ```` is commands, one a line, and so is what is indented by four; ```` ```toml ```` a whole configuration, ```` ```toml fragment ```` a part of one.

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};
use mxwarden::{
    cli::args::{Cli, Command as Asked, ConfigCommand},
    config::Config,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Programs that commands begin with, and that are not run here. Each is held in its own place: `tests/real/deploy`, CI.
const OTHERS: &[&str] = &[
    "cargo",
    "docker",
    "install",
    "journalctl",
    "podman",
    "scp",
    "sudo",
    "systemctl",
    "systemd-sysusers",
    "systemd-tmpfiles",
    "tests/run",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md and what is in docs/.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    paths.push(root().join("README.md"));
    paths.sort();
    assert!(paths.len() > 5);
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// One fenced block: what it says it is, where it begins, what is in it.
struct Block {
    kind: String,
    place: String,
    text: String,
}

/// The fenced blocks of a page, and the page without them.
fn blocks(path: &Path, page: &str) -> (Vec<Block>, String) {
    let name = path.strip_prefix(root()).unwrap().display();
    let (mut blocks, mut rest) = (Vec::new(), String::new());
    let mut open: Option<Block> = None;
    for (at, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(kind), None) => {
                let place = format!("{name}:{}", at + 1);
                open = Some(Block { kind: kind.trim().to_owned(), place, text: String::new() });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {
                rest.push_str(line);
                rest.push('\n');
            }
        }
    }
    assert!(open.is_none(), "{name}: a block is not closed");
    (blocks, rest)
}

/// The words of one line as a shell takes them apart; `|`, `&&`, `;`, `>` and `<` are words of their own.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => break,
            ('|' | ';' | '>' | '<' | '&', None) => {
                words.extend(word.take());
                words.push(c.to_string());
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The simple commands of a line, without assignments before them and without where their output goes.
fn commands(line: &str) -> Vec<Vec<String>> {
    let is_end = |word: &String| matches!(word.as_str(), "|" | ";" | "&");
    let words = words(line);
    let parts = words.split(is_end).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let part = part.split(|word| word == ">" || word == "<").next().unwrap();
            let is_assignment = |word: &&String| {
                word.split_once('=').is_some_and(|(name, _)| {
                    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
                })
            };
            part.iter().skip_while(is_assignment).cloned().collect::<Vec<_>>()
        })
        .filter(|command| !command.is_empty())
        .collect()
}

/// What mxwarden is asked in this command; none where it is another program's.
fn asked(command: &[String]) -> Option<Vec<String>> {
    let word = |at: usize| command.get(at).map(String::as_str);
    let from = |at: usize| {
        let rest = command.get(at + 1..).unwrap_or_default().iter().cloned();
        Some([String::from("mxwarden")].into_iter().chain(rest).collect())
    };
    match (word(0)?, word(1)) {
        ("mxwarden", _) => from(0),
        // sudo -u mxwarden mxwarden …
        ("sudo", Some("-u")) if word(3) == Some("mxwarden") => from(3),
        // The image is called like the program.
        ("podman" | "docker", Some("run")) => {
            from(command.iter().position(|word| word == "mxwarden")?)
        }
        ("cargo", Some("run")) => from(command.iter().position(|word| word == "--")?),
        _ => None,
    }
}

/// Everything mxwarden is asked in the pages, with its place.
fn all_asked() -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for (path, page) in pages() {
        let (blocks, rest) = blocks(&path, &page);
        for block in blocks.iter().filter(|block| block.kind == "sh") {
            let text = block.text.replace("\\\n", " ");
            for line in text.lines() {
                for command in commands(line) {
                    match asked(&command) {
                        Some(asked) => found.push((block.place.clone(), asked)),
                        None => assert!(
                            OTHERS.contains(&command[0].as_str()),
                            "{}: nobody knows what `{}` does",
                            block.place,
                            command.join(" ")
                        ),
                    }
                }
            }
        }
        for line in rest.lines().filter_map(|line| line.strip_prefix("    ")) {
            let mut asked: Vec<Vec<String>> =
                commands(line).iter().filter_map(|c| asked(c)).collect();
            for word in asked.iter_mut().flatten() {
                // What the reader puts there.
                match word.as_str() {
                    "CLAIM" => "outbound/receiver-offers".clone_into(word),
                    "OBSTACLE" => "connect-timeout".clone_into(word),
                    _ => {}
                }
            }
            let place = path.display().to_string();
            found.extend(asked.into_iter().map(|asked| (place.clone(), asked)));
        }
        // `mxwarden …` in the text. What has a dot, dot, dot is no whole command.
        let spans = rest.split('`').skip(1).step_by(2).map(|span| span.replace('\n', " "));
        for span in spans.filter(|span| span.starts_with("mxwarden ") && !span.contains('…')) {
            found.push((path.display().to_string(), words(&span)));
        }
    }
    assert!(found.len() > 20, "{found:?}");
    let is_indented = |(place, asked): &(String, Vec<String>)| {
        place.ends_with("runbooks.md") && asked.get(1).is_some_and(|word| word == "doctor")
    };
    assert!(found.iter().any(is_indented), "{found:?}");
    found
}

#[test]
fn every_command_is_one_the_program_knows() {
    for (place, asked) in all_asked() {
        if let Err(error) = Cli::try_parse_from(&asked) {
            let is_answer =
                matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            assert!(is_answer, "{place}: `{}`: {error}", asked.join(" "));
        }
    }
}

/// What units and images start is a command as well.
#[test]
fn what_is_shipped_starts_what_there_is() {
    let shipped = |name: &str| fs::read_to_string(root().join("deploy").join(name)).unwrap();
    let service = shipped("mxwarden.service");
    let start = service.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/")).unwrap();
    let image = shipped("Containerfile");
    let list = |text: &str| serde_json::from_str::<Vec<String>>(text).unwrap();
    let in_image = image.lines().find_map(|line| line.strip_prefix("CMD ")).unwrap();
    let compose = shipped("compose.yml");
    let in_compose =
        compose.lines().find_map(|line| line.trim().strip_prefix("command: [")).unwrap();
    let program = || vec!["mxwarden".to_owned()];
    for started in [
        words(start),
        [program(), list(in_image)].concat(),
        [program(), list(&format!("[{in_compose}"))].concat(),
    ] {
        assert_eq!(started.join(" "), "mxwarden run --config /etc/mxwarden/mxwarden.toml");
        Cli::try_parse_from(&started).unwrap();
    }
}

/// Runs the program in a folder of its own that has a configuration.
fn run(arguments: &[String]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("config/minimal.toml"), folder.path().join("minimal.toml")).unwrap();
    let canaries = fs::read_to_string(root().join("docs/canaries.md")).unwrap();
    let (blocks, _) = blocks(&root().join("docs/canaries.md"), &canaries);
    let toml = blocks.iter().find(|block| block.kind == "toml").unwrap();
    fs::write(folder.path().join("canaries.toml"), format!("state_dir = \"state\"\n{}", toml.text))
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
    let output = command.env_remove("CREDENTIALS_DIRECTORY").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said.into_owned())
}

/// What needs no network and no configuration of the reader's, as it is run for real; none for the rest.
fn offline(asked: &[String]) -> Option<Vec<String>> {
    let given = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect());
    match Cli::try_parse_from(asked) {
        // --help and --version.
        Err(_) => Some(asked.get(1..)?.to_vec()),
        Ok(cli) => match cli.command {
            Asked::Canary(_) => given(&["canary", "zone", "--config", "canaries.toml"]),
            Asked::Completions(_) => Some(asked.get(1..)?.to_vec()),
            Asked::Config(args) => match args.command {
                ConfigCommand::Check { .. } => given(&["config", "check", "minimal.toml"]),
                ConfigCommand::Example => given(&["config", "example"]),
            },
            // `mxwarden explain ID` is not about an id of that name.
            Asked::Explain(args) if args.id == ["ID"] => None,
            Asked::Explain(_) => Some(asked.get(1..)?.to_vec()),
            Asked::Manpages(_) => given(&["manpages", "pages"]),
            _ => None,
        },
    }
}

#[test]
fn what_can_be_run_offline_is_run() {
    let asked = all_asked().into_iter().map(|(_, asked)| asked);
    let mut runs: BTreeSet<Vec<String>> = asked.filter_map(|asked| offline(&asked)).collect();
    for name in Cli::command().get_subcommands().map(|command| command.get_name().to_owned()) {
        runs.insert(vec![name, "--help".to_owned()]);
    }
    for arguments in &runs {
        let (code, said) = run(arguments);
        assert_eq!(code, Some(0), "mxwarden {}: {said}", arguments.join(" "));
        assert!(arguments[0] == "manpages" || !said.is_empty(), "{arguments:?}");
    }
    let first: BTreeSet<&str> = runs.iter().map(|arguments| arguments[0].as_str()).collect();
    for wanted in ["--version", "canary", "completions", "config", "explain", "manpages"] {
        assert!(first.contains(wanted), "no page has `mxwarden {wanted}`");
    }
}

#[test]
fn a_page_is_made_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("man1").display().to_string();
    let (code, said) = run(&["manpages".to_owned(), to.clone()]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let page = |name: &str| fs::read_to_string(Path::new(&to).join(name)).unwrap();
    assert!(page("mxwarden.1").contains(".SH SUBCOMMANDS"));
    assert!(page("mxwarden-check.1").contains("\\-\\-require"));
    assert!(page("mxwarden-config-example.1").contains(".SH NAME"));
}

#[test]
fn every_configuration_is_read() {
    let mut whole = 0;
    for (path, page) in pages() {
        for block in blocks(&path, &page).0 {
            match block.kind.as_str() {
                "toml" => {
                    let read = Config::parse(&block.text, Path::new(&block.place));
                    assert!(read.is_ok(), "{}: {}", block.place, read.unwrap_err());
                    whole += 1;
                }
                "toml fragment" => {
                    let read = toml::de::DeTable::parse(&block.text);
                    assert!(read.is_ok(), "{}: {}", block.place, read.unwrap_err());
                }
                // A prompt before a command hides it from the tests.
                other => {
                    assert!(!["", "console"].contains(&other), "{}: say what it is", block.place)
                }
            }
        }
    }
    assert!(whole > 2);
}

/// How a heading is addressed.
fn anchor(heading: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading
        .to_lowercase()
        .chars()
        .filter(|c| kept(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for (path, page) in pages() {
        let (_, text) = blocks(&path, &page);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (file, place) = link.split_once('#').map_or((link, None), |(f, p)| (f, Some(p)));
            let to = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(to.exists(), "{}: {link}", path.display());
            if let Some(place) = place {
                let page = fs::read_to_string(&to).unwrap();
                let mut headings = page.lines().filter_map(|line| line.strip_prefix('#'));
                let is_there =
                    headings.any(|line| anchor(line.trim_start_matches('#').trim()) == place);
                assert!(is_there, "{}: {link}", path.display());
            }
            count += 1;
        }
    }
    assert!(count > 10);
}

/// Whoever begins at the index finds every page.
#[test]
fn the_index_names_every_page() {
    let index = fs::read_to_string(root().join("docs/README.md")).unwrap();
    for (path, _) in pages() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_page = path.parent().unwrap().ends_with("docs") && name != "README.md";
        assert!(
            !is_page || index.contains(&format!("]({name})")),
            "docs/README.md does not name {name}"
        );
    }
}

#[test]
fn shell_lines_are_taken_apart() {
    let check = |line: &str, expect: &[&[&str]]| assert_eq!(commands(line), expect, "{line}");
    check("mxwarden check 'a b' # why", &[&["mxwarden", "check", "a b"]]);
    check("A=1 mxwarden doctor > \"f\"", &[&["mxwarden", "doctor"]]);
    check("mxwarden explain | less && true", &[&["mxwarden", "explain"], &["less"], &["true"]]);
    check("# nothing", &[]);
}
