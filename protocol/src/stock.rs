//! Access tokens as a SuperTokens core issues them for back-end SDKs: no anonymousId, and the
//! issuer is the back end's own claim.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
};

use serde_json::{Map, Value};

/// Claims that a back end can neither set nor change.
pub const STOCK_PROTECTED_CLAIMS: &[&str] = &[
    "sub",
    "iat",
    "exp",
    "sessionHandle",
    "parentRefreshTokenHash1",
    "refreshTokenHash1",
    "antiCsrfToken",
    "rsub",
    "tId",
    "stt",
];

/// The set of claims that a token has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockVersion {
    /// Without `rsub`; what core driver interfaces below 4.0 know.
    V4,
    /// With `rsub`.
    V5,
}

impl StockVersion {
    /// The version of the tokens for a back end that speaks this core driver interface, such as
    /// `5.4`. A back end that says nothing gets the newest.
    #[must_use]
    pub fn for_interface(version: Option<&str>) -> Self {
        let major =
            version.and_then(|version| version.trim().split('.').next()?.parse::<u32>().ok());
        if major.is_some_and(|major| major < 4) { Self::V4 } else { Self::V5 }
    }

    /// As it stands in the header of the token.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "4",
            Self::V5 => "5",
        }
    }
}

/// The claims of an access token. Times in epoch seconds.
#[derive(Clone, PartialEq)]
pub struct StockClaims {
    /// `sub` and `rsub`.
    pub user_id: String,
    /// `sessionHandle`.
    pub session_handle: String,
    /// `tId`.
    pub tenant_id: String,
    /// `iat`.
    pub issued_at: u64,
    /// `exp`.
    pub expires_at: u64,
    /// SHA-256 of the refresh token that was issued with it, in hex.
    pub refresh_token_hash1: String,
    /// SHA-256 of the refresh token it was obtained with; `None` at creation and once promoted.
    pub parent_refresh_token_hash1: Option<String>,
    /// `antiCsrfToken`.
    pub anti_csrf_token: Option<String>,
    /// The back end's own claims, `iss` among them.
    pub custom: Map<String, Value>,
}

impl StockClaims {
    /// The complete payload.
    #[must_use]
    pub fn to_payload(&self, version: StockVersion) -> Map<String, Value> {
        let optional = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
        let mut payload = self.custom.clone();
        payload.retain(|claim, _| !STOCK_PROTECTED_CLAIMS.contains(&claim.as_str()));
        let mut set = |claim: &str, value: Value| payload.insert(claim.to_owned(), value);
        set("sub", self.user_id.as_str().into());
        if version == StockVersion::V5 {
            set("rsub", self.user_id.as_str().into());
        }
        set("tId", self.tenant_id.as_str().into());
        set("iat", self.issued_at.into());
        set("exp", self.expires_at.into());
        set("sessionHandle", self.session_handle.as_str().into());
        set("refreshTokenHash1", self.refresh_token_hash1.as_str().into());
        set("parentRefreshTokenHash1", optional(&self.parent_refresh_token_hash1));
        set("antiCsrfToken", optional(&self.anti_csrf_token));
        payload
    }

    /// Reads what [`StockClaims::to_payload`] wrote, in either version; `None` when it is the
    /// payload of anything else.
    #[must_use]
    pub fn from_payload(mut payload: Map<String, Value>) -> Option<Self> {
        let text = |claim: &str| Some(payload.get(claim)?.as_str()?.to_string());
        let optional = |claim: &str| match payload.get(claim) {
            None | Some(Value::Null) => Some(None),
            Some(value) => Some(Some(value.as_str()?.to_string())),
        };
        if payload.get("stt").is_some_and(|stt| stt.as_u64() != Some(0)) {
            return None;
        }
        let mut claims = Self {
            user_id: text("sub")?,
            session_handle: text("sessionHandle")?,
            tenant_id: text("tId")?,
            issued_at: payload.get("iat")?.as_u64()?,
            expires_at: payload.get("exp")?.as_u64()?,
            refresh_token_hash1: text("refreshTokenHash1")?,
            parent_refresh_token_hash1: optional("parentRefreshTokenHash1")?,
            anti_csrf_token: optional("antiCsrfToken")?,
            custom: Map::new(),
        };
        payload.retain(|claim, _| !STOCK_PROTECTED_CLAIMS.contains(&claim.as_str()));
        claims.custom = payload;
        Some(claims)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn claims() -> StockClaims {
        StockClaims {
            user_id: "alice".into(),
            session_handle: "handle_t1".into(),
            tenant_id: "t1".into(),
            issued_at: 1,
            expires_at: 2,
            refresh_token_hash1: "aa".into(),
            parent_refresh_token_hash1: None,
            anti_csrf_token: None,
            custom: Map::from_iter([
                ("iss".into(), json!("https://api.example.com/auth")),
                ("anonymousId".into(), json!("x")),
            ]),
        }
    }

    #[test]
    fn the_issuer_and_the_anonymous_id_are_the_back_ends() {
        for version in [StockVersion::V4, StockVersion::V5] {
            let payload = claims().to_payload(version);
            assert_eq!(payload["iss"], "https://api.example.com/auth");
            assert_eq!(payload["parentRefreshTokenHash1"], Value::Null);
            assert_eq!(payload.contains_key("rsub"), version == StockVersion::V5);
            assert!(StockClaims::from_payload(payload) == Some(claims()));
        }
    }

    #[test]
    fn the_interface_decides_the_version() {
        for (interface, version) in [
            (None, StockVersion::V5),
            (Some("3.1"), StockVersion::V4),
            (Some("4.0"), StockVersion::V5),
            (Some("5.4"), StockVersion::V5),
            (Some("x"), StockVersion::V5),
        ] {
            assert_eq!(StockVersion::for_interface(interface), version, "{interface:?}");
        }
    }

    #[test]
    fn other_payloads_are_refused() {
        for (claim, value) in
            [("stt", json!(1)), ("sub", json!(1)), ("exp", json!("2")), ("antiCsrfToken", json!(3))]
        {
            let mut payload = claims().to_payload(StockVersion::V5);
            payload.insert(claim.into(), value);
            assert!(StockClaims::from_payload(payload).is_none(), "{claim}");
        }
    }

    proptest! {
        #[test]
        fn protected_claims_never_come_from_the_back_end(
            keys in proptest::collection::vec(
                proptest::sample::select(vec!["sub", "exp", "rsub", "role"]),
                0..6,
            ),
        ) {
            let mut evil = claims();
            evil.custom.extend(keys.into_iter().map(|key| (key.into(), json!("evil"))));
            let payload = evil.to_payload(StockVersion::V5);
            prop_assert!(
                STOCK_PROTECTED_CLAIMS
                    .iter()
                    .all(|claim| payload.get(*claim) != Some(&json!("evil")))
            );
        }
    }
}
