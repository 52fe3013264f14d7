// The website of one contestant, and the API on the same origin: serves the pages, and hands on
// what is the API's to the back end, after a delay for what is far away.

import { Agent, createServer, request as send } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { brotliCompressSync } from "node:zlib";

/**
 * Before the SDK comes: what the browser has; with `stub`, a `fetch` that answers at once and knows
 * whether an SDK had the request.
 */
const prelude = (isStub) => `
const natives = globalThis.natives = { fetch, XMLHttpRequest };
if (${isStub}) {
  const marks = ["rid", "st-auth-mode", "fdi-version", "anti-csrf", "authorization"];
  const stub = natives.stub = async (input, init) => {
    stub.calls++;
    const headers = new Headers(init?.headers ?? input.headers);
    stub.touched = marks.some((name) => headers.has(name));
    return new Response("{}", { status: 200, headers: { "content-type": "application/json" } });
  };
  stub.calls = 0;
  globalThis.fetch = stub;
}`;

const html = (script, isStub) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>A shop</title>` +
  `<link rel="icon" href="data:,">
${isStub === undefined ? "" : `<script>${prelude(isStub)}</script>`}
${script ? `<script type="module" src="${script}"></script>` : ""}<h1>A shop</h1></html>`;

const PAGES = {
  "/blank": html(),
  "/first": html("/first.js"),
  "/app": html("/page.js", false),
  "/stub": html("/page.js", true),
};

/** Pages have clocks of 5 µs instead of 100 where no other origin shares their process. */
const ISOLATED = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

export class Front {
  #server;
  #agent = new Agent({ keepAlive: true });
  #files;
  #origin;
  /** Milliseconds that every answer of the API takes more. */
  delay = 0;
  /** Where the API is: `(path) => origin`. */
  backEnd;
  /**
   * How often what was asked for, such as `POST /auth/session/refresh`.
   * @type {Map<string, number>}
   */
  calls = new Map();

  /** @param {string} host @param {Record<string, Uint8Array>} files by path, built scripts */
  static async start(host, files) {
    const front = new Front();
    const entries = Object.entries(files).map(([path, text]) => [path, brotliCompressSync(text)]);
    front.#files = new Map(entries);
    front.#server = createServer(
      (request, response) => void front.#answer(request, response).catch(() => response.destroy()),
    );
    await new Promise((done) => front.#server.listen(0, "127.0.0.1", done));
    front.#origin = `http://${host}:${front.#server.address().port}`;
    return front;
  }

  get origin() {
    return this.#origin;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, this.#origin);
    const page = PAGES[pathname];
    if (page)
      return void response
        .writeHead(200, { "content-type": "text/html", "cache-control": "no-cache", ...ISOLATED })
        .end(page);
    const file = this.#files.get(pathname);
    if (file) {
      const headers = {
        "content-type": "text/javascript",
        "content-encoding": "br",
        "cache-control": "max-age=3600",
      };
      return void response
        .writeHead(200, { ...headers, "content-length": file.length, ...ISOLATED })
        .end(file);
    }
    const call = `${request.method} ${pathname}`;
    this.calls.set(call, (this.calls.get(call) ?? 0) + 1);
    const body = Buffer.concat(await request.toArray());
    if (pathname === "/immediate" || pathname === "/foreign")
      return void this.#immediate(request, response);
    const { method, headers, url } = request;
    const answer = await new Promise((done, fail) =>
      send(this.backEnd(pathname) + url, { method, headers, agent: this.#agent }, done)
        .once("error", fail)
        .end(body),
    );
    const content = Buffer.concat(await answer.toArray());
    if (this.delay) await delay(this.delay);
    response.writeHead(answer.statusCode, answer.rawHeaders).end(content);
  }

  #immediate({ method, headers }, response) {
    const { origin } = headers;
    if (origin)
      response
        .setHeader("access-control-allow-origin", origin)
        .setHeader("access-control-allow-headers", "*")
        .setHeader("access-control-max-age", "600");
    response.setHeader("cross-origin-resource-policy", "cross-origin");
    if (method === "OPTIONS") return void response.writeHead(204).end();
    response
      .writeHead(200, { "content-type": "application/json", "cache-control": "no-store" })
      .end("{}");
  }
}
