/* eslint-disable @typescript-eslint/no-explicit-any --
   the types that users of the peers compile against */
import { dateProvider } from "../utils/dateProvider.js";
import type { ClaimValidationResult, SessionClaimValidator } from "./types.js";

/** The description of a claim. */
export type ClaimConfig = {
  /** The claim's key in the access token payload. */
  id: string;
  /** Has the server put a fresh value into the token. */
  refresh: (userContext?: any) => Promise<void>;
  /** How old a value may be where a validator does not say. Default: any age. */
  defaultMaxAgeInSeconds?: number;
};

/**
 * The demand of one kind of validator on a value: `field` names the expectation in the reason,
 * `missing` where there is no value.
 */
export interface Rule<Value> {
  field: string;
  missing?: string;
  expected: unknown;
  isMet(value: Value): boolean;
}

/** The common form of claims: a value with the time when it was fetched, `{ v, t }`. */
export class Claim<ValueType> {
  readonly id: string;
  readonly refresh: SessionClaimValidator["refresh"];
  readonly defaultMaxAgeInSeconds: number | undefined;

  constructor(config: ClaimConfig) {
    this.id = config.id;
    this.refresh = config.refresh;
    this.defaultMaxAgeInSeconds = config.defaultMaxAgeInSeconds;
  }

  /** `undefined` when the payload has no such claim, whatever the type says; it is the peers'. */
  getValueFromPayload(payload: any, _userContext?: any): ValueType {
    return payload?.[this.id]?.v;
  }

  /** When the server fetched the value, in epoch milliseconds. */
  getLastFetchedTime(payload: any, _userContext?: any): number | undefined {
    return payload?.[this.id]?.t;
  }
}

/**
 * A validator of that claim. The clock is asked when it is used, so that validators can be made
 * before `init`.
 */
export function makeValidator<Value>(
  claim: Claim<Value>,
  { field, missing = field, expected, isMet }: Rule<Value>,
  maxAge: number | undefined,
  id: string | undefined,
): SessionClaimValidator & { validate(payload: any, userContext: any): ClaimValidationResult } {
  const limit = maxAge ?? claim.defaultMaxAgeInSeconds;
  const age = (payload: any, userContext: any) =>
    (dateProvider().now() - (claim.getLastFetchedTime(payload, userContext) ?? NaN)) / 1000;
  const wrong = (reason: object) => ({ isValid: false, reason }) as const;

  return {
    id: id ?? claim.id,
    refresh: (userContext) => claim.refresh(userContext),
    shouldRefresh(payload, userContext) {
      const isStale = (seconds: number) =>
        claim.getValueFromPayload(payload, userContext) === undefined ||
        age(payload, userContext) > seconds;
      const threshold = dateProvider().getThresholdInSeconds();
      if (limit !== undefined && limit < threshold) {
        const text =
          "maxAgeInSeconds must be greater than or equal to the DateProvider threshold value " +
          `-> ${threshold}`;
        // By the answer that the lowest limit would have given, `validateClaims` goes on.
        throw Object.assign(new Error(text), { shouldRefresh: isStale(threshold) });
      }
      return isStale(limit ?? Infinity);
    },
    validate(payload, userContext) {
      const actualValue = claim.getValueFromPayload(payload, userContext);
      if (actualValue === undefined)
        return wrong({ message: "value does not exist", [missing]: expected, actualValue });
      const ageInSeconds = age(payload, userContext);
      if (limit !== undefined && ageInSeconds > limit)
        return wrong({ message: "expired", ageInSeconds, maxAgeInSeconds: limit });
      return isMet(actualValue)
        ? { isValid: true }
        : wrong({ message: "wrong value", [field]: expected, actualValue });
    },
  };
}
