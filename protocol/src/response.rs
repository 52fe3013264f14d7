//! The meaning of a response for the session, given the state before the request.

use crate::{
    names::message,
    state::{Event, HostTypes, SessionState, Slot, Stored, Token},
};

/// One kind of session, as a response announces it.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub enum Announced<T> {
    /// Nothing, or something unreadable.
    Nothing,
    /// There is none (any more).
    Removed,
    /// This one.
    Token(T),
}

/// The kind of request that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// One of the app's.
    App,
    /// A sign-out or a forgetting, by a call of the SDK's own. No cache answers it.
    Own,
    /// A refresh, with what the body of a refusal says.
    Refresh(Verdict),
}

/// The body of a refused refresh. A response header, where there is one, counts more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that the session API would say. A gateway in front of it may have refused the call,
    /// so nobody knows.
    Unclear,
    /// There is no session.
    Ended,
    /// The refresh token had been used by somebody else.
    Theft,
}

impl Verdict {
    /// The meaning of the `message` in a JSON body, which is compared with texts by `is`.
    #[must_use]
    pub fn of(is: impl Fn(&str) -> bool) -> Self {
        if is(message::TOKEN_THEFT_DETECTED) {
            Self::Theft
        } else if is(message::UNAUTHORISED) || is(message::TRY_REFRESH_TOKEN) {
            Self::Ended
        } else {
            Self::Unclear
        }
    }
}

/// The parts of a response that the rules need.
pub struct Response<V: HostTypes> {
    /// The kind of request that it answers.
    pub asked: Asked,
    /// Whether anonymous sessions are the server's. If an endpoint of the app makes them, a login
    /// leaves them in place, to be returned to.
    pub anonymous_is_servers: bool,
    /// Whether its status is the one that says "no valid session".
    pub refused: bool,
    /// Header `front-token`.
    pub user: Announced<Token<V>>,
    /// Header `st-anonymous-front-token`.
    pub anonymous: Announced<Token<V>>,
}

/// The order for one stored front token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Write {
    /// Leave it.
    Keep,
    /// Delete it.
    Remove,
    /// Replace it by the announced one.
    Store,
}

/// The tokens to store, all of them before any event, and the events to fire, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// For the front token of the user session.
    pub user: Write,
    /// For the front token of the anonymous session.
    pub anonymous: Write,
    /// At most two.
    pub events: [Option<Event>; 2],
}

impl Change {
    /// Nothing to store, and nothing to tell.
    pub const NOTHING: Self =
        Self { user: Write::Keep, anonymous: Write::Keep, events: [None, None] };

    /// The same change after the browser refused the front token of the session that it is about:
    /// the app is told of that, and of nothing else.
    #[must_use]
    pub fn refused(self) -> Self {
        Self { user: Write::Keep, events: [Some(Event::TokenNotStored), None], ..self }
    }

    /// Whether anything is to be written, and so a new [`crate::state::Mark`].
    #[must_use]
    pub fn writes(&self) -> bool {
        self.user != Write::Keep || self.anonymous != Write::Keep
    }
}

/// Seconds by which the clocks of the servers of one back end may differ.
const CLUSTER_SKEW: f64 = 60.0;

/// The latest front token of a user session that this page knows of, be the session over or not.
#[derive(Clone, Debug)]
pub struct LatestSeen<T> {
    /// As in [`Token`]; `None` when there was none.
    pub id: Option<T>,
    /// As in [`Token`]; `NaN` when there was none.
    pub issued_at: f64,
}

/// Whether a token that is about to be stored was just made, so that its `iat` is the server's
/// time.
#[must_use]
pub fn tells_time<V: HostTypes>(last: &LatestSeen<V::Id>, new: &Token<V>) -> bool {
    last.issued_at != new.issued_at
}

/// The meaning of `response` to a request that was sent when the state was `before`, and is read
/// when it is `state`, and storage says `now`.
///
/// The two differ when another request, another tab or a sign-out came between. Then an answer
/// about a session that is over changes nothing: it can neither bring that session back nor end its
/// successor. An answer out of the HTTP cache is as late as can be.
#[must_use]
pub fn interpret<V: HostTypes>(
    before: &SessionState<V>,
    state: &SessionState<V>,
    now: &Stored<V>,
    last: &LatestSeen<V::Id>,
    response: &Response<V>,
) -> Change {
    let (user, user_events) = user_change(before, state, last, response);
    let signed_in = match user {
        Write::Store => true,
        Write::Remove => false,
        Write::Keep => state.user().is_some(),
    };
    let (anonymous, anonymous_event) =
        anonymous_change(signed_in, before, state, now, response, user == Write::Store);
    let events = if user_events[0].is_some() { user_events } else { [anonymous_event, None] };
    // A user's front token without a mark counts for nothing, and must not come back with the mark
    // of another session.
    Change { user: if anonymous == Write::Store { Write::Remove } else { user }, anonymous, events }
}

fn user_change<V: HostTypes>(
    before: &SessionState<V>,
    now: &SessionState<V>,
    last: &LatestSeen<V::Id>,
    response: &Response<V>,
) -> (Write, [Option<Event>; 2]) {
    let id_before = before.user().map(|token| token.id);
    let id_now = now.user().map(|token| token.id);
    let is_refresh = matches!(response.asked, Asked::Refresh(_));
    match &response.user {
        Announced::Token(new) => {
            let is_current = id_now == Some(new.id);
            // By no clock but the servers': this device's may be off.
            let leeway = match last.id == Some(new.id) {
                true if response.is_truth(before, now) => CLUSTER_SKEW,
                false => CLUSTER_SKEW,
                // A session that has ended does not go on with the token that it had. If the
                // browser has merely lost its front token, it does.
                true if !is_current && !now.is_unknown() => -0.5,
                true => 0.0,
            };
            let outdated = last.issued_at > new.issued_at + leeway;
            let over = id_before == Some(new.id) && !is_current;
            // A refresh was made for the session of that time, and its answer is about no other.
            let not_meant = is_refresh && id_before != id_now && !is_current;
            if outdated || over || not_meant {
                return (Write::Keep, [None, None]);
            }
            let updated = now
                .user()
                .is_some_and(|current| current.payload != new.payload)
                .then_some(Event::AccessTokenPayloadUpdated);
            // Or the one of before has ended meanwhile, and the app heard of that.
            let created =
                (id_before.is_none() || id_now.is_none()).then_some(Event::SessionCreated);
            (Write::Store, if updated.is_some() { [updated, created] } else { [created, None] })
        }
        _ if response.says_removed() => removal(id_before, id_now, response),
        Announced::Removed | Announced::Nothing => (Write::Keep, [None, None]),
    }
}

fn removal<V: HostTypes>(
    id_before: Option<V::Id>,
    id_now: Option<V::Id>,
    response: &Response<V>,
) -> (Write, [Option<Event>; 2]) {
    match id_now {
        // Nothing to end, but from now on it is known that there is nothing.
        None => (Write::Remove, [None, None]),
        Some(_) if id_now != id_before => (Write::Keep, [None, None]),
        Some(_) => {
            let ended = Some(Event::Unauthorised { expired_or_revoked: true });
            let events = match response.asked {
                Asked::Refresh(Verdict::Theft) => [Some(Event::TokenTheftDetected), ended],
                _ if response.refused => [ended, None],
                _ => [Some(Event::SignOut), None],
            };
            (Write::Remove, events)
        }
    }
}

fn anonymous_change<V: HostTypes>(
    signed_in: bool,
    before: &SessionState<V>,
    state: &SessionState<V>,
    now: &Stored<V>,
    response: &Response<V>,
    signs_in: bool,
) -> (Write, Option<Event>) {
    let is_there = !matches!(now.anonymous, Slot::Empty);
    match &response.anonymous {
        // A signed-in session is never replaced by anonymous bootstrap.
        _ if signed_in => {
            let over = signs_in && response.anonymous_is_servers
                || matches!(response.anonymous, Announced::Removed);
            (if is_there && over { Write::Remove } else { Write::Keep }, None)
        }
        Announced::Token(new) => {
            let event = match state {
                SessionState::Anonymous(_, current) if current.id != new.id => {
                    let id_before = before.anonymous().map(|token| token.id);
                    // A cache may answer the app with an id that the visitor had a moment ago. It
                    // answers no call of the SDK's own.
                    let leeway = match response.asked {
                        Asked::App => 0.0,
                        Asked::Own | Asked::Refresh(_) => CLUSTER_SKEW,
                    };
                    // The visitor had that id when they asked, and has another one since; or a
                    // cache answers with one that they had.
                    let is_old = id_before == Some(new.id)
                        || id_before.is_some() && current.issued_at > new.issued_at + leeway;
                    if is_old && !response.is_truth(before, state) {
                        return (Write::Keep, None);
                    }
                    Some(Event::AnonymousSessionReplaced)
                }
                // Of another server whose clock is behind, unless it says something else: then it
                // may as well be late.
                SessionState::Anonymous(_, current)
                    if current.issued_at > new.issued_at
                        && (current.payload != new.payload
                            || current.issued_at > new.issued_at + CLUSTER_SKEW)
                        && !response.is_truth(before, state) =>
                {
                    return (Write::Keep, None);
                }
                SessionState::Anonymous(_, current) => {
                    (current.payload != new.payload).then_some(Event::AccessTokenPayloadUpdated)
                }
                _ => Some(Event::AnonymousSessionCreated),
            };
            (Write::Store, event)
        }
        // Where it was removed because a user session began, and that session is discarded, the
        // removal is discarded too.
        Announced::Removed if is_there && !matches!(response.user, Announced::Token(_)) => {
            (Write::Remove, Some(Event::AnonymousSessionRemoved))
        }
        Announced::Removed | Announced::Nothing => (Write::Keep, None),
    }
}

impl<V: HostTypes> Response<V> {
    /// Whether nothing came between, and no cache gave it, so that only the clocks of two servers
    /// can differ. An anonymous session is believed then whatever the time of its token.
    fn is_truth(&self, before: &SessionState<V>, now: &SessionState<V>) -> bool {
        !matches!(self.asked, Asked::App) && before.mark() == now.mark()
    }

    /// Whether it says that there is no user session.
    fn says_removed(&self) -> bool {
        match self.user {
            Announced::Removed => true,
            Announced::Nothing => {
                self.refused
                    && matches!(self.asked, Asked::Refresh(Verdict::Ended | Verdict::Theft))
            }
            Announced::Token(_) => false,
        }
    }
}

/// Whether the server has to be asked whose cookies the browser holds, after `change` was made of
/// `response` as by [`interpret`]: it was about another session than the one that is stored, or was
/// read in another order than the one in which the browser kept its cookies.
#[must_use]
pub fn is_contested<V: HostTypes>(
    before: &SessionState<V>,
    state: &SessionState<V>,
    now: &Stored<V>,
    last: &LatestSeen<V::Id>,
    response: &Response<V>,
    change: Change,
) -> bool {
    let id_now = state.user().map(|token| token.id);
    // Without its mark nobody can tell which answer a user's front token came with.
    let is_late =
        before.mark() != state.mark() || id_now.is_none() && matches!(now.user, Slot::Token(_));
    let user = match (&response.user, change.user) {
        (Announced::Token(new), write) => {
            // After another id was wanted, an answer of before brings an access token with the old
            // one.
            let is_same = |token: &Token<V>| {
                token.id == new.id && V::anonymous_id(token) == V::anonymous_id(new)
            };
            // A server's clock is behind, or a cache answers with an earlier session.
            let is_older = last.id != Some(new.id) && last.issued_at > new.issued_at;
            (write == Write::Keep || is_late || is_older) && !now.user.token().is_some_and(is_same)
        }
        (_, Write::Remove) => is_late && !matches!(now.user, Slot::Empty),
        (_, Write::Keep) => response.says_removed(),
        (_, Write::Store) => false,
    };
    let anonymous = match (&response.anonymous, change.anonymous) {
        // A server that makes one for a request of a user did not see that user: the browser has
        // lost a cookie. Or it answers a request of before the login, and leaves a cookie that will
        // count once the user session is over.
        (Announced::Token(_), _) if change.user == Write::Keep && id_now.is_some() => {
            response.anonymous_is_servers
        }
        (Announced::Token(new), write) => {
            let is_same = state.anonymous().is_some_and(|current| current.id == new.id);
            change.user != Write::Store && !is_same && (write == Write::Keep || is_late)
        }
        _ => false,
    };
    user || anonymous
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        state::Mark,
        testing::{Native, stored, token, with_payload},
    };

    fn interpret(
        before: &SessionState<Native>,
        now: &Stored<Native>,
        last: &LatestSeen<&'static str>,
        response: &TestResponse,
    ) -> Change {
        super::interpret(before, &now.state(), now, last, response)
    }

    fn is_contested(
        before: &SessionState<Native>,
        now: &Stored<Native>,
        last: &LatestSeen<&'static str>,
        response: &TestResponse,
        change: Change,
    ) -> bool {
        super::is_contested(before, &now.state(), now, last, response, change)
    }

    type TestResponse = Response<Native>;

    fn response(asked: Asked, refused: bool) -> TestResponse {
        Response {
            asked,
            anonymous_is_servers: true,
            refused,
            user: Announced::Nothing,
            anonymous: Announced::Nothing,
        }
    }

    fn app(user: Announced<Token<Native>>, anonymous: Announced<Token<Native>>) -> TestResponse {
        Response { user, anonymous, ..response(Asked::App, false) }
    }

    fn refused(theft: bool) -> TestResponse {
        Response {
            user: Announced::Removed,
            anonymous: Announced::Token(token("a", 9.0)),
            ..response(Asked::Refresh(if theft { Verdict::Theft } else { Verdict::Ended }), true)
        }
    }

    /// Storage after `change`, as a shell would leave it.
    fn apply(now: &mut Stored<Native>, response: &TestResponse, change: Change) {
        fn write(
            slot: &mut Slot<Token<Native>>,
            write: Write,
            announced: &Announced<Token<Native>>,
        ) {
            match (write, announced) {
                (Write::Store, Announced::Token(token)) => *slot = Slot::Token(*token),
                (Write::Store, _) => panic!("nothing was announced that could be stored"),
                (Write::Remove, _) => *slot = Slot::Empty,
                (Write::Keep, _) => {}
            }
        }
        write(&mut now.user, change.user, &response.user);
        write(&mut now.anonymous, change.anonymous, &response.anonymous);
        if change.writes() {
            now.changed = Mark::after(now.changed, 0.0);
        }
    }

    /// The session that is there is the last one.
    fn last(now: &Stored<Native>) -> LatestSeen<&'static str> {
        let token = now.user.token();
        LatestSeen {
            id: token.map(|token| token.id),
            issued_at: token.map_or(f64::NAN, |token| token.issued_at),
        }
    }

    fn events(change: Change) -> Vec<Event> {
        change.events.into_iter().flatten().collect()
    }

    fn run(now: &mut Stored<Native>, response: &TestResponse) -> Vec<Event> {
        let change = interpret(&now.state(), now, &last(now), response);
        apply(now, response, change);
        events(change)
    }

    const ENDED: Event = Event::Unauthorised { expired_or_revoked: true };

    fn signed_in() -> Stored<Native> {
        stored(Some(1.0), Some(token("s", 5.0)), None)
    }

    #[test]
    fn a_first_response_creates_the_anonymous_session() {
        for mut now in [stored(None, None, None), stored(Some(1.0), None, None)] {
            let fired = run(&mut now, &app(Announced::Nothing, Announced::Token(token("a", 1.0))));
            assert_eq!(fired, [Event::AnonymousSessionCreated]);
            assert!(matches!(now.state(), SessionState::Anonymous(_, t) if t.id == "a"));
        }
    }

    #[test]
    fn a_login_upgrades_and_forgets_the_anonymous_session() {
        let mut now = stored(Some(1.0), None, Some(token("a", 1.0)));
        let fired = run(&mut now, &app(Announced::Token(token("s", 2.0)), Announced::Removed));
        assert_eq!(fired, [Event::SessionCreated]);
        assert!(matches!(now.state(), SessionState::Authenticated(_, t) if t.id == "s"));
        assert!(now.anonymous.token().is_none());
    }

    #[test]
    fn a_login_that_the_browser_did_not_keep_is_not_told_as_one() {
        let now = stored(Some(1.0), None, Some(token("a", 1.0)));
        let login = app(Announced::Token(token("s", 2.0)), Announced::Removed);
        let change = interpret(&now.state(), &now, &last(&now), &login).refused();
        assert_eq!((change.user, change.anonymous), (Write::Keep, Write::Remove));
        assert_eq!(events(change), [Event::TokenNotStored]);
    }

    #[test]
    fn a_login_at_a_server_that_knows_nothing_of_anonymous_sessions_forgets_it_too() {
        let mut now = stored(Some(1.0), None, Some(token("a", 1.0)));
        run(&mut now, &app(Announced::Token(token("s", 2.0)), Announced::Nothing));
        assert!(now.anonymous.token().is_none());
    }

    #[test]
    fn a_login_leaves_a_session_of_the_apps_endpoint_to_return_to() {
        let mut now = stored(Some(1.0), None, Some(token("a", 1.0)));
        let login = app(Announced::Token(token("s", 2.0)), Announced::Nothing);
        assert_eq!(
            run(&mut now, &Response { anonymous_is_servers: false, ..login }),
            [Event::SessionCreated]
        );
        let ended =
            Response { user: Announced::Removed, ..response(Asked::Refresh(Verdict::Ended), true) };
        assert_eq!(run(&mut now, &ended), [ENDED]);
        assert!(matches!(now.state(), SessionState::Anonymous(_, t) if t.id == "a"));
    }

    #[test]
    fn a_login_that_comes_too_late_leaves_the_anonymous_session_of_the_sign_out() {
        let before = stored(Some(1.0), None, Some(token("a", 1.0)));
        let now = stored(Some(3.0), None, Some(token("a", 9.0)));
        let late = app(Announced::Token(token("s", 2.0)), Announced::Removed);
        assert!(!interpret(&before.state(), &now, &latest("t", 100.0), &late).writes());
    }

    #[test]
    fn a_front_token_whose_mark_was_lost_does_not_come_back_with_an_anonymous_session() {
        let mut now = stored(None, Some(token("s", 5.0)), None);
        assert_eq!(
            run(&mut now, &app(Announced::Nothing, Announced::Token(token("a", 9.0)))),
            [Event::AnonymousSessionCreated]
        );
        assert!(matches!(now.state(), SessionState::Anonymous(_, t) if t.id == "a"));
    }

    #[test]
    fn a_refused_refresh_demotes() {
        let mut now = signed_in();
        assert_eq!(run(&mut now, &refused(false)), [ENDED]);
        assert!(matches!(now.state(), SessionState::Anonymous(_, t) if t.id == "a"));
    }

    #[test]
    fn theft_is_told_before_the_end() {
        let mut now = signed_in();
        assert_eq!(run(&mut now, &refused(true)), [Event::TokenTheftDetected, ENDED]);
        assert!(matches!(now.state(), SessionState::Anonymous(..)));
    }

    #[test]
    fn sign_out_demotes_or_ends() {
        let mut now = signed_in();
        assert_eq!(
            run(&mut now, &app(Announced::Removed, Announced::Token(token("a", 9.0)))),
            [Event::SignOut]
        );
        assert!(matches!(now.state(), SessionState::Anonymous(..)));
        let mut now = signed_in();
        assert_eq!(run(&mut now, &app(Announced::Removed, Announced::Nothing)), [Event::SignOut]);
        assert!(matches!(now.state(), SessionState::None(_)));
    }

    #[test]
    fn a_refused_refresh_counts_as_the_end_even_when_the_header_is_stripped() {
        let mut now = signed_in();
        assert_eq!(run(&mut now, &response(Asked::Refresh(Verdict::Ended), true)), [ENDED]);
        assert!(matches!(now.state(), SessionState::None(_)));
    }

    #[test]
    fn a_failing_refresh_changes_nothing() {
        let mut now = signed_in();
        assert_eq!(run(&mut now, &response(Asked::Refresh(Verdict::Ended), false)), []);
        assert!(matches!(now.state(), SessionState::Authenticated(Mark(1.0), _)));
    }

    #[test]
    fn a_gateway_that_refuses_a_refresh_says_nothing_of_the_session() {
        let verdict = |message: &str| Verdict::of(|text| text == message);
        assert_eq!(verdict("unauthorised"), Verdict::Ended);
        assert_eq!(verdict("try refresh token"), Verdict::Ended);
        assert_eq!(verdict("token theft detected"), Verdict::Theft);
        for message in ["", "missing api key", "Unauthorised", "unauthorised!"] {
            let mut now = signed_in();
            assert_eq!(run(&mut now, &response(Asked::Refresh(verdict(message)), true)), []);
            assert!(matches!(now.state(), SessionState::Authenticated(Mark(1.0), _)), "{message}");
        }
        // A header says more than a body.
        let mut now = signed_in();
        let removed = Response {
            user: Announced::Removed,
            ..response(Asked::Refresh(Verdict::Unclear), true)
        };
        assert_eq!(run(&mut now, &removed), [ENDED]);
    }

    #[test]
    fn a_refused_probe_leaves_a_tombstone_and_no_event() {
        let mut now = stored(None, None, None);
        let probe =
            Response { user: Announced::Removed, ..response(Asked::Refresh(Verdict::Ended), true) };
        assert_eq!(run(&mut now, &probe), []);
        assert!(matches!(now.state(), SessionState::None(_)));
    }

    #[test]
    fn a_refresh_that_finds_a_session_creates_it() {
        let mut now = stored(None, None, None);
        let found = Response {
            user: Announced::Token(token("s", 1.0)),
            ..response(Asked::Refresh(Verdict::Ended), false)
        };
        assert_eq!(run(&mut now, &found), [Event::SessionCreated]);
    }

    #[test]
    fn payloads_are_compared_by_value() {
        let mut now = signed_in();
        assert_eq!(run(&mut now, &app(Announced::Token(token("s", 6.0)), Announced::Nothing)), []);
        let updated = with_payload(token("s", 6.0), 7);
        assert_eq!(
            run(&mut now, &app(Announced::Token(updated), Announced::Nothing)),
            [Event::AccessTokenPayloadUpdated]
        );

        let mut now = stored(Some(1.0), None, Some(token("a", 1.0)));
        assert_eq!(run(&mut now, &app(Announced::Nothing, Announced::Token(token("a", 2.0)))), []);
        let updated = with_payload(token("a", 3.0), 7);
        assert_eq!(
            run(&mut now, &app(Announced::Nothing, Announced::Token(updated))),
            [Event::AccessTokenPayloadUpdated]
        );
    }

    #[test]
    fn another_id_replaces() {
        let mut now = stored(Some(1.0), None, Some(token("a", 1.0)));
        let fired = run(&mut now, &app(Announced::Nothing, Announced::Token(token("b", 1.0))));
        assert_eq!(fired, [Event::AnonymousSessionReplaced]);
    }

    #[test]
    fn a_cached_answer_to_a_guest_does_not_bring_a_former_id_back() {
        let former = || app(Announced::Nothing, Announced::Token(token("a", 1.0)));
        let last = LatestSeen { id: None, issued_at: f64::NAN };
        let now = stored(Some(2.0), None, Some(token("b", 5.0)));
        // It had the former id when it asked, or has the new one since.
        for before in [stored(Some(1.0), None, Some(token("a", 1.0))).state(), now.state()] {
            assert_eq!(interpret(&before, &now, &last, &former()), Change::NOTHING);
        }
        // Nor does one that was made of it after the new one.
        let renewed = app(Announced::Nothing, Announced::Token(token("a", 9.0)));
        let before = stored(Some(1.0), None, Some(token("a", 1.0))).state();
        assert_eq!(interpret(&before, &now, &last, &renewed), Change::NOTHING);
        // A visitor who had nothing gets what there is; a refresh is answered by no cache.
        let nobody = stored(None, None, None);
        let change = interpret(&nobody.state(), &now, &last, &former());
        assert_eq!(change.anonymous, Write::Store);
        let asked = Response { asked: Asked::Refresh(Verdict::Ended), ..former() };
        let change = interpret(&now.state(), &now, &last, &asked);
        assert_eq!(change.events[0], Some(Event::AnonymousSessionReplaced));
    }

    #[test]
    fn another_server_whose_clock_is_behind_tells_of_a_guest() {
        let last = LatestSeen { id: None, issued_at: f64::NAN };
        let now = stored(Some(2.0), None, Some(token("b", 100.0)));
        let earlier = stored(Some(1.0), None, Some(token("b", 100.0)));
        let writes = |before: &Stored<Native>, asked, token| {
            let answer = Response { asked, ..app(Announced::Nothing, Announced::Token(token)) };
            let change = interpret(&before.state(), &now, &last, &answer);
            (change.anonymous, is_contested(&before.state(), &now, &last, &answer, change))
        };
        let refresh = Asked::Refresh(Verdict::Ended);
        // The same guest: another tab's call has to hear that there was news.
        assert_eq!(writes(&now, Asked::App, token("b", 90.0)), (Write::Store, false));
        assert_eq!(writes(&now, Asked::App, token("b", 30.0)), (Write::Keep, false));
        let changed = || with_payload(token("b", 90.0), 7);
        assert_eq!(writes(&now, Asked::App, changed()), (Write::Keep, false), "or it is late");
        assert_eq!(writes(&now, refresh, changed()), (Write::Store, false));
        assert_eq!(writes(&earlier, refresh, changed()), (Write::Keep, false));
        // Another guest: a cache may answer the app, so the server is asked.
        assert_eq!(writes(&now, Asked::App, token("a", 90.0)), (Write::Keep, true));
        assert_eq!(writes(&now, refresh, token("a", 90.0)), (Write::Store, false));
        assert_eq!(writes(&earlier, refresh, token("a", 90.0)), (Write::Store, true));
        assert_eq!(writes(&earlier, refresh, token("a", 30.0)), (Write::Keep, true));
    }

    /// The app's answer may come out of a cache; a refresh and a forgetting are asked for at once.
    #[test]
    fn another_server_whose_clock_is_behind_is_believed_if_nothing_came_between() {
        let now = stored(Some(2.0), Some(token("s", 100.0)), None);
        let ended = stored(Some(2.0), None, Some(token("a", 100.0)));
        let earlier = stored(Some(1.0), Some(token("s", 100.0)), None);
        let stores = |before: &Stored<Native>, now: &Stored<Native>, asked, issued_at| {
            let user = Announced::Token(with_payload(token("s", issued_at), 7));
            let answer = Response { user, ..response(asked, false) };
            interpret(&before.state(), now, &latest("s", 100.0), &answer).writes()
        };
        for asked in [Asked::Refresh(Verdict::Ended), Asked::Own] {
            assert!(stores(&now, &now, asked, 90.0));
            assert!(stores(&ended, &ended, asked, 90.0), "the session has not ended after all");
            assert!(!stores(&now, &now, asked, 30.0), "no clock is so far behind");
            assert!(!stores(&earlier, &now, asked, 90.0), "something came between");
        }
        assert!(!stores(&now, &now, Asked::App, 90.0));
    }

    #[test]
    fn switched_off_removes() {
        let mut now = stored(Some(1.0), None, Some(token("a", 1.0)));
        assert_eq!(
            run(&mut now, &app(Announced::Nothing, Announced::Removed)),
            [Event::AnonymousSessionRemoved]
        );
        assert!(matches!(now.state(), SessionState::None(_)));
        assert_eq!(run(&mut now, &app(Announced::Nothing, Announced::Removed)), []);
    }

    #[test]
    fn bootstrap_never_replaces_a_signed_in_session() {
        let mut now = signed_in();
        assert_eq!(run(&mut now, &app(Announced::Nothing, Announced::Token(token("a", 99.0)))), []);
        assert!(matches!(now.state(), SessionState::Authenticated(Mark(1.0), _)));
        assert!(now.anonymous.token().is_none());
    }

    #[test]
    fn a_late_response_does_not_overwrite_newer_tokens() {
        let now = signed_in();
        let late = app(Announced::Token(with_payload(token("s", 4.0), 1)), Announced::Nothing);
        assert!(!interpret(&now.state(), &now, &last(&now), &late).writes());
    }

    #[test]
    fn a_response_in_flight_during_sign_out_does_not_bring_the_session_back() {
        let before = signed_in().state();
        for now in [stored(Some(2.0), None, None), stored(Some(2.0), None, Some(token("a", 9.0)))] {
            let late = app(Announced::Token(token("s", 99.0)), Announced::Nothing);
            assert!(!interpret(&before, &now, &last(&now), &late).writes());
        }
    }

    fn latest(id: &'static str, issued_at: f64) -> LatestSeen<&'static str> {
        LatestSeen { id: Some(id), issued_at }
    }

    #[test]
    fn a_response_out_of_the_cache_does_not_bring_an_ended_session_back() {
        for now in [stored(Some(2.0), None, None), stored(Some(2.0), None, Some(token("a", 9.0)))] {
            let brings = |issued_at| {
                let answer = app(Announced::Token(token("s", issued_at)), Announced::Nothing);
                interpret(&now.state(), &now, &latest("s", 5.0), &answer).writes()
            };
            assert_eq!([4.0, 5.0, 6.0].map(brings), [false, false, true]);
        }
    }

    #[test]
    fn a_session_that_the_browser_lost_comes_back_as_it_was() {
        let now = stored(None, None, None);
        let found = Response {
            user: Announced::Token(token("s", 5.0)),
            ..response(Asked::Refresh(Verdict::Ended), false)
        };
        assert!(interpret(&now.state(), &now, &latest("s", 5.0), &found).writes());
        // The answer to a request of the app may bring it as well.
        let found = Response { asked: Asked::App, ..found };
        assert!(interpret(&now.state(), &now, &latest("s", 5.0), &found).writes());
    }

    #[test]
    fn a_token_of_an_earlier_session_replaces_none_though_clocks_of_servers_differ() {
        for now in
            [stored(Some(2.0), Some(token("t", 1000.0)), None), stored(Some(2.0), None, None)]
        {
            let stores = |issued_at| {
                let answer = app(Announced::Token(token("s", issued_at)), Announced::Nothing);
                interpret(&now.state(), &now, &latest("t", 1000.0), &answer).writes()
            };
            assert_eq!([900.0, 939.0, 940.0, 1001.0].map(stores), [false, false, true, true]);
        }
    }

    #[test]
    fn a_token_that_is_known_is_stored_and_tells_no_time() {
        let now = signed_in();
        let again = app(Announced::Token(token("s", 5.0)), Announced::Nothing);
        assert!(interpret(&now.state(), &now, &last(&now), &again).writes());
        assert!(!tells_time::<Native>(&last(&now), &token("s", 5.0)));
        assert!(tells_time::<Native>(&last(&now), &token("s", 6.0)));
        assert!(tells_time::<Native>(&last(&stored(None, None, None)), &token("s", 5.0)));
    }

    #[test]
    fn the_end_of_a_session_does_not_end_its_successor() {
        let before = signed_in().state();
        let now = stored(Some(2.0), Some(token("t", 6.0)), None);
        let late = Response { user: Announced::Removed, ..response(Asked::App, true) };
        assert_eq!(events(interpret(&before, &now, &last(&now), &late)), []);
        assert!(!interpret(&before, &now, &last(&now), &refused(true)).writes());
    }

    #[test]
    fn an_end_that_is_known_leaves_no_doubt() {
        let before = signed_in().state();
        let ended = app(Announced::Removed, Announced::Nothing);
        for (now, expected) in [
            (stored(Some(2.0), None, None), false),
            // Another tab has refreshed it.
            (stored(Some(2.0), Some(token("s", 6.0)), None), true),
        ] {
            let change = interpret(&before, &now, &last(&now), &ended);
            assert_eq!(change.user, Write::Remove);
            assert_eq!(is_contested(&before, &now, &last(&now), &ended, change), expected);
        }
    }

    #[test]
    fn the_end_is_told_once() {
        let before = signed_in().state();
        let now = stored(Some(2.0), None, Some(token("a", 9.0)));
        assert_eq!(events(interpret(&before, &now, &last(&now), &refused(false))), []);
    }

    #[test]
    fn a_refresh_commits_to_no_other_session() {
        let answer = Response {
            user: Announced::Token(token("s", 9.0)),
            ..response(Asked::Refresh(Verdict::Ended), false)
        };
        let unknown = stored(None, None, None).state();
        let now = stored(Some(2.0), Some(token("t", 6.0)), None);
        assert!(!interpret(&unknown, &now, &last(&now), &answer).writes());
        assert!(!interpret(&signed_in().state(), &now, &last(&now), &answer).writes());
        // The last of two logins wins, as it does for the cookies that scripts cannot see.
        assert!(
            interpret(
                &unknown,
                &now,
                &last(&now),
                &app(Announced::Token(token("s", 9.0)), Announced::Nothing)
            )
            .writes()
        );
    }

    fn any_token() -> impl Strategy<Value = Token<Native>> {
        ("[a-c]", 0..5u8, 0..3u8).prop_map(|(id, issued_at, payload)| {
            with_payload(token(&id, issued_at.into()), payload)
        })
    }

    fn any_announced() -> impl Strategy<Value = Announced<Token<Native>>> {
        prop_oneof![
            Just(0).prop_map(|_| Announced::Nothing),
            Just(0).prop_map(|_| Announced::Removed),
            any_token().prop_map(Announced::Token)
        ]
    }

    fn any_response() -> impl Strategy<Value = TestResponse> {
        let asked = prop_oneof![
            Just(Asked::App),
            any::<bool>().prop_map(|theft| Asked::Refresh(if theft {
                Verdict::Theft
            } else {
                Verdict::Ended
            }))
        ];
        (asked, any::<bool>(), any_announced(), any_announced()).prop_map(
            |(asked, refused, user, anonymous)| Response {
                asked,
                anonymous_is_servers: true,
                refused,
                user,
                anonymous,
            },
        )
    }

    impl core::fmt::Debug for TestResponse {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            fn text(announced: &Announced<Token<Native>>) -> alloc::string::String {
                match announced {
                    Announced::Nothing => "-".into(),
                    Announced::Removed => "remove".into(),
                    Announced::Token(t) => alloc::format!("{}@{}#{}", t.id, t.issued_at, t.payload),
                }
            }
            write!(
                f,
                "{:?} refused={} user={} anonymous={}",
                self.asked,
                self.refused,
                text(&self.user),
                text(&self.anonymous)
            )
        }
    }

    proptest! {
        /// Responses arrive in any order, each to a request sent in any earlier state.
        #[test]
        fn any_sequence_keeps_the_promises(
            steps in
                proptest::collection::vec((any_response(), any::<prop::sample::Index>()), 1..30),
        ) {
            let mut now = stored(None, None, None);
            let mut history = alloc::vec![now.state()];
            let mut known = last(&now);
            for (response, sent) in &steps {
                let before = *sent.get(&history);
                let was = now.state();
                let change = interpret(&before, &now, &known, response);
                let is_truth = response.is_truth(&before, &was);
                apply(&mut now, response, change);
                let is = now.state();

                if now.user.token().is_some() {
                    let latest = last(&now);
                    prop_assert!(
                        latest.id != known.id
                            || latest.issued_at >= known.issued_at
                            || is_truth,
                        "a session went back in time"
                    );
                    known = latest;
                }

                // One session at most, and none is invented.
                prop_assert!(
                    is.user().is_none()
                        || change.user != Write::Store
                        || now.anonymous.token().is_none()
                );
                prop_assert_eq!(change.writes(), was_marked(&was) != was_marked(&is));
                // Anonymous bootstrap never ends a signed-in session.
                if was.user().is_some() && is.user().is_none() {
                    prop_assert!(matches!(response.user, Announced::Removed) || response.refused);
                }
                // Every event describes the state that is stored when it fires.
                for event in change.events.into_iter().flatten() {
                    let fits = match event {
                        Event::SessionCreated => {
                            (before.user().is_none() || was.user().is_none()) && is.user().is_some()
                        }
                        Event::AnonymousSessionCreated => {
                            was.token().is_none() && matches!(is, SessionState::Anonymous(..))
                        }
                        Event::AnonymousSessionReplaced => {
                            matches!(
                                (&was, &is),
                                (SessionState::Anonymous(_, a), SessionState::Anonymous(_, b))
                                    if a.id != b.id
                            )
                        }
                        Event::AnonymousSessionRemoved => {
                            was.user().is_none() && matches!(is, SessionState::None(_))
                        }
                        Event::AccessTokenPayloadUpdated => {
                            is.token().is_some()
                                && was.token().map(|t| t.payload) != is.token().map(|t| t.payload)
                        }
                        Event::SignOut | Event::Unauthorised { .. } | Event::TokenTheftDetected => {
                            was.user().is_some() && is.user().is_none()
                        }
                        Event::RefreshSession | Event::TokenNotStored => false,
                    };
                    prop_assert!(fits, "{event:?}: {was:?} -> {is:?}");
                }
                // A user session that ended was told of, once.
                let told = change
                    .events
                    .iter()
                    .flatten()
                    .filter(|e| matches!(e, Event::SignOut | Event::Unauthorised { .. }))
                    .count();
                prop_assert_eq!(told, usize::from(was.user().is_some() && is.user().is_none()));
                history.push(is);
            }
        }
    }

    fn was_marked(state: &SessionState<Native>) -> Option<Mark> {
        match state {
            SessionState::Unknown => None,
            SessionState::None(m)
            | SessionState::Anonymous(m, _)
            | SessionState::Authenticated(m, _) => Some(*m),
        }
    }
}
