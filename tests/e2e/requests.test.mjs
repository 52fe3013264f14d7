// The app's own requests: whatever `fetch` takes goes through and arrives whole, and requests
// to other hosts are left alone.

import assert from "node:assert/strict";
import { COOKIES, openShop } from "./support/browser.mjs";
import { record } from "./support/recorder.mjs";

const { test, server } = await openShop();

const REFRESH = "POST /auth/session/refresh";
/** The shop's policy allows requests to itself only; these tests talk to other servers as well. */
const TALKS_TO_OTHERS = { bypassCSP: true };

/** Every way to say `/api/me`; each is code that runs in the page. */
const INPUTS = {
  "a path": () => harness.request("/api/me"),
  "a relative path": () => harness.request("api/me"),
  "a path with dots": () => harness.request("./x/../api/./me"),
  "a path with white space around it": () => harness.request("  /api/me\n"),
  "a whole address": () => harness.request(location.origin + "/api/me"),
  "an address without scheme": () => harness.request(`//${location.host}/api/me`),
  "an address in capitals": () => harness.request(`HTTP://LOCALHOST:${location.port}/api/me`),
  "an address with fragment": () => harness.request("/api/me#part"),
  "a URL": () => harness.request(new URL("/api/me", location)),
  "a String object": () => harness.request(new String("/api/me")),
  "an object with toString": () => harness.request({ toString: () => "/api/me" }),
  "an anchor": () =>
    harness.request(Object.assign(document.createElement("a"), { href: "/api/me" })),
  "a Request": () => harness.request(new Request("/api/me")),
  "a Request with init": () =>
    harness.request(new Request("/api/me", { method: "POST" }), { method: "GET" }),
  "a Request as init": () => harness.request("/api/me", new Request("/elsewhere")),
  "null as init": () => harness.request("/api/me", null),
  "headers as a list": () => harness.request("/api/me", { headers: [["x-a", "1"]] }),
  "headers as Headers": () => harness.request("/api/me", { headers: new Headers({ "x-a": "1" }) }),
  "a method in small letters": () => harness.request("/api/me", { method: "get" }),
};

test("fetch takes what fetch takes", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  const seen = [];
  visitor.context.on("request", (request) => {
    if (request.url().includes("/api/me")) seen.push(request.headers().rid);
  });
  for (const [name, request] of Object.entries(INPUTS)) {
    const { status, body } = await tab.run(request);
    assert.deepEqual([status, body?.anonymousId], [200, anonymousId], name);
    assert.deepEqual(seen.splice(0), ["anti-csrf"], `${name} is intercepted`);
  }
  assert.deepEqual(await server.calls(), { "GET /api/me": Object.keys(INPUTS).length });
});

test("fetch refuses what fetch refuses, with the same errors", async (visitor) => {
  const tab = await visitor.tab();
  const attempts = () =>
    Promise.all([
      harness.request(),
      harness.request("http://["),
      harness.request(Symbol("x")),
      harness.request("/api/me", { method: "a b" }),
      harness.request("/api/me", { method: "GET", body: "x" }),
      harness.request("/api/me", { headers: { "a b": "x" } }),
      harness.request("/api/me", { mode: "navigate" }),
      harness.request("/api/me", { signal: AbortSignal.abort() }),
      harness.request("/api/me", { signal: AbortSignal.abort(new RangeError("my reason")) }),
    ]);
  const before = await tab.run(attempts);
  await tab.init({ anonymous: {} });
  assert.equal((await tab.fetch("/api/me")).status, 200);
  const after = await tab.run(attempts);
  assert.deepEqual(
    after.map(({ error }) => error),
    before.map(({ error }) => error),
  );
  assert.deepEqual(await server.calls(), { "GET /api/me": 1 });
});

test("a request can be aborted while it waits for the refresh", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  let answer;
  const asked = new Promise((asked) => {
    void tab.page.route("**/auth/session/refresh", (route) => {
      answer = () => route.continue();
      asked();
    });
  });
  await tab.run(() => {
    window.abort = new AbortController();
    window.outcome = harness.request("/api/account", { signal: abort.signal });
  });
  await asked;
  await tab.run(() => window.abort.abort());
  await answer();
  assert.equal((await tab.run(() => window.outcome)).error, "AbortError");
  // The work that others wait for went on. A request that came before its answer would be sent
  // twice.
  await tab.page.waitForFunction(() => passerby.getSnapshot().expiresAt > Date.now());
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.deepEqual(await server.calls(), { "GET /api/account": 2, [REFRESH]: 1 });
});

/** Bodies that must arrive twice, and whole; each is code that runs in the page. */
const BODIES = {
  "a string": (url) => harness.request(url, { method: "POST", body: "ä\u{1f335}" }),
  "a Blob": (url) =>
    harness.request(url, { method: "POST", body: new Blob(["ab", "c"], { type: "text/x" }) }),
  URLSearchParams: (url) =>
    harness.request(url, { method: "POST", body: new URLSearchParams({ a: "1", b: "ä&" }) }),
  bytes: (url) => harness.request(url, { method: "POST", body: new Uint8Array([65, 66, 0, 67]) }),
  "a Request with a string": (url) =>
    harness.request(new Request(url, { method: "POST", body: "text" })),
  "a Request with a Blob": (url) =>
    harness.request(new Request(url, { method: "POST", body: new Blob(["blob"]) })),
  "a Request with FormData": (url) => {
    const form = new FormData();
    form.set("name", "Ada");
    form.set("file", new File(["content"], "plant.txt"));
    return harness.request(new Request(url, { method: "POST", body: form }));
  },
  FormData: (url) => {
    const form = new FormData();
    form.set("name", "Ada");
    form.set("file", new File(["content"], "plant.txt"));
    return harness.request(url, { method: "POST", body: form });
  },
};

test(
  "bodies arrive whole, before and after a refresh",
  async (visitor, t) => {
    const api = await record(t, "localhost");
    const { tab } = await visitor.customer();
    for (const [name, request] of Object.entries(BODIES)) {
      api.refusals = 1;
      api.requests.splice(0);
      await visitor.forget();

      const { status, body } = await tab.run(request, api.url);

      const [first, second, ...more] = api.requests.filter(({ method }) => method !== "OPTIONS");
      assert.equal(status, 200, name);
      assert.deepEqual(more, []);
      assert.ok(first.body.length >= 3, `${name}: ${first.body}`);
      // Each attempt of a form has a boundary of its own.
      const normal = (text) => text.replace(/-{4}WebKitFormBoundary\w+/g, "boundary");
      assert.equal(normal(second.body), normal(first.body), name);
      assert.equal(body, second.body);
      assert.equal(
        normal(second.headers["content-type"] ?? ""),
        normal(first.headers["content-type"] ?? ""),
        `${name}: the same type`,
      );
      assert.deepEqual(await server.calls(), { [REFRESH]: 1 }, name);
    }
  },
  TALKS_TO_OTHERS,
);

test(
  "a Request with a body can be sent once more by the app, as its clone",
  async (visitor, t) => {
    const api = await record(t, "localhost");
    const { tab } = await visitor.customer();
    api.refusals = 1;
    const answers = await tab.run(async (url) => {
      const request = new Request(url, { method: "POST", body: new Blob(["once"]) });
      const copy = request.clone();
      return [await harness.request(request), await harness.request(copy)];
    }, api.url);
    assert.deepEqual(
      answers.map(({ status, body }) => [status, body]),
      [
        [200, "once"],
        [200, "once"],
      ],
    );
  },
  TALKS_TO_OTHERS,
);

test("a stream that can be read once only: the refresh is made, the refusal handed over, nothing hangs", async (visitor) => {
  const { tab } = await visitor.customer();
  // Chromium sends streams by HTTP/2 only; the answer is given before it comes to that.
  await tab.page.route("**/api/stream", (route) =>
    route.fulfill({ status: 401, json: { message: "try refresh token" } }),
  );
  const { status, body } = await tab.run(() =>
    harness.request("/api/stream", {
      method: "POST",
      duplex: "half",
      body: new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode("once"));
          controller.close();
        },
      }),
    }),
  );
  assert.deepEqual([status, body], [401, { message: "try refresh token" }]);
  assert.deepEqual(visitor.takeProblems(), [
    "The session was refreshed, but a stream cannot be sent again",
  ]);
  assert.deepEqual(await server.calls(), { [REFRESH]: 1 });
  await visitor.forget();
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.deepEqual(await server.calls(), { "GET /api/account": 1 });
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});

test("a stream over HTTP/1 fails as without the SDK", async (visitor) => {
  const tab = await visitor.tab();
  const send = () =>
    harness.request("/api/cart", {
      method: "POST",
      duplex: "half",
      body: new Blob(["{}"]).stream(),
    });
  const before = await tab.run(send);
  await tab.init({ anonymous: {} });
  assert.deepEqual(await tab.run(send), before);
  assert.equal(before.error, "TypeError");
  assert.equal((await tab.fetch("/api/me")).status, 200);
});

test(
  "a request to another origin is not touched",
  async (visitor, t) => {
    const stranger = await record(t, "127.0.0.1");
    const { tab } = await visitor.returningCustomer();
    stranger.refusals = 1;

    const refused = await tab.fetch(stranger.url);
    const posted = await tab.fetch(stranger.url, { method: "POST", body: "text" });

    assert.equal(refused.status, 401, "its refusals are its own affair");
    assert.deepEqual([posted.status, posted.body], [200, "text"]);
    // There was no preflight, so no header was added that needs one. And no credentials were added:
    // with them, the page could not have read this server's answer.
    assert.deepEqual(
      stranger.requests.map(({ method }) => method),
      ["GET", "POST"],
    );
    for (const { headers } of stranger.requests) {
      for (const name of [
        "rid",
        "st-auth-mode",
        "anti-csrf",
        "authorization",
        "cookie",
        "fdi-version",
      ]) {
        assert.equal(headers[name], undefined, name);
      }
    }
    assert.deepEqual(await server.calls(), {});
    assert.deepEqual(await tab.eventNames(), []);
  },
  TALKS_TO_OTHERS,
);

test("a request marked as not ours is not touched", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  const [request, { status }] = await Promise.all([
    visitor.context.waitForEvent("request"),
    tab.fetch("/api/account#superTokensDoNotDoInterception"),
  ]);
  assert.equal(status, 401);
  assert.equal(request.headers().rid, undefined);
  assert.deepEqual(await server.calls(), { "GET /api/account": 1 });
  assert.deepEqual(await tab.eventNames(), []);
});

test(
  "an address is resolved before it is judged: what is not ours gets nothing, and a dot makes no stranger",
  async (visitor, t) => {
    const stranger = await record(t, "127.0.0.1");
    const { tab } = await visitor.customer("Ada", { anonymous: {}, tokenTransferMethod: "header" });
    const { host } = new URL(stranger.url);
    await tab.fetch(`//${host}/x`);
    await tab.fetch(`///${host}/x`);
    await tab.xhr(`//${host}/x`);
    for (const { headers, method } of stranger.requests) {
      assert.equal(method, "GET", "no permission was asked for");
      for (const name of ["rid", "st-auth-mode", "anti-csrf", "authorization", "cookie"])
        assert.equal(headers[name], undefined, name);
    }
    assert.equal(stranger.requests.length, 3);

    const seen = new Map();
    visitor.context.on("request", (request) =>
      seen.set(request.url().replace(server.origin, ""), request.headers().rid),
    );
    await tab.run(async () => {
      const blob = URL.createObjectURL(new Blob(["x"]));
      for (const url of [
        blob,
        "data:text/plain,x",
        "data.json",
        "./a.b",
        "api/me?next=superTokensDoNotDoInterception",
      ])
        await fetch(url);
    });
    for (const [url, rid] of seen)
      assert.equal(rid, /^(blob|data):/.test(url) ? undefined : "anti-csrf", url);
    assert.deepEqual(
      [...seen.keys()].filter((url) => url.startsWith("/")),
      ["/data.json", "/a.b", "/api/me?next=superTokensDoNotDoInterception"],
    );
  },
  TALKS_TO_OTHERS,
);

test(
  "the caller's headers and credentials stay as they are",
  async (visitor, t) => {
    const api = await record(t, "localhost");
    const { tab } = await visitor.customer();
    const send = (init) => tab.fetch(api.url, init);
    await send({ headers: { rid: "mine" } });
    await send({ credentials: "omit" });
    await send();
    const [mine, omitted, plain] = api.requests.filter(({ method }) => method === "GET");
    assert.equal(mine.headers.rid, "mine");
    assert.equal(omitted.headers.cookie, undefined);
    assert.match(plain.headers.cookie, /sAccessToken=/);
    assert.equal(plain.headers.rid, "anti-csrf");
    assert.equal(plain.headers["st-auth-mode"], "cookie");
  },
  TALKS_TO_OTHERS,
);

test("what we send with has the name that apps of SuperTokens know it by", async (visitor) => {
  const { tab } = await visitor.guest();
  const sent = (run) =>
    Promise.all([tab.page.waitForRequest("**/api/me*"), tab.run(run)]).then(
      ([request]) => request.headers().rid,
    );
  assert.equal(await sent(() => fetch("/api/me?with")), "anti-csrf");
  assert.equal(await sent(() => __supertokensOriginalFetch("/api/me?past")), undefined);
  const seen = await tab.run(async () => {
    const beneath = __supertokensOriginalFetch;
    const urls = [];
    window.__supertokensOriginalFetch = (...values) => (urls.push(values[0]), beneath(...values));
    const { status } = await fetch("/api/me?through");
    passerby.dispose();
    return {
      status,
      urls,
      isNative: fetch === beneath,
      isThere: "__supertokensOriginalFetch" in window,
    };
  });
  assert.deepEqual(seen, {
    status: 200,
    urls: ["/api/me?through"],
    isNative: true,
    isThere: false,
  });
});

test("init after dispose, with another library's wrapper put around ours in between: each request goes once, with the session", async (visitor) => {
  const { tab } = await visitor.guest();
  const rids = [];
  visitor.context.on("request", (request) => {
    if (request.url().includes("/api/me?")) rids.push(request.headers().rid);
  });
  const seen = await tab.run(async () => {
    let count = 0;
    const inner = window.fetch;
    window.fetch = (...values) => (count++, inner(...values));
    const wrapper = window.fetch;
    passerby.dispose();
    const stays = window.fetch === wrapper;
    await harness.request("/api/me?between");
    harness.start({ anonymous: {} });
    const { status } = await harness.request("/api/me?again");
    const other = await harness.request("/favicon.svg");
    return { stays, count, status, other: other.status };
  });
  assert.deepEqual(seen, { stays: true, count: 3, status: 200, other: 200 });
  assert.deepEqual(rids, [undefined, "anti-csrf"]);
});

test("no timer outlives what it guards: frameworks wait for timers", async (visitor) => {
  const tab = await visitor.tab();
  const left = await tab.run(async () => {
    const pending = new Map();
    const { setTimeout: set, clearTimeout: clear } = window;
    window.setTimeout = (act, time, ...more) => {
      const timer = set(() => (pending.delete(timer), act(...more)), time);
      pending.set(timer, time);
      return timer;
    };
    window.clearTimeout = (timer) => (pending.delete(timer), clear(timer));
    const left = {};
    // A check that is only put off to the next turn guards nothing.
    const note = async (what) => {
      await new Promise((done) => set(done, 50));
      left[what] = [...pending.values()];
    };
    harness.start({
      anonymous: {},
      preAPIHook: async (context) => context,
      postAPIHook: async () => {},
    });
    await Promise.all([harness.request("/api/me?1"), harness.request("/api/me?2")]);
    await note("first requests");
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ name: "Ada", password: "windowsill" });
    await harness.request("/api/login", { method: "POST", headers, body });
    await harness.request("/api/demo/expire", { method: "POST" });
    await Promise.all([harness.request("/api/account?1"), harness.xhr("/api/account?2")]);
    await note("a refresh, with hooks");
    await passerby.validateClaims();
    await note("claims");
    const xhr = new XMLHttpRequest();
    xhr.open("GET", "/api/me?limited");
    xhr.timeout = 20_000;
    xhr.send();
    await new Promise((done) => (xhr.onloadend = done));
    await note("XMLHttpRequest with a time-out");
    await passerby.forgetAnonymousId().catch(() => {});
    await passerby.signOut();
    await note("sign-out");
    return left;
  });
  for (const [what, timers] of Object.entries(left)) assert.deepEqual(timers, [], what);
  assert.equal(Object.keys(left).length, 5);
});

test("a page whose fetch and XMLHttpRequest somebody locked: init says so, Session.fetch carries the session", async (visitor) => {
  for (const lock of [{ writable: false, configurable: false }, { get: true }]) {
    const tab = await visitor.tab();
    const seen = await tab.run((lock) => {
      for (const name of ["fetch", "XMLHttpRequest"]) {
        const value = window[name];
        Object.defineProperty(
          window,
          name,
          "get" in lock ? { get: () => value, configurable: false } : { value, ...lock },
        );
      }
      const natives = [fetch, XMLHttpRequest];
      harness.start({ anonymous: {} });
      return fetch === natives[0] && XMLHttpRequest === natives[1];
    }, lock);
    assert.equal(seen, true);
    assert.equal(await tab.run(async () => (await passerby.Session.fetch("/api/me")).status), 200);
    assert.equal((await tab.snapshot()).state, "anonymous");
    assert.equal((await tab.fetch("/api/products")).status, 200);
    assert.equal((await tab.xhr("/api/products")).status, 200);
    await tab.run(() => passerby.dispose());
    const problems = visitor.takeProblems();
    assert.deepEqual(
      problems.map((text) => /^(\S+) of this page .* cannot be replaced/.exec(text)?.[1]).sort(),
      ["XMLHttpRequest", "fetch"],
    );
  }
});

test("a page that locks them after init: dispose leaves them, and they are mere passages", async (visitor) => {
  const { tab } = await visitor.guest();
  const rids = [];
  visitor.context.on("request", (request) => {
    if (request.url().includes("/api/me?")) rids.push(request.headers().rid);
  });
  await tab.run(async () => {
    for (const name of ["fetch", "XMLHttpRequest"])
      Object.defineProperty(window, name, { writable: false, configurable: false });
    await harness.request("/api/me?ours");
    await harness.xhr("/api/me?ours");
    passerby.dispose();
    await harness.request("/api/me?passage");
    await harness.xhr("/api/me?passage");
  });
  assert.deepEqual(rids, ["anti-csrf", "anti-csrf", undefined, undefined]);
});
