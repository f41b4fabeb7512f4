//! A change in words, for whoever reads the history: commands and pages say it alike.

use crate::model::event::Happening;

/// A change in words. They may hold what strangers said: whoever shows them makes them harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// The word for scripts.
    pub word: &'static str,
    /// What happened.
    pub what: String,
    /// Why, as far as it is known.
    pub why: String,
    /// The digest of the evidence; empty where there is none.
    pub evidence: String,
}

impl Phrase {
    /// What this is in words.
    pub fn of(what: &Happening) -> Self {
        let said = |word, what: &str, why: &str| Self {
            word,
            what: what.to_owned(),
            why: why.to_owned(),
            evidence: String::new(),
        };
        match what {
            Happening::ConfigReloaded { detail } => {
                said("config-reloaded", "configuration reloaded", detail)
            }
            Happening::Noticed { finding } => {
                let mut why = finding.subject.clone();
                for (label, text) in [("seen", &finding.seen), ("expected", &finding.expected)] {
                    if !text.is_empty() {
                        why.push_str(&format!("; {label} {text}"));
                    }
                }
                said("noticed", finding.id.as_str(), &why)
            }
            Happening::SelfOutageBegan { detail } => {
                said("self-outage-began", "our own outage began", detail)
            }
            Happening::SelfOutageEnded { detail } => {
                said("self-outage-ended", "our own outage ended", detail)
            }
            Happening::Started { version } => {
                said("started", "mxwarden started", &format!("version {version}"))
            }
            Happening::StateChanged { from, to, summary, findings, obstacles, evidence } => {
                let ids = findings.iter().map(|id| id.as_str());
                let ids: Vec<&str> = ids.chain(obstacles.iter().map(|id| id.as_str())).collect();
                let why = match ids.as_slice() {
                    [] => summary.clone(),
                    ids => format!("{summary} ({})", ids.join(", ")),
                };
                let evidence = evidence.clone();
                Self { evidence, ..said("state-changed", &format!("{from} → {to}"), &why) }
            }
            Happening::Stopped => said("stopped", "mxwarden stopped", ""),
        }
    }
}
