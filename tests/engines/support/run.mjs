// Runs the flows in one engine.

import assert from "node:assert/strict";
import { after, test } from "node:test";
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
 * @param {keyof typeof ENGINES} name of the engine @param {Flow[]} flows
 */
export async function runIn(name, flows) {
  const skipped = (process.env.PASSERBY_SKIP_ENGINES ?? "").split(",").includes(name);
  if (skipped) return void test(name, { skip: "not on this machine" }, () => {});
  const driver = new Driver(ENGINES[name], LIMIT);
  const front = await Front.start();
  let version;
  after(() => Promise.all([front.close(), driver.close()]));
  for (const { name: title, run, except } of flows) {
    test(`${name}: ${title}`, { timeout: TIMEOUT, skip: except?.[name] }, async (t) => {
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
        visitor = new Visitor(front, context);
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
