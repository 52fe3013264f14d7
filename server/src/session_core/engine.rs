//! Sessions as back-end SDKs know them: the tokens are theirs to send, the rules those of
//! `crate::engine`.

use std::sync::Arc;

use passerby_protocol::{
    claims::{TENANT, is_anonymous_id},
    names::{CLAIM_ANONYMOUS_ID, CLAIM_IS_ANONYMOUS},
    payload::PayloadError,
    rotation::Rotation,
    stock::{STOCK_PROTECTED_CLAIMS, StockClaims, StockVersion},
};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    clock::Clock,
    counters,
    engine::{
        EngineError, JwtKey, KeyAlgorithm, Lifetimes, is_same_secret, jwt,
        keys::{DYNAMIC_PREFIX, KeyRing, SigningKey},
        record::{Shown, check_user_id, load_live, remove_expired, rotate, update_live, write_of},
        refresh_token::{Hash1, Inherited, tenant_of},
    },
    store::{SessionRecord, SessionStore, Write},
};

/// The sessions of one app. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct CoreEngine {
    store: Arc<dyn SessionStore>,
    keys: Arc<KeyRing>,
    times: Lifetimes,
    clock: Clock,
}

/// A token with its times, in epoch milliseconds.
pub(super) struct Token {
    pub(super) token: String,
    pub(super) created_at: u64,
    pub(super) expires_at: u64,
}

/// A session with new tokens.
pub(super) struct Issued {
    pub(super) claims: StockClaims,
    pub(super) access: Token,
    pub(super) refresh: Token,
}

/// A back end's wishes when a user signs in.
pub(super) struct NewSession<'a> {
    pub(super) tenant_id: &'a str,
    pub(super) user_id: String,
    pub(super) payload: Map<String, Value>,
    pub(super) data: Map<String, Value>,
    pub(super) with_anti_csrf: bool,
    pub(super) key: JwtKey,
    pub(super) version: StockVersion,
}

/// The result of verifying an access token.
pub(super) enum Verified {
    /// The session, and a new access token where there is one to send.
    Ok(Box<StockClaims>, Option<Token>),
    Unauthorised(&'static str),
    TryRefresh(&'static str),
}

/// The result of presenting a refresh token.
pub(super) enum Refreshed {
    Ok(Box<Issued>),
    Unauthorised(&'static str),
    Theft { handle: String, user_id: String },
}

impl CoreEngine {
    pub(super) async fn open(
        store: Arc<dyn SessionStore>,
        times: Lifetimes,
        clock: Clock,
    ) -> Result<Self, EngineError> {
        // Back-end SDKs verify RS256 and nothing else.
        let keys =
            KeyRing::open(store.clone(), times.rotation_ms, KeyAlgorithm::Rs256, clock.now_ms())
                .await?;
        Ok(Self { store, keys, times, clock })
    }

    #[cfg(test)]
    pub(super) fn times(&self) -> Lifetimes {
        self.times
    }

    pub(super) async fn ready(&self) -> Result<(), EngineError> {
        Ok(self.store.check_writable(self.clock.now_ms()).await?)
    }

    pub(super) async fn prune(&self, limit: u32) -> Result<u64, EngineError> {
        remove_expired(&*self.store, self.clock.moment(), limit).await
    }

    pub(super) async fn jwks(&self) -> Value {
        self.keys.jwks(self.clock.now_ms(), self.times.access_ms).await
    }

    pub(super) async fn create(&self, new: NewSession<'_>) -> Result<Issued, EngineError> {
        check_user_id(&new.user_id)?;
        refuse_protected(&new.payload)?;
        let now = self.clock.now_ms();
        let handle = match new.tenant_id {
            TENANT => Uuid::new_v4().to_string(),
            tenant => format!("{}_{tenant}", Uuid::new_v4()),
        };
        let record = SessionRecord {
            anonymous_id: anonymous_id_of(&new.payload),
            handle,
            user_id: new.user_id,
            refresh_hash2: String::new(),
            created_at: now,
            expires_at: now.saturating_add(self.times.refresh_ms),
            payload: new.payload,
            data: new.data,
            former_tokens: Vec::new(),
        };
        let anti_csrf = new.with_anti_csrf.then(|| Uuid::new_v4().to_string());
        let inherited = Inherited { parent: None, anti_csrf: anti_csrf.as_deref() };
        let issued = self.issue(&record, inherited, new.key, new.version, now).await?;
        let refresh_hash2 = Hash1::of(&issued.refresh.token).hash2().into_string();
        self.store.create(&SessionRecord { refresh_hash2, ..record }).await?;
        counters::session_created();
        Ok(issued)
    }

    pub(super) async fn verify(
        &self,
        token: &str,
        anti_csrf: Option<Option<&str>>,
        check_database: bool,
        version: StockVersion,
    ) -> Result<Verified, EngineError> {
        let now = self.clock.now_ms();
        let Some((claims, key)) = self.claims_of(token).await? else {
            return Ok(Verified::TryRefresh(
                "the access token was not signed by this core, or by a key that is no longer in \
                 use",
            ));
        };
        if claims.expires_at <= now / 1000 {
            return Ok(Verified::TryRefresh("the access token has expired"));
        }
        if anti_csrf.is_some_and(|given| !is_same_secret(given, claims.anti_csrf_token.as_deref()))
        {
            return Ok(Verified::TryRefresh("anti-csrf check failed"));
        }
        let own = Hash1::from_claim(&claims.refresh_token_hash1);
        let record = match claims.parent_refresh_token_hash1.as_deref().map(Hash1::from_claim) {
            None if !check_database => return Ok(Verified::Ok(Box::new(claims), None)),
            None => {
                let stored = load_live(&*self.store, &claims.session_handle, now).await?;
                // Another payload by now: the browser shall learn of it.
                stored.map(|record| (record.payload != claims.custom).then_some(record))
            }
            Some(parent) => {
                let then = |judged, _: &mut SessionRecord| write_of(judged, Write::Keep);
                let (handle, issued_at) = (&claims.session_handle, claims.issued_at);
                let shown = Shown::by_access(handle, &own, Some(&parent), issued_at);
                let judged = rotate(&*self.store, &shown, self.clock.moment(), self.times, then)
                    .await?
                    .live();
                // Where another took over, the token stays good until it expires, and is not
                // renewed.
                judged.map(|(judged, record)| {
                    (!matches!(judged, Rotation::Theft | Rotation::Replaced)).then_some(record)
                })
            }
        };
        Ok(match record {
            None => Verified::Unauthorised("the session has ended or was revoked"),
            Some(None) => Verified::Ok(Box::new(claims), None),
            Some(Some(record)) => {
                let inherited =
                    Inherited { parent: None, anti_csrf: claims.anti_csrf_token.as_deref() };
                let (renewed, token) =
                    self.access(&record, &own, inherited, &key, version, now, None)?;
                Verified::Ok(Box::new(renewed), Some(token))
            }
        })
    }

    pub(super) async fn refresh(
        &self,
        token: &str,
        anti_csrf: Option<Option<&str>>,
        key: JwtKey,
        version: StockVersion,
    ) -> Result<Refreshed, EngineError> {
        let Some(content) = self.keys.open_refresh(token) else {
            return Ok(Refreshed::Unauthorised("the refresh token was not made by this core"));
        };
        let expected = content.anti_csrf_token.as_deref();
        if anti_csrf.is_some_and(|given| expected.is_some() && !is_same_secret(given, expected)) {
            return Ok(Refreshed::Unauthorised("Anti CSRF token missing, or not matching"));
        }
        let now = self.clock.now_ms();
        let presented = Hash1::of(token);
        let parent = content.parent_refresh_token_hash1.as_deref().map(Hash1::from_claim);
        let shown = Shown::by_refresh(&content, &presented, parent.as_ref());
        // The back end is told of a theft, and decides what to do.
        let then = |judged, _: &mut SessionRecord| write_of(judged, Write::Keep);
        let judged =
            rotate(&*self.store, &shown, self.clock.moment(), self.times, then).await?.live();
        let Some((judged, record)) = judged else {
            return Ok(Refreshed::Unauthorised("the session has ended or was revoked"));
        };
        if judged == Rotation::Theft {
            counters::theft_detected();
            return Ok(Refreshed::Theft { handle: record.handle, user_id: record.user_id });
        }
        let made = (anti_csrf.is_some() && expected.is_none()).then(|| Uuid::new_v4().to_string());
        let inherited = Inherited {
            parent: Some(&presented),
            anti_csrf: made.as_deref().or(expected.filter(|_| anti_csrf.is_some())),
        };
        let issued = self.issue(&record, inherited, key, version, now).await?;
        counters::session_refreshed();
        Ok(Refreshed::Ok(Box::new(issued)))
    }

    /// Replaces the payload, `None` keeping it, and issues the access token anew with the same
    /// expiry; no token where it has expired. `None` when the session is gone or the token is not
    /// one of ours.
    pub(super) async fn regenerate(
        &self,
        token: &str,
        payload: Option<Map<String, Value>>,
        version: StockVersion,
    ) -> Result<Option<(StockClaims, Option<Token>)>, EngineError> {
        let Some((claims, key)) = self.claims_of(token).await? else { return Ok(None) };
        let now = self.clock.now_ms();
        let Some(record) = self.change(&claims.session_handle, payload, None).await? else {
            return Ok(None);
        };
        if claims.expires_at <= now / 1000 {
            return Ok(Some((StockClaims { custom: record.payload, ..claims }, None)));
        }
        let own = Hash1::from_claim(&claims.refresh_token_hash1);
        let parent = claims.parent_refresh_token_hash1.as_deref().map(Hash1::from_claim);
        let inherited =
            Inherited { parent: parent.as_ref(), anti_csrf: claims.anti_csrf_token.as_deref() };
        let (claims, token) =
            self.access(&record, &own, inherited, &key, version, now, Some(claims.expires_at))?;
        Ok(Some((claims, Some(token))))
    }

    /// Replaces the payload, the data, or both; `None` leaves as it is. `None` when the session is
    /// gone.
    pub(super) async fn change(
        &self,
        handle: &str,
        payload: Option<Map<String, Value>>,
        data: Option<Map<String, Value>>,
    ) -> Result<Option<SessionRecord>, EngineError> {
        if let Some(payload) = &payload {
            refuse_protected(payload)?;
        }
        let mut replace = |record: &mut SessionRecord| {
            if payload.is_none() && data.is_none() {
                return Write::Keep;
            }
            if let Some(payload) = &payload {
                record.payload.clone_from(payload);
            }
            if let Some(data) = &data {
                record.data.clone_from(data);
            }
            Write::Save
        };
        update_live(&*self.store, handle, self.clock.moment(), &mut replace).await
    }

    pub(super) async fn information(
        &self,
        handle: &str,
    ) -> Result<Option<SessionRecord>, EngineError> {
        load_live(&*self.store, handle, self.clock.now_ms()).await
    }

    /// The handles of a user's sessions; of one tenant, or of all.
    pub(super) async fn handles_of_user(
        &self,
        user_id: &str,
        tenant_id: Option<&str>,
    ) -> Result<Vec<String>, EngineError> {
        let mut handles = self.store.handles_of_user(user_id, self.clock.now_ms()).await?;
        handles.retain(|handle| tenant_id.is_none_or(|tenant_id| tenant_of(handle) == tenant_id));
        Ok(handles)
    }

    /// Ends these sessions, and returns those that there were.
    pub(super) async fn revoke(&self, handles: &[String]) -> Result<Vec<String>, EngineError> {
        let revoked = self.store.remove_all(handles).await?;
        counters::sessions_revoked(revoked.len());
        Ok(revoked)
    }

    /// Ends a user's sessions, of one tenant or of all, and returns them.
    pub(super) async fn revoke_all_of_user(
        &self,
        user_id: &str,
        tenant_id: Option<&str>,
    ) -> Result<Vec<String>, EngineError> {
        let Some(tenant_id) = tenant_id else {
            let revoked = self.store.remove_all_of_user(user_id).await?;
            counters::sessions_revoked(revoked.len());
            return Ok(revoked);
        };
        let mut handles = self.store.handles_of_user(user_id, 0).await?;
        handles.retain(|handle| tenant_of(handle) == tenant_id);
        self.revoke(&handles).await
    }

    /// Signs a back end's own JWT. An anonymous session of endpoint mode is one of these.
    pub(super) async fn create_jwt(
        &self,
        payload: Map<String, Value>,
        issuer: &str,
        validity_s: u64,
        key: JwtKey,
    ) -> Result<String, EngineError> {
        let now = self.clock.now_ms();
        if payload.get(CLAIM_IS_ANONYMOUS) == Some(&Value::Bool(true)) {
            counters::anonymous_minted();
        }
        let expires_at = (now / 1000).saturating_add(validity_s);
        let key = self.keys.signing_key(key, now).await?;
        jwt::sign_for_app(&key, payload, issuer, now / 1000, expires_at)
    }

    /// The claims of an access token whose signature is right, expired or not, and the key of its
    /// kind that signs now.
    async fn claims_of(
        &self,
        token: &str,
    ) -> Result<Option<(StockClaims, Arc<SigningKey>)>, EngineError> {
        let now = self.clock.now_ms();
        let Some(key_id) = jwt::key_id_for_back_ends(token) else { return Ok(None) };
        let Some(key) = self.keys.verifying_key(&key_id, now).await? else { return Ok(None) };
        let Some(claims) = jwt::verify(token, &key, None).and_then(StockClaims::from_payload)
        else {
            return Ok(None);
        };
        let kind =
            if key_id.starts_with(DYNAMIC_PREFIX) { JwtKey::Dynamic } else { JwtKey::Static };
        Ok(Some((claims, self.keys.signing_key(kind, now).await?)))
    }

    /// New tokens for a session.
    async fn issue(
        &self,
        record: &SessionRecord,
        inherited: Inherited<'_>,
        key: JwtKey,
        version: StockVersion,
        now: u64,
    ) -> Result<Issued, EngineError> {
        let token = self.keys.seal_refresh(
            &record.handle,
            &record.user_id,
            &record.anonymous_id,
            inherited,
            now,
        )?;
        let signing = self.keys.signing_key(key, now).await?;
        let (claims, access) =
            self.access(record, &Hash1::of(&token), inherited, &signing, version, now, None)?;
        let refresh =
            Token { token, created_at: now, expires_at: now.saturating_add(self.times.refresh_ms) };
        Ok(Issued { claims, access, refresh })
    }

    #[allow(clippy::too_many_arguments, reason = "each is one claim of the token")]
    fn access(
        &self,
        record: &SessionRecord,
        own: &Hash1,
        inherited: Inherited<'_>,
        key: &SigningKey,
        version: StockVersion,
        now: u64,
        expires_at: Option<u64>,
    ) -> Result<(StockClaims, Token), EngineError> {
        let claims = StockClaims {
            user_id: record.user_id.clone(),
            tenant_id: tenant_of(&record.handle).to_owned(),
            session_handle: record.handle.clone(),
            issued_at: now / 1000,
            expires_at: expires_at.unwrap_or(now.saturating_add(self.times.access_ms) / 1000),
            refresh_token_hash1: own.as_str().to_owned(),
            parent_refresh_token_hash1: inherited.parent.map(|hash| hash.as_str().to_owned()),
            anti_csrf_token: inherited.anti_csrf.map(str::to_owned),
            custom: record.payload.clone(),
        };
        let token =
            jwt::sign_with_version(Some(version.as_str()), key, &claims.to_payload(version))?;
        let (created_at, expires_at) =
            (claims.issued_at.saturating_mul(1000), claims.expires_at.saturating_mul(1000));
        Ok((claims, Token { token, created_at, expires_at }))
    }
}

/// A visitor's id, if the back end carries one in the session; else one that nobody sees.
fn anonymous_id_of(payload: &Map<String, Value>) -> String {
    let carried =
        payload.get(CLAIM_ANONYMOUS_ID).and_then(Value::as_str).filter(|id| is_anonymous_id(id));
    carried.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

fn refuse_protected(payload: &Map<String, Value>) -> Result<(), PayloadError> {
    match payload.keys().find(|claim| STOCK_PROTECTED_CLAIMS.contains(&claim.as_str())) {
        Some(claim) => Err(PayloadError::Protected { claim: claim.clone() }),
        None => Ok(()),
    }
}
