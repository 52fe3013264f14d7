//! What the SQL stores share: how times, payloads and kinds of key stand in columns.

use serde_json::{Map, Value};

use super::{KeyKind, StoreError};

pub(super) fn kind_from(text: &str) -> Result<KeyKind, StoreError> {
    match text {
        "dynamic" => Ok(KeyKind::Dynamic),
        "static" => Ok(KeyKind::Static),
        "refresh" => Ok(KeyKind::Refresh),
        _ => Err(StoreError::Damaged("unknown kind of key")),
    }
}

pub(super) fn kind_text(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Dynamic => "dynamic",
        KeyKind::Static => "static",
        KeyKind::Refresh => "refresh",
    }
}

pub(super) fn object_from(text: &str) -> Result<Map<String, Value>, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Damaged("a column of JSON is not a JSON object"))
}

pub(super) fn object_text(object: &Map<String, Value>) -> Result<String, StoreError> {
    serde_json::to_string(object).map_err(|_| StoreError::Damaged("an object cannot be written as JSON"))
}

pub(super) fn time_from(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Damaged("a time before 1970"))
}

pub(super) fn time_to(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
