import { synchronise } from "./generated/browser/handlers.js";
import { bare, connect, findOurs, intercept as onward, makeError as make, notify, urlOf, within } from "./generated/browser/host.js";
import { imports, intercept, isOurs, resume, start } from "./generated/glue.js";
import type { SessionError } from "./types.js";

/** Whether the WebAssembly module is there; or why not. Nothing happens before the first call. */
let loaded: "ready" | SessionError | undefined;
/** Ends when the module is there. Only where it was not there at once. */
let coming: Promise<void> | undefined;
/** Ends when the SDK is started, or cannot be. */
let arrival: Promise<void> | undefined;
/** Why the module was not there at once. */
export let reason: unknown;

/** Where the module comes from. */
export type Source = () => BufferSource | WebAssembly.Module;

function ready(exports: WebAssembly.Exports, texts: [number, string][]): void {
  start(exports, texts);
  loaded = "ready";
}

/**
 * Makes the module and calls `begin`: at once, if the browser lets us, and then what `begin` throws is thrown here. Else the requests that
 * `isOursMeanwhile` finds, and the functions, wait for that.
 */
export function load(
  source: Source,
  texts: [number, string][],
  address: string | undefined,
  begin: () => void,
  isOursMeanwhile: (url: URL) => boolean,
): void {
  let module: BufferSource | WebAssembly.Module | undefined;
  if (!loaded && !coming) {
    try {
      module = source();
      const compiled = module instanceof WebAssembly.Module ? module : new WebAssembly.Module(module);
      ready(new WebAssembly.Instance(compiled, imports).exports, texts);
    } catch (cause) {
      reason = cause;
      coming = import("./late.js")
        .then((late) => late.instantiate(module, texts, imports, address))
        .then(
          (made) => ready(...made),
          (cause) => {
            throw (loaded = makeError("NO_WASM", `sessions need WebAssembly (${reason}) or fallback.js (${cause})`));
          },
        );
    }
  }
  const go = () => {
    connect(resume, isOurs, intercept);
    begin();
  };
  if (loaded === "ready") return go();
  arrival = coming!.then(go).then(notify, (error) => {
    connect(resume, () => false, bare);
    console.error(error);
  });
  connect(resume, isOursMeanwhile, (call) => arrival!.then(() => (findOurs(urlOf(call)) ? onward : bare)(call)));
}

/** Calls an asynchronous function of the module. Its events and hooks get `userContext`. */
export async function call<T>(operation: () => Promise<unknown>, userContext: unknown = {}): Promise<T> {
  if (arrival) await arrival;
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
export const makeError = make as (code: SessionError["code"], message: string) => SessionError;
