// @ts-check
// XMLHttpRequest with the SDK beside XMLHttpRequest without: whatever the caller does, it sees the
// same.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Exchanges } from "../../e2e/support/exchanges.mjs";
import { Driver } from "./driver.mjs";
import { ENGINES } from "./engines.mjs";

/** Mostly they wait, so many can do so at once. Each has a host of its own, and with it cookies. */
const HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];

/** Milliseconds for one try of all scripts. */
const LIMIT = 100_000;

const MODES = {
  none: "nothing to wait for",
  unknown: "waiting for a question to the server first",
  expired: "refreshed and sent again",
};

/** Differences that have a reason: names of scripts, and what becomes of the traces. */
const EXCEPTIONS = {
  none: {},
  unknown: {
    // The body goes when the answer to the question is there; its `loadstart` would have to know
    // the length.
    "upload with progress": (trace) => ({
      ...trace,
      log: trace.log.filter(([entry]) => entry !== "script over"),
    }),
  },
  expired: {
    // Passed through: nothing can be waited for.
    "synchronous, against all advice": () => undefined,
    "what is undefined is false": () => undefined,
  },
};

/**
 * @param {keyof typeof ENGINES} engine
 * @param {{ [mode in keyof typeof MODES]?: string[] }} [others] scripts of which this browser shows
 *   another order, or more than events
 * @param {(trace: any) => any} [comparable] what is the same in this browser
 */
export async function compareTraces(engine, others = {}, comparable = (trace) => trace) {
  if ((process.env.PASSERBY_SKIP_ENGINES ?? "").split(",").includes(engine)) {
    return void test(engine, { skip: "not on this machine" }, () => {});
  }
  const driver = new Driver(ENGINES[engine], LIMIT);
  const server = await Exchanges.start();
  after(() => Promise.all([driver.close(), server.close()]));
  let pages = [];
  let used;

  async function open(browser) {
    used = undefined;
    pages = [];
    const context = await browser.newContext({ baseURL: server.origin });
    for (const host of HOSTS) {
      const page = await context.newPage();
      pages.push(page);
      await page.goto(server.origin.replace("localhost", host));
      await page.waitForFunction(() => window.names);
    }
    used = browser;
  }

  /** The traces of all scripts, by name. */
  const traces = (mode) =>
    driver.run(
      `${engine}: ${mode}`,
      async (browser) => {
        if (used !== browser) await open(browser);
        const todo = await pages[0].evaluate(() => names);
        const all = Object.fromEntries(todo.map((name) => [name, undefined]));
        const work = async (page, host) => {
          for (let name; (name = todo.shift());) {
            const trace = await page.evaluate(([name, mode]) => run(name, mode), [name, mode]);
            all[name] = JSON.parse(JSON.stringify(trace).replaceAll(host, "host"));
          }
        };
        await Promise.all(pages.map((page, i) => work(page, HOSTS[i])));
        return all;
      },
      () => pages.map((page) => page.evaluate("1")),
    );

  let native;
  for (const [mode, what] of Object.entries(MODES)) {
    test(`${engine}: ${what}`, { timeout: 450_000 }, async (t) => {
      native ??= await traces("native");
      const seen = await traces(mode);
      assert.ok(Object.keys(native).length > 60);
      // The back end does as it is asked, or the comparison says little.
      assert.equal(native["a slow answer"].result.response, "first second");
      for (const [name, trace] of Object.entries(native)) {
        const skip = others[mode]?.includes(name) && "differs in this browser";
        const adapt = (trace) => comparable((EXCEPTIONS[mode][name] ?? ((same) => same))(trace));
        await t.test(name, { skip }, () => assert.deepEqual(adapt(seen[name]), adapt(trace)));
      }
    });
  }
}
