//! Postfix' rules for mail from us, from `postconf` and the tables of `smtp_tls_policy_maps`, into
//! [`model::imported`](crate::model::imported).
//!
//! 1. A file is the output of `postconf` or a table; which, its lines tell.
//! 2. Each entry of a table is a rule, and `smtp_tls_security_level` is the one for all other domains.
//! 3. With a `relayhost` all mail goes there, and the rule is the one for that host.
//!
//! Invariant: what Postfix would look up elsewhere (a database, master.cf) is told, never guessed.
//!
//! The words are those of `postconf(5)` and of Postfix' TLS_README.

mod policy;
#[cfg(test)]
mod tests;

use super::{
    exchange::{Read, shape::text, whole_seconds},
    import::{ExportFile, ImportErrors, LARGEST, Remark},
};
use crate::model::imported::{AcceptedDomain, DomainPattern, Imported, OutboundRecord, Platform};
use crate::wire::name::Domain;
use jiff::Timestamp;
use policy::{Policy, Setting};
use std::{collections::BTreeMap, path::Path};

/// Reads exports, by a clock that says `now`. None of them says when it was made: the oldest file counts.
///
/// # Errors
///
/// Every mistake of every file.
pub fn read(files: &[ExportFile], now: Timestamp) -> Result<Read, ImportErrors> {
    let mut told = Told::default();
    let mut settings: BTreeMap<String, String> = BTreeMap::new();
    let mut entries: Vec<Entry> = Vec::new();
    let mut tables = 0;
    for file in files {
        let Some(lines) = lines(file, &mut told) else { continue };
        if lines
            .iter()
            .all(|(_, line)| line.split_once('=').is_some_and(|(name, _)| is_parameter(name)))
        {
            let pairs = lines.iter().filter_map(|(_, line)| line.split_once('='));
            settings.extend(
                pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())),
            );
        } else {
            tables += 1;
            let read = lines.into_iter().map(|(number, line)| Entry::of(&file.path, number, &line));
            entries.extend(read);
        }
    }
    let postconf = Postconf {
        settings,
        given: files.first().map(|file| file.path.clone()).unwrap_or_default(),
    };
    postconf.check(tables, &mut told);
    let oldest = files.iter().map(|file| file.written_at).min().map_or(now, |at| at.min(now));
    let mut imported = Imported::empty(Platform::Postfix, whole_seconds(oldest));
    imported.outbound = Some(records(&postconf, &entries, &mut told));
    imported.accepted_domains = Some(postconf.domains());
    let Told { mistakes, notes } = told;
    if mistakes.is_empty() {
        Ok(Read { imported, notes })
    } else {
        Err(ImportErrors { mistakes, notes })
    }
}

#[derive(Debug, Default)]
struct Told {
    mistakes: Vec<Remark>,
    notes: Vec<Remark>,
}

fn remark(file: &Path, place: impl Into<String>, what: impl Into<String>, hint: &str) -> Remark {
    let hint = (!hint.is_empty()).then(|| hint.to_owned());
    Remark { file: file.to_owned(), place: place.into(), what: what.into(), hint }
}

/// The logical lines of a file with their numbers: without comments, and with what was continued joined.
fn lines(file: &ExportFile, told: &mut Told) -> Option<Vec<(usize, String)>> {
    let text = if file.bytes.len() as u64 > LARGEST {
        Err(format!("is larger than {} MiB", LARGEST / 1024 / 1024))
    } else {
        text(&file.bytes)
    };
    let text = match text {
        Ok(text) => text,
        Err(what) => {
            told.mistakes.push(remark(&file.path, "", what, ""));
            return None;
        }
    };
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, before)) if line.starts_with([' ', '\t']) => {
                before.push(' ');
                before.push_str(bare);
            }
            _ => lines.push((at + 1, bare.to_owned())),
        }
    }
    if lines.is_empty() {
        told.notes.push(remark(&file.path, "", "holds nothing", ""));
        return None;
    }
    Some(lines)
}

fn is_parameter(name: &str) -> bool {
    let name = name.trim_end();
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// One line of a table.
#[derive(Debug, Clone)]
struct Entry {
    file: std::path::PathBuf,
    line: usize,
    key: String,
    policy: String,
}

impl Entry {
    fn of(file: &Path, line: usize, text: &str) -> Self {
        let (key, policy) = text.split_once([' ', '\t']).unwrap_or((text, ""));
        Self { file: file.to_owned(), line, key: key.to_owned(), policy: policy.trim().to_owned() }
    }

    fn place(&self) -> String {
        format!(
            "line {}: {}",
            self.line,
            crate::wire::text::printable_within(self.key.as_bytes(), 80)
        )
    }
}

/// What `postconf` said.
struct Postconf {
    settings: BTreeMap<String, String>,
    given: std::path::PathBuf,
}

impl Postconf {
    /// A setting with the settings it refers to in their places; empty where it is not set.
    fn value(&self, name: &str) -> String {
        self.expanded(self.settings.get(name).map_or("", String::as_str), 8)
    }

    fn expanded(&self, text: &str, depth: u8) -> String {
        let mut rest = text;
        let mut whole = String::new();
        while let Some((before, behind)) = rest.split_once('$') {
            whole.push_str(before);
            let (name, after) =
                match behind.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
                    Some(pair) => pair,
                    None => {
                        let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                        behind.split_at(end.unwrap_or(behind.len()))
                    }
                };
            if let (Some(value), 1..) = (self.settings.get(name), depth) {
                whole.push_str(&self.expanded(value, depth - 1));
            }
            rest = after;
        }
        whole.push_str(rest);
        whole
    }

    fn is_there(&self) -> bool {
        !self.settings.is_empty()
    }

    /// What keeps the tables from being the whole truth.
    fn check(&self, tables: usize, told: &mut Told) {
        if !self.is_there() {
            let hint = "postconf > postconf.txt";
            let what =
                "none of the files is the output of postconf, which says what the tables are for";
            told.mistakes.push(remark(&self.given, "", what, hint));
            return;
        }
        let maps = self.value("smtp_tls_policy_maps");
        if !maps.is_empty() && tables == 0 {
            let what = format!("smtp_tls_policy_maps is {maps}, and no table was given");
            let hint = "give the file that it names as well, as text";
            told.mistakes.push(remark(&self.given, "", what, hint));
        }
        if maps.is_empty() && tables > 0 {
            let what = "smtp_tls_policy_maps is empty: Postfix looks into no table";
            told.mistakes.push(remark(&self.given, "", what, "give the output of postconf alone"));
        }
        let text_types = ["hash:", "lmdb:", "texthash:", "cdb:", "btree:", "dbm:", "sdbm:"];
        for map in maps.split([',', ' ']).filter(|map| !map.is_empty()) {
            if !text_types.iter().any(|known| map.starts_with(known)) {
                let what = format!(
                    "smtp_tls_policy_maps names {map}, which is no text: what it answers is not imported"
                );
                told.mistakes.push(remark(
                    &self.given,
                    "",
                    what,
                    "the records would say less than Postfix does",
                ));
            }
        }
        let per_site = self.value("smtp_tls_per_site");
        for (name, value) in
            [("transport_maps", self.value("transport_maps")), ("smtp_tls_per_site", per_site)]
        {
            if !value.is_empty() {
                let what = format!(
                    "{name} is {value}: mail that it sends elsewhere has the rule of that place"
                );
                told.notes.push(remark(&self.given, "", what, ""));
            }
        }
    }

    /// Our mail domains, as far as they are written out.
    fn domains(&self) -> Vec<AcceptedDomain> {
        let mut domains: Vec<AcceptedDomain> = Vec::new();
        for name in
            ["mydestination", "virtual_mailbox_domains", "virtual_alias_domains", "relay_domains"]
        {
            let value = self.value(name);
            for word in value
                .split([',', ' ', '\t'])
                .filter(|word| word.contains('.') && !word.contains([':', '/']))
            {
                let is_local = word.starts_with("localhost");
                if let (Ok(domain), false) = (word.parse::<Domain>(), is_local)
                    && !domains.iter().any(|known| known.domain == domain)
                {
                    domains.push(AcceptedDomain { domain, is_default: None });
                }
            }
        }
        domains
    }

    fn setting(&self) -> Setting {
        Setting {
            mandatory_protocols: self.value("smtp_tls_mandatory_protocols"),
            secure_match: self.value("smtp_tls_secure_cert_match"),
            verify_match: self.value("smtp_tls_verify_cert_match"),
        }
    }
}

fn records(postconf: &Postconf, entries: &[Entry], told: &mut Told) -> Vec<OutboundRecord> {
    let setting = postconf.setting();
    let default = match postconf.value("smtp_tls_security_level") {
        // postconf(5): without a level the two old switches decide.
        level if level.is_empty() => match (
            postconf.value("smtp_enforce_tls").as_str(),
            postconf.value("smtp_use_tls").as_str(),
        ) {
            ("yes", _) => "encrypt",
            (_, "yes") => "may",
            _ => "none",
        }
        .to_owned(),
        level => level,
    };
    let relay = postconf.value("relayhost");
    let mut records = Vec::new();
    let mut of_relay = None;
    for entry in entries {
        let (key, is_for_domain) = match entry.key.strip_prefix('.') {
            Some(rest) => (format!("*.{rest}"), true),
            None => (entry.key.clone(), !entry.key.starts_with('[')),
        };
        let policy = match Policy::parse(&entry.policy, &setting, &entry.key) {
            Ok(policy) => policy,
            Err(what) => {
                told.mistakes.push(remark(
                    &entry.file,
                    entry.place(),
                    what,
                    "TLS_README lists the words of a policy",
                ));
                continue;
            }
        };
        if entry.key == relay {
            of_relay = Some(policy);
            continue;
        }
        match (is_for_domain && relay.is_empty(), key.parse::<DomainPattern>()) {
            (true, Ok(pattern)) => records.push(policy.record(&entry.key, pattern, None)),
            (false, _) if !relay.is_empty() => {
                let what = format!("is never looked up: all mail goes to the relayhost {relay}");
                told.notes.push(remark(
                    &entry.file,
                    entry.place(),
                    what,
                    "unless transport_maps sends it there",
                ));
            }
            (false, _) => {
                let what = "is for a next hop and not for a mail domain: it is left out";
                told.notes.push(remark(&entry.file, entry.place(), what, ""));
            }
            (true, Err(error)) => {
                told.mistakes.push(remark(
                    &entry.file,
                    entry.place(),
                    error.to_string(),
                    "a table of names is needed, not one of patterns",
                ));
            }
        }
    }
    let name = if relay.is_empty() { "smtp_tls_security_level" } else { "relayhost" };
    let policy = match of_relay {
        Some(policy) => Ok(policy),
        None => Policy::parse(&default, &setting, relay.as_str()),
    };
    match policy {
        Ok(policy) => {
            let relay = (!relay.is_empty()).then_some(relay.as_str());
            records.push(policy.record(name, DomainPattern::All, relay));
        }
        Err(what) => {
            told.mistakes.push(remark(&postconf.given, "smtp_tls_security_level", what, ""))
        }
    }
    records
}
