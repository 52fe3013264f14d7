// XMLHttpRequest with the SDK is as good as native, and has the same sessions as `fetch`.

import assert from "node:assert/strict";
import { after, test as nodeTest } from "node:test";
import { chromium } from "playwright-core";
import { Exchanges } from "./support/exchanges.mjs";

const exchanges = await Exchanges.start();
const browser = await chromium.launch({ executablePath: process.env.PASSERBY_CHROMIUM ?? "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu"] });
after(() => Promise.all([browser.close(), exchanges.close()]));

const names = process.env.NAMES?.split(",");
async function traces(mode) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(exchanges.origin);
  const all = {};
  for (const name of names ?? (await page.evaluate(() => names))) all[name] = await page.evaluate(([name, mode]) => run(name, mode), [name, mode]);
  await context.close();
  return all;
}
const native = traces("native");
for (const mode of ["none", "unknown", "expired"]) {
  nodeTest(mode, async (t) => {
    const [expected, seen] = await Promise.all([native, traces(mode)]);
    for (const [name, trace] of Object.entries(expected)) {
      await t.test(name, () => assert.deepEqual(seen[name], trace));
    }
  });
}
