//! The other browsers that visitors have: Firefox, and WebKit with what drives it and the display
//! that it wants.

use std::{fs, path::PathBuf};

use anyhow::Context;

use super::apt;
use crate::{paths, run::say};

const ELSEWHERE: &str =
    "there is no other way yet; `cargo xtask test engines` leaves out what is not there";

/// Where the browsers are, as far as this machine can have them.
pub(crate) struct Engines {
    pub(crate) firefox: Option<PathBuf>,
    pub(crate) webkit: Option<WebKit>,
}

/// A browser of WebKitGTK.
pub(crate) struct WebKit {
    pub(crate) browser: PathBuf,
    pub(crate) driver: PathBuf,
}

impl Engines {
    /// Those that this machine lacks, by the names of the tests.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let firefox = self.firefox.is_none().then_some("firefox");
        firefox.into_iter().chain(self.webkit.is_none().then_some("webkit")).collect()
    }
}

/// Finds the browsers, or installs them where that can be done.
pub(crate) fn ensure() -> Engines {
    let found = find();
    if found.missing().is_empty() {
        return found;
    }
    say("installing Firefox and WebKitGTK");
    let installed = apt::install(&["firefox-esr", "webkit2gtk-driver", "xvfb"], ELSEWHERE);
    if let Err(error) = installed.context("Firefox and WebKit are not there") {
        say(&format!("{error:#}"));
    }
    find()
}

fn find() -> Engines {
    let firefox = ["firefox-esr", "firefox"].into_iter().find_map(paths::on_path);
    let webkit = paths::on_path("WebKitWebDriver")
        .filter(|_| paths::on_path("Xvfb").is_some())
        .and_then(|driver| Some(WebKit { browser: mini_browser()?, driver }));
    Engines { firefox, webkit }
}

/// Debian keeps it in a folder that is named after the machine's architecture.
fn mini_browser() -> Option<PathBuf> {
    fs::read_dir("/usr/lib")
        .ok()?
        .flatten()
        .map(|entry| entry.path().join("webkit2gtk-4.1/MiniBrowser"))
        .find(|path| path.is_file())
}
