// Browsers may do this to cookies: drop those that scripts wrote, keep the server's, or hand back
// rubbish.

import assert from "node:assert/strict";
import { COOKIES, ofRule, openShop } from "./support/browser.mjs";

const { test: inBrowser, server } = await openShop();
const test = ofRule(11, inBrowser);

const REFRESH = "POST /auth/session/refresh";
const RUBBISH = {
  "not base64": "%%%",
  "not JSON": btoa("no JSON"),
  "not a token": btoa("null"),
  "cut off": btoa('{"uid":"a","ate":1'),
};

const overwrite = (tab, name, value) =>
  tab.run(
    ([name, value]) => void (document.cookie = `${name}=${value};path=/;samesite=lax`),
    [name, value],
  );

async function loseWhatScriptsWrote(visitor) {
  for (const name of ["st-last-access-token-update", "sFrontToken", "sAnonymousFrontToken"]) {
    await visitor.context.clearCookies({ name });
  }
}

test("a customer's corrupt front token is recovered with one call", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  for (const [kind, value] of Object.entries(RUBBISH)) {
    await visitor.forget();
    await overwrite(tab, "sFrontToken", value);
    assert.deepEqual(await tab.snapshot(), { state: "unknown" }, kind);

    assert.deepEqual(await tab.call("doesSessionExist"), { value: true }, kind);

    assert.deepEqual(await server.calls(), { [REFRESH]: 1 }, kind);
    const { state, userId, anonymousId: id } = await tab.snapshot();
    assert.deepEqual([state, userId, id], ["authenticated", "ada", anonymousId], kind);
    assert.deepEqual(await visitor.cookies(), COOKIES.user, kind);
  }
});

test("a visitor's corrupt front token is recovered with one call", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  for (const [kind, value] of Object.entries(RUBBISH)) {
    await visitor.forget();
    await overwrite(tab, "sAnonymousFrontToken", value);
    assert.deepEqual(await tab.snapshot(), { state: "unknown" }, kind);

    assert.deepEqual(await tab.call("getAnonymousId"), { value: anonymousId }, kind);

    assert.deepEqual(await server.calls(), { [REFRESH]: 1 }, kind);
    assert.equal((await tab.snapshot()).anonymousId, anonymousId, kind);
    assert.deepEqual(await visitor.cookies(), COOKIES.anonymous, kind);
  }
});

test("a corrupt front token fails no request", async (visitor) => {
  const { tab } = await visitor.customer();
  await overwrite(tab, "sFrontToken", "%%%");
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.equal((await server.calls())["GET /api/account"], 1);
});

test("a customer whose script-written cookies the browser dropped is recovered with one call", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  await loseWhatScriptsWrote(visitor);
  await tab.reload({ anonymous: {} });

  assert.deepEqual(await tab.call("doesSessionExist"), { value: true });

  assert.deepEqual(await server.calls(), { [REFRESH]: 1 });
  assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED", "REFRESH_SESSION"]);
  const { state, userId, anonymousId: id } = await tab.snapshot();
  assert.deepEqual([state, userId, id], ["authenticated", "ada", anonymousId]);
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});

test("a visitor whose script-written cookies the browser dropped is recovered with one call", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  await loseWhatScriptsWrote(visitor);
  await tab.reload({ anonymous: {} });

  assert.deepEqual(await tab.call("isAnonymous"), { value: true });

  assert.deepEqual(await server.calls(), { [REFRESH]: 1 });
  assert.deepEqual(await tab.call("getAnonymousId"), { value: anonymousId });
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

/** The recovery need not hold up the request that noticed. */
const recovered = (tab) =>
  tab.page.waitForFunction(() => passerby.getSnapshot().state !== "unknown");

test("the customer is recovered by a request, too, without anybody asking", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  await loseWhatScriptsWrote(visitor);
  await tab.reload({ anonymous: {} });
  assert.equal((await tab.fetch("/api/me")).body.userId, "ada");
  await recovered(tab);
  const { state, anonymousId: id } = await tab.snapshot();
  assert.deepEqual([state, id], ["authenticated", anonymousId]);
  assert.deepEqual(await server.calls(), { "GET /api/me": 1, [REFRESH]: 1 });
});

test("so is the visitor", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  await loseWhatScriptsWrote(visitor);
  await tab.reload({ anonymous: {} });
  assert.equal((await tab.fetch("/api/me")).body.anonymousId, anonymousId);
  await recovered(tab);
  const { state, anonymousId: id } = await tab.snapshot();
  assert.deepEqual([state, id], ["anonymous", anonymousId]);
  assert.deepEqual(await server.calls(), { "GET /api/me": 1, [REFRESH]: 1 });
});

test("with an expired token besides, a request alone brings the customer back", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  await loseWhatScriptsWrote(visitor);
  await tab.reload({ anonymous: {} });
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.deepEqual(await server.calls(), { "GET /api/account": 2, [REFRESH]: 1 });
  assert.equal((await tab.snapshot()).state, "authenticated");
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});

test("without `anonymous` in init, the first request of such a customer waits for the recovery", async (visitor) => {
  const { tab } = await visitor.customer();
  await loseWhatScriptsWrote(visitor);
  await tab.reload({});
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.deepEqual(visitor.requests, [REFRESH, "GET /api/account"]);
  assert.equal((await tab.snapshot()).state, "authenticated");
});

test("a lost access token is refreshed, and the visitor stays one customer", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  await visitor.context.clearCookies({ name: "sAccessToken" });
  const { status, body } = await tab.fetch("/api/account");
  assert.equal(status, 200);
  assert.equal(body.anonymousId, anonymousId);
  assert.deepEqual(await server.calls(), { "GET /api/account": 2, [REFRESH]: 1 });
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});

test("a visitor's corrupt server cookie is replaced", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  const rubbish = {
    name: "sAnonymousToken",
    value: "rubbish",
    url: server.origin,
    httpOnly: true,
    sameSite: "Lax",
  };
  await visitor.context.addCookies([rubbish]);
  const { body } = await tab.fetch("/api/me");
  assert.notEqual(body.anonymousId, anonymousId);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_REPLACED"]);
  assert.equal((await tab.snapshot()).anonymousId, body.anonymousId);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("cookies that vanish while a request is under way hold nobody up: one refresh, and the request again", async (visitor) => {
  const { tab } = await visitor.customer();
  await tab.page.route(
    "**/api/account",
    async (route) => {
      await loseWhatScriptsWrote(visitor);
      await route.fulfill({ status: 401, json: { message: "try refresh token" } });
    },
    { times: 1 },
  );
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.deepEqual(await server.calls(), { [REFRESH]: 1, "GET /api/account": 1 });
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});

test("a front token that the browser refuses: no session is told of that nobody can find, at login and later", async (visitor) => {
  const { tab } = await visitor.guest();
  const now = Math.floor(Date.now() / 1000);
  const token = (up) =>
    Buffer.from(
      JSON.stringify({
        uid: "ada",
        ate: (now + 3600) * 1000,
        up: { iat: now, sessionHandle: "s", ...up },
      }),
    ).toString("base64");
  let up;
  await tab.page.route("**/api/session", (route) =>
    route.fulfill({
      json: {},
      headers: { "front-token": token(up), "st-anonymous-front-token": "remove" },
    }),
  );
  // The question in the callback would bring back what the server knows.
  await tab.page.route("**/session/refresh", (route) =>
    route.fulfill({ status: 401, json: { message: "unauthorised" } }),
  );
  const large = "x".repeat(4000);

  up = { large };
  assert.equal((await tab.fetch("/api/session")).status, 200, "the app's request is as it was");
  const [event, ...others] = await tab.events();
  assert.deepEqual([event.name, event.state, others], ["TOKEN_NOT_STORED", "none", []]);
  assert.equal((await tab.snapshot()).state, "none");
  assert.match(
    visitor.takeProblems().join(),
    /"sFrontToken" cannot be read back \(over 4096 bytes/,
  );

  await tab.forgetEvents();
  up = { role: "reader" };
  await tab.fetch("/api/session");
  up = { role: "writer", iat: now + 1, large };
  await tab.fetch("/api/session");
  assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED", "TOKEN_NOT_STORED"]);
  assert.equal((await tab.snapshot()).payload.role, "reader", "as the event says");
  assert.match(visitor.takeProblems().join(), /sFrontToken/);
});

// The other tab's write comes between ours and the look whether it was kept.
test("a cookie that another tab writes in the same moment is not taken for a refused one", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  await tab.expire();
  await tab.run(() => {
    const { get, set } = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
    window.crossed = [];
    Object.defineProperty(document, "cookie", {
      configurable: true,
      get() {
        return get.call(this);
      },
      set(text) {
        set.call(this, text);
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(text);
        if (!value) return;
        const isMark = name === "st-last-access-token-update";
        const later = () => {
          const token = JSON.parse(atob(value));
          // Of the same session, so that only the moment is in doubt.
          token.up.iat += 1;
          return btoa(JSON.stringify(token));
        };
        window.crossed.push(name);
        const attributes = text.slice(text.indexOf(";"));
        set.call(this, `${name}=${isMark ? +value + 1 : later()}${attributes}`);
      },
    });
  });
  await tab.forgetEvents();
  const { status, body } = await tab.fetch("/api/me");
  assert.deepEqual([status, body.anonymousId], [200, anonymousId]);
  assert.deepEqual(await tab.run(() => [...new Set(window.crossed)].sort()), [
    "sFrontToken",
    "st-last-access-token-update",
  ]);
  assert.deepEqual(await tab.eventNames(), ["ACCESS_TOKEN_PAYLOAD_UPDATED", "REFRESH_SESSION"]);
  assert.equal((await tab.snapshot()).state, "authenticated");
});

// As after a release that gave the SDK's cookies another domain: a cookie of the release before is
// read, and is not deleted by what deletes the present one.
inBrowser("a front token that cannot be deleted is over with its session", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  const keep = () => {
    const [token] = /sFrontToken=[^;]+/.exec(document.cookie);
    document.cookie = `${token}; path=/blank.html`;
  };
  await tab.run(keep);
  assert.equal((await tab.call("signOut")).error, undefined);
  const assertGuest = async (tab) => {
    const { state, anonymousId: id } = await tab.snapshot();
    assert.deepEqual([state, id], ["anonymous", anonymousId]);
    assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
    assert.deepEqual(await tab.call("isAnonymous"), { value: true });
  };
  await assertGuest(tab);
  assert.equal((await tab.eventNames()).filter((name) => name === "SIGN_OUT").length, 1);

  // The next visit finds it, and believes it until the server says otherwise, once.
  await tab.reload({ anonymous: {} });
  assert.equal((await tab.fetch("/api/account")).status, 401);
  await assertGuest(tab);
  assert.equal((await tab.fetch("/api/account?again")).status, 401);
  await assertGuest(tab);
  // The end, and then what a guest is told who asks for an account.
  assert.deepEqual(await tab.eventNames(), ["UNAUTHORISED(true)", "UNAUTHORISED(false)"]);
  await tab.forgetEvents();
  assert.equal((await tab.signIn("Ada")).status, 200);
  assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED"], "a login is one");
  assert.equal((await tab.snapshot()).state, "authenticated");
  visitor.takeProblems();
});

test("after a mark that is later than all, five refusals cost one refresh", async (visitor) => {
  const { tab } = await visitor.customer();
  for (const mark of ["1e300", "9007199254740992", "9".repeat(40), "Infinity"]) {
    await tab.expire();
    await overwrite(tab, "st-last-access-token-update", mark);
    await visitor.forget();

    const answers = await tab.fetchAll(5, "/api/me");

    assert.deepEqual(new Set(answers.map(({ body }) => body.kind)), new Set(["user"]), mark);
    assert.equal((await server.calls())[REFRESH], 1, mark);
  }
});
