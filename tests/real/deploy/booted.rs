//! The service under a systemd that really runs: a container of it, whose /etc holds what `docs/install.md` puts there.
//!
//! Setup: `systemd-nspawn` boots this host's /usr, under a layer of its own, in a network of its own; the page's commands
//! install the program that was just built, the units, the user and the directories.
//! Test: the service comes up behind every lock of its unit, its secrets are shown to it, canaries take port 25 without a
//! capability, a reload is one, who dies or hangs is started anew, a mistake in the configuration is not, and it stops in order.

use super::{one_canary, run};
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// What the test adds to the units: an address that is here, and a watchdog that need not be waited for.
const SOCKET: &str = "[Socket]\nListenStream=\nListenStream=127.0.0.9:25\n";
const PATIENCE: &str = "[Service]\nWatchdogSec=3\nRestartSec=100ms\n";

const CONFIG: &str = r#"
[organisation]
name = "Contoso"
domains = ["contoso.test"]
ehlo = "probe.contoso.test"
[dns]
resolvers = ["127.0.0.1:53"]
[http]
read_token_file = "$CREDENTIALS_DIRECTORY/secrets_read-token"
"#;

/// A file of the checkout.
fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A host of its own, that ends with its test.
struct Host {
    nspawn: Child,
    leader: String,
    folder: TempDir,
}

impl Host {
    fn boot() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (root, layer) = (folder.path().join("root"), folder.path().join("usr"));
        for directory in ["etc/systemd/system", "usr", "srv"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for link in ["bin", "sbin", "lib", "lib64"] {
            symlink(Path::new("usr").join(link), root.join(link)).unwrap();
        }
        fs::create_dir(&layer).unwrap();
        // In memory: a layer cannot lie on a layer, which is what a container in CI may have.
        const ENTER: &str =
            "mount -t tmpfs layer \"$0\" && mkdir \"$0/upper\" && exec systemd-nspawn \"$@\"";
        // Root is the one user, and with an id the machine is no new one: nothing is enabled by itself.
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
        fs::write(root.join("etc/group"), "root:x:0:\n").unwrap();
        fs::write(root.join("etc/machine-id"), "0123456789abcdef0123456789abcdef\n").unwrap();
        fs::copy("/usr/lib/os-release", root.join("etc/os-release")).unwrap();
        let mounted = |from: &Path, to: &str| format!("--bind-ro={}:/srv/{to}", from.display());
        let log = File::create(folder.path().join("log")).unwrap();
        let nspawn = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", ENTER])
            .arg(&layer)
            .args(["--boot", "--quiet"])
            .args(["--register=no", "--keep-unit", "--private-network", "--machine=mxwarden-test"])
            .args(["--resolv-conf=off", "--timezone=off", "--console=pipe"])
            .arg(format!("--directory={}", root.display()))
            .arg(format!("--overlay=/usr:{}/upper:/usr", layer.display()))
            .arg(mounted(&here("deploy"), "deploy"))
            .arg(mounted(Path::new(env!("CARGO_BIN_EXE_mxwarden")), "target/release/mxwarden"))
            .arg("systemd.unit=multi-user.target")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut host = Self { nspawn, leader: String::new(), folder };
        let children = format!("/proc/{0}/task/{0}/children", host.nspawn.id());
        host.leader = host.until("systemd", |_| {
            let children = fs::read_to_string(&children).unwrap_or_default();
            let is_systemd = |pid: &&str| {
                let name = fs::read_to_string(format!("/proc/{pid}/comm"));
                name.is_ok_and(|name| name == "systemd\n")
            };
            children.split_whitespace().find(is_systemd).map(ToOwned::to_owned)
        });
        host.until("the host", |host| {
            let said = host.run("systemctl is-system-running");
            (said.stdout == b"running\n" || said.stdout == b"degraded\n").then_some(())
        });
        host
    }

    /// Runs commands in it, as root.
    fn run(&self, script: &str) -> Output {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.leader, "--mount", "--uts", "--ipc", "--net", "--pid"])
            .args(["bash", "-e", "-o", "pipefail", "-c"])
            .arg(format!("cd /srv\n{script}"));
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        run(&mut command)
    }

    /// Commands that must succeed; what they said.
    #[track_caller]
    fn must(&self, script: &str) -> String {
        let output = self.run(script);
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{out}{err}\n{}", self.log());
        out
    }

    /// What the service and the host said.
    fn log(&self) -> String {
        let journal = self.run("journalctl --no-pager --output=cat --unit=mxwarden");
        let host = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&journal.stdout).into_owned() + &host
    }

    #[track_caller]
    fn until<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        for _ in 0..600 {
            if let Some(found) = look(self) {
                return found;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{what}: not within a minute\n{}", self.log());
    }

    /// A property of the service, as `systemctl show` has it.
    fn shown(&self, property: &str) -> String {
        self.must(&format!("systemctl show --property={property} --value mxwarden")).trim().into()
    }

    /// Another process than this one is the service, and says that it is ready.
    #[track_caller]
    fn until_another(&self, before: &str) -> String {
        self.until("started anew", |host| {
            let is_active = host.shown("ActiveState") == "active";
            let pid = host.shown("MainPID");
            (is_active && pid != before && pid != "0").then_some(pid)
        })
    }

    /// A page of the daemon, status line and all.
    fn page(&self, path: &str, token: &str) -> String {
        let request = format!("GET {path} HTTP/1.0\\r\\nAuthorization: Bearer {token}\\r\\n\\r\\n");
        self.must(&format!(
            "exec 3<>/dev/tcp/127.0.0.1/9843; printf '{request}' >&3; timeout 5 cat <&3"
        ))
    }

    /// A line of /proc/PID/status of the service.
    fn status(&self, pid: &str, key: &str) -> Vec<String> {
        let line = self.must(&format!("grep ^{key}: /proc/{pid}/status"));
        line.split_whitespace().skip(1).map(ToOwned::to_owned).collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Its init dies with it, and everything in it with that.
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
    }
}

/// The commands of the first block below a heading of docs/install.md.
fn commands(heading: &str) -> String {
    let page = fs::read_to_string(here("docs/install.md")).unwrap();
    let (_, section) = page.split_once(heading).unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// Installs as the page says, and configures.
fn installed() -> Host {
    let host = Host::boot();
    let program = commands("## 1. The program");
    let install = program.lines().find(|line| line.starts_with("install ")).unwrap();
    host.must(install);
    host.must(&commands("## 4. With systemd"));
    host.must(&format!(
        "cat >/etc/mxwarden/mxwarden.toml <<'END'\n{CONFIG}{}END\n\
         echo a-token >/etc/mxwarden/secrets/read-token; chmod 600 /etc/mxwarden/secrets/read-token\n\
         mkdir /etc/systemd/system/mxwarden.service.d /etc/systemd/system/mxwarden-canary.socket.d\n\
         printf '{}' >/etc/systemd/system/mxwarden-canary.socket.d/here.conf\n\
         printf '{}' >/etc/systemd/system/mxwarden.service.d/here.conf\n\
         systemd-tmpfiles --create mxwarden.conf\n\
         systemctl daemon-reload\n\
         systemctl --quiet enable --now mxwarden-canary.socket mxwarden",
        one_canary("127.0.0.9:25"),
        SOCKET.escape_default(),
        PATIENCE.escape_default(),
    ));
    host
}

#[test]
fn the_service_lives_under_a_real_systemd() {
    let host = installed();
    let first = host.shown("MainPID");
    assert_eq!(host.shown("ActiveState"), "active", "{}", host.log());

    // Behind its locks: a user without capabilities that can get none, and a filter on what it asks of the kernel.
    let user = host.must("id --user mxwarden");
    assert_eq!(host.status(&first, "Uid"), vec![user.trim(); 4]);
    for set in ["CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(host.status(&first, set), ["0000000000000000"], "{set}");
    }
    assert_eq!(host.status(&first, "NoNewPrivs"), ["1"]);
    assert_eq!(host.status(&first, "Seccomp"), ["2"]);
    let owner =
        host.must("stat --format='%a %U' /var/lib/mxwarden /var/lib/mxwarden/mxwarden.sqlite");
    assert_eq!(owner, "700 mxwarden\n600 mxwarden\n");

    // The secret came as a credential: the file itself is root's.
    assert!(host.page("/metrics", "another").starts_with("HTTP/1.0 401"));
    let metrics = host.page("/metrics", "a-token");
    assert!(metrics.starts_with("HTTP/1.0 200") && metrics.contains("mxwarden_build_info{"));
    let spied =
        host.run("setpriv --reuid=mxwarden --clear-groups cat /etc/mxwarden/secrets/read-token");
    assert!(!spied.status.success());

    // Port 25, opened by systemd.
    let greeting = host.must("exec 3<>/dev/tcp/127.0.0.9/25; timeout 5 head --lines=1 <&3");
    assert_eq!(greeting, "220 mx.good.canary.test ESMTP\r\n");

    // Read again: the same process, whether what it reads is good or not.
    host.must("systemctl reload mxwarden");
    host.until("read again", |host| host.log().contains("configuration taken").then_some(()));
    host.must(
        "sed --in-place '1i nonsense = 1' /etc/mxwarden/mxwarden.toml; systemctl reload mxwarden",
    );
    host.until("a reload refused", |host| {
        let page = host.page("/metrics", "a-token");
        page.contains("\nmxwarden_config_last_reload_successful 0\n").then_some(())
    });
    assert_eq!(
        (host.shown("ActiveState"), host.shown("MainPID")),
        ("active".into(), first.clone())
    );
    host.must("sed --in-place 1d /etc/mxwarden/mxwarden.toml");

    // Killed, it is started anew; and again where it hangs, which only its silence tells.
    host.must(&format!("kill -KILL {first}"));
    let second = host.until_another(&first);
    host.must(&format!("kill -STOP {second}"));
    let third = host.until_another(&second);
    assert!(host.log().contains("Watchdog timeout"), "{}", host.log());
    assert_eq!(host.shown("NRestarts"), "2");

    // Alive, it is left alone for longer than the watchdog waits, and then it stops in order.
    host.must("sleep 4");
    assert_eq!(host.shown("MainPID"), third);
    host.must("systemctl stop mxwarden mxwarden-canary.socket");
    assert_eq!(host.shown("Result"), "success");
    assert_eq!(host.shown("ExecMainStatus"), "0");

    // A mistake is not mended by starting again.
    host.must("sed --in-place '1i nonsense = 1' /etc/mxwarden/mxwarden.toml");
    assert!(!host.run("systemctl start mxwarden").status.success());
    let ended = ["ActiveState", "ExecMainStatus", "NRestarts"].map(|one| host.shown(one));
    assert_eq!(ended, ["failed", "2", "0"]);
    assert!(host.log().contains("nonsense: unknown key"), "{}", host.log());
}
