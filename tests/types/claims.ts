// Compiled, not run: what an app wrote against the peers' types fits ours, and the other way round.

import * as website from "supertokens-website";
import type { PrimitiveArrayClaimConfig as TheirArrayConfig } from "supertokens-website/lib/build/claims/primitiveArrayClaim";
import type { PrimitiveClaimConfig as TheirConfig } from "supertokens-website/lib/build/claims/primitiveClaim";
import { DateProviderReference as TheirReference } from "supertokens-website/utils/dateProvider";
import type * as theirDates from "supertokens-website/utils/dateProvider/types";
import { STGeneralError as TheirError } from "supertokens-website/utils/error";
import { getGlobalClaimValidators as theirValidators } from "supertokens-website/utils/globalClaimValidators";
import { SessionClaimValidatorStore as TheirStore } from "supertokens-website/utils/sessionClaimValidatorStore";
import EmailVerification from "supertokens-web-js/recipe/emailverification";
import * as web from "supertokens-web-js/recipe/session";
import * as react from "supertokens-auth-react/recipe/session";

import { BooleanClaim } from "../../pkg/dist/claims/booleanClaim.js";
import {
  PrimitiveArrayClaim,
  type PrimitiveArrayClaimConfig,
} from "../../pkg/dist/claims/primitiveArrayClaim.js";
import { PrimitiveClaim, type PrimitiveClaimConfig } from "../../pkg/dist/claims/primitiveClaim.js";
import type * as ours from "../../pkg/dist/claims/types.js";
import {
  DateProviderReference,
  type DateProviderInput,
  type DateProviderInterface,
} from "../../pkg/dist/utils/dateProvider.js";
import { STGeneralError } from "../../pkg/dist/utils/error.js";
import { getGlobalClaimValidators } from "../../pkg/dist/utils/globalClaimValidators.js";
import { SessionClaimValidatorStore } from "../../pkg/dist/utils/sessionClaimValidatorStore.js";

/** Compiles only if each fits the other. */
declare function same<A, B>(there: (value: A) => B, back: (value: B) => A): void;

/** The public side of a class: private members fit nothing but themselves. */
type Public<T> = { [Key in keyof T]: T[Key] };

same<PrimitiveClaimConfig, TheirConfig>(
  (ours) => ours,
  (theirs) => theirs,
);
same<PrimitiveArrayClaimConfig, TheirArrayConfig>(
  (ours) => ours,
  (theirs) => theirs,
);
same<PrimitiveClaimConfig, web.PrimitiveClaimConfig>(
  (ours) => ours,
  (theirs) => theirs,
);
same<PrimitiveArrayClaimConfig, web.PrimitiveArrayClaimConfig>(
  (ours) => ours,
  (theirs) => theirs,
);

same<ours.SessionClaimValidator, website.SessionClaimValidator>(
  (ours) => ours,
  (theirs) => theirs,
);
same<ours.SessionClaimValidator, web.SessionClaimValidator>(
  (ours) => ours,
  (theirs) => theirs,
);
same<ours.SessionClaim<string[]>, website.SessionClaim<string[]>>(
  (ours) => ours,
  (theirs) => theirs,
);
same<ours.SessionClaim<string[]>, web.SessionClaim<string[]>>(
  (ours) => ours,
  (theirs) => theirs,
);
same<ours.ClaimValidationError, website.ClaimValidationError>(
  (ours) => ours,
  (theirs) => theirs,
);
same<ours.ClaimValidationResult, website.ClaimValidationResult>(
  (ours) => ours,
  (theirs) => theirs,
);

// Instances.
same<PrimitiveClaim<string>, website.PrimitiveClaim<string>>(
  (ours) => ours,
  (theirs) => theirs,
);
same<PrimitiveArrayClaim<string>, website.PrimitiveArrayClaim<string>>(
  (ours) => ours,
  (theirs) => theirs,
);
same<BooleanClaim, website.BooleanClaim>(
  (ours) => ours,
  (theirs) => theirs,
);
same<BooleanClaim, web.BooleanClaim>(
  (ours) => ours,
  (theirs) => theirs,
);
same<BooleanClaim, react.BooleanClaim>(
  (ours) => ours,
  (theirs) => theirs,
);

// Classes.
same<typeof PrimitiveClaim, typeof website.PrimitiveClaim>(
  (ours) => ours,
  (theirs) => theirs,
);
same<typeof PrimitiveArrayClaim, typeof website.PrimitiveArrayClaim>(
  (ours) => ours,
  (theirs) => theirs,
);
same<typeof BooleanClaim, typeof website.BooleanClaim>(
  (ours) => ours,
  (theirs) => theirs,
);
same<typeof STGeneralError, typeof TheirError>(
  (ours) => ours,
  (theirs) => theirs,
);

same<typeof getGlobalClaimValidators, typeof theirValidators>(
  (ours) => ours,
  (theirs) => theirs,
);
same<
  Public<typeof SessionClaimValidatorStore>,
  Omit<Public<typeof TheirStore>, "prototype"> & { prototype: SessionClaimValidatorStore }
>(
  (ours) => ours,
  (theirs) => theirs,
);
same<DateProviderInterface, theirDates.DateProviderInterface>(
  (ours) => ours,
  (theirs) => theirs,
);
same<DateProviderInput, theirDates.DateProviderInput>(
  (ours) => ours,
  (theirs) => theirs,
);
same<DateProviderReference, TheirReference>(
  (ours) => ours,
  (theirs) => theirs,
);

// The ways in which apps use them.
class Role extends PrimitiveArrayClaim<string> {
  isAdmin = () => this.validators.includes("admin", 60, "role-admin");
}
new Role({ id: "role", refresh: async () => {}, defaultMaxAgeInSeconds: 300 })
  .isAdmin()
  .validate({}, {});

class Verified extends BooleanClaim {
  own = {
    ...this.validators,
    isVerified: () => EmailVerification.EmailVerificationClaim.validators.isVerified(10),
  };
  override getValueFromPayload(payload: any, userContext?: any): boolean {
    return super.getValueFromPayload(payload, userContext) === true;
  }
}
const verified: website.SessionClaim<boolean> = new Verified({
  id: "v",
  refresh: (userContext: unknown) => Promise.resolve(void userContext),
});
void web.getClaimValue({ claim: verified });
void web.getClaimValue({ claim: new PrimitiveClaim<number>({ id: "n", refresh: async () => {} }) });
void web.validateClaims({
  overrideGlobalClaimValidators: (all) => [
    ...all,
    new Role({ id: "r", refresh: async () => {} }).isAdmin(),
  ],
});
getGlobalClaimValidators(
  (all: website.SessionClaimValidator[]) =>
    all.concat(verified instanceof Verified ? verified.validators.isTrue(7) : []),
  {},
);

// @ts-expect-error -- a value of another type
new PrimitiveClaim<number>({ id: "n", refresh: async () => {} }).validators.hasValue("1");
// @ts-expect-error -- no refresh
new BooleanClaim({ id: "n" });
