// `node benches/run.mjs [browser|server|sizes] [--quick] [--sessions N]`, started by
// `cargo xtask bench`, which builds what is measured and names it in the environment.

import { parseArgs } from "node:util";
import { browser } from "./browser/index.mjs";
import { server } from "./server/index.mjs";
import { sizes } from "./sizes.mjs";
import { Report } from "./support/report.mjs";

const PARTS = { sizes, browser, server };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false }, sessions: { type: "string" } },
});
const settings = {
  isQuick: values.quick,
  sessions: Number(values.sessions ?? (values.quick ? 2_000 : 100_000)),
};

const report = new Report();
let failure;
for (const [name, part] of Object.entries(PARTS)) {
  if (positionals.length && !positionals.includes(name)) continue;
  console.log(`\n== ${name}`);
  try {
    await part(report, settings);
  } catch (error) {
    // The results until then are worth keeping.
    console.error(`${name}:`, error);
    failure ??= error;
  }
}
report.finish(process.env.PASSERBY_BENCH_OUT ?? "target/bench");
process.exit(failure ? 1 : 0);
