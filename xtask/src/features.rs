//! Each feature of our crates compiles by itself, without warnings: apps combine them freely.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::{
    paths,
    run::{cargo, output, run, say},
    setup::{self, WASM, WasmTarget},
};

/// Compiles without features, with each one alone, and the SDK with all. The default features are
/// one of them, and everything of the server together is what the other lints see.
pub(crate) fn features() -> Result<()> {
    let program = setup::HACK.ensure()?;
    let clippy = |package: &str, more: &[&str]| {
        let mut command = Command::new(&program);
        command
            .args(["hack", "clippy", "--each-feature", "--exclude-features", "default"])
            .args(["--lib", "--bins"])
            .args(["--package", package])
            .args(more)
            .args(["--", "-D", "warnings"])
            .current_dir(paths::root());
        run(&mut command)
    };
    clippy("passerby-protocol", &["--exclude-all-features"])?;
    clippy("passerby-server", &["--exclude-all-features"])?;
    a_store_of_somebody_elses_needs_no_sqlx()?;
    match setup::wasm_target()? {
        WasmTarget::Active => clippy("passerby", &["--target", WASM]),
        WasmTarget::Debian => {
            say("features of the SDK: not checked, because Debian's compiler has no clippy");
            Ok(())
        }
    }
}

/// Neither to implement the trait nor to run the tests for it.
fn a_store_of_somebody_elses_needs_no_sqlx() -> Result<()> {
    let tree = output(
        cargo()
            .current_dir(paths::root())
            .args(["tree", "--package=passerby-server", "--no-default-features"])
            .args(["--features=store-conformance", "--edges=normal", "--prefix=none"]),
    )?;
    let named: Vec<&str> = tree.lines().filter(|line| line.starts_with("sqlx")).collect();
    ensure!(named.is_empty(), "a store without sqlx brings {}", named.join(", "));
    Ok(())
}
