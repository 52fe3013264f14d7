//! The wasm-bindgen command-line tools. They must be of the very version that the library has, so
//! no other will do, and each version has a folder of its own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    paths,
    run::{cargo, output, run, say},
};

/// The installed tools.
pub(crate) struct WasmBindgen {
    pub(crate) folder: PathBuf,
}

impl WasmBindgen {
    /// The program that cargo starts in place of a wasm test.
    pub(crate) fn test_runner(&self) -> PathBuf {
        program(&self.folder, "wasm-bindgen-test-runner")
    }
}

/// Finds the tools of the library's version, or builds them.
pub(crate) fn ensure() -> Result<WasmBindgen> {
    let version = pinned(&paths::read(&paths::root().join("Cargo.toml"))?)?;
    let home = paths::cache()?.join(format!("wasm-bindgen-{version}"));
    let cached = home.join("bin");
    let installed =
        paths::on_path("wasm-bindgen").and_then(|path| path.parent().map(Path::to_path_buf));
    for folder in [Some(cached.clone()), installed].into_iter().flatten() {
        if is(&folder, &version) {
            return Ok(WasmBindgen { folder });
        }
    }
    say(&format!(
        "building wasm-bindgen {version} into {}; this takes about two minutes, once",
        home.display()
    ));
    // Not in this folder: its cargo settings are for the project's own crates.
    run(cargo()
        .args([
            "install",
            "wasm-bindgen-cli",
            "--locked",
            "--force",
            "--version",
            &version,
            "--root",
        ])
        .arg(&home)
        .current_dir(std::env::temp_dir()))
    .with_context(|| {
        format!(
            "please make `cargo install wasm-bindgen-cli --locked --version {version}` work; \
            is there a network?"
        )
    })?;
    Ok(WasmBindgen { folder: cached })
}

fn is(folder: &Path, version: &str) -> bool {
    let said =
        |name| output(Command::new(program(folder, name)).arg("--version")).unwrap_or_default();
    said("wasm-bindgen").trim().ends_with(&format!(" {version}"))
        && program(folder, "wasm-bindgen-test-runner").is_file()
}

fn program(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// The version in the line `wasm-bindgen = "=0.2.129"`, or
/// `wasm-bindgen = { version = "=0.2.129", … }`.
fn pinned(manifest: &str) -> Result<String> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("wasm-bindgen = "));
    let value =
        line.and_then(|line| line.split_once("\"=")?.1.split_once('"')).map(|(version, _)| version);
    value
        .map(str::to_owned)
        .context("Cargo.toml does not pin wasm-bindgen with a line `wasm-bindgen = \"=<version>\"`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_version_is_that_of_the_library_itself() -> Result<()> {
        assert_eq!(
            pinned("[x]\nwasm-bindgen-test = \"=1.0.0\"\nwasm-bindgen = \"=0.2.129\"\n")?,
            "0.2.129"
        );
        assert_eq!(
            pinned("wasm-bindgen = { version = \"=0.2.130\", default-features = false }\n")?,
            "0.2.130"
        );
        assert!(pinned("wasm-bindgen = \"0.2\"").is_err());
        pinned(&paths::read(&paths::root().join("Cargo.toml"))?).map(drop)
    }
}
