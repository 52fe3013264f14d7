//! Counts the requests that reached the server, by method and path. The end-to-end tests ask for
//! it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};

/// Different paths that are counted one by one; the rest are counted together.
const MOST_PATHS: usize = 1000;
const REST: &str = "(other)";
/// The address of the counters. It is not counted itself, and lies outside of the session layer,
/// because a test that asks is not a visitor.
const PATH: &str = "/api/demo/calls";

/// The counters, for example `"GET /api/cart": 2`.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<Mutex<BTreeMap<String, u64>>>);

impl Calls {
    /// `GET /api/demo/calls` and `POST /api/demo/calls/reset`.
    pub fn routes(&self) -> Router {
        async fn read(State(calls): State<Calls>) -> Json<BTreeMap<String, u64>> {
            Json(calls.lock().clone())
        }
        async fn reset(State(calls): State<Calls>) -> StatusCode {
            calls.lock().clear();
            StatusCode::NO_CONTENT
        }
        Router::new()
            .route(PATH, get(read))
            .route(&format!("{PATH}/reset"), post(reset))
            .with_state(self.clone())
    }

    /// The middleware that counts.
    pub async fn count(State(calls): State<Self>, request: Request, next: Next) -> Response {
        calls.add(request.method().as_str(), request.uri().path());
        next.run(request).await
    }

    fn add(&self, method: &str, path: &str) {
        if path.starts_with(PATH) {
            return;
        }
        let mut counters = self.lock();
        let key = format!("{method} {path}");
        let key = if counters.len() < MOST_PATHS || counters.contains_key(&key) {
            key
        } else {
            REST.to_owned()
        };
        *counters.entry(key).or_default() += 1;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_method_and_path_but_not_itself() {
        let calls = Calls::default();
        for (method, path) in [
            ("GET", "/a"),
            ("GET", "/a"),
            ("POST", "/a"),
            ("GET", PATH),
            ("POST", "/api/demo/calls/reset"),
        ] {
            calls.add(method, path);
        }
        assert_eq!(
            calls.lock().iter().map(|(key, n)| (key.as_str(), *n)).collect::<Vec<_>>(),
            [("GET /a", 2), ("POST /a", 1)]
        );
    }

    #[test]
    fn memory_is_bounded() {
        let calls = Calls::default();
        for n in 0..MOST_PATHS * 2 {
            calls.add("GET", &format!("/{n}"));
        }
        assert_eq!(calls.lock().len(), MOST_PATHS + 1);
        assert_eq!(calls.lock()[REST], MOST_PATHS as u64);
    }
}
