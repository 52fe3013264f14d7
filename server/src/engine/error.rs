//! The failures of the engine.

use passerby_protocol::payload::PayloadError;

use crate::store::{BoxError, StoreError};

/// A failure inside the server, through no fault of the visitor.
///
/// ```
/// use passerby_server::{EngineError, Sessions, SqliteStore};
///
/// fn status(error: &EngineError) -> u16 {
///     match error {
///         EngineError::Store(_) => 503,
///         EngineError::Payload(_) => 400,
///         _ => 500,
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let store = SqliteStore::open(folder.path().join("sessions.db")).await?;
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(store.clone())
/// #     .build()
/// #     .await?;
/// store.close().await;
/// let error = sessions.revoke_all_sessions_of_user("alice").await.unwrap_err();
/// assert_eq!(status(&error), 503);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be made, or a token not be signed or encrypted.
    #[error("the cryptographic library failed: {0}")]
    Crypto(#[source] BoxError),
    /// The store holds no key of the kind that is needed.
    #[error("the session database holds no signing key; were its keys deleted?")]
    NoKey,
    /// The user id is empty.
    #[error("a user id cannot be empty")]
    EmptyUserId,
    /// The user id has a character that not every store can keep.
    #[error("a user id cannot contain the character U+0000")]
    UnstorableUserId,
    /// The session seems to have expired, by a clock that has just gone ahead by more than a day.
    /// It is kept until the clock is set back, or has stayed there for an hour.
    #[error(
        "the clock jumped ahead, and nobody can tell yet whether the session has expired; check \
         the time of this machine"
    )]
    ClockJumped,
    /// The app's payload is refused.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

impl EngineError {
    pub(crate) fn crypto(source: impl Into<BoxError>) -> Self {
        Self::Crypto(source.into())
    }
}
