/**
 * The work of `validateClaims` and `getInvalidClaimsFromResponse`. A module of its own, because few
 * pages need it.
 */

import type { ClaimValidationError, SessionClaimValidator } from "./claims/types.js";
import type { RecipeInterface } from "./recipe.js";
import { type OverrideValidators, wanted } from "./wanted.js";

/**
 * The validation that an app asks for: by the functions in force, which come to {@link
 * validateClaims} where something is wanted.
 */
export async function validate(
  recipe: RecipeInterface,
  override: OverrideValidators | undefined,
  userContext: unknown,
): Promise<ClaimValidationError[]> {
  const claimValidators = wanted(recipe, override, userContext);
  return claimValidators.length ? recipe.validateClaims({ claimValidators, userContext }) : [];
}

/** The functions of the session that it needs. */
export interface Access {
  /** The access token payload, refreshed if it has expired; rejects without a session. */
  payload(): Promise<unknown>;
  /**
   * The release function once the lock is ours; nothing when it could not be had within `timeoutMs`
   * milliseconds.
   */
  lock(name: string, timeoutMs: number): Promise<(() => void) | undefined>;
}

const LOCK = "CLAIM_REFRESH_LOCK";

/** Milliseconds. A tab that holds the lock for longer hangs; a second refresh is better then. */
const LOCK_TIMEOUT_MS = 5000;

/**
 * Refreshes the claims that need it, and then says which validators are not content. Parallel calls
 * refresh a claim once: a call that had to wait for the lock asks again. The error of a refresh
 * that fails goes to the console; the validator then judges what is there.
 */
export async function validateClaims(
  validators: readonly SessionClaimValidator[],
  userContext: unknown,
  { payload, lock }: Access,
): Promise<ClaimValidationError[]> {
  if (validators.length === 0) return [];
  let current = await payload();
  let isDue = false;
  for (const validator of validators) isDue ||= await needsRefresh(validator, current, userContext);
  if (isDue) {
    // A lock only saves requests, so one that fails stops nothing.
    const release = await lock(LOCK, LOCK_TIMEOUT_MS).catch(
      (error: unknown) => void console.error(error),
    );
    try {
      current = await payload();
      for (const validator of validators) {
        if (!(await needsRefresh(validator, current, userContext))) continue;
        try {
          await validator.refresh(userContext);
        } catch (error) {
          console.error(`The refresh of the claim "${validator.id}" failed`, error);
        }
        current = await payload();
      }
    } finally {
      release?.();
    }
  }
  const errors: ClaimValidationError[] = [];
  for (const validator of validators) {
    const result = await validator.validate(current, userContext);
    if (!result.isValid) errors.push({ id: validator.id, reason: result.reason });
  }
  return errors;
}

/**
 * An age limit below the threshold of the clock is a mistake of the app, and validators throw for
 * it. The page must stay protected all the same: we print the error, and refresh as by the lowest
 * limit that works. The limit of the app could go on for ever where clocks differ by some seconds:
 * each refresh changes the payload, and apps validate again when it changes.
 */
async function needsRefresh(
  validator: SessionClaimValidator,
  payload: unknown,
  userContext: unknown,
): Promise<boolean> {
  try {
    return await validator.shouldRefresh(payload, userContext);
  } catch (error) {
    const { message, shouldRefresh } = Object(error) as {
      message?: string;
      shouldRefresh?: boolean;
    };
    if (!/DateProvider threshold/.test(`${message}`)) throw error;
    console.error(`The claim "${validator.id}":`, error);
    // Validators of `supertokens-web-js` throw the same, without the answer.
    return shouldRefresh ?? false;
  }
}

/**
 * The errors in a refusal for want of a claim. `undefined`, whatever the type says, when the body
 * has none; rejects if it is no JSON.
 */
export async function invalidClaims(
  response: Response | { data: unknown },
): Promise<ClaimValidationError[]> {
  if (!("data" in response)) return (await response.clone().json())?.claimValidationErrors;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- of the app's making
  const { data } = response as { data: any };
  return (typeof data === "string" ? JSON.parse(data) : data)?.claimValidationErrors;
}
