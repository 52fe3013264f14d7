// Compiled, not run: an app that was written against the peers' types compiles against ours, and
// may hand our functions to code that wants theirs.

import * as website from "supertokens-website";
import type {
  CookieHandlerInput,
  CookieHandlerInterface,
} from "supertokens-website/utils/cookieHandler/types";
import type { DateProviderInput } from "supertokens-website/utils/dateProvider/types";
import type { LockFactory } from "supertokens-website/utils/lockFactory/types";
import type {
  WindowHandlerInput,
  WindowHandlerInterface,
} from "supertokens-website/utils/windowHandler/types";
import * as webSession from "supertokens-web-js/recipe/session";
import type { RecipeEvent, UserInput } from "supertokens-web-js/recipe/session/types";

import * as ours from "../../pkg/dist/index.js";
import * as oursSession from "../../pkg/dist/recipe/session.js";
import type * as cookies from "../../pkg/dist/utils/cookieHandler.js";
import type * as dates from "../../pkg/dist/utils/dateProvider.js";
import type * as locks from "../../pkg/dist/utils/lockFactory.js";
import type * as windows from "../../pkg/dist/utils/windowHandler.js";

/** Compiles only if each fits the other. */
declare function same<A, B>(there: (value: A) => B, back: (value: B) => A): void;
/** Compiles only if ours fits where theirs is wanted. */
declare function serves<Theirs>(ours: Theirs): void;

// The functions that apps call.
serves<typeof website.init>(ours.init);
serves<typeof website.doesSessionExist>(ours.doesSessionExist);
serves<typeof website.getUserId>(ours.getUserId);
serves<typeof website.getAccessToken>(ours.getAccessToken);
serves<typeof website.getAccessTokenPayloadSecurely>(ours.getAccessTokenPayloadSecurely);
serves<typeof website.attemptRefreshingSession>(ours.attemptRefreshingSession);
serves<typeof website.signOut>(ours.signOut);
serves<typeof website.getClaimValue>(ours.getClaimValue);
serves<typeof website.getInvalidClaimsFromResponse>(ours.getInvalidClaimsFromResponse);
serves<typeof website.validateClaims>(ours.validateClaims);
serves<typeof website.addAxiosInterceptors>(ours.addAxiosInterceptors);
serves<
  Pick<
    typeof website.default,
    "init" | "doesSessionExist" | "signOut" | "getUserId" | "validateClaims"
  >
>(ours.default);

serves<typeof webSession.doesSessionExist>(oursSession.doesSessionExist);
serves<typeof webSession.getUserId>(oursSession.getUserId);
serves<typeof webSession.getAccessToken>(oursSession.getAccessToken);
serves<typeof webSession.getAccessTokenPayloadSecurely>(oursSession.getAccessTokenPayloadSecurely);
serves<typeof webSession.attemptRefreshingSession>(oursSession.attemptRefreshingSession);
serves<typeof webSession.signOut>(oursSession.signOut);
serves<typeof webSession.getClaimValue>(oursSession.getClaimValue);
serves<typeof webSession.getInvalidClaimsFromResponse>(oursSession.getInvalidClaimsFromResponse);
serves<typeof webSession.validateClaims>(oursSession.validateClaims);
serves<typeof webSession.addAxiosInterceptors>(oursSession.addAxiosInterceptors);

// The values that they give us.
same<ours.RecipeInterface, website.RecipeInterface>(
  (ours) => ours,
  (theirs) => theirs,
);
declare const theirConfig: website.InputType;
declare const theirSessionConfig: UserInput;
declare const theirListener: (event: RecipeEvent) => void;
ours.init(theirConfig);
ours.init({
  appInfo: { appName: "Sill", apiDomain: "", apiBasePath: "" },
  recipeList: [oursSession.init(theirSessionConfig)],
});
oursSession.init({ onHandleEvent: theirListener, override: theirConfig.override });

same<cookies.CookieHandlerInterface, CookieHandlerInterface>(
  (ours) => ours,
  (theirs) => theirs,
);
same<cookies.CookieHandlerInput, CookieHandlerInput>(
  (ours) => ours,
  (theirs) => theirs,
);
same<windows.WindowHandlerInterface, WindowHandlerInterface>(
  (ours) => ours,
  (theirs) => theirs,
);
same<windows.WindowHandlerInput, WindowHandlerInput>(
  (ours) => ours,
  (theirs) => theirs,
);
same<dates.DateProviderInput, DateProviderInput>(
  (ours) => ours,
  (theirs) => theirs,
);
serves<locks.LockFactory>({} as LockFactory);
