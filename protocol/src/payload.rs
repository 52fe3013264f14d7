//! The rules for an app's own claims in tokens.

use alloc::string::String;
use core::fmt;

use serde_json::{Map, Value};

use crate::names::{CLAIM_ANONYMOUS_ID, CLAIM_IS_ANONYMOUS, MAX_COOKIE_BYTES};

/// Claims that belong to the protocol, in either kind of token. An app can neither set nor remove
/// them.
pub const PROTECTED_CLAIMS: &[&str] = &[
    "sub",
    "rsub",
    "tId",
    "iat",
    "exp",
    "iss",
    "stt",
    "sessionHandle",
    "refreshTokenHash1",
    "parentRefreshTokenHash1",
    "antiCsrfToken",
    CLAIM_ANONYMOUS_ID,
    CLAIM_IS_ANONYMOUS,
];

/// How many objects and arrays a value may lie in, the payload itself among them. `serde_json`
/// writes any number, and reads 127.
pub const MAX_DEPTH: usize = 100;

/// Why an app's payload is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadError {
    /// The update names a claim of the protocol.
    Protected {
        /// The claim's name.
        claim: String,
    },
    /// The token would not fit into a cookie.
    TooLarge {
        /// The size that the cookie would have, in bytes.
        bytes: usize,
    },
    /// It is larger than the app allows.
    OverLimit {
        /// Its size as JSON, in bytes.
        bytes: usize,
        /// The most that the app allows, in bytes.
        limit: usize,
    },
    /// Nobody could read it again.
    TooDeep,
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protected { claim } => {
                write!(
                    f,
                    "the claim `{claim}` belongs to the protocol and cannot be changed; use \
                     another name"
                )
            }
            Self::TooLarge { bytes } => write!(
                f,
                "with this payload the session's cookie would take {bytes} bytes, and browsers \
                 keep cookies up to {MAX_COOKIE_BYTES} bytes only; \
                 keep large data on the server, under the user id or the anonymousId"
            ),
            Self::OverLimit { bytes, limit } => write!(
                f,
                "the payload takes {bytes} bytes, and this server allows {limit} (`max_payload`); \
                 keep large data on the server, under the \
                 user id or the anonymousId"
            ),
            Self::TooDeep => {
                write!(
                    f,
                    "a value of the payload is nested more than {MAX_DEPTH} levels deep; make it \
                     flatter"
                )
            }
        }
    }
}

impl core::error::Error for PayloadError {}

/// Whether an app must keep its hands off this claim.
#[must_use]
pub fn is_protected(claim: &str) -> bool {
    PROTECTED_CLAIMS.contains(&claim)
}

/// The payload that an app gives at creation: protected claims are dropped silently, and so are
/// `null`s.
#[must_use]
pub fn without_protected(mut payload: Map<String, Value>) -> Map<String, Value> {
    payload.retain(|claim, value| !is_protected(claim) && !value.is_null());
    payload
}

/// Shallow merge of `update` over `current`; a `null` removes its key.
///
/// # Errors
/// [`PayloadError::Protected`] when the update names a protected claim.
pub fn merge(
    mut current: Map<String, Value>,
    update: Map<String, Value>,
) -> Result<Map<String, Value>, PayloadError> {
    if let Some(claim) = update.keys().find(|claim| is_protected(claim)) {
        return Err(PayloadError::Protected { claim: claim.clone() });
    }
    for (claim, value) in update {
        if value.is_null() {
            current.remove(&claim);
        } else {
            current.insert(claim, value);
        }
    }
    Ok(current)
}

/// Refuses what could be stored, and not be read again.
///
/// # Errors
/// [`PayloadError::TooDeep`] when values are nested deeper than [`MAX_DEPTH`].
pub fn check_depth(object: &Map<String, Value>) -> Result<(), PayloadError> {
    // Ends at the limit, however deep it goes.
    fn is_deeper(value: &Value, levels: usize) -> bool {
        match value {
            _ if levels == 0 => true,
            Value::Array(values) => values.iter().any(|value| is_deeper(value, levels - 1)),
            Value::Object(object) => object.values().any(|value| is_deeper(value, levels - 1)),
            _ => false,
        }
    }
    if object.values().any(|value| is_deeper(value, MAX_DEPTH)) {
        Err(PayloadError::TooDeep)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("not an object") };
        map
    }

    #[test]
    fn merge_adds_replaces_and_removes() {
        let merged = merge(
            map(json!({"a": 1, "b": 2, "c": {"x": 1}})),
            map(json!({"a": 3, "b": null, "c": {"y": 1}, "d": 4})),
        );
        assert_eq!(merged, Ok(map(json!({"a": 3, "c": {"y": 1}, "d": 4}))));
    }

    #[test]
    fn merge_refuses_every_protected_claim() {
        for &claim in PROTECTED_CLAIMS {
            for value in [json!("x"), Value::Null] {
                let mut update = Map::new();
                update.insert(claim.into(), value);
                assert_eq!(
                    merge(Map::new(), update),
                    Err(PayloadError::Protected { claim: claim.into() })
                );
            }
        }
    }

    proptest! {
        #[test]
        fn merging_nulls_of_every_key_empties(
            keys in proptest::collection::vec("[a-z]{1,8}x", 0..10),
        ) {
            let full: Map<String, Value> = keys.iter().map(|key| (key.clone(), json!(1))).collect();
            let nulls: Map<String, Value> =
                keys.iter().map(|key| (key.clone(), Value::Null)).collect();
            prop_assert_eq!(merge(full, nulls), Ok(Map::new()));
        }
    }
}
