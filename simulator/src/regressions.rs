//! Histories that once failed, made shorter by the simulator, and named.

use passerby_protocol::{machine::Operation, request::AnonymousMode};

use crate::{
    history::{
        History,
        Step::{self, *},
    },
    server::Route,
    world::Setting,
};

const OURS: Setting = Setting {
    is_ours: true,
    mode: AnonymousMode::On,
    has_locks: true,
    has_channel: true,
    in_headers: false,
    rotates: false,
    skew: 0.0,
};

fn holds(setting: Setting, steps: &[Step]) {
    let world = History { setting, steps: steps.to_vec() }.run(true);
    if let Some(fault) = world.fault {
        panic!("{}\n{fault}", world.log.unwrap_or_default().join("\n"));
    }
}

fn login(tab: u8, user: u32) -> Step {
    Request(tab, Route::Login(user))
}

#[test]
fn a_login_that_was_under_way_does_not_bring_a_forgotten_id_back() {
    let forget = Operate(121, Operation::Forget);
    holds(OURS, &[Open, login(7, 1), Happen(45), Happen(205), Happen(244), Happen(250), forget, login(71, 1)]);
}

#[test]
fn nor_does_a_login_in_another_tab_that_hears_of_nothing() {
    let alone = Setting { has_locks: false, has_channel: false, ..OURS };
    let (visit, forget) = (Request(201, Route::Public), Operate(98, Operation::Forget));
    holds(alone, &[visit, Happen(64), Happen(118), Happen(23), Happen(127), forget, Happen(34), Open, login(233, 1)]);
}

#[test]
fn a_frozen_tab_that_reads_its_login_after_the_sign_out_of_another_asks_whose_session_there_is() {
    holds(
        OURS,
        &[
            Request(173, Route::Public),
            Happen(1),
            Happen(153),
            Happen(18),
            Happen(150),
            login(68, 2),
            Happen(171),
            Freeze(237),
            Happen(57),
            Open,
            login(89, 1),
            Happen(85),
            Happen(42),
            Happen(253),
            Operate(159, Operation::SignOut),
            Lose(244),
            Happen(132),
            Happen(146),
            Happen(186),
        ],
    );
}

#[test]
fn of_two_logins_whose_answers_cross_the_one_whose_cookies_are_kept_counts() {
    holds(
        Setting { has_channel: false, skew: -86_400_000.0, ..OURS },
        &[
            login(121, 2),
            Happen(165),
            Happen(98),
            login(107, 2),
            Happen(104),
            Happen(199),
            Happen(58),
            login(221, 1),
            Happen(2),
            Happen(200),
            Happen(13),
            Happen(33),
            Happen(0),
            Happen(51),
            Happen(223),
            Pass(13_000),
        ],
    );
}

#[test]
fn what_is_left_of_a_lost_anonymous_session_goes_when_they_are_switched_off() {
    let (sign_out, off) = (Operate(10, Operation::SignOut), Operate(128, Operation::Switch(false)));
    let happens = [8, 115, 114, 219, 95, 75].map(Happen);
    let steps = [&[sign_out], &happens[..], &[Drop(218), Happen(55), off]].concat();
    holds(Setting { has_locks: false, ..OURS }, &steps);
}

#[test]
fn a_lost_refresh_cookie_beside_an_expired_access_token_ends_the_session_once() {
    holds(OURS, &[login(116, 1), Happen(42), Happen(195), Happen(50), Drop(19), Pass(3_700_000)]);
}

#[test]
fn a_sign_out_that_another_of_this_tab_made_needless_is_told_before_it_ends() {
    let sign_out = Operate(0, Operation::SignOut);
    holds(OURS, &[login(0, 1), Happen(0), Happen(0), Happen(0), sign_out, sign_out]);
}

#[test]
fn a_lost_anonymous_session_is_asked_for_though_another_refresh_is_under_way() {
    let (refresh, sign_out) = (Operate(47, Operation::Refresh), Operate(20, Operation::SignOut));
    let visit = Request(83, Route::Public);
    let steps =
        [refresh, Happen(200), Happen(10), visit, Happen(233), sign_out, Happen(53), Happen(197), Happen(86), Happen(15)];
    holds(Setting { skew: -86_400_000.0, ..OURS }, &[&steps[..], &[Drop(58)]].concat());
}

#[test]
fn the_first_seeds_hold() {
    for seed in 0..3_000 {
        let fault = History::of(seed).run(false).fault;
        assert_eq!(fault, None, "cargo xtask simulate --seed {seed}");
    }
}
