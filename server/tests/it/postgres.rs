//! Things that only PostgreSQL can show: addresses, migrations, and a server that goes away and
//! comes back.

use std::time::{Duration, Instant};

use passerby_server::{
    BuildError, EngineError, PostgresStore, Sessions,
    store::{SessionStore, StoreError},
};

use tokio::io::AsyncWriteExt as _;

use crate::{
    app::{App, ORIGIN, store_with_keys},
    cluster::{self, Cluster},
};

#[tokio::test]
async fn a_wrong_address_is_named_without_its_password() {
    for address in [
        "",
        "sessions.db",
        "mysql://alice:hunter2@localhost/x",
        "postgres://alice:hunter2@local host/x",
    ] {
        let error = PostgresStore::connect(address).await.unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(
            matches!(error, StoreError::BadAddress(_) | StoreError::Unreachable(_)),
            "{address}: {error:?}"
        );
    }
}

#[tokio::test]
async fn nobody_there_is_said_at_start() {
    let folder = tempfile::TempDir::new().unwrap();
    let socket = folder.path().display().to_string().replace('/', "%2F");
    let error = PostgresStore::connect(&format!("postgres://alice@{socket}/x")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains("check that it runs"), "{error}");

    let missing = cluster::shared().await.database().await + "_not";
    let error = PostgresStore::connect(&missing).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
}

/// The port of another database. This is how MySQL greets.
#[tokio::test]
async fn somebody_else_there_is_said_at_start() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"J\0\0\0\x0a8.0.35\0").await.unwrap();
            // Closed at once, the greeting may get lost.
            open.push(stream);
        }
    });
    let error = PostgresStore::connect(&format!("postgres://alice:hunter2@127.0.0.1:{port}/x"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Protocol(_)), "{error:?}");
    assert!(
        error.to_string().contains("check that host and port")
            && !error.to_string().contains("hunter2"),
        "{error}"
    );
}

#[tokio::test]
async fn an_older_process_goes_on_while_a_newer_one_changes_the_schema() {
    let cluster = cluster::shared().await;
    let address = cluster.database().await;
    let app = App::on(store_with_keys(PostgresStore::connect(&address).await.unwrap()).await).await;
    let before = app.browser_of("alice").await;
    // A newer version's migration may do this, and does not wait for us.
    let newer = sqlx::PgPool::connect(&address).await.unwrap();
    for change in [
        "ALTER TABLE passerby.sessions ADD COLUMN device TEXT NOT NULL DEFAULT 'unknown'",
        "ALTER TABLE passerby.keys ADD COLUMN note TEXT",
        "CREATE TABLE passerby.devices (id TEXT PRIMARY KEY)",
        "INSERT INTO passerby.migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, '', true, '', 0)",
    ] {
        sqlx::query(change).execute(&newer).await.unwrap();
    }
    app.goes_on_with(before).await;
    let again = PostgresStore::connect(&address).await.unwrap_err();
    assert!(matches!(again, StoreError::Migration(_)), "but does not start again: {again:?}");
}

#[tokio::test]
async fn two_processes_that_start_at_once_make_one_schema_and_one_set_of_keys() {
    let address = cluster::shared().await.database().await;
    let start = || async {
        let store = PostgresStore::connect(&address).await.unwrap();
        Sessions::builder().api_domain(ORIGIN).store(store.clone()).build().await.unwrap();
        store
    };
    let (store, _) = tokio::join!(start(), start());
    assert_eq!(store.keys().await.unwrap().len(), 3, "one of each kind");
}

#[tokio::test]
async fn a_schema_from_a_newer_version_is_refused() {
    let address = cluster::shared().await.database().await;
    PostgresStore::connect(&address).await.unwrap().close().await;
    let pool = sqlx::PgPool::connect(&address).await.unwrap();
    sqlx::query(
        "INSERT INTO passerby.migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, '', true, '', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    let error = PostgresStore::with_pool(pool).await.unwrap_err();
    assert!(matches!(error, StoreError::Migration(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_goes_away_costs_no_session_and_is_found_again() {
    let cluster = Cluster::start().await;
    let app = App::on(store_with_keys(cluster.store().await).await).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    browser.refresh().await;

    cluster.crash();
    let start = Instant::now();
    for path in ["/api/user", "/api/fresh"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.is_silent());
    }
    let answer = browser.refresh().await;
    assert_eq!(answer.status, 503);
    assert!(answer.is_silent(), "nothing is cleared");
    assert_eq!(app.browser().get("/api/me").await.status, 200, "visitors need no database");
    assert_eq!(app.browser().post("/api/login?user=bob").await.status, 503);
    assert!(start.elapsed() < Duration::from_secs(15), "nobody waits long: {:?}", start.elapsed());
    let restarted = Sessions::builder().api_domain(ORIGIN).store(app.store.clone()).build().await;
    assert!(
        matches!(
            restarted,
            Err(BuildError::Engine(EngineError::Store(StoreError::Unreachable(_))))
        ),
        "{restarted:?}"
    );

    cluster.resume();
    assert_eq!(browser.get("/api/fresh").await.body, "alice");
    assert_eq!(browser.refresh().await.status, 200);
    assert_eq!(browser.id().await, id);
}
