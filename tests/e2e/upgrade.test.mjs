import assert from "node:assert/strict";
import { COOKIES, openShop } from "./support/browser.mjs";

const { test } = await openShop();

test("signing in upgrades the session: the cart comes along, the anonymousId stays", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  await tab.post("/api/cart", { productId: "fern", quantity: 2 });
  assert.deepEqual(await tab.eventNames(), ["ACCESS_TOKEN_PAYLOAD_UPDATED"]);
  assert.deepEqual((await tab.snapshot()).payload.cart, { fern: 2 });
  await visitor.forget();

  const { status, body } = await tab.signIn("Ada");

  assert.equal(status, 200);
  assert.deepEqual(body, { userId: "ada", name: "Ada" });
  assert.deepEqual(await tab.events(), [
    {
      name: "SESSION_CREATED",
      state: "authenticated",
      anonymousId,
      keys: ["userContext"],
      answers: { exists: true, isAnonymous: false, anonymousId },
    },
  ]);
  assert.deepEqual(await visitor.server.calls(), { "POST /api/login": 1 });
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
  const snapshot = await tab.snapshot();
  assert.equal(snapshot.userId, "ada");
  assert.equal(snapshot.payload.sub, "ada");
  assert.equal(snapshot.payload.anonymousId, anonymousId);
  assert.equal("isAnonymous" in snapshot.payload, false);
  assert.deepEqual(await tab.call("getUserId"), { value: "ada" });

  const cart = (await tab.fetch("/api/cart")).body;
  assert.deepEqual(
    cart.lines.map(({ productId, quantity }) => [productId, quantity]),
    [["fern", 2]],
  );
  assert.deepEqual((await tab.fetch("/api/me")).body, {
    kind: "user",
    userId: "ada",
    anonymousId,
  });
});

test("a visitor whose very first request is the login gets one session, the user's", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  assert.equal((await tab.signIn("Ada")).status, 200);
  assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED"]);
  assert.deepEqual(await visitor.server.calls(), { "POST /api/login": 1 });
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
  assert.match((await tab.snapshot()).anonymousId, /^[0-9a-f-]{36}$/);
});

test("a wrong password changes nothing", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  const { status } = await tab.post("/api/login", { name: "Ada", password: "wrong" });
  assert.equal(status, 403);
  assert.deepEqual(await tab.eventNames(), []);
  assert.deepEqual(await visitor.server.calls(), { "POST /api/login": 1 });
  assert.equal((await tab.snapshot()).anonymousId, anonymousId);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("signing out makes the customer a visitor again, with the same anonymousId", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();

  assert.deepEqual(await tab.call("signOut"), { value: undefined });

  assert.deepEqual(await tab.events(), [
    {
      name: "SIGN_OUT",
      state: "anonymous",
      anonymousId,
      keys: ["userContext"],
      answers: { exists: true, isAnonymous: true, anonymousId },
    },
  ]);
  assert.deepEqual(await visitor.server.calls(), { "POST /auth/signout": 1 });
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
});

test("signing out with an expired token refreshes once, and signs out", async (visitor) => {
  const { tab, anonymousId } = await visitor.returningCustomer();
  await tab.call("signOut");
  assert.deepEqual(await visitor.server.calls(), {
    "POST /auth/session/refresh": 1,
    "POST /auth/signout": 1,
  });
  assert.deepEqual((await tab.eventNames()).slice(-2), ["REFRESH_SESSION", "SIGN_OUT"]);
  assert.equal((await tab.snapshot()).anonymousId, anonymousId);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("signing out in one tab is known in the other", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  const other = await visitor.tab({ anonymous: {} });
  await tab.call("signOut");
  assert.equal((await other.snapshot()).state, "anonymous");
  assert.deepEqual((await other.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
  assert.deepEqual(await other.eventNames(), []);
});

test("three cycles of login and logout with two users: one anonymousId", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  for (const name of ["Ada", "Grace", "Ada"]) {
    await visitor.forget();
    await tab.signIn(name);
    assert.deepEqual((await tab.fetch("/api/me")).body, {
      kind: "user",
      userId: name.toLowerCase(),
      anonymousId,
    });
    assert.deepEqual(await visitor.cookies(), COOKIES.user);
    await tab.call("signOut");
    assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
    assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
    assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED", "SIGN_OUT"]);
  }
});

test("another user signs in over a session that is still there: one session, the new user's", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer("Ada");
  await tab.signIn("Grace");
  assert.deepEqual((await tab.fetch("/api/me")).body, {
    kind: "user",
    userId: "grace",
    anonymousId,
  });
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
  assert.equal((await tab.snapshot()).userId, "grace");
});

test("a route for customers only answers a visitor with 401, told once and without a refresh", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();

  const { status, body } = await tab.fetch("/api/account");

  assert.equal(status, 401);
  assert.deepEqual(body, { message: "unauthorised" });
  assert.deepEqual(await tab.events(), [
    {
      name: "UNAUTHORISED(false)",
      state: "anonymous",
      anonymousId,
      keys: ["userContext"],
      answers: { exists: true, isAnonymous: true, anonymousId },
    },
  ]);
  assert.deepEqual(await visitor.server.calls(), { "GET /api/account": 1 });
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("the same for the very first request of a new visitor, who has a session afterwards", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  assert.equal((await tab.fetch("/api/account")).status, 401);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED", "UNAUTHORISED(false)"]);
  assert.deepEqual(await visitor.server.calls(), { "GET /api/account": 1 });
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("a sign-in by a form, whose answer no script sees: the next page knows it, with one refresh", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  await tab.run(() => {
    const form = Object.assign(document.createElement("form"), {
      method: "post",
      action: "/api/demo/form",
    });
    document.body.append(form);
    form.submit();
  });
  await tab.page.waitForURL((url) => url.pathname === "/");
  await tab.page.goto("/blank.html");
  await tab.init({ anonymous: {} });
  assert.deepEqual(await tab.call("isAnonymous"), { value: false });
  assert.deepEqual(await tab.call("getAnonymousId"), { value: anonymousId });
  assert.deepEqual((await tab.fetch("/api/me")).body, {
    kind: "user",
    userId: "ada",
    anonymousId,
  });
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});

/**
 * The answer to a login got lost, as when the page is reloaded meanwhile: its cookies are there,
 * and scripts know nothing of them.
 */
async function signInUnseen(visitor) {
  const { tab, anonymousId } = await visitor.guest();
  const { origin } = visitor.server;
  const headers = { rid: "anti-csrf", origin, "sec-fetch-site": "same-origin" };
  const answer = await visitor.context.request.post(`${origin}/api/login`, {
    data: { name: "Ada", password: "windowsill" },
    headers,
  });
  assert.equal(answer.status(), 200);
  assert.equal((await tab.snapshot()).state, "anonymous");
  return { tab, anonymousId };
}

for (const way of ["fetch", "xhr"]) {
  test(`a sign-in whose answer was lost: once its access token has expired, the next refusal brings the session, by ${way}`, async (visitor) => {
    const { tab, anonymousId } = await signInUnseen(visitor);
    await visitor.context.request.post(`${visitor.server.origin}/api/demo/expire`, {
      headers: { rid: "anti-csrf" },
    });
    await visitor.forget();
    assert.equal((await tab[way]("/api/account")).status, 200);
    assert.deepEqual(await visitor.server.calls(), {
      "GET /api/account": 2,
      "POST /auth/session/refresh": 1,
    });
    assert.deepEqual(await tab.call("getUserId"), { value: "ada" });
    assert.deepEqual(await tab.call("getAnonymousId"), { value: anonymousId });
    // A claim of the shop's comes with the answer.
    assert.deepEqual((await tab.eventNames()).slice(0, 2), ["SESSION_CREATED", "REFRESH_SESSION"]);
  });
}
