//! The stores of this crate pass the suite that it publishes.

use async_trait::async_trait;
use passerby_server::{
    MemoryStore, SqliteStore,
    store::{Decide, KeyRecord, SessionRecord, SessionStore, StoreError, Write, conformance},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory() {
    conformance::check(MemoryStore::new()).await;
    conformance::check_apps(MemoryStore::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite() {
    let folder = tempfile::TempDir::new().unwrap();
    let store = SqliteStore::open(folder.path().join("db")).await.unwrap();
    conformance::check(store.clone()).await;
    keeps_the_latest_time(&store).await;
    conformance::check_apps(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres() {
    let store = crate::cluster::store().await;
    conformance::check(store.clone()).await;
    keeps_the_latest_time(&store).await;
    conformance::check_apps(store).await;
}

/// A database has no time later than this one, and keeps it in place of any that is.
async fn keeps_the_latest_time(store: &impl SessionStore) {
    store
        .create(&SessionRecord::new("latest", "alice", "id", "hash", u64::MAX, u64::MAX))
        .await
        .unwrap();
    assert_eq!(store.load("latest").await.unwrap().unwrap().expires_at, i64::MAX.cast_unsigned());
    assert!(store.remove("latest").await.unwrap());
}

/// The mistakes that an author of a store may make.
#[derive(Clone, Copy, Debug)]
enum Fault {
    OverwritesSessions,
    ForgetsFormerTokens,
    SavesWhatIsToBeKept,
    LetsOthersWriteInBetween,
    RemovesOneOfSeveral,
    ListsExpiredSessions,
    SweepsWithoutLimit,
    ForgetsWhatIsForgotten,
    AddsEveryKey,
    CannotWrite,
}

#[derive(Debug)]
struct Broken {
    store: MemoryStore,
    fault: Fault,
}

#[async_trait]
impl SessionStore for Broken {
    async fn create(&self, session: &SessionRecord) -> Result<(), StoreError> {
        if matches!(self.fault, Fault::OverwritesSessions) {
            self.store.remove(&session.handle).await?;
        }
        self.store.create(session).await
    }

    async fn load(&self, handle: &str) -> Result<Option<SessionRecord>, StoreError> {
        let mut record = self.store.load(handle).await?;
        if let (Fault::ForgetsFormerTokens, Some(record)) = (self.fault, &mut record) {
            record.former_tokens.clear();
        }
        Ok(record)
    }

    async fn update(
        &self,
        handle: &str,
        decide: Decide<'_>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        if matches!(self.fault, Fault::LetsOthersWriteInBetween) {
            let Some(mut record) = self.store.load(handle).await? else { return Ok(None) };
            let write = decide(&mut record);
            tokio::task::yield_now().await;
            let decided = record.clone();
            let mut replace = |stored: &mut SessionRecord| {
                *stored = decided.clone();
                write
            };
            return self.store.update(handle, &mut replace).await;
        }
        let saves = matches!(self.fault, Fault::SavesWhatIsToBeKept);
        let mut decide = |record: &mut SessionRecord| match decide(record) {
            Write::Keep if saves => Write::Save,
            write => write,
        };
        self.store.update(handle, &mut decide).await
    }

    async fn remove(&self, handle: &str) -> Result<bool, StoreError> {
        self.store.remove(handle).await
    }

    async fn remove_all(&self, handles: &[String]) -> Result<Vec<String>, StoreError> {
        let some = if matches!(self.fault, Fault::RemovesOneOfSeveral) {
            &handles[..handles.len().min(1)]
        } else {
            handles
        };
        self.store.remove_all(some).await
    }

    async fn remove_all_of_user(&self, user_id: &str) -> Result<Vec<String>, StoreError> {
        self.store.remove_all_of_user(user_id).await
    }

    async fn handles_of_user(&self, user_id: &str, now: u64) -> Result<Vec<String>, StoreError> {
        let now = if matches!(self.fault, Fault::ListsExpiredSessions) { 0 } else { now };
        self.store.handles_of_user(user_id, now).await
    }

    async fn remove_expired(&self, now: u64, limit: u32) -> Result<u64, StoreError> {
        let limit = if matches!(self.fault, Fault::SweepsWithoutLimit) { u32::MAX } else { limit };
        self.store.remove_expired(now, limit).await
    }

    async fn check_writable(&self, now: u64) -> Result<(), StoreError> {
        if matches!(self.fault, Fault::CannotWrite) {
            return Err(StoreError::Database("the disk is full".into()));
        }
        self.store.check_writable(now).await
    }

    async fn remember_forgotten(&self, id_hash: &str, until: u64) -> Result<(), StoreError> {
        if matches!(self.fault, Fault::ForgetsWhatIsForgotten) {
            return Ok(());
        }
        self.store.remember_forgotten(id_hash, until).await
    }

    async fn is_forgotten(&self, id_hash: &str) -> Result<bool, StoreError> {
        self.store.is_forgotten(id_hash).await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.store.keys().await
    }

    async fn add_key_unless_newer(
        &self,
        key: &KeyRecord,
        fresh_since: u64,
    ) -> Result<(), StoreError> {
        let fresh_since =
            if matches!(self.fault, Fault::AddsEveryKey) { u64::MAX } else { fresh_since };
        self.store.add_key_unless_newer(key, fresh_since).await
    }
}

/// On one thread, whose panics are a test's own.
#[tokio::test]
async fn a_store_that_does_something_else_does_not_pass() {
    for fault in [
        Fault::OverwritesSessions,
        Fault::ForgetsFormerTokens,
        Fault::SavesWhatIsToBeKept,
        Fault::LetsOthersWriteInBetween,
        Fault::RemovesOneOfSeveral,
        Fault::ListsExpiredSessions,
        Fault::SweepsWithoutLimit,
        Fault::ForgetsWhatIsForgotten,
        Fault::AddsEveryKey,
        Fault::CannotWrite,
    ] {
        let checked =
            tokio::spawn(conformance::check(Broken { store: MemoryStore::new(), fault })).await;
        assert!(checked.is_err_and(|error| error.is_panic()), "{fault:?} passes");
    }
}
