//! The contents of access tokens and anonymous tokens.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
};
use core::fmt;

use serde_json::{Map, Value};

use crate::{
    front_token::{FrontToken, FrontTokenError},
    names::{
        ANONYMOUS_UID_PREFIX, CLAIM_ANONYMOUS_ID, CLAIM_IS_ANONYMOUS, MAX_COOKIE_BYTES,
        front_cookie,
    },
    payload::{PayloadError, check_depth, without_protected},
};

/// The only tenant so far.
pub const TENANT: &str = "public";

/// How many bytes a JWT of ours has at most beside its payload in base64: those of the header (84
/// bytes), of an RS256 signature (256 bytes), both in base64, and two dots.
const JWT_OVERHEAD: usize = 112 + 342 + 2;

/// The claims of a user's access token, version 5. Times in epoch seconds.
#[derive(Clone, PartialEq)]
pub struct AccessClaims {
    /// `sub` and `rsub`.
    pub user_id: String,
    /// `sessionHandle`.
    pub session_handle: String,
    /// `iat`.
    pub issued_at: u64,
    /// `exp`.
    pub expires_at: u64,
    /// `iss`.
    pub issuer: String,
    /// SHA-256 of the refresh token that was issued with it, in hex.
    pub refresh_token_hash1: String,
    /// SHA-256 of the refresh token it was obtained with; `None` at creation and once promoted.
    pub parent_refresh_token_hash1: Option<String>,
    /// `antiCsrfToken`: what the `anti-csrf` header of requests must say, where the server asks for
    /// it.
    pub anti_csrf_token: Option<String>,
    /// The id that the visitor had before and will have after the user session.
    pub anonymous_id: String,
    /// The app's own claims.
    pub custom: Map<String, Value>,
}

impl AccessClaims {
    /// The complete payload, for the token and for `up` of the front token.
    #[must_use]
    pub fn to_payload(&self) -> Map<String, Value> {
        let mut payload = without_protected(self.custom.clone());
        let mut set = |claim: &str, value: Value| payload.insert(claim.to_owned(), value);
        set("sub", self.user_id.as_str().into());
        set("rsub", self.user_id.as_str().into());
        set("tId", TENANT.into());
        set("iat", self.issued_at.into());
        set("exp", self.expires_at.into());
        set("iss", self.issuer.as_str().into());
        set("sessionHandle", self.session_handle.as_str().into());
        set("refreshTokenHash1", self.refresh_token_hash1.as_str().into());
        set(
            "parentRefreshTokenHash1",
            self.parent_refresh_token_hash1.as_deref().map_or(Value::Null, Value::from),
        );
        set("antiCsrfToken", self.anti_csrf_token.as_deref().map_or(Value::Null, Value::from));
        set(CLAIM_ANONYMOUS_ID, self.anonymous_id.as_str().into());
        payload
    }

    /// Reads what [`AccessClaims::to_payload`] wrote; `None` when it is the payload of anything
    /// else.
    #[must_use]
    pub fn from_payload(payload: Map<String, Value>) -> Option<Self> {
        let session_token_type = payload.get("stt").is_none_or(|stt| stt.as_u64() == Some(0));
        let parent_refresh_token_hash1 = match payload.get("parentRefreshTokenHash1") {
            None | Some(Value::Null) => None,
            Some(hash) => Some(hash.as_str()?.to_owned()),
        };
        let anti_csrf_token = match payload.get("antiCsrfToken") {
            None | Some(Value::Null) => None,
            Some(token) => Some(token.as_str()?.to_owned()),
        };
        if !session_token_type
            || payload.contains_key(CLAIM_IS_ANONYMOUS)
            || payload.get("tId")?.as_str()? != TENANT
            || payload.get("rsub")? != payload.get("sub")?
        {
            return None;
        }
        Some(Self {
            user_id: text(&payload, "sub")?,
            session_handle: text(&payload, "sessionHandle")?,
            issued_at: payload.get("iat")?.as_u64()?,
            expires_at: payload.get("exp")?.as_u64()?,
            issuer: text(&payload, "iss")?,
            refresh_token_hash1: text(&payload, "refreshTokenHash1")?,
            parent_refresh_token_hash1,
            anti_csrf_token,
            anonymous_id: text(&payload, CLAIM_ANONYMOUS_ID).filter(|id| is_anonymous_id(id))?,
            custom: without_protected(payload),
        })
    }

    /// The front token that goes with the access token, which says whether cookies are
    /// partitioned.
    ///
    /// # Errors
    /// [`PayloadError::TooLarge`] when either of the two would not fit into a cookie called
    /// `cookie_name`; [`PayloadError::TooDeep`].
    pub fn front_token(
        &self,
        cookie_name: &str,
        partitioned: bool,
    ) -> Result<String, PayloadError> {
        front_token(
            self.user_id.clone(),
            self.expires_at,
            self.to_payload(),
            partitioned,
            cookie_name,
            front_cookie::FRONT_TOKEN,
        )
    }
}

/// The claims of an anonymous token. Times in epoch seconds.
#[derive(Clone, PartialEq)]
pub struct AnonymousClaims {
    /// The visitor's id (UUID), kept through every login and logout.
    pub anonymous_id: String,
    /// `iat`.
    pub issued_at: u64,
    /// `exp`.
    pub expires_at: u64,
    /// `iss`.
    pub issuer: String,
    /// Whether there is a `sub`: `G-` and the anonymousId, which no user id should look like. For
    /// services that insist on one.
    pub has_subject: bool,
    /// The app's own claims.
    pub custom: Map<String, Value>,
}

impl AnonymousClaims {
    /// The complete payload, for the token and for `up` of the front token.
    #[must_use]
    pub fn to_payload(&self) -> Map<String, Value> {
        let mut payload = without_protected(self.custom.clone());
        let mut set = |claim: &str, value: Value| payload.insert(claim.to_owned(), value);
        set(CLAIM_ANONYMOUS_ID, self.anonymous_id.as_str().into());
        set(CLAIM_IS_ANONYMOUS, true.into());
        set("iat", self.issued_at.into());
        set("exp", self.expires_at.into());
        set("iss", self.issuer.as_str().into());
        if self.has_subject {
            set("sub", anonymous_uid(&self.anonymous_id).into());
        }
        payload
    }

    /// Reads what [`AnonymousClaims::to_payload`] wrote; `None` when it is the payload of anything
    /// else.
    #[must_use]
    pub fn from_payload(payload: Map<String, Value>) -> Option<Self> {
        if payload.get(CLAIM_IS_ANONYMOUS)? != &Value::Bool(true)
            || payload.contains_key("sessionHandle")
        {
            return None;
        }
        let anonymous_id = text(&payload, CLAIM_ANONYMOUS_ID).filter(|id| is_anonymous_id(id))?;
        let has_subject = match payload.get("sub") {
            None => false,
            Some(subject) if *subject == *anonymous_uid(&anonymous_id) => true,
            Some(_) => return None,
        };
        Some(Self {
            anonymous_id,
            has_subject,
            issued_at: payload.get("iat")?.as_u64()?,
            expires_at: payload.get("exp")?.as_u64()?,
            issuer: text(&payload, "iss")?,
            custom: without_protected(payload),
        })
    }

    /// The announcement that goes with the anonymous token, which says whether cookies are
    /// partitioned.
    ///
    /// # Errors
    /// [`PayloadError::TooLarge`] when either of the two would not fit into a cookie called
    /// `cookie_name`; [`PayloadError::TooDeep`].
    pub fn front_token(
        &self,
        cookie_name: &str,
        partitioned: bool,
    ) -> Result<String, PayloadError> {
        front_token(
            anonymous_uid(&self.anonymous_id),
            self.expires_at,
            self.to_payload(),
            partitioned,
            cookie_name,
            front_cookie::ANONYMOUS_FRONT_TOKEN,
        )
    }
}

fn anonymous_uid(anonymous_id: &str) -> String {
    [ANONYMOUS_UID_PREFIX, anonymous_id].concat()
}

/// Claims identify a person; they do not belong into logs.
impl fmt::Debug for AccessClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessClaims").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Claims identify a person; they do not belong into logs.
impl fmt::Debug for AnonymousClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnonymousClaims")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Whether a text has the form of a UUID, in lower case as this project writes them.
#[must_use]
pub fn is_anonymous_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(position, byte)| match position {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

fn text(payload: &Map<String, Value>, claim: &str) -> Option<String> {
    payload.get(claim)?.as_str().map(ToString::to_string)
}

fn front_token(
    uid: String,
    expires_at: u64,
    payload: Map<String, Value>,
    partitioned: bool,
    cookie_name: &str,
    front_cookie_name: &str,
) -> Result<String, PayloadError> {
    check_depth(&payload)?;
    let json_bytes = serde_json::to_vec(&payload).map_or(usize::MAX / 4, |json| json.len());
    let bytes = cookie_name.len() + (json_bytes * 4).div_ceil(3) + JWT_OVERHEAD;
    if bytes > MAX_COOKIE_BYTES {
        return Err(PayloadError::TooLarge { bytes });
    }
    FrontToken { uid, ate: expires_at.saturating_mul(1000), up: payload, partitioned }
        .encode(front_cookie_name)
        .map_err(|error| match error {
            FrontTokenError::TooLarge { bytes } => PayloadError::TooLarge { bytes },
            _ => PayloadError::TooLarge { bytes: json_bytes },
        })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{names::cookie, payload::PROTECTED_CLAIMS};

    const ID: &str = "0b54e3c8-5a3a-4f4e-9d0a-6a1d3c1f0a11";

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("not an object") };
        map
    }

    fn access(custom: Value) -> AccessClaims {
        AccessClaims {
            user_id: "alice".into(),
            session_handle: "3f0c0d3e-30c5-4f0e-8f3e-7e8f1f9a6a10".into(),
            issued_at: 1_700_000_000,
            expires_at: 1_700_003_600,
            issuer: "https://api.example.com/auth".into(),
            refresh_token_hash1: "aa".into(),
            parent_refresh_token_hash1: None,
            anti_csrf_token: None,
            anonymous_id: ID.into(),
            custom: map(custom),
        }
    }

    fn anonymous(custom: Value) -> AnonymousClaims {
        AnonymousClaims {
            anonymous_id: ID.into(),
            issued_at: 1,
            expires_at: 2,
            issuer: "i".into(),
            has_subject: false,
            custom: map(custom),
        }
    }

    #[test]
    fn custom_claims_never_win_over_the_protocol() {
        let mut claims = access(json!({}));
        for &claim in PROTECTED_CLAIMS {
            claims.custom.insert(claim.into(), json!("evil"));
        }
        let payload = claims.to_payload();
        assert!(payload.values().all(|value| value != "evil"));
        assert!(!payload.contains_key(CLAIM_IS_ANONYMOUS));
    }

    #[test]
    fn has_the_claims_of_a_stock_token() {
        let payload = access(json!({"role": "admin"})).to_payload();
        assert_eq!(payload.get("parentRefreshTokenHash1"), Some(&Value::Null));
        assert_eq!(payload.get("antiCsrfToken"), Some(&Value::Null));
        assert_eq!(payload.get("tId"), Some(&json!("public")));
        assert_eq!(payload.get("role"), Some(&json!("admin")));
        let anonymous = anonymous(json!({"cart": [1]})).to_payload();
        assert!(!anonymous.contains_key("sub"));
        assert_eq!(anonymous.get(CLAIM_IS_ANONYMOUS), Some(&Value::Bool(true)));
    }

    #[test]
    fn neither_kind_is_read_as_the_other() {
        assert!(AnonymousClaims::from_payload(access(json!({})).to_payload()).is_none());
        assert!(AccessClaims::from_payload(anonymous(json!({})).to_payload()).is_none());
        let mut both = access(json!({})).to_payload();
        both.extend(anonymous(json!({})).to_payload());
        assert!(AnonymousClaims::from_payload(both.clone()).is_none());
        assert!(AccessClaims::from_payload(both).is_none());
    }

    #[test]
    fn the_subject_of_a_visitor_is_none_or_the_visitor() {
        let with = AnonymousClaims { has_subject: true, ..anonymous(json!({})) };
        assert_eq!(with.to_payload().get("sub"), Some(&json!(alloc::format!("G-{ID}"))));
        assert_eq!(AnonymousClaims::from_payload(with.to_payload()), Some(with));
        for other in [json!("alice"), json!(ID), json!("G-"), Value::Null] {
            let mut payload = anonymous(json!({})).to_payload();
            payload.insert("sub".into(), other);
            assert!(AnonymousClaims::from_payload(payload).is_none());
        }
    }

    #[test]
    fn refuses_other_tenants_and_token_types() {
        for (claim, value) in [
            ("tId", json!("other")),
            ("stt", json!(1)),
            ("sub", json!(1)),
            ("anonymousId", json!("G-1")),
        ] {
            let mut payload = access(json!({})).to_payload();
            payload.insert(claim.into(), value);
            assert!(AccessClaims::from_payload(payload).is_none(), "{claim}");
        }
    }

    #[test]
    fn names_the_limit() {
        let error = anonymous(json!({"cart": "x".repeat(4000)}))
            .front_token(cookie::ANONYMOUS_TOKEN, false)
            .unwrap_err();
        assert!(error.to_string().contains("4096"), "{error}");
        let mut long_user = access(json!({}));
        long_user.user_id = "u".repeat(1500);
        assert!(matches!(
            long_user.front_token(cookie::ACCESS_TOKEN, false),
            Err(PayloadError::TooLarge { .. })
        ));
    }

    #[test]
    fn debug_output_names_nobody() {
        let text =
            alloc::format!("{:?} {:?}", access(json!({"mail": "a@b.c"})), anonymous(json!({})));
        assert!(!text.contains("alice") && !text.contains(ID) && !text.contains("a@b.c"));
    }

    proptest! {
        #[test]
        fn access_round_trips(
            custom in proptest::collection::hash_map(".{0,12}", ".{0,12}", 0..6),
            parent in proptest::option::of("[0-9a-f]{64}"),
        ) {
            let mut before = access(json!({}));
            before.custom = without_protected(
                custom.into_iter().map(|(key, value)| (key, Value::from(value))).collect(),
            );
            before.parent_refresh_token_hash1 = parent;
            prop_assert_eq!(AccessClaims::from_payload(before.to_payload()), Some(before));
        }

        #[test]
        fn anonymous_round_trips(
            custom in proptest::collection::hash_map(".{0,12}", any::<i64>(), 0..6),
            has_subject: bool,
        ) {
            let mut before = AnonymousClaims { has_subject, ..anonymous(json!({})) };
            before.custom = without_protected(
                custom.into_iter().map(|(key, value)| (key, Value::from(value))).collect(),
            );
            prop_assert_eq!(AnonymousClaims::from_payload(before.to_payload()), Some(before));
        }

        #[test]
        fn anything_that_is_accepted_fits(length in 0_usize..6000) {
            let claims = anonymous(json!({"x": "y".repeat(length)}));
            if let Ok(text) = claims.front_token(cookie::ANONYMOUS_TOKEN, false) {
                prop_assert!(
                    text.len() + front_cookie::ANONYMOUS_FRONT_TOKEN.len() <= MAX_COOKIE_BYTES
                );
                prop_assert!(
                    serde_json::to_vec(&claims.to_payload()).unwrap().len() * 4 / 3 + 342
                        < MAX_COOKIE_BYTES
                );
            }
        }

        #[test]
        fn survives_any_payload(
            keys in proptest::collection::vec(
                proptest::sample::select(PROTECTED_CLAIMS.to_vec()),
                0..13,
            ),
            value in -3_i64..3,
        ) {
            let payload: Map<String, Value> = keys
                .into_iter()
                .map(|key| (key.into(), json!(value)))
                .collect::<Vec<(String, Value)>>()
                .into_iter()
                .collect();
            prop_assert!(AccessClaims::from_payload(payload.clone()).is_none());
            prop_assert!(AnonymousClaims::from_payload(payload).is_none());
        }
    }
}
