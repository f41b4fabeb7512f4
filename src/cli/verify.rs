//! `mxwarden verify [PARTNER…]`: every configured claim proved now, in the foreground.
//!
//! 1. The configuration is read; every mistake in it is told before anything is sent.
//! 2. What is asked for is proved side by side, canaries included.
//! 3. It ends when all is decided, after `--wait`, or on Ctrl-C; what is open then is `unknown`.

use super::{
    EXIT_UNKNOWN, Failure,
    args::{Dnssec, ProbingArgs, VerifyArgs},
    ask,
    check::{bar, families, own_name, style, tell},
    config::load,
    render,
};
use crate::config::{Config, needs, settings};
use crate::daemon::{
    control::Request,
    matrix::{self, Agreements, Proof, Work},
    means::{Flags, Means},
    round::Patience,
    verify,
};
use crate::model::{
    order::Order,
    partner::Partner,
    report::{self, Report, Subjects, Tool},
    state::State,
};
use crate::observe::offers::Reach;
use crate::wire::text::closest;
use clap::ValueEnum;
use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long what was observed may take to be written once all is decided.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Runs the command; the exit code.
pub(super) fn run(args: &VerifyArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    let config = load(&args.config)?;
    refuse_what_is_not_there(&args.probing, &config)?;
    let works = works(args, &config)?;
    if let Some(reply) = ask::ask(&config, &request(args))? {
        for flag in outweighed(&args.probing) {
            tell(&format!(
                "warning: {flag} is not used: the daemon proves by its own configuration"
            ));
        }
        return ask::tell(&reply, out);
    }
    let means = Means::build(config, flags(&args.probing))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (report, interrupted) = runtime.block_on(prove(means, &works, args.wait))?;
    runtime.shutdown_background();
    let format = args.probing.format;
    render::report(out, &report, &[], format, style(&args.probing))?;
    out.flush()?;
    let code = render::exit_code(report.state, format, render::worst_severity(&report.partners));
    Ok(if interrupted && code == 0 { EXIT_UNKNOWN } else { code })
}

async fn prove(
    mut means: Means,
    works: &[Work],
    wait: Duration,
) -> Result<(Report, bool), Failure> {
    let by_mail = |work: &Work| matches!(work.proof, Proof::SenderEnforces { .. });
    if works.iter().any(Work::is_at_partners) {
        means.open_ledger()?;
    }
    if works.iter().any(by_mail) {
        means.start_canaries().await?;
    }
    let means = Arc::new(means);
    let started_at = means.clock().now();
    let stop = CancellationToken::new();
    let patience = Patience { until: Instant::now() + wait, stop: stop.clone(), anew_after: None };
    let on_ctrl_c = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    let bar = progress(works.len());
    let partners = verify::verify(&means, works, &patience, |done| {
        bar.set_position(done as u64);
    })
    .await;
    bar.finish_and_clear();
    on_ctrl_c.abort();
    let clock = means.clock();
    let store = means.store().cloned();
    if let Some(means) = Arc::into_inner(means) {
        means.stop().await;
    }
    if let Some(store) = store
        && let Err(unwritten) = store.close(LAST_WRITES).await
    {
        tell(&format!("warning: {unwritten}"));
    }
    let interrupted = patience.stop.is_cancelled();
    if interrupted {
        tell("interrupted: what was not decided is unknown");
    }
    let report = Report {
        format: report::FORMAT,
        tool: Tool::THIS,
        started_at,
        finished_at: clock.now(),
        subjects: Subjects::Partners,
        state: State::worst(partners.iter().map(|partner| partner.state)),
        partners,
    };
    Ok((report, interrupted))
}

/// What is asked for, with a mistake told where there is no such thing.
fn works(args: &VerifyArgs, config: &Config) -> Result<Vec<Work>, Failure> {
    let mut partners: Vec<&Partner> = Vec::new();
    for name in &args.partners {
        let Some(partner) = config.partner(name) else {
            let names = config.partners.iter().map(|partner| partner.name.as_str());
            let hint = match closest(name, names, 2) {
                Some(close) => format!("did you mean `{close}`?"),
                None => "partners are named in [[partner]]".to_owned(),
            };
            return Err(Failure::usage(format!("no partner is called `{name}`"), hint));
        };
        partners.push(partner);
    }
    if partners.is_empty() {
        partners = config.partners.iter().collect();
    }
    let agreements = Agreements {
        organisation: &config.organisation,
        outbound: &config.outbound,
        inbound: &config.inbound,
        partners: &partners,
        not_yet: &config.not_yet,
        imported: &config.imported,
    };
    let works = matrix::works(agreements, &args.claims);
    if works.is_empty() {
        let wanting = args.claims.iter().map(|claim| needs(*claim)).collect::<Vec<_>>();
        let hint = match wanting.as_slice() {
            [] => "a partner has claims through its outbound and inbound connector, and [partner.receiver_enforces]".to_owned(),
            wanting => wanting.join("\nhint: "),
        };
        return Err(Failure::usage("nothing that was asked for is configured", hint));
    }
    Ok(works)
}

/// The same, asked of the daemon.
fn request(args: &VerifyArgs) -> Request {
    let format = args.probing.format.to_possible_value();
    Request {
        order: Order::Verify {
            partners: args.partners.clone(),
            claims: args.claims.clone(),
            within: args.wait,
        },
        format: format.map(|format| format.get_name().to_owned()).unwrap_or_default(),
        verbose: args.probing.verbose,
    }
}

/// The flags that only a look of our own would follow.
fn outweighed(probing: &ProbingArgs) -> Vec<&'static str> {
    let given = [
        ("--resolver", !probing.resolvers.is_empty()),
        ("--ca-file", !probing.ca_files.is_empty()),
        ("-4", probing.v4),
        ("-6", probing.v6),
        ("--ehlo", probing.ehlo.is_some()),
        ("--allow-private", probing.allow_private),
        ("--quorum", probing.quorum.is_some()),
        ("--warn-days", probing.warn_days.is_some()),
    ];
    given.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag).collect()
}

fn refuse_what_is_not_there(probing: &ProbingArgs, config: &Config) -> Result<(), Failure> {
    let later = match (probing.dnssec, config.dns.dnssec) {
        (Some(Dnssec::Validate), _) => Some("--dnssec validate"),
        (Some(Dnssec::TrustAd), _) => Some("--dnssec trust-ad"),
        _ if probing.trust_anchor.is_some() => Some("--trust-anchor"),
        // The configuration's own wish was told as a warning.
        (
            Some(Dnssec::Off) | None,
            settings::Dnssec::Off | settings::Dnssec::TrustAd | settings::Dnssec::Validate,
        ) => None,
    };
    match later {
        Some(flag) => Err(Failure::usage(
            format!("{flag} is not in this version"),
            "this version knows --dnssec off",
        )),
        None => Ok(()),
    }
}

fn flags(probing: &ProbingArgs) -> Flags {
    Flags {
        resolvers: probing.resolvers.clone(),
        families: families(probing),
        ehlo: probing.ehlo.clone().or_else(own_name),
        reach: probing.allow_private.then_some(Reach::Anywhere),
        ca_files: probing.ca_files.clone(),
        deadline: Duration::from_secs(probing.timeout),
        quorum: probing.quorum.map(Into::into),
        warn_days: probing.warn_days,
        ..Flags::default()
    }
}

/// A bar on standard error, on a terminal.
fn progress(works: usize) -> indicatif::ProgressBar {
    if !io::stderr().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    let bar = bar(works, "proofs");
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
