/* eslint-disable @typescript-eslint/no-explicit-any --
   the types that users of the peers compile against */
import type { SessionClaimValidator } from "../claims/types.js";
import { implementation } from "../recipe.js";
import { wanted } from "../wanted.js";

/**
 * The demands that every session has to fulfil: those of other recipes, as the app's overrides
 * change it, as `override` changes it for this call. `userContext` is `{}` by default.
 */
export function getGlobalClaimValidators(
  overrideGlobalClaimValidators?: (
    globalClaimValidators: SessionClaimValidator[],
    userContext: any,
  ) => SessionClaimValidator[],
  userContext: any = {},
): SessionClaimValidator[] {
  return wanted(implementation(), overrideGlobalClaimValidators, userContext);
}
