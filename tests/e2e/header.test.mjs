// Header mode: tokens travel in headers, and no HttpOnly cookie is set.
import assert from "node:assert/strict";
import { COOKIES, openShop } from "./support/browser.mjs";
import { expireSessions } from "./support/database.mjs";
import { heardByGuest } from "./support/page.mjs";

const { test, server } = await openShop();

const OPTIONS = { anonymous: {}, tokenTransferMethod: "header" };
const latest = COOKIES.none;
const ANONYMOUS = { ...latest, sAnonymousFrontToken: "Lax /", "st-anonymous-token": "Lax /" };
const USER = {
  ...latest,
  sFrontToken: "Lax /",
  "st-access-token": "Lax /",
  "st-refresh-token": "Lax /",
};

test("header mode: a visitor is anonymous, signs in, and is anonymous again with the same id", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest(OPTIONS);
  assert.deepEqual(await visitor.cookies(), ANONYMOUS);
  assert.equal(
    (await tab.call("getAccessToken")).value,
    await visitor.cookie("st-anonymous-token"),
  );
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });

  await tab.signIn("Ada");
  assert.deepEqual(await visitor.cookies(), USER);
  assert.equal((await tab.call("getAccessToken")).value, await visitor.cookie("st-access-token"));
  assert.deepEqual((await tab.fetch("/api/me")).body, {
    kind: "user",
    userId: "ada",
    anonymousId,
  });

  assert.deepEqual(await tab.call("signOut"), { value: undefined });
  assert.deepEqual(await visitor.cookies(), ANONYMOUS);
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
  assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED", "SIGN_OUT"]);
});

test("header mode: an expired access token is refreshed once, with the bearer of the refresh token", async (visitor) => {
  const { tab } = await visitor.returningCustomer("Ada", OPTIONS);
  const before = await visitor.cookie("st-access-token");

  const responses = await tab.fetchAll(10, "/api/account");

  assert.deepEqual(new Set(responses.map(({ status }) => status)), new Set([200]));
  assert.equal((await visitor.server.calls())["POST /auth/session/refresh"], 1);
  assert.notEqual(await visitor.cookie("st-access-token"), before);
  assert.deepEqual(await visitor.cookies(), USER);
});

const ENDINGS = {
  "is revoked": [(tab) => tab.post("/api/demo/revoke"), ["UNAUTHORISED(true)"]],
  expires: [
    async (tab) => {
      await tab.expire();
      await expireSessions(server.database, "ada");
    },
    ["UNAUTHORISED(true)"],
  ],
  "is stolen": [
    async (tab, visitor) => {
      const steal = (token) =>
        server.fetch("/auth/session/refresh", { method: "POST", headers: bearer(token) });
      const loot = await steal(await visitor.cookie("st-refresh-token"));
      assert.equal((await steal(loot.headers.get("st-refresh-token"))).status, 200);
      await tab.expire();
    },
    ["TOKEN_THEFT_DETECTED", "UNAUTHORISED(true)"],
  ],
};

const bearer = (token) => ({ authorization: `Bearer ${token}`, "st-auth-mode": "header" });

/** How an app comes to notice, and what it gets. */
const NOTICES = {
  fetch: [async (tab) => (await tab.fetch("/api/account")).status, 401],
  XMLHttpRequest: [async (tab) => (await tab.xhr("/api/account")).status, 401],
  attemptRefreshingSession: [
    async (tab) => (await tab.call("attemptRefreshingSession")).value,
    false,
  ],
  doesSessionExist: [async (tab) => (await tab.call("doesSessionExist")).value, true],
  getAccessTokenPayloadSecurely: [
    async (tab) => (await tab.call("getAccessTokenPayloadSecurely")).value.isAnonymous,
    true,
  ],
};

for (const [how, [end, events]] of Object.entries(ENDINGS)) {
  for (const [name, [notice, outcome]] of Object.entries(NOTICES)) {
    test(`header mode: a session that ${how} ends as an anonymous one with the same id, before the callback, by ${name}`, async (visitor) => {
      const { tab, anonymousId } = await visitor.customer("Ada", OPTIONS);
      const other = await visitor.tab(OPTIONS);
      await end(tab, visitor);
      await visitor.forget();

      assert.equal(await notice(tab), outcome);

      assert.deepEqual(
        await tab.events(),
        events.map((event) => heardByGuest(event, anonymousId)),
      );
      assert.deepEqual(await visitor.cookies(), ANONYMOUS);
      assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
      assert.equal((await other.snapshot()).anonymousId, anonymousId);
      assert.deepEqual((await other.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
    });
  }
}

test("header mode: what the browser lost of a visitor comes back with the token that is left", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest(OPTIONS);
  for (const name of ["sAnonymousFrontToken", "st-last-access-token-update"])
    await visitor.context.clearCookies({ name });
  await tab.reload(OPTIONS);

  assert.deepEqual(await tab.call("getAnonymousId"), { value: anonymousId });
  assert.deepEqual(await visitor.cookies(), ANONYMOUS);
});

for (const way of ["fetch", "xhr"]) {
  test(`header mode: a visitor whom scripts lost sight of keeps the id with the next request, by ${way}`, async (visitor) => {
    const { tab, anonymousId } = await visitor.guest(OPTIONS);
    for (const name of ["sAnonymousFrontToken", "st-last-access-token-update"])
      await visitor.context.clearCookies({ name });

    assert.deepEqual((await tab[way]("/api/me")).body, { kind: "anonymous", anonymousId });

    assert.deepEqual(await tab.call("getAnonymousId"), { value: anonymousId });
    assert.deepEqual(await visitor.cookies(), ANONYMOUS);
  });

  test(`header mode: a customer whom scripts lost sight of stays one with the next request, by ${way}`, async (visitor) => {
    const { tab, anonymousId } = await visitor.customer("Ada", OPTIONS);
    for (const name of ["sFrontToken", "st-last-access-token-update"])
      await visitor.context.clearCookies({ name });

    assert.deepEqual((await tab[way]("/api/me")).body, {
      kind: "user",
      userId: "ada",
      anonymousId,
    });

    assert.deepEqual(await tab.call("getUserId"), { value: "ada" });
    assert.deepEqual(await visitor.cookies(), USER);
  });
}

test("header mode: the caller's copy of our token does not go stale, and a foreign one stays", async (visitor) => {
  const { tab } = await visitor.returningCustomer("Ada", OPTIONS);
  const token = await visitor.cookie("st-access-token");

  assert.equal(
    (await tab.fetch("/api/account", { headers: { AUTHORIZATION: `Bearer ${token}` } })).status,
    200,
  );

  const sent = visitor.context.waitForEvent("request", (request) =>
    request.url().endsWith("/api/products"),
  );
  await tab.fetch("/api/products", { headers: { authorization: "Bearer mine" } });
  assert.equal((await (await sent).allHeaders()).authorization, "Bearer mine");
});

test("an existing session keeps its way until it ends, and the next one takes the new way", async (visitor) => {
  const { tab } = await visitor.customer("Ada");
  await tab.reload(OPTIONS);

  assert.equal((await tab.fetch("/api/account")).status, 200);
  await tab.expire();
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.deepEqual(await visitor.cookies(), COOKIES.user);

  await tab.call("signOut");
  await tab.signIn("Ada");
  assert.deepEqual(await visitor.cookies(), USER);
});

test("header mode: what is stored lives as long as the browser allows, which is longer than a refresh token", async (visitor) => {
  await visitor.customer("Ada", OPTIONS);
  const days = (cookie) => (cookie.expires - Date.now() / 1000) / 86_400;
  const cookies = await visitor.context.cookies();
  assert.deepEqual(cookies.map(({ name }) => name).sort(), Object.keys(USER).sort());
  for (const cookie of cookies) assert.ok(days(cookie) > 390, `${cookie.name} ${days(cookie)}`);
});

test("header mode: whoever hears of a session finds its tokens in place, and other tabs learn of it last", async (visitor) => {
  const tab = await visitor.tab();
  await tab.run((options) => {
    window.written = [];
    const own = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
    Object.defineProperty(document, "cookie", {
      get: () => own.get.call(document),
      set: (text) => (written.push(text.split("=")[0]), own.set.call(document, text)),
    });
    window.accounts = [];
    harness.start(options);
    passerby.subscribe(() => {
      if (passerby.getSnapshot().state === "authenticated")
        accounts.push(harness.request("/api/account"));
    });
  }, OPTIONS);
  await tab.fetch("/api/me");
  assert.equal(await tab.run(() => written.at(-1)), "st-last-access-token-update");
  await tab.signIn("Ada");
  assert.equal(await tab.run(() => written.at(-1)), "st-last-access-token-update");
  assert.deepEqual(
    await tab.run(async () => (await Promise.all(accounts)).map(({ status }) => status)),
    [200],
  );
  assert.deepEqual(
    visitor.requests,
    ["GET /api/me", "POST /api/login", "GET /api/account"],
    "and nothing was refreshed",
  );
});
