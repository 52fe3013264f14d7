//! The embedded store: one SQLite file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use sqlx::{
    SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::time::sleep;

use super::{
    AppSettings, AppStores, BoxError, DEFAULT_APP, Decide, KeyRecord, SessionRecord, SessionStore,
    StoreError, Write,
    sql::{
        OrStoreError as _, Seen, formers_text, handles_from, key_from, kind_text, object_text,
        session_from, settings_from, settings_text, time_to,
    },
};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a writer waits for a writer in another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const BUSY_PAUSE: Duration = Duration::from_millis(20);
const SQLITE_BUSY: &str = "5";
const READERS: u32 = 4;

const SELECT_SESSION: &str = "SELECT handle, user_id, anonymous_id, refresh_hash2, created_at, \
    expires_at, payload, data, former_tokens FROM sessions WHERE handle = ? AND app_id = ?";

/// The rest of a statement that writes only over what was read.
macro_rules! unchanged {
    ($statement:literal) => {
        concat!(
            $statement,
            " WHERE handle = ?1 AND app_id = ?2 AND anonymous_id = ?3 AND refresh_hash2 = ?4 AND \
             expires_at = ?5 AND payload = ?6 AND data = ?7 AND former_tokens = ?8"
        )
    };
}

/// One statement is half the work of a transaction, and few sessions are changed twice at once.
const UPDATE_UNCHANGED: &str = unchanged!(
    "UPDATE sessions SET anonymous_id = ?9, refresh_hash2 = ?10, expires_at = ?11, payload = ?12, \
     data = ?13, former_tokens = ?14"
);
const DELETE_UNCHANGED: &str = unchanged!("DELETE FROM sessions");

/// Sessions and keys in one SQLite file (with its `-wal` and `-shm` beside it), in WAL mode.
///
/// ```
/// use passerby_server::{SqliteStore, store::StoreError};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("sessions.db");
/// let store = SqliteStore::open(&file).await?;
/// // After the server has stopped:
/// store.close().await;
///
/// let error = SqliteStore::open(folder.path().join("no-such-folder").join("sessions.db"))
///     .await
///     .unwrap_err();
/// assert!(matches!(error, StoreError::NotWritable { .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteStore {
    // SQLite has one writer at a time. Waiting for it in a queue of ours is fair; waiting in SQLite
    // is polling.
    writer: SqlitePool,
    readers: SqlitePool,
    file: Arc<OpenFile>,
    app_id: Arc<str>,
}

/// The file that is open, and where it lay when it was opened.
#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    identity: Option<FileIdentity>,
}

impl OpenFile {
    fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: identity_of(path) }
    }

    /// Whether the file at this place is still the one that is open.
    fn is_in_place(&self) -> bool {
        self.identity.is_none() || identity_of(&self.path) == self.identity
    }
}

/// Device and number, where files have such.
type FileIdentity = (u64, u64);

#[cfg(unix)]
fn identity_of(path: &Path) -> Option<FileIdentity> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity_of(_: &Path) -> Option<FileIdentity> {
    None
}

impl SqliteStore {
    /// Opens the file, creates it when it is missing, and brings its layout up to date.
    ///
    /// # Errors
    /// [`StoreError::NotWritable`] when the file or its folder cannot be written,
    /// [`StoreError::Migration`] when the file comes from a newer version.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let not_writable =
            |source: BoxError| StoreError::NotWritable { path: path.display().to_string(), source };
        create_private(path).map_err(|error| not_writable(error.into()))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = connect_writer(&options).await.map_err(|error| not_writable(error.into()))?;
        // A file that cannot be written opens without an error, which comes with the first write.
        // The migrator has no lock for SQLite, so this transaction is one: several processes may
        // open a new file at the same time.
        let mut transaction = writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|error| not_writable(error.into()))?;
        MIGRATIONS.run(&mut *transaction).await.or_store_error()?;
        transaction.commit().await.map_err(|error| not_writable(error.into()))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            // The file is not a server, which may have closed the connection.
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .or_store_error()?;
        Ok(Self { writer, readers, file: Arc::new(OpenFile::at(path)), app_id: DEFAULT_APP.into() })
    }

    /// Closes the file after what is under way has finished. Calls of the store after
    /// that fail.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn create(&self, session: &SessionRecord) -> Result<(), StoreError> {
        let inserted = sqlx::query(
            "INSERT INTO sessions (handle, user_id, anonymous_id, refresh_hash2, created_at, \
             expires_at, payload, data, former_tokens, app_id) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&session.handle)
        .bind(&session.user_id)
        .bind(&session.anonymous_id)
        .bind(&session.refresh_hash2)
        .bind(time_to(session.created_at))
        .bind(time_to(session.expires_at))
        .bind(object_text(&session.payload)?)
        .bind(object_text(&session.data)?)
        .bind(formers_text(&session.former_tokens)?)
        .bind(&*self.app_id)
        .execute(&self.writer)
        .await
        .or_store_error()?;
        if inserted.rows_affected() == 1 { Ok(()) } else { Err(StoreError::HandleTaken) }
    }

    async fn load(&self, handle: &str) -> Result<Option<SessionRecord>, StoreError> {
        let row = sqlx::query(SELECT_SESSION)
            .bind(handle)
            .bind(&*self.app_id)
            .fetch_optional(&self.readers)
            .await
            .or_store_error()?;
        row.as_ref().map(session_from).transpose()
    }

    async fn update(
        &self,
        handle: &str,
        decide: Decide<'_>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        // Nothing matches where somebody else wrote meanwhile. Of all who try at once one succeeds,
        // so this ends.
        loop {
            let row = sqlx::query(SELECT_SESSION)
                .bind(handle)
                .bind(&*self.app_id)
                .fetch_optional(&self.readers)
                .await
                .or_store_error()?;
            let Some(row) = row else { return Ok(None) };
            let (seen, mut session) = (Seen::of(&row)?, session_from(&row)?);
            let order = decide(&mut session);
            let query = sqlx::query(match order {
                Write::Keep => return Ok(Some(session)),
                Write::Save => UPDATE_UNCHANGED,
                Write::Remove => DELETE_UNCHANGED,
            });
            let mut query = query
                .bind(handle)
                .bind(&*self.app_id)
                .bind(seen.anonymous_id)
                .bind(seen.refresh_hash2)
                .bind(seen.expires_at)
                .bind(seen.payload)
                .bind(seen.data)
                .bind(seen.former_tokens);
            if order == Write::Save {
                query = query
                    .bind(&session.anonymous_id)
                    .bind(&session.refresh_hash2)
                    .bind(time_to(session.expires_at))
                    .bind(object_text(&session.payload)?)
                    .bind(object_text(&session.data)?)
                    .bind(formers_text(&session.former_tokens)?);
            }
            if query.execute(&self.writer).await.or_store_error()?.rows_affected() == 1 {
                return Ok(Some(session));
            }
        }
    }

    async fn remove(&self, handle: &str) -> Result<bool, StoreError> {
        let removed = sqlx::query("DELETE FROM sessions WHERE handle = ? AND app_id = ?")
            .bind(handle)
            .bind(&*self.app_id)
            .execute(&self.writer)
            .await
            .or_store_error()?;
        Ok(removed.rows_affected() > 0)
    }

    async fn remove_all(&self, handles: &[String]) -> Result<Vec<String>, StoreError> {
        let list = serde_json::to_string(handles)
            .map_err(|error| StoreError::damaged_by("handles cannot be written as JSON", error))?;
        let rows = sqlx::query(
            "DELETE FROM sessions WHERE handle IN (SELECT value FROM json_each(?)) AND app_id = ? \
             RETURNING handle",
        )
        .bind(list)
        .bind(&*self.app_id)
        .fetch_all(&self.writer)
        .await
        .or_store_error()?;
        handles_from(&rows)
    }

    async fn remove_all_of_user(&self, user_id: &str) -> Result<Vec<String>, StoreError> {
        let rows =
            sqlx::query("DELETE FROM sessions WHERE user_id = ? AND app_id = ? RETURNING handle")
                .bind(user_id)
                .bind(&*self.app_id)
                .fetch_all(&self.writer)
                .await
                .or_store_error()?;
        handles_from(&rows)
    }

    async fn handles_of_user(&self, user_id: &str, now: u64) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT handle FROM sessions WHERE user_id = ? AND expires_at > ? AND app_id = ? ORDER \
             BY created_at, handle",
        )
        .bind(user_id)
        .bind(time_to(now))
        .bind(&*self.app_id)
        .fetch_all(&self.readers)
        .await
        .or_store_error()?;
        handles_from(&rows)
    }

    async fn remove_expired(&self, now: u64, limit: u32) -> Result<u64, StoreError> {
        let removed = sqlx::query(
            "DELETE FROM sessions WHERE handle IN (SELECT handle FROM sessions WHERE \
                expires_at <= ? LIMIT ?)",
        )
        .bind(time_to(now))
        .bind(limit)
        .execute(&self.writer)
        .await
        .or_store_error()?;
        sqlx::query("DELETE FROM forgotten_ids WHERE expires_at <= ?")
            .bind(time_to(now))
            .execute(&self.writer)
            .await
            .or_store_error()?;
        Ok(removed.rows_affected())
    }

    async fn check_writable(&self, now: u64) -> Result<(), StoreError> {
        if !self.file.is_in_place() {
            return Err(StoreError::Replaced { path: self.file.path.display().to_string() });
        }
        sqlx::query(
            "INSERT INTO checks (id, checked_at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET \
             checked_at = excluded.checked_at",
        )
        .bind(time_to(now))
        .execute(&self.writer)
        .await
        .or_store_error()?;
        Ok(())
    }

    async fn remember_forgotten(&self, id_hash: &str, until: u64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO forgotten_ids (id_hash, app_id, expires_at) VALUES (?, ?, ?) ON CONFLICT \
             (id_hash, app_id) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)",
        )
        .bind(id_hash)
        .bind(&*self.app_id)
        .bind(time_to(until))
        .execute(&self.writer)
        .await
        .or_store_error()?;
        Ok(())
    }

    async fn is_forgotten(&self, id_hash: &str) -> Result<bool, StoreError> {
        let found = sqlx::query("SELECT 1 FROM forgotten_ids WHERE id_hash = ? AND app_id = ?")
            .bind(id_hash)
            .bind(&*self.app_id)
            .fetch_optional(&self.readers)
            .await
            .or_store_error()?;
        Ok(found.is_some())
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, kind, created_at, secret FROM keys WHERE app_id = ? \
            ORDER BY created_at, id",
        )
        .bind(&*self.app_id)
        .fetch_all(&self.readers)
        .await
        .or_store_error()?;
        rows.iter().map(key_from).collect()
    }

    async fn add_key_unless_newer(
        &self,
        key: &KeyRecord,
        fresh_since: u64,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO keys (id, kind, created_at, secret, app_id) SELECT ?1, ?2, ?3, ?4, ?7 \
             WHERE NOT EXISTS \
             (SELECT 1 FROM keys WHERE kind = ?2 AND created_at BETWEEN ?5 AND ?6 AND app_id = ?7) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&key.id)
        .bind(kind_text(key.kind))
        .bind(time_to(key.created_at))
        .bind(&key.secret)
        .bind(time_to(fresh_since))
        .bind(time_to(key.rivals_until()))
        .bind(&*self.app_id)
        .execute(&self.writer)
        .await
        .or_store_error()?;
        Ok(())
    }
}

#[async_trait]
impl AppStores for SqliteStore {
    fn for_app(&self, app_id: &str) -> Arc<dyn SessionStore> {
        Arc::new(Self { app_id: app_id.into(), ..self.clone() })
    }

    async fn settings(&self, app_id: &str) -> Result<Option<AppSettings>, StoreError> {
        let row = sqlx::query("SELECT settings FROM apps WHERE id = ?")
            .bind(app_id)
            .fetch_optional(&self.readers)
            .await
            .or_store_error()?;
        row.as_ref().map(settings_from).transpose()
    }

    async fn set_settings(&self, app_id: &str, settings: &AppSettings) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO apps (id, settings) VALUES (?, ?) \
             ON CONFLICT (id) DO UPDATE SET settings = excluded.settings",
        )
        .bind(app_id)
        .bind(settings_text(settings)?)
        .execute(&self.writer)
        .await
        .or_store_error()?;
        Ok(())
    }
}

/// Switching a new file to WAL fails at once, instead of waiting, while another process is doing
/// it.
async fn connect_writer(options: &SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let give_up = Instant::now() + BUSY_TIMEOUT;
    loop {
        let connected = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await;
        match connected {
            Err(error) if is_busy(&error) && Instant::now() < give_up => sleep(BUSY_PAUSE).await,
            done => return done,
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == SQLITE_BUSY)
}

/// Makes the file for this process's user only, because it holds private keys. SQLite gives `-wal`
/// and `-shm` the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
