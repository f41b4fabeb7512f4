//! Reads `[[canary]]`.

use super::{
    files::{FileKind, Files},
    section::Section,
    told::Placed,
    words::{DOMAIN, HOST, address, socket, values},
};
use crate::model::canary::{Canary, Personality, RemoteCanary};
use crate::wire::name::{Domain, Host};

/// One canary, with the places the connectors are held against.
pub(super) struct ReadCanary {
    pub(super) personality: Option<Personality>,
    pub(super) domains: Vec<Placed<Domain>>,
    pub(super) canary: Option<Canary>,
}

pub(super) fn read(section: &Section<'_>, files: &Files) -> ReadCanary {
    let words = Personality::ALL.map(|personality| (personality.as_str(), personality));
    let personality = section.word("personality", &words).map(|word| word.value);
    let hint = "an address of this host and a port: listen = [\"192.0.2.9:25\"]";
    let listen = section.list_by("listen", hint, |text| socket(text, None));
    let public = section.list_by("public", "write the address that senders connect to", address);
    let domains = section.list::<Domain>("domains", DOMAIN);
    let hostname = section.parsed::<Host>("hostname", HOST);
    let certificate = files.certificate(section, "certificate");
    let remote = remote(section, files);
    for (key, hint) in [
        ("personality", "how it misbehaves; good is the control"),
        ("domains", "the recipient domains it takes probes for"),
        ("hostname", "its MX host name: what it greets with and what its certificate is for"),
    ] {
        if !section.has(key) {
            section.missing(key, hint);
        }
    }
    let is_remote = section.has("remote");
    if is_remote && section.has_items("listen") {
        section.mistake(
            "listen",
            "a remote canary does not listen here",
            "leave one of the two out",
        );
    } else if !is_remote && section.is_list_or_absent("listen") && !section.has_items("listen") {
        section.missing("listen", hint);
    }
    let canary = personality.zip(hostname).map(|(personality, hostname)| Canary {
        personality,
        listen: values(listen),
        public: values(public),
        domains: domains.iter().map(|domain| domain.value.clone()).collect(),
        hostname: hostname.value,
        certificate,
        remote,
    });
    ReadCanary { personality, domains, canary }
}

fn remote(section: &Section<'_>, files: &Files) -> Option<RemoteCanary> {
    let url = section.text("remote");
    let token_file = files.file(section, "token_file", FileKind::Secret);
    section.refuse(
        &["token"],
        "secrets are read from files, never written here",
        "write the token into a file that only mxwarden reads, and token_file = \"FILE\"",
    );
    let Some(url) = url else {
        if section.has("token_file") {
            section.mistake("token_file", "belongs to a remote canary", "remote = \"https://…\"");
        }
        return None;
    };
    if !url.value.starts_with("https://") || url.value.contains('@') {
        // Not shown: there may be a password in it.
        let what = "is no https:// address without a user name";
        let hint = "remote = \"https://HOST:PORT\", and its token in token_file";
        section.mistake("remote", what, hint);
    }
    if !section.has("token_file") {
        section.missing("token_file", "the remote canary asks for its token");
    }
    section.warn("remote", "not in this version: remote canaries; the claim will be unknown", "");
    Some(RemoteCanary { url: url.value, token_file: token_file? })
}
