// A server that makes the anonymous session when the page is loaded (rule 13,
// `mint_for_navigations`): scripts see nothing of it at first.

import assert from "node:assert/strict";
import { COOKIES, ofRule, openShop } from "./support/browser.mjs";

const { test: inBrowser, server } = await openShop({ mintForNavigations: true });
const test = ofRule(13, inBrowser);

const REFRESH = "POST /auth/session/refresh";
const OPTIONS = { anonymous: {} };

/** A tab of somebody whose first page load brought the session, and the SDK not started yet. */
async function loaded(visitor) {
  const tab = await visitor.tab();
  // As a page, and one without any script.
  await tab.page.goto("/api/me");
  const { value } = (await visitor.context.cookies()).find(
    ({ name }) => name === "sAnonymousToken",
  );
  assert.deepEqual(Object.keys(await visitor.cookies()), ["sAnonymousToken"]);
  await tab.page.goto("/blank.html");
  const { anonymousId } = JSON.parse(Buffer.from(value.split(".")[1], "base64url"));
  await visitor.forget();
  return { tab, anonymousId };
}

const recovered = (tab) =>
  tab.page.waitForFunction(() => passerby.getSnapshot().state === "anonymous");

test("the SDK takes over the session of the page with its first requests", async (visitor) => {
  const { tab, anonymousId } = await loaded(visitor);
  await tab.init(OPTIONS);
  assert.deepEqual(await tab.snapshot(), { state: "unknown" });

  const answers = await tab.fetchAll(10, "/api/me");

  assert.deepEqual([...new Set(answers.map(({ body }) => body.anonymousId))], [anonymousId]);
  await recovered(tab);
  assert.equal((await tab.snapshot()).anonymousId, anonymousId);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.deepEqual(await server.calls(), { "GET /api/me": 10, [REFRESH]: 1 });
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("and with its first question", async (visitor) => {
  const { tab, anonymousId } = await loaded(visitor);
  await tab.init(OPTIONS);
  assert.deepEqual(await tab.call("getAnonymousId"), { value: anonymousId });
  assert.deepEqual(await server.calls(), { [REFRESH]: 1 });
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
});

test("and where `init` says nothing of anonymous sessions", async (visitor) => {
  const { tab, anonymousId } = await loaded(visitor);
  await tab.init({});
  assert.equal((await tab.fetch("/api/me")).body.anonymousId, anonymousId);
  assert.deepEqual(visitor.requests, [REFRESH, "GET /api/me"]);
  assert.equal((await tab.snapshot()).anonymousId, anonymousId);
});

test("and when the first request is the login, which carries the id on", async (visitor) => {
  const { tab, anonymousId } = await loaded(visitor);
  await tab.init(OPTIONS);
  assert.equal((await tab.signIn("Ada")).status, 200);
  assert.equal((await tab.snapshot()).anonymousId, anonymousId);
  assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});
