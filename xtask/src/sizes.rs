//! What visitors download, measured by the very zlib and brotli that Node brings along.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};

use crate::run::output;

/// Bytes of one file.
pub(crate) struct Size {
    pub(crate) raw: usize,
    pub(crate) gzip: usize,
    pub(crate) brotli: usize,
}

const SCRIPT: &str = r#"
const { readFileSync } = require("node:fs");
const { brotliCompressSync, gzipSync } = require("node:zlib");
const file = readFileSync(process.argv[1]);
console.log(file.length, gzipSync(file, { level: 9 }).length, brotliCompressSync(file).length);
"#;

/// Raw, `gzip -9` and `brotli -11` size of a file.
pub(crate) fn measure(file: &Path) -> Result<Size> {
    let line = output(Command::new("node").args(["-e", SCRIPT]).arg(file))?;
    let numbers: Vec<usize> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let &[raw, gzip, brotli] = numbers.as_slice() else { None.context("unexpected answer of node")? };
    Ok(Size { raw, gzip, brotli })
}
