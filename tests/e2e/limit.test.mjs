// An address has got as many new sessions as it may (rule 13): its requests are answered without
// one, and no visitor has to wait.

import assert from "node:assert/strict";
import { COOKIES, ofRule, openShop } from "./support/browser.mjs";

const { test: inBrowser, server } = await openShop({ mintLimit: 1 });
const test = ofRule(13, inBrowser);

const OPTIONS = { anonymous: {} };
const REFRESH = "POST /auth/session/refresh";

/** A visitor's way to the server leads through a proxy. */
const from = (address) => ({ extraHTTPHeaders: { "x-forwarded-for": address } });

/** Somebody at this address was here before. */
async function useUp(address) {
  const response = await server.fetch("/api/me", { headers: { "x-forwarded-for": address } });
  assert.equal((await response.json()).kind, "anonymous");
}

test(
  "over the limit, requests go on without a session and without a refresh, and say so",
  async (visitor) => {
    await useUp("203.0.113.1");
    const tab = await visitor.tab(OPTIONS);

    const mode = await tab.run(async () =>
      (await fetch("/api/me")).headers.get("st-anonymous-mode"),
    );

    assert.equal(mode, "limited");
    const answers = await tab.fetchAll(5, "/api/me");
    assert.deepEqual(
      answers.map(({ status, body }) => [status, body.kind]),
      Array(5).fill([200, "none"]),
    );
    assert.deepEqual(await server.calls(), { "GET /api/me": 7 });
    assert.deepEqual(await tab.eventNames(), []);
    assert.deepEqual(await visitor.cookies(), COOKIES.unknown);
    assert.deepEqual(await tab.call("doesSessionExist"), { value: false });
  },
  from("203.0.113.1"),
);

test(
  "over the limit, signing in works, and the visitor keeps the id from then on",
  async (visitor) => {
    await useUp("203.0.113.2");
    const tab = await visitor.tab(OPTIONS);
    assert.equal((await tab.fetch("/api/me")).body.kind, "none");

    assert.equal((await tab.signIn("Ada")).status, 200);

    const { anonymousId } = await tab.snapshot();
    assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED"]);
    assert.deepEqual(await tab.call("signOut"), { value: undefined });
    assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
    assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  },
  from("203.0.113.2"),
);

test(
  "within the limit, and at another address: as ever",
  async (visitor) => {
    await useUp("203.0.113.3");
    const { tab, anonymousId } = await visitor.guest();
    assert.equal((await tab.fetch("/api/me")).body.anonymousId, anonymousId);
    assert.equal((await server.calls())[REFRESH], undefined);
  },
  from("203.0.113.4"),
);
