/**
 * The same, with the WebAssembly module in a file of its own: smaller where a bundler or a server
 * can send that file as it is.
 *
 * ```ts
 * import { init, load } from "passerby/slim";
 * await load(fetch(new URL("passerby/passerby.wasm", import.meta.url)));
 * init({ apiDomain: "https://api.example.com" });
 * ```
 */
import { makeError, type Source } from "./load.js";
import { initFrom } from "./session.js";
import type { FlatConfig, RecipeConfig } from "./types.js";

export * from "./exports.js";

let compiled: Source | undefined;

/** The smallest module there is. */
const SMALLEST = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);

/**
 * Compiles `passerby.wasm`: a response that has it, its bytes, or what was compiled before. Rejects
 * when it is something else. Where there is no WebAssembly, `init` takes the stand-in.
 */
export async function load(
  source: Response | PromiseLike<Response> | BufferSource | WebAssembly.Module,
): Promise<void> {
  const given = await source;
  const bytes = given instanceof Response ? await given.arrayBuffer() : given;
  try {
    const module = bytes instanceof WebAssembly.Module ? bytes : await WebAssembly.compile(bytes);
    compiled = () => module;
  } catch (error) {
    // Here it would be the bytes' fault.
    if (await (async () => WebAssembly.compile(SMALLEST))().catch(() => undefined)) throw error;
    compiled = () => {
      throw error;
    };
  }
}

/** As the `init` of the package's root. Throws before `load` is done. */
export function init(config: FlatConfig | RecipeConfig): void {
  if (!compiled)
    throw makeError("NO_WASM", "await load(fetch(<address of passerby.wasm>)) before init");
  initFrom(compiled, config);
}
