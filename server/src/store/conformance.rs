//! The rules for every store. A store that does not pass [`check`] loses sessions or lets somebody
//! in.
//!
//! In the tests of a store of your own, with the cargo feature `store-conformance`:
//!
//! ```
//! # use passerby_server::MemoryStore as MyStore;
//! use passerby_server::store::conformance;
//!
//! # #[tokio::main(flavor = "multi_thread")]
//! # async fn main() {
//! conformance::check(MyStore::new()).await;
//! // Where it keeps several apps, which is for the session core only:
//! conformance::check_apps(MyStore::new()).await;
//! # }
//! ```
#![allow(clippy::unwrap_used, reason = "this is a test, which lies here so that others can run it")]

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    AppSettings, AppStores, FormerToken, KeyKind, KeyRecord, SessionRecord, SessionStore,
    StoreError, Write,
};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn session(handle: &str, user: &str, expires_at: u64) -> SessionRecord {
    let mut session = SessionRecord::new(handle, user, "id", "hash", 1, expires_at);
    session.payload = object(
        json!({"name": "李雷", "nested": {"a": [1, null]}, "nothing": "\0", "b": 1, "a": 2}),
    );
    session.data = object(json!({"cart": ["\0", "🛒"], "large": "x".repeat(100_000)}));
    session.former_tokens = vec![FormerToken::new("before", u64::MAX)];
    session
}

fn key(id: &str, kind: KeyKind, created_at: u64) -> KeyRecord {
    KeyRecord::new(id, kind, created_at, format!("secret of {id}"))
}

/// Tries everything that the server asks of a store, which must be empty. Use a runtime with
/// several threads, or nothing happens at the same time.
///
/// # Panics
/// When the store does something else.
pub async fn check(store: impl SessionStore) {
    let store = Arc::new(store);
    creates_and_never_overwrites(&*store).await;
    updates_as_decided(&*store).await;
    lists_and_removes(&*store).await;
    sweeps_in_batches(&*store).await;
    remembers_forgotten_ids(&*store).await;
    serialises_updates(store.clone()).await;
    adds_keys_once(store.clone()).await;
    // More than once, because something is there by then.
    for now in [1, 2, u64::MAX] {
        store.check_writable(now).await.unwrap();
    }
}

/// Tries whether two apps of one database see anything of each other. It must be empty.
///
/// # Panics
/// When they do.
pub async fn check_apps(database: impl AppStores) {
    let (shop, forum) = (database.for_app("shop"), database.for_app("forum"));
    shop.create(&session("one", "alice", 100)).await.unwrap();
    assert_eq!(forum.load("one").await.unwrap(), None);
    assert_eq!(forum.update("one", &mut |_| panic!("that is another app's")).await.unwrap(), None);
    assert!(!forum.remove("one").await.unwrap());
    assert!(forum.remove_all(&["one".to_owned()]).await.unwrap().is_empty());
    assert!(forum.remove_all_of_user("alice").await.unwrap().is_empty());
    assert!(forum.handles_of_user("alice", 0).await.unwrap().is_empty());
    shop.add_key_unless_newer(&key("s-1", KeyKind::Static, 3), 0).await.unwrap();
    assert!(forum.keys().await.unwrap().is_empty());
    forum.add_key_unless_newer(&key("s-2", KeyKind::Static, 3), 0).await.unwrap();
    assert_eq!(
        forum.keys().await.unwrap().len(),
        1,
        "another app's key is no reason to do without"
    );
    // Opened again, an app is the same.
    assert_eq!(
        database.for_app("shop").load("one").await.unwrap(),
        Some(session("one", "alice", 100))
    );
    assert_eq!(database.for_app("shop").keys().await.unwrap(), [key("s-1", KeyKind::Static, 3)]);
    assert!(shop.remove("one").await.unwrap());
    shop.remember_forgotten("hash", u64::MAX).await.unwrap();
    assert!(!forum.is_forgotten("hash").await.unwrap());
    keeps_settings(&database).await;
}

async fn keeps_settings(database: &impl AppStores) {
    assert_eq!(database.settings("shop").await.unwrap(), None, "keys are no settings");
    let mut settings = AppSettings::default();
    for validity in [None, Some(1), Some(u64::MAX)] {
        settings.access_token_validity_ms = validity;
        database.set_settings("shop", &settings).await.unwrap();
        assert_eq!(database.settings("shop").await.unwrap(), Some(settings));
        assert_eq!(database.settings("forum").await.unwrap(), None);
    }
    database.set_settings("no-keys", &settings).await.unwrap();
    assert_eq!(database.settings("no-keys").await.unwrap(), Some(settings));
    assert!(database.for_app("no-keys").keys().await.unwrap().is_empty());
}

async fn creates_and_never_overwrites(store: &impl SessionStore) {
    let first = session("create", "alice", 100);
    store.create(&first).await.unwrap();
    assert_eq!(store.load("create").await.unwrap(), Some(first.clone()));
    assert!(matches!(
        store.create(&session("create", "mallory", 999)).await,
        Err(StoreError::HandleTaken)
    ));
    assert_eq!(store.load("create").await.unwrap(), Some(first));
    for unknown in ["missing", "", "\0", "create\0", "' OR 1=1 --"] {
        assert_eq!(store.load(unknown).await.unwrap(), None);
        assert_eq!(store.update(unknown, &mut |_| Write::Remove).await.unwrap(), None);
        assert!(!store.remove(unknown).await.unwrap());
        assert!(store.remove_all_of_user(unknown).await.unwrap().is_empty());
        assert!(store.handles_of_user(unknown, 0).await.unwrap().is_empty());
    }
    let mut latest = session("latest", "alice", u64::MAX);
    latest.created_at = u64::MAX;
    store.create(&latest).await.unwrap();
    let read = store.load("latest").await.unwrap().unwrap();
    assert!(
        read.expires_at >= i64::MAX.cast_unsigned(),
        "as late as a database can tell, and not {}",
        read.expires_at
    );
    assert!(store.remove("latest").await.unwrap());
    assert!(store.remove("create").await.unwrap());
}

async fn updates_as_decided(store: &impl SessionStore) {
    let before = session("update", "alice", 100);
    store.create(&before).await.unwrap();
    let kept = store
        .update("update", &mut |record| {
            record.expires_at = 7;
            Write::Keep
        })
        .await
        .unwrap();
    assert_eq!(kept.unwrap().expires_at, 7, "returns what was decided");
    assert_eq!(store.load("update").await.unwrap(), Some(before.clone()), "stores nothing");
    let change = |record: &mut SessionRecord| {
        record.refresh_hash2 = "new".into();
        record.anonymous_id = "other".into();
        record.expires_at = 200;
        record.payload = object(json!({"a": 1}));
        record.data.insert("b".into(), json!(2));
        record.former_tokens.push(FormerToken::new("then", 7));
        Write::Save
    };
    let saved = store.update("update", &mut { change }).await.unwrap();
    assert_eq!(store.load("update").await.unwrap(), saved);
    assert_eq!(saved.unwrap().refresh_hash2, "new");
    store.update("update", &mut |_| Write::Remove).await.unwrap();
    assert_eq!(store.load("update").await.unwrap(), None);
    assert_eq!(
        store.update("update", &mut |_| panic!("there is nothing to decide on")).await.unwrap(),
        None
    );
}

async fn lists_and_removes(store: &impl SessionStore) {
    for (handle, user, expires) in
        [("l1", "alice", 100), ("l2", "bob", 100), ("l3", "alice", 50), ("l4", "alice", 200)]
    {
        store.create(&session(handle, user, expires)).await.unwrap();
    }
    assert_eq!(
        store.handles_of_user("alice", 50).await.unwrap(),
        ["l1", "l4"],
        "the expired one is not listed"
    );
    assert_eq!(store.handles_of_user("' OR 1=1 --", 0).await.unwrap(), [""; 0]);
    assert!(store.remove("l1").await.unwrap());
    assert!(!store.remove("l1").await.unwrap());
    let some = ["l1", "l2", "unknown", "\0", "l2", "' OR 1=1 --"].map(str::to_owned);
    assert_eq!(store.remove_all(&some).await.unwrap(), ["l2"]);
    assert!(store.remove_all(&[]).await.unwrap().is_empty());
    store.create(&session("l2", "bob", 100)).await.unwrap();
    let mut removed = store.remove_all_of_user("alice").await.unwrap();
    removed.sort();
    assert_eq!(removed, ["l3", "l4"]);
    assert_eq!(store.handles_of_user("bob", 0).await.unwrap(), ["l2"]);
    store.remove("l2").await.unwrap();
}

async fn sweeps_in_batches(store: &impl SessionStore) {
    for number in 0..5 {
        store.create(&session(&format!("s{number}"), "alice", number)).await.unwrap();
    }
    assert_eq!(store.remove_expired(3, 2).await.unwrap(), 2);
    assert_eq!(store.remove_expired(3, 10).await.unwrap(), 2);
    assert_eq!(store.remove_expired(3, 10).await.unwrap(), 0);
    assert_eq!(store.handles_of_user("alice", 0).await.unwrap(), ["s4"]);
    store.remove("s4").await.unwrap();
}

async fn remembers_forgotten_ids(store: &impl SessionStore) {
    assert!(!store.is_forgotten("one").await.unwrap());
    store.remember_forgotten("one", 20).await.unwrap();
    store.remember_forgotten("one", 10).await.unwrap();
    store.remember_forgotten("two", 10).await.unwrap();
    assert_eq!(store.remove_expired(10, 10).await.unwrap(), 0, "they are no sessions");
    assert!(store.is_forgotten("one").await.unwrap());
    assert!(!store.is_forgotten("two").await.unwrap());
    store.remember_forgotten("for-ever", u64::MAX).await.unwrap();
    store.remove_expired(20, 10).await.unwrap();
    assert!(!store.is_forgotten("one").await.unwrap());
    assert!(store.is_forgotten("for-ever").await.unwrap());
}

async fn serialises_updates(store: Arc<impl SessionStore>) {
    store.create(&session("count", "alice", 0)).await.unwrap();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .update("count", &mut |record| {
                        record.expires_at += 1;
                        Write::Save
                    })
                    .await
                    .unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.load("count").await.unwrap().unwrap().expires_at, 50, "no update was lost");
    store.remove("count").await.unwrap();
}

async fn adds_keys_once(store: Arc<impl SessionStore>) {
    assert!(store.keys().await.unwrap().is_empty());
    let tasks: Vec<_> = (0..10)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .add_key_unless_newer(&key(&format!("d-{number}"), KeyKind::Dynamic, 10), 5)
                    .await
                    .unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.keys().await.unwrap().len(), 1);
    store.add_key_unless_newer(&key("s-1", KeyKind::Static, 3), 0).await.unwrap();
    store.add_key_unless_newer(&key("r-1", KeyKind::Refresh, 4), 0).await.unwrap();
    store.add_key_unless_newer(&key("d-late", KeyKind::Dynamic, 20), 11).await.unwrap();
    let keys = store.keys().await.unwrap();
    assert_eq!(
        keys.iter().map(|key| key.kind).collect::<Vec<_>>(),
        [KeyKind::Static, KeyKind::Refresh, KeyKind::Dynamic, KeyKind::Dynamic]
    );
    assert_eq!(keys[3], key("d-late", KeyKind::Dynamic, 20));
    store.add_key_unless_newer(&key("d-late", KeyKind::Dynamic, 99), 50).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), keys, "an id is never overwritten");
}
