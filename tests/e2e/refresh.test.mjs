import assert from "node:assert/strict";
import { COOKIES, openShop } from "./support/browser.mjs";

const { test, server } = await openShop();

const REFRESH = "POST /auth/session/refresh";
const UPDATED = "ACCESS_TOKEN_PAYLOAD_UPDATED";

/** New tokens have new payloads; how often those are told of depends on how seconds fall. */
const withoutUpdates = (names) => names.filter((name) => name !== UPDATED);

test("an expired access token: one refresh, the request repeated, the caller sees the final response only", async (visitor) => {
  const { tab, anonymousId } = await visitor.returningCustomer();
  const tokens = [await visitor.cookie("sAccessToken"), await visitor.cookie("sRefreshToken")];

  const { status, path, body } = await tab.fetch("/api/account");

  assert.equal(status, 200);
  assert.equal(path, "/api/account");
  assert.deepEqual(body, { userId: "ada", name: "Ada", anonymousId, orders: 0 });
  assert.deepEqual(visitor.requests, ["GET /api/account", REFRESH, "GET /api/account"]);
  assert.deepEqual(await server.calls(), { "GET /api/account": 2, [REFRESH]: 1 });
  // The repeated request is the first use of the new refresh token's session, which the server
  // notes in the payload.
  assert.deepEqual(await tab.eventNames(), [UPDATED, "REFRESH_SESSION", UPDATED]);
  const [, refreshed] = await tab.events();
  assert.deepEqual(refreshed.answers, { exists: true, isAnonymous: false, anonymousId });
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
  assert.notEqual(await visitor.cookie("sAccessToken"), tokens[0]);
  assert.notEqual(await visitor.cookie("sRefreshToken"), tokens[1]);
  assert.ok((await tab.snapshot()).expiresAt > Date.now());

  // And that was it.
  await visitor.forget();
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.deepEqual(await server.calls(), { "GET /api/account": 1 });
});

test("twenty parallel requests at expiry: one refresh", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  const answers = await tab.fetchAll(20, "/api/account");

  assert.deepEqual(
    [...new Set(answers.map(({ status, path }) => `${status} ${path}`))],
    ["200 /api/account"],
  );
  const calls = await server.calls();
  assert.equal(calls[REFRESH], 1);
  assert.equal(calls["GET /api/account"], 40);
  assert.deepEqual(withoutUpdates(await tab.eventNames()), ["REFRESH_SESSION"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});

test("three tabs at expiry: one refresh", async (visitor) => {
  const { tab } = await visitor.customer();
  const tabs = [tab, await visitor.tab({ anonymous: {} }), await visitor.tab({ anonymous: {} })];
  await tab.expire();
  await visitor.forget();

  const answers = (await Promise.all(tabs.map((tab) => tab.fetchAll(5, "/api/account")))).flat();

  assert.deepEqual(
    [...new Set(answers.map(({ status, path }) => `${status} ${path}`))],
    ["200 /api/account"],
  );
  assert.equal((await server.calls())[REFRESH], 1);
  const events = await Promise.all(tabs.map((tab) => tab.eventNames()));
  assert.deepEqual(withoutUpdates(events.flat()), ["REFRESH_SESSION"]);
  for (const tab of tabs) assert.equal((await tab.snapshot()).state, "authenticated");
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});

test("questions at expiry: one refresh, and true", async (visitor) => {
  const { tab, anonymousId } = await visitor.returningCustomer();
  const answers = await tab.run(() =>
    Promise.all([
      passerby.doesSessionExist(),
      passerby.doesSessionExist(),
      passerby.getAccessTokenPayloadSecurely().then((payload) => payload.anonymousId),
    ]),
  );
  assert.deepEqual(answers, [true, true, anonymousId]);
  assert.deepEqual(await server.calls(), { [REFRESH]: 1 });
});

test("attemptRefreshingSession of a customer is true, with one call", async (visitor) => {
  const { tab } = await visitor.customer();
  assert.deepEqual(await tab.call("attemptRefreshingSession"), { value: true });
  assert.deepEqual(await server.calls(), { [REFRESH]: 1 });
  assert.deepEqual(withoutUpdates(await tab.eventNames()), ["REFRESH_SESSION"]);
});

test("the refresh call says what the protocol wants it to say", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  const [request] = await Promise.all([
    visitor.context.waitForEvent("request", (request) =>
      request.url().endsWith("/auth/session/refresh"),
    ),
    tab.fetch("/api/account"),
  ]);
  const headers = await request.allHeaders();
  assert.equal(request.postData(), null);
  assert.equal(headers.rid, "session");
  assert.equal(headers["st-auth-mode"], "cookie");
  assert.equal(headers["fdi-version"], "1.16,1.17,1.18,1.19,2.0,3.0,3.1,4.0,4.1,4.2");
  assert.match(headers.cookie, /(^|; )sRefreshToken=/);
});

test("a response that was lost on the way does not cost the session", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  const refreshUrl = "**/auth/session/refresh";
  await tab.page.route(refreshUrl, async (route) => {
    // It reaches the server, which rotates the token; the answer never arrives.
    await server.fetch("/auth/session/refresh", {
      method: "POST",
      headers: { cookie: (await route.request().allHeaders()).cookie },
    });
    await route.abort();
  });
  const lost = await tab.fetch("/api/account");
  assert.equal(lost.error, "TypeError");
  assert.equal((await tab.snapshot()).state, "authenticated");

  await tab.page.unroute(refreshUrl);
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.deepEqual(withoutUpdates(await tab.eventNames()), ["REFRESH_SESSION"]);
});

test("a handler that throws fails neither the request nor the refresh", async (visitor) => {
  const tab = await visitor.tab();
  await tab.run(() => {
    harness.start({
      anonymous: {},
      onHandleEvent: (event) => {
        harness.record(event);
        throw new Error("a bug of the app");
      },
    });
  });
  assert.equal((await tab.fetch("/api/me")).status, 200);
  assert.equal((await tab.signIn("Ada")).status, 200);
  await tab.expire();
  await visitor.forget();

  const { status, path } = await tab.fetch("/api/account");
  assert.equal(status, 200);
  assert.equal(path, "/api/account");
  assert.deepEqual(await server.calls(), { "GET /api/account": 2, [REFRESH]: 1 });
  assert.deepEqual(await tab.eventNames(), [UPDATED, "REFRESH_SESSION", UPDATED]);
  const problems = visitor.takeProblems();
  assert.ok(
    problems.length > 0 && problems.every((problem) => problem.includes("a bug of the app")),
    "the app's bug is shown",
  );
});

test("a handler may make requests of its own, in the middle of it all", async (visitor) => {
  const tab = await visitor.tab();
  await tab.run(() => {
    window.own = [];
    harness.start({
      anonymous: {},
      onHandleEvent: ({ action }) => {
        if (action !== "ACCESS_TOKEN_PAYLOAD_UPDATED") window.own.push(harness.request("/api/me"));
      },
    });
  });
  await tab.fetch("/api/me");
  await tab.signIn("Ada");
  await tab.expire();
  assert.equal((await tab.fetch("/api/account")).status, 200);
  // The server is to see them before the sign-out.
  await tab.run(() => Promise.all(window.own));
  await tab.call("signOut");
  const kinds = await tab.run(async () =>
    (await Promise.all(window.own)).map(({ body }) => body.kind),
  );
  assert.deepEqual(kinds, ["anonymous", "user", "user", "anonymous"]);
});

test("a refresh that is answered after a sign-out in another tab brings nothing back", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  const other = await visitor.tab({ anonymous: {} });
  let deliver;
  const answered = new Promise((answered) => {
    void tab.page.route("**/auth/session/refresh", async (route) => {
      const response = await route.fetch();
      deliver = () => route.fulfill({ response });
      answered();
    });
  });
  const refreshing = tab.call("attemptRefreshingSession");
  await answered;
  await other.call("signOut");
  await deliver();

  assert.deepEqual(await refreshing, { value: false });
  assert.equal((await tab.eventNames()).includes("REFRESH_SESSION"), false);
  for (const { state, anonymousId: id } of [await tab.snapshot(), await other.snapshot()]) {
    assert.deepEqual([state, id], ["anonymous", anonymousId]);
  }
});

for (const [which, hours] of [
  ["fast", 2],
  ["slow", -2],
]) {
  test(`a clock that is two hours ${which} neither costs calls nor hides an expiry`, async (visitor) => {
    await visitor.context.addInitScript((milliseconds) => {
      const { now } = Date;
      Date.now = () => now() + milliseconds;
    }, hours * 3_600_000);
    const { tab } = await visitor.customer();
    await tab.reload({ anonymous: {} });
    assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
    assert.deepEqual(await server.calls(), {});
    await tab.expire();
    assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
    assert.equal((await server.calls())[REFRESH], 1);
  });
}

test("the API's own answer is the cause of the refresh endpoint's, for each of the callers", async (visitor) => {
  const { tab } = await visitor.customer();
  await tab.page.route("**/api/orders?*", (route) => {
    const which = new URL(route.request().url()).search;
    return route.fulfill({
      status: 401,
      headers: { "x-which": which },
      json: { message: `try refresh token ${which}` },
    });
  });
  await tab.page.route("**/auth/session/refresh", (route) =>
    route.fulfill({ status: 503, json: { message: "later" } }),
  );
  const answers = await tab.run(() =>
    Promise.all(
      ["?1", "?2", "?3"].map(async (which) => {
        const response = await fetch(`/api/orders${which}`);
        const { cause } = response;
        const bodies = await Promise.all([response, cause].map((answer) => answer.json()));
        return [
          response.status,
          cause.status,
          new URL(cause.url).search,
          cause.headers.get("x-which"),
          ...bodies.map(({ message }) => message),
        ];
      }),
    ),
  );
  assert.deepEqual(
    answers,
    ["?1", "?2", "?3"].map((which) => [
      503,
      401,
      which,
      which,
      "later",
      `try refresh token ${which}`,
    ]),
  );
  const none = await tab.run(async () => "cause" in (await fetch("/api/products")));
  assert.equal(none, false, "an answer that is the API's has none");
});

test("a refresh that brings no front token is named in the console: callers may tell nothing of it", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  await tab.page.route("**/auth/session/refresh", (route) => route.fulfill({ json: {} }));
  const { code } = await tab.call("attemptRefreshingSession");
  assert.equal(code, "FRONT_TOKEN_MISSING");
  const { trace } = await tab.xhr("/api/account");
  assert.match(trace, / error loadend$/);
  const problems = visitor.takeProblems();
  assert.equal(problems.length, 2, problems.join());
  for (const text of problems) assert.match(text, /'front-token' header is missing/);
  assert.equal((await tab.snapshot()).state, "authenticated");
});

test("a back end that keeps saying 401 is asked so often and no more", async (visitor) => {
  const { tab } = await visitor.customer("Ada", {
    anonymous: {},
    maxRetryAttemptsForSessionRefresh: 2,
  });
  await tab.page.route("**/api/stubborn", (route) =>
    route.fulfill({ status: 401, json: { message: "try refresh token" } }),
  );

  const { error, code, message } = await tab.fetch("/api/stubborn");

  assert.deepEqual([error, code], ["SessionError", "TOO_MANY_RETRIES"]);
  assert.match(message, /\/api\/stubborn.* 2 times.*maxRetryAttemptsForSessionRefresh/);
  assert.deepEqual(
    visitor.takeProblems(),
    [message],
    "it stands in the console, because callers may tell nothing of it",
  );
  assert.deepEqual(await server.calls(), { [REFRESH]: 2 });
  assert.equal((await tab.fetch("/api/account")).status, 200, "the session is as it was");
});
