//! Code that the SQL stores share: how times, payloads and kinds of key stand in columns.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sqlx::{ColumnIndex, Decode, Row, Type, migrate::MigrateError};

use super::{AppSettings, FormerToken, KeyKind, KeyRecord, SessionRecord, StoreError};

/// The client library's errors as ours, whose type says nothing of the library.
pub(super) trait OrStoreError<T> {
    fn or_store_error(self) -> Result<T, StoreError>;
}

impl<T> OrStoreError<T> for Result<T, sqlx::Error> {
    fn or_store_error(self) -> Result<T, StoreError> {
        self.map_err(database_error)
    }
}

impl<T> OrStoreError<T> for Result<T, MigrateError> {
    fn or_store_error(self) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::Migration(error.into()))
    }
}

fn database_error(error: sqlx::Error) -> StoreError {
    use sqlx::Error;
    let unreachable = match &error {
        Error::Protocol(_) => return StoreError::Protocol(error.into()),
        Error::Io(_)
        | Error::Tls(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed => true,
        // Classes of SQLSTATE: connection, authorisation, no such database, resources, operator
        // intervention.
        Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "28", "3D", "53", "57P"]
                .iter()
                .any(|class| code.len() == 5 && code.starts_with(class))
        }),
        _ => false,
    };
    if unreachable {
        StoreError::Unreachable(error.into())
    } else {
        StoreError::Database(error.into())
    }
}

/// A session as its row has it, in any database.
pub(super) fn session_from<'r, R>(row: &'r R) -> Result<SessionRecord, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    &'r str: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(SessionRecord {
        handle: row.try_get("handle").or_store_error()?,
        user_id: row.try_get("user_id").or_store_error()?,
        anonymous_id: row.try_get("anonymous_id").or_store_error()?,
        refresh_hash2: row.try_get("refresh_hash2").or_store_error()?,
        created_at: time_from(row.try_get("created_at").or_store_error()?)?,
        expires_at: time_from(row.try_get("expires_at").or_store_error()?)?,
        payload: json_from(row.try_get("payload").or_store_error()?)?,
        data: json_from(row.try_get("data").or_store_error()?)?,
        former_tokens: json_from(row.try_get("former_tokens").or_store_error()?)?,
    })
}

/// The columns of a session that change, as a row has them. A statement with these conditions
/// writes only over what was read.
pub(super) struct Seen {
    pub(super) anonymous_id: String,
    pub(super) refresh_hash2: String,
    pub(super) expires_at: i64,
    pub(super) payload: String,
    pub(super) data: String,
    pub(super) former_tokens: String,
}

impl Seen {
    pub(super) fn of<'r, R>(row: &'r R) -> Result<Self, StoreError>
    where
        R: Row,
        &'static str: ColumnIndex<R>,
        i64: Decode<'r, R::Database> + Type<R::Database>,
        String: Decode<'r, R::Database> + Type<R::Database>,
    {
        Ok(Self {
            anonymous_id: row.try_get("anonymous_id").or_store_error()?,
            refresh_hash2: row.try_get("refresh_hash2").or_store_error()?,
            expires_at: row.try_get("expires_at").or_store_error()?,
            payload: row.try_get("payload").or_store_error()?,
            data: row.try_get("data").or_store_error()?,
            former_tokens: row.try_get("former_tokens").or_store_error()?,
        })
    }
}

/// A key as its row has it, in any database.
pub(super) fn key_from<'r, R>(row: &'r R) -> Result<KeyRecord, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    &'r str: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(KeyRecord {
        id: row.try_get("id").or_store_error()?,
        kind: kind_from(row.try_get("kind").or_store_error()?)?,
        created_at: time_from(row.try_get("created_at").or_store_error()?)?,
        secret: row.try_get("secret").or_store_error()?,
    })
}

/// The handles in rows that have nothing else.
pub(super) fn handles_from<'r, R>(rows: &'r [R]) -> Result<Vec<String>, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    rows.iter().map(|row| row.try_get("handle").or_store_error()).collect()
}

fn kind_from(text: &str) -> Result<KeyKind, StoreError> {
    match text {
        "dynamic" => Ok(KeyKind::Dynamic),
        "static" => Ok(KeyKind::Static),
        "refresh" => Ok(KeyKind::Refresh),
        _ => Err(StoreError::damaged("unknown kind of key")),
    }
}

pub(super) fn kind_text(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Dynamic => "dynamic",
        KeyKind::Static => "static",
        KeyKind::Refresh => "refresh",
    }
}

fn json_from<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::damaged_by("a column of JSON is not what it should be", error))
}

pub(super) fn formers_text(formers: &[FormerToken]) -> Result<String, StoreError> {
    serde_json::to_string(formers)
        .map_err(|error| StoreError::damaged_by("former tokens cannot be written as JSON", error))
}

pub(super) fn object_text(object: &Map<String, Value>) -> Result<String, StoreError> {
    serde_json::to_string(object)
        .map_err(|error| StoreError::damaged_by("an object cannot be written as JSON", error))
}

/// The settings of an app in rows that have nothing else.
pub(super) fn settings_from<'r, R>(row: &'r R) -> Result<AppSettings, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    &'r str: Decode<'r, R::Database> + Type<R::Database>,
{
    json_from(row.try_get("settings").or_store_error()?)
}

pub(super) fn settings_text(settings: &AppSettings) -> Result<String, StoreError> {
    serde_json::to_string(settings)
        .map_err(|error| StoreError::damaged_by("settings cannot be written as JSON", error))
}

fn time_from(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|error| StoreError::damaged_by("a time before 1970", error))
}

pub(super) fn time_to(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
