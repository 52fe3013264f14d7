//! A server that nobody can hold busy by being slow. `axum::serve` has no time-outs: half a request
//! head, or a body that comes byte by byte, keeps a connection for as long as its sender likes. Not
//! needed behind a proxy that has some. `cargo run --example timeouts`.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::ConnectInfo,
    routing::{get, post},
};
use http::StatusCode;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use passerby_server::{MemoryStore, Principal, Sessions};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listener =
        TcpListener::bind(arguments.next().as_deref().unwrap_or("127.0.0.1:3000")).await?;
    let limit = Duration::from_secs(arguments.next().map_or(Ok(30), |seconds| seconds.parse())?);
    let origin = format!("http://localhost:{}", listener.local_addr()?.port());
    let sessions = Sessions::builder().api_domain(origin).store(MemoryStore::new()).build().await?;
    let app = Router::new()
        .route("/api/me", get(me))
        .route("/api/note", post(async |note: String| format!("{} bytes", note.len())))
        .layer(sessions.layer())
        // For the whole request, its body included.
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limit));
    serve(listener, app, limit).await
}

async fn me(principal: Principal) -> Json<Value> {
    Json(json!({
        "visitor": principal.anonymous_id(),
        "signedIn": matches!(principal, Principal::User(_)),
    }))
}

/// In place of `axum::serve`.
async fn serve(
    listener: TcpListener,
    app: Router,
    head: Duration,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut http = auto::Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(head);
    loop {
        let (stream, client) = listener.accept().await?;
        // The limit of new sessions by client looks here.
        let app = app.clone().layer(Extension(ConnectInfo::<SocketAddr>(client)));
        let connection =
            http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app)).into_owned();
        tokio::spawn(async move {
            // That a client hung up is its own affair.
            let _ = connection.await;
        });
    }
}
