//! `mxwarden explain ID`: the long form of every id, and what a pasted reply or NDR is about.

use super::{
    Failure,
    args::ExplainArgs,
    render::{self, Style},
};
use crate::judge::{
    defers::{self, Pasted},
    replies::ReplyTable,
};
use crate::model::{
    explain::{Explanation, closest},
    finding::FindingId,
    obstacle::ObstacleId,
};
use std::io::Write;

/// Prints the explanation of one id, or the list of all.
pub(super) fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    if args.id.is_empty() {
        list(out)?;
        return Ok(0);
    }
    let text = args.id.join(" ");
    let id = text.trim().to_ascii_lowercase();
    if let Ok(finding) = id.parse::<FindingId>() {
        print(out, finding.as_str(), "finding", finding.explanation())?;
    } else if let Ok(obstacle) = id.parse::<ObstacleId>() {
        print(out, obstacle.as_str(), "obstacle", obstacle.explanation())?;
    } else if let Some(pasted) = defers::explain(&text, &ReplyTable::built_in()) {
        print_pasted(out, &pasted)?;
    } else {
        return Err(unknown(&text));
    }
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

fn print_pasted(out: &mut dyn Write, pasted: &Pasted) -> std::io::Result<()> {
    print(out, pasted.class, pasted.by.as_str(), pasted.explanation)?;
    for (name, value) in &pasted.details {
        let value = crate::wire::text::printable_within(value.as_bytes(), 200);
        writeln!(out, "{name}: {value}")?;
    }
    Ok(())
}

fn list(out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "Findings: facts that break or weaken a claim")?;
    for id in FindingId::ALL {
        writeln!(out, "  {:<30} {}", id.as_str(), id.explanation().title)?;
    }
    writeln!(out, "\nObstacles: facts that keep us from knowing")?;
    for id in ObstacleId::ALL {
        writeln!(out, "  {:<30} {}", id.as_str(), id.explanation().title)?;
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
