// The download of visitors of an app that uses all of an SDK.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";

const ROOT = resolve(import.meta.dirname, "..");

/** How an app imports each, so that a bundler has to keep all of it. */
const SDKS = {
  "supertokens-website": 'import all from "supertokens-website"; globalThis.all = all;',
  "@supabase/auth-js": 'import * as all from "@supabase/auth-js"; globalThis.all = all.AuthClient;',
  "better-auth/client":
    'import { createAuthClient } from "better-auth/client"; globalThis.all = createAuthClient;',
  "@auth0/auth0-spa-js":
    'import { Auth0Client, createAuth0Client } from "@auth0/auth0-spa-js"; globalThis.all = ' +
    "[Auth0Client, createAuth0Client];",
  passerby: 'import all from "passerby"; globalThis.all = all;',
};

/**
 * The bytes of the bundle of an app with these `contents`, with the options of
 * `cargo xtask build`. A module that is loaded when it is first used does not count.
 * @param {string} contents
 */
async function weigh(contents) {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: import.meta.dirname, sourcefile: "app.js" },
    alias: { passerby: join(ROOT, "pkg/dist/index.js") },
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    target: "es2020",
    legalComments: "none",
    outdir: "out",
    write: false,
    metafile: true,
    absWorkingDir: ROOT,
  });
  // esbuild also calls a file an entry point that is loaded when it is first used.
  const isApp = (path) => metafile.outputs[path].entryPoint?.endsWith("app.js");
  const first = Object.keys(metafile.outputs).find(isApp);
  const wanted = new Set([first]);
  for (const path of wanted) {
    const { imports } = metafile.outputs[path];
    for (const { path: imported, kind } of imports)
      if (kind === "import-statement") wanted.add(imported);
  }
  const files = outputFiles.filter(({ path }) =>
    [...wanted].some((name) => path === join(ROOT, name)),
  );
  const sum = (size) => files.reduce((total, { contents }) => total + size(contents), 0);
  return {
    raw: sum((file) => file.length),
    gzip: sum((file) => gzipSync(file, { level: 9 }).length),
    brotli: sum(
      (file) =>
        brotliCompressSync(file, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length,
    ),
  };
}

/** @param {import("./support/report.mjs").Report} report */
export async function sizes(report) {
  const found = {};
  for (const [name, contents] of Object.entries(SDKS)) found[name] = await weigh(contents);
  const { version } = JSON.parse(readFileSync(join(ROOT, "pkg/package.json"), "utf8"));
  for (const form of ["brotli", "gzip", "raw"]) {
    const values = Object.entries(found).map(([name, size]) => [name, [size[form]]]);
    report.add("sizes", `size of the whole SDK, ${form}`, "bytes", Object.fromEntries(values), {
      note: `passerby ${version}`,
    });
  }
}
