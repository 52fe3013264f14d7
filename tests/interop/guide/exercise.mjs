// Starts the guide's program against a session core, and does what a visitor with the SDK does. Argument: the core's address.

import assert from "node:assert/strict";
import { createServer } from "node:net";

const [core] = process.argv.slice(2);

const port = await freePort();
const API = `http://localhost:${port}`;
Object.assign(process.env, { PORT: port, API_DOMAIN: API, WEBSITE: API, SUPERTOKENS_CORE: core });
await import("./guest-cart.mjs");

/** A browser in cookie mode: keeps cookies, and sends the guest's token as long as there is no user session. */
class Visitor {
  token;
  cookies = new Map();

  async send(method, path, body, headers = {}) {
    const response = await fetch(API + path, {
      method,
      headers: {
        "content-type": "application/json",
        "st-auth-mode": "cookie",
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
    this.token = undefined;
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
const elsewhere = new Visitor();
await elsewhere.becomeGuest();
await elsewhere.put("cactus");
await elsewhere.login("ada");
assert.deepEqual(await elsewhere.accountCart(), ["fern", "aloe", "ficus", "cactus"]);
const nobody = new Visitor();
assert.match((await nobody.login("grace")).anonymousId, /^[0-9a-f-]{36}$/);
assert.deepEqual(await nobody.accountCart(), []);

// A guest is no user, and a token that is not ours, or a user's, is no guest's.
const stranger = new Visitor();
const { anonymousId } = await stranger.becomeGuest();
assert.equal((await stranger.send("GET", "/api/account/cart")).status, 401);
const good = stranger.token;
const [head, payload, signature] = good.split(".");
const forged = [head, payload, (signature.startsWith("A") ? "B" : "A") + signature.slice(1)].join(".");
for (const [token, pretended] of [
  [forged, anonymousId],
  [ada.cookies.get("sAccessToken"), user.anonymousId],
]) {
  const thief = new Visitor();
  thief.token = token;
  assert.notEqual((await thief.login("eve")).anonymousId, pretended);
}
const forger = new Visitor();
forger.token = forged;
assert.equal((await forger.send("POST", "/api/cart", { item: "x" })).status, 409);
stranger.token = good;
assert.equal((await stranger.login("hedy")).anonymousId, anonymousId);

console.log("OK");
process.exit(0);
