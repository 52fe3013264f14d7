// Hosts that are no browser, or not quite: test runners with a page that they imitate, and programs
// without any.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { Server } from "../e2e/support/server.mjs";
import { isLeftOut } from "./support/app.mjs";
import { install, npm } from "./support/install.mjs";

const skip = isLeftOut("hosts");
const folder = skip ? "" : await install("hosts");
const server = skip ? undefined : await Server.start();
after(() => server?.close());

/** Its standard output; it has to say nothing else. */
async function run(program, ...args) {
  // No host looks for a newer version of itself.
  const env = { ...process.env, ORIGIN: server.origin, DENO_NO_UPDATE_CHECK: "1" };
  return promisify(execFile)(program, args, { cwd: folder, env, timeout: 60_000 });
}

const script = (...path) => join(folder, "node_modules", ...path);

for (const [name, what] of [
  ["without-fetch", "importing has no effect, init names what is missing"],
  ["nodes-fetch", "with Node's fetch, sessions"],
  ["polyfill", "with a fetch made of XMLHttpRequest, sessions"],
]) {
  test(`Jest, jsdom: ${what}`, { skip }, () =>
    run(process.execPath, script("jest/bin/jest.js"), name),
  );
}

test("Vitest, jsdom: sessions", { skip }, () =>
  run(process.execPath, script("vitest/vitest.mjs"), "run"),
);

// --- no window -----------------------------------------------------------------------------------

const notInitialised = { name: "SessionError", code: "NOT_INITIALISED" };
const expected = {
  onImport: [],
  snapshot: { state: "unknown" },
  exists: notInitialised,
  fetch: notInitialised,
  recipe: notInitialised,
  init: { name: "SessionError", code: "NO_WINDOW" },
  disposed: {},
  afterInit: [],
};

/**
 * The program of a package that has one for each kind of machine, which an install script would
 * choose.
 */
function programOf(name, ...path) {
  const { platform, arch } = process;
  const all = {
    bun: `@oven/bun-${platform}-${arch === "arm64" ? "aarch64" : arch}`,
    deno: `@deno/${platform}-${arch}${platform === "linux" ? "-glibc" : ""}`,
    node: `node-${platform}-${arch}`,
    workerd: `@cloudflare/workerd-${platform}-${arch === "x64" ? "64" : arch}`,
  };
  return script(all[name], ...path);
}

for (const [name, path, ...args] of [
  ["bun", ["bin", "bun"]],
  ["deno", ["deno"], "run", "--allow-read"],
  // `node.test.mjs` has the Node that runs the tests, which may be the oldest that we work with.
  ["node", ["bin", "node"]],
]) {
  const isThere = process.platform === "linux" && process.arch === "x64";
  test(
    `${name}: no effect, and typed errors`,
    { skip: skip || process.platform === "win32" || (name === "node" && !isThere) },
    async () => {
      const { stdout, stderr } = await run(programOf(name, ...path), ...args, "program.mjs");
      assert.equal(stderr, "");
      assert.deepEqual(JSON.parse(stdout), expected);
    },
  );
}

test(
  "workerd: no effect, and typed errors",
  { skip: skip || process.platform === "win32" },
  async (t) => {
    await npm(folder, "run", "build");
    const program = programOf("workerd", "bin", "workerd");
    const worker = spawn(program, ["serve", "--control-fd=3", "workerd.capnp"], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    });
    t.after(() => worker.kill());
    let said = "";
    for (const stream of [worker.stdout, worker.stderr])
      stream.on("data", (text) => (said += text));
    // It tells there where it listens.
    const [line] = await Promise.race([
      once(createInterface(worker.stdio[3]), "line"),
      once(worker, "exit").then(() => Promise.reject(new Error(said))),
    ]);
    const answer = await fetch(`http://127.0.0.1:${JSON.parse(line).port}/`);
    assert.deepEqual(await answer.json(), expected);
    assert.equal(said, "");
  },
);
