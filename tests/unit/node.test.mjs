// Where there is no window: imports have no effect, and calls say what is wrong.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const require = createRequire(import.meta.url);
const entries = {
  "an ES module": () => import("../../pkg/dist/index.js"),
  CommonJS: () => require("../../pkg/dist/cjs/index.js"),
};

for (const [form, load] of Object.entries(entries)) {
  test(`in Node, as ${form}`, async () => {
    const native = globalThis.fetch;
    const sdk = await load();
    assert.deepEqual(sdk.getSnapshot(), { state: "unknown" });
    assert.equal(typeof sdk.subscribe(() => {}), "function");
    assert.throws(() => sdk.init({ apiDomain: "https://api.example.com" }), {
      code: "NO_WINDOW",
      message: /no window/,
    });
    await assert.rejects(sdk.doesSessionExist(), { code: "NOT_INITIALISED" });
    assert.deepEqual(sdk.getSnapshot(), { state: "unknown" });
    assert.equal(globalThis.fetch, native);
  });
}
