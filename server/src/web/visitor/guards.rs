//! The demands that a handler makes on the visitor.

use serde_json::Map;

use super::Visitor;
use crate::{
    claims::{self, SessionClaimValidator},
    engine::{DatabaseCheck, EngineError},
    principal::{Principal, UserSession},
    web::{SessionRejection, request::TransferMethod, resolve::Identity},
};

impl Visitor {
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

    /// The user, from the access token alone, who satisfies the global validators.
    pub(crate) async fn require_user(&self) -> Result<UserSession, SessionRejection> {
        self.require(&self.0.context.claim_validators.as_refs()).await
    }

    /// Asks the validators, after the claims that are too old were fetched.
    async fn validated(
        &self,
        mut session: UserSession,
        transfer: TransferMethod,
        validators: &[&dyn SessionClaimValidator],
    ) -> Result<UserSession, SessionRejection> {
        if validators.is_empty() {
            return Ok(session);
        }
        let now = self.0.context.now();
        let update = if self.0.facts.is_api {
            claims::refetched(validators, &session, now).await
        } else {
            Map::new()
        };
        if !update.is_empty() {
            match self.0.context.engine.merge_online(&session, &update).await {
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
            self.0.context.engine.check_database(&session).await
        } else {
            self.0.context.engine.information(session.handle()).await.map(|information| {
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
        self.validated(session, transfer, &self.0.context.claim_validators.as_refs()).await
    }

    /// Either kind; `None` when there is no session at all.
    pub(crate) async fn optional_principal(&self) -> Result<Option<Principal>, SessionRejection> {
        let identity = self.state().identity.clone();
        match identity {
            Identity::Nobody(_) => Ok(None),
            Identity::Anonymous(session) => Ok(Some(Principal::Anonymous(session))),
            // The same response makes the visitor anonymous, and here a guest will do.
            Identity::Ended(prior) => {
                self.demote_to(prior).await;
                Ok(self.principal())
            }
            Identity::User(..) | Identity::TryRefresh(..) | Identity::Unavailable => {
                self.require_user().await.map(|session| Some(Principal::User(session)))
            }
        }
    }

    pub(super) async fn user_and_transfer(
        &self,
    ) -> Result<(UserSession, TransferMethod), SessionRejection> {
        let identity = self.state().identity.clone();
        match identity {
            Identity::User(session, transfer) => Ok((session, transfer)),
            Identity::Nobody(_) | Identity::Anonymous(_) => Err(SessionRejection::Unauthorised),
            Identity::TryRefresh(..) => Err(SessionRejection::TryRefresh),
            Identity::Unavailable => Err(SessionRejection::Unavailable),
            Identity::Ended(prior) => {
                self.demote_to(prior).await;
                Err(SessionRejection::Unauthorised)
            }
        }
    }
}
