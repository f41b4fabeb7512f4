//! What a peer knows of one client: where it comes from, how it speaks, what it presented and said.

use crate::lab::smtp::script::When;
use crate::wire::{name::NamePattern, x509::Certificate};
use rustls::pki_types::CertificateDer;
use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// Triplets of address, sender and recipient that came before, as a grey-lister keeps them.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashSet<(IpAddr, String, String)>>);

/// One client in one session.
#[derive(Debug)]
pub(super) struct Visitor {
    source: IpAddr,
    tls: Option<Option<Certificate>>,
    mail_from: String,
    rcpt_to: String,
}

impl Visitor {
    pub(super) fn new(source: IpAddr) -> Self {
        Self { source, tls: None, mail_from: String::new(), rcpt_to: String::new() }
    }

    /// From here on it speaks inside TLS.
    pub(super) fn enter_tls(&mut self, presented: Option<&[CertificateDer<'static>]>) {
        let leaf = presented.and_then(<[_]>::first);
        self.tls = Some(leaf.and_then(|leaf| Certificate::parse(leaf).ok()));
    }

    pub(super) fn is_in_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Takes note of an envelope.
    pub(super) fn hear(&mut self, line: &str) {
        let path = |line: &str| {
            let path = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
            path.map(|(path, _)| path.to_ascii_lowercase()).unwrap_or_default()
        };
        let verb = line.get(..5).unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "MAIL " => self.mail_from = path(line),
            "RCPT " => self.rcpt_to = path(line),
            _ => {}
        }
    }

    /// Whether all of this holds.
    pub(super) fn fits(&self, when: &[When], known: &Known) -> bool {
        when.iter().all(|when| match when {
            When::ComesFrom(address) => self.source == *address,
            When::ElsewhereThan(address) => self.source != *address,
            When::From(domain) => {
                self.mail_from.rsplit_once('@').is_some_and(|(_, from)| from == *domain)
            }
            When::InClear => self.tls.is_none(),
            When::InTls => self.tls.is_some(),
            When::New => {
                let triplet = (self.source, self.mail_from.clone(), self.rcpt_to.clone());
                known.0.lock().unwrap_or_else(PoisonError::into_inner).insert(triplet)
            }
            When::WithoutCertificate(name) => !self.has_certificate_for(name),
        })
    }

    fn has_certificate_for(&self, name: &str) -> bool {
        let Ok(name) = name.parse::<NamePattern>() else { return false };
        let presented = self.tls.as_ref().and_then(Option::as_ref);
        presented.is_some_and(|certificate| {
            !certificate.self_issued && certificate.names().iter().any(|own| name.is_met_by(own))
        })
    }
}
