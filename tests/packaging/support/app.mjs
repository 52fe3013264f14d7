// @ts-check
// An app's test file: installs the app, builds it for production, and opens it to visitors.

import { test as nodeTest } from "node:test";
import { join } from "node:path";
import { open } from "../../e2e/support/browser.mjs";
import { Front } from "./front.mjs";
import { install, npm } from "./install.mjs";

/** With `PASSERBY_PACKAGING=short` only these run: one of each kind. */
const SHORT = ["vite", "script", "web-js", "node"];

/** @param {string} name of a folder in `apps/` */
export const isLeftOut = (name) =>
  process.env.PASSERBY_PACKAGING === "short" && !SHORT.includes(name);

/**
 * Opens a shop that is one of the apps. `test` as `openShop` has it.
 * @param {string} name
 * @param {(folder: string) => string | Promise<number>} [serve] what `Front.start` takes; by
 *   default the folder `web` of the build
 */
export async function openApp(name, serve = (folder) => join(folder, "web")) {
  if (isLeftOut(name))
    return { test: (title) => nodeTest(title, { skip: "not in the short list" }, () => {}) };
  const folder = await install(name);
  await npm(folder, "run", "--if-present", "build");
  return open(Promise.resolve(serve(folder)).then((web) => Front.start(web)));
}
