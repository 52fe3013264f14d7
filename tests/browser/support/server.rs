//! A server that says what the test tells it to, in the place of `window.fetch`.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    rc::Rc,
};

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::{Headers, Request, RequestCredentials, Response, ResponseInit};

use super::{page::until, tokens::Token};

pub(crate) const API: &str = "https://api.passerby.test";
pub(crate) const REFRESH: &str = "/auth/session/refresh";
pub(crate) const SIGN_OUT: &str = "/auth/signout";

#[wasm_bindgen]
extern "C" {
    /// `Request`, made of all that `fetch` takes.
    #[wasm_bindgen(js_name = Request)]
    type AnyRequest;
    #[wasm_bindgen(constructor, catch, js_class = "Request")]
    fn new(input: &JsValue, init: &JsValue) -> Result<AnyRequest, JsValue>;
}

/// Holds answers back until it is opened.
#[derive(Clone)]
pub(crate) struct Gate {
    promise: Promise,
    open: Function,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        let mut open = None;
        let promise = Promise::new(&mut |resolve, _| open = Some(resolve));
        Self { promise, open: open.expect("a promise runs its executor at once") }
    }

    pub(crate) fn open(&self) {
        self.open.call0(&JsValue::UNDEFINED).expect("resolving a promise does not throw");
    }
}

/// An answer of the server.
#[derive(Clone)]
pub(crate) struct Reply {
    /// `None`: the server cannot be reached.
    status: Option<u16>,
    headers: Vec<(&'static str, String)>,
    body: String,
    gate: Option<Gate>,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { status: Some(status), headers: Vec::new(), body: "{}".into(), gate: None }
    }

    pub(crate) fn ok() -> Self {
        Self::status(200)
    }

    pub(crate) fn refused(message: &str) -> Self {
        Self::status(401).body(&format!(r#"{{"message":"{message}"}}"#))
    }

    /// The access token has expired.
    pub(crate) fn try_refresh() -> Self {
        Self::refused("try refresh token")
    }

    /// The session has ended, as a stock server says it.
    pub(crate) fn ended(message: &str) -> Self {
        Self::refused(message).header("front-token", "remove")
    }

    pub(crate) fn unreachable() -> Self {
        Self { status: None, ..Self::ok() }
    }

    pub(crate) fn user(self, token: &Token) -> Self {
        self.header("front-token", &token.text())
    }

    pub(crate) fn anonymous(self, token: &Token) -> Self {
        self.header("st-anonymous-front-token", &token.text())
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, text: &str) -> Self {
        self.body = text.into();
        self
    }

    /// Comes only when the gate is open.
    pub(crate) fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    async fn send(self, request: Request) -> Result<JsValue, JsValue> {
        if let Some(gate) = &self.gate {
            JsFuture::from(Promise::race(&js_sys::Array::of2(&gate.promise, &aborted(&request))))
                .await?;
        }
        let status = self.status.ok_or_else(|| js_sys::TypeError::new("Failed to fetch"))?;
        let headers = Headers::new()?;
        for (name, value) in &self.headers {
            headers.append(name, value)?;
        }
        let init = ResponseInit::new();
        init.set_status(status);
        init.set_headers(&headers);
        Ok(Response::new_with_opt_str_and_init(Some(&self.body), &init)?.into())
    }
}

/// Rejects when the caller aborts, as `fetch` does.
fn aborted(request: &Request) -> Promise {
    let signal = request.signal();
    Promise::new(&mut |_, reject| {
        if signal.aborted() {
            // It throws only in a browser that does not know the function.
            let _ = reject.call1(&JsValue::UNDEFINED, &signal.reason());
        }
        let reason = signal.clone();
        let on_abort = Closure::once_into_js(move || {
            let _ = reject.call1(&JsValue::UNDEFINED, &reason.reason());
        });
        signal.set_onabort(Some(on_abort.unchecked_ref()));
    })
}

/// A request that arrived.
#[derive(Clone)]
pub(crate) struct Seen {
    /// Without [`API`], when it is there that it went.
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) credentials: RequestCredentials,
    pub(crate) body: Rc<RefCell<String>>,
    headers: Headers,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).expect("the name of a header")
    }
}

#[derive(Default)]
struct Inner {
    script: RefCell<HashMap<String, VecDeque<Reply>>>,
    log: RefCell<Vec<Seen>>,
}

/// The scripted server.
#[derive(Clone, Default)]
pub(crate) struct Server(Rc<Inner>);

impl Server {
    /// Takes the place of `window.fetch`.
    pub(crate) fn install() -> Self {
        let server = Self::default();
        let answering = server.clone();
        let fetch = Closure::<dyn Fn(JsValue, JsValue) -> Promise>::new(
            move |input: JsValue, init: JsValue| {
                let server = answering.clone();
                future_to_promise(async move { server.answer(&input, &init).await })
            },
        );
        js_sys::Reflect::set(&js_sys::global(), &"fetch".into(), fetch.as_ref())
            .expect("window.fetch can be replaced");
        // Something that a former test left under way may still call it.
        fetch.forget();
        server
    }

    /// Answers requests to `url` (or to a path of the API) with these, one after the other; the
    /// last one stays.
    pub(crate) fn on<const N: usize>(&self, url: &str, replies: [Reply; N]) {
        self.0.script.borrow_mut().insert(url.into(), replies.into());
    }

    /// The requests that arrived there.
    pub(crate) fn seen(&self, url: &str) -> Vec<Seen> {
        self.0.log.borrow().iter().filter(|seen| seen.url == url).cloned().collect()
    }

    pub(crate) fn count(&self, url: &str) -> usize {
        self.seen(url).len()
    }

    /// Waits until so many requests have arrived there.
    pub(crate) async fn arrived(&self, count: usize, url: &str) {
        until(&format!("{count} requests to {url}"), || self.count(url) >= count).await;
    }

    /// Where all requests went, in order.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.0.log.borrow().iter().map(|seen| seen.url.clone()).collect()
    }

    /// The one request that arrived there.
    pub(crate) fn one(&self, url: &str) -> Seen {
        let [seen] = self
            .seen(url)
            .try_into()
            .unwrap_or_else(|seen: Vec<_>| panic!("{} requests to {url}", seen.len()));
        seen
    }

    async fn answer(&self, input: &JsValue, init: &JsValue) -> Result<JsValue, JsValue> {
        let request: Request = AnyRequest::new(input, init)?.unchecked_into();
        let url = request.url();
        let url = url.strip_prefix(API).unwrap_or(&url).to_string();
        let seen = Seen {
            url: url.clone(),
            method: request.method(),
            credentials: request.credentials(),
            body: Rc::default(),
            headers: request.headers(),
        };
        self.0.log.borrow_mut().push(seen.clone());
        let reply = self.reply(&url);
        let body = JsFuture::from(request.clone()?.text()?).await?;
        *seen.body.borrow_mut() = body.as_string().unwrap_or_default();
        reply.send(request).await
    }

    fn reply(&self, url: &str) -> Reply {
        let mut script = self.0.script.borrow_mut();
        match script.get_mut(url) {
            Some(replies) if replies.len() > 1 => replies.pop_front(),
            Some(replies) => replies.front().cloned(),
            None => None,
        }
        .unwrap_or_else(|| Reply::status(404))
    }
}
