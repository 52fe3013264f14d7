// The actions of a visitor in a page that a test runner imitates, with a real server.
const assert = require("node:assert/strict");

const post = (path, body) =>
  fetch(location.origin + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
const get = async (path) => (await fetch(location.origin + path)).json();

/** @param {"header" | "cookie"} tokenTransferMethod cookies where `fetch` keeps them */
exports.visit = async (passerby, tokenTransferMethod) => {
  const events = [];
  const native = fetch;
  passerby.init({
    apiDomain: location.origin,
    tokenTransferMethod,
    anonymous: {},
    onHandleEvent: ({ action }) => events.push(action),
  });
  assert.notEqual(fetch, native);
  const { kind, anonymousId } = await get("/api/me");
  assert.equal(kind, "anonymous");
  assert.equal(await passerby.getAnonymousId(), anonymousId);
  assert.equal((await post("/api/login", { name: "Ada", password: "windowsill" })).status, 200);
  assert.equal(await passerby.getUserId(), "ada");
  assert.equal((await post("/api/demo/expire")).status, 200);
  assert.equal((await get("/api/account")).anonymousId, anonymousId);
  await passerby.signOut();
  assert.equal(passerby.getSnapshot().anonymousId, anonymousId);
  const told = events.filter((name) => name !== "ACCESS_TOKEN_PAYLOAD_UPDATED");
  assert.deepEqual(told, [
    "ANONYMOUS_SESSION_CREATED",
    "SESSION_CREATED",
    "REFRESH_SESSION",
    "SIGN_OUT",
  ]);
};
