// Answers that come late, over the whole way: the browser stores their cookies when they arrive,
// and what the SDK says has to be what the server sees. Orders by the thousand are tried in
// `simulator/`.

import assert from "node:assert/strict";
import { COOKIES, open } from "./support/browser.mjs";
import { SlowShop } from "./support/delay.mjs";

const { test, server } = await open(SlowShop.start(1));
const REFRESH = "/auth/session/refresh";
const SIGN_OUT = "/auth/signout";
const OPTIONS = { anonymous: {} };

/**
 * Lets everything pass at once, but for the answers to this path: the first `count` of them wait
 * for `release`.
 */
function holdAnswers(t, path, count = 1) {
  let release;
  const released = new Promise((done) => (release = done));
  let left = count;
  const held = new Promise((arrived) => {
    server.hold = async ({ url }, isAnswer) => {
      if (!isAnswer || url !== path || left === 0) return;
      left -= 1;
      if (left === 0) arrived();
      await released;
    };
  });
  t.after(() => {
    release();
    server.hold = undefined;
  });
  return { held, release };
}

/** The same of the first request to this path. */
function holdRequests(t, path) {
  let release;
  const released = new Promise((done) => (release = done));
  const held = new Promise((arrived) => {
    server.hold = async ({ url }, isAnswer) => {
      if (isAnswer || url !== path) return;
      arrived();
      await released;
    };
  });
  t.after(() => {
    release();
    server.hold = undefined;
  });
  return { held, release };
}

/** The visitor whom the server sees in this tab's next request, and whom the SDK tells of. */
async function seenAndTold(tab) {
  const { body } = await tab.fetch("/api/me");
  const { state, userId, anonymousId } = await tab.snapshot();
  const kind = state === "authenticated" ? "user" : state;
  return { seen: body, told: { kind, anonymousId, ...(userId && kind === "user" && { userId }) } };
}

/** A question that the SDK asks by itself is answered by then. */
const quiet = () => new Promise((done) => setTimeout(done, 500));

async function assertTold(tabs, expected) {
  await quiet();
  for (const tab of tabs) {
    const { seen, told } = await seenAndTold(tab);
    assert.deepEqual(told, seen, "the SDK says what the server sees");
    assert.deepEqual({ ...seen, ...expected }, seen);
  }
}

/** Two tabs of Ada. */
async function twoTabs(visitor) {
  const { tab, anonymousId } = await visitor.customer("Ada");
  return { tab, other: await visitor.tab(OPTIONS), anonymousId };
}

/**
 * Answers about Ada's session that the other tab waits for while Grace signs in: how each comes
 * about.
 */
const LATE = {
  "a refresh of Ada's session": {
    path: REFRESH,
    begin: (tab) => tab.call("attemptRefreshingSession"),
  },
  "a refused refresh of Ada's revoked session": {
    path: REFRESH,
    before: (tab) => tab.post("/api/demo/revoke"),
    begin: (tab) => tab.call("attemptRefreshingSession"),
  },
  "a refusal of Ada's revoked session": {
    path: "/api/account",
    before: (tab) => tab.post("/api/demo/revoke"),
    begin: (tab) => tab.fetch("/api/account"),
  },
  "an answer of the API to Ada": {
    path: "/api/account",
    begin: (tab) => tab.fetch("/api/account"),
  },
};

for (const [what, { path, before, begin }] of Object.entries(LATE)) {
  test(`${what} that comes after Grace's login does not undo it: SDK and server say Grace`, async (visitor, t) => {
    const { tab, other } = await twoTabs(visitor);
    await before?.(tab);
    const { held, release } = holdAnswers(t, path);
    const late = begin(other);
    await held;
    assert.equal((await tab.signIn("Grace")).status, 200);
    // By then the other tab has heard of it. No tab can undo cookies that come in the same moment.
    await quiet();
    release();
    await late;

    await assertTold([tab, other], { kind: "user", userId: "grace" });
    await tab.expire();
    await assertTold([other, tab], { kind: "user", userId: "grace" });
    visitor.takeProblems();
  });
}

const SESSIONS_OF_SIGN_OUTS = {
  "as another user": "Grace",
  "as the same user": "Ada",
};
for (const [how, name] of Object.entries(SESSIONS_OF_SIGN_OUTS)) {
  test(`a sign-out that is answered after a login ${how} in another tab ends its own session and no other`, async (visitor, t) => {
    const { tab, other, anonymousId } = await twoTabs(visitor);
    const { held, release } = holdAnswers(t, SIGN_OUT);
    const signedOut = other.call("signOut");
    await held;
    assert.equal((await tab.signIn(name)).status, 200);
    // It does not wait for an answer whose cookies would go by their names.
    assert.equal((await signedOut).error, undefined);
    assert.equal((await other.eventNames()).filter((event) => event === "SIGN_OUT").length, 1);
    // The browser's process for the network hears of that in its own time.
    await quiet();
    release();

    await assertTold([other, tab], { kind: "user", userId: name.toLowerCase(), anonymousId });
    await tab.expire();
    await assertTold([tab, other], { kind: "user", userId: name.toLowerCase(), anonymousId });
    visitor.takeProblems();
  });
}

test("a sign-out whose session the browser no longer has leaves the one that it has", async (visitor, t) => {
  const { tab, other } = await twoTabs(visitor);
  const { held, release } = holdRequests(t, SIGN_OUT);
  const signedOut = other.call("signOut");
  await held;
  assert.equal((await tab.signIn("Grace")).status, 200);
  assert.equal((await signedOut).error, undefined);
  await quiet();
  // The server gets it after the login, or no more.
  release();

  await assertTold([other, tab], { kind: "user", userId: "grace" });
  visitor.takeProblems();
});

for (const order of ["in one moment", "in the order of the requests", "the other way round"]) {
  test(`two tabs sign in as two people, and are answered ${order}: SDK and server say the same`, async (visitor, t) => {
    const { tab } = await visitor.guest();
    const other = await visitor.tab(OPTIONS);
    const releases = [];
    const bothHeld = new Promise((arrived) => {
      server.hold = async ({ url }, isAnswer) => {
        if (!isAnswer || url !== "/api/login") return;
        await new Promise((done) => {
          releases.push(done);
          if (releases.length === 2) arrived();
        });
      };
    });
    t.after(() => (server.hold = undefined));
    const first = tab.signIn("Ada");
    while (!releases.length) await new Promise((done) => setTimeout(done, 5));
    const second = other.signIn("Grace");
    await bothHeld;
    const [ofFirst, ofSecond] = releases;
    if (order === "the other way round") {
      ofSecond();
      await second;
    }
    ofFirst();
    if (order === "in the order of the requests") await first;
    ofSecond();
    const answers = await Promise.all([first, second]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200],
    );

    await assertTold([tab, other], { kind: "user" });
    await assertTold([other, tab], { kind: "user" });
    visitor.takeProblems();
  });
}

const REFUSALS = {
  "a request that needs the user": (tab) => tab.fetch("/api/account"),
  "a refresh": (tab) => tab.call("attemptRefreshingSession"),
};
for (const [what, refuse] of Object.entries(REFUSALS)) {
  test(`SIGN_OUT is told where the user signs out, though ${what} of another tab is refused first`, async (visitor, t) => {
    const { tab, other, anonymousId } = await twoTabs(visitor);
    const { held, release } = holdAnswers(t, SIGN_OUT);
    const signedOut = tab.call("signOut");
    await held;
    await refuse(other);
    release();
    assert.equal((await signedOut).error, undefined);

    const ends = (await tab.eventNames()).filter((name) => /^(SIGN_OUT|UNAUTHORISED)/.test(name));
    assert.deepEqual(ends, ["SIGN_OUT"]);
    await assertTold([tab, other], { kind: "anonymous", anonymousId });
  });
}

test("a guest's cookie that comes back after the login goes with the next answer, and its cart is not given again", async (visitor, t) => {
  const { tab } = await visitor.guest();
  const other = await visitor.tab(OPTIONS);
  await tab.post("/api/cart", { productId: "fern", quantity: 2 });
  const { held, release } = holdAnswers(t, "/api/cart");
  const late = other.post("/api/cart", { productId: "fern", quantity: 3 });
  await held;
  assert.equal((await tab.signIn("Ada")).status, 200);
  release();
  await late;

  await assertTold([other, tab], { kind: "user", userId: "ada" });
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
  await tab.post("/api/demo/revoke");
  await tab.fetch("/api/account");
  const { body } = await tab.fetch("/api/cart");
  assert.deepEqual(body.lines, [], JSON.stringify(body));
});

const DURING = {
  "before the login is with the server": (request, isAnswer) =>
    !isAnswer && request.url === "/api/login",
  "while the login's answer is on its way": (request, isAnswer) =>
    isAnswer && request.url === "/api/login",
};
for (const [when, isHeld] of Object.entries(DURING)) {
  test(`forgetAnonymousId ${when}: the old id is gone for good, or the call rejects`, async (visitor, t) => {
    const { tab, anonymousId } = await visitor.guest();
    const other = await visitor.tab(OPTIONS);
    let release;
    const released = new Promise((done) => (release = done));
    const held = new Promise((arrived) => {
      server.hold = async (request, isAnswer) => {
        if (!isHeld(request, isAnswer)) return;
        arrived();
        await released;
      };
    });
    t.after(() => {
      release();
      server.hold = undefined;
    });
    const login = tab.signIn("Ada");
    await held;
    const forgetting = other.call("forgetAnonymousId");
    await new Promise((done) => setTimeout(done, 500));
    release();
    await login;
    const { error } = await forgetting;
    // The SDK asks once more by itself where the login brought the id back.
    await quiet();

    const { body } = await tab.fetch("/api/me");
    await tab.call("signOut");
    const after = await tab.fetch("/api/me");
    const isGone = body.anonymousId !== anonymousId && after.body.anonymousId !== anonymousId;
    assert.ok(
      error ?? isGone,
      `${JSON.stringify(body)}, and after the sign-out ${JSON.stringify(after.body)}`,
    );
    visitor.takeProblems();
  });
}

test("an anonymous session that the browser refuses to store is not told as made", async (visitor) => {
  const tab = await visitor.tab(OPTIONS);
  const large = Buffer.from(
    JSON.stringify({
      uid: "G-1",
      ate: Date.now() + 3_600_000,
      up: {
        iat: Math.floor(Date.now() / 1000),
        anonymousId: "1",
        isAnonymous: true,
        large: "x".repeat(4000),
      },
    }),
  ).toString("base64");
  await tab.page.route("**/api/me", (route) =>
    route.fulfill({
      json: {},
      headers: { "st-anonymous-front-token": large, "front-token": "remove" },
    }),
  );
  // The question in the callback would bring a session that can be stored.
  await tab.page.route("**/session/refresh", (route) =>
    route.fulfill({ status: 401, json: { message: "unauthorised" } }),
  );
  assert.equal((await tab.fetch("/api/me")).status, 200);
  assert.equal((await tab.eventNames()).includes("ANONYMOUS_SESSION_CREATED"), false);
  assert.notEqual((await tab.snapshot()).state, "anonymous");
  assert.match(visitor.takeProblems().join(), /sAnonymousFrontToken/);
});
