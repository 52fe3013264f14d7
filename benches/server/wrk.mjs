// The load generator.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { check } from "../support/rounds.mjs";
import { CORES, run, temporaryFolder } from "../support/processes.mjs";

export const CONNECTIONS = 32;

/** Requests per second. Fails when one of them failed. */
async function load(threads, seconds, address, script, rest) {
  const words = [
    "wrk",
    "-t",
    threads,
    "-c",
    CONNECTIONS,
    "-d",
    `${seconds}s`,
    "--timeout",
    "10s",
    "-s",
    join(import.meta.dirname, script),
  ];
  const printed = await run([...words.map(String), address, "--", ...rest], { core: CORES.asks });
  const line = printed.split("\n").find((text) => text.startsWith("{"));
  const { requests, failed, seconds: took, example = "" } = JSON.parse(line ?? "{}");
  check(
    requests > 0 && failed === 0,
    `${failed} of ${requests} requests to ${address} failed: ${rest.join(" ")}${example}`,
  );
  return requests / took;
}

/** The same request by several visitors in turn: `cookies` are theirs. */
export function requests(address, seconds, { method = "GET", path, cookies }) {
  const file = cookies && join(temporaryFolder(), "cookies");
  if (file) writeFileSync(file, cookies.map((line) => `${line}\n`).join(""));
  return load(1, seconds, address, "turns.lua", [method, path, ...(file ? [file] : [])]);
}

/**
 * Refreshes per second. Each connection has a thread of its own, which is one user. A thread with
 * several connections would not know whose answer it gets.
 */
export function refreshes(address, seconds) {
  return load(CONNECTIONS, seconds, address, "refresh.lua", []);
}
