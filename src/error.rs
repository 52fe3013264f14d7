//! The errors of the SDK, and what to do about each.

use core::fmt;

/// Errors of the SDK itself. Errors of the network and of the server reach the caller as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SdkError {
    /// A function was called before `init`.
    NotInitialised,
    /// `apiDomain` is missing or is not a domain.
    BadApiDomain,
    /// `apiBasePath` is not a path.
    BadApiBasePath,
    /// A domain of the session's tokens is not a domain.
    BadDomain,
    /// The two status codes of the configuration are the same, or no numbers.
    BadStatusCodes,
    /// The number of retries is not a number from 0 up.
    BadRetryLimit,
    /// There is no session.
    NoSession,
    /// The session could not be refreshed.
    RefreshFailed,
    /// A refresh succeeded without `front-token`.
    FrontTokenMissing,
    /// The server answered, and the visitor still has the anonymousId that was to be forgotten.
    NotForgotten,
    /// There is no window: this is a server or a worker.
    NoWindow,
}

impl SdkError {
    const ALL: [Self; 11] = [
        Self::NotInitialised,
        Self::BadApiDomain,
        Self::BadApiBasePath,
        Self::BadDomain,
        Self::BadStatusCodes,
        Self::BadRetryLimit,
        Self::NoSession,
        Self::RefreshFailed,
        Self::FrontTokenMissing,
        Self::NotForgotten,
        Self::NoWindow,
    ];

    /// The error with this text, each of which is another one's.
    pub(crate) fn of_message(message: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|error| error.message() == message)
    }

    /// The `code` of the JavaScript error.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotInitialised => "NOT_INITIALISED",
            Self::BadApiDomain
            | Self::BadApiBasePath
            | Self::BadDomain
            | Self::BadStatusCodes
            | Self::BadRetryLimit => "BAD_CONFIG",
            Self::NoSession => "NO_SESSION",
            Self::RefreshFailed => "REFRESH_FAILED",
            Self::FrontTokenMissing => "FRONT_TOKEN_MISSING",
            Self::NotForgotten => "NOT_FORGOTTEN",
            Self::NoWindow => "NO_WINDOW",
        }
    }

    /// The problem, and what to do. Each text begins as that of the peers, because apps compare it.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::NotInitialised => "init function not called",
            Self::BadApiDomain => "apiDomain is a domain name, like https://api.example.com",
            Self::BadApiBasePath => "apiBasePath is a URL path, like /auth",
            Self::BadDomain => {
                "sessionTokenFrontendDomain and \
                 sessionTokenBackendDomain are domains, like .example.com"
            }
            Self::BadStatusCodes => {
                "sessionExpiredStatusCode and invalidClaimStatusCode are different numbers"
            }
            Self::BadRetryLimit => "maxRetryAttemptsForSessionRefresh is a number from 0",
            Self::NoSession => "No session exists",
            Self::RefreshFailed => "Could not refresh session",
            Self::FrontTokenMissing => {
                "The 'front-token' header is missing from a successful refresh-session response: \
                 see what diagnose() finds"
            }
            Self::NotForgotten => "The server did not forget the anonymousId",
            Self::NoWindow => "There is no window: call this in the browser only",
        }
    }
}

impl fmt::Display for SdkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for SdkError {}
