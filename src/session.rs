//! The public operations. Each runs inside of [`crate::browser::spawn`].

use passerby_protocol::{
    names::{FDI_VERSIONS, front_cookie, header},
    request::{AnonymousMode, is_session_due},
    state::{Event, SessionState},
};
use wasm_bindgen::prelude::*;

use crate::{
    app::{App, State},
    browser::{self, Call, Response, kept, settled},
    error::Fault,
    refresh::{RID, Refreshed, refresh},
};

/// What one can ask of the session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// Is there one, of either kind?
    Exists,
    /// Is it anonymous?
    IsAnonymous,
    /// The user id, or `G-` and the anonymousId. Fails without a session.
    UserId,
    /// The anonymousId, or `undefined`.
    AnonymousId,
    /// The payload, refreshed if it has expired. Fails without a session.
    Payload,
    /// The token behind it if scripts have it, refreshed if it has expired, or `undefined`.
    AccessToken,
}

impl App {
    /// Refreshes on behalf of `wanted`; for a visitor without session after a request of the app that goes first, whose answer may do as
    /// well.
    async fn refresh_in_turn(&'static self, wanted: &State) -> Refreshed {
        let turn = if wanted.token().is_none() { kept(self.first_turn()).await } else { None };
        let outcome = kept(refresh(self, wanted)).await;
        drop(turn);
        outcome
    }

    /// The state, after asking the server if it is unknown, and after refreshing an expired session if that is wanted. Whether that
    /// failed stands beside it.
    async fn known_state(&'static self, refreshes: bool) -> (State, Result<(), JsValue>) {
        let state = self.state();
        if state.is_unknown() || is_session_due(&state, self.anonymous.get(), self.answered.get()) {
            kept(self.refresh_in_turn(&state)).await;
        }
        kept(self.create_if_missing(true)).await;
        let state = self.state();
        if refreshes && state.user().is_some_and(|token| self.is_expired(token)) {
            if let Refreshed::Failed(reason) = kept(refresh(self, &state)).await {
                return (state, Err(reason));
            }
            return (self.state(), Ok(()));
        }
        (state, Ok(()))
    }

    /// Answers a question about the session.
    pub(crate) async fn answer(&'static self, question: Question) -> Result<JsValue, JsValue> {
        let refreshes = matches!(question, Question::Exists | Question::Payload | Question::AccessToken);
        let (state, refreshed) = kept(self.known_state(refreshes)).await;
        let front_token = state.token().map(|token| &token.payload.0);
        let property = |name| front_token.map_or(JsValue::UNDEFINED, |token| browser::get(token, name));
        match question {
            Question::Exists => return Ok((refreshed.is_ok() && front_token.is_some()).into()),
            Question::IsAnonymous => return Ok(matches!(state, SessionState::Anonymous(..)).into()),
            Question::AnonymousId => return Ok(property("anonymousId")),
            Question::AccessToken => {
                return Ok(match state {
                    _ if refreshed.is_err() => JsValue::UNDEFINED,
                    SessionState::Authenticated(..) => browser::get_cookie(front_cookie::ACCESS_TOKEN),
                    SessionState::Anonymous(..) => browser::get_cookie(front_cookie::ANONYMOUS_TOKEN),
                    SessionState::Unknown | SessionState::None(_) => JsValue::UNDEFINED,
                });
            }
            Question::UserId | Question::Payload => {}
        }
        refreshed?;
        if front_token.is_none() {
            return Err(Fault::NoSession.into());
        }
        Ok(property(if question == Question::UserId { "uid" } else { "up" }))
    }

    /// Whether a *user* session was refreshed.
    pub(crate) async fn attempt_refreshing(&'static self) -> Result<JsValue, JsValue> {
        let wanted = self.state();
        if wanted.user().is_none() && !wanted.is_unknown() {
            self.fire_unauthorised(&wanted);
            return Ok(JsValue::FALSE);
        }
        match kept(self.refresh_in_turn(&wanted)).await {
            Refreshed::Retry => Ok(JsValue::TRUE),
            Refreshed::Ended(_) => {
                if !wanted.is_unknown() {
                    self.fire_unauthorised(&wanted);
                }
                Ok(JsValue::FALSE)
            }
            Refreshed::Failed(reason) => Err(reason),
        }
    }

    pub(crate) async fn sign_out(&'static self) -> Result<JsValue, JsValue> {
        let (state, refreshed) = kept(self.known_state(true)).await;
        // Nobody knows whether the session still exists, and saying that it does not would not end it.
        refreshed?;
        if state.user().is_none() {
            self.fire(Event::SignOut);
            return Ok(JsValue::UNDEFINED);
        }
        let call = self.make_post(&self.settings.sign_out_url);
        let call: Call = settled(browser::hooked(&call, "SIGN_OUT")).await?.unchecked_into();
        let answer = kept(self.fetch(call.clone())).await?;
        let response: &Response = answer.unchecked_ref();
        if response.status() == self.settings.expired_status {
            return Ok(JsValue::UNDEFINED);
        }
        if !response.ok() {
            return Err(answer);
        }
        settled(browser::answered(&call, response)).await?;
        settled(browser::check_sign_out(response)).await?;
        // The header that says so may have been stripped, or not exposed.
        if self.state().user().is_some() {
            kept(self.tell(&state, self.end(&state))).await;
        }
        Ok(JsValue::UNDEFINED)
    }

    /// A call of a session route that goes the way of the app's requests.
    fn make_post(&self, url: &JsValue) -> Call {
        let call = browser::make_post(url);
        browser::set_header(&call.headers(), header::RID, &RID.into(), true);
        browser::set_header(&call.headers(), header::FDI_VERSION, &FDI_VERSIONS.into(), true);
        call
    }

    /// Another id for this visitor, from now on and for good.
    pub(crate) async fn forget_anonymous_id(&'static self) -> Result<JsValue, JsValue> {
        if !self.settings.anonymous_endpoint.is_undefined() {
            self.fire_all(self.remove_anonymous());
            // One that is under way does not count.
            self.creation.set(None);
            kept(self.create_if_missing(true)).await;
            return Ok(JsValue::UNDEFINED);
        }
        let answer = kept(self.fetch(self.make_post(&self.settings.forget_url))).await?;
        if answer.unchecked_ref::<Response>().ok() { Ok(JsValue::UNDEFINED) } else { Err(answer) }
    }

    pub(crate) async fn set_anonymous(&'static self, enabled: bool) -> Result<JsValue, JsValue> {
        self.anonymous.set(match enabled {
            false => AnonymousMode::Off,
            true if self.settings.anonymous_endpoint.is_undefined() => AnonymousMode::On,
            true => AnonymousMode::Endpoint,
        });
        self.answered.set(false);
        self.none_unwritten.set(false);
        if !enabled {
            browser::forget_first_key();
        }
        if !self.settings.anonymous_endpoint.is_undefined() {
            if !enabled {
                self.fire_all(self.remove_anonymous());
            }
            let _ = kept(self.known_state(false)).await;
            return Ok(JsValue::UNDEFINED);
        }
        // What is there is removed, or what is missing is made, by the next response. Be it this one.
        let state = self.state();
        let is_there = matches!(state, SessionState::Anonymous(..));
        if state.user().is_none()
            && enabled != is_there
            && let Refreshed::Failed(reason) = kept(self.refresh_in_turn(&state)).await
        {
            return Err(reason);
        }
        Ok(JsValue::UNDEFINED)
    }
}
