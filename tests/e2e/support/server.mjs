// @ts-check
// The demo's server as a process of its own: temporary database, free port, and a web folder with
// the shop and a bare test page.

import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { bundle } from "./sdk.mjs";

const ROOT = resolve(import.meta.dirname, "../../..");
const PROGRAM = process.env.PASSERBY_SERVER ?? join(ROOT, "target/debug/passerby-www");
const WEB = process.env.PASSERBY_WEB ?? join(ROOT, "www/web/dist");

/**
 * Everything that was started and made, and is not gone yet: nothing is left behind.
 * @type {Set<import("node:child_process").ChildProcess>}
 */
const running = new Set();
/** @type {Set<string>} */
const folders = new Set();
process.on("exit", () => {
  running.forEach((child) => child.kill("SIGKILL"));
  folders.forEach((folder) => rmSync(folder, { recursive: true, force: true }));
});

/**
 * Validity in seconds; a limit of new sessions goes by `X-Forwarded-For`.
 * @typedef {{
 *   accessTokenValidity?: number,
 *   mintForNavigations?: boolean,
 *   mintLimit?: number,
 *   noAnonymousSessions?: boolean,
 *   antiCsrfTokens?: boolean,
 *   embedded?: boolean,
 *   refreshGrace?: number,
 * }} ServerOptions
 */

export class Server {
  #folder;
  #options;
  #child;
  #port = 0;
  origin;

  constructor(folder, options) {
    this.#folder = folder;
    this.#options = options;
  }

  /** The SQLite file. */
  get database() {
    return join(this.#folder, "sill.db");
  }

  /** @param {ServerOptions} options */
  static async start(options = {}) {
    const folder = await mkdtemp(join(tmpdir(), "passerby-e2e-"));
    folders.add(folder);
    const web = join(folder, "web");
    await cp(WEB, web, { recursive: true });
    await cp(join(import.meta.dirname, "pages"), web, { recursive: true });
    await writeFile(join(web, "passerby.js"), bundle());
    const server = new Server(folder, options);
    await server.start();
    return server;
  }

  /**
   * Starts, or starts again: on the same port, with the same database, and other options where some
   * are given.
   */
  async start(changed = {}) {
    this.#options = { ...this.#options, ...changed };
    const folder = this.#folder;
    const options = [
      "--port",
      this.#port,
      "--database",
      this.database,
      "--web",
      join(folder, "web"),
    ];
    const {
      accessTokenValidity,
      mintForNavigations,
      mintLimit,
      noAnonymousSessions,
      antiCsrfTokens,
      embedded,
      refreshGrace,
    } = this.#options;
    if (accessTokenValidity) options.push("--access-token-validity", accessTokenValidity);
    if (mintForNavigations) options.push("--mint-for-navigations");
    if (mintLimit !== undefined) options.push("--mint-limit", mintLimit);
    if (noAnonymousSessions) options.push("--no-anonymous-sessions");
    if (antiCsrfTokens) options.push("--anti-csrf-tokens");
    if (embedded) options.push("--embedded");
    if (refreshGrace) options.push("--refresh-grace", refreshGrace);
    const child = spawn(PROGRAM, options.map(String), { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    let complaints = "";
    child.stderr.on("data", (text) => (complaints += text));
    const line = await new Promise((done, fail) => {
      createInterface(child.stdout).once("line", done);
      child.once("error", (cause) =>
        fail(new Error(`${PROGRAM} does not start; run \`cargo xtask test e2e\``, { cause })),
      );
      child.once("exit", (code) => fail(new Error(`${PROGRAM} ended with ${code}: ${complaints}`)));
    });
    this.origin = /^listening on (\S+)$/.exec(line)[1];
    this.#port = Number(new URL(this.origin).port);
  }

  /** Stops at once, as a power failure would. */
  async stop() {
    const child = this.#child;
    if (!running.has(child)) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await gone;
  }

  async close() {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
    folders.delete(this.#folder);
  }

  /** A request of somebody who is not the browser. */
  fetch(path, init) {
    return fetch(this.origin + path, init);
  }

  async forgetCalls() {
    await this.fetch("/api/demo/calls/reset", { method: "POST" });
  }

  /** The requests that reached the server, by method and path. `prefix` leaves pages out. */
  async calls(prefix = /^\w+ \/(api|auth)\//) {
    const counters = await (await this.fetch("/api/demo/calls")).json();
    return Object.fromEntries(Object.entries(counters).filter(([call]) => prefix.test(call)));
  }
}
