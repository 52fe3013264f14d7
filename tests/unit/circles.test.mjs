// No module needs a module that needs it: in a circle nothing can be read, tested or moved by
// itself. Imports that happen later, and those of types alone, do not count.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const filesOf = (folder, ending) =>
  execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", folder], {
    cwd: ROOT,
    encoding: "utf8",
  })
    .split("\n")
    .filter((name) => name.endsWith(ending));

const read = (file) => readFileSync(join(ROOT, file), "utf8");

/** The modules that one can get back to from themselves. `graph`: what each needs. */
function inCircles(graph) {
  const reach = (from, seen) => {
    for (const next of graph.get(from) ?? []) if (!seen.has(next)) reach(next, seen.add(next));
    return seen;
  };
  return [...graph.keys()].filter((module) => reach(module, new Set()).has(module));
}

/** The paths of a `use` tree, each as a list of names. */
function pathsOf(tree, before = []) {
  const open = tree.indexOf("{");
  const names = (text) => text.split("::").map((name) => name.trim().split(" as ")[0]);
  if (open < 0) return [[...before, ...names(tree)].filter(Boolean)];
  const base = [...before, ...names(tree.slice(0, open))];
  const parts = [""];
  let depth = 0;
  for (const letter of tree.slice(open + 1, tree.lastIndexOf("}"))) {
    depth += { "{": 1, "}": -1 }[letter] ?? 0;
    if (letter === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += letter;
  }
  return parts.filter((part) => part.trim()).flatMap((part) => pathsOf(part, base));
}

/** The modules of a crate, and what each of them needs of the others. */
function modulesOf(folder) {
  const files = new Map();
  for (const file of filesOf(folder, ".rs")) {
    const path = file.slice(folder.length + 1, -".rs".length).replace(/(^|\/)(mod|lib|main)$/, "");
    if (!/(^|\/)(bin\/|tests$)/.test(path)) files.set(path.replaceAll("/", "::"), file);
  }
  const graph = new Map();
  for (const [module, file] of files) {
    const text = read(file)
      .replace(/#\[cfg\(test\)\]\s*mod tests \{.*/s, "")
      .replace(/\/\/.*/g, "");
    const uses = [...text.matchAll(/\buse ([^;]+);/g)].flatMap(([, tree]) => pathsOf(tree));
    const named = [...text.replace(/\buse [^;]+;/g, "").matchAll(/\b(?:crate|super)(?:::\w+)+/g)];
    const needs = new Set();
    for (const path of [...uses, ...named.map(([path]) => path.split("::"))]) {
      const base = path[0] === "super" ? module.split("::") : [];
      if (path[0] !== "super" && path[0] !== "crate") continue;
      const rest = path.slice(path.lastIndexOf("super") + 1 || 1);
      for (const name of path) if (name === "super") base.pop();
      const whole = [...base, ...rest];
      let length = whole.length;
      while (length > 0 && !files.has(whole.slice(0, length).join("::"))) length--;
      const needed = whole.slice(0, length).join("::");
      // A parent declares its children, and they use what it has for all of them.
      if (needed && needed !== module && !module.startsWith(`${needed}::`)) needs.add(needed);
    }
    graph.set(module, needs);
  }
  return graph;
}

/** The same of the folders and files right below the crate's root. */
function roomsOf(modules) {
  const rooms = new Map();
  const room = (module) => module.split("::")[0];
  for (const [module, needs] of modules) {
    const all = rooms.get(room(module)) ?? new Set();
    rooms.set(room(module), all);
    for (const needed of needs) if (room(needed) !== room(module) && module) all.add(room(needed));
  }
  return rooms;
}

for (const crate of ["protocol", "server", "simulator", "www", "xtask", "."]) {
  const folder = join(crate, "src");
  test(`no circles in ${folder}, in Rust`, () => {
    const modules = modulesOf(folder);
    assert.ok(modules.size > 5, `${modules.size} modules`);
    assert.deepEqual(inCircles(modules), []);
    assert.deepEqual(inCircles(roomsOf(modules)), []);
  });
}

for (const folder of ["pkg/src", "src/browser", "www/web/src"]) {
  test(`no circles in ${folder}, in JavaScript`, () => {
    const files = [...filesOf(folder, ".ts"), ...filesOf(folder, ".js")];
    const graph = new Map();
    for (const file of files) {
      const text = read(file).replace(/\bimport type [^;]+;|\/\*[^]*?\*\//g, "");
      const needs = [...text.matchAll(/^(?:import|export)\b[^;]*?"(\.[^"]+)";/gms)]
        .map(([, target]) => normalize(join(dirname(file), target)))
        .map((path) =>
          [path, `${path}.ts`, path.replace(/\.js$/, ".ts")].find((name) => files.includes(name)),
        )
        .filter(Boolean);
      graph.set(file, new Set(needs));
    }
    assert.ok(graph.size > 5, `${graph.size} files`);
    assert.ok([...graph.values()].some((needs) => needs.size > 2));
    assert.deepEqual(inCircles(graph), []);
  });
}
