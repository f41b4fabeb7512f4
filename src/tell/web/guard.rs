//! Who may come in: a request shows a token, unless its path is open.
//!
//! Invariant: how long a comparison takes says nothing about a token, its length included.
//! Invariant: an unknown path asks for the token as well, so that nobody can tell which there are.

use super::{OPENABLE, ProbeTargets, WebPlan};
use axum::http::{
    HeaderMap,
    header::{AUTHORIZATION, HeaderValue},
};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// What a request must show.
pub(super) struct Guard {
    read: Option<Digest>,
    write: Option<Digest>,
    open: Vec<&'static str>,
    probe: ProbeTargets,
}

/// A token, by its digest: of one length whatever the token's.
struct Digest([u8; 32]);

impl Digest {
    fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    fn new(token: &SecretString) -> Self {
        Self::of(token.expose_secret().as_bytes())
    }
}

/// What is to become of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It may go on.
    Granted,
    /// It showed none, or something that is none.
    NoToken,
    /// It showed another.
    WrongToken,
}

impl Guard {
    pub(super) fn new(plan: &WebPlan) -> Self {
        let is_open = |path: &&str| plan.open_paths.iter().any(|open| open == path);
        Self {
            read: plan.read_token.as_ref().map(Digest::new),
            write: plan.write_token.as_ref().map(Digest::new),
            open: OPENABLE.into_iter().filter(is_open).collect(),
            probe: plan.probe,
        }
    }

    /// Whether a request that reads may go on.
    pub(super) fn reading(&self, path: &str, headers: &HeaderMap) -> Entry {
        let Some(read) = &self.read else {
            // Whoever built the plan was told that this does not go; here nothing hangs on it.
            let anybody_aims = self.probe == ProbeTargets::Any && path == "/probe";
            return if anybody_aims { Entry::NoToken } else { Entry::Granted };
        };
        if self.open.contains(&path) {
            return Entry::Granted;
        }
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        let (Some(shown), None) = (shown.next(), shown.next()) else { return Entry::NoToken };
        let Some(token) = bearer(shown) else { return Entry::NoToken };
        let shown = Digest::of(token);
        let write =
            self.write.as_ref().map_or_else(|| Choice::from(0), |write| write.0.ct_eq(&shown.0));
        if (read.0.ct_eq(&shown.0) | write).into() { Entry::Granted } else { Entry::WrongToken }
    }
}

/// RFC 6750 §2.1: `Bearer`, in whatever case (RFC 9110 §11.1), a blank, the token.
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(read: Option<&str>, write: Option<&str>, open: &[&str]) -> Guard {
        let secret = |token: &str| SecretString::from(token.to_owned());
        Guard::new(&WebPlan {
            read_token: read.map(secret),
            write_token: write.map(secret),
            open_paths: open.iter().map(|path| (*path).to_owned()).collect(),
            ..WebPlan::loopback()
        })
    }

    #[test]
    fn a_path_is_open_or_asks_for_a_token() {
        #[track_caller]
        fn check(guard: &Guard, path: &str, shown: &[&str], expect: Entry) {
            let mut headers = HeaderMap::new();
            for one in shown {
                headers.append(AUTHORIZATION, HeaderValue::from_str(one).unwrap());
            }
            assert_eq!(guard.reading(path, &headers), expect, "{path} {shown:?}");
        }
        use Entry::{Granted, NoToken, WrongToken};
        let open = guard(None, None, &[]);
        check(&open, "/metrics", &[], Granted);
        check(&open, "/metrics", &["Bearer whatever"], Granted);
        let closed = guard(Some("reader"), Some("writer"), &["/metrics"]);
        check(&closed, "/metrics", &[], Granted);
        check(&closed, "/metrics", &["Bearer wrong"], Granted);
        check(&closed, "/metrics/", &[], NoToken); // another path
        check(&closed, "/%6detrics", &[], NoToken); // and another
        check(&closed, "/healthz", &[], NoToken);
        check(&closed, "/nowhere", &[], NoToken);
        check(&closed, "/", &["Bearer reader"], Granted);
        check(&closed, "/", &["bearer  reader "], Granted); // RFC 9110 §11.1, §5.5
        check(&closed, "/", &["Bearer writer"], Granted); // who may write may read
        check(&closed, "/", &["Bearer reade"], WrongToken);
        check(&closed, "/", &["Bearer readers"], WrongToken);
        check(&closed, "/", &["Bearer "], WrongToken);
        check(&closed, "/", &["Bearer"], NoToken);
        check(&closed, "/", &["Basic cmVhZGVyOg=="], NoToken);
        check(&closed, "/", &["reader"], NoToken);
        check(&closed, "/", &["Bearer reader", "Bearer wrong"], NoToken); // which one?
        // Only what may be open is, whatever the plan says.
        let bold = guard(Some("reader"), None, &["/", "/probe"]);
        check(&bold, "/probe", &[], NoToken);
        check(&bold, "/", &[], NoToken);
    }

    #[test]
    fn nobody_aims_our_probes_without_a_token() {
        let plan = WebPlan { probe: ProbeTargets::Any, ..WebPlan::loopback() };
        let guard = Guard::new(&plan);
        assert_eq!(guard.reading("/probe", &HeaderMap::new()), Entry::NoToken);
        assert_eq!(guard.reading("/metrics", &HeaderMap::new()), Entry::Granted);
    }
}
