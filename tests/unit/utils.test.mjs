// The small modules that other packages import by path.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./support/load.mjs";

const context = { user: 1 };
const validator = (id) => ({
  id,
  refresh: async () => {},
  shouldRefresh: () => false,
  validate: () => ({ isValid: true }),
});

test("the validators' store keeps the order, and hands out copies", async () => {
  const { SessionClaimValidatorStore: store } = await load("utils/sessionClaimValidatorStore.ts");
  const [a, b] = [validator("a"), validator("b")];
  store.addClaimValidatorFromOtherRecipe(a);
  store.addClaimValidatorFromOtherRecipe(b);
  store.getClaimValidatorsAddedByOtherRecipes().pop();
  assert.deepEqual(store.getClaimValidatorsAddedByOtherRecipes(), [a, b]);
});

test("global validators: those of other recipes, unless this call wants others", async () => {
  const { SessionClaimValidatorStore, getGlobalClaimValidators } = await load(
    "utils/sessionClaimValidatorStore.ts",
    "utils/globalClaimValidators.ts",
  );
  const [a, b] = [validator("a"), validator("b")];
  assert.deepEqual(getGlobalClaimValidators(), []);
  SessionClaimValidatorStore.addClaimValidatorFromOtherRecipe(a);
  assert.deepEqual(getGlobalClaimValidators(), [a]);
  const seen = [];
  const override = (...args) => (seen.push(args), [b]);
  assert.deepEqual(getGlobalClaimValidators(override, context), [b]);
  assert.deepEqual(getGlobalClaimValidators(override), [b]);
  assert.deepEqual(seen, [
    [[a], context],
    [[a], {}],
  ]);
  assert.deepEqual(
    getGlobalClaimValidators(() => undefined),
    [a],
    "nothing is no answer",
  );
  assert.deepEqual(
    getGlobalClaimValidators(() => []),
    [],
  );
});

test("the general error is told by its mark, not by its class", async () => {
  const { STGeneralError } = await load("utils/error.ts");
  const error = new STGeneralError("not today");
  assert.ok(error instanceof Error && error instanceof STGeneralError);
  assert.deepEqual([error.message, error.isSuperTokensGeneralError], ["not today", true]);
  for (const given of [error, { isSuperTokensGeneralError: true }])
    assert.equal(STGeneralError.isThisError(given), true);
  for (const given of [
    undefined,
    null,
    1,
    "",
    new Error("not today"),
    { isSuperTokensGeneralError: 1 },
  ]) {
    assert.equal(STGeneralError.isThisError(given), false);
  }
});

test("the default clock is corrected from the threshold on, and remembers it", async () => {
  const stored = {};
  const key = "__st_clockSkewInMillis";
  globalThis.window = globalThis;
  globalThis.localStorage = {
    getItem: (name) => stored[name] ?? null,
    setItem: (name, value) => void (stored[name] = value),
  };
  try {
    const { DateProviderReference, dateProvider } = await load("utils/dateProvider.ts");
    const clock = dateProvider();
    const ahead = () => Math.round((clock.now() - Date.now()) / 1000);
    for (const [skew, kept] of [
      [7000, 7],
      [6999, 0],
      [-3_600_000, -3600],
      [-6999, 0],
      [8000, 8],
      [0, 0],
    ]) {
      clock.setClientClockSkewInMillis(skew);
      assert.deepEqual(
        [ahead(), clock.getClientClockSkewInMillis(), stored[key]],
        [kept, kept * 1000, String(kept * 1000)],
      );
    }
    assert.equal(clock.getThresholdInSeconds(), 7);
    clock.setThresholdInSeconds(1);
    assert.equal(clock.getThresholdInSeconds(), 1);
    DateProviderReference.init();
    const own = { now: () => 1 };
    DateProviderReference.init(() => own);
    assert.equal(
      DateProviderReference.getReferenceOrThrow().dateProvider,
      clock,
      "the first init holds",
    );

    for (const [text, skew] of [
      ["8000", 8000],
      ["many", 0],
      [undefined, 0],
    ]) {
      stored[key] = text;
      const page = await load("utils/dateProvider.ts");
      assert.equal(page.dateProvider().getClientClockSkewInMillis(), skew);
    }
  } finally {
    delete globalThis.localStorage;
    delete globalThis.window;
  }
});
