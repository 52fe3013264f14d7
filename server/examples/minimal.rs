//! The smallest server: every visitor has a session. `cargo run --example minimal`, then open
//! `http://localhost:3000/api/me` in a script.

use std::net::SocketAddr;

use axum::{Json, Router, routing::get};
use passerby_server::{Principal, Sessions, SqliteStore};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind(
        std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:3000"),
    )
    .await?;
    let origin = format!("http://localhost:{}", listener.local_addr()?.port());
    let store = SqliteStore::open(
        std::env::temp_dir().join(format!("passerby-minimal-{}.db", std::process::id())),
    )
    .await?;
    let sessions = Sessions::builder().api_domain(origin).store(store).build().await?;
    let app = Router::new().route("/api/me", get(me)).layer(sessions.layer());
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

async fn me(principal: Principal) -> Json<Value> {
    Json(json!({
        "visitor": principal.anonymous_id(),
        "signedIn": matches!(principal, Principal::User(_)),
    }))
}
