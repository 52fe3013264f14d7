// Names on the wire and in storage. `protocol/src/names.rs` explains them, and a test of xtask compares the two.

export const COOKIE_LAST_UPDATE = "st-last-access-token-update";
export const COOKIE_FRONT_TOKEN = "sFrontToken";
export const COOKIE_ANTI_CSRF = "sAntiCsrf";
export const COOKIE_ANONYMOUS_FRONT_TOKEN = "sAnonymousFrontToken";
export const COOKIE_ACCESS_TOKEN = "st-access-token";
export const COOKIE_REFRESH_TOKEN = "st-refresh-token";
export const COOKIE_ANONYMOUS_TOKEN = "st-anonymous-token";

export const HEADER_FRONT_TOKEN = "front-token";
export const HEADER_ANONYMOUS_FRONT_TOKEN = "st-anonymous-front-token";
export const HEADER_ANONYMOUS_TOKEN = "st-anonymous-token";
export const HEADER_ACCESS_TOKEN = "st-access-token";
export const HEADER_REFRESH_TOKEN = "st-refresh-token";
export const HEADER_ANTI_CSRF = "anti-csrf";
export const HEADER_AUTHORIZATION = "authorization";
export const HEADER_RID = "rid";
export const HEADER_AUTH_MODE = "st-auth-mode";
export const HEADER_ANONYMOUS_MODE = "st-anonymous-mode";
export const HEADER_ACCEPT = "accept";
export const HEADER_FDI_VERSION = "fdi-version";

export const REMOVE = "remove";
export const ANONYMOUS_OFF = "off";
export const FIRST_KEY_TYPE = "*/*, application/vnd.passerby;key=";
export const FDI_VERSIONS = "1.16,1.17,1.18,1.19,2.0,3.0,3.1,4.0,4.1,4.2";

export const MESSAGE_TRY_REFRESH_TOKEN = "try refresh token";
export const MESSAGE_UNAUTHORISED = "unauthorised";
export const MESSAGE_TOKEN_THEFT_DETECTED = "token theft detected";

export const REFRESH_PATH = "/session/refresh";
export const SIGN_OUT_PATH = "/signout";
export const FORGET_PATH = "/anonymous/forget";
