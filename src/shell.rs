//! The session machine of this page, as the JavaScript that carries out its actions sees it: one
//! function with numbers, numbers in memory that it reads, and one action in memory that it leaves
//! (`src/browser/tasks.js`).

use core::{
    cell::{Cell, RefCell},
    num::NonZeroU32,
    ptr,
};

use passerby_protocol::{
    machine::{Answer, Config, Kept, Machine, Message, Operation, View},
    request::AnonymousMode,
    response::{Announced, LatestSeen, Verdict},
    state::{HostTypes, Mark, SessionState, Slot, Stored, Token},
};

use crate::single_thread::page_local;

/// How the page holds what the rules compare: numbers that JavaScript gave.
struct Browser;

impl HostTypes for Browser {
    type Id = NonZeroU32;
    type Payload = Payload;

    fn anonymous_id(token: &Token<Self>) -> Option<NonZeroU32> {
        token.payload.anonymous_id
    }
}

/// Payloads with the same number are the same.
#[derive(Clone, Copy)]
struct Payload {
    number: u32,
    anonymous_id: Option<NonZeroU32>,
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

const NOT_CONFIGURED: Config = Config {
    has_endpoint: false,
    verifies: false,
    expired_status: 0,
    invalid_claim_status: 0,
    retry_limit: 0,
};

/// How many numbers JavaScript writes.
const SEEN: usize = 28;

/// The machine, and what it sees now. The view is not on the stack: of an address that never
/// changes, each function has one parameter less, 70 bytes (brotli) in all.
struct Page {
    machine: Machine<Browser>,
    view: View<Browser>,
}

page_local! {
    static PAGE: RefCell<Page> = RefCell::new(Page {
        machine: Machine::new(NOT_CONFIGURED, AnonymousMode::Unspecified),
        view: View {
            stored: Stored { changed: Mark::NONE, user: Slot::Empty, anonymous: Slot::Empty },
            latest: LatestSeen { id: None, issued_at: f64::NAN },
            now: 0.0,
            server_now: 0.0,
            has_access_token: false,
            has_refresh_token: false,
        },
    });
}

page_local! {
    /// The numbers that JavaScript has seen: `look` there says in which order.
    static SEEN_NUMBERS: [Cell<f64>; SEEN] = [const { Cell::new(0.0) }; SEEN];
}

fn seen(index: usize) -> f64 {
    SEEN_NUMBERS.with(|numbers| numbers.get(index).map_or(0.0, Cell::get))
}

/// The machine, for JavaScript. `what` happened to the task, and `number` says more; what was seen
/// stands in memory. Returns the address of the next action, or 0; of what happens without actions,
/// something else.
pub(crate) fn turn(what: i32, task: i32, number: i32) -> usize {
    PAGE.with(|page| {
        // JavaScript does nothing while the machine is at work, so it is never taken.
        page.try_borrow_mut().map_or(0, |mut page| tell(&mut page, what, task, number))
    })
}

fn tell(Page { machine, view }: &mut Page, what: i32, task: i32, number: i32) -> usize {
    *view = look();
    let view = &*view;
    match what {
        0 => return SEEN_NUMBERS.with(|numbers| numbers.as_ptr() as usize),
        1 => {}
        2 => {
            let config = Config {
                has_endpoint: number & 4 > 0,
                verifies: number & 8 > 0,
                expired_status: status(25),
                invalid_claim_status: status(26),
                retry_limit: seen(27) as u32,
            };
            machine.configure(config, mode(number & 3), task > 0);
            return 0;
        }
        3 => {
            return match machine.look_at(view) {
                SessionState::Unknown => 0,
                SessionState::None(_) => 1,
                SessionState::Anonymous(..) => 2,
                SessionState::Authenticated(..) => 3,
            };
        }
        4 => machine.request(task, number > 0, view),
        5 => machine.operation(task, operation(number), view),
        6 => machine.changed(view),
        7 => machine.done(task, number > 0, view),
        8 => machine.locked(task, view),
        9 => machine.answered(task, answer(), view),
        10 => machine.message(task, message(number), view),
        11 => machine.written(task, kept(number), view),
        12 => machine.verified(task, (number >= 0).then_some(number > 0), view),
        13 => return machine.needs_no_look().into(),
        _ => machine.started(view),
    }
    // It stays there until the next call. Its layout is that of its type.
    machine.next_action().map_or(0, |action| ptr::from_ref(action).addr())
}

fn mode(number: i32) -> AnonymousMode {
    match number {
        0 => AnonymousMode::Unspecified,
        1 => AnonymousMode::On,
        2 => AnonymousMode::Endpoint,
        _ => AnonymousMode::Off,
    }
}

/// The operations of an app, as numbers.
pub(crate) mod operations {
    pub(crate) const EXISTS: i32 = 0;
    pub(crate) const IS_ANONYMOUS: i32 = 1;
    pub(crate) const USER_ID: i32 = 2;
    pub(crate) const ANONYMOUS_ID: i32 = 3;
    pub(crate) const PAYLOAD: i32 = 4;
    pub(crate) const ACCESS_TOKEN: i32 = 5;
    pub(crate) const REFRESH: i32 = 6;
    pub(crate) const SIGN_OUT: i32 = 7;
    pub(crate) const FORGET: i32 = 8;
    pub(crate) const SWITCH_OFF: i32 = 9;
}

fn operation(number: i32) -> Operation {
    match number {
        operations::EXISTS => Operation::Exists,
        operations::IS_ANONYMOUS => Operation::IsAnonymous,
        operations::USER_ID => Operation::UserId,
        operations::ANONYMOUS_ID => Operation::AnonymousId,
        operations::PAYLOAD => Operation::Payload,
        operations::ACCESS_TOKEN => Operation::AccessToken,
        operations::REFRESH => Operation::Refresh,
        operations::SIGN_OUT => Operation::SignOut,
        operations::FORGET => Operation::Forget,
        operations::SWITCH_OFF => Operation::SwitchOff,
        _ => Operation::SwitchOn,
    }
}

fn message(number: i32) -> Message {
    match number {
        1 => Message::Other(Verdict::Ended),
        2 => Message::Other(Verdict::Theft),
        3 => Message::TryRefresh,
        _ => Message::Other(Verdict::Unclear),
    }
}

fn kept(number: i32) -> Kept {
    match number {
        0 => Kept::All,
        1 => Kept::NotAnonymous,
        _ => Kept::NotUser,
    }
}

// --- what JavaScript has seen, number by number --------------------------------------------------

fn look() -> View<Browser> {
    let stored = |at| match token(at) {
        Some(token) => Slot::Token(token),
        None if seen(at) < 0.0 => Slot::Unreadable,
        None => Slot::Empty,
    };
    let changed = seen(0);
    let tokens = seen(5);
    View {
        stored: Stored { changed: Mark(changed), user: stored(6), anonymous: stored(11) },
        latest: LatestSeen { id: id(seen(3)), issued_at: seen(4) },
        now: seen(1),
        server_now: seen(2),
        has_access_token: tokens > 1.0,
        has_refresh_token: tokens > 0.0,
    }
}

/// A negative number is not an id. The check is ours, because the module as JavaScript does not
/// clamp them to 0.
fn id(number: f64) -> Option<NonZeroU32> {
    if number > 0.0 { NonZeroU32::new(number as u32) } else { None }
}

/// The front token whose numbers begin there; its id is 0 where there is none, and -1 for one that
/// cannot be read or was removed.
fn token(at: usize) -> Option<Token<Browser>> {
    id(seen(at)).map(|id_here| Token {
        id: id_here,
        issued_at: seen(at + 1),
        expires_at: seen(at + 2),
        payload: Payload { number: seen(at + 3) as u32, anonymous_id: id(seen(at + 4)) },
    })
}

/// By way of a larger number, because a conversion that keeps to the limits takes more code. No
/// status code is near them.
fn status(at: usize) -> u16 {
    seen(at) as u32 as u16
}

fn answer() -> Answer<Browser> {
    let announced = |at| match token(at) {
        Some(token) => Announced::Token(token),
        None if seen(at) < 0.0 => Announced::Removed,
        None => Announced::Nothing,
    };
    let more = seen(27) as u32;
    Answer {
        status: status(26),
        limited: more & 1 > 0,
        has_tokens: more & 2 > 0,
        user: announced(16),
        anonymous: announced(21),
    }
}
