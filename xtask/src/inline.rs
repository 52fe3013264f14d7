//! WebAssembly as JavaScript text, so that an app gets Passerby with one import, one request and no
//! bundler settings.
//!
//! Base64 would do, but it moves byte boundaries, and gzip and brotli no longer find what repeats.
//! Here every byte becomes one character or two, always the same: the 87 lowest values, which are
//! most of a module, one character each, the others one of two escape characters and a second one.
//! No character needs an escape in a JavaScript string of any kind, in HTML or in a template.
//! `CONTRIBUTING.md` has the measurement; `pkg/src/inline.ts` reads the text.

use anyhow::{Context, Result};

/// Printable ASCII without `"`, `$`, `'`, `<`, `\` and `` ` ``; its first two characters are the
/// escapes.
const ALPHABET: &[u8; 89] =
    b" !#%&()*+,-./0123456789:;=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_abcdefghijklmnopqrstuvwxyz{|}~";

/// How many byte values are one character.
const DIRECT: usize = ALPHABET.len() - 2;

/// The text of `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 5 / 4);
    for &byte in bytes {
        let (page, place) = (usize::from(byte) / DIRECT, usize::from(byte) % DIRECT);
        if page > 0 {
            text.push(char::from(ALPHABET[page - 1]));
        }
        text.push(char::from(ALPHABET[place + 2]));
    }
    text
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
    fn the_alphabet_is_what_needs_no_escape_anywhere_in_order() {
        let expected: Vec<u8> = (b' '..=b'~').filter(|c| !b"\"$'<\\`".contains(c)).collect();
        assert_eq!(ALPHABET.as_slice(), expected);
    }

    #[test]
    fn common_bytes_are_one_character_and_every_byte_its_own_text() {
        let texts: std::collections::BTreeSet<String> =
            (0..=255u8).map(|byte| encode(&[byte])).collect();
        assert_eq!(texts.len(), 256);
        assert_eq!(encode(&[0, 86, 87, 173, 174, 255]), "#~ # ~!#!y");
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
