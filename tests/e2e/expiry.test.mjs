// Tokens that expire by themselves, because their time is up.

import assert from "node:assert/strict";
import { COOKIES, openShop } from "./support/browser.mjs";

const { test, server } = await openShop({ accessTokenValidity: 3 });

const REFRESH = "POST /auth/session/refresh";

/** Until the token's time is up by the clock. */
const expired = (tab) =>
  tab.page.waitForFunction(() => passerby.getSnapshot().expiresAt < Date.now());

test("a token whose time is up is refreshed once, for all who ask", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  await expired(tab);
  const answers = await tab.fetchAll(5, "/api/account");
  assert.deepEqual(
    [...new Set(answers.map(({ status, body }) => `${status} ${body.anonymousId}`))],
    [`200 ${anonymousId}`],
  );
  assert.equal((await server.calls())[REFRESH], 1);
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});

test("from token to token, for as long as the visitor stays, by questions as by requests", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  await expired(tab);
  assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
  assert.deepEqual(await server.calls(), { [REFRESH]: 1 });
  assert.ok((await tab.snapshot()).expiresAt > Date.now());
  await expired(tab);
  assert.equal((await tab.fetch("/api/account")).body.anonymousId, anonymousId);
  assert.deepEqual(await server.calls(), { "GET /api/account": 2, [REFRESH]: 2 });
});
