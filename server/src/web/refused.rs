//! Refusals, exactly as clients of the protocol expect them.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use passerby_protocol::names::{INVALID_CLAIM_STATUS, SESSION_EXPIRED_STATUS, message};
use serde_json::{Value, json};

use crate::claims::InvalidClaim;

/// Why a request that needs a session is refused. As a response: the status and JSON body that
/// clients of the protocol know. Cookies that must be cleared along with it are attached by the
/// layer.
///
/// ```
/// use axum::response::IntoResponse as _;
/// use passerby_server::SessionRejection;
///
/// assert_eq!(SessionRejection::TryRefresh.message(), "try refresh token");
/// let response = SessionRejection::TryRefresh.into_response();
/// assert_eq!(
///     (response.status().as_u16(), &response.headers()["cache-control"]),
///     (401, &http::HeaderValue::from_static("no-store"))
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionRejection {
    /// 401 `unauthorised`: there is no session of the kind that is needed, or it has ended.
    #[error("unauthorised")]
    Unauthorised,
    /// 401 `try refresh token`: the access token has expired or cannot be verified; the browser
    /// should refresh and try again.
    #[error("try refresh token")]
    TryRefresh,
    /// 401 `token theft detected`: a refresh token was used again after its child was used.
    #[error("token theft detected")]
    TokenTheft,
    /// 403 `invalid claim`: the session is good, but its access token does not satisfy these
    /// demands.
    #[error("invalid claim")]
    InvalidClaims(Vec<InvalidClaim>),
    /// 503: the session store cannot be asked. Nothing is cleared.
    #[error("the session store is not available")]
    Unavailable,
    /// 500: the route is not wrapped by [`Sessions::layer`](crate::Sessions::layer).
    #[error(
        "this route is not wrapped by `sessions.layer()`; add it to the router, after all routes"
    )]
    LayerMissing,
}

impl SessionRejection {
    /// Status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorised | Self::TryRefresh | Self::TokenTheft => {
                StatusCode::from_u16(SESSION_EXPIRED_STATUS).unwrap_or(StatusCode::UNAUTHORIZED)
            }
            Self::InvalidClaims(_) => {
                StatusCode::from_u16(INVALID_CLAIM_STATUS).unwrap_or(StatusCode::FORBIDDEN)
            }
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::LayerMissing => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// `message` of the JSON body.
    #[must_use]
    pub fn message(&self) -> &'static str {
        match self {
            Self::Unauthorised => message::UNAUTHORISED,
            Self::TryRefresh => message::TRY_REFRESH_TOKEN,
            Self::TokenTheft => message::TOKEN_THEFT_DETECTED,
            Self::InvalidClaims(_) => message::INVALID_CLAIM,
            Self::Unavailable => "the session store is not available, try again later",
            Self::LayerMissing => "the server is not set up for sessions",
        }
    }

    /// The JSON body.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "message": self.message() });
        if let Self::InvalidClaims(claims) = self {
            body["claimValidationErrors"] = claims.iter().map(InvalidClaim::to_json).collect();
        }
        body
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        if self == Self::LayerMissing {
            tracing::error!("{self}");
        }
        let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        (self.status(), no_store, Json(self.body())).into_response()
    }
}
