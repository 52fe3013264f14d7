// @ts-check
// One origin for the pages here and the demo's server behind them. It writes down what arrives, in
// words that hold for every browser.

import { readFile } from "node:fs/promises";
import { createServer, request as send } from "node:http";
import { extname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { listen } from "../../e2e/support/listen.mjs";
import { Server } from "../../e2e/support/server.mjs";

const ROOT = join(import.meta.dirname, "../../..");
const PAGES = join(import.meta.dirname, "../pages");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };
const LARGE = "0123456789".repeat(5000);

/** The headers that scripts of another origin may send and read. */
const CORS = {
  "access-control-allow-credentials": "true",
  "access-control-allow-methods": "GET, POST",
  "access-control-allow-headers":
    "content-type, rid, fdi-version, st-auth-mode, st-anonymous-mode, anti-csrf, authorization",
  "access-control-expose-headers": "front-token, anti-csrf, st-anonymous-front-token",
};

export class Front {
  origin;
  /** The same once more, for pages whose API is of another origin. */
  api;
  #server;
  #http = [];
  /** Method and path of calls of the API, in order of arrival. */
  requests = [];
  /** The anonymousIds that the server made, in the order of its answers. */
  minted = [];
  /** How many requests for `/api/echo` are still asked for a refresh. */
  refusals = 0;
  /** How many of those that never end are still open. */
  open = 0;
  /** Milliseconds that a refresh takes longer. */
  refreshTime = 0;
  /** With which status a refresh is refused, if it is. */
  refusedWith = undefined;
  /** A file that is not to be had. */
  lost = undefined;
  /** Content security policy of the pages, where there is one. */
  policy = undefined;
  /** Whether pages are isolated from those of other origins. */
  isIsolated = false;
  /** Lets go of files that were asked for with `?held`. */
  release;
  /** The report of a page that nobody drives. */
  result;
  /** The texts that pages tell each other. */
  notes = [];
  #tell;
  #held;

  /** @param {import("../../e2e/support/server.mjs").ServerOptions} [options] */
  static async start(options) {
    const front = new Front();
    front.#server = await Server.start(options);
    front.origin = await front.#listen();
    front.api = await front.#listen();
    return front;
  }

  async #listen() {
    const http = createServer(
      (request, response) => void this.#answer(request, response).catch(() => response.destroy()),
    );
    this.#http.push(http);
    return `http://localhost:${await listen(http, "0.0.0.0")}`;
  }

  async close() {
    for (const http of this.#http) http.closeAllConnections();
    const closed = this.#http.map((http) => new Promise((done) => http.close(done)));
    await Promise.all([...closed, this.#server.close()]);
  }

  /** For the next visitor, as if nothing had been. */
  async reset() {
    Object.assign(this, {
      refusals: 0,
      refreshTime: 0,
      refusedWith: undefined,
      lost: undefined,
      policy: undefined,
      isIsolated: false,
    });
    // An answer to the visitor before may still be on its way, and is written down with theirs.
    this.requests = [];
    this.minted = [];
    this.notes.splice(0);
    this.#held = new Promise((done) => (this.release = done));
    this.result = new Promise((done) => (this.#tell = done));
  }

  /** How often which call arrived. */
  count(call) {
    return this.requests.filter((request) => request === call).length;
  }

  async #answer(request, response) {
    const { method, url, headers } = request;
    const { requests, minted } = this;
    const { pathname, searchParams } = new URL(url, this.origin);
    const body = Buffer.concat(await request.toArray());
    if (headers.origin === this.origin && this.api.endsWith(`//${headers.host}`)) {
      // As a gateway that is told of the website, and whose back end is not.
      headers.origin = this.api;
      headers["sec-fetch-site"] = "same-origin";
      response.setHeader("access-control-allow-origin", this.origin);
      for (const [name, value] of Object.entries(CORS)) response.setHeader(name, value);
      if (method === "OPTIONS") return void response.writeHead(204).end();
    }
    if (/^\/(api|auth)\//.test(pathname)) requests.push(`${method} ${pathname}`);
    if (pathname === "/result")
      return void this.#tell(JSON.parse(body.toString()), response.writeHead(204).end());
    if (pathname === "/notes") {
      if (method === "POST") this.notes.push(JSON.parse(body.toString()));
      return void response.end(JSON.stringify(this.notes));
    }
    if (pathname === "/api/echo") return this.#echo(request, response, body, searchParams);
    if (pathname === "/api/go")
      return void response.writeHead(307, { location: searchParams.get("to") }).end();
    if (pathname === "/elsewhere") return answerElsewhere(request, response, searchParams);
    // It begins, and never ends.
    if (pathname === "/api/endless")
      return void response
        .writeHead(Number(searchParams.get("status")), {
          "content-type": "application/problem+json",
        })
        .write('{"title":');
    const file = /^\/(pages|dist)\/([\w./-]+)$/.exec(pathname);
    if (file && !file[2].includes("..")) {
      if (searchParams.has("held")) await this.#held;
      if (this.lost && pathname.endsWith(this.lost)) return void response.writeHead(404).end();
      const content = await readFile(
        join(file[1] === "pages" ? PAGES : join(ROOT, "pkg/dist"), file[2]),
      );
      response.setHeader("content-type", TYPES[extname(pathname)]);
      if (this.policy && extname(pathname) === ".html")
        response.setHeader("content-security-policy", this.policy);
      if (this.isIsolated)
        response
          .setHeader("cross-origin-opener-policy", "same-origin")
          .setHeader("cross-origin-embedder-policy", "require-corp");
      return void response.end(content);
    }
    if (pathname === "/auth/session/refresh") {
      await delay(this.refreshTime);
      if (this.refusedWith)
        return void response
          .writeHead(this.refusedWith, { "content-type": "application/json" })
          .end('{"message":"later"}');
    }
    const { port } = new URL(this.#server.origin);
    const onward = send({ host: "localhost", port, method, path: url, headers }, (answer) => {
      for (const text of answer.headers["set-cookie"] ?? []) {
        const payload = /^sAnonymousToken=[\w-]+\.([\w-]+)\./.exec(text)?.[1];
        if (payload)
          minted.push(JSON.parse(Buffer.from(payload, "base64url").toString()).anonymousId);
      }
      // One by one: some are there more than once.
      const { rawHeaders } = answer;
      for (let i = 0; i < rawHeaders.length; i += 2)
        response.appendHeader(rawHeaders[i], rawHeaders[i + 1]);
      response.writeHead(answer.statusCode);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    onward.end(body);
  }

  /** The request that arrived, and headers of its own. */
  async #echo({ method, headers }, response, body, query) {
    // A sandboxed frame is of another site than its own server.
    if (headers.origin === "null") {
      response
        .setHeader("access-control-allow-origin", "null")
        .setHeader("access-control-allow-credentials", "true");
      response.setHeader(
        "access-control-allow-headers",
        "rid, st-auth-mode, st-anonymous-mode, anti-csrf, content-type",
      );
      if (method === "OPTIONS") return void response.writeHead(204).end();
    }
    if (this.refusals > 0) {
      this.refusals--;
      if (query.has("endless")) {
        this.open++;
        response.writeHead(401, { "content-type": "application/json" }).write("{");
        // Firefox notices with what comes next that nobody wants it.
        const more = setInterval(() => response.write(" "), 100);
        response.once("close", () => {
          this.open--;
          clearInterval(more);
        });
        return;
      }
      return void response
        .writeHead(401, { "content-type": "application/json", "x-of": "refusal" })
        .end('{"message":"try refresh token"}');
    }
    await delay(Number(query.get("after") ?? 0));
    const type = query.get("type") ?? "application/json";
    const text = query.has("large")
      ? LARGE
      : JSON.stringify({
          method,
          type: headers["content-type"],
          body: body.toString("latin1"),
          length: body.length,
        });
    response.writeHead(200, { "content-type": type, "x-total-count": "42" }).end(text);
  }
}

/** A stranger, who lets scripts of any page read an answer with headers of the session. */
function answerElsewhere({ method, headers }, response, query) {
  response.writeHead(method === "OPTIONS" ? 204 : Number(query.get("status") ?? 200), {
    "access-control-allow-origin": headers.origin ?? "*",
    "access-control-allow-credentials": "true",
    "access-control-allow-headers": headers["access-control-request-headers"] ?? "",
    "access-control-expose-headers":
      "front-token, st-access-token, st-refresh-token, anti-csrf, st-anonymous-front-token",
    "content-type": "application/json",
    ...JSON.parse(query.get("headers") ?? "{}"),
  });
  response.end(method === "OPTIONS" ? undefined : '{"message":"try refresh token"}');
}
