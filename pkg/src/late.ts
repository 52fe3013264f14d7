/** Loaded where the module could not be made at once. */

/**
 * Makes the module in its own time, as Chromium up to 114 wants it. Where there is no WebAssembly,
 * or the page forbids it, the same module as JavaScript: from `address`, by default from the file
 * beside this one. Rejects when that cannot be had either. Comes to its exports.
 */
export async function instantiate(
  source: BufferSource | WebAssembly.Module | undefined,
  address: string | undefined,
): Promise<WebAssembly.Exports> {
  try {
    const made: WebAssembly.Instance | WebAssembly.WebAssemblyInstantiatedSource =
      await WebAssembly.instantiate(source as BufferSource);
    return "instance" in made ? made.instance.exports : (made as WebAssembly.Instance).exports;
  } catch {
    const { make } = await (address
      ? (import(/* webpackIgnore: true */ /* @vite-ignore */ address) as Promise<
          typeof import("./fallback.js")
        >)
      : import("./fallback.js"));
    return make();
  }
}
