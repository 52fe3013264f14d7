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
use crate::testing::{Native, stored, token};

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
