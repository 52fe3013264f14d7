/**
 * The bytes of a text that `xtask/src/inline.rs` wrote. Each character from `%` on ends a byte,
 * which is its code less 40. Lower characters in front of it add to that: a space adds 92, `!`
 * twice and `#` four times as much. Bytes are counted modulo 256.
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
