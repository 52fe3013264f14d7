//! WebAssembly as JavaScript text, so that an app gets Passerby with one import, one request and no
//! bundler settings.
//!
//! Base64 would do, but it moves byte boundaries, and gzip and brotli no longer find what repeats.
//! Here every byte has one text, always the same: one character for most of those that a module
//! consists of, and one with one or two others in front for the rest. No character needs an escape
//! in a JavaScript string of any kind, in HTML or in a template. `CONTRIBUTING.md` has the
//! measurement; `pkg/src/inline.ts` reads the text, in a loop that does as little as possible,
//! because pages wait for it and the browser has not compiled it yet.

use anyhow::{Context, Result};

/// The characters that can stand in front of others. The rank of each is its code minus 31.
const IN_FRONT: [&str; 9] = ["", " ", "!", "#", "# ", "#!", "!!", "  ", "##"];
/// A byte is the code of its character minus this …
const LESS: u32 = 40;
/// … plus this for each rank in front. With these two numbers most bytes of a module need no rank.
const MORE: u32 = 92;

/// Printable ASCII that needs no escape, from `%` on.
fn characters() -> impl Iterator<Item = u8> {
    (b'%'..=b'~').filter(|character| !b"'<\\`".contains(character))
}

/// The byte of a character with others in front, counted modulo 256.
fn byte(in_front: &str, character: u8) -> u8 {
    let ranks: u32 = in_front.bytes().map(|rank| u32::from(rank) - 31).sum();
    let number = 256 + u32::from(character) - LESS + ranks * MORE;
    (number % 256) as u8
}

/// The text of each byte.
fn texts() -> [String; 256] {
    let mut texts = [const { String::new() }; 256];
    for in_front in IN_FRONT {
        for character in characters() {
            let text = &mut texts[usize::from(byte(in_front, character))];
            if text.is_empty() {
                *text = format!("{in_front}{}", char::from(character));
            }
        }
    }
    texts
}

/// The text of `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let texts = texts();
    bytes.iter().map(|byte| texts[usize::from(*byte)].as_str()).collect()
}

/// Reads the parts of a module.
pub(crate) struct Reader<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
}

impl Reader<'_> {
    pub(crate) fn byte(&mut self) -> Result<u8> {
        let byte = *self.bytes.get(self.at).context("the module is cut off")?;
        self.at += 1;
        Ok(byte)
    }

    /// LEB128, for numbers that are not negative.
    pub(crate) fn number(&mut self) -> Result<usize> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn every_byte_has_a_text_of_its_own_that_needs_no_escape() {
        let texts: std::collections::BTreeSet<String> = texts().into_iter().collect();
        assert_eq!(texts.len(), 256);
        assert!(!texts.contains(""));
        let all: String = texts.into_iter().collect();
        assert!(all.bytes().all(|c| (b' '..=b'~').contains(&c) && !b"\"$'<\\`".contains(&c)));
    }

    #[test]
    fn most_bytes_of_a_module_are_one_character() {
        assert_eq!(encode(b"\0\x01\x0b\x20\x41\x54"), "()3Hi|");
    }

    /// The real decoder, in Node, whose type stripping is not in Node 20: esbuild takes the types
    /// out.
    #[test]
    fn the_decoder_of_the_package_reads_it() -> anyhow::Result<()> {
        let esbuild = crate::paths::node_bin("esbuild", "esbuild");
        if !esbuild.exists() {
            crate::run::say("skipped: no esbuild; run `cargo xtask setup`");
            return Ok(());
        }
        let source = crate::paths::pkg().join("src").join("inline.ts");
        let decoder = crate::run::output(crate::run::node(esbuild).arg(source).args([
            "--bundle",
            "--format=iife",
            "--global-name=inline",
        ]))?;
        let bytes: Vec<u8> = (0..=255u8).chain((0..=255).rev()).collect();
        let script = format!(
            "{decoder}; process.stdout.write(inline.decode(\"{}\").join())",
            encode(&bytes)
        );
        let read = crate::run::output(Command::new("node").args(["-e", &script]))?;
        let expected: Vec<String> = bytes.iter().map(u8::to_string).collect();
        assert_eq!(read, expected.join(","));
        Ok(())
    }
}
