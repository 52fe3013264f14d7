//! The whole server, put together.

use std::convert::Infallible;
use std::future::ready;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::routing::{any, get};
use axum::{Json, Router, middleware};
use passerby_server::store::StoreError;
use passerby_server::{AntiCsrf, BuildError, MintLimit, Sessions, SqliteStore};
use serde_json::json;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::calls::Calls;
use crate::customers::Customers;
use crate::options::Options;
use crate::site::{self, Shell, SiteError};
use crate::state::Shop;
use crate::{api, dashboard, demo};

const HOUR: Duration = Duration::from_secs(3600);

/// Why the shop does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The front end.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The configuration of the sessions.
    #[error(transparent)]
    Sessions(#[from] BuildError),
}

/// Sessions for a shop at `origin`.
///
/// # Errors
/// When the database cannot be used.
pub async fn sessions(
    origin: &str,
    options: &Options,
    customers: Arc<Customers>,
) -> Result<Sessions, StartError> {
    let builder = match options.mint_limit {
        None => Sessions::builder(),
        Some(sessions) => Sessions::builder()
            .mint_limit(MintLimit::new(sessions, HOUR))
            .client_address_header("x-forwarded-for"),
    };
    let sessions = builder
        .api_domain(origin)
        .store(SqliteStore::open(&options.database).await?)
        .access_token_validity(Duration::from_secs(options.access_token_validity))
        .refresh_grace(Duration::from_secs(options.refresh_grace))
        .anonymous_enabled(options.anonymous_sessions)
        .mint_for_navigations(options.mint_for_navigations)
        .embedded(options.embedded)
        .anti_csrf(if options.anti_csrf_tokens { AntiCsrf::ViaToken } else { AntiCsrf::None })
        // The guest becomes a customer, in whatever way: the plants move into the customer's cart.
        // The access token says how many.
        .on_sign_in(move |guest, user_id| {
            let brought = api::guest_cart(&guest);
            customers.change_cart(&user_id, |cart| cart.merge(&brought));
            let mut carried = demo::carried_choice(guest.payload());
            if !brought.is_empty() {
                carried.insert(api::PLANTS_BROUGHT.to_owned(), brought.view().count.into());
            }
            ready(Ok::<_, Infallible>(carried))
        })
        .on_sign_out(|user| ready(Ok::<_, Infallible>(demo::carried_choice(user.payload()))))
        .after_sign_out_by(demo::after_sign_out)
        .build()
        .await?;
    Ok(sessions)
}

/// All routes: pages and files without sessions, API and dashboard with them, and the counters
/// around everything.
///
/// # Errors
/// When the front end in `web` has not been built.
pub fn router(
    sessions: &Sessions,
    customers: Arc<Customers>,
    web: &Path,
) -> Result<Router, StartError> {
    let shop = Shop { sessions: sessions.clone(), customers, shell: Arc::new(Shell::read(web)?) };
    let calls = Calls::default();
    let with_session = Router::new()
        .merge(api::routes())
        .merge(demo::routes())
        .route("/dashboard", get(dashboard::page))
        // The session layer answers its own endpoints out of these; the rest does not exist.
        .route("/api/{*rest}", any(nothing))
        .route("/auth/{*rest}", any(nothing))
        .layer(sessions.layer())
        .layer(SetResponseHeaderLayer::if_not_present(
            CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .with_state(shop);
    let app = site::with_security_headers(site::routes(web).merge(with_session));
    Ok(app.layer(middleware::from_fn_with_state(calls.clone(), Calls::count)).merge(calls.routes()))
}

async fn nothing() -> (StatusCode, Json<serde_json::Value>) {
    (StatusCode::NOT_FOUND, Json(json!({ "message": "There is nothing here." })))
}
