//! PostgreSQL's programs, with which the server's tests start servers of their own
//! (`server/tests/it/cluster.rs`).

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::apt;
use crate::{paths, run::say};

const ELSEWHERE: &str = "PostgreSQL 12 or newer, with `initdb` on the PATH";
/// Where Debian keeps them: a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Debian's package makes a server for the machine and starts it, unless it is told here not to. We
/// need its programs only.
const NO_SERVER: &str = "/etc/postgresql-common/createcluster.d/passerby.conf";

/// Finds `initdb`, or installs PostgreSQL, and returns the folder of its programs.
pub(crate) fn ensure() -> Result<PathBuf> {
    if let Some(folder) = find() {
        return Ok(folder);
    }
    say("installing PostgreSQL");
    let told = tell_debian_to_start_nothing();
    let installed =
        apt::install(&["postgresql"], ELSEWHERE).context("the tests of the server need PostgreSQL");
    if told {
        fs::remove_file(NO_SERVER).with_context(|| format!("cannot remove {NO_SERVER}"))?;
    }
    installed?;
    find().context("PostgreSQL was installed, but its `initdb` is not to be found")
}

/// Whether it worked. A user who is not root fails here, and a moment later at installing, with a
/// better explanation.
fn tell_debian_to_start_nothing() -> bool {
    let file = Path::new(NO_SERVER);
    !file.exists()
        && file.parent().is_some_and(|folder| fs::create_dir_all(folder).is_ok())
        && fs::write(file, "create_main_cluster = false\n").is_ok()
}

fn find() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let newest = versions
        .map(|entry| entry.path())
        .filter(|folder| folder.join("bin").join("initdb").is_file())
        .max_by_key(|folder| {
            folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok())
        });
    newest
        .map(|folder| folder.join("bin"))
        .or_else(|| Some(paths::on_path("initdb")?.parent()?.to_path_buf()))
}
