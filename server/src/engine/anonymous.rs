//! Anonymous sessions: signed tokens, never a record (design section 3, rules 2 and 3).

use aws_lc_rs::digest;
use passerby_protocol::payload::{AnonymousClaims, merge, without_protected};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Engine, EngineError,
    jwt::{self, TokenKind},
};
use crate::principal::AnonymousSession;

/// Whose anonymous session is made.
#[derive(Clone)]
pub(crate) enum Whose {
    /// Of the visitor with this anonymousId.
    Known(String),
    /// Of somebody new, with the key that he named himself by.
    New { key: Option<String> },
}

impl Whose {
    /// Of the visitor with this anonymousId if there is one.
    pub(crate) fn of(anonymous_id: Option<String>, key: Option<String>) -> Self {
        anonymous_id.map_or(Self::New { key }, Self::Known)
    }
}

/// An anonymous token with its announcement, ready to be sent.
#[derive(Clone)]
pub(crate) struct IssuedAnonymous {
    pub(crate) session: AnonymousSession,
    pub(crate) token: String,
    pub(crate) front_token: String,
}

/// What became of an anonymous token at verification.
pub(crate) enum AnonymousCheck {
    Valid {
        session: AnonymousSession,
        /// It is time for a new token: this one is old (design section 3, rule 11), or no longer what we would issue.
        outdated: bool,
    },
    /// We signed it, and it has expired: its id may be used again.
    Expired { anonymous_id: String },
    /// Not made by us, or not an anonymous token.
    Invalid,
}

impl Engine {
    /// A new anonymous session.
    pub(crate) fn mint_anonymous(&self, whose: Whose, payload: Map<String, Value>) -> Result<IssuedAnonymous, EngineError> {
        let now = self.clock.now_ms();
        let is_new = matches!(whose, Whose::New { .. });
        let claims = AnonymousClaims {
            anonymous_id: match whose {
                Whose::Known(id) => id,
                Whose::New { key: Some(key) } => self.id_of_key(&key).to_string(),
                Whose::New { key: None } => Uuid::new_v4().to_string(),
            },
            issued_at: now / 1000,
            expires_at: now.saturating_add(self.settings.anonymous_validity_ms) / 1000,
            issuer: self.settings.issuer.clone(),
            has_subject: self.settings.anonymous_subject,
            custom: without_protected(payload),
        };
        let front_token = claims.front_token(&self.settings.anonymous_cookie)?;
        let key = self.keys.static_signing_key(now)?;
        let token = jwt::sign(TokenKind::Anonymous, &key, &claims.to_payload()).map_err(|_| EngineError::Crypto)?;
        if is_new {
            crate::metrics::anonymous_minted();
        }
        Ok(IssuedAnonymous { session: AnonymousSession { claims }, token, front_token })
    }

    /// The same key at the same server is always the same visitor (version 8, made as in RFC 9562, appendix B.2). Nobody can choose a key
    /// for an id that is somebody's.
    fn id_of_key(&self, key: &str) -> Uuid {
        let mut hash = digest::Context::new(&digest::SHA256);
        for part in ["anonymousId", &self.settings.issuer, key] {
            hash.update(part.as_bytes());
            hash.update(b"\0");
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finish().as_ref()[..16]);
        Uuid::new_v8(bytes)
    }

    /// The same visitor with a changed payload; a `null` removes its key.
    pub(crate) fn update_anonymous(
        &self,
        session: &AnonymousSession,
        update: Map<String, Value>,
    ) -> Result<IssuedAnonymous, EngineError> {
        let payload = merge(session.claims.custom.clone(), update)?;
        self.mint_anonymous(Whose::Known(session.claims.anonymous_id.clone()), payload)
    }

    /// The same visitor with the same payload and a new token.
    pub(crate) fn renew_anonymous(&self, session: &AnonymousSession) -> Result<IssuedAnonymous, EngineError> {
        self.mint_anonymous(Whose::Known(session.claims.anonymous_id.clone()), session.claims.custom.clone())
    }

    /// The same token once more, for a visitor who may have lost the announcement.
    pub(crate) fn announce_again(&self, session: AnonymousSession, token: &str) -> Result<IssuedAnonymous, EngineError> {
        let front_token = session.claims.front_token(&self.settings.anonymous_cookie)?;
        Ok(IssuedAnonymous { session, token: token.to_owned(), front_token })
    }

    /// The announcement alone, of a token that the browser holds and that need fit no cookie any more.
    pub(crate) fn announcement(&self, session: &AnonymousSession) -> Result<String, EngineError> {
        Ok(session.claims.front_token("")?)
    }

    pub(crate) async fn verify_anonymous(&self, token: &str) -> Result<AnonymousCheck, EngineError> {
        let payload = self.verified_payload(token, TokenKind::Anonymous).await?;
        Ok(match payload.and_then(AnonymousClaims::from_payload) {
            None => AnonymousCheck::Invalid,
            Some(claims) if claims.expires_at <= self.clock.now_s() => {
                AnonymousCheck::Expired { anonymous_id: claims.anonymous_id }
            }
            Some(claims) => {
                let outdated = self.is_outdated(token, &claims)?;
                AnonymousCheck::Valid { session: AnonymousSession { claims }, outdated }
            }
        })
    }

    fn is_outdated(&self, token: &str, claims: &AnonymousClaims) -> Result<bool, EngineError> {
        let now = self.clock.now_ms();
        Ok(now.saturating_sub(claims.issued_at.saturating_mul(1000)) >= self.settings.anonymous_renewal_ms
            || claims.has_subject != self.settings.anonymous_subject
            || match jwt::key_id(token, TokenKind::Anonymous) {
                Some(id) => self.keys.is_superseded(&id, now)?,
                None => true,
            })
    }
}
