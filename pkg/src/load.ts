import { imports, start } from "./generated/glue.js";
import text from "./generated/wasm.js";
import { decode } from "./inline.js";
import type { SessionError } from "./types.js";

/** Whether the WebAssembly module is there; or why not. Nothing happens before the first call. */
let loaded: "ready" | SessionError | undefined;

/** Loads the module, at once: from here on `fetch` has to be patched. */
export function load(): "ready" | SessionError {
  if (!loaded) {
    try {
      start(new WebAssembly.Instance(new WebAssembly.Module(decode(text)), imports).exports);
      loaded = "ready";
    } catch (cause) {
      const hint = "sessions need WebAssembly; a content security policy has to allow it with script-src 'wasm-unsafe-eval'";
      loaded = makeError("NO_WASM", `${hint} (${cause})`);
    }
  }
  return loaded;
}

/** Calls an asynchronous function of the module. */
export async function call<T>(operation: () => Promise<unknown>): Promise<T> {
  if (loaded === "ready") return (await operation()) as T;
  throw loaded ?? makeError("NOT_INITIALISED", "init function not called");
}

/** Whether the module's other functions can be called. */
export function isReady(): boolean {
  return loaded === "ready";
}

function makeError(code: SessionError["code"], message: string): SessionError {
  return Object.assign(new Error(message), { name: "SessionError", code } as const);
}
