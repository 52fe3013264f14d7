// Writes the apps' lock files anew: `node tests/packaging/lock.mjs [app]…`, after changing a
// package.json of theirs or our version.

import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { names, npm, source, tarball } from "./support/install.mjs";

const wanted = process.argv.slice(2);
for (const name of wanted.length ? wanted : await names()) {
  const folder = source(name);
  const packed = join(folder, "passerby.tgz");
  await copyFile(await tarball(), packed);
  try {
    // No registry's address, so that any mirror serves it.
    await npm(
      folder,
      "install",
      "--package-lock-only",
      "--ignore-scripts",
      "--omit-lockfile-registry-resolved",
    );
  } finally {
    await rm(packed);
  }
  const path = join(folder, "package-lock.json");
  const lock = JSON.parse(await readFile(path, "utf8"));
  // Another one with each build of ours.
  for (const entry of Object.values(lock.packages))
    if (entry.resolved === "file:passerby.tgz") delete entry.integrity;
  await writeFile(path, `${JSON.stringify(lock, null, 2)}\n`);
}
