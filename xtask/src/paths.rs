//! Where things are.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_path_buf()
}

/// The npm package.
pub(crate) fn pkg() -> PathBuf {
    root().join("pkg")
}

/// The demo's web app.
pub(crate) fn web() -> PathBuf {
    root().join("www").join("web")
}

/// Cargo's target directory, wherever the developer keeps it: this program lies in its `debug`
/// folder.
pub(crate) fn target() -> Result<PathBuf> {
    let exe = env::current_exe()?;
    exe.ancestors().nth(2).map(Path::to_path_buf).context("xtask must be run as `cargo xtask`")
}

/// A program of the dev tools in the root's `package.json`, as its JavaScript file: `node <file>`
/// works on every system.
pub(crate) fn node_bin(package: &str, name: &str) -> PathBuf {
    root().join("node_modules").join(package).join("bin").join(name)
}

/// Files that outlive this clone: tools that take minutes to build, shared by all clones of a user.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .context("neither XDG_CACHE_HOME nor a home directory is set")?;
    Ok(base.join("passerby"))
}

/// The first file called `name` in the folders of `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(&name))
        .find(|path| path.is_file())
}

/// A new, empty folder at `path`.
pub(crate) fn emptied(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("cannot empty {}", path.display()))?;
    }
    fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
}

/// [`fs::read_to_string`] that names the file when it fails.
pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// [`fs::write`] that names the file when it fails.
pub(crate) fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, contents).with_context(|| format!("cannot write {}", path.display()))
}
