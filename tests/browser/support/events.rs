//! The events that were fired.

use std::{cell::RefCell, rc::Rc};

use passerby::{Event, Subscription};

use super::page::state;

/// Records each event with the state that could be read inside of its callback.
#[derive(Debug)]
pub(crate) struct Events {
    fired: Rc<RefCell<Vec<String>>>,
    _subscription: Subscription,
}

impl Events {
    /// From now on.
    pub(crate) fn listen() -> Self {
        let fired = Rc::new(RefCell::new(Vec::new()));
        let place = fired.clone();
        let _subscription =
            passerby::on_event(move |event| place.borrow_mut().push(describe(event)));
        Self { fired, _subscription }
    }

    /// Such as `UNAUTHORISED(true) in anonymous`; forgets them.
    pub(crate) fn take(&self) -> Vec<String> {
        self.fired.take()
    }
}

/// An event in words.
pub(crate) fn describe(event: Event) -> String {
    let detail = match event {
        Event::Unauthorised { expired_or_revoked } => format!("({expired_or_revoked})"),
        _ => String::new(),
    };
    format!("{}{detail} in {}", event.action(), state())
}
