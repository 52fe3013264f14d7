//! npm packages, exactly as the committed lock files have them.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    paths,
    run::{npm, output, run, say},
};

/// The lowest version that Vite accepts.
const OLDEST: (u32, u32) = (20, 19);

/// Fails unless Node is there and new enough.
pub(crate) fn check_version() -> Result<()> {
    let wanted = format!("Node {}.{} or newer, with npm: https://nodejs.org", OLDEST.0, OLDEST.1);
    let found = output(Command::new("node").arg("--version"))
        .with_context(|| format!("please install {wanted}"))?;
    match parse(&found) {
        Some(version) if version >= OLDEST => Ok(()),
        _ => bail!("Node {} is too old; please install {wanted}", found.trim()),
    }
}

/// `npm ci` in `folder`, unless its `node_modules` came from the very same lock file.
///
/// Install scripts stay off: no package here needs one.
pub(crate) fn install(folder: &Path) -> Result<()> {
    let lock = paths::read(&folder.join("package-lock.json"))?;
    let modules = folder.join("node_modules");
    let stamp = modules.join(".installed-from");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    say(&format!("installing the npm packages of {}", folder.display()));
    run(npm().args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder))
        .context("npm could not install the packages of package-lock.json; is there a network?")?;
    // npm makes no folder for a list of no packages.
    fs::create_dir_all(&modules)?;
    paths::write(&stamp, lock)
}

fn parse(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_compare_as_numbers() {
        assert_eq!(parse("v20.20.2\n"), Some((20, 20)));
        assert!(parse("v20.9.0") < Some(OLDEST));
        assert!(parse("v100.1.0") > Some(OLDEST));
        assert_eq!(parse("20.1"), None);
    }
}
