//! The demo shop: its web app, built as any app's is, and its server.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    build, paths,
    run::{cargo, npm, output, run, say, step},
    setup,
};

/// The port that the demo listens on.
#[derive(Clone, Copy)]
pub(crate) enum Port {
    /// This one, or the error that it is taken.
    Exactly(u16),
    /// The first free one from here.
    FreeFrom(u16),
}

/// Builds everything and becomes the server.
pub(crate) fn demo(port: Port) -> Result<()> {
    // Before the minutes of a first build, not after them.
    choose(port)?;
    let (_, tarball) = build::build()?;
    let web = build_web(&tarball)?;
    let server = build_server()?;
    let port = choose(port)?;
    let database = paths::target()?.join("demo").join("demo.db");
    fs::create_dir_all(database.with_file_name(""))?;
    say(&format!(
        "\nThe shop is open: http://localhost:{port}   (Ctrl-C closes it; its database is {})\n",
        database.display()
    ));
    let mut command = Command::new(server);
    command
        .arg("--port")
        .arg(port.to_string())
        .arg("--database")
        .arg(database)
        .arg("--web")
        .arg(web);
    become_it(command)
}

/// The built web app, with the package in it that was packed just now.
pub(crate) fn build_web(tarball: &Path) -> Result<PathBuf> {
    step("build the demo's web app", || {
        let web = paths::web();
        setup::install_npm_packages(&web)?;
        // The same as `npm install <tarball>`. npm itself would also write the tarball's checksum,
        // new with every build, into the lock file.
        let package = web.join("node_modules").join("passerby");
        paths::emptied(&package)?;
        output(
            Command::new("tar")
                .arg("-xzf")
                .arg(tarball)
                .arg("-C")
                .arg(&package)
                .arg("--strip-components=1"),
        )?;
        run(npm().args(["run", "--silent", "build"]).current_dir(&web))?;
        Ok(web.join("dist"))
    })
}

/// The demo's server. Of the dev profile, like the tests, so that nothing is compiled twice.
pub(crate) fn build_server() -> Result<PathBuf> {
    step("build the demo's server", || {
        run(cargo().current_dir(paths::root()).args(["build", "--package=passerby-www"]))?;
        Ok(paths::target()?
            .join("debug")
            .join(format!("passerby-www{}", std::env::consts::EXE_SUFFIX)))
    })
}

/// The program `passerby-server`. As its tests build it, so that nothing is compiled twice.
pub(crate) fn build_core() -> Result<PathBuf> {
    step("build the session core", || {
        run(cargo().current_dir(paths::root()).args([
            "test",
            "--package=passerby-server",
            "--test=interop",
            "--no-run",
        ]))?;
        Ok(paths::target()?
            .join("debug")
            .join(format!("passerby-server{}", std::env::consts::EXE_SUFFIX)))
    })
}

fn choose(port: Port) -> Result<u16> {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    match port {
        Port::Exactly(port) if free(port) => Ok(port),
        Port::Exactly(port) => bail!("port {port} is taken"),
        Port::FreeFrom(first) => {
            (first..first.saturating_add(100)).find(|&port| free(port)).context("no free port")
        }
    }
}

/// On Unix this process turns into the server: Ctrl-C, the exit code and the end of it all are the
/// server's own, and nobody is left behind.
#[cfg(unix)]
fn become_it(mut command: Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(command.exec()).context("the demo's server does not start")
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> Result<()> {
    run(&mut command)
}
