//! Events of sessions, counted through the [`metrics`] facade: nothing is kept or sent unless the
//! app installs a recorder.
//!
//! ```
//! use metrics_exporter_prometheus::PrometheusBuilder;
//! # use axum::{Router, body::Body, routing::get};
//! # use http::Request;
//! # use passerby_server::{MemoryStore, Sessions};
//! # use tower::ServiceExt as _;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recorder = PrometheusBuilder::new().install_recorder()?;
//! # let sessions = Sessions::builder()
//! #     .api_domain("http://localhost:3000")
//! #     .store(MemoryStore::new())
//! #     .build()
//! #     .await?;
//! # let app = Router::new().route("/api/me", get(|| async {})).layer(sessions.layer());
//! let first_visit = Request::get("/api/me").body(Body::empty())?;
//! app.oneshot(first_visit).await?;
//! assert!(recorder.render().contains("passerby_anonymous_minted_total 1"));
//! # Ok(())
//! # }
//! ```

use metrics::counter;

/// Name and meaning of every counter.
///
/// ```
/// // With the crate `metrics-exporter-prometheus`: `describe_counter!` for each, so that the
/// // output explains itself.
/// for (name, meaning) in passerby_server::counters::COUNTERS {
///     assert!(name.starts_with("passerby_") && !meaning.is_empty());
/// }
/// ```
pub const COUNTERS: &[(&str, &str)] = &[
    ("passerby_sessions_created_total", "User sessions that were created."),
    ("passerby_sessions_refreshed_total", "Refreshes that were answered with new tokens."),
    (
        "passerby_sessions_stolen_total",
        "Refresh tokens that were used again after their child was used.",
    ),
    ("passerby_sessions_revoked_total", "User sessions that were ended by sign-out or revocation."),
    (
        "passerby_anonymous_minted_total",
        "Anonymous sessions that were made for visitors without any.",
    ),
];

pub(crate) fn session_created() {
    counter!("passerby_sessions_created_total").increment(1);
}

pub(crate) fn session_refreshed() {
    counter!("passerby_sessions_refreshed_total").increment(1);
}

pub(crate) fn theft_detected() {
    counter!("passerby_sessions_stolen_total").increment(1);
}

pub(crate) fn sessions_revoked(sessions: usize) {
    counter!("passerby_sessions_revoked_total")
        .increment(u64::try_from(sessions).unwrap_or(u64::MAX));
}

pub(crate) fn anonymous_minted() {
    counter!("passerby_anonymous_minted_total").increment(1);
}
