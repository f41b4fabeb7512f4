//! One policy: a level and its attributes, as in `secure match=example.org:.example.org protocols=>=TLSv1.2`.

use crate::model::{
    imported::{DomainPattern, Forced, OutboundRecord},
    requirement::{Level, Pin, TlsVersion},
};
use crate::wire::name::NamePattern;

/// The settings that hold where a policy does not say.
pub(super) struct Setting {
    pub(super) mandatory_protocols: String,
    pub(super) secure_match: String,
    pub(super) verify_match: String,
}

/// What Postfix demands of one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    said: String,
    forced: Forced,
    names: Vec<NamePattern>,
    pins: Vec<Pin>,
    lowest: TlsVersion,
}

impl Policy {
    /// A policy for a destination, which `nexthop` stands for.
    pub(super) fn parse(text: &str, setting: &Setting, destination: &str) -> Result<Self, String> {
        let mut words = text.split_ascii_whitespace();
        let level = words.next().ok_or("has no level")?;
        let mut matches: Vec<&str> = Vec::new();
        let mut protocols = setting.mandatory_protocols.as_str();
        for word in words {
            match word.split_once('=') {
                // More than one is allowed, and all count.
                Some(("match", value)) => matches.push(value),
                Some(("protocols", value)) => protocols = value,
                Some((
                    "ciphers" | "exclude" | "servername" | "tafile" | "connection_reuse"
                    | "enable_rpk" | "policy_type" | "policy_domain" | "policy_string"
                    | "mx_host_pattern" | "policy_ttl" | "policy_failure",
                    _,
                )) => {}
                _ => return Err(format!("`{word}` is no attribute of a policy")),
            }
        }
        let given = matches.join(":");
        let or = |given: &str, setting: &str, otherwise: &str| {
            [given, setting, otherwise]
                .iter()
                .find(|text| !text.is_empty())
                .map(|text| (*text).to_owned())
                .unwrap_or_default()
        };
        let (forced, names, pins) = match level {
            // dane falls back to what "may" does where there is no TLSA record.
            "none" | "may" | "dane" | "half-dane" => (Forced::Not, Vec::new(), Vec::new()),
            "encrypt" => (Forced::At(Level::Encrypt), Vec::new(), Vec::new()),
            "dane-only" => (Forced::At(Level::Dane), Vec::new(), Vec::new()),
            "fingerprint" => (Forced::At(Level::Pinned), Vec::new(), pins(&given)?),
            "verify" => {
                let matches = or(&given, &setting.verify_match, "hostname");
                (Forced::At(Level::Name), names_of(&matches, destination)?, Vec::new())
            }
            "secure" => {
                let matches = or(&given, &setting.secure_match, "nexthop, dot-nexthop");
                (Forced::At(Level::Name), names_of(&matches, destination)?, Vec::new())
            }
            other => return Err(format!("`{other}` is no level of smtp_tls_policy_maps")),
        };
        Ok(Self { said: text.to_owned(), forced, names, pins, lowest: lowest(protocols)? })
    }

    pub(super) fn record(
        &self,
        name: &str,
        domains: DomainPattern,
        relay: Option<&str>,
    ) -> OutboundRecord {
        OutboundRecord {
            name: name.to_owned(),
            guid: None,
            connector_type: None,
            enabled: Some(true),
            test_mode: None,
            rule_scoped: None,
            all_mail_via_on_premises: None,
            all_accepted_domains: None,
            domains: vec![domains],
            uses_mx: Some(relay.is_none()),
            smart_hosts: relay.map(bare_host).into_iter().collect(),
            forced: Some(self.forced),
            said: self.said.clone(),
            names: self.names.clone(),
            pins: self.pins.clone(),
            lowest: Some(self.lowest),
            mta_sts: None,
            dane: None,
            changed_at: None,
            source: None,
        }
    }
}

/// `[mail.example.org]:587` without brackets and port.
fn bare_host(relay: &str) -> String {
    let inner = relay.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(host, _)| host);
    inner.or_else(|| relay.split_once(':').map(|(host, _)| host)).unwrap_or(relay).to_owned()
}

/// The names one of which must match. `hostname` is the MX host's own, which is the widest: DNS decides it.
fn names_of(matches: &str, destination: &str) -> Result<Vec<NamePattern>, String> {
    let destination = bare_host(destination);
    let destination = destination.trim_start_matches('.');
    let mut names = Vec::new();
    for word in matches.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
        let text = match word {
            "hostname" => return Ok(Vec::new()),
            "nexthop" => destination.to_owned(),
            "dot-nexthop" => format!("*.{destination}"),
            word => match word.strip_prefix('.') {
                Some(suffix) => format!("*.{suffix}"),
                None => word.to_owned(),
            },
        };
        // Without a destination of its own the default policy has no name to compare with but the recipient's.
        if destination.is_empty() && text.trim_start_matches("*.").is_empty() {
            continue;
        }
        names.push(text.parse().map_err(|error| format!("{error}"))?);
    }
    Ok(names)
}

/// Fingerprints are written `AB:CD:…`, and several have `|` between them.
fn pins(matches: &str) -> Result<Vec<Pin>, String> {
    let mut pins = Vec::new();
    for word in matches.split('|').filter(|word| !word.is_empty()) {
        let digits: String = word.chars().filter(|c| *c != ':').collect();
        if digits.len() != 64 {
            return Err(format!(
                "`{word}` is no SHA-256 fingerprint: smtp_tls_fingerprint_digest = sha256 is needed"
            ));
        }
        pins.push(digits.parse().map_err(|error| format!("{error}"))?);
    }
    if pins.is_empty() { Err("level fingerprint without match=".to_owned()) } else { Ok(pins) }
}

/// The lowest version a list of protocols leaves.
fn lowest(protocols: &str) -> Result<TlsVersion, String> {
    // postconf(5): >=TLSv1 by default; SSLv2 is spoken by nobody any more.
    let protocols = if protocols.trim().is_empty() { ">=TLSv1" } else { protocols };
    let version = |word: &str| match word.to_ascii_lowercase().as_str() {
        "sslv2" => Ok(None),
        "sslv3" => Ok(Some(TlsVersion::Ssl3)),
        "tlsv1" => Ok(Some(TlsVersion::Tls10)),
        "tlsv1.1" => Ok(Some(TlsVersion::Tls11)),
        "tlsv1.2" => Ok(Some(TlsVersion::Tls12)),
        "tlsv1.3" => Ok(Some(TlsVersion::Tls13)),
        _ => Err(format!("`{word}` is no protocol")),
    };
    let mut floor = TlsVersion::Ssl3;
    let (mut without, mut only) = (Vec::new(), Vec::new());
    // Blanks may stand behind `>=`.
    let protocols = protocols.replace(">= ", ">=").replace("<= ", "<=");
    for word in protocols.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
        if let Some(word) = word.strip_prefix(">=") {
            floor = version(word)?.unwrap_or(floor);
        } else if let Some(word) = word.strip_prefix("<=") {
            version(word)?;
        } else if let Some(word) = word.strip_prefix('!') {
            without.extend(version(word)?);
        } else {
            only.extend(version(word)?);
        }
    }
    let spoken = |one: &TlsVersion| {
        *one >= floor && !without.contains(one) && (only.is_empty() || only.contains(one))
    };
    TlsVersion::ALL
        .into_iter()
        .find(spoken)
        .ok_or_else(|| format!("`{protocols}` leaves no protocol"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Policy, String> {
        let setting = Setting {
            mandatory_protocols: String::new(),
            secure_match: String::new(),
            verify_match: String::new(),
        };
        Policy::parse(text, &setting, "fabrikam.test")
    }

    #[test]
    fn policies_mean_what_tls_readme_says() {
        #[track_caller]
        fn check(text: &str, forced: Forced, names: &[&str]) {
            let policy = parse(text).unwrap();
            let told: Vec<String> = policy.names.iter().map(ToString::to_string).collect();
            assert_eq!(
                (policy.forced, told.as_slice()),
                (forced, names.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice()),
                "{text}"
            );
        }
        let name = Forced::At(Level::Name);
        check("may", Forced::Not, &[]);
        check("none", Forced::Not, &[]);
        check("dane", Forced::Not, &[]); // falls back where nothing is published
        check("dane-only", Forced::At(Level::Dane), &[]);
        check("encrypt", Forced::At(Level::Encrypt), &[]);
        check("encrypt protocols=>=TLSv1.2 ciphers=high", Forced::At(Level::Encrypt), &[]);
        check("verify", name, &[]); // whatever the MX is called
        check("secure", name, &["fabrikam.test", "*.fabrikam.test"]);
        check("secure match=mx.fabrikam.test", name, &["mx.fabrikam.test"]);
        check("secure match=nexthop:.example.org", name, &["fabrikam.test", "*.example.org"]);
        check("secure match=a.test match=b.test", name, &["a.test", "b.test"]);
        check("verify match=hostname:nexthop", name, &[]); // the widest counts
        for bad in [
            "",
            "encrypted",
            "encrypt protocols=TLSv2",
            "secure mtach=x",
            "fingerprint",
            "fingerprint match=AB:CD",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let pin = "AB:".repeat(31) + "AB";
        assert_eq!(parse(&format!("fingerprint match={pin}|{pin}")).unwrap().pins.len(), 2);
    }

    #[test]
    fn the_lowest_protocol_is_what_the_list_leaves() {
        #[track_caller]
        fn check(protocols: &str, expect: TlsVersion) {
            assert_eq!(lowest(protocols), Ok(expect), "{protocols}");
        }
        check("", TlsVersion::Tls10);
        check(">=TLSv1.2", TlsVersion::Tls12);
        check(">= TLSv1.3", TlsVersion::Tls13);
        check("!SSLv2, !SSLv3", TlsVersion::Tls10);
        check("!SSLv2,!SSLv3,!TLSv1,!TLSv1.1", TlsVersion::Tls12);
        check("TLSv1.2:TLSv1.3", TlsVersion::Tls12);
        check("!SSLv2", TlsVersion::Ssl3);
        check("<=TLSv1.2, >=TLSv1.1", TlsVersion::Tls11);
        assert!(lowest("!SSLv3,!TLSv1,!TLSv1.1,!TLSv1.2,!TLSv1.3").is_err());
    }
}
