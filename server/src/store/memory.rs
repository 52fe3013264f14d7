//! The store without a database.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{
    AppSettings, AppStores, DEFAULT_APP, Decide, KeyRecord, SessionRecord, SessionStore,
    StoreError, Write,
};

/// Sessions and keys in this process's memory, for tests and first steps. They end with the
/// process, and every visitor gets a new id then. Clones share what they keep.
///
/// ```
/// use passerby_server::{MemoryStore, Sessions};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = Sessions::builder()
///     .api_domain("http://localhost:3000")
///     .store(MemoryStore::new())
///     .build()
///     .await?;
/// sessions.ready().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    apps: Arc<Mutex<HashMap<Arc<str>, App>>>,
    app_id: Arc<str>,
}

#[derive(Default)]
struct App {
    sessions: HashMap<String, SessionRecord>,
    keys: Vec<KeyRecord>,
    settings: Option<AppSettings>,
    /// Until when each hash counts.
    forgotten: HashMap<String, u64>,
}

impl MemoryStore {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { apps: Arc::default(), app_id: DEFAULT_APP.into() }
    }

    /// All apps. A thread that panicked in the middle had changed nothing yet.
    fn apps(&self) -> MutexGuard<'_, HashMap<Arc<str>, App>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, work: impl FnOnce(&mut App) -> T) -> T {
        work(self.apps().entry(self.app_id.clone()).or_default())
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// It holds secrets.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn create(&self, session: &SessionRecord) -> Result<(), StoreError> {
        self.with(|app| {
            if app.sessions.contains_key(&session.handle) {
                return Err(StoreError::HandleTaken);
            }
            app.sessions.insert(session.handle.clone(), session.clone());
            Ok(())
        })
    }

    async fn load(&self, handle: &str) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.with(|app| app.sessions.get(handle).cloned()))
    }

    async fn update(
        &self,
        handle: &str,
        decide: Decide<'_>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.with(|app| {
            let mut session = app.sessions.get(handle)?.clone();
            match decide(&mut session) {
                Write::Keep => {}
                Write::Save => drop(app.sessions.insert(handle.to_owned(), session.clone())),
                Write::Remove => drop(app.sessions.remove(handle)),
            }
            Some(session)
        }))
    }

    async fn remove(&self, handle: &str) -> Result<bool, StoreError> {
        Ok(self.with(|app| app.sessions.remove(handle).is_some()))
    }

    async fn remove_all(&self, handles: &[String]) -> Result<Vec<String>, StoreError> {
        Ok(self.with(|app| {
            handles
                .iter()
                .filter_map(|handle| app.sessions.remove(handle))
                .map(|session| session.handle)
                .collect()
        }))
    }

    async fn remove_all_of_user(&self, user_id: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.with(|app| {
            let removed = app.sessions.extract_if(|_, session| session.user_id == user_id);
            removed.map(|(handle, _)| handle).collect()
        }))
    }

    async fn handles_of_user(&self, user_id: &str, now: u64) -> Result<Vec<String>, StoreError> {
        Ok(self.with(|app| {
            let live = app
                .sessions
                .values()
                .filter(|session| session.user_id == user_id && session.expires_at > now);
            let mut live: Vec<_> =
                live.map(|session| (session.created_at, session.handle.clone())).collect();
            live.sort();
            live.into_iter().map(|(_, handle)| handle).collect()
        }))
    }

    async fn remove_expired(&self, now: u64, limit: u32) -> Result<u64, StoreError> {
        let mut apps = self.apps();
        for app in apps.values_mut() {
            app.forgotten.retain(|_, until| *until > now);
        }
        let expired = apps
            .values_mut()
            .flat_map(|app| app.sessions.extract_if(|_, session| session.expires_at <= now));
        Ok(expired.take(usize::try_from(limit).unwrap_or(usize::MAX)).count() as u64)
    }

    async fn check_writable(&self, _now: u64) -> Result<(), StoreError> {
        Ok(())
    }

    async fn remember_forgotten(&self, id_hash: &str, until: u64) -> Result<(), StoreError> {
        self.with(|app| {
            let known = app.forgotten.entry(id_hash.to_owned()).or_default();
            *known = until.max(*known);
        });
        Ok(())
    }

    async fn is_forgotten(&self, id_hash: &str) -> Result<bool, StoreError> {
        Ok(self.with(|app| app.forgotten.contains_key(id_hash)))
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(self.with(|app| app.keys.clone()))
    }

    async fn add_key_unless_newer(
        &self,
        key: &KeyRecord,
        fresh_since: u64,
    ) -> Result<(), StoreError> {
        self.with(|app| {
            let rivals = fresh_since..=key.rivals_until();
            let is_late = app.keys.iter().any(|other| {
                other.id == key.id || other.kind == key.kind && rivals.contains(&other.created_at)
            });
            if !is_late {
                app.keys.push(key.clone());
                app.keys.sort_by(|one, other| {
                    (one.created_at, &one.id).cmp(&(other.created_at, &other.id))
                });
            }
        });
        Ok(())
    }
}

#[async_trait]
impl AppStores for MemoryStore {
    fn for_app(&self, app_id: &str) -> Arc<dyn SessionStore> {
        Arc::new(Self { app_id: app_id.into(), ..self.clone() })
    }

    async fn settings(&self, app_id: &str) -> Result<Option<AppSettings>, StoreError> {
        Ok(self.apps().get(app_id).and_then(|app| app.settings))
    }

    async fn set_settings(&self, app_id: &str, settings: &AppSettings) -> Result<(), StoreError> {
        self.apps().entry(app_id.into()).or_default().settings = Some(*settings);
        Ok(())
    }
}
