import { synchronise } from "./generated/browser/handlers.js";
import {
  connect,
  findOurs,
  intercept as onward,
  makeError as make,
  notify,
  sendBare,
  urlOf,
  withUserContext,
} from "./generated/browser/host.js";
import { attach, fault, operate } from "./generated/browser/tasks.js";
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

function ready({ m, t }: WebAssembly.Exports): void {
  attach(m as WebAssembly.Memory, t as (what: number, task: number, number: number) => number);
  loaded = "ready";
}

/**
 * Makes the module and calls `begin`. Where the browser makes the module at once, an error of
 * `begin` is thrown here. Elsewhere the module comes later. Until then the functions wait, and so
 * do requests to the URLs of which `isOursMeanwhile` is true.
 */
export function load(
  source: Source,
  address: string | undefined,
  begin: () => void,
  isOursMeanwhile: (url: URL) => boolean,
): void {
  let module: BufferSource | WebAssembly.Module | undefined;
  if (!loaded && !coming) {
    try {
      module = source();
      const compiled =
        module instanceof WebAssembly.Module ? module : new WebAssembly.Module(module);
      ready(new WebAssembly.Instance(compiled).exports);
    } catch (cause) {
      reason = cause;
      coming = import("./late.js")
        .then((late) => late.instantiate(module, address))
        .then(ready, (cause) => {
          throw (loaded = makeError(
            "NO_WASM",
            `sessions need WebAssembly (${reason}) or fallback.js (${cause})`,
          ));
        });
    }
  }
  if (loaded === "ready") return begin();
  arrival = coming!.then(begin).then(notify, (error) => {
    connect(() => false, sendBare);
    console.error(error);
  });
  connect(isOursMeanwhile, (call) =>
    arrival!.then(() => (findOurs(urlOf(call)) ? onward : sendBare)(call)),
  );
}

/**
 * Does an operation, by its number, or calls what needs the module. Events and hooks get
 * `userContext`.
 */
export async function call<T>(
  operation: number | (() => Promise<unknown>),
  userContext: unknown = {},
): Promise<T> {
  if (arrival) await arrival;
  if (loaded === "ready") {
    // Others may have written since.
    await synchronise();
    return (await withUserContext(userContext, () =>
      typeof operation === "number" ? operate(operation) : operation(),
    )) as T;
  }
  throw loaded ?? fault(0);
}

/** Whether the module's other functions can be called. */
export function isReady(): boolean {
  return loaded === "ready";
}

/** An error of the SDK. */
export const makeError = make as (code: SessionError["code"], message: string) => SessionError;
