//! One request of the app, from the call to the response: decide, decorate, send, absorb, maybe retry.

use passerby_protocol::{
    names::{ANONYMOUS_OFF, front_cookie, header, message::TRY_REFRESH_TOKEN},
    refresh::{AfterRefusal, after_refusal},
    request::{AnonymousMode, Gate, gate, may_ask},
    response::Asked,
    scope::is_ours,
};
use wasm_bindgen::prelude::*;

use crate::{
    app::{App, State},
    browser::{self, Call, Headers, Lock, Response, Url, concat, kept, settled, spawn},
    config::parsed,
    refresh::{Refreshed, refresh},
};

/// How long a request waits for the first one of a new visitor, in milliseconds: that could be one that takes for ever, and a second
/// session for the visitor is better than no answer.
const FIRST_TIMEOUT: f64 = 5_000.0;

/// In the fragment of a URL: leave this request alone.
pub(crate) const DO_NOT_INTERCEPT: &str = "superTokensDoNotDoInterception";

/// Proof that the request could set headers; servers check it as their simplest protection against forged requests.
const RID: &str = "anti-csrf";

impl App {
    /// Whether a request to this URL, resolved against the document, is ours.
    pub(crate) fn is_ours(&self, url: &Url) -> bool {
        is_ours(&parsed(url), &self.settings.api_hostname, self.settings.backend_domain.as_ref())
    }

    /// Does what `fetch` does, with the visitor's session.
    pub(crate) async fn fetch(&'static self, call: Call) -> Result<JsValue, JsValue> {
        // Caller's copies of our token would go stale when the request is sent again.
        browser::drop_header(&call.headers(), header::AUTHORIZATION, &bearer(&access_token()));
        let mut attempts = 0;
        loop {
            let turn = kept(self.admit()).await;
            let before = self.state();
            let headers = browser::copy_headers(&call);
            self.decorate(&headers, &before, RID, &self.token_to_send(&before));
            let sent = browser::send(&call, &headers, self.settings.add_credentials, 0.0);
            let response: Response = settled(sent).await?.unchecked_into();
            let change = self.commit(&before, &response, Asked::App);
            let led = turn.is_some();
            drop(turn);
            kept(self.tell(&before, change)).await;

            // A server that says it is limited makes none now, and has no other to give back.
            let is_limited = !browser::get_header(&response, header::ANONYMOUS_MODE).is_undefined();
            if led && response.status() < 500 && !is_limited {
                self.recover();
            }
            if response.status() != self.settings.expired_status {
                if response.status() == self.settings.invalid_claim_status {
                    settled(browser::check_claims(&response)).await?;
                }
                return Ok(response.into());
            }
            // Back ends of an endpoint say so of its tokens, too.
            let is_expired = matches!(before, State::Anonymous(..))
                && self.anonymous.get() != AnonymousMode::Endpoint
                && settled(browser::message(&response)).await? == *TRY_REFRESH_TOKEN;
            match after_refusal(&self.state(), is_expired, attempts, self.settings.retry_limit) {
                AfterRefusal::GiveUp => return Err(browser::too_many_retries(&call, attempts.cast_signed())),
                AfterRefusal::Return => {
                    self.fire_unauthorised(&before);
                    return Ok(response.into());
                }
                AfterRefusal::Refresh => attempts += 1,
            }
            let reason = match kept(refresh(self, &before)).await {
                // The next request of the app will go with the new token.
                Refreshed::Retry if browser::is_spent(&call) => return Ok(response.into()),
                Refreshed::Retry => continue,
                Refreshed::Ended(reason) => {
                    self.fire_unauthorised(&before);
                    reason
                }
                Refreshed::Failed(reason) => reason,
            };
            // The refresh endpoint's answer takes the place of the API's, as with the peers.
            return settled(browser::response_or_reject(&reason, &response)).await;
        }
    }

    /// Waits until the request may go. What it returns is held until the response is absorbed.
    async fn admit(&'static self) -> Option<Lock> {
        let mut turn = None;
        let mut asked = false;
        loop {
            let mode = self.anonymous.get();
            let may_ask = !asked && may_ask(mode, browser::now(), self.failed.get());
            match gate(&self.state(), mode, may_ask, self.answered.get()) {
                Gate::Ask => {
                    // Whatever comes of it, the request goes, and the server decides.
                    asked = true;
                    kept(refresh(self, &State::Unknown)).await;
                    if self.state().is_unknown() {
                        self.failed.set(browser::now());
                    }
                }
                Gate::Open => break,
                Gate::Lead if turn.is_some() => return turn,
                Gate::Lead => turn = kept(self.first_turn()).await,
            }
        }
        drop(turn);
        kept(self.create_if_missing(true)).await;
        None
    }

    /// After the answer to a first request, which announces nothing to a visitor whose session the server knows: asks once for what this
    /// browser lost. The caller does not wait for it.
    fn recover(&'static self) {
        let state = self.state();
        if state.token().is_some() || self.anonymous.get() != AnonymousMode::On {
            return;
        }
        let asked = spawn(async move {
            kept(refresh(self, &state)).await;
            Ok(JsValue::UNDEFINED)
        });
        // It does not reject, so that nobody has to look.
        drop(asked);
    }

    /// Waits until no other request, in any tab, is about to bring a new visitor's session. Nothing when one of this tab was: look again.
    pub(crate) async fn first_turn(&self) -> Option<Lock> {
        Lock::of_turn(settled(browser::turn(FIRST_TIMEOUT)).await)
    }

    /// Adds what the server is to know.
    pub(crate) fn decorate(&self, headers: &Headers, state: &State, rid: &str, token: &JsValue) {
        if state.token().is_some() {
            browser::set_header(headers, header::ANTI_CSRF, &browser::get_cookie(front_cookie::ANTI_CSRF), true);
        }
        browser::set_header(headers, header::RID, &rid.into(), false);
        browser::set_header(headers, header::AUTH_MODE, &self.settings.transfer_method, true);
        browser::set_header(headers, header::AUTHORIZATION, &bearer(token), false);
        match self.anonymous.get() {
            // A back end that knows nothing of them would not allow the header.
            AnonymousMode::Off if self.settings.anonymous_endpoint.is_undefined() => {
                browser::set_header(headers, header::ANONYMOUS_MODE, &ANONYMOUS_OFF.into(), true);
            }
            AnonymousMode::On if state.token().is_none() => {
                browser::set_first_key(headers, header::ANONYMOUS_MODE, "");
            }
            _ => {}
        }
    }

    /// The token that proves the session in header mode, even if `state` lost what is known of it: the user's, else the visitor's.
    fn token_to_send(&self, state: &State) -> JsValue {
        let token = access_token();
        // Nobody checked one of an endpoint while there is no session.
        let is_unchecked = state.token().is_none() && self.anonymous.get() == AnonymousMode::Endpoint;
        if !token.is_undefined() || state.user().is_some() || is_unchecked {
            return token;
        }
        browser::get_cookie(front_cookie::ANONYMOUS_TOKEN)
    }
}

/// The access token of header mode. Without its refresh token it is one that a cookie back end merely shows.
fn access_token() -> JsValue {
    if browser::get_cookie(front_cookie::REFRESH_TOKEN).is_undefined() {
        JsValue::UNDEFINED
    } else {
        browser::get_cookie(front_cookie::ACCESS_TOKEN)
    }
}

pub(crate) fn bearer(token: &JsValue) -> JsValue {
    if token.is_undefined() { JsValue::UNDEFINED } else { concat(&"Bearer ".into(), token.unchecked_ref()).into() }
}
