// @ts-check
// Modules of pkg/src by themselves, compiled when they are asked for.

import { resolve } from "node:path";
import { build } from "esbuild";

const SOURCE = resolve(import.meta.dirname, "../../../pkg/src");

let copies = 0;

/**
 * All that these modules export, in one object. They share what they import; each call makes
 * another copy, as each page does.
 * @param {string[]} modules for example `claims/types.ts`
 */
export async function load(...modules) {
  const text = `${await bundle(modules)}// ${++copies}`;
  return import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
}

/**
 * The same as the text of one ES module.
 * @param {string[]} modules
 * @param {import("esbuild").BuildOptions} [options]
 */
export async function bundle(modules, options) {
  const contents = modules.map((module) => `export * from "./${module}";`).join("\n");
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: SOURCE },
    bundle: true,
    format: "esm",
    target: "es2020",
    write: false,
    ...options,
  });
  return outputFiles[0].text;
}
