//! Chromium, and the ChromeDriver of the same version, for the tests that run in a browser.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::apt;
use crate::{paths, run::say};

const ELSEWHERE: &str = "Chrome or Chromium and the ChromeDriver of the same version, both on the \
    PATH, \
                         or named by the variables PASSERBY_CHROMIUM and CHROMEDRIVER";

/// Where the browser is.
pub(crate) struct Browser {
    pub(crate) chromium: PathBuf,
    pub(crate) driver: PathBuf,
}

/// Finds the browser, or installs it.
pub(crate) fn ensure() -> Result<Browser> {
    if let Some(browser) = find() {
        return Ok(browser);
    }
    say("installing Chromium and ChromeDriver");
    apt::install(&["chromium", "chromium-driver"], ELSEWHERE).context("the tests need Chromium")?;
    find().context("Chromium was installed, but it is not on the PATH")
}

fn find() -> Option<Browser> {
    let named = |variable: &str| {
        std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_file())
    };
    let chromium = named("PASSERBY_CHROMIUM").or_else(|| {
        ["chromium", "chromium-browser", "google-chrome", "chrome"]
            .into_iter()
            .find_map(paths::on_path)
    })?;
    let driver = named("CHROMEDRIVER").or_else(|| paths::on_path("chromedriver"))?;
    Some(Browser { chromium, driver })
}
