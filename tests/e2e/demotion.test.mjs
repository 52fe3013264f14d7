// When a session ends, for whatever reason, the anonymous session exists *before* the callback
// runs, with the same id.

import assert from "node:assert/strict";
import { COOKIES, ofRule, openShop } from "./support/browser.mjs";
import { heardByGuest, heardByNobody } from "./support/page.mjs";

const { test: inBrowser, server } = await openShop();
const test = ofRule(4, inBrowser);

const REFRESH = "POST /auth/session/refresh";
const OPTIONS = { anonymous: {} };

/** How the back end ends a session, with the events that tell. */
const ENDINGS = {
  expiry: {
    async end(tab) {
      await tab.expire();
      // The browser drops the refresh token with its last second.
      await tab.page.context().clearCookies({ name: "sRefreshToken" });
    },
    events: ["UNAUTHORISED(true)"],
  },
  revocation: {
    end: (tab) => tab.post("/api/demo/revoke"),
    events: ["UNAUTHORISED(true)"],
  },
  theft: {
    async end(tab) {
      await tab.post("/auth/session/refresh/steal");
      await tab.expire();
    },
    events: ["TOKEN_THEFT_DETECTED", "UNAUTHORISED(true)"],
  },
  "sign-out that this browser was not told of": {
    async end(tab) {
      const [{ value }] = (await tab.page.context().cookies()).filter(
        ({ name }) => name === "sAccessToken",
      );
      const { status } = await server.fetch("/auth/signout", {
        method: "POST",
        headers: { cookie: `sAccessToken=${value}` },
      });
      assert.equal(status, 200);
      await tab.expire();
    },
    events: ["UNAUTHORISED(true)"],
  },
};

/**
 * How an app comes to notice, what it gets, and what it hears when it asks for a user where there
 * has been none for long.
 */
const NOTICES = {
  fetch: {
    notice: async (tab) => (await tab.fetch("/api/account")).status,
    outcome: () => 401,
    later: ["UNAUTHORISED(false)"],
  },
  XMLHttpRequest: {
    notice: async (tab) => (await tab.xhr("/api/account")).status,
    outcome: () => 401,
    later: ["UNAUTHORISED(false)"],
  },
  attemptRefreshingSession: {
    notice: (tab) => tab.call("attemptRefreshingSession"),
    outcome: () => ({ value: false }),
    later: ["UNAUTHORISED(false)"],
  },
  doesSessionExist: {
    notice: (tab) => tab.call("doesSessionExist"),
    outcome: () => ({ value: true }),
    later: [],
  },
  getAccessTokenPayloadSecurely: {
    async notice(tab) {
      const { value } = await tab.call("getAccessTokenPayloadSecurely");
      return [value.isAnonymous, value.anonymousId];
    },
    outcome: (anonymousId) => [true, anonymousId],
    later: [],
  },
};

for (const [ending, { end, events }] of Object.entries(ENDINGS)) {
  for (const [name, { notice, outcome }] of Object.entries(NOTICES)) {
    test(`${ending}, noticed by ${name}: anonymous in the callback, with the same id`, async (visitor) => {
      const { tab, anonymousId } = await visitor.customer();
      await end(tab);
      await visitor.forget();

      assert.deepEqual(await notice(tab), outcome(anonymousId));

      assert.deepEqual(
        await tab.events(),
        events.map((event) => heardByGuest(event, anonymousId)),
      );
      assert.equal((await server.calls())[REFRESH], 1);
      assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
      assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
    });
  }

  test(`${ending}, noticed by many calls of each kind in two tabs at once: told once, with one refresh`, async (visitor) => {
    const { tab, anonymousId } = await visitor.customer();
    const tabs = [tab, await visitor.tab(OPTIONS)];
    await end(tab);
    await visitor.forget();

    const calls = tabs.flatMap((tab) => Object.values(NOTICES).map(({ notice }) => notice(tab)));
    await Promise.all(calls);

    assert.equal((await server.calls())[REFRESH], 1);
    const heard = (await Promise.all(tabs.map((tab) => tab.events()))).flat();
    // Each tab may besides be told that a user was required.
    const told = heard.filter(({ name }) => name !== "UNAUTHORISED(false)");
    assert.deepEqual(
      told,
      events.map((event) => heardByGuest(event, anonymousId)),
    );
    for (const event of heard) assert.deepEqual(event, heardByGuest(event.name, anonymousId));
    assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  });
}

/** How a visitor signs out. */
const SIGN_OUTS = {
  "signOut()": (tab) => tab.call("signOut"),
  "a request of the app": (tab) => tab.post("/auth/signout"),
  "an XMLHttpRequest of the app": (tab) => tab.xhr("/auth/signout", { method: "POST" }),
};

for (const [name, signOut] of Object.entries(SIGN_OUTS)) {
  test(`sign-out by ${name}: anonymous in the callback, with the same id`, async (visitor) => {
    const { tab, anonymousId } = await visitor.customer();
    await signOut(tab);
    assert.deepEqual(await tab.events(), [heardByGuest("SIGN_OUT", anonymousId)]);
    assert.equal((await server.calls())[REFRESH], undefined);
    assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  });
}

const ALL_ENDINGS = {
  ...Object.fromEntries(
    Object.entries(ENDINGS).map(([name, { end }]) => [
      name,
      async (tab) => {
        await end(tab);
        await tab.fetch("/api/account");
      },
    ]),
  ),
  "sign-out": SIGN_OUTS["signOut()"],
};

for (const [ending, endAndNotice] of Object.entries(ALL_ENDINGS)) {
  test(`${ending}, noticed in one tab: every other tab knows before its next call`, async (visitor) => {
    const { tab, anonymousId } = await visitor.customer();
    const others = await Promise.all(Object.keys(NOTICES).map(() => visitor.tab(OPTIONS)));
    for (const other of others) {
      await other.run(() => {
        window.seen = [];
        passerby.subscribe(() => {
          const { state, anonymousId } = passerby.getSnapshot();
          window.seen.push({ state, anonymousId });
        });
      });
    }

    await endAndNotice(tab);

    await visitor.server.forgetCalls();
    for (const [index, { notice, outcome, later }] of Object.values(NOTICES).entries()) {
      const other = others[index];
      // The listeners are told without any call.
      await other.page.waitForFunction(() => window.seen.at(-1)?.state === "anonymous");
      assert.equal(
        await other.run(() =>
          window.seen.some(({ state }) => state === "none" || state === "unknown"),
        ),
        false,
      );
      assert.deepEqual(await other.events(), []);

      assert.deepEqual(await notice(other), outcome(anonymousId));

      assert.deepEqual(
        await other.events(),
        later.map((event) => heardByGuest(event, anonymousId)),
      );
      assert.equal((await other.snapshot()).anonymousId, anonymousId);
    }
    assert.equal((await server.calls())[REFRESH], undefined);
    assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
  });
}

/** The server ends sessions as ever, but fails to make the anonymous one. */
async function failToMint(tab) {
  const pattern = /\/auth\/(session\/refresh|signout)$/;
  await tab.page.route(pattern, async (route) => {
    const response = await route.fetch();
    // Playwright has stored the cookies already.
    await tab.page.context().clearCookies({ name: "sAnonymousToken" });
    const { "st-anonymous-front-token": _, "set-cookie": cookies, ...headers } = response.headers();
    const others = cookies.split("\n").filter((cookie) => !cookie.startsWith("sAnonymousToken="));
    await route.fulfill({ response, headers: { ...headers, "set-cookie": others.join("\n") } });
  });
  return () => tab.page.unroute(pattern);
}

const EVENTS = {
  ...Object.fromEntries(Object.entries(ENDINGS).map(([name, { events }]) => [name, events])),
  "sign-out": ["SIGN_OUT"],
};

/** The requests that may come next, and the anonymousId that each finds. */
const NEXT = {
  request: async (tab) => (await tab.fetch("/api/me")).body.anonymousId,
  // This page has heard that there is none.
  "page's question": async (tab) => {
    await tab.reload(OPTIONS);
    return (await tab.call("getAnonymousId")).value;
  },
};

const UNMADE = Object.keys(ALL_ENDINGS).flatMap((ending) =>
  Object.keys(NEXT).map((next) => ({ ending, next })),
);
for (const { ending, next } of UNMADE) {
  test(`${ending}, and no anonymous session can be made: the callback runs, there is none, and the next ${next} brings it`, async (visitor) => {
    const { tab } = await visitor.customer();
    const repaired = await failToMint(tab);

    await ALL_ENDINGS[ending](tab);

    const told = (await tab.events()).filter(({ name }) => name !== "ACCESS_TOKEN_PAYLOAD_UPDATED");
    assert.deepEqual(told, EVENTS[ending].map(heardByNobody));
    assert.deepEqual(await tab.snapshot(), { state: "none" });
    assert.deepEqual(await visitor.cookies(), COOKIES.none);

    await repaired();
    await visitor.forget();
    const anonymousId = await NEXT[next](tab);
    assert.ok(anonymousId);
    assert.deepEqual(await tab.events(), [heardByGuest("ANONYMOUS_SESSION_CREATED", anonymousId)]);
    assert.deepEqual(await server.calls(), { [next === "request" ? "GET /api/me" : REFRESH]: 1 });
    assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  });
}
