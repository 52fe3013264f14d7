//! `cargo xtask simulate`: tries histories, and tells the shortest that fails.
#![allow(clippy::print_stdout, reason = "telling what happened is this program's job")]

mod browser;
mod check;
mod cookies;
mod document;
mod history;
mod jar;
mod places;
mod processes;
#[cfg(test)]
mod regressions;
mod server;
mod several;
mod tokens;
mod world;

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use history::History;

const HELP: &str = "simulate [--seeds N] [--from SEED] [--seed SEED]";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut seeds, mut from, mut one) = (100_000_u64, 0_u64, None);
    while let Some(arg) = args.next() {
        let number = args.next().and_then(|number| number.parse::<u64>().ok());
        match (arg.as_str(), number) {
            ("--seeds", Some(number)) => seeds = number,
            ("--from", Some(number)) => from = number,
            ("--seed", Some(number)) => one = Some(number),
            _ => {
                println!("{HELP}");
                return ExitCode::from(2);
            }
        }
    }
    if let Some(seed) = one {
        return tell(seed);
    }
    let start = Instant::now();
    let next = AtomicU64::new(from);
    let failed = AtomicU64::new(u64::MAX);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(|| {
                while failed.load(Ordering::Relaxed) == u64::MAX {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        break;
                    }
                    if History::of(seed).run(false).fault.is_some() {
                        failed.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    match failed.into_inner() {
        u64::MAX => {
            println!(
                "{seeds} histories from seed {from}: nothing is wrong ({:.1} s)",
                start.elapsed().as_secs_f64()
            );
            ExitCode::SUCCESS
        }
        seed => tell(seed),
    }
}

fn tell(seed: u64) -> ExitCode {
    let history = History::of(seed);
    if history.run(false).fault.is_none() {
        println!("seed {seed}: nothing is wrong");
        return ExitCode::SUCCESS;
    }
    let history = history.shortened();
    let world = history.run(true);
    println!("seed {seed}, {:?}", history.setting);
    println!("{:?}", history.steps);
    for line in world.log.unwrap_or_default() {
        println!("{line}");
    }
    println!("seed {seed}: {}", world.fault.unwrap_or_default());
    ExitCode::FAILURE
}
