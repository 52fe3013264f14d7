//! The actions that the session machine has its shell take.
//!
//! All of it has a layout that the language fixes: the browser's shell is JavaScript, and reads an
//! action where it stands in memory.

use super::TaskId;
use crate::{response::Write, state::Event};

/// Calls that a task sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Call {
    /// The app's own request.
    App,
    /// The refresh endpoint.
    Refresh,
    /// The sign-out endpoint.
    SignOut,
    /// The endpoint that gives the visitor another anonymousId.
    Forget,
    /// The app's endpoint that makes anonymous tokens. `authorization` carries the stored one, if
    /// there is one.
    Endpoint,
}

/// The stored token that `authorization` carries. No header is set where there is none, or where
/// the caller set one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bearer {
    /// The access token of header mode.
    Access,
    /// The refresh token of header mode.
    Refresh,
    /// The anonymous token of header mode.
    Anonymous,
}

/// The wish about anonymous sessions that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Wish {
    /// Nothing.
    Nothing,
    /// The app does not want them.
    Off,
    /// The key of a visitor who has no session yet.
    Key,
    /// The same key, where the API is of the page's origin: others may not allow the header.
    KeyIfSameOrigin,
}

/// The headers that a request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Headers {
    /// Whether the anti-CSRF token goes along, if there is one.
    pub anti_csrf: bool,
    /// For `authorization`.
    pub bearer: Bearer,
    /// For `st-anonymous-mode`.
    pub wish: Wish,
}

/// Locks over all tabs of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LockName {
    /// Held around a refresh call.
    Refresh,
    /// Held by the first request of a new visitor.
    Leader,
}

/// The tokens to store, and to remove. They are those of the answer that the task got.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Storing {
    /// The front token of the user session; [`Write::Remove`] goes for all tokens of that session.
    pub user: Write,
    /// The front token of the anonymous session, and its token.
    pub anonymous: Write,
    /// Whether the anonymous front token cannot be read, and goes although nothing replaces it.
    pub drop_unreadable: bool,
    /// Whether the tokens in the answer's headers belong to the user session that is kept.
    pub keeps_user_tokens: bool,
    /// Whether the answer's user token was just made, so that its `iat` tells the server's time.
    pub tells_time: bool,
    /// The new mark, in epoch milliseconds. It is written last, so that what it stands for is
    /// there.
    pub mark: f64,
}

/// Why an operation failed without an answer to show for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Failure {
    /// There is no session.
    NoSession,
    /// The session could not be refreshed.
    RefreshFailed,
    /// A refresh succeeded without a readable `front-token`.
    FrontTokenMissing,
    /// The server answered, and the visitor still has the id that was to be forgotten.
    NotForgotten,
}

/// Why a refresh did not give a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Another task was told.
    Nothing,
    /// That refresh's answer, or what its call rejected with.
    Of(TaskId),
    /// None that the server gave.
    Failure(Failure),
}

/// The result that a caller gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// The answer to the request.
    Answer,
    /// The same. The session was refreshed, but the body was a stream and cannot be sent again.
    AnswerToSpentBody,
    /// An error that is the answer.
    AnswerAsError,
    /// An error: what the task's own call or hook rejected with.
    Rejection,
    /// The refresh's answer in place of the API's, or an error that it rejected with. The API's
    /// answer where there is nothing to say.
    Refresh(Reason),
    /// The same as an error.
    RefreshAsError(Reason),
    /// An error: the request was refused again after so many refreshes.
    TooManyRetries(u32),
    /// An error without an answer.
    Failure(Failure),
    /// `undefined`.
    Undefined,
    /// A yes or a no.
    Is(bool),
    /// A property of the stored front token: the user session's if `true`, else the anonymous
    /// one's.
    Property(Property, bool),
    /// The token of header mode that belongs to the session.
    Token(Bearer),
}

/// Properties of a front token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Property {
    /// The user id, or `G-` and the anonymousId.
    UserId,
    /// The anonymousId.
    AnonymousId,
    /// The payload.
    Payload,
}

/// Things to do that need no more than a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Plain {
    /// Give the call up. Its result is not reported.
    Abort,
    /// Release the lock of the refresh, be it that it was never had.
    UnlockRefresh,
    /// The same of the first request of a new visitor.
    UnlockLeader,
    /// Do not report the timer.
    StopTimer,
    /// Read the `message` in the answer's body; report `message`.
    ReadMessage,
    /// Check the signature of the stored anonymous token; report `verified`.
    VerifyStored,
    /// The same of the one that the endpoint answered with.
    VerifyAnswered,
    /// Tell the app of the claims that the answer names; report `done`.
    ReadClaims,
    /// Show the answer to the app's hook; report `done`.
    ShowAnswer,
    /// Read the body of an answer to a sign-out; report `done`, as a failure where the back end
    /// says one.
    ReadSignOut,
    /// Forget the task, which has no caller.
    Free,
    /// Forget the key of a first visit.
    ForgetKey,
    /// Tell subscribers that what they can look at may have changed.
    Notify,
}

/// One thing to do. The shell does them in the order in which it gets them, and reports what came
/// of those that say so.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub enum Action {
    /// Make the call ready, and show it to the app's hook before it is sent; report `done`.
    Prepare {
        /// Whose.
        task: TaskId,
        /// The call.
        call: Call,
        /// Its headers.
        headers: Headers,
    },
    /// Send the call, the prepared one if there is one; report `answered`, or `done` as a failure.
    Send {
        /// Whose.
        task: TaskId,
        /// The call.
        call: Call,
        /// Its headers. A refresh goes with those that it was prepared with, because its hook has
        /// seen them.
        headers: Headers,
        /// Whether `accept` names somebody, which every server allows: a refresh call the visitor,
        /// by the key of a first visit; a sign-out the stored user session, which is the one to
        /// end.
        names: bool,
        /// Milliseconds until the call counts as failed; 0 for no limit.
        timeout: f64,
    },
    /// Get a lock; report `locked`, be it that it could not be had in time.
    Lock {
        /// Whose.
        task: TaskId,
        /// Which.
        name: LockName,
        /// Milliseconds to wait at most.
        timeout: f64,
    },
    /// Report `locked` after some milliseconds.
    StartTimer {
        /// Whose.
        task: TaskId,
        /// Milliseconds.
        after: f64,
    },
    /// Store what the answer says; report `written`.
    Store {
        /// Whose.
        task: TaskId,
        /// What.
        storing: Storing,
    },
    /// Tell the app.
    Fire {
        /// On whose behalf.
        task: TaskId,
        /// Of what.
        event: Event,
    },
    /// Tell the caller. The task is over.
    Settle {
        /// The task whose caller gets it.
        task: TaskId,
        /// What.
        outcome: Outcome,
    },
    /// Anything else.
    Plain {
        /// Whose; 0 for nobody's.
        task: TaskId,
        /// What.
        what: Plain,
    },
}
