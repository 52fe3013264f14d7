// Starts the guide's program against a session core, and does what a visitor with the SDK does.
// Argument: the core's address.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock } from "node:test";

const [core] = process.argv.slice(2);

const port = await freePort();
const API = `http://localhost:${port}`;
Object.assign(process.env, { PORT: port, API_DOMAIN: API, SUPERTOKENS_CORE: core });
const folder = mkdtempSync(join(tmpdir(), "guest-cart-"));
process.on("exit", () => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "public"));
writeFileSync(join(folder, "public/index.html"), "the shop");
process.chdir(folder);
await import("./guest-cart.mjs");

/**
 * A browser: keeps cookies, and sends the guest's token as long as there is no user session. In
 * header mode then the user's.
 */
class Visitor {
  token;
  cookies = new Map();

  constructor(mode = "cookie") {
    this.mode = mode;
  }

  async send(method, path, body, headers = {}) {
    const response = await fetch(API + path, {
      method,
      headers: {
        "content-type": "application/json",
        "st-auth-mode": this.mode,
        rid: "anti-csrf",
        cookie: [...this.cookies].map((pair) => pair.join("=")).join("; "),
        ...(this.token && { authorization: `Bearer ${this.token}` }),
        ...headers,
      },
      body: body && JSON.stringify(body),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      this.cookies.set(name, value);
    }
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text && JSON.parse(text) };
  }

  async becomeGuest() {
    const { status, headers, body } = await this.send("POST", "/create-anonymous-session");
    assert.equal(status, 200);
    assert.equal(headers.get("cache-control"), "no-store");
    this.token = body.token;
    return claimsOf(body.token);
  }

  async login(name) {
    const { status, headers } = await this.send("POST", "/api/login", { name });
    assert.equal(status, 200);
    const { up } = JSON.parse(Buffer.from(headers.get("front-token"), "base64"));
    this.token = headers.get("st-access-token") || undefined;
    assert.equal(this.token === undefined, this.mode === "cookie");
    return up;
  }

  async put(item) {
    return (await this.send("POST", "/api/cart", { item })).body;
  }

  async accountCart() {
    return (await this.send("GET", "/api/account/cart")).body;
  }
}

const claimsOf = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** With another signature. */
function forge(token) {
  const [head, payload, signature] = token.split(".");
  return [head, payload, (signature.startsWith("A") ? "B" : "A") + signature.slice(1)].join(".");
}

assert.equal(await (await fetch(API)).text(), "the shop");

// A guest's cart joins the account's, and the id stays.
const ada = new Visitor();
const guest = await ada.becomeGuest();
assert.equal(guest.isAnonymous, true);
assert.ok(guest.exp - guest.iat >= 315_000_000);
assert.deepEqual(await ada.put("fern"), ["fern"]);
assert.deepEqual(await ada.put("aloe"), ["fern", "aloe"]);
const user = await ada.login("ada");
assert.equal(user.anonymousId, guest.anonymousId);
assert.equal("isAnonymous" in user, false);
assert.deepEqual(await ada.accountCart(), ["fern", "aloe"]);
assert.deepEqual(await ada.put("ficus"), ["fern", "aloe", "ficus"]);

// Another guest of the same account brings another cart; one with nothing brings nothing.
const elsewhere = new Visitor("header");
const { anonymousId: idElsewhere } = await elsewhere.becomeGuest();
await elsewhere.put("cactus");
assert.equal((await elsewhere.login("ada")).anonymousId, idElsewhere);
assert.deepEqual(await elsewhere.accountCart(), ["fern", "aloe", "ficus", "cactus"]);
const nobody = new Visitor();
assert.match((await nobody.login("grace")).anonymousId, /^[0-9a-f-]{36}$/);
assert.deepEqual(await nobody.accountCart(), []);

// A guest is no user, and a token that is not ours is no guest's.
const stranger = new Visitor();
const { anonymousId } = await stranger.becomeGuest();
assert.equal((await stranger.send("GET", "/api/account/cart")).status, 401);
const forger = new Visitor();
forger.token = forge(stranger.token);
assert.equal((await forger.send("POST", "/api/cart", { item: "x" })).status, 409);
assert.notEqual((await forger.login("eve")).anonymousId, anonymousId);
assert.equal((await stranger.login("hedy")).anonymousId, anonymousId);

// A visitor who signs in over a session stays the same visitor with two accounts, but not with a
// session that nobody signed.
for (const mode of ["cookie", "header"]) {
  const visitor = new Visitor(mode);
  const { anonymousId } = await visitor.becomeGuest();
  await visitor.put("lily");
  await visitor.login(`ada, ${mode}`);
  assert.equal((await visitor.login(`bob, ${mode}`)).anonymousId, anonymousId);
  assert.deepEqual(await visitor.accountCart(), []);
  await visitor.login(`ada, ${mode}`);
  assert.deepEqual(await visitor.accountCart(), ["lily"]);

  const thief = new Visitor(mode);
  if (mode === "header") thief.token = forge(visitor.token);
  else thief.cookies.set("sAccessToken", forge(visitor.cookies.get("sAccessToken")));
  assert.notEqual((await thief.login("eve")).anonymousId, anonymousId);

  // Also when it has expired.
  mock.timers.enable({ apis: ["Date"], now: Date.now() + 2 * 3_600_000 });
  assert.equal((await visitor.send("GET", "/api/account/cart")).status, 401);
  assert.equal((await visitor.login(`bob, ${mode}`)).anonymousId, anonymousId);
  mock.timers.reset();
}

console.log("OK");
process.exit(0);
