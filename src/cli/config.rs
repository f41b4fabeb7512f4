//! `mxwarden config`: validates a configuration, or prints one with every key.

use super::{
    Failure,
    args::{ConfigArgs, ConfigCommand},
};
use crate::config::{Config, ConfigError, Loaded, Mistake};
use crate::model::claim::Unclaimed;
use std::{
    io::{self, Write},
    path::Path,
};

/// Runs the command; the exit code.
pub(super) fn run(args: &ConfigArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    match &args.command {
        ConfigCommand::Check { file, config } => {
            let file = config.as_ref().unwrap_or(file);
            let Loaded { config, unseen, .. } = loaded(file)?;
            // They are looked at where they are used; here nothing else would say that they were not.
            warn(&unseen);
            let connectors = config.outbound.len() + config.inbound.len();
            writeln!(
                out,
                "{}: valid: {}, {}, {}",
                file.display(),
                counted(config.partners.len(), "partner", "partners"),
                counted(connectors, "connector", "connectors"),
                counted(config.canaries.len(), "canary", "canaries"),
            )?;
            write_unclaimed(&config, out)?;
        }
        ConfigCommand::Example => out.write_all(Config::example().as_bytes())?,
    }
    out.flush()?;
    Ok(0)
}

/// The configuration in a file; its warnings are told on the way.
///
/// # Errors
///
/// A file that cannot be read, or every mistake that is in it.
pub(super) fn load(file: &Path) -> Result<Config, Failure> {
    Ok(loaded(file)?.config)
}

/// The same with every secret that it names.
///
/// # Errors
///
/// Also a secret that cannot be looked at here.
pub(super) fn load_whole(file: &Path) -> Result<Config, Failure> {
    Ok(loaded(file)?.whole().map_err(ConfigError::from)?.config)
}

fn loaded(file: &Path) -> Result<Loaded, Failure> {
    match Config::read(file) {
        Ok(loaded) => {
            warn(&loaded.warnings);
            Ok(loaded)
        }
        Err(error) => {
            if let ConfigError::Mistakes(errors) = &error {
                warn(&errors.warnings);
            }
            Err(error.into())
        }
    }
}

fn warn(warnings: &[Mistake]) {
    let mut err = io::stderr().lock();
    for warning in warnings {
        // Where nobody reads it, nobody is warned.
        let _ = writeln!(err, "warning: {warning}");
    }
}

/// What is claimed of nobody or not of all: who reads `compliant` later must know. Partners that are alike share a line.
fn write_unclaimed(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let mut told: Vec<(String, Vec<&str>)> = Vec::new();
    for partner in &config.partners {
        let words = Unclaimed::in_words(&config.unclaimed(partner));
        match told.iter_mut().find(|(known, _)| *known == words) {
            Some((_, names)) => names.push(&partner.name),
            None => told.push((words, vec![&partner.name])),
        }
    }
    for (words, names) in told.iter().filter(|(words, _)| !words.is_empty()) {
        let names = match names.as_slice() {
            all if all.len() == config.partners.len() && all.len() > 1 => "all partners".to_owned(),
            [one, two, three, _, more @ ..] => {
                format!("{one}, {two}, {three} and {} more", more.len() + 1)
            }
            few => few.join(", "),
        };
        writeln!(out, "{names}: {words}")?;
    }
    Ok(())
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
