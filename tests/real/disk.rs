//! The record on a file system without room.
//!
//! Setup: a tmpfs of 512 KiB with a record on it, and a file that takes all the rest.
//! Test: nothing can be written, and that is said; looks wait, a probe is not sent; reading goes on. The file goes, and
//! everything is caught up with, though the log of the record would not fit beside what it holds.

use jiff::{SignedDuration, Timestamp};
use mxwarden::{
    daemon::store::Store,
    model::{
        canary::Personality,
        claim::Claim,
        delivery::Probe,
        requirement::{Level, Requirement},
        state::State,
    },
    record::{Commit, Seen},
};
use std::{fs::File, io::Write, path::Path, process::Command, time::Duration};

const CLAIM: Claim = Claim::OUTBOUND_RECEIVER_OFFERS;
const LOOKS: usize = 40;

/// A mounted tmpfs, unmounted at the end.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs"]).arg(dir.path());
        assert!(mount.status().unwrap().success(), "mounting needs root");
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes every octet that is left.
    fn fill(&self) {
        let mut file = File::create(self.path().join("filling")).unwrap();
        while file.write_all(&[0xa5; 512]).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.path().join("filling")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: a test that failed may still hold files open.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn noon() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

/// A violated look, whose evidence zstd cannot make much smaller.
fn look(number: usize) -> Commit {
    let noise =
        |n: usize| format!("{:08x}", n.wrapping_mul(2_654_435_761).wrapping_add(number * 77_777));
    let body = format!(
        "{{\"number\":{number},\"noise\":\"{}\"}}",
        (0..200).map(noise).collect::<String>()
    );
    let at = noon() + SignedDuration::from_mins(i64::try_from(number).unwrap());
    let claims = vec![("Fabrikam".to_owned(), CLAIM)];
    let seen = Seen { claims, at, state: State::Violated, body: body.into_bytes() };
    Commit { looks: vec![seen], ..Commit::default() }
}

fn probe() -> Probe {
    Probe {
        id: "0123456789abcdef1032".to_owned(),
        personality: Personality::Good,
        connector: "to-banks".to_owned(),
        requirement: Requirement::of(Level::Name),
        mail_from: "tls-probe@contoso.test".parse().unwrap(),
        rcpt_to: "token@good.canary.test".parse().unwrap(),
        created_at: noon(),
        expires_at: noon(),
        submission: None,
    }
}

async fn count(store: &Store) -> usize {
    let looks = store.read(|reader| reader.looks("Fabrikam", CLAIM, noon(), 1000)).await.unwrap();
    looks.len()
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_waited_out() {
    let small = Small::mount();
    let store = Store::open(small.path(), |_| {}).unwrap();
    store.commit(look(0)).await.unwrap();
    store.flush(Duration::from_secs(5)).await.unwrap();
    small.fill();
    for number in 1..LOOKS {
        store.commit(look(number)).await.unwrap();
    }
    let mut health = store.health();
    let away = health.wait_for(|health| health.waiting == LOOKS - 1 && health.failure.is_some());
    let failure = away.await.unwrap().failure.clone().unwrap();
    assert!(failure.contains("no space is left") && failure.contains("make room"), "{failure}");
    let refused = store.ledger().add_probe(probe()).await.unwrap_err();
    assert!(refused.to_string().contains("no space is left"), "{refused}");
    assert_eq!(count(&store).await, 1);
    // It stays so for as long as it takes.
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(store.health().borrow().waiting, LOOKS - 1);

    small.make_room();
    health.wait_for(|health| health.failure.is_none() && health.waiting == 0).await.unwrap();
    assert_eq!(count(&store).await, LOOKS);
    store.ledger().add_probe(probe()).await.unwrap();
    store.close(Duration::from_secs(5)).await.unwrap();
    let connection = rusqlite::Connection::open(small.path().join("mxwarden.sqlite")).unwrap();
    let sound: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}
