//! The crates that we may depend on, as `deny.toml` says.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Result, bail};

use crate::{
    paths,
    run::{output, run, run_within, say},
    setup,
};

/// Cloning the list of advisories.
const FETCH_LIMIT: Duration = Duration::from_secs(120);

/// Checks licences, bans and sources; advisories where their list can be had.
pub(crate) fn deny() -> Result<()> {
    let program = setup::DENY.ensure()?;
    check_that_it_refuses(&program)?;
    run(cargo_deny(&program).args(["check", "licenses", "bans", "sources"]))?;
    if let Err(error) = run_within(FETCH_LIMIT, cargo_deny(&program).args(["fetch", "db"])) {
        say(&format!(
            "advisories were not checked, because their list cannot be had here: {error:#}"
        ));
        return Ok(());
    }
    run(cargo_deny(&program).args(["check", "--disable-fetch", "advisories"]))
}

fn cargo_deny(program: &Path) -> Command {
    let mut command = Command::new(program);
    // Crates in two versions are warnings. They fill pages, and only their makers can change them.
    command.args(["--workspace", "--locked", "--log-level", "error"]).current_dir(paths::root());
    command
}

/// A check that has never refused anything may be one that cannot: without our list of licences
/// nothing may pass.
fn check_that_it_refuses(program: &Path) -> Result<()> {
    let nothing = paths::target()?.join("deny-nothing-allowed.toml");
    paths::write(&nothing, "[licenses]\nallow = []\n")?;
    match output(cargo_deny(program).arg("--config").arg(&nothing).args(["check", "licenses"])) {
        Err(error) if format!("{error:#}").contains("licenses FAILED") => Ok(()),
        Err(error) => Err(error.context("cargo-deny does not check licences")),
        Ok(_) => bail!("cargo-deny accepts licences that nobody allowed"),
    }
}
