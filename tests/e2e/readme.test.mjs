// The code that the READMEs and the guides tell people to copy must compile against the package as
// it is packed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const folder = mkdtempSync(join(tmpdir(), "passerby-readme-"));
after(() => rmSync(folder, { recursive: true }));

const tsconfig = {
  compilerOptions: {
    target: "es2022",
    lib: ["es2022", "dom"],
    module: "esnext",
    moduleResolution: "bundler",
    strict: true,
    noEmit: true,
    types: [],
  },
  include: ["*.ts"],
};
writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
// Found as an app finds it: by the package's own list of entries.
mkdirSync(join(folder, "node_modules"));
symlinkSync(join(root, "pkg"), join(folder, "node_modules", "passerby"), "junction");
// The parts of React that the guide uses.
const react =
  "export function useSyncExternalStore<T>(subscribe: (listener: () => void) => () => void, " +
  "now: () => T, server?: () => T): T;";
writeFileSync(join(folder, "react.d.ts"), `declare module "react" { ${react} }`);

for (const readme of [
  "README.md",
  join("pkg", "README.md"),
  join("docs", "web.md"),
  join("docs", "anonymous-sessions.md"),
]) {
  test(`the TypeScript of ${readme} compiles`, () => {
    const blocks = [...readFileSync(join(root, readme), "utf8").matchAll(/```ts\n(.*?)```/gs)].map(
      ([, code]) => code,
    );
    assert.notEqual(blocks.length, 0, "no example found");
    for (const file of readdirSync(folder))
      if (file.startsWith("example")) rmSync(join(folder, file));
    blocks.forEach((code, i) => writeFileSync(join(folder, `example${i}.ts`), code));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    try {
      execFileSync(process.execPath, [tsc, "--project", folder], { encoding: "utf8" });
    } catch (error) {
      assert.fail(error.stdout);
    }
  });
}
