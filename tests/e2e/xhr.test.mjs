// The sessions of `fetch`, over XMLHttpRequest. Everything that its caller sees of each exchange is
// compared in `xhr-chromium.test.mjs`.

import assert from "node:assert/strict";
import { COOKIES, openShop } from "./support/browser.mjs";
import { record } from "./support/recorder.mjs";

const { test, server } = await openShop();

const REFRESH = "POST /auth/session/refresh";
const UPDATED = "ACCESS_TOKEN_PAYLOAD_UPDATED";
const withoutUpdates = (names) => names.filter((name) => name !== UPDATED);

/** The events that the caller of one request sees, whatever happened behind it. */
const ANSWERED = "1 loadstart 2 3 progress 4 load loadend";
const FAILED = "1 loadstart 4 error loadend";
const TALKS_TO_OTHERS = { bypassCSP: true };

test("a new visitor's first request brings the anonymous session", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  const { status, body, trace } = await tab.xhr("/api/me");
  assert.equal(status, 200);
  assert.equal(body.kind, "anonymous");
  assert.equal(trace, ANSWERED);
  assert.deepEqual(visitor.requests, ["GET /api/me"]);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("ten first requests of both kinds: one session", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  const answers = await tab.run(() =>
    Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        i % 2 ? harness.xhr("/api/me") : harness.request("/api/me"),
      ),
    ),
  );
  assert.equal(new Set(answers.map(({ body }) => body.anonymousId)).size, 1);
  assert.deepEqual(await visitor.minted(), ["/api/me"]);
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
});

test("the session is stored before the caller hears of the answer, whichever way it listens", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  const states = await tab.run(async () => {
    const xhr = new XMLHttpRequest();
    const states = [];
    const note = () => xhr.readyState === 4 && states.push(passerby.getSnapshot().state);
    xhr.addEventListener("readystatechange", note, true);
    xhr.onload = note;
    xhr.open("GET", "/api/me");
    xhr.send();
    await new Promise((done) => xhr.addEventListener("loadend", done));
    return states;
  });
  assert.deepEqual(states, ["anonymous", "anonymous"]);
});

test("login, expiry, one refresh, one final answer", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  const login = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"name":"Ada","password":"windowsill"}',
  };
  assert.equal((await tab.xhr("/api/login", login)).status, 200);
  assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED"]);
  await tab.expire();
  await visitor.forget();

  const { status, path, body, trace } = await tab.xhr("/api/account");

  assert.equal(status, 200);
  assert.equal(path, "/api/account");
  assert.deepEqual(body, { userId: "ada", name: "Ada", anonymousId, orders: 0 });
  assert.equal(trace, ANSWERED);
  assert.deepEqual(visitor.requests, ["GET /api/account", REFRESH, "GET /api/account"]);
  assert.deepEqual(withoutUpdates(await tab.eventNames()), ["REFRESH_SESSION"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});

test("twenty parallel requests of both kinds at expiry: one refresh", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  const answers = await tab.run(() =>
    Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        i % 4 ? harness.xhr("/api/account") : harness.request("/api/account"),
      ),
    ),
  );
  assert.deepEqual(
    [...new Set(answers.map(({ status, path }) => `${status} ${path}`))],
    ["200 /api/account"],
  );
  assert.deepEqual([...new Set(answers.map(({ trace }) => trace))].sort(), [ANSWERED, undefined]);
  assert.deepEqual(await server.calls(), { "GET /api/account": 40, [REFRESH]: 1 });
  assert.deepEqual(withoutUpdates(await tab.eventNames()), ["REFRESH_SESSION"]);
});

test("revoked: UNAUTHORISED with the anonymous session in place, and the refresh endpoint's answer", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  await tab.post("/api/demo/revoke");
  await visitor.forget();

  const { status, path, body, trace } = await tab.xhr("/api/account");

  assert.deepEqual(
    [status, path, body],
    [401, "/auth/session/refresh", { message: "unauthorised" }],
  );
  assert.equal(trace, ANSWERED);
  const [event, ...others] = await tab.events();
  assert.deepEqual(others, []);
  const { name, state, answers } = event;
  assert.deepEqual(
    [name, state, answers],
    ["UNAUTHORISED(true)", "anonymous", { exists: true, isAnonymous: true, anonymousId }],
  );
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  assert.deepEqual(await server.calls(), { "GET /api/account": 1, [REFRESH]: 1 });

  // A guest from here on: the API's own answer, and no refresh.
  await visitor.forget();
  const again = await tab.xhr("/api/account");
  assert.deepEqual([again.status, again.path, again.trace], [401, "/api/account", ANSWERED]);
  assert.deepEqual(await server.calls(), { "GET /api/account": 1 });
});

test("the refresh endpoint's answer comes in the type that was asked for", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  await tab.page.route("**/auth/session/refresh", (route) =>
    route.fulfill({ status: 503, headers: { "x-later": "yes" }, json: { message: "later" } }),
  );
  const seen = await tab.run(async () => {
    const seen = {};
    for (const type of ["", "text", "json", "arraybuffer", "blob", "document"]) {
      const xhr = new XMLHttpRequest();
      xhr.open("GET", "/api/account");
      xhr.responseType = type;
      xhr.send();
      await new Promise((done) => (xhr.onloadend = done));
      const { response } = xhr;
      const content =
        response instanceof Blob ? await response.text() : (response?.byteLength ?? response);
      seen[type] = [
        xhr.readyState,
        xhr.status,
        content,
        xhr.getResponseHeader("X-Later"),
        /^x-later: yes\r$/m.test(xhr.getAllResponseHeaders()),
        xhr.cause.status,
      ];
    }
    return seen;
  });
  const as = (content) => [4, 503, content, "yes", true, 401];
  const text = '{"message":"later"}';
  assert.deepEqual(seen, {
    "": as(text),
    text: as(text),
    json: as({ message: "later" }),
    arraybuffer: as(text.length),
    blob: as(text),
    document: as(null),
  });
  assert.equal((await tab.snapshot()).state, "authenticated");
});

test("server down: an error event and nothing else, and the session is kept", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  await server.stop();
  const { status, trace } = await tab.xhr("/api/account");
  await server.start();
  assert.deepEqual([status, trace], [0, FAILED]);
  assert.equal((await tab.snapshot()).state, "authenticated");
  assert.deepEqual(await tab.eventNames(), []);
  assert.equal((await tab.xhr("/api/account")).status, 200);
});

test("the refresh is lost on the way: an error event and nothing else", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  await tab.page.route("**/auth/session/refresh", (route) => route.abort());
  const { status, trace } = await tab.xhr("/api/account");
  assert.deepEqual([status, trace], [0, FAILED]);
  assert.equal((await tab.snapshot()).state, "authenticated");
});

test("a back end that keeps saying 401: an error event that says why", async (visitor) => {
  const { tab } = await visitor.customer("Ada", {
    anonymous: {},
    maxRetryAttemptsForSessionRefresh: 2,
  });
  await tab.page.route("**/api/stubborn", (route) =>
    route.fulfill({ status: 401, json: { message: "try refresh token" } }),
  );
  const { code, type, trace } = await tab.run(async () => {
    let event;
    const { trace } = await harness.xhr("/api/stubborn", {
      prepare: (xhr) => (xhr.onerror = (seen) => (event = seen)),
    });
    return { code: event.error.code, type: event.type, trace };
  });
  assert.deepEqual([code, type, trace], ["TOO_MANY_RETRIES", "error", FAILED]);
  assert.match(
    visitor.takeProblems().join(),
    /\/api\/stubborn.* 2 times.*maxRetryAttemptsForSessionRefresh/,
  );
  assert.deepEqual(await server.calls(), { [REFRESH]: 2 });
});

test("aborted, or out of time, during the refresh: not sent again, as others are", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  let goOn;
  const isUnderWay = new Promise((begun) => {
    void tab.page.route("**/auth/session/refresh", async (route) => {
      await new Promise((done) => (begun(), (goOn = done)));
      await route.continue();
    });
  });
  const answers = tab.run(() =>
    Promise.all([
      harness.xhr("/api/me", { prepare: (xhr) => (window.aborted = xhr) }),
      harness
        .xhr("/api/cart", { prepare: (xhr) => (xhr.timeout = 1000) })
        .finally(() => (window.isOver = true)),
      harness.xhr("/api/account"),
    ]),
  );
  await isUnderWay;
  const states = await tab.run(() => [
    aborted.readyState,
    aborted.status,
    (aborted.abort(), aborted.readyState),
  ]);
  assert.deepEqual(states, [1, 0, 0]);
  await tab.page.waitForFunction(() => window.isOver);
  goOn();
  const seen = (await answers).map(({ status, trace }) => [status, trace]);
  assert.deepEqual(seen, [
    [0, "1 loadstart 4 abort loadend"],
    [0, "1 loadstart 4 timeout loadend"],
    [200, ANSWERED],
  ]);
  assert.deepEqual(await server.calls(), {
    "GET /api/account": 2,
    "GET /api/cart": 1,
    "GET /api/me": 1,
    [REFRESH]: 1,
  });
});

test(
  "a stranger's request carries nothing of ours, and is sent at once",
  async (visitor, t) => {
    const stranger = await record(t, "127.0.0.1");
    const { tab } = await visitor.customer();
    const { status, trace } = await tab.xhr(stranger.url);
    assert.deepEqual([status, trace], [200, "1 loadstart 2 4 load loadend"]);
    const [{ headers, method }] = stranger.requests;
    assert.equal(method, "GET", "no permission was asked for");
    for (const name of ["rid", "st-auth-mode", "anti-csrf", "cookie"])
      assert.equal(headers[name], undefined);
    // Nor is it when the caller looked at `upload`.
    await tab.run(
      (url) => harness.xhr(url, { method: "POST", body: "a", prepare: (xhr) => void xhr.upload }),
      stranger.url,
    );
    assert.deepEqual(
      stranger.requests.map(({ method }) => method),
      ["GET", "POST"],
    );
  },
  TALKS_TO_OTHERS,
);

test(
  "a request to another port of ours is refreshed and repeated whole",
  async (visitor, t) => {
    const api = await record(t, "localhost");
    const { tab } = await visitor.customer();
    api.refusals = 1;
    const { status, body, trace } = await tab.run(
      ([url]) =>
        harness.xhr(url, {
          method: "PUT",
          headers: { "Content-Type": "text/x-a", RID: "mine", "ST-auth-mode": "header" },
          body: new Blob(["body"]),
        }),
      [api.url],
    );
    assert.deepEqual([status, body, trace], [200, "body", ANSWERED]);
    const puts = api.requests.filter(({ method }) => method === "PUT");
    assert.equal(puts.length, 2);
    for (const { headers, body } of puts) {
      assert.deepEqual(
        [body, headers.rid, headers["st-auth-mode"], headers["content-type"]],
        ["body", "mine", "cookie", "text/x-a"],
      );
      assert.match(headers.cookie, /sAccessToken=/);
    }
  },
  TALKS_TO_OTHERS,
);

test(
  "credentials: added, unless the caller or the app says otherwise",
  async (visitor, t) => {
    const api = await record(t, "localhost");
    const { tab } = await visitor.customer();
    const sent = async (prepare) => {
      api.requests.splice(0);
      await tab.run(
        ([url, prepare]) => harness.xhr(url, { prepare: prepare && new Function("xhr", prepare) }),
        [api.url, prepare],
      );
      return api.requests
        .filter(({ method }) => method === "GET")
        .map(({ headers }) => "cookie" in headers);
    };
    assert.deepEqual(await sent(), [true]);
    assert.deepEqual(await sent("xhr.withCredentials = false"), [false]);
    assert.deepEqual(await sent("xhr.withCredentials = true"), [true]);
    await tab.run(() => passerby.dispose());
    await tab.init({ anonymous: {}, autoAddCredentials: false });
    assert.deepEqual(await sent(), [false]);
    assert.deepEqual(await sent("xhr.withCredentials = true"), [true]);
  },
  TALKS_TO_OTHERS,
);

test("the mark in the fragment leaves a request alone", async (visitor) => {
  const { tab } = await visitor.returningCustomer();
  assert.equal((await tab.xhr("/api/account#superTokensDoNotDoInterception")).status, 401);
  assert.deepEqual(await server.calls(), { "GET /api/account": 1 });
});

test("it looks like the native class, and dispose brings that back", async (visitor) => {
  const tab = await visitor.tab();
  const seen = await tab.run(async () => {
    const native = XMLHttpRequest;
    harness.start({ anonymous: {} });
    const patched = XMLHttpRequest;
    const xhr = new XMLHttpRequest();
    const calls = [];
    // As monitoring tools do.
    for (const name of ["open", "send", "setRequestHeader", "abort"]) {
      const original = XMLHttpRequest.prototype[name];
      XMLHttpRequest.prototype[name] = function (...values) {
        calls.push(name);
        return original.apply(this, values);
      };
    }
    await harness.xhr("/api/me", { headers: { "x-a": "1" } });
    const old = new native();
    XMLHttpRequest.prototype.open.call(old, "GET", "/api/me");
    class Mine extends XMLHttpRequest {}
    const seen = {
      isPatched: native !== patched,
      name: patched.name,
      constants: [
        patched.UNSENT,
        patched.OPENED,
        patched.HEADERS_RECEIVED,
        patched.LOADING,
        patched.DONE,
        xhr.DONE,
      ],
      instance: [
        xhr instanceof native,
        xhr instanceof EventTarget,
        xhr instanceof patched,
        new Mine() instanceof Mine,
      ],
      text: String(xhr),
      constructor: xhr.constructor === patched,
      keys: Object.keys(xhr),
      calls,
      old: old.readyState,
    };
    passerby.dispose();
    return { ...seen, isNativeAgain: XMLHttpRequest === native };
  });
  assert.deepEqual(seen, {
    isPatched: true,
    name: "XMLHttpRequest",
    constants: [0, 1, 2, 3, 4, 4],
    instance: [true, true, true, true],
    text: "[object XMLHttpRequest]",
    constructor: true,
    keys: [],
    calls: ["open", "setRequestHeader", "send", "open"],
    old: 1,
    isNativeAgain: true,
  });
});

test("a wrapper that somebody put around ours stays, and serves the next init", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  const isKept = await tab.run(() => {
    const Wrapper = class extends XMLHttpRequest {};
    window.XMLHttpRequest = Wrapper;
    passerby.dispose();
    harness.start({ anonymous: {} });
    return XMLHttpRequest === Wrapper;
  });
  assert.equal(isKept, true);
  const { status, trace } = await tab.xhr("/api/me");
  assert.deepEqual([status, trace], [200, ANSWERED]);
  assert.deepEqual(await server.calls(), { "GET /api/me": 1 });
});

test("what imitates XMLHttpRequest and cannot be extended stays as it is", async (visitor) => {
  const tab = await visitor.tab();
  const kept = await tab.run(() => {
    const native = XMLHttpRequest;
    const imitations = [
      function () {
        return new native();
      },
      class {
        readyState = 0;
        constructor() {
          this.status = 0;
        }
        open() {}
        send() {}
      },
      new Proxy(native, { construct: (target) => new Proxy(new target(), {}) }),
      undefined,
    ];
    return imitations.map((imitation) => {
      window.XMLHttpRequest = imitation;
      harness.start({ anonymous: {} });
      const isKept = XMLHttpRequest === imitation;
      passerby.dispose();
      return isKept;
    });
  });
  assert.deepEqual(kept, [true, true, true, true]);
  const problems = visitor.takeProblems();
  assert.ok(
    problems.length === 3 &&
      problems.every((text) => text.startsWith("XMLHttpRequest of this page is not the browser's")),
    problems.join(),
  );
});

test("a second copy of the package on the page leaves XMLHttpRequest to the first", async (visitor) => {
  const { tab } = await visitor.guest();
  const isSame = await tab.run(async () => {
    const before = XMLHttpRequest;
    const second = await import("/passerby.js?second");
    second.init({ apiDomain: location.origin, anonymous: {} });
    return XMLHttpRequest === before;
  });
  assert.equal(isSame, true);
  const { status, trace } = await tab.xhr("/api/me");
  assert.deepEqual([status, trace], [200, ANSWERED]);
});

test(
  "an object that was used for us takes no credentials to a stranger",
  async (visitor, t) => {
    const stranger = await record(t, "127.0.0.1");
    const { tab } = await visitor.customer();
    const seen = await tab.run(async (url) => {
      const xhr = new XMLHttpRequest();
      const seen = [];
      for (const target of ["/api/me", url]) {
        xhr.open("GET", target);
        xhr.send();
        seen.push(xhr.withCredentials);
        await new Promise((done) => (xhr.onloadend = done));
      }
      return [...seen, xhr.status];
    }, stranger.url);
    assert.deepEqual(seen, [true, false, 200]);
  },
  TALKS_TO_OTHERS,
);

test("interceptors of SuperTokens for axios see that nothing is left to do", async (visitor) => {
  const { tab } = await visitor.guest();
  const seen = await tab.run(async () => {
    let xhr;
    await harness.xhr("/api/me", { prepare: (made) => (xhr = made) });
    return [
      xhr.getResponseHeader("X-SuperTokens-XHR-Intercepted"),
      xhr.getAllResponseHeaders().split("\r\n").slice(-2),
    ];
  });
  assert.deepEqual(seen, ["true", ["x-supertokens-xhr-intercepted: true", ""]]);
});

test("other libraries that list an object's members find those of a native one", async (visitor) => {
  const tab = await visitor.tab();
  const [native, ours] = await tab.run(() => {
    const names = () => {
      const all = [];
      for (const name in new XMLHttpRequest()) all.push(name);
      return all.filter((name) => name !== "cause").sort();
    };
    const native = names();
    passerby.init({ apiDomain: location.origin });
    return [native, names()];
  });
  assert.deepEqual(ours, native);
});

test("somebody's imitation is left alone, and a fetch that is made of it carries the session", async (visitor) => {
  const tab = await visitor.tab();
  const seen = await tab.run(async () => {
    const Native = XMLHttpRequest;
    // As Pretender has it: what the native class has in its prototype is in each object.
    class Imitation {
      upload = { addEventListener() {} };
      #native = new Native();
      readyState = 0;
      open(...values) {
        this.#native.open(...values);
      }
      setRequestHeader(...values) {
        this.#native.setRequestHeader(...values);
      }
      addEventListener() {}
      send(body) {
        this.#native.onload = () => {
          Object.assign(this, {
            readyState: 4,
            status: this.#native.status,
            responseText: this.#native.responseText,
            headers: this.#native.getAllResponseHeaders(),
          });
          this.onload?.();
        };
        this.#native.send(body);
      }
    }
    window.XMLHttpRequest = Imitation;
    const send = (xhr, url, headers = []) => {
      xhr.open("GET", url);
      for (const [name, value] of headers) xhr.setRequestHeader(name, value);
      return new Promise((done) => {
        xhr.onload = () => done(xhr);
        xhr.send();
      });
    };
    window.fetch = async (url, init) => {
      const { status, responseText, headers } = await send(new XMLHttpRequest(), url, [
        ...new Headers(init?.headers),
      ]);
      return new Response(responseText, {
        status,
        headers: headers
          .trim()
          .split("\r\n")
          .map((line) => line.split(": ")),
      });
    };
    harness.start({ anonymous: {} });
    const { body } = await harness.request("/api/me");
    const { status, readyState } = await send(new XMLHttpRequest(), "/api/products");
    return { kind: body.kind, status, readyState, isLeft: XMLHttpRequest === Imitation };
  });
  assert.deepEqual(seen, { kind: "anonymous", status: 200, readyState: 4, isLeft: true });
  assert.match(visitor.takeProblems().join(), /^XMLHttpRequest of this page is not the browser's/);
});
