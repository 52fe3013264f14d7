// The oldest browsers that there is a copy of: Chromium before it made large modules at once, and
// before it knew all that the module asks for.

import assert from "node:assert/strict";
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { after, test } from "node:test";
import { brotliDecompressSync, createBrotliDecompress } from "node:zlib";
import { PATIENCE, visitAlone } from "../engines/support/alone.mjs";
import { Front } from "../engines/support/front.mjs";
import { isLeftOut } from "./support/app.mjs";
import { install } from "./support/install.mjs";

// One process, because it was packed for machines that allow no more.
const FLAGS = [
  "--headless",
  "--single-process",
  "--no-zygote",
  "--use-gl=angle",
  "--use-angle=swiftshader",
];

const isSkipped = isLeftOut("floor") || process.platform !== "linux" || process.arch !== "x64";
const front = isSkipped ? undefined : await Front.start();
after(() => front?.close());

/** With what `diagnose` finds: which way is in use. */
const BROWSERS = [
  // The oldest one that can read the files, which has no WebAssembly that is new enough.
  ["80", "as JavaScript", "WASM_MISSING"],
  ["103", "a moment later", "WASM_LATE"],
  ["114", "a moment later", "WASM_LATE"],
  ["114", "as JavaScript, with WebAssembly switched off", "WASM_MISSING", "--noexpose-wasm"],
];

for (const [version, how, found, off] of BROWSERS) {
  test(
    `Chromium ${version}: sessions, ${how}`,
    { skip: isSkipped, timeout: 3 * PATIENCE },
    async (t) => {
      const folder = join(await install("floor"), "node_modules", `chromium-${version}`, "bin");
      await front.reset();
      const flags = off ? [...FLAGS, `--js-flags=${off}`] : FLAGS;
      const seen = await visitAlone(t, front, await unpack(folder), flags, "/pages/floor.html");
      assert.deepEqual(seen, {
        version,
        isPatched: true,
        kind: "anonymous",
        login: 200,
        user: "ada",
        statuses: [200, 200],
        state: "anonymous",
        isSame: true,
        found: [found],
        events: ["ANONYMOUS_SESSION_CREATED", "SESSION_CREATED", "REFRESH_SESSION", "SIGN_OUT"],
      });
    },
  );
}

/** The program, with the libraries that it looks for beside itself. */
async function unpack(folder) {
  const program = join(folder, "chromium");
  if (await stat(program).catch(() => undefined)) return program;
  await untar(brotliDecompressSync(await readFile(join(folder, "swiftshader.tar.br"))), folder);
  await pipeline(
    createReadStream(join(folder, "chromium.br")),
    createBrotliDecompress(),
    createWriteStream(`${program}.part`),
  );
  await chmod(`${program}.part`, 0o755);
  await rename(`${program}.part`, program);
  return program;
}

/** Plain files of a tape archive. */
async function untar(bytes, folder) {
  for (let at = 0; at + 512 <= bytes.length && bytes[at];) {
    const text = (from, length) =>
      bytes.toString("latin1", at + from, at + from + length).split("\0")[0];
    const [name, size] = [text(0, 100), parseInt(text(124, 12), 8)];
    if (text(156, 1) === "0" || text(156, 1) === "")
      await writeFile(join(folder, name), bytes.subarray(at + 512, at + 512 + size), {
        mode: 0o755,
      });
    else await mkdir(join(folder, name), { recursive: true });
    at += 512 + Math.ceil(size / 512) * 512;
  }
}
