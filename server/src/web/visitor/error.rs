//! Why acting on a session failed.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use passerby_protocol::payload::PayloadError;
use serde_json::{Value, json};

use crate::{engine::EngineError, hooks::HookError, web::SessionRejection};

/// Why acting on a session failed. As a response: a refusal that clients of the protocol know, 400
/// for a payload that cannot be kept, 503 when the store failed, else 500.
///
/// ```
/// use passerby_server::{Visitor, VisitorError};
/// # use axum::{Router, body::Body, routing::post};
/// # use http::Request;
/// # use passerby_server::{MemoryStore, Sessions};
/// use serde_json::Map;
/// # use tower::ServiceExt as _;
///
/// async fn promote(visitor: Visitor) -> Result<(), VisitorError> {
///     let role = Map::from_iter([("role".to_owned(), "botanist".into())]);
///     visitor.merge_into_access_token_payload(role).await.map(drop)
/// }
///
/// /// `sub` is a protected claim.
/// async fn rename(visitor: Visitor) -> Result<(), VisitorError> {
///     visitor
///         .anonymous()
///         .update_payload(Map::from_iter([("sub".to_owned(), "bob".into())]))
///         .await
///         .map(drop)
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(MemoryStore::new())
/// #     .build()
/// #     .await?;
/// # let app = Router::new()
/// #     .route("/api/promote", post(promote))
/// #     .route("/api/rename", post(rename))
/// #     .layer(sessions.layer());
/// # let post = |path: &str| app.clone().oneshot(Request::post(path).body(Body::empty()).unwrap());
/// assert_eq!(post("/api/promote").await?.status(), 401);
/// assert_eq!(post("/api/rename").await?.status(), 400);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VisitorError {
    /// There is no session of the kind that is needed, or it has ended.
    #[error(transparent)]
    Refused(#[from] SessionRejection),
    /// The payload is too large or too deep, or names a protected claim.
    #[error(transparent)]
    Payload(PayloadError),
    /// A value for the payload is not one that JSON has.
    #[error("the value of `{key}` cannot be kept: {source}")]
    Value {
        /// Its key.
        key: String,
        /// The reason.
        source: serde_json::Error,
    },
    /// The app could not tell the value of a claim.
    #[error("a claim could not be fetched: {0}")]
    Claim(#[source] HookError),
    /// The server failed.
    #[error(transparent)]
    Engine(EngineError),
}

impl From<EngineError> for VisitorError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Payload(error) => Self::Payload(error),
            error => Self::Engine(error),
        }
    }
}

impl VisitorError {
    /// Status and JSON body of the response. An error that is not the visitor's fault is logged,
    /// and not told.
    pub(crate) fn answer(&self) -> (StatusCode, Value) {
        let internal =
            || (StatusCode::INTERNAL_SERVER_ERROR, json!({ "message": "internal error" }));
        match self {
            Self::Refused(refused) => (refused.status(), refused.body()),
            Self::Payload(error) => {
                (StatusCode::BAD_REQUEST, json!({ "message": error.to_string() }))
            }
            Self::Value { .. } => {
                tracing::error!(error = %self, "a payload was not changed");
                internal()
            }
            Self::Claim(error) => {
                tracing::error!(%error, "a claim could not be fetched");
                internal()
            }
            Self::Engine(error) => {
                tracing::error!(%error, "acting on a session failed");
                match error {
                    EngineError::Store(_) | EngineError::ClockJumped => (
                        SessionRejection::Unavailable.status(),
                        SessionRejection::Unavailable.body(),
                    ),
                    // Often what a visitor typed.
                    EngineError::EmptyUserId | EngineError::UnstorableUserId => {
                        (StatusCode::BAD_REQUEST, json!({ "message": error.to_string() }))
                    }
                    _ => internal(),
                }
            }
        }
    }
}

impl IntoResponse for VisitorError {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refused) => refused.into_response(),
            Self::Engine(EngineError::Store(_) | EngineError::ClockJumped) => {
                let _ = self.answer();
                SessionRejection::Unavailable.into_response()
            }
            error => {
                let (status, body) = error.answer();
                (status, Json(body)).into_response()
            }
        }
    }
}
