//! Mistakes that a shell could make.

use alloc::{vec, vec::Vec};

use super::*;
use crate::testing::{Native, stored, token};

pub(super) const CONFIG: Config = Config {
    has_endpoint: false,
    verifies: true,
    expired_status: 401,
    invalid_claim_status: 403,
    retry_limit: 3,
};

pub(super) fn view(now: f64, user: Option<u8>, guest: Option<u8>) -> View<Native> {
    let named = |prefix: &str, id: u8| token(&alloc::format!("{prefix}{id}"), f64::from(id));
    View {
        stored: stored(Some(now), user.map(|id| named("s", id)), guest.map(|id| named("a", id))),
        latest: LatestSeen { id: None, issued_at: f64::NAN },
        now,
        server_now: now,
        has_access_token: false,
        has_refresh_token: false,
    }
}

/// The same with tokens that have not expired.
pub(super) fn valid(now: f64, user: Option<u8>, guest: Option<u8>) -> View<Native> {
    View { server_now: 0.0, ..view(now, user, guest) }
}

pub(super) fn answer(status: u16, user: Option<u8>, ends: bool) -> Answer<Native> {
    Answer {
        status,
        limited: false,
        has_tokens: false,
        user: match user {
            Some(id) => Announced::Token(token(&alloc::format!("s{id}"), f64::from(id))),
            None if ends => Announced::Removed,
            None => Announced::Nothing,
        },
        anonymous: Announced::Nothing,
    }
}

/// Everything that is to be done.
pub(super) fn actions(machine: &mut Machine<Native>) -> Vec<Action> {
    core::iter::from_fn(|| machine.next_action().copied()).collect()
}

pub(super) const MODES: [AnonymousMode; 4] =
    [AnonymousMode::Unspecified, AnonymousMode::On, AnonymousMode::Endpoint, AnonymousMode::Off];

/// The operations that change nothing.
pub(super) const QUESTIONS: [Operation; 6] = [
    Operation::Exists,
    Operation::IsAnonymous,
    Operation::UserId,
    Operation::AnonymousId,
    Operation::Payload,
    Operation::AccessToken,
];

#[test]
fn what_no_task_waits_for_changes_nothing() {
    for mode in MODES {
        let mut machine = Machine::<Native>::new(CONFIG, mode);
        let view = view(1e12, Some(1), None);
        machine.answered(7, answer(200, Some(2), false), &view);
        machine.done(7, false, &view);
        machine.done(-1, true, &view);
        machine.locked(0, &view);
        machine.message(7, Message::TryRefresh, &view);
        machine.written(7, Kept::All, &view);
        machine.verified(7, None, &view);
        machine.done(7, true, &view);
        assert_eq!(actions(&mut machine), []);
        assert!(machine.is_idle());
    }
}

#[test]
fn an_answer_counts_once() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Unspecified);
    let view = view(1e12, Some(1), None);
    machine.request(1, false, &view);
    machine.request(1, true, &view);
    assert!(
        matches!(actions(&mut machine)[..], [Action::Send { task: 1, call: Call::App, .. }]),
        "one number is one task"
    );
    machine.answered(1, answer(200, None, false), &view);
    assert_eq!(actions(&mut machine), [Action::Settle { task: 1, outcome: Outcome::Answer }]);
    machine.answered(1, answer(200, None, true), &view);
    machine.done(1, false, &view);
    assert_eq!(actions(&mut machine), []);
}

/// The machine of a tab that has just read the answer to a login, with session `s2`, at this time.
fn signed_in(now: f64) -> Machine<Native> {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.request(1, false, &view(now, None, Some(1)));
    machine.answered(1, answer(200, Some(2), false), &view(now, None, Some(1)));
    machine.written(1, Kept::All, &view(now, Some(2), None));
    actions(&mut machine);
    machine
}

#[test]
fn a_login_of_another_tab_in_the_same_moment_is_asked_about_and_a_later_one_is_not() {
    let mut machine = signed_in(1e12);
    machine.changed(&view(1e12 + 10.0, Some(2), None));
    assert!(!machine.has_doubts(), "it hears of its own");
    machine.changed(&view(1e12 + 20.0, Some(3), None));
    assert!(machine.has_doubts());
    assert!(matches!(actions(&mut machine)[..], [Action::Prepare { call: Call::Refresh, .. }]));

    let mut machine = signed_in(1e12);
    machine.changed(&view(1e12 + 100.0, Some(3), None));
    assert!(!machine.has_doubts());
    assert_eq!(actions(&mut machine), []);
}

#[test]
fn only_a_session_that_begins_crosses_another_one() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.request(1, false, &view(1e12, Some(2), None));
    // The same session, with another payload.
    machine.answered(1, answer(200, Some(2), false), &view(1e12, Some(2), None));
    machine.written(1, Kept::All, &view(1e12, Some(2), None));
    actions(&mut machine);
    machine.changed(&view(1e12 + 10.0, Some(3), None));
    assert!(!machine.has_doubts());
}

/// The events that are told.
fn events(machine: &mut Machine<Native>) -> Vec<Event> {
    let told = actions(machine).into_iter().filter_map(|action| match action {
        Action::Fire { event, .. } => Some(event),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_login_of_another_tab_is_asked_about_after_a_second_start_too() {
    let mut machine = signed_in(1e12);
    machine.configure(CONFIG, AnonymousMode::On, true);
    machine.changed(&view(1e12 + 10.0, Some(3), None));
    assert!(machine.has_doubts());
}

#[test]
fn a_doubt_survives_a_second_start() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    let ada = valid(1e12, Some(1), None);
    machine.operation(1, Operation::SignOut, &ada);
    machine.done(1, true, &ada);
    actions(&mut machine);
    machine.configure(CONFIG, AnonymousMode::On, true);
    machine.done(1, false, &ada);
    machine.configure(CONFIG, AnonymousMode::On, true);
    assert!(machine.has_doubts(), "the answer may have been lost after the browser had it");
}

#[test]
fn a_forgotten_id_stays_forgotten_after_a_second_start() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    let [before, after] = [1, 2].map(|id| valid(1e12, None, Some(id)));
    machine.operation(1, Operation::Forget, &before);
    let new = Announced::Token(token("a2", 2.0));
    machine.answered(1, Answer { anonymous: new, ..answer(200, None, false) }, &before);
    machine.written(1, Kept::All, &after);
    actions(&mut machine);
    machine.configure(CONFIG, AnonymousMode::On, true);
    // An answer that was under way brings it back.
    machine.changed(&before);
    assert!(matches!(actions(&mut machine)[..], [Action::Send { call: Call::Forget, .. }]));
}

#[test]
fn an_end_is_told_once_though_the_app_starts_again_between() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    let ada = valid(1e12, Some(1), None);
    let nobody = valid(1e12 + 1.0, None, None);
    machine.request(1, false, &ada);
    machine.request(2, false, &ada);
    machine.answered(1, answer(401, None, true), &ada);
    machine.written(1, Kept::All, &nobody);
    let ended = Event::Unauthorised { expired_or_revoked: true };
    assert_eq!(events(&mut machine), [ended]);
    machine.configure(CONFIG, AnonymousMode::On, true);
    machine.answered(2, answer(401, None, true), &nobody);
    machine.written(2, Kept::All, &nobody);
    assert_eq!(events(&mut machine), []);
}

#[test]
fn an_end_that_a_request_finds_before_it_goes_is_told_once() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Unspecified);
    let ada = valid(1e12, Some(1), None);
    let nobody = valid(1e12 + 1.0, None, None);
    machine.contested = true;
    machine.request(1, false, &ada);
    let refresh = machine.flight;
    machine.done(refresh, true, &ada);
    machine.locked(refresh, &ada);
    machine.answered(refresh, answer(401, None, true), &ada);
    machine.message(refresh, Message::Other(Verdict::Ended), &ada);
    machine.written(refresh, Kept::All, &nobody);
    machine.done(refresh, true, &nobody);
    assert_eq!(events(&mut machine), [Event::Unauthorised { expired_or_revoked: true }]);
    machine.answered(1, answer(401, None, false), &nobody);
    assert_eq!(actions(&mut machine), [Action::Settle { task: 1, outcome: Outcome::Answer }]);
    // A later one that needs a user is told.
    machine.request(2, false, &nobody);
    machine.answered(2, answer(401, None, false), &nobody);
    assert_eq!(events(&mut machine), [Event::Unauthorised { expired_or_revoked: false }]);
}

#[test]
fn the_server_of_another_configuration_is_asked_though_that_of_before_could_not_say() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Unspecified);
    let mut unknown = valid(1e12, None, None);
    unknown.stored = stored(None, None, None);
    let asks = |machine: &mut Machine<Native>, task: TaskId| {
        machine.request(task, false, &unknown);
        let mut asks = false;
        while let Some(action) = machine.next_action().copied() {
            match action {
                Action::Prepare { task, .. } => machine.done(task, true, &unknown),
                Action::Lock { task, .. } => machine.locked(task, &unknown),
                Action::Send { task, call: Call::Refresh, .. } => {
                    asks = true;
                    machine.done(task, false, &unknown);
                }
                _ => {}
            }
        }
        asks
    };
    assert!(asks(&mut machine, 1));
    assert!(!asks(&mut machine, 2), "for a while it is left alone");
    machine.configure(CONFIG, AnonymousMode::Unspecified, true);
    assert!(asks(&mut machine, 3));
}

/// A sign-out of session `s1` that was sent.
pub(super) fn signing_out() -> Machine<Native> {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    let ada = valid(1e12, Some(1), None);
    machine.operation(1, Operation::SignOut, &ada);
    machine.done(1, true, &ada);
    assert!(
        matches!(
            actions(&mut machine)[..],
            [Action::Prepare { .. }, Action::Send { call: Call::SignOut, names: true, .. }]
        ),
        "it says which session it is about"
    );
    machine
}

#[test]
fn a_sign_out_is_given_up_when_another_session_takes_the_place_of_its_own() {
    let mut machine = signing_out();
    machine.changed(&valid(1e12 + 1.0, Some(1), None));
    assert_eq!(actions(&mut machine), [], "the same session, refreshed");
    machine.changed(&valid(1e12 + 2.0, Some(2), None));
    let wanted = actions(&mut machine);
    assert_eq!(
        wanted[..3],
        [
            Action::Plain { task: 1, what: Plain::Abort },
            Action::Fire { task: 1, event: Event::SignOut },
            Action::Settle { task: 1, outcome: Outcome::Undefined },
        ]
    );
    // The browser may have had its cookies.
    assert!(matches!(wanted[3..], [Action::Prepare { call: Call::Refresh, .. }]));
}

#[test]
fn a_sign_out_ends_no_session_that_began_while_it_was_made_ready() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.operation(1, Operation::SignOut, &valid(1e12, Some(1), None));
    actions(&mut machine);
    machine.done(1, true, &valid(1e12 + 1.0, Some(2), None));
    assert_eq!(
        actions(&mut machine),
        [
            Action::Fire { task: 1, event: Event::SignOut },
            Action::Settle { task: 1, outcome: Outcome::Undefined },
        ]
    );
}

/// Says `try refresh token` to each sign-out, and refreshes the session that it has.
fn names_of_sign_outs(view_after: &View<Native>, session: u8) -> Vec<bool> {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    let mut view = valid(1e12, Some(1), None);
    machine.operation(1, Operation::SignOut, &view);
    let mut names_session = Vec::new();
    while let Some(action) = machine.next_action().copied() {
        match action {
            Action::Prepare { task, .. } => machine.done(task, true, &view),
            Action::Lock { task, .. } => machine.locked(task, &view),
            Action::Send { task, call: Call::SignOut, names, .. } => {
                names_session.push(names);
                machine.answered(task, answer(if names { 401 } else { 200 }, None, false), &view);
            }
            Action::Send { task, .. } => {
                machine.answered(task, answer(200, Some(session), false), &view)
            }
            Action::Store { task, .. } => {
                view.stored = Stored {
                    changed: Mark::after(view.stored.changed, view.now),
                    user: view_after.stored.user,
                    anonymous: Slot::Empty,
                };
                machine.written(task, Kept::All, &view);
            }
            Action::Plain { task, what: Plain::ShowAnswer } => machine.done(task, true, &view),
            Action::Plain { task, what: Plain::ReadSignOut } => machine.done(task, true, &view),
            _ => {}
        }
    }
    names_session
}

#[test]
fn a_server_that_has_another_session_keeps_it_and_one_that_is_misled_is_asked_without_a_name() {
    assert_eq!(names_of_sign_outs(&valid(1e12, Some(2), None), 2), [true]);
    // A planted front token names a session that nobody has.
    assert_eq!(names_of_sign_outs(&valid(1e12, Some(1), None), 1), [true, true, false]);
}

#[test]
fn a_forgetting_begins_again_where_another_session_takes_the_place_of_its_own() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    machine.operation(1, Operation::Forget, &valid(1e12, Some(1), None));
    actions(&mut machine);
    let grace = valid(1e12 + 1.0, Some(2), None);
    machine.changed(&grace);
    let mut calls = Vec::new();
    while let Some(action) = machine.next_action().copied() {
        match action {
            Action::Prepare { task, .. } => machine.done(task, true, &grace),
            Action::Lock { task, .. } => machine.locked(task, &grace),
            Action::Plain { task: 1, what: Plain::Abort } => calls.push(None),
            Action::Send { task, call: Call::Refresh, .. } => {
                // Of the call that was given up.
                machine.done(1, false, &grace);
                machine.answered(task, answer(200, Some(2), false), &grace);
            }
            Action::Send { call, .. } => calls.push(Some(call)),
            Action::Store { task, .. } => machine.written(task, Kept::All, &grace),
            Action::Plain { task, what: Plain::ShowAnswer } => machine.done(task, true, &grace),
            _ => {}
        }
    }
    assert_eq!(calls, [None, Some(Call::Forget)]);
}

#[test]
fn an_anonymous_session_that_the_browser_refuses_is_not_told_of() {
    for user in [Announced::Nothing, Announced::Removed] {
        let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Unspecified);
        let nobody = view(1e12, None, None);
        machine.request(1, false, &nobody);
        let made = Announced::Token(token("a1", 1.0));
        machine.answered(1, Answer { user, anonymous: made, ..answer(200, None, false) }, &nobody);
        actions(&mut machine);
        machine.written(1, Kept::NotAnonymous, &nobody);
        let told = actions(&mut machine);
        let events = told.iter().filter_map(|action| match action {
            Action::Fire { event, .. } => Some(*event),
            _ => None,
        });
        assert_eq!(events.collect::<vec::Vec<_>>(), [Event::TokenNotStored]);
    }
}

#[test]
fn with_an_endpoint_a_server_that_cannot_be_reached_is_not_asked_again_and_again() {
    let mut machine =
        Machine::<Native>::new(Config { has_endpoint: true, ..CONFIG }, AnonymousMode::Endpoint);
    let mut view = view(100_000.0, None, None);
    view.stored = stored(None, None, None);
    machine.request(1, false, &view);
    let (mut sent, mut steps) = (0, 0);
    while let Some(action) = machine.next_action().copied() {
        steps += 1;
        assert!(steps < 1000, "for ever");
        match action {
            Action::Prepare { task, .. } => machine.done(task, true, &view),
            Action::Lock { task, .. } => machine.locked(task, &view),
            Action::Send { task, call: Call::Refresh, .. } => {
                sent += 1;
                machine.done(task, false, &view);
            }
            _ => {}
        }
    }
    assert_eq!(sent, 1);
}

/// `src/browser/tasks.js` reads them where they stand in memory.
#[test]
fn actions_lie_in_memory_as_the_browsers_shell_reads_them() {
    use core::mem::offset_of;
    assert_eq!(size_of::<Action>(), 24);
    assert_eq!((size_of::<Outcome>(), size_of::<Reason>(), size_of::<Event>()), (12, 8, 2));
    assert_eq!(
        [offset_of!(Headers, anti_csrf), offset_of!(Headers, bearer), offset_of!(Headers, wish)],
        [0, 1, 2]
    );
    assert_eq!(
        [
            offset_of!(Storing, user),
            offset_of!(Storing, anonymous),
            offset_of!(Storing, drop_unreadable)
        ],
        [0, 1, 2]
    );
    assert_eq!([offset_of!(Storing, keeps_user_tokens), offset_of!(Storing, tells_time)], [3, 4]);
    assert_eq!(offset_of!(Storing, mark), 8);
}

/// Lets an app ask everything at each event and each notice, in a browser that keeps nothing of
/// what it is given, and counts the calls.
fn calls_of_a_curious_app(mode: AnonymousMode, kept: fn() -> Stored<Native>, user: bool) -> u32 {
    let config = Config { has_endpoint: mode == AnonymousMode::Endpoint, ..CONFIG };
    let mut machine = Machine::<Native>::new(config, mode);
    let (mut now, mut latest, mut calls) = (1e12, 1, 0);
    let mut ask = |machine: &mut Machine<Native>, view: &View<Native>| {
        for operation in QUESTIONS {
            latest += 1;
            machine.operation(latest, operation, view);
        }
    };
    machine.request(1, false, &View { stored: kept(), ..view(now, None, None) });
    for _ in 0..500 {
        now += 1.0;
        let view = View { stored: kept(), ..view(now, None, None) };
        for action in actions(&mut machine) {
            match action {
                Action::Prepare { task, .. } => machine.done(task, true, &view),
                Action::Lock { task, .. } => machine.locked(task, &view),
                Action::Send { task, .. } => {
                    calls += 1;
                    let mut answer = answer(200, user.then_some(2), !user);
                    if !user {
                        // Always a new one.
                        let made = token(&alloc::format!("a{calls}"), now / 1000.0);
                        answer.anonymous = Announced::Token(Token { expires_at: 2e12, ..made });
                    }
                    machine.answered(task, answer, &view);
                }
                Action::Store { task, .. } => {
                    machine.written(task, Kept::NotUser, &view);
                }
                Action::Plain { task, what: Plain::VerifyStored | Plain::VerifyAnswered } => {
                    machine.verified(task, Some(true), &view)
                }
                Action::Plain { task, what: Plain::ShowAnswer | Plain::ReadClaims } => {
                    machine.done(task, true, &view)
                }
                Action::Fire { .. } | Action::Plain { what: Plain::Notify, .. } => {
                    ask(&mut machine, &view)
                }
                _ => {}
            }
        }
    }
    assert!(machine.is_idle(), "{mode:?}");
    calls
}

#[test]
fn a_browser_that_keeps_nothing_is_not_asked_again_and_again() {
    let unknown = || stored(None, None, None);
    let nobody = || stored(Some(1e12), None, None);
    let expired = || stored(Some(1e12), Some(Token { expires_at: 1.0, ..token("s1", 1.0) }), None);
    for mode in MODES {
        for (what, kept) in
            [("unknown", unknown as fn() -> _), ("nobody", nobody), ("expired", expired)]
        {
            for user in [false, true] {
                let calls = calls_of_a_curious_app(mode, kept, user);
                assert!(calls <= 4, "{calls} calls, {mode:?}, {what}, user {user}");
            }
        }
    }
}

#[test]
fn an_answer_to_a_known_visitor_needs_no_look_while_nothing_is_open() {
    for (mode, expected) in [
        (AnonymousMode::Unspecified, true),
        (AnonymousMode::On, true),
        (AnonymousMode::Endpoint, false),
        (AnonymousMode::Off, false),
    ] {
        let mut machine = Machine::<Native>::new(CONFIG, mode);
        machine.look_at(&view(1e12, None, Some(1)));
        assert_eq!(machine.needs_no_look(), expected, "{mode:?}");
        machine.look_at(&view(1e12, None, None));
        assert!(!machine.needs_no_look(), "{mode:?}");
    }
    let mut machine = signed_in(1e12);
    let ada = view(1e12, Some(2), None);
    machine.look_at(&ada);
    assert!(machine.needs_no_look());
    machine.operation(2, Operation::Refresh, &ada);
    assert!(!machine.needs_no_look(), "a refresh is under way");
}

#[test]
fn a_browser_that_kept_nothing_is_tried_again_after_a_second_start() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Unspecified);
    let nobody = View { stored: stored(None, None, None), ..view(1e12, None, None) };
    let asks = |machine: &mut Machine<Native>, task| {
        machine.operation(task, Operation::Exists, &nobody);
        let wanted = actions(machine);
        !matches!(wanted[..], [Action::Settle { .. }])
    };
    machine.request(1, false, &nobody);
    actions(&mut machine);
    machine.done(-1, true, &nobody);
    machine.locked(-1, &nobody);
    let made = Announced::Token(token("a1", 1.0));
    machine.answered(-1, Answer { anonymous: made, ..answer(200, None, false) }, &nobody);
    machine.written(-1, Kept::NotAnonymous, &nobody);
    actions(&mut machine);
    assert!(!asks(&mut machine, 2), "it kept nothing a moment ago");
    machine.configure(CONFIG, AnonymousMode::Unspecified, true);
    assert!(asks(&mut machine, 3), "perhaps it is written for another domain now");
}

#[test]
fn a_session_of_a_page_that_was_taken_back_crosses_nothing() {
    let mut machine = signed_in(1e12);
    machine.configure(CONFIG, AnonymousMode::On, false);
    machine.changed(&view(1e12 + 10.0, Some(3), None));
    assert!(!machine.has_doubts());
}

/// Lets the machine go on until it wants nothing more, in a world that does what `answer` says, and
/// the usual where that is `false`.
fn go_on(
    machine: &mut Machine<Native>,
    view: &mut View<Native>,
    mut answer: impl FnMut(&mut Machine<Native>, Action, &mut View<Native>) -> bool,
) {
    for _ in 0..2_000 {
        let Some(action) = machine.next_action().copied() else { return };
        if answer(machine, action, view) {
            continue;
        }
        match action {
            Action::Prepare { task, .. } => machine.done(task, true, view),
            Action::Lock { task, .. } => machine.locked(task, view),
            Action::Store { task, storing } => {
                if storing.mark > 0.0 {
                    view.stored.changed = Mark(storing.mark);
                }
                machine.written(task, Kept::All, view);
            }
            Action::Plain { task, what: Plain::ShowAnswer } => machine.done(task, true, view),
            _ => {}
        }
    }
    panic!("it never ends");
}

#[test]
fn a_hook_that_fails_is_not_called_again_and_again_because_of_a_doubt() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    let mut ada = valid(1e12, Some(1), None);
    machine.operation(1, Operation::SignOut, &ada);
    let mut hooks = 0;
    go_on(&mut machine, &mut ada, |machine, action, ada| match action {
        Action::Prepare { task, .. } => {
            hooks += 1;
            // That of the sign-out does not fail, its call does.
            machine.done(task, hooks == 1, ada);
            true
        }
        Action::Send { task, .. } => {
            machine.done(task, false, ada);
            true
        }
        _ => false,
    });
    assert_eq!(hooks, 2);
    assert!(machine.has_doubts() && machine.is_idle());
}

#[test]
fn a_refresh_says_what_its_hook_was_shown() {
    let mut nobody = view(1e12, None, None);
    nobody.stored = stored(None, None, None);
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::Off);
    machine.operation(1, Operation::Refresh, &nobody);
    machine.locked(1, &nobody);
    actions(&mut machine);
    machine.done(-1, true, &nobody);
    // While it waits for the lock.
    machine.operation(2, Operation::SwitchOn, &nobody);
    machine.locked(-1, &nobody);
    machine.answered(-1, answer(401, None, false), &nobody);
    machine.message(-1, Message::Other(Verdict::Ended), &nobody);
    assert!(!machine.no_anonymous_support, "the server was told to make none");
}

#[test]
fn of_a_refresh_that_comes_too_late_nothing_is_told() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    let mut ada = valid(1e12, Some(1), None);
    ada.stored.user = Slot::Token(token("s1", 1000.0));
    ada.latest = LatestSeen { id: Some("s1"), issued_at: 1000.0 };
    machine.operation(1, Operation::Refresh, &ada);
    let mut told = Vec::new();
    go_on(&mut machine, &mut ada, |machine, action, ada| {
        match action {
            Action::Send { task, .. } => {
                let old = Announced::Token(token("s1", 900.0));
                machine.answered(task, Answer { user: old, ..answer(200, None, false) }, ada);
            }
            Action::Fire { event, .. } => told.push(event),
            _ => return false,
        }
        true
    });
    assert_eq!(told, []);
}

#[test]
fn four_questions_that_leave_a_doubt_are_followed_by_a_wait() {
    let mut machine = Machine::<Native>::new(CONFIG, AnonymousMode::On);
    let mut current = valid(1e12, Some(1), None);
    machine.doubt(&current);
    machine.changed(&current);
    let (mut questions, mut mark) = (0, 1e12);
    go_on(&mut machine, &mut current, |machine, action, current| match action {
        Action::Send { task, call: Call::Refresh, .. } => {
            questions += 1;
            mark += 100.0;
            // Another tab stores something each time.
            *current = valid(mark, Some(1 + questions % 2), None);
            machine.answered(task, answer(200, Some(7), false), current);
            true
        }
        _ => false,
    });
    assert_eq!(questions, 4);
    assert!(machine.has_doubts());
}

/// A task that waits for the endpoint waits for nothing else.
#[test]
fn a_lock_or_a_report_that_comes_twice_changes_nothing_while_the_endpoint_is_asked() {
    let config = Config { has_endpoint: true, ..CONFIG };
    let ada = valid(1e12, Some(1), None);
    let nobody = valid(1e12 + 5.0, None, None);
    let mut unknown = valid(1e12 + 6.0, None, None);
    unknown.stored = stored(None, None, None);

    let mut machine = Machine::<Native>::new(config, AnonymousMode::Endpoint);
    machine.operation(1, Operation::Refresh, &ada);
    machine.done(-1, true, &ada);
    machine.locked(-1, &nobody);
    actions(&mut machine);
    machine.locked(-1, &nobody);
    machine.locked(-1, &unknown);
    assert_eq!(actions(&mut machine), []);

    let mut machine = Machine::<Native>::new(config, AnonymousMode::Endpoint);
    machine.operation(1, Operation::SignOut, &ada);
    machine.done(1, true, &ada);
    machine.answered(1, answer(200, None, false), &ada);
    machine.done(1, true, &ada);
    machine.done(1, true, &ada);
    machine.written(1, Kept::All, &nobody);
    actions(&mut machine);
    let refused_at = machine.refused_at;
    machine.written(1, Kept::NotUser, &nobody);
    assert_eq!(actions(&mut machine), []);
    assert_eq!(machine.refused_at, refused_at);
}
