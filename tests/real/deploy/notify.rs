//! What systemd hears of the daemon, and in which order.
//!
//! Setup: the program, with a socket of ours where systemd would listen, and a watchdog that wants to be fed within 600 ms.
//! Test: it is ready once; the watchdog is fed again and again; reading the configuration anew begins with its time and ends
//! ready, whether it was taken or not; the end is told before it comes, and nothing behind it.

use crate::daemon::{Daemon, free_address};
use std::{ffi::OsStr, fs, os::unix::net::UnixDatagram, time::Duration};

/// systemd's end of the socket.
struct Systemd(UnixDatagram);

impl Systemd {
    /// The next message but food for the watchdog; each is one datagram, an assignment a line.
    #[track_caller]
    fn hears(&self) -> Vec<String> {
        loop {
            let message = self.next();
            if message != ["WATCHDOG=1"] {
                return message;
            }
        }
    }

    #[track_caller]
    fn next(&self) -> Vec<String> {
        let mut message = [0; 4096];
        let octets = self.0.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..octets]).lines().map(str::to_owned).collect()
    }

    /// A reload, from its begin to its end; the time of its begin.
    #[track_caller]
    fn hears_of_a_reload(&self) -> u64 {
        let begin = self.hears();
        let [reloading, at] = begin.as_slice() else { panic!("{begin:?}") };
        assert_eq!(reloading, "RELOADING=1");
        let at = at.strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
        assert_eq!(self.hears(), ["READY=1"]);
        at
    }
}

#[test]
fn systemd_hears_how_the_daemon_is() {
    let place = tempfile::tempdir().unwrap();
    let at = place.path().join("notify");
    let systemd = Systemd(UnixDatagram::bind(&at).unwrap());
    systemd.0.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (config, http) = (place.path().join("mxwarden.toml"), free_address());
    let text = format!(
        "state_dir = \"state\"\n[organisation]\nname = \"Contoso\"\ndomains = [\"contoso.test\"]\n\
         [dns]\nresolvers = [\"127.0.0.1:1\"]\n[http]\nlisten = \"{http}\"\n\
         [[connector]]\nname = \"out\"\ndirection = \"outbound\"\nlevel = \"encrypt\"\n\
         [[partner]]\nname = \"Fabrikam\"\ndomains = [\"fabrikam.test\"]\noutbound = \"out\"\n"
    );
    fs::write(&config, &text).unwrap();
    let environment = [("NOTIFY_SOCKET", at.as_os_str()), ("WATCHDOG_USEC", OsStr::new("600000"))];
    let mut daemon = Daemon::start_with(&config, http, &environment);

    assert_eq!(systemd.next(), ["READY=1"]);
    assert_eq!(daemon.page("/healthz").map(|(code, _)| code), Some(200), "it is what it says");
    for _ in 0..5 {
        assert_eq!(systemd.next(), ["WATCHDOG=1"]);
    }

    daemon.signal("HUP");
    let first = systemd.hears_of_a_reload();
    fs::write(&config, text + "nonsense = 1\n").unwrap();
    daemon.signal("HUP");
    let second = systemd.hears_of_a_reload();
    assert!(first > 0 && second > first, "{first} {second}");
    assert!(daemon.log().contains("nonsense"), "{}", daemon.log());
    assert_eq!(systemd.next(), ["WATCHDOG=1"]);

    daemon.signal("TERM");
    assert_eq!(systemd.hears(), ["STOPPING=1", "WATCHDOG=1"]);
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.log());
    systemd.0.set_nonblocking(true).unwrap();
    let mut message = [0; 64];
    // Alive to the end, and nothing else.
    while let Ok(octets) = systemd.0.recv(&mut message) {
        assert_eq!(&message[..octets], b"WATCHDOG=1\n");
    }
}
