//! A daemon in a process of its own, with what the kernel and its record say of it.
//!
//! 1. What it did is counted in its record, so that it is not disturbed by the question.
//! 2. CPU is told in hundredths of a second, for all of its threads; that of a rest thread by thread, to the nanosecond.
//!
//! Invariant: it ends with the value, also where the bench panics.

use mxwarden::observe::clock;
use rusqlite::{Connection, OpenFlags};
use std::{
    collections::HashMap,
    env, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};
use tokio::time::Instant;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program that is measured: the one built with this bench, or another.
pub(crate) fn program() -> Command {
    Command::new(env::var_os("MXWARDEN").unwrap_or_else(|| env!("CARGO_BIN_EXE_mxwarden").into()))
}

/// A daemon that runs.
pub(crate) struct Running {
    child: Child,
    http: SocketAddr,
    begun: Instant,
}

impl Running {
    /// Starts one on this configuration.
    pub(crate) fn start(config: &Path, http: SocketAddr) -> Self {
        let log = fs::File::create(config.with_extension("log")).unwrap();
        let mut command = program();
        command.arg("run").arg("--config").arg(config).env_remove("RUST_LOG");
        let begun = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        Self { child: child.unwrap(), http, begun }
    }

    /// Waits until it says that it is alive; how long that took from its start.
    pub(crate) fn until_it_answers(&mut self) -> Duration {
        while TcpStream::connect(self.http).is_err() {
            assert!(self.child.try_wait().unwrap().is_none(), "the daemon has ended");
            assert!(self.begun.elapsed() < PATIENCE, "the daemon does not listen");
            sleep(Duration::from_millis(1));
        }
        assert!(self.get("/healthz").contains(" 200 "));
        self.begun.elapsed()
    }

    /// An answer, whole.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut http = TcpStream::connect(self.http).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        http.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        http.read_to_string(&mut answer).unwrap();
        answer
    }

    /// User and system time so far, of threads that are gone as well.
    pub(crate) fn cpu(&self) -> Duration {
        let [user, system, ..] = ticks(&self.proc("stat"));
        hundredths(user + system)
    }

    /// CPU of a rest, by the threads that outlive it.
    pub(crate) fn cpu_of_a_rest(&self, rest: Duration) -> Duration {
        let before = self.by_thread();
        sleep(rest);
        let spent = |(thread, after): (String, u64)| after - before.get(&thread).unwrap_or(&after);
        Duration::from_nanos(self.by_thread().into_iter().map(spent).sum())
    }

    fn by_thread(&self) -> HashMap<String, u64> {
        let threads = fs::read_dir(self.proc("task")).unwrap();
        let spent = threads.filter_map(|thread| {
            let path = thread.unwrap().path();
            let told = fs::read_to_string(path.join("schedstat")).ok()?;
            let spent = told.split_whitespace().next()?.parse().ok()?;
            Some((path.to_string_lossy().into_owned(), spent))
        });
        spent.collect()
    }

    /// Memory in MB as the kernel tells it: `VmRSS` now, `VmHWM` at most (proc_pid_status(5)).
    pub(crate) fn memory(&self, which: &str) -> f64 {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
        let kb = line.trim_matches(|one: char| !one.is_ascii_digit());
        kb.parse::<f64>().unwrap() / 1024.0
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(told.unwrap().success());
        assert!(self.child.wait().unwrap().success(), "the daemon ended badly");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this machine where nobody listens.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// CPU of a command from its start to its end, which must be a good one.
pub(crate) fn cpu_of(mut command: Command) -> Duration {
    let waited_for = || {
        let [.., user, system] = ticks(Path::new("/proc/self/stat"));
        hundredths(user + system)
    };
    let before = waited_for();
    let run = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(run.status().unwrap().success(), "{command:?}");
    waited_for() - before
}

/// proc_pid_stat(5): utime, stime, cutime and cstime are the fields 14 to 17; the second may hold spaces.
fn ticks(path: &Path) -> [u64; 4] {
    let stat = fs::read_to_string(path).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let mut fields = fields.split_whitespace().skip(11).map(|field| field.parse().unwrap());
    [(); 4].map(|()| fields.next().unwrap())
}

/// Linux tells these times in hundredths of a second (USER_HZ).
fn hundredths(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 10)
}

/// The record of a daemon, read beside it, or changed while it does not run.
pub(crate) struct Books(PathBuf);

impl Books {
    /// The record in this directory.
    pub(crate) fn in_dir(state_dir: &Path) -> Self {
        Self(state_dir.join("mxwarden.sqlite"))
    }

    /// One number.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(&self.0, flags).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Looks that are written.
    pub(crate) fn looks(&self) -> i64 {
        self.number("SELECT count(*) FROM look")
    }

    /// Waits until there are so many; how many there are then.
    pub(crate) fn until_looks(&self, wanted: i64) -> i64 {
        let begun = Instant::now();
        loop {
            let looks = self.looks();
            if looks >= wanted {
                return looks;
            }
            assert!(begun.elapsed() < PATIENCE, "{looks} looks where {wanted} were waited for");
            sleep(Duration::from_millis(100));
        }
    }

    /// Octets in use: whole pages, those in the log with them.
    pub(crate) fn octets(&self) -> f64 {
        let sql = "SELECT (page_count - freelist_count) * page_size
                   FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
        float(self.number(sql))
    }

    /// Octets of the files as they lie there.
    pub(crate) fn files(&self) -> [f64; 2] {
        let log = PathBuf::from(format!("{}-wal", self.0.display()));
        [&self.0, &log].map(|path| fs::metadata(path).map_or(0.0, |file| float(file.len())))
    }

    /// Every claim is due again, one so long behind the other, beginning in a while.
    pub(crate) fn spread(&self, first: Duration, apart: Duration) {
        let now = clock::of_the_machine().as_millisecond();
        let [first, apart] = [first, apart].map(|span| i64::try_from(span.as_millis()).unwrap());
        self.change(&format!("UPDATE due SET at = {now} + {first} + subject * {apart};"));
    }

    /// As many days of the past as that: a look an hour of every claim, and its evidence once a day.
    pub(crate) fn fill(&self, days: i64) {
        self.change(&format!(
            "CREATE TEMP TABLE past AS
                 WITH RECURSIVE hours (ago) AS (SELECT 1 UNION ALL SELECT ago + 1 FROM hours WHERE ago < {days} * 24)
                 SELECT s.number AS subject, s.kept_at - ago * 3600000 AS at, s.state, s.fingerprint, s.evidence AS like,
                        iif(ago % 24 = 0, 'sha256:' || lower(hex(randomblob(32))), NULL) AS evidence
                 FROM subject s JOIN hours ORDER BY subject, at;
             INSERT INTO look (subject, at, state, evidence, fingerprint)
                 SELECT subject, at, state, evidence, iif(evidence IS NULL, NULL, fingerprint) FROM past;
             INSERT INTO evidence (digest, octets, body)
                 SELECT p.evidence, e.octets, e.body FROM past p JOIN evidence e ON e.digest = p.like
                 WHERE p.evidence IS NOT NULL;
             DROP TABLE past;"
        ));
    }

    fn change(&self, sql: &str) {
        let connection = Connection::open(&self.0).unwrap();
        // Nothing here need outlive a power cut.
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let all = format!("BEGIN; {sql} COMMIT; PRAGMA wal_checkpoint(TRUNCATE);");
        connection.execute_batch(&all).unwrap();
    }
}

/// For a table.
pub(crate) fn float(number: impl TryInto<u32, Error: std::fmt::Debug>) -> f64 {
    f64::from(number.try_into().unwrap())
}
