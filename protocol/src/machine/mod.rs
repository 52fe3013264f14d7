//! The session machine of one tab: everything that decides in which order things happen, without
//! doing any of it.
//!
//! A shell hands in what happened ([`Machine::request`], [`Machine::answered`],
//! [`Machine::changed`] and the others, each with a [`View`] of storage and clocks) and carries out
//! the [`Action`]s that [`Machine::next_action`] gives it, in that order, until there are no more.
//! The machine does no I/O, has no clock and waits for nothing, so that a simulator can try any
//! order of events.
//!
//! `request.rs` is the way of one request, from the call to the response. `refresh.rs` is the one
//! refresh of this tab, `operation.rs` what an app can ask or do, `endpoint.rs` anonymous sessions
//! of a back end that knows nothing of them, `leader.rs` the first request of a new visitor.

mod action;
mod endpoint;
#[cfg(test)]
mod fuzz;
mod leader;
mod list;
mod operation;
mod refresh;
mod request;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;

pub use action::*;
use list::{List, Node};
pub use operation::Operation;

use crate::{
    request::{AnonymousMode, proves_no_anonymous_support},
    response::{
        Announced, Asked, Change, LatestSeen, Response, Verdict, Write, interpret, is_contested,
        tells_time,
    },
    state::{Event, HostTypes, Mark, SessionState, Slot, Stored, Token},
};

/// Names a task. The shell chooses a new positive number for each that it starts; the machine's own
/// are negative.
pub type TaskId = i32;

/// Named by no task. An optional number would be two of them: 30 bytes of the built module
/// (brotli).
const NO_TASK: TaskId = 0;

/// Milliseconds by which the mark of a state that is not written is later than one that is.
const UNSTORED: f64 = 1.0 / 1024.0;

/// The app's configuration, as far as the order of events depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether an endpoint of the app makes the anonymous sessions.
    pub has_endpoint: bool,
    /// Whether the signatures of its tokens are checked.
    pub verifies: bool,
    /// Status code of a refusal for want of a valid session.
    pub expired_status: u16,
    /// Status code of a refusal because of a claim.
    pub invalid_claim_status: u16,
    /// How often one request may refresh and be sent again.
    pub retry_limit: u32,
}

/// The things that the shell sees when it reports something.
pub struct View<V: HostTypes> {
    /// The stored front tokens.
    pub stored: Stored<V>,
    /// The latest front token of a user session that this page has seen.
    pub latest: LatestSeen<V::Id>,
    /// By this device's clock, in epoch milliseconds.
    pub now: f64,
    /// The server's time, in epoch milliseconds.
    pub server_now: f64,
    /// Whether the access and refresh token of header mode are stored.
    pub has_access_token: bool,
    /// Whether the refresh token of header mode is stored.
    pub has_refresh_token: bool,
}

/// The parts of a response that the machine needs.
pub struct Answer<V: HostTypes> {
    /// The status code.
    pub status: u16,
    /// Whether the server says that it makes no anonymous session now, because there were too many.
    pub limited: bool,
    /// Whether tokens of a user session in header mode come with it.
    pub has_tokens: bool,
    /// The front token of the user session, as announced.
    pub user: Announced<Token<V>>,
    /// The front token of the anonymous session, as announced; of an answer of the app's endpoint,
    /// the token in its body.
    pub anonymous: Announced<Token<V>>,
}

/// The meaning of a `message` in a response's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The access token has to be refreshed.
    TryRefresh,
    /// Anything else that matters in the answer to a refresh.
    Other(Verdict),
}

/// The outcome of an order to store. A token counts as kept where another tab wrote another one in
/// the same moment, and where none was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The browser kept all of it.
    All,
    /// It did not keep the anonymous session's front token.
    NotAnonymous,
    /// It did not keep the user session's front token, and perhaps neither of them.
    NotUser,
}

impl Kept {
    /// From whether it kept each of them.
    #[must_use]
    pub fn of(user: bool, anonymous: bool) -> Self {
        match (user, anonymous) {
            (true, true) => Self::All,
            (true, false) => Self::NotAnonymous,
            (false, _) => Self::NotUser,
        }
    }
}

/// The purpose of a task. `matches!` asks for it, because a derived `==` of an enum in an enum
/// takes 80 bytes (brotli) of the built module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A request: the app's, a sign-out or a forgetting.
    Request(Call),
    /// An operation of the app.
    Operation(Operation),
    /// The refresh of this tab.
    Refresh,
    /// Making an anonymous session at the app's endpoint.
    Creation,
}

/// Where a task is: what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing yet.
    Begin,
    /// Its turn as a new visitor's first request.
    Turn,
    /// The refresh that tells whether there is a session, or whose.
    Probe,
    /// The app's endpoint, before it goes on.
    Endpoint,
    /// The app's hook before the call.
    Prepare,
    /// The lock.
    Lock,
    /// The answer.
    Answer,
    /// Storing what the answer says.
    Store,
    /// The app's endpoint, before the app hears of a change.
    EndpointBeforeEvents,
    /// The `message` in the answer.
    Message,
    /// The claims in the answer.
    Claims,
    /// The refresh after a refusal, or of an expired session.
    Refresh,
    /// The app's hook after the call.
    ShowAnswer,
    /// The body of the answer to a sign-out.
    ReadSignOut,
    /// Storing the end of the session after a sign-out.
    StoreEnd,
    /// A verdict on a signature.
    Verify,
}

/// The thing that a task waited for.
#[repr(u8)]
enum Cause {
    /// It begins.
    Begun,
    /// The lock is there, or was waited for long enough; or, with `false`, another task had its
    /// turn and is over.
    Locked(bool),
    /// A refresh on its behalf is over.
    Refreshed(Refreshed),
    /// The token that the endpoint was asked for is there, or cannot be had.
    Created,
    Answered,
    Message(Message),
    Written(Kept),
    /// Whether the signature is good; nothing when that cannot be told.
    Verified(Option<bool>),
    /// It is done; or, with `false`, the hook or the call failed.
    Done(bool),
}

/// The outcome of asking for a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refreshed {
    /// There is a newer session than the one the refresh was wanted for.
    Retry,
    /// There is no user session. The task has the reason.
    Ended,
    /// Nobody knows. The state is as it was. The task has the reason.
    Failed,
}

struct Task<V: HostTypes> {
    id: TaskId,
    kind: Kind,
    step: Step,
    /// The state that it acts on: when its call was sent, or what a refresh is wanted for.
    before: SessionState<V>,
    /// The session that the caller's refresh is on behalf of, while it waits for one.
    wanted: SessionState<V>,
    /// The refresh that it waits for, or the call of an endpoint.
    flight: TaskId,
    /// Whether others started that one.
    shares: bool,
    /// Whether it leads a new visitor's requests.
    leads: bool,
    /// Whether it has asked who the visitor is.
    has_asked: bool,
    /// Whether a session was announced by another answer while its call was under way.
    is_crossed: bool,
    /// Whether its body is a stream, which can be sent once.
    is_once: bool,
    /// Whether creating an anonymous session is told.
    tells: bool,
    /// Whether it led, and its answer may have brought nothing to a visitor whose session the
    /// server knows.
    recovers: bool,
    /// Whether its call says that the app does not want anonymous sessions.
    says_off: bool,
    /// The session that a sign-out is to end, or the anonymousId that is to be forgotten.
    subject: Option<V::Id>,
    /// The mark with which its change was stored.
    mark: f64,
    attempts: u32,
    /// Why the latest refresh that it waited for gave no session.
    reason: Reason,
    /// Whether an operation could not refresh.
    has_failed: bool,
    change: Change,
    /// As in the latest [`Answer`]; 0 before the first.
    status: u16,
    /// As in the latest [`Answer`].
    limited: bool,
    /// As in the latest [`Answer`].
    has_tokens: bool,
    /// The announcements of the latest answer, and what is known of it for the rules.
    response: Response<V>,
}

/// Whether it is 200 to 299.
fn is_ok(status: u16) -> bool {
    status / 100 == 2
}

impl<V: HostTypes> Task<V> {
    /// Whether it is a request of this kind.
    fn is_for(&self, call: Call) -> bool {
        matches!(self.kind, Kind::Request(kind) if kind == call)
    }

    /// Whether a sign-out says which session it is about, so that the server ends no other. A
    /// server that is not known to be ours gets the call that it knows. Where the server refuses
    /// again after a refresh, what stands here is not what the browser has, be it planted; the
    /// visitor wants to sign out all the same.
    fn names_session(&self) -> bool {
        self.is_for(Call::SignOut)
            && self.attempts < 2
            && self.before.user().and_then(V::anonymous_id).is_some()
    }

    /// Whether the latest answer announces a user session.
    fn is_announced(&self) -> bool {
        matches!(self.response.user, Announced::Token(_))
    }
}

/// The session of one tab. See the [module](self).
pub struct Machine<V: HostTypes> {
    config: Config,
    mode: AnonymousMode,
    /// The session as of this step.
    now: SessionState<V>,
    /// The server makes no anonymous sessions, as a response on this page showed.
    no_anonymous_support: bool,
    /// When the latest question whether there is a session failed, in epoch milliseconds.
    probe_failed_at: f64,
    /// The browser may hold cookies of another session than the one that is stored.
    contested: bool,
    /// When asking about that failed, in epoch milliseconds.
    doubt_failed_at: f64,
    /// How many answers in turn left that in doubt.
    doubts: u8,
    /// The last user session that began in this tab, and the mark that it was written with, in
    /// epoch milliseconds.
    written: Option<(V::Id, f64)>,
    /// The token because of which the server was asked: its id and `iat`.
    doubted: Option<(V::Id, f64)>,
    /// When the server said that there is no session, and that is not to be written down: the app
    /// has no consent for anything. It counts as a tombstone does.
    unstored_none: Mark,
    /// The session whose end this tab told the app of last.
    ended: Option<V::Id>,
    /// The anonymousIds that the visitor wanted to be forgotten. A request that was under way may
    /// bring one back; it stands here once more for each time that it was forgotten again.
    forgotten: List<V::Id>,
    /// A front token that is over, and that the browser would not delete: its id and `iat`.
    undeleted: Option<(V::Id, f64)>,
    /// When the browser last did not keep something, in epoch milliseconds: it blocks cookies, or
    /// the page was left and runs on.
    refused_at: f64,
    /// The refresh under way.
    flight: TaskId,
    /// The call of the app's endpoint under way.
    creation: TaskId,
    /// The task that leads, or is about to.
    leader: TaskId,
    tasks: List<Task<V>>,
    /// The latest number that the machine gave to a task of its own.
    own: TaskId,
    /// The actions that nobody has asked for yet, the latest first.
    wanted: List<Action>,
    /// Those before them, the earliest first.
    actions: List<Action>,
    /// The one that was handed out.
    action: Option<Box<Node<Action>>>,
}

impl<V: HostTypes> Machine<V> {
    /// A machine that knows nothing yet.
    #[must_use]
    pub const fn new(config: Config, mode: AnonymousMode) -> Self {
        Self {
            config,
            mode,
            now: SessionState::Unknown,
            no_anonymous_support: false,
            probe_failed_at: 0.0,
            contested: false,
            doubt_failed_at: 0.0,
            doubts: 0,
            written: None,
            doubted: None,
            unstored_none: Mark::NONE,
            ended: None,
            undeleted: None,
            refused_at: 0.0,
            forgotten: List::new(),
            flight: NO_TASK,
            creation: NO_TASK,
            leader: NO_TASK,
            tasks: List::new(),
            own: 0,
            wanted: List::new(),
            actions: List::new(),
            action: None,
        }
    }

    /// Takes another configuration over, which may be of another server: what this one said of
    /// itself is over. Knowledge of the visitor stays. Tasks under way go on, and tasks that
    /// begin later do not wait for their refresh, or for their call of an endpoint. After the app
    /// took the SDK back (`goes_on` is `false`), it starts as in another page, and the ids that it
    /// knew are not given again.
    pub fn configure(&mut self, config: Config, mode: AnonymousMode, goes_on: bool) {
        if !goes_on {
            self.contested = false;
            // A session of the new page is another one, and crosses nothing.
            self.written = None;
        }
        self.config = config;
        self.mode = mode;
        self.no_anonymous_support = false;
        self.unstored_none = Mark::NONE;
        self.probe_failed_at = 0.0;
        self.doubt_failed_at = 0.0;
        // Cookies may be written in another way now.
        self.refused_at = 0.0;
        self.flight = NO_TASK;
        self.creation = NO_TASK;
    }

    /// The page has started with the configuration. Where anonymous sessions are off, nobody else
    /// would remove what is left of them in this browser alone.
    pub fn started(&mut self, view: &View<V>) {
        if self.mode != AnonymousMode::Off {
            return;
        }
        self.act_plainly(NO_TASK, Plain::ForgetKey);
        if self.config.has_endpoint {
            self.look_at(view);
            let mut task = self.own_task(Kind::Creation);
            self.commit_removal(&mut task, false, view);
        }
    }

    /// The next action.
    pub fn next_action(&mut self) -> Option<&Action> {
        if self.actions.is_empty() {
            while let Some(action) = self.wanted.pop() {
                self.actions.push(action);
            }
        }
        self.action = self.actions.pop();
        self.action.as_ref().map(|action| &***action)
    }

    /// How the app wants anonymous sessions now.
    #[must_use]
    pub fn mode(&self) -> AnonymousMode {
        self.mode
    }

    /// Whether no task is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Whether the server still has to be asked whose cookies the browser holds.
    #[must_use]
    pub fn has_doubts(&self) -> bool {
        self.contested
            || self.tasks.iter().any(|task| matches!(task.kind, Kind::Refresh) && task.has_asked)
    }

    /// Whether this tab has the anonymousId forgotten if it comes back.
    #[must_use]
    pub fn forgets(&self, id: &V::Id) -> bool {
        /// How often the server is asked again to forget one id. The browser may hold an older
        /// cookie that the server does not delete, and each tab would ask because of what another
        /// one reads.
        const LIMIT: usize = 3;
        let times = self.forgotten.iter().filter(|forgotten| *forgotten == id).count();
        (1..=LIMIT).contains(&times)
    }

    /// The session, as far as this browser knows.
    #[must_use]
    pub fn state(&self, view: &View<V>) -> SessionState<V> {
        self.stored(view).state()
    }

    /// The same. The machine takes note of it, as at the beginning of each step, and after what it
    /// depends on has changed.
    pub fn look_at(&mut self, view: &View<V>) -> &SessionState<V> {
        // If what was written since is gone again, nobody knows.
        if view.stored.changed.is_there() {
            self.unstored_none = Mark::NONE;
        }
        let id = |state: &SessionState<V>| state.token().map(|token| token.id);
        let before = id(&self.now);
        self.now = self.state(view);
        // In this session it may be true.
        if id(&self.now) != before {
            self.doubted = None;
        }
        &self.now
    }

    /// The stored state that counts.
    fn stored(&self, view: &View<V>) -> Stored<V> {
        let mut stored = view.stored;
        if let (Slot::Token(token), Some((id, issued_at))) = (&stored.user, &self.undeleted)
            && token.id == *id
            && token.issued_at == *issued_at
        {
            stored.user = Slot::Empty;
        }
        // An endpoint's token is kept during a user session, which is what may be lost here.
        if !stored.changed.is_there() && self.mode == AnonymousMode::Endpoint {
            stored.anonymous = Slot::Empty;
        }
        // A token that was written since counts, be it without its mark.
        if stored.is_clean() && !stored.changed.is_there() {
            stored.changed = self.unstored_none;
        }
        stored
    }

    // --- what happens ----------------------------------------------------------------------------

    /// The app makes a request. `is_once` says that its body is a stream.
    pub fn request(&mut self, task: TaskId, is_once: bool, view: &View<V>) {
        self.begin(task, Kind::Request(Call::App), is_once, view);
    }

    /// The app asks or does something.
    pub fn operation(&mut self, task: TaskId, operation: Operation, view: &View<V>) {
        self.begin(task, Kind::Operation(operation), false, view);
    }

    /// Something was written by another tab, or may have been.
    pub fn changed(&mut self, view: &View<V>) {
        self.look_at(view);
        self.give_up_calls(view);
        self.settle_contest(view);
        self.forget_again(view);
    }

    /// The lock is there, or the task has waited for it, or for its turn, long enough: another
    /// request could be one that takes for ever. Locks only save calls, and the rules hold without.
    pub fn locked(&mut self, task: TaskId, view: &View<V>) {
        self.resume(task, Cause::Locked(true), view);
    }

    /// There is an answer.
    pub fn answered(&mut self, task: TaskId, answer: Answer<V>, view: &View<V>) {
        let is_awaited = |other: &Task<V>| other.id == task && other.step == Step::Answer;
        self.look_at(view);
        if let Some(mut task) = self.tasks.take(is_awaited) {
            task.status = answer.status;
            task.limited = answer.limited;
            task.has_tokens = answer.has_tokens;
            task.response.user = answer.user;
            task.response.anonymous = answer.anonymous;
            self.advance(task, Cause::Answered, view);
        }
    }

    /// Whether an answer that says nothing of the session, and whose status is below 300, may be
    /// reported with the view of the latest step. Looking at what is stored takes a browser longer
    /// than all the rest of a request.
    #[must_use]
    pub fn needs_no_look(&self) -> bool {
        self.flight == NO_TASK
            && self.forgotten.is_empty()
            && matches!(self.mode, AnonymousMode::Unspecified | AnonymousMode::On)
            && self.now.token().is_some()
    }

    /// The message in the body of the answer.
    pub fn message(&mut self, task: TaskId, message: Message, view: &View<V>) {
        self.resume(task, Cause::Message(message), view);
    }

    /// The tokens were stored, or refused.
    pub fn written(&mut self, task: TaskId, kept: Kept, view: &View<V>) {
        self.resume(task, Cause::Written(kept), view);
    }

    /// Whether the signature is good; nothing when that cannot be told.
    pub fn verified(&mut self, task: TaskId, is_good: Option<bool>, view: &View<V>) {
        self.resume(task, Cause::Verified(is_good), view);
    }

    /// It is done. If not `ok`, it failed: the app's hook threw, the call got no answer, or the
    /// body that was read is an error.
    pub fn done(&mut self, task: TaskId, ok: bool, view: &View<V>) {
        self.resume(task, Cause::Done(ok), view);
    }

    // --- tasks -----------------------------------------------------------------------------------

    fn begin(&mut self, id: TaskId, kind: Kind, is_once: bool, view: &View<V>) {
        self.look_at(view);
        // A number that is taken would be two tasks.
        if self.tasks.iter().all(|task| task.id != id) {
            let mut task = self.task(id, kind);
            task.is_once = is_once;
            self.advance(task, Cause::Begun, view);
        }
    }

    /// A task of the machine's own, which is not run yet.
    fn own_task(&mut self, kind: Kind) -> Box<Node<Task<V>>> {
        self.own = self.own.wrapping_sub(1).min(-1);
        self.task(self.own, kind)
    }

    fn task(&self, id: TaskId, kind: Kind) -> Box<Node<Task<V>>> {
        let mut task = Node::new(Task {
            id,
            kind,
            step: Step::Begin,
            before: SessionState::Unknown,
            wanted: SessionState::Unknown,
            flight: NO_TASK,
            shares: false,
            leads: false,
            has_asked: false,
            is_crossed: false,
            is_once: false,
            tells: true,
            recovers: false,
            says_off: false,
            subject: None,
            attempts: 0,
            reason: Reason::Nothing,
            has_failed: false,
            change: Change::NOTHING,
            mark: 0.0,
            status: 0,
            limited: false,
            has_tokens: false,
            response: Response {
                asked: Asked::App,
                anonymous_is_servers: true,
                refused: false,
                user: Announced::Nothing,
                anonymous: Announced::Nothing,
            },
        });
        // Not above, where both would be copied twice.
        task.before = self.now;
        task.wanted = self.now;
        task
    }

    fn resume(&mut self, id: TaskId, cause: Cause, view: &View<V>) {
        self.look_at(view);
        // One that waits for another task's end waits for nothing else.
        if let Some(task) = self.tasks.take(|task| task.id == id && task.flight == NO_TASK) {
            self.advance(task, cause, view);
        }
    }

    /// Goes on with a task until it waits for something, or is over. An input that it did not wait
    /// for changes nothing.
    fn advance(&mut self, mut task: Box<Node<Task<V>>>, cause: Cause, view: &View<V>) {
        let goes_on = match task.kind {
            Kind::Request(_) => self.advance_request(&mut task, cause, view),
            Kind::Operation(operation) => self.advance_operation(&mut task, operation, cause, view),
            Kind::Refresh => self.advance_refresh(&mut task, cause, view),
            Kind::Creation => self.advance_creation(&mut task, cause, view),
        };
        if goes_on {
            self.tasks.push(task);
        }
        let kind = core::mem::discriminant::<SessionState<V>>;
        debug_assert!(kind(&self.now) == kind(&self.state(view)), "it changed unnoticed");
    }

    fn act(&mut self, action: Action) {
        self.wanted.push(Node::new(action));
    }

    /// A function of its own, so that those that call it need no place for an action: 80 bytes of
    /// the built module (brotli).
    #[inline(never)]
    fn act_plainly(&mut self, task: TaskId, what: Plain) {
        self.act(Action::Plain { task, what });
    }

    fn fire(&mut self, task: TaskId, event: Event) {
        self.act(Action::Fire { task, event });
    }

    /// Tells what an answer said. Storing may have held that up: of a session that others have
    /// ended since, nothing is told, and no end twice.
    fn fire_all(&mut self, task: &Task<V>) {
        let session = task.before.user().map(|token| token.id);
        // Another tab may have brought it back for a moment, by an answer of before.
        let was_told = self.was_told_of_the_end(session);
        for event in &task.change.events {
            let Some(event) = *event else { continue };
            let is_true = match event {
                Event::AnonymousSessionCreated | Event::AnonymousSessionReplaced => {
                    self.now.anonymous().is_some()
                }
                Event::AccessTokenPayloadUpdated => self.now.token().is_some(),
                Event::SessionCreated => self.now.user().is_some(),
                Event::SignOut | Event::TokenTheftDetected | Event::Unauthorised { .. } => {
                    self.ended = session;
                    !was_told
                }
                _ => true,
            };
            if is_true {
                self.fire(task.id, event);
            }
        }
    }

    /// Tells the caller; the task is over.
    fn settle(&mut self, task: &mut Task<V>, outcome: Outcome, view: &View<V>) -> bool {
        self.stop_leading(task, view);
        self.act(Action::Settle { task: task.id, outcome });
        false
    }

    /// Tells the app that a user session was required, unless it heard of the end of this very
    /// session already, be it by the question before the request went.
    fn fire_unauthorised(&mut self, task: &Task<V>) {
        let has_ended =
            |state: &SessionState<V>| self.was_told_of_the_end(state.user().map(|token| token.id));
        if !has_ended(&task.before) && !has_ended(&task.wanted) {
            self.fire(task.id, Event::Unauthorised { expired_or_revoked: false });
        }
    }

    /// Whether the app hears nothing of what the answer said.
    fn tells_nothing(&self, task: &Task<V>) -> bool {
        task.change.events[0].is_none()
            || self.was_told_of_the_end(task.before.user().map(|token| token.id))
    }

    fn was_told_of_the_end(&self, session: Option<V::Id>) -> bool {
        session.is_some() && self.ended == session
    }

    fn is_expired(token: &Token<V>, view: &View<V>) -> bool {
        token.expires_at < view.server_now
    }

    // --- answers ---------------------------------------------------------------------------------

    /// Works out what the answer means, and has it stored. `false` when there is nothing to store.
    fn commit(&mut self, task: &mut Task<V>, asked: Asked, view: &View<V>) -> bool {
        let is_off = self.mode == AnonymousMode::Off;
        // A server that was told, and makes one all the same, would do so again.
        if is_off && !task.says_off && matches!(task.response.anonymous, Announced::Token(_)) {
            // Its cookie is there, should they be switched on before the next response removes it.
            self.doubt(view);
        }
        let response = &mut task.response;
        response.asked = asked;
        response.anonymous_is_servers = self.mode != AnonymousMode::Endpoint;
        response.refused = task.status == self.config.expired_status;
        if is_off {
            // One that was asked for before they were switched off does not count. Nor does one
            // that is still here, whether the server has none to remove, or somebody planted it.
            response.anonymous = Announced::Removed;
        }
        // Others than the first request go because this was shown already. An answer to a call that
        // says that the app wants none shows nothing.
        if proves_no_anonymous_support(&task.before, task.status)
            && self.now.token().is_none()
            && !task.says_off
            && (task.leads || matches!(asked, Asked::Refresh(_)))
        {
            self.no_anonymous_support = true;
        }
        if matches!(task.response.anonymous, Announced::Token(_))
            || matches!(task.response.user, Announced::Token(_))
        {
            // The answer that looked like that was to a visitor whose session this browser had lost
            // sight of.
            self.no_anonymous_support = false;
            self.tasks.for_each(|task| task.is_crossed = true);
        }
        self.store(task, task.has_tokens, view)
    }

    /// The same of an end that no answer tells: of the user session or of the anonymous one.
    fn commit_removal(&mut self, task: &mut Task<V>, is_users: bool, view: &View<V>) -> bool {
        let (user, anonymous) = if is_users {
            (Announced::Removed, Announced::Nothing)
        } else {
            (Announced::Nothing, Announced::Removed)
        };
        task.response = Response {
            asked: Asked::App,
            anonymous_is_servers: true,
            refused: false,
            user,
            anonymous,
        };
        self.store(task, false, view)
    }

    fn store(&mut self, task: &mut Task<V>, has_tokens: bool, view: &View<V>) -> bool {
        let announced = &task.response;
        let now = self.stored(view);
        let change = interpret(&task.before, &self.now, &now, &view.latest, announced);
        task.change = change;
        // Tokens of header mode are discarded with the front token, and no cookie comes with them.
        if is_contested(&task.before, &self.now, &now, &view.latest, announced, change) {
            let told = match (&announced.user, &announced.anonymous) {
                (Announced::Token(token), _) | (_, Announced::Token(token)) => {
                    Some((token.id, token.issued_at))
                }
                _ => None,
            };
            // A cache answers with the same token again and again.
            if told.is_none()
                || told != self.doubted
                || task.before.mark() != now.changed
                || change.user == Write::Store
            {
                self.doubted = told;
                self.doubt(view);
            }
        }
        let is_clean = !view.stored.changed.is_there() && now.is_clean();
        let stores = change.user == Write::Store || change.anonymous == Write::Store;
        // Tokens belong to the front token they come with, and are discarded with it.
        let is_discarded =
            change.user == Write::Keep && !matches!(announced.user, Announced::Nothing);
        let keeps_user_tokens = has_tokens && !is_discarded;
        task.mark = Mark::after(now.changed, view.now).0;
        let tells_time = match &announced.user {
            Announced::Token(token) if change.user == Write::Store => {
                // Should this tab have told of its end before, it came back since.
                self.ended = None;
                if task.before.user().is_none_or(|before| before.id != token.id) {
                    self.written = Some((token.id, task.mark));
                }
                tells_time(&view.latest, token)
            }
            _ => false,
        };
        let writes = change.writes();
        if writes {
            let is_unstored = is_clean && !stores && self.mode == AnonymousMode::Off;
            // Other tabs do not see it, and none writes the same, because theirs are whole numbers.
            // Twice a half would be whole as well.
            self.unstored_none = if is_unstored { Mark(task.mark + UNSTORED) } else { Mark::NONE };
            self.look_at(view);
        }
        if !writes && !keeps_user_tokens || writes && self.unstored_none.is_there() {
            return false;
        }
        self.act(Action::Store {
            task: task.id,
            storing: Storing {
                user: change.user,
                anonymous: change.anonymous,
                drop_unreadable: writes
                    && matches!(now.anonymous, Slot::Unreadable)
                    && change.anonymous == Write::Keep,
                keeps_user_tokens,
                tells_time,
                mark: if writes { task.mark } else { 0.0 },
            },
        });
        true
    }

    /// After storing: what is left to tell.
    fn note_written(&mut self, task: &mut Task<V>, kept: Kept, view: &View<V>) {
        // Storing may take its time: something else may have been stored since.
        let has_changed = view.stored.changed.0 > task.mark;
        match (task.change.user, &view.stored.user) {
            // It is over, wherever it comes from: perhaps it was written for another domain.
            (Write::Remove, Slot::Token(token)) if !has_changed => {
                self.undeleted = Some((token.id, token.issued_at))
            }
            (Write::Remove | Write::Store, _) => self.undeleted = None,
            (Write::Keep, _) => {}
        }
        self.look_at(view);
        // Where a user session began or ended, the app is told of that.
        let is_about_user = task.change.user == Write::Store
            || task.change.user == Write::Remove && task.before.user().is_some();
        if kept == Kept::NotUser || kept == Kept::NotAnonymous && !is_about_user {
            task.change = task.change.refused();
        }
        if kept != Kept::All || !view.stored.changed.is_there() {
            self.refused_at = view.now;
            self.probe_failed_at = view.now;
            self.doubt_failed_at = view.now;
        } else if self.mode != AnonymousMode::On || self.now.token().is_some() {
            // The server has answered, and this browser knows what it said. If it said that it
            // makes no session now, the requests under way and the next ones are one visitor's.
            self.act_plainly(NO_TASK, Plain::ForgetKey);
        }
        self.act_plainly(NO_TASK, Plain::Notify);
    }

    /// Tells the app of a change, and then does what follows from it: a refresh for a session that
    /// is gone is of no use.
    fn tell_change(&mut self, task: &Task<V>, view: &View<V>) {
        self.fire_all(task);
        self.give_up_calls(view);
        self.settle_contest(view);
        // One that forgets looks for itself.
        if !task.is_for(Call::Forget) {
            self.forget_again(view);
        }
    }
}
