//! Random orders of events, by the program of `simulator/`.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::{
    paths,
    run::{cargo, run},
};

/// How many histories each change is tried with, of seeds that are always the same.
const HISTORIES: u64 = 1_000_000;

/// And of others that nobody tried before.
const FRESH: u64 = 100_000;

/// Runs the program with these arguments.
pub(crate) fn simulate(args: &[&str]) -> Result<()> {
    let program = ["run", "--quiet", "--release", "--package=passerby-simulator", "--"];
    run(cargo().current_dir(paths::root()).args(program).args(args))
}

/// The gate for every change.
pub(crate) fn gate() -> Result<()> {
    let count = HISTORIES.to_string();
    simulate(&["--seeds", &count])?;
    // Never twice the same, and below what a JavaScript number holds.
    let fresh = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(HISTORIES, |time| time.as_secs() * HISTORIES / 1_000);
    simulate(&["--seeds", &FRESH.to_string(), "--from", &fresh.to_string()])
}
