//! Refreshing the session: one call at a time in this tab and, as far as locks can be had, over all tabs.

use passerby_protocol::{
    names::{FDI_VERSIONS, FIRST_KEY_TYPE, front_cookie, header},
    refresh::{AfterLock, Answer, after_lock, answer},
    request::AnonymousMode,
    response::{Announced, Asked, Change, Verdict},
    state::Event,
};
use wasm_bindgen::prelude::*;

use crate::{
    app::{App, State, peek},
    browser::{self, Call, Lock, Response, kept, settled, spawn},
    error::Fault,
};

/// Recipe id of the session routes.
pub(crate) const RID: &str = "session";

const LOCK: &str = "passerby-refresh";
/// Milliseconds. A tab that the browser froze may hold the lock; the server makes repeated refreshes harmless.
const LOCK_TIMEOUT: f64 = 10_000.0;
/// Milliseconds until a refresh call that hangs is given up. Shorter than the wait for the lock, so that no answer arrives after others
/// went on without it.
const CALL_TIMEOUT: f64 = 8_000.0;

/// What asking for a refresh came to.
pub(crate) enum Refreshed {
    /// There is a newer session than the one the refresh was wanted for.
    Retry,
    /// There is no user session, with the answer that said so, or `undefined`.
    Ended(JsValue),
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
            (AfterLock::Ended, outcome) => return Refreshed::Ended(outcome.err().filter(|_| !is_shared).unwrap_or_default()),
            (AfterLock::Call, Err(reason)) => return Refreshed::Failed(reason),
            // That one was on behalf of another state.
            (AfterLock::Call, Ok(_)) if is_shared => {}
            (AfterLock::Call, Ok(_)) => return Refreshed::Failed(Fault::RefreshFailed.into()),
        }
    }
}

/// The one refresh of this tab.
async fn fly(app: &'static App, wanted: State) -> Result<JsValue, JsValue> {
    let exchanged = kept(exchange(app, &wanted)).await;
    // Before any event: the app's callbacks may ask for a refresh.
    app.flight.set(None);
    let exchanged = exchanged?;
    let change = exchanged.as_ref().map_or(Change::NOTHING, |exchange| exchange.change);
    kept(app.tell(&wanted, change)).await;
    let Some(Exchange { call, response, .. }) = exchanged else { return Ok(JsValue::UNDEFINED) };
    settled(browser::answered(&call, &response)).await?;
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

/// A refresh call and what came of it.
struct Exchange {
    call: Call,
    response: Response,
    change: Change,
}

/// Calls the refresh endpoint and stores what it answers: under the lock over all tabs, and only if nobody else did since `wanted`.
async fn exchange(app: &App, wanted: &State) -> Result<Option<Exchange>, JsValue> {
    let call = browser::make_post(&app.settings.refresh_url);
    let headers = call.headers();
    let before = app.state();
    let mut token = browser::get_cookie(front_cookie::REFRESH_TOKEN);
    // A server that knows anonymous sessions gives this one back to who has no other.
    if token.is_undefined() && before.user().is_none() && app.anonymous.get() != AnonymousMode::Endpoint {
        token = browser::get_cookie(front_cookie::ANONYMOUS_TOKEN);
    }
    app.decorate(&headers, &before, RID, &token);
    browser::set_header(&headers, header::FDI_VERSION, &FDI_VERSIONS.into(), true);
    // Before the lock, because it is the app's code. Should the state change until then, nothing is sent.
    let call: Call = settled(browser::hooked(&call, "REFRESH_SESSION")).await?.unchecked_into();

    let _lock = Lock::new(settled(browser::lock(LOCK, LOCK_TIMEOUT)).await);
    let before = app.state();
    if after_lock(wanted, &before) != AfterLock::Call {
        return Ok(None);
    }
    let headers = call.headers();
    if before.is_unknown() && app.anonymous.get() == AnonymousMode::Unspecified {
        browser::set_first_key(&headers, header::ACCEPT, FIRST_KEY_TYPE);
    }
    let sent = browser::send(&call, &headers, false, CALL_TIMEOUT);
    let response: Response = settled(sent).await?.unchecked_into();
    let verdict = if response.status() == app.settings.expired_status {
        let message = settled(browser::message(&response)).await?;
        Verdict::of(|text| message == *text)
    } else {
        Verdict::Unclear
    };
    let change = app.commit(&before, &response, Asked::Refresh(verdict));
    Ok(Some(Exchange { call, response, change }))
}
