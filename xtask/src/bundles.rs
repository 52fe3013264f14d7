//! JavaScript and types in `pkg/dist`, in the forms that bundlers, Node and script tags want.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    paths,
    run::{node, output, run},
    sizes::{self, Size},
};

/// The modules that apps import, as they stand in `pkg/src` and, with other extensions, in
/// `pkg/dist`.
pub(crate) const ENTRIES: [&str; 13] = [
    "index",
    "slim",
    "recipe/session",
    "utils/cookieHandler",
    "utils/windowHandler",
    "utils/dateProvider",
    "utils/lockFactory",
    "utils/error",
    "utils/sessionClaimValidatorStore",
    "utils/globalClaimValidators",
    "claims/primitiveClaim",
    "claims/primitiveArrayClaim",
    "claims/booleanClaim",
];

/// How all of them are bundled.
const FLAGS: [&str; 5] =
    ["--bundle", "--minify", "--target=es2020", "--legal-comments=none", "--log-level=warning"];

/// Properties of objects that no app sees get short names, the same in all files: some 90 bytes of
/// the entry (brotli). Nothing else has a property of such a name, nor does the browser.
const INTERNAL: [(&str, char); 18] = [
    ("shown", 'a'),
    ("held", 'b'),
    ("isPending", 'c'),
    ("isFlying", 'd'),
    ("isReplay", 'e'),
    ("replacement", 'f'),
    ("answer", 'g'),
    ("timer", 'h'),
    ("settle", 'i'),
    ("reopen", 'j'),
    ("settlers", 'k'),
    ("release", 'l'),
    ("caller", 'n'),
    ("numbers", 'o'),
    ("raw", 'p'),
    ("input", 'q'),
    ("hook", 'r'),
    ("lines", 's'),
];

/// esbuild's flags for them. Without the file, each module would have names of its own.
fn shorten() -> Result<[String; 2]> {
    let names: Vec<&str> = INTERNAL.iter().map(|(name, _)| *name).collect();
    let pairs: Vec<String> =
        INTERNAL.iter().map(|(name, short)| format!("\"{name}\":\"{short}\"")).collect();
    let file = paths::target()?.join("npm").join("names.json");
    paths::write(&file, format!("{{{}}}", pairs.join(",")))?;
    Ok([
        format!("--mangle-props=^(?:{})$", names.join("|")),
        format!("--mangle-cache={}", file.display()),
    ])
}

/// The modules that stay files of their own even in bundles that are one file.
const APART: &str = "--external:./fallback.js";

/// Builds everything. Fails on type errors.
pub(crate) fn make() -> Result<()> {
    let tsc = || node(paths::node_bin("typescript", "tsc"));
    run(tsc().current_dir(paths::root()).args(["--project", "src/browser"]))?;
    let dist = paths::pkg().join("dist");
    run(tsc().current_dir(paths::pkg()).args(["--project", ".", "--noEmit", "false"]).args([
        "--declaration",
        "--emitDeclarationOnly",
        "--outDir",
        "dist",
    ]))?;
    // One file for each source: bundlers take what an app uses, and load the rest when it is first
    // used.
    let mut transform = node(paths::node_bin("esbuild", "esbuild"));
    transform
        .current_dir(paths::pkg())
        .args(sources(&paths::pkg().join("src"))?)
        .args(["--outbase=src", "--outdir=dist"])
        .args(shorten()?);
    run(transform.args([
        "--format=esm",
        "--target=es2020",
        "--legal-comments=none",
        "--log-level=warning",
    ]))?;
    compress(&dist)?;
    // The stand-in by itself, because the script tag has it beside itself, and others load it
    // alone.
    run(esbuild().args([
        "src/fallback.ts",
        "--format=esm",
        "--outfile=dist/fallback.js",
        "--allow-overwrite",
    ]))?;
    fs::remove_file(dist.join("generated").join("fallback.js"))?;
    run(esbuild().args([
        "dist/index.js",
        "--format=iife",
        APART,
        "--global-name=supertokens",
        "--outfile=dist/passerby.global.js",
    ]))?;
    common_js(&dist)
}

/// Rewrites the modules in fewer bytes: a hundred and fifty of the entry (brotli).
fn compress(dist: &Path) -> Result<()> {
    // The module's text and the stand-in are as small as can be.
    let built = |path: &PathBuf| path.ends_with("wasm.js") || path.ends_with("fallback.js");
    let files = sources(dist)?.into_iter().filter(|path| !built(path));
    run(node(paths::root().join("xtask").join("compress.mjs")).args(files))
}

/// The modules, written or built.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.to_string_lossy();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if (name.ends_with(".ts") && !name.ends_with(".d.ts")) || name.ends_with(".js") {
            found.push(path);
        }
    }
    Ok(found)
}

fn esbuild() -> std::process::Command {
    let mut command = node(paths::node_bin("esbuild", "esbuild"));
    command.current_dir(paths::pkg()).args(FLAGS);
    command
}

/// The modules for `require`, in a folder that says that they are. They share one file, because
/// they share one state.
fn common_js(dist: &Path) -> Result<()> {
    let folder = dist.join("cjs");
    let name = |entry: &str| entry.replace('/', "_");
    let all = ENTRIES.iter().try_fold(String::new(), |mut all, entry| {
        writeln!(all, "export * as {} from \"./{entry}.js\";", name(entry))?;
        Ok::<_, std::fmt::Error>(all)
    })?;
    let entries = dist.join("all.js");
    paths::write(&entries, all)?;
    run(esbuild().args(["dist/all.js", "--format=cjs", "--outfile=dist/cjs/all.js", APART]))?;
    fs::remove_file(entries)?;
    run(esbuild().args(["src/fallback.ts", "--format=cjs", "--outfile=dist/cjs/fallback.js"]))?;
    paths::write(&folder.join("package.json"), "{ \"type\": \"commonjs\" }\n")?;
    for entry in ENTRIES {
        let path = folder.join(format!("{entry}.js"));
        let up = "../".repeat(entry.matches('/').count());
        let up = if up.is_empty() { "./" } else { &up };
        let mut lines = vec![
            "\"use strict\";".to_owned(),
            "Object.defineProperty(exports, \"__esModule\", { value: true });".to_owned(),
            format!("const entry = require(\"{up}all.js\").{};", name(entry)),
            "Object.assign(exports, entry);".to_owned(),
        ];
        // In so many words, because tools that compare types with code look for it.
        if paths::read(&paths::pkg().join("src").join(format!("{entry}.ts")))?
            .contains("\nexport default ")
        {
            lines.push("exports.default = entry.default;".to_owned());
        }
        paths::write(&path, lines.join("\n") + "\n")?;
    }
    copy_declarations(dist, dist, &folder)
}

/// The same types, in a folder where they are those of CommonJS modules.
fn copy_declarations(from: &Path, dist: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path == to {
            continue;
        }
        if path.is_dir() {
            copy_declarations(&path, dist, to)?;
        } else if path.to_string_lossy().ends_with(".d.ts") {
            paths::write(&to.join(path.strip_prefix(dist)?), fs::read(&path)?)?;
        }
    }
    Ok(())
}

/// The download of visitors of an app that imports the default export of this module, which has all
/// functions. A module that is loaded when it is first used is not among it, nor are the classes of
/// claims, which apps import by name.
pub(crate) fn weigh(module: &str) -> Result<Size> {
    weigh_import("all", module)
}

/// The module as it is published, seen from the app that is weighed.
pub(crate) fn published(entry: &str) -> String {
    format!("../../dist/{entry}.js")
}

/// The same of an app that imports everything there is in an entry of ours.
pub(crate) fn weigh_entry(entry: &str) -> Result<Size> {
    weigh_import("* as all", &published(entry))
}

fn weigh_import(what: &str, module: &str) -> Result<Size> {
    let folder = paths::target()?.join("npm").join("weighed");
    paths::emptied(&folder)?;
    let app = paths::pkg().join("src").join("generated").join("weighed.ts");
    paths::write(
        &app,
        format!("import {what} from \"{module}\";\n(globalThis as any).all = all;\n"),
    )?;
    let mut bundle = esbuild();
    bundle.arg(&app).args(["--format=esm", "--splitting"]);
    bundle.arg(format!("--outdir={}", folder.display()));
    output(&mut bundle)?;
    fs::remove_file(app)?;
    files_of(&folder, "weighed.js", Vec::new())?
        .iter()
        .try_fold(Size::default(), |sum, file| Ok(sum + sizes::measure(file)?))
}

/// The part of the bundle that was weighed last without the module's text: the glue, the host
/// module, the entry modules.
pub(crate) fn weigh_without(text: &str) -> Result<Size> {
    let folder = paths::target()?.join("npm").join("weighed");
    let script = paths::read(&folder.join("weighed.js"))?;
    let (before, after) =
        script.split_once(text).context("the bundle does not hold the module as it was written")?;
    let rest = folder.join("rest.js");
    paths::write(&rest, format!("{before}{after}"))?;
    sizes::measure(&rest)
}

/// The file and those that it imports.
fn files_of(folder: &Path, name: &str, mut known: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
    let path = folder.join(name);
    if known.contains(&path) {
        return Ok(known);
    }
    let text = paths::read(&path)?;
    known.push(path);
    for part in text.split("from\"./").chain(text.split(";import\"./")).skip(1) {
        if let Some((chunk, _)) = part
            .split_once("\"")
            .filter(|(chunk, _)| chunk.ends_with(".js") && !chunk.contains('/'))
        {
            known = files_of(folder, chunk, known)
                .with_context(|| format!("{name} imports {chunk}"))?;
        }
    }
    Ok(known)
}
