//! Imports by number. A list of functions in the glue is shorter than an object that names each, and a module finds what it imports in a
//! list as well as in an object.

use anyhow::{Context, Result, bail};

use crate::inline::Reader;

const IMPORT_SECTION: u8 = 2;
const FUNCTION: u8 = 0;

/// The module whose imports have their places for names, and the names that they had, in that order.
pub(crate) fn by_number(wasm: &[u8]) -> Result<(Vec<u8>, Vec<String>)> {
    let mut reader = Reader { bytes: wasm, at: 8 };
    while reader.at < wasm.len() {
        let start = reader.at;
        let (id, size) = (reader.byte()?, reader.number()?);
        let end = reader.at + size;
        if id != IMPORT_SECTION {
            reader.at = end;
            continue;
        }
        let count = reader.number()?;
        let (mut section, mut names) = (leb(count), Vec::with_capacity(count));
        for place in 0..count {
            let module = text(&mut reader)?;
            names.push(String::from_utf8(text(&mut reader)?.to_vec())?);
            let FUNCTION = reader.byte()? else { bail!("the module imports something else than functions") };
            let place = place.to_string();
            for text in [module, place.as_bytes()] {
                section.extend(leb(text.len()));
                section.extend_from_slice(text);
            }
            section.push(FUNCTION);
            section.extend(leb(reader.number()?));
        }
        let (before, after) = (&wasm[..start], wasm.get(end..).context("the module is cut off")?);
        let module = [before, &[IMPORT_SECTION], &leb(section.len()), &section, after].concat();
        return Ok((module, names));
    }
    bail!("the module imports nothing")
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
    fn module(kind: u8, names: [&str; 2]) -> Vec<u8> {
        let mut section = vec![2];
        for (name, index) in names.iter().zip(0u8..) {
            section.extend([1, b'a']);
            section.extend(leb(name.len()));
            section.extend(name.bytes());
            section.extend([kind, index]);
        }
        [b"\0asm\x01\0\0\0\x01\x03abc\x02".as_slice(), &leb(section.len()), &section, b"\x0a\x01z"].concat()
    }

    #[test]
    fn imports_get_their_places_for_names_and_nothing_else_changes() -> Result<()> {
        let long = "n".repeat(200);
        let (numbered, names) = by_number(&module(FUNCTION, [&long, "b"]))?;
        assert_eq!(numbered, module(FUNCTION, ["0", "1"]));
        assert_eq!(names, [long.as_str(), "b"]);
        Ok(())
    }

    #[test]
    fn what_is_no_function_or_no_module_is_refused() {
        assert!(by_number(&module(3, ["a", "b"])).is_err());
        assert!(by_number(b"\0asm\x01\0\0\0").is_err());
        let whole = module(FUNCTION, ["a", "b"]);
        assert!(by_number(&whole[..whole.len() - 8]).is_err());
    }
}
