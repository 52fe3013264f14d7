//! Of a module's exports, those that the package uses, under names of one letter. The compiler adds
//! others, which would keep what nobody uses.

use anyhow::{Context, Result, bail};

use crate::inline::Reader;

const EXPORT_SECTION: u8 = 7;

/// The module with the exports of these names, each under its other name.
pub(crate) fn only(wasm: &[u8], wanted: &[(&str, &str)]) -> Result<Vec<u8>> {
    let mut reader = Reader { bytes: wasm, at: 8 };
    while reader.at < wasm.len() {
        let start = reader.at;
        let (id, size) = (reader.byte()?, reader.number()?);
        let end = reader.at + size;
        if id != EXPORT_SECTION {
            reader.at = end;
            continue;
        }
        let mut kept = Vec::new();
        for _ in 0..reader.number()? {
            let name = text(&mut reader)?;
            let (kind, index) = (reader.byte()?, reader.number()?);
            if let Some((_, new)) = wanted.iter().find(|(old, _)| old.as_bytes() == name) {
                kept.push(
                    [leb(new.len()), new.as_bytes().to_vec(), vec![kind], leb(index)].concat(),
                );
            }
        }
        if kept.len() != wanted.len() {
            bail!("the module exports {} of {wanted:?}", kept.len());
        }
        let section = [leb(kept.len()), kept.concat()].concat();
        let (before, after) = (&wasm[..start], wasm.get(end..).context("the module is cut off")?);
        return Ok([before, &[EXPORT_SECTION], &leb(section.len()), &section, after].concat());
    }
    bail!("the module exports nothing")
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    let length = reader.number()?;
    let text = reader.bytes.get(reader.at..reader.at + length).context("the module is cut off")?;
    reader.at += length;
    Ok(text)
}

/// LEB128.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        bytes.push(if number > 0 { low | 0x80 } else { low });
        if number == 0 {
            return bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough for a size of two bytes.
    fn module(exports: &[(&str, u8)]) -> Vec<u8> {
        let mut section = leb(exports.len());
        for (name, index) in exports {
            section.extend(leb(name.len()));
            section.extend(name.bytes());
            section.extend([0, *index]);
        }
        [b"\0asm\x01\0\0\0\x01\x03abc\x07".as_slice(), &leb(section.len()), &section, b"\x0a\x01z"]
            .concat()
    }

    #[test]
    fn a_wanted_export_is_renamed_and_the_rest_goes() -> Result<()> {
        let long = "n".repeat(200);
        let made = only(
            &module(&[("memory", 1), (&long, 2), ("turn", 3)]),
            &[("memory", "m"), ("turn", "t")],
        )?;
        assert_eq!(made, module(&[("m", 1), ("t", 3)]));
        Ok(())
    }

    #[test]
    fn bytes_that_lack_one_or_are_not_a_module_are_refused() {
        assert!(only(&module(&[("memory", 1)]), &[("turn", "t")]).is_err());
        assert!(only(b"\0asm\x01\0\0\0", &[]).is_err());
        let whole = module(&[("memory", 1)]);
        assert!(only(&whole[..whole.len() - 8], &[("memory", "m")]).is_err());
    }
}
