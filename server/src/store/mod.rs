//! Where sessions and keys are kept: one trait, and a store for each database behind a cargo feature of its name.
//!
//! ```
//! use passerby_server::{Sessions, SqliteStore, store::SessionStore as _};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("sessions.db");
//! let store = SqliteStore::open(file).await?;
//! let start = || Sessions::builder().api_domain("http://localhost:3000").store(store.clone()).build();
//! start().await?;
//! let keys = store.keys().await?;
//! assert!(!keys.is_empty());
//! // Whoever comes later, here or in another process, uses the same keys.
//! start().await?;
//! assert_eq!(store.keys().await?, keys);
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[cfg(feature = "postgres")]
pub use self::postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;

/// The app whose sessions and keys a store keeps unless it is asked for another.
///
/// ```
/// use passerby_server::{SqliteStore, store::{AppStores as _, DEFAULT_APP, SessionStore as _}};
/// # use passerby_server::store::SessionRecord;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("sessions.db");
/// # let (handle, visitor) = ("5a0c2f5e-1111-4222-8333-944445555666", "0c2f5e5a-1111-4222-8333-944445555666");
/// # let session = SessionRecord::new(handle, "alice", visitor, "…", 1_000, 2_000);
/// let store = SqliteStore::open(file).await?;
/// store.create(&session).await?;
/// assert_eq!(store.for_app(DEFAULT_APP).load(&session.handle).await?, Some(session));
/// # Ok(())
/// # }
/// ```
pub const DEFAULT_APP: &str = "public";

/// A key dated further ahead than this was made by a clock that was wrong.
pub(crate) const CLOCK_TOLERANCE_MS: u64 = 3600 * 1000;

/// One session of one user. Anonymous sessions have no record (design section 3, rule 2).
///
/// ```
/// use passerby_server::store::SessionRecord;
///
/// let (handle, visitor) = ("5a0c2f5e-1111-4222-8333-944445555666", "0c2f5e5a-1111-4222-8333-944445555666");
/// let session = SessionRecord::new(handle, "alice", visitor, "…", 1_000, 2_000);
/// assert!(!format!("{session:?}").contains("alice"), "fit for logs");
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct SessionRecord {
    /// UUID v4.
    pub handle: String,
    /// Whose session it is.
    pub user_id: String,
    /// The id that the visitor had before login and gets back afterwards.
    pub anonymous_id: String,
    /// SHA-256 of the SHA-256 of the current refresh token, in hex.
    pub refresh_hash2: String,
    /// Epoch milliseconds.
    pub created_at: u64,
    /// Epoch milliseconds.
    pub expires_at: u64,
    /// What the app added to the access token.
    pub payload: Map<String, Value>,
    /// What the app keeps on the server only.
    pub data: Map<String, Value>,
    /// The refresh tokens that were current a short while ago, oldest first. A handful at most.
    pub former_tokens: Vec<FormerToken>,
}

impl SessionRecord {
    /// A session without payload and data. Times in epoch milliseconds.
    #[must_use]
    pub fn new(
        handle: impl Into<String>,
        user_id: impl Into<String>,
        anonymous_id: impl Into<String>,
        refresh_hash2: impl Into<String>,
        created_at: u64,
        expires_at: u64,
    ) -> Self {
        Self {
            handle: handle.into(),
            user_id: user_id.into(),
            anonymous_id: anonymous_id.into(),
            refresh_hash2: refresh_hash2.into(),
            created_at,
            expires_at,
            payload: Map::new(),
            data: Map::new(),
            former_tokens: Vec::new(),
        }
    }
}

/// A refresh token that was current until another took its place. It stays acceptable for a moment, because answers can be slow.
///
/// ```
/// use passerby_server::store::FormerToken;
///
/// let former = FormerToken { hash2: "…".into(), replaced_at: 1_000 };
/// // How the stores of this crate keep it.
/// assert_eq!(serde_json::to_string(&former).unwrap(), r#"{"hash2":"…","replacedAt":1000}"#);
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerToken {
    /// SHA-256 of the SHA-256 of the token, in hex.
    pub hash2: String,
    /// Epoch milliseconds.
    pub replaced_at: u64,
}

/// It holds a hash of a secret.
impl fmt::Debug for FormerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormerToken").field("replaced_at", &self.replaced_at).finish_non_exhaustive()
    }
}

/// A record identifies a person and holds a hash of a secret.
impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRecord").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// What a key is for.
///
/// ```
/// use passerby_server::{Sessions, SqliteStore, store::{KeyKind, SessionStore as _}};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("sessions.db");
/// # let store = SqliteStore::open(file).await?;
/// // The first start makes one of each.
/// Sessions::builder().api_domain("http://localhost:3000").store(store.clone()).build().await?;
/// let keys = store.keys().await?;
/// for kind in [KeyKind::Dynamic, KeyKind::Static, KeyKind::Refresh] {
///     assert_eq!(keys.iter().filter(|key| key.kind == kind).count(), 1);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Signs access tokens; rotates.
    Dynamic,
    /// Signs anonymous tokens; replaced by hand only.
    Static,
    /// Encrypts refresh tokens.
    Refresh,
}

/// One key. Keys are never deleted: the anonymousId of a long expired token must stay readable (design section 3, rule 5).
///
/// ```
/// use passerby_server::store::{KeyKind, KeyRecord, SessionStore as _};
/// # use passerby_server::SqliteStore;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("sessions.db");
/// # let store = SqliteStore::open(file).await?;
/// let key = KeyRecord { id: "s-1".into(), kind: KeyKind::Static, created_at: 1_000, secret: "…".into() };
/// store.add_key_unless_newer(&key, 500).await?;
/// // Another process had the same idea, and is too late.
/// let second = KeyRecord { id: "s-2".into(), ..key.clone() };
/// store.add_key_unless_newer(&second, 500).await?;
/// assert_eq!(store.keys().await?, [key]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The `kid`.
    pub id: String,
    /// What it is for.
    pub kind: KeyKind,
    /// Epoch milliseconds.
    pub created_at: u64,
    /// PKCS#8 PEM of an RSA or P-256 key, or base64 of a symmetric key.
    pub secret: String,
}

impl KeyRecord {
    /// A key that was created after this time (epoch milliseconds) does not keep this one from being added: it is dated in the
    /// future, and nobody can wait for it.
    #[must_use]
    pub fn latest_rival(&self) -> u64 {
        self.created_at.saturating_add(CLOCK_TOLERANCE_MS)
    }
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord").field("kind", &self.kind).field("created_at", &self.created_at).finish_non_exhaustive()
    }
}

/// What [`SessionStore::update`] does with the record after the decision.
///
/// ```
/// use passerby_server::store::{SessionRecord, SessionStore as _, Write};
/// # use passerby_server::SqliteStore;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("sessions.db");
/// # let store = SqliteStore::open(file).await?;
/// # let (handle, visitor) = ("5a0c2f5e-1111-4222-8333-944445555666", "0c2f5e5a-1111-4222-8333-944445555666");
/// # let session = SessionRecord::new(handle, "alice", visitor, "…", 1_000, 2_000);
/// # store.create(&session).await?;
/// let mut end_if_old = |session: &mut SessionRecord| if session.created_at < 5_000 { Write::Remove } else { Write::Keep };
/// store.update(&session.handle, &mut end_if_old).await?;
/// assert_eq!(store.load(&session.handle).await?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Leave the stored record as it is.
    Keep,
    /// Store the changed record.
    Save,
    /// Remove the record.
    Remove,
}

/// What [`SessionStore::update`] calls with the record it read.
///
/// ```
/// use passerby_server::store::{Decide, SessionRecord, Write};
///
/// fn update(stored: &mut Option<SessionRecord>, decide: Decide<'_>) -> Option<SessionRecord> {
///     let mut record = stored.clone()?;
///     match decide(&mut record) {
///         Write::Keep => {}
///         Write::Save => *stored = Some(record.clone()),
///         Write::Remove => *stored = None,
///     }
///     Some(record)
/// }
///
/// # let (handle, visitor) = ("5a0c2f5e-1111-4222-8333-944445555666", "0c2f5e5a-1111-4222-8333-944445555666");
/// # let session = SessionRecord::new(handle, "alice", visitor, "…", 1_000, 2_000);
/// # let mut stored = Some(session);
/// update(&mut stored, &mut |session| { session.expires_at += 500; Write::Save });
/// assert_eq!(stored.expect("it was saved").expires_at, 2_500);
/// ```
pub type Decide<'a> = &'a mut (dyn for<'record> FnMut(&'record mut SessionRecord) -> Write + Send);

/// Why a store could not do what it was asked.
///
/// ```
/// use passerby_server::{SqliteStore, store::{SessionStore as _, StoreError}};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("sessions.db");
/// let store = SqliteStore::open(file).await?;
/// store.close().await;
/// let error = store.load("5a0c2f5e-1111-4222-8333-944445555666").await.unwrap_err();
/// assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database file cannot be opened for writing.
    #[error(
        "the session database `{path}` cannot be written: {reason}; check that its folder exists and that this process may write to both"
    )]
    NotWritable {
        /// The file.
        path: String,
        /// What the database said.
        reason: String,
    },
    /// The database was made by a newer version.
    #[error("the session database cannot be brought to this version's layout: {0}")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The database file is gone from its place, or another one lies there. What is written goes where nobody finds it after a restart.
    #[error(
        "the session database `{path}` was moved, removed or replaced while in use; restart this process to use what lies there"
    )]
    Replaced {
        /// Where it was.
        path: String,
    },
    /// [`SessionStore::create`] met a record with the same handle.
    #[error("a session with this handle exists already")]
    HandleTaken,
    /// A record does not read as it was written.
    #[error("the session database holds a damaged record: {0}")]
    Damaged(&'static str),
    /// The address of the database server cannot be read. The message repeats no part of it, because it may hold a password.
    #[error("the address of the session database is not like `postgres://user:password@host/database`: {0}")]
    BadAddress(#[source] sqlx::Error),
    /// The database does not answer, or refuses to talk to us. It is asked again with each request, so this ends by itself.
    #[error(
        "the session database cannot be reached: {0}; check that it runs, that it can be reached from here, and its user and password"
    )]
    Unreachable(#[source] sqlx::Error),
    /// What answers is no such database, or one that we do not understand.
    #[error(
        "what answers at the address of the session database does not speak its language: {0}; check that host and port are those of PostgreSQL 12 or newer"
    )]
    Protocol(#[source] sqlx::Error),
    /// Anything else.
    #[error("the session database failed: {0}")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error;
        let unreachable = match &error {
            Error::Protocol(_) => return Self::Protocol(error),
            Error::Io(_) | Error::Tls(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed => true,
            // Classes of SQLSTATE: connection, authorisation, no such database, resources, operator intervention.
            Error::Database(error) => error.code().is_some_and(|code| {
                ["08", "28", "3D", "53", "57P"].iter().any(|class| code.len() == 5 && code.starts_with(class))
            }),
            _ => false,
        };
        if unreachable { Self::Unreachable(error) } else { Self::Database(error) }
    }
}

/// One database for several apps, whose sessions and keys are apart: no app sees, or verifies, anything of another.
///
/// ```
/// use passerby_server::{SqliteStore, store::{AppStores as _, SessionStore as _}};
/// # use passerby_server::store::SessionRecord;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("sessions.db");
/// # let (handle, visitor) = ("5a0c2f5e-1111-4222-8333-944445555666", "0c2f5e5a-1111-4222-8333-944445555666");
/// # let session = SessionRecord::new(handle, "alice", visitor, "…", 1_000, 2_000);
/// let database = SqliteStore::open(file).await?;
/// let (shop, forum) = (database.for_app("shop"), database.for_app("forum"));
/// shop.create(&session).await?;
/// assert_eq!(forum.load(&session.handle).await?, None);
/// assert_eq!(shop.load(&session.handle).await?, Some(session));
/// # Ok(())
/// # }
/// ```
pub trait AppStores: fmt::Debug + Send + Sync + 'static {
    /// The store of one app. [`DEFAULT_APP`] is the one that a store is when it is opened.
    fn for_app(&self, app_id: &str) -> Arc<dyn SessionStore>;
}

/// Where sessions and keys are kept. Every method is one transaction; all of them are safe to call at the same time from any
/// number of tasks and processes.
///
/// ```
/// use passerby_server::{SqliteStore, store::{AppStores as _, SessionRecord, SessionStore, StoreError, Write}};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("sessions.db");
/// let store = SqliteStore::open(file).await?;
/// let (handle, visitor) = ("5a0c2f5e-1111-4222-8333-944445555666", "0c2f5e5a-1111-4222-8333-944445555666");
/// let session = SessionRecord::new(handle, "alice", visitor, "…", 1_000, 2_000);
/// store.create(&session).await?;
/// assert!(matches!(store.create(&session).await, Err(StoreError::HandleTaken)), "`create` is not `save`");
/// let mut prolong = |session: &mut SessionRecord| {
///     session.expires_at += 500;
///     Write::Save
/// };
/// let changed = store.update(&session.handle, &mut prolong).await?.expect("it is there");
/// assert_eq!(store.load(&session.handle).await?, Some(changed));
/// // Apps of one database see nothing of each other.
/// assert!(store.for_app("another").load(&session.handle).await?.is_none());
/// assert_eq!(store.remove_expired(3_000, 100).await?, 1);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// Adds a session.
    ///
    /// # Errors
    /// [`StoreError::HandleTaken`] when there is one with its handle; it is never overwritten.
    async fn create(&self, session: &SessionRecord) -> Result<(), StoreError>;

    /// Reads a session, expired or not.
    async fn load(&self, handle: &str) -> Result<Option<SessionRecord>, StoreError>;

    /// Reads a session, lets `decide` change it, and does what `decide` answers, with nobody else writing in between. Returns the
    /// record as `decide` left it, `None` when there is none. `handle` and `user_id` never change.
    async fn update(&self, handle: &str, decide: Decide<'_>) -> Result<Option<SessionRecord>, StoreError>;

    /// Removes a session; `false` when there was none.
    async fn remove(&self, handle: &str) -> Result<bool, StoreError>;

    /// Removes these sessions in one transaction, and returns the handles of those that there were.
    async fn remove_all(&self, handles: &[String]) -> Result<Vec<String>, StoreError>;

    /// Removes all sessions of a user and returns their handles.
    async fn remove_all_of_user(&self, user_id: &str) -> Result<Vec<String>, StoreError>;

    /// The handles of a user's sessions that expire after `now` (epoch milliseconds), oldest first.
    async fn handles_of_user(&self, user_id: &str, now: u64) -> Result<Vec<String>, StoreError>;

    /// Removes at most `limit` sessions that expired at or before `now` (epoch milliseconds), and says how many. Does nothing while
    /// another process is at it.
    async fn remove_expired(&self, now: u64, limit: u32) -> Result<u64, StoreError>;

    /// Writes something, so that whoever asks learns whether sessions can be kept. `now` in epoch milliseconds.
    ///
    /// # Errors
    /// When nothing can be written, or what is written would be lost.
    async fn check_writable(&self, now: u64) -> Result<(), StoreError>;

    /// All keys, oldest first.
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError>;

    /// Adds a key unless there is one of its kind that was created between `fresh_since` (epoch milliseconds) and
    /// [`KeyRecord::latest_rival`], so that of
    /// several processes that notice the need for a new key at the same time only one succeeds. A key with the same id is left as it is.
    async fn add_key_unless_newer(&self, key: &KeyRecord, fresh_since: u64) -> Result<(), StoreError>;
}
