//! Brings the tools that the other commands need. A tool that is there is left alone, so that a
//! second run takes a moment; what cannot be brought ends in an error that says what to install.

mod apt;
mod browser;
mod cargo_tool;
mod engines;
mod node;
mod postgres;
mod python;
mod wasm_bindgen;
mod wasm_target;
mod wrk;

use std::path::PathBuf;

use anyhow::Result;

pub(crate) use self::{
    browser::Browser,
    cargo_tool::{DENY, HACK},
    engines::Engines,
    node::install as install_npm_packages,
    wasm_bindgen::WasmBindgen,
    wasm_target::{TARGET as WASM, WasmTarget},
};
use crate::{paths, run::say};

/// The tools for a build of the npm package.
pub(crate) struct Tools {
    pub(crate) wasm: WasmTarget,
    pub(crate) bindgen: WasmBindgen,
}

/// Everything a build needs.
pub(crate) fn for_build() -> Result<Tools> {
    node::check_version()?;
    let tools = Tools { wasm: wasm_target::ensure()?, bindgen: wasm_bindgen::ensure()? };
    node::install(&paths::root())?;
    Ok(tools)
}

/// The browser, and what drives it.
pub(crate) fn browser() -> Result<Browser> {
    browser::ensure()
}

/// The browsers of other makers.
pub(crate) fn engines() -> Engines {
    engines::ensure()
}

/// The programs that the native tests start: a database server, and services in other languages.
pub(crate) fn for_native_tests() -> Result<PathBuf> {
    python()?;
    postgres::ensure()
}

/// The interpreter and packages for back ends in Python.
pub(crate) fn python() -> Result<()> {
    python::ensure()
}

/// The compiler that makes WebAssembly.
pub(crate) fn wasm_target() -> Result<WasmTarget> {
    wasm_target::ensure()
}

/// The load generator of the benchmark.
pub(crate) fn load_generator() -> Result<()> {
    wrk::ensure()
}

/// Everything, for the developer who asks for it.
pub(crate) fn everything() -> Result<()> {
    let tools = for_build()?;
    if paths::web().join("package.json").exists() {
        node::install(&paths::web())?;
    }
    let (browser, postgres) = (browser()?, for_native_tests()?);
    say(&format!("wasm32 target   {}", tools.wasm.describe()));
    say(&format!("wasm-bindgen    {}", tools.bindgen.folder.display()));
    say(&format!("npm packages    {}", paths::root().join("node_modules").display()));
    say(&format!("browser         {}, {}", browser.chromium.display(), browser.driver.display()));
    let engines = engines();
    for browser in
        [&engines.firefox, &engines.webkit.map(|webkit| webkit.browser)].into_iter().flatten()
    {
        say(&format!("another browser {}", browser.display()));
    }
    say(&format!("PostgreSQL      {}", postgres.display()));
    say(&format!("cargo-deny      {}", DENY.ensure()?.display()));
    say(&format!("cargo-hack      {}", HACK.ensure()?.display()));
    Ok(())
}
