//! Python with `venv`, in which another service verifies our tokens (`server/tests/interop.rs`).

use std::process::Command;

use anyhow::{Context, Result};

use super::apt;
use crate::run::{output, say};

/// The interpreter.
pub(crate) fn command() -> Command {
    Command::new(if cfg!(windows) { "python" } else { "python3" })
}

/// Finds Python, or installs it.
pub(crate) fn ensure() -> Result<()> {
    if output(command().args(["-c", "import venv, ensurepip"])).is_ok() {
        return Ok(());
    }
    say("installing Python");
    apt::install(&["python3", "python3-venv"], "Python 3 with venv")
        .context("the tests of the server need Python")
}
