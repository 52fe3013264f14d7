// Code has at most 100 columns. The formatters wrap most lines, but not what they cannot cut:
// comments, long strings, the bodies of macros. The name of a test may be longer: it stays whole,
// so that a search finds it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const COLUMNS = 100;
const CODE = /\.(rs|[cm]?js|jsx|tsx?|py|go)$/;

/** Longer lines that cannot be cut, by file: how many, and why. */
const EXCEPTIONS = {
  // A regular expression.
  "tests/e2e/hooks.test.mjs": 1,
  // Imports of one name each.
  "tests/types/claims.ts": 4,
};

test("code has at most 100 columns", () => {
  const list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const files = execFileSync("git", list, { cwd: ROOT, encoding: "utf8" })
    .split("\0")
    .filter((name) => CODE.test(name) && existsSync(join(ROOT, name)));
  assert.ok(files.length > 300, `${files.length} files`);
  const wrong = [];
  for (const name of files) {
    const lines = readFileSync(join(ROOT, name), "utf8").split("\n");
    const isTestName = (i) =>
      /\b(test|inBrowser)\(["`]/.test(lines[i]) || /test\($/.test(lines[i - 1]);
    const long = lines.flatMap((line, i) =>
      [...line].length > COLUMNS && !isTestName(i) ? [`${name}:${i + 1}`] : [],
    );
    if (long.length !== (EXCEPTIONS[name] ?? 0)) wrong.push(...long, `${name}: ${long.length}`);
  }
  assert.deepEqual(wrong, []);
});
