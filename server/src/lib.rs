//! The server half of Passerby: every visitor of a web app has a session, anonymous from the first
//! request, authenticated after login.
//!
//! ```no_run
//! use axum::{
//!     Json, Router,
//!     extract::OriginalUri,
//!     response::{Html, IntoResponse, Response},
//!     routing::{get, post},
//! };
//! use passerby_server::{
//!     Principal, SessionRejection, Sessions, SqliteStore, User, Visitor, VisitorError,
//!     redirect_to_refresh,
//! };
//! use serde_json::{Map, Value, json};
//! use std::net::SocketAddr;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sessions = Sessions::builder()
//!         .api_domain("http://localhost:3000")
//!         .store(SqliteStore::open("sessions.db").await?)
//!         // The data that the user session takes over from the guest's.
//!         .on_sign_in(|visitor, _user_id| async move {
//!             let cart = visitor.get::<Value>("cart")?.unwrap_or(json!([]));
//!             Ok::<_, serde_json::Error>(Map::from_iter([("cart".to_owned(), cart)]))
//!         })
//!         .build()
//!         .await?;
//!
//!     let app = Router::new()
//!         .route("/api/me", get(me))
//!         .route("/api/cart", post(set_cart))
//!         .route("/api/login", post(login))
//!         .route("/api/orders", get(orders))
//!         .route("/dashboard", get(dashboard))
//!         .layer(sessions.layer())
//!         .layer(sessions.cors());
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
//!     Ok(())
//! }
//!
//! /// Either kind of session. On API routes a new visitor has one from the first request on; a
//! /// visitor without one gets 401.
//! async fn me(principal: Principal) -> Json<Value> {
//!     Json(match &principal {
//!         Principal::Anonymous(visitor) => {
//!             json!({ "visitor": visitor.anonymous_id(), "cart": visitor.payload().get("cart") })
//!         }
//!         Principal::User(user) => {
//!             json!({ "user": user.user_id(), "cart": user.payload().get("cart") })
//!         }
//!     })
//! }
//!
//! /// Keeps the cart in the session, whichever kind the visitor has.
//! async fn set_cart(visitor: Visitor, Json(cart): Json<Value>) -> Result<(), VisitorError> {
//!     visitor.set("cart", cart).await
//! }
//!
//! async fn login(visitor: Visitor) -> Result<Json<Value>, VisitorError> {
//!     // Check the password here.
//!     let user = visitor.sign_in("user-1").await?;
//!     Ok(Json(json!({ "user": user.user_id() })))
//! }
//!
//! /// Users only: others get 401.
//! async fn orders(user: User) -> String {
//!     format!("orders of {}", user.user_id())
//! }
//!
//! /// A page rendered on the server: verified without side effects. A visitor who must refresh or
//! /// sign in is sent to `/refresh-session`.
//! async fn dashboard(
//!     user: Result<User, SessionRejection>,
//!     OriginalUri(uri): OriginalUri,
//! ) -> Response {
//!     match user {
//!         Ok(user) => Html(format!("<h1>Hello {}</h1>", user.user_id())).into_response(),
//!         Err(_) => redirect_to_refresh(&uri),
//!     }
//! }
//! ```
//!
//! The layer answers `POST /auth/session/refresh`, `POST /auth/signout`,
//! `POST /auth/anonymous/forget`, `GET /auth/jwt/jwks.json` and
//! `GET /auth/.well-known/openid-configuration` itself. On the wire it speaks the SuperTokens
//! session protocol, so stock SuperTokens web clients work with it too.
//!
//! # Which extractor
//! | the handler needs | extractor | otherwise |
//! | --- | --- | --- |
//! | a signed-in user | [`User`] | 401 |
//! | a signed-in user, revocation counting at once | [`CheckedUser`] | 401 |
//! | a session of either kind | [`Principal`] | 401 |
//! | whatever there is | `Option<Principal>` | – |
//! | to act on the session | [`Visitor`] | – |
//! | claims of its own | [`Visitor::require`] | 401, 403 |
//! | a signed-in user, on a route for pages and scripts | [`PageUser`] | redirect, or 401 |
//! | to render a page | `Result<User, SessionRejection>` and [`redirect_to_refresh`] | – |
//!
//! # Stores
//! [`MemoryStore`] is for tests and first steps, and [`SqliteStore`] keeps everything in one file.
//! A [store of your own](store::SessionStore) is a trait away, and its conformance suite is the
//! cargo feature `store-conformance`.
//!
//! With the cargo feature `postgres`, `PostgresStore` takes the place of [`SqliteStore`], and any
//! number of processes share sessions and keys. While the database is away, visitors stay anonymous
//! as they were, valid access tokens stay good, and whatever needs the database is answered 503;
//! nothing is cleared, and nothing needs a restart. [`Sessions::prune_every`] removes expired
//! sessions.
//!
//! # The life of a session
//! A visitor without a session gets an anonymous one with the first request that a script makes
//! (`fetch`, not a page load), and the handler of that request sees it. [`Visitor::sign_in`] ends
//! it and starts a user session with the same anonymousId; the end of the user session, by
//! [sign-out](Visitor::sign_out), expiry, [revocation](Sessions::revoke_session) or theft of a
//! refresh token, gives the visitor an anonymous session with that id again, in the very response
//! that tells so.
#![forbid(unsafe_code)]

#[cfg(feature = "actix")]
mod actix;
mod builder;
pub mod claims;
mod clock;
pub mod counters;
mod engine;
mod headers;
mod hooks;
mod limit;
mod mint;
mod principal;
mod pruning;
mod readers;
#[cfg(feature = "core")]
pub mod session_core;
mod sessions;
pub mod store;
mod web;

pub use passerby_protocol::payload::PayloadError;

#[cfg(feature = "actix")]
pub use self::actix::ActixSessions;
pub use self::store::MemoryStore;
#[cfg(feature = "postgres")]
pub use self::store::PostgresStore;
#[cfg(feature = "sqlite")]
pub use self::store::SqliteStore;
pub use self::{
    builder::{BuildError, SessionsBuilder},
    engine::{EngineError, JwtKey, KeyAlgorithm, SessionInformation},
    hooks::{AfterSignOut, HookError},
    mint::{MintLimit, MintRequest},
    principal::{AnonymousSession, Principal, UserSession},
    sessions::{AnonymousTokenError, Sessions},
    web::{
        AnonymousVisitor, AntiCsrf, CheckedUser, PageUser, SessionRejection, SessionsCors,
        SessionsCorsFuture, SessionsCorsService, SessionsFuture, SessionsLayer, SessionsService,
        User, Visitor, VisitorError, redirect_to_refresh,
    },
};

/// The example of the repository's README compiles, and so does the one of the crate's.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../README.md")]
struct Readmes;

/// The guide's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../docs/anonymous-sessions.md")]
struct AnonymousSessionsGuide;
