//! Everything the SDK asks of the browser. Nothing else in the crate touches it.
//!
//! The functions stand in JavaScript modules beside this file: the browser has URL, JSON, base64 and cookie code that would cost kilobytes
//! here. What belongs to a task (its call, its response, its caller) stays there, and only numbers cross. None of them throws.

mod text;

use passerby_protocol::state::Values;
use wasm_bindgen::prelude::*;

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
}

/// What the machine wants done, by task. Numbers for names count from 0 in the order of the enumerations in
/// `protocol/src/machine/action.rs`.
#[wasm_bindgen(module = "/src/browser/tasks.js")]
extern "C" {
    /// Starts an operation, by its number.
    pub(crate) fn start(operation: i32) -> Promise;

    /// Looks at what is stored, and at the clocks.
    pub(crate) fn look();
    /// What was seen there, or of an answer.
    pub(crate) fn seen(index: u32) -> f64;
    /// Whether two front tokens have the same payload.
    #[wasm_bindgen(js_name = isSamePayload)]
    fn is_same_payload(a: u32, b: u32) -> bool;

    #[wasm_bindgen(js_name = prepareCall)]
    pub(crate) fn prepare_call(task: i32, call: i32, anti_csrf: bool, bearer: i32, wish: i32);
    #[wasm_bindgen(js_name = sendCall)]
    pub(crate) fn send_call(task: i32, call: i32, anti_csrf: bool, bearer: i32, wish: i32, key_in_accept: bool, timeout: f64);
    pub(crate) fn abort(task: i32);
    #[wasm_bindgen(js_name = lockFor)]
    pub(crate) fn lock_for(task: i32, name: i32, timeout: f64);
    #[wasm_bindgen(js_name = unlockFor)]
    pub(crate) fn unlock_for(task: i32, name: i32);
    #[wasm_bindgen(js_name = startTimer)]
    pub(crate) fn start_timer(task: i32, after: f64);
    #[wasm_bindgen(js_name = stopTimer)]
    pub(crate) fn stop_timer(task: i32);
    #[wasm_bindgen(js_name = readMessage)]
    pub(crate) fn read_message(task: i32);
    #[wasm_bindgen(js_name = readClaims)]
    pub(crate) fn read_claims(task: i32);
    #[wasm_bindgen(js_name = showAnswer)]
    pub(crate) fn show_answer(task: i32);
    #[wasm_bindgen(js_name = readSignOut)]
    pub(crate) fn read_sign_out(task: i32);
    #[expect(clippy::too_many_arguments, reason = "numbers cross for nothing, an object would not")]
    pub(crate) fn store(
        task: i32,
        user: i32,
        anonymous: i32,
        drop_unreadable: bool,
        keeps_user_tokens: bool,
        tells_time: bool,
        forgets_key: bool,
        mark: f64,
    );
    pub(crate) fn verify(task: i32, answered: bool);
    /// `expired_or_revoked` is a boolean or `undefined`.
    pub(crate) fn fire(task: i32, action: &str, expired_or_revoked: &JsValue);
    pub(crate) fn free(task: i32);

    pub(crate) fn finish(task: i32, ok: bool, value: &JsValue);
    #[wasm_bindgen(js_name = finishWithAnswer)]
    pub(crate) fn finish_with_answer(task: i32, ok: bool, is_spent: bool);
    /// With what came of another task, as an error or in place of the API's answer.
    #[wasm_bindgen(js_name = finishWithReason)]
    pub(crate) fn finish_with_reason(task: i32, other: i32, is_error: bool);
    #[wasm_bindgen(js_name = finishWithTooMany)]
    pub(crate) fn finish_with_too_many(task: i32, attempts: i32);
    #[wasm_bindgen(js_name = finishWithProperty)]
    pub(crate) fn finish_with_property(task: i32, token: i32, property: i32);
    #[wasm_bindgen(js_name = finishWithToken)]
    pub(crate) fn finish_with_token(task: i32, which: i32);
    #[wasm_bindgen(js_name = takeSnapshot)]
    pub(crate) fn take_snapshot(state: &str, token: i32) -> JsValue;

    #[cfg(not(feature = "npm"))]
    #[wasm_bindgen(js_name = connectTasks)]
    fn connect_tasks(begin: &Closure<dyn Fn(i32, i32, bool)>, input: &Closure<dyn Fn(i32, i32, i32)>);
}

#[wasm_bindgen(module = "/src/browser/host.js")]
extern "C" {
    /// A URL taken apart.
    pub type Url;

    #[expect(clippy::too_many_arguments, reason = "as an object they would need their names here, too")]
    pub(crate) fn configure(
        options: &JsValue,
        domain: &JsValue,
        is_in_iframe: bool,
        base: &Text,
        in_headers: bool,
        add_credentials: bool,
        endpoint: &JsValue,
        key_set: &JsValue,
    );
    #[cfg(not(feature = "npm"))]
    #[wasm_bindgen(js_name = connect)]
    fn connect_js(is_ours: &Closure<dyn Fn(Url) -> bool>);
    #[wasm_bindgen(js_name = patchFetch)]
    pub(crate) fn patch_fetch(except: &str);
    #[wasm_bindgen(js_name = restoreFetch)]
    pub(crate) fn restore_fetch();
    #[wasm_bindgen(js_name = forgetFirstKey)]
    pub(crate) fn forget_first_key();
    pub(crate) fn subscribe(listener: &JsValue) -> JsValue;
    pub(crate) fn listen();
    pub(crate) fn silence();
    pub(crate) fn changed();
    #[wasm_bindgen(js_name = makeError)]
    pub(crate) fn make_error(code: &str, text: &str) -> JsValue;

    /// A property, for what is read too seldom to deserve a binding of its own.
    pub(crate) fn get(object: &JsValue, key: &str) -> JsValue;
    /// A [`Url`] resolved against the document, or `undefined`.
    #[wasm_bindgen(js_name = parseUrl)]
    pub(crate) fn parse_url(text: &Text) -> JsValue;
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

/// Modules that others import when they need them; this puts them beside those.
#[cfg(not(feature = "npm"))]
mod beside {
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen(module = "/src/browser/locks.js")]
    extern "C" {
        fn request();
    }
    #[wasm_bindgen(module = "/src/browser/endpoint.js")]
    extern "C" {
        #[wasm_bindgen(js_name = tokenOf)]
        fn token_of();
    }
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
pub(crate) fn connect() {
    use core::cell::Cell;
    crate::single_thread::page_local! {
        static IS_CONNECTED: Cell<bool> = Cell::new(false);
    }
    if IS_CONNECTED.replace(true) {
        return;
    }
    let is_ours = Closure::<dyn Fn(Url) -> bool>::new(|url| crate::page::is_ours(&url));
    let begin = Closure::<dyn Fn(i32, i32, bool)>::new(crate::app::begin);
    let input = Closure::<dyn Fn(i32, i32, i32)>::new(crate::app::input);
    connect_js(&is_ours);
    connect_tasks(&begin, &input);
    is_ours.forget();
    begin.forget();
    input.forget();
}

/// How the browser holds what the rules compare: numbers that the host module gave.
pub(crate) struct Browser;

impl Values for Browser {
    type Text = u32;
    type Payload = Payload;
}

/// A front token of the host module, by its number.
#[derive(Clone, Copy)]
pub(crate) struct FrontToken(pub(crate) u32);

/// A front token seen as its payload, compared by value.
#[derive(Clone, Copy)]
pub(crate) struct Payload(pub(crate) FrontToken);

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        is_same_payload(self.0.0, other.0.0)
    }
}

#[cfg(test)]
#[cfg(target_arch = "wasm32")]
mod tests;
