//! Pages that are rendered on the server.

use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderValue, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const REFRESH_PAGE: &str = "/refresh-session";
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Sends the browser to `/refresh-session`, which refreshes the session and comes back to the page
/// at `uri`; for a page whose [`User`](crate::User) was [refused](crate::SessionRejection). Only
/// path and query of `uri` are used, so it never leads to another site. In a nested router pass
/// `OriginalUri`.
///
/// ```
/// let response = passerby_server::redirect_to_refresh(&"/orders?tab=open".parse()?);
/// assert_eq!(response.status(), 303);
/// assert_eq!(
///     response.headers()["location"],
///     "/refresh-session?redirectBack=%2Forders%3Ftab%3Dopen"
/// );
/// # Ok::<_, http::uri::InvalidUri>(())
/// ```
#[must_use]
pub fn redirect_to_refresh(uri: &Uri) -> Response {
    // `//host/path` would be another site.
    let path = uri.path().trim_start_matches(['/', '\\']);
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let back = format!("/{path}{query}");
    let target = format!("{REFRESH_PAGE}?redirectBack={}", utf8_percent_encode(&back, COMPONENT));
    let mut response = Redirect::to(&target).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(uri: &str) -> String {
        let response = redirect_to_refresh(&uri.parse().unwrap());
        assert_eq!(response.status(), 303);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        response.headers()[header::LOCATION].to_str().unwrap().to_owned()
    }

    #[test]
    fn comes_back_to_path_and_query() {
        assert_eq!(location("/dashboard"), "/refresh-session?redirectBack=%2Fdashboard");
        assert_eq!(
            location("/a?b=c&d=%20"),
            "/refresh-session?redirectBack=%2Fa%3Fb%3Dc%26d%3D%2520"
        );
        assert_eq!(location("/"), "/refresh-session?redirectBack=%2F");
    }

    #[test]
    fn never_leads_elsewhere() {
        assert_eq!(location("https://evil.example/x"), "/refresh-session?redirectBack=%2Fx");
        assert_eq!(
            location("http://h//evil.example/x"),
            "/refresh-session?redirectBack=%2Fevil.example%2Fx"
        );
        assert_eq!(
            location("//evil.example/x"),
            "/refresh-session?redirectBack=%2Fevil.example%2Fx"
        );
    }
}
