//! `mxwarden import`: records of a mail system's own connectors into a configuration.
//!
//! 1. The exports are read, and every mistake in them is told; with one nothing is written.
//! 2. The configuration is drafted behind what is there. Without `-o` it is printed.
//! 3. The records are kept beside it, with those of the import before: what changed between the two is told.

use super::{
    Failure,
    args::{ImportArgs, ImportCommand, ImportFilesArgs},
};
use crate::config::{
    draft::{self, Draft, Surroundings},
    exchange,
    import::{ExportFile, LARGEST, Remark},
    postfix,
};
use crate::judge::configured;
use crate::model::imported::{self, Imported};
use crate::observe::clock::Clock;
use jiff::Timestamp;
use std::{
    fs,
    io::{self, Read as _, Write},
    path::{Path, PathBuf},
};

/// Runs the command; the exit code.
pub(super) fn run(args: &ImportArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    let (files, own_name, hint) = match &args.command {
        ImportCommand::Exchange(files) => {
            (files, "exchange.json", "mxwarden import exchange --help")
        }
        ImportCommand::Postfix(files) => (files, "postfix.json", "mxwarden import postfix --help"),
    };
    if files.files.is_empty() {
        let hint = format!("`{hint}` prints how the files are made");
        return Err(Failure::usage("no file was given", hint));
    }
    let now = Clock::system().now();
    let exports = read(&files.files, now)?;
    let (imported, notes) = match &args.command {
        ImportCommand::Exchange(_) => {
            let read = exchange::read(&exports, now)?;
            (read.imported, read.notes)
        }
        ImportCommand::Postfix(_) => {
            let read = postfix::read(&exports, now)?;
            (read.imported, read.notes)
        }
    };
    write_all(imported, &notes, files, own_name, out)?;
    Ok(0)
}

fn write_all(
    mut imported: Imported,
    notes: &[Remark],
    args: &ImportFilesArgs,
    own_name: &str,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let records = match (&args.records, &args.output) {
        (Some(records), _) => records.clone(),
        (None, Some(output)) => output.with_file_name(own_name),
        (None, None) => PathBuf::from(own_name),
    };
    let is_written = args.output.is_some() || args.records.is_some();
    let before = if is_written { previous(&records)? } else { None };
    if let Some(before) = &before {
        keeps(before, &imported, &records)?;
    }
    let changes =
        before.as_ref().map(|before| configured::changes(before, &imported)).unwrap_or_default();
    imported.previous = before.and_then(|before| kept(before, &imported));
    let existing = match &args.output {
        Some(output) => existing(output)?,
        None => None,
    };
    let name = records_name(&records, args.output.as_deref());
    let around = Surroundings {
        existing: existing.as_deref(),
        records: &name,
        canaries: args.canaries.as_ref(),
    };
    let draft = draft::draft(&imported, around)?;
    if is_written {
        let mut json = serde_json::to_vec_pretty(&imported)?;
        json.push(b'\n');
        replace(&records, &json)?;
    }
    let mut err = io::stderr().lock();
    for note in notes {
        let _ = writeln!(err, "note: {note}");
    }
    match &args.output {
        Some(output) => {
            replace(output, draft.toml.as_bytes())?;
            table(&draft, out)?;
            for change in &changes {
                writeln!(
                    out,
                    "changed since the last import: {}: {}; before: {}",
                    change.subject, change.seen, change.expected
                )?;
            }
            beside(&draft, out)?;
        }
        None => {
            out.write_all(draft.toml.as_bytes())?;
            table(&draft, &mut err)?;
            beside(&draft, &mut err)?;
            if !is_written {
                writeln!(
                    err,
                    "Nothing was written: -o FILE writes the configuration, and the records beside it."
                )?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

/// The files, and when each was written: what an old file says is old, whenever it is imported.
fn read(paths: &[PathBuf], now: Timestamp) -> Result<Vec<ExportFile>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let unreadable =
            |error: io::Error| anyhow::anyhow!("cannot read {}: {error}", path.display());
        let file = fs::File::open(path).map_err(unreadable)?;
        let written_at =
            file.metadata().and_then(|metadata| metadata.modified()).map_err(unreadable)?;
        let written_at = Timestamp::try_from(written_at).unwrap_or(now);
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        files.push(ExportFile { path: path.clone(), bytes, written_at });
    }
    Ok(files)
}

/// The records of the import before; a file of another kind is not overwritten.
fn previous(path: &Path) -> Result<Option<Imported>, Failure> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(anyhow::anyhow!("cannot read {}: {error}", path.display()).into()),
    };
    match serde_json::from_slice::<Imported>(&bytes) {
        Ok(before) if before.format == imported::FORMAT => Ok(Some(before)),
        _ => Err(Failure::usage(
            format!("{} holds something else than imported records", path.display()),
            "name another file with --records",
        )),
    }
}

/// Refuses an import that lacks what the one before had: a claim that rests on it would go without a word.
fn keeps(before: &Imported, now: &Imported, records: &Path) -> Result<(), Failure> {
    let kinds = [
        (
            before.outbound.is_some() && now.outbound.is_none(),
            "the outbound connectors",
            "outbound/configured would not be claimed any more",
        ),
        (
            before.inbound.is_some() && now.inbound.is_none(),
            "the inbound connectors",
            "inbound/configured would not be claimed any more",
        ),
        (
            before.rules.is_some() && now.rules.is_none(),
            "the mail flow rules",
            "outbound/configured would be unknown",
        ),
        (
            before.accepted_domains.is_some() && now.accepted_domains.is_none(),
            "our own domains",
            "they would be taken for partners'",
        ),
        (
            before.transport.is_some() && now.transport.is_none(),
            "the transport settings",
            "how long mail is tried would not be known",
        ),
    ];
    let Some((_, what, why)) = kinds.into_iter().find(|(is_lost, _, _)| *is_lost) else {
        return Ok(());
    };
    Err(Failure::usage(
        format!("{what} of the last import are no longer there: {why}"),
        format!(
            "import all files at once; to leave them out for good, remove {} first",
            records.display()
        ),
    ))
}

/// What is kept of the import before: itself, or what it kept where nothing changed since.
fn kept(mut before: Imported, now: &Imported) -> Option<Box<Imported>> {
    let older = before.previous.take();
    let same = Imported {
        exported_at: now.exported_at,
        dated: now.dated,
        previous: None,
        ..before.clone()
    };
    if same == *now { older } else { Some(Box::new(before)) }
}

fn existing(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow::anyhow!("cannot read {}: {error}", path.display()).into()),
    }
}

/// How the configuration names the records: a relative path begins at its own folder.
fn records_name(records: &Path, output: Option<&Path>) -> String {
    let folder = output.and_then(Path::parent);
    let below = folder.and_then(|folder| records.strip_prefix(folder).ok());
    let is_relative = records.is_relative() && output.is_some() && below.is_none();
    let absolute = if is_relative { std::path::absolute(records).ok() } else { None };
    let path = absolute.as_deref().or(below).unwrap_or(records);
    path.display().to_string()
}

/// Writes a file whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let unwritable = |error: io::Error| anyhow::anyhow!("cannot write {}: {error}", path.display());
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    fs::write(&beside, bytes).map_err(unwritable)?;
    if let Ok(metadata) = fs::metadata(path) {
        fs::set_permissions(&beside, metadata.permissions()).map_err(unwritable)?;
    }
    fs::rename(&beside, path).map_err(unwritable)?;
    Ok(())
}

fn table(draft: &Draft, out: &mut dyn Write) -> io::Result<()> {
    let heads = ["DIRECTION", "CONNECTOR", "DOMAINS", "SAYS", ""].map(str::to_owned);
    let clean = |text: &str| crate::wire::text::printable_within(text.as_bytes(), 60);
    let rows = draft.found.iter().map(|found| {
        [
            found.direction.to_owned(),
            clean(&found.name),
            clean(&found.domains),
            clean(&found.said),
            found.became.to_owned(),
        ]
    });
    let rows: Vec<[String; 5]> = std::iter::once(heads).chain(rows).collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    for row in &rows {
        let cells = row.iter().enumerate().map(|(at, cell)| {
            let width = width(at).unwrap_or_default();
            format!("{cell:<width$}")
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn beside(draft: &Draft, out: &mut dyn Write) -> io::Result<()> {
    for what in &draft.left_out {
        writeln!(out, "left out: {what}")?;
    }
    for remark in &draft.remarks {
        writeln!(out, "to do: {remark}")?;
    }
    let Some(script) = &draft.script else { return Ok(()) };
    for (what, script) in [
        ("puts the canary domains under the connectors", script.add.trim_end()),
        ("takes the canary domains away again", script.remove.trim_end()),
    ] {
        if !script.is_empty() {
            writeln!(out, "\nPowerShell that {what}:\n\n{script}")?;
        }
    }
    Ok(())
}
