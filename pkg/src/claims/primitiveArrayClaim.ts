/* eslint-disable @typescript-eslint/no-explicit-any --
   the types that users of the peers compile against */
import { callable } from "./callable.js";
import { Claim, makeValidator, type ClaimConfig, type Rule } from "./claim.js";
import type { SessionClaimValidator } from "./types.js";

export type PrimitiveArrayClaimConfig = ClaimConfig;

const INCLUDE = "expectedToInclude";
const EXCLUDE = "expectedToNotInclude";

class PrimitiveArray<ValueType> extends Claim<ValueType[]> {
  validators = {
    includes: validator(this, (val: ValueType) => ({
      field: INCLUDE,
      isMet: (value) => value.includes(val),
    })),
    excludes: validator(this, (val: ValueType) => ({
      field: EXCLUDE,
      isMet: (value) => !value.includes(val),
    })),
    includesAll: validator(this, (vals: ValueType[]) => ({
      field: INCLUDE,
      isMet: (value) => vals.every((val) => value.includes(val)),
    })),
    includesAny: validator(this, (vals: ValueType[]) => ({
      field: "expectedToIncludeAtLeastOneOf",
      missing: INCLUDE,
      isMet: (value) => vals.some((val) => value.includes(val)),
    })),
    excludesAll: validator(this, (vals: ValueType[]) => ({
      field: EXCLUDE,
      isMet: (value) => !vals.some((val) => value.includes(val)),
    })),
  };

  /** A value that is not a list counts as absent: the server has something else under that name. */
  override getValueFromPayload(payload: any, userContext?: any): ValueType[] {
    const value: unknown = super.getValueFromPayload(payload, userContext);
    return (Array.isArray(value) ? value : undefined) as ValueType[];
  }
}

function validator<ValueType, Expected>(
  claim: Claim<ValueType[]>,
  rule: (expected: Expected) => Omit<Rule<ValueType[]>, "expected">,
): (val: Expected, maxAgeInSeconds?: number, id?: string) => SessionClaimValidator {
  return (expected, maxAge, id) => {
    const made = makeValidator(claim, { ...rule(expected), expected }, maxAge, id);
    // As the peers have it: this kind answers with a promise.
    return {
      ...made,
      validate: async (payload, userContext) => made.validate(payload, userContext),
    };
  };
}

/** A claim whose value is a list of strings, numbers or booleans. */
export const PrimitiveArrayClaim = /* @__PURE__ */ callable(PrimitiveArray);
export type PrimitiveArrayClaim<ValueType> = PrimitiveArray<ValueType>;
