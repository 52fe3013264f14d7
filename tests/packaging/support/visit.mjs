// @ts-check
// A visitor does this in every app: comes, signs in, stays until the access token has expired,
// signs out.

import assert from "node:assert/strict";
import { COOKIES } from "../../e2e/support/browser.mjs";
import { POLICY } from "./front.mjs";

const REFRESH = "POST /auth/session/refresh";
const EXPIRE = "POST /api/demo/expire";
const LOGIN = { name: "Ada", password: "windowsill" };

/**
 * The app has `window.app`: its `events` by name, the SDK's `doesSessionExist`, `getUserId` and
 * `signOut`, and `request` where it is not `fetch` that the app uses.
 * @param {import("../../e2e/support/browser.mjs").Visitor} visitor
 * @param {object} [traits] of the app
 * @param {string[]} [traits.first] the calls that the first request comes to
 * @param {RegExp} [traits.policy] of the page, where it is not the one of `front.mjs`
 * @param {boolean} [traits.hearsOfGuests] whether it gets the events of anonymous sessions
 * @param {boolean} [traits.showsUser] whether the page has the user's id in `#who`
 * @param {string} [traits.shownAfterSignOut] there, where it is not the guest's id
 * @param {boolean} [traits.renewsItself] whether the app looks at each new token, and so refreshes
 *   an expired one before it is used
 */
export async function visit(visitor, traits = {}) {
  const {
    first = ["GET /api/me"],
    policy,
    hearsOfGuests = true,
    showsUser = false,
    shownAfterSignOut,
    renewsItself = false,
  } = traits;
  const page = await openPage(visitor, policy);
  const ask = (method, path, body) => page.evaluate(request, [method, path, body]);
  const events = () =>
    page.evaluate(() =>
      app.events.splice(0).filter((name) => name !== "ACCESS_TOKEN_PAYLOAD_UPDATED"),
    );
  const call = (name) => page.evaluate((name) => app[name](), name);
  async function isKnownAs(userId, shown = userId) {
    assert.equal(await call("getUserId"), userId);
    if (showsUser) await page.locator("#who", { hasText: new RegExp(`^${shown}$`) }).waitFor();
  }

  const guest = await ask("GET", "/api/me");
  assert.equal(guest.status, 200);
  assert.equal(guest.body.kind, "anonymous");
  const { anonymousId } = guest.body;
  assert.deepEqual(visitor.requests, first);
  assert.deepEqual(await events(), hearsOfGuests ? ["ANONYMOUS_SESSION_CREATED"] : []);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  assert.equal(await call("doesSessionExist"), true);
  await isKnownAs(`G-${anonymousId}`);

  assert.equal((await ask("POST", "/api/login", LOGIN)).status, 200);
  assert.deepEqual(await events(), ["SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
  await isKnownAs("ada");

  await visitor.forget();
  await expire(ask);
  if (renewsItself) await page.waitForFunction(() => app.events.includes("REFRESH_SESSION"));
  const account = await ask("GET", "/api/account");
  assert.equal(account.status, 200);
  assert.deepEqual(account.body, { userId: "ada", name: "Ada", anonymousId, orders: 0 });
  const refused = renewsItself ? [] : ["GET /api/account"];
  assert.deepEqual(visitor.requests, [EXPIRE, ...refused, REFRESH, "GET /api/account"]);
  assert.deepEqual(await visitor.server.calls(), {
    [EXPIRE]: 1,
    "GET /api/account": 1 + refused.length,
    [REFRESH]: 1,
  });
  assert.deepEqual(await events(), ["REFRESH_SESSION"]);

  await call("signOut");
  assert.deepEqual(await events(), ["SIGN_OUT"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  assert.deepEqual((await ask("GET", "/api/me")).body, { kind: "anonymous", anonymousId });
  await isKnownAs(`G-${anonymousId}`, shownAfterSignOut);
  assert.deepEqual(await events(), []);
  return { page, anonymousId };
}

/** A page of somebody whose access token has expired. */
export async function openExpired(visitor, policy) {
  const page = await openPage(visitor, policy);
  const ask = (method, path, body) => page.evaluate(request, [method, path, body]);
  assert.equal((await ask("POST", "/api/login", LOGIN)).status, 200);
  await expire(ask);
  await visitor.forget();
  return page;
}

async function expire(ask) {
  assert.equal((await ask("POST", "/api/demo/expire")).status, 200);
}

/** The app's first page, when its code has run. */
async function openPage(visitor, policy) {
  const page = await visitor.context.newPage();
  const sent = await (await page.goto("/")).headerValue("content-security-policy");
  if (policy) assert.match(sent, policy);
  else assert.equal(sent, POLICY);
  await page
    .waitForFunction(() => window.app)
    .catch((cause) => {
      throw new Error(
        `the app does not start: ${visitor.problems.join("; ") || "nothing in the console"}`,
        { cause },
      );
    });
  return page;
}

/** In the page. */
async function request([method, path, body]) {
  if (app.request) return app.request(method, path, body);
  const headers = { "content-type": "application/json" };
  const response = await fetch(path, {
    method,
    ...(body && { headers, body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}
