// What the tools for checking published packages say of the tarball.

import { test } from "node:test";
import { isLeftOut } from "./support/app.mjs";
import { install, npm } from "./support/install.mjs";

const skip = isLeftOut("published");
const folder = skip ? "" : await install("published");

test("publint has nothing to say", { skip }, () => npm(folder, "exec", "publint", "--", "--strict", "passerby.tgz"));

test("every module has the right types, for every way of resolving it", { skip }, () => {
  // No modules: what `fetch` and a script tag load.
  const files = ["passerby.wasm", "dist/passerby.global.js"];
  return npm(folder, "exec", "attw", "--", "passerby.tgz", "--exclude-entrypoints", ...files);
});
