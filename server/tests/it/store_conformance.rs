//! The stores of this crate pass the suite that it publishes.

use passerby_server::{
    MemoryStore, SqliteStore,
    store::{SessionRecord, SessionStore, conformance},
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
    store.create(&SessionRecord::new("latest", "alice", "id", "hash", u64::MAX, u64::MAX)).await.unwrap();
    assert_eq!(store.load("latest").await.unwrap().unwrap().expires_at, i64::MAX.cast_unsigned());
    assert!(store.remove("latest").await.unwrap());
}
