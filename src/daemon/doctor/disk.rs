//! What is on the disk: the state directory and the record, certificates, roots, and what is known of the clock.
//!
//! Invariant: the lock of a state directory is looked at, never taken: a daemon that starts meanwhile must get it.

use super::{Check, Kind, Symptom};
use crate::config::{Config, is_unseen, settings::RootSource};
use crate::model::{canary::Personality, connector::CertificateFiles};
use crate::observe::roots;
use crate::record::{Reader, RecordError};
use crate::wire::x509::Certificate;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// What a file is written with to see that there is room.
const TRIAL: [u8; 4096] = [0; 4096];
/// Built-in roots older than this are told of.
const ROOTS_AGE: SignedDuration = SignedDuration::from_hours(24 * 400);
/// Clocks of file systems and of hosts that share them differ by less.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);
/// How old a drift file may be: chronyd and ntpd write it about once an hour while they follow a source.
const DRIFT_AGE: SignedDuration = SignedDuration::from_hours(24);
/// Octets of the table of locks that are read.
const LOCKS: u64 = 1 << 20;

/// The state directory, what is in it, and the record.
pub(super) fn store(state_dir: &Path) -> Vec<Check> {
    let mut checks = vec![writable(state_dir)];
    if checks.iter().any(|check| check.outcome.symptom().is_some()) {
        return checks;
    }
    checks.extend(foreign(state_dir));
    let subject = state_dir.display().to_string();
    checks.push(match Reader::open(state_dir) {
        Ok(_) => Check::ok(Kind::Store, subject, "the record can be read"),
        Err(RecordError::Missing(_)) => Check::ok(Kind::Store, subject, "no record yet"),
        Err(RecordError::Older { .. }) => {
            let seen = "the record is of an older version; the next start brings it up to date";
            Check::ok(Kind::Store, subject, seen)
        }
        Err(error) => {
            let seen = super::super::verify::chain(&error);
            Check::problem(Kind::Store, subject, Symptom::RecordUnusable, seen)
        }
    });
    checks
}

/// Whether a file can be made in the state directory.
pub(super) fn writable(state_dir: &Path) -> Check {
    let subject = state_dir.display().to_string();
    let problem =
        |symptom, seen: String| Check::problem(Kind::Store, subject.clone(), symptom, seen);
    match fs::metadata(state_dir) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return problem(Symptom::StateDirMissing, "is no directory".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return problem(Symptom::StateDirMissing, "does not exist".to_owned());
        }
        Err(error) => return problem(Symptom::StateDirNotOurs, error.to_string()),
    }
    match try_file(&state_dir.join(format!(".doctor-{}", std::process::id()))) {
        Ok(()) => Check::ok(Kind::Store, subject, "can be written"),
        Err(error) => {
            let symptom = match error.kind() {
                io::ErrorKind::ReadOnlyFilesystem => Symptom::ReadOnly,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Symptom::DiskFull,
                _ => Symptom::StateDirNotOurs,
            };
            problem(symptom, format!("cannot be written: {error}"))
        }
    }
}

fn try_file(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(&TRIAL).and_then(|()| file.sync_all());
    fs::remove_file(path)?;
    written
}

/// Whoever ran a command as root in the daemon's directory has left it files that it cannot open.
fn foreign(state_dir: &Path) -> Option<Check> {
    let owner = fs::metadata(state_dir).ok()?.uid();
    let mut found: Vec<String> = fs::read_dir(state_dir)
        .ok()?
        .flatten()
        .filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.uid() != owner))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    if found.is_empty() {
        return None;
    }
    let seen = format!("belongs to user {owner}, and these in it do not: {}", found.join(", "));
    Some(Check::problem(Kind::Store, state_dir.display().to_string(), Symptom::ForeignFiles, seen))
}

/// Whether somebody holds the state directory; none where that cannot be told.
pub(super) fn is_held(state_dir: &Path) -> Option<bool> {
    let Ok(lock) = fs::metadata(state_dir.join("lock")) else { return Some(false) };
    let mut table = String::new();
    File::open("/proc/locks").ok()?.take(LOCKS).read_to_string(&mut table).ok()?;
    let pid = fs::read_to_string(state_dir.join("lock")).unwrap_or_default();
    Some(table.lines().any(|line| is_lock(line, &lock, pid.trim())))
}

/// `1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF`. Some file systems show another device than stat does; there the
/// process has to be the one that wrote its number into the file.
fn is_lock(line: &str, lock: &fs::Metadata, pid: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, "FLOCK", _, _, holder, place, ..] = words.as_slice() else { return false };
    let mut place = place.split(':');
    let mut number = |radix| place.next().and_then(|word| u64::from_str_radix(word, radix).ok());
    let (Some(major), Some(minor), Some(inode)) = (number(16), number(16), number(10)) else {
        return false;
    };
    // As glibc's makedev(3) takes them apart.
    let device = lock.dev();
    let is_device = major == ((device >> 8) & 0xfff | (device >> 32) & !0xfff)
        && minor == (device & 0xff | (device >> 12) & !0xff & 0xffff_ffff);
    inode == lock.ino() && (is_device || *holder == pid)
}

/// Whether somebody says that the clock is right. No other clock is asked.
pub(super) fn clock(state_dir: &Path, now: Timestamp) -> Check {
    clock_by(Path::new("/"), state_dir, now)
}

fn clock_by(root: &Path, state_dir: &Path, now: Timestamp) -> Check {
    let at = |path: &str| root.join(path);
    let subject = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    // timesyncd touches its file with every answer; whatever we wrote last was written before now.
    let later = ["var/lib/systemd/timesync/clock"]
        .map(at)
        .into_iter()
        .chain([state_dir.join("mxwarden.sqlite"), state_dir.join("mxwarden.sqlite-wal")]);
    let is_later = |path: &PathBuf| modified(path).is_some_and(|at| at > now + CLOCK_SLACK);
    if let Some(path) = later.into_iter().find(is_later) {
        let seen = format!("{} was written later than now", path.display());
        return Check::problem(Kind::Clock, subject, Symptom::ClockBackwards, seen);
    }
    if at("run/systemd/timesync/synchronized").exists() {
        return Check::ok(Kind::Clock, subject, "synchronised by systemd-timesyncd");
    }
    let drifts = [
        ("chronyd", "var/lib/chrony/chrony.drift"),
        ("chronyd", "var/lib/chrony/drift"),
        ("ntpd", "var/lib/ntpsec/ntp.drift"),
        ("ntpd", "var/lib/ntp/ntp.drift"),
    ];
    let is_fresh =
        |path: &str| modified(&at(path)).is_some_and(|at| now.duration_since(at) < DRIFT_AGE);
    match drifts.iter().find(|(_, path)| is_fresh(path)) {
        Some((who, path)) => {
            let seen = format!("followed by {who}, which wrote /{path} within a day");
            Check::ok(Kind::Clock, subject, seen)
        }
        None => {
            let seen = "no sign of timesyncd, chronyd or ntpd";
            Check::unclear(Kind::Clock, subject, Symptom::ClockNotTold, seen)
        }
    }
}

fn modified(path: &Path) -> Option<Timestamp> {
    Timestamp::try_from(fs::metadata(path).ok()?.modified().ok()?).ok()
}

/// Whether the roots can be had, and how old the built-in ones are.
pub(super) fn roots(config: &Config, now: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    match config.tls.source {
        RootSource::Mozilla => checks.push(built_in(now)),
        RootSource::None => {}
        RootSource::System => checks.push(match roots::system() {
            Ok(roots) => {
                let seen = format!("{} roots of this host", roots.anchors.len());
                Check::ok(Kind::Roots, "system", seen)
            }
            Err(error) => Check::problem(
                Kind::Roots,
                "system",
                Symptom::CertificateUnreadable,
                error.to_string(),
            ),
        }),
    }
    let files = config.tls.ca_files.iter();
    checks.extend(files.map(|path| dates(Kind::Roots, path, config.rounds.warn_days, now)));
    checks
}

fn built_in(now: Timestamp) -> Check {
    let as_of = roots::MOZILLA_AS_OF;
    let seen = format!("Mozilla's, of {as_of}");
    let age = TimeZone::UTC.to_datetime(now).date().duration_since(as_of);
    if age > ROOTS_AGE {
        return Check::problem(Kind::Roots, "mozilla", Symptom::RootsOld, seen);
    }
    Check::ok(Kind::Roots, "mozilla", seen)
}

/// Whether our own certificates are in date.
pub(super) fn certificates(config: &Config, now: Timestamp) -> Vec<Check> {
    let probes = config.inbound.iter().filter_map(|connector| connector.probe.as_ref());
    let of_probes = probes.flat_map(|probe| {
        [probe.client_certificate.as_ref(), probe.other_client_certificate.as_ref()]
    });
    // The one that is expired is meant to be.
    let is_in_date = |personality| personality != Personality::Expired;
    let canaries = config.canaries.iter().filter(|canary| is_in_date(canary.personality));
    let of_canaries = canaries.map(|canary| canary.certificate.as_ref());
    let mut files: Vec<&CertificateFiles> =
        of_probes.chain(of_canaries).chain([config.http.certificate.as_ref()]).flatten().collect();
    files.sort_by(|a, b| a.chain_file.cmp(&b.chain_file));
    files.dedup_by(|a, b| a.chain_file == b.chain_file);
    let warn = config.rounds.warn_days;
    files.iter().map(|files| dates(Kind::Certificates, &files.chain_file, warn, now)).collect()
}

/// The certificates of a file, by the one that ends first.
fn dates(kind: Kind, path: &Path, warn_days: u32, now: Timestamp) -> Check {
    let subject = path.display().to_string();
    if is_unseen(path) {
        let seen = "not looked at: $CREDENTIALS_DIRECTORY is not set";
        return Check::unclear(kind, subject, Symptom::SecretUnseen, seen);
    }
    let certificates = match read(path) {
        Ok(certificates) => certificates,
        Err(why) => return Check::problem(kind, subject, Symptom::CertificateUnreadable, why),
    };
    let Some(first) = certificates.iter().min_by_key(|certificate| certificate.not_after) else {
        let why = "holds no certificate in PEM form";
        return Check::problem(kind, subject, Symptom::CertificateUnreadable, why);
    };
    let until = first.not_after.strftime("%Y-%m-%d");
    let early = certificates.iter().find(|certificate| certificate.not_before > now);
    let soon = SignedDuration::from_hours(24 * i64::from(warn_days));
    if let Some(early) = early {
        let seen = format!("not valid before {}", early.not_before);
        Check::problem(kind, subject, Symptom::CertificateOutOfDate, seen)
    } else if first.not_after < now {
        let seen = format!("expired on {until}");
        Check::problem(kind, subject, Symptom::CertificateOutOfDate, seen)
    } else if first.not_after.duration_since(now) < soon {
        let seen = format!("ends on {until}, in fewer than {warn_days} days");
        Check::problem(kind, subject, Symptom::CertificateEndsSoon, seen)
    } else {
        Check::ok(kind, subject, format!("valid until {until}"))
    }
}

fn read(path: &Path) -> Result<Vec<Certificate>, String> {
    let bytes = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    CertificateDer::pem_slice_iter(&bytes)
        .map(|der| {
            let der = der.map_err(|_| "holds damaged PEM".to_owned())?;
            Certificate::parse(&der).map_err(|error| error.to_string())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::doctor::Outcome;

    #[test]
    fn a_directory_that_can_be_written_is_told_from_one_that_cannot() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(writable(folder.path()).outcome, Outcome::Ok);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
        let absent = writable(&folder.path().join("absent"));
        assert_eq!(absent.outcome, Outcome::Problem(Symptom::StateDirMissing));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(writable(&file).outcome, Outcome::Problem(Symptom::StateDirMissing));
        // Nobody can make files there, not even root.
        let kernel = writable(Path::new("/proc/self"));
        assert_eq!(kernel.outcome, Outcome::Problem(Symptom::StateDirNotOurs));
    }

    #[test]
    fn a_damaged_record_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert!(store(folder.path()).iter().all(|check| check.outcome == Outcome::Ok));
        fs::write(folder.path().join("mxwarden.sqlite"), "no database at all, whatever it says")
            .unwrap();
        let checks = store(folder.path());
        let outcomes: Vec<_> = checks.iter().map(|check| check.outcome).collect();
        assert_eq!(outcomes, [Outcome::Ok, Outcome::Problem(Symptom::RecordUnusable)]);
    }

    #[test]
    fn who_holds_a_directory_is_seen_and_not_disturbed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(is_held(folder.path()), Some(false));
        let record = crate::record::Record::open(folder.path()).unwrap();
        assert_eq!(is_held(folder.path()), Some(true));
        drop(record);
        assert_eq!(is_held(folder.path()), Some(false));
    }

    #[test]
    fn the_clock_is_believed_where_somebody_keeps_it() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let touch = |root: &Path, path: &str, at: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let at = u64::try_from(at.parse::<Timestamp>().unwrap().as_second()).unwrap();
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(at);
            File::create(path).unwrap().set_modified(at).unwrap();
        };
        #[track_caller]
        fn check(
            files: &[(&str, &str)],
            touch: impl Fn(&Path, &str, &str),
            now: Timestamp,
        ) -> Outcome {
            let root = tempfile::tempdir().unwrap();
            for (path, at) in files {
                touch(root.path(), path, at);
            }
            clock_by(root.path(), &root.path().join("state"), now).outcome
        }
        let synchronised = ("run/systemd/timesync/synchronized", "2026-03-01T11:59:00Z");
        assert_eq!(check(&[], touch, now), Outcome::Unclear(Symptom::ClockNotTold));
        assert_eq!(check(&[synchronised], touch, now), Outcome::Ok);
        let drift = "var/lib/chrony/chrony.drift";
        assert_eq!(check(&[(drift, "2026-03-01T10:00:00Z")], touch, now), Outcome::Ok);
        assert_eq!(
            check(&[(drift, "2026-02-20T10:00:00Z")], touch, now),
            Outcome::Unclear(Symptom::ClockNotTold)
        );
        // What was written tomorrow shows that the clock went back, whoever says that it is right.
        let later = ("state/mxwarden.sqlite", "2026-03-02T12:00:00Z");
        assert_eq!(
            check(&[synchronised, later], touch, now),
            Outcome::Problem(Symptom::ClockBackwards)
        );
    }

    #[test]
    fn roots_grow_old_and_certificates_end() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(built_in(at("2026-11-01T00:00:00Z")).outcome, Outcome::Ok);
        assert_eq!(
            built_in(at("2028-01-01T00:00:00Z")).outcome,
            Outcome::Problem(Symptom::RootsOld)
        );
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let good = folder.join("certs/root.pem");
        let ends = read(&good).unwrap()[0].not_after;
        let day = SignedDuration::from_hours(24);
        #[track_caller]
        fn check(path: &Path, now: Timestamp, expect: Outcome) {
            assert_eq!(dates(Kind::Certificates, path, 30, now).outcome, expect);
        }
        check(&good, ends - day * 31, Outcome::Ok);
        check(&good, ends - day * 29, Outcome::Problem(Symptom::CertificateEndsSoon));
        check(&good, ends + day, Outcome::Problem(Symptom::CertificateOutOfDate));
        check(&good, at("1990-01-01T00:00:00Z"), Outcome::Problem(Symptom::CertificateOutOfDate));
        let damaged = Outcome::Problem(Symptom::CertificateUnreadable);
        check(&folder.join("config/damaged.pem"), ends, damaged);
        check(&folder.join("absent.pem"), ends, damaged);
    }
}
