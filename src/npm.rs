//! What the entry modules of the npm package call. Promises in place of futures, JavaScript values in place of types.
#![expect(unreachable_pub, reason = "what is exported to JavaScript must be public")]

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    ptr,
};

use passerby_protocol::{request::AnonymousMode, scope};
use wasm_bindgen::prelude::*;

use crate::{
    app::{App, app},
    browser::{self, Call, Promise, Text, Url, spawn},
    config::{Config, TransferMethod},
    error::Fault,
    page,
    session::Question,
    single_thread::page_local,
};

/// The heap is a few kilobytes of tasks, which are of a few sizes. So a place that is given back is kept for the next that needs just as much,
/// and nothing is ever split or joined.
struct Heap;

/// A place that was given back.
struct Place {
    next: *mut Place,
    size: usize,
}

page_local! {
    static GIVEN_BACK: Cell<*mut Place> = Cell::new(ptr::null_mut());
}

page_local! {
    /// Where memory begins that nobody had yet, and how much of it there is.
    static UNUSED: Cell<(usize, usize)> = Cell::new((0, 0));
}

/// How much a place of that layout takes.
fn room(layout: Layout) -> usize {
    layout.size().next_multiple_of(size_of::<Place>())
}

#[expect(unsafe_code, reason = "allocators are unsafe by their trait")]
// SAFETY: no place is given out that is in use, each holds what its layout asks for, and no type here is aligned to more than eight bytes.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        const PAGE: usize = 65_536;
        let size = room(layout);
        let mut link = &raw mut *GIVEN_BACK.as_ptr();
        // SAFETY: every place in the list was written by `dealloc`, and belongs to nobody since.
        unsafe {
            while let Some(place) = (*link).as_mut() {
                if place.size == size {
                    *link = place.next;
                    return (&raw mut *place).cast();
                }
                link = &raw mut place.next;
            }
        }
        let (start, left) = UNUSED.get();
        if size <= left {
            UNUSED.set((start + size, left - size));
            return start as *mut u8;
        }
        let pages = size / PAGE + 1;
        let grown = core::arch::wasm32::memory_grow::<0>(pages);
        if grown == usize::MAX {
            // Said here, the code that would tell of it is not needed anywhere.
            core::arch::wasm32::unreachable();
        }
        UNUSED.set((grown * PAGE + size, pages * PAGE - size));
        (grown * PAGE) as *mut u8
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        let place: *mut Place = place.cast();
        // SAFETY: the caller gives the place up, and there is room for this in every one.
        unsafe { place.write(Place { next: GIVEN_BACK.get(), size: room(layout) }) };
        GIVEN_BACK.set(place);
    }
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

/// For the host module's `connect`.
#[wasm_bindgen]
pub fn resume(task: i32, ok: bool, value: JsValue) {
    browser::resume(task, ok, value);
}

/// For the host module's `connect`.
#[wasm_bindgen(js_name = isOurs)]
pub fn is_ours(url: &Url) -> bool {
    page::is_ours(url)
}

/// For the host module's `connect`.
#[wasm_bindgen]
pub fn intercept(call: Call) -> Promise {
    page::intercept(call)
}

/// Takes everything back.
#[wasm_bindgen]
pub fn dispose() {
    page::dispose();
}

/// The SDK if it was started, a rejected promise otherwise.
fn run<F: Future<Output = Result<JsValue, JsValue>> + 'static>(operation: impl FnOnce(&'static App) -> F) -> Promise {
    match app() {
        Ok(app) => spawn(operation(app)),
        Err(fault) => Promise::reject(&fault.into()),
    }
}

fn ask(question: Question) -> Promise {
    run(|app| app.answer(question))
}

/// As `doesSessionExist` of the peers; so for the others that they have.
#[wasm_bindgen(js_name = doesSessionExist)]
pub fn does_session_exist() -> Promise {
    ask(Question::Exists)
}

/// The user id, `G-` and the anonymousId for an anonymous visitor.
#[wasm_bindgen(js_name = getUserId)]
pub fn get_user_id() -> Promise {
    ask(Question::UserId)
}

/// The payload, refreshed if it has expired.
#[wasm_bindgen(js_name = getAccessTokenPayloadSecurely)]
pub fn get_access_token_payload_securely() -> Promise {
    ask(Question::Payload)
}

/// Whether the visitor has an anonymous session.
#[wasm_bindgen(js_name = isAnonymous)]
pub fn is_anonymous() -> Promise {
    ask(Question::IsAnonymous)
}

/// The anonymousId, or `undefined`.
#[wasm_bindgen(js_name = getAnonymousId)]
pub fn get_anonymous_id() -> Promise {
    ask(Question::AnonymousId)
}

/// The access token of header mode, or one that the back end shows; `undefined` otherwise.
#[wasm_bindgen(js_name = getAccessToken)]
pub fn get_access_token() -> Promise {
    ask(Question::AccessToken)
}

/// Whether a user session was refreshed.
#[wasm_bindgen(js_name = attemptRefreshingSession)]
pub fn attempt_refreshing_session() -> Promise {
    run(App::attempt_refreshing)
}

/// Ends the user session.
#[wasm_bindgen(js_name = signOut)]
pub fn sign_out() -> Promise {
    run(App::sign_out)
}

/// Switches anonymous sessions on or off.
#[wasm_bindgen(js_name = setAnonymousSessions)]
pub fn set_anonymous_sessions(enabled: bool) -> Promise {
    run(|app| app.set_anonymous(enabled))
}

/// Another anonymousId for this visitor, for good.
#[wasm_bindgen(js_name = forgetAnonymousId)]
pub fn forget_anonymous_id() -> Promise {
    run(App::forget_anonymous_id)
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
