//! One request again and again, within the process: for tools that count instructions, which a busy
//! machine does not disturb.

use std::error::Error;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header},
};
use tower::ServiceExt as _;

/// The headers of Chromium for a `fetch` of a page of the same website.
const OF_A_SCRIPT: [(&str, &str); 8] = [
    ("host", "localhost:3000"),
    ("accept", "*/*"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "en-GB,en;q=0.9"),
    ("referer", "http://localhost:3000/"),
    ("sec-fetch-dest", "empty"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-site", "same-origin"),
];

/// Asks `path` that often, as somebody who has the cookies of `first`: `POST` where it signs in.
pub(crate) async fn repeat(
    app: Router,
    first: (Method, &str),
    path: &str,
    times: u64,
) -> Result<(), Box<dyn Error>> {
    let mut headers: HeaderMap = OF_A_SCRIPT
        .into_iter()
        .map(|(name, value)| Ok((name.parse()?, HeaderValue::from_static(value))))
        .collect::<Result<_, Box<dyn Error>>>()?;
    let (method, first) = first;
    let response = send(&app, method, first, &headers).await?;
    let cookies: Vec<&str> = response
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        // Browsers send it with refresh calls only.
        .filter(|cookie| !cookie.starts_with("sRefreshToken="))
        .collect();
    if !cookies.is_empty() {
        headers.insert(header::COOKIE, cookies.join("; ").parse()?);
    }
    for _ in 0..times {
        let response = send(&app, Method::GET, path, &headers).await?;
        let (status, renewed) = (response.status(), response.headers().contains_key("set-cookie"));
        let body = to_bytes(response.into_body(), usize::MAX).await?;
        if status != StatusCode::OK || renewed || body.is_empty() {
            return Err(format!("{status} for a visitor who is known").into());
        }
    }
    Ok(())
}

async fn send(
    app: &Router,
    method: Method,
    path: &str,
    headers: &HeaderMap,
) -> Result<Response<Body>, Box<dyn Error>> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse()?;
    *request.headers_mut() = headers.clone();
    Ok(app.clone().oneshot(request).await?)
}
