//! The image, without a registry: the static program alone in an empty root, as `Containerfile` leaves it.
//!
//! Setup: `tests/run` links `target/static/mxwarden`. A root holds it, a configuration and a state directory, and nothing
//! else: no libraries, no /proc, no shell, and of /dev what every engine gives: random numbers, which a crate
//! reads there where glibc is linked in. It is mounted read-only, the state directory apart, and entered by a
//! user without a name.
//! Test: what the image is started and probed with works there, and says so by its exit code where it does not; and
//! buildah makes the image of the same program, and runs it, by the shipped instructions.

use super::{run, shipped};
use clap::Parser as _;
use mxwarden::cli::args::Cli;
use std::{
    fs,
    net::{TcpListener, UdpSocket},
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// `USER` of the Containerfile.
const USER: u32 = 65532;

/// What `tests/run` has linked.
#[track_caller]
fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/static/mxwarden");
    assert!(program.exists(), "{} is not there; tests/run links it", program.display());
    program
}

/// An empty root with the program in it, and the volume of its state.
struct Root {
    folder: tempfile::TempDir,
    state: tempfile::TempDir,
}

impl Root {
    fn new(config: &str) -> Self {
        let program = program();
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let root = Self { folder, state: tempfile::tempdir().unwrap() };
        for directory in ["usr/bin", "etc/mxwarden", "var/lib/mxwarden", "dev"] {
            fs::create_dir_all(root.at(directory)).unwrap();
        }
        // A link where that is possible: it has a hundred megabytes.
        let inside = root.at("usr/bin/mxwarden");
        fs::hard_link(&program, &inside)
            .or_else(|_| fs::copy(&program, &inside).map(drop))
            .unwrap();
        fs::write(root.at("etc/mxwarden/mxwarden.toml"), config).unwrap();
        for device in ["dev/random", "dev/urandom"] {
            fs::write(root.at(device), "").unwrap();
        }
        chown(root.state.path(), Some(USER), Some(USER)).unwrap();
        fs::set_permissions(root.state.path(), fs::Permissions::from_mode(0o700)).unwrap();
        root
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Runs the program in it, without a network.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Output {
        run(&mut self.entered(&["--mount", "--net"], arguments))
    }

    /// The program in it, in name spaces of its own.
    fn entered(&self, spaces: &[&str], arguments: &[&str]) -> Command {
        const ENTER: &str = "root=$1; shift
            mount --bind \"$root\" \"$root\" && mount -o remount,ro,bind \"$root\" &&
            mount --bind /dev/random \"$root/dev/random\" &&
            mount --bind /dev/urandom \"$root/dev/urandom\" &&
            mount --bind \"$STATE\" \"$root/var/lib/mxwarden\" &&
            exec chroot --userspec=65532:65532 --groups= \"$root\" /usr/bin/mxwarden \"$@\"";
        let mut command = Command::new("unshare");
        command
            .args(spaces)
            .args(["sh", "-c", ENTER, "sh"])
            .arg(self.folder.path())
            .args(arguments);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("STATE", self.state.path());
        command
    }
}

#[track_caller]
fn ended(output: &Output, code: i32) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    out + &err
}

const MINIMAL: &str = include_str!("../../../config/minimal.toml");

#[test]
fn the_program_needs_nothing_beside_it() {
    let root = Root::new(MINIMAL);
    assert_eq!(
        ended(&root.run(&["--version"]), 0),
        format!("mxwarden {}\n", env!("CARGO_PKG_VERSION"))
    );
    let checked = ended(&root.run(&["config", "check"]), 0);
    assert!(checked.starts_with("/etc/mxwarden/mxwarden.toml: valid"), "{checked}");
    assert!(ended(&root.run(&["explain", "cert-expired"]), 0).contains("What to do"));
    // Its roots are built in, and its clock is the kernel's; there is no resolver, and it says so.
    let doctor = ended(&root.run(&["doctor", "--format", "json", "--timeout", "2"]), 1);
    let doctor: serde_json::Value = serde_json::from_str(&doctor).unwrap();
    let state = |check: &str| {
        let checks = doctor["checks"].as_array().unwrap();
        checks.iter().find(|one| one["check"] == check).unwrap()["state"].clone()
    };
    assert_eq!((state("roots"), state("store")), ("ok".into(), "ok".into()));
    assert_eq!(state("resolver"), "problem");
}

#[test]
fn a_health_check_tells_well_from_ill() {
    let quick = health_check();
    let quick: Vec<&str> = quick[1..].iter().map(String::as_str).collect();
    let healthy = Root::new(MINIMAL);
    ended(&healthy.run(&quick), 0);
    // The state directory alone can be written.
    let elsewhere = Root::new(&format!("state_dir = \"/etc/mxwarden\"\n{MINIMAL}"));
    assert!(ended(&elsewhere.run(&quick), 1).contains("Read-only file system"));
    let absent = Root::new(&format!("state_dir = \"/srv/absent\"\n{MINIMAL}"));
    assert!(ended(&absent.run(&quick), 1).contains("does not exist"));
    let mistaken = Root::new(&format!("stat_dir = \"/x\"\n{MINIMAL}"));
    assert!(ended(&mistaken.run(&quick), 1).contains("stat_dir: unknown key"));
}

/// Started, probed and stopped by a signal, as an engine does.
#[test]
fn the_daemon_runs_in_it_and_leaves_when_told() {
    // Nobody answers there: every claim stays unknown, and nothing leaves this machine.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let dns = silent.local_addr().unwrap();
    let http = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let more = format!("[dns]\nresolvers = [\"{dns}\"]\n[http]\nlisten = \"{http}\"\n");
    let root = Root::new(&format!("{more}{MINIMAL}"));
    let run_it = ["run", "--config", "/etc/mxwarden/mxwarden.toml"];
    let mut daemon = root.entered(&["--mount"], &run_it).stdin(Stdio::null()).spawn().unwrap();
    let check = health_check();
    let check: Vec<&str> = check[1..].iter().map(String::as_str).collect();
    let is_up = || {
        let probed = run(&mut root.entered(&["--mount"], &check));
        String::from_utf8_lossy(&probed.stdout).contains("daemon        ")
            && probed.status.success()
    };
    let is_gone = |daemon: &mut std::process::Child| daemon.try_wait().unwrap().is_some();
    let came_up = (0..1000)
        .find_map(|_| if is_gone(&mut daemon) { Some(false) } else { is_up().then_some(true) })
        == Some(true);
    let stopped = run(Command::new("kill").args(["-TERM", &daemon.id().to_string()]));
    assert!(stopped.status.success(), "{stopped:?}");
    let ended = daemon.wait().unwrap();
    assert!(came_up && ended.code() == Some(0), "came up: {came_up}, ended: {ended}");
}

/// The image as buildah makes it: the last stage, with what the first one leaves laid beside it.
#[test]
fn buildah_builds_the_image_and_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let text = fs::read_to_string(shipped("Containerfile")).unwrap();
    let last = &text[text.find("\nFROM scratch").unwrap()..];
    let last = last
        .replace("--from=build ", "")
        .replace(" /image/", " image/")
        .replace(" /state/", " state/");
    fs::write(at("Containerfile"), last).unwrap();
    for directory in ["image/usr/bin", "image/etc/mxwarden", "state/mxwarden"] {
        fs::create_dir_all(at(directory)).unwrap();
    }
    fs::set_permissions(at("state/mxwarden"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::copy(program(), at("image/usr/bin/mxwarden")).unwrap();
    fs::write(at("image/etc/mxwarden/mxwarden.toml"), MINIMAL).unwrap();
    // All it keeps lies in the folder, and nothing of the kernel's is asked for that a container in CI has not.
    let buildah = |arguments: &[&str]| {
        let mut command = Command::new("buildah");
        command
            .args(["--storage-driver", "vfs", "--root"])
            .arg(at("root"))
            .arg("--runroot")
            .arg(at("run"));
        run(command.args(arguments).current_dir(folder.path()))
    };
    let build = ["build", "--isolation", "chroot", "--format", "docker", "-t", "mxwarden", "."];
    ended(&buildah(&build), 0);
    let inspected = ended(&buildah(&["inspect", "--type", "image", "localhost/mxwarden"]), 0);
    let image: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    let config = &image["Docker"]["config"];
    assert_eq!(
        (&config["User"], &config["StopSignal"]),
        (&"65532:65532".into(), &"SIGTERM".into())
    );
    let check: Vec<String> = serde_json::from_value(config["Healthcheck"]["Test"].clone()).unwrap();
    assert_eq!(check[1..], health_check()[..]);
    ended(&buildah(&["from", "--name", "mxwarden", "localhost/mxwarden"]), 0);
    let inside = |arguments: &[String]| {
        let words = ["run", "--isolation", "chroot", "mxwarden", "--"].map(str::to_owned);
        let words = [&words[..], arguments].concat();
        buildah(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let version = inside(&["/usr/bin/mxwarden".to_owned(), "--version".to_owned()]);
    assert!(ended(&version, 0).starts_with("mxwarden "));
    // The volume is its user's: the health check writes there.
    assert!(ended(&inside(&health_check()), 0).contains("can be written"));
    ended(&buildah(&["rm", "mxwarden"]), 0);
}

/// The instructions of the Containerfile, continued lines joined, comments left out.
fn instructions() -> Vec<(String, String)> {
    let text = fs::read_to_string(shipped("Containerfile")).unwrap();
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let text = text.join("\n").replace("\\\n", " ");
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(word, rest)| (word.to_owned(), rest.trim().to_owned())).collect()
}

fn health_check() -> Vec<String> {
    let (_, rest) = instructions().into_iter().find(|(word, _)| word == "HEALTHCHECK").unwrap();
    serde_json::from_str(rest.split_once("CMD ").unwrap().1).unwrap()
}

#[test]
fn the_image_is_what_was_promised() {
    let instructions = instructions();
    let last = instructions.iter().rposition(|(word, _)| word == "FROM").unwrap();
    let (first, image) = (&instructions[0], &instructions[last..]);
    assert!(first.0 == "FROM" && first.1.ends_with(" AS build"));
    assert_eq!(image[0].1, "scratch");
    let said = |word: &str| {
        let found: Vec<&str> =
            image.iter().filter(|(is, _)| is == word).map(|(_, rest)| rest.as_str()).collect();
        assert_eq!(found.len(), 1, "{word}");
        found[0].to_owned()
    };
    assert_eq!(said("USER"), format!("{USER}:{USER}"));
    assert!(said("LABEL").contains("org.opencontainers.image.licenses="));
    assert_eq!(said("ENTRYPOINT"), "[\"/usr/bin/mxwarden\"]");
    assert_eq!(said("STOPSIGNAL"), "SIGTERM");
    assert!(!image.iter().any(|(word, _)| word == "RUN"), "there is no shell");
    let check = health_check();
    assert_eq!(check[0], "/usr/bin/mxwarden");
    Cli::try_parse_from(&check).unwrap();
    assert!(instructions.iter().any(|(_, rest)| rest.contains("target-feature=+crt-static")));
}

/// What `.dockerignore` lets through is enough for cargo to know what there is to build.
#[test]
fn the_build_context_is_enough() {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"));
    let context = tempfile::tempdir().unwrap();
    let ignore = fs::read_to_string(from.join(".dockerignore")).unwrap();
    for path in ignore.lines().filter_map(|line| line.strip_prefix('!')) {
        let to = context.path().join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let copied = run(Command::new("cp").arg("-r").arg(from.join(path)).arg(&to));
        assert!(copied.status.success(), "{copied:?}");
    }
    let known = run(Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--no-deps", "--format-version=1"])
        .current_dir(context.path()));
    assert!(known.status.success(), "{known:?}");
    // Files that the sources include stand outside of src as well.
    for file in included(&from.join("src")) {
        let inside = file.strip_prefix(from.canonicalize().unwrap()).unwrap().to_owned();
        assert!(context.path().join(&inside).exists(), "{} is not let through", inside.display());
    }
}

/// What `include_str!` and `include_bytes!` name, tests apart.
fn included(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() && !entry.ends_with("tests") {
            found.extend(included(&entry));
        } else if !entry.is_dir()
            && entry.extension().is_some_and(|extension| extension == "rs")
            && !entry.ends_with("tests.rs")
        {
            let text = fs::read_to_string(&entry).unwrap();
            let text = text.split("mod tests {").next().unwrap();
            for start in ["include_str!(\"", "include_bytes!(\""] {
                let names = text.split(start).skip(1).filter_map(|rest| rest.split('"').next());
                found.extend(names.map(|name| folder.join(name).canonicalize().unwrap()));
            }
        }
    }
    found
}
