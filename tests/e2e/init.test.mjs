// Starting the SDK: what init takes, what it refuses, and what is left of a page where it cannot
// start.

import assert from "node:assert/strict";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COOKIES, openShop } from "./support/browser.mjs";

const { test, server } = await openShop();

/** Functions that talk to the session. */
const FUNCTIONS = [
  "doesSessionExist",
  "isAnonymous",
  "getAnonymousId",
  "getUserId",
  "getAccessTokenPayloadSecurely",
  "attemptRefreshingSession",
  "signOut",
  "setAnonymousSessions",
  "refreshSessionPage",
];
const ARGUMENTS = { setAnonymousSessions: [true], refreshSessionPage: [{ loginPath: "/login" }] };

const rejections = (tab) =>
  tab.run(
    ([names, values]) =>
      Promise.all(
        names.map((name) =>
          harness.attempt(name, ...(values[name] ?? [])).then(({ code }) => `${name} ${code}`),
        ),
      ),
    [FUNCTIONS, ARGUMENTS],
  );

/** The error of init for options that are built in the page: NaN does not travel. */
const initError = (tab, build) =>
  tab.run(`(() => {
    const native = window.fetch;
    try {
      harness.start((${build})());
    } catch (error) {
      return { ...harness.describe(error), untouched: window.fetch === native };
    }
  })()`);

test("functions before init reject with code NOT_INITIALISED; getSnapshot and subscribe are harmless", async (visitor) => {
  const tab = await visitor.tab();
  assert.deepEqual(
    await rejections(tab),
    FUNCTIONS.map((name) => `${name} NOT_INITIALISED`),
  );
  const { message } = await tab.call("doesSessionExist");
  assert.match(message, /init/);
  assert.deepEqual(await tab.snapshot(), { state: "unknown" });
  assert.equal(await tab.run(() => typeof passerby.subscribe(() => {})), "function");
  assert.deepEqual(await server.calls(), {});
});

test("importing does nothing: fetch is patched by init, at once, and given back by dispose", async (visitor) => {
  const tab = await visitor.tab();
  const patched = await tab.run(() => {
    const native = window.fetch;
    const before = window.fetch === native && String(native).includes("[native code]");
    passerby.init({ apiDomain: location.origin, anonymous: {} });
    const during = window.fetch !== native;
    passerby.dispose();
    return [before, during, window.fetch === native];
  });
  assert.deepEqual(patched, [true, true, true]);
  assert.deepEqual(
    await rejections(tab),
    FUNCTIONS.map((name) => `${name} NOT_INITIALISED`),
  );
});

test("a request on the line after init carries the session", async (visitor) => {
  const tab = await visitor.tab();
  const { body } = await tab.run(() => {
    harness.start({ anonymous: {} });
    return harness.request("/api/me");
  });
  assert.equal(body.kind, "anonymous");
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
});

test("the shape of supertokens-web-js works", async (visitor) => {
  const tab = await visitor.tab();
  await tab.run(() =>
    passerby.default.init({
      appInfo: { appName: "Sill", apiDomain: location.origin, apiBasePath: "/auth" },
      recipeList: [passerby.Session.init({ onHandleEvent: harness.record })],
      anonymous: {},
    }),
  );
  await tab.fetch("/api/me");
  assert.deepEqual(await tab.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
  assert.equal(await tab.run(() => passerby.Session.doesSessionExist()), true);
  assert.deepEqual(await server.calls(), { "GET /api/me": 1 });
});

/** Options that cannot work, with what the error has to name. */
const REFUSED = [
  ["no apiDomain", "() => ({ apiDomain: undefined })", /apiDomain/],
  ["an empty apiDomain", "() => ({ apiDomain: '' })", /apiDomain/],
  ["an apiDomain that is a path", "() => ({ apiDomain: '/api' })", /apiDomain/],
  ["an apiDomain that is no URL", "() => ({ apiDomain: 'http://[' })", /apiDomain/],
  ["an apiDomain that is no text", "() => ({ apiDomain: 42 })", /apiDomain/],
  ["an apiBasePath that is no path", "() => ({ apiBasePath: 'http://[' })", /apiBasePath/],
  [
    "NaN as the retry limit",
    "() => ({ maxRetryAttemptsForSessionRefresh: NaN })",
    /maxRetryAttemptsForSessionRefresh/,
  ],
  [
    "a negative retry limit",
    "() => ({ maxRetryAttemptsForSessionRefresh: -1 })",
    /maxRetryAttemptsForSessionRefresh/,
  ],
  [
    "equal status codes",
    "() => ({ sessionExpiredStatusCode: 403 })",
    /sessionExpiredStatusCode and invalidClaimStatusCode/,
  ],
];

test("init with options that cannot work says what is wrong, and leaves the page as it was", async (visitor) => {
  const tab = await visitor.tab();
  const messages = new Map();
  for (const [what, build, names] of REFUSED) {
    const { error, code, message, untouched } = await initError(tab, build);
    assert.deepEqual([error, code, untouched], ["SessionError", "BAD_CONFIG", true], what);
    assert.match(message, names, what);
    // Each mistake has a message of its own.
    assert.equal(messages.get(message) ?? String(names), String(names), what);
    messages.set(message, String(names));
  }
  assert.equal((await tab.fetch("/api/products")).status, 200, "the app's requests go out");
  assert.equal((await tab.call("doesSessionExist")).code, "NOT_INITIALISED");
  // And the mistake can be mended.
  await tab.init({ anonymous: {} });
  assert.deepEqual(await tab.call("doesSessionExist"), { value: true });
});

test("init with unknown options names them in the console, and works", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {}, tokenTransferMetod: "header", onEvent: 1 });
  const problems = visitor.takeProblems();
  assert.equal(problems.length, 2);
  assert.match(problems[0], /"tokenTransferMetod"/);
  assert.match(problems[1], /"onEvent"/);
  assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
});

test("a second init in the shape of supertokens-web-js warns and changes nothing", async (visitor) => {
  const { tab } = await visitor.guest();
  await tab.run(() => {
    window.patched = window.fetch;
    const onHandleEvent = () => (window.calledSecond = true);
    passerby.init({
      appInfo: { apiDomain: "https://elsewhere.example" },
      recipeList: [passerby.Session.init({ onHandleEvent })],
    });
  });
  assert.equal((await tab.signIn("Ada")).status, 200);
  const problems = visitor.takeProblems();
  assert.equal(problems.length, 1);
  assert.match(problems[0], /already initialized/);
  assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED"]);
  assert.equal(await tab.run(() => window.calledSecond), undefined);
  assert.equal(await tab.run(() => window.fetch === window.patched), true);
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
});

test("a second init takes effect whole: options, events, hooks, overrides", async (visitor) => {
  const { tab } = await visitor.guest();
  await tab.run(() => {
    window.patched = [window.fetch, window.XMLHttpRequest];
    window.states = [];
    window.seen = [];
    passerby.subscribe(() => states.push(passerby.getSnapshot().state));
    harness.start({
      anonymous: {},
      tokenTransferMethod: "header",
      onHandleEvent: ({ action }) => seen.push(action),
      preAPIHook: async (context) => (seen.push(context.action), context),
      override: { functions: (original) => ({ ...original, getUserId: async () => "another" }) },
    });
  });
  assert.equal((await tab.signIn("Ada")).status, 200);
  assert.equal((await tab.call("getUserId")).value, "another");
  assert.equal(
    typeof (await tab.call("getAccessToken")).value,
    "string",
    "tokens travel in headers now",
  );
  assert.equal((await tab.xhr("/api/account")).status, 200);
  await tab.call("signOut");
  assert.deepEqual(await tab.run(() => seen), ["SESSION_CREATED", "SIGN_OUT", "SIGN_OUT"]);
  assert.deepEqual(await tab.eventNames(), [], "nothing for the first");
  assert.equal(
    await tab.run(() => window.fetch === patched[0] && window.XMLHttpRequest === patched[1]),
    true,
  );
  assert.deepEqual(
    await tab.run(() => states),
    ["authenticated", "anonymous"],
    "and subscribers stay",
  );

  // No requests are ours any more but those of the new domain.
  await tab.run(() => passerby.init({ apiDomain: "https://elsewhere.example" }));
  const [request] = await Promise.all([tab.page.waitForRequest("**/api/me"), tab.fetch("/api/me")]);
  assert.equal(request.headers().rid, undefined);
});

test("what is under way at a second init goes on, and an app that calls it at each navigation has one refresh", async (visitor) => {
  const { tab, anonymousId } = await visitor.returningCustomer();
  const seen = await tab.run(async () => {
    const answers = [];
    for (let i = 0; i < 5; i++) {
      harness.start({ anonymous: {} });
      answers.push(harness.request(`/api/account?${i}`), harness.xhr(`/api/account?xhr${i}`));
    }
    return (await Promise.all(answers)).map(({ status, body }) =>
      [status, body.anonymousId].join(),
    );
  });
  assert.deepEqual([...new Set(seen)], [`200,${anonymousId}`]);
  assert.equal((await server.calls())["POST /auth/session/refresh"], 1);
  assert.deepEqual((await tab.eventNames()).filter((name) => name === "REFRESH_SESSION").length, 1);
});

test("a second init with interception none gives fetch and XMLHttpRequest back; requests under way go on", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  const rids = [];
  visitor.context.on("request", (request) => {
    if (request.url().includes("/api/me?")) rids.push(request.headers().rid);
  });
  await tab.signIn("Ada");
  await tab.expire();
  await visitor.forget();
  const seen = await tab.run(async () => {
    const ours = [window.fetch, window.XMLHttpRequest];
    const opened = new XMLHttpRequest();
    opened.open("GET", "/api/account?opened");
    const underWay = [harness.request("/api/account?1"), harness.xhr("/api/account?2")];
    harness.start({ anonymous: {}, interception: "none" });
    const isNative = [fetch, XMLHttpRequest].map((given) => /native code/.test(given));
    // Of one that was opened before, the caller expects what it was then.
    opened.send();
    await new Promise((done) => (opened.onloadend = done));
    const answers = await Promise.all(underWay);
    await harness.request("/api/me?bare");
    await harness.xhr("/api/me?bare");
    await ours[0]("/api/me?kept");
    await passerby.Session.fetch("/api/me?asked");
    const isGone = !("__supertokensOriginalFetch" in window);
    harness.start({ anonymous: {} });
    const isBack = fetch !== ours[0] && /native code/.test(fetch) === false;
    await harness.request("/api/me?again");
    await harness.xhr("/api/me?again");
    passerby.dispose();
    const isNativeAgain = [fetch, XMLHttpRequest].map((given) => /native code/.test(given));
    return {
      isNative,
      isGone,
      isBack,
      isNativeAgain,
      statuses: [opened.status, ...answers.map(({ status }) => status)],
      ids: answers.map(({ body }) => body.anonymousId),
    };
  });
  assert.deepEqual(seen, {
    isNative: [true, true],
    isGone: true,
    isBack: true,
    isNativeAgain: [true, true],
    statuses: [200, 200, 200],
    ids: [anonymousId, anonymousId],
  });
  assert.deepEqual(rids, [
    ...[undefined, undefined, undefined],
    ...["anti-csrf", "anti-csrf", "anti-csrf"],
  ]);
  assert.equal((await server.calls())["POST /auth/session/refresh"], 1);
});

test("interception none holds beneath another library's wrapper around ours, and init again intercepts once", async (visitor) => {
  const { tab } = await visitor.guest();
  const rids = [];
  visitor.context.on("request", (request) => {
    if (request.url().includes("/api/me?")) rids.push(request.headers().rid);
  });
  const seen = await tab.run(async () => {
    const counts = { fetch: 0, xhr: 0 };
    const [innerFetch, Inner] = [window.fetch, window.XMLHttpRequest];
    window.fetch = (...values) => (counts.fetch++, innerFetch(...values));
    window.XMLHttpRequest = class extends Inner {
      open(...values) {
        counts.xhr++;
        return super.open(...values);
      }
    };
    const wrappers = [window.fetch, window.XMLHttpRequest];
    harness.start({ anonymous: {}, interception: "none" });
    const stay = wrappers[0] === window.fetch && wrappers[1] === window.XMLHttpRequest;
    await harness.request("/api/me?bare");
    await harness.xhr("/api/me?bare");
    harness.start({ anonymous: {} });
    await harness.request("/api/me?again");
    await harness.xhr("/api/me?again");
    return { stay, counts };
  });
  assert.deepEqual(seen, { stay: true, counts: { fetch: 2, xhr: 2 } });
  assert.deepEqual(rids, [undefined, undefined, "anti-csrf", "anti-csrf"]);
});

test("a second init with options that cannot work leaves the first in force", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  const patched = "window.fetch === window.patched";
  await tab.run(() => void (window.patched = window.fetch));
  for (const options of ["{ apiDomain: '' }", "{ maxRetryAttemptsForSessionRefresh: 'x' }"]) {
    const { code } = await initError(
      tab,
      `() => ({
        onHandleEvent: null,
        override: { functions: () => ({ getUserId: async () => "wrong" }) },
        ...${options}
      })`,
    );
    assert.equal(code, "BAD_CONFIG", options);
  }
  assert.equal(await tab.run(patched), true);
  assert.equal((await tab.signIn("Ada")).status, 200);
  assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED"]);
  assert.equal((await tab.call("getUserId")).value, "ada");
  assert.equal((await tab.call("getAnonymousId")).value, anonymousId);
  await tab.run(() => passerby.dispose());
  assert.equal(await tab.run(patched), false);
});

test("where the policy forbids WebAssembly, the same code runs as JavaScript, and diagnose() says so", async (visitor) => {
  const tab = await visitor.tab();
  await tab.page.goto("/no-wasm.html");
  await tab.init({ anonymous: {} });

  assert.equal((await tab.fetch("/api/me")).body.kind, "anonymous");
  assert.deepEqual(await tab.call("isAnonymous"), { value: true });
  const { value } = await tab.call("diagnose");
  assert.deepEqual(
    value.map(({ code }) => code),
    ["WASM_BLOCKED"],
  );
  assert.match(value[0].fix, /'wasm-unsafe-eval'/);
  visitor.takeProblems();
});

test("where the stand-in cannot be had either, the app's requests go out and calls say why", async (visitor) => {
  await visitor.context.addInitScript(() => delete window.WebAssembly);
  const tab = await visitor.tab({ anonymous: {}, fallbackUrl: "/nowhere.js" });
  assert.equal((await tab.fetch("/api/products")).status, 200);
  assert.deepEqual(
    await rejections(tab),
    FUNCTIONS.map((name) => `${name} NO_WASM`),
  );
  const { message } = await tab.call("doesSessionExist");
  assert.match(message, /WebAssembly.*fallback\.js.*nowhere/);
  assert.deepEqual(await tab.snapshot(), { state: "unknown" });
  await tab.run(() => passerby.dispose());
  assert.equal(await tab.run(() => typeof passerby.subscribe(() => {})), "function");
  assert.ok(
    visitor.takeProblems().some((problem) => problem.includes("WebAssembly")),
    "it stands in the console",
  );
});

test("a page without a host name, as a file is one, can start it", async (visitor, t) => {
  const folder = await mkdtemp(join(tmpdir(), "passerby-file-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "page.html"), '<script src="passerby.global.js"></script>');
  await copyFile(
    join(import.meta.dirname, "../../pkg/dist/passerby.global.js"),
    join(folder, "passerby.global.js"),
  );
  const tab = await visitor.tab();
  await tab.page.goto(`file://${folder}/page.html`);
  const seen = await tab.run((apiDomain) => {
    const native = window.fetch;
    supertokens.init({ apiDomain });
    return [
      location.hostname,
      window.fetch !== native,
      supertokens.getSnapshot?.().state ?? "unknown",
    ];
  }, server.origin);
  assert.deepEqual(seen, ["", true, "unknown"]);
});

test("diagnose() warns of a backend domain that is everybody's", async (visitor) => {
  const codes = async (options) => {
    const tab = await visitor.tab(options);
    const { value } = await tab.call("diagnose");
    return value.map(({ code }) => code);
  };
  assert.deepEqual(await codes({ sessionTokenBackendDomain: ".com" }), ["WIDE_DOMAIN"]);
  assert.deepEqual(await codes({ sessionTokenBackendDomain: "com" }), ["WIDE_DOMAIN"]);
  for (const sessionTokenBackendDomain of [undefined, "localhost", ".example.com"]) {
    assert.deepEqual(await codes({ sessionTokenBackendDomain }), []);
  }
  const [code] = await codes({
    apiDomain: "https://api.shop.invalid",
    sessionTokenBackendDomain: ".invalid",
  });
  assert.equal(code, "WIDE_DOMAIN");
  visitor.takeProblems();
});
