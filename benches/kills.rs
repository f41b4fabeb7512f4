//! Two hundred kills of a writer, each followed by a look at everything it had acknowledged. Twenty a record: what is
//! looked at grows with each.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]
#![expect(clippy::print_stdout, reason = "printing is what a bench does")]

#[path = "../tests/it/kills.rs"]
mod kills;

use std::{env, process::Command};
use tokio::time::Instant;

const RECORDS: usize = 10;
const KILLS: usize = 20;

fn main() {
    if let Some(state_dir) = kills::is_writer() {
        kills::write_until_killed(&state_dir);
    }
    let begun = Instant::now();
    for record in 1..=RECORDS {
        kills::storm(KILLS, || Command::new(env::current_exe().unwrap()));
        let (kills, took) = (record * KILLS, begun.elapsed().as_secs());
        println!("{kills} kills in {took} s: nothing acknowledged was lost");
    }
}
