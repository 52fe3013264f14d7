//! The steps before a request of the app is sent.

use crate::state::{HostTypes, SessionState};

/// How the app wants anonymous sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnonymousMode {
    /// The app said nothing: they come from the server or not at all, and the SDK behaves as the
    /// peer.
    Unspecified,
    /// The app expects them from the server.
    On,
    /// The server knows nothing of them; an endpoint of the app makes them.
    Endpoint,
    /// The app does not want them (now).
    Off,
}

/// Between probes that fail, in milliseconds.
const PROBE_PAUSE_MS: f64 = 10_000.0;

/// Whether a request of the app may be preceded by a probe at `now`, when the last probe failed at
/// `failed`, both in epoch milliseconds. For ten seconds after a failure, requests are sent without
/// a probe, and one that is refused probes afterwards. In endpoint mode every request may probe,
/// because the endpoint makes a session only once the answer is known.
#[must_use]
pub fn may_probe(mode: AnonymousMode, now: f64, failed: f64) -> bool {
    // A clock that was set back makes nobody wait for long.
    mode == AnonymousMode::Endpoint || (now - failed).abs() >= PROBE_PAUSE_MS
}

/// The thing that a request of the app has to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nothing.
    Proceed,
    /// A probe: a refresh call that tells whether there is a session.
    Probe,
    /// Its turn: the first request goes alone, so that the session it brings is the only one that
    /// is made.
    Lead,
}

/// Whether a response without announcement, to a request that was sent when the state was `before`,
/// shows that the server makes no anonymous sessions. One that failed shows nothing.
#[must_use]
pub fn proves_no_anonymous_support<V: HostTypes>(before: &SessionState<V>, status: u16) -> bool {
    before.token().is_none() && status < 500
}

/// Whether the endpoint has to make an anonymous session. `has_failed` says that the one that is
/// there has expired, or was not signed by whom it should have been.
#[must_use]
pub fn needs_endpoint_token<V: HostTypes>(state: &SessionState<V>, has_failed: bool) -> bool {
    match state {
        SessionState::None(_) => true,
        SessionState::Anonymous(..) => has_failed,
        // There may be a user session, and the server has to say.
        SessionState::Unknown | SessionState::Authenticated(..) => false,
    }
}

/// Whether a visitor without a session may expect one from the server.
/// `no_anonymous_support` as for [`admission`].
#[must_use]
pub fn expects_anonymous_session<V: HostTypes>(
    state: &SessionState<V>,
    mode: AnonymousMode,
    no_anonymous_support: bool,
) -> bool {
    mode == AnonymousMode::On && state.token().is_none() && !no_anonymous_support
}

/// Decides for a request that is about to be sent. `no_anonymous_support` says that
/// [`proves_no_anonymous_support`] was true of an earlier response on this page.
#[must_use]
pub fn admission<V: HostTypes>(
    state: &SessionState<V>,
    mode: AnonymousMode,
    may_probe: bool,
    no_anonymous_support: bool,
) -> Admission {
    match (state, mode) {
        (SessionState::Unknown, AnonymousMode::Unspecified | AnonymousMode::Endpoint)
            if may_probe =>
        {
            Admission::Probe
        }
        // Nobody could be asked, so the answers to the requests themselves may bring the session.
        (SessionState::Unknown, AnonymousMode::Unspecified) if !no_anonymous_support => {
            Admission::Lead
        }
        _ if expects_anonymous_session(state, mode, no_anonymous_support) => Admission::Lead,
        _ => Admission::Proceed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Native, stored, token};

    fn states() -> [SessionState<Native>; 4] {
        [
            stored(None, None, None).state(),
            stored(Some(1.0), None, None).state(),
            stored(Some(1.0), None, Some(token("a", 1.0))).state(),
            stored(Some(1.0), Some(token("s", 1.0)), None).state(),
        ]
    }

    #[test]
    fn without_a_wish_only_an_unknown_visitor_waits_as_with_the_peer() {
        let admissions =
            states().map(|state| admission(&state, AnonymousMode::Unspecified, true, false));
        assert_eq!(
            admissions,
            [Admission::Probe, Admission::Proceed, Admission::Proceed, Admission::Proceed]
        );
    }

    #[test]
    fn rule_10_where_the_question_failed_one_request_goes_first() {
        let admissions =
            states().map(|state| admission(&state, AnonymousMode::Unspecified, false, false));
        assert_eq!(
            admissions,
            [Admission::Lead, Admission::Proceed, Admission::Proceed, Admission::Proceed]
        );
        let admissions =
            states().map(|state| admission(&state, AnonymousMode::Unspecified, false, true));
        assert_eq!(admissions, [Admission::Proceed; 4]);
    }

    #[test]
    fn rule_14_an_endpoint_makes_what_the_server_does_not() {
        let admissions =
            states().map(|state| admission(&state, AnonymousMode::Endpoint, true, false));
        assert_eq!(
            admissions,
            [Admission::Probe, Admission::Proceed, Admission::Proceed, Admission::Proceed]
        );
        assert_eq!(
            states().map(|state| admission(&state, AnonymousMode::Endpoint, false, false)),
            [Admission::Proceed; 4]
        );
        assert_eq!(
            states().map(|state| needs_endpoint_token(&state, false)),
            [false, true, false, false]
        );
        assert_eq!(
            states().map(|state| needs_endpoint_token(&state, true)),
            [false, true, true, false]
        );
    }

    #[test]
    fn rule_10_a_new_visitor_is_not_held_behind_a_refresh_that_cannot_succeed() {
        let admissions = states().map(|state| admission(&state, AnonymousMode::On, true, false));
        assert_eq!(
            admissions,
            [Admission::Lead, Admission::Lead, Admission::Proceed, Admission::Proceed]
        );
    }

    #[test]
    fn a_server_without_anonymous_sessions_is_waited_for_once() {
        let admissions = states().map(|state| admission(&state, AnonymousMode::On, true, true));
        assert_eq!(admissions, [Admission::Proceed; 4]);
    }

    #[test]
    fn a_response_shows_it_if_it_could_have_brought_one() {
        let shown = states().map(|state| proves_no_anonymous_support(&state, 404));
        assert_eq!(shown, [true, true, false, false]);
        assert!(!states().iter().any(|state| proves_no_anonymous_support(state, 503)));
    }

    #[test]
    fn after_a_question_that_failed_requests_do_not_wait_for_the_next_one() {
        let failed = 1.7e12;
        let may_ask_at = |now| may_probe(AnonymousMode::Unspecified, now, failed);
        assert!(may_probe(AnonymousMode::Unspecified, failed, 0.0), "nobody has asked yet");
        assert_eq!(
            [0.0, 9_999.0, 10_000.0].map(|later| may_ask_at(failed + later)),
            [false, false, true]
        );
        assert!(may_ask_at(failed - 3_600_000.0), "the clock was set back");
        assert!(may_probe(AnonymousMode::Endpoint, failed, failed), "the session depends on it");
    }

    #[test]
    fn switched_off_nothing_waits() {
        let admissions = states().map(|state| admission(&state, AnonymousMode::Off, true, false));
        assert_eq!(admissions, [Admission::Proceed; 4]);
    }
}
