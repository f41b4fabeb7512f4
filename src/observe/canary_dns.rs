//! Canary DNS as a sender sees it: whether a probe to a canary's domain can arrive there, and nowhere else.
//!
//! 1. The domain has one MX record, and it points at the canary's host.
//! 2. The host stands for itself, without an alias, and has one address: the canary's.
//!
//! Invariant: nothing is let pass that was not seen; a lookup that failed is a reason, in words.

use super::dns::Resolver;
use crate::model::{
    resolution::{Addresses, Exchange, ExchangeHost, Route},
    target::Target,
};
use crate::wire::name::{Domain, Host};
use std::net::IpAddr;

/// Looks the canary up. `addresses` are those that senders should see.
///
/// # Errors
///
/// What is wrong, in words: the probe would go elsewhere, or nowhere, or that cannot be told.
pub async fn look(
    resolver: &Resolver,
    domain: &Domain,
    hostname: &Host,
    addresses: &[IpAddr],
) -> Result<(), String> {
    let resolution = resolver.resolve(&Target::Domain(domain.clone())).await;
    match &resolution.route {
        Route::Mx => {}
        Route::Failed(failure) => {
            return Err(format!(
                "the MX record of {domain} could not be looked up: {}",
                failure.detail
            ));
        }
        Route::Explicit | Route::Implicit | Route::NoMx => {
            return Err(format!(
                "{domain} has no MX record; it needs one, `{domain}. MX 10 {hostname}.`"
            ));
        }
        Route::NullMx => return Err(format!("{domain} has a null MX record: it takes no mail")),
        Route::Nxdomain => return Err(format!("{domain} does not exist in DNS")),
    }
    let found = resolution.exchanges.len() + resolution.left_out;
    match resolution.exchanges.as_slice() {
        [exchange] if found == 1 => host(domain, exchange, hostname, addresses),
        exchanges => {
            let shown: Vec<String> = exchanges.iter().map(|one| one.host.shown()).collect();
            Err(format!(
                "{domain} has {found} MX records ({}); a canary has one, {hostname}",
                shown.join(", ")
            ))
        }
    }
}

fn host(
    domain: &Domain,
    exchange: &Exchange,
    hostname: &Host,
    expected: &[IpAddr],
) -> Result<(), String> {
    let is_ours = matches!(&exchange.host, ExchangeHost::Name(name) if name == hostname);
    if !is_ours {
        let shown = exchange.host.shown();
        return Err(format!("the MX record of {domain} points at {shown}, not at {hostname}"));
    }
    if let Some(alias) = exchange.aliases.last() {
        // RFC 5321 §5.1: the name of an MX record must not be an alias; senders treat it each in their way.
        return Err(format!(
            "{hostname} is an alias (CNAME) of {alias}; it needs an address of its own"
        ));
    }
    let mut seen: Vec<IpAddr> = Vec::new();
    for (family, addresses) in [("A", &exchange.v4), ("AAAA", &exchange.v6)] {
        match addresses {
            Addresses::Failed(failure) => {
                return Err(format!(
                    "the {family} record of {hostname} could not be looked up: {}",
                    failure.detail
                ));
            }
            Addresses::Found(found) => seen.extend(found),
            // Without the other family it cannot be told whether a sender would go there.
            Addresses::NotAsked => {
                return Err(format!(
                    "the {family} record of {hostname} was not asked for: this run is limited to the other family"
                ));
            }
            Addresses::None => {}
        }
    }
    addresses(hostname, &seen, exchange.left_out, expected)
}

fn addresses(
    hostname: &Host,
    seen: &[IpAddr],
    left_out: usize,
    expected: &[IpAddr],
) -> Result<(), String> {
    let [expected] = expected else {
        return Err(format!(
            "{hostname} is configured with {} addresses; a canary has one",
            expected.len()
        ));
    };
    match seen {
        [] => Err(format!("{hostname} has no address in DNS; it needs {expected}")),
        [only] if left_out == 0 && only == expected => Ok(()),
        seen => {
            let mut shown: Vec<String> = seen.iter().map(ToString::to_string).collect();
            if left_out > 0 {
                shown.push(format!("and {left_out} more"));
            }
            Err(format!("{hostname} has {} in DNS, not {expected} alone", shown.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::dns::{Failure, LabDns, RecordType, Zone};
    use crate::observe::dns::{DnsPlan, Families, Resolvers};
    use std::time::Duration;

    const CANARY: [u8; 4] = [127, 0, 9, 2];

    fn zone() -> Zone {
        Zone::new()
            .mx("notls.canary.test", 10, "mx.notls.canary.test")
            .a("mx.notls.canary.test", CANARY.into())
    }

    async fn looked(zone: Zone, families: Families, expected: &[&str]) -> Result<(), String> {
        let dns = LabDns::start(zone).await.unwrap();
        let plan = DnsPlan {
            resolvers: Resolvers::Given(vec![dns.address()]),
            timeout: Duration::from_secs(20),
            families,
            ..DnsPlan::default()
        };
        let expected: Vec<IpAddr> = expected.iter().map(|one| one.parse().unwrap()).collect();
        let domain = "notls.canary.test".parse().unwrap();
        let host = "mx.notls.canary.test".parse().unwrap();
        look(&Resolver::new(plan).unwrap(), &domain, &host, &expected).await
    }

    #[tokio::test]
    async fn one_mx_with_one_address_is_right() {
        assert_eq!(looked(zone(), Families::Both, &["127.0.9.2"]).await, Ok(()));
    }

    #[tokio::test]
    async fn everything_else_is_told_in_words() {
        #[track_caller]
        fn check(found: Result<(), String>, expect: &str) {
            let found = found.unwrap_err();
            assert!(found.contains(expect), "`{found}` does not say `{expect}`");
        }
        let mx = "mx.notls.canary.test";
        let domain = "notls.canary.test";
        let own = ["127.0.9.2"];
        let other = Zone::new().mx(domain, 10, "mx.other.test").a("mx.other.test", CANARY.into());
        let bare = Zone::new().a(domain, CANARY.into());
        let alias = Zone::new().mx(domain, 10, mx).cname(mx, "a.test").a("a.test", CANARY.into());
        let cases: Vec<(Zone, &[&str], &str)> = vec![
            (other, &own, "points at mx.other.test, not at mx.notls.canary.test"),
            (zone().mx(domain, 20, "b.test"), &own, "has 2 MX records"),
            (bare, &own, "has no MX record"),
            (Zone::new().null_mx(domain), &own, "null MX"),
            (Zone::new(), &own, "does not exist"),
            (zone().without(mx), &own, "has no address in DNS"),
            (alias, &own, "is an alias (CNAME) of a.test"),
            (
                zone().a(mx, [127, 0, 9, 3].into()),
                &own,
                "127.0.9.2, 127.0.9.3 in DNS, not 127.0.9.2",
            ),
            (zone().aaaa(mx, "::1".parse().unwrap()), &own, "::1 in DNS, not 127.0.9.2 alone"),
            (zone(), &["127.0.9.3"], "has 127.0.9.2 in DNS, not 127.0.9.3 alone"),
            (zone(), &[], "configured with 0 addresses"),
            (zone(), &["127.0.9.2", "127.0.9.3"], "configured with 2 addresses"),
            (
                zone().fail(domain, Failure::ServFail),
                &own,
                "MX record of notls.canary.test could not be",
            ),
            (zone().fail_type(mx, RecordType::A, Failure::Refused), &own, "A record of mx.notls"),
            (
                zone().fail_type(mx, RecordType::AAAA, Failure::ServFail),
                &own,
                "AAAA record of mx.notls",
            ),
        ];
        for (zone, expected, words) in cases {
            check(looked(zone, Families::Both, expected).await, words);
        }
        check(
            looked(zone(), Families::V4, &own).await,
            "AAAA record of mx.notls.canary.test was not asked",
        );
    }
}
