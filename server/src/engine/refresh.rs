//! Exchanging tokens: refreshes, the first use of what they brought, and a new anonymousId.

use std::mem;

use passerby_protocol::{claims::AccessClaims, rotation::Rotation};
use uuid::Uuid;

use super::{
    Engine, EngineError, IssuedAccess, IssuedRefresh,
    record::{Judged, Shown, load_live, rotate, write_of},
    refresh_token::{Hash1, Inherited},
};
use crate::{
    clock::Moment,
    principal::UserSession,
    store::{SessionRecord, Write},
};

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

impl Engine {
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
        let shown = Shown::by_access(&claims.session_handle, &own, Some(&parent), claims.issued_at);
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
        let shown = Shown::by_refresh(&content, &presented, parent.as_ref());
        let judged = self.rotate(&shown, self.clock.moment(), Write::Remove).await?;
        Ok(match judged {
            Judged::Gone => Refreshed::Unauthorised(Some(bearer(content.anonymous_id))),
            Judged::Expired(record) => Refreshed::Unauthorised(Some(bearer(record.anonymous_id))),
            Judged::Live(Rotation::Theft, record) => Refreshed::Theft(bearer(record.anonymous_id)),
            Judged::Live(Rotation::Current | Rotation::Promote | Rotation::Replaced, record) => {
                let anti_csrf = content.anti_csrf_token.as_deref();
                let (access, child) = self.issue_child(&record, &presented, anti_csrf, now).await?;
                Refreshed::Tokens(access, child)
            }
        })
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
        let issued_at = session.claims.issued_at;
        let shown = Shown::by_access(session.handle(), &own, parent.as_ref(), issued_at);
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
                ..AccessClaims::clone(&session.claims)
            };
            return Ok(Some((self.issue_access(claims).await?, None)));
        }
        let anti_csrf = session.claims.anti_csrf_token.as_deref();
        let (access, child) = self.issue_child(&record, &own, anti_csrf, now).await?;
        Ok(Some((access, Some(child))))
    }

    /// A refresh token that was obtained with `parent`, and the access token beside it.
    async fn issue_child(
        &self,
        record: &SessionRecord,
        parent: &Hash1,
        anti_csrf: Option<&str>,
        now: u64,
    ) -> Result<(Box<IssuedAccess>, IssuedRefresh), EngineError> {
        let inherited = Inherited { parent: Some(parent), anti_csrf };
        let SessionRecord { handle, user_id, anonymous_id, .. } = record;
        let child = self.seal_refresh(handle, user_id, anonymous_id, inherited, now)?;
        let claims = self.claims_of(record, &Hash1::of(&child.token), inherited, now);
        Ok((self.issue_access(claims).await?, child))
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
}
