// Rule 1: until the visitor agrees, nothing is written anywhere, by nobody.

import assert from "node:assert/strict";
import { COOKIES, ofRule, openShop } from "./support/browser.mjs";
import { heardByNobody } from "./support/page.mjs";

const { test: inBrowser, server } = await openShop();
const test = ofRule(1, inBrowser);

const DECLINED = { anonymous: { enabled: false } };
const REFRESH = "POST /auth/session/refresh";

/** Everything that a page or its server can leave in a browser. */
async function traces(visitor, tab) {
  const inPage = await tab.run(async () => ({
    cookie: document.cookie,
    localStorage: { ...localStorage },
    sessionStorage: { ...sessionStorage },
    databases: (await indexedDB.databases()).map(({ name }) => name),
    caches: await caches.keys(),
  }));
  return { ...inPage, cookies: await visitor.context.cookies() };
}

const NO_TRACES = {
  cookie: "",
  localStorage: {},
  sessionStorage: {},
  databases: [],
  caches: [],
  cookies: [],
};

/** Answers that wrote cookies, and tokens that came in headers. */
function watchAnswers(visitor) {
  const written = [];
  const watched = [];
  const watch = async (response) => {
    for (const { name, value } of await response.headersArray()) {
      if (/^(set-cookie|front-token|st-.*-token|st-anonymous-front-token)$/i.test(name)) {
        written.push(`${new URL(response.url()).pathname} ${name}: ${value}`);
      }
    }
  };
  visitor.context.on("response", (response) => watched.push(watch(response)));
  return async () => {
    await Promise.all(watched);
    return written;
  };
}

/** The ways to take consent away. */
const DELETES = /(token: (remove)?|Expires=Thu, 01 Jan 1970 00:00:00 GMT)$/;

/** Questions that change nothing. */
const QUESTIONS = ["doesSessionExist", "isAnonymous", "getAnonymousId", "getAccessToken"];

for (const tokenTransferMethod of ["cookie", "header"]) {
  const options = { ...DECLINED, tokenTransferMethod };

  test(`${tokenTransferMethod} mode, before consent: requests, questions, reloads and tabs leave nothing behind`, async (visitor) => {
    const writtenBy = watchAnswers(visitor);
    const tab = await visitor.tab(options);
    for (let visit = 0; visit < 3; visit++) {
      assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "none" });
      assert.equal((await tab.fetch("/api/account")).status, 401);
      for (const question of QUESTIONS) await tab.call(question);
      assert.deepEqual(await tab.call("doesSessionExist"), { value: false });
      assert.deepEqual(await tab.call("attemptRefreshingSession"), { value: false });
      await tab.fetchAll(5, "/api/products");
      assert.deepEqual(await traces(visitor, tab), NO_TRACES, `visit ${visit}`);
      await tab.reload(options);
    }
    const other = await visitor.tab(options);
    await other.call("doesSessionExist");
    assert.deepEqual(await traces(visitor, other), NO_TRACES);
    assert.deepEqual(
      (await writtenBy()).filter((line) => !DELETES.test(line)),
      [],
    );
  });
}

test("before consent the server sends no cookie, not even one that deletes", async (visitor) => {
  const writtenBy = watchAnswers(visitor);
  const tab = await visitor.tab(DECLINED);
  await tab.fetch("/api/me");
  await tab.fetch("/api/account");
  await tab.call("doesSessionExist");
  assert.deepEqual(
    (await writtenBy()).filter((line) => / set-cookie: /i.test(line)),
    [],
  );
});

test("before consent a page that asks often asks the server once", async (visitor) => {
  const tab = await visitor.tab(DECLINED);
  for (let times = 0; times < 3; times++)
    assert.deepEqual(await tab.call("doesSessionExist"), { value: false });
  await tab.fetchAll(5, "/api/me");
  assert.deepEqual(await tab.call("doesSessionExist"), { value: false });
  assert.equal((await server.calls())[REFRESH], 1);
});

test("consent makes exactly one session, and its withdrawal leaves nothing that says who it was", async (visitor) => {
  const tab = await visitor.tab(DECLINED);
  await tab.fetchAll(5, "/api/me");
  await tab.call("doesSessionExist");
  await visitor.forget();

  const [, ...answers] = await tab.run(() =>
    Promise.all([
      passerby.setAnonymousSessions(true),
      ...Array.from({ length: 10 }, () => harness.request("/api/me")),
    ]),
  );

  const anonymousId = (await tab.snapshot()).anonymousId;
  assert.ok(anonymousId);
  // Requests of the same moment may have been with the server before.
  const ids = new Set(answers.map(({ body }) => body.anonymousId).filter(Boolean));
  assert.ok(ids.size <= 1 && [...ids].every((id) => id === anonymousId), `${[...ids]}`);
  assert.equal((await visitor.minted()).length, 1);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });

  await visitor.forget();
  await tab.call("setAnonymousSessions", false);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_REMOVED"]);
  // The mark tells other tabs that something changed, and nothing else.
  const { cookie, cookies, ...others } = await traces(visitor, tab);
  assert.equal(cookie.includes(anonymousId), false);
  assert.deepEqual(
    cookies.filter(({ name }) => name !== "st-last-access-token-update"),
    [],
  );
  assert.deepEqual(others, { localStorage: {}, sessionStorage: {}, databases: [], caches: [] });
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "none" });
});

test("consent given twice, in two tabs at once, makes one session", async (visitor) => {
  const tabs = [await visitor.tab(DECLINED), await visitor.tab(DECLINED)];
  await Promise.all(tabs.map((tab) => tab.call("doesSessionExist")));
  await visitor.forget();
  await Promise.all(tabs.map((tab) => tab.call("setAnonymousSessions", true)));
  const [first, second] = await Promise.all(tabs.map((tab) => tab.snapshot()));
  assert.ok(first.anonymousId);
  assert.equal(first.anonymousId, second.anonymousId);
  assert.equal((await visitor.minted()).length, 1);
});

test("before consent one can sign in and out; only then there are cookies, and none that say who it was after", async (visitor) => {
  const tab = await visitor.tab(DECLINED);
  assert.equal((await tab.signIn("Ada")).status, 200);
  assert.deepEqual((await tab.call("getUserId")).value, "ada");
  assert.deepEqual(await tab.call("signOut"), { value: undefined });
  assert.deepEqual(await visitor.cookies(), COOKIES.none);
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "none" });
});

test("consent of a former visit is withdrawn: the first answer removes the session in both places", async (visitor) => {
  const { tab } = await visitor.guest();
  await tab.reload(DECLINED);
  await tab.fetch("/api/products");
  assert.deepEqual(await visitor.cookies(), COOKIES.none);
});

for (const tokenTransferMethod of ["cookie", "header"]) {
  test(`${tokenTransferMethod} mode: an answer that was under way when consent was withdrawn brings nothing back`, async (visitor) => {
    const { tab } = await visitor.guest({ anonymous: {}, tokenTransferMethod });
    let release;
    const held = new Promise((arrived) => {
      void tab.page.route("**/api/cart", async (route) => {
        const response = await route.fetch();
        arrived();
        await new Promise((done) => (release = done));
        await route.fulfill({ response });
      });
    });
    const adding = tab.post("/api/cart", { productId: "fern", quantity: 2 });
    await held;
    await tab.call("setAnonymousSessions", false);
    release();
    assert.equal((await adding).status, 200);
    assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_REMOVED"]);
    assert.equal((await tab.snapshot()).state, "none");
    assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "none" });
    assert.deepEqual(
      await visitor.cookies(),
      COOKIES.none,
      "what came by cookie goes with the next response",
    );
  });
}

test("consent withdrawn before there was a session: the key of the first visit goes, too", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  await tab.page.route("**/api/me", (route) => route.abort());
  await tab.fetch("/api/me");
  assert.equal(await tab.run(() => localStorage.length), 1);
  await tab.call("setAnonymousSessions", false);
  assert.deepEqual(await traces(visitor, tab), NO_TRACES);
});

test("off from the start: the key that a first visit without answer left goes, too", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  await tab.page.route("**/api/me", (route) => route.abort());
  await tab.fetch("/api/me");
  assert.equal(await tab.run(() => localStorage.length), 1);
  await tab.reload(DECLINED);
  assert.deepEqual(await traces(visitor, tab), NO_TRACES);
});

// --- switched off and on by the operator ---

async function serve(options) {
  await server.stop();
  await server.start(options);
}

test("off on the server: the first answer removes what a visitor still holds, and on again the next one brings another", async (visitor, t) => {
  t.after(() => serve({ noAnonymousSessions: false }));
  const { tab, anonymousId } = await visitor.guest();

  await serve({ noAnonymousSessions: true });
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "none" });
  assert.deepEqual(await tab.events(), [heardByNobody("ANONYMOUS_SESSION_REMOVED")]);
  assert.deepEqual(await visitor.cookies(), COOKIES.none);
  await visitor.forget();
  assert.deepEqual(
    (await tab.fetchAll(3, "/api/me")).map(({ body }) => body.kind),
    ["none", "none", "none"],
  );
  assert.deepEqual(await tab.call("doesSessionExist"), { value: false });
  assert.ok(((await server.calls())[REFRESH] ?? 0) <= 1, "nobody asks again and again");
  assert.deepEqual(await tab.eventNames(), []);

  await serve({ noAnonymousSessions: false });
  const { body } = await tab.fetch("/api/me");
  assert.equal(body.kind, "anonymous");
  assert.notEqual(body.anonymousId, anonymousId);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("off on the server: a customer's session ends as None", async (visitor, t) => {
  t.after(() => serve({ noAnonymousSessions: false }));
  const { tab } = await visitor.customer();
  await serve({ noAnonymousSessions: true });
  assert.equal((await tab.fetch("/api/me")).body.userId, "ada");
  await tab.post("/api/demo/revoke");
  await visitor.forget();
  assert.equal((await tab.fetch("/api/account")).status, 401);
  assert.deepEqual(await tab.events(), [heardByNobody("UNAUTHORISED(true)")]);
  assert.deepEqual(await visitor.cookies(), COOKIES.none);
});
