//! The visitor's anonymous session: made, kept, changed and taken away.

use std::mem;

use passerby_protocol::{
    identity::{Mint, MintFacts, mint_decision},
    names::REMOVE,
};
use serde_json::{Map, Value};

use super::{Visitor, VisitorError, VisitorInner};
use crate::{
    engine::{IssuedAnonymous, MintFor, Seed},
    principal::AnonymousSession,
    web::{
        SessionRejection,
        changes::{AnonymousChange, UserChange},
        request::TransferMethod,
        resolve::{Identity, PriorVisitor, announcement},
    },
};

impl Visitor {
    /// The user session is over: clears it and makes the visitor anonymous, both with this
    /// response.
    pub(crate) async fn demote(&self, mint_for: MintFor, carried: Map<String, Value>) {
        self.state().changes.user = UserChange::End;
        let VisitorInner { context, facts, .. } = &*self.0;
        let is_stranger =
            matches!((&mint_for, &self.state().identity), (MintFor::New(_), Identity::Nobody(_)));
        let ends = MintFacts { ends_session: true, ..facts.mint };
        let mint = mint_decision(&ends, &context.mint_rules(), !is_stranger);
        self.become_anonymous(mint, mint_for, carried).await;
    }

    /// The same, for a visitor of whom this is known.
    pub(super) async fn demote_to(&self, prior: PriorVisitor) {
        match prior {
            PriorVisitor::Anonymous(session) => {
                let carried = session.claims.custom.clone();
                self.demote(MintFor::Known(session.claims.anonymous_id.clone()), carried).await;
            }
            PriorVisitor::Id(id) => self.demote(self.mint_for(id).await, Map::new()).await,
            PriorVisitor::Unknown => self.demote(MintFor::New(Seed::Random), Map::new()).await,
        }
    }

    /// All user sessions that the request presented are over.
    pub(crate) async fn leave(&self) {
        let identity = self.state().identity.clone();
        if let Identity::TryRefresh(prior, _) | Identity::Ended(prior) | Identity::Nobody(prior) =
            identity
        {
            self.demote_to(prior).await;
        }
        self.clear_user();
    }

    /// The visitor gets an anonymous session, unless that was forbidden.
    pub(crate) async fn become_anonymous(
        &self,
        mint: Mint,
        mint_for: MintFor,
        carried: Map<String, Value>,
    ) {
        let VisitorInner { context, facts, .. } = &*self.0;
        let engine = &context.engine;
        let issued = match (mint, carried.is_empty()) {
            (Mint::Forbidden, _) => None,
            (_, true) => Some(engine.mint_anonymous(mint_for, carried).await),
            (_, false) => Some(match engine.mint_anonymous(mint_for.clone(), carried).await {
                Err(error) => {
                    tracing::warn!(%error, "going on without what would have been carried into the \
                        anonymous session");
                    engine.mint_anonymous(mint_for, Map::new()).await
                }
                issued => issued,
            }),
        };
        let issued = issued.transpose().unwrap_or_else(|error| {
            tracing::error!(%error, "no anonymous session could be made");
            None
        });
        let mut state = self.state();
        (state.identity, state.changes.anonymous) = match issued {
            Some(issued) => (
                Identity::Anonymous(issued.session.clone()),
                AnonymousChange::Issue { transfer: facts.transfer, issued: Box::new(issued) },
            ),
            None => (Identity::Nobody(PriorVisitor::Unknown), self.anonymous_removal()),
        };
    }

    /// The visitor should get an anonymous session, and does not: too many were made, or the app
    /// refused.
    pub(crate) fn deny_anonymous(&self) {
        let anonymous_removal = self.anonymous_removal();
        let mut state = self.state();
        state.identity = Identity::Nobody(PriorVisitor::Unknown);
        state.changes.anonymous = anonymous_removal;
        state.changes.limited = true;
    }

    /// A guest is forgotten, and leaves no token of a user session behind that has the id.
    pub(crate) fn leave_no_refresh_token(&self) {
        let mut state = self.state();
        state.changes.user = match (mem::take(&mut state.changes.user), &state.changes.anonymous) {
            // A visitor who had nothing hears of nothing.
            (UserChange::Keep, AnonymousChange::Keep) => UserChange::Keep,
            (UserChange::Keep, _) => UserChange::Forget,
            (UserChange::End, _) => UserChange::Clear,
            (other, _) => other,
        };
    }

    /// Whether a visitor who is forgotten gets another anonymous session. A guest does who has
    /// one, as at the end of any session. A user stays one.
    pub(crate) fn mint_after_forgetting(&self) -> Mint {
        let VisitorInner { context, facts, .. } = &*self.0;
        let is_known = match self.state().identity {
            Identity::Nobody(_) => false,
            Identity::Anonymous(_) => true,
            Identity::User(..)
            | Identity::TryRefresh(..)
            | Identity::Ended(_)
            | Identity::Unavailable => return Mint::Forbidden,
        };
        let ends = MintFacts { ends_session: is_known, ..facts.mint };
        mint_decision(&ends, &context.mint_rules(), is_known)
    }

    /// Takes away the anonymous session that the visitor came with, if any.
    fn anonymous_removal(&self) -> AnonymousChange {
        let facts = &self.0.facts;
        if facts.has_anonymous_cookie || facts.has_anonymous_bearer {
            AnonymousChange::Remove
        } else {
            AnonymousChange::Keep
        }
    }

    /// The visitor keeps the anonymous session whose token is `issued`, and hears of it again.
    pub(crate) fn announce(&self, transfer: TransferMethod, issued: IssuedAnonymous) {
        let mut state = self.state();
        state.identity = Identity::Anonymous(issued.session.clone());
        state.changes.anonymous = AnonymousChange::Issue { transfer, issued: Box::new(issued) };
    }

    /// The visitor keeps the anonymous token that the browser holds, and hears of it again.
    pub(crate) fn keep_anonymous_token(&self, session: AnonymousSession) {
        let announcement = announcement(&self.0.context, &session);
        let mut state = self.state();
        state.identity = Identity::Anonymous(session);
        state.changes.anonymous = announcement;
    }

    /// The visitor has no anonymous session. The browser may hold the announcement of one all the
    /// same, if its cookie is gone.
    pub(crate) fn announce_removal(&self) {
        let mut state = self.state();
        if let AnonymousChange::Keep = state.changes.anonymous {
            state.changes.anonymous = AnonymousChange::Announce(REMOVE.to_owned());
        }
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
pub struct AnonymousVisitor<'a>(pub(super) &'a Visitor);

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
        let Identity::Anonymous(session) = self.0.state().identity.clone() else {
            return Err(SessionRejection::Unauthorised.into());
        };
        let issued = visit.context.engine.update_anonymous(&session, update).await?;
        let session = issued.session.clone();
        let mut state = self.0.state();
        state.changes.anonymous =
            AnonymousChange::Issue { transfer: visit.facts.transfer, issued: Box::new(issued) };
        state.identity = Identity::Anonymous(session.clone());
        Ok(session)
    }
}
