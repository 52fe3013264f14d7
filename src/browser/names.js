// Names on the wire and in storage, and texts. `protocol/src/names.rs` explains the former; a test
// compares the two.

export const COOKIE_LAST_UPDATE = "st-last-access-token-update";
export const COOKIE_FRONT_TOKEN = "sFrontToken";
export const COOKIE_ANTI_CSRF = "sAntiCsrf";
export const COOKIE_ANONYMOUS_FRONT_TOKEN = "sAnonymousFrontToken";

// In header mode, a token's cookie has the name of its header.
export const ACCESS_TOKEN = "st-access-token";
export const REFRESH_TOKEN = "st-refresh-token";
export const ANONYMOUS_TOKEN = "st-anonymous-token";

export const HEADER_FRONT_TOKEN = "front-token";
export const HEADER_ANONYMOUS_FRONT_TOKEN = "st-anonymous-front-token";
export const HEADER_ANTI_CSRF = "anti-csrf";
export const HEADER_AUTHORIZATION = "authorization";
export const HEADER_RID = "rid";
export const HEADER_AUTH_MODE = "st-auth-mode";
export const HEADER_ANONYMOUS_MODE = "st-anonymous-mode";
export const HEADER_ACCEPT = "accept";
export const HEADER_FDI_VERSION = "fdi-version";

export const REMOVE = "remove";
export const ANONYMOUS_OFF = "off";
export const NAMED_TYPE = "*/*, application/vnd.passerby;key=";
export const FDI_VERSIONS = "1.16,1.17,1.18,1.19,2.0,3.0,3.1,4.0,4.1,4.2";

export const REFRESH_PATH = "/session/refresh";
export const SIGN_OUT_PATH = "/signout";
export const FORGET_PATH = "/anonymous/forget";

/** The Rust API calls this, to have the module beside the others. */
export const names = () => {};

/** The known texts in the `message` of a refusal, from 1 on as the module counts them. */
export const MESSAGES = ["unauthorised", "token theft detected", "try refresh token"];

/** Events, in the order of `Event` in `protocol/src/state.rs`. */
export const EVENTS = [
  "ANONYMOUS_SESSION_CREATED",
  "ANONYMOUS_SESSION_REPLACED",
  "ANONYMOUS_SESSION_REMOVED",
  "SESSION_CREATED",
  "ACCESS_TOKEN_PAYLOAD_UPDATED",
  "TOKEN_NOT_STORED",
  "REFRESH_SESSION",
  "SIGN_OUT",
  "TOKEN_THEFT_DETECTED",
  "UNAUTHORISED",
];

/**
 * Codes and texts, in the order of `SdkError` in `src/error.rs`; the rest is in `rare.js`.
 * @type {[string, string][]}
 */
export const FAULTS = [
  ["NOT_INITIALISED", "init function not called"],
  ["BAD_CONFIG", "apiDomain is a domain name, like https://api.example.com"],
  ["BAD_CONFIG", "apiBasePath is a URL path, like /auth"],
  [
    "BAD_CONFIG",
    "sessionTokenFrontendDomain and sessionTokenBackendDomain are domains, like .example.com",
  ],
  ["BAD_CONFIG", "sessionExpiredStatusCode and invalidClaimStatusCode are different numbers"],
  ["BAD_CONFIG", "maxRetryAttemptsForSessionRefresh is a number from 0"],
  ["NO_SESSION", "No session exists"],
  ["REFRESH_FAILED", "Could not refresh session"],
];
