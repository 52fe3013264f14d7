//! Requests per second, through the whole layer and an axum router, in memory. Measures and prints;
//! asserts nothing about speed.
//!
//! `cargo bench --package passerby-server` for SQLite; with `DATABASE=postgres://…` for PostgreSQL
//! as well. Every line is one client after another, and then 32 at once.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::{
    future::Future,
    sync::Mutex,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use futures_util::{StreamExt as _, stream};
use http::{Request, Response, header};
use passerby_server::{
    KeyAlgorithm, PostgresStore, Principal, Sessions, SqliteStore, User, Visitor, VisitorError,
    store::SessionStore,
};
use tower::ServiceExt as _;

const TIME: Duration = Duration::from_secs(2);
const AT_ONCE: usize = 32;

fn app(sessions: &Sessions) -> Router {
    Router::new()
        .route(
            "/api/any",
            get(|principal: Principal| async move { principal.anonymous_id().len().to_string() }),
        )
        .route("/api/user", get(|user: User| async move { user.user_id().to_owned() }))
        .route(
            "/api/login",
            post(|visitor: Visitor| async move {
                visitor.sign_in("alice").await?;
                Ok::<_, VisitorError>(())
            }),
        )
        .layer(sessions.layer())
}

async fn send(app: &Router, method: &str, path: &str, cookies: &str) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !cookies.is_empty() {
        request = request.header(header::COOKIE, cookies);
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert!(response.status().is_success(), "{path}: {}", response.status());
    response
}

fn cookies(response: &Response<Body>) -> String {
    let lines = response.headers().get_all(header::SET_COOKIE).iter();
    lines
        .map(|line| line.to_str().unwrap().split(';').next().unwrap())
        .collect::<Vec<_>>()
        .join("; ")
}

/// Does it for a while, and says how often it could.
async fn per_second<F: Future>(what: impl Fn() -> F, at_once: usize) -> f64 {
    let start = Instant::now();
    let done = stream::iter(0_u64..)
        .take_while(|_| std::future::ready(start.elapsed() < TIME))
        .map(|_| what())
        .buffer_unordered(at_once)
        .count()
        .await;
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let done = done as f64;
    done / start.elapsed().as_secs_f64()
}

async fn line<F: Future>(name: &str, what: impl Fn() -> F) {
    let (one, many) = (per_second(&what, 1).await, per_second(&what, AT_ONCE).await);
    println!("{name:44} {one:>10.0} {many:>10.0}");
}

/// The actions of visitors, on this database.
async fn database<S: SessionStore + Clone>(name: &str, store: S) {
    let sessions = Sessions::builder()
        .api_domain("http://localhost:3000")
        .mint_limit(None)
        .store(store)
        .build()
        .await
        .unwrap();
    let app = app(&sessions);
    let visitor = cookies(&send(&app, "GET", "/api/any", "").await);
    let user = cookies(&send(&app, "POST", "/api/login", "").await);
    line(&format!("anonymous mint, {name}"), || send(&app, "GET", "/api/any", "")).await;
    line(&format!("anonymous verify, {name}"), || send(&app, "GET", "/api/any", &visitor)).await;
    line(&format!("user verify, {name}"), || send(&app, "GET", "/api/user", &user)).await;
    line(&format!("sign in, {name}"), || send(&app, "POST", "/api/login", "")).await;
    line(&format!("refresh, {name}"), || send(&app, "POST", "/auth/session/refresh", &user)).await;
    // The whole turn of a session: the first use of the new token makes it the current one, and is
    // what writes.
    let mut signed_in = Vec::new();
    for _ in 0..AT_ONCE {
        signed_in.push(cookies(&send(&app, "POST", "/api/login", "").await));
    }
    let idle = Mutex::new(signed_in);
    line(&format!("refresh and first use, {name}"), || async {
        let before = idle.lock().unwrap().pop().unwrap();
        let refreshed = cookies(&send(&app, "POST", "/auth/session/refresh", &before).await);
        let used = cookies(&send(&app, "GET", "/api/user", &refreshed).await);
        let (_, refresh_token) = refreshed.split_once("sRefreshToken=").unwrap();
        idle.lock().unwrap().push(format!("{used}; sRefreshToken={refresh_token}"));
    })
    .await;
}

/// Actions that need no database, by the algorithm of anonymous tokens.
async fn memory(algorithm: KeyAlgorithm) {
    let folder = tempfile::TempDir::new().unwrap();
    let store = SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
    let builder = Sessions::builder()
        .api_domain("http://localhost:3000")
        .mint_limit(None)
        .anonymous_algorithm(algorithm);
    let sessions = builder.store(store).build().await.unwrap();
    let app = app(&sessions);
    let visitor = cookies(&send(&app, "GET", "/api/any", "").await);
    line(&format!("anonymous mint, {algorithm:?}"), || send(&app, "GET", "/api/any", "")).await;
    line(&format!("anonymous verify, {algorithm:?}"), || send(&app, "GET", "/api/any", &visitor))
        .await;
    if algorithm == KeyAlgorithm::Rs256 {
        line("key set", || send(&app, "GET", "/auth/jwt/jwks.json", "")).await;
    }
}

#[tokio::main]
async fn main() {
    println!(
        "{:44} {:>10} {:>10}",
        "requests per second",
        "one client",
        format!("{AT_ONCE} at once")
    );
    let bare = Router::new().route("/api/any", get(|| async { "36" }));
    line("the same router without the layer", || send(&bare, "GET", "/api/any", "")).await;
    memory(KeyAlgorithm::Rs256).await;
    memory(KeyAlgorithm::Es256).await;
    let folder = tempfile::TempDir::new().unwrap();
    database("SQLite", SqliteStore::open(folder.path().join("sessions.db")).await.unwrap()).await;
    match std::env::var("DATABASE") {
        Ok(address) => {
            database("PostgreSQL", PostgresStore::connect(&address).await.unwrap()).await
        }
        Err(_) => println!("PostgreSQL: not asked, because DATABASE is not set"),
    }
}
