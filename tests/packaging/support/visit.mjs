// What a visitor does in every app: comes, signs in, stays until the access token has expired, signs out.

import assert from "node:assert/strict";
import { COOKIES } from "../../e2e/support/browser.mjs";
import { POLICY } from "./front.mjs";

const REFRESH = "POST /auth/session/refresh";
const LOGIN = { name: "Ada", password: "windowsill" };

/**
 * The app has `window.app`: its `events` by name, the SDK's `doesSessionExist`, `getUserId` and `signOut`, and `request` where it is not
 * `fetch` that the app uses.
 * @param {import("../../e2e/support/browser.mjs").Visitor} visitor
 * @param {{ first?: string[], page?: import("playwright-core").Page }} [expected] `first`: the calls that the first request comes to; `page`: one that
 * has been opened already
 */
export async function visit(visitor, { first = ["GET /api/me"], page } = {}) {
  page ??= await openPage(visitor);
  const ask = (method, path, body) => page.evaluate(request, [method, path, body]);
  const events = () => page.evaluate(() => app.events.splice(0).filter((name) => name !== "ACCESS_TOKEN_PAYLOAD_UPDATED"));
  const call = (name) => page.evaluate((name) => app[name](), name);

  const guest = await ask("GET", "/api/me");
  assert.equal(guest.status, 200);
  assert.equal(guest.body.kind, "anonymous");
  const { anonymousId } = guest.body;
  assert.deepEqual(visitor.requests, first);
  assert.deepEqual(await events(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  assert.equal(await call("doesSessionExist"), true);
  assert.equal(await call("getUserId"), `G-${anonymousId}`);

  const login = await ask("POST", "/api/login", LOGIN);
  assert.equal(login.status, 200);
  assert.deepEqual(await events(), ["SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
  assert.equal(await call("getUserId"), "ada");

  assert.equal((await ask("POST", "/api/demo/expire")).status, 200);
  await visitor.forget();
  const account = await ask("GET", "/api/account");
  assert.equal(account.status, 200);
  assert.deepEqual(account.body, { userId: "ada", name: "Ada", anonymousId, orders: 0 });
  assert.deepEqual(visitor.requests, ["GET /api/account", REFRESH, "GET /api/account"]);
  assert.deepEqual(await visitor.server.calls(), { "GET /api/account": 2, [REFRESH]: 1 });
  assert.deepEqual(await events(), ["REFRESH_SESSION"]);

  await call("signOut");
  assert.deepEqual(await events(), ["SIGN_OUT"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  assert.deepEqual((await ask("GET", "/api/me")).body, { kind: "anonymous", anonymousId });
  assert.equal(await call("getUserId"), `G-${anonymousId}`);
  assert.deepEqual(await events(), []);
  return { page, anonymousId };
}

/** The app's first page, when its code has run. */
export async function openPage(visitor, path = "/") {
  const page = await visitor.context.newPage();
  const response = await page.goto(path);
  assert.equal(await response.headerValue("content-security-policy"), POLICY);
  await page.waitForFunction(() => window.app);
  return page;
}

/** In the page. */
async function request([method, path, body]) {
  if (app.request) return app.request(method, path, body);
  const headers = { "content-type": "application/json" };
  const response = await fetch(path, { method, ...(body && { headers, body: JSON.stringify(body) }) });
  return { status: response.status, body: await response.json() };
}
