// What the tools for checking published packages say of the tarball.

import { test } from "node:test";
import { isLeftOut } from "./support/app.mjs";
import { install, npm } from "./support/install.mjs";

const skip = isLeftOut("published");
const folder = skip ? "" : await install("published");

test("publint has nothing to say", { skip }, () => npm(folder, "exec", "publint", "--", "--strict", "passerby.tgz"));

test("every module has the right types, for every way of resolving it", { skip }, () => {
  // What pages load by its address, and no program by its name.
  const files = ["passerby.wasm", "dist/passerby.global.js", "dist/fallback.js"];
  return npm(folder, "exec", "attw", "--", "passerby.tgz", "--exclude-entrypoints", ...files);
});
