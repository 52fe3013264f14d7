// Rule 14: against a back end that knows nothing of anonymous sessions, an endpoint of the app
// makes them, and all else is as ever.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { exportSPKI } from "jose";
import { BackEnd, ENDPOINT, KEY_SET, idOf, makeKey } from "./support/back-end.mjs";
import { ofRule, open } from "./support/browser.mjs";
import { heardByGuest, heardByNobody } from "./support/page.mjs";

const { test: inBrowser, server } = await open(BackEnd.start());

const test = ofRule(14, (name, run) =>
  inBrowser(name, (...world) => {
    server.reset();
    return run(...world);
  }),
);

const OPTIONS = { anonymous: { endpoint: ENDPOINT } };
/** The same with tokens that are verified in the browser. */
const CHECKED = { anonymous: { endpoint: ENDPOINT, jwks: KEY_SET } };

const REFRESH = "POST /auth/session/refresh";
const CREATION = `POST ${ENDPOINT}`;
const KEYS = `GET ${KEY_SET}`;
const ME = "GET /api/me";

const ANONYMOUS_COOKIES = ["st-anonymous-token", "st-last-access-token-update"];

const sent = () => server.requests.map(({ method, path }) => `${method} ${path}`);
const creations = () => server.calls()[CREATION] ?? 0;
const storedToken = (visitor) => visitor.cookie("st-anonymous-token");
const failing = (_, response) => response.status(500).json({ message: "later" });
const unreachable = (request) => request.socket.destroy();

/** The cookies that a visit of former times left in the browser. */
async function plant(visitor, token) {
  const values = { "st-anonymous-token": token, "st-last-access-token-update": "1" };
  await visitor.context.addCookies(
    Object.entries(values).map(([name, value]) => ({
      name,
      value,
      url: server.origin,
      sameSite: "Lax",
    })),
  );
}

async function loseAnonymousToken(visitor) {
  await visitor.context.clearCookies({ name: "st-anonymous-token" });
}

// --- making it ---

test("a first visit: one refresh call as the peer's, one creation call, and then the request with the token", async (visitor) => {
  const tab = await visitor.tab(OPTIONS);

  const { status, body } = await tab.fetch("/api/me");

  const anonymousId = idOf(await storedToken(visitor));
  assert.equal(status, 200);
  assert.deepEqual(body, { kind: "anonymous", anonymousId });
  assert.deepEqual(sent(), [REFRESH, CREATION, ME]);
  assert.equal(server.requests[2].authorization, `Bearer ${await storedToken(visitor)}`);
  assert.deepEqual(await tab.events(), [heardByGuest("ANONYMOUS_SESSION_CREATED", anonymousId)]);
  assert.deepEqual(Object.keys(await visitor.cookies()).sort(), ANONYMOUS_COOKIES);
  assert.deepEqual(await tab.call("isAnonymous"), { value: true });
  assert.deepEqual(await tab.call("getAnonymousId"), { value: anonymousId });
  assert.deepEqual(await tab.call("getUserId"), { value: `G-${anonymousId}` });
  assert.deepEqual(await tab.call("getAccessToken"), { value: await storedToken(visitor) });
  assert.equal((await tab.call("getAccessTokenPayloadSecurely")).value.anonymousId, anonymousId);
  assert.equal(server.requests.length, 3, "the questions cost nothing");
});

test("a question makes it, too", async (visitor) => {
  const tab = await visitor.tab(OPTIONS);
  assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
  assert.deepEqual(sent(), [REFRESH, CREATION]);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
});

test("twenty parallel first requests in each of three tabs: one refresh call, one creation call, one event", async (visitor) => {
  const tabs = await Promise.all([1, 2, 3].map(() => visitor.tab(OPTIONS)));

  const answers = (await Promise.all(tabs.map((tab) => tab.fetchAll(20, "/api/me")))).flat();

  assert.deepEqual(server.calls(), { [REFRESH]: 1, [CREATION]: 1, [ME]: 60 });
  assert.deepEqual(
    [...new Set(answers.map(({ body }) => body.anonymousId))],
    [idOf(await storedToken(visitor))],
  );
  const events = await Promise.all(tabs.map((tab) => tab.eventNames()));
  assert.deepEqual(events.flat(), ["ANONYMOUS_SESSION_CREATED"]);
});

test("a returning visitor keeps it, without any call of ours", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest(OPTIONS);
  await tab.reload(OPTIONS);
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
  assert.deepEqual(server.calls(), { [ME]: 1 });
  assert.deepEqual(await tab.eventNames(), []);
});

test("a request with an Authorization header of the app's own keeps it", async (visitor) => {
  const { tab } = await visitor.guest(OPTIONS);
  await tab.fetch("/api/products", { headers: { authorization: "Basic abc" } });
  assert.equal(server.requests[0].authorization, "Basic abc");
});

// --- signing in, and out, one way or another ---

test("a login keeps the token to return to; the customer's requests go without it", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest(OPTIONS);
  const token = await storedToken(visitor);

  assert.equal((await tab.signIn("Ada")).status, 200);

  assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED"]);
  assert.deepEqual(await tab.call("isAnonymous"), { value: false });
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "user", userId: "ada" });
  assert.equal(server.requests.at(-1).authorization, undefined);
  assert.equal(await storedToken(visitor), token);

  await visitor.forget();
  assert.deepEqual(await tab.call("signOut"), { value: undefined });
  assert.deepEqual(await tab.events(), [heardByGuest("SIGN_OUT", anonymousId)]);
  assert.equal(await storedToken(visitor), token);
  assert.equal(creations(), 0);
});

test("an expired access token is refreshed with the refresh token, and not with the visitor's", async (visitor) => {
  const { tab } = await visitor.returningCustomer("Ada", OPTIONS);
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.deepEqual(sent(), ["GET /api/account", REFRESH, "GET /api/account"]);
  assert.equal(
    server.requests[1].authorization,
    undefined,
    "a stock back end looks at the header first",
  );
  assert.equal((await tab.snapshot()).state, "authenticated");
});

test("a customer's lost front token is recovered with the refresh token, and not with the visitor's", async (visitor) => {
  const { tab } = await visitor.customer("Ada", OPTIONS);
  for (const name of ["sFrontToken", "st-last-access-token-update"]) {
    await visitor.context.clearCookies({ name });
  }
  assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
  assert.equal((await tab.snapshot()).userId, "ada");
});

for (const way of ["fetch", "getAnonymousId"]) {
  test(`what else scripts keep is lost: the visitor's token is left, and so is the id, by ${way}`, async (visitor) => {
    const { tab, anonymousId } = await visitor.guest(OPTIONS);
    await visitor.context.clearCookies({ name: "st-last-access-token-update" });
    if (way === "fetch")
      assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
    assert.deepEqual(await tab.call("getAnonymousId"), { value: anonymousId });
    assert.deepEqual(server.calls(), { [REFRESH]: 1, ...(way === "fetch" && { [ME]: 1 }) });
  });
}

/** How a session ends on the back end, with the events that tell. */
const ENDINGS = {
  revocation: [(tab) => tab.post("/api/demo/revoke"), ["UNAUTHORISED(true)"]],
  theft: [
    async (tab) => {
      await tab.post("/auth/session/refresh/steal");
      await tab.expire();
    },
    ["TOKEN_THEFT_DETECTED", "UNAUTHORISED(true)"],
  ],
  expiry: [
    async (tab) => {
      await tab.expire();
      await tab.page.context().clearCookies({ name: "sRefreshToken" });
    },
    ["UNAUTHORISED(true)"],
  ],
};

for (const [name, [end, events]] of Object.entries(ENDINGS)) {
  test(`after ${name} the visitor is anonymous again with the same id, and was so in the callback`, async (visitor) => {
    const { tab, anonymousId } = await visitor.customer("Ada", OPTIONS);
    await end(tab);
    await visitor.forget();

    assert.equal((await tab.fetch("/api/account")).status, 401);

    assert.deepEqual(
      await tab.events(),
      events.map((event) => heardByGuest(event, anonymousId)),
    );
    assert.deepEqual(sent(), ["GET /api/account", REFRESH]);
    assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
  });

  test(`after ${name}, a token that was lost meanwhile is made anew before the callback`, async (visitor) => {
    const { tab, anonymousId } = await visitor.customer("Ada", OPTIONS);
    await loseAnonymousToken(visitor);
    await end(tab);
    await visitor.forget();

    assert.equal((await tab.fetch("/api/account")).status, 401);

    const newId = idOf(await storedToken(visitor));
    assert.notEqual(newId, anonymousId);
    assert.deepEqual(
      await tab.events(),
      events.map((event) => heardByGuest(event, newId)),
    );
    assert.deepEqual(sent(), ["GET /api/account", REFRESH, CREATION]);
  });

  for (const [how, failure] of Object.entries({
    "out of order": failing,
    "out of reach": unreachable,
  })) {
    test(`after ${name} with the endpoint ${how} the callback runs all the same, and the session comes by itself`, async (visitor) => {
      const { tab } = await visitor.customer("Ada", OPTIONS);
      await loseAnonymousToken(visitor);
      await end(tab);
      await visitor.forget();
      server.instead[ENDPOINT] = failure;

      assert.equal((await tab.fetch("/api/account")).status, 401);
      assert.deepEqual(await tab.events(), events.map(heardByNobody));

      await visitor.forget();
      delete server.instead[ENDPOINT];
      assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
      assert.deepEqual(sent(), [CREATION, ME]);
      assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
    });
  }
}

test("after revocation, with the token lost, whoever hears of it in another tab finds the new one in place", async (visitor) => {
  const { tab } = await visitor.customer("Ada", OPTIONS);
  const other = await visitor.tab(OPTIONS);
  await loseAnonymousToken(visitor);
  await ENDINGS.revocation[0](tab);
  await visitor.forget();
  const { held, release } = holdEndpoint();
  const calls = [
    tab.fetch("/api/account"),
    other.fetch("/api/account"),
    other.call("getAccessTokenPayloadSecurely"),
  ];
  await held;
  await tab.page.waitForTimeout(300);
  release();
  const [, , payload] = await Promise.all(calls);

  const anonymousId = idOf(await storedToken(visitor));
  assert.equal(payload.value?.anonymousId, anonymousId);
  const told = [...(await tab.events()), ...(await other.events())];
  assert.deepEqual(new Set(told.map((event) => event.anonymousId)), new Set([anonymousId]));
  assert.deepEqual(creations(), 1);
});

for (const hidesRemoval of [false, true]) {
  const how = hidesRemoval ? "whose header was lost" : "that says so";
  test(`a sign-out ${how} makes a lost token anew before the callback`, async (visitor) => {
    const { tab, anonymousId } = await visitor.customer("Ada", OPTIONS);
    await loseAnonymousToken(visitor);
    server.hidesRemoval = hidesRemoval;

    assert.deepEqual(await tab.call("signOut"), { value: undefined });

    const newId = idOf(await storedToken(visitor));
    assert.notEqual(newId, anonymousId);
    assert.deepEqual(await tab.events(), [heardByGuest("SIGN_OUT", newId)]);
    assert.equal(creations(), 1);
  });
}

// --- checking it ---

test("an expired token is made anew, and the endpoint is shown the old one", async (visitor) => {
  const expired = await server.sign({ validity: -1 });
  await plant(visitor, expired);
  const tab = await visitor.tab(OPTIONS);

  const { body } = await tab.fetch("/api/me");

  assert.equal(body.kind, "anonymous");
  assert.notEqual(body.anonymousId, idOf(expired));
  assert.deepEqual(sent(), [CREATION, ME]);
  assert.equal(server.requests[0].authorization, `Bearer ${expired}`);
  assert.deepEqual(await tab.events(), [
    heardByGuest("ANONYMOUS_SESSION_REPLACED", body.anonymousId),
  ]);
});

test("an endpoint that takes the id over from the expired token: same id", async (visitor) => {
  const expired = await server.sign({ validity: -1 });
  server.mint = ({ headers }) =>
    server.sign({ claims: { anonymousId: idOf(headers.authorization.split(" ")[1]) } });
  await plant(visitor, expired);
  const tab = await visitor.tab(OPTIONS);

  const answers = await tab.fetchAll(5, "/api/me");

  assert.deepEqual([...new Set(answers.map(({ body }) => body.anonymousId))], [idOf(expired)]);
  assert.equal(creations(), 1);
  assert.equal((await tab.eventNames()).includes("ANONYMOUS_SESSION_REPLACED"), false);
});

test("an expired token, and many requests in many tabs: one creation call", async (visitor) => {
  await plant(visitor, await server.sign({ validity: -1 }));
  const tabs = await Promise.all([1, 2, 3].map(() => visitor.tab(OPTIONS)));
  const answers = (await Promise.all(tabs.map((tab) => tab.fetchAll(10, "/api/me")))).flat();
  assert.deepEqual(server.calls(), { [CREATION]: 1, [ME]: 30 });
  assert.deepEqual(
    [...new Set(answers.map(({ body }) => body.anonymousId))],
    [idOf(await storedToken(visitor))],
  );
});

for (const rubbish of ["rubbish", "a.b.c", "eyJhIjoxfQ.eyJhIjoxfQ.eyJhIjoxfQ"]) {
  test(`instead of a stored token that reads ${rubbish}, a good one is made`, async (visitor) => {
    await plant(visitor, rubbish);
    const tab = await visitor.tab(OPTIONS);
    assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
    assert.equal(creations(), 1);
  });
}

for (const alg of ["RS256", "ES256"]) {
  test(`a good ${alg} token is verified with the key set, once, and kept`, async (visitor) => {
    const token = await server.sign({ alg });
    await plant(visitor, token);
    const tab = await visitor.tab(CHECKED);
    const answers = await tab.fetchAll(5, "/api/me");
    assert.deepEqual([...new Set(answers.map(({ body }) => body.anonymousId))], [idOf(token)]);
    assert.equal((await tab.fetch("/api/me")).body.anonymousId, idOf(token));
    assert.equal(creations(), 0);
    assert.equal(await storedToken(visitor), token);
  });

  test(`an endpoint that signs with ${alg} and a key set make a session`, async (visitor) => {
    server.mint = () => server.sign({ alg });
    const tab = await visitor.tab(CHECKED);
    assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
    assert.deepEqual(server.calls(), { [REFRESH]: 1, [CREATION]: 1, [KEYS]: 1, [ME]: 1 });
  });
}

const encode = (value) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** The token with another header and a signature to match. */
const resign = (token, header, signatureOf) => {
  const signed = `${encode(header)}.${token.split(".")[1]}`;
  return `${signed}.${signatureOf(signed)}`;
};

/** Tokens that nobody with the right key has signed. */
const FORGERIES = {
  "signed with another key under the right key's name": async () =>
    server.sign({ key: { ...(await makeKey("RS256")), kid: server.keys.RS256.kid } }),
  "signed with a key that is not in the set": async () =>
    server.sign({ key: await makeKey("RS256") }),
  "with the algorithm none": async () =>
    resign(await server.sign(), { alg: "none", kid: server.keys.RS256.kid }, () => ""),
  "with the algorithm none and the old signature": async () => {
    const token = await server.sign();
    return resign(token, { alg: "none", kid: server.keys.RS256.kid }, () => token.split(".")[2]);
  },
  "signed with HS256 and the public key as the secret": async () => {
    const secret = await exportSPKI(server.keys.RS256.publicKey);
    const header = { alg: "HS256", kid: server.keys.RS256.kid };
    return resign(await server.sign(), header, (text) =>
      createHmac("sha256", secret).update(text).digest("base64url"),
    );
  },
  "of RS256 that names the key for ES256": async () =>
    server.sign({ key: { ...server.keys.RS256, kid: server.keys.ES256.kid } }),
  "whose payload was changed": async () => {
    const [head, , signature] = (await server.sign()).split(".");
    const [, payload] = (await server.sign()).split(".");
    return [head, payload, signature].join(".");
  },
  "without a signature": async () => (await server.sign()).replace(/[^.]*$/, ""),
};

for (const [what, forge] of Object.entries(FORGERIES)) {
  test(`a stored token ${what} is replaced before anybody sees it`, async (visitor) => {
    const forged = await forge();
    await plant(visitor, forged);
    const tab = await visitor.tab(CHECKED);

    const { body } = await tab.fetch("/api/me");

    assert.equal(body.kind, "anonymous");
    assert.notEqual(body.anonymousId, idOf(forged));
    assert.equal(
      await storedToken(visitor),
      server.requests.at(-1).authorization.replace("Bearer ", ""),
    );
    assert.deepEqual(server.calls()[CREATION], 1);
    // A token that nobody signed was never anybody's.
    const event = forged.endsWith(".") ? "ANONYMOUS_SESSION_CREATED" : "ANONYMOUS_SESSION_REPLACED";
    assert.deepEqual(await tab.events(), [heardByGuest(event, body.anonymousId)]);
  });

  test(`a token of the endpoint ${what} is not accepted`, async (visitor) => {
    const tab = await visitor.tab(CHECKED);
    server.mint = forge;
    assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "nobody" });
    assert.equal((await tab.snapshot()).state, "none");
    assert.equal(await storedToken(visitor), undefined);
    assert.deepEqual(await tab.eventNames(), []);
  });
}

test("where nothing is verified, a token that nobody signed is not accepted all the same", async (visitor) => {
  const unsigned = (await server.sign()).replace(/[^.]*$/, "");
  for (const token of [unsigned, unsigned.slice(0, -1)]) {
    await plant(visitor, token);
    const tab = await visitor.tab(OPTIONS);
    server.mint = () => token;
    assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "nobody" });
    assert.equal(await storedToken(visitor), undefined);
  }
});

test("a forged token does not win by its age or by its id", async (visitor) => {
  const anonymousId = "5a0c2f5e-1111-4222-8333-944445555666";
  const later = Math.floor(Date.now() / 1000) + 1000;
  await plant(
    visitor,
    await server.sign({ key: await makeKey("RS256"), claims: { anonymousId, iat: later } }),
  );
  server.mint = () => server.sign({ claims: { anonymousId } });
  const tab = await visitor.tab(CHECKED);
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
  assert.equal(creations(), 1);
});

test("after a rotation the key set is fetched once more, and the new key's tokens are good", async (visitor) => {
  const { tab } = await visitor.guest(CHECKED);
  const key = await makeKey("RS256");
  server.jwks = { keys: [...server.jwks.keys, key.jwk] };
  const token = await server.sign({ key });
  await plant(visitor, token);

  const answers = await tab.fetchAll(10, "/api/me");

  assert.deepEqual([...new Set(answers.map(({ body }) => body.anonymousId))], [idOf(token)]);
  assert.deepEqual(server.calls(), { [KEYS]: 1, [ME]: 10 });
});

test("a key's name that nobody knows costs one look at the key set, not one per request", async (visitor) => {
  const { tab } = await visitor.guest(CHECKED);
  await plant(visitor, await server.sign({ key: await makeKey("RS256") }));
  await tab.fetch("/api/me");
  await tab.fetch("/api/me");
  assert.deepEqual(server.calls(), { [KEYS]: 1, [CREATION]: 1, [ME]: 2 });
});

/** How a key set can be out of reach. */
const NO_KEY_SET = {
  "cannot be reached": unreachable,
  "answers 500 with JSON": failing,
  "answers 500 with a page": (_, response) => response.status(500).send("<h1>Sorry</h1>"),
  "answers 200 with something else": (_, response) => response.json({ status: "maintenance" }),
  // The SDK gives up after a while.
  "does not answer": () => {},
};

for (const [what, answer] of Object.entries(NO_KEY_SET)) {
  test(`a key set that ${what} does not throw the visitor out, and is asked again`, async (visitor) => {
    const token = await server.sign();
    await plant(visitor, token);
    server.instead[KEY_SET] = answer;
    const tab = await visitor.tab(CHECKED);
    assert.deepEqual((await tab.fetch("/api/me")).body, {
      kind: "anonymous",
      anonymousId: idOf(token),
    });
    assert.equal(creations(), 0);
    assert.equal(await storedToken(visitor), token);

    // Once it is back, it counts again.
    delete server.instead[KEY_SET];
    await plant(visitor, await server.sign({ key: await makeKey("RS256") }));
    const { body } = await tab.fetch("/api/me");
    assert.equal(body.kind, "anonymous");
    assert.equal(creations(), 1);
  });
}

test("a token that was taken on trust is verified once the key set is back", async (visitor) => {
  const forged = await server.sign({ key: await makeKey("RS256") });
  await plant(visitor, forged);
  server.instead[KEY_SET] = unreachable;
  const tab = await visitor.tab(CHECKED);
  await tab.fetch("/api/me");
  assert.equal(creations(), 0);
  delete server.instead[KEY_SET];
  assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
  assert.notEqual(await storedToken(visitor), forged);
});

test("where the page has no SubtleCrypto, tokens are taken on trust", async (visitor) => {
  await visitor.context.addInitScript(() =>
    Object.defineProperty(crypto, "subtle", { value: undefined }),
  );
  const { tab, anonymousId } = await visitor.guest(CHECKED);
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
  assert.equal(creations(), 0);
});

// --- an endpoint out of order ---

const NO_TOKEN = {
  "cannot be reached": unreachable,
  "answers 500": failing,
  "answers with a page": (_, response) => response.send("<h1>Welcome</h1>"),
  "answers without a token": (_, response) => response.json({}),
  "answers with a number": (_, response) => response.json({ token: 42 }),
  "answers with what is no JWT": (_, response) => response.json({ token: "x.y.z" }),
  "answers 500 with a token": async (_, response) =>
    response.status(500).json({ token: await server.sign() }),
  "answers with an expired token": async (_, response) =>
    response.json({ token: await server.sign({ validity: -1 }) }),
};

for (const [what, answer] of Object.entries(NO_TOKEN)) {
  test(`an endpoint that ${what}: requests go out without a session, which comes with the next call that succeeds`, async (visitor) => {
    server.instead[ENDPOINT] = answer;
    const tab = await visitor.tab(OPTIONS);
    assert.deepEqual(await tab.fetch("/api/me"), {
      status: 200,
      path: "/api/me",
      body: { kind: "nobody" },
    });
    assert.deepEqual(await tab.call("doesSessionExist"), { value: false });
    assert.deepEqual(await tab.snapshot(), { state: "none" });
    assert.deepEqual(await tab.eventNames(), []);

    delete server.instead[ENDPOINT];
    assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
    assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  });
}

test("an endpoint out of order is called once for requests of the same moment", async (visitor) => {
  server.instead[ENDPOINT] = failing;
  const tab = await visitor.tab(OPTIONS);
  const answers = await tab.fetchAll(10, "/api/me");
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.deepEqual(server.calls(), { [REFRESH]: 1, [CREATION]: 1, [ME]: 10 });
});

test("an expired token that cannot be replaced fails no request, and is replaced later", async (visitor) => {
  const expired = await server.sign({ validity: -1 });
  await plant(visitor, expired);
  server.instead[ENDPOINT] = failing;
  const tab = await visitor.tab(OPTIONS);
  assert.equal((await tab.fetch("/api/me")).status, 200);
  assert.equal(await storedToken(visitor), expired, "the endpoint will want to see it");
  delete server.instead[ENDPOINT];
  assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_REPLACED"]);
});

test("a refresh endpoint that cannot be reached costs the first request its session, and nothing else", async (visitor) => {
  server.instead["/auth/session/refresh"] = unreachable;
  const tab = await visitor.tab(OPTIONS);
  assert.equal((await tab.fetch("/api/me")).body.kind, "nobody");
  delete server.instead["/auth/session/refresh"];
  assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
});

// --- switching ---

test("switched off from the start, the endpoint is not called; switched on, once", async (visitor) => {
  const tab = await visitor.tab({ anonymous: { ...OPTIONS.anonymous, enabled: false } });
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "nobody" });
  assert.equal(creations(), 0);

  await tab.call("setAnonymousSessions", true);
  assert.equal((await tab.snapshot()).state, "anonymous");
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.equal(creations(), 1);
});

/** Holds the endpoint's answer until `release` is called. */
function holdEndpoint(token = server.sign()) {
  let release;
  const held = new Promise((arrived) => {
    server.instead[ENDPOINT] = async (_, response) => {
      arrived();
      await new Promise((done) => (release = done));
      response.json({ token: await token });
    };
  });
  return { held, release: () => (delete server.instead[ENDPOINT], release()) };
}

test("switched off while the endpoint makes a token: it is not kept", async (visitor) => {
  const tab = await visitor.tab(OPTIONS);
  const { held, release } = holdEndpoint();
  const first = tab.fetch("/api/me");
  await held;
  const off = tab.call("setAnonymousSessions", false);
  await tab.page.waitForTimeout(100);
  release();
  assert.deepEqual((await first).body, { kind: "nobody" });
  await off;
  assert.equal((await tab.snapshot()).state, "none");
  assert.equal(await storedToken(visitor), undefined);
  assert.deepEqual(await tab.eventNames(), []);
});

test("switched off, back ends are told nothing that their CORS would not allow", async (visitor) => {
  const tab = await visitor.tab({ anonymous: { ...OPTIONS.anonymous, enabled: false } });
  const request = tab.page.waitForRequest("**/api/me");
  await tab.fetch("/api/me");
  const headers = Object.keys(await (await request).allHeaders());
  assert.deepEqual(
    headers.filter((name) => name.startsWith("st-")),
    ["st-auth-mode"],
  );
});

test("forgetting: another id, as the events say", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest(OPTIONS);
  await tab.call("forgetAnonymousId");
  const { value } = await tab.call("getAnonymousId");
  assert.notEqual(value, anonymousId);
  assert.equal(value, idOf(await storedToken(visitor)));
  assert.deepEqual(await tab.eventNames(), [
    "ANONYMOUS_SESSION_REMOVED",
    "ANONYMOUS_SESSION_CREATED",
  ]);
});

test("forgetting while the endpoint takes the old id over: another id all the same", async (visitor) => {
  const expired = await server.sign({ validity: -1 });
  await plant(visitor, expired);
  const { held, release } = holdEndpoint(server.sign({ claims: { anonymousId: idOf(expired) } }));
  const tab = await visitor.tab(OPTIONS);
  const first = tab.fetch("/api/me");
  await held;
  const forgetting = tab.call("forgetAnonymousId");
  await tab.page.waitForTimeout(100);
  release();
  await Promise.all([first, forgetting]);
  const { value } = await tab.call("getAnonymousId");
  assert.notEqual(value, idOf(expired));
  assert.equal(value, idOf(await storedToken(visitor)));
});

test("switched off, the token is forgotten, though the server says nothing", async (visitor) => {
  const { tab } = await visitor.guest(OPTIONS);
  await tab.call("setAnonymousSessions", false);
  assert.equal(await storedToken(visitor), undefined);
  assert.deepEqual(await tab.events(), [heardByNobody("ANONYMOUS_SESSION_REMOVED")]);
  assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "nobody" });
});

for (const left of ["all of it", "the token alone"]) {
  test(`switched off from the start, with ${left} left of former visits: it is forgotten, and sent to nobody`, async (visitor) => {
    await plant(visitor, await server.sign());
    if (left === "the token alone")
      await visitor.context.clearCookies({ name: "st-last-access-token-update" });
    const tab = await visitor.tab({ anonymous: { ...OPTIONS.anonymous, enabled: false } });
    assert.deepEqual((await tab.fetch("/api/me")).body, { kind: "nobody" });
    assert.equal(server.requests.at(-1).authorization, undefined);
    assert.equal(await storedToken(visitor), undefined);
  });
}
