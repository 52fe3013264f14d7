//! The answers of the shop's API to a request that failed.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use passerby_server::{EngineError, VisitorError};
use serde_json::json;

use crate::cart::CartError;
use crate::customers::MAX_NAME_LENGTH;

/// Answered as `{"message": …}`. None of the shop's own is a 401: to the browser that means "the
/// session is over".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The body is not what the endpoint takes.
    #[error("{}", .0.body_text())]
    Body(#[from] JsonRejection),
    /// The cart refused.
    #[error(transparent)]
    Cart(#[from] CartError),
    /// The session refused, or could not be changed.
    #[error(transparent)]
    Session(#[from] VisitorError),
    /// A guest without session: anonymous sessions are off.
    #[error("Your sill needs a session. Turn anonymous sessions on, or sign in.")]
    NoSession,
    /// The same, of whom the choice is kept in the session.
    #[error("The choice is kept in the session. Turn anonymous sessions on, or sign in.")]
    NoSessionToChooseFor,
    /// No name, or a very long one.
    #[error("Please enter a name of at most {MAX_NAME_LENGTH} characters.")]
    Name,
    /// Not the demo password.
    #[error("That is not the demo password.")]
    Password,
    /// Nothing to order.
    #[error("Your sill is empty.")]
    EmptyCart,
    /// The thief found nothing, or something worthless.
    #[error("There is no refresh token to steal. Sign in first.")]
    NothingToSteal,
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        Self::Session(error.into())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Session(error) => return error.into_response(),
            Self::Body(ref rejection) => rejection.status(),
            Self::Cart(_) | Self::Name => StatusCode::BAD_REQUEST,
            Self::Password => StatusCode::FORBIDDEN,
            Self::NoSession
            | Self::NoSessionToChooseFor
            | Self::EmptyCart
            | Self::NothingToSteal => StatusCode::CONFLICT,
        };
        (status, Json(json!({ "message": self.to_string() }))).into_response()
    }
}
