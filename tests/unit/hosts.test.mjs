// Hosts that are no browser, or not quite: what a test runner's page lacks.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const PACKAGE = JSON.stringify(join(import.meta.dirname, "../../pkg/dist/cjs/index.js"));

/** The output of a fresh Node program. */
async function run(code) {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["-e", code]);
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

const PAGE = `
  globalThis.window = globalThis;
  globalThis.document = { cookie: "", baseURI: "http://localhost/" };
  globalThis.location = new URL("http://localhost/");
  globalThis.addEventListener = globalThis.removeEventListener = () => {};
`;

test("a page without TextDecoder, as jsdom's is under Jest: importing has no effect, init says what is missing", async () => {
  const seen = await run(`
    ${PAGE}
    delete globalThis.TextDecoder;
    delete globalThis.fetch;
    const passerby = require(${PACKAGE});
    let thrown;
    try {
      passerby.init({ apiDomain: "http://localhost" });
    } catch ({ name, code, message }) {
      thrown = { name, code, message };
    }
    console.log(JSON.stringify({ thrown, state: passerby.getSnapshot().state }));
  `);
  assert.deepEqual(seen, {
    thrown: { name: "SessionError", code: "NO_WINDOW", message: "There is no fetch" },
    state: "unknown",
  });
});

test("the same page with fetch and TextDecoder: sessions", async () => {
  const seen = await run(`
    ${PAGE}
    globalThis.fetch = async () =>
      new Response("{}", { headers: { "content-type": "application/json" } });
    const passerby = require(${PACKAGE});
    const native = fetch;
    passerby.init({ apiDomain: "http://localhost", anonymous: {} });
    fetch("http://localhost/api").then((response) => {
      console.log(JSON.stringify([fetch !== native, response.status]));
      // The channel between tabs would keep it running.
      process.exit();
    });
  `);
  assert.deepEqual(seen, [true, 200]);
});

test("no window, and a host that makes no WebAssembly, as workerd: NO_WINDOW, and nothing in the console", async () => {
  const seen = await run(`
    WebAssembly.Module = function () { throw new Error("disallowed by embedder"); };
    const passerby = require(${PACKAGE});
    let code;
    try { passerby.init({ apiDomain: "http://localhost" }); } catch (error) { code = error.code; }
    console.log(JSON.stringify(code));
  `);
  assert.equal(seen, "NO_WINDOW");
});
