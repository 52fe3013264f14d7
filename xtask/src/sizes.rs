//! The sizes of visitors' downloads, measured by the very zlib and brotli that Node brings along.

use std::{
    fmt::Write as _,
    ops::Add,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    paths,
    run::{output, say},
};

/// Bytes of a file, or of several, each compressed by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) raw: usize,
    pub(crate) gzip: usize,
    pub(crate) brotli: usize,
}

impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            raw: self.raw + other.raw,
            gzip: self.gzip + other.gzip,
            brotli: self.brotli + other.brotli,
        }
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
    let &[raw, gzip, brotli] = numbers.as_slice() else {
        None.context("unexpected answer of node")?
    };
    Ok(Size { raw, gzip, brotli })
}

/// The size of each entry point, and the compiler: others make other sizes of the same source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) compiler: String,
    pub(crate) entries: Vec<(String, Size)>,
}

/// How much more than its last committed figure an entry may be: a hundredth, or for the smallest,
/// where that is nothing, these bytes.
const GROWTH: usize = 100;
const AT_LEAST: usize = 16;

const HEAD: &str = "\
# The download of visitors of an app that imports all of an entry point: bytes raw, with gzip -9, \
with brotli.
# `cargo xtask build` compares with these figures; `cargo xtask build --record` writes them.
";

impl Figures {
    /// The committed file.
    fn file() -> PathBuf {
        paths::pkg().join("sizes.txt")
    }

    /// Prints the differences from the committed figures. Fails when an entry has grown by more
    /// than it may, and the compiler is theirs.
    pub(crate) fn compare(&self) -> Result<()> {
        let before = Self::parse(&paths::read(&Self::file())?)?;
        say(&format!(
            "{:<34}{:>16}{:>16}{:>16}",
            "bytes (against last committed)", "raw", "gzip -9", "brotli"
        ));
        for (name, now) in &self.entries {
            say(&match before.of(name) {
                Some(then) => {
                    let cell = |now: usize, then: usize| {
                        format!("{now} ({:+})", now.cast_signed() - then.cast_signed())
                    };
                    let [raw, gzip, brotli] = [
                        cell(now.raw, then.raw),
                        cell(now.gzip, then.gzip),
                        cell(now.brotli, then.brotli),
                    ];
                    format!("{name:<34}{raw:>16}{gzip:>16}{brotli:>16}")
                }
                None => {
                    format!("{name:<34}{:>16}{:>16}{:>16}   new", now.raw, now.gzip, now.brotli)
                }
            });
        }
        say(&format!("figures by {}\n", before.compiler));
        if before.compiler != self.compiler {
            say(&format!("they do not limit {}, which makes other sizes", self.compiler));
            return Ok(());
        }
        let grown = self.grown(&before);
        if !grown.is_empty() {
            bail!(
                "grew by more than 1 %: {}; if that is worth it, `cargo xtask build --record`",
                grown.join(", ")
            );
        }
        Ok(())
    }

    /// Makes them the committed figures.
    pub(crate) fn record(&self) -> Result<()> {
        paths::write(&Self::file(), self.text()?)
    }

    fn of(&self, name: &str) -> Option<&Size> {
        self.entries.iter().find(|(other, _)| other == name).map(|(_, size)| size)
    }

    /// The names of those that are too large, and of those that there are no figures of.
    fn grown(&self, before: &Self) -> Vec<&str> {
        let limit = |then: usize| then + (then / GROWTH).max(AT_LEAST);
        let fits = |now: &Size, then: &Size| {
            now.raw <= limit(then.raw)
                && now.gzip <= limit(then.gzip)
                && now.brotli <= limit(then.brotli)
        };
        let too_large = self
            .entries
            .iter()
            .filter(|(name, now)| !before.of(name).is_some_and(|then| fits(now, then)));
        too_large.map(|(name, _)| name.as_str()).collect()
    }

    fn text(&self) -> Result<String> {
        let mut text = format!("{HEAD}by {}\n", self.compiler);
        for (name, Size { raw, gzip, brotli }) in &self.entries {
            writeln!(text, "{name} {raw} {gzip} {brotli}")?;
        }
        Ok(text)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let compiler = lines
            .next()
            .and_then(|line| line.strip_prefix("by "))
            .context("the figures name no compiler")?;
        let entry = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let &[name, raw, gzip, brotli] = words.as_slice() else {
                bail!("{line:?} is not a valid line of figures")
            };
            Ok((
                name.to_owned(),
                Size { raw: raw.parse()?, gzip: gzip.parse()?, brotli: brotli.parse()? },
            ))
        };
        Ok(Self {
            compiler: compiler.to_owned(),
            entries: lines.map(entry).collect::<Result<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(entries: &[(&str, usize, usize, usize)]) -> Figures {
        let entries = entries
            .iter()
            .map(|&(name, raw, gzip, brotli)| (name.to_owned(), Size { raw, gzip, brotli }))
            .collect();
        Figures { compiler: "rustc 1.95.0".to_owned(), entries }
    }

    #[test]
    fn written_figures_are_read_as_they_were() {
        let figures = figures(&[("index", 50_000, 21_000, 19_000), ("utils/error", 200, 150, 120)]);
        assert_eq!(Figures::parse(&figures.text().unwrap()).unwrap(), figures);
        assert!(Figures::parse("by rustc\nindex 1 2\n").is_err());
        assert!(Figures::parse("index 1 2 3\n").is_err());
    }

    #[test]
    fn more_than_a_hundredth_is_too_much_in_each_form() {
        let before = figures(&[("index", 50_000, 21_000, 19_000)]);
        assert!(figures(&[("index", 50_500, 21_210, 19_190)]).grown(&before).is_empty());
        for size in [(50_501, 21_000, 19_000), (50_000, 21_211, 19_000), (50_000, 21_000, 19_191)] {
            assert_eq!(
                figures(&[("index", size.0, size.1, size.2)]).grown(&before),
                ["index"],
                "{size:?}"
            );
        }
    }

    #[test]
    fn a_small_entry_may_change_a_word_and_a_new_one_wants_figures() {
        let before = figures(&[("utils/error", 200, 150, 120)]);
        assert!(figures(&[("utils/error", 216, 166, 136)]).grown(&before).is_empty());
        assert_eq!(figures(&[("utils/error", 217, 150, 120)]).grown(&before), ["utils/error"]);
        assert_eq!(figures(&[("utils/other", 1, 1, 1)]).grown(&before), ["utils/other"]);
    }
}
