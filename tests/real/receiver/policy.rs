//! Policies that Postfix asks (its `SMTPD_POLICY_README`): grey-listers of several kinds, and one that reads the message first.
//!
//! Setup: one listener each, in this process, whose threads end with it. A request is lines of `name=value` up to an empty one.

use crate::lab::Network;
use std::{
    collections::{HashMap, HashSet},
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddrV4, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

const PORT: u16 = 2527;

/// How a policy answers.
#[derive(Clone, Copy)]
enum Policy {
    /// Whoever comes with this envelope for the first time is to come again; whoever does is let pass.
    GreyLister,
    /// The same, but who speaks TLS is let pass at once.
    GreyListerBesideTls,
    /// The same in words that say nothing.
    WordlessBesideTls,
    /// What came in clear is refused.
    TlsAlone,
}

/// By the name `main.cf` has for each.
const POLICIES: &[(&str, Policy)] = &[
    ("lab_grey_lister", Policy::GreyLister),
    ("lab_grey_lister_beside_tls", Policy::GreyListerBesideTls),
    ("lab_wordless_beside_tls", Policy::WordlessBesideTls),
    ("lab_tls_alone", Policy::TlsAlone),
];

/// Those who were here: address, sender and recipient.
type Known = Mutex<HashSet<[String; 3]>>;

/// Parameters of `main.cf` that say where each is.
pub(super) fn parameters(network: &Network) -> String {
    let at = POLICIES.iter().zip(0..);
    at.map(|((name, _), index)| format!("{name} = inet:{}:{PORT}\n", network.policy(index)))
        .collect()
}

/// Starts them all.
pub(super) fn start(network: &Network) {
    for ((_, policy), index) in POLICIES.iter().zip(0..) {
        let listener = TcpListener::bind(SocketAddrV4::new(network.policy(index), PORT)).unwrap();
        let known = Arc::new(Known::default());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, known) = (stream.unwrap(), Arc::clone(&known));
                thread::spawn(move || serve(*policy, stream, &known));
            }
        });
    }
}

/// One connection: as many requests as Postfix likes.
fn serve(policy: Policy, stream: TcpStream, known: &Known) {
    let mut answers = stream.try_clone().unwrap();
    let mut request = HashMap::new();
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        if let Some((name, value)) = line.split_once('=') {
            request.insert(name.to_owned(), value.to_owned());
            continue;
        }
        let action = policy.answer(&request, known);
        if write!(answers, "action={action}\n\n").is_err() {
            return;
        }
        request.clear();
    }
}

impl Policy {
    fn answer(self, request: &HashMap<String, String>, known: &Known) -> &'static str {
        const PASS: &str = "DUNNO";
        const GREY: &str = "450 4.2.0 Greylisted, see http://postgrey.test/";
        let told = |name: &str| request.get(name).cloned().unwrap_or_default();
        let is_clear = told("encryption_protocol").is_empty();
        let is_new = || {
            let envelope = ["client_address", "sender", "recipient"].map(told);
            known.lock().unwrap().insert(envelope)
        };
        match self {
            Self::GreyLister if is_new() => GREY,
            Self::GreyListerBesideTls if is_clear && is_new() => GREY,
            Self::WordlessBesideTls if is_clear && is_new() => "450 4.7.1 Service unavailable",
            Self::TlsAlone if is_clear => "550 5.7.1 TLS is required",
            Self::GreyLister
            | Self::GreyListerBesideTls
            | Self::WordlessBesideTls
            | Self::TlsAlone => PASS,
        }
    }
}
