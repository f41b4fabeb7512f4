//! A real Alertmanager, with a webhook of ours behind it.

use super::{break_and_recover, configure, sample, wait_for};
use crate::lab::{lab, serve};
use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

/// What Alertmanager has told its receiver.
type Heard = Arc<Mutex<Vec<Value>>>;

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// One request: its body; answered 200.
fn request(mut peer: TcpStream) -> Option<Value> {
    let mut text = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        let read = peer.read(&mut buffer).ok().filter(|read| *read > 0)?;
        text.extend_from_slice(&buffer[..read]);
        let Some(at) = text.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&text[..at]).to_lowercase();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap()
            .parse()
            .unwrap();
        if text.len() >= at + 4 + length {
            peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .unwrap();
            return serde_json::from_slice(&text[at + 4..]).ok();
        }
    }
}

fn receiver() -> (u16, Heard) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Heard::default();
    let hears = Arc::clone(&heard);
    thread::spawn(move || {
        for peer in listener.incoming().flatten() {
            hears.lock().unwrap().extend(request(peer));
        }
    });
    (port, heard)
}

fn start(receiver: u16) -> SocketAddrV4 {
    let folder = lab().scratch().join("alertmanager");
    fs::create_dir(&folder).unwrap();
    let config = folder.join("alertmanager.yml");
    fs::write(
        &config,
        format!(
            "route:\n  receiver: us\n  group_by: [alertname, partner, claim]\n  group_wait: 0s\n  \
             group_interval: 1s\n  repeat_interval: 1h\n\
             receivers:\n- name: us\n  webhook_configs:\n  - url: http://127.0.0.1:{receiver}/\n    send_resolved: true\n"
        ),
    )
    .unwrap();
    let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
    let mut command = Command::new("/usr/bin/prometheus-alertmanager");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={at}"))
        .arg("--cluster.listen-address=");
    serve(lab().scratch(), "alertmanager", &command, &[at]);
    at
}

/// The alert of that name as the receiver was told of it in this state.
fn told(heard: &Heard, name: &str, status: &str) -> Option<Value> {
    let heard = heard.lock().unwrap();
    let alerts = heard.iter().flat_map(|one| one["alerts"].as_array().unwrap());
    let found = alerts
        .into_iter()
        .find(|alert| alert["labels"]["alertname"] == name && alert["status"] == status);
    found.cloned()
}

/// Setup: Alertmanager, told of a claim that breaks and recovers.
/// Test: its own receiver hears of both, as one alert; and it takes our sample.
#[test]
fn alertmanager_receives_and_resolves() {
    let (port, heard) = receiver();
    let at = start(port);
    let channel = format!("name = \"am\"\nkind = \"alertmanager\"\nurl = \"http://{at}\"\n");
    let config = configure("alertmanager", &channel);
    break_and_recover(&config, |state| {
        let status = if state == "violated" { "firing" } else { "resolved" };
        let alert = wait_for(status, || told(&heard, "MxwardenClaimViolated", status));
        assert_eq!(alert["labels"]["partner"], "Fabrikam", "{alert:#}");
        assert_eq!(alert["labels"]["claim"], "outbound/receiver-offers", "{alert:#}");
        assert_eq!(alert["labels"]["severity"], "violation", "{alert:#}");
        assert_eq!(alert["startsAt"], "2026-02-01T00:00:00Z", "{alert:#}");
    });
    let said = sample(&config);
    assert_eq!((said.status, said.stdout.as_str()), (Some(0), "am: took the sample\n"), "{said:?}");
    wait_for("the sample", || told(&heard, "MxwardenSample", "firing"));
}
