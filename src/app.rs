//! What the SDK holds between two requests, and the session state that it reads and writes.

use alloc::boxed::Box;
use core::cell::Cell;

use passerby_protocol::{
    names::{front_cookie, header},
    request::{AnonymousMode, shows_that_none_are_made},
    response::{Announced, Asked, Change, Last, Response, Write, absorb, tells_time},
    state::{Event, Mark, SessionState, Slot, Stored, Token},
};
use wasm_bindgen::prelude::*;

use crate::{
    browser::{self, Browser, Promise},
    config::Settings,
    error::Fault,
    single_thread::page_local,
};

/// What goes with the user session.
const USER_COOKIES: [&str; 4] =
    [front_cookie::FRONT_TOKEN, front_cookie::ACCESS_TOKEN, front_cookie::REFRESH_TOKEN, front_cookie::ANTI_CSRF];

pub(crate) type State = SessionState<Browser>;

/// The SDK after `init`.
pub(crate) struct App {
    pub(crate) settings: Settings,
    /// How the app wants anonymous sessions now.
    pub(crate) anonymous: Cell<AnonymousMode>,
    /// The server makes no anonymous sessions, as a response on this page showed.
    pub(crate) answered: Cell<bool>,
    /// When the latest question of a request whether there is a session failed, in epoch milliseconds.
    pub(crate) failed: Cell<f64>,
    /// The refresh that is under way in this tab.
    pub(crate) flight: Cell<Option<Promise>>,
    /// The server said that there is no session, and that is not to be written down: the app has no consent for anything.
    pub(crate) none_unwritten: Cell<bool>,
    /// The call of the app's endpoint that is under way in this tab.
    pub(crate) creation: Cell<Option<Promise>>,
    /// The session whose end this tab told the app of last.
    ended: Cell<Option<JsValue>>,
}

page_local! {
    /// Leaked, because promises of the app may outlive [`forget_app`].
    static APP: Cell<Option<&'static App>> = Cell::new(None);
}

/// The initialised SDK.
pub(crate) fn app() -> Result<&'static App, Fault> {
    APP.get().ok_or(Fault::NotInitialised)
}

/// Forgets the SDK; what is under way goes on.
pub(crate) fn forget_app() {
    APP.set(None);
}

/// A clone of what a cell holds.
pub(crate) fn peek<T: Clone>(cell: &Cell<Option<T>>) -> Option<T> {
    let value = cell.take();
    cell.set(value.clone());
    value
}

impl App {
    /// Makes the SDK ready.
    pub(crate) fn start(settings: Settings, anonymous: AnonymousMode) -> &'static Self {
        let app = Box::leak(Box::new(Self {
            settings,
            anonymous: Cell::new(anonymous),
            answered: Cell::default(),
            failed: Cell::default(),
            flight: Cell::default(),
            none_unwritten: Cell::default(),
            creation: Cell::default(),
            ended: Cell::default(),
        }));
        APP.set(Some(app));
        app
    }

    /// What storage says. Read every time: other tabs write it too.
    fn stored(&self) -> Stored<Browser> {
        let changed = browser::get_cookie(front_cookie::LAST_UPDATE);
        // An endpoint's token is kept during a user session, which is what may be lost here.
        let is_lost = changed.is_undefined() && self.anonymous.get() == AnonymousMode::Endpoint;
        Stored {
            // What is not a number still says that there was a change.
            changed: (!changed.is_undefined()).then(|| Mark(changed.unchecked_into_f64().max(0.0))),
            user: browser::stored_token(front_cookie::FRONT_TOKEN),
            anonymous: if is_lost { Slot::Empty } else { browser::stored_token(self.settings.anonymous_cookie) },
        }
    }

    pub(crate) fn state(&self) -> State {
        let state = self.stored().state();
        if state.is_unknown() && self.none_unwritten.get() { State::None(Mark(0.0)) } else { state }
    }

    /// Whether the access token behind this front token has expired.
    pub(crate) fn is_expired(&self, token: &Token<Browser>) -> bool {
        token.expires_at < browser::server_now()
    }

    /// Stores what the response says, and returns the events to fire once no lock is held.
    pub(crate) fn commit(&self, before: &State, response: &browser::Response, asked: Asked) -> Change {
        let mut announced = Response {
            asked,
            anonymous_is_servers: self.anonymous.get() != AnonymousMode::Endpoint,
            refused: response.status() == self.settings.expired_status,
            user: browser::announced_token(response, header::FRONT_TOKEN),
            anonymous: browser::announced_token(response, header::ANONYMOUS_FRONT_TOKEN),
        };
        // Asked for before they were switched off; the next response removes what came with it.
        if self.anonymous.get() == AnonymousMode::Off && matches!(announced.anonymous, Announced::Token(_)) {
            announced.anonymous = Announced::Nothing;
        }
        if let Announced::Nothing = announced.anonymous {
            self.answered.set(self.answered.get() || shows_that_none_are_made(before, response.status()));
        }
        self.absorb(before, &announced, Some(response))
    }

    /// Ends the user session of `before` after a sign-out, if it is still there.
    pub(crate) fn end(&self, before: &State) -> Change {
        self.remove(before, Announced::Removed, Announced::Nothing)
    }

    /// Removes an anonymous session that no server knows.
    pub(crate) fn remove_anonymous(&self) -> Change {
        self.remove(&self.state(), Announced::Nothing, Announced::Removed)
    }

    fn remove(&self, before: &State, user: Announced<Token<Browser>>, anonymous: Announced<Token<Browser>>) -> Change {
        let announced = Response { asked: Asked::App, anonymous_is_servers: true, refused: false, user, anonymous };
        self.absorb(before, &announced, None)
    }

    /// Stores what `announced` means, with the tokens in the headers of `response`.
    pub(crate) fn absorb(&self, before: &State, announced: &Response<Browser>, response: Option<&browser::Response>) -> Change {
        let now = self.stored();
        let last = browser::last_token(front_cookie::FRONT_TOKEN);
        let mut change = absorb(before, &now, &last, announced);
        if change.events.iter().flatten().any(|event| matches!(event, Event::SignOut | Event::Unauthorised { .. })) {
            self.ended.set(before.user().map(|token| token.id.clone()));
        }
        if let Some(response) = response {
            keep_all(response, announced, change, &last);
        }
        let held = browser::get_cookie(front_cookie::FRONT_TOKEN);
        self.write(&now, announced, change);
        let holds = browser::get_cookie(front_cookie::FRONT_TOKEN);
        // Another one than before and than ours is of another tab that wrote in the same moment.
        if let (Write::Store, Announced::Token(token)) = (change.user, &announced.user)
            && holds == held
            && holds != token.payload.0.raw()
        {
            change = change.refused();
        }
        change
    }

    /// In an order that is safe to interrupt: what is new first, the mark that tells others of it last.
    fn write(&self, now: &Stored<Browser>, announced: &Response<Browser>, change: Change) {
        if !change.writes() {
            return;
        }
        let is_clean = now.changed.is_none() && matches!((&now.user, &now.anonymous), (Slot::Empty, Slot::Empty));
        let stores = change.user == Write::Store || change.anonymous == Write::Store;
        self.none_unwritten.set(is_clean && !stores && self.anonymous.get() == AnonymousMode::Off);
        if self.none_unwritten.get() {
            return;
        }
        if let (Write::Store, Announced::Token(token)) = (change.anonymous, &announced.anonymous) {
            browser::set_cookie(self.settings.anonymous_cookie, &token.payload.0.raw());
        }
        match (change.user, &announced.user) {
            (Write::Store, Announced::Token(token)) => {
                browser::set_cookie(front_cookie::FRONT_TOKEN, &token.payload.0.raw());
            }
            (Write::Remove, _) => {
                // All of them, whichever mode: proxies strip empty token headers.
                for name in USER_COOKIES {
                    forget(name);
                }
            }
            _ => {}
        }
        // Nobody replaced what cannot be read, and nobody would.
        let is_spoilt = matches!(now.anonymous, Slot::Unreadable) && change.anonymous == Write::Keep;
        if change.anonymous == Write::Remove {
            forget(front_cookie::ANONYMOUS_TOKEN);
        }
        if change.anonymous == Write::Remove || is_spoilt {
            forget(self.settings.anonymous_cookie);
        }
        let mark = Mark::after(now.changed, browser::now());
        browser::set_cookie(front_cookie::LAST_UPDATE, &mark.0.into());
        // An app that says nothing of anonymous sessions finds nothing of them where there are none.
        if stores || self.anonymous.get() == AnonymousMode::Unspecified {
            browser::forget_first_key();
        }
        browser::changed();
    }

    /// Tells the app. Everything is stored before, and no lock is held.
    pub(crate) fn fire(&self, event: Event) {
        let detail = match event {
            Event::Unauthorised { expired_or_revoked } => expired_or_revoked.into(),
            _ => JsValue::UNDEFINED,
        };
        browser::emit(event.action(), &detail);
    }

    pub(crate) fn fire_all(&self, change: Change) {
        change.events.into_iter().flatten().for_each(|event| self.fire(event));
    }

    /// Tells the app that a user session was required, unless it heard of the end of this very session already.
    pub(crate) fn fire_unauthorised(&self, before: &State) {
        let told = peek(&self.ended);
        if before.user().is_none_or(|token| told.as_ref() != Some(&token.id)) {
            self.fire(Event::Unauthorised { expired_or_revoked: false });
        }
    }
}

/// Stores the tokens that come with what is announced, and the time.
fn keep_all(response: &browser::Response, announced: &Response<Browser>, change: Change, last: &Last<JsValue>) {
    if let (Write::Store, Announced::Token(token)) = (change.user, &announced.user)
        && tells_time(last, token)
    {
        browser::set_clock(response, &token.payload.0);
    }
    // Tokens belong to the front token they come with, and are discarded with it.
    let is_discarded = change.user == Write::Keep && !matches!(announced.user, Announced::Nothing);
    if change.user != Write::Remove && !is_discarded {
        keep(response, header::ACCESS_TOKEN, front_cookie::ACCESS_TOKEN);
        keep(response, header::REFRESH_TOKEN, front_cookie::REFRESH_TOKEN);
    }
    if change.anonymous == Write::Store {
        keep(response, header::ANONYMOUS_TOKEN, front_cookie::ANONYMOUS_TOKEN);
    }
    if change.user == Write::Store || change.anonymous == Write::Store {
        keep(response, header::ANTI_CSRF, front_cookie::ANTI_CSRF);
    }
}

/// Stores the token in a response header, if it is there; an empty one deletes.
fn keep(response: &browser::Response, header: &str, cookie: &str) {
    let token = browser::get_header(response, header);
    if !token.is_undefined() {
        browser::set_cookie(cookie, &token);
    }
}

/// Deletes a cookie that is there.
fn forget(cookie: &str) {
    if !browser::get_cookie(cookie).is_undefined() {
        browser::set_cookie(cookie, &"".into());
    }
}
