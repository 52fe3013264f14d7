// @ts-check
// A back end of few words for comparing XMLHttpRequest with and without the SDK: serves
// `pages/xhr.html` and the exchanges it talks about.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { listen } from "./listen.mjs";
import { bundle } from "./sdk.mjs";

const FILES = {
  "/": ["text/html", join(import.meta.dirname, "pages/xhr.html")],
  "/xhr.js": ["text/javascript", join(import.meta.dirname, "pages/xhr.js")],
};

const SDK = bundle();

/** Milliseconds that a refresh takes, so that something can happen during it. */
const REFRESH_TIME = 60;
const LARGE = "0123456789abcdef".repeat(20_000);

/** The pages under `/x/`; the response, and the request with its `body`. */
const EXCHANGES = {
  echo(response, { method, headers, body }) {
    const { "content-type": type, "x-a": a } = headers;
    response.setHeader("x-two", ["1", "2"]).setHeader("x-empty", "");
    response.end(JSON.stringify({ method, type, a, body: body.toString() }));
  },
  count: (response, { body }) => response.end(String(body.length)),
  missing: (response) => response.writeHead(404).end("there is no such thing"),
  broken: (response) => response.writeHead(500, "Oh Dear").end(),
  empty: (response) => response.writeHead(204).end(),
  moved: (response) => response.writeHead(302, { location: "/x/echo" }).end(),
  kept: (response) => response.writeHead(307, { location: "/x/echo" }).end(),
  json: (response) => response.setHeader("content-type", "application/json").end('{"a":[1,"ä"]}'),
  "not-json": (response) => response.setHeader("content-type", "application/json").end("{"),
  xml: (response) => response.setHeader("content-type", "text/xml").end("<a><b/></a>"),
  html: (response) =>
    response.setHeader("content-type", "text/html").end("<!doctype html><p>Hello"),
  latin: (response) =>
    response.setHeader("content-type", "text/plain; charset=utf-8").end(Buffer.from([0xe4, 0x21])),
  large: (response) => response.setHeader("content-length", LARGE.length).end(LARGE),
  slow(response) {
    response.write("first ");
    setTimeout(() => response.end("second"), 40);
  },
  stalled: (response) => response.write("first "),
  silent() {},
  cut: (response) => response.destroy(),
  torn(response) {
    response.setHeader("content-length", 1000).write("first ");
    setTimeout(() => response.destroy(), 20);
  },
};

const nothing = (response) => response.writeHead(404).end();

export class Exchanges {
  /** Method and path of each request for an exchange or a refresh. */
  calls = [];
  origin;
  #server;
  #refreshes = 0;

  static async start() {
    const exchanges = new Exchanges();
    const server = createServer(
      (request, response) =>
        void exchanges.#answer(request, response).catch(() => response.destroy()),
    );
    exchanges.#server = server;
    exchanges.origin = `http://localhost:${await listen(server, "0.0.0.0")}`;
    return exchanges;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    if (pathname === "/passerby.js")
      return void response.setHeader("content-type", "text/javascript").end(SDK);
    const file = FILES[pathname];
    if (file) return void response.setHeader("content-type", file[0]).end(await readFile(file[1]));
    request.body = Buffer.concat(await request.toArray());
    this.calls.push(`${request.method} ${pathname}`);
    const cookies = request.headers.cookie ?? "";
    if (pathname === "/auth/session/refresh")
      setTimeout(() => this.#refresh(cookies, response), REFRESH_TIME);
    else if (/access=old/.test(cookies))
      response.writeHead(401).end('{"message":"try refresh token"}');
    else (EXCHANGES[pathname.slice(3)] ?? nothing)(response, request);
  }

  #refresh(cookies, response) {
    if (!/access=/.test(cookies))
      return void response.writeHead(401).end('{"message":"unauthorised"}');
    const now = Math.floor(Date.now() / 1000);
    const up = { sessionHandle: "s1", iat: now, exp: now + 3600, turn: this.#refreshes++ };
    const token = Buffer.from(JSON.stringify({ uid: "ada", ate: up.exp * 1000, up })).toString(
      "base64",
    );
    response.writeHead(200, { "front-token": token, "set-cookie": "access=new; Path=/" }).end("{}");
  }
}
