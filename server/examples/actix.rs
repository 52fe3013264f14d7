//! The same in actix-web. `cargo run --example actix --features actix`, then ask
//! `http://localhost:3000/api/me` in a script.

use actix_web::{App, HttpServer, web};
use passerby_server::{Principal, Sessions, SqliteStore, User, Visitor, VisitorError};
use serde_json::json;

async fn me(principal: Principal) -> web::Json<serde_json::Value> {
    web::Json(json!({
        "visitor": principal.anonymous_id(),
        "signedIn": matches!(principal, Principal::User(_)),
    }))
}

async fn login(visitor: Visitor) -> Result<String, VisitorError> {
    // Check the password here.
    let user = visitor.sign_in("alice").await?;
    Ok(user.user_id().to_owned())
}

async fn orders(user: User) -> String {
    format!("orders of {}", user.user_id())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    actix_web::rt::System::new().block_on(async {
        let listener = std::net::TcpListener::bind(
            std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:3000"),
        )?;
        let origin = format!("http://localhost:{}", listener.local_addr()?.port());
        let store = SqliteStore::open(
            std::env::temp_dir().join(format!("passerby-actix-{}.db", std::process::id())),
        )
        .await?;
        let sessions = Sessions::builder().api_domain(origin).store(store).build().await?;
        let app = move || {
            App::new()
                .wrap(sessions.actix())
                .route("/api/me", web::get().to(me))
                .route("/api/login", web::post().to(login))
                .route("/api/orders", web::get().to(orders))
        };
        Ok(HttpServer::new(app).workers(1).listen(listener)?.run().await?)
    })
}
