// diagnose() in a page, against back ends that have one thing wrong each.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, test as nodeTest } from "node:test";
import { bundle } from "../unit/support/load.mjs";
import { launch } from "./support/browser.mjs";

const [script, browser] = await Promise.all([bundle(["diagnose.ts"]), launch()]);
after(() => browser.close());

/** Starts a server, for one test. @param {import("node:http").RequestListener} listener */
async function serve(t, host, listener) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => (server.closeAllConnections(), server.close()));
  return `http://${host}:${server.address().port}`;
}

/** The page's server. @param {Record<string, string>} headers */
function servePage(t, headers = {}) {
  return serve(t, "localhost", (request, response) => {
    response.setHeader(
      "content-type",
      request.url === "/diagnose.js" ? "text/javascript" : "text/html",
    );
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(request.url === "/diagnose.js" ? script : "<!doctype html><title>page</title>");
  });
}

const ALLOWED = "content-type, authorization, anti-csrf, rid, st-auth-mode, fdi-version";

/**
 * A back end on another origin, as it should be but for what is given. `stock` serves its key set
 * to everybody, as servers of SuperTokens do.
 */
async function serveApi(
  t,
  page,
  {
    origin = page,
    credentials = true,
    allow = ALLOWED,
    stock = false,
    base = "/auth",
    expose,
    ...rest
  } = {},
) {
  const requests = [];
  const url = await serve(t, "127.0.0.1", (request, response) => {
    const { method, headers } = request;
    const { pathname } = new URL(request.url, "http://x");
    requests.push({ method, path: pathname, cookie: headers.cookie });
    const isKeys = pathname === `${base}/jwt/jwks.json`;
    if (origin) response.setHeader("access-control-allow-origin", stock && isKeys ? "*" : origin);
    if (credentials) response.setHeader("access-control-allow-credentials", "true");
    if (expose) response.setHeader("access-control-expose-headers", expose);
    if (rest.date) response.setHeader("date", rest.date);
    if (method === "OPTIONS") {
      if (allow) response.setHeader("access-control-allow-headers", allow);
      return response.writeHead(204).end();
    }
    if (method === "POST") {
      response.writeHead(rest.refreshStatus ?? 200, { "front-token": "abc" }).end("{}");
    } else if (isKeys) {
      response.writeHead(200, { "content-type": "application/json" }).end('{"keys":[]}');
    } else {
      response.writeHead(rest.otherStatus ?? 404).end("<!doctype html>");
    }
  });
  return { url, requests };
}

/** `run` gets `diagnose(context)` in a page on `page`. */
function test(name, run) {
  nodeTest(name, { timeout: 30_000 }, async (t) => {
    const context = await browser.newContext();
    t.after(() => context.close());
    const tab = await context.newPage();
    /** Opens the page if it is not open, and looks. */
    async function diagnose(page, given) {
      if (!tab.url().startsWith(page)) await tab.goto(page);
      return tab.evaluate(async (given) => {
        const { diagnose } = await import("/diagnose.js");
        const { cookies, apiDomain, apiBasePath = "/auth", ...rest } = given;
        const refreshUrl = apiDomain && `${apiDomain}${apiBasePath}/session/refresh`;
        const context = { refreshUrl, isLoaded: true, fetch: (...args) => fetch(...args), ...rest };
        return diagnose(cookies === undefined ? context : { ...context, cookies: () => cookies });
      }, given);
    }
    const codes = async (...args) => (await diagnose(...args)).map(({ code }) => code);
    await run({ t, tab, context, diagnose, codes });
  });
}

/** To the end, because only then the browser has it in its list. */
function refresh(tab, apiDomain) {
  const url = `${apiDomain}/auth/session/refresh`;
  return tab.evaluate((url) => fetch(url, { method: "POST" }).then((answer) => answer.text()), url);
}

for (const stock of [false, true]) {
  test(
    "all is well: nothing is found, and nothing is changed" +
      (stock ? ", with a stock key set" : ""),
    async ({ t, tab, context, codes }) => {
      const page = await servePage(t);
      const api = await serveApi(t, page, { stock });
      await tab.goto(page);
      await context.addCookies([{ name: "sFrontToken", value: "f", url: page }]);
      assert.deepEqual(await codes(page, { apiDomain: api.url }), []);
      assert.deepEqual([...new Set(api.requests.map(({ method }) => method))].sort(), [
        "GET",
        "OPTIONS",
      ]);
      assert.deepEqual(
        (await context.cookies()).map(({ name }) => name),
        ["sFrontToken"],
      );
    },
  );
}

test("the API on the page's own origin", async ({ t, codes }) => {
  let keys = '{"keys":[]}';
  const page = await serve(t, "localhost", (request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    const [status, type, body] = {
      "/": [200, "text/html", ""],
      "/diagnose.js": [200, "text/javascript", script],
      "/auth/jwt/jwks.json": [200, "application/json", keys],
    }[pathname] ?? [404, "text/plain", ""];
    response.writeHead(status, { "content-type": type }).end(body);
  });
  assert.deepEqual(await codes(page, { apiDomain: page }), []);
  assert.deepEqual(await codes(page, { apiDomain: page, apiBasePath: "/api" }), ["WRONG_API"]);
  for (keys of ["null", "1", "{}", "<html>"])
    assert.deepEqual(await codes(page, { apiDomain: page }), ["WRONG_API"], keys);
});

for (const [what, options, code, fix] of [
  [
    "no CORS at all",
    { origin: "", credentials: false, allow: "" },
    "CORS_ORIGIN",
    /Access-Control-Allow-Origin: http:\/\/localhost:\d+ /,
  ],
  [
    "another website's CORS",
    { origin: "http://other.example" },
    "CORS_ORIGIN",
    /Access-Control-Allow-Origin: http:\/\/localhost:\d+ /,
  ],
  [
    "everybody's CORS",
    { origin: "*" },
    "CORS_CREDENTIALS",
    /Allow-Credentials: true, and .*-Origin: http:\/\/localhost:\d+ in place of \*/,
  ],
  [
    "no credentials",
    { credentials: false },
    "CORS_CREDENTIALS",
    /Access-Control-Allow-Credentials: true/,
  ],
  [
    "no credentials, stock key set",
    { credentials: false, stock: true },
    "CORS_CREDENTIALS",
    /Access-Control-Allow-Credentials: true/,
  ],
  [
    "headers not allowed",
    { allow: "content-type" },
    "CORS_HEADERS",
    /Allow-Headers: .*rid.*st-auth-mode/,
  ],
  [
    "headers not allowed, stock key set",
    { allow: "", stock: true },
    "CORS_HEADERS",
    /Allow-Headers: .*rid.*st-auth-mode/,
  ],
  ["another base path", { base: "/api/auth" }, "WRONG_API", /apiBasePath/],
  [
    "a web server that answers everything",
    { base: "/api/auth", otherStatus: 200 },
    "WRONG_API",
    /apiDomain/,
  ],
]) {
  test(`${what}: ${code}`, async ({ t, diagnose }) => {
    const page = await servePage(t);
    const api = await serveApi(t, page, options);
    const found = await diagnose(page, { apiDomain: api.url });
    assert.deepEqual(
      found.map((item) => item.code),
      [code],
    );
    assert.match(found[0].fix, fix);
    assert.ok(found[0].message.length > 20);
    assert.ok(!api.requests.some(({ method }) => method === "POST"));
  });
}

test("no key set, but a refresh route that wants something else than a GET", async ({
  t,
  codes,
}) => {
  const page = await servePage(t);
  const api = await serveApi(t, page, { base: "/keys-are-elsewhere", otherStatus: 405 });
  assert.deepEqual(await codes(page, { apiDomain: api.url }), []);
});

test("nobody listens, or the page's policy forbids to ask: UNREACHABLE", async ({ t, codes }) => {
  const page = await servePage(t);
  assert.deepEqual(await codes(page, { apiDomain: "http://127.0.0.1:1" }), ["UNREACHABLE"]);
  const strict = await servePage(t, { "content-security-policy": "connect-src 'self'" });
  const api = await serveApi(t, strict);
  assert.deepEqual(await codes(strict, { apiDomain: api.url }), ["UNREACHABLE"]);
  assert.deepEqual(api.requests, []);
});

test("before init", async ({ t, codes }) => {
  const page = await servePage(t);
  for (const isLoaded of [true, false])
    assert.deepEqual(await codes(page, { apiDomain: "", isLoaded }), ["NOT_INITIALISED"]);
});

test("WebAssembly forbidden by the page's policy, or missing", async ({
  t,
  tab,
  diagnose,
  codes,
}) => {
  const blocked = await servePage(t, { "content-security-policy": "script-src 'self'" });
  const found = await diagnose(blocked, { apiDomain: "", isLoaded: false });
  assert.deepEqual(
    found.map(({ code }) => code),
    ["WASM_BLOCKED"],
  );
  assert.match(found[0].fix, /'wasm-unsafe-eval'/);
  const free = await servePage(t, {
    "content-security-policy": "script-src 'self' 'wasm-unsafe-eval'",
  });
  assert.deepEqual(await codes(free, { apiDomain: "", isLoaded: false }), ["NOT_INITIALISED"]);
  await tab.evaluate(() => delete globalThis.WebAssembly);
  assert.deepEqual(await codes(free, { apiDomain: "", isLoaded: false }), ["WASM_MISSING"]);
});

test("cookies refused", async ({ t, tab, codes }) => {
  const page = await servePage(t);
  const api = await serveApi(t, page);
  await tab.goto(page);
  await tab.evaluate(() =>
    Object.defineProperty(document, "cookie", { configurable: true, get: () => "", set: () => {} }),
  );
  assert.deepEqual(await codes(page, { apiDomain: api.url }), ["COOKIES_BLOCKED"]);
  const sandbox = await servePage(t, {
    "content-security-policy": "sandbox allow-scripts",
    "access-control-allow-origin": "*",
  });
  // Its origin is opaque, and so nobody's.
  assert.ok((await codes(sandbox, { apiDomain: api.url })).includes("COOKIES_BLOCKED"));
});

test("a refresh whose token the page could not read: HEADERS_NOT_EXPOSED", async ({
  t,
  tab,
  diagnose,
  codes,
}) => {
  const page = await servePage(t);
  const api = await serveApi(t, page);
  await tab.goto(page);
  const store = () =>
    tab.evaluate(() => void (document.cookie = `st-last-access-token-update=${Date.now()};path=/`));
  await store();
  await new Promise((done) => setTimeout(done, 20));
  await refresh(tab, api.url);
  const found = await diagnose(page, { apiDomain: api.url });
  assert.deepEqual(
    found.map(({ code }) => code),
    ["HEADERS_NOT_EXPOSED"],
  );
  for (const name of [
    "front-token",
    "st-anonymous-front-token",
    "anti-csrf",
    "st-access-token",
    "st-refresh-token",
  ]) {
    assert.ok(found[0].fix.includes(name));
  }
  await tab.context().clearCookies();
  assert.deepEqual(
    await codes(page, { apiDomain: api.url }),
    ["HEADERS_NOT_EXPOSED"],
    "nothing stored at all",
  );
  await store();
  assert.deepEqual(await codes(page, { apiDomain: api.url }), []);
  await tab.context().clearCookies();
  assert.deepEqual(
    await codes(page, {
      apiDomain: api.url,
      cookies: `a=1; st-last-access-token-update=${Date.now()}`,
    }),
    [],
  );
});

test("a refused refresh tells nothing about exposed headers", async ({ t, tab, codes }) => {
  const page = await servePage(t);
  const api = await serveApi(t, page, { refreshStatus: 401 });
  await tab.goto(page);
  await refresh(tab, api.url);
  assert.deepEqual(await codes(page, { apiDomain: api.url }), []);
});

for (const [minutes, message] of [
  [-2, /2 min ahead of/],
  [2, /2 min behind/],
]) {
  test(`the server's clock is ${minutes} minutes off`, async ({ t, diagnose }) => {
    const date = () => new Date(Date.now() + minutes * 60_000).toUTCString();
    // Told by the API, or else by the page's own server.
    const page = await servePage(t);
    const api = await serveApi(t, page, { date: date(), expose: "date" });
    const wrong = await servePage(t, { date: date() });
    const silent = await serveApi(t, wrong, { date: date() });
    for (const [from, { url }] of [
      [page, api],
      [wrong, silent],
    ]) {
      const found = await diagnose(from, { apiDomain: url });
      assert.deepEqual(
        found.map(({ code }) => code),
        ["CLOCK_OFF"],
      );
      assert.match(found[0].message, message);
    }
    const cached = await servePage(t, { date: date(), age: String(-minutes * 60) });
    const other = await serveApi(t, cached);
    if (minutes < 0)
      assert.deepEqual(await diagnose(cached, { apiDomain: other.url }), [], "from a cache");
  });
}

test("page and API on different sites", async ({ tab, codes, context }) => {
  const cors = (origin) => ({
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
    "access-control-allow-headers": ALLOWED,
  });
  let refreshStatus;
  await context.route(/example/, (route) => {
    const { hostname, pathname } = new URL(route.request().url());
    const headers = cors(route.request().headers().origin ?? "");
    if (pathname === "/diagnose.js")
      return route.fulfill({ contentType: "text/javascript", body: script });
    if (hostname.startsWith("www"))
      return route.fulfill({ contentType: "text/html", body: "<!doctype html>" });
    return route.fulfill({
      status: pathname.endsWith("refresh") ? refreshStatus : 200,
      headers,
      json: { keys: [] },
    });
  });
  const look = async (page, apiDomain, ...statuses) => {
    await tab.goto(page);
    for (refreshStatus of statuses) await refresh(tab, apiDomain);
    return codes(page, { apiDomain });
  };
  const CROSS = "CROSS_SITE_COOKIES";
  assert.deepEqual(await look("https://www.one.example", "https://api.one.example", 401, 401), []);
  assert.deepEqual(
    await look("https://www.one.example", "https://api.two.example"),
    [],
    "with SameSite=none that works",
  );
  assert.deepEqual(
    await look("https://www.one.example", "https://api.two.example", 401),
    [],
    "a new visitor",
  );
  assert.deepEqual(await look("https://www.one.example", "https://api.two.example", 401, 401), [
    CROSS,
  ]);
  assert.deepEqual(await look("http://www.one.example", "http://api.two.example"), [
    "INSECURE_CONTEXT",
    CROSS,
  ]);
  assert.deepEqual(await look("http://www.one.example", "http://api.one.example"), [
    "INSECURE_CONTEXT",
  ]);
});

test("nothing secret is shown", async ({ t, tab, diagnose }) => {
  const page = await servePage(t);
  const api = await serveApi(t, page, { origin: "" });
  await tab.goto(page);
  await tab.evaluate(() => void (document.cookie = "st-access-token=secret;path=/"));
  assert.ok(!JSON.stringify(await diagnose(page, { apiDomain: api.url })).includes("secret"));
});
