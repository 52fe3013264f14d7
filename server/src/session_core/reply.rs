//! The answers, as back-end SDKs read them.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use passerby_protocol::{payload::PayloadError, stock::StockClaims};
use serde_json::{Value, json};

use super::engine::{Issued, Token};
use crate::engine::EngineError;

const SUPPORTED: &str = "\
This is Passerby's session core, which answers what the Session and JWT recipes ask:
GET  /hello, /apiversion, /.well-known/jwks.json, /recipe/jwt/jwks
POST /recipe/jwt
POST /recipe/session, GET /recipe/session?sessionHandle=
POST /recipe/session/verify, /recipe/session/refresh, /recipe/session/regenerate, \
/recipe/session/remove
GET  /recipe/session/user?userId=
PUT  /recipe/session/data, /recipe/jwt/data
PUT  /recipe/multitenancy/app/v2, for an app with token lifetimes of its own
GET  /user/id, which knows nobody
GET  /recipe/user/roles?userId=, /recipe/roles, because nobody has any
GET  /recipe/user/email/verify?userId=&email=, because none is verified
each also below /appid-<app>, /<tenant> or both. For other recipes run the SuperTokens core.
";

const FOR_BACK_ENDS_ONLY: &str = "\
This request seems to come from a web page, or under a name that is not known to be this core's, \
and no API key is configured that could tell.
Set `api_keys`, or name the core by its address, by a name without dots, or by one of `hosts`.
";

/// Why a request is refused, as the SDKs expect it: a status other than 200, and a text.
pub(super) enum Refusal {
    BadRequest(String),
    ContentType,
    ApiKey,
    Website,
    OfAnotherApp,
    Unknown,
    Engine(EngineError),
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        match error {
            // Spelled like the SuperTokens core, because SDKs look for it.
            EngineError::Payload(PayloadError::Protected { .. }) => {
                Self::BadRequest("The user payload contains protected field".into())
            }
            EngineError::EmptyUserId | EngineError::UnstorableUserId => {
                Self::BadRequest(error.to_string())
            }
            error => Self::Engine(error),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::BadRequest(what) => (StatusCode::BAD_REQUEST, what).into_response(),
            Self::ContentType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Invalid content type, send the body as application/json",
            )
                .into_response(),
            Self::ApiKey => (StatusCode::UNAUTHORIZED, "Invalid API key").into_response(),
            Self::Website => (StatusCode::FORBIDDEN, FOR_BACK_ENDS_ONLY).into_response(),
            Self::OfAnotherApp => {
                (StatusCode::FORBIDDEN, "Send this without an app and a tenant in the path")
                    .into_response()
            }
            Self::Unknown => (StatusCode::NOT_FOUND, SUPPORTED).into_response(),
            Self::Engine(error) => {
                tracing::error!(%error, "a request of a back end failed");
                let status = match error {
                    EngineError::Store(_) | EngineError::ClockJumped => {
                        StatusCode::SERVICE_UNAVAILABLE
                    }
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                (status, "the session database failed, try again later").into_response()
            }
        }
    }
}

pub(super) type Answer = Result<Response, Refusal>;

pub(super) fn status(status: &str) -> Response {
    Json(json!({ "status": status })).into_response()
}

pub(super) fn refused(status: &str, why: &str) -> Response {
    Json(json!({ "status": status, "message": why })).into_response()
}

pub(super) fn no_session() -> Response {
    refused("UNAUTHORISED", "Session does not exist.")
}

fn session(claims: &StockClaims) -> Value {
    json!({
        "handle": claims.session_handle,
        "userId": claims.user_id,
        "recipeUserId": claims.user_id,
        "tenantId": claims.tenant_id,
        "userDataInJWT": claims.custom,
    })
}

fn token(token: &Token) -> Value {
    json!({ "token": token.token, "createdTime": token.created_at, "expiry": token.expires_at })
}

pub(super) fn session_and_token(claims: &StockClaims, access: Option<&Token>) -> Response {
    let mut body = json!({ "status": "OK", "session": session(claims) });
    // Absent rather than null: SDKs look for the key.
    if let Some(access) = access {
        body["accessToken"] = token(access);
    }
    Json(body).into_response()
}

pub(super) fn tokens(issued: &Issued) -> Response {
    let mut body = json!({
        "status": "OK",
        "session": session(&issued.claims),
        "accessToken": token(&issued.access),
        "refreshToken": token(&issued.refresh),
    });
    if let Some(anti_csrf) = &issued.claims.anti_csrf_token {
        body["antiCsrfToken"] = anti_csrf.as_str().into();
    }
    Json(body).into_response()
}
