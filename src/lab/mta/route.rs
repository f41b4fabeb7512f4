//! Where mail for a domain goes: its MX hosts and their addresses, asked of one DNS server over UDP.
//!
//! No cache and no TCP: the lab's zones are small, and what changes in them must be seen at once.

use super::deliver::{Failed, Hop};
use hickory_server::proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{net::UdpSocket, time::timeout};

/// Octets of one answer.
const ANSWER: usize = 4096;
const TRIES: usize = 3;
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// Every host and address of a domain, in the order they are tried.
pub(super) async fn hops(dns: SocketAddr, domain: &str, port: u16) -> Result<Vec<Hop>, Failed> {
    let mut hosts: Vec<(u16, String)> = Vec::new();
    for record in ask(dns, domain, RecordType::MX).await? {
        if let RData::MX(mx) = record {
            hosts.push((mx.preference, bare(&mx.exchange)));
        }
    }
    if hosts.is_empty() {
        // RFC 5321 §5.1: without MX records the domain itself is the host.
        hosts.push((0, domain.to_owned()));
    }
    hosts.sort();
    let mut hops = Vec::new();
    for (_, host) in hosts {
        if host.is_empty() {
            return Err(Failed::Never(format!("{domain} takes no mail (RFC 7505)")));
        }
        for record in ask(dns, &host, RecordType::A).await? {
            if let RData::A(a) = record {
                let address = SocketAddr::new(IpAddr::V4(a.0), port);
                hops.push(Hop { host: host.clone(), address });
            }
        }
    }
    Ok(hops)
}

fn bare(name: &Name) -> String {
    let text = name.to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_ascii_lowercase()
}

async fn ask(dns: SocketAddr, name: &str, kind: RecordType) -> Result<Vec<RData>, Failed> {
    let later = |why: String| Failed::Later(format!("{name} {kind}: {why}"));
    let absolute = Name::from_ascii(name).map_err(|error| Failed::Never(error.to_string()))?;
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(absolute, kind));
    let octets = question.to_vec().map_err(|error| later(error.to_string()))?;
    for _ in 0..TRIES {
        let answer = timeout(ANSWERED_WITHIN, exchange(dns, &octets, question.metadata.id)).await;
        let Ok(answer) = answer else { continue };
        let answer = answer.map_err(|error| later(error.to_string()))?;
        return match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {
                Ok(answer.answers.into_iter().map(|record| record.data).collect())
            }
            other => Err(later(other.to_string())),
        };
    }
    Err(later("no answer".to_owned()))
}

async fn exchange(dns: SocketAddr, question: &[u8], id: u16) -> io::Result<Message> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(dns).await?;
    socket.send(question).await?;
    let mut octets = vec![0; ANSWER];
    loop {
        let length = socket.recv(&mut octets).await?;
        let came = octets.get(..length).unwrap_or_default();
        let answer = Message::from_vec(came).map_err(io::Error::other)?;
        if answer.metadata.id == id {
            return Ok(answer);
        }
    }
}
