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

/// Starts the SDK; `false` when it was started before, and then nothing changes.
pub(crate) fn start(config: Config) -> Result<bool, Fault> {
    if !browser::has_window() {
        return Err(Fault::NoWindow);
    }
    if app().is_ok() {
        return Ok(false);
    }
    let anonymous = config.anonymous;
    browser::configure_cookies(&config.session_token_frontend_domain.clone().into(), config.is_in_iframe);
    let app = App::start(Settings::new(config)?, anonymous);
    if anonymous == AnonymousMode::Off && !app.settings.anonymous_endpoint.is_undefined() {
        // Nobody else would: the server knows nothing of it.
        app.remove_anonymous();
    }
    let is_ours = Closure::<dyn Fn(Url) -> bool>::new(move |url| app.is_ours(&url));
    let intercept = Closure::<dyn Fn(Call) -> Promise>::new(move |call| spawn(app.fetch(call)));
    browser::patch_fetch(DO_NOT_INTERCEPT, &is_ours, &intercept);
    browser::patch_xhr(app.settings.expired_status);
    // Others may have kept the patched fetch, so it must work for as long as the page lives.
    is_ours.forget();
    intercept.forget();
    browser::listen();
    Ok(true)
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
