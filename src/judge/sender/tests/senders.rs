//! Real senders, as they were seen to behave (Postfix 3.7 and Exim 4.96), each against every canary.

use super::make::{
    alerted, delivered_in_clear, delivered_over, given_up, greeted, is_certificate, personalities,
    shook, turned_away, turned_away_after,
};
use crate::model::{
    canary::Personality,
    delivery::CanarySession,
    requirement::{Level, TlsVersion},
};

/// What a sender does where TLS cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WithoutTls {
    /// Delivers in clear, and never asks for TLS.
    Never,
    /// Delivers in clear on a retry, where only the handshake failed.
    ClearLater,
    /// Delivers in clear within a second.
    ClearNow,
    /// Leaves.
    Leaves,
}

/// One configuration of a real sender.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    pub(super) name: &'static str,
    without_tls: WithoutTls,
    /// Whether it looks at certificates.
    verifies: bool,
    /// Whether it has a lowest version.
    has_floor: bool,
}

impl Sender {
    /// Every column of the table.
    pub(super) fn all() -> Vec<Self> {
        use WithoutTls::{ClearLater, ClearNow, Leaves, Never};
        let sender = |name, without_tls, verifies, has_floor| Self {
            name,
            without_tls,
            verifies,
            has_floor,
        };
        vec![
            sender("postfix-none", Never, false, false),
            sender("postfix-may", ClearLater, false, false),
            sender("postfix-may-floor", ClearLater, false, true),
            sender("postfix-encrypt", Leaves, false, false),
            sender("postfix-encrypt-floor", Leaves, false, true),
            sender("postfix-verify", Leaves, true, false),
            sender("postfix-verify-floor", Leaves, true, true),
            sender("postfix-secure", Leaves, true, false),
            sender("postfix-secure-floor", Leaves, true, true),
            sender("exim-default", ClearNow, false, false),
            sender("exim-default-floor", ClearNow, false, true),
            sender("exim-require", Leaves, false, false),
            sender("exim-require-floor", Leaves, false, true),
            sender("exim-verify", Leaves, true, false),
            sender("exim-verify-floor", Leaves, true, true),
        ]
    }

    /// Whether it enforces this level.
    pub(super) fn is_enforcing(self, level: Level) -> bool {
        let is_checked = level == Level::Encrypt || self.verifies;
        self.without_tls == WithoutTls::Leaves && self.has_floor && is_checked
    }

    /// Everything it does in a round.
    pub(super) fn sessions(self) -> Vec<CanarySession> {
        let each = personalities().flat_map(|personality| self.at(personality));
        let mut sessions: Vec<CanarySession> = each.collect();
        sessions.sort_by_key(|session| session.started_at);
        sessions
    }

    fn at(self, personality: Personality) -> Vec<CanarySession> {
        const RETRY: i64 = 575;
        if self.without_tls == WithoutTls::Never {
            return vec![delivered_in_clear(personality, 2)];
        }
        let leaves = self.without_tls == WithoutTls::Leaves;
        match personality {
            Personality::Good => vec![delivered_over(personality, 2, TlsVersion::Tls13)],
            Personality::NoStarttls if leaves => vec![greeted(personality, 2)],
            Personality::StarttlsRefused if leaves => {
                vec![turned_away(personality, 2), turned_away(personality, RETRY)]
            }
            Personality::NoStarttls | Personality::StarttlsRefused => {
                vec![delivered_in_clear(personality, 2)]
            }
            Personality::StarttlsBroken => self.at_broken(RETRY),
            Personality::LegacyTls => self.at_legacy(RETRY),
            Personality::DaneMismatch
            | Personality::Expired
            | Personality::SelfSigned
            | Personality::UnknownCa
            | Personality::WrongName => {
                assert!(is_certificate(personality));
                vec![if self.verifies {
                    turned_away_after(personality, 2, TlsVersion::Tls13)
                } else {
                    delivered_over(personality, 2, TlsVersion::Tls13)
                }]
            }
        }
    }

    fn at_broken(self, retry: i64) -> Vec<CanarySession> {
        let personality = Personality::StarttlsBroken;
        let fails = |second| shook(personality, second, alerted("handshake_failure"));
        let clear = |second| delivered_in_clear(personality, second);
        match self.without_tls {
            WithoutTls::Never => vec![clear(2)],
            WithoutTls::ClearLater => vec![fails(2), fails(retry), clear(retry + 1)],
            WithoutTls::ClearNow => vec![fails(2), clear(3)],
            WithoutTls::Leaves => vec![fails(2), fails(retry)],
        }
    }

    fn at_legacy(self, retry: i64) -> Vec<CanarySession> {
        let personality = Personality::LegacyTls;
        let gives_up =
            |second| shook(personality, second, given_up(TlsVersion::Tls10, "protocol_version"));
        if !self.has_floor {
            return vec![delivered_over(personality, 2, TlsVersion::Tls10)];
        }
        match self.without_tls {
            WithoutTls::Never => vec![delivered_in_clear(personality, 2)],
            WithoutTls::ClearLater => {
                let clear = delivered_in_clear(personality, retry + 1);
                vec![gives_up(2), gives_up(retry), clear]
            }
            WithoutTls::ClearNow => vec![gives_up(2), delivered_in_clear(personality, 3)],
            WithoutTls::Leaves => vec![gives_up(2), gives_up(retry)],
        }
    }
}
