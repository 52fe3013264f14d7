//! The session engine: creates, verifies, refreshes and ends sessions. Knows nothing of HTTP.

mod admin;
mod anonymous;
mod error;
mod forgotten;
#[cfg(test)]
mod jumps;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod lifetimes;
mod payload;
pub(crate) mod record;
mod refresh;
pub(crate) mod refresh_token;
mod verified;

use std::{borrow::Cow, sync::Arc};

use passerby_protocol::{
    claims::{AccessClaims, AnonymousClaims},
    names::{CLAIM_IS_ANONYMOUS, JWKS_PATH, cookie},
    payload::{PayloadError, without_protected},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub use self::{
    admin::SessionInformation,
    error::EngineError,
    keys::{JwtKey, KeyAlgorithm},
};
pub(crate) use self::{
    anonymous::{AnonymousCheck, IssuedAnonymous, MintFor, Seed},
    lifetimes::Lifetimes,
    refresh::{Bearer, DatabaseCheck, Refreshed},
    verified::PresentedToken,
};
use self::{
    jwt::TokenKind,
    keys::KeyRing,
    record::{check_user_id, remove_expired},
    refresh_token::{Hash1, Inherited},
    verified::{Claims, Verified, VerifiedTokens},
};
use crate::{
    clock::Clock,
    counters,
    principal::UserSession,
    store::{SessionRecord, SessionStore},
};

/// How many expired sessions a login removes. Two or more keep the table from growing.
const EXPIRED_REMOVED_PER_LOGIN: u32 = 10;

/// Whether both are there and equal. Takes the same time for every text of the same length.
pub(crate) fn is_same_secret(one: Option<&str>, other: Option<&str>) -> bool {
    let equal = |one: &str, other: &str| {
        aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes())
    };
    one.zip(other).is_some_and(|(one, other)| equal(one, other).is_ok())
}

/// Lifetimes and names that go into tokens.
#[derive(Clone, Debug)]
pub(crate) struct EngineSettings {
    pub(crate) issuer: String,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) anonymous_validity_ms: u64,
    /// An anonymous token older than this is issued anew.
    pub(crate) anonymous_renewal_ms: u64,
    pub(crate) anonymous_subject: bool,
    pub(crate) anonymous_cookie: String,
    /// Whether cookies are partitioned.
    pub(crate) partitioned: bool,
    pub(crate) anonymous_algorithm: KeyAlgorithm,
    /// The largest payload of the app as JSON, in bytes.
    pub(crate) max_payload: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Engine {
    store: Arc<dyn SessionStore>,
    keys: Arc<KeyRing>,
    verified: VerifiedTokens,
    settings: EngineSettings,
    clock: Clock,
}

/// A new access token, ready to be sent.
#[derive(Clone)]
pub(crate) struct IssuedAccess {
    pub(crate) session: UserSession,
    pub(crate) token: String,
    pub(crate) front_token: String,
}

/// A new refresh token, ready to be sent.
#[derive(Clone)]
pub(crate) struct IssuedRefresh {
    pub(crate) token: String,
    /// Epoch milliseconds.
    pub(crate) expires_at: u64,
}

/// The result of verifying an access token.
pub(crate) enum AccessCheck {
    Valid(UserSession),
    /// The visitor should refresh. The session is there when the signature was right, and only the
    /// time is over.
    TryRefresh {
        expired: Option<UserSession>,
    },
}

impl Engine {
    pub(crate) async fn new(
        store: Arc<dyn SessionStore>,
        settings: EngineSettings,
        clock: Clock,
    ) -> Result<Self, EngineError> {
        let keys = KeyRing::open(
            store.clone(),
            settings.lifetimes.rotation_ms,
            settings.anonymous_algorithm,
            clock.now_ms(),
        )
        .await?;
        Ok(Self { store, keys, verified: VerifiedTokens::new(), settings, clock })
    }

    /// Where the public keys are, for other services.
    pub(crate) fn discovery(&self) -> Value {
        let issuer = &self.settings.issuer;
        json!({ "issuer": issuer, "jwks_uri": format!("{issuer}{JWKS_PATH}") })
    }

    /// Public keys for other services.
    pub(crate) async fn jwks(&self) -> Value {
        self.keys.jwks(self.clock.now_ms(), self.settings.lifetimes.access_ms).await
    }

    /// Signs a JWT of the app's own.
    pub(crate) async fn create_jwt(
        &self,
        payload: Map<String, Value>,
        validity_ms: u64,
        key: JwtKey,
    ) -> Result<String, EngineError> {
        // With these, and the same key, it would be an anonymous session.
        if payload.contains_key(CLAIM_IS_ANONYMOUS) {
            return Err(PayloadError::Protected { claim: CLAIM_IS_ANONYMOUS.to_owned() }.into());
        }
        let now = self.clock.now_ms();
        let key = self.keys.signing_key(key, now).await?;
        let expires_at = now.saturating_add(validity_ms) / 1000;
        jwt::sign_for_app(&key, payload, &self.settings.issuer, now / 1000, expires_at)
    }

    /// Whether sessions can be read and written.
    pub(crate) async fn ready(&self) -> Result<(), EngineError> {
        Ok(self.store.check_writable(self.clock.now_ms()).await?)
    }

    /// Removes expired sessions.
    pub(crate) async fn prune(&self, limit: u32) -> Result<u64, EngineError> {
        remove_expired(&*self.store, self.clock.moment(), limit).await
    }

    /// A new session of a user.
    pub(crate) async fn create(
        &self,
        user_id: &str,
        anonymous_id: &str,
        payload: Map<String, Value>,
        with_anti_csrf: bool,
    ) -> Result<(Box<IssuedAccess>, IssuedRefresh), EngineError> {
        check_user_id(user_id)?;
        let anti_csrf = with_anti_csrf.then(|| Uuid::new_v4().to_string());
        let inherited = Inherited { parent: None, anti_csrf: anti_csrf.as_deref() };
        let now = self.clock.now_ms();
        let handle = Uuid::new_v4().to_string();
        let refresh = self.seal_refresh(&handle, user_id, anonymous_id, inherited, now)?;
        let hash = Hash1::of(&refresh.token);
        let session = SessionRecord {
            handle,
            user_id: user_id.to_owned(),
            anonymous_id: anonymous_id.to_owned(),
            refresh_hash2: hash.hash2().into_string(),
            created_at: now,
            expires_at: refresh.expires_at,
            payload: without_protected(payload),
            data: Map::new(),
            former_tokens: Vec::new(),
        };
        self.check_room(&session, now)?;
        // Signed before it is stored: what cannot be sent shall not exist.
        let access = self.issue_access(self.claims_of(&session, &hash, inherited, now)).await?;
        self.store.create(&session).await?;
        counters::session_created();
        if let Err(error) = self.prune(EXPIRED_REMOVED_PER_LOGIN).await {
            tracing::warn!(%error, "expired sessions could not be removed");
        }
        Ok((access, refresh))
    }

    /// The first step with every token of a request.
    pub(crate) fn look_up<'a>(&self, token: impl Into<Cow<'a, str>>) -> PresentedToken<'a> {
        self.verified.look_up(token.into())
    }

    /// Verifies an access token without asking the store for the session. Pure: changes nothing.
    pub(crate) async fn verify(
        &self,
        token: &PresentedToken<'_>,
    ) -> Result<AccessCheck, EngineError> {
        let verified = self.verified(token, TokenKind::Access).await?;
        let Some(Claims::Access(claims)) = verified.as_ref().map(|verified| &verified.claims)
        else {
            return Ok(AccessCheck::TryRefresh { expired: None });
        };
        let session = UserSession { claims: claims.clone() };
        Ok(if claims.expires_at <= self.clock.now_s() {
            AccessCheck::TryRefresh { expired: Some(session) }
        } else {
            AccessCheck::Valid(session)
        })
    }

    /// Makes a new static key, which soon signs anonymous tokens.
    pub(crate) async fn rotate_static_key(&self) -> Result<(), EngineError> {
        self.keys.rotate_static_key(self.clock.now_ms()).await
    }

    /// The access token of a session anew, already expired, so that the browser refreshes at its
    /// next request.
    pub(crate) async fn expire_access_token(
        &self,
        session: &UserSession,
    ) -> Result<Box<IssuedAccess>, EngineError> {
        let now = self.clock.now_s();
        self.issue_access(AccessClaims {
            issued_at: now,
            expires_at: now,
            ..AccessClaims::clone(&session.claims)
        })
        .await
    }

    fn claims_of(
        &self,
        record: &SessionRecord,
        own: &Hash1,
        inherited: Inherited<'_>,
        now: u64,
    ) -> AccessClaims {
        AccessClaims {
            user_id: record.user_id.clone(),
            session_handle: record.handle.clone(),
            issued_at: now / 1000,
            expires_at: now.saturating_add(self.settings.lifetimes.access_ms) / 1000,
            issuer: self.settings.issuer.clone(),
            refresh_token_hash1: own.as_str().to_owned(),
            parent_refresh_token_hash1: inherited.parent.map(|hash| hash.as_str().to_owned()),
            anti_csrf_token: inherited.anti_csrf.map(str::to_owned),
            anonymous_id: record.anonymous_id.clone(),
            custom: record.payload.clone(),
        }
    }

    async fn issue_access(&self, claims: AccessClaims) -> Result<Box<IssuedAccess>, EngineError> {
        let front_token = claims.front_token(cookie::ACCESS_TOKEN, self.settings.partitioned)?;
        let key = self.keys.access_signing_key(self.clock.now_ms()).await?;
        let token = jwt::sign_aside(TokenKind::Access, key, claims.to_payload()).await?;
        Ok(Box::new(IssuedAccess {
            session: UserSession { claims: Arc::new(claims) },
            token,
            front_token,
        }))
    }

    fn seal_refresh(
        &self,
        handle: &str,
        user_id: &str,
        anonymous_id: &str,
        inherited: Inherited<'_>,
        now: u64,
    ) -> Result<IssuedRefresh, EngineError> {
        Ok(IssuedRefresh {
            token: self.keys.seal_refresh(handle, user_id, anonymous_id, inherited, now)?,
            expires_at: now.saturating_add(self.settings.lifetimes.refresh_ms),
        })
    }

    /// A token of this kind whose key, signature and issuer are right; expired or not.
    async fn verified(
        &self,
        token: &PresentedToken<'_>,
        kind: TokenKind,
    ) -> Result<Option<Arc<Verified>>, EngineError> {
        let now = self.clock.now_ms();
        if let Some(verified) = token.known.as_ref().filter(|found| found.kind() == kind) {
            let key = self.keys.verifying_key(&verified.key.id, now).await?;
            if key.is_some_and(|key| Arc::ptr_eq(&key, &verified.key)) {
                return Ok(Some(verified.clone()));
            }
        }
        let token = &*token.text;
        let Some(key_id) = jwt::key_id(token, kind) else { return Ok(None) };
        let Some(key) = self.keys.verifying_key(&key_id, now).await? else { return Ok(None) };
        let payload = jwt::verify(token, &key, Some(&self.settings.issuer));
        let claims = payload.and_then(|payload| match kind {
            TokenKind::Access => {
                AccessClaims::from_payload(payload).map(|claims| Claims::Access(Arc::new(claims)))
            }
            TokenKind::Anonymous => AnonymousClaims::from_payload(payload)
                .map(|claims| Claims::Anonymous(Arc::new(claims))),
        });
        Ok(claims.map(|claims| {
            let verified = Arc::new(Verified { key, claims });
            self.verified.insert(token, verified.clone());
            verified
        }))
    }
}
