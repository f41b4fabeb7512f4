//! One canary as it stands ready: what it does about TLS, as itself and while it drains.
//!
//! Invariant: a canary drains only with a certificate that passes for its own host.

use super::{
    CanaryError, CanarySpec,
    certificates::CanaryIdentity,
    handshake::Handshake,
    session::Part,
    tls::{TlsSide, Versions},
    visit::Caller,
};
use crate::model::{
    canary::{Acting, Personality},
    requirement::MinVersion,
};
use crate::wire::{
    legacy_tls::{IdentityError, LegacyIdentity},
    name::{Domain, Host},
};
use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa,
};
use core::net::{IpAddr, SocketAddr};
use ipnet::IpNet;
use rustls::pki_types::PrivateKeyDer;
use std::sync::{Arc, Mutex, PoisonError};

/// A canary that is ready.
#[derive(Debug)]
pub(super) struct Station {
    personality: Personality,
    hostname: Host,
    domains: Vec<Domain>,
    itself: Handshake,
    draining: Option<Handshake>,
    /// For whom it drains.
    drained: Mutex<Vec<IpNet>>,
}

impl Station {
    /// # Errors
    ///
    /// A certificate or key that is missing or no use.
    pub(super) fn new(spec: &CanarySpec) -> Result<Self, CanaryError> {
        let itself = handshake(spec)?;
        // These show a certificate that passes already; the others need one of their own.
        let draining = spec.draining.as_ref().or(match spec.personality {
            Personality::Good | Personality::LegacyTls | Personality::StarttlsBroken => {
                spec.identity.as_ref()
            }
            Personality::DaneMismatch
            | Personality::Expired
            | Personality::NoStarttls
            | Personality::SelfSigned
            | Personality::StarttlsRefused
            | Personality::UnknownCa
            | Personality::WrongName => None,
        });
        let draining = draining.map(|identity| good(spec, identity)).transpose()?;
        Ok(Self {
            personality: spec.personality,
            hostname: spec.hostname.clone(),
            domains: spec.domains.clone(),
            itself,
            draining,
            drained: Mutex::default(),
        })
    }

    pub(super) fn hostname(&self) -> &Host {
        &self.hostname
    }

    /// From now on acts as `good` for these.
    pub(super) fn drain(&self, peers: &[IpNet]) -> Result<(), CanaryError> {
        if self.draining.is_none() {
            return Err(CanaryError::CannotDrain(self.hostname.clone()));
        }
        *self.drained.lock().unwrap_or_else(PoisonError::into_inner) = peers.to_vec();
        Ok(())
    }

    /// From now on acts as itself for everybody.
    pub(super) fn end_drain(&self) {
        self.drained.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What it does for somebody who connects now.
    pub(super) fn part(&self, local: SocketAddr, peer: SocketAddr) -> Part {
        let (acting, handshake) = match &self.draining {
            Some(good) if self.is_draining_for(peer.ip()) => (Acting::Draining, good),
            _ => (Acting::AsItself, &self.itself),
        };
        Part {
            caller: Caller {
                personality: self.personality,
                acting,
                hostname: self.hostname.clone(),
                local,
                peer,
            },
            domains: self.domains.clone(),
            handshake: handshake.clone(),
        }
    }

    fn is_draining_for(&self, peer: IpAddr) -> bool {
        let drained = self.drained.lock().unwrap_or_else(PoisonError::into_inner);
        drained.iter().any(|network| network.contains(&peer))
    }
}

fn handshake(spec: &CanarySpec) -> Result<Handshake, CanaryError> {
    let identity = || spec.identity.as_ref().ok_or(CanaryError::NoIdentity(spec.hostname.clone()));
    match spec.personality {
        Personality::NoStarttls => Ok(Handshake::Hidden),
        Personality::StarttlsRefused => Ok(Handshake::Refused),
        Personality::StarttlsBroken => Ok(Handshake::Breaks),
        Personality::LegacyTls => {
            let identity = identity()?;
            let newer = match spec.min_version {
                MinVersion::Tls12 => None,
                MinVersion::Tls13 => Some(side(spec, identity, Versions::Tls12)?),
            };
            let old = legacy(identity).map_err(|source| CanaryError::Legacy {
                hostname: spec.hostname.clone(),
                source,
            })?;
            Ok(Handshake::Legacy { old: Arc::new(old), newer })
        }
        Personality::DaneMismatch
        | Personality::Expired
        | Personality::Good
        | Personality::SelfSigned
        | Personality::UnknownCa
        | Personality::WrongName => good(spec, identity()?),
    }
}

fn good(spec: &CanarySpec, identity: &CanaryIdentity) -> Result<Handshake, CanaryError> {
    side(spec, identity, Versions::Good).map(Handshake::Shakes)
}

fn side(
    spec: &CanarySpec,
    identity: &CanaryIdentity,
    versions: Versions,
) -> Result<TlsSide, CanaryError> {
    TlsSide::new(identity, versions)
        .map_err(|source| CanaryError::Tls { hostname: spec.hostname.clone(), source })
}

fn legacy(identity: &CanaryIdentity) -> Result<LegacyIdentity, IdentityError> {
    let chain = identity.chain().iter().map(|certificate| certificate.to_vec()).collect();
    match identity.key() {
        PrivateKeyDer::Pkcs8(key) => LegacyIdentity::new(chain, key.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(key) => {
            let key = rsa::KeyPair::from_der(key.secret_pkcs1_der());
            let key = key.map_err(|_| IdentityError::Key)?;
            let key: Pkcs8V1Der<'_> = key.as_der().map_err(|_| IdentityError::Key)?;
            LegacyIdentity::new(chain, key.as_ref())
        }
        _ => Err(IdentityError::Key),
    }
}
