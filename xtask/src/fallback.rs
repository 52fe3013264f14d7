//! The module as JavaScript, for visitors whose browser has no WebAssembly, or whose page forbids
//! it.
//!
//! The function that we write gives the exports of the WebAssembly module, so that the rest of the
//! package does not see the difference.

use anyhow::{Result, bail};

/// The JavaScript module of what wasm2js wrote: `make` returns the exports.
pub(crate) fn adapt(script: &str) -> Result<String> {
    let (start, end) = (script.find("\n  var bufferView;"), script.find("\nvar retasmFunc"));
    let start = start.or_else(|| script.find("\nfunction asmFunc("));
    let (Some(start), Some(end)) = (start, end) else {
        bail!("wasm2js wrote something else than it did")
    };
    if script.contains("import * as") {
        bail!("the module imports something");
    }
    let made = script[start..end].trim_end();
    Ok(format!(
        "{made}\n/** The exports of the WebAssembly module. */\nexport function make() {{\n  \
         return asmFunc({{}});\n}}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "
  var bufferView;
function asmFunc(imports) {
 return {};
}

var retasmFunc = asmFunc({});
";

    #[test]
    fn the_module_is_made_when_it_is_wanted() -> Result<()> {
        let made = adapt(SCRIPT)?;
        assert!(
            made.contains("export function make() {\n  return asmFunc({});")
                && !made.contains("retasmFunc"),
            "{made}"
        );
        Ok(())
    }

    #[test]
    fn a_script_that_does_not_fit_is_refused() {
        assert!(adapt("").is_err());
        assert!(adapt(&format!("import * as own from './own.js';{SCRIPT}")).is_err());
    }
}
