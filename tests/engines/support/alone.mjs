// @ts-check
// A browser that nobody drives: it opens a page, and the page tells at `/result`.

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Milliseconds until a page that tells nothing is given up. */
export const PATIENCE = 60_000;

/**
 * The report of the page.
 * @param {import("node:test").TestContext} t
 * @param {import("./front.mjs").Front} front
 * @param {string} program
 * @param {string[]} flags
 * @param {string} page its path, or the whole address
 * @param {object} [preferences] of the browser
 */
export async function visitAlone(t, front, program, flags, page, preferences) {
  const profile = await mkdtemp(join(tmpdir(), "passerby-alone-"));
  if (preferences) {
    await mkdir(join(profile, "Default"));
    await writeFile(join(profile, "Default", "Preferences"), JSON.stringify(preferences));
  }
  // The port keeps it from ending with the page. Nobody connects to it.
  const all = [
    ...flags,
    "--no-sandbox",
    "--remote-debugging-port=0",
    `--user-data-dir=${profile}`,
    new URL(page, front.origin).href,
  ];
  const browser = spawn(program, all, { stdio: "ignore" });
  const gone = new Promise((done) => browser.once("exit", done));
  t.after(async () => {
    browser.kill("SIGKILL");
    await gone;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  return Promise.race([
    front.result,
    gone.then((code) => Promise.reject(new Error(`the browser ended with ${code}`))),
    new Promise((_, fail) =>
      setTimeout(() => fail(new Error("the page told nothing")), PATIENCE).unref(),
    ),
  ]);
}
