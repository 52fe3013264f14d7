//! Running other programs, and telling the developer about it.

use std::{
    env,
    ffi::OsStr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::paths;

/// A line for the developer. On standard error, because standard output is for what was asked for.
#[allow(clippy::print_stderr, reason = "see the crate's first lines")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// The cargo that started this program.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// `node <file>`.
pub(crate) fn node(file: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("node");
    command.arg(file);
    command
}

/// `npm`, which is a script on Windows.
pub(crate) fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

/// Shows the command, runs it with its output in plain sight, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    say(&format!("$ {}", shown(command)));
    let status = command.status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    check(command, status)
}

/// Like [`run`], for at most `limit`: downloads on a machine without network must not hang.
pub(crate) fn run_within(limit: Duration, command: &mut Command) -> Result<()> {
    say(&format!("$ {}", shown(command)));
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    let Some(status) = wait(&mut child, limit)? else {
        child.kill()?;
        child.wait()?;
        bail!("`{}` was stopped after {} seconds", shown(command), limit.as_secs());
    };
    check(command, status)
}

/// Runs the command silently and returns its standard output; what it said goes into the error when
/// it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", command.get_program().display()))?;
    if !output.status.success() {
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("`{}` failed ({})\n{out}{err}", shown(command), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a named step and says how long it took.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    say(&format!("\n== {name}"));
    let start = Instant::now();
    let result = work().with_context(|| format!("{name} failed"))?;
    say(&format!("== {name}: {:.1} s", start.elapsed().as_secs_f64()));
    Ok(result)
}

fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        let status = child.try_wait()?;
        if status.is_some() || Instant::now() > end {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn check(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// The command as one would type it in the root of the repository.
fn shown(command: &Command) -> String {
    let root = format!("{}{}", paths::root().display(), std::path::MAIN_SEPARATOR);
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = [program].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy().replace(&root, "")).collect::<Vec<_>>().join(" ")
}
