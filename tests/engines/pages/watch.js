// Before everything else: writes down what goes wrong, and takes away what this browser is not to
// have.

const problems = (window.problems = []);
for (const level of ["warn", "error"]) {
  const original = console[level];
  console[level] = (...values) => {
    problems.push(values.map(String).join(" "));
    original.apply(console, values);
  };
}
addEventListener("error", (event) => problems.push(`uncaught: ${event.message}`));
addEventListener("unhandledrejection", ({ reason }) =>
  problems.push(`unhandled: ${reason && reason.stack ? reason + reason.stack : reason}`),
);

const denied = () => {
  throw new DOMException("The operation is insecure.", "SecurityError");
};
const take = {
  locks: () => Object.defineProperty(Navigator.prototype, "locks", { value: undefined }),
  // A page that is made ready before somebody looks at it: locks are for those that are looked at.
  activation: () => {
    Object.defineProperty(document, "prerendering", { value: true });
    navigator.locks.request = () => new Promise(() => {});
  },
  BroadcastChannel: () => delete window.BroadcastChannel,
  localStorage: () => Object.defineProperty(window, "localStorage", { get: denied }),
  indexedDB: () => Object.defineProperty(window, "indexedDB", { get: denied }),
  cookieStore: () => Object.defineProperty(window, "cookieStore", { value: undefined }),
  abortTimeout: () => delete AbortSignal.timeout,
  abortReason: () => delete AbortSignal.prototype.reason,
  WebAssembly: () => delete window.WebAssembly,
  // As Chromium up to 114 does.
  "large modules": () => {
    const { Module, Instance } = WebAssembly;
    const large = new WeakSet();
    const { compile, instantiate } = WebAssembly;
    const refuse = (what) => {
      throw new RangeError(
        `WebAssembly.${what} is disallowed on the main thread, if the buffer size is larger ` +
          "than 4KB.",
      );
    };
    WebAssembly.Module = class extends Module {
      constructor(bytes) {
        if (bytes.byteLength > 4096) refuse("Compile");
        super(bytes);
      }
      static [Symbol.hasInstance](value) {
        return value instanceof Module;
      }
    };
    WebAssembly.Instance = class extends Instance {
      constructor(module, imports) {
        if (large.has(module)) refuse("Instance");
        super(module, imports);
      }
    };
    WebAssembly.compile = async (bytes) => {
      const module = await compile(bytes);
      large.add(module);
      return module;
    };
    WebAssembly.instantiate = (...values) => instantiate(...values);
  },
  // As a content security policy does, in engines that do not enforce one on tests.
  wasm: () => {
    const refuse = function () {
      throw new WebAssembly.CompileError(
        "WebAssembly.Module(): Wasm code generation disallowed by embedder",
      );
    };
    WebAssembly.Module = refuse;
    WebAssembly.compile = WebAssembly.instantiate = async () => refuse();
  },
};
for (const what of new URLSearchParams(location.search).get("without")?.split(",") ?? [])
  if (what) take[what]();
