//! Reads `[connector.submit]`: how probe mail enters our mail system.

use super::{
    files::{FileKind, Files},
    section::{Section, shown},
    words::MAILBOX,
};
use crate::model::connector::{Credentials, OAuth2Client, Submit, SubmitHost, SubmitSecurity};
use crate::wire::mailbox::Mailbox;
use core::net::IpAddr;

const URL: &str = "smtp://HOST[:PORT], smtps://, smtp+starttls://, smtp+plain:// or graph://";

/// Submission, or why there is none in this version.
#[derive(Default)]
pub(super) struct ReadSubmit {
    pub(super) submit: Option<Submit>,
    pub(super) not_yet: Option<String>,
}

/// Where mail goes in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    Graph,
    Smtp(SubmitSecurity, SubmitHost, u16),
}

pub(super) fn read(section: &Section<'_>, files: &Files) -> ReadSubmit {
    let way = section.parsed_by("url", URL, way);
    let from = section.parsed::<Mailbox>("from", MAILBOX);
    if section.is_there() {
        for (key, hint) in
            [("url", URL), ("from", "the envelope sender of probes, an address of ours")]
        {
            if !section.has(key) {
                section.missing(key, hint);
            }
        }
    }
    let login = login(section, files);
    let not_yet = match way.as_ref().map(|way| &way.value) {
        Some(Way::Graph) => Some(("url", "submission through Microsoft Graph")),
        Some(Way::Smtp(..)) | None => None,
    };
    if let Some((key, what)) = not_yet {
        let what = format!("not in this version: {what}; the claim will be unknown");
        section.warn(key, what, "");
        return ReadSubmit { submit: None, not_yet: not_yet.map(|(_, what)| what.to_owned()) };
    }
    let submit = way.zip(from).and_then(|(way, from)| match way.value {
        Way::Graph => None,
        Way::Smtp(security, host, port) => {
            Some(Submit { security, host, port, from: from.value, credentials: login })
        }
    });
    if let Some(submit) = submit.as_ref().filter(|submit| submit.credentials.is_some())
        && !is_safe(submit.security, &submit.host)
    {
        section.warn(
            "url",
            "the password or token may go over the network in clear",
            "use smtps:// or smtp+starttls://",
        );
    }
    ReadSubmit { submit, not_yet: None }
}

/// Who we say we are.
fn login(section: &Section<'_>, files: &Files) -> Option<Credentials> {
    section.refuse(
        &["password"],
        "secrets are read from files, never written here",
        "write the password into a file that only mxwarden reads, and password_file = \"FILE\"",
    );
    let username = section.text("username");
    let password_file = files.file(section, "password_file", FileKind::Secret);
    let table = section.section("oauth2");
    let is_oauth2 = table.is_there();
    let client = oauth2(&table, files);
    if username.is_some() && !section.has("password_file") && !is_oauth2 {
        let what = "is not used: there is neither password_file nor oauth2";
        section.warn("username", what, "password_file = \"FILE\"");
    }
    if section.has("password_file") && !section.has("username") {
        section.mistake("password_file", "needs username", "");
    }
    if is_oauth2 && section.has("password_file") {
        section.mistake("oauth2", "stands beside password_file", "one of the two is enough");
    }
    let graph = section.text("url").is_some_and(|url| url.value.starts_with("graph:"));
    if is_oauth2 && !section.has("username") && !graph {
        let hint = "username = \"tls-probe@contoso.test\": the mailbox that probes are sent as";
        section.mistake("oauth2", "needs username", hint);
    }
    let username = username?.value;
    match (client, password_file) {
        (Some(client), _) => Some(Credentials::OAuth2 { username, client }),
        (None, Some(password_file)) => Some(Credentials::Password { username, password_file }),
        (None, None) => None,
    }
}

/// Whether nobody on the way can read the password.
fn is_safe(security: SubmitSecurity, host: &SubmitHost) -> bool {
    let loopback = matches!(host, SubmitHost::Address(address) if address.is_loopback());
    match security {
        SubmitSecurity::Implicit | SubmitSecurity::Required => true,
        SubmitSecurity::None | SubmitSecurity::Opportunistic => loopback,
    }
}

/// A mail system by SMTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SmtpWay {
    pub(super) security: SubmitSecurity,
    pub(super) host: SubmitHost,
    pub(super) port: u16,
}

impl SmtpWay {
    /// Whether nobody on the way can read a password.
    pub(super) fn is_safe(&self) -> bool {
        is_safe(self.security, &self.host)
    }
}

/// As `url` of `[connector.submit]`, by SMTP alone.
pub(super) fn smtp_way(url: &str) -> Result<SmtpWay, String> {
    match way(url)? {
        Way::Graph => Err(format!("`{}` is no way by SMTP", shown(url))),
        Way::Smtp(security, host, port) => Ok(SmtpWay { security, host, port }),
    }
}

/// The table `oauth2`; what is wrong in it is told.
fn oauth2(section: &Section<'_>, files: &Files) -> Option<OAuth2Client> {
    let url = section.text("token_url");
    if url.as_ref().is_some_and(|url| !url.value.starts_with("https://")) {
        let what = "does not begin with https://";
        section.mistake("token_url", what, "a client secret goes over TLS only");
    }
    let client_id = section.text("client_id");
    let client_secret_file = files.file(section, "client_secret_file", FileKind::Secret);
    let scope = section.text("scope");
    section.refuse(
        &["client_secret"],
        "secrets are read from files, never written here",
        "write the secret into a file that only mxwarden reads, and client_secret_file = \"FILE\"",
    );
    if section.is_there() {
        for key in ["token_url", "client_id", "client_secret_file", "scope"] {
            if !section.has(key) {
                let hint = "oauth2 = { token_url, client_id, client_secret_file, scope }";
                section.missing(key, hint);
            }
        }
    }
    Some(OAuth2Client {
        token_url: url?.value,
        client_id: client_id?.value,
        client_secret_file: client_secret_file?,
        scope: scope?.value,
    })
}

fn way(url: &str) -> Result<Way, String> {
    // A password in the URL would end up in logs, and in the messages below.
    if url.contains('@') {
        return Err("holds a user name: write username and password_file beside it".to_owned());
    }
    let no_way = || format!("`{}` is no way to submit mail", shown(url));
    let (scheme, rest) = url.split_once("://").ok_or_else(no_way)?;
    let (security, port) = match scheme {
        "graph" => return Ok(Way::Graph),
        "smtp" => (SubmitSecurity::Opportunistic, 25),
        "smtp+plain" => (SubmitSecurity::None, 25),
        "smtp+starttls" => (SubmitSecurity::Required, 587),
        "smtps" => (SubmitSecurity::Implicit, 465),
        _ => return Err(no_way()),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, digits) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (address, behind) = rest.split_once(']').ok_or_else(no_way)?;
            (address, behind)
        }
        None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
    };
    let port = match digits.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            let port = digits.parse().ok().filter(|port| *port != 0);
            port.ok_or_else(|| format!("`{}` does not end in a port from 1 to 65535", shown(url)))?
        }
        None if digits.is_empty() => port,
        _ => return Err(format!("`{}` does not end in a port from 1 to 65535", shown(url))),
    };
    let host = match host.parse::<IpAddr>() {
        Ok(address) => SubmitHost::Address(address),
        Err(_) => SubmitHost::Name(host.parse().map_err(|error| format!("{error}"))?),
    };
    Ok(Way::Smtp(security, host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_how_and_where() {
        #[track_caller]
        fn check(url: &str, security: SubmitSecurity, host: &str, port: u16) {
            match way(url).unwrap() {
                Way::Smtp(is, to, at) => {
                    assert_eq!((is, to.to_string().as_str(), at), (security, host, port));
                }
                Way::Graph => panic!("{url} is taken for Graph"),
            }
        }
        check("smtp://127.0.0.1:2525", SubmitSecurity::Opportunistic, "127.0.0.1", 2525);
        check("smtp://mail.contoso.test", SubmitSecurity::Opportunistic, "mail.contoso.test", 25);
        check("smtps://mail.contoso.test/", SubmitSecurity::Implicit, "mail.contoso.test", 465);
        check(
            "smtp+starttls://mail.contoso.test",
            SubmitSecurity::Required,
            "mail.contoso.test",
            587,
        );
        check("smtp+plain://[2001:db8::1]:26", SubmitSecurity::None, "2001:db8::1", 26);
        check("smtp+plain://[::1]", SubmitSecurity::None, "::1", 25);
        assert_eq!(way("graph://contoso.test"), Ok(Way::Graph));
        for bad in [
            "mail.contoso.test",
            "http://mail.contoso.test",
            "smtp://",
            "smtp://mail.contoso.test:0",
            "smtp://mail.contoso.test:",
            "smtp://mail.contoso.test:+25",
            "smtp://user:secret@mail.contoso.test",
            "smtp://[::1",
            "smtp://a b",
        ] {
            assert!(way(bad).is_err(), "{bad}");
        }
        assert!(!way("smtp://user:secret@mail.contoso.test").unwrap_err().contains("secret"));
    }
}
