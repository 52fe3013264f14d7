//! The lowest versions that our manifests name do work: of the crates we depend on, and of Rust.
//!
//! Both compile everything anew, which takes minutes, so that `.ci/run` leaves them to the workflow
//! of the public host.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    paths,
    run::{cargo, output, run, run_within, say},
    setup::{self, WASM, WasmTarget},
};

/// Downloading a toolchain.
const FETCH_LIMIT: Duration = Duration::from_secs(300);

/// Checks our crates with the lowest versions.
pub(crate) fn oldest() -> Result<()> {
    let has_wasm = setup::wasm_target()? == WasmTarget::Active;
    let copy = copied()?;
    lowest_crates(&copy, has_wasm)?;
    lowest_rust(has_wasm)
}

/// Our published crates in a workspace of their own, whose lock file may be another one.
fn copied() -> Result<PathBuf> {
    let copy = paths::target()?.join("oldest");
    for folder in ["src", "protocol", "server"] {
        paths::emptied(&copy.join(folder))?;
    }
    let listed = output(
        Command::new("git")
            .args([
                "ls-files",
                "-z",
                "Cargo.toml",
                "README.md",
                "docs",
                "src",
                "protocol",
                "server",
            ])
            .current_dir(paths::root()),
    )?;
    for file in listed.split('\0').filter(|file| !file.is_empty()) {
        let from = paths::root().join(file);
        if from.is_file() {
            let contents = fs::read(&from).with_context(|| format!("cannot read {file}"))?;
            paths::write(&copy.join(file), contents)?;
        }
    }
    let manifest = copy.join("Cargo.toml");
    let text = paths::read(&manifest)?;
    let members = text.lines().find(|line| line.starts_with("members = ")).unwrap_or_default();
    paths::write(&manifest, text.replace(members, r#"members = ["protocol", "server"]"#))?;
    Ok(copy)
}

/// Those that an app may have in its lock file.
fn lowest_crates(copy: &Path, has_wasm: bool) -> Result<()> {
    let hack = setup::HACK.ensure()?;
    // Crates that only our tests need may ask for more.
    run(Command::new(hack)
        .args(["hack", "--workspace", "--remove-dev-deps", "generate-lockfile"])
        .args(["-Z", "direct-minimal-versions"])
        // The option is not stable yet.
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(copy))?;
    let check = || {
        let mut check = cargo();
        check.arg("check").env("CARGO_TARGET_DIR", copy.join("target")).current_dir(copy);
        check
    };
    compile(check, has_wasm)
}

/// With the lock file that all other tests have.
fn lowest_rust(has_wasm: bool) -> Result<()> {
    let manifest = paths::read(&paths::root().join("Cargo.toml"))?;
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
        .context("Cargo.toml has no line `rust-version = \"<version>\"`")?;
    let rustup = || Command::new("rustup");
    let is_there = output(rustup().args(["run", version, "cargo", "--version"])).is_ok();
    let installing = ["toolchain", "install", version, "--profile", "minimal"];
    if !is_there && let Err(error) = run_within(FETCH_LIMIT, rustup().args(installing)) {
        say(&format!("Rust {version} was not tried, because it cannot be had here: {error:#}"));
        return Ok(());
    }
    let has_wasm =
        has_wasm && output(rustup().args(["target", "add", "--toolchain", version, WASM])).is_ok();
    let target = paths::target()?.join("oldest-rust");
    let check = || {
        let mut check = rustup();
        check.args(["run", version, "cargo", "check"]);
        check.env("CARGO_TARGET_DIR", &target).current_dir(paths::root());
        check
    };
    compile(check, has_wasm)
}

/// Compiles the crates as far as this machine can. `check` begins a command.
fn compile(check: impl Fn() -> Command, has_wasm: bool) -> Result<()> {
    run(check().args(["--package", "passerby-protocol", "--package", "passerby-server"]).args([
        "--all-features",
        "--lib",
        "--bins",
    ]))?;
    if !has_wasm {
        say("the SDK was not checked, because this compiler makes no WebAssembly");
        return Ok(());
    }
    run(check().args(["--package", "passerby", "--lib", "--target", WASM]))
}
