import type { ClaimValidationError } from "./claims/types.js";
import type { Builder } from "./override.js";
import type { RecipeInterface } from "./recipe.js";
import type { CookieHandlerInput } from "./utils/cookieHandler.js";
import type { DateProviderInput } from "./utils/dateProvider.js";
import type { LockFactory } from "./utils/lockFactory.js";
import type { WindowHandlerInput } from "./utils/windowHandler.js";

/* eslint-disable @typescript-eslint/no-explicit-any --
   the types that users of the peers compile against */

/** An event for `onHandleEvent`. Everything is stored before it is called. */
export type SessionEvent = {
  userContext: any;
  /** The tab in which it happened, with {@link SessionConfig.eventsOfOtherTabs} only. */
  tab?: string;
} & (
  | {
      action:
        | "ANONYMOUS_SESSION_CREATED"
        | "ANONYMOUS_SESSION_REPLACED"
        | "ANONYMOUS_SESSION_REMOVED"
        | "SESSION_CREATED"
        | "ACCESS_TOKEN_PAYLOAD_UPDATED"
        | "REFRESH_SESSION"
        | "SIGN_OUT"
        | "TOKEN_THEFT_DETECTED"
        /**
         * The browser refused the cookie of a user session: it is too large, or cookies are
         * blocked. Comes in place of other events.
         */
        | "TOKEN_NOT_STORED"
        // In the peers' types, for their user interface. Never fired here.
        | "SESSION_ALREADY_EXISTS";
    }
  | {
      action: "UNAUTHORISED";
      /** Whether there was a user session until now. */
      sessionExpiredOrRevoked: boolean;
    }
  | {
      action: "API_INVALID_CLAIM";
      claimValidationErrors: ClaimValidationError[];
    }
);

/** A call of a session route, as a hook sees it. */
export interface PreAPIHookContext {
  action: "SIGN_OUT" | "REFRESH_SESSION";
  requestInit: RequestInit;
  url: string;
  userContext: any;
}

/** Options of the session. */
export interface SessionConfig {
  /** Domain of the SDK's own cookies. Default: the page's host only. */
  sessionTokenFrontendDomain?: string;
  /** A domain whose hosts all get the session, beside the API's host. Default: none. */
  sessionTokenBackendDomain?: string;
  /** Status code of a refusal for want of a valid session. Default 401. */
  sessionExpiredStatusCode?: number;
  /** Status code of a refusal because of a claim; must differ from the former. Default 403. */
  invalidClaimStatusCode?: number;
  /** How often one request may refresh the session and be sent again. Default 10. */
  maxRetryAttemptsForSessionRefresh?: number;
  /** Whether requests get `credentials: "include"` when the caller says nothing. Default true. */
  autoAddCredentials?: boolean;
  /**
   * How the tokens of new sessions travel. A session that exists keeps its way until it ends.
   * Default `cookie`.
   */
  tokenTransferMethod?: "cookie" | "header";
  /** Whether the page runs in an iframe of another site. Default false. */
  isInIframe?: boolean;
  /** Called with each event. An error that it throws goes to the console and no further. */
  // Written as a method, here and below, because TypeScript then takes callbacks, too, that were
  // written for fewer events, or for the peers' builder.
  onHandleEvent?(event: SessionEvent): void;
  /**
   * Whether `onHandleEvent` hears of what happens in other tabs, too. Each event then has a `tab`.
   * Default false.
   */
  eventsOfOtherTabs?: boolean;
  /**
   * Changes the calls of refresh and sign-out. An error that it throws goes to the caller; after 20
   * seconds it counts as broken. Default: they stay as they are.
   */
  preAPIHook?: (context: PreAPIHookContext) => Promise<{ url: string; requestInit: RequestInit }>;
  /**
   * Called with a copy of each good answer to those, and waited for up to 20 seconds. An error that
   * it throws goes to the console. Default: nothing.
   */
  postAPIHook?: (context: PreAPIHookContext & { fetchResponse: Response }) => Promise<void>;
  /** Replaces functions of the SDK by functions of the app. Default: none. */
  override?: {
    functions?(original: RecipeInterface, builder: Builder<RecipeInterface>): RecipeInterface;
  };
  /** Makes the lock over all tabs. Default: the browser's, where it has one. */
  lockFactory?: LockFactory;
  /**
   * `none`: nothing in the page is replaced, and `Session.fetch` carries the session. Default:
   * `fetch` and `XMLHttpRequest` do.
   */
  interception?: "none";
}

/** Options for the platform that the SDK runs on. */
export interface PlatformConfig {
  /** In place of `document.cookie`. */
  cookieHandler?: CookieHandlerInput;
  /** In place of `window`. */
  windowHandler?: WindowHandlerInput;
  /** In place of the clock that follows the server's. */
  dateProvider?: DateProviderInput;
  /**
   * Where `dist/fallback.js` of this package is: the module as JavaScript, which only browsers
   * without WebAssembly load, and those whose page forbids it. Default: where a bundler puts it,
   * and for the script tag the folder of `passerby.global.js`.
   */
  fallbackUrl?: string;
  /** Whether to print what the SDK does, without tokens and ids. Default false. */
  enableDebugLogs?: boolean;
}

/** How the app wants anonymous sessions. */
export interface AnonymousConfig {
  /**
   * Whether visitors get one. Default true. With false, none is made until
   * `setAnonymousSessions(true)`.
   */
  enabled?: boolean;
  /**
   * For a back end that knows nothing of anonymous sessions: a URL that answers
   * `{ "token": "<jwt>" }` to a `POST`. The token is kept, sent as `Authorization: Bearer` when
   * there is no user session, and made anew when it fails. A claim `anonymousId` in it is the
   * visitor's id.
   */
  endpoint?: string;
  /**
   * The key set that the tokens of `endpoint` are verified with (RS256 or ES256). Default: they are
   * not verified here.
   */
  jwks?: string;
}

/** Where the API is. */
export interface ApiConfig {
  /**
   * Scheme, host and port of the API. Without a scheme it is `https`, and `http` for IP addresses
   * and hosts that begin with `localhost`.
   */
  apiDomain: string;
  /** Path below which the session routes are. Default `/auth`. */
  apiBasePath?: string;
  /** A path that a gateway puts in front of that. Default: none. */
  apiGatewayPath?: string;
}

/** The flat shape of `init`. */
export interface FlatConfig extends ApiConfig, SessionConfig, PlatformConfig {
  /** Default: as the server does. Until it makes one, the SDK behaves as `supertokens-website`. */
  anonymous?: AnonymousConfig;
}

/** The result of `Session.init(…)`. */
export interface Recipe {
  recipeId: "session";
  config: SessionConfig;
}

/** The shape of `init` that `supertokens-web-js` has. */
export interface RecipeConfig extends PlatformConfig {
  appInfo: ApiConfig & { appName?: string };
  recipeList: Recipe[];
  /** As in {@link FlatConfig}. */
  anonymous?: AnonymousConfig;
}

/**
 * The state that is known in this browser, without asking anybody. The same object until something
 * changes.
 */
export type Snapshot = Readonly<
  | { state: "unknown" | "none" }
  | {
      state: "anonymous" | "authenticated";
      /** The user id, or `G-` and the anonymousId. */
      userId: string;
      anonymousId?: string;
      /** When the access token expires, in epoch milliseconds by the server's clock. */
      expiresAt: number;
      payload: Record<string, unknown>;
    }
>;

/**
 * The answer that a caller of `fetch` gets when the session could not be refreshed: the refresh
 * endpoint's answer, as with the peers. The API's own answer is its `cause`. `XMLHttpRequest` has
 * that in its property `cause`, with `status`, `headers` and `clone` only, and axios in
 * `error.response.cause`.
 */
export interface RefreshAnswer extends Response {
  readonly cause: Response;
}

/**
 * Errors of the SDK itself; those of the network and of the server reach the caller as they are.
 */
export interface SessionError extends Error {
  name: "SessionError";
  code:
    | "BAD_CONFIG"
    | "BAD_HOOK"
    | "FRONT_TOKEN_MISSING"
    | "GENERAL_ERROR"
    | "NO_SESSION"
    | "NO_WASM"
    | "NO_WINDOW"
    | "NOT_FORGOTTEN"
    | "NOT_INITIALISED"
    | "REFRESH_FAILED"
    | "TOO_MANY_RETRIES";
}
