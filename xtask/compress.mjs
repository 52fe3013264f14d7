// Rewrites modules in fewer bytes, for bundlers that only shorten names: numbers in the place of
// their names, variables that are used once. Everything else stays readable.
// Usage: node xtask/compress.mjs FILE...

import { readFile, writeFile } from "node:fs/promises";
import { minify } from "terser";

const OPTIONS = {
  module: true,
  ecma: 2020,
  mangle: false,
  compress: {
    passes: 2,
    unsafe_arrows: true, // no function of ours is a constructor
    // These make shorter text, which compresses worse.
    if_return: false,
    inline: false,
    reduce_funcs: false,
    sequences: false,
  },
  format: { beautify: true, comments: "all" },
};

for (const file of process.argv.slice(2)) {
  const { code } = await minify(await readFile(file, "utf8"), OPTIONS);
  await writeFile(file, `${code}\n`);
}
