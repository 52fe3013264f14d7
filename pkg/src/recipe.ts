import type { SessionClaimValidator } from "./claims/types.js";

/** The part of the overridable implementation that this branch needs; replaced when the overrides come in. */
export interface Implementation {
  getGlobalClaimValidators(input: {
    claimValidatorsAddedByOtherRecipes: SessionClaimValidator[];
    userContext: unknown;
  }): SessionClaimValidator[];
}

/** The implementation in force. */
export function implementation(): Implementation {
  return { getGlobalClaimValidators: (input) => input.claimValidatorsAddedByOtherRecipes };
}
