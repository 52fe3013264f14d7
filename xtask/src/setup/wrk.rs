//! The load generator of the benchmark.

use anyhow::{Context, Result};

use super::apt;
use crate::{paths, run::say};

/// Finds wrk, or installs it.
pub(crate) fn ensure() -> Result<()> {
    if paths::on_path("wrk").is_some() {
        return Ok(());
    }
    say("installing wrk");
    apt::install(&["wrk"], "wrk, on the PATH")
        .context("the benchmark of the server needs a load generator")
}
