import { callable } from "./callable.js";
import { Claim, makeValidator, type ClaimConfig } from "./claim.js";
import type { SessionClaimValidator } from "./types.js";

export type PrimitiveClaimConfig = ClaimConfig;

class Primitive<ValueType> extends Claim<ValueType> {
  validators = {
    /** Exactly this value. */
    hasValue: (val: ValueType, maxAgeInSeconds?: number, id?: string): SessionClaimValidator =>
      makeValidator(
        this,
        { field: "expectedValue", expected: val, isMet: (value) => value === val },
        maxAgeInSeconds,
        id,
      ),
  };
}

/** A claim whose value is a string, a number, a boolean or null. */
export const PrimitiveClaim = /* @__PURE__ */ callable(Primitive);
export type PrimitiveClaim<ValueType> = Primitive<ValueType>;
