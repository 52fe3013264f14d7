//! Refreshing the session: one call at a time in this tab and, as far as locks can be had, over all tabs (reference 5.1).

use passerby_protocol::{
    names::{FDI_VERSIONS, front_cookie, header, message::TOKEN_THEFT_DETECTED},
    refresh::{AfterLock, Answer, after_lock, answer},
    request::AnonymousMode,
    response::{Announced, Asked, Change},
    state::Event,
};
use wasm_bindgen::prelude::*;

use crate::{
    app::{App, State, peek},
    browser::{self, Response, kept, settled, spawn},
    error::Fault,
};

/// Recipe id of the session routes.
pub(crate) const RID: &str = "session";

const LOCK: &str = "passerby-refresh";
/// Milliseconds. A tab that the browser froze may hold the lock; the server makes repeated refreshes harmless.
const LOCK_TIMEOUT: f64 = 10_000.0;
/// Milliseconds until a refresh call that hangs counts as failed.
const CALL_TIMEOUT: f64 = 20_000.0;

/// What asking for a refresh came to.
pub(crate) enum Refreshed {
    /// There is a newer session than the one the refresh was wanted for.
    Retry,
    /// There is no user session, with the answer that said so.
    Ended(Option<JsValue>),
    /// Nobody knows: the answer, or the error. The state is as it was.
    Failed(JsValue),
}

/// Refreshes on behalf of somebody who saw the state `wanted`, unless somebody else did meanwhile.
pub(crate) async fn refresh(app: &'static App, wanted: &State) -> Refreshed {
    loop {
        let under_way = peek(&app.flight);
        let is_shared = under_way.is_some();
        let flight = under_way.unwrap_or_else(|| {
            let flight = spawn(fly(app, wanted.clone()));
            app.flight.set(Some(flight.clone()));
            flight
        });
        let outcome = settled(flight.into()).await;
        match (after_lock(wanted, &app.state()), outcome) {
            (AfterLock::Retry, _) => return Refreshed::Retry,
            (AfterLock::Ended, outcome) => return Refreshed::Ended(outcome.err().filter(|_| !is_shared)),
            (AfterLock::Call, Err(reason)) => return Refreshed::Failed(reason),
            // That one was on behalf of another state.
            (AfterLock::Call, Ok(_)) if is_shared => {}
            (AfterLock::Call, Ok(_)) => return Refreshed::Failed(Fault::RefreshFailed.into()),
        }
    }
}

/// The one refresh of this tab.
async fn fly(app: &'static App, wanted: State) -> Result<JsValue, JsValue> {
    let exchanged = kept(exchange_if_still_wanted(app, &wanted)).await;
    // Before any event: the app's callbacks may ask for a refresh.
    app.flight.set(None);
    let Some((response, change)) = exchanged? else { return Ok(JsValue::UNDEFINED) };
    kept(app.tell(change)).await;
    let is_announced = matches!(browser::announced_token(&response, header::FRONT_TOKEN), Announced::Token(_));
    match answer(response.ok(), is_announced, &app.state()) {
        Answer::Refreshed => {
            app.fire(Event::RefreshSession);
            Ok(JsValue::UNDEFINED)
        }
        // Ended meanwhile by somebody else: this answer tells the caller nothing.
        Answer::Ended if response.ok() => Ok(JsValue::UNDEFINED),
        Answer::Ended | Answer::Failed => Err(response.into()),
        Answer::HeaderMissing => Err(Fault::FrontTokenMissing.into()),
        Answer::NotStored => Err(Fault::RefreshFailed.into()),
    }
}

/// Calls the server unless somebody else did while we waited for the lock.
async fn exchange_if_still_wanted(app: &App, wanted: &State) -> Result<Option<(Response, Change)>, JsValue> {
    let _lock = kept(browser::lock_tabs(LOCK, LOCK_TIMEOUT)).await;
    let before = app.state();
    if after_lock(wanted, &before) != AfterLock::Call {
        return Ok(None);
    }
    kept(exchange(app, &before)).await.map(Some)
}

/// Calls the refresh endpoint and stores what it answers; the events are the caller's to fire.
pub(crate) async fn exchange(app: &App, before: &State) -> Result<(Response, Change), JsValue> {
    let call = browser::make_post(&app.settings.refresh_url);
    let headers = browser::copy_headers(&call);
    let mut token = browser::get_cookie(front_cookie::REFRESH_TOKEN);
    // A server that knows anonymous sessions gives this one back to who has no other.
    if token.is_undefined() && before.user().is_none() && app.anonymous.get() != AnonymousMode::Endpoint {
        token = browser::get_cookie(front_cookie::ANONYMOUS_TOKEN);
    }
    app.decorate(&headers, before, RID, &token);
    browser::set_header(&headers, header::FDI_VERSION, &FDI_VERSIONS.into(), true);
    let response: Response = settled(browser::send(&call, &headers, false, CALL_TIMEOUT)).await?.unchecked_into();
    let theft = response.status() == app.settings.expired_status
        && settled(browser::message(&response)).await? == *TOKEN_THEFT_DETECTED;
    let change = app.commit(before, &response, Asked::Refresh { theft });
    Ok((response, change))
}
