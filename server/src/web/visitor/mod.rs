//! The visitor of the current request: their session, and the actions on it.

mod anonymous;
mod error;
mod guards;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

pub use self::{anonymous::AnonymousVisitor, error::VisitorError};
use super::{
    changes::{AnonymousChange, Changes, UserChange},
    context::AppContext,
    refused::SessionRejection,
    request::{RequestFacts, TransferMethod},
    resolve::{Identity, PriorVisitor, Resolved},
    ssr::redirect_to_refresh,
};
use crate::{
    claims::Claim,
    engine::{EngineError, IssuedAccess, IssuedRefresh, MintFor, Seed},
    hooks::AfterSignOut,
    principal::{AnonymousSession, Principal, UserSession},
};

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
///     // Check the password here. The cart is the guest's until then.
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
pub struct Visitor(Arc<VisitorInner>);

struct VisitorInner {
    context: Arc<AppContext>,
    facts: RequestFacts,
    state: Mutex<State>,
}

struct State {
    identity: Identity,
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
    pub(crate) fn new(context: Arc<AppContext>, facts: RequestFacts, resolved: Resolved) -> Self {
        let Resolved { identity, beside, changes } = resolved;
        Self(Arc::new(VisitorInner {
            context,
            facts,
            state: Mutex::new(State { identity, beside, changes }),
        }))
    }

    /// Writes what happened to the visitor's session into the response.
    pub(crate) fn attach<B>(&self, mut response: Response<B>) -> Response<B> {
        let VisitorInner { context, facts, .. } = &*self.0;
        self.take_changes().attach(response.headers_mut(), facts, &context.cookies, &context.clock);
        response
    }

    /// The visitor's session; `None` when there is no session, or one that must be refreshed first.
    /// Claims are not validated; the extractors do so.
    #[must_use]
    pub fn principal(&self) -> Option<Principal> {
        match self.state().identity.clone() {
            Identity::Anonymous(session) => Some(Principal::Anonymous(session)),
            Identity::User(session, _) => Some(Principal::User(session)),
            Identity::Nobody(_)
            | Identity::TryRefresh(..)
            | Identity::Ended(_)
            | Identity::Unavailable => None,
        }
    }

    /// Creates a session for a user: new tokens throughout. The anonymous session ends; its
    /// anonymousId lives on in the access token, and the `on_sign_in` hook decides what else. A
    /// session of another user that the browser held ends, so that no late answer can bring it
    /// back.
    ///
    /// # Errors
    /// [`VisitorError::Payload`] when the hook's payload does not fit, [`VisitorError::Engine`]
    /// when the session could not be stored, [`SessionRejection::Unavailable`] when the store could
    /// not tell who the visitor is. The visitor then keeps the session they had.
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
            (state.identity.clone(), state.beside.clone())
        };
        let (former_user, former_transfer) = match &before {
            Identity::User(session, transfer) => (Some(session.clone()), Some(*transfer)),
            Identity::TryRefresh(_, expired) => (expired.clone(), None),
            _ => (None, None),
        };
        let prior = match before {
            Identity::Anonymous(session) => PriorVisitor::Anonymous(session),
            Identity::User(session, _) => match beside {
                Some(own) if own.anonymous_id() != session.anonymous_id() => {
                    PriorVisitor::Anonymous(own)
                }
                _ => PriorVisitor::Id(session.claims.anonymous_id.clone()),
            },
            Identity::Ended(prior) | Identity::TryRefresh(prior, _) | Identity::Nobody(prior) => {
                prior
            }
            // Another id would be theirs for good.
            Identity::Unavailable if self.0.facts.has_any_token() => {
                return Err(SessionRejection::Unavailable.into());
            }
            Identity::Unavailable => PriorVisitor::Unknown,
        };
        let (anonymous_id, carried) = match prior {
            PriorVisitor::Anonymous(session) => {
                let id = session.anonymous_id().to_owned();
                (Some(id), self.0.context.hooks.sign_in(session, user_id).await)
            }
            PriorVisitor::Id(id) => (self.0.context.engine.unless_forgotten(id).await?, Map::new()),
            PriorVisitor::Unknown => (None, Map::new()),
        };
        let anonymous_id = anonymous_id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let (access, refresh) = self.create(user_id, &anonymous_id, carried, payload).await?;
        if let Some(former) = former_user.filter(|former| former.user_id() != user_id)
            && let Err(error) = self.0.context.engine.revoke(former.handle()).await
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
        if self.0.context.anonymous_enabled() || self.0.facts.has_anonymous_cookie {
            state.changes.anonymous = AnonymousChange::Remove;
        }
        state.identity = Identity::User(session.clone(), transfer);
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
        let engine = &self.0.context.engine;
        // The record's id, because the token's may have been forgotten since.
        let is_known = match engine.end(session.handle()).await? {
            Some(record) => {
                Arc::make_mut(&mut session.claims).anonymous_id = record.anonymous_id;
                true
            }
            None => false,
        };
        let id = session.anonymous_id().to_owned();
        let mint_for = match self.0.context.hooks.after_sign_out(&session) {
            AfterSignOut::Keep if is_known => MintFor::Known(id),
            AfterSignOut::Keep => self.mint_for(id).await,
            AfterSignOut::Rotate => {
                // The session has ended whatever becomes of this.
                if let Err(error) = engine.forget(&id).await {
                    tracing::warn!(%error, "an older token may bring back the id of before");
                }
                MintFor::New(Seed::Random)
            }
        };
        let own =
            self.state().beside.take().filter(|own| own.anonymous_id() != session.anonymous_id());
        let carried = self.0.context.hooks.sign_out(session).await;
        match own {
            Some(own) => self.demote_to(PriorVisitor::Anonymous(own)).await,
            None => self.demote(mint_for, carried).await,
        }
        // The visitor wants to leave nothing behind.
        self.clear_user();
        Ok(())
    }

    /// Ends the visitor's anonymousId for good, for visitors who ask to be forgotten. An anonymous
    /// visitor gets a new id and an empty payload, or no session while anonymous sessions are off.
    /// A user stays signed in, with new tokens that name a new id, and has that id after the
    /// session too. The app has to erase whatever it keeps under the old id. Browsers reach the
    /// same by `POST {base}/anonymous/forget`.
    ///
    /// # Errors
    /// [`SessionRejection::TryRefresh`] when the session must be refreshed first,
    /// [`SessionRejection::Unauthorised`] when it turned out to be over (the id is gone all the
    /// same), [`VisitorError::Engine`] when the store failed; the id then still exists.
    pub async fn forget_anonymous_id(&self) -> Result<(), VisitorError> {
        let identity = self.state().identity.clone();
        if let Identity::Nobody(_) | Identity::Anonymous(_) = identity {
            let mint = self.mint_after_forgetting();
            self.become_anonymous(mint, MintFor::New(Seed::Random), Map::new()).await;
            self.leave_no_refresh_token();
            return Ok(());
        }
        let (session, transfer) = self.user_and_transfer().await?;
        match self.0.context.engine.replace_anonymous_id(&session).await? {
            None => {
                self.demote(MintFor::New(Seed::Random), Map::new()).await;
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
                state.identity = Identity::User(session, transfer);
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
        match self.0.context.engine.merge_online(&session, &update).await? {
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
        let data = self.0.context.engine.session_data(session.handle()).await?;
        match data {
            Some(data) => Ok(data),
            None => Err(self.end(session).await.into()),
        }
    }

    /// Changes what the app keeps of the user's session on the server, with nobody else writing in
    /// between, and returns the outcome. Where somebody else wrote meanwhile, `change` is called
    /// again with what they wrote, and the last call counts.
    ///
    /// # Errors
    /// As [`Visitor::session_data`]; [`VisitorError::Payload`] when the data are nested too deep.
    pub async fn update_session_data(
        &self,
        mut change: impl FnMut(&mut Map<String, Value>) + Send,
    ) -> Result<Map<String, Value>, VisitorError> {
        let (session, _) = self.user_and_transfer().await?;
        let data = self.0.context.engine.update_session_data(session.handle(), &mut change).await?;
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
        let access = self.0.context.engine.expire_access_token(&session).await?;
        self.renew(transfer, access);
        Ok(())
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
        match claim.fetch(&session, self.0.context.now()).await.map_err(VisitorError::Claim)? {
            Some(update) => self.merge_into_access_token_payload(update).await,
            None => Ok(session),
        }
    }

    /// The visitor whom a user's token names by this id. While the store cannot tell whether the id
    /// was forgotten, they keep it: nearly everybody should.
    async fn mint_for(&self, id: String) -> MintFor {
        match self.0.context.engine.unless_forgotten(id.clone()).await {
            Ok(None) => MintFor::New(Seed::Random),
            Ok(Some(id)) => MintFor::Known(id),
            Err(error) => {
                tracing::warn!(%error, "nobody can tell whether a visitor's id was forgotten");
                MintFor::Known(id)
            }
        }
    }

    /// Notes new tokens of a user session. `keeps_own` when the visitor has a session of their own
    /// beside it.
    pub(crate) fn issue(
        &self,
        session: UserSession,
        transfer: TransferMethod,
        change: UserChange,
        keeps_own: bool,
    ) {
        let mut state = self.state();
        state.identity = Identity::User(session, transfer);
        state.changes.user = change;
        // One may have been made while the access token was missing, and a browser has one session
        // or the other.
        if self.0.facts.has_anonymous_cookie && !keeps_own {
            state.changes.anonymous = AnonymousChange::Remove;
        }
    }

    /// Clears the user session only, with its refresh cookie.
    pub(crate) fn clear_user(&self) {
        self.state().changes.user = UserChange::Clear;
    }

    pub(crate) fn take_changes(&self) -> Changes {
        std::mem::take(&mut self.state().changes)
    }

    pub(crate) fn facts(&self) -> &RequestFacts {
        &self.0.facts
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
        let engine = &self.0.context.engine;
        let with_anti_csrf = self.0.context.anti_csrf.gives_token(self.0.facts.transfer);
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
            self.demote_to(beside.map_or_else(
                || PriorVisitor::Id(session.claims.anonymous_id.clone()),
                PriorVisitor::Anonymous,
            ))
            .await;
        }
        SessionRejection::Unauthorised
    }

    fn renew(&self, transfer: TransferMethod, access: Box<IssuedAccess>) -> UserSession {
        let session = access.session.clone();
        let mut state = self.state();
        state.changes.renew_access(transfer, access);
        state.identity = Identity::User(session.clone(), transfer);
        session
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
