//! Reads the tables about no partner: `[dns]`, `[tls]`, `[probe]`, `[claims]`, `[rounds]`, `[record]`, `[http]`,
//! `[limits]` and `[[reply]]`.

use super::{
    files::{FileKind, Files},
    section::{Section, Zero},
    settings::{
        Beacon, ClaimTimes, Dns, Dnssec, Exposure, Http, ImportedRecords, Ports, ProbeTargets,
        Reachable, Record, ReplyRule, RootSource, Rounds, Times, TlsRoots,
    },
    span::written,
    words::{host_target, socket, values},
};
use crate::model::{enforcement::ReplyClass, judgement::Quorum, limits::Limits};
use crate::wire::smtp::ReplyLimits;
use std::time::Duration;

pub(super) fn dns(section: &Section<'_>, files: &Files) -> Dns {
    let hint = "write 192.0.2.53, 192.0.2.53:53 or [2001:db8::53]:53";
    let resolvers = section.list_by("resolvers", hint, |text| socket(text, Some(53)));
    let words =
        [("validate", Dnssec::Validate), ("trust-ad", Dnssec::TrustAd), ("off", Dnssec::Off)];
    let dnssec = section.word("dnssec", &words).map(|word| word.value).unwrap_or_default();
    let trust_anchor = files.file(section, "trust_anchor", FileKind::TrustAnchor);
    let later = match dnssec {
        Dnssec::Off => None,
        Dnssec::TrustAd => Some("trust-ad"),
        Dnssec::Validate => Some("validate"),
    };
    if let Some(word) = later {
        let what = format!(
            "not in this version: dnssec = \"{word}\"; answers are taken as unsigned, and a claim that needs DNSSEC will be unknown"
        );
        section.warn("dnssec", what, "");
    } else if section.has("trust_anchor") {
        let hint = "dnssec = \"validate\"";
        section.warn("trust_anchor", "is not used while dnssec is off", hint);
    }
    let private = section.flag("allow_private").is_some_and(|flag| flag.value);
    let allow_private = if private { Reachable::Anywhere } else { Reachable::Public };
    Dns { resolvers: values(resolvers), dnssec, trust_anchor, allow_private }
}

pub(super) fn tls(section: &Section<'_>, files: &Files) -> TlsRoots {
    let words = [
        ("mozilla", RootSource::Mozilla),
        ("system", RootSource::System),
        ("none", RootSource::None),
    ];
    let source = section.word("roots", &words).map(|word| word.value).unwrap_or_default();
    let ca_files = files.files(section, "ca_files", FileKind::Certificates);
    if source == RootSource::None && !section.has_items("ca_files") {
        let what = "nothing can be trusted: there are no roots and no ca_files";
        section.warn("roots", what, "ca_files = [\"root.pem\"], or roots = \"mozilla\"");
    }
    TlsRoots { source, ca_files }
}

pub(super) fn ports(section: &Section<'_>) -> Ports {
    let usual = Ports::default();
    let smtp = section.number("smtp_port", 1..=u16::MAX).unwrap_or(usual.smtp);
    let https = section.number("https_port", 1..=u16::MAX).unwrap_or(usual.https);
    if smtp != usual.smtp {
        let what = format!(
            "port {smtp} is asked in place of 25: for labs only, real mail servers listen on 25"
        );
        section.warn("smtp_port", what, "only a lab changes it");
    }
    if https != usual.https {
        let what = format!("port {https} is asked in place of 443, where policies are published");
        section.warn("https_port", what, "only a lab changes it");
    }
    Ports { smtp, https }
}

pub(super) fn imported(section: &Section<'_>, files: &Files) -> ImportedRecords {
    let without = section.list::<String>("without", "such as to-banks");
    ImportedRecords {
        files: files.files(section, "records", FileKind::Records),
        without: values(without),
        records: Vec::new(),
    }
}

pub(super) fn claims(section: &Section<'_>) -> ClaimTimes {
    let usual = ClaimTimes::default();
    let enforces = section.section("receiver-enforces");
    let partner = times_of(
        &enforces,
        ("partner_interval", "partner_max_age"),
        usual.partner_receiver_enforces,
    );
    let day = usual.partner_receiver_enforces.interval;
    if partner.interval < day {
        let what = "a partner's receiver is probed once a day at most";
        enforces.mistake("partner_interval", what, "24h or more");
    }
    let times = |section: &Section<'_>, usual| times_of(section, ("interval", "max_age"), usual);
    ClaimTimes {
        configured: times(&section.section("configured"), usual.configured),
        receiver_enforces: times(&enforces, usual.receiver_enforces),
        partner_receiver_enforces: partner,
        receiver_offers: times(&section.section("receiver-offers"), usual.receiver_offers),
        sender_enforces: times(&section.section("sender-enforces"), usual.sender_enforces),
    }
}

fn times_of(
    section: &Section<'_>,
    (interval, max_age): (&'static str, &'static str),
    usual: Times,
) -> Times {
    let span = |key, usual: Duration| {
        section.duration(key, Zero::Refused).map_or(usual, |span| span.value)
    };
    let times =
        Times { interval: span(interval, usual.interval), max_age: span(max_age, usual.max_age) };
    if times.max_age < times.interval {
        let key = if section.has(max_age) { max_age } else { interval };
        let what = format!(
            "{max_age} ({}) is shorter than {interval} ({}): every proof would be stale before the next",
            written(times.max_age),
            written(times.interval)
        );
        section.mistake(key, what, "");
    }
    times
}

pub(super) fn rounds(section: &Section<'_>) -> Rounds {
    let usual = Rounds::default();
    let quorums = [("all", Quorum::All), ("any", Quorum::Any)];
    let confirm = section.number("confirm", 1..=100).unwrap_or(usual.confirm);
    let beacons = section.list_by("beacons", "such as host:mx.contoso.test", host_target);
    Rounds {
        confirm,
        quorum: section.word("quorum", &quorums).map_or(usual.quorum, |word| word.value),
        warn_days: section.number("warn_days", 0..=36500).unwrap_or(usual.warn_days),
        sessions_per_address: section
            .number("sessions_per_address", 1..=100u32)
            .map_or(usual.sessions_per_address, |number: u32| number as usize),
        per_operator_per_minute: section
            .number("per_operator_per_minute", 1..=10_000)
            .unwrap_or(usual.per_operator_per_minute),
        beacons: values(beacons).into_iter().map(|(host, port)| Beacon { host, port }).collect(),
    }
}

pub(super) fn record(section: &Section<'_>) -> Record {
    let usual = Record::default();
    let keep = section.duration("keep", Zero::Refused).map_or(usual.keep, |span| span.value);
    let violations = section.duration("keep_violations", Zero::Refused);
    let keep_violations = violations.map_or(usual.keep_violations, |span| span.value);
    if keep_violations < keep {
        let key = if section.has("keep_violations") { "keep_violations" } else { "keep" };
        let what = format!(
            "keep_violations ({}) is shorter than keep ({})",
            written(keep_violations),
            written(keep)
        );
        section.mistake(key, what, "");
    }
    Record { keep, keep_violations }
}

pub(super) fn http(section: &Section<'_>, files: &Files) -> Http {
    let usual = Http::default();
    let listen = section
        .parsed_by("listen", "write 127.0.0.1:9843 or [::1]:9843", |text| socket(text, None));
    let any = section.flag("probe_any").is_some_and(|flag| flag.value);
    let open = section.flag("allow_open").is_some_and(|flag| flag.value);
    let paths = section.list_by("open_paths", "write /metrics, /healthz or /readyz", |text| {
        let is_openable = ["/metrics", "/healthz", "/readyz"].contains(&text);
        is_openable.then(|| text.to_owned()).ok_or_else(|| "is always behind the token".to_owned())
    });
    let http = Http {
        listen: listen.map_or(usual.listen, |address| address.value),
        read_token_file: files.file(section, "read_token_file", FileKind::Secret),
        write_token_file: files.file(section, "write_token_file", FileKind::Secret),
        certificate: files.certificate(section, "certificate"),
        probe_any: if any { ProbeTargets::Any } else { ProbeTargets::Configured },
        allow_open: if open { Exposure::Open } else { Exposure::Guarded },
        open_paths: values(paths),
    };
    section.refuse(
        &["read_token", "write_token"],
        "secrets are read from files, never written here",
        "write the token into a file that only mxwarden reads, and give it as …_token_file",
    );
    if !http.listen.ip().is_loopback() && http.allow_open == Exposure::Guarded {
        let wanted = ["read_token_file", "certificate"];
        let lacking: Vec<&str> = wanted.into_iter().filter(|key| !section.has(key)).collect();
        if !lacking.is_empty() {
            section.mistake(
                "listen",
                format!("{} is beyond loopback, without {}", http.listen, lacking.join(" and ")),
                "bind 127.0.0.1:9843, or give both; allow_open = true where something else guards it",
            );
        }
    }
    if http.probe_any == ProbeTargets::Any && !section.has("read_token_file") {
        section.mistake("probe_any", "needs read_token_file", "else anybody could aim our probes");
    }
    http
}

/// `[limits]`, and the two of `[rounds]` that are limits as well.
pub(super) fn limits(section: &Section<'_>, rounds: &Rounds) -> Limits {
    let usual = Limits::default();
    let number = |key, range, usual: usize| {
        section.number::<u32>(key, range).map_or(usual, |number: u32| number as usize)
    };
    let pause = section.duration("pause_per_address", Zero::Allowed);
    Limits {
        reply: ReplyLimits {
            line: number("reply_line", 512..=(64 << 10), usual.reply.line),
            lines: number("reply_lines", 1..=10_000, usual.reply.lines),
            reply: number("reply", 512..=(16 << 20), usual.reply.reply),
        },
        chain: number("chain", 1024..=(16 << 20), usual.chain),
        transcript: number("transcript", 1024..=(16 << 20), usual.transcript),
        injected: number("injected", 64..=(1 << 20), usual.injected),
        addresses_per_host: number("addresses_per_host", 1..=1000, usual.addresses_per_host),
        hosts_per_domain: number("hosts_per_domain", 1..=1000, usual.hosts_per_domain),
        probes: number("probes", 1..=10_000, usual.probes),
        sessions_per_operator: number(
            "sessions_per_operator",
            1..=100,
            usual.sessions_per_operator,
        ),
        sessions_per_address: rounds.sessions_per_address,
        per_operator_per_minute: rounds.per_operator_per_minute,
        pause_per_address: pause.map_or(usual.pause_per_address, |span| span.value),
    }
}

pub(super) fn reply(section: &Section<'_>) -> Option<ReplyRule> {
    let words = ReplyClass::ALL.map(|class| (class.as_str(), class));
    let pattern = section.text("pattern");
    let class = section.word("class", &words);
    for (key, hint) in [
        ("pattern", "words that stand in the reply"),
        ("class", "what the refusal is about, such as tls-required or greylisted"),
    ] {
        if !section.has(key) {
            section.missing(key, hint);
        }
    }
    Some(ReplyRule { pattern: pattern?.value, class: class?.value })
}
