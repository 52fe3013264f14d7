// The server cannot be reached: that is no reason to end a session.

import assert from "node:assert/strict";
import { COOKIES, openShop } from "./support/browser.mjs";

const { test, server } = await openShop();

/** As `fetch` without any SDK. */
const FAILED = { error: "TypeError", message: "Failed to fetch" };

async function outage(run) {
  await server.stop();
  try {
    await run();
  } finally {
    await server.start();
  }
}

test("a visitor's request fails as without the SDK; the session is kept and works again", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  await outage(async () => {
    assert.deepEqual(await tab.fetch("/api/me"), FAILED);
    assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
    assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  });
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
  assert.deepEqual(await tab.eventNames(), []);
});

test("a customer's request fails as without the SDK; the session is kept and works again", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  await outage(async () => {
    assert.deepEqual(await tab.fetch("/api/account"), FAILED);
    assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
    assert.deepEqual(await visitor.cookies(), COOKIES.user);
  });
  assert.deepEqual((await tab.fetch("/api/me")).body, {
    kind: "user",
    userId: "ada",
    anonymousId,
  });
  assert.deepEqual(await tab.eventNames(), []);
});

test("with an expired token, too", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  await outage(async () => {
    assert.deepEqual(await tab.fetch("/api/account"), FAILED);
    assert.deepEqual(await tab.call("attemptRefreshingSession"), FAILED);
    assert.deepEqual(await tab.call("signOut"), FAILED);
    assert.deepEqual(
      await tab.call("doesSessionExist"),
      { value: false },
      "as with the peers: not now",
    );
    assert.equal((await tab.snapshot()).state, "authenticated");
    assert.deepEqual(await visitor.cookies(), COOKIES.user);
    assert.deepEqual(await tab.eventNames(), []);
  });
  assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});

test("signing out fails while the server cannot be reached, and nobody is told otherwise", async (visitor) => {
  const { tab } = await visitor.customer();
  await outage(async () => {
    // Its answer may have been lost on the way, so the SDK asks at once whose cookies it has.
    const asked = tab.page.waitForEvent("requestfailed", (request) =>
      request.url().endsWith("/session/refresh"),
    );
    assert.deepEqual(await tab.call("signOut"), FAILED);
    await asked;
    assert.equal((await tab.snapshot()).state, "authenticated");
    assert.deepEqual(await tab.eventNames(), []);
  });
  assert.deepEqual(await tab.call("signOut"), { value: undefined });
  assert.deepEqual(await tab.eventNames(), ["SIGN_OUT"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("the server goes away between refusal and refresh: the caller gets the error, the session is kept", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  await tab.page.route("**/auth/session/refresh", (route) => route.abort("connectionrefused"));
  assert.deepEqual(await tab.fetch("/api/account"), FAILED);
  await tab.page.unroute("**/auth/session/refresh");
  assert.equal((await tab.fetch("/api/account")).status, 200);
});

test("a refresh that is answered with 503 ends nothing", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  await tab.page.route("**/auth/session/refresh", (route) =>
    route.fulfill({ status: 503, json: { message: "later" } }),
  );
  const { status, body } = await tab.fetch("/api/account");
  assert.equal(status, 503);
  assert.deepEqual(body, { message: "later" });
  assert.equal((await tab.snapshot()).state, "authenticated");
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
  assert.deepEqual(await tab.eventNames(), []);
  await tab.page.unroute("**/auth/session/refresh");
  assert.equal((await tab.fetch("/api/account")).status, 200);
});

test("a new visitor's first request fails as without the SDK; the next one brings the session", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  await outage(async () => {
    assert.deepEqual(
      [...new Set((await tab.fetchAll(3, "/api/me")).map(({ error }) => error))],
      ["TypeError"],
    );
    assert.deepEqual(await visitor.cookies(), COOKIES.unknown);
    assert.deepEqual(await tab.snapshot(), { state: "unknown" });
    assert.deepEqual(await tab.eventNames(), []);
  });
  assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("ten first requests share one question that fails, and are served all the same", async (visitor) => {
  const tab = await visitor.tab({});
  let asked = 0;
  await tab.page.route("**/session/refresh", (route) => (asked++, route.fulfill({ status: 503 })));
  const answers = await tab.fetchAll(10, "/api/products");
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal(asked, 1);
});

test("after a question that failed, requests do not wait for another one, and a refused one asks", async (visitor) => {
  const tab = await visitor.tab();
  await tab.page.clock.install();
  await tab.init({});
  let asked = 0;
  await tab.page.route("**/session/refresh", (route) => (asked++, route.fulfill({ status: 503 })));
  // A server that announces nothing.
  await tab.page.route("**/api/plain", (route) => route.fulfill({ json: {} }));
  const status = async (path) => (await tab.fetch(path)).status;
  assert.deepEqual([await status("/api/plain"), asked], [200, 1]);
  assert.deepEqual([await status("/api/plain"), asked], [200, 1], "goes as it is");
  await tab.page.route("**/api/refused", (route) => route.fulfill({ status: 401, json: {} }));
  assert.deepEqual([await status("/api/refused"), asked], [503, 2]);
  await tab.call("doesSessionExist");
  assert.equal(asked, 3, "who asks, asks");
  await tab.page.clock.runFor(10_000);
  assert.deepEqual([await status("/api/plain"), asked], [200, 4], "and after ten seconds again");
  await tab.page.unroute("**/session/refresh");
  await tab.page.clock.runFor(10_000);
  assert.equal(await status("/api/plain"), 200);
  assert.equal((await tab.snapshot()).state, "anonymous", "the server has answered");
});

test("a new visitor's first request that fails on the server fails as without the SDK; the next one brings the session", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  await tab.page.route("**/api/me", (route) =>
    route.fulfill({ status: 500, json: { message: "later" } }),
  );
  assert.deepEqual(
    (await tab.fetchAll(3, "/api/me")).map(({ status }) => status),
    [500, 500, 500],
  );
  assert.deepEqual(await visitor.cookies(), COOKIES.unknown);
  assert.deepEqual(await tab.snapshot(), { state: "unknown" });
  assert.deepEqual(await tab.eventNames(), []);
  await tab.page.unroute("**/api/me");
  assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});
