//! `mxwarden explain WORD`: the long form of every word, and what a pasted reply, log line or NDR is about.

use super::{
    Failure,
    args::ExplainArgs,
    render::{self, Style},
};
use crate::judge::{
    defers::{self, Pasted},
    replies::ReplyTable,
};
use crate::model::explain::{self, Entry, Explanation, Kind, closest};
use std::io::Write;

/// Prints what one word means, or the list of all.
pub(super) fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    if args.id.is_empty() {
        list(out)?;
        return Ok(0);
    }
    let text = args.id.join(" ");
    let entries = explain::lookup(&text);
    if !entries.is_empty() {
        // A canary may be called by what it is found to do.
        for (at, entry) in entries.iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            print_entry(out, entry)?;
        }
        return Ok(0);
    }
    let Some(pasted) = defers::explain(&text, &ReplyTable::built_in()) else {
        return Err(unknown(&text));
    };
    print_pasted(out, &pasted)?;
    Ok(0)
}

fn unknown(text: &str) -> Failure {
    let text = text.trim();
    let shown = crate::wire::text::printable_within(text.as_bytes(), 80);
    if let Some(near) = closest(text) {
        let hint = format!("did you mean `{near}`?");
        return Failure::usage(format!("no word is called `{shown}`"), hint);
    }
    let hint = "if it is a reply, paste it from its code on, such as `450 4.7.1 …`; `mxwarden explain` lists all words";
    Failure::usage(format!("this text is not known: `{shown}`"), hint.to_owned())
}

fn print_entry(out: &mut dyn Write, entry: &Entry) -> std::io::Result<()> {
    print(out, &entry.word, entry.kind.as_str(), entry.explanation)?;
    if !entry.notes.is_empty() {
        writeln!(out)?;
    }
    for (name, text) in &entry.notes {
        writeln!(out, "{name}: {text}")?;
    }
    Ok(())
}

fn print_pasted(out: &mut dyn Write, pasted: &Pasted) -> std::io::Result<()> {
    print(out, pasted.class, pasted.by.as_str(), pasted.explanation)?;
    for (name, value) in &pasted.details {
        let value = crate::wire::text::printable_within(value.as_bytes(), 200);
        writeln!(out, "{name}: {value}")?;
    }
    Ok(())
}

fn list(out: &mut dyn Write) -> std::io::Result<()> {
    let entries = explain::all();
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        let blank = if at > 0 { "\n" } else { "" };
        writeln!(out, "{blank}{}", kind.heading())?;
        for entry in entries.iter().filter(|entry| entry.kind == kind) {
            writeln!(out, "  {:<30} {}", entry.word, entry.explanation.title)?;
        }
    }
    Ok(())
}

fn print(
    out: &mut dyn Write,
    id: &str,
    kind: &str,
    explanation: &Explanation,
) -> std::io::Result<()> {
    let paragraphs = [
        ("What it means", explanation.meaning),
        ("Why it matters", explanation.why),
        ("What to do", explanation.advice),
        ("Reference", explanation.reference),
    ];
    let title = format!("{id} ({kind}): {}", explanation.title);
    render::explanation(out, &title, &paragraphs, Style::default())
}
