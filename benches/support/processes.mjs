// Programs that the benchmark starts, each at its place on the machine, and gone when the benchmark
// is.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();
const folders = [];
process.on("exit", () => {
  running.forEach((child) => child.kill("SIGKILL"));
  folders.forEach((folder) => rmSync(folder, { recursive: true, force: true }));
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** A folder that goes with the benchmark. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), "passerby-bench-"));
  folders.push(folder);
  return folder;
}

/** The server has one core, and the load generator another. */
export const CORES = { answers: 0, asks: 1 };
export const isPinned = process.platform === "linux" && availableParallelism() > 1;

/** The words of a command that runs on that core. @param {number | undefined} core */
const pinned = (core, words) =>
  isPinned && core !== undefined ? ["taskset", "-c", String(core), ...words] : words;

/**
 * @param {string[]} words
 * @param {{
 *   core?: number,
 *   env?: Record<string, string>,
 *   uid?: number,
 *   gid?: number,
 *   cwd?: string,
 * }} [options]
 */
export function launch(words, { core, env, ...options } = {}) {
  const [program, ...rest] = pinned(core, words);
  const child = spawn(program, rest, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
    ...options,
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Starts a server that prints `listening on <address>`, and returns that, and what stops it. */
export async function serve(words, options) {
  const child = launch(words, options);
  const line = await new Promise((done, fail) => {
    createInterface(child.stdout).once("line", done);
    child.once("error", fail);
    child.once("exit", (code) => fail(new Error(`${words.join(" ")} ended with ${code}`)));
  });
  const address = /^listening on (\S+)$/.exec(line)?.[1];
  if (!address) throw new Error(`${words.join(" ")} says ${line}`);
  return { address, stop: () => void child.kill("SIGKILL") };
}

/** The output of a program. */
export async function run(words, options) {
  const child = launch(words, options);
  let printed = "";
  child.stdout.on("data", (text) => (printed += text));
  const code = await new Promise((done, fail) => child.once("error", fail).once("close", done));
  if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}\n${printed}`);
  return printed;
}
