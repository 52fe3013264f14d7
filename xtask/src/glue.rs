//! Fits wasm-bindgen's glue code to what visitors download.
//!
//! wasm-bindgen's imports have long names with a hash in them, which stand in the module and in the glue, and which neither gzip nor
//! brotli can shrink. wasm-opt gives them short names in the module and prints which; this gives them the same names in the glue, and
//! puts the imports in one list in place of exporting each, so that a minifier can shorten and drop the rest. It also replaces what
//! the glue does for programs that are larger than ours.

use std::fmt::Write;

use anyhow::{Context, Result, bail};

/// The module that wasm-bindgen calls its own glue.
pub(crate) const OWN: &str = "./passerby_bg.js";

/// The name that wasm-opt gives to the module of every import.
const MODULE: &str = "a";

/// Modules that are loaded when they are first called. All their functions return promises.
const ON_DEMAND: [&str; 1] = ["/endpoint.js"];

/// Blocks of the glue, by their first line and the line after their last, and what takes their place.
const SIMPLER: [(&str, &str, &str); 3] = [
    // A decoder that is made anew for engines that wear it out with 2 GB of text. Made late, because test runners import it where there is none.
    ("let cachedTextDecoder = ", "let wasm;", "let decoder;\n\n"),
    // The same, with less text.
    (
        "export function __wbindgen_init_externref_table(",
        "function getStringFromWasm0(",
        "export function __wbindgen_init_externref_table() {\n    const table = wasm.__wbindgen_externrefs;\n    \
         const offset = table.grow(4);\n    \
         [undefined, null, true, false].forEach((value, index) => table.set(offset + index, value));\n    \
         table.set(0, undefined);\n}\n\n",
    ),
    (
        "function getStringFromWasm0(",
        "let cachedUint8ArrayMemory0 = ",
        "function getStringFromWasm0(ptr, len) {\n    return (decoder ??= new TextDecoder()).decode(new Uint8Array(wasm.memory.buffer, ptr, len));\n}\n\n",
    ),
];

/// The glue with the simpler blocks.
pub(crate) fn simplify(glue: &str) -> Result<String> {
    SIMPLER.iter().try_fold(glue.to_owned(), |glue, (first, next, replacement)| {
        let at = |text: &str| {
            let position = glue.find(&format!("\n{text}"));
            Ok::<_, anyhow::Error>(position.with_context(|| format!("no line of the glue begins with `{text}`"))? + 1)
        };
        let (start, end) = (at(first)?, at(next)?);
        if end < start {
            bail!("`{next}` does not follow `{first}` in the glue");
        }
        Ok(format!("{}{replacement}{}", &glue[..start], &glue[end..]))
    })
}

/// The names that wasm-opt changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Renames {
    /// Module, name, new name.
    imports: Vec<[String; 3]>,
    /// Name, new name.
    exports: Vec<[String; 2]>,
}

impl Renames {
    /// Reads what `wasm-opt --minify-imports-and-exports-and-modules` prints: JSON with one list of strings in a line.
    pub(crate) fn parse(printed: &str) -> Result<Self> {
        let mut renames = Self::default();
        for line in printed.lines().map(str::trim).filter(|line| line.starts_with("[\"")) {
            let words: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
            match *words.as_slice() {
                [module, name, new] => renames.imports.push([module, name, new].map(str::to_owned)),
                [name, new] => renames.exports.push([name, new].map(str::to_owned)),
                _ => bail!("wasm-opt printed a line that is no rename: {line}"),
            }
        }
        if renames.exports.is_empty() {
            bail!("wasm-opt printed no renames");
        }
        Ok(renames)
    }

    /// The same with the imports in the order of these names, and their places for names.
    pub(crate) fn numbered(mut self, names: &[String]) -> Result<Self> {
        if names.len() != self.imports.len() {
            bail!("wasm-opt renamed {} imports, and the module has {}", self.imports.len(), names.len());
        }
        let place = |name: &String| names.iter().position(|it| it == name).with_context(|| format!("nothing imports {name}"));
        let mut placed = self.imports.into_iter().map(|import| Ok((place(&import[2])?, import))).collect::<Result<Vec<_>>>()?;
        placed.sort();
        self.imports = placed.into_iter().map(|(place, [module, name, _])| [module, name, place.to_string()]).collect();
        Ok(self)
    }

    /// The new name of an import, by the name of the glue's wrapper of it. The WebAssembly module may import the function itself.
    pub(crate) fn import_named(&self, wrapper: &str) -> Option<&str> {
        let inner = wrapper.strip_prefix("__wbg_").and_then(|name| Some(name.rsplit_once('_')?.0));
        let is_it = |[module, name, _]: &&[String; 3]| {
            if module == OWN { name == wrapper } else { Some(name.as_str()) == inner }
        };
        self.imports.iter().find(is_it).map(|[_, _, new]| new.as_str())
    }

    /// The new name of an import from a module of `src/browser`.
    pub(crate) fn import_of(&self, module: &str, name: &str) -> Option<&str> {
        let file = |module: &str| module.rsplit('/').next().map(str::to_owned);
        let is_it = |[from, it, _]: &&[String; 3]| from != OWN && file(from) == file(module) && it == name;
        self.imports.iter().find(is_it).map(|[_, _, new]| new.as_str())
    }

    pub(crate) fn export(&self, name: &str) -> Option<&str> {
        self.exports.iter().find_map(|[from, to]| (from == name).then_some(to.as_str()))
    }

    /// The glue with the new names, for [numbered](Self::numbered) imports, which exports `imports`, for the instantiation, and `start`, for after it.
    pub(crate) fn apply(&self, glue: &str) -> Result<String> {
        let (mut glue, rest) = glue.split_once("export function __wbg_set_wasm(").context("the glue has no __wbg_set_wasm")?;
        if !rest.trim_end().ends_with("wasm = val;\n}") {
            bail!("__wbg_set_wasm is not what it was, or something follows it");
        }
        let mut renamed = String::with_capacity(glue.len());
        while let Some((before, after)) = glue.split_once("wasm.") {
            renamed.push_str(before);
            renamed.push_str("wasm.");
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$').unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            if !name.is_empty() {
                let new = self.export(name);
                renamed
                    .push_str(new.with_context(|| format!("the glue calls `wasm.{name}`, which the module does not export"))?);
            }
            glue = after;
        }
        renamed.push_str(glue);

        let mut entries = String::new();
        for [module, name, new] in &self.imports {
            let value = if module == OWN {
                take(&mut renamed, name)?
            } else if ON_DEMAND.iter().any(|end| module.ends_with(end)) {
                format!("async (...args) => (await import(\"{module}\")).{name}(...args)")
            } else {
                renamed = format!("import {{ {name} as imported_{new} }} from \"{module}\";\n{renamed}");
                format!("imported_{new}")
            };
            writeln!(entries, "    {value},")?;
        }
        write!(renamed, "/** For the instantiation. */\nexport const imports = {{ {MODULE}: [\n{entries}] }};\n")?;
        let start = self.export("__wbindgen_start").map(|name| format!("    wasm.{name}();\n")).unwrap_or_default();
        let memory = self.export("memory").context("the module exports no memory")?;
        write!(
            renamed,
            "/** For after it, with the texts that its memory lacks. */\nexport function start(exports, texts) {{\n    wasm = exports;\n    \
             for (const [address, text] of texts)\n        \
             new TextEncoder().encodeInto(text, new Uint8Array(wasm.{memory}.buffer, address));\n{start}}}\n"
        )?;
        Ok(renamed)
    }
}

/// The glue that finds the modules of `src/browser` in `folder`, where the package's own code finds them too, and not among the copies
/// that wasm-bindgen makes.
pub(crate) fn with_modules_at(glue: &str, folder: &str) -> Result<String> {
    let mut parts = glue.split("./snippets/");
    let mut moved = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once("/src/browser/").context("the glue imports a snippet that is not of src/browser")?;
        write!(moved, "{folder}{rest}")?;
    }
    Ok(moved)
}

/// The types of the glue: wasm-bindgen's, and those of what [`Renames::apply`] added.
pub(crate) fn declarations(bindgen: &str) -> String {
    format!(
        "{bindgen}\n/** For the instantiation. */\nexport const imports: WebAssembly.Imports;\n\
         /** For after it, with the texts that its memory lacks, by address. */\n\
         export function start(exports: WebAssembly.Exports, texts: [number, string][]): void;\n"
    )
}

/// Takes a function out of the glue, for the list of imports: there it needs no name. Of a constant, it takes the `export` off.
fn take(glue: &mut String, name: &str) -> Result<String> {
    let constant = format!("const {name} =");
    let exported = format!("export {constant}");
    if glue.contains(&exported) {
        *glue = glue.replacen(&exported, &constant, 1);
        return Ok(name.to_owned());
    }
    let head = format!("export function {name}(");
    let (before, rest) =
        glue.split_once(&head).with_context(|| format!("the module imports {name}, which the glue does not export"))?;
    let (function, after) = rest.split_once("\n}\n").with_context(|| format!("the function {name} of the glue has no end"))?;
    let (parameters, body) =
        function.split_once(") {").with_context(|| format!("the function {name} of the glue has no body"))?;
    let value = format!("({parameters}) => {{{body}\n}}");
    *glue = format!("{before}{after}");
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = r#"{
 "imports": [
  ["./passerby_bg.js", "__wbg_send_bd38", "a"],
  ["./snippets/passerby-4b84/host.js", "now", "b"]
 ],
"exports": [
  ["memory", "c"],
  ["session", "d"],
  ["__wbindgen_start", "e"]
 ]
}"#;

    const GLUE: &str = "\
export function session() {
    return wasm.session() + new Uint8Array(wasm.memory.buffer);
}
export function __wbg_send_bd38(arg0) {
    return send(arg0);
}
let wasm;
export function __wbg_set_wasm(val) {
    wasm = val;
}
";

    fn numbered(printed: &str) -> Result<Renames> {
        Renames::parse(printed)?.numbered(&["b".to_owned(), "a".to_owned()])
    }

    #[test]
    fn imports_that_are_not_those_of_the_module_are_refused() -> Result<()> {
        assert!(Renames::parse(PRINTED)?.numbered(&["b".to_owned()]).is_err());
        assert!(Renames::parse(PRINTED)?.numbered(&["b".to_owned(), "c".to_owned()]).is_err());
        Ok(())
    }

    #[test]
    fn the_glue_gets_the_names_of_the_module() -> Result<()> {
        let expected = "\
import { now as imported_0 } from \"./snippets/passerby-4b84/host.js\";
export function session() {
    return wasm.d() + new Uint8Array(wasm.c.buffer);
}
let wasm;
/** For the instantiation. */
export const imports = { a: [
    imported_0,
    (arg0) => {
    return send(arg0);
},
] };
/** For after it, with the texts that its memory lacks. */
export function start(exports, texts) {
    wasm = exports;
    for (const [address, text] of texts)
        new TextEncoder().encodeInto(text, new Uint8Array(wasm.c.buffer, address));
    wasm.e();
}
";
        assert_eq!(numbered(PRINTED)?.apply(GLUE)?, expected);
        let on_demand = numbered(&PRINTED.replace("host.js", "endpoint.js"))?.apply(GLUE)?;
        assert!(on_demand.contains("(await import(\"./snippets/passerby-4b84/endpoint.js\")).now(...args)"), "{on_demand}");
        Ok(())
    }

    #[test]
    fn blocks_are_replaced_and_missed_when_they_are_gone() -> Result<()> {
        let blocks: String = [
            "const CLOSURE_DTORS = 1",
            "export function __wbindgen_init_externref_table() {}",
            "function getStringFromWasm0() {}",
            "let cachedUint8ArrayMemory0 = null;",
            "let cachedTextDecoder = 1",
            "let wasm;",
        ]
        .map(|line| format!("{line}\n"))
        .concat();
        let simple = simplify(&format!("let a;\n{blocks}"))?;
        assert!(
            !simple.contains("cachedTextDecoder") && simple.contains("new TextDecoder()") && simple.contains("let a;"),
            "{simple}"
        );
        assert!(simplify(&blocks.replace("Memory0", "Memory1")).is_err());
        Ok(())
    }

    #[test]
    fn glue_that_does_not_fit_the_module_is_refused() -> Result<()> {
        let renames = numbered(PRINTED)?;
        assert!(renames.apply(&GLUE.replace("wasm.session", "wasm.other")).is_err());
        assert!(renames.apply(&GLUE.replace("export function __wbg_send", "export class __wbg_send")).is_err());
        assert!(renames.apply(&GLUE.replace("wasm = val;", "other();")).is_err());
        assert!(renames.apply("").is_err());
        assert!(Renames::parse("").is_err());
        Ok(())
    }
}
