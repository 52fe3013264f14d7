// A server that asks for anti-CSRF tokens (`VIA_TOKEN`): the SDK has the right one at all times.

import assert from "node:assert/strict";
import { COOKIES, openShop } from "./support/browser.mjs";
import { heardByGuest } from "./support/page.mjs";

const { test, server } = await openShop({ antiCsrfTokens: true });

const USER = { ...COOKIES.user, sAntiCsrf: "Lax /" };
const ORDER = "/api/demo/after-sign-out";

/** A request that another website could make the browser send: without the token. */
async function forge(visitor, path) {
  const cookies = (await visitor.context.cookies())
    .map(({ name, value }) => `${name}=${value}`)
    .join("; ");
  return server.fetch(path, { method: "POST", headers: { cookie: cookies } });
}

test("rule 12: forgetting goes with the token, and what comes after with the one that it brought", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  assert.deepEqual(await visitor.cookies(), USER);
  assert.equal((await forge(visitor, "/auth/anonymous/forget")).status, 401);
  assert.equal(
    (await tab.fetch("/api/me")).body.anonymousId,
    anonymousId,
    "who has no token makes nobody forgotten",
  );

  assert.deepEqual(await tab.call("forgetAnonymousId"), { value: undefined });

  const { anonymousId: next } = await tab.snapshot();
  assert.notEqual(next, anonymousId);
  assert.deepEqual(await visitor.cookies(), USER);
  await visitor.forget();
  assert.equal((await tab.post(ORDER, { policy: "rotate" })).status, 204);
  assert.deepEqual(await server.calls(), { [`POST ${ORDER}`]: 1 }, "without a refresh");
  await tab.expire();
  assert.equal((await tab.post(ORDER, { policy: "keep" })).status, 204);
  assert.deepEqual(await tab.call("signOut"), { value: undefined });
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId: next });
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("rule 12: where the token is lost, forgetting fails and says so, and the guest who is left can be forgotten", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  await visitor.context.clearCookies({ name: "sAntiCsrf" });
  const status = await tab.run(() =>
    passerby.forgetAnonymousId().catch((response) => response.status),
  );
  assert.equal(status, 401);
  assert.deepEqual(await tab.events(), [heardByGuest("UNAUTHORISED(true)", anonymousId)]);
  assert.deepEqual(await tab.call("forgetAnonymousId"), { value: undefined });
  assert.notEqual((await tab.snapshot()).anonymousId, anonymousId);
});

test("a guest needs no token", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  assert.equal((await tab.post("/api/cart", { productId: "fern", quantity: 1 })).status, 200);
  assert.deepEqual(await tab.call("forgetAnonymousId"), { value: undefined });
  assert.notEqual((await tab.snapshot()).anonymousId, anonymousId);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});
