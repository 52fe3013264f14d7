//! What the entry modules of the npm package call. Promises in place of futures, JavaScript values in place of types.
#![expect(unreachable_pub, reason = "what is exported to JavaScript must be public")]

use core::alloc::{GlobalAlloc, Layout};

use lol_alloc::{AssumeSingleThreaded, FreeListAllocator};
use passerby_protocol::request::AnonymousMode;
use wasm_bindgen::prelude::*;

use crate::{
    app::{App, app},
    browser::{self, Promise, Text, spawn},
    config::{Config, TransferMethod},
    error::Fault,
    page,
    session::Question,
};

// The heap is a few kilobytes of tasks; a general allocator would be larger than what it manages.
struct Heap(AssumeSingleThreaded<FreeListAllocator>);

#[expect(unsafe_code, reason = "allocators are unsafe by their trait")]
// SAFETY: all of it is the inner allocator's, and one that does not return gives no wrong answer.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises that the inner allocator wants.
        let place = unsafe { self.0.alloc(layout) };
        if place.is_null() {
            // Said here, the code that would tell of it is not needed anywhere.
            core::arch::wasm32::unreachable();
        }
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.0.dealloc(place, layout) }
    }
}

#[global_allocator]
#[expect(unsafe_code, reason = "wasm in a page has one thread")]
// SAFETY: the loader instantiates the module without shared memory, so that only one thread can use it.
static HEAP: Heap = Heap(unsafe { AssumeSingleThreaded::new(FreeListAllocator::new()) });

/// Nothing here panics on purpose. Were it to happen, the browser reports the trap with its place.
#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Starts the SDK with options as `pkg/src/config.ts` describes them, flat; `false` when it was started before, and then
/// nothing changes.
#[wasm_bindgen]
pub fn init(options: &JsValue) -> Result<bool, JsValue> {
    let option = |name| browser::get(options, name);
    let text = |name| Some(option(name)).filter(JsValue::is_string).map(JsValue::unchecked_into::<Text>);
    let defaults = Config::new(text("apiDomain").ok_or(Fault::BadApiDomain)?);
    let number = |name, default, fault| {
        let number = browser::get_number(options, name, default);
        if number >= 0.0 { Ok(number) } else { Err(fault) }
    };
    let status = |name, default: u16| number(name, default.into(), Fault::BadStatusCodes).map(|status| status as u16);
    let config = Config {
        api_base_path: text("apiBasePath").unwrap_or(defaults.api_base_path),
        session_token_frontend_domain: text("sessionTokenFrontendDomain"),
        session_token_backend_domain: text("sessionTokenBackendDomain"),
        session_expired_status_code: status("sessionExpiredStatusCode", defaults.session_expired_status_code)?,
        invalid_claim_status_code: status("invalidClaimStatusCode", defaults.invalid_claim_status_code)?,
        max_retry_attempts_for_session_refresh: number(
            "maxRetryAttemptsForSessionRefresh",
            defaults.max_retry_attempts_for_session_refresh.into(),
            Fault::BadRetryLimit,
        )? as u32,
        auto_add_credentials: option("autoAddCredentials") != false,
        token_transfer_method: if option("tokenTransferMethod") == *"header" {
            TransferMethod::Header
        } else {
            TransferMethod::Cookie
        },
        is_in_iframe: option("isInIframe").is_truthy(),
        anonymous: match option("anonymous") {
            anonymous if anonymous.is_undefined() => AnonymousMode::Unspecified,
            anonymous if anonymous.is_falsy() => AnonymousMode::Off,
            _ if option("anonymousEndpoint").is_undefined() => AnonymousMode::On,
            _ => AnonymousMode::Endpoint,
        },
        anonymous_endpoint: text("anonymousEndpoint"),
        anonymous_jwks: text("anonymousJwks"),
        on_handle_event: option("onHandleEvent"),
        ..defaults
    };
    Ok(page::start(config)?)
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

/// See `doesSessionExist` in the reference, 7.2; so for the others that the peers have.
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

/// Drives a whole `/refresh-session` page.
#[wasm_bindgen(js_name = refreshSessionPage)]
pub fn refresh_session_page(login_path: JsValue, allowed_origins: JsValue) -> Promise {
    run(|app| app.refresh_session_page(login_path, allowed_origins))
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
