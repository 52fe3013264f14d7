/**
 * The bytes of a text that `xtask/src/inline.rs` wrote. The 87 characters from `#` to `~` that need
 * no escape anywhere stand for 0 to 86; a space in front adds 87, an exclamation mark 174.
 */
export function decode(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  let page = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 34) {
      page = (c - 31) * 87;
    } else {
      // 34 is ", and $ ' < \ ` are left out as well.
      bytes[length++] = page + c - 35 - +(c > 36) - +(c > 39) - +(c > 60) - +(c > 92) - +(c > 96);
      page = 0;
    }
  }
  return bytes.slice(0, length);
}
