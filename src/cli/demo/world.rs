//! The demo's small internet: DNS, the mail servers of partners, our own, our mail system; addresses for canaries.
//!
//! Everybody listens on an address of 127.0.88.0/24, on one port that was free.

use super::{
    Failure,
    expected::{BROKEN, LOOKS, PARTNERS, REALLY, SENDING, Sending},
};
use crate::lab::{
    LabError,
    ca::{Ca, LeafSpec},
    dns::{LabDns, Zone},
    mta::{Forcing, Mta, MtaConnector, MtaPlan, Retries},
    smtp::{Peer, Script},
};
use crate::model::canary::Personality;
use jiff::Timestamp;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Our own domain, and what our mail system calls itself.
pub(super) const OURS: &str = "contoso.test";
pub(super) const SENDER: &str = "out.contoso.test";
/// The envelope sender that partners know us by.
pub(super) const PROBE: &str = "tls-probe@contoso.test";

/// The host that is broken.
const WEAK: &str = "mx2.healthy.test";
/// As Postfix says it.
const TLS_FIRST: &str = "530 5.7.0 Must issue a STARTTLS command first";
/// Two tries count as two only some seconds apart.
const RETRIES: Retries = Retries {
    first: Duration::from_millis(8500),
    most: Duration::from_millis(8500),
    lifetime: Duration::from_secs(600),
};

/// One of our receivers that misbehave, which the daemon runs.
#[derive(Debug, Clone)]
pub(super) struct CanaryPlace {
    pub(super) under: Sending,
    pub(super) personality: Personality,
    pub(super) domain: String,
    pub(super) host: String,
    pub(super) address: SocketAddr,
}

/// All of it. It ends with the value.
#[derive(Debug)]
pub(super) struct World {
    pub(super) dns: LabDns,
    pub(super) mta: Mta,
    pub(super) ca: Ca,
    pub(super) canaries: Vec<CanaryPlace>,
    pub(super) port: u16,
    peers: Vec<(&'static str, Peer)>,
}

impl World {
    /// `canary_root` is the root of the canaries' certificates, which our mail system is made to trust.
    pub(super) async fn start(now: Timestamp, canary_root: Vec<u8>) -> Result<Self, Failure> {
        let ca = Ca::new("mxwarden demo root", now)?;
        let mut zone = Zone::default();
        let mut peers: Vec<(&'static str, Peer)> = Vec::new();
        let mut port = 0;
        for (at, (domain, host)) in (1u8..).zip(HOSTS) {
            let address = Ipv4Addr::new(127, 0, 88, at);
            // The first finds a port that is free; the others take the same at addresses of their own.
            let peer = Peer::start(SocketAddr::from((address, port)), script(&ca, host)?).await?;
            port = peer.address().port();
            zone = zone.mx(domain, u16::from(at), host).a(host, address);
            peers.push((host, peer));
        }
        let canaries: Vec<CanaryPlace> = canaries(port).collect();
        for CanaryPlace { domain, host, address, .. } in &canaries {
            let SocketAddr::V4(address) = address else { continue };
            zone = zone.mx(domain, 10, host).a(host, *address.ip());
        }
        let dns = LabDns::start(zone).await?;
        let plan = MtaPlan {
            ehlo: SENDER.to_owned(),
            dns: dns.address(),
            port,
            connectors: vec![
                connector(REALLY, Forcing::Really),
                connector(LOOKS, Forcing::InAppearance),
            ],
            roots: vec![ca.certificate().to_vec(), canary_root],
            retries: RETRIES,
        };
        let mta = Mta::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), plan).await?;
        Ok(Self { dns, mta, ca, canaries, port, peers })
    }

    /// One server of the partner that was in order shows a certificate that has expired.
    pub(super) fn spoil(&self) -> Result<(), LabError> {
        let expired = self.ca.issue(&LeafSpec::host(WEAK).expired())?;
        self.set(Script::requires_tls_from(expired, OURS, "MAIL", TLS_FIRST))
    }

    /// The same server is as it was.
    pub(super) fn repair(&self) -> Result<(), LabError> {
        self.set(script(&self.ca, WEAK)?)
    }

    fn set(&self, script: Script) -> Result<(), LabError> {
        let weak = self.peers.iter().find(|(host, _)| *host == WEAK);
        weak.map_or(Ok(()), |(_, peer)| peer.set(script))
    }

    /// How many servers there are beside the canaries and our mail system.
    pub(super) fn servers(&self) -> usize {
        self.peers.len()
    }
}

/// Mail servers, by the domain they receive for.
const HOSTS: [(&str, &str); 10] = [
    (OURS, "mx.contoso.test"),
    (BROKEN, "mx1.healthy.test"),
    (BROKEN, WEAK),
    ("expired.test", "mx.expired.test"),
    ("lost-starttls.test", "mx.lost-starttls.test"),
    ("wrong-name.test", "mx.wrong-name.test"),
    ("one-of-two.test", "mx1.one-of-two.test"),
    ("one-of-two.test", "mx2.one-of-two.test"),
    ("busy.test", "mx.busy.test"),
    ("trusted.test", "mx.trusted.test"),
];

fn script(ca: &Ca, host: &str) -> Result<Script, LabError> {
    let own = LeafSpec::host(host);
    Ok(match host {
        // Our own: it insists on TLS with one partner, and forgot the other.
        "mx.contoso.test" => Script::requires_tls_from(ca.issue(&own)?, BROKEN, "MAIL", TLS_FIRST),
        "mx1.healthy.test" | WEAK => {
            Script::requires_tls_from(ca.issue(&own)?, OURS, "MAIL", TLS_FIRST)
        }
        "mx.expired.test" => Script::healthy(ca.issue(&own.expired())?),
        "mx.lost-starttls.test" => Script::no_starttls(),
        "mx.wrong-name.test" => Script::healthy(ca.issue(&LeafSpec::host("mail.elsewhere.test"))?),
        "mx2.one-of-two.test" => Script::healthy(ca.issue(&own.self_signed())?),
        "mx.busy.test" => Script::busy(),
        _ => Script::healthy(ca.issue(&own)?),
    })
}

/// One canary of every kind that this version can test with, under each rule.
fn canaries(port: u16) -> impl Iterator<Item = CanaryPlace> {
    let kinds = Personality::ALL.into_iter().filter(|kind| *kind != Personality::DaneMismatch);
    let all =
        SENDING.into_iter().flat_map(move |under| kinds.clone().map(move |kind| (under, kind)));
    (101u8..).zip(all).map(move |(at, (under, personality))| {
        let domain = format!("{personality}.{}", under.canaries);
        CanaryPlace {
            under,
            personality,
            host: format!("mx.{domain}"),
            domain,
            address: SocketAddr::from((Ipv4Addr::new(127, 0, 88, at), port)),
        }
    })
}

fn connector(sending: Sending, forcing: Forcing) -> MtaConnector {
    let partners = PARTNERS.iter().filter(|partner| partner.outbound == sending);
    let partners = partners.map(|partner| partner.domain.to_owned());
    MtaConnector { domains: partners.chain([sending.canaries.to_owned()]).collect(), forcing }
}
