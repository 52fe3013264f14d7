//! The SDK's life in a page: start, look, end.

use passerby_protocol::{request::AnonymousMode, state::SessionState};
use wasm_bindgen::prelude::*;

use crate::{
    app::{App, app, forget_app},
    browser::{self, Call, Promise, Url, spawn},
    config::{Config, Settings},
    error::Fault,
    fetch::DO_NOT_INTERCEPT,
};

/// Starts the SDK; `false` when it was started before, and then nothing changes. `options` has what is the browser's to know only.
pub(crate) fn start(config: Config, options: &JsValue) -> Result<bool, Fault> {
    // The package looks before it makes this module.
    #[cfg(not(feature = "npm"))]
    if !browser::has_window() {
        return Err(Fault::NoWindow);
    }
    if app().is_ok() {
        return Ok(false);
    }
    let anonymous = config.anonymous;
    let is_in_iframe = config.is_in_iframe;
    let settings = Settings::new(config)?;
    browser::configure(options, &settings.frontend_domain.clone().into(), is_in_iframe);
    let app = App::start(settings, anonymous);
    if anonymous == AnonymousMode::Off {
        // Nobody else would: no server knows of these.
        browser::forget_first_key();
        if !app.settings.anonymous_endpoint.is_undefined() {
            app.remove_anonymous();
        }
    }
    #[cfg(not(feature = "npm"))]
    browser::ready();
    browser::patch_fetch(DO_NOT_INTERCEPT, &app.settings.refresh_url);
    browser::patch_xhr(app.settings.expired_status);
    browser::listen();
    Ok(true)
}

/// Whether a request to this URL is ours. None is when the SDK is not started (any more): others may have kept the patched `fetch`.
pub(crate) fn is_ours(url: &Url) -> bool {
    app().is_ok_and(|app| app.is_ours(url))
}

/// Does what `fetch` does, with the visitor's session.
pub(crate) fn intercept(call: Call) -> Promise {
    match app() {
        Ok(app) => spawn(app.fetch(call)),
        Err(fault) => Promise::reject(&fault.into()),
    }
}

/// Takes back what [`start`] did to the page. What is stored stays.
pub(crate) fn dispose() {
    browser::restore_fetch();
    browser::restore_xhr();
    browser::silence();
    forget_app();
}

/// What this browser knows now, without asking anybody.
pub(crate) fn snapshot() -> JsValue {
    // Before `start` nothing is known, whatever the cookies say.
    let state = app().map_or(SessionState::Unknown, |app| app.state());
    let kind = match &state {
        SessionState::Unknown => "unknown",
        SessionState::None(_) => "none",
        SessionState::Anonymous(..) => "anonymous",
        SessionState::Authenticated(..) => "authenticated",
    };
    browser::take_snapshot(kind, state.token().map(|token| &token.payload.0))
}
