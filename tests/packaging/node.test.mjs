// Programs without a window: an import has no effect, and what needs a browser says so.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { install } from "./support/install.mjs";

const folder = await install("node");

for (const [what, file] of [
  ["import", "module.mjs"],
  ["require", "common.cjs"],
]) {
  test(`Node, ${what}: no effect, and typed errors`, async () => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ["--require", "./report.cjs", file],
      { cwd: folder },
    );
    assert.equal(stderr, "");
    const notInitialised = { name: "SessionError", code: "NOT_INITIALISED" };
    assert.deepEqual(JSON.parse(stdout), {
      onImport: [],
      snapshot: { state: "unknown" },
      claim: "admin",
      exists: notInitialised,
      fetch: notInitialised,
      recipe: notInitialised,
      init: { name: "SessionError", code: "NO_WINDOW" },
      afterInit: [],
    });
  });
}
