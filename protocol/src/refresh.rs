//! When to refresh, and what a refresh led to.

use crate::state::{HostTypes, SessionState};

/// The next step after a response that says "no valid session".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRefusal {
    /// Refresh, then send the request again.
    Refresh,
    /// Hand the response to the caller: there is nothing to refresh.
    Return,
    /// Stop: the same answer came after the last refresh that is allowed.
    GiveUp,
}

/// Decides about a refusal: `now` is the state after it was absorbed, `attempts` the refreshes made
/// for this request so far, `limit` how many are allowed. `is_expired` says that the server saw the
/// access token of a user session in the request of a visitor: they signed in by a form,
/// or the answer to their login was lost.
#[must_use]
pub fn after_refusal<V: HostTypes>(
    now: &SessionState<V>,
    is_expired: bool,
    attempts: u32,
    limit: u32,
) -> AfterRefusal {
    match now {
        _ if attempts >= limit => AfterRefusal::GiveUp,
        SessionState::Authenticated(..) | SessionState::Unknown => AfterRefusal::Refresh,
        SessionState::Anonymous(..) if is_expired => AfterRefusal::Refresh,
        SessionState::Anonymous(..) | SessionState::None(_) => AfterRefusal::Return,
    }
}

/// The next step once the lock is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterLock {
    /// Call the server.
    Call,
    /// Somebody else refreshed, or signed in, while we waited: use what they got.
    Retry,
    /// There is no user session to refresh.
    Ended,
}

/// Decides after waiting for the lock: `wanted` was the state when the refresh was asked for, `now`
/// is the state after the wait.
#[must_use]
pub fn after_lock<V: HostTypes>(wanted: &SessionState<V>, now: &SessionState<V>) -> AfterLock {
    match now {
        _ if wanted.mark() == now.mark() => AfterLock::Call,
        SessionState::Unknown => AfterLock::Call,
        SessionState::Authenticated(..) => AfterLock::Retry,
        SessionState::None(_) | SessionState::Anonymous(..) => AfterLock::Ended,
    }
}

/// The result of an answer of the refresh endpoint, after it was absorbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The session is refreshed.
    Refreshed,
    /// There is no user session (any more).
    Ended,
    /// The server could not say; the session is as it was.
    Failed,
    /// A success without `front-token`: a proxy stripped it, or CORS does not expose it.
    HeaderMissing,
    /// A success whose `front-token` the browser did not keep: cookies are blocked, or it is too
    /// large for one.
    NotStored,
}

/// Reads the answer: `ok` is a status below 300, `announced` says whether it had a readable
/// `front-token`, `now` is the state after it was absorbed.
#[must_use]
pub fn answer<V: HostTypes>(ok: bool, announced: bool, now: &SessionState<V>) -> Answer {
    match (ok, now) {
        (_, SessionState::None(_) | SessionState::Anonymous(..)) => Answer::Ended,
        (false, _) => Answer::Failed,
        (true, SessionState::Authenticated(..)) if announced => Answer::Refreshed,
        (true, _) if announced => Answer::NotStored,
        (true, _) => Answer::HeaderMissing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Native, stored, token};

    fn unknown() -> SessionState<Native> {
        stored(None, None, None).state()
    }
    fn none() -> SessionState<Native> {
        stored(Some(1.0), None, None).state()
    }
    fn anonymous() -> SessionState<Native> {
        stored(Some(1.0), None, Some(token("a", 1.0))).state()
    }
    fn user(mark: f64) -> SessionState<Native> {
        stored(Some(mark), Some(token("s", 1.0)), None).state()
    }

    #[test]
    fn a_refusal_is_refreshed_only_when_there_is_something_to_refresh() {
        assert_eq!(after_refusal(&user(1.0), false, 0, 10), AfterRefusal::Refresh);
        assert_eq!(after_refusal(&unknown(), false, 0, 10), AfterRefusal::Refresh);
        assert_eq!(after_refusal(&anonymous(), false, 0, 10), AfterRefusal::Return);
        assert_eq!(after_refusal(&none(), false, 0, 10), AfterRefusal::Return);
        assert_eq!(after_refusal(&none(), true, 0, 10), AfterRefusal::Return, "as with the peers");
        assert_eq!(after_refusal(&anonymous(), true, 0, 10), AfterRefusal::Refresh);
    }

    #[test]
    fn the_limit_holds() {
        assert_eq!(after_refusal(&user(2.0), false, 9, 10), AfterRefusal::Refresh);
        assert_eq!(after_refusal(&user(2.0), false, 10, 10), AfterRefusal::GiveUp);
        assert_eq!(after_refusal(&user(1.0), false, 0, 0), AfterRefusal::GiveUp);
    }

    #[test]
    fn one_refresh_serves_all() {
        assert_eq!(after_lock(&user(1.0), &user(1.0)), AfterLock::Call);
        assert_eq!(after_lock(&user(1.0), &user(2.0)), AfterLock::Retry);
        assert_eq!(after_lock(&unknown(), &unknown()), AfterLock::Call);
        assert_eq!(after_lock(&none(), &none()), AfterLock::Call);
        assert_eq!(after_lock(&anonymous(), &anonymous()), AfterLock::Call);
        assert_eq!(after_lock(&unknown(), &user(2.0)), AfterLock::Retry);
        assert_eq!(after_lock(&anonymous(), &user(2.0)), AfterLock::Retry);
        assert_eq!(after_lock(&unknown(), &anonymous()), AfterLock::Ended);
        assert_eq!(after_lock(&user(0.0), &none()), AfterLock::Ended);
        assert_eq!(after_lock(&user(0.0), &anonymous()), AfterLock::Ended);
        // The browser dropped the cookies while we waited, or one of them.
        assert_eq!(after_lock(&user(1.0), &unknown()), AfterLock::Call);
        assert_eq!(after_lock(&user(1.0), &none()), AfterLock::Call);
    }

    #[test]
    fn an_answer_is_read_from_the_state_it_left() {
        assert_eq!(answer(true, true, &user(2.0)), Answer::Refreshed);
        assert_eq!(answer(true, false, &user(1.0)), Answer::HeaderMissing);
        assert_eq!(answer(true, false, &unknown()), Answer::HeaderMissing);
        assert_eq!(answer(true, true, &unknown()), Answer::NotStored);
        assert_eq!(answer(false, false, &user(1.0)), Answer::Failed);
        assert_eq!(answer(false, false, &unknown()), Answer::Failed);
        assert_eq!(answer(false, true, &anonymous()), Answer::Ended);
        assert_eq!(answer(true, true, &none()), Answer::Ended);
    }
}
