// @ts-check
// Runs the flows in one engine.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { WAYS } from "../flows.mjs";
import { Driver, DriverFault, within } from "./driver.mjs";
import { ENGINES } from "./engines.mjs";
import { Front } from "./front.mjs";
import { Visitor } from "./visitor.mjs";

/** Milliseconds for one try. */
const LIMIT = 45_000;
/** For both, and what is between them. */
const TIMEOUT = 120_000;

/**
 * @typedef {{
 *   name: string,
 *   run(visitor: Visitor): Promise<void>,
 *   except?: { [engine in keyof typeof ENGINES]?: string },
 * }} Flow
 * @param {keyof typeof ENGINES} engine
 * @param {Flow[]} flows
 * @param {string} [lacks] what this browser lacks in all of them, by the names in `pages/watch.js`
 */
export async function runIn(engine, flows, lacks) {
  const name = lacks ? `${engine} without ${lacks}` : engine;
  const skipped = (process.env.PASSERBY_SKIP_ENGINES ?? "").split(",").includes(engine);
  if (skipped) return void test(name, { skip: "not on this machine" }, () => {});
  const driver = new Driver(ENGINES[engine], LIMIT);
  const front = await Front.start();
  let version;
  after(() => Promise.all([front.close(), driver.close()]));
  const all = lacks ? [{ name: "its way", run: isInUse(lacks) }, ...flows] : flows;
  for (const { name: title, run, except } of all) {
    test(`${name}: ${title}`, { timeout: TIMEOUT, skip: except?.[engine] }, async (t) => {
      let context, visitor;
      t.after(() => context && within(context.close(), 5000).catch(() => {}));
      const act = async (browser) => {
        await front.reset();
        try {
          context = await browser.newContext({ baseURL: front.origin });
        } catch (error) {
          throw new DriverFault(String(error), { cause: error });
        }
        version = browser.version();
        visitor = new Visitor(front, context, lacks ? [lacks] : []);
        await run(visitor);
        assert.deepEqual(await visitor.problems(), [], "nothing is left in the console");
      };
      await driver.run(`${name}: ${title}`, act, () =>
        visitor ? visitor.questions() : [Promise.reject(new DriverFault("no context"))],
      );
    });
  }
  test(`${name}: version`, () => assert.match(String(version), /\d/));
  after(() => process.stdout.write(`# ${name} ${version}\n`));
}

/** @param {string} lacks */
const isInUse = (lacks) => async (/** @type {Visitor} */ visitor) => {
  const { tab } = await visitor.guest();
  const { value } = await tab.call("diagnose");
  assert.deepEqual(
    value.map((/** @type {{ code: string }} */ { code }) => code),
    [WAYS[lacks]],
  );
};
