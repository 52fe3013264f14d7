// Pages that Chromium makes ready before somebody looks at them, by speculation rules. A browser
// with a driver makes none ready, so that nobody drives this one.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FLAGS } from "../e2e/support/browser.mjs";
import { PATIENCE, visitAlone } from "./support/alone.mjs";
import { Front } from "./support/front.mjs";

const program = process.env.PASSERBY_CHROMIUM ?? "/usr/bin/chromium";
const front = await Front.start();
after(() => front.close());

const REFRESH = "POST /auth/session/refresh";

for (const [who, kind, refreshes] of [
  ["visitor", "anonymous", 0],
  ["visitor, unnamed", "anonymous", 1],
  ["customer", "user", 1],
]) {
  test(
    `a page made ready for a ${who}: its first requests wait for nobody to look`,
    { timeout: 2 * PATIENCE },
    async (t) => {
      await front.reset();
      const page = `/pages/prerender.html?${encodeURIComponent(who)}`;
      const seen = await visitAlone(t, front, program, FLAGS, page);
      assert.deepEqual([seen.wasReadied, seen.isReadied], [true, true], "it was made ready");
      assert.ok(seen.time < 5000, `${seen.time} ms`);
      assert.deepEqual(seen.statuses, [200, 200]);
      assert.equal(seen.state, kind === "user" ? "authenticated" : kind);
      assert.equal(front.count(REFRESH), refreshes);
      // One session, before and after.
      assert.equal(new Set([...seen.ids, seen.idAfter]).size, 1, JSON.stringify(seen));
      assert.deepEqual([seen.stateAfter, seen.kindAfter], ["anonymous", "anonymous"]);
      // The sign-out, which the page before made meanwhile.
      if (kind === "user") assert.deepEqual(seen.toldSince, ["anonymous"]);
      else assert.deepEqual(seen.events, ["ANONYMOUS_SESSION_CREATED"]);
    },
  );
}
