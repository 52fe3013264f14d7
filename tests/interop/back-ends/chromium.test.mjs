// Our SDK in Chromium against a SuperTokens back end on the session core: pages on one port, the
// API on another, and an endpoint for anonymous sessions. Started by `server/tests/interop.rs` with
// API (the back end's address), WEBSITE (where pages are to come from), LIFE (of access tokens, in
// seconds) and MODES (`cookie`, `header`, or both with a comma).

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { open } from "../../e2e/support/browser.mjs";
import { heardByGuest } from "../../e2e/support/page.mjs";
import { bundle } from "../../e2e/support/sdk.mjs";

const { API, WEBSITE, LIFE } = process.env;
const MODES = process.env.MODES.split(",");
const PAGES = join(import.meta.dirname, "../../e2e/support/pages");
/** For what happens between two processes, on a slow machine. */
const TIMEOUT = 60_000;

const { test } = await open(website());

/** The pages and the SDK, without an API. */
async function website() {
  const sdk = bundle();
  const files = {
    "/blank.html": ["text/html", await readFile(join(PAGES, "blank.html"))],
    "/in-page.js": ["text/javascript", await readFile(join(PAGES, "in-page.js"))],
    "/passerby.js": ["text/javascript", sdk],
    "/favicon.svg": ["image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg"/>'],
  };
  const http = createServer(({ url }, response) => {
    const [type, content] = files[url] ?? [];
    response.writeHead(content ? 200 : 404, { "content-type": type ?? "text/plain" }).end(content);
  });
  await new Promise((done) => http.listen(new URL(WEBSITE).port, "localhost", done));
  return { origin: WEBSITE, forgetCalls() {}, close: () => http.close() };
}

/** The actions of an app on this back end. */
class App {
  #tab;
  #calls = [];

  /** A guest of the back end: anonymous from the first request. */
  static async visit(visitor, tokenTransferMethod) {
    const app = new App();
    visitor.context.on("request", (request) => {
      const { origin, pathname } = new URL(request.url());
      if (origin === API && request.method() !== "OPTIONS")
        app.#calls.push(`${request.method()} ${pathname}`);
    });
    app.#tab = await visitor.tab({
      apiDomain: API,
      tokenTransferMethod,
      anonymous: { endpoint: `${API}/create-anonymous-session`, jwks: `${API}/auth/jwt/jwks.json` },
    });
    const { body } = await app.get("/any");
    assert.equal(body.kind, "anonymous", JSON.stringify(body));
    app.anonymousId = body.anonymousId;
    return app;
  }

  async signIn(user, more) {
    const { status, body } = await this.post("/login", { user, ...more });
    assert.equal(status, 200, JSON.stringify(body));
    this.handle = body.handle;
  }

  get = (path) => this.#tab.fetch(API + path);
  post = (path, body) => this.#tab.post(API + path, body);
  getAll = (count, path) => this.#tab.fetchAll(count, API + path);
  ask = (name) => this.#tab.call(name);
  snapshot = () => this.#tab.snapshot();

  /**
   * Since the last time, without those of a refresh, which a slow machine may need at any moment.
   */
  async events() {
    const events = await this.#tab.events();
    await this.#tab.forgetEvents();
    return events.filter(
      ({ name }) => !["ACCESS_TOKEN_PAYLOAD_UPDATED", "REFRESH_SESSION"].includes(name),
    );
  }

  async eventNames() {
    const names = await this.#tab.eventNames();
    await this.#tab.forgetEvents();
    return names;
  }

  /** Since the last time, what reached the back end. */
  takeCalls = () => this.#calls.splice(0);

  /** The access token has expired, by the server's clock and by the browser's. */
  async expire() {
    await new Promise((done) => setTimeout(done, (Number(LIFE) + 1) * 1000));
    await this.#tab.forgetEvents();
    this.takeCalls();
  }

  /** The visitor is a guest again, with the id of the first visit, and learned it like this. */
  async isGuestAgain(...names) {
    assert.deepEqual(
      await this.events(),
      names.map((name) => heardByGuest(name, this.anonymousId)),
    );
    assert.deepEqual(await this.get("/any").then(({ body }) => body), {
      kind: "anonymous",
      anonymousId: this.anonymousId,
    });
    assert.deepEqual(await this.ask("isAnonymous"), { value: true });
    assert.deepEqual(await this.ask("getUserId"), { value: `G-${this.anonymousId}` });
  }
}

/** Somebody who is not the browser: an administrator, or a thief. */
const elsewhere = async (path, body, headers) => {
  const method = body ? "POST" : "GET";
  const response = await fetch(API + path, {
    method,
    headers: { "content-type": "application/json", ...headers },
    body: body && JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
};

for (const mode of MODES) {
  const session = (name, run) =>
    test(
      `${mode} mode: ${name}`,
      async (visitor) => run(await App.visit(visitor, mode), visitor),
      {},
      TIMEOUT,
    );

  session("a guest, a customer, and a guest again after signing out", async (app) => {
    assert.deepEqual(await app.eventNames(), ["ANONYMOUS_SESSION_CREATED"]);
    const refused = await app.get("/me");
    assert.equal(refused.status, 401);
    assert.deepEqual(await app.events(), [heardByGuest("UNAUTHORISED(false)", app.anonymousId)]);

    await app.signIn("ada", { payload: { role: "botanist" } });
    assert.deepEqual(await app.eventNames(), ["SESSION_CREATED"]);
    const { body } = await app.get("/me");
    assert.deepEqual([body.user, body.handle, body.payload.role], ["ada", app.handle, "botanist"]);
    assert.equal(
      body.payload.anonymousId,
      app.anonymousId,
      "the back end learned whose guest this was",
    );
    assert.deepEqual((await app.get("/any")).body, { kind: "user", user: "ada" });
    assert.deepEqual(await app.ask("getUserId"), { value: "ada" });
    assert.deepEqual(await app.ask("getAnonymousId"), { value: app.anonymousId });
    assert.deepEqual(await app.ask("isAnonymous"), { value: false });
    await app.events();

    assert.deepEqual(await app.ask("signOut"), { value: undefined });
    await app.isGuestAgain("SIGN_OUT");
    assert.deepEqual((await elsewhere("/handles/ada")).body, [], "the back end has ended it, too");
  });

  session("an access token that expires is renewed once, whoever needs it", async (app) => {
    await app.signIn("grace");
    await app.expire();
    const answers = await app.getAll(5, "/me");
    assert.deepEqual(
      [...new Set(answers.map(({ status, body }) => `${status} ${body.user}`))],
      ["200 grace"],
    );
    assert.equal(app.takeCalls().filter((call) => call === "POST /auth/session/refresh").length, 1);
    assert.equal((await app.eventNames()).filter((name) => name === "REFRESH_SESSION").length, 1);
    assert.equal((await app.get("/checked")).status, 200, "the database knows the token's session");
  });

  session(
    "a payload that the back end changes arrives: at once, or with the next refresh",
    async (app) => {
      await app.signIn("hedy", { payload: { role: "actress", stage: 1 } });
      await app.events();
      const merged = await app.post("/merge", { role: null, patents: ["radio"] });
      assert.equal(merged.status, 200);
      assert.ok((await app.eventNames()).includes("ACCESS_TOKEN_PAYLOAD_UPDATED"));
      const payload = async () => (await app.ask("getAccessTokenPayloadSecurely")).value;
      const { role, patents, anonymousId } = await payload();
      assert.deepEqual([role, patents, anonymousId], [undefined, ["radio"], app.anonymousId]);

      assert.deepEqual((await elsewhere(`/merge/${app.handle}`, { stage: 2 })).body, true);
      assert.deepEqual(await app.ask("attemptRefreshingSession"), { value: true });
      assert.equal((await payload()).stage, 2);
      assert.deepEqual((await app.snapshot()).state, "authenticated");
    },
  );

  session(
    "a session that the back end revokes ends with the next refresh, and leaves a guest",
    async (app) => {
      await app.signIn("mary");
      await app.events();
      assert.deepEqual((await elsewhere(`/revoke/${app.handle}`, {})).body, true);
      await app.expire();
      const refused = await app.get("/me");
      assert.equal(refused.status, 401);
      assert.deepEqual(app.takeCalls(), ["GET /me", "POST /auth/session/refresh"]);
      await app.isGuestAgain("UNAUTHORISED(true)");
      assert.deepEqual(await app.ask("attemptRefreshingSession"), { value: false });

      // The same flow again, from the same guest.
      await app.events();
      await app.signIn("mary");
      assert.equal((await app.get("/me")).body.payload.anonymousId, app.anonymousId);
      assert.deepEqual((await elsewhere("/revoke-all/mary", {})).body, [app.handle]);
      await app.events();
      assert.deepEqual(await app.ask("attemptRefreshingSession"), { value: false });
      await app.isGuestAgain("UNAUTHORISED(true)");
    },
  );
}

if (MODES.includes("cookie"))
  test(
    "a stolen refresh token is found out, and leaves a guest",
    async (visitor) => {
      const app = await App.visit(visitor, "cookie");
      await app.signIn("mata");
      const stolen = (await visitor.context.cookies()).filter(
        ({ name }) => name === "sRefreshToken",
      );
      assert.equal(stolen.length, 1);
      assert.deepEqual(await app.ask("attemptRefreshingSession"), { value: true });
      assert.equal((await app.get("/me")).status, 200);
      await app.events();
      // The thief has used this token by now; here thief and owner have changed places.
      await visitor.context.addCookies(stolen);
      assert.deepEqual(await app.ask("attemptRefreshingSession"), { value: false });
      await app.isGuestAgain("TOKEN_THEFT_DETECTED", "UNAUTHORISED(true)");
      assert.deepEqual((await elsewhere("/handles/mata")).body, []);
    },
    {},
    TIMEOUT,
  );
