/** As `supertokens-web-js/recipe/session`. */
import { functions, type UserContext, validateClaims as validate } from "../session.js";
import type { ClaimValidationError } from "../claims/types.js";
import type { Recipe, SessionConfig } from "../types.js";
import type { OverrideValidators } from "../wanted.js";

export { BooleanClaim } from "../claims/booleanClaim.js";
export {
  PrimitiveArrayClaim,
  type PrimitiveArrayClaimConfig,
} from "../claims/primitiveArrayClaim.js";
export { PrimitiveClaim, type PrimitiveClaimConfig } from "../claims/primitiveClaim.js";
export type {
  ClaimValidationError,
  ClaimValidationResult,
  SessionClaim,
  SessionClaimValidator,
} from "../claims/types.js";
export type { RecipeInterface } from "../recipe.js";
export type { SessionConfig as UserInput } from "../types.js";
export {
  addAxiosInterceptors,
  attemptRefreshingSession,
  doesSessionExist,
  fetch,
  getAccessToken,
  getAccessTokenPayloadSecurely,
  getAnonymousId,
  getClaimValue,
  getInvalidClaimsFromResponse,
  getUserId,
  isAnonymous,
  signOut,
} from "../session.js";

/** An entry of the `recipeList` of `init`. */
export const init = (config: SessionConfig = {}): Recipe => ({ recipeId: "session", config });

/**
 * Checks the claims of the session, and has those refreshed that are too old. Resolves to what is
 * not as it should be.
 */
export function validateClaims(
  input: { overrideGlobalClaimValidators?: OverrideValidators } & UserContext = {},
): Promise<ClaimValidationError[]> {
  return validate(input.overrideGlobalClaimValidators, input.userContext);
}

export default { ...functions, init, validateClaims };
