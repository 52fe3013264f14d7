// `forgetAnonymousId()`: the id is gone for good.
import assert from "node:assert/strict";
import { COOKIES, ofRule, openShop } from "./support/browser.mjs";
import { expireSessions } from "./support/database.mjs";

const { test: inBrowser } = await openShop();
const test = ofRule(12, inBrowser);

test("a visitor who is forgotten has another id, and the cart is gone with the old one", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  await tab.post("/api/cart", { productId: "fern", quantity: 2 });
  await visitor.forget();

  assert.deepEqual(await tab.call("forgetAnonymousId"), { value: undefined });

  const { anonymousId: next } = await tab.snapshot();
  assert.match(next, /^[0-9a-f-]{36}$/);
  assert.notEqual(next, anonymousId);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_REPLACED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId: next });
  assert.deepEqual((await tab.fetch("/api/cart")).body.lines, []);
});

test("a customer who is forgotten stays signed in, and is a visitor with the new id afterwards", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer("Ada");

  assert.deepEqual(await tab.call("forgetAnonymousId"), { value: undefined });

  const { anonymousId: next, state } = await tab.snapshot();
  assert.equal(state, "authenticated");
  assert.notEqual(next, anonymousId);
  await tab.expire();
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.equal((await tab.snapshot()).anonymousId, next);
  await tab.call("signOut");
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId: next });
});

for (const [how, end] of Object.entries({
  "is revoked": (tab) => tab.post("/api/demo/revoke"),
  expires: async (tab, visitor) => {
    await tab.expire();
    await expireSessions(visitor.server.database, "hedy");
  },
  "is stolen": async (tab) => {
    await tab.post("/auth/session/refresh/steal");
    await tab.expire();
  },
})) {
  test(`a customer who is forgotten, and whose session ${how} right after, does not get the old id back`, async (visitor) => {
    const { tab, anonymousId } = await visitor.customer("Hedy");
    await tab.call("forgetAnonymousId");
    const { anonymousId: next } = await tab.snapshot();
    assert.notEqual(next, anonymousId);
    await end(tab, visitor);
    assert.equal((await tab.fetch("/api/account")).status, 401);
    assert.equal((await tab.snapshot()).anonymousId, next);
    assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId: next });
  });
}

const HEADER_MODE = { anonymous: {}, tokenTransferMethod: "header" };
const COOKIE_MODE = { anonymous: {}, tokenTransferMethod: "cookie" };

for (const [name, before, after] of [
  ["headers to cookies", HEADER_MODE, COOKIE_MODE],
  ["cookies to headers", COOKIE_MODE, HEADER_MODE],
]) {
  test(`a visitor whose app went from ${name} is forgotten all the same, and the cart is not an old one`, async (visitor) => {
    const { tab, anonymousId } = await visitor.guest(before);
    await tab.post("/api/cart", { productId: "fern", quantity: 1 });
    await tab.reload(after);
    await tab.post("/api/cart", { productId: "fern", quantity: 2 });
    assert.equal((await tab.fetch("/api/cart")).body.count, 2);

    await tab.reload(before);
    await tab.call("forgetAnonymousId");

    for (const options of [before, after, before]) {
      await tab.reload(options);
      const { body } = await tab.fetch("/api/me");
      assert.equal(body.anonymousId, (await tab.snapshot()).anonymousId);
      assert.notEqual(body.anonymousId, anonymousId);
    }
  });
}
