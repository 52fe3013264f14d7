//! The apps of a core: each with an engine of its own, made at its first request, and with settings
//! of its own where a back end gave it some.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{app_settings, engine::CoreEngine};
use crate::{
    clock::Clock,
    engine::{EngineError, Lifetimes},
    store::{AppSettings, AppStores, DEFAULT_APP},
};

/// How long the settings of an app count before they are looked up again, because another process
/// may have changed them.
const SETTINGS_KEPT: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct Apps {
    opener: Arc<Opener>,
    apps: Arc<Mutex<HashMap<String, Arc<App>>>>,
}

/// The parts that opening an app takes.
#[derive(Debug)]
struct Opener {
    stores: Box<dyn AppStores>,
    times: Lifetimes,
    clock: Clock,
}

/// One app. Empty until it could be opened.
#[derive(Debug, Default)]
struct App {
    open: Mutex<Option<OpenApp>>,
    /// Held while it is opened, or opened again with other settings: one task does it for all.
    opening: tokio::sync::Mutex<()>,
    /// Whether a task is about to look its settings up.
    is_looked_up: AtomicBool,
}

#[derive(Clone, Debug)]
struct OpenApp {
    engine: CoreEngine,
    settings: AppSettings,
    looked_up: Instant,
}

/// The result of giving an app settings.
pub(super) enum Configured {
    Created,
    Changed,
    /// They cannot be, and why.
    Refused(String),
}

impl Apps {
    pub(super) fn new(stores: Box<dyn AppStores>, times: Lifetimes, clock: Clock) -> Self {
        Self { opener: Arc::new(Opener { stores, times, clock }), apps: Arc::default() }
    }

    /// The engine of this app. Several requests that need a new one wait for the same one; a
    /// failure is tried again by the next.
    pub(super) async fn get(&self, app_id: &str) -> Result<CoreEngine, EngineError> {
        let app = self.app(app_id);
        if let Some(open) = app.open() {
            // Settings of the default app are those of the core, which nobody changes.
            if app_id != DEFAULT_APP && open.looked_up.elapsed() >= SETTINGS_KEPT {
                self.look_up(app, app_id.to_owned());
            }
            return Ok(open.engine);
        }
        let _opening = app.opening.lock().await;
        if let Some(open) = app.open() {
            return Ok(open.engine);
        }
        self.opener.open(&app, app_id).await
    }

    /// The engine of an app that exists, because some process has used it before. For callers
    /// without an API key: naming an app must not make one, with keys of its own.
    pub(super) async fn known(&self, app_id: &str) -> Result<Option<CoreEngine>, EngineError> {
        if self.app_if_open(app_id).is_none() && !self.opener.has_keys(app_id).await? {
            return Ok(None);
        }
        self.get(app_id).await.map(Some)
    }

    /// Changes the settings of an app, and makes it where there is none. They count at once in this
    /// process, and within a minute in others. Of two changes at the same time the later one wins.
    pub(super) async fn configure(
        &self,
        app_id: &str,
        change: &Map<String, Value>,
    ) -> Result<Configured, EngineError> {
        let app = self.app(app_id);
        let _opening = app.opening.lock().await;
        let is_known = app.open().is_some() || self.opener.has_keys(app_id).await?;
        let former = self.opener.settings(app_id).await?;
        let settings = match app_settings::changed(former, change, self.opener.times) {
            Ok(settings) => settings,
            Err(why) => return Ok(Configured::Refused(why)),
        };
        self.opener.stores.set_settings(app_id, &settings).await?;
        self.opener.open(&app, app_id).await?;
        Ok(if is_known { Configured::Changed } else { Configured::Created })
    }

    /// Looks the settings of an app up while its requests go on with those that are known.
    fn look_up(&self, app: Arc<App>, app_id: String) {
        if app.is_looked_up.swap(true, Ordering::Relaxed) {
            return;
        }
        let opener = self.opener.clone();
        tokio::spawn(async move {
            let opening = app.opening.lock().await;
            if let Err(error) = opener.update(&app, &app_id).await {
                tracing::warn!(%error, "the settings of an app cannot be read; former ones count");
            }
            drop(opening);
            app.is_looked_up.store(false, Ordering::Relaxed);
        });
    }

    fn app(&self, app_id: &str) -> Arc<App> {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        match apps.get(app_id) {
            Some(app) => app.clone(),
            None => apps.entry(app_id.to_owned()).or_default().clone(),
        }
    }

    /// Unlike [`app`](Self::app), keeps nothing of an id that somebody thought up.
    fn app_if_open(&self, app_id: &str) -> Option<OpenApp> {
        let apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        apps.get(app_id)?.open()
    }
}

impl Opener {
    async fn has_keys(&self, app_id: &str) -> Result<bool, EngineError> {
        Ok(!self.stores.for_app(app_id).keys().await?.is_empty())
    }

    async fn settings(&self, app_id: &str) -> Result<AppSettings, EngineError> {
        if app_id == DEFAULT_APP {
            return Ok(AppSettings::default());
        }
        Ok(self.stores.settings(app_id).await?.unwrap_or_default())
    }

    /// Opens an app with the settings that it has now.
    async fn open(&self, app: &App, app_id: &str) -> Result<CoreEngine, EngineError> {
        let settings = self.settings(app_id).await?;
        let times = self.times.with(settings);
        let store = self.stores.for_app(app_id);
        let engine = CoreEngine::open(store, times, self.clock.clone()).await?;
        app.set(OpenApp { engine: engine.clone(), settings, looked_up: Instant::now() });
        Ok(engine)
    }

    /// Opens an app again where its settings are other ones by now.
    async fn update(&self, app: &App, app_id: &str) -> Result<(), EngineError> {
        let Some(open) = app.open() else { return Ok(()) };
        // Also where the database is away: it is asked again in a minute.
        app.set(OpenApp { looked_up: Instant::now(), ..open.clone() });
        if self.settings(app_id).await? != open.settings {
            self.open(app, app_id).await?;
        }
        Ok(())
    }
}

impl App {
    fn open(&self) -> Option<OpenApp> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, open: OpenApp) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(open);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::MemoryStore;

    const HOUR_MS: u64 = 3_600_000;

    fn apps(stores: MemoryStore) -> Apps {
        let times = Lifetimes {
            access_ms: HOUR_MS,
            refresh_ms: 100 * HOUR_MS,
            grace_ms: 0,
            rotation_ms: HOUR_MS,
        };
        Apps::new(Box::new(stores), times, Clock::default())
    }

    fn validity(seconds: u64) -> Map<String, Value> {
        Map::from_iter([("access_token_validity".to_owned(), json!(seconds))])
    }

    async fn validity_in(apps: &Apps, app_id: &str) -> u64 {
        apps.get(app_id).await.unwrap().times().access_ms
    }

    #[tokio::test(start_paused = true)]
    async fn other_processes_learn_of_new_settings_within_a_minute() {
        let stores = MemoryStore::new();
        let (here, there) = (apps(stores.clone()), apps(stores.clone()));
        assert_eq!(validity_in(&there, "shop").await, HOUR_MS);
        assert!(matches!(here.configure("shop", &validity(2)).await, Ok(Configured::Changed)));
        assert_eq!(validity_in(&here, "shop").await, 2_000);
        assert_eq!(validity_in(&there, "shop").await, HOUR_MS, "not yet");

        tokio::time::advance(SETTINGS_KEPT).await;
        // The first request goes on with the settings that are known.
        assert_eq!(validity_in(&there, "shop").await, HOUR_MS);
        tokio::task::yield_now().await;
        while there.app("shop").is_looked_up.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        assert_eq!(validity_in(&there, "shop").await, 2_000);
        assert_eq!(stores.for_app("shop").keys().await.unwrap().len(), 3, "the same keys");
    }

    #[tokio::test]
    async fn an_app_is_new_once() {
        let apps = apps(MemoryStore::new());
        assert!(matches!(apps.configure("shop", &validity(2)).await, Ok(Configured::Created)));
        assert!(matches!(apps.configure("shop", &Map::new()).await, Ok(Configured::Changed)));
        assert!(matches!(apps.configure("shop", &validity(0)).await, Ok(Configured::Refused(_))));
        assert_eq!(validity_in(&apps, "shop").await, 2_000, "what was refused changes nothing");
        assert_eq!(validity_in(&apps, DEFAULT_APP).await, HOUR_MS);
    }
}
