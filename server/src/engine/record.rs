//! Changes of stored sessions that more than one operation makes, each with nobody else writing in
//! between.

use passerby_protocol::rotation::{Former, Lineage, Presented, Rotation};

use super::{
    EngineError, Lifetimes,
    refresh_token::{Hash1, Hash2, RefreshContent},
};
use crate::{
    clock::Moment,
    store::{Decide, FormerToken, SessionRecord, SessionStore, Write},
};

/// A stored session that has not expired.
pub(crate) async fn load_live(
    store: &dyn SessionStore,
    handle: &str,
    now_ms: u64,
) -> Result<Option<SessionRecord>, EngineError> {
    Ok(store.load(handle).await?.filter(|record| record.expires_at > now_ms))
}

/// Removes at most `limit` expired sessions. Removes none while nobody can tell which have expired.
pub(crate) async fn remove_expired(
    store: &dyn SessionStore,
    now: Moment,
    limit: u32,
) -> Result<u64, EngineError> {
    if now.is_doubtful { Ok(0) } else { Ok(store.remove_expired(now.ms, limit).await?) }
}

/// Refuses a user id that not every store can keep.
pub(crate) fn check_user_id(user_id: &str) -> Result<(), EngineError> {
    if user_id.is_empty() {
        Err(EngineError::EmptyUserId)
    } else if user_id.contains('\0') {
        Err(EngineError::UnstorableUserId)
    } else {
        Ok(())
    }
}

/// [`SessionStore::update`] for a session that has not expired. An expired one is removed, and the
/// result is that of a missing one.
///
/// # Errors
/// [`EngineError::ClockJumped`] when nobody can tell.
pub(crate) async fn update_live(
    store: &dyn SessionStore,
    handle: &str,
    now: Moment,
    decide: Decide<'_>,
) -> Result<Option<SessionRecord>, EngineError> {
    let mut expired = false;
    let record = store
        .update(handle, &mut |record| {
            expired = record.expires_at <= now.ms;
            if expired { end(now) } else { decide(record) }
        })
        .await?;
    if expired && now.is_doubtful {
        return Err(EngineError::ClockJumped);
    }
    Ok(record.filter(|_| !expired))
}

/// The order for a session whose time is over.
fn end(now: Moment) -> Write {
    if now.is_doubtful { Write::Keep } else { Write::Remove }
}

/// The refresh token that a request presents, or names by its access token.
pub(crate) struct Shown<'a> {
    handle: &'a str,
    hash: &'a Hash1,
    /// The token it was obtained with.
    parent: Option<&'a Hash1>,
    /// Epoch milliseconds.
    issued_at: Option<u64>,
    /// Whether an access token names it.
    by_access: bool,
}

impl<'a> Shown<'a> {
    /// The refresh token that came with an access token, which was issued at this time (epoch
    /// seconds).
    pub(crate) fn by_access(
        handle: &'a str,
        hash: &'a Hash1,
        parent: Option<&'a Hash1>,
        issued_at: u64,
    ) -> Self {
        let issued_at = Some(issued_at.saturating_mul(1000));
        Self { handle, hash, parent, issued_at, by_access: true }
    }

    /// The refresh token with this content.
    pub(crate) fn by_refresh(
        content: &'a RefreshContent,
        hash: &'a Hash1,
        parent: Option<&'a Hash1>,
    ) -> Self {
        let handle = &content.session_handle;
        Self { handle, hash, parent, issued_at: content.issued_at, by_access: false }
    }
}

/// The state of a session whose refresh token was presented.
pub(crate) enum Judged {
    /// The session exists; as it was left.
    Live(Rotation, SessionRecord),
    /// The session had expired. It is removed.
    Expired(SessionRecord),
    /// There is no such session.
    Gone,
}

impl Judged {
    /// The session, if there still is one.
    pub(crate) fn live(self) -> Option<(Rotation, SessionRecord)> {
        match self {
            Self::Live(rotation, record) => Some((rotation, record)),
            Self::Expired(_) | Self::Gone => None,
        }
    }
}

/// Judges the presented refresh token against the stored ones, and lets `then` say what to do with
/// the record. A token that becomes the current one has done so by then, and the session lives for
/// its validity from now on.
///
/// # Errors
/// [`EngineError::ClockJumped`] when nobody can tell whether the session has expired.
pub(crate) async fn rotate(
    store: &dyn SessionStore,
    shown: &Shown<'_>,
    moment: Moment,
    times: Lifetimes,
    mut then: impl FnMut(Rotation, &mut SessionRecord) -> Write + Send,
) -> Result<Judged, EngineError> {
    let now = moment.ms;
    let (hash, parent) = (shown.hash.hash2(), shown.parent.map(Hash1::hash2));
    let mut rotation = None;
    let decide: Decide<'_> = &mut |record| {
        rotation = None;
        if record.expires_at <= now {
            return end(moment);
        }
        let mut lineage = lineage_of(record);
        let presented =
            Presented { hash: &hash, parent: parent.as_ref(), issued_at: shown.issued_at };
        let judged = if shown.by_access {
            lineage.judge_by_access(&presented)
        } else {
            lineage.judge(&presented, now, times.grace_ms)
        };
        rotation = Some(judged);
        if judged == Rotation::Promote {
            lineage.promote(hash.clone(), now, times.grace_ms);
            remember(lineage, record);
            // Never earlier than it was: by a clock that is far behind, the session would be over
            // when somebody sets it.
            record.expires_at = now.saturating_add(times.refresh_ms).max(record.expires_at);
        }
        then(judged, record)
    };
    let record = store.update(shown.handle, decide).await?;
    Ok(match (rotation, record) {
        (Some(rotation), Some(record)) => Judged::Live(rotation, record),
        (None, Some(_)) if moment.is_doubtful => return Err(EngineError::ClockJumped),
        (None, Some(record)) => Judged::Expired(record),
        (_, None) => Judged::Gone,
    })
}

fn lineage_of(record: &SessionRecord) -> Lineage<Hash2> {
    let former = |token: &FormerToken| Former {
        hash: Hash2::from_store(&token.hash2),
        replaced_at: token.replaced_at,
    };
    Lineage {
        current: Hash2::from_store(&record.refresh_hash2),
        formers: record.former_tokens.iter().map(former).collect(),
    }
}

fn remember(lineage: Lineage<Hash2>, record: &mut SessionRecord) {
    let former = |token: Former<Hash2>| FormerToken {
        hash2: token.hash.into_string(),
        replaced_at: token.replaced_at,
    };
    record.refresh_hash2 = lineage.current.into_string();
    record.former_tokens = lineage.formers.into_iter().map(former).collect();
}

/// The order for the record when nothing but the rotation changes it.
pub(crate) fn write_of(judged: Rotation, on_theft: Write) -> Write {
    match judged {
        Rotation::Current | Rotation::Replaced => Write::Keep,
        Rotation::Promote => Write::Save,
        Rotation::Theft => on_theft,
    }
}
