//! Names and fixed values on the wire: cookies, headers, messages.

/// Cookies that the server sets, all `HttpOnly`.
pub mod cookie {
    /// The access token of a user session, path `/`.
    pub const ACCESS_TOKEN: &str = "sAccessToken";
    /// The refresh token of a user session, sent to the refresh path only.
    pub const REFRESH_TOKEN: &str = "sRefreshToken";
    /// Legacy: never set any more. Stock servers answer "try refresh token" while it is there, ours
    /// clear it when they set or clear a refresh token.
    pub const ID_REFRESH_TOKEN: &str = "sIdRefreshToken";
    /// The token of an anonymous session, path `/`. Default name; the server can be configured to
    /// use another.
    pub const ANONYMOUS_TOKEN: &str = "sAnonymousToken";
    /// Goes before the name of the anonymous cookie where the configuration allows it: browsers
    /// then take the cookie from this host only, over HTTPS, and no sub-domain can plant one (RFC
    /// 6265bis, section 4.1.3.2).
    pub const HOST_PREFIX: &str = "__Host-";
}

/// Cookies that the browser SDK writes, readable by scripts.
pub mod front_cookie {
    /// Epoch milliseconds of the last change of the session as a decimal string; alone it is the
    /// tombstone.
    pub const LAST_UPDATE: &str = "st-last-access-token-update";
    /// The front token of the user session.
    pub const FRONT_TOKEN: &str = "sFrontToken";
    /// The anti-CSRF token.
    pub const ANTI_CSRF: &str = "sAntiCsrf";
    /// The front token of the anonymous session.
    pub const ANONYMOUS_FRONT_TOKEN: &str = "sAnonymousFrontToken";
    /// Header mode: the access token.
    pub const ACCESS_TOKEN: &str = "st-access-token";
    /// Header mode: the refresh token.
    pub const REFRESH_TOKEN: &str = "st-refresh-token";
    /// Header mode: the token of the anonymous session.
    pub const ANONYMOUS_TOKEN: &str = "st-anonymous-token";
}

/// Headers of requests and responses, in the lower case that HTTP/2 uses.
pub mod header {
    /// Response: base64 front token of the user session, or [`super::REMOVE`].
    pub const FRONT_TOKEN: &str = "front-token";
    /// Response: base64 front token of the anonymous session, or [`super::REMOVE`].
    pub const ANONYMOUS_FRONT_TOKEN: &str = "st-anonymous-front-token";
    /// Response, header mode: the anonymous token.
    pub const ANONYMOUS_TOKEN: &str = "st-anonymous-token";
    /// Response, header mode: the access token; empty deletes it.
    pub const ACCESS_TOKEN: &str = "st-access-token";
    /// Response, header mode: the refresh token; empty deletes it.
    pub const REFRESH_TOKEN: &str = "st-refresh-token";
    /// Request and response: the anti-CSRF token.
    pub const ANTI_CSRF: &str = "anti-csrf";
    /// Request: a token of header mode, after `Bearer `.
    pub const AUTHORIZATION: &str = "authorization";
    /// Request: recipe id; proof that the sender could set a header.
    pub const RID: &str = "rid";
    /// Request: `cookie` or `header`, the transfer method wished for new sessions.
    pub const AUTH_MODE: &str = "st-auth-mode";
    /// Request: [`super::ANONYMOUS_OFF`] while the app has switched anonymous sessions off (no
    /// consent yet). The server then mints none, and removes one that is still there.
    ///
    /// Request of a visitor who has no session yet, where the app expects anonymous ones: the key
    /// of a first visit, see [`first_key`](crate::first_key). A server may be asked more than once,
    /// because its first answer was lost, or because two tabs asked side by side. It makes the same
    /// anonymousId of the same key. The browser drops the key when it has a session.
    ///
    /// Response: [`super::ANONYMOUS_LIMITED`].
    pub const ANONYMOUS_MODE: &str = "st-anonymous-mode";
    /// Request: anything. A visitor without any session sends [`super::NAMED_TYPE`] and the key in
    /// it with a refresh call, where the app says nothing of anonymous sessions. A sign-out sends
    /// [`super::NAMED_TYPE`] and the handle of the session that it is about. A back end that knows
    /// nothing of them allows this header and need not read it.
    pub const ACCEPT: &str = "accept";
    /// Request: versions of the browser-to-SDK interface, comma-joined.
    pub const FDI_VERSION: &str = "fdi-version";
}

/// Header value that clears a front token.
pub const REMOVE: &str = "remove";

/// Value of [`header::ANONYMOUS_MODE`] in requests without consent.
pub const ANONYMOUS_OFF: &str = "off";

/// Value of [`header::ANONYMOUS_MODE`] in responses: the visitor should have got an anonymous
/// session, and did not, because too many were made for this address or the app refused. A later
/// request may get one.
pub const ANONYMOUS_LIMITED: &str = "limited";

/// Before the key, or the session handle, in [`header::ACCEPT`].
pub const NAMED_TYPE: &str = "*/*, application/vnd.passerby;key=";

/// `uid` of an anonymous front token is this followed by the anonymousId.
pub const ANONYMOUS_UID_PREFIX: &str = "G-";

/// The value of `fdi-version`.
pub const FDI_VERSIONS: &str = "1.16,1.17,1.18,1.19,2.0,3.0,3.1,4.0,4.1,4.2";

/// `message` of the JSON body of a refusal.
pub mod message {
    /// 401: the access token must be refreshed.
    pub const TRY_REFRESH_TOKEN: &str = "try refresh token";
    /// 401: there is no session, or it has ended.
    pub const UNAUTHORISED: &str = "unauthorised";
    /// 401: a refresh token was used again after its child was used.
    pub const TOKEN_THEFT_DETECTED: &str = "token theft detected";
    /// 403: a claim of the session does not satisfy a validator.
    pub const INVALID_CLAIM: &str = "invalid claim";
}

/// Default status code of a refusal for want of a valid session.
pub const SESSION_EXPIRED_STATUS: u16 = 401;
/// Default status code of a refusal because of a claim.
pub const INVALID_CLAIM_STATUS: u16 = 403;

/// Path below `apiBasePath` that refreshes (`POST`).
pub const REFRESH_PATH: &str = "/session/refresh";
/// Path below `apiBasePath` that signs out (`POST`).
pub const SIGN_OUT_PATH: &str = "/signout";
/// Path below `apiBasePath` that erases the anonymousId for good (`POST`).
pub const FORGET_PATH: &str = "/anonymous/forget";
/// Path below `apiBasePath` of the public keys (`GET`).
pub const JWKS_PATH: &str = "/jwt/jwks.json";
/// Path below `apiBasePath` of the document that tells where the public keys are (`GET`).
pub const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// Claim of access and anonymous tokens: the id that a visitor keeps through every login and logout
/// (UUID).
pub const CLAIM_ANONYMOUS_ID: &str = "anonymousId";
/// Claim of anonymous tokens, always `true`.
pub const CLAIM_IS_ANONYMOUS: &str = "isAnonymous";

/// Largest cookie that browsers keep: name plus value, in bytes (RFC 6265, section 6.1, and what
/// browsers enforce).
pub const MAX_COOKIE_BYTES: usize = 4096;
