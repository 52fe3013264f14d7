//! A compiler that makes WebAssembly. There are three ways to one, tried in this order:
//!
//! 1. the active toolchain does it already,
//! 2. `rustup target add`,
//! 3. Debian's compiler, for machines where rustup is not there or reaches nothing: Debian has the
//!    compiler and the source of the standard library, which is built here, once. (Debian's own
//!    build of it for wasm is of another compiler.)

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::apt;
use crate::{
    paths,
    run::{cargo, output, run, run_within, say},
};

/// The name of the target.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_PACKAGES: [&str; 5] =
    ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"];
const ELSEWHERE: &str =
    "rustup (https://rustup.rs), then `rustup target add wasm32-unknown-unknown`";

/// The compiler that makes WebAssembly on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WasmTarget {
    /// The one that compiles everything else.
    Active,
    /// Debian's, beside the active one.
    Debian,
}

impl WasmTarget {
    /// The cargo to build for [`TARGET`] with.
    pub(crate) fn cargo(self) -> Command {
        match self {
            Self::Active => cargo(),
            Self::Debian => {
                let mut command = Command::new("/usr/bin/cargo");
                // A rustup toolchain, and what the cargo that started this program has set, would
                // lead to another compiler.
                command
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTDOC", "/usr/bin/rustdoc")
                    .env_remove("RUSTUP_TOOLCHAIN");
                command
            }
        }
    }

    /// The compiler itself.
    pub(crate) fn rustc(self) -> Command {
        match self {
            Self::Active => Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())),
            Self::Debian => Command::new("/usr/bin/rustc"),
        }
    }

    /// For people.
    pub(crate) fn describe(self) -> String {
        output(self.rustc().arg("--version")).unwrap_or_default().trim().to_owned()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Debian => "debian",
        }
    }

    /// The key under which the last check is remembered: another compiler, or no standard library
    /// any more, means another check.
    fn fingerprint(self) -> Result<String> {
        let libdir = output(self.rustc().args(["--print", "target-libdir", "--target", TARGET]))?;
        let libraries = fs::read_dir(libdir.trim()).map_or(0, Iterator::count);
        let compiler = output(self.rustc().arg("-vV"))?;
        Ok(format!("{} links {TARGET}\n{compiler}libraries: {libraries}\n", self.name()))
    }

    /// Really links a library, plainly and with fat LTO. A folder that exists proves nothing: the
    /// linker may be missing, the standard library may be of another compiler, or without the
    /// bitcode that only a release build asks for.
    fn links(self) -> Result<()> {
        let folder = Scratch::new("probe")?;
        let (source, module) = (folder.0.join("probe.rs"), folder.0.join("probe.wasm"));
        paths::write(
            &source,
            "#[unsafe(no_mangle)] pub extern \"C\" fn f(n: usize) -> usize { vec![0u8; n].len() \
             }\n",
        )?;
        for flags in [&[][..], &["-Clto=fat", "-Cpanic=abort", "-Copt-level=z"]] {
            let mut rustc = self.rustc();
            rustc.args(["--edition=2024", "--crate-type=cdylib", "--target", TARGET]).args(flags);
            output(rustc.arg("-o").arg(&module).arg(&source))?;
        }
        Ok(())
    }
}

/// Finds a compiler for [`TARGET`], or brings one.
pub(crate) fn ensure() -> Result<WasmTarget> {
    let stamp = paths::cache()?.join("wasm-target");
    // So that a developer can try the last way where the first two would do.
    let debian_only = env::var_os("PASSERBY_WASM_FROM").is_some_and(|way| way == "debian");
    let active = (!debian_only).then_some(WasmTarget::Active);
    let remembered = fs::read_to_string(&stamp).unwrap_or_default();
    for target in active.into_iter().chain([WasmTarget::Debian]) {
        if remembered.starts_with(target.name())
            && target.fingerprint().is_ok_and(|now| now == remembered)
        {
            return Ok(target);
        }
    }
    let target = match active.map(|_| by_rustup()) {
        Some(Ok(())) => WasmTarget::Active,
        reason => {
            if let Some(Err(error)) = reason {
                say(&format!("the active Rust toolchain cannot build for {TARGET}: {error:#}"));
            }
            by_debian().with_context(|| format!("no compiler for {TARGET}"))?;
            WasmTarget::Debian
        }
    };
    fs::create_dir_all(paths::cache()?)?;
    paths::write(&stamp, target.fingerprint()?)?;
    Ok(target)
}

fn by_rustup() -> Result<()> {
    say(&format!("checking that the active Rust toolchain links {TARGET}"));
    let missing = match WasmTarget::Active.links() {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    if paths::on_path("rustup").is_none() {
        return Err(missing);
    }
    say(&format!("adding the target {TARGET} to the active toolchain"));
    run_within(Duration::from_secs(180), Command::new("rustup").args(["target", "add", TARGET]))?;
    WasmTarget::Active.links()
}

fn by_debian() -> Result<()> {
    if cfg!(not(target_os = "linux")) {
        bail!("please install {ELSEWHERE}");
    }
    if Path::new("/usr/bin/rustc").exists() && WasmTarget::Debian.links().is_ok() {
        return Ok(());
    }
    say("installing Debian's Rust compiler for the web");
    apt::install(&DEBIAN_PACKAGES, ELSEWHERE)?;
    build_standard_library()?;
    WasmTarget::Debian
        .links()
        .context("the standard library was built, but a test module does not link")
}

fn build_standard_library() -> Result<()> {
    say("building the standard library for WebAssembly; this takes about a minute, once");
    let folder = Scratch::new("std")?;
    let target_dir = folder.0.join("target");
    fs::create_dir_all(folder.0.join("src"))?;
    paths::write(&folder.0.join("src").join("lib.rs"), "")?;
    let manifest = "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
                    [profile.release]\nopt-level = \"z\"\npanic = \"abort\"\ncodegen-units = 1\n";
    paths::write(&folder.0.join("Cargo.toml"), manifest)?;
    let mut cargo = WasmTarget::Debian.cargo();
    cargo
        .args([
            "build",
            "--release",
            "--target",
            TARGET,
            "-Zbuild-std=std,panic_abort,proc_macro,test",
        ])
        .current_dir(&folder.0)
        .env("CARGO_TARGET_DIR", &target_dir)
        .env("RUSTC_BOOTSTRAP", "1")
        // Cargo would leave the bitcode out, and then nothing links with `lto = "fat"`.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    run(&mut cargo)?;

    let home = PathBuf::from(
        output(WasmTarget::Debian.rustc().args(["--print", "target-libdir", "--target", TARGET]))?
            .trim(),
    );
    let fresh = home.with_extension("new");
    paths::emptied(&fresh)?;
    for entry in fs::read_dir(target_dir.join(TARGET).join("release").join("deps"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libempty-") {
            fs::copy(&path, fresh.join(name))?;
        }
    }
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }
    fs::rename(&fresh, &home).with_context(|| format!("cannot create {}", home.display()))
}

/// A folder that is gone when its owner is.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Result<Self> {
        let path = env::temp_dir().join(format!("passerby-{name}-{}", std::process::id()));
        paths::emptied(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing depends on it, and the system empties its temporary folder by itself.
        let _ = fs::remove_dir_all(&self.0);
    }
}
