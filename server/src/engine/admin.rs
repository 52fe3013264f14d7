//! Sessions outside of their own requests: found, described and ended.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    Engine, EngineError,
    record::load_live,
    refresh_token::{Hash1, Inherited},
};
use crate::{
    clock::system_time,
    counters,
    principal::UserSession,
    store::{SessionRecord, Write},
};

/// A session without its tokens.
///
/// ```
/// use passerby_server::{SessionInformation, Sessions};
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
/// # let app = axum::Router::new()
/// #     .route("/api/login", axum::routing::post(login))
/// #     .layer(sessions.layer());
/// # app.oneshot(http::Request::post("/api/login").body(axum::body::Body::empty())?).await?;
/// # let mut lines = 0;
/// // One line for each place where Alice is signed in.
/// for handle in sessions.session_handles_of_user("alice").await? {
///     let found: SessionInformation =
///         sessions.session_information(&handle).await?.expect("it has not expired");
///     println!("since {:?}, until {:?}", found.created_at, found.expires_at);
///     assert_eq!((found.user_id.as_str(), found.handle), ("alice", handle));
///     assert!(found.created_at < found.expires_at);
///     # lines += 1;
/// }
/// # assert_eq!(lines, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SessionInformation {
    /// The session's name in the store.
    pub handle: String,
    /// The user whose session it is.
    pub user_id: String,
    /// The id that the visitor had before login and gets back afterwards.
    pub anonymous_id: String,
    /// When the user signed in.
    pub created_at: std::time::SystemTime,
    /// When the session ends unless it is refreshed.
    pub expires_at: std::time::SystemTime,
    /// The app's own claims in the access token.
    pub payload: Map<String, Value>,
}

impl Engine {
    pub(crate) async fn revoke(&self, handle: &str) -> Result<bool, EngineError> {
        let removed = self.store.remove(handle).await?;
        counters::sessions_revoked(removed.into());
        Ok(removed)
    }

    /// Ends a session; the record that there was.
    pub(crate) async fn end(&self, handle: &str) -> Result<Option<SessionRecord>, EngineError> {
        let ended = self.store.update(handle, &mut |_| Write::Remove).await?;
        counters::sessions_revoked(ended.is_some().into());
        Ok(ended)
    }

    pub(crate) async fn revoke_all_of_user(
        &self,
        user_id: &str,
    ) -> Result<Vec<String>, EngineError> {
        let revoked = self.store.remove_all_of_user(user_id).await?;
        counters::sessions_revoked(revoked.len());
        Ok(revoked)
    }

    pub(crate) async fn handles_of_user(&self, user_id: &str) -> Result<Vec<String>, EngineError> {
        Ok(self.store.handles_of_user(user_id, self.clock.now_ms()).await?)
    }

    /// A session as its next access token will tell it. `None` when it is gone.
    pub(crate) async fn session(&self, handle: &str) -> Result<Option<UserSession>, EngineError> {
        let now = self.clock.now_ms();
        let record = load_live(&*self.store, handle, now).await?;
        // Nobody sees the hash: the claims are never signed.
        Ok(record.map(|record| UserSession {
            claims: Arc::new(self.claims_of(&record, &Hash1::of(""), Inherited::default(), now)),
        }))
    }

    pub(crate) async fn information(
        &self,
        handle: &str,
    ) -> Result<Option<SessionInformation>, EngineError> {
        let now = self.clock.now_ms();
        let record = load_live(&*self.store, handle, now).await?;
        Ok(record.map(|record| SessionInformation {
            handle: record.handle,
            user_id: record.user_id,
            anonymous_id: record.anonymous_id,
            created_at: system_time(record.created_at),
            expires_at: system_time(record.expires_at),
            payload: record.payload,
        }))
    }
}
