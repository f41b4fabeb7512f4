//! Reads `[alert]`, `[[alert.channel]]` and `[[mute]]`: what the operator wants to be told, where, and when not.

use super::{
    files::{FileKind, Files},
    section::{Section, Zero, shown},
    submit::smtp_way,
    told::Placed,
    words::{MAILBOX, values},
};
use crate::model::{
    alert::{
        AlertChannel, AlertRules, Alerting, ChannelKind, ClearHttp, HttpTarget, MailTarget, Mute,
        SmtpLogin, UrlSource, WeekTime, When, Whom,
    },
    finding::Severity,
};
use crate::wire::{mailbox::Mailbox, text::closest};
use core::net::IpAddr;
use std::{path::PathBuf, time::Duration};

/// Where PagerDuty takes events.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
const SMART_HOST: &str = "smtp://HOST[:PORT], smtps://, smtp+starttls:// or smtp+plain://";
const WEEKLY: &str = "a weekly time is written \"sat 22:00\", UTC";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Alertmanager,
    Mail,
    PagerDuty,
    Slack,
    Teams,
    Webhook,
}

const KINDS: [(&str, Kind); 6] = [
    ("mail", Kind::Mail),
    ("webhook", Kind::Webhook),
    ("slack", Kind::Slack),
    ("teams", Kind::Teams),
    ("pagerduty", Kind::PagerDuty),
    ("alertmanager", Kind::Alertmanager),
];

const SEVERITIES: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Violation];

/// Both tables; `partners` are the names there are.
pub(super) fn read(root: &Section<'_>, files: &Files, partners: &[&str]) -> Alerting {
    let section = root.section("alert");
    let rules = rules(&section);
    let base_url = section.parsed_by("base_url", "such as https://mxwarden.contoso.test", |text| {
        let is_web = text.starts_with("https://") || text.starts_with("http://");
        let is_plain = is_web && !text.contains(['@', '?', '#', ' ', '<', '>', '"']);
        is_plain.then(|| text.to_owned()).ok_or_else(|| "is no address of a dashboard".to_owned())
    });
    let (mut channels, mut names) = (Vec::new(), Vec::new());
    for section in section.sections("channel") {
        channels.extend(channel(section, files, partners, &mut names));
    }
    let is_kept_elsewhere = |one: &AlertChannel| matches!(one.kind, ChannelKind::Alertmanager(_));
    if rules.reminder > WEEK && channels.iter().any(is_kept_elsewhere) {
        let what = "is longer than a week: Alertmanager ends an alert it hears nothing of for two";
        section.warn("reminder", what, "reminder = \"7d\" or less");
    }
    let mutes = root.sections("mute");
    let mutes = mutes.iter().filter_map(|section| mute(section, partners)).collect();
    Alerting { rules, base_url: base_url.map(|url| url.value), channels, mutes }
}

fn rules(section: &Section<'_>) -> AlertRules {
    let usual = AlertRules::default();
    let span =
        |key, zero, usual: Duration| section.duration(key, zero).map_or(usual, |it| it.value);
    AlertRules {
        reminder: span("reminder", Zero::Refused, usual.reminder),
        unknown_after: span("unknown_after", Zero::Allowed, usual.unknown_after),
        group_wait: span("group_wait", Zero::Allowed, usual.group_wait),
        group_interval: span("group_interval", Zero::Allowed, usual.group_interval),
        flap_window: span("flap_window", Zero::Refused, usual.flap_window),
        flap_changes: section
            .number("flap_changes", 2..=60u32)
            .map_or(usual.flap_changes, |number| number as usize),
    }
}

fn channel(
    section: Section<'_>,
    files: &Files,
    partners: &[&str],
    names: &mut Vec<String>,
) -> Option<AlertChannel> {
    let name = section.text("name");
    if let Some(name) = &name {
        if names.contains(&name.value) {
            let what = format!("another channel is called `{}` as well", shown(&name.value));
            section.mistake("name", what, "every one needs a name of its own");
        }
        names.push(name.value.clone());
    }
    let kind = section.word("kind", &KINDS);
    for (key, hint) in [
        ("name", "what people call it"),
        ("kind", "mail, webhook, slack, teams, pagerduty or alertmanager"),
    ] {
        if !section.has(key) {
            section.missing(key, hint);
        }
    }
    let hint = "info, warning or violation";
    let mut severities = values(section.list_by("severities", hint, |text| {
        let found = SEVERITIES.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| format!("`{}` is no severity", shown(text)))
    }));
    if !section.has("severities") {
        severities = vec![Severity::Warning, Severity::Violation];
    } else if section.is_empty_list("severities") {
        section.mistake("severities", "must hold at least one severity", hint);
    }
    let named = section.list_by("partners", "", |text| Ok(text.to_owned()));
    for one in &named {
        knows(&section, one, partners);
    }
    let labels = section.labels("labels");
    let Some(kind) = kind else {
        // Which keys belong here cannot be said.
        section.give_up();
        return None;
    };
    let kind = kind_of(&section, files, kind.value);
    Some(AlertChannel {
        name: name?.value,
        severities,
        partners: values(named),
        labels,
        kind: kind?,
    })
}

/// Tells a name that no partner has.
fn knows(section: &Section<'_>, name: &Placed<String>, partners: &[&str]) {
    if partners.contains(&name.value.as_str()) {
        return;
    }
    let hint = match closest(&name.value, partners.iter().copied(), 3) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "a [[partner]] is named by its `name`".to_owned(),
    };
    let what = format!("no partner is called `{}`", shown(&name.value));
    section.told().mistake(&name.place, what, &hint);
}

fn kind_of(section: &Section<'_>, files: &Files, kind: Kind) -> Option<ChannelKind> {
    match kind {
        Kind::Alertmanager => {
            let hint = "such as http://127.0.0.1:9093, without /api/v2";
            Some(ChannelKind::Alertmanager(http(section, files, Address::Any, hint)?))
        }
        Kind::Mail => Some(ChannelKind::Mail(mail(section, files)?)),
        Kind::PagerDuty => {
            section.refuse(
                &["routing_key"],
                "secrets are read from files, never written here",
                "routing_key_file = \"FILE\"",
            );
            let key = files.file(section, "routing_key_file", FileKind::Secret);
            if !section.has("routing_key_file") {
                section.missing(
                    "routing_key_file",
                    "the integration key of an Events API v2 integration",
                );
            }
            let http = http(section, files, Address::Usually(PAGERDUTY), "");
            Some(ChannelKind::PagerDuty { http: http?, routing_key_file: key? })
        }
        Kind::Slack => Some(ChannelKind::Slack(http(section, files, Address::Secret, "")?)),
        Kind::Teams => Some(ChannelKind::Teams(http(section, files, Address::Secret, "")?)),
        Kind::Webhook => {
            section.refuse(
                &["secret"],
                "secrets are read from files, never written here",
                "secret_file = \"FILE\"",
            );
            let secret_file = files.file(section, "secret_file", FileKind::Secret);
            let template_file = files.file(section, "template_file", FileKind::Template);
            let http =
                http(section, files, Address::Any, "such as https://alerts.contoso.test/mxwarden")?;
            Some(ChannelKind::Webhook { http, secret_file, template_file })
        }
    }
}

/// What the address of a channel may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    /// Written, or in a file.
    Any,
    /// Whoever knows it can write: in a file alone.
    Secret,
    /// This, where none is written.
    Usually(&'static str),
}

fn http(section: &Section<'_>, files: &Files, address: Address, hint: &str) -> Option<HttpTarget> {
    let clear = match section.flag("insecure") {
        Some(flag) if flag.value => ClearHttp::Anywhere,
        _ => ClearHttp::Loopback,
    };
    if address == Address::Secret {
        section.refuse(
            &["url"],
            "is a secret: whoever knows it can write to the channel",
            "write it into a file that only mxwarden reads, and url_file = \"FILE\"",
        );
    }
    section.refuse(
        &["token"],
        "secrets are read from files, never written here",
        "token_file = \"FILE\"",
    );
    let url_file = files.file(section, "url_file", FileKind::Secret);
    let url = section.text("url");
    let token_file = files.file(section, "token_file", FileKind::Secret);
    let ca_file = files.file(section, "ca_file", FileKind::Certificates);
    if section.has("url") && section.has("url_file") {
        section.mistake("url_file", "stands beside url", "one of the two is enough");
    }
    let url = match (url, url_file) {
        (_, Some(file)) => UrlSource::File(file),
        (Some(url), None) => {
            if let Err((what, hint)) = fits(&url.value, clear) {
                section.mistake("url", what, hint);
            }
            UrlSource::Plain(url.value)
        }
        (None, None) => {
            if section.has("url_file") || section.has("url") {
                return None;
            }
            match address {
                Address::Usually(url) => UrlSource::Plain(url.to_owned()),
                Address::Secret => {
                    section.missing("url_file", "the file that holds the address of the webhook");
                    return None;
                }
                Address::Any => {
                    section.missing("url", hint);
                    return None;
                }
            }
        }
    };
    Some(HttpTarget { url, token_file, ca_file, clear })
}

/// Whether an address can be used. It is not shown: there may be a secret in it.
fn fits(url: &str, clear: ClearHttp) -> Result<(), (&'static str, &'static str)> {
    if url.contains('@') {
        return Err(("holds a user name or a password", "token_file = \"FILE\", or url_file"));
    }
    if url.starts_with("https://") {
        return Ok(());
    }
    let Some(rest) = url.strip_prefix("http://") else {
        return Err((
            "does not begin with https://",
            "such as https://alerts.contoso.test/mxwarden",
        ));
    };
    let host = match rest.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => rest.split(['/', ':', '?']).next(),
    };
    let host = host.unwrap_or_default();
    let near = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if near || clear == ClearHttp::Anywhere {
        return Ok(());
    }
    let hint = "write https://, or insecure = true where the way is safe";
    Err(("anybody on the way could read and change what is told", hint))
}

fn mail(section: &Section<'_>, files: &Files) -> Option<MailTarget> {
    let way = section.parsed_by("smart_host", SMART_HOST, smtp_way);
    let from = section.parsed::<Mailbox>("from", MAILBOX);
    let to = section.list::<Mailbox>("to", MAILBOX);
    for (key, hint) in [
        ("smart_host", "where alert mail goes in; best by another way than the mail under test"),
        ("from", "the sender of alert mail"),
        ("to", "to = [\"postmaster@contoso.test\"]"),
    ] {
        if !section.has(key) {
            section.missing(key, hint);
        }
    }
    if section.is_empty_list("to") {
        section.mistake("to", "must hold at least one address", MAILBOX);
    }
    section.refuse(
        &["password"],
        "secrets are read from files, never written here",
        "password_file = \"FILE\"",
    );
    let username = section.text("username");
    let password_file = files.file(section, "password_file", FileKind::Secret);
    let login = login(section, username, password_file);
    let ca_file = files.file(section, "ca_file", FileKind::Certificates);
    let to = values(to);
    if to.is_empty() {
        return None;
    }
    let way = way?.value;
    if login.is_some() && !way.is_safe() {
        section.warn(
            "smart_host",
            "the password may go over the network in clear",
            "use smtps:// or smtp+starttls://",
        );
    }
    Some(MailTarget {
        security: way.security,
        host: way.host,
        port: way.port,
        from: from?.value,
        to,
        login,
        ca_file,
    })
}

fn login(
    section: &Section<'_>,
    username: Option<Placed<String>>,
    password_file: Option<PathBuf>,
) -> Option<SmtpLogin> {
    if section.has("password_file") && !section.has("username") {
        section.mistake("password_file", "needs username", "");
    }
    if section.has("username") && !section.has("password_file") {
        section.mistake("username", "needs password_file", "password_file = \"FILE\"");
    }
    Some(SmtpLogin { username: username?.value, password_file: password_file? })
}

fn mute(section: &Section<'_>, partners: &[&str]) -> Option<Mute> {
    let partner = section.text("partner");
    let labels = section.labels("labels");
    let why = section.text("why");
    if !section.has("why") {
        section.missing("why", "whoever wonders about the silence reads it");
    }
    let when = when(section);
    let whom = match (partner, labels.is_empty()) {
        (Some(_), false) => {
            section.mistake("labels", "stands beside partner", "one of the two is enough");
            None
        }
        (Some(name), true) if name.value == "*" => Some(Whom::Everybody),
        (Some(name), true) => {
            knows(section, &name, partners);
            Some(Whom::Partner(name.value))
        }
        (None, false) => Some(Whom::Labels(labels)),
        (None, true) => {
            if !section.has("partner") {
                section
                    .missing("partner", "partner = \"NAME\", or \"*\" for all, or labels = { … }");
            }
            None
        }
    };
    Some(Mute { whom: whom?, when: when?, why: why?.value })
}

fn when(section: &Section<'_>) -> Option<When> {
    let from = section.moment("from");
    let until = section.moment("until");
    let weekly = values(section.list_by("weekly", WEEKLY, week_time));
    let lasts = section.duration("for", Zero::Refused);
    if section.has("weekly") {
        section.refuse(&["from", "until"], "stands beside weekly", "a mute is once, or every week");
        if section.is_empty_list("weekly") {
            section.mistake("weekly", "must hold at least one time", WEEKLY);
        }
        if !section.has("for") {
            section.missing("for", "how long it lasts: for = \"4h\"");
        }
        let lasts = lasts?;
        if lasts.value > WEEK {
            section.mistake("for", "is longer than a week", "a mute has an end");
        }
        return (!weekly.is_empty()).then_some(When::Weekly { starts: weekly, lasts: lasts.value });
    }
    if section.has("for") {
        section.mistake("for", "belongs to weekly", "write from and until, or weekly and for");
    }
    for (key, hint) in [
        ("from", "from = 2026-03-01T22:00:00Z"),
        ("until", "a mute has an end: until = 2026-03-02T02:00:00Z"),
    ] {
        if !section.has(key) {
            section.missing(key, hint);
        }
    }
    let (from, until) = (from?.value, until?.value);
    if until <= from {
        section.mistake("until", "is not later than from", "");
    }
    Some(When::Once { from, until })
}

fn week_time(text: &str) -> Result<WeekTime, String> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let wrong = || format!("`{}` is no time of the week", shown(text));
    let (day, time) = text.trim().split_once(' ').ok_or_else(wrong)?;
    let day = (0..).zip(DAYS).find(|(_, name)| day.eq_ignore_ascii_case(name));
    let (hour, minute) = time.trim().split_once(':').ok_or_else(wrong)?;
    let number = |text: &str, limit: u32| {
        let is_two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_two.then(|| text.parse().ok()).flatten().filter(|number: &u32| *number < limit)
    };
    let (day, _): (u32, _) = day.ok_or_else(wrong)?;
    let hour = number(hour, 24).ok_or_else(wrong)?;
    let minute = number(minute, 60).ok_or_else(wrong)?;
    Ok(WeekTime { minute: (day * 24 + hour) * 60 + minute })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_week_are_a_day_and_a_clock() {
        #[track_caller]
        fn check(text: &str, minute: Option<u32>) {
            assert_eq!(week_time(text).ok().map(|time| time.minute), minute, "{text}");
        }
        check("mon 00:00", Some(0));
        check("Sun 22:30", Some((6 * 24 + 22) * 60 + 30));
        check("sunday 22:30", None);
        check("sun 24:00", None);
        check("sun 2:00", None);
        check("sun", None);
        check("22:00", None);
    }

    #[test]
    fn clear_http_stays_on_this_host() {
        #[track_caller]
        fn check(url: &str, is_fine: bool) {
            assert_eq!(fits(url, ClearHttp::Loopback).is_ok(), is_fine, "{url}");
        }
        check("https://alerts.contoso.test/x", true);
        check("http://127.0.0.1:9093", true);
        check("http://[::1]:9093/x", true);
        check("http://localhost", true);
        check("http://localhost.contoso.test", false);
        check("http://192.0.2.1:9093", false);
        check("http://127.0.0.1.contoso.test", false);
        check("ftp://127.0.0.1", false);
        check("https://user:geheim@alerts.contoso.test", false);
        assert!(fits("http://alertmanager:9093", ClearHttp::Anywhere).is_ok());
    }
}
