/** The exports of every entry, but for `init`. */
export { BooleanClaim } from "./claims/booleanClaim.js";
export {
  PrimitiveArrayClaim,
  type PrimitiveArrayClaimConfig,
} from "./claims/primitiveArrayClaim.js";
export { PrimitiveClaim, type PrimitiveClaimConfig } from "./claims/primitiveClaim.js";
export type {
  ClaimValidationError,
  ClaimValidationResult,
  SessionClaim,
  SessionClaimValidator,
} from "./claims/types.js";
export type { Diagnosis } from "./diagnose.js";
export type { RecipeInterface } from "./recipe.js";
export type * from "./types.js";
export {
  addAxiosInterceptors,
  attemptRefreshingSession,
  diagnose,
  dispose,
  doesSessionExist,
  fetch,
  forgetAnonymousId,
  getAccessToken,
  getAccessTokenPayloadSecurely,
  getAnonymousId,
  getClaimValue,
  getInvalidClaimsFromResponse,
  getSnapshot,
  getUserId,
  isAnonymous,
  refreshSessionPage,
  setAnonymousSessions,
  signOut,
  subscribe,
  validateClaims,
} from "./session.js";
