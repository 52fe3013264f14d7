// What the READMEs tell people to copy must compile against the package as it is packed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
    paths: { passerby: [join(root, "pkg", "dist", "index.d.ts")] },
  },
  include: ["*.ts"],
};
writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));

for (const readme of ["README.md", join("pkg", "README.md")]) {
  test(`the TypeScript of ${readme} compiles`, () => {
    const blocks = [...readFileSync(join(root, readme), "utf8").matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code);
    assert.notEqual(blocks.length, 0, "no example found");
    blocks.forEach((code, i) => writeFileSync(join(folder, `example${i}.ts`), code));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    try {
      execFileSync(process.execPath, [tsc, "--project", folder], { encoding: "utf8" });
    } catch (error) {
      assert.fail(error.stdout);
    }
  });
}
