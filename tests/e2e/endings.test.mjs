// How user sessions end against the visitor's will. The point of it all: there is an anonymous
// session before the app hears of it.

import assert from "node:assert/strict";
import { COOKIES, openShop } from "./support/browser.mjs";

const { test, server } = await openShop();

const REFRESH = "POST /auth/session/refresh";

/** The things that an app learns inside of the callback after the end of a session. */
const demoted = (name, anonymousId) => ({
  name,
  state: "anonymous",
  anonymousId,
  keys: ["userContext"],
  answers: { exists: true, isAnonymous: true, anonymousId },
});

test("revoked on the back end: UNAUTHORISED, and in the callback the visitor is anonymous with the same id", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  assert.deepEqual((await tab.post("/api/demo/revoke")).body, { revoked: true });
  await visitor.forget();

  const { status, body } = await tab.fetch("/api/account");

  assert.equal(status, 401);
  assert.deepEqual(body, { message: "unauthorised" });
  assert.deepEqual(await tab.events(), [demoted("UNAUTHORISED(true)", anonymousId)]);
  assert.deepEqual(await server.calls(), { "GET /api/account": 1, [REFRESH]: 1 });
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });

  // A guest from here on: no refresh any more.
  await visitor.forget();
  assert.equal((await tab.fetch("/api/account")).status, 401);
  assert.deepEqual(await tab.eventNames(), ["UNAUTHORISED(false)"]);
  assert.deepEqual(await server.calls(), { "GET /api/account": 1 });
});

test("revoked, with many requests under way: told once, one refresh", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  await tab.post("/api/demo/revoke");
  await visitor.forget();

  const answers = await tab.fetchAll(10, "/api/account");

  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [401]);
  assert.deepEqual(await tab.events(), [demoted("UNAUTHORISED(true)", anonymousId)]);
  assert.equal((await server.calls())[REFRESH], 1);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("revoked, with anonymous sessions off: the visitor is nobody", async (visitor) => {
  const { tab } = await visitor.customer();
  await tab.call("setAnonymousSessions", false);
  await tab.post("/api/demo/revoke");
  await visitor.forget();
  assert.equal((await tab.fetch("/api/account")).status, 401);
  const [{ name, state, answers }] = await tab.events();
  assert.deepEqual([name, state, answers.exists], ["UNAUTHORISED(true)", "none", false]);
  assert.deepEqual(await visitor.cookies(), COOKIES.none);
});

test("a stolen refresh token was used: TOKEN_THEFT_DETECTED, then UNAUTHORISED, same checks", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  const thief = new Thief(await visitor.cookie("sRefreshToken"));
  assert.equal((await thief.refresh()).status, 200);
  assert.equal((await thief.useAccount()).status, 200);
  await tab.expire();
  await visitor.forget();

  const { status, body } = await tab.fetch("/api/account");

  assert.equal(status, 401);
  assert.deepEqual(body, { message: "token theft detected" });
  assert.deepEqual(await tab.events(), [
    demoted("TOKEN_THEFT_DETECTED", anonymousId),
    demoted("UNAUTHORISED(true)", anonymousId),
  ]);
  assert.deepEqual(await server.calls(), { "GET /api/account": 1, [REFRESH]: 1 });
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
  assert.equal((await thief.refresh()).status, 401, "the thief is out, too");
});

test("the same by the demo's button", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  assert.deepEqual((await tab.post("/auth/session/refresh/steal")).body, { stolen: true });
  await tab.expire();
  await visitor.forget();
  assert.equal((await tab.fetch("/api/account")).status, 401);
  assert.deepEqual(await tab.events(), [
    demoted("TOKEN_THEFT_DETECTED", anonymousId),
    demoted("UNAUTHORISED(true)", anonymousId),
  ]);
  assert.equal((await server.calls())[REFRESH], 1);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("a refresh token that was copied and not used is no theft", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  const thief = new Thief(await visitor.cookie("sRefreshToken"));
  assert.equal((await thief.refresh()).status, 200);
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.equal((await thief.refresh()).status, 401, "the customer was first to use a child");
});

test("the browser lost the server's cookies: UNAUTHORISED, and a visitor again", async (visitor) => {
  const { tab } = await visitor.customer();
  for (const name of ["sAccessToken", "sRefreshToken"])
    await visitor.context.clearCookies({ name });

  const { status } = await tab.fetch("/api/account");

  assert.equal(status, 401);
  const names = await tab.eventNames();
  assert.ok(names.includes("UNAUTHORISED(true)"), `${names}`);
  assert.equal((await tab.snapshot()).state, "anonymous");
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("signing in again after the end keeps the anonymousId", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  await tab.post("/api/demo/revoke");
  await tab.fetch("/api/account");
  await visitor.forget();
  assert.equal((await tab.signIn("Grace")).status, 200);
  assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED"]);
  assert.equal((await tab.snapshot()).anonymousId, anonymousId);
});

/** Somebody elsewhere who has a copy of a refresh token. */
class Thief {
  #cookies = {};

  constructor(refreshToken) {
    this.#cookies.sRefreshToken = refreshToken;
  }

  refresh() {
    return this.#send("POST", "/auth/session/refresh");
  }

  useAccount() {
    return this.#send("GET", "/api/account");
  }

  async #send(method, path) {
    const cookie = Object.entries(this.#cookies)
      .map((pair) => pair.join("="))
      .join("; ");
    const response = await server.fetch(path, { method, headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^(\w+)=([^;]*)/.exec(line);
      this.#cookies[name] = value;
    }
    return response;
  }
}
