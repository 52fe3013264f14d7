//! A browser as far as cookies go: keeps them by name and path, and sends them where they belong.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use passerby_protocol::front_token::FrontToken;
use serde_json::Value;
use tower::ServiceExt;

/// One visitor of the shop.
pub(crate) struct Visitor {
    shop: Router,
    /// Name to path and value.
    cookies: BTreeMap<String, (String, String)>,
}

/// The response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body, or `null` if it is not JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// A header, empty when absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Answer {
    /// The payload that a front token announces.
    pub(crate) fn front_token(&self, header: &str) -> Value {
        Value::Object(FrontToken::decode(self.header(header)).unwrap().up)
    }
}

impl Visitor {
    pub(crate) fn new(shop: &Router) -> Self {
        Self { shop: shop.clone(), cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: Option<Value>) -> Answer {
        self.send(Method::POST, path, body).await
    }

    /// The value of a cookie this visitor holds.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(|(_, value)| value.as_str())
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header(HOST, "localhost:3000");
        let cookies = self.cookies_for(path);
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies);
        }
        let body = match body {
            None => Body::empty(),
            Some(value) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Body::from(value.to_string())
            }
        };
        let response = self.shop.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(SET_COOKIE) {
            self.keep(cookie.to_str().unwrap());
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    fn cookies_for(&self, path: &str) -> String {
        let sent = self.cookies.iter().filter(|(_, (scope, _))| path.starts_with(scope.as_str()));
        sent.map(|(name, (_, value))| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, header: &str) {
        let mut parts = header.split(';').map(str::trim);
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).unwrap();
        if value.is_empty() {
            self.cookies.remove(name);
        } else {
            let path = parts.find_map(|part| part.strip_prefix("Path=")).unwrap_or("/");
            self.cookies.insert(name.to_owned(), (path.to_owned(), value.to_owned()));
        }
    }
}
