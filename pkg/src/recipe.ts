/** The functions that an app can override, and those in force. */
import { clockSkew } from "./generated/browser/handlers.js";
import {
  findOurs,
  intercept,
  isOursByRule,
  lock,
  modifyFetch,
  toConsole,
} from "./generated/browser/host.js";
import { deriveXhr, isXhrOurs } from "./generated/browser/xhr.js";
import { EXISTS, PAYLOAD, SIGN_OUT, USER_ID } from "./generated/browser/tasks.js";
import { call } from "./load.js";
import { layered, type Override } from "./override.js";
import type { ClaimValidationError, SessionClaimValidator } from "./claims/types.js";

/**
 * The functions that an override can replace. `userContext` is whatever the app passed, `{}` by
 * default.
 */
/* eslint-disable @typescript-eslint/no-explicit-any --
   the types that overrides of the peers are written against */
export type RecipeInterface = {
  addFetchInterceptorsAndReturnModifiedFetch: (input: {
    originalFetch: any;
    userContext: any;
  }) => typeof fetch;
  addXMLHttpRequestInterceptor: (input: { userContext: any }) => void;
  addAxiosInterceptors: (input: { axiosInstance: any; userContext: any }) => void;
  getUserId: (input: { userContext: any }) => Promise<string>;
  getAccessTokenPayloadSecurely: (input: { userContext: any }) => Promise<any>;
  doesSessionExist: (input: { userContext: any }) => Promise<boolean>;
  signOut: (input: { userContext: any }) => Promise<void>;
  getInvalidClaimsFromResponse(input: {
    response: { data: any } | Response;
    userContext: any;
  }): Promise<ClaimValidationError[]>;
  validateClaims: (input: {
    claimValidators: SessionClaimValidator[];
    userContext: any;
  }) => Promise<ClaimValidationError[]>;
  getGlobalClaimValidators(input: {
    claimValidatorsAddedByOtherRecipes: SessionClaimValidator[];
    userContext: any;
  }): SessionClaimValidator[];
  /**
   * `toCheckUrl` is absolute: relative ones are resolved against the document before they are
   * judged. The original judges by the domains that `init` was given, which are what it is called
   * with.
   */
  shouldDoInterceptionBasedOnUrl(
    toCheckUrl: string,
    apiDomain: string,
    sessionTokenBackendDomain: string | undefined,
  ): boolean;
  /** Milliseconds by which the server's clock is ahead. */
  calculateClockSkewInMillis(params: { accessTokenPayload: any; responseHeaders: Headers }): number;
};

/** An app's override may call it without anything. */
const asks =
  <T>(operation: number) =>
  (input?: { userContext?: unknown }): Promise<T> =>
    call(operation, input?.userContext);

const original: RecipeInterface = {
  addFetchInterceptorsAndReturnModifiedFetch: modifyFetch,
  addXMLHttpRequestInterceptor: deriveXhr,
  addAxiosInterceptors({ axiosInstance }) {
    if (isXhrOurs()) {
      toConsole("needless");
    } else {
      const axios = import("./axios.js");
      axiosInstance.interceptors.request.use(async (config: unknown) =>
        (await axios).intercepted(config as Record<string, unknown>, axiosInstance, {
          findOurs,
          intercept,
        }),
      );
    }
  },
  getUserId: asks(USER_ID),
  getAccessTokenPayloadSecurely: asks(PAYLOAD),
  doesSessionExist: asks(EXISTS),
  signOut: asks(SIGN_OUT),
  getInvalidClaimsFromResponse: async ({ response }) =>
    (await import("./validation.js")).invalidClaims(response),
  async validateClaims({ claimValidators, userContext }) {
    const payload = () => current.getAccessTokenPayloadSecurely({ userContext });
    return (await import("./validation.js")).validateClaims(claimValidators, userContext, {
      payload,
      lock,
    });
  },
  getGlobalClaimValidators: ({ claimValidatorsAddedByOtherRecipes }) =>
    claimValidatorsAddedByOtherRecipes,
  shouldDoInterceptionBasedOnUrl: isOursByRule,
  calculateClockSkewInMillis: clockSkew,
};

let current = original;

/** The functions in force. */
export const implementation = (): RecipeInterface => current;

/** Puts the app's functions in force, and returns those that it replaced. */
export function overrideWith(
  functions: Override<RecipeInterface> | undefined,
): Partial<RecipeInterface> {
  current = layered(original, functions);
  // Theirs takes what it calls from there, if another one has patched the page before it.
  (window as any).__supertokensSessionRecipe = current;
  const names = Object.keys(original) as (keyof RecipeInterface)[];
  return functions
    ? Object.fromEntries(names.map((name) => [name, current[name].bind(current)]))
    : {};
}
