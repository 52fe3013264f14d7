// An app in another website's frame, in Chromium with and without third-party cookies.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FLAGS } from "../e2e/support/browser.mjs";
import { PATIENCE, visitAlone } from "./support/alone.mjs";
import { Front } from "./support/front.mjs";

const program = process.env.PASSERBY_CHROMIUM ?? "/usr/bin/chromium";
const front = await Front.start();
after(() => front.close());

/** Of the browser's preferences: third-party cookies are blocked. */
const BLOCKS = 1;

for (const [what, isBlocked] of [
  ["blocks third-party cookies", true],
  ["has third-party cookies", false],
]) {
  for (const mode of ["header", "cookie"]) {
    test(
      `${mode} mode in a frame, in a browser that ${what}: login, expiry, sign-out`,
      { timeout: 2 * PATIENCE },
      async (t) => {
        await front.reset();
        front.isEmbedded = true;
        const profile = { cookie_controls_mode: isBlocked ? BLOCKS : 0 };
        const website = front.origin.replace("localhost", "127.0.0.1");
        const page = `${website}/pages/embedding.html?mode=${mode}`;
        const seen = await visitAlone(t, front, program, FLAGS, page, { profile });
        assert.deepEqual(seen, {
          kept: [!isBlocked, true],
          kind: "anonymous",
          login: 200,
          state: "authenticated",
          account: 200,
          end: "anonymous",
          isSame: true,
          found: [],
          isUserGone: true,
          events: ["ANONYMOUS_SESSION_CREATED", "SESSION_CREATED", "REFRESH_SESSION", "SIGN_OUT"],
          problems: [],
        });
      },
    );
  }
}
