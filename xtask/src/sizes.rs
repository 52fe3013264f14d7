//! What visitors download, measured by the very zlib and brotli that Node brings along.

use std::{ops::Add, path::Path, process::Command};

use anyhow::{Context, Result};

use crate::run::output;

/// Bytes of a file, or of several, each compressed by itself.
#[derive(Clone, Copy, Default)]
pub(crate) struct Size {
    pub(crate) raw: usize,
    pub(crate) gzip: usize,
    pub(crate) brotli: usize,
}

impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { raw: self.raw + other.raw, gzip: self.gzip + other.gzip, brotli: self.brotli + other.brotli }
    }
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
