// The same validators and payloads through our classes and through those of supertokens-website:
// the same answers.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { load } from "./support/load.mjs";

const require = createRequire(import.meta.url);
const theirs = {
  ...require("supertokens-website/lib/build/claims/booleanClaim"),
  ...require("supertokens-website/lib/build/claims/primitiveArrayClaim"),
  ...require("supertokens-website/lib/build/claims/primitiveClaim"),
  ...require("supertokens-website/utils/dateProvider"),
};
const ours = await load(
  "claims/booleanClaim.ts",
  "claims/primitiveArrayClaim.ts",
  "claims/primitiveClaim.ts",
  "utils/dateProvider.ts",
);

const NOW = 1_800_000_000_000;
for (const { DateProviderReference } of [ours, theirs]) {
  DateProviderReference.init(() => ({ now: () => NOW, getThresholdInSeconds: () => 7 }));
}

const LISTS = [[], ["a"], ["b"], ["a", "b"], ["b", "c"], ["c"]];
const CASES = {
  PrimitiveClaim: { hasValue: ["a", 1, "1", null, true, NaN, ""] },
  BooleanClaim: { hasValue: [true, false], isTrue: [], isFalse: [] },
  PrimitiveArrayClaim: {
    includes: ["a", "c", NaN],
    excludes: ["a", "c"],
    includesAll: LISTS,
    includesAny: LISTS,
    excludesAll: LISTS,
  },
};
const VALUES = {
  PrimitiveClaim: ["a", 1, null, true, false, NaN, ""],
  BooleanClaim: [true, false],
  PrimitiveArrayClaim: [...LISTS, [NaN]],
};
const TIMES = [NOW, NOW - 7000, NOW - 7001, NOW - 100_000, NOW + 60_000, undefined];
const LIMITS = [undefined, 0, 6.9, 7, 50, Number.MAX_SAFE_INTEGER];

/** The result of a function. */
async function outcome(run) {
  try {
    return { value: await run() };
  } catch ({ message }) {
    return { message };
  }
}

for (const [kind, validators] of Object.entries(CASES)) {
  for (const [name, args] of Object.entries(validators)) {
    test(`${kind} ${name}`, async () => {
      // Values that they crash on (no payload, a null claim) are in claims.test.mjs.
      const payloads = [
        {},
        { c: {} },
        ...VALUES[kind].flatMap((v) => TIMES.map((t) => ({ c: { v, t } }))),
      ];
      let compared = 0;
      for (const defaultMaxAgeInSeconds of [undefined, 50]) {
        const config = {
          id: "c",
          refresh: async () => {},
          ...(defaultMaxAgeInSeconds && { defaultMaxAgeInSeconds }),
        };
        const claims = [ours, theirs].map((module) => new module[kind](config));
        for (const limit of LIMITS) {
          for (const given of args.length ? args.map((arg) => [arg, limit, "own"]) : [[limit]]) {
            const [mine, peers] = claims.map((claim) => claim.validators[name](...given));
            assert.equal(mine.id, peers.id);
            for (const payload of payloads) {
              for (const method of ["shouldRefresh", "validate"]) {
                const [a, b] = [mine, peers].map((validator) =>
                  outcome(() => validator[method](payload, {})),
                );
                assert.deepEqual(await a, await b, JSON.stringify({ given, payload, method }));
                compared += 1;
              }
            }
          }
        }
      }
      assert.ok(compared > 100);
    });
  }
}
