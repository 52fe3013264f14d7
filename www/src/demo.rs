//! What only a demo has: ways to break one's own session. None of this belongs into an app.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use passerby_server::{Sessions, User, Visitor};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::error::ApiError;
use crate::shop::Shop;

const REFRESH: &str = "/auth/session/refresh";
const REFRESH_COOKIE: &str = "sRefreshToken=";

/// The buttons of the session panel.
pub fn routes() -> Router<Shop> {
    Router::new()
        .route("/api/demo/expire", post(expire))
        .route("/api/demo/revoke", post(revoke))
        // Below the refresh path, because the browser sends the refresh token nowhere else.
        .route("/auth/session/refresh/steal", post(steal))
}

/// The access token expires now; the session goes on.
async fn expire(visitor: Visitor) -> Result<Json<Value>, ApiError> {
    visitor.expire_access_token().await?;
    Ok(Json(json!({ "expired": true })))
}

/// The session ends in the database, as when a customer is locked out. The access token expires with the same answer, so that the
/// browser notices at its next request and not within the hour.
async fn revoke(State(shop): State<Shop>, visitor: Visitor, user: User) -> Result<Json<Value>, ApiError> {
    let revoked = shop.sessions.revoke_session(user.handle()).await?;
    visitor.expire_access_token().await?;
    Ok(Json(json!({ "revoked": revoked })))
}

/// Somebody got hold of a copy of this visitor's refresh token, and uses it before the visitor does. The visitor's browser is told
/// nothing; it finds out when it next refreshes, and so does the server.
async fn steal(State(shop): State<Shop>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let stolen = cookies.flat_map(|value| value.split(';')).find_map(|cookie| cookie.trim().strip_prefix(REFRESH_COOKIE));
    let child = refresh_as_thief(&shop.sessions, stolen.ok_or(ApiError::NothingToSteal)?).await?;
    // Only once the child has been used, too, its parent counts as used up.
    refresh_as_thief(&shop.sessions, &child).await?;
    Ok(Json(json!({ "stolen": true })))
}

/// A refresh call from another computer: the cookie is all it has in common with the visitor. Gives the new refresh token.
async fn refresh_as_thief(sessions: &Sessions, token: &str) -> Result<String, ApiError> {
    let cookie = HeaderValue::try_from(format!("{REFRESH_COOKIE}{token}")).map_err(|_| ApiError::NothingToSteal)?;
    let mut request = Request::post(REFRESH).body(Body::empty()).map_err(|_| ApiError::NothingToSteal)?;
    request.headers_mut().insert(COOKIE, cookie);
    let server = Router::new().route(REFRESH, post(StatusCode::NOT_FOUND)).layer(sessions.layer());
    let Ok(response) = server.oneshot(request).await;
    let cookies = response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let token =
        cookies.filter_map(|cookie| cookie.strip_prefix(REFRESH_COOKIE)?.split(';').next()).find(|token| !token.is_empty());
    token.map(str::to_owned).ok_or(ApiError::NothingToSteal)
}
