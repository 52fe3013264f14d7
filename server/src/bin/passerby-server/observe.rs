//! The operator's view: log lines and metrics. Neither repeats a path, a query, a token or an id.

use std::time::Instant;

use axum::{extract::Request, middleware::Next, response::Response};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use passerby_server::{counters::COUNTERS, session_core::Operation};
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{Config, LogFormat};

const DURATION: &str = "passerby_request_duration_seconds";
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Log lines go to standard error from here on.
pub(crate) fn start_logging(config: &Config) {
    let levels: Targets = config.log.parse().unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let lines = match config.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(levels)).init();
}

/// Counts from here on.
pub(crate) fn start_counting() -> Result<PrometheusHandle, metrics_exporter_prometheus::BuildError>
{
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(DURATION.into()), &BUCKETS)?
        .install_recorder()?;
    for &(name, meaning) in COUNTERS {
        metrics::describe_counter!(name, meaning);
        // So that it is there, at zero, before anything happened.
        metrics::counter!(name).absolute(0);
    }
    metrics::describe_histogram!(
        DURATION,
        metrics::Unit::Seconds,
        "Time from a request's head to its answer."
    );
    Ok(handle)
}

/// Notes how long each request took and how it ended.
pub(crate) async fn record_request(request: Request, next: Next) -> Response {
    let start = Instant::now();
    // Of the request, because what is too slow or too large is answered before it reaches the core.
    let operation = Operation::of(request.method(), request.uri().path()).name();
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), start.elapsed());
    metrics::histogram!(DURATION, "operation" => operation, "status" => status.to_string())
        .record(took);
    tracing::debug!(operation, status, milliseconds = took.as_secs_f64() * 1000.0, "answered");
    response
}
