import assert from "node:assert/strict";
import { COOKIES, openShop } from "./support/browser.mjs";

const { test } = await openShop();

const REFRESH = "POST /auth/session/refresh";

test("a first visit gets one anonymous session, with one call", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  assert.deepEqual(await visitor.cookies(), COOKIES.unknown);
  assert.deepEqual(await tab.snapshot(), { state: "unknown" });

  const { status, body } = await tab.fetch("/api/me");

  assert.equal(status, 200);
  assert.equal(body.kind, "anonymous");
  assert.match(body.anonymousId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.deepEqual(await visitor.server.calls(), { "GET /api/me": 1 });
  assert.deepEqual(await tab.events(), [
    {
      name: "ANONYMOUS_SESSION_CREATED",
      state: "anonymous",
      anonymousId: body.anonymousId,
      keys: ["userContext"],
      answers: { exists: true, isAnonymous: true, anonymousId: body.anonymousId },
    },
  ]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  const snapshot = await tab.snapshot();
  assert.equal(snapshot.state, "anonymous");
  assert.equal(snapshot.userId, `G-${body.anonymousId}`);
  assert.equal(snapshot.payload.isAnonymous, true);
  assert.equal("sub" in snapshot.payload, false);
  assert.deepEqual(await tab.call("getUserId"), { value: `G-${body.anonymousId}` });
  // The questions above cost nothing.
  assert.deepEqual(await visitor.server.calls(), { "GET /api/me": 1 });
  assert.deepEqual(await tab.run(() => Object.keys(localStorage)), []);
});

test("a returning visitor is recognised, without any call of ours", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  await tab.reload({ anonymous: {} });
  assert.equal((await tab.snapshot()).anonymousId, anonymousId);
  const { body } = await tab.fetch("/api/me");
  assert.equal(body.anonymousId, anonymousId);
  assert.deepEqual(await visitor.server.calls(), { "GET /api/me": 1 });
  assert.deepEqual(await tab.eventNames(), []);
});

test("ten parallel first requests get one session", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  const answers = await tab.fetchAll(10, "/api/me");

  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.equal(new Set(answers.map(({ body }) => body.anonymousId)).size, 1);
  assert.deepEqual(await visitor.minted(), ["/api/me"]);
  assert.deepEqual(await visitor.server.calls(), { "GET /api/me": 10 });
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("three tabs with ten parallel first requests each get one session", async (visitor) => {
  const tabs = await Promise.all([1, 2, 3].map(() => visitor.tab({ anonymous: {} })));
  const answers = (await Promise.all(tabs.map((tab) => tab.fetchAll(10, "/api/me")))).flat();

  assert.equal(answers.length, 30);
  assert.equal(new Set(answers.map(({ body }) => body.anonymousId)).size, 1);
  assert.deepEqual(await visitor.minted(), ["/api/me"]);
  assert.deepEqual(await visitor.server.calls(), { "GET /api/me": 30 });
  const events = await Promise.all(tabs.map((tab) => tab.eventNames()));
  assert.deepEqual(events.flat(), ["ANONYMOUS_SESSION_CREATED"]);
  const ids = await Promise.all(tabs.map(async (tab) => (await tab.snapshot()).anonymousId));
  assert.deepEqual(ids, Array(3).fill(answers[0].body.anonymousId));
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("questions and requests of a new visitor together get one session", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  const [exists, id, { body }] = await tab.run(() =>
    Promise.all([
      passerby.doesSessionExist(),
      passerby.getAnonymousId(),
      harness.request("/api/me"),
    ]),
  );
  assert.equal(exists, true);
  assert.equal(id, body.anonymousId);
  assert.equal((await visitor.minted()).length, 1);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
});

test("asking before any request makes the session, with one call", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
  assert.deepEqual(await tab.call("isAnonymous"), { value: true });
  assert.deepEqual(await visitor.server.calls(), { [REFRESH]: 1 });
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("without `anonymous` in init the SDK asks by one refresh call first, as the peer does", async (visitor) => {
  const tab = await visitor.tab({});
  const answers = await tab.fetchAll(3, "/api/me");

  assert.equal(visitor.requests[0], REFRESH);
  assert.deepEqual(await visitor.server.calls(), { [REFRESH]: 1, "GET /api/me": 3 });
  assert.equal(new Set(answers.map(({ body }) => body.anonymousId)).size, 1);
  assert.deepEqual(await visitor.minted(), ["/auth/session/refresh"]);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("attemptRefreshingSession of an anonymous visitor is false, without a call", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  assert.deepEqual(await tab.call("attemptRefreshingSession"), { value: false });
  assert.deepEqual(await tab.eventNames(), ["UNAUTHORISED(false)"]);
  assert.deepEqual(await visitor.server.calls(), {});
  assert.equal((await tab.snapshot()).anonymousId, anonymousId);
});

test("switched off, the session is removed by the next response; switched on, there is one again", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();

  await tab.call("setAnonymousSessions", false);
  assert.deepEqual(await tab.events(), [
    {
      name: "ANONYMOUS_SESSION_REMOVED",
      state: "none",
      anonymousId: undefined,
      keys: ["userContext"],
      answers: { exists: false, isAnonymous: false, anonymousId: undefined },
    },
  ]);
  assert.deepEqual(await visitor.cookies(), COOKIES.none);
  assert.deepEqual(await visitor.server.calls(), { [REFRESH]: 1 });
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "none" });
  assert.deepEqual(await visitor.cookies(), COOKIES.none);

  await visitor.forget();
  await tab.call("setAnonymousSessions", true);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.deepEqual(await visitor.server.calls(), { [REFRESH]: 1 });
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  const { body } = await tab.fetch("/api/me");
  assert.equal(body.kind, "anonymous");
  assert.notEqual(body.anonymousId, anonymousId, "what was removed is forgotten");
});

test("switched off from the start, none is made and nothing is stored", async (visitor) => {
  const tab = await visitor.tab({ anonymous: { enabled: false } });
  const { status, body } = await tab.fetch("/api/me");
  assert.equal(status, 200);
  assert.deepEqual(body, { kind: "none" });
  assert.deepEqual(await visitor.server.calls(), { "GET /api/me": 1 });
  assert.deepEqual(await tab.eventNames(), []);
  assert.deepEqual(await visitor.minted(), []);
  assert.deepEqual(await visitor.cookies(), COOKIES.unknown);
  assert.deepEqual(await tab.call("doesSessionExist"), { value: false });
});

test("switched off from the start, a session of former visits is removed by the first response", async (visitor) => {
  const { tab } = await visitor.guest();
  await tab.reload({ anonymous: { enabled: false } });
  const { body } = await tab.fetch("/api/me");
  assert.deepEqual(body, { kind: "none" });
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_REMOVED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.none);
  assert.deepEqual(await visitor.server.calls(), { "GET /api/me": 1 });
});

test("switched off, a customer stays signed in, and is nobody after sign-out", async (visitor) => {
  const { tab } = await visitor.customer();
  await tab.call("setAnonymousSessions", false);
  assert.equal((await tab.fetch("/api/me")).body.userId, "ada");
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
  await tab.call("signOut");
  assert.deepEqual(await tab.eventNames(), ["SIGN_OUT"]);
  assert.equal((await tab.snapshot()).state, "none");
  assert.deepEqual(await visitor.cookies(), COOKIES.none);
});
