// @ts-check
// One person with one browser, of whichever kind.

import assert from "node:assert/strict";
import { Tab } from "../../e2e/support/page.mjs";

const REFRESH = "POST /auth/session/refresh";

export class Visitor {
  front;
  context;
  #lacks;
  #tabs = [];

  /** @param {string[]} lacks what each tab lacks, by the names in `pages/watch.js` */
  constructor(front, context, lacks = []) {
    this.front = front;
    this.context = context;
    this.#lacks = lacks;
  }

  /**
   * A new tab with the page of these tests, and the SDK started with these options.
   * @param {object} [options]
   * @param {string[]} [without] what this browser lacks, by the names in `pages/watch.js`
   */
  async tab(options, without = [], path = "/pages/engine.html") {
    const tab = new Tab(await this.context.newPage());
    // A file that is held up may hold up the end of loading.
    await tab.page.goto(`${path}?without=${[...this.#lacks, ...without]}`, { waitUntil: "commit" });
    await tab.page.waitForFunction(() => window.harness);
    if (options) await tab.init(options);
    this.#tabs.push(tab);
    return tab;
  }

  /** A tab of somebody who has been here, as `tests/e2e` has it. */
  async guest(options = { anonymous: {} }, without) {
    const tab = await this.tab(options, without);
    const { body } = await tab.fetch("/api/me");
    assert.equal(body.kind, "anonymous");
    await this.forget();
    return { tab, anonymousId: body.anonymousId };
  }

  async customer(options, without) {
    const { tab, anonymousId } = await this.guest(options, without);
    assert.equal((await tab.signIn("Ada")).status, 200);
    await this.forget();
    return { tab, anonymousId };
  }

  async returningCustomer(options, without) {
    const { tab, anonymousId } = await this.customer(options, without);
    assert.equal((await tab.expire()).status, 200);
    await this.forget();
    return { tab, anonymousId };
  }

  /** The events that were counted and written down so far. */
  async forget() {
    await Promise.all(this.#tabs.map((tab) => tab.forgetEvents()));
    this.front.requests.splice(0);
  }

  refreshes() {
    return this.front.count(REFRESH);
  }

  /** The lines that no page should have: warnings, errors, and rejections that nobody caught. */
  async problems() {
    const all = await Promise.all(
      this.#tabs.map((tab) => tab.run(() => window.problems ?? []).catch(() => [])),
    );
    return all.flat();
  }

  /** To which a driver that works knows an answer, whatever the pages do. */
  questions() {
    return [this.context.cookies(), ...this.#tabs.map(({ page }) => page.evaluate("1"))];
  }

  async takeProblems() {
    const all = await Promise.all(this.#tabs.map((tab) => tab.run(() => problems.splice(0))));
    return all.flat();
  }

  async cookieNames() {
    return (await this.context.cookies()).map(({ name }) => name).sort();
  }
}
