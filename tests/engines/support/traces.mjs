// XMLHttpRequest with the SDK beside XMLHttpRequest without: whatever the caller does, it sees the same.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Exchanges } from "../../e2e/support/exchanges.mjs";
import { ENGINES } from "./engines.mjs";

/** Mostly they wait, so many can do so at once. Each has a host of its own, and with it cookies. */
const HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];

const MODES = {
  none: "nothing to wait for",
  unknown: "waiting for a question to the server first",
  expired: "refreshed and sent again",
};

/** What differs for a reason: names of scripts, and what becomes of the traces. */
const EXCEPTIONS = {
  none: {},
  unknown: {
    // The body goes when the answer to the question is there; its `loadstart` would have to know the length.
    "upload with progress": (trace) => ({ ...trace, log: trace.log.filter(([entry]) => entry !== "script over") }),
  },
  expired: {
    // Passed through: nothing can be waited for.
    "synchronous, against all advice": () => undefined,
    "what is undefined is false": () => undefined,
  },
};

/**
 * @param {keyof typeof ENGINES} engine
 * @param {{ [mode in keyof typeof MODES]?: string[] }} [others] scripts of which this browser shows another order, or more than events
 * @param {(trace: any) => any} [comparable] what is the same in this browser
 */
export async function compareTraces(engine, others = {}, comparable = (trace) => trace) {
  if ((process.env.PASSERBY_SKIP_ENGINES ?? "").split(",").includes(engine)) {
    return void test(engine, { skip: "not on this machine" }, () => {});
  }
  const [server, browser] = await Promise.all([Exchanges.start(), ENGINES[engine]()]);
  const context = await browser.newContext({ baseURL: server.origin });
  after(() => Promise.all([context.close().then(() => browser.close()), server.close()]));

  const pages = [];
  for (const host of HOSTS) {
    const page = await context.newPage();
    await page.goto(server.origin.replace("localhost", host));
    await page.waitForFunction(() => window.names);
    pages.push(page);
  }

  /** The traces of all scripts, by name. */
  async function traces(mode) {
    const todo = await pages[0].evaluate(() => names);
    const all = Object.fromEntries(todo.map((name) => [name, undefined]));
    const work = async (page, host) => {
      for (let name; (name = todo.shift()); ) {
        const trace = await page.evaluate(([name, mode]) => run(name, mode), [name, mode]);
        all[name] = JSON.parse(JSON.stringify(trace).replaceAll(host, "host"));
      }
    };
    await Promise.all(pages.map((page, i) => work(page, HOSTS[i])));
    return all;
  }

  let native;
  for (const [mode, what] of Object.entries(MODES)) {
    test(`${engine}: ${what}`, { timeout: 240_000 }, async (t) => {
      native ??= await traces("native");
      const seen = await traces(mode);
      assert.ok(Object.keys(native).length > 60);
      for (const [name, trace] of Object.entries(native)) {
        const skip = others[mode]?.includes(name) && "differs in this browser";
        const adapt = (trace) => comparable((EXCEPTIONS[mode][name] ?? ((same) => same))(trace));
        await t.test(name, { skip }, () => assert.deepEqual(adapt(seen[name]), adapt(trace)));
      }
    });
  }
}
