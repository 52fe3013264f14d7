// The other direction: `supertokens-web-js` as npm has it, against our server with anonymous
// sessions on. It knows nothing of them, and must not hear of them. During a migration it shares a
// browser with our client.

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { build } from "esbuild";
import { COOKIES, open, openShop } from "./support/browser.mjs";
import { SlowShop } from "./support/delay.mjs";
import { mulberry32 } from "./support/random.mjs";

const { test, server } = await openShop();
/** As apps have it by default; the demo has no grace, so that a theft can be shown. */
const slow = await open(SlowShop.start(2, { refreshGrace: 30 }));

const REFRESH = "POST /auth/session/refresh";
const ACCOUNT = "GET /api/account";
const UPDATED = "ACCESS_TOKEN_PAYLOAD_UPDATED";

const bundle = await build({
  stdin: {
    contents: `
      import SuperTokens from "supertokens-web-js";
      import Session from "supertokens-web-js/recipe/session";
      window.stock = Session;
      window.heard = [];
      const hear = ({ action, sessionExpiredOrRevoked: was }) =>
        heard.push(was === undefined ? action : action + "(" + was + ")");
      SuperTokens.init({
        appInfo: { appName: "A shop", apiDomain: location.origin },
        recipeList: [Session.init({ onHandleEvent: hear })],
      });`,
    resolveDir: import.meta.dirname,
  },
  bundle: true,
  format: "iife",
  write: false,
});

/** A tab with the stock client in the place of ours. */
class StockTab {
  page;

  static async open(visitor) {
    const tab = new StockTab();
    tab.page = await visitor.context.newPage();
    await tab.page.route("**/in-page.js", (route) =>
      route.fulfill({ contentType: "text/javascript", body: bundle.outputFiles[0].text }),
    );
    await tab.page.goto("/blank.html");
    return tab;
  }

  /** `{ status, body }` as the app gets it. */
  fetch(path, method = "GET", body) {
    return this.page.evaluate(
      async ([path, method, body]) => {
        const headers = { "content-type": "application/json" };
        const response = await fetch(path, {
          method,
          ...(body && { headers, body: JSON.stringify(body) }),
        });
        return { status: response.status, body: await response.json() };
      },
      [path, method, body],
    );
  }

  signIn(name) {
    return this.fetch("/api/login", "POST", { name, password: "windowsill" });
  }

  /** The result of a function of its session recipe. */
  call(name) {
    return this.page.evaluate(
      (name) => stock[name]().catch((error) => `rejected: ${error.message}`),
      name,
    );
  }

  /** The events since the last time, but for those of the payload. */
  events() {
    return this.page.evaluate(
      (updated) => heard.splice(0).filter((name) => name !== updated),
      UPDATED,
    );
  }

  async isNobody() {
    assert.equal(await this.call("doesSessionExist"), false);
    assert.match(await this.call("getUserId"), /^rejected: No session exists/);
    assert.match(await this.call("getAccessTokenPayloadSecurely"), /^rejected: No session exists/);
    assert.equal(await this.call("attemptRefreshingSession"), false);
  }

  async isUser(name) {
    assert.equal(await this.call("doesSessionExist"), true);
    assert.equal(await this.call("getUserId"), name);
  }
}

test("a guest: the API works, and there is no session as far as it knows", async (visitor) => {
  const tab = await StockTab.open(visitor);
  assert.equal((await tab.fetch("/api/me")).status, 200);
  assert.equal((await tab.fetch("/api/products")).status, 200);
  await tab.isNobody();
  const events = await tab.events();
  assert.deepEqual([...new Set(events)], ["UNAUTHORISED(false)"]);
  assert.equal("sFrontToken" in (await visitor.cookies()), false);
});

test("login, expiry, one refresh, logout: as from a stock server, and nobody before and after", async (visitor) => {
  const tab = await StockTab.open(visitor);
  await tab.fetch("/api/me");
  await tab.isNobody();
  await tab.events();

  assert.equal((await tab.signIn("Ada")).status, 200);
  assert.deepEqual(await tab.events(), ["SESSION_CREATED"]);
  await tab.isUser("ada");

  await tab.fetch("/api/demo/expire", "POST");
  await visitor.forget();
  const { status, body } = await tab.fetch("/api/account");
  assert.deepEqual([status, body.userId], [200, "ada"]);
  assert.deepEqual(visitor.requests, [ACCOUNT, REFRESH, ACCOUNT]);
  assert.deepEqual(await tab.events(), ["REFRESH_SESSION"]);
  await tab.isUser("ada");

  await tab.call("signOut");
  assert.deepEqual(await tab.events(), ["SIGN_OUT"]);
  await tab.isNobody();
  assert.equal((await tab.fetch("/api/account")).status, 401);
});

test("twenty parallel requests at expiry: one refresh", async (visitor) => {
  const tab = await StockTab.open(visitor);
  await tab.signIn("Ada");
  await tab.fetch("/api/demo/expire", "POST");
  await visitor.forget();
  const answers = await Promise.all(Array.from({ length: 20 }, () => tab.fetch("/api/account")));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.equal((await server.calls())[REFRESH], 1);
});

test("revoked on the back end: UNAUTHORISED, and no session from there on", async (visitor) => {
  const tab = await StockTab.open(visitor);
  await tab.signIn("Ada");
  await tab.fetch("/api/demo/revoke", "POST");
  await tab.events();
  await visitor.forget();
  assert.equal((await tab.fetch("/api/account")).status, 401);
  assert.deepEqual(await tab.events(), ["UNAUTHORISED(true)"]);
  assert.deepEqual(await server.calls(), { [ACCOUNT]: 1, [REFRESH]: 1 });
  await tab.isNobody();
});

/** Two tabs of one visitor: ours, and the stock client's. */
async function both(visitor) {
  const { tab: ours, anonymousId } = await visitor.guest();
  const stock = await StockTab.open(visitor);
  await stock.isNobody();
  await stock.events();
  await ours.forgetEvents();
  return { ours, stock, anonymousId };
}

const becomes = ({ page }, state) =>
  page.waitForFunction((state) => passerby.getSnapshot().state === state, state);

test("two tabs: a guest of ours stays the same guest beside the stock client", async (visitor) => {
  const { ours, stock, anonymousId } = await both(visitor);
  assert.equal((await stock.fetch("/api/me")).status, 200);
  await stock.isNobody();
  assert.deepEqual((await ours.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
});

test("two tabs: login in ours is seen by the stock client, and its logout ends both", async (visitor) => {
  const { ours, stock, anonymousId } = await both(visitor);
  assert.equal((await ours.signIn("Ada")).status, 200);
  await stock.isUser("ada");
  assert.equal((await stock.fetch("/api/account")).body.anonymousId, anonymousId);

  await stock.call("signOut");
  assert.deepEqual(await stock.events(), ["SIGN_OUT"]);
  await stock.isNobody();
  assert.equal((await ours.fetch("/api/account")).status, 401);
  assert.notEqual((await ours.snapshot()).state, "authenticated");
  // The stock client dropped the tokens of the anonymous session that it was sent. A page of ours
  // asks for it.
  await ours.reload({ anonymous: {} });
  const { body } = await ours.fetch("/api/me");
  assert.equal(body.kind, "anonymous");
  await becomes(ours, "anonymous");
  assert.equal((await ours.snapshot()).anonymousId, body.anonymousId);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("a guest of the stock client is the same guest after the change to ours", async (visitor) => {
  const stock = await StockTab.open(visitor);
  const { anonymousId } = (await stock.fetch("/api/me")).body;
  await stock.isNobody();
  await stock.page.close();
  const ours = await visitor.tab({ anonymous: {} });
  assert.deepEqual((await ours.fetch("/api/me")).body, { kind: "anonymous", anonymousId });
  // It asks for what the answer did not bring.
  await becomes(ours, "anonymous");
  assert.equal((await ours.snapshot()).anonymousId, anonymousId);
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
});

test("two tabs: login in the stock client is seen by ours, and our logout ends both", async (visitor) => {
  const { ours, stock, anonymousId } = await both(visitor);
  assert.equal((await stock.signIn("Ada")).status, 200);
  assert.deepEqual(await ours.call("isAnonymous"), { value: false });
  assert.deepEqual(await ours.call("getUserId"), { value: "ada" });
  assert.equal((await ours.fetch("/api/account")).body.anonymousId, anonymousId);

  await ours.call("signOut");
  assert.deepEqual(await visitor.cookies(), COOKIES.anonymous);
  await stock.isNobody();
  assert.equal((await stock.fetch("/api/account")).status, 401);
  assert.equal((await ours.snapshot()).anonymousId, anonymousId);
});

for (const first of ["ours", "stock"]) {
  for (const tokenTransferMethod of ["cookie", "header"]) {
    test(`one page with both, ${first} first, ${tokenTransferMethod} mode: one refresh for ten requests`, async (visitor) => {
      const tab = await visitor.tab();
      const options = { anonymous: {}, tokenTransferMethod };
      const script = bundle.outputFiles[0].text.replace(
        "Session.init({",
        `Session.init({ tokenTransferMethod: "${tokenTransferMethod}",`,
      );
      const start = {
        ours: () => tab.init(options),
        stock: () => tab.page.evaluate(script),
      };
      await start[first]();
      await start[first === "ours" ? "stock" : "ours"]();
      const stock = new StockTab();
      stock.page = tab.page;
      assert.equal((await tab.signIn("Ada")).status, 200);
      await stock.isUser("ada");
      assert.deepEqual(await tab.call("getUserId"), { value: "ada" });
      await tab.expire();
      await visitor.forget();
      // Where the stock client was first, the `XMLHttpRequest`s are its own, and so is its lock. If
      // both ask at the same moment, each refreshes; here its refusals come after our refresh.
      const refreshed = first === "stock" && tab.page.waitForResponse(/session\/refresh$/);
      if (refreshed)
        await tab.page.route(/account\?[02468]$/, async (route) => {
          const response = await route.fetch();
          await refreshed;
          await route.fulfill({ response });
        });
      const answers = await tab.run(() =>
        Promise.all(
          Array.from({ length: 10 }, (_, i) =>
            (i % 2 ? harness.request : harness.xhr)(`/api/account?${i}`),
          ),
        ),
      );
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
      assert.equal((await server.calls())[REFRESH], 1);
      await tab.call("signOut");
      // Where ours was first, it answers for both.
      assert.equal(await stock.call("doesSessionExist"), first === "ours");
      assert.equal((await tab.snapshot()).state, "anonymous");
    });
  }

  test(`two tabs: a refresh by ${first} does not break the other`, async (visitor) => {
    const { ours, stock } = await both(visitor);
    const account = {
      ours: () => ours.fetch("/api/account"),
      stock: () => stock.fetch("/api/account"),
    };
    const second = first === "ours" ? "stock" : "ours";
    await ours.signIn("Ada");
    await stock.isUser("ada");
    for (let round = 0; round < 3; round++) {
      await ours.expire();
      await visitor.forget();
      assert.equal((await account[first]()).status, 200);
      assert.equal((await account[second]()).status, 200);
      assert.deepEqual(await server.calls(), { [ACCOUNT]: 3, [REFRESH]: 1 });
    }
    await stock.isUser("ada");
    assert.deepEqual(await ours.call("getUserId"), { value: "ada" });
  });
}

// Each has its own lock, so the answer that comes last may be the sibling of a token in use.
slow.test(
  "two tabs refresh in the same moment, six times: both go on, and nobody is signed out",
  async (visitor, t) => {
    const { ours, stock } = await both(visitor);
    const random = mulberry32(5);
    slow.server.hold = ({ url }) => delay(url === "/auth/session/refresh" ? random() * 80 : 0);
    t.after(() => (slow.server.hold = undefined));
    await ours.signIn("Ada");
    await stock.isUser("ada");
    await stock.events();
    let refreshes = 0;
    for (let round = 0; round < 6; round++) {
      await ours.expire();
      await visitor.forget();
      const answers = await Promise.all(
        [ours, stock, ours, stock].map((tab) => tab.fetch("/api/account")),
      );
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200, 200],
      );
      refreshes += (await slow.server.calls())[REFRESH];
      assert.equal((await stock.events()).includes("UNAUTHORISED(true)"), false);
      assert.equal((await ours.eventNames()).includes("UNAUTHORISED(true)"), false);
    }
    assert.ok(refreshes > 6, "both refreshed at least once");
    await stock.isUser("ada");
    assert.deepEqual(await ours.call("getUserId"), { value: "ada" });
  },
);

test("a guest of the stock client is a guest of ours, even if the first thing that ours asks for is refused", async (visitor) => {
  const stock = await StockTab.open(visitor);
  const { anonymousId } = (await stock.fetch("/api/me")).body;
  await stock.isNobody();
  await stock.page.close();
  const ours = await visitor.tab({ anonymous: {} });
  assert.equal((await ours.fetch("/api/account")).status, 401);
  await becomes(ours, "anonymous");
  assert.deepEqual(await ours.call("getAnonymousId"), { value: anonymousId });
});
