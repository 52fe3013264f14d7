//! Configuration, and a database that does not play along.

use passerby_server::{
    BuildError, SessionRejection, Sessions, SqliteStore, User,
    store::{SessionStore as _, StoreError},
};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::app::{App, ORIGIN, store};

#[tokio::test]
async fn an_option_that_is_missing_or_wrong_is_named() {
    let (store, _folder) = store().await;
    assert!(matches!(
        Sessions::builder().store(store.clone()).build().await,
        Err(BuildError::ApiDomainMissing)
    ));
    assert!(matches!(
        Sessions::builder().api_domain(ORIGIN).build().await,
        Err(BuildError::StoreMissing)
    ));
    let builder = || Sessions::builder().api_domain(ORIGIN).store(store.clone());
    for (bad, name) in [
        (builder().api_domain("not a domain"), "api_domain"),
        (builder().website_domain("/auth"), "website_domain"),
        (builder().trusted_origin("ftp://x.example"), "trusted_origin"),
        (builder().api_base_path("/a?b"), "api_base_path"),
        (builder().cookie_domain("other.example"), "cookie_domain"),
        (builder().older_cookie_domain("other.example"), "cookie_domain"),
        (builder().older_cookie_domain(""), "older_cookie_domain"),
        (builder().api_domain("http://api.example.com").embedded(true), "embedded"),
        (builder().api_domain("http://192.168.1.7:3000").embedded(true), "embedded"),
        (builder().anonymous_cookie_name("a b"), "anonymous_cookie_name"),
        (builder().anonymous_cookie_name("__Host-jwt"), "anonymous_cookie_name"),
        (builder().anonymous_renewal(0.0), "anonymous_renewal"),
        (builder().anonymous_renewal(f64::NAN), "anonymous_renewal"),
        (builder().anonymous_renewal(1.01), "anonymous_renewal"),
        (builder().client_address_header("x forwarded"), "client_address_header"),
        (builder().access_token_validity(std::time::Duration::ZERO), "access_token_validity"),
        (builder().key_rotation(std::time::Duration::from_secs(119)), "key_rotation"),
        (
            builder().api_domain("http://api.example.com").website_domain("http://shop.example"),
            "api_domain",
        ),
    ] {
        let error = bad.build().await.unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn an_unwritable_database_has_its_own_error() {
    let folder = TempDir::new().unwrap();
    let in_no_folder = folder.path().join("missing").join("sessions.db");
    for path in [in_no_folder.as_path(), folder.path()] {
        let error = SqliteStore::open(path).await.unwrap_err();
        assert!(matches!(error, StoreError::NotWritable { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }
    let not_a_database = folder.path().join("notes.txt");
    std::fs::write(
        &not_a_database,
        "These are notes, and not a database, and long enough to have a header. ".repeat(30),
    )
    .unwrap();
    assert!(SqliteStore::open(&not_a_database).await.is_err());
    assert!(std::fs::read_to_string(&not_a_database).unwrap().starts_with("These are notes"));
}

/// The type of a store's error says nothing of its client library. Logs, and an app that wants to
/// know, find its error beneath.
#[tokio::test]
async fn an_error_of_the_store_keeps_its_source() {
    let (store, _folder) = store().await;
    store.close().await;
    let error = store.load("any").await.unwrap_err();
    let source =
        std::error::Error::source(&error).and_then(|source| source.downcast_ref::<sqlx::Error>());
    assert!(
        matches!((&error, source), (StoreError::Unreachable(_), Some(sqlx::Error::PoolClosed))),
        "{error:?}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn the_database_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("sessions.db");
    let _store = SqliteStore::open(&path).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{:?}",
            entry.file_name()
        );
    }
}

#[tokio::test]
async fn a_restart_keeps_sessions_and_ids() {
    let app = App::new().await;
    let mut visitor = app.browser();
    let mut user = app.browser();
    let (visitor_id, user_id) = (visitor.id().await, user.id().await);
    user.login("alice").await;
    let restarted = App::on(app.store.clone()).await;
    let (mut visitor, mut user) = (visitor.moved_to(&restarted), user.moved_to(&restarted));
    assert_eq!(visitor.id().await, visitor_id);
    assert_eq!(user.id().await, user_id);
    assert_eq!(user.refresh().await.status, 200);
}

#[tokio::test]
async fn a_base_path_may_be_empty() {
    let app = App::with(|builder| builder.api_base_path("")).await;
    let mut browser = app.browser();
    browser.login("alice").await;
    assert_eq!(browser.post("/session/refresh").await.status, 200);
    assert_eq!(browser.post("/signout").await.status, 200);
}

#[tokio::test]
async fn a_forgotten_layer_is_said_clearly() {
    let app = axum::Router::new().route("/", axum::routing::get(|_: User| async {}));
    let response = app.oneshot(http::Request::new(axum::body::Body::empty())).await.unwrap();
    assert_eq!(response.status(), SessionRejection::LayerMissing.status());
    assert!(SessionRejection::LayerMissing.to_string().contains("sessions.layer()"));
}

#[tokio::test]
async fn a_database_that_goes_away_is_no_lost_session() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.login("alice").await;
    browser.refresh().await;
    app.store.close().await;
    for path in ["/api/user", "/api/fresh", "/api/me"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.is_silent());
    }
    let answer = browser.refresh().await;
    assert_eq!(answer.status, 503);
    assert!(answer.is_silent(), "nothing is cleared");
    assert_eq!(app.browser().get("/api/me").await.status, 200, "visitors need no database");
}

#[tokio::test]
async fn an_older_process_goes_on_while_a_newer_one_changes_the_tables() {
    let (store, folder) = store().await;
    let path = folder.path().join("sessions.db");
    let app = App::on(store).await;
    let before = app.browser_of("alice").await;
    let newer = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    for change in [
        "ALTER TABLE sessions ADD COLUMN device TEXT NOT NULL DEFAULT 'unknown'",
        "ALTER TABLE keys ADD COLUMN note TEXT",
        "CREATE TABLE devices (id TEXT PRIMARY KEY)",
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, '', true, x'', 0)",
    ] {
        sqlx::query(change).execute(&newer).await.unwrap();
    }
    app.goes_on_with(before).await;
    let again = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(again, StoreError::Migration(_)), "but does not start again: {again:?}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let (store, folder) = store().await;
    store.close().await;
    let path = folder.path().join("sessions.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
        execution_time) VALUES (9999, '', true, x'', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    for _ in 0..2 {
        let error = SqliteStore::open(&path).await.unwrap_err();
        assert!(matches!(error, StoreError::Migration(_)), "{error:?}");
        assert!(error.to_string().contains("9999"), "{error}");
    }
}
