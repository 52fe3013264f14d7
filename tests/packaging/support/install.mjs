// @ts-check
// Brings an app of `apps/` to where it can be run: a copy of its own under `target/`, with the
// packages of its lock file and the tarball as npm installs it.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const ROOT = resolve(import.meta.dirname, "../../..");
const APPS = join(import.meta.dirname, "../apps");
/** Installed packages stay here for the next run. */
const WORK = join(process.env.PASSERBY_TARGET ?? join(ROOT, "target"), "packaging");

const run = promisify(execFile);
const NPM_TIMEOUT = 180_000;
const FLAGS = [
  "--prefer-offline",
  "--ignore-scripts",
  "--no-audit",
  "--no-fund",
  "--loglevel=error",
];

/** Below `tests/packaging/apps`. */
export async function names() {
  const entries = await readdir(APPS, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

export const source = (name) => join(APPS, name);

/** The package as it would be published. */
export async function tarball() {
  const folder = join(ROOT, "pkg");
  const files = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
  if (files.length !== 1)
    throw new Error(`${files.length} tarballs in ${folder}; run \`cargo xtask build\``);
  return join(folder, files[0]);
}

/** The app's copy, installed. @param {string} name a folder of `apps/` */
export async function install(name) {
  const folder = join(WORK, name);
  const packed = await readFile(await tarball());
  await clear(folder);
  await cp(source(name), folder, { recursive: true });
  await writeFile(join(folder, "passerby.tgz"), packed);
  const lock = hash(await readFile(join(folder, "package-lock.json")));
  const stamp = `${lock} ${hash(packed)}`;
  const stampFile = join(folder, "node_modules", ".passerby-stamp");
  const before = await readFile(stampFile, "utf8").catch(() => "");
  if (before === stamp) return folder;
  if (before.startsWith(lock)) {
    // Another build of ours is no reason to unpack everything else again.
    for (const alias of ["passerby", "supertokens-website"])
      await rm(join(folder, "node_modules", alias), { recursive: true, force: true });
    await npm(folder, "install", "--no-save", "--package-lock=false", ...FLAGS);
  } else {
    await npm(folder, "ci", ...FLAGS);
  }
  await writeFile(stampFile, stamp);
  return folder;
}

/** @param {string} folder */
export async function npm(folder, ...args) {
  const isWindows = process.platform === "win32";
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NG_CLI_ANALYTICS: "false", CI: "1" };
  const running = run(isWindows ? "npm.cmd" : "npm", args, {
    cwd: folder,
    env,
    shell: isWindows,
    maxBuffer: 1e8,
    timeout: NPM_TIMEOUT,
  });
  // A program that asks a question gets no answer.
  running.child.stdin.end();
  try {
    return await running;
  } catch (error) {
    throw new Error(`npm ${args.join(" ")} failed in ${folder}\n${error.stdout}${error.stderr}`);
  }
}

/** Nothing of a former build, nor a file that the app has no more. */
async function clear(folder) {
  await mkdir(folder, { recursive: true });
  const old = (await readdir(folder)).filter((name) => name !== "node_modules");
  await Promise.all(old.map((name) => rm(join(folder, name), { recursive: true })));
}

const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");
