/** The functions of the SDK. Those that the peers have behave as there. */
import { flatten, type Options } from "./config.js";
import {
  handlers,
  install,
  setInitOptions,
  whileRestarting,
} from "./generated/browser/handlers.js";
import {
  isOursByRule,
  nativeFetch,
  patchFetch,
  refreshUrl,
  sessionFetch,
  subscribe as listen,
  toConsole,
} from "./generated/browser/host.js";
import {
  ACCESS_TOKEN,
  ANONYMOUS_ID,
  dispose as stop,
  fault,
  FORGET,
  getSnapshot as look,
  IS_ANONYMOUS,
  REFRESH_SESSION,
  start as begin,
  SWITCH_OFF,
} from "./generated/browser/tasks.js";
import { patchXhr } from "./generated/browser/xhr.js";
import { call, isReady, load, makeError, reason, type Source } from "./load.js";
import { implementation, overrideWith } from "./recipe.js";
import type { ClaimValidationError, SessionClaim } from "./claims/types.js";
import type { Diagnosis } from "./diagnose.js";
import type { FlatConfig, RecipeConfig, Snapshot } from "./types.js";
import type { OverrideValidators } from "./wanted.js";

/* eslint-disable @typescript-eslint/no-explicit-any --
   the types that users of the peers compile against */

/** Anything that the app wants its hooks and overrides to know. Default `{}`. */
export interface UserContext {
  userContext?: any;
}

const contextOf = (input?: UserContext): { userContext: any } => ({
  userContext: input?.userContext ?? {},
});

/** Axios instances that were given before `init`. */
const waiting: (() => void)[] = [];

/** The options of the `init` that is in force. */
let started: Options | undefined;

/** The `init` of an entry that has the WebAssembly module from `source`. */
export function initFrom(source: Source, config: FlatConfig | RecipeConfig): void {
  // Servers and workers have neither of the first two, and pages of test runners not all of them.
  const missing = ["window", "document", "fetch", "TextDecoder"].find(
    (name) => !(name in globalThis),
  );
  if (missing) throw makeError("NO_WINDOW", `There is no ${missing}`);
  const before = started;
  if (before && "recipeList" in config) return toConsole("again");
  const options = flatten(config);
  install("cookies", options.cookieHandler);
  install("window", options.windowHandler);
  install("date", options.dateProvider);
  install("lock", options.lockFactory);
  started = options;
  const start = () => {
    // Disposed of while the module was on its way.
    if (started === options) startWith(options, before);
  };
  const { apiDomain, sessionTokenBackendDomain } = options;
  // Nearly: the module judges once more.
  const isOurs = ({ hostname }: URL) =>
    apiDomain?.split(/[/:]+/).includes(hostname) ||
    (!!sessionTokenBackendDomain && `.${hostname}`.endsWith(sessionTokenBackendDomain));
  load(source, options.fallbackUrl, start, isOurs);
  if (!isReady()) {
    setInitOptions(options);
    // No fragment has a space in it: those that say that they are not ours wait, too, until the
    // module sees it.
    patchFetch("", " ");
    patchXhr(options.sessionExpiredStatusCode ?? 401);
  }
}

/**
 * `before` are the options that these replace. Requests under way go on; `fetch`, listeners and
 * other tabs notice nothing.
 */
function startWith(options: Options, before?: Options): void {
  if (before) whileRestarting(stop);
  const wrong = begin(options);
  if (wrong) {
    started = before;
    overrideWith(before?.override?.functions);
    if (before) startWith(before);
    throw fault(wrong);
  }
  for (const add of waiting.splice(0)) add();
}

/** Takes back what `init` did to the page. Stored data stays. */
export function dispose(): void {
  stop();
  started = undefined;
}

/**
 * Whether the visitor has a session, anonymous or not. Asks the server when nothing is known, and
 * refreshes an expired session.
 */
export function doesSessionExist(input?: UserContext): Promise<boolean> {
  return implementation().doesSessionExist(contextOf(input));
}

/** Whether the visitor's session is anonymous. */
export function isAnonymous(): Promise<boolean> {
  return call(IS_ANONYMOUS);
}

/** The id that the visitor keeps through every login and logout. */
export function getAnonymousId(): Promise<string | undefined> {
  return call(ANONYMOUS_ID);
}

/** The user id, or `G-` and the anonymousId. Rejects when there is no session. */
export function getUserId(input?: UserContext): Promise<string> {
  return implementation().getUserId(contextOf(input));
}

/**
 * The payload of the access token, refreshed if it has expired. Rejects when there is no session.
 */
export function getAccessTokenPayloadSecurely(input?: UserContext): Promise<any> {
  return implementation().getAccessTokenPayloadSecurely(contextOf(input));
}

/**
 * The token of the session if scripts have it: in header mode, or where the back end shows it.
 * Refreshed if it has expired.
 */
export function getAccessToken(input?: UserContext): Promise<string | undefined> {
  return call(ACCESS_TOKEN, input?.userContext);
}

/** Refreshes now. True only if a *user* session was refreshed; rejects when nobody can say. */
export function attemptRefreshingSession(): Promise<boolean> {
  return call(REFRESH_SESSION);
}

/** Ends the user session. The visitor is anonymous afterwards, where anonymous sessions are on. */
export function signOut(input?: UserContext): Promise<void> {
  return implementation().signOut(contextOf(input));
}

/**
 * Switches anonymous sessions on or off at run time, for example when the visitor agrees or takes
 * it back.
 */
export function setAnonymousSessions(enabled: boolean): Promise<void> {
  return call(SWITCH_OFF + +enabled);
}

/**
 * Gives the visitor another anonymousId, for good. Rejects with the answer of a server that cannot.
 */
export function forgetAnonymousId(): Promise<void> {
  return call(FORGET);
}

/**
 * Drives the `/refresh-session` page of a server-rendered app: refreshes, then goes to where
 * `?redirectBack=` says, or to `loginPath` when there is no user session. Goes to this origin and
 * to `allowedOrigins` only. Rejects when the server cannot be reached.
 */
export async function refreshSessionPage(options: {
  loginPath: string;
  allowedOrigins?: string[];
}): Promise<void> {
  const page = await import("./generated/browser/page.js");
  return page.refreshSessionPage(
    attemptRefreshingSession(),
    options.loginPath,
    options.allowedOrigins ?? [],
  );
}

/** The state that is known now, without asking anybody. */
export function getSnapshot(): Snapshot {
  return look() as Snapshot;
}

/** Calls `listener` after each change, in this tab or another; returns what stops it. */
export function subscribe(listener: () => void): () => void {
  return listen(listener);
}

/** `fetch` with the visitor's session, for apps that have `interception: "none"`. */
export const fetch: typeof globalThis.fetch = (input, init) =>
  call(async () => {
    if (!started) throw makeError("NOT_INITIALISED", "init function not called");
    return sessionFetch(input, init);
  });

/** The value of a claim, or `undefined`. Rejects when there is no session. */
export async function getClaimValue<T>(input: {
  claim: SessionClaim<T>;
  userContext?: any;
}): Promise<T | undefined> {
  const { userContext } = contextOf(input);
  return input.claim.getValueFromPayload(
    await getAccessTokenPayloadSecurely({ userContext }),
    userContext,
  );
}

/** The reason why a back end answered a request with 403, if it says so. */
export function getInvalidClaimsFromResponse(input: {
  response: { data: any } | Response;
  userContext?: any;
}): Promise<ClaimValidationError[]> {
  return implementation().getInvalidClaimsFromResponse({ ...input, ...contextOf(input) });
}

/**
 * Checks the claims of the session, and has those refreshed that are too old. Resolves to what is
 * not as it should be.
 */
export async function validateClaims(
  override?: OverrideValidators,
  userContext: any = {},
): Promise<ClaimValidationError[]> {
  return (await import("./validation.js")).validate(implementation(), override, userContext);
}

/**
 * Has an axios instance send the visitor's session, if `XMLHttpRequest` does not do so already. May
 * be called before `init`.
 */
export function addAxiosInterceptors(axiosInstance: any, userContext: any = {}): void {
  const add = (): void => implementation().addAxiosInterceptors({ axiosInstance, userContext });
  if (started) add();
  else waiting.push(add);
}

/**
 * Looks for the usual mistakes in the set-up of page, API and server, and says how to put them
 * right. Empty when there are none.
 */
export async function diagnose(): Promise<Diagnosis[]> {
  return (await import("./diagnose.js")).diagnose({
    refreshUrl,
    fetch: nativeFetch,
    isOurs: isOursByRule,
    isLoaded: isReady(),
    reason,
    cookies: handlers.cookies.getCookie,
  });
}

/** All of them but `init`, for default exports. */
export const functions = {
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
};
