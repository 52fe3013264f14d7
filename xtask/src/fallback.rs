//! The module as JavaScript, for visitors whose browser has no WebAssembly, or whose page forbids it.
//!
//! `wasm2js` refuses a module with several tables, and wasm-bindgen makes a second one, for JavaScript's values, when it reads in the
//! module that reference types are there. Without that section it keeps them in a list of its own, behind numbers. What we write
//! takes the imports of the WebAssembly module and gives its exports, so that the rest of the package does not see the difference.

use std::fmt::Write;

use anyhow::{Context, Result, bail};

use crate::glue::{OWN, Renames};

/// The custom section by which wasm-bindgen decides.
const FEATURES: &[u8] = b"target_features";

/// The module without the section that lists its features.
pub(crate) fn without_features(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut kept = wasm.get(..8).context("this is no module")?.to_vec();
    let mut at = kept.len();
    while at < wasm.len() {
        let start = at;
        let id = wasm[at];
        let size = number(wasm, at + 1)?;
        let end = size.1 + size.0;
        let section = wasm.get(start..end).context("the module is cut off")?;
        let is_list = id == 0 && {
            let (length, name) = number(wasm, size.1)?;
            wasm.get(name..name + length) == Some(FEATURES)
        };
        if !is_list {
            kept.extend_from_slice(section);
        }
        at = end;
    }
    Ok(kept)
}

/// A LEB128 number that is not negative, and where it ends.
fn number(wasm: &[u8], mut at: usize) -> Result<(usize, usize)> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = *wasm.get(at).context("the module is cut off")?;
        at += 1;
        number |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Ok((number, at));
        }
    }
}

/// A function of the glue.
struct Function<'a> {
    name: &'a str,
    parameters: &'a str,
    body: &'a str,
}

/// The rest of the glue's helpers: values behind numbers.
const HEAP: [&str; 5] = [
    "function addHeapObject(",
    "function addBorrowedObject(",
    "function dropObject(",
    "function getObject(",
    "function takeObject(",
];

/// The JavaScript module: `make` takes the imports of the WebAssembly module `renames` is of, and returns its exports.
pub(crate) fn adapt(script: &str, glue: &str, renames: &Renames) -> Result<String> {
    let (start, end) = (script.find("\n  var bufferView;"), script.find("\nvar retasmFunc"));
    let (Some(start), Some(end)) = (start, end) else { bail!("wasm2js wrote something else than it did") };
    let mut made = format!("{}\n", script[start..end].trim_end());

    let functions = functions(glue)?;
    let (mut own, mut exports) = (String::new(), String::new());
    for Function { name, parameters, body } in &functions {
        if name.starts_with("__wbindgen_object_") {
            writeln!(own, "{name}({parameters}) {{{body}}},")?;
        } else if let Some(import) = name.starts_with("__wb").then(|| renames.import_named(name)).flatten() {
            let arguments: Vec<String> = split(parameters)
                .map(|parameter| {
                    let by = ["getObject", "takeObject"].into_iter().find(|by| body.contains(&format!("{by}({parameter})")));
                    by.map_or(parameter.to_owned(), |by| format!("{by}({parameter})"))
                })
                .collect();
            let call = format!("host[{import}]({})", arguments.join(", "));
            let call = if body.contains("addHeapObject(ret)") { format!("addHeapObject({call})") } else { call };
            writeln!(own, "{name}: ({parameters}) => {call},")?;
        } else if name.starts_with("__wb") {
            bail!("the WebAssembly module does not import {name}");
        } else {
            let public = glue
                .split_once(&format!("export {{ {name} as "))
                .and_then(|(_, rest)| rest.split_once(' '))
                .map_or(*name, |(public, _)| public);
            let export = renames.export(public).with_context(|| format!("the WebAssembly module does not export {public}"))?;
            // A value that is compared with a number must be one there.
            writeln!(exports, "{export}({parameters}) {{{}}},", body.replace("return ret !== 0;", "return ret;"))?;
        }
    }

    for first in HEAP {
        let at = glue.find(&format!("\n{first}")).with_context(|| format!("the glue has no `{first}`"))?;
        let rest = &glue[at..];
        let end = rest[1..].find("\nfunction ").or_else(|| rest[1..].find("\nlet ")).map_or(rest.len(), |end| end + 1);
        let end = rest.find("}\n\n").map_or(end, |close| end.min(close + 2));
        made.push_str(&rest[..end]);
    }
    made.push_str(
        "\nlet heap = new Array(1024).fill(undefined);\nheap.push(undefined, null, true, false);\n\
         let heap_next = heap.length;\nlet stack_pointer = 1024;\nlet wasm;\n",
    );

    let mut modules = String::new();
    for (module, names) in modules_of(script)? {
        let mut entries = String::new();
        for name in names {
            let import = renames.import_of(&module, &name).with_context(|| format!("no import of {name} from {module}"))?;
            write!(entries, "{name}: host[{import}], ")?;
        }
        writeln!(modules, "{module:?}: {{ {entries}}},")?;
    }
    let memory = renames.export("memory").context("the module exports no memory")?;
    let start = renames.export("__wbindgen_start").map(|name| format!("{name}() {{}},\n")).unwrap_or_default();
    write!(
        made,
        "/** The exports of the WebAssembly module, for its imports. */\nexport function make(host) {{\n\
         wasm = asmFunc({{\n\"{OWN}\": {{\n{own}}},\n{modules}}});\n\
         return {{\n{memory}: wasm.memory,\n{start}{exports}}};\n}}\n"
    )?;
    Ok(made)
}

fn split(parameters: &str) -> impl Iterator<Item = &str> {
    parameters.split(", ").filter(|parameter| !parameter.is_empty())
}

/// Those that the glue exports, or would if its names were free.
fn functions(glue: &str) -> Result<Vec<Function<'_>>> {
    let mut found = Vec::new();
    for (at, _) in glue.match_indices("function ") {
        let is_exported = glue[..at].ends_with("export ");
        let rest = &glue[at + "function ".len()..];
        let (name, rest) = rest.split_once('(').context("a function without parameters")?;
        if name == "__wbg_set_wasm" || !(is_exported || glue.contains(&format!("export {{ {name} as "))) {
            continue;
        }
        let (parameters, rest) = rest.split_once(") {").context("a function without a body")?;
        let (body, _) = rest.split_once("\n}").context("a function without an end")?;
        found.push(Function { name, parameters, body });
    }
    Ok(found)
}

/// The script's imports from other modules than the glue, as they stand in there: `var name = module.name;`.
fn modules_of(script: &str) -> Result<Vec<(String, Vec<String>)>> {
    let mut modules = Vec::new();
    for line in script.lines().filter(|line| line.starts_with("import * as ") && !line.contains(OWN)) {
        let module = line.split('\'').nth(1).context("an import without a module")?;
        let access = format!("imports[{module:?}]");
        let variable = script
            .lines()
            .find(|line| line.contains(&access))
            .and_then(|line| line.trim().strip_prefix("var ")?.split(' ').next())
            .with_context(|| format!("{module} is not used"))?;
        let prefix = format!("= {variable}.");
        let names = script.lines().filter_map(|line| Some(line.split_once(&prefix)?.1.trim_end_matches(';').to_owned()));
        modules.push((module.to_owned(), names.collect()));
    }
    Ok(modules)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = r#"import * as $own from './passerby_bg.js';
import * as $host from './snippets/passerby-1/src/browser/host.js';

  var bufferView;
function asmFunc(imports) {
 var $host = imports["./snippets/passerby-1/src/browser/host.js"];
 var now = $host.now;
 return {};
}

var retasmFunc = asmFunc({});
"#;

    const GLUE: &str = "\
export function init(options, url) {
    try {
        const ret = wasm.init(addBorrowedObject(options), addHeapObject(url));
        return ret !== 0;
    } finally {
        heap[stack_pointer++] = undefined;
    }
}
function subscribe2(listener) {
    wasm.subscribe(addHeapObject(listener));
}
export { subscribe2 as subscribe }
export function __wbg_decode_1a(arg0, arg1) {
    const ret = decode(getObject(arg0), arg1);
    return addHeapObject(ret);
}
export function __wbg_settle_2b(arg0) {
    settle(takeObject(arg0));
}
export function __wbindgen_object_drop_ref(arg0) {
    takeObject(arg0);
}
function addHeapObject(obj) {
    return 1;
}

function addBorrowedObject(obj) {
    return 2;
}

function dropObject(idx) {
    return 3;
}

function getObject(idx) { return heap[idx]; }

function takeObject(idx) {
    return 4;
}

let wasm;
export function __wbg_set_wasm(val) {
    wasm = val;
}
";

    fn renames() -> Result<Renames> {
        Renames::parse(
            r#"["./passerby_bg.js", "__wbg_decode_1a", "a"],
["./snippets/passerby-2/src/browser/host.js", "settle", "b"],
["./snippets/passerby-2/src/browser/host.js", "now", "c"],
["memory", "d"],
["init", "e"],
["subscribe", "f"]"#,
        )?
        .numbered(&["a", "b", "c"].map(str::to_owned))
    }

    #[test]
    fn imports_and_exports_are_those_of_the_webassembly_module() -> Result<()> {
        let made = adapt(SCRIPT, GLUE, &renames()?)?;
        for line in [
            "__wbg_decode_1a: (arg0, arg1) => addHeapObject(host[0](getObject(arg0), arg1)),",
            "__wbg_settle_2b: (arg0) => host[1](takeObject(arg0)),",
            "now: host[2], ",
            "d: wasm.memory,",
            "f(listener) {",
            "        return ret;",
        ] {
            assert!(made.contains(line), "{line}\n{made}");
        }
        assert!(!made.contains("import * as") && !made.contains("retasmFunc"), "{made}");
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() -> Result<()> {
        assert!(adapt("", GLUE, &renames()?).is_err());
        assert!(adapt(SCRIPT, &GLUE.replace("decode_1a", "other_1a"), &renames()?).is_err());
        assert!(adapt(SCRIPT, &GLUE.replace("function init", "function start"), &renames()?).is_err());
        assert!(adapt(&SCRIPT.replace(".now", ".later"), GLUE, &renames()?).is_err());
        Ok(())
    }

    #[test]
    fn only_the_list_of_features_goes() -> Result<()> {
        let section = |name: &str| {
            [&[0, u8::try_from(name.len() + 2).unwrap_or(0), u8::try_from(name.len()).unwrap_or(0)], name.as_bytes(), &[7]]
                .concat()
        };
        let head = b"\0asm\x01\0\0\0".to_vec();
        let module = [head.clone(), section("name"), section("target_features"), section("more")].concat();
        assert_eq!(without_features(&module)?, [head, section("name"), section("more")].concat());
        assert!(without_features(&module[..module.len() - 1]).is_err());
        Ok(())
    }
}
