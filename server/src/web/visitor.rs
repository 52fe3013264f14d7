//! The visitor of the current request: who it is, and acting on its session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use passerby_protocol::{
    identity::{Mint, MintFacts, mint_decision},
    names::REMOVE,
    payload::PayloadError,
};
use serde_json::{Map, Value, json};

use super::{
    changes::{AnonymousChange, Changes, UserChange},
    refused::SessionRejection,
    request::{RequestFacts, Transfer},
    resolve::{Former, Resolved, Who, announcement},
    ssr::redirect_to_refresh,
};
use crate::{
    claims::{self, Claim, SessionClaimValidator},
    config::AfterSignOut,
    engine::{
        DatabaseCheck, EngineError, IssuedAccess, IssuedAnonymous, IssuedRefresh, Seed, Whose,
    },
    hooks::HookError,
    principal::{AnonymousSession, Principal, UserSession},
    sessions::Sessions,
};

/// Why acting on a session failed. As a response: a refusal that clients of the protocol know, 400
/// for a payload that cannot be kept, 503 when the store failed, else 500.
///
/// ```
/// use passerby_server::{Visitor, VisitorError};
/// # use axum::{Router, body::Body, routing::post};
/// # use http::Request;
/// # use passerby_server::{MemoryStore, Sessions};
/// use serde_json::Map;
/// # use tower::ServiceExt as _;
///
/// async fn promote(visitor: Visitor) -> Result<(), VisitorError> {
///     let role = Map::from_iter([("role".to_owned(), "botanist".into())]);
///     visitor.merge_into_access_token_payload(role).await.map(drop)
/// }
///
/// /// `sub` is a protected claim.
/// async fn rename(visitor: Visitor) -> Result<(), VisitorError> {
///     visitor
///         .anonymous()
///         .update_payload(Map::from_iter([("sub".to_owned(), "bob".into())]))
///         .await
///         .map(drop)
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(MemoryStore::new())
/// #     .build()
/// #     .await?;
/// # let app = Router::new()
/// #     .route("/api/promote", post(promote))
/// #     .route("/api/rename", post(rename))
/// #     .layer(sessions.layer());
/// # let post = |path: &str| app.clone().oneshot(Request::post(path).body(Body::empty()).unwrap());
/// assert_eq!(post("/api/promote").await?.status(), 401);
/// assert_eq!(post("/api/rename").await?.status(), 400);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VisitorError {
    /// There is no session of the kind that is needed, or it has ended.
    #[error(transparent)]
    Refused(#[from] SessionRejection),
    /// The payload is too large or too deep, or names a protected claim.
    #[error(transparent)]
    Payload(PayloadError),
    /// A value for the payload is not one that JSON has.
    #[error("the value of `{key}` cannot be kept: {source}")]
    Value {
        /// Its key.
        key: String,
        /// The reason.
        source: serde_json::Error,
    },
    /// The app could not tell the value of a claim.
    #[error("a claim could not be fetched: {0}")]
    Claim(#[source] HookError),
    /// The server failed.
    #[error(transparent)]
    Engine(EngineError),
}

impl From<EngineError> for VisitorError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Payload(error) => Self::Payload(error),
            error => Self::Engine(error),
        }
    }
}

impl VisitorError {
    /// Status and JSON body of the response. An error that is not the visitor's fault is logged,
    /// and not told.
    pub(crate) fn answer(&self) -> (StatusCode, Value) {
        let internal =
            || (StatusCode::INTERNAL_SERVER_ERROR, json!({ "message": "internal error" }));
        match self {
            Self::Refused(refused) => (refused.status(), refused.body()),
            Self::Payload(error) => {
                (StatusCode::BAD_REQUEST, json!({ "message": error.to_string() }))
            }
            Self::Value { .. } => {
                tracing::error!(error = %self, "a payload was not changed");
                internal()
            }
            Self::Claim(error) => {
                tracing::error!(%error, "a claim could not be fetched");
                internal()
            }
            Self::Engine(error) => {
                tracing::error!(%error, "acting on a session failed");
                match error {
                    EngineError::Store(_) | EngineError::ClockJumped => (
                        SessionRejection::Unavailable.status(),
                        SessionRejection::Unavailable.body(),
                    ),
                    // Often what a visitor typed.
                    EngineError::EmptyUserId | EngineError::UnstorableUserId => {
                        (StatusCode::BAD_REQUEST, json!({ "message": error.to_string() }))
                    }
                    _ => internal(),
                }
            }
        }
    }
}

impl IntoResponse for VisitorError {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refused) => refused.into_response(),
            Self::Engine(EngineError::Store(_) | EngineError::ClockJumped) => {
                let _ = self.answer();
                SessionRejection::Unavailable.into_response()
            }
            error => {
                let (status, body) = error.answer();
                (status, Json(body)).into_response()
            }
        }
    }
}

/// The visitor of the current request. Extract it in a handler to sign in, sign out or change what
/// the session holds; the layer attaches the resulting tokens to the response, whatever its status.
///
/// ```
/// use axum::{Json, Router, body::Body, routing::post};
/// use http::Request;
/// use passerby_server::{MemoryStore, Principal, Sessions, Visitor, VisitorError};
/// use serde_json::{Map, Value, json};
/// use tower::ServiceExt as _;
///
/// async fn login(visitor: Visitor) -> Result<Json<Value>, VisitorError> {
///     // Check the password here. The guest's cart stays his until then.
///     visitor
///         .anonymous()
///         .update_payload(Map::from_iter([("cart".to_owned(), json!(["fern"]))]))
///         .await?;
///     let guest = visitor.principal().map(|guest| guest.anonymous_id().to_owned());
///     let user = visitor.sign_in("alice").await?;
///     assert_eq!(guest.as_deref(), Some(user.anonymous_id()));
///     let user = visitor
///         .merge_into_access_token_payload(Map::from_iter([(
///             "role".to_owned(),
///             json!("botanist"),
///         )]))
///         .await?;
///     visitor
///         .update_session_data(|data| drop(data.insert("device".into(), json!("phone"))))
///         .await?;
///     Ok(Json(user.payload().clone().into()))
/// }
///
/// async fn out(visitor: Visitor) -> Result<(), VisitorError> {
///     visitor.sign_out().await?;
///     assert!(matches!(visitor.principal(), Some(Principal::Anonymous(_))));
///     Ok(())
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = Sessions::builder()
///     .api_domain("http://localhost:3000")
///     .store(MemoryStore::new())
///     .build()
///     .await?;
/// let app = Router::new()
///     .route("/api/login", post(login))
///     .route("/api/logout", post(out))
///     .layer(sessions.layer());
/// let response = app.clone().oneshot(Request::post("/api/login").body(Body::empty())?).await?;
/// assert_eq!(response.status(), 200);
/// assert!(response.headers().contains_key("front-token"));
/// // Nobody is signed in here.
/// let response = app.oneshot(Request::post("/api/logout").body(Body::empty())?).await?;
/// assert_eq!(response.status(), 401);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Visitor(Arc<Visit>);

struct Visit {
    sessions: Sessions,
    facts: RequestFacts,
    state: Mutex<State>,
}

struct State {
    who: Who,
    /// Beside a user session, the anonymous session that the visitor has when it ends.
    beside: Option<AnonymousSession>,
    changes: Changes,
}

/// A visitor is a person.
impl std::fmt::Debug for Visitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Visitor").finish_non_exhaustive()
    }
}

impl Visitor {
    pub(crate) fn new(sessions: Sessions, facts: RequestFacts, resolved: Resolved) -> Self {
        let Resolved { who, beside, changes } = resolved;
        Self(Arc::new(Visit { sessions, facts, state: Mutex::new(State { who, beside, changes }) }))
    }

    /// The visitor's session; `None` when there is no session, or one that must be refreshed first.
    /// Claims are not validated; the extractors do so.
    #[must_use]
    pub fn principal(&self) -> Option<Principal> {
        match self.state().who.clone() {
            Who::Anonymous(session) => Some(Principal::Anonymous(session)),
            Who::User(session, _) => Some(Principal::User(session)),
            Who::Nobody(_) | Who::TryRefresh(..) | Who::Ended(_) | Who::Unavailable => None,
        }
    }

    /// Creates a session for a user: new tokens throughout. The anonymous session ends; its
    /// anonymousId lives on in the access token, and the `on_sign_in` hook decides what else. A
    /// session of another user that the browser held ends, so that no late answer can bring it
    /// back.
    ///
    /// # Errors
    /// [`VisitorError::Payload`] when the hook's payload does not fit, [`VisitorError::Engine`]
    /// when the session could not be stored. The visitor then keeps the session they had.
    pub async fn sign_in(&self, user_id: &str) -> Result<UserSession, VisitorError> {
        self.sign_in_with(user_id, Map::new()).await
    }

    /// The same as [`sign_in`](Self::sign_in), with a payload that is added to the hook's and wins
    /// over it.
    ///
    /// # Errors
    /// As [`sign_in`](Self::sign_in).
    pub async fn sign_in_with(
        &self,
        user_id: &str,
        payload: Map<String, Value>,
    ) -> Result<UserSession, VisitorError> {
        let (before, beside) = {
            let state = self.state();
            (state.who.clone(), state.beside.clone())
        };
        let (former_user, former_transfer) = match &before {
            Who::User(session, transfer) => (Some(session.clone()), Some(*transfer)),
            Who::TryRefresh(_, expired) => (expired.clone(), None),
            _ => (None, None),
        };
        let former = match before {
            Who::Anonymous(session) => Former::Anonymous(session),
            Who::User(session, _) => match beside {
                Some(own) if own.anonymous_id() != session.anonymous_id() => Former::Anonymous(own),
                _ => Former::Id(session.claims.anonymous_id),
            },
            Who::Ended(former) | Who::TryRefresh(former, _) | Who::Nobody(former) => former,
            Who::Unavailable => Former::Unknown,
        };
        let (anonymous_id, carried) = match former {
            Former::Anonymous(session) => {
                let id = session.anonymous_id().to_owned();
                (Some(id), self.0.sessions.hooks().upgrade(session, user_id).await)
            }
            Former::Id(id) => (self.0.sessions.engine().unless_forgotten(id).await?, Map::new()),
            Former::Unknown => (None, Map::new()),
        };
        let anonymous_id = anonymous_id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let (access, refresh) = self.create(user_id, &anonymous_id, carried, payload).await?;
        if let Some(former) = former_user.filter(|former| former.user_id() != user_id)
            && let Err(error) = self.0.sessions.engine().revoke(former.handle()).await
        {
            tracing::warn!(%error, "the session of the user before could not be ended");
        }
        let session = access.session.clone();
        let transfer = self.0.facts.transfer;
        let mut state = self.state();
        state.beside = None;
        state.changes.user = UserChange::Issue {
            transfer,
            access,
            refresh: Some(refresh),
            clear_other: former_transfer.is_some_and(|former| former != transfer),
        };
        if self.0.sessions.anonymous_enabled() || self.0.facts.has_anonymous_cookie {
            state.changes.anonymous = AnonymousChange::Remove;
        }
        state.who = Who::User(session.clone(), transfer);
        Ok(session)
    }

    /// Ends the user's session. The visitor is anonymous again with this response, with the same
    /// anonymousId unless the server is set to [`AfterSignOut::Rotate`]; the `on_sign_out` hook
    /// decides what else is kept.
    ///
    /// # Errors
    /// [`SessionRejection::Unauthorised`] without a user session, [`SessionRejection::TryRefresh`]
    /// when it must be refreshed first, [`VisitorError::Engine`] when the store failed; the session
    /// then still exists.
    pub async fn sign_out(&self) -> Result<(), VisitorError> {
        let (mut session, _) = self.user_and_transfer().await?;
        let engine = self.0.sessions.engine();
        // The record's id, because the token's may have been forgotten since.
        let is_known = match engine.end(session.handle()).await? {
            Some(record) => {
                session.claims.anonymous_id = record.anonymous_id;
                true
            }
            None => false,
        };
        let id = session.anonymous_id().to_owned();
        let whose = match self.0.sessions.hooks().after_sign_out(&session) {
            AfterSignOut::Keep if is_known => Whose::Known(id),
            AfterSignOut::Keep => self.whose(id).await,
            AfterSignOut::Rotate => {
                // The session has ended whatever becomes of this.
                if let Err(error) = engine.forget(&id).await {
                    tracing::warn!(%error, "an older token may bring back the id of before");
                }
                Whose::New(Seed::Random)
            }
        };
        let own =
            self.state().beside.take().filter(|own| own.anonymous_id() != session.anonymous_id());
        let carried = self.0.sessions.hooks().sign_out(session).await;
        match own {
            Some(own) => self.demote_to(Former::Anonymous(own)).await,
            None => self.demote(whose, carried).await,
        }
        Ok(())
    }

    /// Ends the visitor's anonymousId for good, for who asks to be forgotten. An anonymous visitor
    /// gets a new id and an empty payload, or none while anonymous sessions are off. A user stays
    /// signed in, with new tokens that name a new id; it is the one that he has after the session.
    /// The app has to erase whatever it keeps under the old id. Browsers reach the same by
    /// `POST {base}/anonymous/forget`.
    ///
    /// # Errors
    /// [`SessionRejection::TryRefresh`] when the session must be refreshed first,
    /// [`SessionRejection::Unauthorised`] when it turned out to be over (the id is gone all the
    /// same), [`VisitorError::Engine`] when the store failed; the id then still exists.
    pub async fn forget_anonymous_id(&self) -> Result<(), VisitorError> {
        let who = self.state().who.clone();
        if let Who::Nobody(_) | Who::Anonymous(_) = who {
            self.become_anonymous(Whose::New(Seed::Random), Map::new()).await;
            return Ok(());
        }
        let (session, transfer) = self.user_and_transfer().await?;
        match self.0.sessions.engine().replace_anonymous_id(&session).await? {
            None => {
                self.demote(Whose::New(Seed::Random), Map::new()).await;
                Err(SessionRejection::Unauthorised.into())
            }
            Some((access, None)) => {
                self.renew(transfer, access);
                Ok(())
            }
            Some((access, refresh)) => {
                let session = access.session.clone();
                let mut state = self.state();
                let clear_other =
                    matches!(state.changes.user, UserChange::Issue { clear_other: true, .. });
                state.changes.user = UserChange::Issue { transfer, access, refresh, clear_other };
                state.who = Who::User(session, transfer);
                if self.0.facts.has_anonymous_cookie {
                    state.changes.anonymous = AnonymousChange::Remove;
                }
                Ok(())
            }
        }
    }

    /// Keeps a value in the session that the visitor has, of either kind: the browser sees it with
    /// this response, and later requests carry it. `None` or `()` removes the key.
    /// [`Principal::get`] reads it. Two requests at the same time that set different keys may lose
    /// one of them, because the payload is in the token.
    ///
    /// # Errors
    /// [`VisitorError::Value`] when the value cannot be JSON, [`VisitorError::Payload`] when the
    /// payload does not fit or the key is protected, [`VisitorError::Refused`] without a session,
    /// or when it was revoked meanwhile.
    pub async fn set(&self, key: &str, value: impl serde::Serialize) -> Result<(), VisitorError> {
        let value = serde_json::to_value(value)
            .map_err(|source| VisitorError::Value { key: key.to_owned(), source })?;
        let update = Map::from_iter([(key.to_owned(), value)]);
        match self.principal() {
            Some(Principal::User(_)) => {
                self.merge_into_access_token_payload(update).await.map(drop)
            }
            _ => self.anonymous().update_payload(update).await.map(drop),
        }
    }

    /// Merges into the payload of the user's access token: the browser sees it with this response.
    /// A `null` removes its key.
    ///
    /// # Errors
    /// [`VisitorError::Payload`] when the result does not fit or a protected claim is named;
    /// [`VisitorError::Refused`] without a user session, or when it was revoked meanwhile.
    pub async fn merge_into_access_token_payload(
        &self,
        update: Map<String, Value>,
    ) -> Result<UserSession, VisitorError> {
        let (session, transfer) = self.user_and_transfer().await?;
        match self.0.sessions.engine().merge_online(&session, &update).await? {
            Some(access) => Ok(self.renew(transfer, access)),
            None => Err(self.end(session).await.into()),
        }
    }

    /// The app's data of the user's session on the server, which no browser sees.
    ///
    /// # Errors
    /// [`VisitorError::Refused`] without a user session, or when it was revoked meanwhile;
    /// [`VisitorError::Engine`] when the store failed.
    pub async fn session_data(&self) -> Result<Map<String, Value>, VisitorError> {
        let (session, _) = self.user_and_transfer().await?;
        let data = self.0.sessions.engine().session_data(session.handle()).await?;
        match data {
            Some(data) => Ok(data),
            None => Err(self.end(session).await.into()),
        }
    }

    /// Changes what the app keeps of the user's session on the server, in one transaction, and
    /// returns the outcome.
    ///
    /// # Errors
    /// As [`Visitor::session_data`]; [`VisitorError::Payload`] when the data are nested too deep.
    pub async fn update_session_data(
        &self,
        mut change: impl FnMut(&mut Map<String, Value>) + Send,
    ) -> Result<Map<String, Value>, VisitorError> {
        let (session, _) = self.user_and_transfer().await?;
        let data =
            self.0.sessions.engine().update_session_data(session.handle(), &mut change).await?;
        match data {
            Some(data) => Ok(data),
            None => Err(self.end(session).await.into()),
        }
    }

    /// The visitor's anonymous session, to be changed.
    #[must_use]
    pub fn anonymous(&self) -> AnonymousVisitor<'_> {
        AnonymousVisitor(self)
    }

    /// Issues the access token anew, already expired, so that the browser refreshes at its next
    /// request. The session goes on. For demonstrations and tests.
    ///
    /// # Errors
    /// [`VisitorError::Refused`] without a user session.
    pub async fn expire_access_token(&self) -> Result<(), VisitorError> {
        let (session, transfer) = self.user_and_transfer().await?;
        let access = self.0.sessions.engine().expire_access_token(&session).await?;
        self.renew(transfer, access);
        Ok(())
    }

    /// The user, if the access token satisfies these demands and nothing else: the [global
    /// validators](crate::SessionsBuilder::claim_validator) are not asked. For both, extract a
    /// [`User`](crate::User) as well. Claims that are missing or too old are fetched first, and the
    /// browser gets the new access token with this response; on pages nothing is fetched.
    ///
    /// # Errors
    /// [`SessionRejection::InvalidClaims`] when a demand is not satisfied,
    /// [`SessionRejection::Unauthorised`] without a user session, [`SessionRejection::TryRefresh`]
    /// when it must be refreshed first, [`SessionRejection::Unavailable`] when the store failed.
    pub async fn require(
        &self,
        validators: &[&dyn SessionClaimValidator],
    ) -> Result<UserSession, SessionRejection> {
        let (session, transfer) = self.user_and_transfer().await?;
        self.validated(session, transfer, validators).await
    }

    /// The refusal in the form that the request wants: a page load that needs a session, or a fresh
    /// access token, is [redirected to `/refresh-session`](crate::redirect_to_refresh); everything
    /// else is answered as JSON.
    #[must_use]
    pub fn refuse(&self, refused: SessionRejection) -> Response {
        match (&self.0.facts.page, &refused) {
            (Some(page), SessionRejection::Unauthorised | SessionRejection::TryRefresh) => {
                redirect_to_refresh(page)
            }
            _ => refused.into_response(),
        }
    }

    /// Fetches a claim and merges it into the payload, whatever its age. The value that is there
    /// stays when the claim's source knows none.
    ///
    /// # Errors
    /// [`VisitorError::Claim`] when the app's source failed; else as
    /// [`Visitor::merge_into_access_token_payload`].
    pub async fn fetch_and_set_claim(&self, claim: &Claim) -> Result<UserSession, VisitorError> {
        let (session, _) = self.user_and_transfer().await?;
        match claim.fetch(&session, self.0.sessions.now()).await.map_err(VisitorError::Claim)? {
            Some(update) => self.merge_into_access_token_payload(update).await,
            None => Ok(session),
        }
    }

    /// The user, from the access token alone, who satisfies the global validators.
    pub(crate) async fn require_user(&self) -> Result<UserSession, SessionRejection> {
        self.require(&self.0.sessions.claim_validators().as_refs()).await
    }

    /// Asks the validators, after the claims that are too old were fetched.
    async fn validated(
        &self,
        mut session: UserSession,
        transfer: Transfer,
        validators: &[&dyn SessionClaimValidator],
    ) -> Result<UserSession, SessionRejection> {
        let now = self.0.sessions.now();
        let update = if self.0.facts.is_api {
            claims::refetched(validators, &session, now).await
        } else {
            Map::new()
        };
        if !update.is_empty() {
            match self.0.sessions.engine().merge_online(&session, &update).await {
                Ok(Some(access)) => session = self.renew(transfer, access),
                Ok(None) => return Err(self.end(session).await),
                Err(EngineError::Payload(error)) => {
                    tracing::warn!(%error, "fetched claims could not be kept")
                }
                Err(error) => {
                    tracing::error!(%error, "fetched claims could not be stored");
                    return Err(SessionRejection::Unavailable);
                }
            }
        }
        let invalid = claims::invalid(validators, session.payload(), now);
        if invalid.is_empty() { Ok(session) } else { Err(SessionRejection::InvalidClaims(invalid)) }
    }

    /// The user, after asking the store whether the session still exists.
    pub(crate) async fn require_checked_user(&self) -> Result<UserSession, SessionRejection> {
        let (session, transfer) = self.user_and_transfer().await?;
        // A page is rendered from what is there and changes nothing, so it must not promote either.
        let checked = if self.0.facts.is_api {
            self.0.sessions.engine().check_database(&session).await
        } else {
            self.0.sessions.engine().information(session.handle()).await.map(|information| {
                match information {
                    Some(_) => DatabaseCheck::Exists,
                    None => DatabaseCheck::Gone,
                }
            })
        };
        let session = match checked {
            Ok(DatabaseCheck::Exists) => session,
            Ok(DatabaseCheck::Promoted(access)) => self.renew(transfer, access),
            Ok(DatabaseCheck::Gone) => return Err(self.end(session).await),
            Err(error) => {
                tracing::error!(%error, "a session could not be checked");
                return Err(SessionRejection::Unavailable);
            }
        };
        self.validated(session, transfer, &self.0.sessions.claim_validators().as_refs()).await
    }

    /// Either kind; `None` when there is no session at all.
    pub(crate) async fn optional_principal(&self) -> Result<Option<Principal>, SessionRejection> {
        let who = self.state().who.clone();
        match who {
            Who::Nobody(_) => Ok(None),
            Who::Anonymous(session) => Ok(Some(Principal::Anonymous(session))),
            // The same response makes the visitor anonymous, and here a guest will do.
            Who::Ended(former) => {
                self.demote_to(former).await;
                Ok(self.principal())
            }
            Who::User(..) | Who::TryRefresh(..) | Who::Unavailable => {
                self.require_user().await.map(|session| Some(Principal::User(session)))
            }
        }
    }

    /// The user session is over: clears it and makes the visitor anonymous, both with this
    /// response.
    pub(crate) async fn demote(&self, whose: Whose, carried: Map<String, Value>) {
        self.clear_user();
        self.become_anonymous(whose, carried).await;
    }

    /// The same, for a visitor of whom this is known.
    async fn demote_to(&self, former: Former) {
        match former {
            Former::Anonymous(session) => {
                let carried = session.claims.custom.clone();
                self.demote(Whose::Known(session.claims.anonymous_id), carried).await;
            }
            Former::Id(id) => self.demote(self.whose(id).await, Map::new()).await,
            Former::Unknown => self.demote(Whose::New(Seed::Random), Map::new()).await,
        }
    }

    /// The visitor whom a user's token names by this id. While the store cannot tell whether the id
    /// was forgotten, they keep it: nearly everybody should.
    async fn whose(&self, id: String) -> Whose {
        match self.0.sessions.engine().unless_forgotten(id.clone()).await {
            Ok(None) => Whose::New(Seed::Random),
            Ok(Some(id)) => Whose::Known(id),
            Err(error) => {
                tracing::warn!(%error, "nobody can tell whether a visitor's id was forgotten");
                Whose::Known(id)
            }
        }
    }

    /// All user sessions that the request presented are over.
    pub(crate) async fn leave(&self) {
        let who = self.state().who.clone();
        match who {
            Who::TryRefresh(former, _) | Who::Ended(former) | Who::Nobody(former) => {
                self.demote_to(former).await
            }
            Who::User(..) | Who::Anonymous(_) | Who::Unavailable => self.clear_user(),
        }
    }

    /// The visitor gets an anonymous session, unless they are off.
    pub(crate) async fn become_anonymous(&self, whose: Whose, carried: Map<String, Value>) {
        let Visit { sessions, facts, .. } = &*self.0;
        let is_stranger = matches!((&whose, &self.state().who), (Whose::New(_), Who::Nobody(_)));
        let ends = MintFacts { ends_session: true, ..facts.mint };
        let allowed = mint_decision(&ends, &sessions.mint_rules(), !is_stranger) != Mint::Forbidden;
        let engine = sessions.engine();
        let issued = match (allowed, carried.is_empty()) {
            (false, _) => None,
            (true, true) => Some(engine.mint_anonymous(whose, carried).await),
            (true, false) => Some(match engine.mint_anonymous(whose.clone(), carried).await {
                Err(error) => {
                    tracing::warn!(%error, "going on without what would have been carried into the \
                        anonymous session");
                    engine.mint_anonymous(whose, Map::new()).await
                }
                issued => issued,
            }),
        };
        let issued = issued.transpose().unwrap_or_else(|error| {
            tracing::error!(%error, "no anonymous session could be made");
            None
        });
        let mut state = self.state();
        (state.who, state.changes.anonymous) = match issued {
            Some(issued) => (
                Who::Anonymous(issued.session.clone()),
                AnonymousChange::Issue { transfer: facts.transfer, issued: Box::new(issued) },
            ),
            None => (Who::Nobody(Former::Unknown), self.removal()),
        };
    }

    /// The visitor should get an anonymous session, and does not: too many were made, or the app
    /// refused.
    pub(crate) fn go_without(&self) {
        let removal = self.removal();
        let mut state = self.state();
        state.who = Who::Nobody(Former::Unknown);
        state.changes.anonymous = removal;
        state.changes.limited = true;
    }

    /// Whether the visitor has no user session, and may have an anonymous one.
    pub(crate) fn wants_anonymous(&self) -> bool {
        let may_have_one = match self.state().who {
            Who::Nobody(_) => {
                mint_decision(&self.0.facts.mint, &self.0.sessions.mint_rules(), false)
            }
            Who::Anonymous(_) => {
                mint_decision(&self.0.facts.mint, &self.0.sessions.mint_rules(), true)
            }
            Who::User(..) | Who::TryRefresh(..) | Who::Ended(_) | Who::Unavailable => {
                Mint::Forbidden
            }
        };
        may_have_one != Mint::Forbidden
    }

    /// Takes away the anonymous session that the visitor came with, if any.
    fn removal(&self) -> AnonymousChange {
        let facts = &self.0.facts;
        if facts.has_anonymous_cookie || facts.has_anonymous_bearer {
            AnonymousChange::Remove
        } else {
            AnonymousChange::Keep
        }
    }

    /// The visitor keeps the anonymous session whose token is `issued`, and hears of it again.
    pub(crate) fn announce(&self, transfer: Transfer, issued: IssuedAnonymous) {
        let mut state = self.state();
        state.who = Who::Anonymous(issued.session.clone());
        state.changes.anonymous = AnonymousChange::Issue { transfer, issued: Box::new(issued) };
    }

    /// The visitor keeps the anonymous token that the browser holds, and hears of it again.
    pub(crate) fn stay(&self, session: AnonymousSession) {
        let announcement = announcement(&self.0.sessions, &session);
        let mut state = self.state();
        state.who = Who::Anonymous(session);
        state.changes.anonymous = announcement;
    }

    /// The visitor has no anonymous session. The browser may hold the announcement of one all the
    /// same, if its cookie is gone.
    pub(crate) fn announce_none(&self) {
        let mut state = self.state();
        if let AnonymousChange::Keep = state.changes.anonymous {
            state.changes.anonymous = AnonymousChange::Announce(REMOVE.to_owned());
        }
    }

    /// Notes new tokens of a user session. `keeps_own` when the visitor has a session of their own
    /// beside it.
    pub(crate) fn issue(
        &self,
        session: UserSession,
        transfer: Transfer,
        change: UserChange,
        keeps_own: bool,
    ) {
        let mut state = self.state();
        state.who = Who::User(session, transfer);
        state.changes.user = change;
        // One may have been made while the access token was missing, and a browser has one session
        // or the other.
        if self.0.facts.has_anonymous_cookie && !keeps_own {
            state.changes.anonymous = AnonymousChange::Remove;
        }
    }

    /// Clears the user session only.
    pub(crate) fn clear_user(&self) {
        self.state().changes.user = UserChange::Clear;
    }

    pub(crate) fn take_changes(&self) -> Changes {
        std::mem::take(&mut self.state().changes)
    }

    pub(crate) fn facts(&self) -> &RequestFacts {
        &self.0.facts
    }

    async fn user_and_transfer(&self) -> Result<(UserSession, Transfer), SessionRejection> {
        let who = self.state().who.clone();
        match who {
            Who::User(session, transfer) => Ok((session, transfer)),
            Who::Nobody(_) | Who::Anonymous(_) => Err(SessionRejection::Unauthorised),
            Who::TryRefresh(..) => Err(SessionRejection::TryRefresh),
            Who::Unavailable => Err(SessionRejection::Unavailable),
            Who::Ended(former) => {
                self.demote_to(former).await;
                Err(SessionRejection::Unauthorised)
            }
        }
    }

    /// Creates a session; without what the hook carried over when that is what makes it too large,
    /// because a hook never stops a login.
    async fn create(
        &self,
        user_id: &str,
        anonymous_id: &str,
        mut carried: Map<String, Value>,
        payload: Map<String, Value>,
    ) -> Result<(Box<IssuedAccess>, IssuedRefresh), EngineError> {
        let engine = self.0.sessions.engine();
        let with_anti_csrf = self.0.sessions.anti_csrf().gives_token(self.0.facts.transfer);
        if carried.is_empty() {
            return engine.create(user_id, anonymous_id, payload, with_anti_csrf).await;
        }
        carried.extend(payload.clone());
        match engine.create(user_id, anonymous_id, carried, with_anti_csrf).await {
            Err(EngineError::Payload(error)) => {
                tracing::warn!(%error, "signing in without what `on_sign_in` would have carried \
                    over");
                engine.create(user_id, anonymous_id, payload, with_anti_csrf).await
            }
            created => created,
        }
    }

    /// The session turned out to be over.
    async fn end(&self, session: UserSession) -> SessionRejection {
        if self.0.facts.is_api {
            let beside = self.state().beside.take();
            self.demote_to(
                beside.map_or(Former::Id(session.claims.anonymous_id), Former::Anonymous),
            )
            .await;
        }
        SessionRejection::Unauthorised
    }

    fn renew(&self, transfer: Transfer, access: Box<IssuedAccess>) -> UserSession {
        let session = access.session.clone();
        let mut state = self.state();
        state.changes.renew_access(transfer, access);
        state.who = Who::User(session.clone(), transfer);
        session
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of [`Visitor::anonymous`].
///
/// ```
/// use passerby_server::{Visitor, VisitorError};
/// # use axum::{
/// #     Router,
/// #     body::{Body, to_bytes},
/// #     routing::post,
/// # };
/// # use http::Request;
/// # use passerby_server::{MemoryStore, Sessions};
/// use serde_json::{Map, json};
/// # use tower::ServiceExt as _;
///
/// async fn darken(visitor: Visitor) -> Result<String, VisitorError> {
///     let theme = Map::from_iter([("theme".to_owned(), json!("dark"))]);
///     let guest = visitor.anonymous().update_payload(theme).await?;
///     Ok(guest.payload()["theme"].to_string())
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sessions = Sessions::builder()
/// #     .api_domain("http://localhost:3000")
/// #     .store(MemoryStore::new())
/// #     .build()
/// #     .await?;
/// # let app = Router::new().route("/api/darken", post(darken)).layer(sessions.layer());
/// let response = app.oneshot(Request::post("/api/darken").body(Body::empty())?).await?;
/// assert!(response.headers().contains_key("st-anonymous-front-token"));
/// assert_eq!(to_bytes(response.into_body(), 100).await?, "\"dark\"");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AnonymousVisitor<'a>(&'a Visitor);

impl AnonymousVisitor<'_> {
    /// Merges into the payload of the anonymous session and issues its token anew. A `null` removes
    /// its key.
    ///
    /// # Errors
    /// [`VisitorError::Payload`] when the result does not fit a cookie or a protected claim is
    /// named; [`VisitorError::Refused`] when the visitor has no anonymous session.
    // Async like the visitor's methods, so that what may have to wait one day does not change the
    // signature.
    pub async fn update_payload(
        &self,
        update: Map<String, Value>,
    ) -> Result<AnonymousSession, VisitorError> {
        let Visitor(visit) = self.0;
        let Who::Anonymous(session) = self.0.state().who.clone() else {
            return Err(SessionRejection::Unauthorised.into());
        };
        let issued = visit.sessions.engine().update_anonymous(&session, update).await?;
        let session = issued.session.clone();
        let mut state = self.0.state();
        state.changes.anonymous =
            AnonymousChange::Issue { transfer: visit.facts.transfer, issued: Box::new(issued) };
        state.who = Who::Anonymous(session.clone());
        Ok(session)
    }
}
