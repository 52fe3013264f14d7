//! The session machine of this page, and what connects it with the host module, which keeps what only JavaScript can hold.

use alloc::boxed::Box;
use core::cell::Cell;

use passerby_protocol::{
    machine::{Answer, Config as Rules, Kept, Machine, Message, Operation, TaskId, View},
    request::AnonymousMode,
    response::{Announced, Verdict},
    state::{Mark, SessionState, Slot, Stored, Token},
};

use crate::{
    browser::{self, Browser, FrontToken, Payload, Promise, seen},
    config::Settings,
    error::Fault,
    perform::perform,
    single_thread::page_local,
};

/// The SDK after `init`. There is one for each page, for as long as that lives: tasks may outlive a `dispose`.
pub(crate) struct App {
    settings: Cell<Option<&'static Settings>>,
    /// Taken out while it works, which runs no code of the page.
    machine: Cell<Option<Box<Machine<Browser>>>>,
}

page_local! {
    // Leaked: what needs no destructor costs no code that checks whether it ran.
    static APP: Cell<Option<&'static App>> = Cell::new(None);
}

/// The settings of the initialised SDK.
pub(crate) fn settings() -> Result<&'static Settings, Fault> {
    APP.get().and_then(|app| app.settings.get()).ok_or(Fault::NotInitialised)
}

/// Makes the SDK ready, in place of an earlier one of this page.
pub(crate) fn start(settings: Settings, mode: AnonymousMode) {
    let rules = Rules {
        has_endpoint: settings.has_endpoint,
        verifies: settings.verifies,
        expired_status: settings.expired_status,
        invalid_claim_status: settings.invalid_claim_status,
        retry_limit: settings.retry_limit,
    };
    let app = APP.get().unwrap_or_else(|| {
        let machine = Cell::new(Some(Box::new(Machine::new(rules, mode))));
        Box::leak(Box::new(App { settings: Cell::new(None), machine }))
    });
    APP.set(Some(app));
    app.settings.set(Some(Box::leak(Box::new(settings))));
    tell(|machine, view| {
        machine.configure(rules, mode);
        machine.started(view);
    });
}

/// Forgets the SDK; what is under way goes on.
pub(crate) fn forget() {
    if let Some(app) = APP.get() {
        app.settings.set(None);
    }
}

fn with<T>(act: impl FnOnce(&mut Machine<Browser>) -> T) -> Option<T> {
    let app = APP.get()?;
    let mut machine = app.machine.take()?;
    let result = act(&mut machine);
    app.machine.set(Some(machine));
    Some(result)
}

/// Tells the machine something, and does what it then wants.
fn tell(act: impl FnOnce(&mut Machine<Browser>, &View<Browser>)) {
    let view = view();
    with(|machine| act(machine, &view));
    while let Some(action) = with(Machine::next_action).flatten() {
        perform(action);
    }
}

/// What this browser knows now.
pub(crate) fn state() -> SessionState<Browser> {
    let view = view();
    // Before `start` nothing is known, whatever the cookies say.
    settings().ok().and_then(|_| with(|machine| machine.state(&view))).unwrap_or(SessionState::Unknown)
}

/// Operations, in the order of their numbers.
const OPERATIONS: [Operation; 11] = [
    Operation::Exists,
    Operation::IsAnonymous,
    Operation::UserId,
    Operation::AnonymousId,
    Operation::Payload,
    Operation::AccessToken,
    Operation::Refresh,
    Operation::SignOut,
    Operation::Forget,
    Operation::Switch(false),
    Operation::Switch(true),
];

/// Begins an operation of the app.
pub(crate) fn operate(operation: Operation) -> Promise {
    let number = OPERATIONS.iter().position(|candidate| *candidate == operation);
    browser::start(number.map_or(0, |number| number as i32))
}

/// What the host module calls to begin a task: an operation by its number, or a request, whose body is a stream if `is_once`.
pub(crate) fn begin(task: TaskId, operation: i32, is_once: bool) {
    if let Err(fault) = settings() {
        return browser::finish(task, false, &fault.into());
    }
    tell(|machine, view| match OPERATIONS.get(operation as usize) {
        Some(operation) => machine.operation(task, *operation, view),
        None => machine.request(task, is_once, view),
    });
}

/// What the host module calls when something that a task waited for has happened. `number` says more.
pub(crate) fn input(happened: i32, task: TaskId, number: i32) {
    tell(|machine, view| match happened {
        0 => machine.changed(view),
        1 => machine.hooked(task, number > 0, view),
        2 => machine.locked(task, view),
        3 => machine.timer(task, view),
        4 => machine.answered(task, answer(), view),
        5 => machine.rejected(task, view),
        6 => machine.message(task, message(number), view),
        7 => machine.written(task, Kept { user: number & 1 > 0, anonymous: number & 2 > 0 }, view),
        8 => machine.verified(task, [Some(false), Some(true)].get(number as usize).copied().flatten(), view),
        _ => machine.done(task, view),
    });
}

fn message(number: i32) -> Message {
    match number {
        0 => Message::TryRefresh,
        1 => Message::Other(Verdict::Ended),
        2 => Message::Other(Verdict::Theft),
        _ => Message::Other(Verdict::Unclear),
    }
}

// --- what the host module has seen, number by number (`look` and `lookAt` there) ---------------------------------------

/// What the machine may look at now. Read every time: other tabs write it too.
fn view() -> View<Browser> {
    browser::look();
    View {
        stored: Stored { changed: mark(), user: slot(USER), anonymous: slot(ANONYMOUS) },
        latest: passerby_protocol::response::Last { id: seen(11) as u32, issued_at: seen(12) },
        now: seen(13),
        server_now: seen(14),
        has_access_token: seen(15) > 0.0,
        has_refresh_token: seen(16) > 0.0,
    }
}

/// Where the numbers of a front token begin.
const USER: u32 = 1;
const ANONYMOUS: u32 = 6;

/// In place of the number of a front token: there is none, or one that cannot be read or was removed.
const NOTHING: f64 = -1.0;

fn mark() -> Option<Mark> {
    let changed = seen(0);
    (changed >= 0.0).then_some(Mark(changed))
}

fn token(at: u32) -> Token<Browser> {
    let anonymous_id = seen(at + 2);
    Token {
        id: seen(at + 1) as u32,
        anonymous_id: (anonymous_id >= 0.0).then_some(anonymous_id as u32),
        issued_at: seen(at + 3),
        expires_at: seen(at + 4),
        payload: Payload(FrontToken(seen(at) as u32)),
    }
}

fn slot(at: u32) -> Slot<Token<Browser>> {
    match seen(at) {
        NOTHING => Slot::Empty,
        number if number < NOTHING => Slot::Unreadable,
        _ => Slot::Token(token(at)),
    }
}

/// The answer that the host module has looked at.
fn answer() -> Answer<Browser> {
    let announced = |at| match seen(at) {
        NOTHING => Announced::Nothing,
        number if number < NOTHING => Announced::Removed,
        _ => Announced::Token(token(at)),
    };
    Answer {
        user: announced(17),
        anonymous: announced(22),
        status: seen(27) as u16,
        ok: seen(28) > 0.0,
        limited: seen(29) > 0.0,
        has_tokens: seen(30) > 0.0,
    }
}
