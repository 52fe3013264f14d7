// Some failures are tried again, and others are not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Driver, DriverFault } from "./support/driver.mjs";
import { ENGINES } from "./support/engines.mjs";

const LIMIT = 4000;

/** Runs it in Chromium: what was said, and how often it was tried. */
async function tried(act) {
  const said = [];
  const driver = new Driver(ENGINES.chromium, LIMIT, (text) => said.push(text));
  let tries = 0;
  let page;
  const run = async (browser) => {
    page = await (await browser.newContext()).newPage();
    return act(page, ++tries, browser);
  };
  const outcome = await driver
    .run("a flow", run, () => [page.evaluate("1")])
    .then(
      (value) => ({ value }),
      (error) => ({ error }),
    );
  await driver.close();
  return { ...outcome, tries, said };
}

test("a page that no longer answers is given up for a new browser, once, and that is said", async () => {
  const hang = (page) => page.evaluate("for (;;);");
  const { value, tries, said } = await tried((page, tries) => (tries === 1 ? hang(page) : "done"));
  assert.deepEqual([value, tries], ["done", 2]);
  assert.match(said.join(), /^a flow: the driver failed \(Error: not done in 4000 ms\)/);
  assert.equal((await tried(hang)).tries, 2);
});

test("so are a browser that is gone and a driver that says so", async () => {
  const gone = await tried(
    (page, tries, browser) => tries === 1 && browser.close().then(() => page.evaluate("1")),
  );
  assert.deepEqual([gone.error, gone.tries], [undefined, 2]);
  const fault = await tried((_, tries) => {
    if (tries === 1) throw new DriverFault("timeout");
  });
  assert.deepEqual([fault.error, fault.tries], [undefined, 2]);
});

test("a failure or a wait in a page that answers is no fault of the driver", async () => {
  const failed = await tried(() => assert.equal(1, 2));
  assert.deepEqual([failed.error?.code, failed.tries, failed.said], ["ERR_ASSERTION", 1, []]);
  const hung = await tried((page) => page.evaluate("new Promise(() => {})"));
  assert.deepEqual([hung.error?.message, hung.tries], ["not done in 4000 ms", 1]);
});
