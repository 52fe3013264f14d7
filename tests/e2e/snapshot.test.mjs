// The two functions that UI frameworks read: getSnapshot and subscribe.

import assert from "node:assert/strict";
import { openShop } from "./support/browser.mjs";

const { test } = await openShop();

test("getSnapshot is the same frozen object until something changes", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  const isSame = await tab.run(async () => {
    const unknown = passerby.getSnapshot();
    const same = [passerby.getSnapshot() === unknown];
    await fetch("/api/me");
    const anonymous = passerby.getSnapshot();
    same.push(anonymous === unknown);
    await fetch("/api/me");
    await passerby.doesSessionExist();
    same.push(passerby.getSnapshot() === anonymous, Object.isFrozen(anonymous));
    await harness.request("/api/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"name":"Ada","password":"windowsill"}',
    });
    const user = passerby.getSnapshot();
    same.push(user === anonymous);
    await fetch("/api/me");
    same.push(passerby.getSnapshot() === user);
    return same;
  });
  assert.deepEqual(isSame, [true, false, true, true, false, true]);
});

test("whoever hears of a new payload can read it", async (visitor) => {
  const tab = await visitor.tab();
  await tab.run(() => {
    window.heard = [];
    harness.start({
      anonymous: {},
      onHandleEvent: ({ action }) => heard.push([action, passerby.getSnapshot().payload.cart]),
    });
  });
  await tab.fetch("/api/me");
  await tab.post("/api/cart", { productId: "fern", quantity: 2 });
  assert.deepEqual((await tab.run(() => heard)).at(-1), [
    "ACCESS_TOKEN_PAYLOAD_UPDATED",
    { fern: 2 },
  ]);
});

test("subscribe calls back after each change, until it is stopped", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  await tab.run(() => {
    window.states = [];
    window.stop = passerby.subscribe(() => window.states.push(passerby.getSnapshot().state));
  });
  const states = () => tab.run(() => window.states);

  await tab.fetch("/api/me");
  assert.deepEqual(await states(), ["anonymous"]);
  await tab.fetch("/api/me");
  assert.deepEqual(await states(), ["anonymous"], "no change, no call");
  await tab.signIn("Ada");
  assert.deepEqual(await states(), ["anonymous", "authenticated"]);
  await tab.call("signOut");
  assert.deepEqual(await states(), ["anonymous", "authenticated", "anonymous"]);
  await tab.run(() => window.stop());
  await tab.signIn("Ada");
  assert.deepEqual((await states()).length, 3);
});

test("subscribe calls back in another tab, too, which then knows the new state", async (visitor) => {
  const { tab, anonymousId } = await visitor.guest();
  const other = await visitor.tab({ anonymous: {} });
  const before = await other.snapshot();
  assert.equal(before.anonymousId, anonymousId);
  const change = () =>
    other.run(
      () => new Promise((done) => passerby.subscribe(() => done(passerby.getSnapshot().state))),
    );

  const [signedIn] = await Promise.all([change(), tab.signIn("Ada")]);
  assert.equal(signedIn, "authenticated");
  const [signedOut] = await Promise.all([change(), tab.call("signOut")]);
  assert.equal(signedOut, "anonymous");
  assert.equal((await other.snapshot()).anonymousId, anonymousId);
});

test("a tab that was frozen hears of a sign-out when it is thawed, and its request is the new visitor's", async (visitor) => {
  const { tab, anonymousId } = await visitor.customer();
  const frozen = await visitor.tab({ anonymous: {} });
  await frozen.run(() => {
    window.states = [];
    passerby.subscribe(() => states.push(passerby.getSnapshot().state));
  });
  const session = await visitor.context.newCDPSession(frozen.page);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  assert.equal((await tab.call("signOut")).error, undefined);
  await session.send("Page.setWebLifecycleState", { state: "active" });
  await frozen.page.waitForFunction(() => states.at(-1) === "anonymous");
  assert.equal((await frozen.fetch("/api/me")).body.anonymousId, anonymousId);
});

test("a subscriber that throws keeps neither the others nor the request from going on", async (visitor) => {
  const tab = await visitor.tab({ anonymous: {} });
  await tab.run(() => {
    passerby.subscribe(() => {
      throw new Error("a bug of the app");
    });
    passerby.subscribe(() => (window.called = true));
  });
  assert.equal((await tab.fetch("/api/me")).status, 200);
  assert.equal(await tab.run(() => window.called), true);
  assert.deepEqual(visitor.takeProblems().length, 1);
});

test("a front token that the server did not write is shown as it is, and trusted by nobody", async (visitor) => {
  const { tab } = await visitor.guest();
  await tab.run(() => {
    const forged = btoa(
      JSON.stringify({
        uid: "root",
        ate: Date.now() + 1e9,
        up: { sub: "root", sessionHandle: "x" },
      }),
    );
    document.cookie = `sFrontToken=${forged};path=/`;
  });
  assert.equal((await tab.snapshot()).state, "authenticated");
  const { status } = await tab.fetch("/api/account");
  assert.equal(status, 401);
  assert.equal((await tab.snapshot()).state, "anonymous");
});

test("a snapshot takes the cookies apart when they have changed, and no more: components ask at each render", async (visitor) => {
  const { tab } = await visitor.guest();
  const counts = await tab.run(() => {
    const { split } = String.prototype;
    let count = 0;
    String.prototype.split = function (...values) {
      count++;
      return split.apply(this, values);
    };
    const asked = () => {
      count = 0;
      for (let i = 0; i < 10; i++) passerby.getSnapshot();
      return count;
    };
    passerby.getSnapshot();
    const same = asked();
    document.cookie = "foreign=1; path=/";
    const changed = asked();
    String.prototype.split = split;
    return { same, isSeen: changed > 0 };
  });
  assert.deepEqual(counts, { same: 0, isSeen: true });
});
