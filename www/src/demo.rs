//! Parts of a demo that do not belong into an app: ways to break one's own session, and to choose
//! what becomes of it.

use axum::body::Body;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::response::Redirect;
use axum::routing::post;
use axum::{Json, Router};
use passerby_server::{AfterSignOut, Principal, Sessions, User, UserSession, Visitor};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use crate::error::ApiError;
use crate::state::Shop;

const REFRESH: &str = "/auth/session/refresh";
const REFRESH_COOKIE: &str = "sRefreshToken=";

/// The visitor's choice, in the payload of either kind of session; absent for "keep".
const AFTER_SIGN_OUT: &str = "afterSignOut";
const ROTATE: &str = "rotate";

/// The buttons of the session panel.
pub fn routes() -> Router<Shop> {
    Router::new()
        .route("/api/demo/expire", post(expire))
        .route("/api/demo/revoke", post(revoke))
        .route("/api/demo/after-sign-out", post(choose_after_sign_out))
        .route("/api/demo/form", post(sign_in_by_form))
        // Below the refresh path, because the browser sends the refresh token nowhere else.
        .route("/auth/session/refresh/steal", post(steal))
}

/// The visitor's choice of what the server does at sign-out.
#[must_use]
pub fn after_sign_out(user: &UserSession) -> AfterSignOut {
    match user.payload().get(AFTER_SIGN_OUT).and_then(Value::as_str) {
        Some(ROTATE) => AfterSignOut::Rotate,
        _ => AfterSignOut::Keep,
    }
}

/// The choice, for the payload of the visitor's next session.
#[must_use]
pub fn carried_choice(payload: &Map<String, Value>) -> Map<String, Value> {
    payload
        .get_key_value(AFTER_SIGN_OUT)
        .map(|(name, value)| (name.clone(), value.clone()))
        .into_iter()
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Policy {
    Keep,
    Rotate,
}

#[derive(Deserialize)]
struct Choice {
    policy: Policy,
}

/// Kept in the session's payload, so that each visitor has a choice of their own, and every tab
/// sees it.
async fn choose_after_sign_out(
    visitor: Visitor,
    principal: Option<Principal>,
    body: Result<Json<Choice>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(Choice { policy }) = body?;
    let value = match policy {
        Policy::Keep => Value::Null,
        Policy::Rotate => ROTATE.into(),
    };
    let update = Map::from_iter([(AFTER_SIGN_OUT.to_owned(), value)]);
    match principal {
        None => return Err(ApiError::NoSessionToChooseFor),
        Some(Principal::Anonymous(_)) => drop(visitor.anonymous().update_payload(update).await?),
        Some(Principal::User(_)) => drop(visitor.merge_into_access_token_payload(update).await?),
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The access token expires now; the session goes on.
async fn expire(visitor: Visitor) -> Result<Json<Value>, ApiError> {
    visitor.expire_access_token().await?;
    Ok(Json(json!({ "expired": true })))
}

/// Ada signs in by a form of a page, whose answer no script sees.
async fn sign_in_by_form(visitor: Visitor) -> Result<Redirect, ApiError> {
    visitor.sign_in("ada").await?;
    Ok(Redirect::to("/"))
}

/// The session ends in the database, as when a customer is locked out. The access token expires
/// with the same answer, so that the browser notices at its next request and not within the hour.
async fn revoke(
    State(shop): State<Shop>,
    visitor: Visitor,
    user: User,
) -> Result<Json<Value>, ApiError> {
    let revoked = shop.sessions.revoke_session(user.handle()).await?;
    visitor.expire_access_token().await?;
    Ok(Json(json!({ "revoked": revoked })))
}

/// Somebody got hold of a copy of this visitor's refresh token, and uses it before the visitor
/// does. The visitor's browser is told nothing; it finds out when it next refreshes, and so does
/// the server.
async fn steal(State(shop): State<Shop>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let stolen = cookies
        .flat_map(|value| value.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(REFRESH_COOKIE));
    let child = refresh_as_thief(&shop.sessions, stolen.ok_or(ApiError::NothingToSteal)?).await?;
    // Only once the child has been used, too, its parent counts as used up.
    refresh_as_thief(&shop.sessions, &child).await?;
    Ok(Json(json!({ "stolen": true })))
}

/// A refresh call from another computer: the cookie is all it has in common with the visitor. Gives
/// the new refresh token.
async fn refresh_as_thief(sessions: &Sessions, token: &str) -> Result<String, ApiError> {
    let cookie = HeaderValue::try_from(format!("{REFRESH_COOKIE}{token}"))
        .map_err(|_| ApiError::NothingToSteal)?;
    let mut request =
        Request::post(REFRESH).body(Body::empty()).map_err(|_| ApiError::NothingToSteal)?;
    request.headers_mut().insert(COOKIE, cookie);
    let server = Router::new().route(REFRESH, post(StatusCode::NOT_FOUND)).layer(sessions.layer());
    let Ok(response) = server.oneshot(request).await;
    let cookies =
        response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let token = cookies
        .filter_map(|cookie| cookie.strip_prefix(REFRESH_COOKIE)?.split(';').next())
        .find(|token| !token.is_empty());
    token.map(str::to_owned).ok_or(ApiError::NothingToSteal)
}
