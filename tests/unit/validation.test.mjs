// Claims of a session: what is refreshed, under which lock, and what is reported.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { load } from "./support/load.mjs";

const { validateClaims, invalidClaims, BooleanClaim, DateProviderReference } = await load(
  "validation.ts",
  "claims/booleanClaim.ts",
  "utils/dateProvider.ts",
);

const context = { user: 1 };
const log = mock.method(console, "error", () => {});
beforeEach(() => log.mock.resetCalls());
DateProviderReference.init(() => ({ now: () => 1_000_000, getThresholdInSeconds: () => 7 }));

/**
 * A session with a payload, and a lock as a browser has it: one at a time, in order. `trace` is
 * what happened.
 */
function session(payload = {}) {
  const trace = [];
  let tail = Promise.resolve();
  const access = {
    payload: async () => ({ ...payload }),
    lock(name, timeout) {
      trace.push("lock");
      assert.equal(name, "CLAIM_REFRESH_LOCK");
      assert.ok(timeout > 0 && timeout <= 10_000, "gives up before its user does");
      const turn = tail.then(() => () => (trace.push("release"), over()));
      let over;
      tail = new Promise((done) => (over = done));
      return turn;
    },
  };
  /** Wants `payload[id]` to be 1; a refresh makes it 1. */
  const wants = (id, change = {}) => ({
    id,
    shouldRefresh: (given, ctx) => (assert.equal(ctx, context), given[id] === undefined),
    refresh: async (ctx) => {
      assert.equal(ctx, context);
      trace.push(`refresh ${id}`);
      await new Promise((done) => setTimeout(done, 5));
      payload[id] = 1;
    },
    validate: (given, ctx) => {
      assert.equal(ctx, context);
      trace.push(`validate ${id}`);
      return given[id] === 1 ? { isValid: true } : { isValid: false, reason: { id } };
    },
    ...change,
  });
  return { access, trace, wants, payload };
}

test("nothing wanted: nothing asked, not even for the session", async () => {
  const access = { payload: assert.fail, lock: assert.fail };
  assert.deepEqual(await validateClaims([], context, access), []);
});

test("nothing to refresh: no lock; errors in the order of the validators", async () => {
  const { access, trace, wants } = session({ a: 2, b: 1, c: 3 });
  const errors = await validateClaims([wants("c"), wants("b"), wants("a")], context, access);
  assert.deepEqual(errors, [
    { id: "c", reason: { id: "c" } },
    { id: "a", reason: { id: "a" } },
  ]);
  assert.deepEqual(trace, ["validate c", "validate b", "validate a"]);
});

test("an asynchronous validator without a reason", async () => {
  const { access, wants } = session({ a: 1 });
  const never = wants("a", {
    shouldRefresh: async () => false,
    validate: async () => ({ isValid: false }),
  });
  assert.deepEqual(await validateClaims([never], context, access), [
    { id: "a", reason: undefined },
  ]);
});

test("all refreshes, only where needed, come before the first validation", async () => {
  const { access, trace, wants } = session({ b: 1 });
  assert.deepEqual(await validateClaims([wants("a"), wants("b"), wants("c")], context, access), []);
  assert.deepEqual(trace, [
    "lock",
    "refresh a",
    "refresh c",
    "release",
    "validate a",
    "validate b",
    "validate c",
  ]);
});

test("a refresh that makes another one needless", async () => {
  const { access, trace, wants, payload } = session();
  const both = wants("a", { refresh: async () => void Object.assign(payload, { a: 1, b: 1 }) });
  assert.deepEqual(await validateClaims([both, wants("b")], context, access), []);
  assert.deepEqual(trace, ["lock", "release", "validate a", "validate b"]);
});

test("three at once: one refresh", async () => {
  const { access, trace, wants } = session();
  const results = await Promise.all(
    [1, 2, 3].map(() => validateClaims([wants("a")], context, access)),
  );
  assert.deepEqual(results, [[], [], []]);
  assert.equal(trace.filter((entry) => entry === "refresh a").length, 1);
  assert.equal(trace.filter((entry) => entry === "release").length, 3);
});

for (const [how, lock] of [
  ["is not had in time, or does not exist", async () => undefined],
  ["fails", async () => Promise.reject(new Error("storage is denied"))],
]) {
  test(`a lock that ${how} is done without`, async () => {
    const { access, trace, wants } = session();
    assert.deepEqual(await validateClaims([wants("a")], context, { ...access, lock }), []);
    assert.deepEqual(trace, ["refresh a", "validate a"]);
  });
}

for (const [how, refresh] of [
  ["rejects", async () => Promise.reject(new Error("500"))],
  ["throws", () => assert.fail("500")],
]) {
  test(`a refresh that ${how} is told in the console, and the others go on`, async () => {
    const { access, trace, wants } = session();
    const errors = await validateClaims([wants("a", { refresh }), wants("b")], context, access);
    assert.deepEqual(errors, [{ id: "a", reason: { id: "a" } }]);
    assert.deepEqual(trace, ["lock", "refresh b", "release", "validate a", "validate b"]);
    assert.equal(log.mock.callCount(), 1);
    assert.match(log.mock.calls[0].arguments[0], /"a"/);
  });
}

test("without a session, and with a validator that throws, it rejects; the lock is given back", async () => {
  const { access, trace, wants } = session();
  const bad = () => Promise.reject(new Error("No session exists"));
  await assert.rejects(validateClaims([wants("a")], context, { ...access, payload: bad }), {
    message: "No session exists",
  });
  assert.deepEqual(trace, []);

  const error = new Error("mine");
  let asked = 0;
  const shouldRefresh = () => {
    if (asked++) throw error;
    return true;
  };
  await assert.rejects(validateClaims([wants("a", { shouldRefresh })], context, access), error);
  assert.deepEqual(trace, ["lock", "release"]);
  for (const thrown of [error, null, undefined, "text", 1]) {
    const raise = () => {
      throw thrown;
    };
    await validateClaims([wants("b", { shouldRefresh: raise })], context, access).then(
      assert.fail,
      (reason) => assert.equal(reason, thrown),
    );
    await validateClaims(
      [wants("b", { shouldRefresh: () => false, validate: raise })],
      context,
      access,
    ).then(assert.fail, (reason) => assert.equal(reason, thrown));
  }
});

for (const [age, refreshes, errors] of [
  [undefined, 1, []],
  [7.001, 1, []],
  [7, 0, [{ id: "b", reason: { message: "expired", ageInSeconds: 7, maxAgeInSeconds: 1 } }]],
  [1, 0, []],
]) {
  test(`an age limit below the threshold never rejects: a value of ${age} seconds`, async () => {
    const payload = age === undefined ? {} : { b: { v: true, t: 1_000_000 - age * 1000 } };
    const { access } = session(payload);
    let count = 0;
    const refresh = async () => {
      count += 1;
      payload.b = { v: true, t: 1_000_000 };
    };
    const validator = new BooleanClaim({ id: "b", refresh }).validators.isTrue(1);
    assert.deepEqual(await validateClaims([validator], context, access), errors);
    assert.equal(count, refreshes);
    assert.match(
      String(log.mock.calls[0].arguments[1]),
      /maxAgeInSeconds must be greater than or equal to .* -> 7$/,
    );
  });
}

test("the same of a validator of another package: it is not refreshed, and then judges", async () => {
  const { access, trace, wants } = session();
  const shouldRefresh = () => {
    throw new Error(
      "refetchTimeOnFalseInSeconds must be greater than or equal to the DateProvider " +
        "threshold value -> 7",
    );
  };
  assert.deepEqual(await validateClaims([wants("a", { shouldRefresh })], context, access), [
    { id: "a", reason: { id: "a" } },
  ]);
  assert.deepEqual(trace, ["validate a"]);
});

test("the claims in a refusal", async () => {
  const claimValidationErrors = [{ id: "st-ev", reason: { message: "wrong value" } }];
  const text = JSON.stringify({ message: "invalid claim", claimValidationErrors });
  const response = new Response(text, { status: 403 });
  assert.deepEqual(await invalidClaims(response), claimValidationErrors);
  assert.equal(await response.text(), text, "the caller can read it");
  for (const data of [text, JSON.parse(text)])
    assert.deepEqual(await invalidClaims({ data }), claimValidationErrors);

  for (const body of ["{}", "[]", "null", "1", '"text"']) {
    assert.equal(await invalidClaims(new Response(body)), undefined);
    assert.equal(await invalidClaims({ data: body }), undefined);
  }
  for (const data of [undefined, null, 0, {}, []])
    assert.equal(await invalidClaims({ data }), undefined);
  for (const body of ["", "<html>", "{"]) {
    await assert.rejects(invalidClaims(new Response(body)), SyntaxError);
    await assert.rejects(invalidClaims({ data: body }), SyntaxError);
  }
  await assert.rejects(invalidClaims(new Response()), SyntaxError);
  for (const nothing of [undefined, null, "text"])
    await assert.rejects(invalidClaims(nothing), TypeError);
});
