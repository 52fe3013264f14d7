//! The front token: an unsigned, script-readable summary of a token.

use alloc::{string::String, vec::Vec};
use core::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::names::MAX_COOKIE_BYTES;

/// The part of a session that the browser may know. It is never signed: a server trusts nothing in
/// it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrontToken {
    /// Primary user id, or `G-` and the anonymousId.
    pub uid: String,
    /// When the access token expires, in epoch milliseconds.
    pub ate: u64,
    /// The payload of the access token.
    pub up: Map<String, Value>,
    /// Whether the server's cookies are partitioned, as for an app in other websites' frames: the
    /// browser keeps them for each website that shows it, and what scripts store has to lie beside
    /// them. Left out where it is `false`.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub partitioned: bool,
}

/// Why a text is not a front token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrontTokenError {
    /// Longer than a cookie can be.
    TooLarge {
        /// Length of the encoded token in bytes.
        bytes: usize,
    },
    /// Not standard-alphabet, padded base64.
    NotBase64,
    /// Not the JSON object `{"uid":string,"ate":number,"up":object}`.
    NotJson,
}

impl fmt::Display for FrontTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => write!(
                f,
                "the front token is {bytes} bytes long, and browsers keep cookies up to \
                 {MAX_COOKIE_BYTES} bytes only; make the payload smaller"
            ),
            Self::NotBase64 => f.write_str("the front token is not base64"),
            Self::NotJson => {
                f.write_str("the front token is not a JSON object with uid, ate and up")
            }
        }
    }
}

impl core::error::Error for FrontTokenError {}

impl FrontToken {
    /// The text for the header and the cookie: base64 of the UTF-8 JSON.
    ///
    /// # Errors
    /// [`FrontTokenError::TooLarge`] when a cookie called `cookie_name` could not hold it.
    pub fn encode(&self, cookie_name: &str) -> Result<String, FrontTokenError> {
        let json = serde_json::to_vec(self).map_err(|_| FrontTokenError::NotJson)?;
        let text = STANDARD.encode(json);
        let bytes = text.len() + cookie_name.len();
        if bytes > MAX_COOKIE_BYTES {
            return Err(FrontTokenError::TooLarge { bytes });
        }
        Ok(text)
    }

    /// Reads what [`FrontToken::encode`] wrote.
    ///
    /// # Errors
    /// See [`FrontTokenError`]; any input is safe.
    pub fn decode(text: &str) -> Result<Self, FrontTokenError> {
        if text.len() > MAX_COOKIE_BYTES {
            return Err(FrontTokenError::TooLarge { bytes: text.len() });
        }
        let json: Vec<u8> = STANDARD.decode(text).map_err(|_| FrontTokenError::NotBase64)?;
        serde_json::from_slice(&json).map_err(|_| FrontTokenError::NotJson)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::names::front_cookie;

    fn token(uid: &str, up: Value) -> FrontToken {
        let Value::Object(up) = up else { panic!("payload must be an object") };
        FrontToken { uid: uid.into(), ate: 1_700_000_000_000, up, partitioned: false }
    }

    #[test]
    fn is_what_the_peer_writes() {
        let text = token("u", json!({"a": 1})).encode(front_cookie::FRONT_TOKEN).unwrap();
        assert_eq!(text, "eyJ1aWQiOiJ1IiwiYXRlIjoxNzAwMDAwMDAwMDAwLCJ1cCI6eyJhIjoxfX0=");
    }

    #[test]
    fn keeps_non_latin_text() {
        let before = token("李雷", json!({"name": "Ünïcödé 🛒", "שלום": "мир"}));
        let text = before.encode(front_cookie::FRONT_TOKEN).unwrap();
        assert!(text.is_ascii());
        assert_eq!(FrontToken::decode(&text), Ok(before));
    }

    #[test]
    fn refuses_what_is_not_one() {
        assert_eq!(FrontToken::decode("%%%"), Err(FrontTokenError::NotBase64));
        assert_eq!(FrontToken::decode(""), Err(FrontTokenError::NotJson));
        assert_eq!(FrontToken::decode("bm90IGpzb24="), Err(FrontTokenError::NotJson));
        assert_eq!(
            FrontToken::decode(&STANDARD.encode(r#"{"uid":"u","ate":"soon","up":{}}"#)),
            Err(FrontTokenError::NotJson)
        );
        assert_eq!(
            FrontToken::decode(&STANDARD.encode(r#"{"uid":"u","ate":1,"up":[]}"#)),
            Err(FrontTokenError::NotJson)
        );
    }

    #[test]
    fn refuses_what_no_cookie_can_hold() {
        let large = token("u", json!({"cart": "x".repeat(4000)}));
        let error = large.encode(front_cookie::FRONT_TOKEN).unwrap_err();
        assert!(matches!(error, FrontTokenError::TooLarge { bytes } if bytes > MAX_COOKIE_BYTES));
        assert!(error.to_string().contains("4096"));
        assert!(matches!(
            FrontToken::decode(&"A".repeat(5000)),
            Err(FrontTokenError::TooLarge { .. })
        ));
    }

    #[test]
    fn the_name_of_the_cookie_counts() {
        let full = token("u", json!({"cart": "x".repeat(3023)}));
        assert_eq!(full.encode("").unwrap().len(), MAX_COOKIE_BYTES);
        let bytes = MAX_COOKIE_BYTES + 1;
        assert_eq!(full.encode("n"), Err(FrontTokenError::TooLarge { bytes }));
    }

    proptest! {
        #[test]
        fn round_trips(
            uid in ".{0,40}",
            ate in any::<u64>(),
            key in ".{0,20}",
            value in ".{0,100}",
            partitioned in any::<bool>(),
        ) {
            let mut up = Map::new();
            up.insert(key, Value::String(value));
            let before = FrontToken { uid, ate, up, partitioned };
            let text = before.encode(front_cookie::FRONT_TOKEN).unwrap();
            prop_assert_eq!(FrontToken::decode(&text).unwrap(), before);
        }

    }

    /// Text that it reads, it writes and reads again.
    fn decode_and_encode(text: &str) {
        if let Ok(token) = FrontToken::decode(text)
            && let Ok(written) = token.encode(front_cookie::FRONT_TOKEN)
        {
            assert_eq!(FrontToken::decode(&written).unwrap(), token);
        }
    }

    #[test]
    fn fuzz_texts() {
        bolero::check!().for_each(|bytes| decode_and_encode(&String::from_utf8_lossy(bytes)));
    }

    #[test]
    fn fuzz_contents() {
        bolero::check!().for_each(|bytes| decode_and_encode(&STANDARD.encode(bytes)));
    }
}
