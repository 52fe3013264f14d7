// The documents point at things that are there: files, headings, and the tests that they name.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const IN_DOCS = ["docs", "docs/decisions"].flatMap((folder) =>
  readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`),
);
const DOCUMENTS = [
  ...IN_DOCS,
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "RELEASING.md",
  "benches/README.md",
  "pkg/README.md",
  "protocol/README.md",
  "server/README.md",
]
  .filter((name) => name.endsWith(".md"))
  .map((name) => ({ name, text: readFileSync(join(ROOT, name), "utf8") }));

/** As web pages of repositories make them. */
const anchorOf = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/ /g, "-");

const anchorsOf = (text) =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading));

test("every link of a document leads somewhere", () => {
  const broken = [];
  for (const { name, text } of DOCUMENTS) {
    for (const [, target] of text.matchAll(/\]\(([^()\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path, anchor] = target.split("#");
      const file = path ? resolve(ROOT, dirname(name), path) : join(ROOT, name);
      const isThere =
        existsSync(file) && (!anchor || anchorsOf(readFileSync(file, "utf8")).includes(anchor));
      if (!isThere) broken.push(`${name}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

/** Of crates that are not ours. */
const FOREIGN = /^(axum|tower_http)::/;

test("every path of an item in Rust that a document names is there", () => {
  const sources = execFileSync("git", ["ls-files", "*.rs"], { cwd: ROOT, encoding: "utf8" })
    .trim()
    .split("\n")
    .filter((name) => existsSync(join(ROOT, name)))
    .map((name) => ({ name, text: readFileSync(join(ROOT, name), "utf8") }));
  const missing = [];
  let count = 0;
  for (const { name, text } of DOCUMENTS) {
    for (const [, path] of text.matchAll(/`([a-z_]+(?:::\w+)+)/g)) {
      if (FOREIGN.test(path)) continue;
      count++;
      const [module, item] = path.split("::").slice(-2);
      const declared = new RegExp(`\\b(fn|struct|enum|trait|const|type|mod) ${item}\\b`);
      const isIn = (file) => file.includes(`/${module}/`) || file.endsWith(`/${module}.rs`);
      const isThere = ({ name, text }) =>
        (isIn(name) || module.startsWith("passerby_")) && declared.test(text);
      if (!sources.some(isThere)) missing.push(`${name}: ${path}`);
    }
  }
  assert.ok(count > 5, `${count} paths`);
  assert.deepEqual(missing, []);
});

test("each line of the changelog begins with the option or function that it is about", () => {
  const { text } = DOCUMENTS.find(({ name }) => name === "CHANGELOG.md");
  const lines = text.split("\n").filter((line) => line.startsWith("- "));
  assert.ok(lines.length > 20, `${lines.length} lines`);
  assert.deepEqual(
    lines.filter((line) => !/^- `[^`]+`/.test(line)),
    [],
  );
});

/** The file that a document means: by its path, or by its name in `tests/e2e`. */
function testFile(name) {
  const found = [name, `tests/e2e/${name}`, `server/tests/it/${name}`]
    .map((path) => resolve(ROOT, path))
    .find(existsSync);
  return found && relative(ROOT, found);
}

/**
 * A test may be named by the beginning of its name, and one that runs for each of a list by what
 * all of those have. The pieces of a long name are joined.
 */
function namesIn(file) {
  const text = readFileSync(join(ROOT, file), "utf8").replace(/(["`]) \+\s+\1/g, "");
  const rust = [...text.matchAll(/\bfn (\w+)/g)].map(([, name]) => name);
  const quoted = [...text.matchAll(/"((?:[^"\\\n]|\\.)+)"/g)].map(([, name]) =>
    name.replace(/\\(.)/g, "$1"),
  );
  const pieces = [...text.matchAll(/`([^`\n]+)`/g)].flatMap(([, name]) =>
    name.split(/\$\{[^}]*\}/),
  );
  return (cited) =>
    rust.includes(cited) ||
    quoted.some((name) => name.startsWith(cited)) ||
    pieces.some((piece) => piece.includes(cited));
}

/** Whether the parts are names, some of which hold commas themselves. */
function isList(parts, has) {
  if (parts.length === 0) return true;
  return parts.some(
    (_, i) => has(parts.slice(0, i + 1).join(", ")) && isList(parts.slice(i + 1), has),
  );
}

test("every test that the table of compatibility names is there", () => {
  const missing = [];
  const { text } = DOCUMENTS.find(({ name }) => name === "docs/compatibility.md");
  let count = 0;
  for (const [, cited, names] of text.matchAll(/`([\w./-]+\.(?:test\.mjs|rs))`: ([^`|;()]+)/g)) {
    const file = testFile(cited);
    if (!file) {
      missing.push(cited);
      continue;
    }
    count++;
    // A sentence may follow the names.
    const sentence = names
      .replace(/\. .*$/s, "")
      .trim()
      .replace(/\.$/, "");
    if (!isList(sentence.split(", "), namesIn(file))) missing.push(`${cited}: ${sentence}`);
  }
  assert.deepEqual(missing, [], `${count} names`);
});

/** The versions that the tests install, by the names of the packages. */
function installedVersions() {
  const read = (name) => readFileSync(join(ROOT, "tests", name), "utf8");
  const npm = [
    "interop/back-ends/package.json",
    "interop/back-ends/large/package.json",
    "packaging/apps/next/package.json",
  ].flatMap((name) => Object.entries(JSON.parse(read(name)).dependencies));
  const pip = read("interop/back-ends/requirements.txt").matchAll(/^([\w-]+)==([\d.]+)/gm);
  const go = read("interop/back-ends/go/go.mod").matchAll(/(supertokens-golang) v([\d.]+)/g);
  const others = [...pip, ...go].map(([, name, version]) => [name.replace("_", "-"), version]);
  return new Map([...npm, ...others].map(([name, version]) => [name.toLowerCase(), version]));
}

/** The packages whose names are not those of their frameworks. */
const PACKAGES = new Map([
  ["hapi", "@hapi/hapi"],
  ["loopback", "@loopback/rest"],
  ["nestjs", "@nestjs/core"],
  ["middy", "@middy/core"],
  ["next.js", "next"],
]);

test("the versions of back ends that the guide and the tests name are those that are installed", () => {
  const installed = installedVersions();
  const guide = DOCUMENTS.find(({ name }) => name === "docs/server.md").text;
  const rows = guide.split("\n").filter((line) => line.startsWith("| `supertokens-"));
  assert.equal(rows.length, 3, "a row for each SDK");
  const tests = readFileSync(join(ROOT, "server/tests/interop.rs"), "utf8");
  const quoted = [...tests.matchAll(/"[^"\n]*"/g)].map(([text]) => text);
  // A name in brackets may follow that of the framework.
  const texts = [...rows, ...quoted].map((text) => text.replace(/ \(`[^`]*`\)/g, ""));
  const named = texts
    .flatMap((text) => [...text.matchAll(/([\w.-]+)`? (\d+\.\d+\.\d+)/g)])
    .map(([, name, version]) => [name.toLowerCase(), version]);
  assert.ok(named.length > 20, `${named.length} names`);
  assert.deepEqual(
    named.filter(([name, version]) => installed.get(PACKAGES.get(name) ?? name) !== version),
    [],
  );
});
