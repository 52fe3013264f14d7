// @ts-check
// WebKit, which Playwright drives only as a build of its own: the W3C protocol, behind as much of
// Playwright's interface as flows use.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { listen } from "../../e2e/support/listen.mjs";
import { DriverFault } from "./driver.mjs";

const DRIVER = process.env.PASSERBY_WEBKIT_DRIVER ?? "/usr/bin/WebKitWebDriver";
const BROWSER =
  process.env.PASSERBY_WEBKIT ?? "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
const WAIT_TIMEOUT = 10_000;
const LIMIT = 20_000;
/** Of the protocol: what no page brings about. */
const DRIVER_ERRORS = ["timeout", "session not created", "invalid session id"];

/**
 * Ended with this process, if not before.
 * @type {Set<import("node:child_process").ChildProcess>}
 */
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

function start(program, args, options) {
  const child = spawn(program, args, options);
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

export async function launch() {
  // Finds a free display, and says which. Each time that its last window closes it would begin
  // anew, and a browser that starts at that moment finds no display and ends, which the driver does
  // not notice.
  const display = start(
    "Xvfb",
    ["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  const number = await new Promise((done, fail) => {
    display.once("error", fail);
    display.stdout.once("data", (text) => done(`${text}`.trim()));
  });
  const port = await freePort();
  const env = {
    ...process.env,
    DISPLAY: `:${number}`,
    // The sandbox wants user namespaces, which containers do not give to root.
    WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
    LIBGL_ALWAYS_SOFTWARE: "1",
  };
  const driver = start(DRIVER, [`--port=${port}`], { env, stdio: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt++) {
    if (
      await fetch(`${url}/status`).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      break;
    if (attempt === 100) throw new DriverFault(`${DRIVER} does not start`);
    await delay(50);
  }
  return new Browser(url, [driver, display]);
}

async function freePort() {
  const server = createServer();
  const port = await listen(server);
  await new Promise((done) => server.close(done));
  return port;
}

async function command(method, url, body) {
  const what = `${method} ${url.replace(/.*session\/[^/]*/, "")}`;
  let answer, value;
  try {
    answer = await fetch(url, {
      method,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(LIMIT),
    });
    ({ value } = await answer.json());
  } catch (cause) {
    throw new DriverFault(`${what}: ${cause}`, { cause });
  }
  if (answer.ok) return value;
  const Type = DRIVER_ERRORS.includes(value.error) ? DriverFault : Error;
  throw new Type(`${what}: ${value.error}: ${value.message}`);
}

class Browser {
  #url;
  #children;
  #version = "";

  constructor(url, children) {
    this.#url = url;
    this.#children = children;
  }

  /** Known after the first context. */
  version() {
    return this.#version;
  }

  /** A session has a profile of its own. The driver has one at a time. */
  async newContext({ baseURL }) {
    const capabilities = {
      alwaysMatch: { "webkitgtk:browserOptions": { binary: BROWSER, args: ["--automation"] } },
    };
    const { sessionId, capabilities: has } = await command("POST", `${this.#url}/session`, {
      capabilities,
    });
    this.#version = has.browserVersion;
    return new Context(`${this.#url}/session/${sessionId}`, baseURL);
  }

  close() {
    for (const child of this.#children) child.kill("SIGKILL");
  }
}

class Context {
  #url;
  #last = Promise.resolve();
  #window;
  baseURL;
  #isUsed = false;

  constructor(url, baseURL) {
    this.#url = url;
    this.baseURL = baseURL;
  }

  /** One command after the other, each in its window. */
  send(window, method, path, body) {
    const run = async () => {
      if (window && this.#window !== window) {
        await command("POST", `${this.#url}/window`, { handle: window });
        this.#window = window;
      }
      return command(method, this.#url + path, body);
    };
    return (this.#last = this.#last.then(run, run));
  }

  async newPage() {
    // The first one is there.
    const handle = this.#isUsed
      ? (await this.send(undefined, "POST", "/window/new", { type: "tab" })).handle
      : await this.send(undefined, "GET", "/window");
    this.#isUsed = true;
    return new Page(this, handle);
  }

  /** Those that a page at the root sees; the driver shows them by page. */
  async cookies() {
    const cookies = await this.send(undefined, "GET", "/cookie");
    return cookies.map(({ name, value, httpOnly, sameSite, path }) => ({
      name,
      value,
      httpOnly,
      sameSite,
      path,
    }));
  }

  clearCookies({ name }) {
    return this.send(undefined, "DELETE", `/cookie/${name}`);
  }

  close() {
    return command("DELETE", this.#url).catch(() => {});
  }
}

let calls = 0;
/** JSON has none. */
const UNDEFINED = { isUndefined: true };

class Page {
  #context;
  #handle;

  constructor(context, handle) {
    this.#context = context;
    this.#handle = handle;
  }

  #send(method, path, body) {
    return this.#context.send(this.#handle, method, path, body);
  }

  goto(path) {
    return this.#send("POST", "/url", { url: new URL(path, this.#context.baseURL).href });
  }

  reload() {
    return this.#send("POST", "/refresh", {});
  }

  async close() {
    await this.#send("DELETE", "/window");
  }

  #execute(script, ...args) {
    return this.#send("POST", "/execute/sync", { script, args });
  }

  /** Does not keep the driver waiting, so that several pages may be at work. */
  async evaluate(code, value) {
    const id = `call${calls++}`;
    const run = typeof code === "function" ? code : `() => (${code})`;
    // In the page's own words: a content security policy may forbid it to evaluate texts.
    await this.#execute(
      `((run, id, text) => {
        const call = (window[id] = {});
        const value = JSON.parse(text, (_, item) =>
          item && item.isUndefined === true ? undefined : item,
        );
        const end = (result) => (call.result = JSON.stringify(result));
        (async () => run(value))().then(
          (value) =>
            end({ value: value === undefined ? null : value, isThere: value !== undefined }),
          (error) =>
            end({ error: error && error.stack ? error + "\\n" + error.stack : String(error) }),
        );
      })(${run}, ...arguments)`,
      id,
      JSON.stringify(value === undefined ? UNDEFINED : value, (_, item) =>
        item === undefined ? UNDEFINED : item,
      ),
    );
    for (const end = Date.now() + LIMIT; Date.now() < end; await delay(5)) {
      const result = await this.#execute(
        `const call = window[arguments[0]];
        if (!call) return "gone";
        if (call.result) delete window[arguments[0]];
        return call.result || null;`,
        id,
      );
      if (result === "gone") throw new Error("the page is gone");
      if (!result) continue;
      const { value, isThere, error } = JSON.parse(result);
      if (error) throw new Error(error);
      return isThere ? value : undefined;
    }
    throw new Error(`no answer of the page: ${run}`);
  }

  async waitForFunction(code, value) {
    for (const end = Date.now() + WAIT_TIMEOUT; Date.now() < end; await delay(20)) {
      if (await this.evaluate(code, value).catch(() => false)) return;
    }
    throw new Error(`waited in vain for ${code}`);
  }
}
