//! Passerby beside its peers: what is measured is built, what measures is brought, and
//! `benches/run.mjs` does the rest.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{
    build, paths,
    run::{cargo, node, run, say, step},
    setup,
};

/// The parts, and the options that have a value.
const PARTS: [&str; 3] = ["sizes", "browser", "server"];

/// Sets up, builds, and measures what the words say: nothing for everything.
pub(crate) fn bench(words: &[&str]) -> Result<()> {
    let asked = asked(words)?;
    let measures = |part: &str| asked.is_empty() || asked.contains(&part);
    build::build()?;
    setup::install_npm_packages(&benches())?;
    let mut command = node(benches().join("run.mjs"));
    command.args(words).env("PASSERBY_BENCH_OUT", paths::target()?.join("bench"));
    if measures("browser") || measures("server") {
        let programs = build_servers()?;
        let program = |name: &str| programs.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        command
            .env("PASSERBY_BENCHES", program("passerby-benches"))
            .env("PASSERBY_CORE", program("passerby-server"));
    }
    if measures("browser") {
        command.env("PASSERBY_CHROMIUM", setup::browser()?.chromium);
    }
    if measures("server") {
        command.env("PASSERBY_POSTGRES", setup::for_native_tests()?);
        setup::load_generator()?;
    }
    say("\nThe numbers are worth as much as the machine is quiet.");
    run(&mut command)
}

/// The parts that are asked for; an error for what is not among them and no option.
fn asked<'a>(words: &[&'a str]) -> Result<Vec<&'a str>> {
    let mut parts = Vec::new();
    let mut words = words.iter();
    while let Some(&word) = words.next() {
        match word {
            "--quick" => {}
            "--sessions" if words.next().is_some_and(|count| count.parse::<u64>().is_ok()) => {}
            part if PARTS.contains(&part) => parts.push(part),
            other => bail!(
                "{other:?} is neither a part of the benchmark nor an option of it; \
                 see `cargo xtask help`"
            ),
        }
    }
    Ok(parts)
}

fn benches() -> PathBuf {
    paths::root().join("benches")
}

/// The servers, as they are published: optimised. The folder they are in.
fn build_servers() -> Result<PathBuf> {
    step("build the servers", || {
        run(cargo().current_dir(paths::root()).args([
            "build",
            "--release",
            "--package=passerby-server",
            "--package=passerby-benches",
            "--features=passerby-server/cli",
        ]))?;
        Ok(paths::target()?.join("release"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_options_are_told_apart() {
        assert_eq!(asked(&["server", "--quick", "--sessions", "10"]).unwrap(), ["server"]);
        assert!(asked(&[]).unwrap().is_empty());
        for wrong in [&["sever"][..], &["--sessions"], &["--sessions", "many"], &["--fast"]] {
            assert!(asked(wrong).is_err(), "{wrong:?}");
        }
    }
}
