//! The SDK's life in a page: start, look, end.

use passerby_protocol::{scope, state::SessionState};
use wasm_bindgen::prelude::*;

use crate::{
    app,
    browser::{self, Url},
    config::{Config, Settings, parsed},
    error::Fault,
};

/// In the fragment of a URL: leave this request alone.
const DO_NOT_INTERCEPT: &str = "superTokensDoNotDoInterception";

/// Starts the SDK; `false` when it was started before, and then nothing changes. `options` has what is the browser's to know only.
pub(crate) fn start(config: Config, options: &JsValue) -> Result<bool, Fault> {
    if !browser::has_window() {
        return Err(Fault::NoWindow);
    }
    if app::settings().is_ok() {
        return Ok(false);
    }
    let anonymous = config.anonymous;
    let settings = Settings::new(config, options)?;
    #[cfg(not(feature = "npm"))]
    browser::connect();
    let expired_status = settings.expired_status;
    app::start(settings, anonymous);
    browser::patch_fetch(DO_NOT_INTERCEPT);
    browser::patch_xhr(expired_status);
    browser::listen();
    Ok(true)
}

/// Whether a request to this URL is ours. None is when the SDK is not started (any more): others may have kept the patched `fetch`.
pub(crate) fn is_ours(url: &Url) -> bool {
    app::settings().is_ok_and(|settings| scope::is_ours(&parsed(url), &settings.api_hostname, settings.backend_domain.as_ref()))
}

/// Takes back what [`start`] did to the page. What is stored stays.
pub(crate) fn dispose() {
    browser::restore_fetch();
    browser::restore_xhr();
    browser::silence();
    app::forget();
}

/// What this browser knows now, without asking anybody.
pub(crate) fn snapshot() -> JsValue {
    let state = app::state();
    let kind = match &state {
        SessionState::Unknown => "unknown",
        SessionState::None(_) => "none",
        SessionState::Anonymous(..) => "anonymous",
        SessionState::Authenticated(..) => "authenticated",
    };
    browser::take_snapshot(kind, state.token().map_or(-1, |token| token.payload.0.0.cast_signed()))
}
