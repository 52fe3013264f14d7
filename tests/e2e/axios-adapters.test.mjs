// axios with adapters whose requests no patched function carries, and with those whose requests one
// does: the same sessions, once.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { COOKIES, openShop } from "./support/browser.mjs";

const SOURCE = resolve(import.meta.dirname, "../../pkg/src");
const GENERATED = join(SOURCE, "generated");
const [host] = readdirSync(GENERATED, { recursive: true }).filter((file) =>
  /browser[\\/]host\.js$/.test(file),
);

const { test, server } = await openShop();
const { outputFiles } = await build({
  stdin: {
    contents: `
      export * from ${JSON.stringify(join(SOURCE, "index.ts"))};
      import { intercepted } from ${JSON.stringify(join(SOURCE, "axios.ts"))};
      import { findOurs, intercept } from ${JSON.stringify(join(GENERATED, host))};
      import axios from "axios";
      export { axios };
      export const add = (instance) =>
        instance.interceptors.request.use((config) =>
          intercepted(config, instance, { findOurs, intercept }));
    `,
    resolveDir: import.meta.dirname,
  },
  bundle: true,
  format: "esm",
  write: false,
});

const REFRESH = "POST /auth/session/refresh";
const UPDATED = "ACCESS_TOKEN_PAYLOAD_UPDATED";

/** The options of `axios.create` in the page, after `init`. */
const ADAPTERS = {
  "fetch, the browser's own": () => ({
    adapter: "fetch",
    env: { fetch: fetch.__supertokensOriginalFetch },
  }),
  "XMLHttpRequest, the browser's own": () => {
    window.XMLHttpRequest = Object.getPrototypeOf(XMLHttpRequest);
    return { adapter: "xhr" };
  },
  "an adapter of the app over the browser's own XMLHttpRequest": () => {
    window.XMLHttpRequest = Object.getPrototypeOf(XMLHttpRequest);
    return { adapter: passerby.axios.getAdapter("xhr") };
  },
  "fetch, patched": () => ({ adapter: "fetch" }),
  "an adapter of the app over the patched fetch": () => ({
    adapter: passerby.axios.getAdapter("fetch"),
  }),
  "an adapter of the app over the patched XMLHttpRequest": () => ({
    adapter: passerby.axios.getAdapter("xhr"),
  }),
  "the default": () => ({}),
};

/** Has `ask` in the page. */
async function prepare(tab, adapter) {
  await tab.run(`window.adapter = ${adapter}`);
  await tab.run(() => {
    const instance = passerby.axios.create(window.adapter());
    passerby.add(instance);
    passerby.add(instance);
    window.ask = async (config) => {
      try {
        const { status, data } = await instance.request(config);
        return { status, data };
      } catch (error) {
        const { name, code, message, response } = error;
        return {
          name,
          code,
          message,
          isAxiosError: passerby.axios.isAxiosError(error),
          status: response?.status,
          data: response?.data,
        };
      }
    };
  });
  return (config) => tab.run((config) => ask(config), config);
}

/** As `visitor.guest()` and so on, with axios in the page. */
async function open(visitor, who) {
  await visitor.context.route("**/passerby.js", (route) =>
    route.fulfill({ contentType: "text/javascript", body: outputFiles[0].text }),
  );
  return visitor[who]();
}

for (const [name, adapter] of Object.entries(ADAPTERS)) {
  test(`${name}: login, expiry, one refresh, one answer`, async (visitor) => {
    const { tab, anonymousId } = await open(visitor, "guest");
    const ask = await prepare(tab, adapter);
    const login = await ask({
      method: "post",
      url: "/api/login",
      data: { name: "Ada", password: "windowsill" },
    });
    assert.equal(login.status, 200);
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
      names.filter((event) => event !== UPDATED),
      ["REFRESH_SESSION"],
    );
  });

  test(`${name}: revoked, one refusal and one event`, async (visitor) => {
    const { tab } = await open(visitor, "customer");
    const ask = await prepare(tab, adapter);
    await tab.post("/api/demo/revoke");
    await visitor.forget();
    const { name: error, isAxiosError, status, message, data } = await ask({ url: "/api/account" });
    assert.deepEqual(
      [error, isAxiosError, status, message],
      ["AxiosError", true, 401, "Request failed with status code 401"],
    );
    assert.deepEqual(data, { message: "unauthorised" });
    assert.deepEqual(await tab.eventNames(), ["UNAUTHORISED(true)"]);
    assert.deepEqual(await server.calls(), { "GET /api/account": 1, [REFRESH]: 1 });
  });

  test(`${name}: a refresh that fails`, async (visitor) => {
    const { tab } = await open(visitor, "returningCustomer");
    const ask = await prepare(tab, adapter);
    await tab.page.route("**/auth/session/refresh", (route) =>
      route.fulfill({ status: 500, body: "" }),
    );
    const answered = await ask({ url: "/api/account" });
    assert.deepEqual(
      [answered.code, answered.status, answered.data, answered.isAxiosError],
      ["ERR_BAD_RESPONSE", 500, "", true],
    );
    await tab.page.unroute("**/auth/session/refresh");
    await tab.page.route("**/auth/session/refresh", (route) => route.abort());
    const lost = await ask({ url: "/api/account" });
    assert.deepEqual(
      [lost.code, lost.message, lost.status],
      ["ERR_NETWORK", "Network Error", undefined],
    );
    assert.equal((await tab.snapshot()).state, "authenticated");
  });
}

test("added before init, twice, where nothing is patched: the sessions of its requests, once", async (visitor) => {
  await visitor.context.route("**/passerby.js", (route) =>
    route.fulfill({ contentType: "text/javascript", body: outputFiles[0].text }),
  );
  const tab = await visitor.tab();
  await tab.run(() => {
    window.instance = passerby.axios.create({ baseURL: `${location.origin}/api` });
    passerby.addAxiosInterceptors(instance);
    passerby.addAxiosInterceptors(instance);
  });
  await tab.init({ anonymous: {}, interception: "none" });
  const { anonymousId } = await tab.run(() => instance.get("/me").then(({ data }) => data));
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  await tab.run(() => instance.post("/login", { name: "Ada", password: "windowsill" }));
  await tab.run(() => instance.post("/demo/expire"));
  await visitor.forget();
  assert.equal((await tab.run(() => instance.get("/account"))).data.anonymousId, anonymousId);
  assert.deepEqual(visitor.requests, ["GET /api/account", REFRESH, "GET /api/account"]);
});
