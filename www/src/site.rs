//! The pages and files of the front end, and the headers that every answer carries.

use std::io;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{Redirect, Response};
use axum::routing::get;
use tower_http::services::{ServeDir, ServeFile};
use tower_http::set_header::SetResponseHeaderLayer;

/// Only what the shop serves itself; `wasm-unsafe-eval` is what compiling WebAssembly is called
/// here.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; object-src 'none'; \
    base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

/// Files whose names change with their content.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Everything else is asked for again; the answer is usually 304.
const ASK_AGAIN: &str = "no-cache";

/// Where the rendered page goes in the shell `dashboard.html`.
const SLOT: &str = "<!-- ssr -->";

/// The front end is not as it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// Not built, or not where it was looked for.
    #[error(
        "cannot read {path}: {source}. Build the front end with `cargo xtask build`, or name it \
         with --web"
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The dashboard's shell has no place for the page.
    #[error("{0} has no {SLOT}")]
    NoSlot(PathBuf),
}

/// The frame of a page that the server renders: head, header and session panel as Vite built them.
#[derive(Debug, Clone)]
pub struct Shell {
    before: String,
    after: String,
}

impl Shell {
    /// Reads it out of the built front end.
    ///
    /// # Errors
    /// When the front end is not built, or the file has no slot.
    pub fn read(web: &Path) -> Result<Self, SiteError> {
        let path = web.join("dashboard.html");
        let html = std::fs::read_to_string(&path)
            .map_err(|source| SiteError::Missing { path: path.clone(), source })?;
        let (before, after) = html.split_once(SLOT).ok_or(SiteError::NoSlot(path))?;
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }

    /// The whole page around `main`.
    #[must_use]
    pub fn around(&self, main: &str) -> String {
        [&self.before, main, &self.after].concat()
    }
}

/// Pages and files.
pub fn routes(web: &Path) -> Router {
    let assets = Router::new()
        .nest_service("/assets", ServeDir::new(web.join("assets")))
        .layer(cache(FOREVER));
    let files = Router::new()
        .route_service("/login", ServeFile::new(web.join("login.html")))
        .route_service("/refresh-session", ServeFile::new(web.join("refresh-session.html")))
        .route("/dashboard.html", get(|| async { Redirect::permanent("/dashboard") }))
        .fallback_service(
            ServeDir::new(web)
                .fallback(get(|| async { (StatusCode::NOT_FOUND, "There is nothing here.") })),
        )
        .layer(cache(ASK_AGAIN));
    files.merge(assets)
}

/// Adds the security headers to everything `router` answers.
pub fn with_security_headers(router: Router) -> Router {
    let header = |name: HeaderName, value| {
        SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
    };
    router
        .layer(header(CONTENT_SECURITY_POLICY, POLICY))
        .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(REFERRER_POLICY, "same-origin"))
}

/// For files that are there, changed or not. A file that is missing may appear.
fn cache(
    value: &'static str,
) -> SetResponseHeaderLayer<impl Fn(&Response) -> Option<HeaderValue> + Clone> {
    SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, move |response: &Response| {
        let is_error = response.status().is_client_error() || response.status().is_server_error();
        Some(HeaderValue::from_static(if is_error { ASK_AGAIN } else { value }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_goes_into_the_slot() {
        let web = tempfile::tempdir().unwrap();
        let path = web.path().join("dashboard.html");
        assert!(matches!(Shell::read(web.path()), Err(SiteError::Missing { .. })));
        std::fs::write(&path, "<main></main>").unwrap();
        assert!(matches!(Shell::read(web.path()), Err(SiteError::NoSlot(_))));
        std::fs::write(&path, format!("<main>{SLOT}</main>")).unwrap();
        assert_eq!(
            Shell::read(web.path()).unwrap().around("<h1>Hi</h1>"),
            "<main><h1>Hi</h1></main>"
        );
    }
}
