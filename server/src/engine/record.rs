//! Changes of stored sessions that more than one operation makes, each in one transaction.

use passerby_protocol::rotation::{Rotation, judge};

use super::refresh_token::{Hash1, Hash2};
use crate::store::{Decide, SessionRecord, SessionStore, StoreError, Write};

/// [`SessionStore::update`] for a session that has not expired at `now` (epoch milliseconds). One that has is removed, and there is none.
pub(crate) async fn update_live(
    store: &dyn SessionStore,
    handle: &str,
    now: u64,
    decide: Decide<'_>,
) -> Result<Option<SessionRecord>, StoreError> {
    let mut expired = false;
    let record = store
        .update(handle, &mut |record| {
            expired = record.expires_at <= now;
            if expired { Write::Remove } else { decide(record) }
        })
        .await?;
    Ok(record.filter(|_| !expired))
}

/// Judges the presented refresh token against the stored one (reference 8.5), and lets `then` say what to do with the record. A child
/// that is used for the first time has become the current one by then, and the session lives `validity_ms` from now on. `None`
/// when the session is gone.
pub(crate) async fn rotate(
    store: &dyn SessionStore,
    handle: &str,
    presented: &Hash1,
    parent: Option<&Hash1>,
    now: u64,
    validity_ms: u64,
    then: impl Fn(Rotation, &mut SessionRecord) -> Write + Send + Sync,
) -> Result<Option<(Rotation, SessionRecord)>, StoreError> {
    let (presented, parent) = (presented.hash2(), parent.map(Hash1::hash2));
    let mut rotation = None;
    let record = update_live(store, handle, now, &mut |record| {
        let judged = judge(&Hash2::from_store(&record.refresh_hash2), &presented, parent.as_ref());
        rotation = Some(judged);
        if judged == Rotation::PromoteChild {
            record.refresh_hash2 = presented.clone().into_string();
            record.expires_at = now.saturating_add(validity_ms);
        }
        then(judged, record)
    })
    .await?;
    Ok(rotation.zip(record))
}

/// What to do with the record when nothing but the rotation changes it.
pub(crate) fn write_of(judged: Rotation, on_theft: Write) -> Write {
    match judged {
        Rotation::Current => Write::Keep,
        Rotation::PromoteChild => Write::Save,
        Rotation::Theft => on_theft,
    }
}
