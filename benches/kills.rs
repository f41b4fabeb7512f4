//! Two hundred kills of a writer, each followed by a look at everything it had acknowledged.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]
#![expect(clippy::indexing_slicing, reason = "the lines are the writer's own")]
#![expect(clippy::print_stdout, reason = "printing is what a bench does")]

#[path = "../tests/it/kills.rs"]
mod kills;

use std::{env, process::Command, time::Instant};

const KILLS: usize = 200;

fn main() {
    if let Some(state_dir) = kills::is_writer() {
        kills::write_until_killed(&state_dir);
    }
    let begun = Instant::now();
    kills::storm(KILLS, || Command::new(env::current_exe().unwrap()));
    println!("{KILLS} kills in {} s: nothing acknowledged was lost", begun.elapsed().as_secs());
}
