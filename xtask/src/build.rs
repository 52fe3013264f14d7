//! The npm package, from the Rust source to the packed tarball.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    bundles, exports, fallback, inline, paths,
    run::{node, npm, output, run, say, step},
    setup::{self, Tools},
    sizes::{self, Figures, Size},
};

/// The most that the whole default entry may be, compressed with brotli.
const BUDGET: usize = 16_980;

/// The use that is made of the sizes of the entry points.
#[derive(Clone, Copy)]
pub(crate) enum Sizes {
    /// They are compared with the committed figures.
    Compare,
    /// They become the committed figures.
    Record,
}

/// The flags of wasm-opt. The features are those that the compiler has on by default.
const WASM_OPT: [&str; 22] = [
    // The stack ends there, and ours is nowhere near its end.
    "--low-memory-unused",
    // Several times: each finds what another made possible, and control flow made anew is smaller
    // than the compiler's.
    "-Oz",
    "--flatten",
    "--rereloop",
    "-Oz",
    "-Oz",
    "--flatten",
    "--local-cse",
    "--rereloop",
    "-Oz",
    "-Oz",
    "-Oz",
    // Functions stay in their order, in which brotli finds more that is alike: 60 bytes less than
    // with the shortest numbers for those that are called most.
    "--converge",
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
];

/// Sets up what is missing and builds the package.
pub(crate) fn build() -> Result<(Tools, PathBuf)> {
    build_and(Sizes::Compare)
}

/// The same, and says what becomes of the sizes.
pub(crate) fn build_and(sizes: Sizes) -> Result<(Tools, PathBuf)> {
    let tools = setup::for_build()?;
    let tarball = build_with(&tools, sizes)?;
    Ok((tools, tarball))
}

/// Builds the package and returns its tarball.
fn build_with(tools: &Tools, sizes: Sizes) -> Result<PathBuf> {
    step("build the npm package", || {
        let compiled = compile(tools)?;
        let wasm = optimise(&compiled)?;
        let text = generate(&wasm)?;
        stand_in(&compiled)?;
        bundles::make()?;
        let tarball = pack()?;
        weigh(tools, &wasm, &text)?;
        weigh_entries(tools, &wasm, sizes)?;
        say(&format!("packed {}", tarball.display()));
        Ok(tarball)
    })
}

/// How code is generated; each flag with the bytes that it saves (brotli). A compiler that does not
/// know one of them goes without.
const GENERATION: [&str; 6] = [
    // Memory is copied by one instruction, not field by field: 100 bytes.
    "-Cllvm-args=-max-store-memcpy=1",
    // Code that is called from several places stays a function more often: 30 bytes.
    "-Cllvm-args=-inline-threshold=10",
    // The same code at the end of several branches is not moved behind them: 25 bytes.
    "-Cllvm-args=-simplifycfg-sink-common=0",
    // Nothing is written twice for the sake of speed: 60 bytes.
    "-Cllvm-args=-jump-threading-threshold=1",
    "-Cllvm-args=-enable-load-pre=0",
    // The machine's fields are behind the stack, so that their addresses are short: 25 bytes. No
    // function needs a kilobyte of it, and none calls itself more than a few times.
    "-Clink-arg=-zstack-size=32768",
];

/// The Rust crate as a WebAssembly module with the exports that the package's source knows.
fn compile(tools: &Tools) -> Result<PathBuf> {
    // On the command line and not in the manifest: a crate that is a Rust library as well is built
    // without LTO.
    let mut rustc = tools.wasm.cargo();
    rustc.current_dir(paths::root()).args([
        "rustc",
        "--package=passerby",
        "--lib",
        "--crate-type=cdylib",
        "--profile=wasm",
        "--target=wasm32-unknown-unknown",
        "--no-default-features",
        "--features=npm",
        "--",
    ]);
    let is_known = |flag: &&str| {
        let mut asked = tools.wasm.rustc();
        asked.args(["--print", "cfg", flag]).output().is_ok_and(|known| known.status.success())
    };
    run(rustc.args(GENERATION.into_iter().filter(is_known)))?;
    let target = paths::target()?;
    let compiled =
        fs::read(target.join("wasm32-unknown-unknown").join("wasm").join("passerby.wasm"))?;
    let folder = target.join("npm");
    fs::create_dir_all(&folder)?;
    let wasm = folder.join("compiled.wasm");
    paths::write(&wasm, exports::only(&compiled, &EXPORTS)?)?;
    Ok(wasm)
}

/// The parts that the package calls (`pkg/src/load.ts`): the name in the crate, and the name that
/// visitors download.
const EXPORTS: [(&str, &str); 2] = [("memory", "m"), ("turn", "t")];

/// The smallest module. Seconds long, so it is skipped when its input is that of the last time.
fn optimise(input: &Path) -> Result<PathBuf> {
    let folder = paths::target()?.join("npm").join("optimised");
    let (wasm, seen, flags) =
        (folder.join("passerby.wasm"), folder.join("input.wasm"), folder.join("flags"));
    let how = format!("{WASM_OPT:?}\n{}", paths::read(&paths::root().join("package-lock.json"))?);
    let same = |seen: &Path, now: &[u8]| fs::read(seen).is_ok_and(|seen| seen == now);
    let bytes = fs::read(input)?;
    if !(same(&seen, &bytes) && same(&flags, how.as_bytes())) {
        paths::emptied(&folder)?;
        run(node(paths::node_bin("binaryen", "wasm-opt"))
            .args(WASM_OPT)
            .arg(input)
            .arg("-o")
            .arg(&wasm))?;
        paths::write(&flags, how)?;
        paths::write(&seen, bytes)?;
    }
    Ok(wasm)
}

/// The built part of the package's source; the module's text in it.
fn generate(wasm: &Path) -> Result<String> {
    let folder = paths::pkg().join("src").join("generated");
    paths::emptied(&folder)?;
    paths::write(&folder.join(".gitignore"), "*\n")?;
    let encoded = inline::encode(&fs::read(wasm)?);
    paths::write(&folder.join("wasm.ts"), format!("export const wasm =\n  \"{encoded}\";\n"))?;
    copy_folder(&paths::root().join("src").join("browser"), &folder.join("browser"), "js")?;
    let dist = paths::pkg().join("dist");
    paths::emptied(&dist)?;
    fs::copy(wasm, dist.join("passerby.wasm"))?;
    Ok(encoded)
}

/// The flags of wasm2js: it refuses what it cannot say in JavaScript.
const WASM2JS: [&str; 6] = [
    "-Oz",
    "--disable-reference-types",
    "--disable-tail-call",
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
];

/// The same module as JavaScript. Seconds long, so it is skipped when its input is that of the last
/// time.
fn stand_in(input: &Path) -> Result<()> {
    let folder = paths::target()?.join("npm");
    let (script, seen) = (folder.join("plain.js"), folder.join("plain.seen"));
    let bytes = fs::read(input)?;
    if !fs::read(&seen).is_ok_and(|seen| seen == bytes) || !script.exists() {
        run(node(paths::node_bin("binaryen", "wasm2js"))
            .args(WASM2JS)
            .arg(input)
            .arg("-o")
            .arg(&script))?;
        paths::write(&seen, bytes)?;
    }
    let generated = paths::pkg().join("src").join("generated");
    paths::write(&generated.join("fallback.js"), fallback::adapt(&paths::read(&script)?)?)?;
    paths::write(
        &generated.join("fallback.d.ts"),
        "/** The exports of the WebAssembly module. */\nexport function make(): \
         WebAssembly.Exports;\n",
    )
}

fn pack() -> Result<PathBuf> {
    let pkg = paths::pkg();
    for entry in fs::read_dir(&pkg)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tgz") {
            fs::remove_file(path)?;
        }
    }
    let printed = output(npm().current_dir(&pkg).args(["pack", "--silent", "--ignore-scripts"]))?;
    let tarball =
        printed.lines().last().map(|name| pkg.join(name.trim())).filter(|path| path.is_file());
    tarball
        .with_context(|| format!("npm pack did not print the name of its tarball but: {printed}"))
}

/// Prints what visitors download, and fails when it is more than the budget.
fn weigh(tools: &Tools, wasm: &Path, text: &str) -> Result<()> {
    let row = |name: &str, size: &Size| {
        say(&format!("{name:<34}{:>9}{:>9}{:>9}", size.raw, size.gzip, size.brotli))
    };
    say(&format!("\n{:<34}{:>9}{:>9}{:>9}", "bytes", "raw", "gzip -9", "brotli"));
    row("WebAssembly", &sizes::measure(wasm)?);
    let whole = bundles::weigh(&bundles::published("index"))?;
    row("JavaScript without it", &bundles::weigh_without(text)?);
    row("passerby, all of it but on demand", &whole);
    row(
        "its stand-in without WebAssembly",
        &sizes::measure(&paths::pkg().join("dist").join("fallback.js"))?,
    );
    row("supertokens-website, all of it", &bundles::weigh("supertokens-website")?);
    say(&format!("by {}, wasm-bindgen and wasm-opt as pinned\n", tools.wasm.describe()));
    if whole.brotli > BUDGET {
        bail!(
            "the default entry is {} bytes with brotli, and the budget is {BUDGET}",
            whole.brotli
        );
    }
    Ok(())
}

/// The size of each entry point, beside the last committed figures.
fn weigh_entries(tools: &Tools, wasm: &Path, sizes: Sizes) -> Result<()> {
    let mut entries = Vec::new();
    for entry in bundles::ENTRIES {
        entries.push((entry.to_owned(), bundles::weigh_entry(entry)?));
    }
    entries.push((
        "passerby.global.js".to_owned(),
        sizes::measure(&paths::pkg().join("dist").join("passerby.global.js"))?,
    ));
    entries.push(("passerby.wasm".to_owned(), sizes::measure(wasm)?));
    let figures = Figures { compiler: tools.wasm.describe(), entries };
    match sizes {
        Sizes::Compare => figures.compare(),
        Sizes::Record => figures.record(),
    }
}

/// Copies the files of that extension.
fn copy_folder(from: &Path, to: &Path, extension: &str) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let source = entry?.path();
        if let Some(name) =
            source.file_name().filter(|_| source.extension().is_some_and(|it| it == extension))
        {
            fs::copy(&source, to.join(name))?;
        }
    }
    Ok(())
}
