// axios over XMLHttpRequest: nothing to add to it, and its users get its own errors.

import assert from "node:assert/strict";
import { build } from "esbuild";
import { COOKIES, openShop } from "./support/browser.mjs";

const { test, server } = await openShop();
const bundle = await build({
  stdin: { contents: 'export { default } from "axios";', resolveDir: import.meta.dirname },
  bundle: true,
  format: "esm",
  write: false,
});

const REFRESH = "POST /auth/session/refresh";
const UPDATED = "ACCESS_TOKEN_PAYLOAD_UPDATED";

/** Puts axios and `ask` into the page: what axios resolved to or rejected with. */
async function withAxios({ tab, ...rest }) {
  await tab.page.route("**/axios.js", (route) =>
    route.fulfill({ contentType: "text/javascript", body: bundle.outputFiles[0].text }),
  );
  await tab.run(async () => {
    window.axios = (await import("/axios.js")).default;
    window.ask = async (config) => {
      try {
        const { status, data, headers } = await axios(config);
        return { status, data, mark: headers["x-supertokens-xhr-intercepted"] };
      } catch (error) {
        const { name, code, message, response } = error;
        const is = { isAxiosError: axios.isAxiosError(error), isCancel: axios.isCancel(error) };
        return { name, code, message, ...is, status: response?.status, data: response?.data };
      }
    };
  });
  return { tab, ...rest, ask: (config) => tab.run((config) => ask(config), config) };
}

test("login, expiry, one refresh, one answer", async (visitor) => {
  const { tab, ask, anonymousId } = await withAxios(await visitor.guest());
  const login = await ask({
    method: "post",
    url: "/api/login",
    data: { name: "Ada", password: "windowsill" },
  });
  assert.deepEqual([login.status, login.mark], [200, "true"]);
  assert.deepEqual(await tab.eventNames(), ["SESSION_CREATED"]);
  assert.deepEqual(await visitor.cookies(), COOKIES.user);
  await ask({ method: "post", url: "/api/demo/expire" });
  await visitor.forget();

  const { status, data } = await ask({ url: "account", baseURL: "/api" });

  assert.equal(status, 200);
  assert.deepEqual(data, { userId: "ada", name: "Ada", anonymousId, orders: 0 });
  assert.deepEqual(visitor.requests, ["GET /api/account", REFRESH, "GET /api/account"]);
  const names = await tab.eventNames();
  assert.deepEqual(
    names.filter((name) => name !== UPDATED),
    ["REFRESH_SESSION"],
  );
});

test("a new visitor's parallel first requests: one session", async (visitor) => {
  const { tab } = await withAxios({ tab: await visitor.tab({ anonymous: {} }) });
  const answers = await tab.run(() =>
    Promise.all(Array.from({ length: 5 }, () => ask({ url: "/api/me" }))),
  );
  assert.equal(new Set(answers.map(({ data }) => data.anonymousId)).size, 1);
  assert.deepEqual(await visitor.minted(), ["/api/me"]);
});

test("twenty parallel requests at expiry: one refresh", async (visitor) => {
  const { tab } = await withAxios(await visitor.returningCustomer());
  const answers = await tab.run(() =>
    Promise.all(Array.from({ length: 20 }, () => ask({ url: "/api/account" }))),
  );
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.deepEqual(await server.calls(), { "GET /api/account": 40, [REFRESH]: 1 });
});

test("401 and 403 are axios errors with their response", async (visitor) => {
  const { tab, ask } = await withAxios(await visitor.customer());
  await tab.page.route("**/api/forbidden", (route) =>
    route.fulfill({ status: 403, json: { message: "not you" } }),
  );
  const forbidden = await ask({ url: "/api/forbidden" });
  const is = (status, data) => ({
    name: "AxiosError",
    code: "ERR_BAD_REQUEST",
    message: `Request failed with status code ${status}`,
    isAxiosError: true,
    isCancel: false,
    status,
    data,
  });
  assert.deepEqual(forbidden, is(403, { message: "not you" }));
  await tab.post("/api/demo/revoke");
  await visitor.forget();
  assert.deepEqual(await ask({ url: "/api/account" }), is(401, { message: "unauthorised" }));
  assert.deepEqual(await tab.eventNames(), ["UNAUTHORISED(true)"]);
  // A guest: the API's own answer.
  assert.equal((await ask({ url: "/api/account" })).status, 401);
  assert.deepEqual(await server.calls(), { "GET /api/account": 2, [REFRESH]: 1 });
});

test("a refresh that fails: its answer as an axios error, or a network error", async (visitor) => {
  const { tab, ask } = await withAxios(await visitor.returningCustomer());
  await tab.page.route("**/auth/session/refresh", (route) =>
    route.fulfill({ status: 500, body: "" }),
  );
  const answered = await ask({ url: "/api/account" });
  assert.deepEqual([answered.code, answered.status, answered.data], ["ERR_BAD_RESPONSE", 500, ""]);
  await tab.page.unroute("**/auth/session/refresh");
  await tab.page.route("**/auth/session/refresh", (route) => route.abort());
  const lost = await ask({ url: "/api/account" });
  assert.deepEqual(
    [lost.code, lost.message, lost.status],
    ["ERR_NETWORK", "Network Error", undefined],
  );
  assert.equal((await tab.snapshot()).state, "authenticated");
});

test("cancelled before, in flight and during the refresh: an axios cancellation, and nothing is sent again", async (visitor) => {
  const { tab } = await withAxios(await visitor.returningCustomer());
  const refreshes = [];
  await tab.page.route("**/auth/session/refresh", (route) => void refreshes.push(route));
  await tab.page.route("**/api/silent", () => {});
  const cancelled = {
    name: "CanceledError",
    code: "ERR_CANCELED",
    isCancel: true,
    status: undefined,
  };
  const check = ({ name, code, isCancel, status }) =>
    assert.deepEqual({ name, code, isCancel, status }, cancelled);

  check(await tab.run(() => ask({ url: "/api/account", signal: AbortSignal.abort() })));
  check(await tab.run(() => ask({ url: "/api/silent", signal: AbortSignal.timeout(50) })));
  const during = tab.run(() => {
    window.abort = new AbortController();
    window.source = axios.CancelToken.source();
    return Promise.all([
      ask({ url: "/api/account", signal: abort.signal }),
      ask({ url: "/api/me", cancelToken: source.token }),
    ]);
  });
  // Both are under way, and the first one that was refused has begun to refresh.
  while (refreshes.length === 0 || (await server.calls())["GET /api/me"] !== 1) {
    await new Promise((done) => setTimeout(done, 10));
  }
  await tab.run(() => (abort.abort(), source.cancel()));
  (await during).forEach(check);
  await refreshes[0].continue();
  await tab.page.waitForFunction(() =>
    harness.events.some(({ name }) => name === "REFRESH_SESSION"),
  );
  assert.deepEqual(await server.calls(), {
    "GET /api/account": 1,
    "GET /api/me": 1,
    [REFRESH]: 1,
  });
});

test("its time-out counts the refresh", async (visitor) => {
  const { tab, ask } = await withAxios(await visitor.returningCustomer());
  await tab.page.route("**/auth/session/refresh", () => {});
  const { code, message, isAxiosError, status } = await ask({ url: "/api/account", timeout: 300 });
  assert.deepEqual(
    [code, message, isAxiosError, status],
    ["ECONNABORTED", "timeout of 300ms exceeded", true, undefined],
  );
});

test("types of answers, progress and credentials", async (visitor) => {
  const { tab } = await withAxios(await visitor.returningCustomer());
  const seen = await tab.run(async () => {
    const loaded = { up: [], down: [] };
    const onUploadProgress = (event) => loaded.up.push(event.loaded);
    const expire = { method: "post", url: "/api/demo/expire", onUploadProgress };
    const blob = await ask({ url: "/api/account", responseType: "blob" });
    await ask({
      ...expire,
      data: "a".repeat(1000),
      onDownloadProgress: (event) => loaded.down.push(event.loaded),
    });
    const again = await ask({ ...expire, data: "a".repeat(2000) });
    const { name } = JSON.parse(await blob.data.text());
    return {
      name,
      statuses: [blob.status, again.status],
      up: [...new Set(loaded.up)],
      down: loaded.down.length > 0,
    };
  });
  assert.deepEqual(seen, { name: "Ada", statuses: [200, 200], up: [1000, 2000], down: true });
});
