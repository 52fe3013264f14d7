//! Anonymous sessions for a back end that knows nothing of them: an endpoint of the app makes the tokens.

use passerby_protocol::{
    names::{front_cookie, header},
    request::{AnonymousMode, is_token_missing},
    response::{Announced, Asked, Change, Response},
};
use wasm_bindgen::prelude::*;

use crate::{
    app::{App, State, peek},
    browser::{self, kept, settled, spawn},
    fetch::bearer,
};

/// Milliseconds until the endpoint counts as out of reach; requests wait for it.
const CALL_TIMEOUT: f64 = 5_000.0;

impl App {
    /// Makes an anonymous session for a visitor who has none, or whose token has failed. When the endpoint fails, the next request tries
    /// again.
    pub(crate) async fn create_if_missing(&'static self, tells: bool) {
        if self.anonymous.get() == AnonymousMode::Endpoint {
            // One at a time in this tab: a failure counts for all who waited. It does not reject.
            let flight = peek(&self.creation).unwrap_or_else(|| spawn(self.create(tells)));
            self.creation.set(Some(flight.clone()));
            let _ = settled(flight.into()).await;
            self.creation.set(None);
        }
    }

    async fn create(&'static self, tells: bool) -> Result<JsValue, JsValue> {
        let mut turn = None;
        let change = loop {
            let state = self.state();
            let failed = match &state {
                State::Anonymous(_, token) => self.is_expired(token) || !kept(self.is_trusted(&token.payload.0.raw())).await,
                _ => false,
            };
            if !is_token_missing(&state, failed) {
                return Ok(JsValue::UNDEFINED);
            }
            if turn.is_some() {
                break kept(self.call_endpoint()).await?;
            }
            // Another tab may be first, so look again.
            turn = Some(kept(self.first_turn()).await);
        };
        drop(turn);
        if tells {
            self.fire_all(change);
        }
        Ok(JsValue::UNDEFINED)
    }

    async fn call_endpoint(&self) -> Result<Change, JsValue> {
        let call = browser::make_post(&self.settings.anonymous_endpoint);
        // A failed token goes along: the endpoint may take its id over, once it has verified it.
        let former = browser::get_cookie(front_cookie::ANONYMOUS_TOKEN);
        browser::set_header(&call.headers(), header::AUTHORIZATION, &bearer(&former), false);
        let response = settled(browser::send(&call, &call.headers(), false, CALL_TIMEOUT)).await?;
        let found = browser::decode(&settled(browser::token_of(&response)).await?);
        if found.is_falsy() {
            return Err(JsValue::UNDEFINED);
        }
        let mut token = browser::token(found);
        // Meanwhile they may have been switched off, or what was there forgotten.
        let is_good = !self.is_expired(&token)
            && kept(self.is_trusted(&token.payload.0.raw())).await
            && self.anonymous.get() == AnonymousMode::Endpoint
            && browser::get_cookie(front_cookie::ANONYMOUS_TOKEN) == former;
        if !is_good {
            return Err(JsValue::UNDEFINED);
        }
        // It was asked for, so it is newer than one that has failed, whatever that says.
        token.issued_at = f64::INFINITY;
        let announced = Response {
            asked: Asked::App,
            anonymous_is_servers: false,
            refused: false,
            user: Announced::Nothing,
            anonymous: Announced::Token(token),
        };
        Ok(self.absorb(&self.state(), &announced, None))
    }

    /// Whether the token was signed by whom it should have been; in its favour while the keys cannot be had.
    async fn is_trusted(&self, raw: &JsValue) -> bool {
        let keys = &self.settings.anonymous_jwks;
        keys.is_undefined() || settled(browser::is_signed_by(raw, keys)).await != Ok(JsValue::FALSE)
    }

    /// Fires the events of a change. When the user session of `before` ended, be it in another tab, the anonymous one is made first:
    /// callbacks find it in place.
    pub(crate) async fn tell(&'static self, before: &State, change: Change) {
        if before.user().is_some() && self.state().user().is_none() {
            kept(self.create_if_missing(false)).await;
        }
        self.fire_all(change);
    }
}
