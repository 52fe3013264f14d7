// An app in other websites' frames, in Chromium with and without third-party cookies.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FLAGS } from "../e2e/support/browser.mjs";
import { PATIENCE, visitAlone } from "./support/alone.mjs";
import { Front } from "./support/front.mjs";

const program = process.env.PASSERBY_CHROMIUM ?? "/usr/bin/chromium";
const front = await Front.start({ embedded: true });
after(() => front.close());

/** Of the browser's preferences: third-party cookies are blocked. */
const BLOCKS = 1;

/** The report of a page of another website that shows the app. */
async function visit(t, isBlocked, query) {
  await front.reset();
  const profile = { cookie_controls_mode: isBlocked ? BLOCKS : 0 };
  const website = front.origin.replace("localhost", "127.0.0.1");
  const page = `${website}/pages/embedding.html?${query}`;
  return visitAlone(t, front, program, FLAGS, page, { profile });
}

for (const [what, isBlocked] of [
  ["blocks third-party cookies", true],
  ["has third-party cookies", false],
]) {
  for (const mode of ["header", "cookie"]) {
    test(
      `${mode} mode in a frame, in a browser that ${what}: login, expiry, sign-out`,
      { timeout: 2 * PATIENCE },
      async (t) => {
        assert.deepEqual(await visit(t, isBlocked, `page=embedded&mode=${mode}`), {
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

    test(
      `${mode} mode in frames of two websites, in a browser that ${what}: each has a session of ` +
        "its own, for the server and for the SDK",
      { timeout: 2 * PATIENCE },
      async (t) => {
        const { notes, problems } = await visit(t, isBlocked, `page=visits&mode=${mode}&step=0`);
        assert.deepEqual(problems, []);
        const [first, second, again] = notes;
        const { anonymousId: one } = first.body;
        const { anonymousId: other } = second.body;
        assert.notEqual(one, other);
        assert.deepEqual(notes, [
          { before: "unknown", body: { kind: "user", anonymousId: one }, after: "authenticated" },
          {
            before: "unknown",
            body: { kind: "anonymous", anonymousId: other },
            after: "anonymous",
          },
          { ...again, before: "authenticated", after: "authenticated" },
          { before: "anonymous", body: second.body, after: "anonymous" },
        ]);
        assert.deepEqual(again.body, first.body);
      },
    );
  }
}
