// The verdict of tools that check published packages, and the browsers that the tarball is for.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { isLeftOut } from "./support/app.mjs";
import { install, npm } from "./support/install.mjs";

const ROOT = join(import.meta.dirname, "../..");
const skip = isLeftOut("published");
const folder = skip ? "" : await install("published");

test("publint has nothing to say", { skip }, () =>
  npm(folder, "exec", "publint", "--", "--strict", "passerby.tgz"),
);

test("every module has the right types, for every way of resolving it", { skip }, () => {
  // Files that pages load by their address, and no program by their name.
  const files = ["passerby.wasm", "dist/passerby.global.js", "dist/fallback.js"];
  return npm(folder, "exec", "attw", "--", "passerby.tgz", "--exclude-entrypoints", ...files);
});

test("the texts of both licences are in the package", { skip }, async () => {
  for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) {
    const [ours, published] = await Promise.all(
      [ROOT, join(folder, "node_modules/passerby")].map((at) => readFile(join(at, name), "utf8")),
    );
    assert.equal(published, ours, name);
  }
});

// --- browsers ------------------------------------------------------------------------------------

const require = createRequire(join(folder || ROOT, "package.json"));
const guide = await readFile(join(ROOT, "docs/web.md"), "utf8");

test(
  "every file is of the ECMAScript version that the guide names, and of no older one",
  { skip },
  async () => {
    const [, stated] = /files are ECMAScript (\d{4})/.exec(guide);
    const { parse } = require("acorn");
    const dist = join(folder, "node_modules/passerby/dist");
    const files = (await readdir(dist, { recursive: true })).filter((name) => name.endsWith(".js"));
    assert.ok(files.length > 30);
    const needing = [];
    for (const name of files) {
      const text = await readFile(join(dist, name), "utf8");
      const sourceType = /^cjs|\.global\.js$/.test(name) ? "script" : "module";
      const parseAs = (ecmaVersion) => parse(text, { ecmaVersion, sourceType });
      try {
        parseAs(Number(stated));
      } catch (cause) {
        throw new Error(`${name} is not ECMAScript ${stated}`, { cause });
      }
      try {
        parseAs(stated - 1);
      } catch {
        needing.push(name);
      }
    }
    assert.ok(needing.length, "an older version would do");
  },
);

/** Features that the module needs, and all files; by the names of MDN's compatibility data. */
const FEATURES = {
  wasm: [
    "webassembly.reference-types",
    "webassembly.bulk-memory-operations",
    "webassembly.non-trapping-float-to-int-conversions",
    "api.TextEncoder.encodeInto",
  ],
  script: [
    ...[
      "operators.optional_chaining",
      "operators.nullish_coalescing",
      "operators.import",
      "builtins.globalThis",
      "builtins.String.matchAll",
      "builtins.Object.fromEntries",
      "builtins.Promise.finally",
    ].map((name) => `javascript.${name}`),
    ...["AbortController", "Request.signal", "Response.clone", "TextDecoder", "Headers"].map(
      (name) => `api.${name}`,
    ),
  ],
};

test("the oldest browsers are those that the guide and the README name", { skip }, async () => {
  const data = require("@mdn/browser-compat-data");
  const since = (feature, browser) => {
    const { __compat } = feature.split(".").reduce((object, key) => object[key], data);
    const whole = [__compat.support[browser]]
      .flat()
      .filter((entry) => entry.version_added && !entry.partial_implementation && !entry.flags);
    return Math.min(...whole.map((entry) => Number(entry.version_added)));
  };
  const floor = (features) =>
    ["chrome", "firefox", "safari"].map((browser) =>
      Math.max(...features.map((feature) => since(feature, browser))),
    );
  const wasm = floor([...FEATURES.wasm, ...FEATURES.script]);
  const script = floor(FEATURES.script);
  const row = (name) =>
    new RegExp(`\\| ${name} \\| (.*) \\|`)
      .exec(guide)[1]
      .split(" | ")
      .map((cell) => cell && Number(cell));
  // Chromium makes large modules at once since 115, as `floor.test.mjs` has it from the browsers
  // themselves.
  assert.deepEqual(row("WebAssembly, at once"), [115, ...wasm.slice(1)]);
  assert.equal(row("WebAssembly, a moment later")[0], wasm[0]);
  assert.deepEqual(row("without WebAssembly"), script);
  const readme = (await readFile(join(ROOT, "README.md"), "utf8")).replace(/\s+/g, " ");
  const words = ([chromium, firefox, safari], and) =>
    `Chromium ${chromium}, Firefox ${firefox}${and}Safari ${safari}`;
  assert.ok(
    readme.includes(`${words(script, ", ")} and newer`) && readme.includes(words(wasm, " and ")),
  );
});
