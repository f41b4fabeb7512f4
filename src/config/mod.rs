//! The configuration (contract §8): read from TOML, held against itself, and told wrong all at once.
//!
//! 1. The text is parsed into a tree that knows where everything stands.
//! 2. Every table is read into the nouns of [`model`](crate::model); what does not fit is told and left out.
//! 3. The tables are held against each other.
//! 4. [`Config::read`] opens the files that are named, and tells what is wrong with them.
//! 5. One mistake, and there is no configuration; a warning leaves it as it is.
//!
//! Invariant: no key is passed over in silence; defaults stand here and in [`model`](crate::model) alone; no
//! secret is ever in the text, in a value or in a message.

mod agree;
mod alert;
mod canary;
mod connector;
pub mod draft;
mod error;
pub mod exchange;
mod files;
pub mod import;
mod partner;
pub mod postfix;
mod running;
mod section;
pub mod settings;
mod span;
mod submit;
mod told;
mod unclaimed;
mod words;

#[cfg(test)]
mod tests;

pub use error::{ConfigError, ConfigErrors, Mistake};
pub use files::{SecretError, is_unseen, secret};
pub use span::duration;
pub use unclaimed::needs;

use crate::model::{
    alert::Alerting,
    canary::Canary,
    claim::{Claim, Direction, Statement},
    connector::{InboundConnector, OutboundConnector},
    limits::Limits,
    partner::{Organisation, Partner},
};
use connector::Rule;
use files::Files;
use section::Section;
use settings::{
    ClaimTimes, Dns, Http, ImportedRecords, Ports, Record, ReplyRule, Rounds, TlsRoots,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use told::{Remarks, Told};
use toml::de::DeTable;

/// Where a configuration is looked for when nobody says.
pub const DEFAULT_PATH: &str = "/etc/mxwarden/mxwarden.toml";

/// Everything the operator has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where what must outlive us is kept.
    pub state_dir: PathBuf,
    /// Us.
    pub organisation: Organisation,
    /// How names are looked up.
    pub dns: Dns,
    /// The roots a chain may end at.
    pub tls: TlsRoots,
    /// The rules for mail from us.
    pub outbound: Vec<OutboundConnector>,
    /// The rules for mail to us.
    pub inbound: Vec<InboundConnector>,
    /// The other sides.
    pub partners: Vec<Partner>,
    /// Our receivers that misbehave.
    pub canaries: Vec<Canary>,
    /// Ports of strangers.
    pub ports: Ports,
    /// How often each claim is proved.
    pub claims: ClaimTimes,
    /// How looks are made and compared.
    pub rounds: Rounds,
    /// How long evidence is kept.
    pub record: Record,
    /// The dashboard and its kin.
    pub http: Http,
    /// How much a stranger may make us do.
    pub limits: Limits,
    /// Replies the operator has explained.
    pub replies: Vec<ReplyRule>,
    /// What our mail systems say of their own connectors.
    pub imported: ImportedRecords,
    /// What the operator wants to be told, where, and when not.
    pub alerting: Alerting,
    /// Outbound connectors whose submission is not in this version, with what it is: their
    /// `sender-enforces` is unknown, not absent.
    pub not_yet: BTreeMap<String, String>,
}

/// A configuration that can be used, and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What the operator should think about.
    pub warnings: Vec<Mistake>,
    /// Secrets below `$CREDENTIALS_DIRECTORY` where it is not set: whatever needs none of them can be done all the same.
    pub unseen: Vec<Mistake>,
}

impl Loaded {
    /// The same for who needs every secret.
    ///
    /// # Errors
    ///
    /// Secrets that cannot be looked at here.
    pub fn whole(self) -> Result<Self, ConfigErrors> {
        let Some(first) = self.unseen.first() else { return Ok(self) };
        let file = first.file.clone();
        Err(ConfigErrors { file, mistakes: self.unseen, warnings: self.warnings })
    }
}

impl Config {
    /// Reads a file, and looks at the files it names.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or every mistake that is in it.
    pub fn read(path: &Path) -> Result<Loaded, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let told = Told::new(path, &text);
        let files = Files::of(path, credentials());
        let mut config = parse(&told, &text, &files);
        files.check(&told);
        if let Some(config) = &mut config {
            // What could not be read was told by now.
            let read = config.imported.files.iter().filter_map(|path| files::records(path));
            config.imported.records = read.collect();
        }
        Ok(loaded(path, told, config)?)
    }

    /// Reads a text that stands in `file`, without looking at the files it names.
    ///
    /// # Errors
    ///
    /// Every mistake that is in it.
    pub fn parse(text: &str, file: &Path) -> Result<Loaded, ConfigErrors> {
        let told = Told::new(file, text);
        let config = parse(&told, text, &Files::of(file, credentials()));
        loaded(file, told, config)
    }

    /// Every key, with its default and a sentence.
    pub fn example() -> &'static str {
        include_str!("../../config/example.toml")
    }

    /// The outbound connector of this name.
    pub fn outbound(&self, name: &str) -> Option<&OutboundConnector> {
        self.outbound.iter().find(|connector| connector.name == name)
    }

    /// The inbound connector of this name.
    pub fn inbound(&self, name: &str) -> Option<&InboundConnector> {
        self.inbound.iter().find(|connector| connector.name == name)
    }

    /// The partner of this name.
    pub fn partner(&self, name: &str) -> Option<&Partner> {
        self.partners.iter().find(|partner| partner.name == name)
    }

    /// The claims that are configured for a partner; the others are absent, not unknown.
    pub fn claims_of(&self, partner: &Partner) -> Vec<Claim> {
        let mut claims = Vec::new();
        let mut claim = |direction, statement| claims.push(Claim { direction, statement });
        if let Some(connector) = partner.outbound.as_deref().and_then(|name| self.outbound(name)) {
            if self.imported.speaks_of(Direction::Outbound, &connector.name) {
                claim(Direction::Outbound, Statement::Configured);
            }
            claim(Direction::Outbound, Statement::ReceiverOffers);
            if partner.receiver_enforces.is_some() {
                claim(Direction::Outbound, Statement::ReceiverEnforces);
            }
            // A clone is proved by the canaries of its original.
            let original = connector.proved_on.as_deref().and_then(|name| self.outbound(name));
            if self.is_sending_probes(connector)
                || original.is_some_and(|o| self.is_sending_probes(o))
            {
                claim(Direction::Outbound, Statement::SenderEnforces);
            }
        }
        if let Some(connector) = partner.inbound.as_deref().and_then(|name| self.inbound(name)) {
            if self.imported.speaks_of(Direction::Inbound, &connector.name) {
                claim(Direction::Inbound, Statement::Configured);
            }
            claim(Direction::Inbound, Statement::ReceiverOffers);
            if connector.probe.is_some() {
                claim(Direction::Inbound, Statement::ReceiverEnforces);
            }
            if partner.echo.is_some() {
                claim(Direction::Inbound, Statement::SenderEnforces);
            }
        }
        claims
    }

    fn is_sending_probes(&self, connector: &OutboundConnector) -> bool {
        let submits = connector.submit.is_some() || self.not_yet.contains_key(&connector.name);
        submits && !connector.canaries.is_empty()
    }
}

/// What systemd hands a service its credentials in.
fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

fn loaded(file: &Path, told: Told<'_>, config: Option<Config>) -> Result<Loaded, ConfigErrors> {
    let is_wrong = told.is_wrong();
    let Remarks { mistakes, warnings, unseen } = told.into_remarks();
    match config {
        Some(config) if !is_wrong => Ok(Loaded { config, warnings, unseen }),
        _ => Err(ConfigErrors { file: file.to_owned(), mistakes, warnings }),
    }
}

/// The configuration as far as it could be read; what is wrong with it is told.
fn parse(told: &Told<'_>, text: &str, files: &Files) -> Option<Config> {
    let tree = match DeTable::parse(text) {
        Ok(tree) => tree,
        Err(error) => {
            told.syntax(error.span(), error.message());
            return None;
        }
    };
    let root = Section::root(told, tree.get_ref());
    if !root.has("organisation") {
        let hint = "write [organisation] with name and domains";
        root.missing("organisation", hint);
    }
    let organisation = root.section("organisation");
    let organisation =
        organisation.is_there().then(|| partner::organisation(&organisation)).flatten();
    let connectors: Vec<_> = root
        .sections("connector")
        .into_iter()
        .map(|section| connector::read(section, files))
        .collect();
    let partners: Vec<_> = root.sections("partner").iter().map(partner::read).collect();
    let canaries: Vec<_> =
        root.sections("canary").iter().map(|section| canary::read(section, files)).collect();
    agree::Tables {
        told,
        organisation: organisation.as_ref(),
        connectors: &connectors,
        partners: &partners,
        canaries: &canaries,
    }
    .check();
    let rounds = running::rounds(&root.section("rounds"));
    let names: Vec<&str> =
        partners.iter().filter_map(|read| Some(read.name.as_ref()?.value.as_str())).collect();
    let settings = Settings {
        state_dir: root.path("state_dir").map(|path| files.absolute(path.value)),
        dns: running::dns(&root.section("dns"), files),
        tls: running::tls(&root.section("tls"), files),
        ports: running::ports(&root.section("probe")),
        claims: running::claims(&root.section("claims")),
        record: running::record(&root.section("record")),
        http: running::http(&root.section("http"), files),
        limits: running::limits(&root.section("limits"), &rounds),
        replies: root.sections("reply").iter().filter_map(running::reply).collect(),
        imported: running::imported(&root.section("imported"), files),
        alerting: alert::read(&root, files, &names),
        rounds,
    };
    let canaries = canaries.into_iter().filter_map(|read| read.canary).collect();
    let partners = partners.into_iter().filter_map(|read| read.partner).collect();
    Some(settings.with(organisation?, connectors, partners, canaries))
}

/// What is about no partner.
struct Settings {
    state_dir: Option<PathBuf>,
    dns: Dns,
    tls: TlsRoots,
    ports: Ports,
    claims: ClaimTimes,
    rounds: Rounds,
    record: Record,
    http: Http,
    limits: Limits,
    replies: Vec<ReplyRule>,
    imported: ImportedRecords,
    alerting: Alerting,
}

impl Settings {
    fn with(
        self,
        organisation: Organisation,
        connectors: Vec<connector::ReadConnector>,
        partners: Vec<Partner>,
        canaries: Vec<Canary>,
    ) -> Config {
        let (mut inbound, mut outbound) = (Vec::new(), Vec::new());
        let mut not_yet = BTreeMap::new();
        for read in connectors {
            match read.rule {
                Some(Rule::Inbound(connector)) => inbound.push(*connector),
                Some(Rule::Outbound(connector)) => {
                    not_yet.extend(read.not_yet.map(|what| (connector.name.clone(), what)));
                    outbound.push(*connector);
                }
                None => {}
            }
        }
        Config {
            state_dir: self.state_dir.unwrap_or_else(|| PathBuf::from("/var/lib/mxwarden")),
            organisation,
            dns: self.dns,
            tls: self.tls,
            outbound,
            inbound,
            partners,
            canaries,
            ports: self.ports,
            claims: self.claims,
            rounds: self.rounds,
            record: self.record,
            http: self.http,
            limits: self.limits,
            replies: self.replies,
            imported: self.imported,
            alerting: self.alerting,
            not_yet,
        }
    }
}
