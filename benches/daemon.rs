//! What `mxwarden run` costs with 50 and with 500 partners: CPU, memory, record, scrapes, start.
//!
//! 1. `check --file` looks at all of them once: what a look costs where nothing is remembered.
//! 2. The daemon begins with nothing and looks at all of them; then it rests, and is scraped.
//! 3. Round after round, as fast as is fair to the servers: what is left in memory and in the record.
//! 4. Looks as far apart as they are in earnest, when each is followed by all that one brings about.
//! 5. A record of four hundred days: how large it is, and what a start on it takes.
//!
//! All of it is the real program in a process of its own, by a configuration file; the figures are the kernel's.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]
#![expect(clippy::print_stdout, reason = "printing is what a bench does")]

mod partners;
mod running;

use partners::{HOSTS, Partners, Terms};
use running::{Books, Running, cpu_of, float, free_address};
use std::{fs, path::PathBuf, time::Duration};
use tempfile::TempDir;

/// The most partners.
const MANY: usize = 500;

/// For the slope.
const FEW: usize = 50;

/// How long the daemon rests, to see what that costs.
const REST: Duration = Duration::from_secs(10);

/// Scrapes, one behind the other.
const SCRAPES: u32 = 50;

/// Rounds of everybody, in the shortest interval.
const ROUNDS: i64 = 3;
const SHORT: &str = "10s";

/// Looks one by one, as in earnest; with five hundred partners it is one in seven seconds.
const APART: Duration = Duration::from_millis(1300);
const ALONE: i64 = 20;
const USUAL: &str = "1h";

/// What `[record] keep` keeps unless it is told otherwise.
const DAYS: i64 = 400;

fn main() {
    if partners::is_server() {
        return;
    }
    let partners = Partners::start(MANY);
    for count in [FEW, MANY] {
        Bench::new(&partners, count).run();
    }
}

/// One number of partners, with a record of its own.
struct Bench<'a> {
    partners: &'a Partners,
    count: usize,
    directory: TempDir,
    books: Books,
}

impl<'a> Bench<'a> {
    fn new(partners: &'a Partners, count: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let books = Books::in_dir(&directory.path().join("state"));
        Self { partners, count, directory, books }
    }

    fn run(&self) {
        println!("{} partners, {HOSTS} endpoints each", self.count);
        let check = cpu_of(self.partners.check(self.count)).as_secs_f64() / self.each();
        tell("check --file, CPU of a look", format!("{:.2} ms", check * 1e3));
        let rest = self.begin(check);
        self.rounds(check);
        let look = self.one_by_one(check);
        let resting = 3600.0 - self.each() * APART.as_secs_f64();
        let hour = self.each() * look + resting * rest;
        tell(
            "an hour of looks and rest, CPU",
            format!("{hour:.2} s, {:.3} % of a core", hour / 36.0),
        );
        // It is long, and grows with the partners as plainly as anything.
        if self.count == MANY {
            self.start_with_a_past();
        }
        println!();
    }

    fn each(&self) -> f64 {
        float(self.count)
    }

    fn start(&self, on: &str, interval: &str) -> Running {
        let (http, state_dir) = (free_address(), self.directory.path().join("state"));
        let terms = Terms { state_dir: &state_dir, http, interval };
        let file: PathBuf = self.directory.path().join("mxwarden.toml");
        fs::write(&file, self.partners.config(self.count, &terms)).unwrap();
        let mut daemon = Running::start(&file, http);
        let took = daemon.until_it_answers();
        let spent = daemon.cpu();
        let (took, spent) = (took.as_millis(), spent.as_millis());
        tell(&format!("start on {on}"), format!("answers after {took} ms, {spent} ms CPU"));
        daemon
    }

    /// The first round, on nothing; then rest, of which a second's CPU is given back, and scrapes.
    fn begin(&self, check: f64) -> f64 {
        let daemon = self.start("nothing", USUAL);
        let empty = self.books.octets();
        let before = daemon.cpu();
        self.books.until_looks(i64::try_from(self.count).unwrap());
        let look = (daemon.cpu() - before).as_secs_f64() / self.each();
        tell("first round, CPU of a look", against(look, check));
        let kept = (self.books.octets() - empty) / self.each();
        let body = self.books.number("SELECT sum(octets) / count(*) FROM evidence");
        let packed = self.books.number("SELECT sum(length(body)) / count(*) FROM evidence");
        tell("record, each partner", format!("{kept:.0} octets"));
        tell("evidence of a look", format!("{body} octets of JSON, kept as {packed}"));
        self.told("memory after it", &daemon);
        let rest = daemon.cpu_of_a_rest(REST).as_secs_f64() / REST.as_secs_f64();
        tell("at rest, CPU", format!("{:.2} ms a second", rest * 1e3));
        let before = daemon.cpu();
        let octets: usize = (0..SCRAPES).map(|_| daemon.get("/metrics").len()).sum();
        let scrape = (daemon.cpu() - before) / SCRAPES;
        let octets = float(octets) / f64::from(SCRAPES);
        tell("a scrape", format!("{:.0} octets, {:.1} ms CPU", octets, scrape.as_secs_f64() * 1e3));
        self.told("memory after scrapes", &daemon);
        daemon.stop();
        rest
    }

    /// Everybody, again and again.
    fn rounds(&self, check: f64) {
        let daemon = self.start("the first round", SHORT);
        let (mut looks, begun) = (self.books.looks(), self.books.looks());
        let (octets, spent) = (self.books.octets(), daemon.cpu());
        for _ in 0..ROUNDS {
            looks = self.books.until_looks(looks + i64::try_from(self.count).unwrap());
            self.told(&format!("memory after {} looks", looks - begun), &daemon);
        }
        let made = float(looks - begun);
        let look = (daemon.cpu() - spent).as_secs_f64() / made;
        tell("round after round, CPU of a look", against(look, check));
        let grown = (self.books.octets() - octets) / made;
        tell("record, each look more", format!("{grown:.0} octets"));
        let [file, log] = self.books.files();
        tell("files", format!("{:.1} MB, log {:.1} MB", file / 1e6, log / 1e6));
        daemon.stop();
    }

    /// Far apart: the CPU of a look, with the rest behind it.
    fn one_by_one(&self, check: f64) -> f64 {
        self.books.spread(Duration::from_secs(6), APART);
        let daemon = self.start("some rounds", USUAL);
        let first = self.books.until_looks(self.books.looks() + 2);
        let before = daemon.cpu();
        let looks = self.books.until_looks(first + ALONE) - first;
        let look = (daemon.cpu() - before).as_secs_f64() / float(looks);
        tell("one by one, CPU of a look", against(look, check));
        daemon.stop();
        look
    }

    /// A start on all that is kept.
    fn start_with_a_past(&self) {
        self.books.fill(DAYS);
        let [file, _] = self.books.files();
        let day = file / self.each() / float(DAYS);
        let looks = self.books.looks();
        tell(
            "record of 400 days",
            format!("{looks} looks, {:.0} MB, {day:.0} octets a day and partner", file / 1e6),
        );
        self.books.spread(Duration::from_secs(3600), APART);
        let daemon = self.start("that record", USUAL);
        let rest = daemon.cpu_of_a_rest(Duration::from_secs(3));
        tell("and in the three seconds behind it", format!("{} ms CPU", rest.as_millis()));
        self.told("memory then", &daemon);
        daemon.stop();
    }

    fn told(&self, what: &str, daemon: &Running) {
        let [now, most] = ["VmRSS:", "VmHWM:"].map(|which| daemon.memory(which));
        tell(what, format!("{now:.1} MB, at most {most:.1} MB"));
    }
}

/// One line of the table.
fn tell(what: &str, figure: String) {
    println!("  {what:36} {figure}");
}

/// A look of the daemon against one of `check`.
fn against(look: f64, check: f64) -> String {
    format!("{:.2} ms, {:.2}× check", look * 1e3, look / check)
}
