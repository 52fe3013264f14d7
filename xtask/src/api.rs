//! The public functions and types of our crates name no others than `tests/api/external-types.mjs`
//! allows: with each other crate there, its next major version would be one of ours, too.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    paths,
    run::{cargo, node, run, say},
    setup::{self, WASM, WasmTarget},
};

/// A description of the public API as JSON is not stable yet, so rustdoc has to be told that we
/// know. Only rustdoc: cargo would compile everything anew.
const RUSTDOC: &str = "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n";

/// Describes the public API of each crate, and reads what it names.
pub(crate) fn api() -> Result<()> {
    if !cfg!(unix) {
        say("types in the public API: not checked on this system");
        return Ok(());
    }
    let mut files = vec![
        described("passerby-protocol", &["--all-features"])?,
        described("passerby-server", &["--all-features"])?,
    ];
    match setup::wasm_target()? {
        WasmTarget::Active => {
            files.push(described("passerby", &["--target", WASM])?);
        }
        WasmTarget::Debian => say("the SDK's API: not checked, because Debian's compiler is older"),
    }
    let folder = paths::root().join("tests").join("api");
    run(node(folder.join("external-types.mjs")).args(files))
}

fn described(package: &str, more: &[&str]) -> Result<PathBuf> {
    let target = paths::target()?;
    let rustdoc = target.join("rustdoc-json.sh");
    if !rustdoc.exists() {
        paths::write(&rustdoc, RUSTDOC)?;
        make_executable(&rustdoc)?;
    }
    run(cargo()
        .args(["rustdoc", "--quiet", "--lib", "--package", package])
        .args(more)
        .args(["--", "-Z", "unstable-options", "--output-format", "json"])
        .env("RUSTDOC", &rustdoc)
        .current_dir(paths::root()))?;
    let folder = match more {
        ["--target", triple] => target.join(triple),
        _ => target,
    };
    Ok(folder.join("doc").join(format!("{}.json", package.replace('-', "_"))))
}

#[cfg(unix)]
fn make_executable(file: &std::path::Path) -> Result<()> {
    use std::{fs, os::unix::fs::PermissionsExt as _};
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o755))?)
}

#[cfg(not(unix))]
fn make_executable(_: &std::path::Path) -> Result<()> {
    Ok(())
}
