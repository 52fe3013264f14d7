//! The events that were fired.

use std::{cell::RefCell, rc::Rc};

use js_sys::Reflect;
use wasm_bindgen::prelude::*;

use super::page::state;

/// Records each event with the state that could be read inside of its callback.
#[derive(Clone, Default)]
pub(crate) struct Events(Rc<RefCell<Vec<String>>>);

impl Events {
    /// Such as `UNAUTHORISED(true) in anonymous`; forgets them.
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// The function for `on_handle_event`.
    pub(crate) fn handler(&self) -> JsValue {
        let events = self.0.clone();
        let handler = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
            events.borrow_mut().push(describe(&event))
        });
        handler.into_js_value()
    }
}

/// Reads an event.
pub(crate) fn describe(event: &JsValue) -> String {
    let property = |name: &str| Reflect::get(event, &name.into()).expect("an event is an object");
    let action = property("action").as_string().expect("an event has an action");
    let detail = property("sessionExpiredOrRevoked")
        .as_bool()
        .map_or(String::new(), |flag| format!("({flag})"));
    format!("{action}{detail} in {}", state())
}
