//! The modules in JavaScript, as the Rust API calls them. They touch the browser, which has URL,
//! JSON, base64 and cookie code that would cost kilobytes here; what to do is decided by the
//! session machine.

use core::cell::Cell;

use wasm_bindgen::prelude::*;

use crate::{error::SdkError, shell};

#[wasm_bindgen(module = "/src/browser/tasks.js")]
extern "C" {
    fn attach(memory: &JsValue, turn: &Closure<dyn Fn(i32, i32, i32) -> u32>);
    /// Starts the SDK. The number of an error, -1 where it was started before, or `undefined`.
    pub(crate) fn start(options: &JsValue) -> Option<i32>;
    pub(crate) fn dispose();
    pub(crate) fn operate(operation: i32) -> js_sys::Promise;
    #[wasm_bindgen(js_name = getSnapshot)]
    pub(crate) fn get_snapshot() -> JsValue;
}

#[wasm_bindgen(module = "/src/browser/host.js")]
extern "C" {
    pub(crate) fn subscribe(listener: &JsValue) -> JsValue;
    #[wasm_bindgen(js_name = makeError)]
    pub(crate) fn make_error(code: &str, text: &str) -> JsValue;
    #[wasm_bindgen(js_name = hasWindow)]
    pub(crate) fn has_window() -> bool;
}

#[wasm_bindgen(module = "/src/browser/page.js")]
extern "C" {
    /// Goes where it may, once `attempt` has settled; rejects as that does.
    #[wasm_bindgen(js_name = refreshSessionPage)]
    pub(crate) fn refresh_session_page(
        attempt: &js_sys::Promise,
        login_path: &str,
        allowed_origins: &JsValue,
    ) -> js_sys::Promise;
}

/// Modules that only other modules import; this puts them beside those.
mod beside {
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen(module = "/src/browser/handlers.js")]
    extern "C" {
        #[wasm_bindgen(js_name = setInitOptions)]
        fn set_init_options();
    }
    #[wasm_bindgen(module = "/src/browser/scope.js")]
    extern "C" {
        fn scope();
    }
    #[wasm_bindgen(module = "/src/browser/xhr.js")]
    extern "C" {
        #[wasm_bindgen(js_name = patchXhr)]
        fn patch_xhr();
    }
    #[wasm_bindgen(module = "/src/browser/names.js")]
    extern "C" {
        fn names();
    }

    #[wasm_bindgen(module = "/src/browser/locks.js")]
    extern "C" {
        fn request();
    }
    #[wasm_bindgen(module = "/src/browser/jar.js")]
    extern "C" {
        fn read();
    }
    #[wasm_bindgen(module = "/src/browser/rare.js")]
    extern "C" {
        fn make();
    }
    #[wasm_bindgen(module = "/src/browser/endpoint.js")]
    extern "C" {
        #[wasm_bindgen(js_name = tokenOf)]
        fn token_of();
    }
}

std::thread_local! {
    static IS_CONNECTED: Cell<bool> = const { Cell::new(false) };
}

/// Gives JavaScript the machine, for as long as the page lives.
pub(crate) fn connect() {
    if IS_CONNECTED.replace(true) {
        return;
    }
    let turn = Closure::<dyn Fn(i32, i32, i32) -> u32>::new(|what, task, number| {
        shell::turn(what, task, number) as u32
    });
    attach(&wasm_bindgen::memory(), &turn);
    turn.forget();
}

impl From<SdkError> for JsValue {
    fn from(error: SdkError) -> Self {
        make_error(error.code(), error.message())
    }
}

/// The error of [`start`] with this number.
pub(crate) fn start_error(number: i32) -> SdkError {
    match number {
        1 => SdkError::BadApiDomain,
        2 => SdkError::BadApiBasePath,
        3 => SdkError::BadDomain,
        4 => SdkError::BadStatusCodes,
        _ => SdkError::BadRetryLimit,
    }
}

#[cfg(test)]
#[cfg(target_arch = "wasm32")]
mod tests;
