// @ts-check
// A proxy before the shop that lets everything take its time, and sees which anonymous sessions the
// server makes.

import { request as send, createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { decodeJwt } from "jose";
import { listen } from "./listen.mjs";
import { mulberry32 } from "./random.mjs";
import { Server } from "./server.mjs";

const API = /^\/(api|auth)\//;

export class SlowShop {
  #server;
  #http;
  #random;
  origin;
  /** anonymousIds in the order in which the server made a token of them. */
  minted = [];
  /** Delays instead of the random ones: `(request, isAnswer) => Promise`. */
  hold = undefined;
  /** Requests that the proxy answers with 502: `(request) => boolean`. */
  fails = undefined;

  /**
   * @param {number} seed of the delays
   * @param {import("./server.mjs").ServerOptions} [options]
   */
  static async start(seed, options) {
    const shop = new SlowShop();
    shop.#random = mulberry32(seed);
    shop.#server = await Server.start(options);
    shop.#http = createServer(
      (request, response) => void shop.#forward(request, response).catch(() => response.destroy()),
    );
    shop.origin = `http://localhost:${await listen(shop.#http, "localhost")}`;
    return shop;
  }

  async close() {
    this.#http.closeAllConnections();
    await new Promise((done) => this.#http.close(done));
    await this.#server.close();
  }

  calls() {
    return this.#server.calls();
  }

  async forgetCalls() {
    this.minted.splice(0);
    await this.#server.forgetCalls();
  }

  async #forward(request, response) {
    const { method, url, headers } = request;
    const isApi = API.test(url);
    const body = Buffer.concat(await request.toArray());
    if (isApi) await this.#delay(request, false);
    // As when the browser's request never arrived.
    if (response.destroyed) return;
    if (this.fails?.(request)) return void response.writeHead(502).end();
    const answer = await new Promise((done, fail) =>
      send(this.#server.origin + url, { method, headers }, done)
        .once("error", fail)
        .end(body),
    );
    const cookies = (answer.headers["set-cookie"] ?? []).map(
      (cookie) => /^sAnonymousToken=([^;]+)/.exec(cookie)?.[1],
    );
    for (const token of [...cookies, answer.headers["st-anonymous-token"]]) {
      if (token) this.minted.push(decodeJwt(token).anonymousId);
    }
    const content = Buffer.concat(await answer.toArray());
    if (isApi) await this.#delay(request, true);
    response.writeHead(answer.statusCode, answer.rawHeaders).end(content);
  }

  /** Mostly a few milliseconds, now and then many. */
  #delay(request, isAnswer) {
    if (this.hold) return this.hold(request, isAnswer);
    return delay(this.#random() < 0.05 ? 100 : this.#random() * 20);
  }
}
