import * as glue from "./generated/glue.js";
import text from "./generated/wasm.js";
import { decode } from "./inline.js";
import type { SessionError } from "./types.js";

/** The WebAssembly module's functions; or why there are none. Nothing happens before the first call. */
let loaded: { sdk: typeof glue } | { error: SessionError } | undefined;

/** Loads the module, at once: from here on `fetch` has to be patched. */
export function load(): NonNullable<typeof loaded> {
  if (!loaded) {
    try {
      glue.start(new WebAssembly.Instance(new WebAssembly.Module(decode(text)), glue.imports).exports);
      loaded = { sdk: glue };
    } catch (cause) {
      const hint = "sessions need WebAssembly; a content security policy has to allow it with script-src 'wasm-unsafe-eval'";
      loaded = { error: makeError("NO_WASM", `${hint} (${cause})`) };
    }
  }
  return loaded;
}

/** Calls an asynchronous function of the module. */
export async function call<T>(operation: (sdk: typeof glue) => Promise<unknown>): Promise<T> {
  if (!loaded) throw makeError("NOT_INITIALISED", "init function not called: call init() before this function");
  if ("error" in loaded) throw loaded.error;
  return (await operation(loaded.sdk)) as T;
}

/** The module, if there is one. */
export function ready(): typeof glue | undefined {
  return loaded && "sdk" in loaded ? loaded.sdk : undefined;
}

function makeError(code: SessionError["code"], message: string): SessionError {
  return Object.assign(new Error(message), { name: "SessionError", code } as const);
}
