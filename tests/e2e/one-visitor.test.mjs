// Rule 10: one visitor, one anonymous session, however the first requests fall.
//
// PASSERBY_ROUNDS=200 node --test tests/e2e/one-visitor.test.mjs
// PASSERBY_SEED picks other delays.

import assert from "node:assert/strict";
import { ofRule, open } from "./support/browser.mjs";
import { SlowShop } from "./support/delay.mjs";

const SEED = Number(process.env.PASSERBY_SEED ?? 4);
/** As many on a slow machine as on a fast one. Of the variants there are `FEWER`. */
const ROUNDS = Number(process.env.PASSERBY_ROUNDS ?? 25);
const FEWER = 5;
const TABS = 3;
const CALLS = 20;

const { test: inBrowser, server } = await open(SlowShop.start(SEED));
const test = ofRule(10, inBrowser);
/** The options for anonymous sessions that an app may give, with a server that makes them. */
const APPS = {
  "names them": { anonymous: {} },
  "does not name them": {},
  "names them, in header mode": { anonymous: {}, tokenTransferMethod: "header" },
};
const OPTIONS = APPS["names them"];

const only = (values) => {
  const different = [...new Set(values)];
  assert.equal(different.length, 1, `${different}`);
  return different[0];
};

/**
 * The one session there is, after `tabs` had these ids from answers: made once, stored, and known
 * in each tab.
 */
async function assertOne(visitor, tabs, ids) {
  const anonymousId = only(ids);
  assert.deepEqual(server.minted, [anonymousId]);
  await assertStored(visitor, tabs, anonymousId);
}

async function assertStored(visitor, tabs, anonymousId) {
  const known = await Promise.all(tabs.map((tab) => tab.snapshot()));
  assert.deepEqual(
    known.map((snapshot) => snapshot.anonymousId),
    tabs.map(() => anonymousId),
  );
  const token =
    (await visitor.cookie("sAnonymousToken")) ?? (await visitor.cookie("st-anonymous-token"));
  const payload = token.split(".")[1];
  assert.equal(JSON.parse(Buffer.from(payload, "base64url")).anonymousId, anonymousId);
}

/** Forgets the visitor: the tabs are those of somebody new. */
async function renew(visitor, tabs, options = OPTIONS) {
  await visitor.context.clearCookies();
  await Promise.all(tabs.map((tab) => tab.reload(options)));
  await visitor.forget();
}

/**
 * First calls of a tab, all at once: requests of both kinds, and in every second round questions
 * among them. The ids that they came to.
 */
const firstCalls = (tab, round) =>
  tab.run(
    ([count, asks]) =>
      Promise.all(
        Array.from({ length: count }, (_, index) =>
          asks && index % 5 === 0
            ? passerby.getAnonymousId()
            : harness[index % 2 ? "request" : "xhr"]("/api/me").then(
                ({ body }) => body.anonymousId,
              ),
        ),
      ),
    [CALLS, round % 2 === 1],
  );

/** Rounds of first calls in all tabs, while `goesOn` of the number of the round. */
async function play(visitor, options, goesOn) {
  const tabs = await Promise.all(Array.from({ length: TABS }, () => visitor.tab()));
  for (let round = 0; goesOn(round); round++) {
    await renew(visitor, tabs, options);
    const ids = (await Promise.all(tabs.map((tab) => firstCalls(tab, round)))).flat();
    assert.equal(ids.length, TABS * CALLS);
    await assertOne(visitor, tabs, ids);
    const events = await Promise.all(tabs.map((tab) => tab.eventNames()));
    assert.deepEqual(events.flat(), ["ANONYMOUS_SESSION_CREATED"]);
  }
}

/** As in pages that are no secure context. */
const withoutLocks = ({ context }) =>
  context.addInitScript(() =>
    Object.defineProperty(Navigator.prototype, "locks", { value: undefined }),
  );

const CROWD = `${TABS} tabs with ${CALLS} first calls each`;

test(
  `${CROWD}, and a server that takes its time: one session`,
  async (visitor, t) => {
    const start = Date.now();
    let rounds = 0;
    t.after(() =>
      t.diagnostic(
        `${rounds} rounds in ${((Date.now() - start) / 1000).toFixed(1)} s, seed ${SEED}`,
      ),
    );
    await play(visitor, OPTIONS, (round) => {
      rounds = round;
      return round < ROUNDS;
    });
  },
  {},
  ROUNDS * 10_000,
);

for (const [what, options] of Object.entries(APPS)) {
  if (options !== OPTIONS) {
    test(
      `${CROWD}, of an app that ${what}: one session`,
      async (visitor) => {
        await play(visitor, options, (round) => round < FEWER);
      },
      {},
      60_000,
    );
  }

  test(
    `${CROWD}, in a browser that has no locks, of an app that ${what}: one session`,
    async (visitor) => {
      await withoutLocks(visitor);
      await play(visitor, options, (round) => round < FEWER);
      const tab = await visitor.tab();
      await tab.page.waitForFunction(async () => !(await indexedDB.databases()).length);
    },
    {},
    60_000,
  );
}

test(`${CALLS} first requests, when the question whether there is a session failed: one session`, async (visitor, t) => {
  t.after(() => (server.fails = undefined));
  const tab = await visitor.tab(APPS["does not name them"]);
  server.fails = ({ url }) => url === "/auth/session/refresh";
  const ids = (await tab.fetchAll(CALLS, "/api/me")).map(({ body }) => body.anonymousId);
  await assertOne(visitor, [tab], ids);
  assert.equal(
    (await server.calls())["POST /auth/session/refresh"],
    undefined,
    "it came to the server",
  );
});

test("a visitor who left before the answer and comes back later: the same session", async (visitor, t) => {
  const { held, release } = holdFirst(true);
  t.after(() => {
    release();
    server.hold = undefined;
  });
  const tab = await visitor.tab(OPTIONS);
  const lost = tab.fetch("/api/me").catch(() => "the page is gone");
  await held;
  await tab.page.close();
  assert.equal(await lost, "the page is gone");
  const { body } = await (await visitor.tab(OPTIONS)).fetch("/api/me");
  assert.equal(server.minted.length, 2);
  assert.equal(only(server.minted), body.anonymousId);
});

test("two visitors of one browser, one after the other: two sessions", async (visitor) => {
  const tab = await visitor.tab(OPTIONS);
  const { body: first } = await tab.fetch("/api/me");
  await renew(visitor, [tab]);
  const { body: second } = await tab.fetch("/api/me");
  assert.notEqual(first.anonymousId, second.anonymousId);
});

/** How much there is in the storage that all tabs share. */
const storedByApp = (tab) => tab.run(() => localStorage.length);

/** Holds the first request to the API at the proxy, before or after it was with the server. */
function holdFirst(isOnItsWayBack) {
  let release;
  const released = new Promise((done) => (release = done));
  const held = new Promise((arrived) => {
    let isFirst = true;
    server.hold = async (_, isAnswer) => {
      if (isAnswer !== isOnItsWayBack || !isFirst) return;
      isFirst = false;
      arrived();
      await released;
    };
  });
  return { held, release };
}

const RELOADS = Object.keys(APPS).flatMap((what) =>
  [false, true].flatMap((isOnItsWayBack) =>
    [false, true].map((hasLocks) => ({ what, isOnItsWayBack, hasLocks })),
  ),
);
for (const { what, isOnItsWayBack, hasLocks } of RELOADS) {
  const when = isOnItsWayBack
    ? "while the first answer is on its way"
    : "before the first request is with the server";
  const where = hasLocks ? "" : ", in a browser that has no locks";
  test(`a page reloaded ${when}${where}, of an app that ${what}: one session, in this tab and in one that waited`, async (visitor, t) => {
    t.after(() => (server.hold = undefined));
    if (!hasLocks) await withoutLocks(visitor);
    const options = APPS[what];
    const [tab, other] = [await visitor.tab(options), await visitor.tab(options)];
    const { held, release } = holdFirst(isOnItsWayBack);
    const lost = tab.fetch("/api/me").catch(() => "the page is gone");
    await held;
    const waiting = other.fetchAll(5, "/api/me");

    await tab.reload(options);
    const again = tab.fetchAll(5, "/api/me");
    release();

    assert.equal(await lost, "the page is gone");
    const ids = [...(await waiting), ...(await again)].map(({ body }) => body.anonymousId);
    await assertStored(visitor, [tab, other], only(ids));
    // The lost answer had the same id as the one that the page got when it asked again.
    assert.equal(server.minted.length, isOnItsWayBack ? 2 : 1);
    assert.equal(only(server.minted), ids[0]);
    assert.equal(await storedByApp(tab), 0);
    const events = await Promise.all([tab, other].map((tab) => tab.eventNames()));
    assert.deepEqual(events.flat(), ["ANONYMOUS_SESSION_CREATED"]);
  });
}

test("a component that is mounted twice, as by React's StrictMode, and starts the SDK each time: one session", async (visitor) => {
  const tab = await visitor.tab();
  const ids = await tab.run(() => {
    const mount = () => {
      harness.start({ anonymous: {} });
      return harness.request("/api/me");
    };
    return Promise.all([mount(), mount()]).then((answers) =>
      answers.map(({ body }) => body.anonymousId),
    );
  });
  await assertOne(visitor, [tab], ids);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
});

test("and one that cleans up in between", async (visitor) => {
  const tab = await visitor.tab();
  const ids = await tab.run(() => {
    const mount = () => {
      harness.start({ anonymous: {} });
      return harness.request("/api/me");
    };
    const first = mount();
    passerby.dispose();
    return Promise.all([first, mount()]).then((answers) =>
      answers.map(({ body }) => body.anonymousId),
    );
  });
  await assertOne(visitor, [tab], ids);
});

test("two instances of the script in one page: one session, and neither waits for the other in vain", async (visitor) => {
  const tab = await visitor.tab();
  const { ids, elapsed } = await tab.run(async () => {
    const instances = await Promise.all([
      import("/passerby.js?first"),
      import("/passerby.js?second"),
    ]);
    for (const { init } of instances) init({ apiDomain: location.origin, anonymous: {} });
    const start = performance.now();
    const answers = await Promise.all(Array.from({ length: 5 }, () => harness.request("/api/me")));
    const elapsed = performance.now() - start;
    const known = instances.map(({ getSnapshot }) => getSnapshot().anonymousId);
    return { ids: [...answers.map(({ body }) => body.anonymousId), ...known], elapsed };
  });
  await assertOne(visitor, [], ids);
  // A lock that one has and the other wants would cost its time-out.
  assert.ok(elapsed < 5_000, `${elapsed} ms`);
});

test("two instances of the script, and a customer whose token expires: one refresh", async (visitor) => {
  const tab = await visitor.tab();
  await tab.run(async () => {
    const instances = await Promise.all([
      import("/passerby.js?first"),
      import("/passerby.js?second"),
    ]);
    for (const { init } of instances) init({ apiDomain: location.origin, anonymous: {} });
  });
  await tab.signIn("Ada");
  await tab.expire();
  await visitor.forget();
  const answers = await tab.fetchAll(5, "/api/account");
  assert.equal(only(answers.map(({ status }) => status)), 200);
  assert.equal((await server.calls())["POST /auth/session/refresh"], 1);
});
