// The writing rules of CONTRIBUTING that a machine can check: in code, documents and messages.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const OURS = /\.(rs|[cm]?js|jsx|tsx?|css|html|md|py|go|sql|toml|ya?ml)$/;
/** These two quote the words that they forbid. */
const QUOTES = ["CONTRIBUTING.md", "tests/unit/words.test.mjs"];
const BEGINNING = String.raw`(?:^\s*(?:\/\/[/!]?|\*|\/\*\*?|#+|[-|])? ?|[.;:] )`;

const RULES = [
  ["people are they", /\b(?:he|him|his|himself)\b/i],
  ["not valid, instead of none", /(?<!\b[Tt]here |\/\/ |\* )\b(?:is|are|was|were) none\b(?! left)/],
  [
    "no sentence begins with Who or What",
    new RegExp(`${BEGINNING}(?:Who|What)(?:ever)? (?!.*\\?)`),
  ],
  [
    "a visitor who, instead of who alone",
    /(?:[;:] who(?!,)|\b(?:of|to|for|by|with|from|than|as) who)\b(?!.*\?)/i,
  ],
  ["documents that are not here", /\bshared\/|\bdesign\.md\b|\breference,? section\b/],
];

const LINES = execFileSync(
  "git",
  ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
  {
    cwd: ROOT,
    encoding: "utf8",
  },
)
  .split("\0")
  .filter((name) => OURS.test(name) && !QUOTES.includes(name) && existsSync(join(ROOT, name)))
  .flatMap((name) =>
    readFileSync(join(ROOT, name), "utf8")
      .split("\n")
      .map((text, i) => ({ place: `${name}:${i + 1}`, text })),
  );

for (const [rule, wrong] of RULES) {
  test(rule, () => {
    assert.ok(LINES.length > 50_000, `${LINES.length} lines`);
    const found = LINES.filter(({ text }) => wrong.test(text));
    assert.deepEqual(
      found.map(({ place, text }) => `${place}: ${text.trim()}`),
      [],
    );
  });
}
