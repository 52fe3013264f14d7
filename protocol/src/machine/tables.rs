//! The decisions of one step, as tables.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    tests::{CONFIG, actions, answer, signing_out, valid, view},
    *,
};
use crate::testing::{Native, stored, token, with_payload};

/// The actions in few words.
fn told(machine: &mut Machine<Native>) -> String {
    let words = actions(machine).into_iter().map(|action| match action {
        Action::Prepare { call, .. } => format!("prepare {call:?}"),
        Action::Send { call, .. } => format!("send {call:?}"),
        Action::Lock { name, .. } => format!("lock {name:?}"),
        Action::Plain { what, .. } => format!("{what:?}"),
        Action::Fire { event, .. } => event.action().to_string(),
        Action::Settle { outcome, .. } => format!("{outcome:?}"),
        Action::Store { storing, .. } => {
            format!("store {:?} {:?}", storing.user, storing.anonymous)
        }
        other => {
            let text = format!("{other:?}");
            text.split([' ', '{']).next().unwrap_or_default().to_string()
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Nothing known, no session, an anonymous one, a user's, and a user's that has expired.
fn views() -> [View<Native>; 5] {
    let nothing = View { stored: stored(None, None, None), ..valid(1e12, None, None) };
    let expired = View { server_now: 1e15, ..view(1e12, Some(1), None) };
    [
        nothing,
        valid(1e12, None, None),
        valid(1e12, None, Some(1)),
        valid(1e12, Some(1), None),
        expired,
    ]
}

fn first_of(mode: AnonymousMode, operation: Operation) -> [String; 5] {
    let config = Config { has_endpoint: mode == AnonymousMode::Endpoint, ..CONFIG };
    views().map(|view| {
        let mut machine = Machine::<Native>::new(config, mode);
        machine.operation(1, operation, &view);
        told(&mut machine)
    })
}

#[test]
fn an_operation_asks_where_it_has_to_and_answers_from_what_is_stored() {
    use Operation::{
        AccessToken, AnonymousId, Exists, Forget, IsAnonymous, Payload, Refresh, SignOut,
        SwitchOff, SwitchOn, UserId,
    };
    let asks = "lock Leader";
    let refreshes = "prepare Refresh";
    let sends = "send Forget";
    for (operation, row) in [
        (Exists, [asks, "Is(false)", "Is(true)", "Is(true)", refreshes]),
        (IsAnonymous, [asks, "Is(false)", "Is(true)", "Is(false)", "Is(false)"]),
        (
            UserId,
            [
                asks,
                "Failure(NoSession)",
                "Property(UserId, false)",
                "Property(UserId, true)",
                "Property(UserId, true)",
            ],
        ),
        (
            AnonymousId,
            [
                asks,
                "Undefined",
                "Property(AnonymousId, false)",
                "Property(AnonymousId, true)",
                "Property(AnonymousId, true)",
            ],
        ),
        (
            Payload,
            [
                asks,
                "Failure(NoSession)",
                "Property(Payload, false)",
                "Property(Payload, true)",
                refreshes,
            ],
        ),
        (AccessToken, [asks, "Undefined", "Token(Anonymous)", "Token(Access)", refreshes]),
        (
            Refresh,
            [asks, "UNAUTHORISED, Is(false)", "UNAUTHORISED, Is(false)", refreshes, refreshes],
        ),
        (
            SignOut,
            [asks, "SIGN_OUT, Undefined", "SIGN_OUT, Undefined", "prepare SignOut", refreshes],
        ),
        (Forget, [refreshes, sends, sends, sends, sends]),
        (SwitchOn, [asks, asks, "Undefined", "Undefined", "Undefined"]),
        (
            SwitchOff,
            [
                "ForgetKey, Undefined",
                "ForgetKey, Undefined",
                "ForgetKey, prepare Refresh",
                "ForgetKey, Undefined",
                "ForgetKey, Undefined",
            ],
        ),
    ] {
        assert_eq!(first_of(AnonymousMode::Unspecified, operation), row, "{operation:?}");
    }
    // Where a visitor is to have an anonymous session, who has none waits for one.
    let row = [asks, asks, "Is(true)", "Is(true)", refreshes];
    assert_eq!(first_of(AnonymousMode::On, Exists), row);
    // Nobody but this browser has an endpoint's token.
    let row = [refreshes, asks, "VerifyStored", "Is(true)", refreshes];
    assert_eq!(first_of(AnonymousMode::Endpoint, Exists), row);
    let row = ["Undefined", asks, "store Keep Remove", "Undefined", "Undefined"];
    assert_eq!(first_of(AnonymousMode::Endpoint, Forget), row);
    // It takes no turn: the refresh may have the endpoint make a session, which waits for its turn.
    let row = [
        "ForgetKey, prepare Refresh",
        "ForgetKey, Undefined",
        "ForgetKey, store Keep Remove",
        "ForgetKey, Undefined",
        "ForgetKey, Undefined",
    ];
    assert_eq!(first_of(AnonymousMode::Endpoint, SwitchOff), row);
}

#[test]
fn a_call_carries_the_token_of_its_session_and_the_wish_of_the_app() {
    let headers = |mode, has_endpoint, has_access_token| {
        views().map(|view| {
            let mut machine = Machine::<Native>::new(Config { has_endpoint, ..CONFIG }, mode);
            machine.look_at(&view);
            let Headers { anti_csrf, bearer, wish } =
                machine.headers(&View { has_access_token, ..view });
            (anti_csrf, bearer, wish)
        })
    };
    let (visitor, user) = (Bearer::Anonymous, Bearer::Access);
    for (mode, has_endpoint, unknown, none, known) in [
        (AnonymousMode::On, false, Wish::Key, Wish::Key, Wish::Nothing),
        (AnonymousMode::Unspecified, false, Wish::KeyIfSameOrigin, Wish::Nothing, Wish::Nothing),
        (AnonymousMode::Off, false, Wish::Off, Wish::Off, Wish::Off),
        (AnonymousMode::Off, true, Wish::Nothing, Wish::Nothing, Wish::Nothing),
    ] {
        assert_eq!(
            headers(mode, has_endpoint, false),
            [
                (false, visitor, unknown),
                (false, visitor, none),
                (true, visitor, known),
                (true, user, known),
                (true, user, known),
            ],
            "{mode:?}"
        );
        assert!(headers(mode, has_endpoint, true).iter().all(|(_, bearer, _)| *bearer == user));
    }
    // Without a session its token has not been checked.
    let bearers = headers(AnonymousMode::Endpoint, true, false).map(|(_, bearer, _)| bearer);
    assert_eq!(bearers, [user, user, visitor, user, user]);
}

#[test]
fn a_sign_out_ends_by_what_the_server_says() {
    let ada = valid(1e12, Some(1), None);
    let nobody = valid(1e12 + 1.0, None, None);
    for (status, expected) in [
        (200, "ShowAnswer"),
        (500, "AnswerAsError"),
        // It may name a session that is over.
        (401, "prepare Refresh"),
    ] {
        let mut machine = signing_out();
        machine.answered(1, answer(status, None, false), &ada);
        assert_eq!(told(&mut machine), expected, "{status}");
    }
    // The header that says so may have been stripped.
    let mut machine = signing_out();
    machine.answered(1, answer(200, None, false), &ada);
    machine.done(1, true, &ada);
    assert_eq!(told(&mut machine), "ShowAnswer, ReadSignOut");
    machine.done(1, true, &ada);
    assert_eq!(told(&mut machine), "store Remove Keep");
    machine.written(1, Kept::All, &nobody);
    assert_eq!(told(&mut machine), "Notify, SIGN_OUT, Undefined");
    // Its body may be an error.
    let mut machine = signing_out();
    machine.answered(1, answer(200, None, false), &ada);
    machine.done(1, true, &ada);
    machine.done(1, false, &ada);
    assert_eq!(told(&mut machine), "ShowAnswer, ReadSignOut, Rejection");
}

#[test]
fn a_hook_that_fails_sends_nothing() {
    let ada = valid(1e12, Some(1), None);
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.operation(1, Operation::SignOut, &ada);
    machine.done(1, false, &ada);
    assert_eq!(told(&mut machine), "prepare SignOut, Rejection");
    machine.operation(2, Operation::Refresh, &ada);
    machine.done(-1, false, &ada);
    assert_eq!(told(&mut machine), "prepare Refresh, RefreshAsError(Of(-1)), Free");
}

/// A refresh of `s1` by the operation or request `1`, up to the end of storing.
fn refreshed(machine: &mut Machine<Native>, status: u16, user: Option<u8>) {
    let before = valid(1e12, Some(1), None);
    let after = valid(1e12 + 1.0, Some(1), None);
    machine.done(-1, true, &before);
    machine.locked(-1, &before);
    assert_eq!(told(machine), "prepare Refresh, lock Refresh, send Refresh");
    machine.answered(-1, answer(status, user, false), &before);
    machine.written(-1, Kept::All, &after);
    let view = if user.is_some() { &after } else { &before };
    machine.done(-1, true, view);
}

#[test]
fn a_refresh_is_told_by_what_came_of_it() {
    let ada = valid(1e12, Some(1), None);
    for (status, user, expected) in [
        (
            200,
            Some(1),
            "store Store Keep, ForgetKey, Notify, UnlockRefresh, ShowAnswer, REFRESH_SESSION, \
             Is(true), Free",
        ),
        (200, None, "UnlockRefresh, ShowAnswer, RefreshAsError(Failure(FrontTokenMissing)), Free"),
        (503, None, "UnlockRefresh, ShowAnswer, RefreshAsError(Of(-1)), Free"),
    ] {
        let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
        machine.operation(1, Operation::Refresh, &ada);
        refreshed(&mut machine, status, user);
        assert_eq!(told(&mut machine), expected, "{status}");
    }
}

#[test]
fn a_refused_request_is_sent_again_after_the_refresh_unless_its_body_is_spent() {
    let ada = valid(1e12, Some(1), None);
    for (is_once, expected) in [(false, "send App, Free"), (true, "AnswerToSpentBody, Free")] {
        let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
        machine.request(1, is_once, &ada);
        machine.answered(1, answer(401, None, false), &ada);
        assert!(matches!(actions(&mut machine)[1..], [Action::Prepare { .. }]));
        machine.done(-1, true, &ada);
        machine.locked(-1, &ada);
        machine.answered(-1, answer(200, Some(1), false), &ada);
        let after = valid(1e12 + 1.0, Some(1), None);
        machine.written(-1, Kept::All, &after);
        machine.done(-1, true, &after);
        let told = told(&mut machine);
        assert!(told.ends_with(&format!("REFRESH_SESSION, {expected}")), "{told}");
    }
}

#[test]
fn claims_are_read_where_one_is_the_reason_of_a_refusal() {
    let ada = valid(1e12, Some(1), None);
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.request(1, false, &ada);
    machine.answered(1, answer(403, None, false), &ada);
    assert_eq!(told(&mut machine), "send App, ReadClaims");
    machine.done(1, true, &ada);
    assert_eq!(told(&mut machine), "Answer");
}

#[test]
fn calls_of_ours_are_given_up_in_time() {
    let ada = valid(1e12, Some(1), None);
    let timeout = |start: fn(&mut Machine<Native>, &View<Native>)| {
        let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
        start(&mut machine, &ada);
        machine.done(1, true, &ada);
        machine.done(-1, true, &ada);
        machine.locked(-1, &ada);
        let sent = actions(&mut machine).into_iter().find_map(|action| match action {
            Action::Send { timeout, .. } => Some(timeout),
            _ => None,
        });
        sent.expect("a call")
    };
    assert_eq!(timeout(|machine, view| machine.request(1, false, view)), 0.0);
    assert_eq!(timeout(|machine, view| machine.operation(1, Operation::Refresh, view)), 8_000.0);
    assert_eq!(timeout(|machine, view| machine.operation(1, Operation::Forget, view)), 8_000.0);
    assert_eq!(timeout(|machine, view| machine.operation(1, Operation::SignOut, view)), 60_000.0);
}

#[test]
fn an_id_that_always_comes_back_is_asked_about_three_times() {
    let guest = valid(1e12, None, Some(1));
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.operation(1, Operation::Forget, &guest);
    let mut sent = 0;
    let mut outcome = None;
    while let Some(action) = machine.next_action().copied() {
        match action {
            Action::Send { task, .. } => {
                sent += 1;
                machine.answered(task, answer(200, None, false), &guest);
            }
            Action::Settle { outcome: told, .. } => outcome = Some(told),
            _ => {}
        }
    }
    assert_eq!((sent, outcome), (3, Some(Outcome::Failure(Failure::NotForgotten))));
    machine.changed(&guest);
    assert_eq!(told(&mut machine), "", "and not at each change from then on");
}

#[test]
fn an_id_that_comes_back_again_and_again_is_forgotten_four_times() {
    let (guest, other) = (valid(1e12, None, Some(1)), valid(1e12 + 1.0, None, Some(2)));
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.operation(1, Operation::Forget, &guest);
    let mut sent = 0;
    for _ in 0..10 {
        for action in actions(&mut machine) {
            if let Action::Send { task, call: Call::Forget, .. } = action {
                sent += 1;
                machine.answered(task, answer(200, None, false), &other);
            }
        }
        machine.changed(&guest);
    }
    assert_eq!(sent, 4);
}

#[test]
fn a_token_that_the_browser_would_not_delete_counts_no_more() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Unspecified);
    let ada = valid(1e12, Some(1), None);
    machine.request(1, false, &ada);
    machine.answered(1, answer(200, None, true), &ada);
    // It was written for another domain.
    machine.written(1, Kept::All, &ada);
    assert!(machine.state(&ada).user().is_none());
    // A new one of that session, or of another, counts.
    for (id, issued_at) in [("s1", 9.0), ("s2", 1.0)] {
        let stored = stored(Some(1e12), Some(token(id, issued_at)), None);
        assert!(machine.state(&View { stored, ..valid(1e12, None, None) }).user().is_some());
    }
}

#[test]
fn without_consent_the_end_of_nothing_is_not_written_down() {
    let [nothing, ..] = views();
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Off);
    machine.request(1, false, &nothing);
    machine.answered(1, answer(200, None, true), &nothing);
    assert_eq!(told(&mut machine), "send App, Answer");
    assert!(matches!(machine.state(&nothing), SessionState::None(_)));
    // Another end at the same time is another one.
    let first = machine.state(&nothing).mark();
    machine.request(2, false, &nothing);
    machine.answered(2, answer(200, None, true), &nothing);
    told(&mut machine);
    assert_ne!(machine.state(&nothing).mark(), first);
    // A tombstone that another tab wrote has its own mark.
    assert_eq!(machine.state(&valid(1e12, None, None)).mark(), Mark(1e12));
    machine.operation(3, Operation::SwitchOn, &nothing);
    assert!(machine.state(&nothing).is_unknown(), "from now on it is");
}

#[test]
fn without_consent_a_login_that_is_read_after_an_end_is_asked_about() {
    let [nothing, ..] = views();
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Off);
    machine.request(1, false, &nothing);
    machine.request(2, false, &nothing);
    machine.answered(2, answer(200, None, true), &nothing);
    assert_eq!(told(&mut machine), "send App, send App, Answer");
    machine.answered(1, answer(200, Some(1), false), &nothing);
    assert_eq!(told(&mut machine), "store Store Keep");
    assert!(machine.has_doubts(), "the server may have given the session before it ended it");
}

#[test]
fn a_page_without_consent_begins_clean() {
    let guest = valid(1e12, None, Some(1));
    for (mode, has_endpoint, expected) in [
        (AnonymousMode::Off, true, "ForgetKey, store Keep Remove"),
        // The server's go with its next answer.
        (AnonymousMode::Off, false, "ForgetKey"),
        (AnonymousMode::On, false, ""),
        (AnonymousMode::Endpoint, true, ""),
    ] {
        let mut machine = Machine::<Native>::new(Config { has_endpoint, ..CONFIG }, mode);
        machine.started(&guest);
        assert_eq!(told(&mut machine), expected, "{mode:?}");
    }
}

#[test]
fn another_configuration_counts_from_the_next_step_on() {
    let ada = valid(1e12, Some(1), None);
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Endpoint);
    machine.operation(1, Operation::Refresh, &ada);
    let other = Config { expired_status: 440, ..CONFIG };
    machine.configure(other, AnonymousMode::On, true);
    assert_eq!(machine.mode(), AnonymousMode::On);
    // It does not wait for a refresh at the former server.
    machine.operation(2, Operation::Refresh, &ada);
    assert_eq!(told(&mut machine), "prepare Refresh, prepare Refresh");
    machine.request(3, false, &ada);
    machine.answered(3, answer(401, None, false), &ada);
    assert_eq!(told(&mut machine), "send App, Answer");
    // A page that was taken back leaves its doubts behind.
    machine.contested = true;
    machine.configure(other, AnonymousMode::On, false);
    assert!(!machine.has_doubts());
}

#[test]
fn an_answer_to_a_call_that_wants_no_session_says_nothing_of_the_server() {
    let nobody = || View { stored: stored(None, None, None), ..valid(1e12, None, None) };
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Off);
    machine.operation(1, Operation::Refresh, &nobody());
    machine.locked(1, &nobody());
    machine.done(-1, true, &nobody());
    machine.locked(-1, &nobody());
    assert!(told(&mut machine).ends_with("send Refresh"));
    machine.operation(2, Operation::SwitchOn, &nobody());
    machine.answered(-1, answer(401, None, false), &nobody());
    assert!(!machine.no_anonymous_support);
}

#[test]
fn a_request_that_was_refused_before_another_tab_refreshed_goes_again_without_a_call() {
    let (before, after) = (valid(1e12, Some(1), None), valid(1e12 + 1.0, Some(1), None));
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.request(1, false, &before);
    machine.answered(1, answer(401, None, false), &after);
    machine.done(-1, true, &after);
    machine.locked(-1, &after);
    assert_eq!(
        told(&mut machine),
        "send App, prepare Refresh, lock Refresh, UnlockRefresh, send App, Free"
    );
}

#[test]
fn a_sign_out_is_sent_though_the_browser_loses_the_front_token_meanwhile() {
    let [nothing, ..] = views();
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Off);
    machine.operation(1, Operation::SignOut, &valid(1e12, Some(1), None));
    // The server's cookies may still be there.
    machine.done(1, true, &nothing);
    assert_eq!(told(&mut machine), "prepare SignOut, send SignOut");
}

#[test]
fn a_sign_out_whose_refresh_finds_that_the_session_is_over_is_done() {
    let (ada, nobody) = (valid(1e12, Some(1), None), valid(1e12 + 1.0, None, None));
    let mut machine = signing_out();
    machine.answered(1, answer(401, None, false), &ada);
    machine.done(-1, true, &ada);
    machine.locked(-1, &ada);
    machine.answered(-1, answer(401, None, true), &ada);
    machine.message(-1, Message::Other(Verdict::Ended), &ada);
    machine.written(-1, Kept::All, &nobody);
    machine.done(-1, true, &nobody);
    let told = told(&mut machine);
    assert!(told.ends_with("UNAUTHORISED, ShowAnswer, Undefined, Free"), "{told}");
}

#[test]
fn a_refresh_that_succeeds_after_another_tab_ended_the_session_is_no_answer_to_a_request() {
    let (ada, nobody) = (valid(1e12, Some(1), None), valid(1e12 + 1.0, None, None));
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Unspecified);
    machine.request(1, false, &ada);
    machine.answered(1, answer(401, None, false), &ada);
    machine.done(-1, true, &ada);
    machine.locked(-1, &ada);
    machine.answered(-1, answer(200, Some(1), false), &nobody);
    machine.done(-1, true, &nobody);
    let told = told(&mut machine);
    assert!(told.contains("Refresh(Nothing)"), "{told}");
}

#[test]
fn a_forgetting_is_not_given_up_when_the_session_ends() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.operation(1, Operation::Forget, &valid(1e12, Some(1), None));
    machine.changed(&valid(1e12 + 1.0, None, Some(1)));
    assert_eq!(told(&mut machine), "send Forget");
}

#[test]
fn a_refresh_carries_the_refresh_token_unless_a_visitor_has_none() {
    let bearers = |mode, has_refresh_token| {
        views().map(|view| {
            let mut machine = Machine::<Native>::new(CONFIG, mode);
            machine.look_at(&view);
            machine.refresh_headers(&View { has_refresh_token, ..view }).bearer
        })
    };
    let (visitor, user) = (Bearer::Anonymous, Bearer::Refresh);
    for mode in [AnonymousMode::Unspecified, AnonymousMode::On, AnonymousMode::Off] {
        assert_eq!(bearers(mode, false), [visitor, visitor, visitor, user, user], "{mode:?}");
        assert_eq!(bearers(mode, true), [user; 5], "{mode:?}");
    }
    assert_eq!(bearers(AnonymousMode::Endpoint, false), [user; 5]);
}

/// A machine that makes an anonymous session at the endpoint, by task -1 for the request 1.
fn creating(nobody: &View<Native>) -> Machine<Native> {
    let config = Config { has_endpoint: true, verifies: false, ..CONFIG };
    let mut machine = Machine::<Native>::new(config, AnonymousMode::Endpoint);
    machine.request(1, false, nobody);
    machine.locked(-1, nobody);
    assert_eq!(told(&mut machine), "lock Leader, send Endpoint");
    machine
}

/// As the endpoint answers: a token in the body.
fn made(id: &str) -> Answer<Native> {
    let token = Token { expires_at: 1e15, ..token(id, 1.0) };
    Answer { anonymous: Announced::Token(token), ..answer(200, None, false) }
}

#[test]
fn a_token_that_was_asked_for_before_a_forgetting_or_another_start_does_not_count() {
    let nobody = valid(1e12, None, None);
    let mut machine = creating(&nobody);
    machine.answered(-1, made("a1"), &nobody);
    assert!(told(&mut machine).starts_with("store Remove Store"));

    let mut machine = creating(&nobody);
    machine.operation(2, Operation::Forget, &nobody);
    machine.answered(-1, made("a1"), &nobody);
    let told_then = told(&mut machine);
    assert!(!told_then.contains("store"), "{told_then}");

    let mut machine = creating(&nobody);
    let config = Config { has_endpoint: true, verifies: false, ..CONFIG };
    machine.configure(config, AnonymousMode::Endpoint, true);
    machine.request(2, false, &nobody);
    machine.answered(-1, made("a1"), &nobody);
    machine.locked(-2, &nobody);
    let told_then = told(&mut machine);
    assert!(!told_then.contains("store"), "{told_then}");
    assert!(told_then.contains("send Endpoint"), "the other one is asked: {told_then}");
}

#[test]
fn a_token_of_an_endpoint_whose_clock_is_behind_replaces_one_that_is_over() {
    let config = Config { has_endpoint: true, verifies: false, ..CONFIG };
    let mut machine = Machine::<Native>::new(config, AnonymousMode::Endpoint);
    // It is of 9 s, and the new one of 1 s with another payload.
    let over = View { server_now: 1e13, ..view(1e12, None, Some(9)) };
    machine.request(1, false, &over);
    machine.locked(-1, &over);
    let answer = made("a9");
    let Announced::Token(token) = answer.anonymous else { unreachable!() };
    let token = with_payload(token, 7);
    machine.answered(-1, Answer { anonymous: Announced::Token(token), ..answer }, &over);
    assert_eq!(told(&mut machine), "lock Leader, send Endpoint, store Remove Store");
}

#[test]
fn who_waited_for_the_lock_finds_the_endpoints_session_after_an_end_in_another_tab() {
    let (ada, nobody) = (valid(1e12, Some(1), None), valid(1e12 + 1.0, None, None));
    let config = Config { has_endpoint: true, ..CONFIG };
    let mut machine = Machine::<Native>::new(config, AnonymousMode::Endpoint);
    machine.operation(1, Operation::Refresh, &ada);
    machine.done(-1, true, &ada);
    machine.locked(-1, &nobody);
    assert_eq!(told(&mut machine), "prepare Refresh, lock Refresh, UnlockRefresh, lock Leader");
}

#[test]
fn a_request_of_a_guest_has_the_endpoints_token_checked_once() {
    let guest = valid(1e12, None, Some(1));
    let config = Config { has_endpoint: true, ..CONFIG };
    let mut machine = Machine::<Native>::new(config, AnonymousMode::Endpoint);
    machine.request(1, false, &guest);
    machine.verified(-1, Some(true), &guest);
    machine.answered(1, answer(200, None, false), &guest);
    assert_eq!(told(&mut machine), "VerifyStored, send App, Free, Answer");
}

#[test]
fn tokens_that_come_without_a_front_token_belong_to_the_session_that_is_kept() {
    let ada = valid(1e12, Some(1), None);
    for (user, expected) in [
        (Announced::Nothing, true),
        // Of a session before.
        (Announced::Token(token("s1", 0.5)), false),
    ] {
        let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
        machine.request(1, false, &ada);
        let last = LatestSeen { id: Some("s1"), issued_at: 1.0 };
        let view = View { latest: last, ..valid(1e12, Some(1), None) };
        machine.answered(1, Answer { has_tokens: true, user, ..answer(200, None, false) }, &view);
        let keeps = actions(&mut machine).into_iter().any(
            |action| matches!(action, Action::Store { storing, .. } if storing.keeps_user_tokens),
        );
        assert_eq!(keeps, expected);
    }
}

#[test]
fn an_id_that_came_before_the_forgetting_was_sent_is_forgotten_too() {
    let (guest, other) = (valid(1e12, None, Some(1)), valid(1e12 + 1.0, None, Some(2)));
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.contested = true;
    machine.operation(1, Operation::Forget, &guest);
    machine.done(-1, false, &other);
    assert_eq!(told(&mut machine), "prepare Refresh, send Forget, Free");
    machine.answered(1, answer(200, None, false), &other);
    assert_eq!(told(&mut machine), "send Forget", "the server saw that one");
}

#[test]
fn a_request_waits_for_a_question_under_way_though_the_last_one_failed_a_moment_ago() {
    let ada = valid(1e12, Some(1), None);
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.contested = true;
    machine.doubt_failed_at = ada.now;
    machine.request(1, false, &ada);
    assert_eq!(told(&mut machine), "send App", "it is not asked again yet");
    machine.operation(2, Operation::Refresh, &ada);
    machine.request(3, false, &ada);
    assert_eq!(told(&mut machine), "prepare Refresh");
}

#[test]
fn a_token_of_the_endpoint_is_no_reason_for_a_doubt_though_another_tab_wrote_meanwhile() {
    let nobody = valid(1e12, None, None);
    let mut machine = creating(&nobody);
    machine.answered(-1, made("a1"), &valid(1e12 + 5.0, None, None));
    assert!(told(&mut machine).starts_with("store Remove Store"));
    assert!(!machine.has_doubts());
}

#[test]
fn whoever_came_first_leads_next() {
    let [nothing, ..] = views();
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    for task in 1..=4 {
        machine.request(task, false, &nothing);
    }
    machine.locked(1, &nothing);
    actions(&mut machine);
    machine.done(1, false, &nothing);
    let next = actions(&mut machine).into_iter().find_map(|action| match action {
        Action::Lock { task, .. } => Some(task),
        _ => None,
    });
    assert_eq!(next, Some(2));
}

#[test]
fn a_refresh_of_a_visitor_asks_where_there_is_a_doubt() {
    for (is_in_doubt, expected) in [(false, "UNAUTHORISED, Is(false)"), (true, "lock Leader")] {
        let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Unspecified);
        machine.contested = is_in_doubt;
        machine.operation(1, Operation::Refresh, &valid(1e12, None, None));
        assert_eq!(told(&mut machine), expected);
    }
}

#[test]
fn a_new_doubt_is_asked_about_at_once_though_the_last_question_failed_a_moment_ago() {
    let ada = valid(1e12, Some(1), None);
    let mut machine = signing_out();
    machine.doubt_failed_at = ada.now;
    machine.done(1, false, &ada);
    assert_eq!(told(&mut machine), "prepare Refresh, Rejection");
}

#[test]
fn a_login_over_another_session_crosses_one_of_another_tab_too() {
    let ada = valid(1e12, Some(1), None);
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.request(1, false, &ada);
    machine.answered(1, answer(200, Some(2), false), &ada);
    machine.written(1, Kept::All, &valid(1e12 + 1.0, Some(2), None));
    actions(&mut machine);
    machine.changed(&valid(1e12 + 20.0, Some(3), None));
    assert!(machine.has_doubts());
}

#[test]
fn a_sign_out_ends_its_session_though_it_was_refreshed_or_lost_meanwhile() {
    let [nothing, ..] = views();
    let (ada, refreshed) = (valid(1e12, Some(1), None), valid(1e12 + 1.0, Some(1), None));
    for sent in [&ada, &nothing] {
        let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Off);
        machine.operation(1, Operation::SignOut, &ada);
        machine.done(1, true, sent);
        machine.answered(1, answer(200, None, false), &refreshed);
        machine.done(1, true, &refreshed);
        actions(&mut machine);
        machine.done(1, true, &refreshed);
        assert_eq!(told(&mut machine), "store Remove Keep");
        assert!(!machine.has_doubts());
    }
}

#[test]
fn a_sign_out_of_a_session_that_another_tab_brought_back_is_told() {
    let (ada, nobody) = (valid(1e12, Some(1), None), valid(1e12 + 1.0, None, None));
    let back = valid(1e12 + 2.0, Some(1), None);
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Unspecified);
    machine.request(1, false, &ada);
    machine.answered(1, answer(200, None, true), &ada);
    machine.written(1, Kept::All, &nobody);
    actions(&mut machine);
    machine.changed(&back);
    machine.operation(2, Operation::SignOut, &back);
    machine.done(2, true, &back);
    machine.answered(2, answer(200, None, true), &back);
    machine.written(2, Kept::All, &valid(1e12 + 3.0, None, None));
    let told = told(&mut machine);
    assert!(told.contains("Notify, SIGN_OUT"), "{told}");
}

/// The answer to the first request of a visitor, which brings nothing.
fn led(mode: AnonymousMode, limited: bool) -> String {
    let [nothing, ..] = views();
    let nobody = valid(1e12 + 1.0, None, None);
    let mut machine = Machine::<Native>::new(CONFIG, mode);
    // Nobody could be asked.
    machine.probe_failed_at = nothing.now;
    machine.request(1, false, &nothing);
    machine.locked(1, &nothing);
    machine.answered(1, Answer { limited, ..answer(200, None, false) }, &nobody);
    told(&mut machine)
}

#[test]
fn only_a_server_that_was_to_make_a_session_is_asked_for_one_that_was_lost() {
    let sent = "lock Leader, send App, UnlockLeader";
    assert_eq!(led(AnonymousMode::On, false), format!("{sent}, prepare Refresh, Answer"));
    assert_eq!(led(AnonymousMode::On, true), format!("{sent}, Answer"), "it makes none now");
    assert_eq!(led(AnonymousMode::Unspecified, false), format!("{sent}, Answer"));
}

#[test]
fn a_refresh_for_another_state_asks_nothing_and_who_shares_it_asks_again() {
    let (before, after) = (valid(1e12, Some(1), None), valid(1e12 + 1.0, Some(1), None));
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.request(1, false, &before);
    machine.answered(1, answer(401, None, false), &before);
    machine.request(2, false, &after);
    machine.answered(2, answer(401, None, false), &after);
    actions(&mut machine);
    machine.done(-1, true, &after);
    machine.locked(-1, &after);
    assert_eq!(told(&mut machine), "lock Refresh, UnlockRefresh, send App, prepare Refresh, Free");
}

#[test]
fn a_forgetting_that_begins_again_asks_again_whose_cookies_there_are() {
    let (ada, grace) = (valid(1e12, Some(1), None), valid(1e12 + 1.0, Some(2), None));
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.contested = true;
    machine.operation(1, Operation::Forget, &ada);
    machine.done(-1, true, &ada);
    machine.locked(-1, &ada);
    machine.answered(-1, answer(200, Some(1), false), &ada);
    machine.written(-1, Kept::All, &ada);
    machine.done(-1, true, &ada);
    assert!(told(&mut machine).ends_with("send Forget, Free"));
    machine.changed(&grace);
    assert_eq!(told(&mut machine), "Abort, prepare Refresh");
}

#[test]
fn a_token_that_was_written_since_an_end_that_is_not_written_down_counts_without_its_mark() {
    let [nothing, ..] = views();
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Off);
    machine.request(1, false, &nothing);
    machine.answered(1, answer(200, None, true), &nothing);
    assert!(matches!(machine.state(&nothing), SessionState::None(_)));
    let written = View { stored: stored(None, Some(token("s1", 1.0)), None), ..nothing };
    assert!(machine.state(&written).is_unknown());
}

#[test]
fn a_forgetting_that_another_answer_to_a_guest_crosses_leaves_a_doubt() {
    let guest = valid(1e12, None, Some(1));
    for (new, expected) in [("a2", true), ("a1", false)] {
        let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
        machine.operation(1, Operation::Forget, &guest);
        machine.request(2, false, &guest);
        // It came too late to be kept, but the browser has its cookie.
        let late = Announced::Token(with_payload(token("a1", 0.5), 7));
        machine.answered(2, Answer { anonymous: late, ..answer(200, None, false) }, &guest);
        machine.answered(1, made(new), &guest);
        assert_eq!(machine.has_doubts(), expected, "{new}");
    }
}

#[test]
fn after_a_sign_out_the_endpoints_session_is_in_place_and_only_the_end_is_told() {
    let (ada, nobody) = (valid(1e12, Some(1), None), valid(1e12 + 1.0, None, None));
    let config = Config { has_endpoint: true, verifies: false, ..CONFIG };
    let mut machine = Machine::<Native>::new(config, AnonymousMode::Endpoint);
    machine.operation(1, Operation::SignOut, &ada);
    machine.done(1, true, &ada);
    machine.answered(1, answer(200, None, false), &ada);
    machine.done(1, true, &ada);
    machine.done(1, true, &ada);
    machine.written(1, Kept::All, &nobody);
    machine.locked(-1, &nobody);
    assert!(told(&mut machine).ends_with("Notify, lock Leader, send Endpoint"));
    machine.answered(-1, made("a1"), &nobody);
    machine.written(-1, Kept::All, &valid(1e12 + 2.0, None, Some(1)));
    let told = told(&mut machine);
    assert!(told.ends_with("Notify, UnlockLeader, SIGN_OUT, Undefined, Free"), "{told}");
}

#[test]
fn a_back_end_that_refuses_the_endpoints_token_starts_no_refresh() {
    let guest = valid(1e12, None, Some(1));
    let config = Config { has_endpoint: true, verifies: false, ..CONFIG };
    for (config, mode, expected) in [
        (config, AnonymousMode::Endpoint, "send App, UNAUTHORISED, Answer"),
        (CONFIG, AnonymousMode::On, "send App, ReadMessage"),
    ] {
        let mut machine = Machine::<Native>::new(config, mode);
        machine.request(1, false, &guest);
        machine.answered(1, answer(401, None, false), &guest);
        assert_eq!(told(&mut machine), expected);
    }
}

#[test]
fn a_session_that_was_asked_for_before_they_were_switched_off_leaves_a_doubt() {
    let nobody = valid(1e12, None, None);
    for (mode, expected) in [(AnonymousMode::On, true), (AnonymousMode::Off, false)] {
        let mut machine = Machine::<Native>::new(CONFIG, mode);
        machine.request(1, false, &nobody);
        machine.locked(1, &nobody);
        machine.operation(2, Operation::SwitchOff, &nobody);
        machine.answered(1, made("a1"), &nobody);
        // A server that was told would do so again.
        assert_eq!(machine.has_doubts(), expected, "{mode:?}");
    }
}

#[test]
fn an_id_that_comes_back_during_a_refresh_is_forgotten_once_it_is_known_whose_cookies_there_are() {
    let ada = valid(1e12, Some(1), None);
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.forgotten.push(Node::new("visitor"));
    machine.operation(1, Operation::Refresh, &ada);
    machine.done(-1, true, &ada);
    machine.locked(-1, &ada);
    actions(&mut machine);
    machine.changed(&valid(1e12 + 1.0, Some(2), None));
    let told = told(&mut machine);
    assert!(told.starts_with("Abort") && told.contains("prepare Refresh"), "{told}");
    assert!(!told.contains("send Forget"), "{told}");
}

#[test]
fn a_browser_that_keeps_nothing_costs_no_refresh_at_each_request() {
    let [nothing, ..] = views();
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    for task in 1..=3 {
        machine.request(task, false, &nothing);
        machine.locked(task, &nothing);
        machine.answered(task, made("a1"), &nothing);
        machine.written(task, Kept::NotAnonymous, &nothing);
        assert_eq!(
            told(&mut machine),
            "lock Leader, send App, store Remove Store, Notify, UnlockLeader, TOKEN_NOT_STORED, \
             Answer"
        );
    }
}

#[test]
fn the_endpoints_session_is_told_after_an_end_that_was_told_before() {
    let (ada, nobody) = (valid(1e12, Some(1), None), valid(1e12 + 1.0, None, None));
    for (ended, expected) in
        [(None, "SIGN_OUT, Answer, Free"), (Some("s1"), "ANONYMOUS_SESSION_CREATED, Answer, Free")]
    {
        let config = Config { has_endpoint: true, verifies: false, ..CONFIG };
        let mut machine = Machine::<Native>::new(config, AnonymousMode::Endpoint);
        machine.request(1, false, &ada);
        machine.ended = ended;
        machine.answered(1, answer(200, None, true), &ada);
        machine.written(1, Kept::All, &nobody);
        machine.locked(-1, &nobody);
        machine.answered(-1, made("a1"), &nobody);
        machine.written(-1, Kept::All, &valid(1e12 + 2.0, None, Some(1)));
        let told = told(&mut machine);
        assert!(told.ends_with(expected), "{told}");
    }
}

#[test]
fn an_answer_to_a_visitor_who_has_a_session_meanwhile_says_nothing_of_the_server() {
    let [nothing, ..] = views();
    for (meanwhile, expected) in [(valid(1e12, None, Some(1)), false), (nothing, true)] {
        let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
        let [nothing, ..] = views();
        machine.request(1, false, &nothing);
        machine.locked(1, &nothing);
        machine.answered(1, answer(200, None, false), &meanwhile);
        assert_eq!(machine.no_anonymous_support, expected);
    }
}

#[test]
fn a_browser_that_keeps_no_mark_keeps_nothing() {
    let ada = valid(1e12, Some(1), None);
    let [nothing, ..] = views();
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.request(1, false, &ada);
    machine.answered(1, answer(200, None, true), &ada);
    machine.written(1, Kept::All, &nothing);
    assert_eq!(machine.refused_at, nothing.now);
}

#[test]
fn another_server_is_waited_for_though_the_former_one_made_no_sessions() {
    let nobody = valid(1e12, None, None);
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.no_anonymous_support = true;
    machine.request(1, false, &nobody);
    assert_eq!(told(&mut machine), "send App");
    machine.configure(CONFIG, AnonymousMode::On, true);
    machine.request(2, false, &nobody);
    assert_eq!(told(&mut machine), "lock Leader");
}

#[test]
fn an_end_that_was_not_written_down_is_forgotten_with_another_configuration() {
    let [nothing, ..] = views();
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Off);
    machine.request(1, false, &nothing);
    machine.answered(1, answer(200, None, true), &nothing);
    assert!(!machine.state(&nothing).is_unknown());
    machine.configure(CONFIG, AnonymousMode::Off, true);
    assert!(machine.state(&nothing).is_unknown(), "another server may know a session");
}

#[test]
fn a_token_that_could_not_be_deleted_counts_again_once_it_is_stored() {
    let ada = valid(1e12, Some(1), None);
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Unspecified);
    machine.request(1, false, &ada);
    machine.request(2, false, &ada);
    machine.answered(1, answer(200, None, true), &ada);
    machine.written(1, Kept::All, &ada);
    assert!(machine.state(&ada).user().is_none());
    machine.request(3, false, &ada);
    machine.answered(3, answer(200, Some(1), false), &ada);
    machine.written(3, Kept::All, &ada);
    assert!(machine.state(&ada).user().is_some());
}
