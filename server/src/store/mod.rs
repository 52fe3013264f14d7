//! Where sessions and keys are kept: one trait, and a store for each database behind a cargo
//! feature of its name.
//!
//! ```
//! use passerby_server::{MemoryStore, Sessions, store::SessionStore as _};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let start =
//!     || Sessions::builder().api_domain("http://localhost:3000").store(store.clone()).build();
//! start().await?;
//! let keys = store.keys().await?;
//! assert!(!keys.is_empty());
//! // A process that comes later uses the same keys.
//! start().await?;
//! assert_eq!(store.keys().await?, keys);
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "store-conformance")]
pub mod conformance;
mod error;
mod memory;
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
pub use self::{
    error::{BoxError, StoreError},
    memory::MemoryStore,
};

/// The app whose sessions and keys a store keeps unless it is asked for another.
///
/// ```
/// use passerby_server::{
///     MemoryStore,
///     store::{AppStores as _, DEFAULT_APP, SessionStore as _},
/// };
/// # use passerby_server::store::SessionRecord;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (handle, visitor) =
/// #     ("5a0c2f5e-1111-4222-8333-944445555666", "0c2f5e5a-1111-4222-8333-944445555666");
/// # let session = SessionRecord::new(handle, "alice", visitor, "…", 1_000, 2_000);
/// let store = MemoryStore::new();
/// store.create(&session).await?;
/// assert_eq!(store.for_app(DEFAULT_APP).load(&session.handle).await?, Some(session));
/// # Ok(())
/// # }
/// ```
pub const DEFAULT_APP: &str = "public";

/// A key dated further ahead than this was made by a clock that was wrong.
pub(crate) const CLOCK_TOLERANCE_MS: u64 = 3600 * 1000;

/// One session of one user. Anonymous sessions have no record.
///
/// ```
/// use passerby_server::store::SessionRecord;
///
/// let (handle, visitor) =
///     ("5a0c2f5e-1111-4222-8333-944445555666", "0c2f5e5a-1111-4222-8333-944445555666");
/// let session = SessionRecord::new(handle, "alice", visitor, "…", 1_000, 2_000);
/// assert!(!format!("{session:?}").contains("alice"), "fit for logs");
/// // A store of your own may keep it as one text. A later version reads what this one wrote.
/// let text = serde_json::to_string(&session).unwrap();
/// assert_eq!(serde_json::from_str::<SessionRecord>(&text).unwrap(), session);
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionRecord {
    /// UUID v4.
    pub handle: String,
    /// The id of the user whose session it is.
    pub user_id: String,
    /// The id that the visitor had before login and gets back afterwards.
    pub anonymous_id: String,
    /// SHA-256 of the SHA-256 of the current refresh token, in hex.
    pub refresh_hash2: String,
    /// Epoch milliseconds.
    pub created_at: u64,
    /// Epoch milliseconds.
    pub expires_at: u64,
    /// The app's own claims in the access token.
    #[serde(default)]
    pub payload: Map<String, Value>,
    /// The app's data on the server only.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// The refresh tokens that were current a short while ago, oldest first. A handful at most.
    #[serde(default)]
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

/// A refresh token that was current until another took its place. It stays acceptable for a moment,
/// because answers can be slow.
///
/// ```
/// use passerby_server::store::FormerToken;
///
/// let former = FormerToken::new("…", 1_000);
/// // How the stores of this crate keep it.
/// assert_eq!(serde_json::to_string(&former).unwrap(), r#"{"hash2":"…","replacedAt":1000}"#);
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FormerToken {
    /// SHA-256 of the SHA-256 of the token, in hex.
    pub hash2: String,
    /// Epoch milliseconds.
    pub replaced_at: u64,
}

impl FormerToken {
    /// The token with this hash, which another replaced at this time (epoch milliseconds).
    #[must_use]
    pub fn new(hash2: impl Into<String>, replaced_at: u64) -> Self {
        Self { hash2: hash2.into(), replaced_at }
    }
}

/// It holds a hash of a secret.
impl fmt::Debug for FormerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormerToken")
            .field("replaced_at", &self.replaced_at)
            .finish_non_exhaustive()
    }
}

/// A record identifies a person and holds a hash of a secret.
impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRecord")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The use of a key.
///
/// ```
/// use passerby_server::{MemoryStore, Sessions, store::{KeyKind, SessionStore as _}};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = MemoryStore::new();
/// // The first start makes one of each.
/// Sessions::builder().api_domain("http://localhost:3000").store(store.clone()).build().await?;
/// let keys = store.keys().await?;
/// for kind in [KeyKind::Dynamic, KeyKind::Static, KeyKind::Refresh] {
///     assert_eq!(keys.iter().filter(|key| key.kind == kind).count(), 1);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum KeyKind {
    /// Signs access tokens; rotates.
    Dynamic,
    /// Signs anonymous tokens; replaced by hand only.
    Static,
    /// Encrypts refresh tokens.
    Refresh,
}

/// One key. Keys are never deleted: the anonymousId of a long expired token must stay readable.
///
/// ```
/// use passerby_server::store::{KeyKind, KeyRecord, SessionStore as _};
/// # use passerby_server::MemoryStore;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = MemoryStore::new();
/// let key = KeyRecord::new("s-1", KeyKind::Static, 1_000, "…");
/// store.add_key_unless_newer(&key, 500).await?;
/// // Another process had the same idea, and is too late.
/// let second = KeyRecord::new("s-2", KeyKind::Static, 1_000, "…");
/// store.add_key_unless_newer(&second, 500).await?;
/// assert_eq!(store.keys().await?, [key]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct KeyRecord {
    /// The `kid`.
    pub id: String,
    /// Its use.
    pub kind: KeyKind,
    /// Epoch milliseconds.
    pub created_at: u64,
    /// PKCS#8 PEM of an RSA or P-256 key, or base64 of a symmetric key.
    pub secret: String,
}

impl KeyRecord {
    /// A key. The time in epoch milliseconds.
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        kind: KeyKind,
        created_at: u64,
        secret: impl Into<String>,
    ) -> Self {
        Self { id: id.into(), kind, created_at, secret: secret.into() }
    }

    /// A key that was created after this time (epoch milliseconds) does not keep this one from
    /// being added: it is dated in the future, and nobody can wait for it.
    #[must_use]
    pub fn rivals_until(&self) -> u64 {
        self.created_at.saturating_add(CLOCK_TOLERANCE_MS)
    }
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord")
            .field("kind", &self.kind)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

/// The order for [`SessionStore::update`] after the decision about the record.
///
/// ```
/// use passerby_server::store::{SessionRecord, SessionStore as _, Write};
/// # use passerby_server::MemoryStore;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = MemoryStore::new();
/// # let (handle, visitor) =
/// #     ("5a0c2f5e-1111-4222-8333-944445555666", "0c2f5e5a-1111-4222-8333-944445555666");
/// # let session = SessionRecord::new(handle, "alice", visitor, "…", 1_000, 2_000);
/// # store.create(&session).await?;
/// let mut end_if_old = |session: &mut SessionRecord| {
///     if session.created_at < 5_000 { Write::Remove } else { Write::Keep }
/// };
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

/// The function that [`SessionStore::update`] calls with the record it read, and with a newer one
/// where somebody else wrote meanwhile. The last call counts.
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
/// # let (handle, visitor) =
/// #     ("5a0c2f5e-1111-4222-8333-944445555666", "0c2f5e5a-1111-4222-8333-944445555666");
/// # let session = SessionRecord::new(handle, "alice", visitor, "…", 1_000, 2_000);
/// # let mut stored = Some(session);
/// update(&mut stored, &mut |session| {
///     session.expires_at += 500;
///     Write::Save
/// });
/// assert_eq!(stored.expect("it was saved").expires_at, 2_500);
/// ```
pub type Decide<'a> = &'a mut (dyn for<'record> FnMut(&'record mut SessionRecord) -> Write + Send);

/// One database for several apps, whose sessions and keys are apart: no app sees, or verifies,
/// anything of another.
///
/// ```
/// use passerby_server::{
///     MemoryStore,
///     store::{AppStores as _, SessionStore as _},
/// };
/// # use passerby_server::store::SessionRecord;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (handle, visitor) =
/// #     ("5a0c2f5e-1111-4222-8333-944445555666", "0c2f5e5a-1111-4222-8333-944445555666");
/// # let session = SessionRecord::new(handle, "alice", visitor, "…", 1_000, 2_000);
/// let database = MemoryStore::new();
/// let (shop, forum) = (database.for_app("shop"), database.for_app("forum"));
/// shop.create(&session).await?;
/// assert_eq!(forum.load(&session.handle).await?, None);
/// assert_eq!(shop.load(&session.handle).await?, Some(session));
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait AppStores: fmt::Debug + Send + Sync + 'static {
    /// The store of one app. [`DEFAULT_APP`] is the one that a store is when it is opened.
    fn for_app(&self, app_id: &str) -> Arc<dyn SessionStore>;

    /// The settings of one app, `None` when it has none of its own.
    async fn settings(&self, app_id: &str) -> Result<Option<AppSettings>, StoreError>;

    /// Keeps settings of one app, in place of those that it had.
    async fn set_settings(&self, app_id: &str, settings: &AppSettings) -> Result<(), StoreError>;
}

/// The settings of one app that differ from those of its session core. `None` is the core's own.
///
/// ```
/// use passerby_server::{
///     MemoryStore,
///     store::{AppSettings, AppStores as _},
/// };
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let database = MemoryStore::new();
/// assert_eq!(database.settings("shop").await?, None);
/// let mut settings = AppSettings::default();
/// settings.access_token_validity_ms = Some(60_000);
/// database.set_settings("shop", &settings).await?;
/// assert_eq!(database.settings("shop").await?, Some(settings));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AppSettings {
    /// How long an access token is valid, in milliseconds.
    #[serde(default)]
    pub access_token_validity_ms: Option<u64>,
    /// How long a session lives without being used, in milliseconds.
    #[serde(default)]
    pub refresh_token_validity_ms: Option<u64>,
    /// How long a dynamic key signs, in milliseconds.
    #[serde(default)]
    pub key_rotation_ms: Option<u64>,
}

/// Where sessions and keys are kept. Every method is one transaction; all of them are safe to call
/// at the same time from any number of tasks and processes. A time that is later than [`i64::MAX`]
/// may be kept as that.
///
/// A store of your own implements this trait (with `#[async_trait]`), and passes [the conformance
/// suite](conformance) of the cargo feature `store-conformance`.
///
/// ```
/// use passerby_server::{
///     MemoryStore,
///     store::{AppStores as _, SessionRecord, SessionStore, StoreError, Write},
/// };
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// let (handle, visitor) =
///     ("5a0c2f5e-1111-4222-8333-944445555666", "0c2f5e5a-1111-4222-8333-944445555666");
/// let session = SessionRecord::new(handle, "alice", visitor, "…", 1_000, 2_000);
/// store.create(&session).await?;
/// assert!(
///     matches!(store.create(&session).await, Err(StoreError::HandleTaken)),
///     "`create` is not `save`"
/// );
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

    /// Reads a session, lets `decide` change it, and does what `decide` answers, with nobody else
    /// writing in between. Returns the record as `decide` left it, `None` when there is none.
    /// `handle` and `user_id` never change.
    async fn update(
        &self,
        handle: &str,
        decide: Decide<'_>,
    ) -> Result<Option<SessionRecord>, StoreError>;

    /// Removes a session; `false` when there was none.
    async fn remove(&self, handle: &str) -> Result<bool, StoreError>;

    /// Removes these sessions in one transaction, and returns the handles of those that there were.
    async fn remove_all(&self, handles: &[String]) -> Result<Vec<String>, StoreError>;

    /// Removes all sessions of a user and returns their handles.
    async fn remove_all_of_user(&self, user_id: &str) -> Result<Vec<String>, StoreError>;

    /// The handles of a user's sessions that expire after `now` (epoch milliseconds), oldest first.
    async fn handles_of_user(&self, user_id: &str, now: u64) -> Result<Vec<String>, StoreError>;

    /// Removes at most `limit` sessions that expired at or before `now` (epoch milliseconds), and
    /// says how many; and hashes of forgotten ids whose time has passed. Does nothing while another
    /// process is at it.
    async fn remove_expired(&self, now: u64, limit: u32) -> Result<u64, StoreError>;

    /// Writes something, so that whoever asks learns whether sessions can be kept. `now` in epoch
    /// milliseconds.
    ///
    /// # Errors
    /// When nothing can be written, or what is written would be lost.
    async fn check_writable(&self, now: u64) -> Result<(), StoreError>;

    /// Remembers the hash of an anonymousId that is not to be used again, until this time (epoch
    /// milliseconds), or the later of two.
    async fn remember_forgotten(&self, id_hash: &str, until: u64) -> Result<(), StoreError>;

    /// Whether it is remembered. A time that has passed may count or not.
    async fn is_forgotten(&self, id_hash: &str) -> Result<bool, StoreError>;

    /// All keys, oldest first.
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError>;

    /// Adds a key unless there is one of its kind that was created between `fresh_since` (epoch
    /// milliseconds) and [`KeyRecord::rivals_until`], so that of several processes that notice the
    /// need for a new key at the same time only one succeeds. A key with the same id is left as it
    /// is.
    async fn add_key_unless_newer(
        &self,
        key: &KeyRecord,
        fresh_since: u64,
    ) -> Result<(), StoreError>;
}
