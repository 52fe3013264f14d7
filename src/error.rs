//! What can go wrong, and what to do about it.

use std::fmt;

use wasm_bindgen::{JsCast, JsValue};

use crate::browser;

/// Errors of the SDK itself. Errors of the network and of the server reach the caller as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A function was called before `init`.
    NotInitialised,
    /// There is no window: this is a server or a worker.
    NoWindow,
    /// `apiDomain` is missing or is not a domain.
    BadApiDomain,
    /// `apiBasePath` is not a path.
    BadApiBasePath,
    /// The two status codes of the configuration are the same, or the number of retries is not a number from 0 up.
    BadNumber,
    /// There is no session.
    NoSession,
    /// The session could not be refreshed.
    RefreshFailed,
    /// A refresh succeeded without `front-token`.
    FrontTokenMissing,
}

impl Fault {
    /// The `code` of the JavaScript error.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotInitialised => "NOT_INITIALISED",
            Self::NoWindow => "NO_WINDOW",
            Self::BadApiDomain | Self::BadApiBasePath | Self::BadNumber => "BAD_CONFIG",
            Self::NoSession => "NO_SESSION",
            Self::RefreshFailed => "REFRESH_FAILED",
            Self::FrontTokenMissing => "FRONT_TOKEN_MISSING",
        }
    }

    /// What went wrong and what to do; the beginnings that the peers' users compare with are kept (reference 3.2, 4.10, 5.1, 7.2).
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::NotInitialised => "init function not called: call init() before this function",
            Self::NoWindow => {
                "There is no window: this function works in the browser only; guard it, or call it after hydration"
            }
            Self::BadApiDomain => {
                "Please provide a valid domain name: init needs apiDomain, for example \"https://api.example.com\""
            }
            Self::BadApiBasePath => "Please provide a valid URL path as apiBasePath, for example \"/auth\"",
            Self::BadNumber => {
                "sessionExpiredStatusCode and invalidClaimStatusCode cannot be the same, and maxRetryAttemptsForSessionRefresh must be greater than or equal to 0"
            }
            Self::NoSession => "No session exists",
            Self::RefreshFailed => "Could not refresh session",
            Self::FrontTokenMissing => {
                "The 'front-token' header is missing from a successful refresh-session response: expose it with Access-Control-Expose-Headers, and check proxies that strip headers"
            }
        }
    }
}

impl From<Fault> for JsValue {
    fn from(fault: Fault) -> Self {
        browser::make_error(fault.code(), fault.message())
    }
}

/// What an operation failed with: a [`Fault`] of the SDK, a `Response` of the server, or an error of the network.
#[derive(Clone, Debug)]
pub struct SessionError(JsValue);

impl SessionError {
    /// The `code` of an error of the SDK.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        js_sys::Reflect::get(&self.0, &"code".into()).ok()?.as_string()
    }

    /// The answer of the server, if that is what refused.
    #[must_use]
    pub fn response(&self) -> Option<web_sys::Response> {
        self.0.dyn_ref::<web_sys::Response>().cloned()
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.response(), self.0.dyn_ref::<js_sys::Error>()) {
            (Some(response), _) => write!(f, "the server answered {}", response.status()),
            (None, Some(error)) => write!(f, "{}", String::from(error.message())),
            (None, None) => write!(f, "{:?}", self.0),
        }
    }
}

impl std::error::Error for SessionError {}

impl From<JsValue> for SessionError {
    fn from(value: JsValue) -> Self {
        Self(value)
    }
}

impl From<Fault> for SessionError {
    fn from(fault: Fault) -> Self {
        Self(fault.into())
    }
}

impl From<SessionError> for JsValue {
    fn from(error: SessionError) -> Self {
        error.0
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Fault {}
