//! The handle that an app holds.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use passerby_protocol::payload::merge;
use serde_json::{Map, Value};

use crate::{
    claims::{self, InvalidClaim, SessionClaimValidator},
    clock::millis,
    engine::{AnonymousCheck, Engine, EngineError, JwtKey, SessionInformation},
    principal::AnonymousSession,
    web::{AppContext, SessionsCors, SessionsLayer},
};

/// Why an anonymous token is not accepted.
///
/// ```
/// use passerby_server::{AnonymousTokenError, MemoryStore, Sessions};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(MemoryStore::new())
/// #     .build()
/// #     .await?;
/// # let token = "forged";
/// let answer = match sessions.verify_anonymous(token).await {
///     Ok(visitor) => format!("hello {}", visitor.anonymous_id()),
///     Err(AnonymousTokenError::Expired) => "get a new one".to_owned(),
///     Err(AnonymousTokenError::Invalid) => "not one of ours".to_owned(),
///     Err(error) => return Err(error.into()),
/// };
/// assert_eq!(answer, "not one of ours");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnonymousTokenError {
    /// It was an anonymous token of ours, and its time is over.
    #[error("the anonymous token has expired")]
    Expired,
    /// It is not an anonymous token of ours: forged, damaged, of another issuer, or a token of
    /// another kind.
    #[error("this is not an anonymous token of this server")]
    Invalid,
    /// The keys could not be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The sessions of an app: makes the layer, and acts on sessions outside of requests. Cheap to
/// clone; clones share everything.
///
/// ```
/// use axum::{Router, body::Body, routing::post};
/// use http::Request;
/// use passerby_server::{MemoryStore, Sessions, Visitor, VisitorError};
/// use serde_json::{Map, json};
/// use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = Sessions::builder()
///     .api_domain("http://localhost:3000")
///     .store(MemoryStore::new())
///     .build()
///     .await?;
/// let login = |visitor: Visitor| async move {
///     visitor.sign_in("alice").await?;
///     Ok::<_, VisitorError>(())
/// };
/// let app = Router::new().route("/api/login", post(login)).layer(sessions.layer());
/// app.oneshot(Request::post("/api/login").body(Body::empty())?).await?;
///
/// // The actions of an administrator, outside of Alice's requests.
/// let handles = sessions.session_handles_of_user("alice").await?;
/// let found = sessions.session_information(&handles[0]).await?.expect("she is signed in");
/// assert_eq!(found.user_id, "alice");
/// let role = Map::from_iter([("role".to_owned(), json!("botanist"))]);
/// assert!(sessions.merge_into_access_token_payload(&handles[0], &role).await?);
/// let data = sessions
///     .update_session_data(&handles[0], |data| drop(data.insert("visits".into(), json!(1))))
///     .await?;
/// assert_eq!(data, sessions.session_data(&handles[0]).await?);
/// assert_eq!(sessions.revoke_all_sessions_of_user("alice").await?, handles);
/// assert!(sessions.session_information(&handles[0]).await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sessions(Arc<AppContext>);

impl Sessions {
    pub(crate) fn new(context: AppContext) -> Self {
        Self(Arc::new(context))
    }

    #[cfg(feature = "actix")]
    pub(crate) fn context(&self) -> Arc<AppContext> {
        self.0.clone()
    }

    /// The layer for the router, to be added after all routes. It finds out who sent a request,
    /// gives new visitors of API routes an anonymous session, answers
    /// `POST {base}/session/refresh`, `POST {base}/signout`, `POST {base}/anonymous/forget`,
    /// `GET {base}/jwt/jwks.json` and `GET {base}/.well-known/openid-configuration`, attaches
    /// tokens to responses, and refuses state-changing requests that other websites send (Fetch
    /// Metadata and `Origin`, as `tower_http::csrf` does, whose deployment caveats hold).
    pub fn layer(&self) -> SessionsLayer {
        SessionsLayer::new(self.0.clone())
    }

    /// CORS for a website on another origin than the API; to be added after [`Sessions::layer`], so
    /// that it is outermost. Allows the website and the trusted origins, with credentials and the
    /// protocol's headers. [`Sessions::layer`] exposes the response headers with tokens, beside
    /// those that the app exposes.
    pub fn cors(&self) -> SessionsCors {
        SessionsCors::new(self.0.trusted_origins.clone())
    }

    /// Switches anonymous sessions on or off for all visitors, from the next request on. While off,
    /// those that visitors still hold are removed with the next response.
    pub fn set_anonymous_enabled(&self, enabled: bool) {
        self.0.anonymous_enabled.store(enabled, Ordering::Relaxed);
    }

    /// Whether visitors get anonymous sessions now.
    #[must_use]
    pub fn anonymous_enabled(&self) -> bool {
        self.0.anonymous_enabled()
    }

    /// Verifies an anonymous token outside of a request that [`Sessions::layer`] sees: in a
    /// WebSocket message, a queue, another listener. Services without access to the session store
    /// verify it with the key set at `{base}/jwt/jwks.json`; see `docs/anonymous-sessions.md`.
    ///
    /// # Errors
    /// See [`AnonymousTokenError`].
    pub async fn verify_anonymous(
        &self,
        token: &str,
    ) -> Result<AnonymousSession, AnonymousTokenError> {
        match self.engine().verify_anonymous(&self.engine().look_up(token)).await? {
            AnonymousCheck::Valid { session, .. } => Ok(session),
            AnonymousCheck::Expired { .. } => Err(AnonymousTokenError::Expired),
            AnonymousCheck::Invalid => Err(AnonymousTokenError::Invalid),
        }
    }

    /// Makes a new static key for anonymous tokens. It signs one minute later, when all processes
    /// on the database have read it. Tokens of the former key are still accepted, and visitors then
    /// get new ones, with the same id, at their next API request. For regular key hygiene. After a
    /// theft of the key its record must be deleted from the database too: its visitors then get new
    /// ids.
    ///
    /// # Errors
    /// When the key could not be made or stored.
    pub async fn rotate_static_key(&self) -> Result<(), EngineError> {
        self.engine().rotate_static_key().await
    }

    /// Ends one session; `false` when there was none. Access tokens stay good until they expire,
    /// except for [`CheckedUser`](crate::CheckedUser).
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revoke_session(&self, handle: &str) -> Result<bool, EngineError> {
        self.engine().revoke(handle).await
    }

    /// Ends these sessions, and returns the handles of those that there were.
    ///
    /// # Errors
    /// When the store fails; sessions before that are ended.
    pub async fn revoke_sessions<'a>(
        &self,
        handles: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<String>, EngineError> {
        let mut revoked = Vec::new();
        for handle in handles {
            if self.engine().revoke(handle).await? {
                revoked.push(handle.to_owned());
            }
        }
        Ok(revoked)
    }

    /// Validates the claims of a session outside of its requests, as its next access token will
    /// tell them. Claims that are missing or too old are fetched first and stored; the browser
    /// learns of them when it refreshes. Returns the demands that are not satisfied, `None` when
    /// there is no such session. The [global validators](crate::SessionsBuilder::claim_validator)
    /// are not asked.
    ///
    /// # Errors
    /// [`EngineError::Payload`] when fetched claims do not fit, or when the store fails.
    pub async fn validate_claims_of_session(
        &self,
        handle: &str,
        validators: &[&dyn SessionClaimValidator],
    ) -> Result<Option<Vec<InvalidClaim>>, EngineError> {
        let Some(session) = self.engine().session(handle).await? else { return Ok(None) };
        let now = self.0.now();
        let update = claims::refetched(validators, &session, now).await;
        if !update.is_empty() && !self.engine().merge_by_handle(handle, &update).await? {
            return Ok(None);
        }
        let payload = merge(session.claims.custom.clone(), update)?;
        Ok(Some(claims::invalid(validators, &payload, now)))
    }

    /// Ends all sessions of a user and returns their handles.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revoke_all_sessions_of_user(
        &self,
        user_id: &str,
    ) -> Result<Vec<String>, EngineError> {
        self.engine().revoke_all_of_user(user_id).await
    }

    /// The handles of a user's sessions, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn session_handles_of_user(&self, user_id: &str) -> Result<Vec<String>, EngineError> {
        self.engine().handles_of_user(user_id).await
    }

    /// The stored session; `None` when there is no such session, or it has expired.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn session_information(
        &self,
        handle: &str,
    ) -> Result<Option<SessionInformation>, EngineError> {
        self.engine().information(handle).await
    }

    /// Merges into the access token payload of a session from outside of its requests; a `null`
    /// removes its key. The browser learns of it when it refreshes. `false` when there is no such
    /// session.
    ///
    /// # Errors
    /// [`EngineError::Payload`] when the result does not fit or a protected claim is named, or when
    /// the store fails.
    pub async fn merge_into_access_token_payload(
        &self,
        handle: &str,
        update: &Map<String, Value>,
    ) -> Result<bool, EngineError> {
        self.engine().merge_by_handle(handle, update).await
    }

    /// The app's data of a session on the server, which no browser sees. `None` when there is no
    /// such session.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn session_data(
        &self,
        handle: &str,
    ) -> Result<Option<Map<String, Value>>, EngineError> {
        self.engine().session_data(handle).await
    }

    /// Changes what the app keeps of a session on the server, with nobody else writing in between,
    /// and returns the outcome; `None` when there is no such session. Where somebody else wrote
    /// meanwhile, `change` is called again with what they wrote, and the last call counts. There
    /// is no limit to its size but the database's; each refresh reads it, so keep it small.
    ///
    /// # Errors
    /// When the store fails; [`EngineError::Payload`] when the data are nested too deep.
    pub async fn update_session_data(
        &self,
        handle: &str,
        mut change: impl FnMut(&mut Map<String, Value>) + Send,
    ) -> Result<Option<Map<String, Value>>, EngineError> {
        self.engine().update_session_data(handle, &mut change).await
    }

    /// Signs a JWT for another service, which verifies it with the key set at
    /// `{base}/jwt/jwks.json`. `iat` and `exp` are added, `iss` where the payload has none. It is
    /// no session: this server never takes it for one.
    ///
    /// # Errors
    /// [`EngineError::Payload`] when the payload has the claim `isAnonymous`; else when the key
    /// could not be made or stored.
    ///
    /// # Example
    /// ```
    /// use passerby_server::{JwtKey, MemoryStore, Sessions};
    /// use serde_json::{Map, json};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sessions = Sessions::builder()
    ///     .api_domain("http://localhost:3000")
    ///     .store(MemoryStore::new())
    ///     .build()
    ///     .await?;
    /// let claims = Map::from_iter([("service".to_owned(), json!("mail"))]);
    /// let token = sessions.create_jwt(claims, Duration::from_secs(60), JwtKey::Static).await?;
    /// assert_eq!(token.split('.').count(), 3);
    /// // It is nobody's session, even if it says so.
    /// assert!(sessions.verify_anonymous(&token).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_jwt(
        &self,
        payload: Map<String, Value>,
        validity: Duration,
        key: JwtKey,
    ) -> Result<String, EngineError> {
        self.engine().create_jwt(payload, millis(validity), key).await
    }

    /// Whether sessions can be read and written, for the app's readiness check. Writes a row each
    /// time.
    ///
    /// # Errors
    /// When the database does not answer, or nothing can be written.
    pub async fn ready(&self) -> Result<(), EngineError> {
        self.engine().ready().await
    }

    /// Removes at most `limit` expired sessions from the store, and returns how many there were; 0
    /// also while another process is removing some. Expired sessions are refused whether they are
    /// removed or not.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn prune(&self, limit: u32) -> Result<u64, EngineError> {
        self.engine().prune(limit).await
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }
}
