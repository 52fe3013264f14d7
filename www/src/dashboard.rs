//! The customer's page, rendered on the server.

use askama::Template;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use passerby_server::{SessionRejection, User, redirect_to_refresh};

use crate::api::name_of;
use crate::cart::CartView;
use crate::customers::Order;
use crate::state::Shop;

#[derive(Template)]
#[template(path = "dashboard.html")]
struct Dashboard<'a> {
    name: &'a str,
    user_id: &'a str,
    anonymous_id: &'a str,
    session_handle: &'a str,
    cart: CartView,
    orders: Vec<Order>,
}

/// `GET /dashboard`. Only verifies. A visitor who has to refresh or to sign in first is sent to
/// `/refresh-session`.
pub async fn page(
    State(shop): State<Shop>,
    user: Result<User, SessionRejection>,
    OriginalUri(uri): OriginalUri,
) -> Response {
    let user = match user {
        Ok(user) => user,
        Err(SessionRejection::Unauthorised | SessionRejection::TryRefresh) => {
            return redirect_to_refresh(&uri);
        }
        Err(other) => return other.into_response(),
    };
    let dashboard = Dashboard {
        name: name_of(&user),
        user_id: user.user_id(),
        anonymous_id: user.anonymous_id(),
        session_handle: user.handle(),
        cart: shop.customers.cart(user.user_id()).view(),
        orders: shop.customers.orders(user.user_id()),
    };
    match dashboard.render() {
        Ok(main) => Html(shop.shell.around(&main)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the dashboard could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
