// The claim classes by themselves: what each validator says of which payload.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./support/load.mjs";

const { BooleanClaim, PrimitiveArrayClaim, PrimitiveClaim, DateProviderReference, dateProvider } =
  await load(
    "claims/booleanClaim.ts",
    "claims/primitiveArrayClaim.ts",
    "claims/primitiveClaim.ts",
    "utils/dateProvider.ts",
  );

const NOW = 1_800_000_000_000;
const AGE = 100;
const payload = (v, ageInSeconds = AGE) => ({ c: { v, t: NOW - ageInSeconds * 1000 } });

const config = { id: "c", refresh: async () => {} };
const claims = {
  primitive: new PrimitiveClaim(config),
  boolean: new BooleanClaim(config),
  array: new PrimitiveArrayClaim(config),
};

// Made before there is a clock, as modules of apps do. [class, validator, argument or none, right
// value, wrong value, fields of reasons]
const KINDS = [
  ["primitive", "hasValue", ["a"], "a", "b", ["expectedValue"]],
  ["primitive", "hasValue", [1], 1, "1", ["expectedValue"]],
  ["primitive", "hasValue", [null], null, 0, ["expectedValue"]],
  ["boolean", "hasValue", [false], false, true, ["expectedValue"]],
  ["boolean", "isTrue", [], true, false, ["expectedValue"]],
  ["boolean", "isFalse", [], false, true, ["expectedValue"]],
  ["array", "includes", ["a"], ["b", "a"], ["b"], ["expectedToInclude"]],
  ["array", "excludes", ["a"], ["b"], ["b", "a"], ["expectedToNotInclude"]],
  ["array", "includesAll", [["a", "b"]], ["c", "b", "a"], ["a", "c"], ["expectedToInclude"]],
  [
    "array",
    "includesAny",
    [["a", "b"]],
    ["c", "b"],
    ["c"],
    ["expectedToInclude", "expectedToIncludeAtLeastOneOf"],
  ],
  ["array", "excludesAll", [["a", "b"]], ["c"], ["c", "b"], ["expectedToNotInclude"]],
].map(([kind, name, args, right, wrong, [missing, field = missing]]) => {
  const make = (...rest) => claims[kind].validators[name](...args, ...rest);
  return {
    title:
      `${kind} ${name}(${args.map((arg) => JSON.stringify(arg)).join()}) of ` +
      `${JSON.stringify(right)}`,
    make,
    early: [make(), make(AGE)],
    expected: args.length > 0 ? args[0] : name === "isTrue",
    isArray: kind === "array",
    takesId: args.length > 0,
    ...{ right, wrong, missing, field },
  };
});

const clock = { skew: 0, threshold: 7 };
assert.throws(() => DateProviderReference.getReferenceOrThrow(), {
  message: "SuperTokensDateProvider must be initialized before calling this method.",
});
assert.ok(Math.abs(dateProvider().now() - Date.now()) < 1000, "a clock before init");
DateProviderReference.init(() => ({
  now: () => NOW + clock.skew,
  getThresholdInSeconds: () => clock.threshold,
}));

for (const {
  title,
  make,
  early,
  expected,
  isArray,
  takesId,
  right,
  wrong,
  missing,
  field,
} of KINDS) {
  test(`${title}: validate`, async () => {
    const isValid = { isValid: true };
    const not = (reason) => ({ isValid: false, reason });
    const absent = not({
      message: "value does not exist",
      [missing]: expected,
      actualValue: undefined,
    });
    const rows = [
      [undefined, undefined, absent],
      [{}, undefined, absent],
      [{ c: null }, undefined, absent],
      [{ c: {} }, 1, absent],
      [payload(right), undefined, isValid],
      [{ c: { v: right } }, AGE, isValid],
      [payload(right), AGE, isValid],
      [payload(right), 99, not({ message: "expired", ageInSeconds: AGE, maxAgeInSeconds: 99 })],
      [payload(wrong), 99, not({ message: "expired", ageInSeconds: AGE, maxAgeInSeconds: 99 })],
      [payload(wrong), AGE, not({ message: "wrong value", [field]: expected, actualValue: wrong })],
      [
        payload(wrong),
        undefined,
        not({ message: "wrong value", [field]: expected, actualValue: wrong }),
      ],
    ];
    for (const [given, maxAge, result] of rows) {
      const answer = make(maxAge).validate(given, {});
      assert.equal(answer instanceof Promise, isArray);
      assert.deepEqual(await answer, result, JSON.stringify([given, maxAge]));
    }
    assert.deepEqual(await early[0].validate(payload(right), {}), isValid);
  });

  test(`${title}: shouldRefresh`, () => {
    const rows = [
      [undefined, undefined, true],
      [{}, AGE, true],
      [{ c: null }, AGE, true],
      [payload(right), undefined, false],
      [payload(wrong), undefined, false],
      [{ c: { v: right } }, AGE, false],
      [payload(right), AGE, false],
      [payload(right, AGE + 0.001), AGE, true],
      [payload(right), null, false],
    ];
    for (const [given, maxAge, result] of rows) {
      assert.equal(make(maxAge).shouldRefresh(given, {}), result, JSON.stringify([given, maxAge]));
    }
    assert.equal(early[1].shouldRefresh(payload(right), {}), false);
    clock.skew = 1;
    assert.equal(early[1].shouldRefresh(payload(right), {}), true, "the clock is asked at use");
    clock.skew = 0;
  });

  test(`${title}: a limit below the clock's threshold throws, one that equals it does not`, () => {
    const message =
      "maxAgeInSeconds must be greater than or equal to the DateProvider threshold value -> 7";
    assert.throws(() => make(6.9).shouldRefresh(payload(right), {}), {
      message,
      shouldRefresh: true,
    });
    assert.throws(() => make(0).shouldRefresh(payload(right, 7), {}), {
      message,
      shouldRefresh: false,
    });
    assert.throws(() => make(0).shouldRefresh({}, {}), { message, shouldRefresh: true });
    assert.equal(make(7).shouldRefresh(payload(right), {}), true);
    clock.threshold = 6;
    assert.equal(make(6.9).shouldRefresh(payload(right, 6.9), {}), false);
    clock.threshold = 7;
  });

  test(`${title}: its id`, () => {
    assert.equal(make().id, "c");
    if (takesId) assert.equal(make(undefined, "other").id, "other");
  });
}

test("a claim that is not a list counts as absent", async () => {
  const absent = {
    message: "value does not exist",
    expectedToInclude: "a",
    actualValue: undefined,
  };
  for (const v of [null, "abc", 1, {}]) {
    const validator = claims.array.validators.includes("a");
    assert.equal(validator.shouldRefresh(payload(v), {}), true);
    assert.deepEqual(await validator.validate(payload(v), {}), { isValid: false, reason: absent });
  }
});

test("the claim's own age limit, where a validator has none", () => {
  for (const Claim of [PrimitiveClaim, BooleanClaim, PrimitiveArrayClaim]) {
    const claim = new Claim({ ...config, defaultMaxAgeInSeconds: 50 });
    assert.equal(claim.defaultMaxAgeInSeconds, 50);
    const make = (maxAge) =>
      Claim === PrimitiveArrayClaim
        ? claim.validators.includes("a", maxAge)
        : claim.validators.hasValue("a", maxAge);
    assert.equal(make().shouldRefresh(payload(["a"], 51), {}), true);
    assert.equal(make().shouldRefresh(payload(["a"], 50), {}), false);
    assert.equal(make(60).shouldRefresh(payload(["a"], 51), {}), false);
  }
  const boolean = new BooleanClaim({ ...config, defaultMaxAgeInSeconds: 50 });
  assert.equal(boolean.validators.isTrue().shouldRefresh(payload(true, 51), {}), true);
});

test("value and time of a payload", () => {
  for (const claim of Object.values(claims)) {
    const values = (given) => [claim.getValueFromPayload(given), claim.getLastFetchedTime(given)];
    assert.deepEqual(values({ c: { v: ["a"], t: 5 } }), [["a"], 5]);
    for (const given of [undefined, null, {}, { c: null }, { d: { v: 1, t: 1 } }])
      assert.deepEqual(values(given), [undefined, undefined]);
  }
});

test("refresh is the app's, with the user context", async () => {
  const contexts = [];
  const refresh = async (context) => void contexts.push(context);
  await new BooleanClaim({ id: "b", refresh }).validators.isTrue().refresh({ a: 1 });
  await new PrimitiveArrayClaim({ id: "b", refresh }).validators.excludes("x").refresh({ a: 2 });
  assert.deepEqual(contexts, [{ a: 1 }, { a: 2 }]);
});

test("subclasses: what they override is asked, also when compiled to ES5", async () => {
  class Upper extends PrimitiveClaim {
    getValueFromPayload(given) {
      return super.getValueFromPayload(given)?.toUpperCase();
    }
  }
  assert.deepEqual(await new Upper(config).validators.hasValue("A").validate(payload("a"), {}), {
    isValid: true,
  });

  for (const Base of [PrimitiveClaim, BooleanClaim, PrimitiveArrayClaim]) {
    // `class Old extends Base` as TypeScript writes it for ES5.
    function Old(given) {
      const self = Base.call(this, given) || this;
      self.validators = Object.assign({}, self.validators, { isOld: () => self.id });
      return self;
    }
    Object.setPrototypeOf(Old, Base);
    Old.prototype = Object.create(Base.prototype, { constructor: { value: Old } });
    Old.prototype.old = () => true;
    const claim = new Old(config);
    assert.ok(claim instanceof Old && claim instanceof Base);
    assert.deepEqual(
      [claim.old(), claim.validators.isOld(), claim.getValueFromPayload(payload(["a"]))],
      [true, "c", ["a"]],
    );
  }
  assert.ok(claims.boolean instanceof PrimitiveClaim);
  assert.throws(() => PrimitiveClaim(config), TypeError);
});
