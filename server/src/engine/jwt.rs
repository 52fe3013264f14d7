//! Signing and verifying tokens. The key decides the algorithm, never the token.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    EngineError,
    keys::{DYNAMIC_PREFIX, STATIC_PREFIX, SigningKey},
};

/// `version` in the header of access tokens; anonymous tokens have none.
const ACCESS_TOKEN_VERSION: &str = "5";
const VERSION: &str = "version";

/// The two kinds of token we sign. They differ in key and header, so that neither is ever taken for
/// the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Access,
    Anonymous,
}

impl TokenKind {
    fn kid_prefix(self) -> &'static str {
        match self {
            Self::Access => DYNAMIC_PREFIX,
            Self::Anonymous => STATIC_PREFIX,
        }
    }

    /// The kind that a token claims to be, before any check; `None` for a text that is not a token
    /// of ours at all. Such a text is ignored rather than refused, because other software may use
    /// the same header.
    pub(crate) fn claimed_by(token: &str) -> Option<Self> {
        let header = decode_header(token).ok()?;
        if header.extras.inner().contains_key(VERSION) {
            return Some(Self::Access);
        }
        header.kid.is_some_and(|kid| kid.starts_with(STATIC_PREFIX)).then_some(Self::Anonymous)
    }
}

/// The `kid` of a token that says it is of this kind; `None` when its header fits no token of this
/// kind.
pub(crate) fn key_id(token: &str, kind: TokenKind) -> Option<String> {
    let header = decode_header(token).ok()?;
    let version = header.extras.inner().get(VERSION);
    let version_fits = match kind {
        TokenKind::Access => version.and_then(Value::as_str) == Some(ACCESS_TOKEN_VERSION),
        TokenKind::Anonymous => version.is_none(),
    };
    header.kid.filter(|kid| version_fits && kid.starts_with(kind.kid_prefix()))
}

/// `kid` and version of a token that says it is an access token for a SuperTokens back end, which
/// may be signed by either kind of key.
#[cfg(feature = "core")]
pub(crate) fn key_id_for_back_ends(token: &str) -> Option<String> {
    let header = decode_header(token).ok()?;
    let version = header.extras.inner().get(VERSION)?.as_str()?;
    header.kid.filter(|_| matches!(version, "4" | ACCESS_TOKEN_VERSION))
}

/// Signs where it does not hold up other requests: an RSA signature takes more than a millisecond,
/// so it is made on a thread for such work.
pub(crate) async fn sign_aside(
    kind: TokenKind,
    key: Arc<SigningKey>,
    payload: Map<String, Value>,
) -> Result<String, EngineError> {
    if key.algorithm == Algorithm::RS256 {
        let signing = tokio::task::spawn_blocking(move || sign(kind, &key, &payload));
        signing.await.map_err(EngineError::crypto)?
    } else {
        sign(kind, &key, &payload)
    }
}

/// Signs a payload; with a `version` in the header, it is an access token.
pub(crate) fn sign_with_version(
    version: Option<&str>,
    key: &SigningKey,
    payload: &Map<String, Value>,
) -> Result<String, EngineError> {
    let mut header = Header::new(key.algorithm);
    header.kid = Some(key.id.clone());
    if let Some(version) = version {
        header.extras.insert(VERSION, version);
    }
    let mut token = [part(&header)?, part(payload)?].join(".");
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

fn part(value: &impl Serialize) -> Result<String, EngineError> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).map_err(EngineError::crypto)?))
}

/// Signs an app's own JWT, with `iss` where the payload has none. Without `version`, so that it is
/// never taken for an access token. Times in epoch seconds.
pub(crate) fn sign_for_app(
    key: &SigningKey,
    mut payload: Map<String, Value>,
    issuer: &str,
    issued_at: u64,
    expires_at: u64,
) -> Result<String, EngineError> {
    payload.entry("iss").or_insert_with(|| issuer.into());
    payload.insert("iat".to_owned(), issued_at.into());
    payload.insert("exp".to_owned(), expires_at.into());
    sign_with_version(None, key, &payload)
}

/// Signs the payload of a session token.
pub(crate) fn sign(
    kind: TokenKind,
    key: &SigningKey,
    payload: &Map<String, Value>,
) -> Result<String, EngineError> {
    sign_with_version((kind == TokenKind::Access).then_some(ACCESS_TOKEN_VERSION), key, payload)
}

/// The payload of a token whose signature is right, and its issuer where one is expected. Expiry is
/// the caller's business, because an expired token still tells the anonymousId.
pub(crate) fn verify(
    token: &str,
    key: &SigningKey,
    issuer: Option<&str>,
) -> Option<Map<String, Value>> {
    let mut validation = Validation::new(key.algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    match issuer {
        Some(issuer) => {
            validation.set_required_spec_claims(&["exp", "iss"]);
            validation.set_issuer(&[issuer]);
        }
        None => validation.set_required_spec_claims(&["exp"]),
    }
    decode(token, &key.decoding, &validation).ok().map(|token| token.claims)
}
