// Runs the flows in one engine.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ENGINES } from "./engines.mjs";
import { Front } from "./front.mjs";
import { Visitor } from "./visitor.mjs";

const TIMEOUT = 60_000;

/**
 * @typedef {{ name: string, run(visitor: Visitor): Promise<void>, except?: { [engine in keyof typeof ENGINES]?: string } }} Flow
 * @param {keyof typeof ENGINES} name of the engine @param {Flow[]} flows
 */
export async function runIn(name, flows) {
  const skipped = (process.env.PASSERBY_SKIP_ENGINES ?? "").split(",").includes(name);
  if (skipped) return void test(name, { skip: "not on this machine" }, () => {});
  const [front, browser] = await Promise.all([Front.start(), ENGINES[name]()]);
  after(() => Promise.all([front.close(), browser.close()]));
  for (const { name: title, run, except } of flows) {
    test(`${name}: ${title}`, { timeout: TIMEOUT, skip: except?.[name] }, async (t) => {
      await front.reset();
      const context = await browser.newContext({ baseURL: front.origin });
      t.after(() => context.close());
      const visitor = new Visitor(front, context);
      await run(visitor);
      assert.deepEqual(await visitor.problems(), [], "nothing is left in the console");
    });
  }
  test(`${name}: version`, () => assert.match(String(browser.version()), /\d/));
  after(() => process.stdout.write(`# ${name} ${browser.version()}\n`));
}
