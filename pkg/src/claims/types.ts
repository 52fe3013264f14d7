/* eslint-disable @typescript-eslint/no-explicit-any --
   the types that users of the peers compile against */

/** Whether a claim is as wanted; if not, why. */
export type ClaimValidationResult = { isValid: true } | { isValid: false; reason?: any };

/** A claim that is not as wanted: the id of its validator, and what that gave as the reason. */
export type ClaimValidationError = { id: string; reason?: any };

/** Says whether a session may do something, by its access token payload. */
export type SessionClaimValidator = {
  readonly id: string;
  /** Has the server put a fresh value into the token. */
  refresh(userContext: any): Promise<void>;
  /** Whether the payload's value is missing or too old to be judged. */
  shouldRefresh(accessTokenPayload: any, userContext: any): Promise<boolean> | boolean;
  /** Judges the payload as it is. */
  validate(
    accessTokenPayload: any,
    userContext: any,
  ): Promise<ClaimValidationResult> | ClaimValidationResult;
};

/** A named value in the access token payload. */
export type SessionClaim<ValueType> = {
  refresh(userContext: any): Promise<void>;
  getValueFromPayload(payload: any, _userContext?: any): ValueType | undefined;
  /** Epoch milliseconds by the server's clock. */
  getLastFetchedTime(payload: any, _userContext?: any): number | undefined;
};
