//! The shop's API. A guest's cart lives in the guest's session, a customer's in the shop's books;
//! the `on_sign_in` hook carries it over (see [`crate::shop::sessions`]).

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::routing::{get, post};
use axum::{Json, Router};
use passerby_server::{AnonymousSession, Principal, User, UserSession, Visitor};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cart::{Cart, CartView};
use crate::catalogue::{PRODUCTS, Product};
use crate::customers::{MAX_NAME_LENGTH, user_id};
use crate::error::ApiError;
use crate::state::Shop;

/// Shown on the login page.
pub const DEMO_PASSWORD: &str = "windowsill";

/// In the access token's payload: how many plants came along from the guest's cart.
pub const PLANTS_BROUGHT: &str = "plantsBrought";

const CART: &str = "cart";
const NAME: &str = "name";

/// Everything below `/api/` that a shop would have.
pub fn routes() -> Router<Shop> {
    Router::new()
        .route("/api/products", get(products))
        .route("/api/cart", get(cart).post(set_quantity))
        .route("/api/orders", post(order))
        .route("/api/login", post(login))
        .route("/api/account", get(account))
        .route("/api/me", get(me))
}

/// The cart that a guest's session carries.
#[must_use]
pub fn guest_cart(guest: &AnonymousSession) -> Cart {
    Cart::from_payload(guest.payload().get(CART))
}

/// The name the customer signed in with.
#[must_use]
pub fn name_of(user: &UserSession) -> &str {
    user.payload().get(NAME).and_then(Value::as_str).unwrap_or_else(|| user.user_id())
}

async fn products() -> Json<&'static [Product]> {
    Json(PRODUCTS)
}

async fn cart(State(shop): State<Shop>, principal: Option<Principal>) -> Json<CartView> {
    let cart = match principal {
        None => Cart::default(),
        Some(Principal::Anonymous(guest)) => guest_cart(&guest),
        Some(Principal::User(user)) => shop.customers.cart(user.user_id()),
    };
    Json(cart.view())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Quantity {
    product_id: String,
    quantity: u32,
}

/// Takes the quantity wanted, not a difference: after a refresh the SDK sends a request again.
async fn set_quantity(
    State(shop): State<Shop>,
    visitor: Visitor,
    principal: Option<Principal>,
    body: Result<Json<Quantity>, JsonRejection>,
) -> Result<Json<CartView>, ApiError> {
    let Json(Quantity { product_id, quantity }) = body?;
    let cart = match principal {
        None => return Err(ApiError::NoSession),
        Some(Principal::Anonymous(guest)) => {
            let mut cart = guest_cart(&guest);
            cart.set(&product_id, quantity)?;
            visitor
                .anonymous()
                .update_payload(Map::from_iter([(CART.to_owned(), cart.to_payload())]))
                .await?;
            cart
        }
        Some(Principal::User(user)) => shop.customers.change_cart(user.user_id(), |cart| {
            cart.set(&product_id, quantity)?;
            Ok::<_, ApiError>(cart.clone())
        })?,
    };
    Ok(Json(cart.view()))
}

async fn order(State(shop): State<Shop>, user: User) -> Result<Json<Value>, ApiError> {
    let order = shop.customers.order(user.user_id()).ok_or(ApiError::EmptyCart)?;
    Ok(Json(json!({ "number": order.number, "total": order.cart.total })))
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
}

async fn login(
    visitor: Visitor,
    body: Result<Json<Login>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(Login { name, password }) = body?;
    let (name, user_id) = (name.trim(), user_id(&name));
    if user_id.is_empty() || name.chars().count() > MAX_NAME_LENGTH {
        return Err(ApiError::Name);
    }
    if password != DEMO_PASSWORD {
        return Err(ApiError::Password);
    }
    let user =
        visitor.sign_in_with(&user_id, Map::from_iter([(NAME.to_owned(), name.into())])).await?;
    Ok(Json(json!({ "userId": user.user_id(), "name": name })))
}

async fn account(State(shop): State<Shop>, user: User) -> Json<Value> {
    let orders = shop.customers.orders(user.user_id()).len();
    Json(json!({
        "userId": user.user_id(),
        "name": name_of(&user),
        "anonymousId": user.anonymous_id(),
        "orders": orders,
    }))
}

async fn me(principal: Option<Principal>) -> Json<Value> {
    Json(match &principal {
        None => json!({ "kind": "none" }),
        Some(Principal::Anonymous(guest)) => {
            json!({ "kind": "anonymous", "anonymousId": guest.anonymous_id() })
        }
        Some(Principal::User(user)) => {
            json!({ "kind": "user", "anonymousId": user.anonymous_id(), "userId": user.user_id() })
        }
    })
}
