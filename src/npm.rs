//! What the entry modules of the npm package call. Promises in place of futures, JavaScript values in place of types.
#![expect(unreachable_pub, reason = "what is exported to JavaScript must be public")]

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
};

use passerby_protocol::{machine::Operation, request::AnonymousMode, scope};
use wasm_bindgen::prelude::*;

use crate::{
    app,
    browser::{self, Promise, Text, Url},
    config::{Config, TransferMethod},
    error::Fault,
    page,
    single_thread::page_local,
};

/// Memory that is never given back: what is allocated is kept for the life of the page, or grows by doubling, so that a general
/// allocator would be larger than what it could save.
struct Heap;

#[expect(unsafe_code, reason = "allocators are unsafe by their trait")]
// SAFETY: no place is given out twice.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        const PAGE: usize = 65_536;
        let start = NEXT.get().next_multiple_of(layout.align());
        let end = start + layout.size();
        let has = core::arch::wasm32::memory_size::<0>() * PAGE;
        if NEXT.get() == 0 || end > has {
            let grown = core::arch::wasm32::memory_grow::<0>(layout.size() / PAGE + 1);
            if grown == usize::MAX {
                core::arch::wasm32::unreachable();
            }
            NEXT.set(grown * PAGE + layout.size());
            return (grown * PAGE) as *mut u8;
        }
        NEXT.set(end);
        start as *mut u8
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

page_local! {
    /// Where free memory begins; 0 before the first page.
    static NEXT: Cell<usize> = Cell::new(0);
}

#[global_allocator]
static HEAP: Heap = Heap;

/// Nothing here panics on purpose. Were it to happen, the browser reports the trap with its place.
#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Starts the SDK with what `pkg/src/config.ts` made of the app's options, of which `options` are those for the host module. What is no text
/// is not given. Returns the error that says what is wrong with them, or `undefined`: a `Result` would cost every visitor its glue.
#[wasm_bindgen]
#[expect(clippy::too_many_arguments, reason = "as an object it would need its names here, too")]
pub fn init(
    options: &JsValue,
    api_domain: JsValue,
    api_base_path: JsValue,
    frontend_domain: JsValue,
    backend_domain: JsValue,
    expired_status: f64,
    invalid_claim_status: f64,
    retry_limit: f64,
    add_credentials: bool,
    in_headers: bool,
    is_in_iframe: bool,
    anonymous_is_given: bool,
    anonymous_is_wanted: bool,
    endpoint: JsValue,
    key_set: JsValue,
) -> JsValue {
    let text = |value: JsValue| value.is_string().then(|| value.unchecked_into::<Text>());
    let is_count = |number: f64| number >= 0.0; // and no NaN
    let start = || {
        if !is_count(expired_status) || !is_count(invalid_claim_status) {
            return Err(Fault::BadStatusCodes);
        }
        if !is_count(retry_limit) {
            return Err(Fault::BadRetryLimit);
        }
        let config = Config {
            api_domain: text(api_domain).ok_or(Fault::BadApiDomain)?,
            api_base_path: text(api_base_path).ok_or(Fault::BadApiBasePath)?,
            session_token_frontend_domain: text(frontend_domain),
            session_token_backend_domain: text(backend_domain),
            session_expired_status_code: expired_status as u16,
            invalid_claim_status_code: invalid_claim_status as u16,
            max_retry_attempts_for_session_refresh: retry_limit as u32,
            auto_add_credentials: add_credentials,
            token_transfer_method: if in_headers { TransferMethod::Header } else { TransferMethod::Cookie },
            is_in_iframe,
            anonymous: match (anonymous_is_given, anonymous_is_wanted) {
                (false, _) => AnonymousMode::Unspecified,
                (true, false) => AnonymousMode::Off,
                (true, true) if endpoint.is_undefined() => AnonymousMode::On,
                (true, true) => AnonymousMode::Endpoint,
            },
            anonymous_endpoint: text(endpoint),
            anonymous_jwks: text(key_set),
        };
        page::start(config, options)
    };
    start().err().map_or(JsValue::UNDEFINED, Into::into)
}

/// For the host module: begins a task.
#[wasm_bindgen]
pub fn begin(task: i32, operation: i32, is_once: bool) {
    app::begin(task, operation, is_once);
}

/// For the host module: says what happened.
#[wasm_bindgen]
pub fn input(happened: i32, task: i32, number: i32) {
    app::input(happened, task, number);
}

/// For the host module: whether requests to this URL carry the session.
#[wasm_bindgen(js_name = isOurs)]
pub fn is_ours(url: &Url) -> bool {
    page::is_ours(url)
}

/// Takes everything back.
#[wasm_bindgen]
pub fn dispose() {
    page::dispose();
}

/// See `doesSessionExist` in the reference, 7.2; so for the others that the peers have.
#[wasm_bindgen(js_name = doesSessionExist)]
pub fn does_session_exist() -> Promise {
    app::operate(Operation::Exists)
}

/// The user id, `G-` and the anonymousId for an anonymous visitor.
#[wasm_bindgen(js_name = getUserId)]
pub fn get_user_id() -> Promise {
    app::operate(Operation::UserId)
}

/// The payload, refreshed if it has expired.
#[wasm_bindgen(js_name = getAccessTokenPayloadSecurely)]
pub fn get_access_token_payload_securely() -> Promise {
    app::operate(Operation::Payload)
}

/// Whether the visitor has an anonymous session.
#[wasm_bindgen(js_name = isAnonymous)]
pub fn is_anonymous() -> Promise {
    app::operate(Operation::IsAnonymous)
}

/// The anonymousId, or `undefined`.
#[wasm_bindgen(js_name = getAnonymousId)]
pub fn get_anonymous_id() -> Promise {
    app::operate(Operation::AnonymousId)
}

/// The access token of header mode, or one that the back end shows; `undefined` otherwise.
#[wasm_bindgen(js_name = getAccessToken)]
pub fn get_access_token() -> Promise {
    app::operate(Operation::AccessToken)
}

/// Whether a user session was refreshed.
#[wasm_bindgen(js_name = attemptRefreshingSession)]
pub fn attempt_refreshing_session() -> Promise {
    app::operate(Operation::Refresh)
}

/// Ends the user session.
#[wasm_bindgen(js_name = signOut)]
pub fn sign_out() -> Promise {
    app::operate(Operation::SignOut)
}

/// Switches anonymous sessions on or off.
#[wasm_bindgen(js_name = setAnonymousSessions)]
pub fn set_anonymous_sessions(enabled: bool) -> Promise {
    app::operate(Operation::Switch(enabled))
}

/// Another anonymousId for this visitor, for good.
#[wasm_bindgen(js_name = forgetAnonymousId)]
pub fn forget_anonymous_id() -> Promise {
    app::operate(Operation::Forget)
}

/// The rule for redirects: see `may_follow` of the protocol.
#[wasm_bindgen(js_name = mayFollow)]
pub fn may_follow(url: &Text, origin: &Text, own_origin: &Text, is_listed: bool) -> bool {
    scope::may_follow(url, origin, own_origin, is_listed)
}

/// The state now, without asking anybody; the same object until something changes.
#[wasm_bindgen(js_name = getSnapshot)]
pub fn get_snapshot() -> JsValue {
    page::snapshot()
}

/// Calls `listener` after each change; returns what stops it.
#[wasm_bindgen]
pub fn subscribe(listener: &JsValue) -> JsValue {
    browser::subscribe(listener)
}
