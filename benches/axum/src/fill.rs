//! Many sessions at once, for what one costs beside them.

use std::error::Error;

use sqlx::{Connection as _, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};

/// Expire on different days of the months to come.
const SQLITE: &str = "
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
INSERT INTO sessions
       (handle, user_id, anonymous_id, refresh_hash2, created_at, expires_at, payload, data)
SELECT lower(hex(randomblob(16))), 'somebody' || n, lower(hex(randomblob(16))),
       hex(randomblob(32)), unixepoch() * 1000,
       (unixepoch() + 86400 * (1 + n % 100)) * 1000, '{}', '{}'
FROM numbers";

const POSTGRES: &str = "
INSERT INTO passerby.sessions
       (handle, user_id, anonymous_id, refresh_hash2, created_at, expires_at, payload, data)
SELECT gen_random_uuid()::text, 'somebody' || n, gen_random_uuid()::text,
       md5(random()::text) || md5(random()::text), (extract(epoch FROM now()) * 1000)::bigint,
       ((extract(epoch FROM now()) + 86400 * (1 + n % 100)) * 1000)::bigint, '{}', '{}'
FROM generate_series(1, $1) AS numbers(n)";

pub(crate) fn is_postgres(database: &str) -> bool {
    database.starts_with("postgres://") || database.starts_with("postgresql://")
}

/// Adds sessions of other users to a database that a server has opened before. The number of
/// sessions in it afterwards.
pub(crate) async fn fill(database: &str, sessions: u64) -> Result<i64, Box<dyn Error>> {
    let count = i64::try_from(sessions)?;
    if is_postgres(database) {
        let mut connection = PgConnection::connect(database).await?;
        sqlx::query(POSTGRES).bind(count).execute(&mut connection).await?;
        sqlx::query("ANALYZE passerby.sessions").execute(&mut connection).await?;
        Ok(sqlx::query_scalar("SELECT count(*) FROM passerby.sessions")
            .fetch_one(&mut connection)
            .await?)
    } else {
        let mut connection =
            SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(database)).await?;
        sqlx::query(SQLITE).bind(count).execute(&mut connection).await?;
        Ok(sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(&mut connection).await?)
    }
}
