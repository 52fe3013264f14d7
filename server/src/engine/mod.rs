//! The session engine: creates, verifies, refreshes and ends sessions. Knows nothing of HTTP.

mod anonymous;
mod forgotten;
#[cfg(test)]
mod jumps;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod lifetimes;
mod record;
pub(crate) mod refresh_token;
mod verified;

use std::{mem, sync::Arc};

use passerby_protocol::{
    claims::{AccessClaims, AnonymousClaims},
    names::{CLAIM_IS_ANONYMOUS, JWKS_PATH, cookie},
    payload::{PayloadError, check_depth, merge, without_protected},
    rotation::Rotation,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub use self::keys::{JwtKey, KeyAlgorithm};
pub(crate) use self::{
    anonymous::{AnonymousCheck, IssuedAnonymous, MintFor, Seed},
    lifetimes::Lifetimes,
    record::{
        Judged, Shown, check_user_id, load_live, remove_expired, rotate, update_live, write_of,
    },
};
use self::{
    jwt::TokenKind,
    keys::KeyRing,
    refresh_token::{Hash1, Inherited},
    verified::{Claims, Verified, VerifiedTokens},
};
use crate::{
    clock::{Clock, Moment, system_time},
    counters,
    principal::UserSession,
    store::{BoxError, SessionRecord, SessionStore, StoreError, Write},
};

/// How many expired sessions a login removes. Two or more keep the table from growing.
const EXPIRED_REMOVED_PER_LOGIN: u32 = 10;

/// A failure inside the server, through no fault of the visitor.
///
/// ```
/// use passerby_server::{EngineError, Sessions, SqliteStore};
///
/// fn status(error: &EngineError) -> u16 {
///     match error {
///         EngineError::Store(_) => 503,
///         EngineError::Payload(_) => 400,
///         _ => 500,
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let store = SqliteStore::open(folder.path().join("sessions.db")).await?;
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(store.clone())
/// #     .build()
/// #     .await?;
/// store.close().await;
/// let error = sessions.revoke_all_sessions_of_user("alice").await.unwrap_err();
/// assert_eq!(status(&error), 503);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be made, or a token not be signed or encrypted.
    #[error("the cryptographic library failed: {0}")]
    Crypto(#[source] BoxError),
    /// The store holds no key of the kind that is needed.
    #[error("the session database holds no signing key; were its keys deleted?")]
    NoKey,
    /// The user id is empty.
    #[error("a user id cannot be empty")]
    EmptyUserId,
    /// The user id has a character that not every store can keep.
    #[error("a user id cannot contain the character U+0000")]
    UnstorableUserId,
    /// The session seems to have expired, by a clock that has just gone ahead by more than a day.
    /// It is kept until the clock is set back, or has stayed there for an hour.
    #[error(
        "the clock jumped ahead, and nobody can tell yet whether the session has expired; check \
         the time of this machine"
    )]
    ClockJumped,
    /// The app's payload is refused.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

impl EngineError {
    pub(crate) fn crypto(source: impl Into<BoxError>) -> Self {
        Self::Crypto(source.into())
    }
}

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

/// The database's view of a session whose access token is valid.
pub(crate) enum DatabaseCheck {
    /// It exists; nothing to send.
    Exists,
    /// This was the first use of a refreshed session: send the promoted access token.
    Promoted(Box<IssuedAccess>),
    /// It was revoked or has expired.
    Gone,
}

/// The result of presenting a refresh token.
pub(crate) enum Refreshed {
    Tokens(Box<IssuedAccess>, IssuedRefresh),
    /// The session is gone, or the token is not one of ours. With the visitor whom the token names,
    /// when it was ours.
    Unauthorised(Option<Bearer>),
    /// The token was used again after its child was used. The session has been ended.
    Theft(Bearer),
}

/// The visitor who presents a refresh token.
pub(crate) struct Bearer {
    /// The record's where there is a record, because the token's may have been forgotten since.
    pub(crate) anonymous_id: String,
    /// When the token was made, in epoch seconds.
    pub(crate) issued_at: Option<u64>,
}

/// A session without its tokens.
///
/// ```
/// use passerby_server::{SessionInformation, Sessions};
/// # use passerby_server::{MemoryStore, Visitor};
/// # use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(MemoryStore::new())
/// #     .build()
/// #     .await?;
/// # let login = |visitor: Visitor| async move { visitor.sign_in("alice").await.map(drop) };
/// # let app = axum::Router::new()
/// #     .route("/api/login", axum::routing::post(login))
/// #     .layer(sessions.layer());
/// # app.oneshot(http::Request::post("/api/login").body(axum::body::Body::empty())?).await?;
/// # let mut lines = 0;
/// // One line for each place where Alice is signed in.
/// for handle in sessions.session_handles_of_user("alice").await? {
///     let found: SessionInformation =
///         sessions.session_information(&handle).await?.expect("it has not expired");
///     println!("since {:?}, until {:?}", found.created_at, found.expires_at);
///     assert_eq!((found.user_id.as_str(), found.handle), ("alice", handle));
///     assert!(found.created_at < found.expires_at);
///     # lines += 1;
/// }
/// # assert_eq!(lines, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SessionInformation {
    /// The session's name in the store.
    pub handle: String,
    /// The user whose session it is.
    pub user_id: String,
    /// The id that the visitor had before login and gets back afterwards.
    pub anonymous_id: String,
    /// When the user signed in.
    pub created_at: std::time::SystemTime,
    /// When the session ends unless it is refreshed.
    pub expires_at: std::time::SystemTime,
    /// The app's own claims in the access token.
    pub payload: Map<String, Value>,
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

    /// Verifies an access token without asking the store for the session. Pure: changes nothing.
    pub(crate) async fn verify(&self, token: &str) -> Result<AccessCheck, EngineError> {
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

    /// Asks the store whether a session still exists, and promotes the refresh token that was
    /// issued with this access token when this is its first use.
    pub(crate) async fn check_database(
        &self,
        session: &UserSession,
    ) -> Result<DatabaseCheck, EngineError> {
        let claims = &session.claims;
        let now = self.clock.now_ms();
        let Some(parent) = claims.parent_refresh_token_hash1.as_deref().map(Hash1::from_claim)
        else {
            let stored = load_live(&*self.store, &claims.session_handle, now).await?;
            return Ok(stored.map_or(DatabaseCheck::Gone, |_| DatabaseCheck::Exists));
        };
        let own = Hash1::from_claim(&claims.refresh_token_hash1);
        let shown = Shown {
            handle: &claims.session_handle,
            hash: &own,
            parent: Some(&parent),
            issued_at: Some(claims.issued_at.saturating_mul(1000)),
            by_access: true,
        };
        let judged = self.rotate(&shown, self.clock.moment(), Write::Keep).await?.live();
        Ok(match judged {
            None => DatabaseCheck::Gone,
            Some((Rotation::Theft | Rotation::Replaced, _)) => DatabaseCheck::Exists,
            Some((Rotation::Current | Rotation::Promote, record)) => {
                let inherited =
                    Inherited { parent: None, anti_csrf: claims.anti_csrf_token.as_deref() };
                DatabaseCheck::Promoted(
                    self.issue_access(self.claims_of(&record, &own, inherited, now)).await?,
                )
            }
        })
    }

    /// Exchanges a refresh token for new tokens, with rotation and theft detection. `may_refresh`
    /// is asked with the token's anti-CSRF token.
    pub(crate) async fn refresh(
        &self,
        token: &str,
        may_refresh: impl Fn(Option<&str>) -> bool,
    ) -> Result<Refreshed, EngineError> {
        let Some(content) = self.keys.open_refresh(token) else {
            return Ok(Refreshed::Unauthorised(None));
        };
        let issued_at = content.issued_at.map(|time| time / 1000);
        let bearer = |anonymous_id: String| Bearer { anonymous_id, issued_at };
        if !may_refresh(content.anti_csrf_token.as_deref()) {
            return Ok(Refreshed::Unauthorised(Some(bearer(content.anonymous_id))));
        }
        let now = self.clock.now_ms();
        let presented = Hash1::of(token);
        let parent = content.parent_refresh_token_hash1.as_deref().map(Hash1::from_claim);
        let shown = Shown {
            handle: &content.session_handle,
            hash: &presented,
            parent: parent.as_ref(),
            issued_at: content.issued_at,
            by_access: false,
        };
        let judged = self.rotate(&shown, self.clock.moment(), Write::Remove).await?;
        Ok(match judged {
            Judged::Gone => Refreshed::Unauthorised(Some(bearer(content.anonymous_id))),
            Judged::Expired(record) => Refreshed::Unauthorised(Some(bearer(record.anonymous_id))),
            Judged::Live(Rotation::Theft, record) => Refreshed::Theft(bearer(record.anonymous_id)),
            Judged::Live(Rotation::Current | Rotation::Promote | Rotation::Replaced, record) => {
                let inherited = Inherited {
                    parent: Some(&presented),
                    anti_csrf: content.anti_csrf_token.as_deref(),
                };
                let child = self.seal_refresh(
                    &record.handle,
                    &record.user_id,
                    &record.anonymous_id,
                    inherited,
                    now,
                )?;
                let claims = self.claims_of(&record, &Hash1::of(&child.token), inherited, now);
                Refreshed::Tokens(self.issue_access(claims).await?, child)
            }
        })
    }

    async fn rotate(
        &self,
        shown: &Shown<'_>,
        now: Moment,
        on_theft: Write,
    ) -> Result<Judged, EngineError> {
        rotate(&*self.store, shown, now, self.settings.lifetimes, |judged, _| {
            write_of(judged, on_theft)
        })
        .await
    }

    /// Merges into the payload of a session, in the store only; the browser learns of it at the
    /// next refresh. `false` when there is no such session.
    pub(crate) async fn merge_by_handle(
        &self,
        handle: &str,
        update: &Map<String, Value>,
    ) -> Result<bool, EngineError> {
        Ok(self.merge_stored(handle, update, self.clock.now_ms()).await?.is_some())
    }

    /// Refuses a payload with which the token of a later refresh would be too large: a session must
    /// never become one that cannot be refreshed.
    fn check_room(&self, record: &SessionRecord, now: u64) -> Result<(), PayloadError> {
        self.check_limit(&record.payload)?;
        // As long as the token that the next refresh makes can be.
        let (placeholder, anti_csrf) = (Hash1::of(""), Uuid::nil().to_string());
        let inherited = Inherited { parent: Some(&placeholder), anti_csrf: Some(&anti_csrf) };
        self.claims_of(record, &placeholder, inherited, now)
            .front_token(cookie::ACCESS_TOKEN)
            .map(drop)
    }

    /// Refuses a payload that the app gives and does not allow. One that there was before stays
    /// good.
    fn check_limit(&self, payload: &Map<String, Value>) -> Result<(), PayloadError> {
        let Some(limit) = self.settings.max_payload else { return Ok(()) };
        let bytes = serde_json::to_vec(payload).map_or(usize::MAX, |json| json.len());
        if bytes > limit { Err(PayloadError::OverLimit { bytes, limit }) } else { Ok(()) }
    }

    /// Merges into the payload of a session and issues its access token anew, with the same expiry.
    /// `None` when the session is gone.
    pub(crate) async fn merge_online(
        &self,
        session: &UserSession,
        update: &Map<String, Value>,
    ) -> Result<Option<Box<IssuedAccess>>, EngineError> {
        let now = self.clock.now_ms();
        let renewed = |record: &SessionRecord| AccessClaims {
            issued_at: now / 1000,
            custom: record.payload.clone(),
            ..session.claims.clone()
        };
        match self.merge_stored(session.handle(), update, now).await? {
            None => Ok(None),
            Some(record) => Ok(Some(self.issue_access(renewed(&record)).await?)),
        }
    }

    /// The app's data of a session on the server only. `None` when the session is gone.
    pub(crate) async fn session_data(
        &self,
        handle: &str,
    ) -> Result<Option<Map<String, Value>>, EngineError> {
        let now = self.clock.now_ms();
        Ok(load_live(&*self.store, handle, now).await?.map(|record| record.data))
    }

    /// Lets `change` change it, with nobody else writing in between, and returns the outcome.
    pub(crate) async fn update_session_data(
        &self,
        handle: &str,
        change: &mut (dyn FnMut(&mut Map<String, Value>) + Send),
    ) -> Result<Option<Map<String, Value>>, EngineError> {
        let mut checked = Ok(());
        let record = update_live(&*self.store, handle, self.clock.moment(), &mut |record| {
            change(&mut record.data);
            checked = check_depth(&record.data);
            if checked.is_ok() { Write::Save } else { Write::Keep }
        })
        .await?;
        checked?;
        Ok(record.map(|record| record.data))
    }

    async fn merge_stored(
        &self,
        handle: &str,
        update: &Map<String, Value>,
        now: u64,
    ) -> Result<Option<SessionRecord>, EngineError> {
        let mut refused = None;
        let record = update_live(&*self.store, handle, self.clock.moment(), &mut |record| {
            let merged = merge(record.payload.clone(), update.clone()).and_then(|payload| {
                record.payload = payload;
                self.check_room(record, now)
            });
            match merged {
                Ok(()) => Write::Save,
                Err(error) => {
                    refused = Some(error);
                    Write::Keep
                }
            }
        })
        .await?;
        refused.map_or(Ok(record), |error| Err(error.into()))
    }

    /// Gives a session another anonymousId, and all its tokens anew, because both name the id. The
    /// new refresh token is a child of the current one, so that a lost response costs nothing; a
    /// browser whose session a sibling took over gets none. `None` when the session is gone.
    pub(crate) async fn replace_anonymous_id(
        &self,
        session: &UserSession,
    ) -> Result<Option<(Box<IssuedAccess>, Option<IssuedRefresh>)>, EngineError> {
        let now = self.clock.now_ms();
        // Before the session changes, so that nothing can come in between.
        self.forget(session.anonymous_id()).await?;
        let anonymous_id = Uuid::new_v4().to_string();
        let mut former = None;
        let own = Hash1::from_claim(&session.claims.refresh_token_hash1);
        let parent = session.claims.parent_refresh_token_hash1.as_deref().map(Hash1::from_claim);
        let shown = Shown {
            handle: session.handle(),
            hash: &own,
            parent: parent.as_ref(),
            issued_at: Some(session.claims.issued_at.saturating_mul(1000)),
            by_access: true,
        };
        let judged = rotate(
            &*self.store,
            &shown,
            self.clock.moment(),
            self.settings.lifetimes,
            |_, record| {
                former = Some(mem::replace(&mut record.anonymous_id, anonymous_id.clone()));
                Write::Save
            },
        );
        let Some((rotation, record)) = judged.await?.live() else { return Ok(None) };
        // The token named an older one where it was made before another forgetting.
        if let Some(former) = former.filter(|former| former != session.anonymous_id()) {
            self.forget(&former).await?;
        }
        if matches!(rotation, Rotation::Theft | Rotation::Replaced) {
            let claims = AccessClaims {
                issued_at: now / 1000,
                anonymous_id,
                custom: record.payload,
                ..session.claims.clone()
            };
            return Ok(Some((self.issue_access(claims).await?, None)));
        }
        let inherited =
            Inherited { parent: Some(&own), anti_csrf: session.claims.anti_csrf_token.as_deref() };
        let child = self.seal_refresh(
            &record.handle,
            &record.user_id,
            &record.anonymous_id,
            inherited,
            now,
        )?;
        let claims = self.claims_of(&record, &Hash1::of(&child.token), inherited, now);
        Ok(Some((self.issue_access(claims).await?, Some(child))))
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
            ..session.claims.clone()
        })
        .await
    }

    pub(crate) async fn revoke(&self, handle: &str) -> Result<bool, EngineError> {
        let removed = self.store.remove(handle).await?;
        counters::sessions_revoked(removed.into());
        Ok(removed)
    }

    /// Ends a session; the record that there was.
    pub(crate) async fn end(&self, handle: &str) -> Result<Option<SessionRecord>, EngineError> {
        let ended = self.store.update(handle, &mut |_| Write::Remove).await?;
        counters::sessions_revoked(ended.is_some().into());
        Ok(ended)
    }

    pub(crate) async fn revoke_all_of_user(
        &self,
        user_id: &str,
    ) -> Result<Vec<String>, EngineError> {
        let revoked = self.store.remove_all_of_user(user_id).await?;
        counters::sessions_revoked(revoked.len());
        Ok(revoked)
    }

    pub(crate) async fn handles_of_user(&self, user_id: &str) -> Result<Vec<String>, EngineError> {
        Ok(self.store.handles_of_user(user_id, self.clock.now_ms()).await?)
    }

    /// A session as its next access token will tell it. `None` when it is gone.
    pub(crate) async fn session(&self, handle: &str) -> Result<Option<UserSession>, EngineError> {
        let now = self.clock.now_ms();
        let record = load_live(&*self.store, handle, now).await?;
        // Nobody sees the hash: the claims are never signed.
        Ok(record.map(|record| UserSession {
            claims: self.claims_of(&record, &Hash1::of(""), Inherited::default(), now),
        }))
    }

    pub(crate) async fn information(
        &self,
        handle: &str,
    ) -> Result<Option<SessionInformation>, EngineError> {
        let now = self.clock.now_ms();
        let record = load_live(&*self.store, handle, now).await?;
        Ok(record.map(|record| SessionInformation {
            handle: record.handle,
            user_id: record.user_id,
            anonymous_id: record.anonymous_id,
            created_at: system_time(record.created_at),
            expires_at: system_time(record.expires_at),
            payload: record.payload,
        }))
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
        let front_token = claims.front_token(cookie::ACCESS_TOKEN)?;
        let key = self.keys.access_signing_key(self.clock.now_ms()).await?;
        let token = jwt::sign_aside(TokenKind::Access, key, claims.to_payload()).await?;
        Ok(Box::new(IssuedAccess { session: UserSession { claims }, token, front_token }))
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
        token: &str,
        kind: TokenKind,
    ) -> Result<Option<Arc<Verified>>, EngineError> {
        let now = self.clock.now_ms();
        if let Some(verified) = self.verified.get(token).filter(|found| found.kind() == kind) {
            let key = self.keys.verifying_key(&verified.key.id, now).await?;
            if key.is_some_and(|key| Arc::ptr_eq(&key, &verified.key)) {
                return Ok(Some(verified));
            }
        }
        let Some(key_id) = jwt::key_id(token, kind) else { return Ok(None) };
        let Some(key) = self.keys.verifying_key(&key_id, now).await? else { return Ok(None) };
        let payload = jwt::verify(token, &key, Some(&self.settings.issuer));
        let claims = payload.and_then(|payload| match kind {
            TokenKind::Access => AccessClaims::from_payload(payload).map(Claims::Access),
            TokenKind::Anonymous => AnonymousClaims::from_payload(payload).map(Claims::Anonymous),
        });
        Ok(claims.map(|claims| {
            let verified = Arc::new(Verified { key, claims });
            self.verified.insert(token, verified.clone());
            verified
        }))
    }
}
