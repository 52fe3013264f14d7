//! Everything the SDK asks of the browser. Nothing else in the crate touches it.
//!
//! The functions stand in `host.js`: the browser has URL, JSON, base64 and cookie code that would cost kilobytes here. None of them throws:
//! what can fail gives a promise that rejects.

mod task;
mod text;

use passerby_protocol::{
    names::REMOVE,
    response::{Announced, Last},
    state::{Slot, Token, Values},
};
use wasm_bindgen::prelude::*;

#[cfg(not(feature = "npm"))]
pub(crate) use task::ready;
pub(crate) use task::{kept, resume, settled, spawn};
pub(crate) use text::{Text, concat};

#[wasm_bindgen(module = "/src/browser/xhr.js")]
extern "C" {
    /// After [`patch_fetch`], which says what is ours. A response of this status is shown to the caller only when it is final.
    #[wasm_bindgen(js_name = patchXhr)]
    pub(crate) fn patch_xhr(expired_status: u16);
    #[wasm_bindgen(js_name = restoreXhr)]
    pub(crate) fn restore_xhr();
}

// Not from js-sys and web-sys, whose exports the npm build would have to carry.
#[wasm_bindgen]
extern "C" {
    #[derive(Clone)]
    pub type Promise;
    #[wasm_bindgen(static_method_of = Promise)]
    pub(crate) fn reject(reason: &JsValue) -> Promise;

    pub(crate) type Response;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn ok(this: &Response) -> bool;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn status(this: &Response) -> u16;
}

#[wasm_bindgen(module = "/src/browser/handlers.js")]
extern "C" {
    /// The server's time, in epoch milliseconds.
    #[wasm_bindgen(js_name = serverNow)]
    pub(crate) fn server_now() -> f64;
    /// Sets the clock by a token that came with the response.
    #[wasm_bindgen(js_name = setClock)]
    pub(crate) fn set_clock(response: &Response, token: &FrontToken);
}

#[wasm_bindgen(module = "/src/browser/host.js")]
extern "C" {
    /// A parsed front token.
    #[derive(Clone)]
    pub(crate) type FrontToken;
    /// The text it was parsed from.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn raw(this: &FrontToken) -> JsValue;

    /// A URL taken apart.
    pub type Url;

    /// A request, ready to be sent any number of times.
    #[derive(Clone)]
    pub type Call;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn headers(this: &Call) -> Headers;

    /// Headers of a request that is about to be sent.
    pub(crate) type Headers;

    pub(crate) fn configure(options: &JsValue, domain: &JsValue, is_in_iframe: bool);
    /// `undefined` when there is none.
    #[wasm_bindgen(js_name = getCookie)]
    pub(crate) fn get_cookie(name: &str) -> JsValue;
    #[wasm_bindgen(js_name = setCookie)]
    pub(crate) fn set_cookie(name: &str, value: &JsValue);
    #[wasm_bindgen(js_name = storedToken)]
    fn stored_token_js(name: &str) -> JsValue;
    /// The token of an app's endpoint, seen as a front token; `false` when it cannot be read.
    pub(crate) fn decode(raw: &JsValue) -> JsValue;
    /// The latest that was read from a cookie of that name, even if it is gone since; without properties when there was none.
    #[wasm_bindgen(js_name = lastToken)]
    fn last_token_js(name: &str) -> FrontToken;
    #[wasm_bindgen(js_name = announcedToken)]
    fn announced_token_js(response: &Response, name: &str, remove: &str) -> JsValue;
    #[wasm_bindgen(js_name = samePayload)]
    fn same_payload(a: &FrontToken, b: &FrontToken) -> bool;

    #[cfg(not(feature = "npm"))]
    #[wasm_bindgen(js_name = connect)]
    fn connect_js(
        resume: &Closure<dyn Fn(i32, bool, JsValue)>,
        is_ours: &Closure<dyn Fn(Url) -> bool>,
        intercept: &Closure<dyn Fn(Call) -> Promise>,
    );
    #[wasm_bindgen(js_name = patchFetch)]
    pub(crate) fn patch_fetch(except: &str, refresh_url: &JsValue);
    #[wasm_bindgen(js_name = restoreFetch)]
    pub(crate) fn restore_fetch();
    /// Sets a header, unless it is there, to `prefix` and the key that names a visitor until the first session is stored. Nothing where
    /// the browser keeps nothing.
    #[wasm_bindgen(js_name = setFirstKey)]
    pub(crate) fn set_first_key(headers: &Headers, name: &str, prefix: &str);
    #[wasm_bindgen(js_name = forgetFirstKey)]
    pub(crate) fn forget_first_key();
    #[wasm_bindgen(js_name = makePost)]
    pub(crate) fn make_post(url: &JsValue) -> Call;
    /// Whether the body is a stream that was read once and cannot be again; says so in the console.
    #[wasm_bindgen(js_name = isSpent)]
    pub(crate) fn is_spent(call: &Call) -> bool;
    /// The call as the app's hook wants it; rejects as the hook does.
    pub(crate) fn hooked(call: &Call, action: &str) -> JsValue;
    /// Shows a good answer to the app's hook. Never rejects.
    pub(crate) fn answered(call: &Call, response: &Response) -> JsValue;
    /// Tells the app of claims that the response names. Never rejects.
    #[wasm_bindgen(js_name = checkClaims)]
    pub(crate) fn check_claims(response: &Response) -> JsValue;
    #[wasm_bindgen(js_name = copyHeaders)]
    pub(crate) fn copy_headers(call: &Call) -> Headers;
    #[wasm_bindgen(js_name = setHeader)]
    pub(crate) fn set_header(headers: &Headers, name: &str, value: &JsValue, replace: bool);
    /// Deletes a header if it has this value.
    #[wasm_bindgen(js_name = dropHeader)]
    pub(crate) fn drop_header(headers: &Headers, name: &str, value: &JsValue);
    /// Without a limit when `timeout` (milliseconds) is 0.
    pub(crate) fn send(call: &Call, headers: &Headers, add_credentials: bool, timeout: f64) -> JsValue;
    /// `undefined` when there is none.
    #[wasm_bindgen(js_name = getHeader)]
    pub(crate) fn get_header(response: &Response, name: &str) -> JsValue;
    pub(crate) fn message(response: &Response) -> JsValue;
    #[wasm_bindgen(js_name = checkSignOut)]
    pub(crate) fn check_sign_out(response: &Response) -> JsValue;
    /// A copy if `reason` is a `Response`, with `answer` as its `cause`; `answer` if it is `undefined`; otherwise a promise that rejects with it.
    #[wasm_bindgen(js_name = responseOrReject)]
    pub(crate) fn response_or_reject(reason: &JsValue, answer: &Response) -> JsValue;
    /// Waits for a lock over all tabs, up to `timeout` milliseconds.
    pub(crate) fn lock(name: &str, timeout: f64) -> JsValue;
    /// Waits for a new visitor's turn, which one of each tab waits for, up to `timeout` milliseconds.
    pub(crate) fn turn(timeout: f64) -> JsValue;
    fn unlock(release: &JsValue);

    /// By this device's clock, in epoch milliseconds.
    pub(crate) fn now() -> f64;
    pub(crate) fn subscribe(listener: &JsValue) -> JsValue;
    pub(crate) fn listen();
    pub(crate) fn silence();
    pub(crate) fn changed();
    /// `expired_or_revoked` is a boolean or `undefined`.
    pub(crate) fn emit(action: &str, expired_or_revoked: &JsValue);
    #[wasm_bindgen(js_name = takeSnapshot)]
    pub(crate) fn take_snapshot(state: &str, token: Option<&FrontToken>) -> JsValue;
    #[wasm_bindgen(js_name = makeError)]
    pub(crate) fn make_error(code: &str, text: &str) -> JsValue;
    #[wasm_bindgen(js_name = tooManyRetries)]
    pub(crate) fn too_many_retries(call: &Call, attempts: i32) -> JsValue;

    /// A property, for what is read too seldom to deserve a binding of its own.
    pub(crate) fn get(object: &JsValue, key: &str) -> JsValue;
    /// A [`Url`] resolved against the document, or `undefined`.
    #[wasm_bindgen(js_name = parseUrl)]
    pub(crate) fn parse_url(text: &Text) -> JsValue;
    #[cfg(not(feature = "npm"))]
    #[wasm_bindgen(js_name = hasWindow)]
    pub(crate) fn has_window() -> bool;
}

#[cfg(not(feature = "npm"))]
#[wasm_bindgen(module = "/src/browser/page.js")]
extern "C" {
    /// Follows what `may_follow` allows, once `attempt` has settled; rejects as that does.
    #[wasm_bindgen(js_name = refreshSessionPage)]
    pub(crate) fn refresh_session_page(
        attempt: &Promise,
        may_follow: &JsValue,
        login_path: &str,
        allowed_origins: &JsValue,
    ) -> Promise;
}

/// The host module imports these when it needs them; this puts them beside that one.
#[cfg(not(feature = "npm"))]
#[wasm_bindgen(module = "/src/browser/locks.js")]
extern "C" {
    fn request();
}
#[cfg(not(feature = "npm"))]
#[wasm_bindgen(module = "/src/browser/rare.js")]
extern "C" {
    fn make();
}

#[wasm_bindgen(module = "/src/browser/endpoint.js")]
extern "C" {
    /// Rejects when there is none.
    #[wasm_bindgen(js_name = tokenOf)]
    pub(crate) fn token_of(response: &JsValue) -> JsValue;
    /// Resolves to `undefined` when the keys cannot be had.
    #[wasm_bindgen(js_name = isSignedBy)]
    pub(crate) fn is_signed_by(jwt: &JsValue, key_set_url: &JsValue) -> JsValue;
}

#[cfg(feature = "api")]
impl From<Promise> for js_sys::Promise {
    fn from(promise: Promise) -> Self {
        promise.unchecked_into()
    }
}

/// Gives the host module what it calls, for as long as the page lives. In the npm build those are exports, which need no code that makes
/// closures.
#[cfg(not(feature = "npm"))]
fn connect() {
    let resume = Closure::<dyn Fn(i32, bool, JsValue)>::new(resume);
    let is_ours = Closure::<dyn Fn(Url) -> bool>::new(|url| crate::page::is_ours(&url));
    let intercept = Closure::<dyn Fn(Call) -> Promise>::new(crate::page::intercept);
    connect_js(&resume, &is_ours, &intercept);
    resume.forget();
    is_ours.forget();
    intercept.forget();
}

/// How the browser holds what the rules compare.
pub(crate) struct Browser;

impl Values for Browser {
    type Text = JsValue;
    type Payload = Payload;

    fn anonymous_id(token: &Token<Self>) -> Option<JsValue> {
        Some(get(&token.payload.0, "anonymousId")).filter(|id| !id.is_undefined())
    }
}

/// A front token seen as its payload, compared by value.
#[derive(Clone)]
pub(crate) struct Payload(pub(crate) FrontToken);

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        same_payload(&self.0, &other.0)
    }
}

/// What the rules need of a front token of the host.
pub(crate) fn token(value: JsValue) -> Token<Browser> {
    let front: FrontToken = value.unchecked_into();
    let number = |key| get(&front, key).unchecked_into_f64();
    Token { id: get(&front, "id"), issued_at: number("iat"), expires_at: number("ate"), payload: Payload(front) }
}

/// The front token in the cookie of that name.
pub(crate) fn stored_token(name: &str) -> Slot<Token<Browser>> {
    let value = stored_token_js(name);
    if value.is_undefined() {
        Slot::Empty
    } else if value.is_falsy() {
        Slot::Unreadable
    } else {
        Slot::Token(token(value))
    }
}

/// The latest front token that this page read from the cookie of that name, even if it is gone since.
pub(crate) fn last_token(name: &str) -> Last<JsValue> {
    let front = last_token_js(name);
    Last { id: get(&front, "id"), issued_at: get(&front, "iat").unchecked_into_f64() }
}

/// What the response says in the header of that name.
pub(crate) fn announced_token(response: &Response, name: &str) -> Announced<Token<Browser>> {
    let value = announced_token_js(response, name, REMOVE);
    if value.is_undefined() {
        Announced::Nothing
    } else if value.is_falsy() {
        Announced::Removed
    } else {
        Announced::Token(token(value))
    }
}

/// A lock over all tabs of this origin, released when dropped. It may not have been had in time: locks only save calls, and the rules hold
/// without.
pub(crate) struct Lock(JsValue);

impl Lock {
    /// What [`lock`] came to.
    pub(crate) fn new(release: Result<JsValue, JsValue>) -> Self {
        Self(release.unwrap_or_default())
    }

    /// What [`turn`] came to: nothing for the others of its tab, once it is over.
    pub(crate) fn of_turn(release: Result<JsValue, JsValue>) -> Option<Self> {
        (release != Ok(JsValue::FALSE)).then(|| Self::new(release))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        unlock(&self.0);
    }
}

#[cfg(test)]
#[cfg(target_arch = "wasm32")]
mod tests;
