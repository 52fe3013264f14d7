/** The demands on the session. A module of its own, because few pages need it. */
import { SessionClaimValidatorStore } from "./utils/sessionClaimValidatorStore.js";
import type { SessionClaimValidator } from "./claims/types.js";

/* eslint-disable @typescript-eslint/no-explicit-any --
   the types that users of the peers compile against */

/** Chooses the validators for one call, from those that hold everywhere. */
export type OverrideValidators = (
  globalClaimValidators: SessionClaimValidator[],
  userContext: any,
) => SessionClaimValidator[];

/**
 * The validators for one call: those that other recipes added, changed by the app's recipe, and
 * then by `override`.
 */
export function wanted(
  recipe: {
    getGlobalClaimValidators(input: {
      claimValidatorsAddedByOtherRecipes: SessionClaimValidator[];
      userContext: any;
    }): SessionClaimValidator[];
  },
  override: OverrideValidators | undefined,
  userContext: any,
): SessionClaimValidator[] {
  const validators = recipe.getGlobalClaimValidators({
    claimValidatorsAddedByOtherRecipes:
      SessionClaimValidatorStore.getClaimValidatorsAddedByOtherRecipes(),
    userContext,
  });
  // An override that returns nothing changes nothing. If it removed all validators, an app that
  // forgot a `return` would let everybody in.
  return override?.(validators, userContext) ?? validators;
}
