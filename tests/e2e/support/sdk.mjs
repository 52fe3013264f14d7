// @ts-check
// The SDK as one file that a page imports, as an app's bundler would make it of the package.

import { join, resolve } from "node:path";
import { buildSync } from "esbuild";

const ROOT = resolve(import.meta.dirname, "../../..");

/** @param {string} [entry] of `pkg/dist` */
export function bundle(entry = "index.js") {
  const { outputFiles } = buildSync({
    entryPoints: [join(ROOT, "pkg/dist", entry)],
    bundle: true,
    format: "esm",
    write: false,
  });
  return outputFiles[0].text;
}
