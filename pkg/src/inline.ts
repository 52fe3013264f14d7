/**
 * The bytes of a text that `xtask/src/inline.rs` wrote. A character from `%` on is a byte, 40 less
 * than its code and 92 more for each rank of the lower characters in front of it: a space has rank
 * 1, `!` has 2, `#` has 4. Bytes are counted modulo 256.
 */
export function decode(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  let more = -40;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 36) {
      more += (code - 31) * 92;
    } else {
      bytes[length++] = code + more;
      more = -40;
    }
  }
  return bytes.slice(0, length);
}
