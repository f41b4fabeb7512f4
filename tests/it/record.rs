//! The record against SIGKILL.

use crate::kills::{is_writer, storm, write_until_killed};
use std::{env, process::Command};

/// Here so often; the bench `kills` does it two hundred times.
const KILLS: usize = 12;

#[test]
fn what_was_acknowledged_survives_every_kill() {
    if let Some(state_dir) = is_writer() {
        write_until_killed(&state_dir);
    }
    storm(KILLS, || {
        let mut command = Command::new(env::current_exe().unwrap());
        let name = "record::what_was_acknowledged_survives_every_kill";
        command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
        command
    });
}
