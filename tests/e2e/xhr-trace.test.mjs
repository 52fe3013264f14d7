// XMLHttpRequest with the SDK beside XMLHttpRequest without: whatever the caller does, it sees the same.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { launch } from "./support/browser.mjs";
import { Exchanges } from "./support/exchanges.mjs";

const [server, browser] = await Promise.all([Exchanges.start(), launch()]);
after(() => Promise.all([browser.close(), server.close()]));

/** Mostly they wait, so many can do so at once. */
const PAGES = 4;

async function open() {
  const page = await (await browser.newContext()).newPage();
  await page.goto(server.origin);
  return page;
}

/** The traces of all scripts, by name. */
async function traces(mode) {
  const pages = await Promise.all(Array.from({ length: PAGES }, open));
  const todo = await pages[0].evaluate(() => names);
  const all = Object.fromEntries(todo.map((name) => [name, undefined]));
  const work = async (page) => {
    for (let name; (name = todo.shift()); ) {
      all[name] = await page.evaluate(([name, mode]) => run(name, mode), [name, mode]);
    }
    await page.context().close();
  };
  await Promise.all(pages.map(work));
  return all;
}

const native = traces("native");

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

for (const [mode, what] of Object.entries({
  none: "nothing to wait for",
  unknown: "waiting for a question to the server first",
  expired: "refreshed and sent again",
})) {
  test(what, { timeout: 180_000 }, async (t) => {
    const [expected, seen] = await Promise.all([native, traces(mode)]);
    assert.ok(Object.keys(expected).length > 60);
    for (const [name, trace] of Object.entries(expected)) {
      const comparable = EXCEPTIONS[mode][name] ?? ((trace) => trace);
      await t.test(name, () => assert.deepEqual(comparable(seen[name]), comparable(trace)));
    }
  });
}
