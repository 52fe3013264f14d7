// Plays a browser against a back end on the session core, and checks what the protocol promises:
// create, verify, refresh with rotation, payload and data, revocation, sign-out, theft. Arguments:
// the back end's address, the core's, and the access tokens' life in seconds. Prints one line for
// each part that holds.

import assert from "node:assert/strict";

const [app, core, life] = process.argv.slice(2);
const jwtPart = (token, index) =>
  JSON.parse(Buffer.from(token.split(".")[index], "base64url").toString());
const jwtPayload = (token) => jwtPart(token, 1);
const part = (name) => console.log(`ok: ${name}`);

class Browser {
  cookies = new Map();
  antiCsrf;
  front;

  copy() {
    const copy = new Browser();
    copy.cookies = new Map(this.cookies);
    copy.antiCsrf = this.antiCsrf;
    return copy;
  }

  async send(method, path, body) {
    const headers = { rid: "anti-csrf", "st-auth-mode": "cookie" };
    if (this.antiCsrf) headers["anti-csrf"] = this.antiCsrf;
    if (body !== undefined) headers["content-type"] = "application/json";
    const cookies = [...this.cookies]
      .filter(([, cookie]) => path.startsWith(cookie.path))
      .map(([name, cookie]) => `${name}=${cookie.value}`);
    if (cookies.length) headers.cookie = cookies.join("; ");
    const response = await fetch(app + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(/; */);
      const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
      const attribute = (key) =>
        attributes.find((text) => text.toLowerCase().startsWith(`${key}=`))?.slice(key.length + 1);
      const gone = Date.parse(attribute("expires")) < Date.now() || attribute("max-age") === "0";
      if (gone || value === "" || value === '""') this.cookies.delete(name);
      else this.cookies.set(name, { value, path: attribute("path") });
    }
    const front = response.headers.get("front-token");
    if (front !== null)
      this.front =
        front === "remove" ? undefined : JSON.parse(Buffer.from(front, "base64").toString());
    this.antiCsrf = response.headers.get("anti-csrf") ?? this.antiCsrf;
    const text = await response.text();
    return { status: response.status, front, body: text ? JSON.parse(text) : undefined };
  }

  get = (path) => this.send("GET", path);
  post = (path, body = {}) => this.send("POST", path, body);
  refresh = () => this.send("POST", "/auth/session/refresh");
  get access() {
    return decodeURIComponent(this.cookies.get("sAccessToken").value);
  }
}

const expired = () => new Promise((done) => setTimeout(done, (Number(life) + 1) * 1000));
const signedIn = async (user, more = {}) => {
  const browser = new Browser();
  const answer = await browser.post("/login", { user, ...more });
  assert.equal(answer.status, 200, JSON.stringify(answer));
  return [browser, answer.body.handle];
};

{
  const stranger = new Browser();
  assert.deepEqual(await stranger.get("/me").then(({ status, body }) => [status, body.message]), [
    401,
    "unauthorised",
  ]);
  const refused = await stranger.refresh();
  assert.deepEqual([refused.status, refused.front], [401, "remove"]);
  part("no session");
}

const [alice, handle] = await signedIn("alice", {
  payload: { role: "admin", name: "茶" },
  data: { note: 1 },
});
{
  const { body } = await alice.get("/me");
  assert.deepEqual(
    [body.user, body.handle, body.tenant, body.payload.role, body.payload.name],
    ["alice", handle, "public", "admin", "茶"],
  );
  assert.equal(body.payload.iss, `${app}/auth`);
  const claims = jwtPayload(alice.access);
  // Access tokens of SDKs that speak an older version of the core's interface are of version 4,
  // which has no recipe user.
  const recipeUser = jwtPart(alice.access, 0).version === "4" ? undefined : "alice";
  assert.deepEqual(
    [claims.sub, claims.rsub, claims.tId, claims.parentRefreshTokenHash1],
    ["alice", recipeUser, "public", null],
  );
  assert.equal(claims.exp - claims.iat, Number(life));
  assert.deepEqual(alice.front.up, claims);
  assert.equal(claims.antiCsrfToken, alice.antiCsrf);
  const blind = alice.copy();
  blind.antiCsrf = "wrong";
  assert.equal((await blind.post("/merge", { x: 1 })).body.message, "try refresh token");
  part("create and verify, anti-CSRF by token");
}
{
  assert.deepEqual((await alice.post("/merge", { role: null, cart: ["tea"] })).body.cart, ["tea"]);
  assert.equal(alice.front.up.role, undefined);
  const { body } = await alice.get(`/information/${handle}`);
  assert.deepEqual(
    [body.user, body.payload.cart, body.data, body.tenant],
    ["alice", ["tea"], { note: 1 }, "public"],
  );
  assert.equal((await alice.post(`/merge/${handle}`, { later: true })).body, true);
  assert.equal(
    (await alice.get("/me")).body.payload.later,
    undefined,
    "by handle: not before the next refresh",
  );
  assert.equal((await alice.send("PUT", `/data/${handle}`, { note: 2 })).body, true);
  assert.deepEqual((await alice.get(`/information/${handle}`)).body.data, { note: 2 });
  assert.equal((await alice.post("/merge/no-such-handle", { x: 1 })).body, false);
  assert.equal((await alice.get("/information/no-such-handle")).body, null);
  part("payload and data, with the session and by its handle");
}
{
  const { body } = await alice.get("/checked");
  assert.equal(body.user, "alice");
  assert.equal(
    alice.front.up.later,
    true,
    "a check against the database brings the changed payload",
  );
  await expired();
  const refused = await alice.get("/me");
  assert.deepEqual([refused.status, refused.body.message], [401, "try refresh token"]);
  const before = alice.cookies.get("sRefreshToken").value;
  assert.equal((await alice.refresh()).status, 200);
  assert.notEqual(alice.cookies.get("sRefreshToken").value, before);
  assert.notEqual(jwtPayload(alice.access).parentRefreshTokenHash1, null);
  const { body: me, front } = await alice.get("/me");
  assert.deepEqual([me.user, me.payload.cart, me.payload.later], ["alice", ["tea"], true]);
  assert.ok(front, "the first use promotes, and brings a new token");
  assert.equal(jwtPayload(alice.access).parentRefreshTokenHash1, null);
  part("expiry, refresh, promotion");
}
{
  const lost = alice.copy();
  assert.equal((await lost.refresh()).status, 200);
  assert.equal((await alice.refresh()).status, 200, "an answer that was lost is harmless");
  const thief = alice.copy();
  const stale = lost;
  assert.equal((await alice.get("/me")).status, 200);
  assert.equal((await thief.refresh()).status, 200, "the current token may be used again");
  const stolen = await stale.refresh();
  assert.deepEqual(
    [stolen.status, stolen.body.message, stolen.front],
    [401, "token theft detected", "remove"],
  );
  assert.equal((await alice.refresh()).body.message, "unauthorised", "the session has been ended");
  part("a lost answer, and theft");
}
{
  const [one, first] = await signedIn("bob");
  const [two, second] = await signedIn("bob");
  const [other, elsewhere] = await signedIn("bob", { tenant: "t1" });
  assert.ok(elsewhere.endsWith("_t1"));
  assert.equal((await other.get("/me")).body.tenant, "t1");
  assert.deepEqual(
    (await one.get("/handles/bob")).body.toSorted(),
    [first, second, elsewhere].toSorted(),
  );
  assert.equal((await one.post(`/revoke/${first}`)).body, true);
  assert.equal((await one.post(`/revoke/${first}`)).body, false);
  assert.equal((await one.get("/me")).status, 200, "the access token stays good until it expires");
  assert.deepEqual(
    (await one.get("/checked")).body.message,
    "unauthorised",
    "unless the database is asked",
  );
  assert.equal((await two.post("/auth/signout")).body.status, "OK");
  assert.equal(two.front, undefined);
  assert.deepEqual((await two.get("/me")).status, 401);
  assert.deepEqual((await other.post("/revoke-all/bob")).body, [elsewhere]);
  assert.equal((await other.refresh()).status, 401);
  part("revocation, sign-out, tenants");
}
{
  const { body } = await new Browser().post("/jwt", { hello: "world" });
  const claims = jwtPayload(body.jwt);
  assert.deepEqual([claims.hello, claims.exp - claims.iat], ["world", 60]);
  const { kid } = jwtPart(body.jwt, 0);
  const answer = await fetch(`${core}/.well-known/jwks.json`);
  assert.match(answer.headers.get("cache-control"), /max-age=60/);
  const { keys } = await answer.json();
  assert.ok(kid.startsWith("s-") && keys.some((key) => key.kid === kid && key.alg === "RS256"));
  const published = await (await fetch(`${app}/auth/jwt/jwks.json`)).json();
  assert.deepEqual(published.keys, keys);
  part("JWT and public keys");
}
{
  const { body } = await new Browser().post("/create-anonymous-session");
  const claims = jwtPayload(body.token);
  assert.deepEqual(
    [claims.isAnonymous, claims.anonymousId.length, claims.exp - claims.iat],
    [true, 36, 315_360_000],
  );
  const refused = await fetch(`${app}/me`, { headers: { authorization: `Bearer ${body.token}` } });
  assert.equal(refused.status, 401, "a visitor is no user");
  const asked = await fetch(`${core}/metrics`, {
    headers: { "api-key": process.env.CORE_API_KEY },
  });
  assert.match(await asked.text(), /passerby_anonymous_minted_total 1\n/);
  part("anonymous sessions of endpoint mode");
}
{
  const logins = Array.from({ length: 20 }, (_, user) => signedIn(`user-${user % 4}`));
  const browsers = (await Promise.all(logins)).map(([browser]) => browser);
  const statuses = await Promise.all(
    browsers.map((browser) => browser.refresh().then(({ status }) => status)),
  );
  assert.ok(statuses.every((status) => status === 200));
  part("20 at once");
}
