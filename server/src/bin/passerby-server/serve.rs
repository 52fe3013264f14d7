//! Listening, answering, and ending well.

use std::{
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use metrics_exporter_prometheus::PrometheusHandle;
use passerby_server::session_core::SessionCore;
use tokio::{net::TcpListener, time};
use tower_http::timeout::TimeoutLayer;

use crate::{config::Config, observe, stop::StopSignal};

/// How long the database may take to say that it is there.
const READINESS: Duration = Duration::from_secs(2);
/// After a failure to accept, such as too many open files.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
const METRICS_UPKEEP_PERIOD: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Operator {
    core: SessionCore,
    metrics: PrometheusHandle,
    ending: Arc<AtomicBool>,
}

/// Serves until told to stop, then finishes what is under way, within `shutdown_timeout`.
pub(crate) async fn serve(
    config: &Config,
    core: SessionCore,
    metrics: PrometheusHandle,
) -> io::Result<()> {
    let stop = StopSignal::listen()?;
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!(
                "cannot listen on {}: {error}; choose another address with `listen`",
                config.listen
            ),
        )
    })?;
    let ending = Arc::new(AtomicBool::new(false));
    let operator = Operator { core: core.clone(), metrics, ending: ending.clone() };
    let upkeep = tokio::spawn(upkeep(operator.metrics.clone()));
    let prune = operator.core.prune_every(config.prune_interval());
    let router = router(config, operator);
    // The first line on stdout; tests read the address from it.
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    tracing::info!(address = %listener.local_addr()?, "listening");

    let graceful = accept(&listener, router, config, stop).await;
    ending.store(true, Ordering::Release);
    drop(listener);
    tracing::info!("told to stop; finishing what is under way");
    if time::timeout(config.shutdown_timeout(), graceful.shutdown()).await.is_err() {
        tracing::warn!("`shutdown_timeout` is over; connections that are still busy are closed");
    }
    upkeep.abort();
    prune.abort();
    Ok(())
}

fn router(config: &Config, operator: Operator) -> Router {
    let core = operator
        .core
        .router()
        .layer(DefaultBodyLimit::max(config.max_body_bytes))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            config.request_timeout(),
        ))
        .layer(middleware::from_fn(observe::record_request));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(operator)
        .fallback_service(core)
}

async fn ready(State(operator): State<Operator>) -> impl IntoResponse {
    if operator.ending.load(Ordering::Acquire) {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match time::timeout(READINESS, operator.core.ready()).await {
        Ok(Ok(())) => (StatusCode::OK, "ready\n"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer, or cannot be written\n",
            )
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer in time\n"),
    }
}

/// Without a key nobody may count sign-ins and thefts.
async fn metrics(State(operator): State<Operator>, headers: HeaderMap) -> Response {
    if !operator.core.admits_operator(headers.get("api-key").map(|key| key.as_bytes())) {
        return (StatusCode::UNAUTHORIZED, "Invalid API key").into_response();
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], operator.metrics.render())
        .into_response()
}

async fn accept(
    listener: &TcpListener,
    router: Router,
    config: &Config,
    stop: StopSignal,
) -> GracefulShutdown {
    let mut http = auto::Builder::new(TokioExecutor::new()).http1_only();
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout())
        .max_buf_size(config.max_header_bytes);
    let graceful = GracefulShutdown::new();
    let mut stopped = std::pin::pin!(stop.received());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopped => return graceful,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        // Answers are small; waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let connection = http
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()))
            .into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
}

async fn upkeep(metrics: PrometheusHandle) {
    let mut ticks = time::interval(METRICS_UPKEEP_PERIOD);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}
