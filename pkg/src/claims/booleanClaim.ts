import { callable } from "./callable.js";
import { PrimitiveClaim, type PrimitiveClaimConfig } from "./primitiveClaim.js";
import type { SessionClaimValidator } from "./types.js";

type BooleanValidators = {
  isTrue: (maxAge?: number) => SessionClaimValidator;
  isFalse: (maxAge?: number) => SessionClaimValidator;
};

class Bool extends PrimitiveClaim<boolean> {
  declare validators: PrimitiveClaim<boolean>["validators"] & BooleanValidators;

  constructor(config: PrimitiveClaimConfig) {
    super(config);
    this.validators = {
      ...this.validators,
      isTrue: (maxAge) => this.validators.hasValue(true, maxAge),
      isFalse: (maxAge) => this.validators.hasValue(false, maxAge),
    };
  }
}

/** A claim whose value is true or false. */
export const BooleanClaim = /* @__PURE__ */ callable(Bool);
export type BooleanClaim = Bool;
