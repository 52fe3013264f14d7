//! The sender of a request.

use std::{sync::Arc, time::SystemTime};

use passerby_protocol::claims::{AccessClaims, AnonymousClaims};
use serde::de::{Deserialize as _, DeserializeOwned};
use serde_json::{Map, Value};

use crate::clock::system_time;

/// The sender of a request: a visitor with an anonymous session, or a user who is signed in.
/// Exactly one of the two.
///
/// ```
/// use passerby_server::Principal;
///
/// /// The owner of a cart: an account, or a guest.
/// fn owner(principal: &Principal) -> String {
///     match principal {
///         Principal::User(user) => format!("user {}", user.user_id()),
///         Principal::Anonymous(visitor) => format!("guest {}", visitor.anonymous_id()),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Principal {
    /// A visitor who is not signed in.
    Anonymous(AnonymousSession),
    /// A user.
    User(UserSession),
}

impl Principal {
    /// The visitor's id (UUID), the same before, during and after a user session.
    #[must_use]
    pub fn anonymous_id(&self) -> &str {
        match self {
            Self::Anonymous(session) => session.anonymous_id(),
            Self::User(session) => session.anonymous_id(),
        }
    }

    /// The app's own claims, of either kind of session.
    #[must_use]
    pub fn payload(&self) -> &Map<String, Value> {
        match self {
            Self::Anonymous(session) => session.payload(),
            Self::User(session) => session.payload(),
        }
    }

    /// One of the app's own claims as a type of the app; `None` when there is no such claim, or it
    /// is `null`.
    ///
    /// # Errors
    /// When the claim is not of that type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, serde_json::Error> {
        claim(self.payload(), key)
    }
}

fn claim<T: DeserializeOwned>(
    payload: &Map<String, Value>,
    key: &str,
) -> Result<Option<T>, serde_json::Error> {
    payload.get(key).map_or(Ok(None), Option::deserialize)
}

/// The session of a visitor who is not signed in. Lives in a signed token only; nothing of it is
/// stored.
///
/// ```
/// use passerby_server::{AnonymousSession, Sessions};
/// # use axum::{Router, body::Body, routing::get};
/// # use http::Request;
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
/// # let app = Router::new().route("/api/me", get(|| async {})).layer(sessions.layer());
/// # let first_visit = app
/// #     .oneshot(Request::get("/api/me").header("st-auth-mode", "header").body(Body::empty())?)
/// #     .await?;
/// # let token = first_visit.headers()["st-anonymous-token"].to_str()?;
/// let guest: AnonymousSession = sessions.verify_anonymous(token).await?;
/// assert_eq!(guest.anonymous_id().len(), 36);
/// assert!(guest.payload().is_empty());
/// assert!(guest.expires_at() > std::time::SystemTime::now());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AnonymousSession {
    /// Shared with the table of verified tokens, and by all who ask for the session.
    pub(crate) claims: Arc<AnonymousClaims>,
}

impl AnonymousSession {
    /// The visitor's id (UUID).
    #[must_use]
    pub fn anonymous_id(&self) -> &str {
        &self.claims.anonymous_id
    }

    /// The app's own claims, visible to the visitor. Key private data by user id, never by these.
    #[must_use]
    pub fn payload(&self) -> &Map<String, Value> {
        &self.claims.custom
    }

    /// One of the app's own claims as a type of the app; `None` when there is no such claim, or it
    /// is `null`.
    ///
    /// # Errors
    /// When the claim is not of that type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, serde_json::Error> {
        claim(self.payload(), key)
    }

    /// When the token expires, to the second.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        system_time(self.claims.expires_at.saturating_mul(1000))
    }
}

/// The session of a signed-in user, as its access token tells it.
///
/// ```
/// use passerby_server::{UserSession, Visitor, VisitorError};
/// use serde_json::{Map, json};
/// # use axum::{Router, body::Body, routing::post};
/// # use http::Request;
/// # use passerby_server::{MemoryStore, Sessions};
/// # use tower::ServiceExt as _;
///
/// async fn login(visitor: Visitor) -> Result<(), VisitorError> {
///     let role = Map::from_iter([("role".to_owned(), json!("botanist"))]);
///     let user: UserSession = visitor.sign_in_with("alice", role).await?;
///     assert_eq!(user.user_id(), "alice");
///     assert_eq!(user.payload()["role"], "botanist");
///     assert!(user.access_token_expires_at() > std::time::SystemTime::now());
///     Ok(())
/// }
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// #     let sessions = Sessions::builder()
/// #         .api_domain("http://localhost:3000")
/// #         .store(MemoryStore::new())
/// #         .build()
/// #         .await?;
/// #     let app = Router::new().route("/api/login", post(login)).layer(sessions.layer());
/// #     assert_eq!(
/// #         app.oneshot(Request::post("/api/login").body(Body::empty())?).await?.status(),
/// #         200
/// #     );
/// #     Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct UserSession {
    /// Shared, as those of an anonymous session.
    pub(crate) claims: Arc<AccessClaims>,
}

impl UserSession {
    /// The id of the user who is signed in.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.claims.user_id
    }

    /// The session's name in the store (UUID).
    #[must_use]
    pub fn handle(&self) -> &str {
        &self.claims.session_handle
    }

    /// The id that the visitor had before login and gets back afterwards (UUID).
    #[must_use]
    pub fn anonymous_id(&self) -> &str {
        &self.claims.anonymous_id
    }

    /// The app's own claims, visible to the user.
    #[must_use]
    pub fn payload(&self) -> &Map<String, Value> {
        &self.claims.custom
    }

    /// One of the app's own claims as a type of the app; `None` when there is no such claim, or it
    /// is `null`.
    ///
    /// # Errors
    /// When the claim is not of that type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, serde_json::Error> {
        claim(self.payload(), key)
    }

    /// When the access token expires, to the second. The session itself lives longer.
    #[must_use]
    pub fn access_token_expires_at(&self) -> SystemTime {
        system_time(self.claims.expires_at.saturating_mul(1000))
    }
}
