//! Packages on Debian and its relatives, where this program runs as root.

use std::{process::Command, time::Duration};

use anyhow::{Result, bail};

use crate::{
    paths,
    run::{output, run_within, say},
};

/// Installs `packages`; otherwise the error says what to do instead of us.
pub(crate) fn install(packages: &[&str], elsewhere: &str) -> Result<()> {
    let by_hand =
        format!("on Debian: sudo apt-get install {}\nelsewhere: {elsewhere}", packages.join(" "));
    if paths::on_path("apt-get").is_none() {
        bail!("this is not Debian, so please install it yourself:\n{by_hand}");
    }
    if output(Command::new("id").arg("-u"))?.trim() != "0" {
        bail!("only root can install packages, so please do it yourself:\n{by_hand}");
    }
    if apt("install", packages).is_ok() {
        return Ok(());
    }
    say("not found; the package lists may be old or missing");
    let updated = apt("update", &[]).and_then(|()| apt("install", packages));
    updated.map_err(|error| {
        error
            .context(format!("the packages could not be installed; is there a network?\n{by_hand}"))
    })
}

fn apt(verb: &str, packages: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args([
        "-qq",
        "-y",
        "-o",
        "Dpkg::Use-Pty=0",
        "-o",
        "Acquire::Retries=2",
        "-o",
        "Acquire::http::Timeout=30",
    ]);
    command.arg(verb);
    if verb == "install" {
        command.arg("--no-install-recommends");
    }
    run_within(
        Duration::from_secs(600),
        command.args(packages).env("DEBIAN_FRONTEND", "noninteractive"),
    )
}
