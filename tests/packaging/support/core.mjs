// @ts-check
// The session core as a process of its own, for apps that are their own back end.

import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";

const PROGRAM =
  process.env.PASSERBY_CORE ??
  resolve(import.meta.dirname, "../../../target/debug/passerby-server");

/**
 * Its address. It ends with the tests of this file.
 * @param {Record<string, string | number>} options as environment variables have them
 */
export async function startCore(options = {}) {
  const folder = await mkdtemp(join(tmpdir(), "passerby-core-"));
  const env = { ...process.env, PASSERBY_SERVER_LOG: "warn" };
  for (const [name, value] of Object.entries(options))
    env[`PASSERBY_SERVER_${name.toUpperCase()}`] = String(value);
  const child = spawn(PROGRAM, ["core", "--port", "0", "--database", join(folder, "core.db")], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  after(() => child.kill());
  process.on("exit", () => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  const line = await new Promise((done, fail) => {
    createInterface(child.stdout).once("line", done);
    child.once("error", (cause) =>
      fail(new Error(`${PROGRAM} does not start; run \`cargo xtask test packaging\``, { cause })),
    );
    child.once("exit", (code) => fail(new Error(`${PROGRAM} ended with ${code}`)));
  });
  return line.replace("listening on ", "");
}
