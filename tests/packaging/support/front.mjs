// @ts-check
// One origin for an app and its API: the app's files under the policy that we promise to work with,
// and the demo's server behind it.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer, request as send } from "node:http";
import { extname, join, normalize } from "node:path";
import { listen } from "../../e2e/support/listen.mjs";
import { Server } from "../../e2e/support/server.mjs";

export const POLICY = "script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
  ".css": "text/css",
};

export class Front {
  origin;
  #http;
  #api;
  #web;

  /**
   * @param {string | number} web the folder with the app's build, or the port where the app serves
   *   itself, policy and all
   */
  static async start(web) {
    const front = new Front();
    front.#web = web;
    front.#api = await Server.start();
    front.#http = createServer(
      (request, response) =>
        void front.#answer(request, response).catch((error) => response.destroy(error)),
    );
    front.origin = `http://localhost:${await listen(front.#http)}`;
    return front;
  }

  async close() {
    this.#http.closeAllConnections();
    await Promise.all([new Promise((done) => this.#http.close(done)), this.#api.close()]);
  }

  forgetCalls() {
    return this.#api.forgetCalls();
  }

  calls() {
    return this.#api.calls();
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    if (/^\/(api|auth)\//.test(pathname))
      return pass(request, response, new URL(this.#api.origin).port);
    if (typeof this.#web === "number") return pass(request, response, this.#web);
    const file = join(
      this.#web,
      normalize(pathname.endsWith("/") ? `${pathname}index.html` : pathname),
    );
    if (!(await stat(file).catch(() => undefined))?.isFile())
      return void response.writeHead(404).end();
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type, "content-security-policy": POLICY });
    createReadStream(file).pipe(response);
  }
}

/** As it came, to another port of this machine. */
function pass(request, response, port) {
  const { method, url: path, headers } = request;
  const onward = send({ host: "localhost", port, method, path, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(response);
  });
  onward.on("error", (error) => response.destroy(error));
  request.pipe(onward);
}
