//! The page: its cookies, its storage, and the SDK in it.

use std::time::Duration;

use gloo_net::http::{Request, Response};
use gloo_storage::{LocalStorage, Storage};
use passerby::{Config, SessionError};
use wasm_bindgen::prelude::*;
use web_sys::HtmlDocument;

use super::{
    events::Events,
    later::{Later, later},
    server::{API, Server},
    tokens::{Token, wind},
};

fn document() -> HtmlDocument {
    let document =
        web_sys::window().and_then(|window| window.document()).expect("these tests run in a page");
    document.unchecked_into()
}

/// All cookies that scripts can read.
fn cookies() -> Vec<(String, String)> {
    let text = document().cookie().expect("cookies can be read");
    text.split("; ")
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

pub(crate) fn cookie(name: &str) -> Option<String> {
    cookies().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

pub(crate) fn set_cookie(name: &str, value: &str) {
    document().set_cookie(&format!("{name}={value};path=/")).expect("cookies can be written");
}

/// As a browser that cleans up.
pub(crate) fn delete_cookies() {
    for (name, _) in cookies() {
        document()
            .set_cookie(&format!("{name}=;path=/;max-age=0"))
            .expect("cookies can be written");
    }
}

/// The state of the snapshot, as a word.
pub(crate) fn state() -> String {
    format!("{:?}", passerby::snapshot().state()).to_lowercase()
}

pub(crate) async fn sleep(milliseconds: u64) {
    gloo_timers::future::sleep(Duration::from_millis(milliseconds)).await;
}

/// Waits until it is so, for two seconds at most.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..400 {
        if is_so() {
            return;
        }
        sleep(5).await;
    }
    panic!("not within two seconds: {what}");
}

/// A page in which nothing has happened yet.
pub(crate) struct Page {
    pub(crate) server: Server,
    pub(crate) events: Events,
}

impl Page {
    /// Without the SDK.
    pub(crate) fn fresh() -> Self {
        passerby::dispose();
        wind();
        delete_cookies();
        LocalStorage::clear();
        Self { server: Server::install(), events: Events::listen() }
    }

    /// With the SDK, for a visitor of whom nothing is known.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// With the SDK, configured.
    pub(crate) fn start_with(configure: impl FnOnce(&mut Config)) -> Self {
        let page = Self::fresh();
        page.init_with(configure);
        page
    }

    /// With the SDK, for a visitor who is signed in.
    pub(crate) fn signed_in(token: &Token) -> Self {
        Self::signed_in_with(token, |_| {})
    }

    pub(crate) fn signed_in_with(token: &Token, configure: impl FnOnce(&mut Config)) -> Self {
        let page = Self::fresh();
        set_cookie("st-last-access-token-update", "1");
        set_cookie("sFrontToken", &token.text());
        page.init_with(configure);
        page
    }

    /// With the SDK, for a visitor with an anonymous session.
    pub(crate) fn visited_by(token: &Token) -> Self {
        let page = Self::fresh();
        set_cookie("st-last-access-token-update", "1");
        set_cookie("sAnonymousFrontToken", &token.text());
        page.init();
        page
    }

    /// Starts the SDK.
    pub(crate) fn init(&self) {
        self.init_with(|_| {});
    }

    pub(crate) fn init_with(&self, configure: impl FnOnce(&mut Config)) {
        let mut config = Config::new(API);
        configure(&mut config);
        assert_eq!(passerby::init(config), Ok(true));
    }

    /// As a Rust front end does it.
    pub(crate) async fn try_get(&self, path: &str) -> Result<Response, gloo_net::Error> {
        Request::get(&format!("{API}{path}")).send().await
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.try_get(path).await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Makes a request and does not wait for its end.
    pub(crate) fn get_later(&self, path: &str) -> Later<Response> {
        let url = format!("{API}{path}");
        later(async move {
            Request::get(&url).send().await.unwrap_or_else(|error| panic!("GET {url}: {error}"))
        })
    }

    /// Signs out; what went wrong fails the test.
    pub(crate) async fn sign_out(&self) {
        passerby::sign_out()
            .await
            .unwrap_or_else(|error: SessionError| panic!("sign-out: {error}"));
    }
}
