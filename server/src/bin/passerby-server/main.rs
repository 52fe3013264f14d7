//! The session core as a program. `passerby-server --help` explains it.

mod config;
mod observe;
mod serve;
mod stop;

use std::{
    collections::BTreeMap,
    error::Error,
    ffi::OsString,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use lexopt::{Arg, Parser, ValueExt as _};
use passerby_server::{PostgresStore, SqliteStore, session_core::SessionCore};

use crate::config::{Config, USAGE};

enum Command {
    Core,
    Check,
}

struct Arguments {
    command: Command,
    file: Option<PathBuf>,
    options: BTreeMap<&'static str, String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where stderr is closed, the exit code says it all the same.
            let _ = writeln!(io::stderr(), "passerby-server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let arguments = match parse(std::env::args_os().skip(1))? {
        Ok(arguments) => arguments,
        Err(text) => return Ok(writeln!(io::stdout(), "{text}")?),
    };
    let config = Config::load(arguments.file.as_deref(), environment(), arguments.options)?;
    match arguments.command {
        Command::Check => Ok(writeln!(io::stdout(), "{config}")?),
        Command::Core => {
            observe::start_logging(&config);
            let metrics = observe::start_counting()?;
            let core = if config.is_postgres() {
                SessionCore::open(PostgresStore::connect(&config.database).await?, config.core())
                    .await?
            } else {
                SessionCore::open(SqliteStore::open(&config.database).await?, config.core()).await?
            };
            Ok(serve::serve(&config, core, metrics).await?)
        }
    }
}

/// A variable whose name or value is not Unicode cannot be one of ours.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The arguments, or a text that was asked for.
fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Result<Arguments, &'static str>, Box<dyn Error>> {
    let mut parser = Parser::from_args(arguments);
    let (mut command, mut file, mut options) = (None, None, BTreeMap::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Value(name) if command.is_none() => {
                command = Some(match name.to_str() {
                    Some("core") => Command::Core,
                    Some("check") => Command::Check,
                    _ => {
                        return Err(format!(
                            "{name:?} is not a command; see `passerby-server --help`"
                        )
                        .into());
                    }
                });
            }
            Arg::Long("config") => file = Some(PathBuf::from(parser.value()?)),
            Arg::Long("database") => drop(options.insert("database", parser.value()?.string()?)),
            Arg::Long("listen") => drop(options.insert("listen", parser.value()?.string()?)),
            Arg::Long("port") => {
                let port: u16 = parser.value()?.parse()?;
                options.insert("listen", format!("127.0.0.1:{port}"));
            }
            Arg::Long("help") | Arg::Short('h') => return Ok(Err(USAGE)),
            Arg::Long("version") => {
                return Ok(Err(concat!("passerby-server ", env!("CARGO_PKG_VERSION"))));
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let command = command.ok_or(
        "the command is missing: `passerby-server core` serves; see `passerby-server --help`",
    )?;
    Ok(Ok(Arguments { command, file, options }))
}
