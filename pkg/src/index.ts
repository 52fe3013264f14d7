/**
 * A session for every visitor: anonymous from the first request, authenticated after login.
 *
 * The functions that `supertokens-web-js` has too behave as there; `docs/protocol.md` says what is sent.
 */
import { flatten } from "./config.js";
import * as sdk from "./generated/glue.js";
import { call, isReady, load } from "./load.js";
import type { FlatConfig, Recipe, RecipeConfig, SessionConfig, Snapshot } from "./types.js";

export type * from "./types.js";

/**
 * Starts the SDK: when it returns, `fetch` and `XMLHttpRequest` carry the visitor's session. Throws a `SessionError` for a configuration
 * that cannot work.
 */
export function init(config: FlatConfig | RecipeConfig): void {
  const loaded = load();
  if (loaded !== "ready") {
    // The app's requests go out without a session; every call here tells why.
    console.error(loaded);
  } else if (!sdk.init(flatten(config))) {
    console.warn("passerby was already initialised; this call of init changes nothing");
  }
}

/** Takes back what `init` did to the page. What is stored stays. */
export function dispose(): void {
  if (isReady()) sdk.dispose();
}

/** Whether the visitor has a session, anonymous or not. Asks the server when nothing is known, and refreshes an expired session. */
export function doesSessionExist(): Promise<boolean> {
  return call(sdk.doesSessionExist);
}

/** Whether the visitor's session is anonymous. */
export function isAnonymous(): Promise<boolean> {
  return call(sdk.isAnonymous);
}

/** The id that the visitor keeps through every login and logout. */
export function getAnonymousId(): Promise<string | undefined> {
  return call(sdk.getAnonymousId);
}

/** The user id, or `G-` and the anonymousId. Rejects when there is no session. */
export function getUserId(): Promise<string> {
  return call(sdk.getUserId);
}

/** The payload of the access token, refreshed if it has expired. Rejects when there is no session. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the type that users of the peers compile against
export function getAccessTokenPayloadSecurely(): Promise<any> {
  return call(sdk.getAccessTokenPayloadSecurely);
}

/** The token of the session if scripts have it: in header mode, or where the back end shows it. Refreshed if it has expired. */
export function getAccessToken(): Promise<string | undefined> {
  return call(sdk.getAccessToken);
}

/** Refreshes now. True only if a *user* session was refreshed; rejects when nobody can say. */
export function attemptRefreshingSession(): Promise<boolean> {
  return call(sdk.attemptRefreshingSession);
}

/** Ends the user session. The visitor is anonymous afterwards, where anonymous sessions are on. */
export function signOut(): Promise<void> {
  return call(sdk.signOut);
}

/** Switches anonymous sessions on or off at run time, for example when the visitor agrees or takes it back. */
export function setAnonymousSessions(enabled: boolean): Promise<void> {
  return call(() => sdk.setAnonymousSessions(enabled));
}

/** Gives the visitor another anonymousId, for good. Rejects with the answer of a server that cannot. */
export function forgetAnonymousId(): Promise<void> {
  return call(sdk.forgetAnonymousId);
}

/**
 * Drives the `/refresh-session` page of a server-rendered app: refreshes, then goes to where `?redirectBack=` says, or to `loginPath` when
 * there is no user session. Goes to this origin and to `allowedOrigins` only. Rejects when the server cannot be reached.
 */
export function refreshSessionPage(options: { loginPath: string; allowedOrigins?: string[] }): Promise<void> {
  return call(() => sdk.refreshSessionPage(options.loginPath, options.allowedOrigins ?? []));
}

const UNKNOWN: Snapshot = { state: "unknown" };

/** What is known now, without asking anybody. */
export function getSnapshot(): Snapshot {
  return isReady() ? sdk.getSnapshot() : UNKNOWN;
}

/** Calls `listener` after each change, in this tab or another; returns what stops it. */
export function subscribe(listener: () => void): () => void {
  return load() === "ready" ? (sdk.subscribe(listener) as () => void) : () => {};
}

/** As in `supertokens-web-js`: what goes into `recipeList`, and the functions. */
export const Session = {
  init: (config: SessionConfig = {}): Recipe => ({ recipeId: "session", config }),
  doesSessionExist,
  isAnonymous,
  getAnonymousId,
  getUserId,
  getAccessTokenPayloadSecurely,
  getAccessToken,
  attemptRefreshingSession,
  signOut,
};

export default { init };
