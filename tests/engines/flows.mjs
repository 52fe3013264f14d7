// The actions of visitors, in every engine. One list, in words that hold for all of them.

import assert from "node:assert/strict";
import { BackEnd, ENDPOINT, KEY_SET, idOf, makeKey } from "../e2e/support/back-end.mjs";

const ACCOUNT = "GET /api/account";
const GUEST = ["sAnonymousFrontToken", "sAnonymousToken", "st-last-access-token-update"];
/** The refresh token is sent to the refresh route only, so that not every driver shows it. */
const isCustomer = (names) => names.includes("sAccessToken") && names.includes("sFrontToken");

/** @type {import("./support/run.mjs").Flow[]} */
export const flows = [];
/**
 * Those that are about the way in which the module runs. The others hold in each way.
 * @type {import("./support/run.mjs").Flow[]}
 */
export const ways = [];

/**
 * @param {string} name
 * @param {import("./support/run.mjs").Flow["run"]} run
 * @param {import("./support/run.mjs").Flow["except"]} [except]
 */
const flow = (name, run, except) => flows.push({ name, run, except });

/** @type {(name: string, run: import("./support/run.mjs").Flow["run"]) => void} */
const wayFlow = (name, run) => ways.push({ name, run });

const ids = (answers) => [...new Set(answers.map(({ body }) => body.anonymousId))];
const statuses = (answers) => [...new Set(answers.map(({ status }) => status))];

/** Ways to run the same where the browser has less. */
const WITHOUT_LOCKS = ["locks"];
const variants = (name, run) => {
  flow(`${name} (Web Locks)`, (visitor) => run(visitor, []));
  flow(`${name} (transactions)`, (visitor) => run(visitor, WITHOUT_LOCKS));
};

// --- guests --------------------------------------------------------------------------------------

flow("init is at once, and the first request brings one anonymous session", async (visitor) => {
  const tab = await visitor.tab();
  const isPatched = await tab.run(() => {
    const native = [window.fetch, window.XMLHttpRequest];
    harness.start({ anonymous: {} });
    return native[0] !== window.fetch && native[1] !== window.XMLHttpRequest;
  });
  assert.equal(isPatched, true);
  const { body } = await tab.fetch("/api/me");
  assert.equal(body.kind, "anonymous");
  assert.deepEqual(visitor.front.requests, ["GET /api/me"]);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookieNames(), GUEST);
  assert.equal((await tab.snapshot()).anonymousId, body.anonymousId);
});

flow("ten first requests at once: one session", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  const answers = await tab.run(() =>
    Promise.all(Array.from({ length: 10 }, (_, i) => harness.request(`/api/me?${i}`))),
  );
  assert.equal(ids(answers).length, 1);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
});

variants("three tabs with five first requests each: one anonymousId", async (visitor, without) => {
  const tabs = [];
  for (let i = 0; i < 3; i++) tabs.push(await visitor.tab({ anonymous: {} }, without));
  const call = () =>
    Promise.all(
      Array.from({ length: 5 }, (_, i) => harness.request(`/api/me?${Math.random()}${i}`)),
    );
  const answers = (await Promise.all(tabs.map((tab) => tab.run(call)))).flat();
  assert.equal(ids(answers).length, 1, JSON.stringify(answers));
});

for (const [what, options] of Object.entries({
  "names anonymous sessions": { anonymous: {} },
  "does not name them": {},
})) {
  flow(
    `a page that is left during the first calls, of an app that ${what}: one anonymousId`,
    async (visitor) => {
      const { front } = visitor;
      front.refreshTime = 300;
      const tab = await visitor.tab(options);
      await tab.run(() => void [1, 2, 3].map((i) => harness.request(`/api/me?left${i}`)));
      while (!front.requests.length) await new Promise((done) => setTimeout(done, 5));
      await tab.page.reload();
      await tab.page.waitForFunction(() => window.harness);
      await tab.init(options);
      const { body } = await tab.fetch("/api/me?again");
      assert.equal(body.kind, "anonymous");
      // Calls of the page that was left may be answered still.
      await new Promise((done) => setTimeout(done, 600));
      assert.deepEqual([...new Set(front.minted)], [body.anonymousId]);
    },
  );
}

flow("consent off: nothing is stored, nothing is made", async (visitor) => {
  const tab = await visitor.tab({ anonymous: { enabled: false } });
  assert.equal((await tab.fetch("/api/me")).body.kind, "none");
  assert.deepEqual(await visitor.cookieNames(), []);
  assert.equal(await tab.run(() => localStorage.length), 0);
});

for (const [what, options] of Object.entries({
  "names anonymous sessions": { anonymous: {} },
  "does not name them": {},
})) {
  flow(
    `a page that keeps no cookies, of an app that ${what} and asks at each event: few calls`,
    async (visitor) => {
      const tab = await visitor.tab();
      await tab.run((options) => {
        Object.defineProperty(document, "cookie", { get: () => "", set: () => {} });
        harness.start(options);
        passerby.subscribe(() => void passerby.doesSessionExist());
      }, options);
      assert.equal((await tab.fetch("/api/me")).status, 200);
      assert.equal((await tab.signIn("Ada")).status, 200);
      assert.equal((await tab.fetch("/api/me")).status, 200);
      await new Promise((done) => setTimeout(done, 1000));
      assert.ok(visitor.refreshes() < 8, `${visitor.refreshes()} refreshes`);
      await visitor.takeProblems();
    },
  );
}

flow("cookies that are lost one by one come back (guest)", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  for (const name of ["sAnonymousFrontToken", "st-last-access-token-update"]) {
    await visitor.context.clearCookies({ name });
    assert.equal((await tab.fetch("/api/me")).body.anonymousId, anonymousId, name);
    await tab.page.waitForFunction(() => passerby.getSnapshot().state === "anonymous");
    assert.equal((await tab.snapshot()).anonymousId, anonymousId, name);
  }
});

flow("cookies that are lost one by one come back (customer)", async (visitor) => {
  const { tab } = await visitor.customer();
  for (const name of ["sFrontToken", "st-last-access-token-update"]) {
    await visitor.context.clearCookies({ name });
    assert.equal((await tab.fetch("/api/account")).status, 200, name);
    await tab.page.waitForFunction(() => passerby.getSnapshot().userId === "ada");
    assert.equal((await tab.call("doesSessionExist")).value, true, name);
  }
});

flow("a visitor who was forgotten stays so beside a service worker's cache", async (visitor) => {
  const tab = await visitor.tab();
  await tab.run(async () => {
    const { serviceWorker } = navigator;
    await serviceWorker.register("/pages/caching-worker.js");
    if (!serviceWorker.controller)
      await new Promise((done) => (serviceWorker.oncontrollerchange = done));
  });
  const path = "/api/me?cached";
  await tab.init({ anonymous: {} });
  const { anonymousId: old } = (await tab.fetch(path)).body;
  // Tokens tell their age in seconds.
  await new Promise((done) => setTimeout(done, 1100));
  assert.equal((await tab.call("forgetAnonymousId")).error, undefined);
  const { anonymousId } = await tab.snapshot();
  assert.notEqual(anonymousId, old);
  assert.equal((await tab.fetch(path)).body.anonymousId, old, "the cache answers");
  assert.equal((await tab.snapshot()).anonymousId, anonymousId);
  assert.equal((await tab.fetch("/api/me?fresh")).body.anonymousId, anonymousId);
  assert.deepEqual((await tab.eventNames()).slice(-1), ["ANONYMOUS_SESSION_REPLACED"]);
  await tab.page.reload();
  await tab.page.waitForFunction(() => window.harness);
  await tab.init({ anonymous: {} });
  assert.equal((await tab.fetch(path)).body.anonymousId, old, "after a reload, too");
  assert.equal((await tab.snapshot()).anonymousId, anonymousId);

  // An answer of before the login signs nobody out.
  assert.equal((await tab.signIn("Ada")).status, 200);
  await tab.fetch(path);
  assert.equal((await tab.snapshot()).state, "authenticated");
  await tab.run(async () => {
    for (const worker of await navigator.serviceWorker.getRegistrations())
      await worker.unregister();
  });
});

flow("other people's cookies, whatever they are made of, harm nobody", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  await tab.run(() => {
    const odd = ["%E0%A4%A", '"a;b"', "\u{1F331}", "=", "a=b=c", "%", "{}", ""];
    for (const [i, value] of odd.entries()) document.cookie = `odd${i}=${value}; path=/`;
    document.cookie = "without a name; path=/";
    for (const name of [
      "sFrontTokens",
      "xsFrontToken",
      "SFRONTTOKEN",
      "sFrontToken.x",
      "__proto__",
    ])
      document.cookie = `${name}=x; path=/`;
    for (let i = 0; i < 60; i++) document.cookie = `many${i}=x; path=/`;
  });
  const { body } = await tab.fetch("/api/me");
  assert.equal(body.kind, "anonymous");
  assert.equal((await tab.signIn("Ada")).status, 200);
  const { state, anonymousId } = await tab.snapshot();
  assert.deepEqual([state, anonymousId], ["authenticated", body.anonymousId]);
  await tab.expire();
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.equal((await tab.call("signOut")).error, undefined);
  assert.equal((await tab.snapshot()).anonymousId, anonymousId);
});

flow("front tokens that cannot be read are replaced", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  for (const text of ["x", "%%%", btoa("{"), btoa("null")]) {
    await tab.run((text) => void (document.cookie = `sAnonymousFrontToken=${text};path=/`), text);
    assert.equal((await tab.fetch("/api/me")).body.anonymousId, anonymousId, text);
    assert.deepEqual(await tab.call("getAnonymousId"), { value: anonymousId }, text);
  }
});

// --- customers -----------------------------------------------------------------------------------

flow("login keeps the id and the cart", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  await tab.post("/api/cart", { productId: "fern", quantity: 2 });
  assert.equal((await tab.signIn("Ada")).status, 200);
  const { state, userId, anonymousId: kept } = await tab.snapshot();
  assert.deepEqual([state, userId, kept], ["authenticated", "ada", anonymousId]);
  assert.equal(
    (await tab.fetch("/api/cart")).body.items?.[0]?.quantity ??
      (await tab.fetch("/api/cart")).body.lines?.[0]?.quantity,
    2,
  );
  assert.ok(isCustomer(await visitor.cookieNames()));
});

flow("expiry: one refresh for twenty requests, by fetch and XMLHttpRequest", async (visitor) => {
  const { tab, anonymousId } = await visitor.returningCustomer();
  const answers = await tab.run(() =>
    Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 ? harness.request : harness.xhr)(`/api/account?${i}`),
      ),
    ),
  );
  assert.deepEqual(statuses(answers), [200]);
  assert.deepEqual(ids(answers), [anonymousId]);
  assert.equal(visitor.refreshes(), 1);
  assert.deepEqual(
    (await tab.eventNames()).filter((name) => name !== "ACCESS_TOKEN_PAYLOAD_UPDATED"),
    ["REFRESH_SESSION"],
  );
});

variants("three tabs at expiry: one refresh", async (visitor, without) => {
  const { tab } = await visitor.customer(undefined, without);
  const tabs = [
    tab,
    await visitor.tab({ anonymous: {} }, without),
    await visitor.tab({ anonymous: {} }, without),
  ];
  await tab.expire();
  await visitor.forget();
  visitor.front.refreshTime = 150;
  const answers = await Promise.all(tabs.map((tab, i) => tab.fetch(`/api/account?${i}`)));
  assert.deepEqual(statuses(answers), [200]);
  assert.equal(visitor.refreshes(), 1);
});

variants(
  "a tab that is closed while it refreshes does not keep the others waiting",
  async (visitor, without) => {
    const { tab } = await visitor.customer(undefined, without);
    const other = await visitor.tab({ anonymous: {} }, without);
    await tab.expire();
    visitor.front.refreshTime = 400;
    await other.run(() => void fetch("/api/account?first").catch(() => {}));
    while (!visitor.refreshes()) await new Promise((done) => setTimeout(done, 20));
    const start = Date.now();
    const [{ status }] = await Promise.all([tab.fetch("/api/account"), other.page.close()]);
    assert.equal(status, 200);
    assert.ok(Date.now() - start < 8000, `${Date.now() - start} ms`);
  },
);

flow(
  "revoked by the back end: anonymous before the app hears of it, with the same id",
  async (visitor) => {
    const { tab, anonymousId } = await visitor.customer();
    await tab.post("/api/demo/revoke");
    await visitor.forget();
    assert.equal((await tab.fetch("/api/account")).status, 401);
    const [{ name, state, anonymousId: kept, answers }] = await tab.events();
    assert.deepEqual([name, state, kept], ["UNAUTHORISED(true)", "anonymous", anonymousId]);
    assert.deepEqual(answers, { exists: true, isAnonymous: true, anonymousId });
    assert.deepEqual(visitor.front.requests, [ACCOUNT, "POST /auth/session/refresh"]);
  },
);

flow("theft of a token: told, and anonymous with the same id", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  assert.deepEqual((await tab.post("/auth/session/refresh/steal")).body, { stolen: true });
  await tab.expire();
  await visitor.forget();
  assert.equal((await tab.fetch("/api/account")).status, 401);
  assert.deepEqual(await tab.eventNames(), ["TOKEN_THEFT_DETECTED", "UNAUTHORISED(true)"]);
  assert.equal((await tab.snapshot()).anonymousId, anonymousId);
});

flow("a gateway's 401 on the refresh route ends no session", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  visitor.front.refusedWith = 401;
  for (const answer of [await tab.fetch("/api/account"), await tab.xhr("/api/account")])
    assert.deepEqual([answer.status, answer.body], [401, { message: "later" }]);
  assert.equal((await tab.snapshot()).state, "authenticated");
  assert.deepEqual(await tab.eventNames(), []);
  visitor.front.refusedWith = undefined;
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.equal((await tab.snapshot()).state, "authenticated");
});

flow(
  "a page that is left while it waits for a refresh does not keep the next one waiting",
  async (visitor) => {
    const { tab } = await visitor.returningCustomer();
    visitor.front.refreshTime = 15_000;
    await tab.run(() => void fetch("/api/account?hangs").catch(() => {}));
    while (!visitor.refreshes()) await new Promise((done) => setTimeout(done, 20));
    visitor.front.refreshTime = 0;
    await tab.page.goto("/pages/engine.html?next");
    await tab.page.waitForFunction(() => window.harness);
    await tab.init({ anonymous: {} });
    const start = Date.now();
    assert.equal((await tab.fetch("/api/account")).status, 200);
    assert.ok(Date.now() - start < 8000, `${Date.now() - start} ms`);
  },
);

flow("an API of another origin: guest, login, expiry, sign-out", async (visitor) => {
  const { api } = visitor.front;
  const tab = await visitor.tab({ anonymous: {}, apiDomain: api });
  const { body } = await tab.fetch(`${api}/api/me`);
  assert.equal(body.kind, "anonymous");
  assert.equal((await tab.xhr(`${api}/api/me`)).body.anonymousId, body.anonymousId);
  const headers = { "content-type": "application/json" };
  const login = JSON.stringify({ name: "Ada", password: "windowsill" });
  const { status } = await tab.fetch(`${api}/api/login`, { method: "POST", headers, body: login });
  assert.equal(status, 200);
  assert.equal((await tab.snapshot()).state, "authenticated");
  const expired = await tab.fetch(`${api}/api/demo/expire`, { method: "POST" });
  assert.deepEqual(expired.body, { expired: true });
  await visitor.forget();
  const answers = await tab.run(
    (api) =>
      Promise.all([
        harness.request(`${api}/api/account?1`),
        harness.xhr(`${api}/api/account?2`),
        harness.request(`${api}/api/account?3`),
      ]),
    api,
  );
  assert.deepEqual(statuses(answers), [200], JSON.stringify([answers, visitor.front.requests]));
  assert.equal(visitor.refreshes(), 1);
  assert.equal((await tab.call("signOut")).error, undefined);
  assert.equal((await tab.fetch(`${api}/api/me`)).body.anonymousId, body.anonymousId);
});

for (const alg of ["RS256", "ES256"]) {
  flow(`an endpoint of the app makes guests, and the browser checks ${alg}`, async (visitor) => {
    const backEnd = await BackEnd.start();
    try {
      backEnd.mint = () => backEnd.sign({ alg });
      const options = { anonymous: { endpoint: ENDPOINT, jwks: KEY_SET } };
      const page = `${backEnd.origin}/blank.html`;
      const tab = await visitor.tab(undefined, [], page);
      await tab.init(options);
      const { body } = await tab.fetch("/api/me");
      assert.equal(body.kind, "anonymous");
      assert.equal((await tab.snapshot()).anonymousId, body.anonymousId);
      const next = await visitor.tab(undefined, [], page);
      await next.init(options);
      assert.equal((await next.fetch("/api/me")).body.anonymousId, body.anonymousId, "it is kept");
      // One that somebody else signed.
      const forged = await backEnd.sign({ alg, key: { ...(await makeKey(alg)), kid: undefined } });
      await next.run((token) => {
        document.cookie = `st-anonymous-token=${token}; path=/`;
      }, forged);
      const last = await visitor.tab(undefined, [], page);
      await last.init(options);
      const id = (await last.fetch("/api/me")).body.anonymousId;
      assert.ok(id && id !== idOf(forged) && id !== undefined, `${id}`);
    } finally {
      await backEnd.close();
    }
  });
}

flow(
  "the shop's own page shows a guest, and /dashboard leads them to the login",
  async (visitor) => {
    const tab = await visitor.tab();
    await tab.page.goto("/");
    await tab.page.waitForFunction(() => document.cookie.includes("sAnonymousFrontToken"));
    await tab.page.goto("/dashboard").catch(() => {});
    await tab.page.waitForFunction(
      () => location.pathname !== "/dashboard" && location.pathname !== "/refresh-session",
    );
    const { front } = visitor;
    await new Promise((done) => setTimeout(done, 300));
    assert.ok(front.count("POST /auth/session/refresh") <= 2, "no loop");
  },
);

flow("sign-out: anonymous with the same id", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  assert.equal((await tab.call("signOut")).error, undefined);
  assert.deepEqual(await tab.eventNames(), ["SIGN_OUT"]);
  assert.equal((await tab.snapshot()).state, "anonymous");
  assert.equal((await tab.fetch("/api/me")).body.anonymousId, anonymousId);
});

flow("header mode: login, expiry, refresh, sign-out", async (visitor) => {
  const options = { anonymous: {}, tokenTransferMethod: "header" };
  const { tab, anonymousId } = await visitor.returningCustomer(options);
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.equal(visitor.refreshes(), 1);
  assert.equal(typeof (await tab.call("getAccessToken")).value, "string");
  await tab.call("signOut");
  assert.equal((await tab.fetch("/api/me")).body.anonymousId, anonymousId);
});

flow("/refresh-session goes back with a new token, to this site only", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  for (const [back, where] of [
    ["/pages/engine.html%3Fback", "/pages/engine.html"],
    ["https://elsewhere.example/", "/"],
    ["//elsewhere.example", "/"],
  ]) {
    // The page leads on before it is there, which some drivers take for a failure.
    await tab.page.goto(`/pages/refresh.html?redirectBack=${back}`).catch(() => {});
    await tab.page.waitForFunction((where) => location.pathname === where, where);
  }
});

// --- other tabs ----------------------------------------------------------------------------------

/** The states that a subscriber of another tab finds, one for each call. */
async function listening(visitor, without, options = { anonymous: {} }) {
  const other = await visitor.tab(options, without);
  await other.run(() => {
    window.seen = [];
    passerby.subscribe(() => seen.push(passerby.getSnapshot().state));
  });
  return other;
}

for (const [name, without] of [
  ["", []],
  [", without CookieStore", ["cookieStore"]],
]) {
  flow(
    `other tabs hear of login and sign-out, and then know the new state${name}`,
    async (visitor) => {
      const { tab } = await visitor.guest();
      const other = await listening(visitor, without);
      for (let round = 0; round < 5; round++) {
        await tab.signIn("Ada");
        await other.page.waitForFunction(() => seen.at(-1) === "authenticated");
        await tab.call("signOut");
        await other.page.waitForFunction(() => seen.at(-1) === "anonymous");
      }
    },
  );
}

flow("events of other tabs, for apps that want them", async (visitor) => {
  const options = { anonymous: {}, eventsOfOtherTabs: true };
  const { tab } = await visitor.guest(options);
  const other = await visitor.tab(options);
  await tab.signIn("Ada");
  await other.page.waitForFunction(() =>
    harness.events.some(
      ({ name, state }) => name === "SESSION_CREATED" && state === "authenticated",
    ),
  );
});

flow("back to a page that the browser kept: its subscribers know what changed", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  await tab.fetch("/api/me");
  await tab.run(() => {
    window.shown = passerby.getSnapshot().state;
    passerby.subscribe(() => (window.shown = passerby.getSnapshot().state));
    addEventListener("pageshow", (event) => (window.isRestored = event.persisted));
  });
  await tab.page.goto("/pages/form.html");
  await tab.run(() => document.forms[0].submit()).catch(() => {});
  await tab.page.waitForFunction(() => location.pathname === "/");
  await tab.run(() => history.go(-2)).catch(() => {});
  await tab.page.waitForFunction(
    () => location.pathname === "/pages/engine.html" && window.harness,
  );
  const isRestored = await tab.run(() => window.isRestored === true);
  if (!isRestored) return;
  await tab.page.waitForFunction(() => shown !== "anonymous");
});

// --- XMLHttpRequest ------------------------------------------------------------------------------

flow("XMLHttpRequest of a guest, whose first request it is", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  const { status, body, trace } = await tab.xhr("/api/me");
  assert.deepEqual([status, body.kind], [200, "anonymous"]);
  assert.match(trace, /^1 .*loadstart .*4.* load loadend$/);
});

flow(
  "after a refresh an answer over XMLHttpRequest has its own headers, and every type",
  async (visitor) => {
    const { tab } = await visitor.returningCustomer();
    for (const responseType of ["", "text", "json", "blob", "arraybuffer"]) {
      visitor.front.refusals = 1;
      const seen = await tab.run(async (responseType) => {
        const xhr = new XMLHttpRequest();
        const type = responseType === "json" ? "application/json" : "text/csv";
        xhr.open("GET", `/api/echo?type=${encodeURIComponent(type)}`);
        xhr.responseType = responseType;
        xhr.send();
        await new Promise((done) => (xhr.onloadend = done));
        const list = xhr.getAllResponseHeaders();
        const { response } = xhr;
        const kind = response && response.constructor.name;
        const text =
          response instanceof Blob
            ? await response.text()
            : response instanceof ArrayBuffer
              ? new TextDecoder().decode(response)
              : response;
        const { method } = typeof text === "string" ? JSON.parse(text) : text;
        return {
          status: xhr.status,
          method,
          kind,
          count: /x-total-count: (\S+)/.exec(list)?.[1],
          type: /content-type: (\S+)/.exec(list)?.[1],
          of: xhr.getResponseHeader("x-of"),
        };
      }, responseType);
      const [kind, type] = {
        blob: ["Blob", "text/csv"],
        arraybuffer: ["ArrayBuffer", "text/csv"],
        json: ["Object", "application/json"],
      }[responseType] ?? ["String", "text/csv"];
      assert.deepEqual(
        seen,
        { status: 200, method: "GET", kind, count: "42", type, of: null },
        responseType,
      );
    }
    assert.equal(visitor.front.refusals, 0);
  },
);

flow("abort and time-out of XMLHttpRequest, in flight and during a refresh", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  const end = (path, what) =>
    tab.run(
      async ([path, what]) => {
        const xhr = new XMLHttpRequest();
        const trace = [];
        for (const type of ["load", "error", "abort", "timeout", "loadend"])
          xhr.addEventListener(type, () => trace.push(type));
        xhr.open("GET", path);
        if (what === "timeout") xhr.timeout = 100;
        xhr.send();
        if (what === "abort") setTimeout(() => xhr.abort(), 100);
        await new Promise((done) => xhr.addEventListener("loadend", done));
        return trace.join(" ");
      },
      [path, what],
    );
  for (const what of ["abort", "timeout"]) {
    assert.equal(await end("/api/echo?after=500", what), `${what} loadend`);
    visitor.front.refusals = 1;
    visitor.front.refreshTime = 400;
    assert.equal(await end("/api/echo", what), `${what} loadend`);
    assert.equal((await tab.fetch("/api/me")).status, 200);
    visitor.front.refusals = 0;
    visitor.front.refreshTime = 0;
  }
});

flow("an upload is sent again whole, and its progress is told", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  visitor.front.refusals = 1;
  const seen = await tab.run(async () => {
    const xhr = new XMLHttpRequest();
    const uploaded = [];
    for (const type of ["loadstart", "load", "loadend"])
      xhr.upload.addEventListener(type, () => uploaded.push(type));
    xhr.open("POST", "/api/echo");
    xhr.send("0123456789".repeat(20_000));
    await new Promise((done) => (xhr.onloadend = done));
    return { status: xhr.status, length: JSON.parse(xhr.responseText).length, uploaded };
  });
  assert.deepEqual(seen, {
    status: 200,
    length: 200_000,
    uploaded: ["loadstart", "load", "loadend"],
  });
});

flow(
  "a refused refresh is the answer over XMLHttpRequest; it fails where what that needs " +
    "cannot be loaded",
  async (visitor) => {
    for (const lost of [undefined, "/rare.js"]) {
      const tab = await visitor.tab(undefined, [], "/pages/slim.html");
      if (!lost) await tab.signIn("Ada");
      await tab.post("/api/demo/expire");
      Object.assign(visitor.front, { lost, refusedWith: 503 });
      const seen = await tab.run(async () => {
        const xhr = new XMLHttpRequest();
        xhr.open("GET", "/api/account");
        xhr.send();
        const { type } = await new Promise((done) => (xhr.onload = xhr.onerror = done));
        return [type, xhr.status, xhr.responseText];
      });
      assert.deepEqual(seen, lost ? ["error", 0, ""] : ["load", 503, '{"message":"later"}']);
      visitor.front.refusedWith = undefined;
    }
  },
);

flow("synchronous XMLHttpRequest goes through", async (visitor) => {
  const { tab } = await visitor.guest();
  const kind = await tab.run(() => {
    const xhr = new XMLHttpRequest();
    xhr.open("GET", "/api/me", false);
    xhr.send();
    return JSON.parse(xhr.responseText).kind;
  });
  assert.equal(kind, "anonymous");
});

// --- fetch ---------------------------------------------------------------------------------------

flow("bodies of every kind are sent again after a refusal", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  const bodies = {
    string: () => "text",
    blob: () => new Blob(["text"], { type: "text/plain" }),
    form: () => new URLSearchParams({ a: "text" }),
    bytes: () => new TextEncoder().encode("text"),
    data: () => {
      const data = new FormData();
      data.set("a", "text");
      return data;
    },
  };
  for (const [kind, make] of Object.entries(bodies)) {
    visitor.front.refusals = 1;
    const { status, body } = await tab.run(
      `harness.request("/api/echo", { method: "POST", body: (${make})() })`,
    );
    assert.equal(status, 200, kind);
    assert.match(body.body, /text/, kind);
  }
  visitor.front.refusals = 1;
  const { body } = await tab.run(() =>
    harness.request(new Request("/api/echo", { method: "PUT", body: "text" })),
  );
  assert.deepEqual([body.method, body.body], ["PUT", "text"]);
});

flow(
  "options of a request that are inherited or computed count, as the browser reads them",
  async (visitor) => {
    const { tab } = await visitor.guest();
    const seen = await tab.run(async () => {
      class Options {
        #body = "payload";
        get method() {
          return "POST";
        }
        get body() {
          return this.#body;
        }
      }
      const all = [
        new Options(),
        Object.create({ method: "DELETE" }),
        Object.assign(Object.create(null), { method: "PUT", body: "x" }),
        { method: "PATCH" },
      ];
      return Promise.all(all.map((options) => harness.request("/api/echo", options)));
    });
    assert.deepEqual(
      seen.map(({ body }) => `${body.method} ${body.body}`),
      ["POST payload", "DELETE ", "PUT x", "PATCH "],
    );
  },
);

/** The browser itself hands over no 401 before its body ends. */
const WAITS_FOR_401 = { webkit: "the browser itself waits for the whole body of a 401" };

for (const [status, limit, except] of [
  [403, 5000],
  [401, 10_000, WAITS_FOR_401],
]) {
  flow(
    `a refusal by ${status} whose body never ends is handed over`,
    async (visitor) => {
      const { tab } = await visitor.guest();
      const seen = await tab.run(async (status) => {
        const start = performance.now();
        const response = await fetch(`/api/endless?status=${status}`);
        const time = performance.now() - start;
        const { value } = await response.body.getReader().read();
        return { status: response.status, time, text: new TextDecoder().decode(value) };
      }, status);
      assert.ok(seen.time < limit, `${seen.time} ms`);
      assert.deepEqual([seen.status, seen.text], [status, '{"title":']);
    },
    except,
  );
}

flow(
  "a refusal that is sent again holds no connection: its body is given up",
  async (visitor) => {
    const { tab } = await visitor.returningCustomer();
    // More than a browser opens to one server.
    for (let i = 0; i < 8; i++) {
      visitor.front.refusals = 1;
      assert.equal((await tab.fetch(`/api/echo?endless&${i}`)).status, 200);
    }
    const start = Date.now();
    while (visitor.front.open && Date.now() - start < 5000)
      await new Promise((done) => setTimeout(done, 50));
    assert.equal(visitor.front.open, 0, "connections with a refusal that nobody reads");
  },
  WAITS_FOR_401,
);

flow("a refusal whose body somebody holds already is sent again all the same", async (visitor) => {
  const tab = await visitor.tab();
  const seen = await tab.run(async () => {
    const native = window.fetch;
    // Beneath ours: another library that reads along, and one whose answers have no streams.
    const beneath = { kind: "" };
    window.fetch = async (...values) => {
      const response = await native(...values);
      if (response.status !== 401) return response;
      if (beneath.kind === "locked") response.body.getReader();
      else Object.defineProperty(response, "body", beneath.member);
      return response;
    };
    harness.start({ anonymous: {} });
    await harness.request("/api/me");
    await harness.request("/api/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "Ada", password: "windowsill" }),
    });
    const statuses = [];
    for (const [kind, member] of [
      ["locked"],
      ["missing", { value: undefined }],
      ["text", { value: "text" }],
      [
        "throws",
        {
          get: () => {
            throw new Error("no body");
          },
        },
      ],
    ]) {
      Object.assign(beneath, { kind, member });
      await harness.request("/api/demo/expire", { method: "POST" });
      statuses.push((await harness.request(`/api/account?${kind}`)).status);
    }
    return statuses;
  });
  assert.deepEqual(seen, [200, 200, 200, 200]);
});

flow("a page that is made ready before somebody looks at it waits for no lock", async (visitor) => {
  const { tab, anonymousId } = await visitor.returningCustomer(undefined, ["activation"]);
  const start = Date.now();
  assert.equal((await tab.fetch("/api/account")).body.anonymousId, anonymousId);
  assert.ok(Date.now() - start < 5000, `${Date.now() - start} ms`);
  assert.equal(visitor.refreshes(), 1);
});

for (const without of [[], ["abortReason"], ["abortTimeout"]]) {
  flow(
    "a request aborted during a refresh rejects at once, as fetch does" +
      (without.length ? `, without ${without}` : ""),
    async (visitor) => {
      const { tab } = await visitor.returningCustomer(undefined, without);
      visitor.front.refreshTime = 500;
      const seen = await tab.run(async () => {
        const stop = new AbortController();
        setTimeout(() => stop.abort(), 150);
        const [aborted, other] = await Promise.all([
          harness.request("/api/account", { signal: stop.signal }),
          harness.request("/api/account?other"),
        ]);
        return [aborted.error, other.status];
      });
      assert.deepEqual(seen, ["AbortError", 200]);
    },
  );
}

// --- browsers that have less ---------------------------------------------------------------------

for (const [name, without] of Object.entries({
  "no BroadcastChannel": ["BroadcastChannel"],
  "localStorage denied": ["localStorage"],
  "IndexedDB denied and no Web Locks": ["indexedDB", "locks"],
  "all of that, and no CookieStore": [
    "BroadcastChannel",
    "localStorage",
    "indexedDB",
    "locks",
    "cookieStore",
  ],
})) {
  flow(`${name}: first visit, login, expiry`, async (visitor) => {
    const { tab, anonymousId } = await visitor.returningCustomer(undefined, without);
    assert.equal((await tab.fetch("/api/account")).body.anonymousId, anonymousId);
    assert.equal(visitor.refreshes(), 1);
  });
}

// --- browsers and pages that do not run WebAssembly, or not at once ------------------------------

/** The finding of `diagnose` for each. */
export const WAYS = {
  "large modules": "WASM_LATE",
  WebAssembly: "WASM_MISSING",
  wasm: "WASM_BLOCKED",
};

for (const [lacks, code] of Object.entries(WAYS)) {
  const without = [lacks];

  wayFlow(`without ${lacks}: first visit, login, expiry, revocation, sign-out`, async (visitor) => {
    const { tab, anonymousId } = await visitor.returningCustomer(undefined, without);
    assert.deepEqual(
      (await tab.call("diagnose")).value.map((item) => item.code),
      [code],
    );
    const answers = await tab.run(() =>
      Promise.all([
        harness.request("/api/account?1"),
        harness.xhr("/api/account?2"),
        harness.request("/api/account?3"),
      ]),
    );
    assert.deepEqual(statuses(answers), [200]);
    assert.deepEqual(ids(answers), [anonymousId]);
    assert.equal(visitor.refreshes(), 1);
    await tab.post("/api/demo/revoke");
    assert.equal((await tab.fetch("/api/account")).status, 401);
    assert.deepEqual((await tab.eventNames()).slice(-1), ["UNAUTHORISED(true)"]);
    await tab.signIn("Ada");
    assert.equal((await tab.call("signOut")).error, undefined);
    assert.equal((await tab.snapshot()).anonymousId, anonymousId);
  });

  wayFlow(
    `without ${lacks}: init is at once; requests to the API and functions wait`,
    async (visitor) => {
      const tab = await visitor.tab(undefined, without);
      const seen = await tab.run(async () => {
        const native = fetch;
        window.states = [];
        harness.start({ anonymous: {} });
        passerby.subscribe(() => states.push(passerby.getSnapshot().state));
        const isPatched = fetch !== native;
        const [first, second, id] = await Promise.all([
          harness.request("/api/me?first"),
          harness.xhr("/api/me?second"),
          passerby.getAnonymousId(),
        ]);
        return {
          isPatched,
          before: passerby.getSnapshot().anonymousId,
          ids: [first.body.anonymousId, second.body.anonymousId, id],
          events: harness.events.map(({ name }) => name),
        };
      });
      assert.equal(seen.isPatched, true);
      assert.equal(new Set([...seen.ids, seen.before]).size, 1, JSON.stringify(seen));
      assert.deepEqual(seen.events, ["ANONYMOUS_SESSION_CREATED"]);
      assert.deepEqual(await tab.run(() => states), ["unknown", "anonymous"]);
    },
  );

  wayFlow(
    `without ${lacks}: dispose while the module is on its way, and options that cannot work`,
    async (visitor) => {
      const tab = await visitor.tab(undefined, without);
      const seen = await tab.run(async () => {
        const native = fetch;
        harness.start({ anonymous: {} });
        const waiting = harness.request("/api/me");
        passerby.dispose();
        const isBack = fetch === native;
        const { status } = await waiting;
        const { code } = await harness.attempt("doesSessionExist");
        return { isBack, status, code, isStored: document.cookie.includes("sAnonymousFrontToken") };
      });
      assert.deepEqual(seen, {
        isBack: true,
        status: 200,
        code: "NOT_INITIALISED",
        isStored: false,
      });

      const other = await visitor.tab(undefined, without);
      const refused = await other.run(async () => {
        harness.start({ apiDomain: `${location.origin}:` });
        const { status } = await harness.request("/api/products");
        return [status, (await harness.attempt("doesSessionExist")).code];
      });
      assert.deepEqual(refused, [200, "NOT_INITIALISED"]);
      assert.match((await visitor.takeProblems()).join(), /^SessionError: .*apiDomain/);
      // And the mistake can be mended.
      await other.init({ anonymous: {} });
      assert.equal((await other.fetch("/api/me?mended")).status, 200);
      assert.equal(typeof (await other.call("getAnonymousId")).value, "string");
    },
  );

  wayFlow(`without ${lacks}: passerby/slim`, async (visitor) => {
    const tab = await visitor.tab(undefined, without, "/pages/slim.html");
    assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
    assert.equal((await tab.signIn("Ada")).status, 200);
    assert.equal((await tab.snapshot()).state, "authenticated");
  });

  wayFlow(
    `without ${lacks}: the script tag, with the stand-in beside it, elsewhere, and nowhere`,
    async (visitor) => {
      const tab = await visitor.tab(undefined, without, "/pages/script.html");
      assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
      if (lacks === "large modules") return;
      const other = await visitor.tab(undefined, without, "/pages/script-elsewhere.html");
      // It takes its time, which requests to others do not wait for.
      const isThere = await other.run(async () => {
        window.ours = harness.request("/api/me?other").then(({ body }) => (window.seen = body));
        await fetch(`${location.origin.replace("localhost", "127.0.0.1")}/favicon.svg`, {
          mode: "no-cors",
        });
        return "seen" in window;
      });
      assert.equal(isThere, false);
      visitor.front.release();
      assert.equal((await other.run(() => ours)).kind, "anonymous");
      assert.equal((await other.snapshot()).state, "anonymous");
      const last = await visitor.tab(undefined, without, "/pages/script-nowhere.html");
      assert.equal((await last.fetch("/api/products")).status, 200);
      const { code, message } = await last.call("doesSessionExist");
      assert.equal(code, "NO_WASM");
      assert.match(message, /WebAssembly \(.+\) or fallback\.js \(.+\)/s);
      const problems = await visitor.takeProblems();
      assert.ok(
        problems.length === 1 && /NO_WASM|sessions need WebAssembly/.test(problems[0]),
        problems.join("\n"),
      );
    },
  );
}

wayFlow(
  "a content security policy without 'wasm-unsafe-eval': sessions all the same",
  async (visitor) => {
    visitor.front.policy = "script-src 'self'";
    const { tab, anonymousId } = await visitor.returningCustomer();
    assert.equal((await tab.fetch("/api/account")).body.anonymousId, anonymousId);
    assert.deepEqual(
      (await tab.call("diagnose")).value.map(({ code }) => code),
      ["WASM_BLOCKED"],
    );
  },
);

wayFlow(
  "such a policy, and passerby/slim: load does not reject, and sessions all the same",
  async (visitor) => {
    visitor.front.policy = "script-src 'self'";
    const tab = await visitor.tab(undefined, [], "/pages/slim.html");
    assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
    assert.deepEqual(
      (await tab.call("diagnose")).value.map(({ code }) => code),
      ["WASM_BLOCKED"],
    );
  },
);

flow(
  "an isolated page that wants trusted types, and where all else is forbidden",
  async (visitor) => {
    visitor.front.isIsolated = true;
    visitor.front.policy =
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; " +
      "img-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'";
    for (const without of [[], WITHOUT_LOCKS]) {
      const { tab, anonymousId } = await visitor.returningCustomer(undefined, without);
      assert.equal(await tab.run(() => window.crossOriginIsolated), true);
      assert.equal((await tab.fetch("/api/account")).body.anonymousId, anonymousId);
      assert.equal((await tab.xhr("/api/me")).body.anonymousId, anonymousId);
      assert.equal((await tab.call("signOut")).error, undefined);
    }
  },
);

wayFlow("a content security policy with it: the module itself", async (visitor) => {
  visitor.front.policy = "script-src 'self' 'wasm-unsafe-eval'";
  const { tab } = await visitor.guest();
  assert.deepEqual((await tab.call("diagnose")).value, []);
});

flow("a sandboxed frame, where cookies throw: the app's requests go out", async (visitor) => {
  const tab = await visitor.tab(undefined, [], "/pages/sandbox.html");
  await tab.page.waitForFunction(() => window.seen);
  const { found, ...seen } = await tab.run(() => window.seen);
  assert.deepEqual(seen, { fetch: 200, xhr: 200, state: "unknown", signOut: "over" });
  assert.ok(found.includes("COOKIES_BLOCKED"), found);
});

flow("cookies that are no header values fail no request", async (visitor) => {
  const { tab } = await visitor.guest();
  await tab.run(() => {
    for (const name of ["sAntiCsrf", "st-access-token", "st-refresh-token", "st-anonymous-token"])
      document.cookie = `${name}=\u2713; path=/`;
  });
  assert.equal((await tab.fetch("/api/me")).status, 200);
  await visitor.context.clearCookies({ name: "sAnonymousFrontToken" });
  assert.equal((await tab.fetch("/api/me")).status, 200);
  assert.equal((await tab.call("doesSessionExist")).error, undefined);
});

flow("a stranger to whom the API redirects decides nothing about the session", async (visitor) => {
  const mallory = btoa(JSON.stringify({ uid: "mallory", ate: Date.now() + 3.6e6, up: {} }));
  const guest = btoa(
    JSON.stringify({
      uid: "",
      ate: Date.now() + 3.6e6,
      up: { anonymousId: "2f6e5a4c-1111-4222-8333-944445555666", isAnonymous: true },
    }),
  );
  const answers = [
    { headers: { "front-token": "remove" } },
    { headers: { "front-token": mallory, "st-access-token": "a.b.c", "st-refresh-token": "d" } },
    { headers: { "front-token": mallory, "anti-csrf": "theirs" } },
    { headers: { "st-anonymous-front-token": guest } },
    { headers: { "st-anonymous-front-token": "remove", "front-token": "remove" }, status: 401 },
    { headers: {}, status: 401 },
  ];
  const { port } = new URL(visitor.front.origin);
  const check = async (tab) => {
    const before = await tab.snapshot();
    const events = await tab.eventNames();
    const cookies = await visitor.cookieNames();
    const refreshes = visitor.refreshes();
    for (const way of ["request", "xhr"])
      for (const { headers, status = 200 } of answers) {
        const query = new URLSearchParams({ status, headers: JSON.stringify(headers) });
        const to = encodeURIComponent(`http://127.0.0.1:${port}/elsewhere?${query}`);
        const run = ([way, url]) => harness[way](url);
        const answer = await tab.run(run, [way, `/api/go?to=${to}`]);
        const what = `${way} ${query}`;
        assert.equal(answer.status, status, `${what}: the app has the answer`);
        assert.deepEqual(await tab.snapshot(), before, what);
        assert.deepEqual(await tab.eventNames(), events, what);
        assert.deepEqual(await visitor.cookieNames(), cookies, what);
      }
    assert.equal(visitor.refreshes(), refreshes);
  };
  await check((await visitor.guest()).tab);
  await check((await visitor.customer()).tab);
});

flow(
  "a module worker: importing has no effect, and init says that there is no window",
  async (visitor) => {
    const tab = await visitor.tab();
    const seen = await tab.run(
      () =>
        new Promise((done, fail) => {
          const worker = new Worker("/pages/worker.js", { type: "module" });
          worker.onmessage = ({ data }) => done(data);
          worker.onerror = (event) => fail(new Error(event.message));
        }),
    );
    assert.deepEqual(seen, {
      code: "NO_WINDOW",
      exists: "NOT_INITIALISED",
      disposed: "undefined",
      isUntouched: true,
    });
  },
);

flow("a module service worker: the same", async (visitor) => {
  const tab = await visitor.tab();
  const seen = await tab.run(async () => {
    const registration = await navigator.serviceWorker.register("/pages/service-worker.js", {
      type: "module",
    });
    const worker = registration.installing ?? registration.waiting ?? registration.active;
    while (worker.state !== "activated") await new Promise((done) => (worker.onstatechange = done));
    const seen = await new Promise((done) => {
      navigator.serviceWorker.onmessage = ({ data }) => done(data);
      worker.postMessage(0);
    });
    await registration.unregister();
    return seen;
  });
  assert.deepEqual(seen, { code: "NO_WINDOW", state: "unknown", isUntouched: true });
});
