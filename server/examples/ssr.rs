//! Pages rendered on the server with askama, and the same route for scripts.
//! `cargo run --example ssr`, then open `http://localhost:3000`.

use std::net::SocketAddr;

use askama::Template;
use axum::{
    Router,
    http::HeaderMap,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use passerby_server::{PageUser, Principal, Sessions, SqliteStore, Visitor, VisitorError};

/// Escaped by askama, whatever name a user has chosen.
#[derive(Template)]
#[template(source = "<h1>Hello {{ name }}</h1><p>{{ line }}</p>", ext = "html")]
struct Page<'a> {
    name: &'a str,
    line: &'a str,
}

impl Page<'_> {
    fn response(&self) -> Response {
        self.render().map_or_else(
            |error| error.to_string().into_response(),
            |html| Html(html).into_response(),
        )
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind(
        std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:3000"),
    )
    .await?;
    let origin = format!("http://localhost:{}", listener.local_addr()?.port());
    let store = SqliteStore::open(
        std::env::temp_dir().join(format!("passerby-ssr-{}.db", std::process::id())),
    )
    .await?;
    let sessions = Sessions::builder().api_domain(origin).store(store).build().await?;
    let app = Router::new()
        .route("/", get(home))
        .route("/orders", get(orders))
        .route("/refresh-session", get(refresh_session))
        .route("/login", post(login))
        .layer(sessions.layer());
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// A page for everybody. It only verifies: rendering never writes a cookie.
async fn home(visitor: Visitor) -> Response {
    let name = match visitor.principal() {
        Some(Principal::User(user)) => user.user_id().to_owned(),
        Some(Principal::Anonymous(_)) | None => "visitor".to_owned(),
    };
    Page { name: &name, line: "Rendered on the server." }.response()
}

/// A page and an API in one: a visitor who has to refresh or to sign in is redirected, or gets 401,
/// as the request wants it.
async fn orders(user: PageUser, headers: HeaderMap) -> Response {
    let wants_html = headers
        .get("accept")
        .is_some_and(|accept| accept.to_str().is_ok_and(|text| text.contains("text/html")));
    if wants_html {
        Page { name: user.user_id(), line: "No orders yet." }.response()
    } else {
        axum::Json(serde_json::json!({ "orders": [] })).into_response()
    }
}

/// Real apps serve the SDK's `refreshSessionPage()` here, which refreshes, comes back, or leads to
/// the login page.
async fn refresh_session() -> Redirect {
    Redirect::to("/")
}

async fn login(visitor: Visitor) -> Result<(), VisitorError> {
    // Check the password here.
    visitor.sign_in("alice <b>").await.map(drop)
}
