//! Extractors: which session a handler needs.

use std::ops::Deref;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use super::{refused::SessionRejection, visitor::Visitor};
use crate::principal::{Principal, UserSession};

/// A signed-in user who satisfies the [global claim
/// validators](crate::SessionsBuilder::claim_validator), told by the access token alone. A visitor
/// without user session is refused with 401 `unauthorised`, one whose access token has expired with
/// 401 `try refresh token`; nothing is cleared. After a revocation the token stays good until it
/// expires; where that is too long, use [`CheckedUser`].
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::{Request, header};
/// use passerby_server::{CheckedUser, MemoryStore, PageUser, Principal, Sessions, User};
/// use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = Sessions::builder()
///     .api_domain("http://localhost:3000")
///     .store(MemoryStore::new())
///     .build()
///     .await?;
/// let app = Router::new()
///     .route(
///         "/api/orders",
///         get(|user: User| async move { format!("orders of {}", user.user_id()) }),
///     )
///     .route("/api/password", get(|user: CheckedUser| async move { user.handle().to_owned() }))
///     .route("/account", get(|user: PageUser| async move { user.user_id().to_owned() }))
///     .route(
///         "/api/cart",
///         get(|principal: Principal| async move { principal.anonymous_id().to_owned() }),
///     )
///     .layer(sessions.layer());
/// let visit = |path: &str, accept: &str| {
///     app.clone()
///         .oneshot(Request::get(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap())
/// };
///
/// // A visitor who has never been here:
/// assert_eq!(visit("/api/cart", "*/*").await?.status(), 200);
/// assert_eq!(visit("/api/orders", "*/*").await?.status(), 401);
/// assert_eq!(visit("/api/password", "*/*").await?.status(), 401);
/// assert_eq!(visit("/account", "*/*").await?.status(), 401);
/// let page = visit("/account", "text/html").await?;
/// assert_eq!(page.headers()[header::LOCATION], "/refresh-session?redirectBack=%2Faccount");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct User(pub UserSession);

/// A signed-in user whose session was looked up in the store, so that a revocation counts at once.
/// Refuses like [`User`]; a revoked session is cleared, and the visitor is anonymous with the same
/// response.
///
/// ```
/// use axum::{Router, routing::post};
/// use passerby_server::{CheckedUser, Sessions};
/// # use axum::body::Body;
/// # use http::Request;
/// # use passerby_server::{MemoryStore, Visitor};
/// # use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(MemoryStore::new())
/// #     .build()
/// #     .await?;
/// # let login = |visitor: Visitor| async move { visitor.sign_in("alice").await.map(drop) };
/// let app = Router::new()
///     .route("/api/password", post(|user: CheckedUser| async move { user.user_id().to_owned() }))
/// #     .route("/api/login", post(login))
///     .layer(sessions.layer());
/// # let request = |path: &str| Request::post(path).header("st-auth-mode", "header");
/// # let signed_in = app.clone().oneshot(request("/api/login").body(Body::empty())?).await?;
/// # let bearer = format!("Bearer {}", signed_in.headers()["st-access-token"].to_str()?);
/// # let send = || {
/// #     app.clone().oneshot(
/// #         request("/api/password")
/// #             .header("authorization", &bearer)
/// #             .body(Body::empty())
/// #             .unwrap(),
/// #     )
/// # };
/// assert_eq!(send().await?.status(), 200);
/// sessions.revoke_all_sessions_of_user("alice").await?;
/// // The access token is still valid: as a `User` she would pass.
/// assert_eq!(send().await?.status(), 401);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct CheckedUser(pub UserSession);

/// A signed-in user on a route that serves pages and scripts alike. A visitor without a valid user
/// session is refused as the request wants it: a page load is [redirected to
/// `/refresh-session`](crate::redirect_to_refresh), a script gets the 401 or 403 of [`User`].
///
/// ```
/// use axum::{Router, routing::get};
/// use passerby_server::{PageUser, Sessions};
/// # use axum::body::Body;
/// # use http::{Request, header};
/// # use passerby_server::MemoryStore;
/// # use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(MemoryStore::new())
/// #     .build()
/// #     .await?;
/// let account = |user: PageUser| async move { format!("account of {}", user.user_id()) };
/// let app = Router::new().route("/account", get(account)).layer(sessions.layer());
/// # let visit = |accept: &str| {
/// #     app.clone().oneshot(
/// #         Request::get("/account").header(header::ACCEPT, accept).body(Body::empty()).unwrap(),
/// #     )
/// # };
/// let page = visit("text/html").await?;
/// assert!(page.status().is_redirection());
/// assert_eq!(page.headers()[header::LOCATION], "/refresh-session?redirectBack=%2Faccount");
/// assert_eq!(visit("application/json").await?.status(), 401);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PageUser(pub UserSession);

impl Deref for PageUser {
    type Target = UserSession;

    fn deref(&self) -> &UserSession {
        &self.0
    }
}

impl Deref for User {
    type Target = UserSession;

    fn deref(&self) -> &UserSession {
        &self.0
    }
}

impl Deref for CheckedUser {
    type Target = UserSession;

    fn deref(&self) -> &UserSession {
        &self.0
    }
}

fn visitor(parts: &Parts) -> Result<Visitor, SessionRejection> {
    parts.extensions.get::<Visitor>().cloned().ok_or(SessionRejection::LayerMissing)
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionRejection> {
        visitor(parts)
    }
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionRejection> {
        visitor(parts)?.require_user().await.map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for CheckedUser {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionRejection> {
        visitor(parts)?.require_checked_user().await.map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for PageUser {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let visitor = visitor(parts).map_err(IntoResponse::into_response)?;
        visitor.require_user().await.map(Self).map_err(|refused| visitor.refuse(refused))
    }
}

/// Either kind of session; 401 when there is none.
impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionRejection> {
        visitor(parts)?.optional_principal().await?.ok_or(SessionRejection::Unauthorised)
    }
}

/// Either kind of session or none. A session that must be refreshed first is refused all the same.
impl<S: Sync> OptionalFromRequestParts<S> for Principal {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, SessionRejection> {
        visitor(parts)?.optional_principal().await
    }
}
