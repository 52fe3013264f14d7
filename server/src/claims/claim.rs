//! One claim: its name, where its value comes from, and how it stands in the payload.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value, json};

use crate::{
    clock::{millis, system_time},
    hooks::HookError,
    principal::UserSession,
};

type Fetched = Pin<Box<dyn Future<Output = Result<Option<Value>, HookError>> + Send>>;
type Fetch = Arc<dyn Fn(UserSession) -> Fetched + Send + Sync>;

/// A value in the payload with the time it was learned:
/// `"key": {"v": value, "t": epoch milliseconds}`.
///
/// ```
/// use passerby_server::claims::BooleanClaim;
/// use serde_json::Map;
/// use std::time::SystemTime;
///
/// let verified = BooleanClaim::new("st-ev");
/// let mut payload = Map::new();
/// assert_eq!(verified.value(&payload), None);
/// // The update to merge, with `Visitor::merge_into_access_token_payload` for example.
/// payload.extend(verified.with_value(true, SystemTime::now()));
/// assert_eq!(verified.value(&payload), Some(&true.into()));
/// assert!(verified.fetched_at(&payload).is_some());
/// ```
#[derive(Clone)]
pub struct Claim {
    key: Arc<str>,
    fetch: Option<Fetch>,
    max_age: Option<Duration>,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("key", &self.key)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}

impl Claim {
    pub(crate) fn new(key: &str) -> Self {
        Self { key: key.into(), fetch: None, max_age: None }
    }

    pub(crate) fn set_max_age(&mut self, age: Duration) {
        self.max_age = Some(age);
    }

    pub(crate) fn set_fetch<F, Fut, E>(&mut self, fetch: F)
    where
        F: Fn(UserSession) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Value>, E>> + Send + 'static,
        E: Into<HookError>,
    {
        self.fetch = Some(Arc::new(move |user| {
            let fetched = fetch(user);
            Box::pin(async move { fetched.await.map_err(Into::into) })
        }));
    }

    /// Its name in the payload.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How old the value may be, unless a validator says otherwise. Default: any age.
    #[must_use]
    pub fn default_max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// Its value in a payload.
    #[must_use]
    pub fn value<'payload>(
        &self,
        payload: &'payload Map<String, Value>,
    ) -> Option<&'payload Value> {
        payload.get(self.key())?.get("v").filter(|value| !value.is_null())
    }

    /// When its value in a payload was learned.
    #[must_use]
    pub fn fetched_at(&self, payload: &Map<String, Value>) -> Option<SystemTime> {
        payload.get(self.key())?.get("t")?.as_u64().map(system_time)
    }

    /// The part of a payload that has this claim with this value: for
    /// [`Visitor::sign_in`](crate::Visitor::sign_in) and for merging.
    #[must_use]
    pub fn with_value(&self, value: impl Into<Value>, now: SystemTime) -> Map<String, Value> {
        let time = millis(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        Map::from_iter([(self.key().to_owned(), json!({ "v": value.into(), "t": time }))])
    }

    /// The update that removes the claim from a payload.
    #[must_use]
    pub fn removed(&self) -> Map<String, Value> {
        Map::from_iter([(self.key().to_owned(), Value::Null)])
    }

    /// Asks the app for the value. `None` when the claim has no source or the source knows no
    /// value; what stands in the payload then stays.
    pub(crate) async fn fetch(
        &self,
        user: &UserSession,
        now: SystemTime,
    ) -> Result<Option<Map<String, Value>>, HookError> {
        let Some(fetch) = &self.fetch else { return Ok(None) };
        Ok(fetch(user.clone()).await?.map(|value| self.with_value(value, now)))
    }
}
