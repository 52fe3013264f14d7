/**
 * The same, with the WebAssembly module in a file of its own: smaller where a bundler or a server can send that file as it is.
 *
 * ```ts
 * import { init, load } from "passerby/slim";
 * await load(fetch(new URL("passerby/passerby.wasm", import.meta.url)));
 * init({ apiDomain: "https://api.example.com" });
 * ```
 */
import { makeError } from "./load.js";
import { initFrom } from "./session.js";
import type { FlatConfig, RecipeConfig } from "./types.js";

export * from "./exports.js";

let compiled: WebAssembly.Module | undefined;

/** Compiles `passerby.wasm`: a response that has it, its bytes, or what was compiled before. Rejects as the browser does. */
export async function load(source: Response | PromiseLike<Response> | BufferSource | WebAssembly.Module): Promise<void> {
  const given = await source;
  if (given instanceof WebAssembly.Module) compiled = given;
  else compiled = await WebAssembly.compile(given instanceof Response ? await given.arrayBuffer() : given);
}

/** As the `init` of the package's root. Throws before `load` is done. */
export function init(config: FlatConfig | RecipeConfig): void {
  if (!compiled) throw makeError("NO_WASM", "await load(fetch(<address of passerby.wasm>)) before init");
  const module = compiled;
  initFrom(() => module, [], config);
}
