//! The store for several processes: a PostgreSQL database.

use std::{str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{
    AppSettings, AppStores, DEFAULT_APP, Decide, KeyRecord, SessionRecord, SessionStore,
    StoreError, Write,
    sql::{
        OrStoreError as _, Seen, formers_text, handles_from, key_from, kind_text, object_text,
        session_from, settings_from, settings_text, time_to,
    },
};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");
/// Apart from the app's own tables and migrations, which may lie in the same database.
const SCHEMA: &str = "passerby";
const MIGRATIONS_TABLE: &str = "passerby.migrations";

const MAX_CONNECTIONS: u32 = 10;
/// How long a request waits for a connection before it is answered 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// The settings of each connection. No statement here takes long; one that does has met a lock
/// whose holder is out of reach.
const SERVER_SETTINGS: [(&str, &str); 3] = [
    ("lock_timeout", "5s"),
    ("statement_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "10s"),
];

/// Names of advisory locks; any numbers that nobody else uses in this database.
const KEYS_LOCK: i64 = 0x7061_7373_6b65_7973;
const PRUNE_LOCK: i64 = 0x7061_7373_7072_756e;

const SELECT_SESSION: &str = "SELECT handle, user_id, anonymous_id, refresh_hash2, created_at, \
    expires_at, payload, data, former_tokens \
                              FROM passerby.sessions WHERE handle = $1 AND app_id = $2";

/// The rest of a statement that writes only over what was read.
macro_rules! unchanged {
    ($statement:literal) => {
        concat!(
            $statement,
            " WHERE handle = $1 AND app_id = $2 AND anonymous_id = $3 AND refresh_hash2 = $4 AND \
             expires_at = $5 AND payload = $6 AND data = $7 AND former_tokens = $8"
        )
    };
}

/// One statement is half the work of a transaction, and few sessions are changed twice at once.
const UPDATE_UNCHANGED: &str = unchanged!(
    "UPDATE passerby.sessions SET anonymous_id = $9, refresh_hash2 = $10, expires_at = $11, \
     payload = $12, data = $13, former_tokens = $14"
);
const DELETE_UNCHANGED: &str = unchanged!("DELETE FROM passerby.sessions");

/// Sessions and keys in the schema `passerby` of a PostgreSQL database (12 or newer), for any
/// number of processes.
///
/// ```no_run
/// use passerby_server::{PostgresStore, Sessions};
/// use std::time::Duration;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::connect("postgres://passerby:secret@db.internal/sessions").await?;
/// let sessions =
///     Sessions::builder().api_domain("https://api.example.com").store(store).build().await?;
/// // In every process; one at a time does the work.
/// sessions.prune_every(Duration::from_secs(300));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pool: PgPool,
    app_id: Arc<str>,
}

impl PostgresStore {
    /// Connects to `postgres://user:password@host/database` (all of libpq's parameters are
    /// understood, and the `PG…` variables fill in what is missing), makes the schema when it is
    /// missing, and brings it up to date. At most 10 connections; a request waits 5 seconds for
    /// one. The user must own the database or have the right to create schemas in it.
    ///
    /// Connections are encrypted when the app enables one of `sqlx`'s `tls-…` features.
    ///
    /// # Errors
    /// [`StoreError::BadAddress`] when it is not a valid address, [`StoreError::Unreachable`] when
    /// nobody answers there, [`StoreError::Protocol`] when another kind of server does,
    /// [`StoreError::Migration`] when the schema comes from a newer version.
    pub async fn connect(address: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(address)
            .map_err(|error| StoreError::BadAddress(error.into()))?
            .options(SERVER_SETTINGS);
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_release(|connection, _| Box::pin(is_reusable(connection)))
            .connect_lazy_with(options);
        Self::with_pool(pool).await
    }

    async fn lease(&self) -> Result<Lease, StoreError> {
        Ok(Lease { connection: self.pool.acquire().await.or_store_error()?, is_over: false })
    }

    /// Uses a pool that the app set up, and may use itself. Set its `acquire_timeout` to a few
    /// seconds: `sqlx`'s default has visitors wait half a minute while the database is away.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`].
    pub async fn with_pool(pool: PgPool) -> Result<Self, StoreError> {
        // The migrator's first step would hide why nobody answers.
        drop(pool.acquire().await.or_store_error()?);
        let mut migrations = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
        migrations.create_schema(SCHEMA);
        migrations.dangerous_set_table_name(MIGRATIONS_TABLE);
        migrations.run(&pool).await.or_store_error()?;
        Ok(Self { pool, app_id: DEFAULT_APP.into() })
    }

    /// Closes the connections after what is under way has finished. Calls of the store after
    /// that fail.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Removes some of the sessions whose time is over, unless another process does so.
async fn remove_expired(
    connection: &mut PgConnection,
    now: u64,
    limit: u32,
) -> Result<u64, StoreError> {
    let mut transaction = connection.begin().await.or_store_error()?;
    let ours: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)")
        .bind(PRUNE_LOCK)
        .fetch_one(&mut *transaction)
        .await
        .or_store_error()?;
    if !ours {
        return Ok(0);
    }
    // A locked session is being ended or renewed by the one who locked it.
    let removed = sqlx::query(
        "DELETE FROM passerby.sessions WHERE handle IN \
         (SELECT handle FROM passerby.sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 \
         FOR UPDATE SKIP LOCKED)",
    )
    .bind(time_to(now))
    .bind(i64::from(limit))
    .execute(&mut *transaction)
    .await
    .or_store_error()?;
    sqlx::query("DELETE FROM passerby.forgotten_ids WHERE expires_at <= $1")
        .bind(time_to(now))
        .execute(&mut *transaction)
        .await
        .or_store_error()?;
    transaction.commit().await.or_store_error()?;
    Ok(removed.rows_affected())
}

/// Adds a key, unless another process did so meanwhile.
async fn add_key_unless_newer(
    connection: &mut PgConnection,
    key: &KeyRecord,
    fresh_since: u64,
    app_id: &str,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await.or_store_error()?;
    // Two who insert at once would not see each other's row.
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(KEYS_LOCK)
        .execute(&mut *transaction)
        .await
        .or_store_error()?;
    sqlx::query(
        "INSERT INTO passerby.keys (id, kind, created_at, secret, app_id) SELECT $1, $2, $3, $4, \
         $7 WHERE NOT EXISTS \
         (SELECT 1 FROM passerby.keys WHERE kind = $2 AND created_at BETWEEN $5 AND $6 AND app_id \
         = $7) ON CONFLICT DO NOTHING",
    )
    .bind(&key.id)
    .bind(kind_text(key.kind))
    .bind(time_to(key.created_at))
    .bind(&key.secret)
    .bind(time_to(fresh_since))
    .bind(time_to(key.rivals_until()))
    .bind(app_id)
    .execute(&mut *transaction)
    .await
    .or_store_error()?;
    transaction.commit().await.or_store_error()
}

/// Whether a connection may go back into its pool: only when no transaction is open on it.
async fn is_reusable(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // A rollback may be under way; this waits for it.
    connection.ping().await?;
    let reusable = !connection.is_in_transaction();
    if !reusable {
        tracing::warn!("a transaction could not be ended; its connection is closed");
    }
    Ok(reusable)
}

/// A connection for one transaction, which is closed unless it is given back. A client that hangs
/// up ends the request anywhere, also in the middle of `BEGIN`. Then a transaction is open that the
/// client library does not know of. The next statements on that connection would be a part of
/// it, and go with its `ROLLBACK`.
struct Lease {
    connection: PoolConnection<Postgres>,
    is_over: bool,
}

impl Lease {
    /// The transaction has ended, well or not.
    fn give_back(mut self) {
        self.is_over = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.is_over {
            self.connection.close_on_drop();
        }
    }
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn create(&self, session: &SessionRecord) -> Result<(), StoreError> {
        let inserted = sqlx::query(
            "INSERT INTO passerby.sessions (handle, user_id, anonymous_id, refresh_hash2, \
             created_at, expires_at, payload, data, former_tokens, app_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
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
        .execute(&self.pool)
        .await
        .or_store_error()?;
        if inserted.rows_affected() == 1 { Ok(()) } else { Err(StoreError::HandleTaken) }
    }

    async fn load(&self, handle: &str) -> Result<Option<SessionRecord>, StoreError> {
        if unstorable(handle) {
            return Ok(None);
        }
        let row = sqlx::query(SELECT_SESSION)
            .bind(handle)
            .bind(&*self.app_id)
            .fetch_optional(&self.pool)
            .await
            .or_store_error()?;
        row.as_ref().map(session_from).transpose()
    }

    async fn update(
        &self,
        handle: &str,
        decide: Decide<'_>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        if unstorable(handle) {
            return Ok(None);
        }
        // Nothing matches where somebody else wrote meanwhile. Of all who try at once one succeeds,
        // so this ends.
        loop {
            let row = sqlx::query(SELECT_SESSION)
                .bind(handle)
                .bind(&*self.app_id)
                .fetch_optional(&self.pool)
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
            if query.execute(&self.pool).await.or_store_error()?.rows_affected() == 1 {
                return Ok(Some(session));
            }
        }
    }

    async fn remove(&self, handle: &str) -> Result<bool, StoreError> {
        if unstorable(handle) {
            return Ok(false);
        }
        let removed =
            sqlx::query("DELETE FROM passerby.sessions WHERE handle = $1 AND app_id = $2")
                .bind(handle)
                .bind(&*self.app_id)
                .execute(&self.pool)
                .await
                .or_store_error()?;
        Ok(removed.rows_affected() > 0)
    }

    async fn remove_all(&self, handles: &[String]) -> Result<Vec<String>, StoreError> {
        let storable: Vec<&String> = handles.iter().filter(|handle| !unstorable(handle)).collect();
        let rows = sqlx::query(
            "DELETE FROM passerby.sessions WHERE handle = ANY($1) AND app_id = $2 RETURNING handle",
        )
        .bind(storable)
        .bind(&*self.app_id)
        .fetch_all(&self.pool)
        .await
        .or_store_error()?;
        handles_from(&rows)
    }

    async fn remove_all_of_user(&self, user_id: &str) -> Result<Vec<String>, StoreError> {
        if unstorable(user_id) {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "DELETE FROM passerby.sessions WHERE user_id = $1 AND app_id = $2 RETURNING handle",
        )
        .bind(user_id)
        .bind(&*self.app_id)
        .fetch_all(&self.pool)
        .await
        .or_store_error()?;
        handles_from(&rows)
    }

    async fn handles_of_user(&self, user_id: &str, now: u64) -> Result<Vec<String>, StoreError> {
        if unstorable(user_id) {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "SELECT handle FROM passerby.sessions WHERE user_id = $1 AND expires_at > $2 AND \
             app_id = $3 \
             ORDER BY created_at, handle",
        )
        .bind(user_id)
        .bind(time_to(now))
        .bind(&*self.app_id)
        .fetch_all(&self.pool)
        .await
        .or_store_error()?;
        handles_from(&rows)
    }

    async fn remove_expired(&self, now: u64, limit: u32) -> Result<u64, StoreError> {
        let mut lease = self.lease().await?;
        let result = remove_expired(&mut lease.connection, now, limit).await;
        lease.give_back();
        result
    }

    async fn check_writable(&self, now: u64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO passerby.checks (id, checked_at) VALUES (1, $1) ON CONFLICT (id) DO \
             UPDATE SET checked_at = EXCLUDED.checked_at",
        )
        .bind(time_to(now))
        .execute(&self.pool)
        .await
        .or_store_error()?;
        Ok(())
    }

    async fn remember_forgotten(&self, id_hash: &str, until: u64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO passerby.forgotten_ids AS known (id_hash, app_id, expires_at) \
             VALUES ($1, $2, $3) ON CONFLICT (id_hash, app_id) \
             DO UPDATE SET expires_at = greatest(known.expires_at, EXCLUDED.expires_at)",
        )
        .bind(id_hash)
        .bind(&*self.app_id)
        .bind(time_to(until))
        .execute(&self.pool)
        .await
        .or_store_error()?;
        Ok(())
    }

    async fn is_forgotten(&self, id_hash: &str) -> Result<bool, StoreError> {
        let found =
            sqlx::query("SELECT 1 FROM passerby.forgotten_ids WHERE id_hash = $1 AND app_id = $2")
                .bind(id_hash)
                .bind(&*self.app_id)
                .fetch_optional(&self.pool)
                .await
                .or_store_error()?;
        Ok(found.is_some())
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, kind, created_at, secret FROM passerby.keys WHERE app_id = $1 \
                ORDER BY created_at, id",
        )
        .bind(&*self.app_id)
        .fetch_all(&self.pool)
        .await
        .or_store_error()?;
        rows.iter().map(key_from).collect()
    }

    async fn add_key_unless_newer(
        &self,
        key: &KeyRecord,
        fresh_since: u64,
    ) -> Result<(), StoreError> {
        let mut lease = self.lease().await?;
        let result =
            add_key_unless_newer(&mut lease.connection, key, fresh_since, &self.app_id).await;
        lease.give_back();
        result
    }
}

#[async_trait]
impl AppStores for PostgresStore {
    fn for_app(&self, app_id: &str) -> Arc<dyn SessionStore> {
        Arc::new(Self { app_id: app_id.into(), ..self.clone() })
    }

    async fn settings(&self, app_id: &str) -> Result<Option<AppSettings>, StoreError> {
        let row = sqlx::query("SELECT settings FROM passerby.apps WHERE id = $1")
            .bind(app_id)
            .fetch_optional(&self.pool)
            .await
            .or_store_error()?;
        row.as_ref().map(settings_from).transpose()
    }

    async fn set_settings(&self, app_id: &str, settings: &AppSettings) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO passerby.apps (id, settings) VALUES ($1, $2) \
             ON CONFLICT (id) DO UPDATE SET settings = EXCLUDED.settings",
        )
        .bind(app_id)
        .bind(settings_text(settings)?)
        .execute(&self.pool)
        .await
        .or_store_error()?;
        Ok(())
    }
}

/// PostgreSQL keeps no U+0000 in texts, so there is no row to look for.
fn unstorable(text: &str) -> bool {
    text.contains('\0')
}
