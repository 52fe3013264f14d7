//! The apps of a core: each with an engine of its own, made at its first request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use super::engine::{CoreEngine, Times};
use crate::{clock::Clock, engine::EngineError, store::AppStores};

#[derive(Debug)]
pub(super) struct Apps {
    stores: Box<dyn AppStores>,
    times: Times,
    clock: Clock,
    engines: Mutex<HashMap<String, Arc<OnceCell<CoreEngine>>>>,
}

impl Apps {
    pub(super) fn new(stores: Box<dyn AppStores>, times: Times, clock: Clock) -> Self {
        Self { stores, times, clock, engines: Mutex::default() }
    }

    /// The engine of this app. Several requests that need a new one wait for the same one; a
    /// failure is tried again by the next.
    pub(super) async fn get(&self, app_id: &str) -> Result<CoreEngine, EngineError> {
        let cell = {
            let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
            match engines.get(app_id) {
                Some(cell) => cell.clone(),
                None => engines.entry(app_id.to_owned()).or_default().clone(),
            }
        };
        let open = || CoreEngine::open(self.stores.for_app(app_id), self.times, self.clock.clone());
        Ok(cell.get_or_try_init(open).await?.clone())
    }

    /// The engine of an app that was used before, by whatever process. For callers who showed no
    /// API key: they must not have keys made for apps that they think up.
    pub(super) async fn known(&self, app_id: &str) -> Result<Option<CoreEngine>, EngineError> {
        let is_open =
            self.engines.lock().unwrap_or_else(PoisonError::into_inner).contains_key(app_id);
        if !is_open && self.stores.for_app(app_id).keys().await?.is_empty() {
            return Ok(None);
        }
        self.get(app_id).await.map(Some)
    }
}
