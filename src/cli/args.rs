//! The command line (contract §5): every command and flag, and what each means to a person.

use super::render::{Format, HistoryFormat};
use crate::model::claim::Claim;
use crate::model::judgement::Quorum;
use crate::model::requirement::{Level, MinVersion, Pin};
use crate::wire::name::{Domain, Host, NamePattern};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Proves that mail between an organisation and its partners is really protected by TLS.
#[derive(Debug, Parser)]
#[command(name = "mxwarden", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 every claim compliant, 1 at least one violated, 2 usage or \
                        configuration error, 3 none violated and at least one unknown.\n\
                        With --format nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Alerts: send a sample.
    Alert(AlertArgs),
    /// The receivers that misbehave on purpose: what they need of DNS.
    Canary(CanaryArgs),
    /// Probe what the mail servers of a domain offer, once.
    Check(Box<CheckArgs>),
    /// Print what completes commands and flags in a shell.
    Completions(CompletionsArgs),
    /// Validate a configuration, or print one with every key.
    Config(ConfigArgs),
    /// Show the whole thing on this machine alone, with servers that misbehave on purpose.
    Demo(DemoArgs),
    /// Examine this host: whether what mxwarden needs of it is there, and how to repair what is not.
    Doctor(DoctorArgs),
    /// Explain a finding or an obstacle: what it means, why it matters, what to do.
    Explain(ExplainArgs),
    /// Write a manual page for every command.
    Manpages(ManpagesArgs),
    /// Tell what changed when and why, from the record.
    History(HistoryArgs),
    /// Prove every configured claim all the time: the daemon.
    Run(RunArgs),
    /// Be silent about a partner for a while, in the daemon that runs.
    Mute(MuteArgs),
    /// Turn the connector records of a mail system into connectors and partners.
    Import(ImportArgs),
    /// Prove every configured claim now: what receivers offer and refuse, and what our own mail system refuses.
    Verify(Box<VerifyArgs>),
}

/// `check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mxwarden check example.org\n  \
    mxwarden check --require ca --min-tls 1.3 example.org example.net\n  \
    mxwarden check --name mail.example.org '[192.0.2.1]:25'\n  \
    mxwarden check --file partners.txt --format csv")]
pub struct CheckArgs {
    /// What to look at.
    #[arg(value_name = "TARGET", help = "A domain, or host:NAME[:PORT], or [ADDRESS]:PORT")]
    pub targets: Vec<String>,
    /// Read more targets from FILE, one a line; # begins a comment; - is standard input.
    #[arg(long, value_name = "LIST")]
    pub file: Option<PathBuf>,
    /// What every endpoint must show.
    #[arg(long, value_name = "LEVEL", default_value = "name")]
    pub require: RequireLevel,
    /// A name one of which the certificate must match, in place of the MX host's own; *.SUFFIX is
    /// any name below it. Repeatable.
    #[arg(long = "name", value_name = "NAME")]
    pub names: Vec<NamePattern>,
    /// SHA-256 of the certificate or of its public key, hexadecimal or base64 (level pinned). Repeatable.
    #[arg(long = "pin", value_name = "SHA256")]
    pub pins: Vec<Pin>,
    /// Lowest TLS version that will do.
    #[arg(long, value_name = "VERSION", default_value = "1.2")]
    pub min_tls: MinTls,
    /// Port of a target that names none; on 465 TLS comes first.
    #[arg(long, value_name = "PORT", default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// Look closer, with more sessions: legacy versions, weak suites, both kinds of certificate.
    #[arg(long)]
    pub deep: bool,
    /// Flags of every probing command.
    #[command(flatten)]
    pub probing: ProbingArgs,
}

/// `alert`.
#[derive(Debug, Args)]
pub struct AlertArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AlertCommand,
}

/// The commands of `alert`.
#[derive(Debug, Subcommand)]
pub enum AlertCommand {
    /// Send a sample through a channel, or through all of them.
    Test(AlertTestArgs),
}

/// `alert test`.
#[derive(Debug, Args)]
pub struct AlertTestArgs {
    /// The channel's name; all of them when none is given.
    #[arg(value_name = "CHANNEL")]
    pub channel: Option<String>,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
}

/// `mute`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    mxwarden mute Fabrikam --for 2h --why \"the partner moves its mail servers\"\n  \
    mxwarden mute --list\n  \
    mxwarden mute Fabrikam --end\n\n\
    The last mute of a partner that was asked for replaces the one before.\n\
    What was told before is not told again when the silence ends.")]
pub struct MuteArgs {
    /// The partner's name.
    #[arg(value_name = "PARTNER", required_unless_present = "list")]
    pub partner: Option<String>,
    /// How long, from now on: 30m, 2h, 7d.
    #[arg(long = "for", value_name = "TIME", value_parser = silence, required_unless_present_any = ["list", "end"])]
    pub lasts: Option<Duration>,
    /// Why; whoever wonders about the silence reads it.
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["list", "end"])]
    pub why: Option<String>,
    /// End the silence about the partner that was asked for.
    #[arg(long, conflicts_with_all = ["lasts", "why", "list"])]
    pub end: bool,
    /// Tell which partners are muted, until when and why.
    #[arg(long, conflicts_with_all = ["lasts", "why", "partner"])]
    pub list: bool,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
}

/// `canary`.
#[derive(Debug, Args)]
pub struct CanaryArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CanaryCommand,
}

/// The commands of `canary`.
#[derive(Debug, Subcommand)]
pub enum CanaryCommand {
    /// Print the DNS records that the configured canaries need.
    Zone(ZoneArgs),
}

/// `canary zone`.
#[derive(Debug, Args)]
pub struct ZoneArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
}

/// `run`.
#[derive(Debug, Args)]
#[command(
    after_help = "SIGHUP reads the configuration again; SIGTERM ends in order, a second one at once.\n\
    The log goes to standard error, as JSON where that is no terminal; RUST_LOG=debug says more.\n\n\
    Exit codes: 0 ended in order, 2 usage or configuration error, 70 a part of the daemon died."
)]
pub struct RunArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
    /// Prove this claim only, such as inbound/receiver-enforces. Repeatable.
    #[arg(long = "claim", value_name = "CLAIM")]
    pub claims: Vec<Claim>,
}

/// `verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mxwarden verify\n  \
    mxwarden verify Fabrikam --claim outbound/sender-enforces --wait 40m\n  \
    mxwarden verify --config mxwarden.toml --format junit\n\n\
    Ends when all is decided, or after --wait; what is open then is unknown (undecided).")]
pub struct VerifyArgs {
    /// Partners to prove the claims of; all of them when none is named.
    #[arg(value_name = "PARTNER")]
    pub partners: Vec<String>,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
    /// Prove this claim only, such as inbound/receiver-enforces. Repeatable.
    #[arg(long = "claim", value_name = "CLAIM")]
    pub claims: Vec<Claim>,
    /// How long to wait for what takes its time: 30s, 20m, 2h.
    #[arg(long, value_name = "TIME", default_value = "20m", value_parser = wait)]
    pub wait: Duration,
    /// Flags of every probing command.
    #[command(flatten)]
    pub probing: ProbingArgs,
}

/// Flags that `check` and `verify` share; for `verify` they outweigh the configuration.
#[derive(Debug, Args)]
pub struct ProbingArgs {
    /// How to print.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Ask this resolver, and no other than those given. Repeatable.
    #[arg(long = "resolver", value_name = "IP[:PORT]", value_parser = resolver)]
    pub resolvers: Vec<SocketAddr>,
    /// How DNSSEC is treated; default: off.
    #[arg(long, value_name = "MODE")]
    pub dnssec: Option<Dnssec>,
    /// DNSSEC trust anchor in place of the built-in one.
    #[arg(long, value_name = "FILE")]
    pub trust_anchor: Option<PathBuf>,
    /// Roots to trust in place of the built-in ones, PEM. Repeatable.
    #[arg(long = "ca-file", value_name = "FILE")]
    pub ca_files: Vec<PathBuf>,
    /// Time for one endpoint, retries included.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    /// IPv4 only.
    #[arg(short = '4', action = ArgAction::SetTrue, conflicts_with = "v6")]
    pub v4: bool,
    /// IPv6 only.
    #[arg(short = '6', action = ArgAction::SetTrue)]
    pub v6: bool,
    /// The name to introduce ourselves with; default: this host's, or its address.
    #[arg(long, value_name = "NAME")]
    pub ehlo: Option<Host>,
    /// Connect to private, loopback and reserved addresses as well.
    #[arg(long)]
    pub allow_private: bool,
    /// Whether every endpoint must be proved, or one will do; default: all.
    #[arg(long, value_name = "QUORUM")]
    pub quorum: Option<QuorumArg>,
    /// Warn when a certificate has fewer days left; default: 30.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=36500))]
    pub warn_days: Option<u32>,
    /// Print transcripts and certificate chains as well.
    #[arg(long)]
    pub verbose: bool,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// The commands of `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Tell every mistake in a configuration, or that there is none.
    Check {
        /// The configuration.
        #[arg(value_name = "FILE", default_value = crate::config::DEFAULT_PATH, conflicts_with = "config")]
        file: PathBuf,
        /// The same, as every other command takes it.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Print a configuration with every key, its default and a sentence.
    Example,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Do not wait for Ctrl-C; exit 0 when everything was judged as it should be.
    #[arg(long)]
    pub once: bool,
}

/// `doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all is well, 1 something is wrong, 2 usage or configuration error, \
                        3 nothing is wrong and something could not be told.\n\
                        With --quick: 0 healthy, 1 not."
)]
pub struct DoctorArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
    /// For health checks: the configuration, the state directory and the daemon alone; nothing beyond this host.
    #[arg(long)]
    pub quick: bool,
    /// How to print.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: DoctorFormat,
    /// Time for one check.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
}

/// `--format` of `doctor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// One object, for scripts.
    Json,
    /// For people.
    Text,
}

/// `manpages`.
#[derive(Debug, Args)]
pub struct ManpagesArgs {
    /// Where to; it is made where it is missing.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// From what.
    #[command(subcommand)]
    pub command: ImportCommand,
}

/// The mail systems that records can be imported from.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Exchange Online: JSON from PowerShell.
    #[command(after_long_help = format!(
        "Run in PowerShell, with the module ExchangeOnlineManagement 3 or later and the role View-Only \
         Configuration, and import all files at once:\n\n{}\n\n\
         Where you write files of your own, put `[]` into one of which there are none, and copy them with their \
         times (`scp -p`): without ExportedAt the time of the file counts.\n\n\
         outbound/configured needs outbound.json and rules.json: mail flow rules go before connectors, so without \
         them it is unknown. inbound/configured needs inbound.json. domains.json tells our domains from partners', \
         and transport.json how long mail is tried. Connectors and partners that stand in the configuration \
         already are kept as they are: what was agreed is yours to say.",
        crate::config::exchange::EXPORT
    ))]
    Exchange(ImportFilesArgs),
    /// Postfix: the output of `postconf -n`, and the tables of `smtp_tls_policy_maps`.
    #[command(after_long_help = "Run on the Postfix host, and import both files at once:\n\n\
        postconf > postconf.txt\n\
        cp /etc/postfix/tls_policy tls_policy    # the file that smtp_tls_policy_maps names\n\n\
        `postconf -n` will do as well: what it leaves out has its default. The records are as old as the oldest file, \
        so make both anew, and copy them to this host with their times (`scp -p`).")]
    Postfix(ImportFilesArgs),
}

/// `import exchange` and `import postfix`.
#[derive(Debug, Args)]
pub struct ImportFilesArgs {
    /// The exports; all of them at once.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write the configuration here, behind what stands there, and the records beside it.
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Keep the records here; default: exchange.json or postfix.json beside the configuration.
    #[arg(long, value_name = "FILE")]
    pub records: Option<PathBuf>,
    /// The domain below which canary domains are made; default: canary below our own.
    #[arg(long, value_name = "DOMAIN")]
    pub canaries: Option<Domain>,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A word that is printed (cert-expired, no-starttls, sender-enforces, unknown), or an SMTP reply, a log line or the
    /// diagnosis of an NDR as it was pasted; without any, all words are listed.
    #[arg(value_name = "ID")]
    pub id: Vec<String>,
}

/// `history`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mxwarden history\n  \
    mxwarden history Fabrikam --since 30d\n  \
    mxwarden history --limit 100 --format csv\n\n\
    Only reads, so a daemon may be running. The newest change comes last.")]
pub struct HistoryArgs {
    /// The partner whose changes are told; all changes when none is named.
    #[arg(value_name = "PARTNER")]
    pub partner: Option<String>,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
    /// How to print.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: HistoryFormat,
    /// Only the newest N changes.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Only changes since so long ago: 24h, 30d, 1y.
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Duration>,
}

/// `--require`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RequireLevel {
    /// A certificate from a trusted CA, in date.
    Ca,
    /// TLSA records that DNSSEC proves (not in this version).
    Dane,
    /// TLS with any certificate.
    Encrypt,
    /// A policy in mode enforce (not in this version).
    MtaSts,
    /// As ca, and for the right name.
    Name,
    /// One of the pins.
    Pinned,
}

impl From<RequireLevel> for Level {
    fn from(level: RequireLevel) -> Self {
        match level {
            RequireLevel::Ca => Self::Ca,
            RequireLevel::Dane => Self::Dane,
            RequireLevel::Encrypt => Self::Encrypt,
            RequireLevel::MtaSts => Self::MtaSts,
            RequireLevel::Name => Self::Name,
            RequireLevel::Pinned => Self::Pinned,
        }
    }
}

/// `--min-tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MinTls {
    /// TLS 1.2.
    #[value(name = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[value(name = "1.3")]
    Tls13,
}

impl From<MinTls> for MinVersion {
    fn from(version: MinTls) -> Self {
        match version {
            MinTls::Tls12 => Self::Tls12,
            MinTls::Tls13 => Self::Tls13,
        }
    }
}

/// `--dnssec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dnssec {
    /// Answers are taken as they come.
    Off,
    /// The resolver's word is taken (not in this version).
    TrustAd,
    /// We validate ourselves (not in this version).
    Validate,
}

/// `--quorum`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QuorumArg {
    /// Every endpoint.
    All,
    /// One will do where others cannot be reached.
    Any,
}

impl From<QuorumArg> for Quorum {
    fn from(quorum: QuorumArg) -> Self {
        match quorum {
            QuorumArg::All => Self::All,
            QuorumArg::Any => Self::Any,
        }
    }
}

/// A time such as `30s`, `20m` or `2h`.
fn wait(text: &str) -> Result<Duration, String> {
    let refused = || "no time; write 30s, 20m or 2h".to_owned();
    let time: SignedDuration = text.parse().map_err(|_| refused())?;
    Duration::try_from(time).map_err(|_| refused())
}

/// How long a mute may last: longer, and it is a change of the configuration.
const LONGEST_MUTE: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long a mute lasts, such as `30m`, `2h` or `7d`.
fn silence(text: &str) -> Result<Duration, String> {
    let within = crate::config::duration(text).map_or_else(|| wait(text).ok(), Some);
    match within {
        Some(within) if within > LONGEST_MUTE => {
            Err("too long: a mute lasts 365d at most".to_owned())
        }
        Some(within) if within.is_zero() => Err("no time at all; write 30m, 2h or 7d".to_owned()),
        Some(within) => Ok(within),
        None => Err("no time; write 30m, 2h or 7d, 365d at most".to_owned()),
    }
}

/// A time such as `24h`, `30d` or `1y`.
fn since(text: &str) -> Result<Duration, String> {
    crate::config::duration(text).ok_or_else(|| "no time; write 24h, 30d or 1y".to_owned())
}

/// `IP` or `IP:PORT`, IPv6 in brackets where a port follows.
fn resolver(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53)).map_err(|_| {
        "no IP address; write 192.0.2.53, 192.0.2.53:53 or [2001:db8::53]:53".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn resolvers_are_addresses_with_or_without_port() {
        #[track_caller]
        fn check(text: &str, expect: Option<&str>) {
            assert_eq!(resolver(text).ok().map(|a| a.to_string()).as_deref(), expect);
        }
        check("192.0.2.53", Some("192.0.2.53:53"));
        check("192.0.2.53:5353", Some("192.0.2.53:5353"));
        check("2001:db8::53", Some("[2001:db8::53]:53"));
        check("[2001:db8::53]", Some("[2001:db8::53]:53"));
        check("[2001:db8::53]:5353", Some("[2001:db8::53]:5353"));
        check("dns.example", None);
        check("192.0.2.53:", None);
    }
}
