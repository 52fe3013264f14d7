//! Anonymous sessions: signed tokens, never a record.

use std::sync::Arc;

use passerby_protocol::{
    claims::AnonymousClaims,
    first_key,
    payload::{merge, without_protected},
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Engine, EngineError, PresentedToken,
    jwt::{self, TokenKind},
    verified::Claims,
};
use crate::principal::AnonymousSession;

/// The visitor for whom an anonymous session is made.
#[derive(Clone)]
pub(crate) enum MintFor {
    /// Of the visitor with this anonymousId.
    Known(String),
    /// Of somebody new.
    New(Seed),
}

/// The source of a new visitor's id. Requests of one burst have the same seed, so that they get the
/// same id.
///
/// An id is derived from a seed with a secret of the server's, so nobody can choose a seed for an
/// id that is somebody's, or tell the id of a seed that was seen somewhere. A seed counts for a
/// day, so nobody can bring an id back later.
#[derive(Clone)]
pub(crate) enum Seed {
    /// Nothing.
    Random,
    /// The key that a first visit named itself by.
    Key(String),
    /// The token that the visitor holds and that nobody can verify any more, because its key is
    /// gone. It counts only where a valid one would count as much, so that planting it wins nothing
    /// over planting a valid one.
    Unverifiable(String),
}

/// An anonymous token with its announcement, ready to be sent.
#[derive(Clone)]
pub(crate) struct IssuedAnonymous {
    pub(crate) session: AnonymousSession,
    pub(crate) token: String,
    pub(crate) front_token: String,
}

/// The result of verifying an anonymous token.
pub(crate) enum AnonymousCheck {
    Valid {
        session: AnonymousSession,
        /// It is time for a new token: this one is old, or no longer what we would issue.
        outdated: bool,
    },
    /// We signed it, and it has expired: its id may be used again.
    Expired { anonymous_id: String },
    /// Not made by us, or not an anonymous token.
    Invalid,
}

impl Engine {
    /// A new anonymous session.
    pub(crate) async fn mint_anonymous(
        &self,
        mint_for: MintFor,
        payload: Map<String, Value>,
    ) -> Result<IssuedAnonymous, EngineError> {
        let now = self.clock.now_ms();
        let is_new = matches!(mint_for, MintFor::New(_));
        let claims = AnonymousClaims {
            anonymous_id: match mint_for {
                MintFor::Known(id) => id,
                MintFor::New(seed) => self.new_id(&seed, now)?.to_string(),
            },
            issued_at: now / 1000,
            expires_at: now.saturating_add(self.settings.anonymous_validity_ms) / 1000,
            issuer: self.settings.issuer.clone(),
            has_subject: self.settings.anonymous_subject,
            custom: without_protected(payload),
        };
        let front_token =
            claims.front_token(&self.settings.anonymous_cookie, self.settings.partitioned)?;
        let key = self.keys.static_signing_key(now)?;
        let token = jwt::sign_aside(TokenKind::Anonymous, key, claims.to_payload()).await?;
        if is_new {
            crate::counters::anonymous_minted();
        }
        Ok(IssuedAnonymous {
            session: AnonymousSession { claims: Arc::new(claims) },
            token,
            front_token,
        })
    }

    /// An id of version 4 at random, or of version 8 (RFC 9562) of a seed.
    fn new_id(&self, seed: &Seed, now: u64) -> Result<Uuid, EngineError> {
        let (kind, text, period) = match seed {
            Seed::Random => return Ok(Uuid::new_v4()),
            Seed::Key(key) => match first_key::period(key, now) {
                None => return Ok(Uuid::new_v4()),
                Some(period) => ("key", key, period),
            },
            Seed::Unverifiable(token) => ("token", token, now / first_key::MAX_AGE_MS),
        };
        let keys = self.keys.refresh_keys();
        let secret = keys.first().ok_or(EngineError::NoKey)?;
        let parts = [
            kind.as_bytes(),
            self.settings.issuer.as_bytes(),
            text.as_bytes(),
            &period.to_be_bytes(),
        ];
        Ok(Uuid::new_v8(secret.derive(&parts)))
    }

    /// The same visitor with a changed payload; a `null` removes its key.
    pub(crate) async fn update_anonymous(
        &self,
        session: &AnonymousSession,
        update: Map<String, Value>,
    ) -> Result<IssuedAnonymous, EngineError> {
        let payload = merge(session.claims.custom.clone(), update)?;
        self.check_limit(&payload)?;
        self.mint_anonymous(MintFor::Known(session.claims.anonymous_id.clone()), payload).await
    }

    /// The same visitor with the same payload and a new token.
    pub(crate) async fn renew_anonymous(
        &self,
        session: &AnonymousSession,
    ) -> Result<IssuedAnonymous, EngineError> {
        self.mint_anonymous(
            MintFor::Known(session.claims.anonymous_id.clone()),
            session.claims.custom.clone(),
        )
        .await
    }

    /// The same token once more, for a visitor who may have lost the announcement.
    pub(crate) fn announce_again(
        &self,
        session: AnonymousSession,
        token: &str,
    ) -> Result<IssuedAnonymous, EngineError> {
        let front_token = session
            .claims
            .front_token(&self.settings.anonymous_cookie, self.settings.partitioned)?;
        Ok(IssuedAnonymous { session, token: token.to_owned(), front_token })
    }

    /// The announcement alone, of a token that the browser holds and that need fit no cookie any
    /// more.
    pub(crate) fn announcement(&self, session: &AnonymousSession) -> Result<String, EngineError> {
        Ok(session.claims.front_token("", self.settings.partitioned)?)
    }

    pub(crate) async fn verify_anonymous(
        &self,
        token: &PresentedToken<'_>,
    ) -> Result<AnonymousCheck, EngineError> {
        let verified = self.verified(token, TokenKind::Anonymous).await?;
        let Some((key, Claims::Anonymous(claims))) =
            verified.as_ref().map(|verified| (&verified.key, &verified.claims))
        else {
            return Ok(AnonymousCheck::Invalid);
        };
        if claims.expires_at <= self.clock.now_s() {
            return Ok(AnonymousCheck::Expired { anonymous_id: claims.anonymous_id.clone() });
        }
        let outdated = self.is_outdated(&key.id, claims)?;
        Ok(AnonymousCheck::Valid { session: AnonymousSession { claims: claims.clone() }, outdated })
    }

    fn is_outdated(&self, key_id: &str, claims: &AnonymousClaims) -> Result<bool, EngineError> {
        let now = self.clock.now_ms();
        Ok(now.saturating_sub(claims.issued_at.saturating_mul(1000))
            >= self.settings.anonymous_renewal_ms
            || claims.has_subject != self.settings.anonymous_subject
            || self.keys.is_superseded(key_id, now)?)
    }
}
