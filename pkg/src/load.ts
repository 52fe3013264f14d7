import { synchronise } from "./generated/browser/handlers.js";
import { connect, makeError as make, within } from "./generated/browser/host.js";
import { connectTasks } from "./generated/browser/tasks.js";
import { begin, imports, input, isOurs, start } from "./generated/glue.js";
import type { SessionError } from "./types.js";

/** Whether the WebAssembly module is there; or why not. Nothing happens before the first call. */
let loaded: "ready" | SessionError | undefined;

/** Where the module comes from. */
export type Source = () => BufferSource | WebAssembly.Module;

/** Loads the module, at once: when `init` returns, `fetch` has to be patched. */
export function load(source: Source, texts: [number, string][]): "ready" | SessionError {
  if (!loaded) {
    try {
      const bytes = source();
      const compiled = bytes instanceof WebAssembly.Module ? bytes : new WebAssembly.Module(bytes);
      start(new WebAssembly.Instance(compiled, imports).exports, texts);
      connect(isOurs);
      connectTasks(begin, input);
      loaded = "ready";
    } catch (cause) {
      const hint = "sessions need WebAssembly; the content security policy needs script-src 'wasm-unsafe-eval'";
      loaded = makeError("NO_WASM", `${hint} (${cause})`);
    }
  }
  return loaded;
}

/** Calls an asynchronous function of the module. Its events and hooks get `userContext`. */
export async function call<T>(operation: () => Promise<unknown>, userContext: unknown = {}): Promise<T> {
  if (loaded === "ready") {
    // Others may have written since.
    await synchronise();
    return (await within(userContext, operation)) as T;
  }
  throw loaded ?? makeError("NOT_INITIALISED", "init function not called");
}

/** Whether the module's other functions can be called. */
export function isReady(): boolean {
  return loaded === "ready";
}

/** An error of the SDK. */
export const makeError = (code: SessionError["code"], message: string): SessionError => make(code, message) as SessionError;
