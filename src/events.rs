//! The events of sessions, for listeners in Rust.

use std::cell::RefCell;

use js_sys::{Function, Reflect};
use passerby_protocol::state::Event;
use wasm_bindgen::prelude::*;

use crate::subscription::Subscription;

thread_local! {
    static LISTENERS: RefCell<Vec<Function>> = const { RefCell::new(Vec::new()) };
}

/// Calls `listener` with each event of this tab, until the subscription is dropped; but for
/// `API_INVALID_CLAIM`, which is about a request, whose caller has the answer. The new state
/// is stored by then: [`snapshot`](crate::snapshot) shows it. May be called before
/// [`init`](crate::init), so that no event is missed.
///
/// ```no_run
/// use passerby::Event;
///
/// let _subscription = passerby::on_event(|event| match event {
///     Event::SessionCreated => { /* Load the visitor's orders. */ }
///     Event::SignOut | Event::Unauthorised { .. } => { /* Forget them. */ }
///     _ => {}
/// });
/// ```
pub fn on_event(listener: impl Fn(Event) + 'static) -> Subscription {
    let listener = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
        if let Some(event) = read(&event) {
            listener(event);
        }
    });
    let function: Function = listener.as_ref().clone().unchecked_into();
    LISTENERS.with_borrow_mut(|listeners| listeners.push(function.clone()));
    Subscription::new(move || {
        LISTENERS.with_borrow_mut(|listeners| listeners.retain(|other| *other != function));
        drop(listener);
    })
}

/// The function that JavaScript calls with each event.
pub(crate) fn handler() -> JsValue {
    let handler = Closure::<dyn Fn(JsValue)>::new(|event: JsValue| {
        let mut thrown = None;
        for listener in LISTENERS.with_borrow(Vec::clone) {
            // Another one may have dropped it meanwhile.
            let is_there = LISTENERS.with_borrow(|listeners| listeners.contains(&listener));
            if is_there && let Err(error) = listener.call1(&JsValue::UNDEFINED, &event) {
                thrown = Some(error);
            }
        }
        if let Some(error) = thrown {
            // The caller writes it to the console.
            wasm_bindgen::throw_val(error);
        }
    });
    handler.into_js_value()
}

fn read(event: &JsValue) -> Option<Event> {
    let property = |name: &str| Reflect::get(event, &name.into()).ok();
    let action = property("action")?.as_string()?;
    let expired_or_revoked = property("sessionExpiredOrRevoked")?.is_truthy();
    events(expired_or_revoked).into_iter().find(|event| event.action() == action)
}

/// All events, in the order of `names.js`.
pub(crate) fn events(expired_or_revoked: bool) -> [Event; 10] {
    [
        Event::AnonymousSessionCreated,
        Event::AnonymousSessionReplaced,
        Event::AnonymousSessionRemoved,
        Event::SessionCreated,
        Event::AccessTokenPayloadUpdated,
        Event::TokenNotStored,
        Event::RefreshSession,
        Event::SignOut,
        Event::TokenTheftDetected,
        Event::Unauthorised { expired_or_revoked },
    ]
}
