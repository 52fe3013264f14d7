//! The app's own claims and data of stored sessions.

use passerby_protocol::{
    claims::AccessClaims,
    names::cookie,
    payload::{PayloadError, check_depth, merge},
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Engine, EngineError, IssuedAccess,
    record::{load_live, update_live},
    refresh_token::{Hash1, Inherited},
};
use crate::{
    principal::UserSession,
    store::{SessionRecord, Write},
};

impl Engine {
    /// Merges into the payload of a session, in the store only; the browser learns of it at the
    /// next refresh. `false` when there is no such session.
    pub(crate) async fn merge_by_handle(
        &self,
        handle: &str,
        update: &Map<String, Value>,
    ) -> Result<bool, EngineError> {
        Ok(self.merge_stored(handle, update, self.clock.now_ms()).await?.is_some())
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
            ..AccessClaims::clone(&session.claims)
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

    /// Refuses a payload with which the token of a later refresh would be too large: a session must
    /// never become one that cannot be refreshed.
    pub(super) fn check_room(&self, record: &SessionRecord, now: u64) -> Result<(), PayloadError> {
        self.check_limit(&record.payload)?;
        // As long as the token that the next refresh makes can be.
        let (placeholder, anti_csrf) = (Hash1::of(""), Uuid::nil().to_string());
        let inherited = Inherited { parent: Some(&placeholder), anti_csrf: Some(&anti_csrf) };
        self.claims_of(record, &placeholder, inherited, now)
            .front_token(cookie::ACCESS_TOKEN, self.settings.partitioned)
            .map(drop)
    }

    /// Refuses a payload that the app gives and does not allow. One that there was before stays
    /// good.
    pub(super) fn check_limit(&self, payload: &Map<String, Value>) -> Result<(), PayloadError> {
        let Some(limit) = self.settings.max_payload else { return Ok(()) };
        let bytes = serde_json::to_vec(payload).map_or(usize::MAX, |json| json.len());
        if bytes > limit { Err(PayloadError::OverLimit { bytes, limit }) } else { Ok(()) }
    }
}
