//! The project's own commands. `cargo xtask help` lists them.
#![allow(clippy::print_stdout, reason = "telling the developer what happens is this program's job")]

mod api;
mod bench;
mod build;
mod bundles;
mod demo;
mod deny;
mod exports;
mod fallback;
mod features;
mod inline;
mod oldest;
mod paths;
mod run;
mod serial_proxy;
mod setup;
mod simulate;
mod sizes;
mod test;

use std::process::ExitCode;

use anyhow::Context;

const HELP: &str = "\
cargo xtask setup                       bring the tools that are missing (every other command does
                                        so too)
cargo xtask build                       the npm package: pkg/passerby-<version>.tgz, and what it
                                        weighs
cargo xtask build --record              the same, and its sizes become those that later builds are
                                        compared with
cargo xtask demo [--port N]             the demo shop, on http://localhost:3000 or the next free
                                        port
cargo xtask test [native|wasm|e2e|engines|packaging]
                                        all tests, or those of one level
cargo xtask simulate [--seeds N] [--from SEED] [--seed SEED]
                                        random orders of events, in a world without I/O
cargo xtask deny                        licences, bans and sources of the crates we depend on;
                                        advisories where they can be had
cargo xtask features                    each feature of our crates by itself
cargo xtask api                         the crates that our public API names
cargo xtask oldest                      the lowest versions of Rust and of crates that we say work
cargo xtask bench [sizes|browser|server] [--quick] [--sessions N]
                                        Passerby beside its peers; --quick shows that it works, its
                                        numbers say little";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args.as_slice() {
        ["setup"] => setup::everything(),
        ["build"] => build::build().map(drop),
        ["build", "--record"] => build::build_and(build::Sizes::Record).map(drop),
        ["demo"] => demo::demo(demo::Port::FreeFrom(3000)),
        ["demo", "--port", port] => port
            .parse()
            .with_context(|| format!("--port takes a number up to 65535, not {port:?}"))
            .and_then(|port| demo::demo(demo::Port::Exactly(port))),
        ["test"] => test::test(&test::Part::ALL),
        ["test", "native"] => test::test(&[test::Part::Native]),
        ["test", "wasm"] => test::test(&[test::Part::Wasm]),
        ["test", "e2e"] => test::test(&[test::Part::EndToEnd]),
        ["test", "engines"] => test::test(&[test::Part::Engines]),
        ["test", "packaging"] => test::test(&[test::Part::Packaging]),
        ["deny"] => deny::deny(),
        ["features"] => features::features(),
        ["api"] => api::api(),
        ["oldest"] => oldest::oldest(),
        ["bench", rest @ ..] => bench::bench(rest),
        ["simulate", args @ ..] => simulate::simulate(args),
        ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            run::say(HELP);
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::say(&format!("\nxtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
