//! How the canary domains come under Exchange Online's connectors, and away again, as PowerShell to paste.
//!
//! 1. The connector under test takes them itself where it can: no proof is better than one of the same object.
//! 2. Where it cannot, a clone takes them that differs in nothing but domains and name.
//! 3. What is there already is not added again.

use super::canaries::{clone_name, domains, needs_clone};
use super::ground::{Ground, domain_of};
use crate::model::{
    imported::{ConnectorType, Forced, OutboundRecord, PolicyMode},
    requirement::Level,
};
use crate::wire::text::printable_within;
use std::fmt::Write as _;

/// Two scripts that undo each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Adds the canary domains.
    pub add: String,
    /// Removes them.
    pub remove: String,
}

/// The scripts; none where nothing says below which domain the canaries are.
pub(super) fn script(ground: &Ground<'_>) -> Option<Script> {
    let mut script = Script { add: String::new(), remove: String::new() };
    for record in ground.imported.outbound.iter().flatten() {
        let is_partners = ground.is_for_partners(&record.domains);
        if is_partners && record.connector_type != Some(ConnectorType::OnPremises) {
            one(ground, record, &ground.zone(record)?, &mut script);
        }
    }
    Some(script)
}

fn one(ground: &Ground<'_>, record: &OutboundRecord, zone: &str, script: &mut Script) {
    let all = domains(record, zone);
    let is_there = |domain: &str| {
        record.domains.iter().filter_map(domain_of).any(|there| there.as_str() == domain)
    };
    let listed = |domains: &mut dyn Iterator<Item = &String>| {
        domains.map(|domain| quoted(domain)).collect::<Vec<_>>().join(",")
    };
    let list = listed(&mut all.iter().map(|(_, domain)| domain));
    let new = listed(&mut all.iter().map(|(_, domain)| domain).filter(|one| !is_there(one)));
    let name = quoted(&record.name);
    match needs_clone(ground, record) {
        None => {
            if !new.is_empty() {
                let _ = writeln!(
                    script.add,
                    "Set-OutboundConnector -Identity {name} -RecipientDomains @{{Add={new}}}"
                );
            }
            let _ = writeln!(
                script.remove,
                "Set-OutboundConnector -Identity {name} -RecipientDomains @{{Remove={list}}}"
            );
        }
        Some(why) => {
            let clone = quoted(&clone_name(record));
            if !ground.has_clone(record) {
                let _ = writeln!(script.add, "# A clone of {name}: {why}.");
                let _ = writeln!(
                    script.add,
                    "New-OutboundConnector -Name {clone} {}",
                    parameters(record, zone, &list)
                );
            }
            let _ = writeln!(
                script.remove,
                "Remove-OutboundConnector -Identity {clone} -Confirm:$false"
            );
        }
    }
    if record.rule_scoped == Some(true) && !new.is_empty() {
        let _ = writeln!(
            script.add,
            "# {name} works through mail flow rules: add the canary domains to the RecipientDomainIs of the rule that sends mail to it."
        );
    }
}

fn parameters(record: &OutboundRecord, zone: &str, list: &str) -> String {
    let mut told = format!("-ConnectorType Partner -UseMXRecord $true -RecipientDomains {list}");
    match record.forced {
        Some(Forced::At(Level::Encrypt)) => told.push_str(" -TlsSettings EncryptionOnly"),
        Some(Forced::At(Level::Ca)) => told.push_str(" -TlsSettings CertificateValidation"),
        Some(Forced::At(Level::Name)) => {
            let _ = write!(told, " -TlsSettings DomainValidation -TlsDomain '*.{zone}'");
        }
        Some(Forced::At(Level::Dane | Level::MtaSts | Level::Pinned) | Forced::Not) | None => {}
    }
    for (name, mode) in [("MtaStsMode", record.mta_sts), ("SmtpDaneMode", record.dane)] {
        // What is Opportunistic is so by default.
        if let Some(mode @ (PolicyMode::Mandatory | PolicyMode::None)) = mode {
            let _ = write!(told, " -{name} {}", mode.as_str());
        }
    }
    let flag = |flag: Option<bool>| if flag == Some(false) { "$false" } else { "$true" };
    let _ = write!(told, " -Enabled {}", flag(record.enabled));
    if record.rule_scoped == Some(true) {
        told.push_str(" -IsTransportRuleScoped $true");
    }
    if record.test_mode == Some(true) {
        told.push_str(" -TestMode $true");
    }
    told
}

/// A text that PowerShell takes for itself, on one line.
fn quoted(text: &str) -> String {
    // PowerShell takes four typographic quotes for the plain one.
    let one_line = printable_within(text.as_bytes(), 300);
    let mut quoted = String::from("'");
    for character in one_line.chars() {
        quoted.push(character);
        if matches!(character, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            quoted.push(character);
        }
    }
    quoted.push('\'');
    quoted
}
