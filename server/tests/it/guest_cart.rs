use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Json, Router, extract::State, routing::post};
use passerby_server::{
    AnonymousSession, BuildError, Principal, Sessions, SqliteStore, Visitor, VisitorError,
};
use serde_json::{Map, Value, json};

/// Stands for your database: carts by user id. Never by anonymousId, which does not prove
/// that the visitor is this user.
#[derive(Clone, Default)]
struct Accounts(Arc<Mutex<HashMap<String, Vec<String>>>>);

impl Accounts {
    fn add(&self, user_id: &str, items: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cart = accounts.entry(user_id.to_owned()).or_default();
        cart.extend(items);
        cart.clone()
    }
}

/// The list that a guest sent us. Anything that is not a list of texts counts as empty.
fn guest_cart(guest: &AnonymousSession) -> Vec<String> {
    guest
        .payload()
        .get("cart")
        .and_then(|cart| serde_json::from_value(cart.clone()).ok())
        .unwrap_or_default()
}

async fn add_to_cart(
    visitor: Visitor,
    principal: Principal,
    State(accounts): State<Accounts>,
    Json(item): Json<String>,
) -> Result<Json<Vec<String>>, VisitorError> {
    Ok(Json(match principal {
        Principal::User(user) => accounts.add(user.user_id(), [item]),
        Principal::Anonymous(guest) => {
            let mut cart = guest_cart(&guest);
            cart.push(item);
            // A cart that no cookie can hold is refused: 400, with the limit named.
            visitor
                .anonymous()
                .update_payload(Map::from_iter([("cart".to_owned(), json!(cart))]))
                .await?;
            cart
        }
    }))
}

async fn login(visitor: Visitor) -> Result<Json<Value>, VisitorError> {
    // Check the password here.
    let user = visitor.sign_in("user-1").await?;
    Ok(Json(json!({ "user": user.user_id() })))
}

async fn shop(store: SqliteStore) -> Result<Router, BuildError> {
    let accounts = Accounts::default();
    let for_hook = accounts.clone();
    let sessions = Sessions::builder()
        .api_domain("http://localhost:3000")
        .store(store)
        .on_sign_in(move |guest, user_id| {
            let accounts = for_hook.clone();
            async move {
                accounts.add(&user_id, guest_cart(&guest));
                // Nothing of it into the access token.
                Ok::<_, Infallible>(Map::new())
            }
        })
        .build()
        .await?;
    Ok(Router::new()
        .route("/api/cart", post(add_to_cart))
        .route("/api/login", post(login))
        .with_state(accounts)
        .layer(sessions.layer())
        .layer(sessions.cors()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shop = shop(SqliteStore::open("sessions.db").await?).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, shop.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
