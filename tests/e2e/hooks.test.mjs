// The parts that an app may put in between: hooks, overrides, handlers of its own.

import assert from "node:assert/strict";
import { openShop } from "./support/browser.mjs";

const { test, server } = await openShop();

/**
 * A tab with the SDK started by code of the page, because functions do not travel: `build` gives
 * the options.
 */
async function started(visitor, build) {
  const tab = await visitor.tab();
  await tab.run(
    `(() => { window.seen = []; harness.start({ anonymous: {}, ...(${build})() }); })()`,
  );
  return tab;
}

const seen = (tab) => tab.run(() => window.seen);

async function signedIn(visitor, build) {
  const tab = await started(visitor, build);
  assert.equal((await tab.signIn("Ada")).status, 200);
  await visitor.forget();
  return tab;
}

// --- hooks ---------------------------------------------------------------------------------------

test("the hooks see refresh and sign-out, in the peers' shapes, and may read the answers", async (visitor) => {
  const tab = await signedIn(visitor, () => ({
    preAPIHook: async (context) => {
      const { headers, method, credentials } = context.requestInit;
      const own = headers instanceof Headers ? headers.get("rid") : headers.rid;
      window.seen.push(
        `before ${context.action} ${new URL(context.url).pathname} ` +
          `${method} ${credentials} ${own}`,
      );
      return context;
    },
    postAPIHook: async ({ action, fetchResponse, requestInit, url, userContext }) => {
      const { status } = JSON.parse((await fetchResponse.text()) || "{}");
      window.seen.push(
        `after ${action} ${fetchResponse.status} ${typeof url} ${!!requestInit} ` +
          `${JSON.stringify(userContext)} ${status}`,
      );
    },
  }));
  await tab.expire();
  assert.equal((await tab.fetch("/api/me")).body.kind, "user");
  assert.deepEqual(await seen(tab), [
    "before REFRESH_SESSION /auth/session/refresh POST include session",
    "after REFRESH_SESSION 200 string true {} undefined",
  ]);
  await tab.run(() => window.seen.splice(0));
  assert.deepEqual(await tab.call("signOut", { userContext: { why: "bored" } }), {
    value: undefined,
  });
  assert.deepEqual(await seen(tab), [
    "before SIGN_OUT /auth/signout POST include session",
    'after SIGN_OUT 200 string true {"why":"bored"} OK',
  ]);
});

test("what preAPIHook returns is what is sent", async (visitor) => {
  const tab = await signedIn(visitor, () => ({
    preAPIHook: async ({ url, requestInit }) => {
      const headers = new Headers(requestInit.headers);
      headers.set("x-app", "yes");
      return { url: `${url}?by=hook`, requestInit: { ...requestInit, headers } };
    },
  }));
  await tab.expire();
  const sent = tab.page.waitForRequest(/session\/refresh\?by=hook$/);
  assert.equal((await tab.fetch("/api/me")).body.kind, "user");
  assert.equal((await sent).headers()["x-app"], "yes");
});

const BROKEN_HOOKS = [
  [
    "throws",
    () => ({
      preAPIHook: () => {
        throw new Error("the app's");
      },
    }),
    { error: "Error", message: "the app's" },
  ],
  [
    "rejects",
    () => ({
      preAPIHook: async () => {
        throw new Error("the app's");
      },
    }),
    { error: "Error", message: "the app's" },
  ],
  [
    "returns nothing",
    () => ({ preAPIHook: async () => {} }),
    {
      error: "SessionError",
      code: "BAD_HOOK",
      message: "preAPIHook did not return { url, requestInit } for REFRESH_SESSION",
    },
  ],
];

for (const [what, build, expected] of BROKEN_HOOKS) {
  test(`a hook that ${what}: the caller learns it, and the session stays`, async (visitor) => {
    const tab = await signedIn(visitor, build);
    await tab.expire();
    assert.deepEqual(await tab.fetch("/api/me"), expected);
    assert.equal((await tab.snapshot()).state, "authenticated");
    assert.equal((await tab.fetch("/api/products")).status, 200, "other requests go on");
  });
}

test("an error of postAPIHook goes to the console: what it was to see has happened", async (visitor) => {
  const tab = await signedIn(visitor, () => ({
    postAPIHook: async () => {
      throw new Error("the app's");
    },
  }));
  await tab.expire();
  assert.equal((await tab.fetch("/api/me")).body.kind, "user");
  assert.match(visitor.takeProblems().join(), /the app's/);
});

test("a hook that never settles is waited for no longer than 20 seconds", async (visitor) => {
  const tab = await visitor.tab();
  await tab.page.clock.install();
  await tab.run(() => harness.start({ anonymous: {}, preAPIHook: () => new Promise(() => {}) }));
  assert.equal((await tab.signIn("Ada")).status, 200);
  const refreshing = tab.call("attemptRefreshingSession");
  await tab.page.waitForTimeout(100);
  await tab.page.clock.runFor(20_001);
  assert.equal((await refreshing).code, "BAD_HOOK");
  assert.equal((await tab.snapshot()).state, "authenticated");
});

test("a caller's userContext reaches the events and hooks of what it began, and of nothing else", async (visitor) => {
  const tab = await signedIn(visitor, () => ({
    onHandleEvent: ({ action, userContext }) => {
      if (action === "ACCESS_TOKEN_PAYLOAD_UPDATED") return;
      window.seen.push(`${action} ${JSON.stringify(userContext)}`);
      // A request of the handler's own is not its caller's.
      if (action === "REFRESH_SESSION") window.own = harness.request("/api/refused");
    },
    preAPIHook: async (context) => (
      window.seen.push(`before ${context.action} ${JSON.stringify(context.userContext)}`),
      context
    ),
  }));
  await tab.page.route("**/api/refused", (route) =>
    route.fulfill({ status: 403, json: { claimValidationErrors: [{ id: "a" }] } }),
  );
  const take = () => tab.run(async () => (await window.own, window.seen.splice(0)));
  await take();

  for (const name of [
    "doesSessionExist",
    "getUserId",
    "getAccessTokenPayloadSecurely",
    "getAccessToken",
  ]) {
    await tab.expire();
    const [refreshed] = await Promise.all([
      tab.call(name, { userContext: { by: name } }),
      tab.fetch("/api/products"),
    ]);
    assert.equal(refreshed.error, undefined);
    const expected = `{"by":"${name}"}`;
    if (name === "getUserId")
      await tab.run(() => passerby.doesSessionExist({ userContext: { by: "getUserId" } }));
    assert.deepEqual(
      await take(),
      [`before REFRESH_SESSION ${expected}`, `REFRESH_SESSION ${expected}`, "API_INVALID_CLAIM {}"],
      name,
    );
  }

  await tab.expire();
  assert.equal((await tab.fetch("/api/account")).status, 200);
  assert.deepEqual(await take(), [
    "before REFRESH_SESSION {}",
    "REFRESH_SESSION {}",
    "API_INVALID_CLAIM {}",
  ]);

  await tab.run(() => passerby.signOut({ userContext: { why: "bored" } }));
  assert.deepEqual(await take(), ['before SIGN_OUT {"why":"bored"}', 'SIGN_OUT {"why":"bored"}']);
  await tab.signIn("Ada");
  await tab.run(() => passerby.signOut());
  assert.deepEqual(await take(), ["SESSION_CREATED {}", "before SIGN_OUT {}", "SIGN_OUT {}"]);
});

// --- overrides -----------------------------------------------------------------------------------

test("an override wraps the original; layers lie on each other; `this` is the topmost", async (visitor) => {
  const tab = await started(visitor, () => ({
    override: {
      functions: (original, builder) => {
        builder.override((below) => ({
          ...below,
          async getUserId(input) {
            window.seen.push(`beneath ${input.userContext.from}`);
            return `[${await below.getUserId(input)}]`;
          },
        }));
        return {
          ...original,
          async doesSessionExist(input) {
            window.seen.push(`id ${await this.getUserId({ userContext: { from: "this" } })}`);
            return original.doesSessionExist(input);
          },
          async getUserId(input) {
            return `<${await original.getUserId(input)}>`;
          },
        };
      },
    },
  }));
  await tab.signIn("Ada");
  assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
  const [beneath, id] = await seen(tab);
  assert.equal(beneath, "beneath this");
  assert.match(id, /^id <\[.+\]>$/);
});

const STILL_WORKING = [
  ["that is undefined", () => ({ override: { functions: undefined } })],
  ["that returns nothing", () => ({ override: { functions: () => undefined } })],
  [
    "that forgot to spread the original",
    () => ({ override: { functions: () => ({ getUserId: async () => "me" }) } }),
  ],
];

for (const [what, build] of STILL_WORKING) {
  test(`an override ${what} takes nothing away`, async (visitor) => {
    const tab = await started(visitor, build);
    assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
    assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
  });
}

test("an override that throws is init's error, and the page stays as it was", async (visitor) => {
  const tab = await visitor.tab();
  const result = await tab.run(() => {
    const native = window.fetch;
    try {
      harness.start({
        override: {
          functions: () => {
            throw new Error("the app's");
          },
        },
      });
    } catch (error) {
      return [error.message, window.fetch === native];
    }
  });
  assert.deepEqual(result, ["the app's", true]);
});

test("overriding the decision works both ways, and one that throws fails no request", async (visitor) => {
  const decide = (answer) => `() => ({
      override: {
        functions: (original) => ({
          ...original,
          shouldDoInterceptionBasedOnUrl(url, apiDomain) {
            window.seen.push([url, apiDomain].join(" "));
            ${answer}
          },
        }),
      },
    })`;
  const none = await started(visitor, decide("return false;"));
  assert.equal(
    (await none.fetch("/api/me")).body.kind,
    "anonymous",
    "by the cookie that the server sets",
  );
  assert.deepEqual(await none.eventNames(), []);
  assert.deepEqual(await seen(none), [`${server.origin}/api/me ${server.origin}`]);

  const original = await started(
    visitor,
    decide("return original.shouldDoInterceptionBasedOnUrl(url, apiDomain, undefined);"),
  );
  await original.fetch("/api/me");
  assert.deepEqual(await original.call("isAnonymous"), { value: true });

  const throwing = await started(visitor, decide("throw new Error('the app');"));
  assert.equal((await throwing.fetch("/api/me")).status, 200);
  assert.match(visitor.takeProblems().join(), /the app/);
});

test("the modified fetch may be wrapped, and the clock be set by the app", async (visitor) => {
  const tab = await started(visitor, () => ({
    override: {
      functions: (original) => ({
        ...original,
        addFetchInterceptorsAndReturnModifiedFetch(input) {
          const modified = original.addFetchInterceptorsAndReturnModifiedFetch(input);
          return (...args) => (window.seen.push("fetch"), modified(...args));
        },
        calculateClockSkewInMillis({ accessTokenPayload, responseHeaders }) {
          window.seen.push(
            `clock ${typeof accessTokenPayload.iat} ${responseHeaders instanceof Headers}`,
          );
          return 3_600_000;
        },
      }),
    },
  }));
  await tab.signIn("Ada");
  assert.ok((await seen(tab)).includes("clock number true"), String(await seen(tab)));
  assert.equal((await seen(tab))[0], "fetch");
  assert.equal(await tab.run(() => localStorage.getItem("__st_clockSkewInMillis")), "3600000");
});

// --- handlers ------------------------------------------------------------------------------------

/** Cookies in a map, with promises, as apps without `document.cookie` have them. */
const ownCookies = `() => ({
  cookieHandler: () => {
    window.jar = new Map();
    return {
      getCookie: async () => {
        await new Promise((done) => setTimeout(done, 5));
        return [...jar].map((pair) => pair.join("=")).join("; ");
      },
      setCookie: async (text) => {
        await new Promise((done) => setTimeout(done, 5));
        const [name, value] = text.split(";")[0].split(/=(.*)/);
        if (value) jar.set(name, value); else jar.delete(name);
      },
    };
  },
})`;

test("a cookie handler that takes its time holds the whole state: login, refresh, sign-out", async (visitor) => {
  const tab = await started(visitor, ownCookies);
  await tab.signIn("Ada");
  const names = () => tab.run(() => [...jar.keys()].sort());
  assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
  assert.deepEqual(await names(), ["sFrontToken", "st-last-access-token-update"]);
  assert.equal(await tab.run(() => document.cookie), "", "and the browser none");
  await tab.expire();
  assert.equal((await tab.fetch("/api/me")).body.kind, "user");
  await tab.call("signOut");
  assert.equal((await tab.snapshot()).state, "anonymous");
  assert.deepEqual(await names(), ["sAnonymousFrontToken", "st-last-access-token-update"]);
});

test("events and answers come once a slow cookie handler has written", async (visitor) => {
  const tab = await started(visitor, () => {
    const jar = new Map();
    window.stored = () => [...jar.keys()].sort().join();
    return {
      onHandleEvent: ({ action }) => window.seen.push(`${action}: ${window.stored()}`),
      cookieHandler: () => ({
        getCookie: async () => [...jar].map((pair) => pair.join("=")).join("; "),
        setCookie: async (text) => {
          await new Promise((done) => setTimeout(done, 60));
          const [name, value] = text.split(";")[0].split(/=(.*)/);
          if (value) jar.set(name, value);
          else jar.delete(name);
        },
      }),
    };
  });
  const user = "sFrontToken,st-last-access-token-update";
  const atTheAnswer = await tab.run(async () => {
    const headers = { "content-type": "application/json" };
    await fetch("/api/login", {
      method: "POST",
      headers,
      body: JSON.stringify({ name: "Ada", password: "windowsill" }),
    });
    return window.stored();
  });
  assert.equal(atTheAnswer, user);
  assert.ok((await seen(tab)).includes(`SESSION_CREATED: ${user}`), String(await seen(tab)));
});

test("a session that another tab ends while a slow cookie handler writes is not told", async (visitor) => {
  const tab = await started(visitor, () => {
    const jar = new Map();
    return {
      anonymous: undefined,
      onHandleEvent: ({ action }) => window.seen.push(action),
      cookieHandler: () => ({
        getCookie: async () => [...jar].map((pair) => pair.join("=")).join("; "),
        setCookie: async (text) => {
          const [name, value] = text.split(";")[0].split(/=(.*)/);
          jar.set(name, value);
          if (name !== "st-last-access-token-update") return;
          // The other tab signs out before this one is told that all is written.
          jar.delete("sFrontToken");
          jar.set(name, Number(value) + 20);
          await new Promise((done) => setTimeout(done, 20));
        },
      }),
    };
  });
  assert.equal((await tab.signIn("Ada")).status, 200);
  // A guest's first request asked who they are before the login went.
  assert.deepEqual(await seen(tab), ["ANONYMOUS_SESSION_CREATED"]);
  assert.equal((await tab.snapshot()).state, "none");
});

/** Handlers that lose what they are given: at once, later, above a size, or by failing. */
const FORGETFUL = {
  "keeps nothing": "async () => {}",
  "answers later that it cannot": "() => new Promise((_, fail) => setTimeout(fail, 20, 'full'))",
  throws: "() => { throw new Error('full'); }",
  "keeps what is small": `async (text) => {
    const [name, value] = text.split(";")[0].split(/=(.*)/);
    if (value.length < 50) jar.set(name, value);
  }`,
};

for (const [what, setCookie] of Object.entries(FORGETFUL)) {
  test(`a cookie handler that ${what}: told as a cookie that the browser refuses`, async (visitor) => {
    const tab = await started(
      visitor,
      `() => {
        window.jar = new Map();
        const getCookie = async () => [...jar].map((pair) => pair.join("=")).join("; ");
        return {
          anonymous: undefined,
          onHandleEvent: ({ action }) => window.seen.push(action),
          cookieHandler: () => ({ getCookie, setCookie: ${setCookie} }),
        };
      }`,
    );
    assert.equal((await tab.signIn("Ada")).status, 200, "the app's request goes on");
    const atLogin = await tab.run(() => window.seen.splice(0));
    assert.deepEqual([...new Set(atLogin)], ["TOKEN_NOT_STORED"]);
    assert.notEqual((await tab.snapshot()).state, "authenticated");
    assert.notEqual((await tab.call("attemptRefreshingSession")).value, true);
    const since = await seen(tab);
    assert.ok(!since.some((name) => /SESSION/.test(name)), since.join());
    const problems = visitor.takeProblems().join();
    assert.match(problems, /"sFrontToken" cannot be read back .*cookieHandler/);
    if (/full/.test(setCookie)) assert.match(problems, /full/);
  });
}

test("an error of a cookie handler reaches the caller as it is", async (visitor) => {
  const tab = await started(visitor, () => ({
    cookieHandler: () => ({
      getCookie: async () => {
        throw new Error("no jar");
      },
      setCookie: async () => {},
    }),
  }));
  assert.deepEqual(await tab.fetch("/api/me"), { error: "Error", message: "no jar" });
});

test("window handler, date provider and lock factory are used, and the first ones stay", async (visitor) => {
  const tab = await started(visitor, () => ({
    windowHandler: (original) => ({
      ...original,
      location: {
        ...original.location,
        getHostName: () => (window.seen.push("host"), original.location.getHostName()),
      },
    }),
    dateProvider: () => ({
      now: () => (window.seen.push("now"), Date.now()),
      getThresholdInSeconds: () => 7,
      setThresholdInSeconds() {},
      getClientClockSkewInMillis: () => 0,
      setClientClockSkewInMillis: (skew) => window.seen.push(typeof skew),
    }),
    lockFactory: async () => ({
      acquireLock: async (key) => (window.seen.push(`lock ${key}`), true),
      releaseLock: async (key) => void window.seen.push(`free ${key}`),
    }),
  }));
  await tab.signIn("Ada");
  await tab.call("doesSessionExist");
  await tab.expire();
  await tab.fetch("/api/me");
  const uses = new Set(await seen(tab));
  for (const use of ["host", "now", "number", "lock passerby-refresh", "free passerby-refresh"])
    assert.ok(uses.has(use), use);
});

test("a lock that comes when nobody waits for it any more is free again", async (visitor) => {
  const tab = await visitor.tab();
  await tab.page.clock.install();
  await tab.run(() => harness.start());
  assert.equal((await tab.signIn("Ada")).status, 200);
  // The browser's other process, which is asked once the lock is had, takes its time.
  await tab.run(() => {
    cookieStore.get = () => new Promise((resolve) => (window.catchUp = resolve));
  });
  const refreshing = tab.call("attemptRefreshingSession");
  await tab.page.waitForFunction(() => window.catchUp);
  await tab.page.clock.runFor(10_001);
  assert.deepEqual(await refreshing, { value: true }, "goes on without it");
  const held = () =>
    tab.run(async () => (await navigator.locks.query()).held.map(({ name }) => name));
  assert.deepEqual(await held(), ["passerby-refresh"]);
  await tab.run(() => window.catchUp());
  assert.deepEqual(await held(), []);
});

test("a clock that is wrong for ever costs one refresh for a question, and not a loop", async (visitor) => {
  const tab = await signedIn(visitor, () => ({
    onHandleEvent() {},
    dateProvider: () => ({
      now: () => Date.now() + 3_600_000_000,
      getThresholdInSeconds: () => 7,
      setThresholdInSeconds() {},
      getClientClockSkewInMillis: () => 0,
      setClientClockSkewInMillis() {},
    }),
  }));
  const { value } = await tab.call("getAccessTokenPayloadSecurely");
  assert.equal(value.sub, "ada");
  assert.deepEqual(await server.calls(), { "POST /auth/session/refresh": 1 });
});

test("a clock that throws costs the clock, and no request", async (visitor) => {
  const broken = "() => { throw new Error('no clock'); }";
  for (const build of [
    `() => ({
      dateProvider: () => ({
        now: ${broken},
        getThresholdInSeconds: () => 7,
        setThresholdInSeconds() {},
        getClientClockSkewInMillis: ${broken},
        setClientClockSkewInMillis: ${broken},
      }),
    })`,
    `() => ({
      override: {
        functions: (original) => ({ ...original, calculateClockSkewInMillis: ${broken} }),
      },
    })`,
  ]) {
    const tab = await started(visitor, build);
    assert.equal((await tab.signIn("Ada")).status, 200);
    assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
    await tab.expire();
    assert.equal((await tab.fetch("/api/me")).body.kind, "user");
    await tab.call("signOut");
    assert.match(visitor.takeProblems().join(), /no clock/);
  }
});

test("an error of a window handler is init's", async (visitor) => {
  const tab = await visitor.tab();
  const message = await tab.run(() => {
    try {
      harness.start({
        windowHandler: (original) => ({
          ...original,
          location: {
            ...original.location,
            getHostName() {
              throw new Error("no host");
            },
          },
        }),
      });
    } catch (error) {
      return error.message;
    }
  });
  assert.equal(message, "no host");
  assert.equal((await tab.fetch("/api/products")).status, 200);
});

test("a lock factory that throws, rejects or answers no holds nothing up", async (visitor) => {
  for (const factory of [
    "() => { throw new Error('no lock'); }",
    "async () => { throw new Error('no lock'); }",
    "() => ({ acquireLock: () => false, releaseLock() {} })",
  ]) {
    const tab = await signedIn(visitor, `() => ({ lockFactory: ${factory} })`);
    await tab.expire();
    assert.equal((await tab.fetch("/api/me")).body.kind, "user", factory);
    await tab.call("signOut");
  }
});

// --- the rest ------------------------------------------------------------------------------------

test(
  'with interception "none" the page is untouched, ' + "and Session.fetch carries the session",
  async (visitor) => {
    const tab = await visitor.tab();
    const result = await tab.run(async () => {
      const natives = [window.fetch, window.XMLHttpRequest];
      harness.start({ anonymous: {}, interception: "none" });
      const untouched = natives[0] === window.fetch && natives[1] === window.XMLHttpRequest;
      await passerby.Session.fetch("/api/me");
      return [untouched, passerby.getSnapshot().state];
    });
    assert.deepEqual(result, [true, "anonymous"]);
  },
);

test("events of other tabs come with the tab that they are of, where the app wants them", async (visitor) => {
  const build = () => ({
    eventsOfOtherTabs: true,
    onHandleEvent: ({ action, tab }) => window.seen.push([action, tab]),
  });
  const [one, two] = [await started(visitor, build), await started(visitor, build)];
  await one.signIn("Ada");
  await two.page.waitForFunction(() =>
    window.seen.some(([action]) => action === "SESSION_CREATED"),
  );
  const own = (await seen(one)).find(([action]) => action === "SESSION_CREATED");
  const other = (await seen(two)).find(([action]) => action === "SESSION_CREATED");
  assert.deepEqual(own, other);
  assert.match(own[1], /^[a-z0-9]+$/);
});

test("an abort is honoured while the request waits for a refresh", async (visitor) => {
  const tab = await signedIn(visitor, () => ({}));
  await tab.expire();
  await tab.page.route(
    "**/session/refresh",
    async (route) => (await new Promise((done) => setTimeout(done, 400)), route.continue()),
  );
  const [outcome, time] = await tab.run(async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 100);
    const start = performance.now();
    return [await harness.request("/api/me", { signal: abort.signal }), performance.now() - start];
  });
  assert.equal(outcome.error, "AbortError");
  assert.ok(time < 350, `${time} ms`);
  assert.equal(
    (await tab.call("doesSessionExist")).value,
    true,
    "and the refresh goes on for the others",
  );
});

test("debug logs say what is done, without tokens and ids", async (visitor) => {
  const lines = [];
  const tab = await visitor.tab();
  tab.page.on("console", (message) => lines.push(message.text()));
  await tab.run(() =>
    harness.start({ anonymous: {}, enableDebugLogs: true, tokenTransferMethod: "header" }),
  );
  await tab.signIn("Ada");
  await tab.call("signOut");
  const text = lines.join("\n");
  assert.match(
    text,
    /message: "init: apiDomain .*tokenTransferMethod \\?"header\\?"/,
    "and with what settings",
  );
  assert.match(
    text,
    /^com\.supertokens \{t: "\d{4}-\d\d-\d\dT[\d:.]+Z", message: "event SESSION_CREATED", supertokens-website-ver: /m,
  );
  assert.doesNotMatch(text, /eyJ|[0-9a-f]{8}-[0-9a-f]{4}/);
});

test("options of a wrong type are refused by name", async (visitor) => {
  const tab = await visitor.tab();
  const wrong = {
    apiBasePath: 1,
    sessionTokenFrontendDomain: 1,
    sessionTokenBackendDomain: {},
    sessionExpiredStatusCode: "401",
    invalidClaimStatusCode: "403",
    autoAddCredentials: "yes",
    isInIframe: 1,
    tokenTransferMethod: 1,
    maxRetryAttemptsForSessionRefresh: "10",
    preAPIHook: {},
    postAPIHook: 1,
    onHandleEvent: "log",
    override: "x",
    cookieHandler: {},
    windowHandler: {},
    dateProvider: {},
    lockFactory: {},
    enableDebugLogs: 1,
    anonymous: true,
    interception: 1,
    eventsOfOtherTabs: 1,
  };
  for (const [name, value] of Object.entries(wrong)) {
    const error = await tab.run(
      ([name, value]) => {
        try {
          harness.start({ [name]: value });
        } catch (error) {
          return harness.describe(error);
        }
      },
      [name, value],
    );
    assert.equal(error?.code, "BAD_CONFIG", name);
    assert.match(error.message, new RegExp(`\\b${name}\\b`));
  }
});

test("token domains that are not valid are refused, others normalised", async (visitor) => {
  const tab = await visitor.tab();
  for (const option of ["sessionTokenFrontendDomain", "sessionTokenBackendDomain"]) {
    const message = await tab.run((option) => {
      try {
        harness.start({ [option]: "http://" });
      } catch (error) {
        return error.message;
      }
    }, option);
    assert.match(message, /sessionTokenBackendDomain are domains/);
  }
  await tab.init({ anonymous: {}, sessionTokenBackendDomain: " HTTPS://.Example.com:8080/x " });
  assert.equal(await tab.run(() => passerby.getSnapshot().state), "unknown");
});

test("a gateway's path goes in front of the base path", async (visitor) => {
  const tab = await visitor.tab();
  await tab.run(() =>
    passerby.init({
      appInfo: {
        appName: "Sill",
        apiDomain: location.origin,
        apiGatewayPath: "/gateway/",
        apiBasePath: "/auth",
      },
      recipeList: [passerby.Session.init()],
    }),
  );
  const asked = tab.page.waitForRequest(/session\/refresh$/);
  await tab.call("attemptRefreshingSession");
  assert.equal(new URL((await asked).url()).pathname, "/gateway/auth/session/refresh");
});
