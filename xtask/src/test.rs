//! All tests, from the rules to the browser.

use std::{
    env, fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{
    build, demo, paths,
    run::{cargo, node, run, say, step},
    serial_proxy,
    setup::{self, Browser, Engines, Tools},
    simulate,
};

/// A level of tests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Rules, server and commands, as native programs.
    Native,
    /// The SDK and its host module, in a page.
    Wasm,
    /// A shop's visitors, against the demo's server.
    EndToEnd,
    /// The same visitors, with other browsers.
    Engines,
    /// The tarball in other people's apps.
    Packaging,
}

impl Part {
    pub(crate) const ALL: [Self; 5] =
        [Self::Native, Self::Wasm, Self::EndToEnd, Self::Engines, Self::Packaging];

    fn name(self) -> &'static str {
        match self {
            Self::Native => "native tests",
            Self::Wasm => "browser tests",
            Self::EndToEnd => "end-to-end tests",
            Self::Engines => "tests in other browsers",
            Self::Packaging => "packaging tests",
        }
    }
}

/// Sets up, builds what the parts need, and runs them.
pub(crate) fn test(parts: &[Part]) -> Result<()> {
    let start = Instant::now();
    let (mut times, mut shop) = (Vec::new(), None);
    for part in parts {
        let start = Instant::now();
        match part {
            Part::Native => {
                setup::for_native_tests()?;
                step(part.name(), native)?;
            }
            Part::Wasm => {
                let (tools, browser) = (setup::for_build()?, setup::browser()?);
                step(part.name(), || wasm(&tools, &browser))?;
            }
            Part::EndToEnd => {
                let shop = Shop::once(&mut shop)?;
                step("tests of the package's modules and types", package)?;
                step(part.name(), || shop.test("e2e"))?;
                setup::python()?;
                step("back ends in other languages", || shop.with_other_back_ends())?;
            }
            Part::Engines => {
                let engines = setup::engines();
                let shop = Shop::once(&mut shop)?;
                step(part.name(), || shop.test_with(&engines))?;
            }
            Part::Packaging => {
                let shop = Shop::once(&mut shop)?;
                step(part.name(), || shop.test("packaging"))?;
            }
        }
        times.push(format!("{} {}", part.name(), seconds(start.elapsed())));
    }
    say(&format!("\nall passed: {}; together {}", times.join(", "), seconds(start.elapsed())));
    Ok(())
}

fn native() -> Result<()> {
    run(cargo().current_dir(paths::root()).args(["test", "--workspace"]))?;
    simulate::gate()?;
    // Not among the others, because they bring packages for Node and Python.
    run(interop().args(["--ignored", "--skip", IN_CHROMIUM]))
}

/// Of the tests with other languages, those that need the built SDK.
const IN_CHROMIUM: &str = "in_chromium";
/// The back end in Go.
const IN_GO: &str = "net_http";
/// Those that a change is not made to wait for.
const LONG: &str = "whole";
/// `all`: nothing is left out.
const BACK_ENDS: &str = "PASSERBY_BACK_ENDS";

fn interop() -> Command {
    let mut command = cargo();
    command.current_dir(paths::root()).args([
        "test",
        "--package=passerby-server",
        "--test=interop",
        "--",
    ]);
    if env::var_os(BACK_ENDS).is_none_or(|asked| asked != "all") {
        command.args(["--skip", LONG]);
    }
    if paths::on_path("go").is_none() {
        say("the back end in Go is left out: Go is not installed");
        command.args(["--skip", IN_GO]);
    }
    command
}

fn wasm(tools: &Tools, browser: &Browser) -> Result<()> {
    // The committed file has Debian's browser in it, for people who run cargo by hand.
    let settings = paths::read(&paths::root().join("webdriver.json"))?;
    let here = paths::target()?.join("webdriver.json");
    let path = browser.chromium.to_string_lossy().replace('\\', "\\\\");
    let proxied = format!(
        concat!(
            r#""--headless", "--proxy-server=socks5://127.0.0.1:{}", "#,
            r#""--proxy-bypass-list=<-loopback>""#
        ),
        serial_proxy::proxy()?
    );
    paths::write(
        &here,
        settings.replace("/usr/bin/chromium", &path).replace(r#""--headless""#, &proxied),
    )?;
    run(tools
        .wasm
        .cargo()
        .current_dir(paths::root())
        .args(["test", "--package=passerby", "--tests", "--target=wasm32-unknown-unknown"])
        // The manifest has dependencies optimised, for the server's sake. Here that would cost
        // minutes and save nothing.
        .args(["--config", "profile.dev.package.'*'.opt-level=0"])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", tools.bindgen.test_runner())
        .env("CHROMEDRIVER", &browser.driver)
        // Seconds for all tests of a binary.
        .env("WASM_BINDGEN_TEST_TIMEOUT", "120")
        .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", &here))
}

/// Everything that runs without a browser, or only has to compile.
fn package() -> Result<()> {
    // Our types beside those of the peers, then the files that the tests share.
    for project in ["tests/types", "tests"] {
        run(node(paths::node_bin("typescript", "tsc"))
            .current_dir(paths::root())
            .args(["--project", project]))?;
    }
    run(Command::new("node").arg("--test").args(test_files("unit")?).current_dir(paths::root()))
}

/// By name, because Node 20 takes no pattern.
fn test_files(folder: &str) -> Result<Vec<PathBuf>> {
    let folder = paths::root().join("tests").join(folder);
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    files.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    files.sort();
    Ok(files)
}

/// The demo shop and its server, for tests with visitors.
struct Shop {
    browser: Browser,
    server: PathBuf,
    core: PathBuf,
    web: PathBuf,
}

impl Shop {
    /// Builds it for the first that needs it.
    fn once(shop: &mut Option<Self>) -> Result<&Self> {
        Ok(match shop {
            Some(shop) => shop,
            none => none.insert(Self::build()?),
        })
    }

    fn build() -> Result<Self> {
        let browser = setup::browser()?;
        let (_, tarball) = build::build()?;
        Ok(Self {
            browser,
            web: demo::build_web(&tarball)?,
            server: demo::build_server()?,
            core: demo::build_core()?,
        })
    }

    /// Runs the tests of a folder.
    fn test(&self, folder: &str) -> Result<()> {
        run(&mut self.command(folder)?)
    }

    /// Runs the visitors' tests in every browser that is there.
    fn test_with(&self, engines: &Engines) -> Result<()> {
        let mut command = self.command("engines")?;
        let missing = engines.missing();
        if !missing.is_empty() {
            say(&format!("not on this machine, and so left out: {}", missing.join(", ")));
        }
        command.env("PASSERBY_SKIP_ENGINES", missing.join(","));
        if let Some(firefox) = &engines.firefox {
            command.env("PASSERBY_FIREFOX", firefox);
        }
        if let Some(webkit) = &engines.webkit {
            command
                .env("PASSERBY_WEBKIT", &webkit.browser)
                .env("PASSERBY_WEBKIT_DRIVER", &webkit.driver);
        }
        run(&mut command)
    }

    fn command(&self, folder: &str) -> Result<Command> {
        let mut command = Command::new("node");
        command
            .args(["--test", "--test-concurrency=2"])
            .args(test_files(folder)?)
            .current_dir(paths::root())
            .env("PASSERBY_SERVER", &self.server)
            .env("PASSERBY_CORE", &self.core)
            .env("PASSERBY_WEB", &self.web)
            .env("PASSERBY_CHROMIUM", &self.browser.chromium)
            .env("PASSERBY_TARGET", paths::target()?);
        Ok(command)
    }

    /// Our SDK with SuperTokens back ends on the session core.
    fn with_other_back_ends(&self) -> Result<()> {
        run(interop()
            .args(["--ignored", IN_CHROMIUM])
            .env("PASSERBY_CHROMIUM", &self.browser.chromium))
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.0} s", time.as_secs_f64())
}
