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
    stores_slowly: false,
    has_endpoint: false,
    is_curious: false,
    keeps_nothing: false,
    is_too_large: false,
    shares_host: true,
    forgets_soon: false,
    knows_others: true,
    shows_late: false,
    balancer: 0,
    ahead: 0.0,
    for_site: false,
    scripts_for_site: false,
};

fn holds(setting: Setting, steps: &[Step]) {
    let world = History { setting, steps: steps.to_vec() }.run(true);
    if let Some(fault) = world.fault {
        panic!("{}\n{fault}", world.log.unwrap_or_default().join("\n"));
    }
}

fn happen(numbers: &[u8]) -> Vec<Step> {
    numbers.iter().copied().map(Happen).collect()
}

fn login(tab: u8, user: u32) -> Step {
    Request(tab, Route::Login(user))
}

#[test]
fn a_login_that_was_under_way_does_not_bring_a_forgotten_id_back() {
    let forget = Operate(121, Operation::Forget);
    holds(
        OURS,
        &[
            Open,
            login(7, 1),
            Happen(45),
            Happen(205),
            Happen(244),
            Happen(250),
            forget,
            login(71, 1),
        ],
    );
}

#[test]
fn nor_does_a_login_in_another_tab_that_hears_of_nothing() {
    let alone = Setting { has_locks: false, has_channel: false, ..OURS };
    let (visit, forget) = (Request(201, Route::Public), Operate(98, Operation::Forget));
    holds(
        alone,
        &[
            visit,
            Happen(64),
            Happen(118),
            Happen(23),
            Happen(127),
            forget,
            Happen(34),
            Open,
            login(233, 1),
        ],
    );
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
fn the_rest_of_a_lost_anonymous_session_goes_when_they_are_switched_off() {
    let (sign_out, off) = (Operate(10, Operation::SignOut), Operate(128, Operation::SwitchOff));
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
    let steps = [
        refresh,
        Happen(200),
        Happen(10),
        visit,
        Happen(233),
        sign_out,
        Happen(53),
        Happen(197),
        Happen(86),
        Happen(15),
    ];
    holds(Setting { skew: -86_400_000.0, ..OURS }, &[&steps[..], &[Drop(58)]].concat());
}

#[test]
fn a_front_token_without_its_mark_does_not_come_back_with_an_anonymous_session() {
    holds(
        OURS,
        &[
            vec![login(212, 1)],
            happen(&[224, 145]),
            vec![Pass(3_700_000)],
            happen(&[229, 43]),
            vec![Operate(155, Operation::Refresh)],
            happen(&[254]),
            vec![Request(123, Route::Public)],
            happen(&[102, 24, 198]),
            vec![Open, Open, Operate(57, Operation::Forget)],
            happen(&[240, 217, 25]),
            vec![Pass(3_700_000)],
            happen(&[21, 131, 51, 176, 70, 133, 36, 17]),
            vec![Drop(150), Drop(107)],
        ]
        .concat(),
    );
}

#[test]
fn a_user_whose_mark_was_lost_is_asked_for_where_an_anonymous_session_is_announced() {
    holds(
        Setting { has_locks: false, skew: 3_600_000.0, ..OURS },
        &[
            vec![login(119, 2), Open, Request(25, Route::Public)],
            happen(&[160, 173, 188, 246, 17]),
            vec![Drop(29)],
        ]
        .concat(),
    );
}

#[test]
fn an_answer_of_before_a_forgetting_whose_cookies_came_last_is_found_out() {
    holds(
        Setting { has_locks: false, has_channel: false, skew: 3_600_000.0, ..OURS },
        &[
            vec![login(124, 1)],
            happen(&[96]),
            vec![login(250, 1)],
            happen(&[33]),
            vec![Pass(9_000)],
            happen(&[173, 133, 156, 249, 200, 174]),
            vec![Request(186, Route::Users)],
            happen(&[199, 211, 126, 35, 23, 110]),
            vec![Operate(243, Operation::Forget)],
            happen(&[159]),
            vec![Request(54, Route::Users)],
            happen(&[106, 237, 254]),
        ]
        .concat(),
    );
}

#[test]
fn a_session_that_is_found_shows_that_the_server_makes_them() {
    holds(
        OURS,
        &[
            vec![Operate(70, Operation::Refresh)],
            happen(&[51, 212, 85, 193]),
            vec![Request(11, Route::Public)],
            happen(&[141]),
            vec![Pass(9_000)],
            happen(&[222, 124, 53]),
            vec![Lose(152)],
            happen(&[242, 167, 53, 0, 138]),
            vec![Drop(220)],
        ]
        .concat(),
    );
}

#[test]
fn a_login_that_is_read_after_a_sign_out_takes_no_anonymous_token_of_header_mode_away() {
    holds(
        Setting { in_headers: true, ..OURS },
        &[
            vec![login(1, 1)],
            happen(&[239, 81, 95]),
            vec![Pass(3_700_000)],
            happen(&[83]),
            vec![Operate(1, Operation::SignOut), login(220, 1)],
            happen(&[53]),
            vec![Pass(3_700_000)],
            happen(&[108, 185, 213, 196]),
            vec![login(70, 2)],
            happen(&[107]),
            vec![Request(15, Route::Public)],
            happen(&[112, 55, 181, 246, 42, 221, 65, 218, 121, 46]),
        ]
        .concat(),
    );
}

#[test]
fn an_anonymous_cookie_that_came_during_a_user_session_is_found_out() {
    holds(
        Setting { mode: AnonymousMode::Unspecified, ..OURS },
        &[
            vec![Request(140, Route::Public)],
            happen(&[82, 189]),
            vec![Request(53, Route::Public)],
            happen(&[142]),
            vec![Open],
            happen(&[232]),
            vec![Operate(112, Operation::SignOut)],
            happen(&[170]),
            vec![Request(142, Route::Public)],
            happen(&[204, 139, 129, 152]),
            vec![login(147, 1)],
            happen(&[64, 55]),
            vec![Request(154, Route::Public)],
            happen(&[135]),
            vec![ReplaceKey(0)],
            happen(&[221, 98, 240, 212, 236, 163]),
            vec![Revoke],
            happen(&[169, 78, 221, 87]),
            vec![Request(245, Route::Users)],
            happen(&[29, 14, 0, 26]),
        ]
        .concat(),
    );
}

#[test]
fn a_refusal_that_removes_a_front_token_without_its_mark_is_asked_about() {
    holds(
        OURS,
        &[
            vec![
                Operate(224, Operation::SwitchOff),
                Operate(168, Operation::SignOut),
                Request(139, Route::Public),
            ],
            happen(&[105, 61, 178, 3, 32, 86]),
            vec![Freeze(95), Open],
            happen(&[81, 109]),
            vec![login(181, 2)],
            happen(&[146, 41, 39]),
            vec![Drop(107)],
        ]
        .concat(),
    );
}

#[test]
fn a_session_that_a_frozen_tab_brings_back_does_not_end_twice() {
    holds(
        Setting { has_locks: false, skew: 3_600_000.0, ..OURS },
        &[
            vec![login(173, 2)],
            happen(&[13]),
            vec![Freeze(104), Open, Open, Freeze(214)],
            happen(&[27, 192]),
            vec![
                Operate(128, Operation::SignOut),
                Lose(5),
                Request(227, Route::Public),
                Request(237, Route::Users),
                Request(94, Route::Users),
                login(183, 1),
                login(226, 2),
            ],
            happen(&[250, 242, 31]),
            vec![Request(57, Route::Users)],
            happen(&[120, 175, 4, 63, 61]),
            vec![Request(216, Route::Users)],
            happen(&[42]),
            vec![Request(152, Route::Public), Request(197, Route::Users)],
            happen(&[171, 102, 140, 166]),
            vec![Request(48, Route::Users)],
            happen(&[205, 243, 153, 225, 39]),
        ]
        .concat(),
    );
}

#[test]
fn an_answer_whose_cookies_came_during_the_question_is_found_out() {
    holds(
        OURS,
        &[
            vec![Request(181, Route::Public), Request(28, Route::Public)],
            happen(&[89]),
            vec![Operate(152, Operation::Forget)],
            happen(&[142]),
            vec![Pass(6_000)],
            happen(&[140, 157, 206, 155, 63]),
            vec![Request(231, Route::Users), Pass(3_700_000)],
            happen(&[212, 14]),
        ]
        .concat(),
    );
}

#[test]
fn of_two_logins_of_which_the_mark_was_lost_the_one_whose_cookies_are_kept_counts() {
    holds(
        OURS,
        &[
            vec![Operate(90, Operation::SwitchOff), login(198, 2), Freeze(23), Open],
            happen(&[53, 82]),
            vec![login(67, 2)],
            happen(&[185, 24, 245]),
            vec![Drop(65)],
        ]
        .concat(),
    );
}

#[test]
fn a_user_whose_mark_was_lost_is_asked_for_by_a_tab_that_knew_of_no_session() {
    holds(
        Setting { mode: AnonymousMode::Unspecified, has_channel: false, rotates: true, ..OURS },
        &[
            vec![login(152, 1)],
            happen(&[56]),
            vec![Operate(86, Operation::SwitchOff)],
            happen(&[148, 6, 189, 202]),
            vec![Request(201, Route::Public)],
            happen(&[216, 127]),
            vec![Pass(3_700_000), Open, Open, login(4, 2)],
            happen(&[150, 14, 2, 22, 86]),
            vec![Drop(29)],
        ]
        .concat(),
    );
}

#[test]
fn an_id_that_came_while_they_were_switched_off_is_asked_for_once_they_are_on() {
    holds(
        Setting { mode: AnonymousMode::Unspecified, ..OURS },
        &[
            vec![Operate(95, Operation::Forget)],
            happen(&[73]),
            vec![Lose(68), Operate(243, Operation::Refresh), Operate(174, Operation::SignOut)],
            happen(&[168, 182, 242, 150, 159, 54, 218, 150]),
            vec![login(189, 2)],
            happen(&[166]),
            vec![Operate(149, Operation::SwitchOff)],
            happen(&[125, 119]),
            vec![Down],
            happen(&[243, 23]),
            vec![login(77, 1)],
            happen(&[150]),
            vec![Operate(26, Operation::SwitchOn)],
            happen(&[242, 185, 12]),
        ]
        .concat(),
    );
}

#[test]
fn an_answer_whose_cookie_came_after_that_of_a_forgetting_is_found_out() {
    holds(
        OURS,
        &[
            vec![Request(200, Route::Users)],
            happen(&[252, 59]),
            vec![Request(21, Route::Public), Pass(9_000)],
            happen(&[145, 147, 77]),
            vec![Request(168, Route::Public)],
            happen(&[31, 213]),
            vec![Operate(98, Operation::Forget)],
            happen(&[14, 233, 198, 111, 63]),
        ]
        .concat(),
    );
}

#[test]
fn a_sign_out_whose_session_is_over_before_it_is_sent_ends_none_of_the_logins_since() {
    let (visit, users) = (Request(81, Route::Public), Request(32, Route::Users));
    holds(
        OURS,
        &[
            vec![login(52, 2), login(4, 2)],
            happen(&[64, 117, 49, 18, 121, 177]),
            vec![visit, Happen(120), Happen(241), login(43, 1), login(255, 1), visit, users],
            happen(&[231, 173]),
            vec![login(211, 2), Happen(216), Happen(225), Operate(86, Operation::SignOut)],
        ]
        .concat(),
    );
}

#[test]
fn a_sign_out_is_given_up_when_a_refresh_finds_another_session() {
    let visit = |number| Request(number, Route::Public);
    let (sign_out, refresh) =
        (|number| Operate(number, Operation::SignOut), Operate(115, Operation::Refresh));
    holds(
        Setting { rotates: true, ..OURS },
        &[
            vec![visit(220), Happen(158), Happen(243), Happen(70), sign_out(242), Happen(232)],
            vec![login(40, 2), Happen(13), visit(125)],
            happen(&[61, 59, 78, 149]),
            vec![visit(25), refresh],
            happen(&[174, 11, 208, 252, 69]),
            vec![login(158, 2), sign_out(150), Happen(11), Request(97, Route::Users)],
            happen(&[192, 7, 5, 238, 209]),
            vec![Operate(87, Operation::Forget)],
            happen(&[50, 144, 182, 117, 155, 241]),
            vec![sign_out(130), Happen(147)],
        ]
        .concat(),
    );
}

#[test]
fn a_forgetting_that_is_answered_after_a_login_does_not_undo_it() {
    holds(
        Setting { skew: 3_600_000.0, ..OURS },
        &[
            vec![Operate(30, Operation::Exists), Request(226, Route::Public)],
            happen(&[64, 181, 157, 62]),
            vec![Request(239, Route::Public)],
            happen(&[185, 103, 173, 225]),
            vec![Pass(3_700_000), login(11, 1)],
            happen(&[170, 182, 217]),
            vec![login(241, 2), Request(26, Route::Users), Operate(93, Operation::Forget)],
            happen(&[242, 23, 75, 246, 188, 68]),
        ]
        .concat(),
    );
}

#[test]
fn an_end_is_told_before_what_waits_for_another_refresh_of_the_tab_goes_on() {
    let sign_out = |number| Operate(number, Operation::SignOut);
    holds(
        Setting { has_locks: false, ..OURS },
        &[
            vec![login(245, 1), Happen(8), Happen(214), Happen(178), Open, Happen(4)],
            vec![Freeze(220), sign_out(43), Happen(109), Pass(3_700_000), Init(50)],
            vec![sign_out(250), Revoke],
        ]
        .concat(),
    );
}

#[test]
fn a_session_that_comes_back_after_its_sign_out_was_told_ends_with_a_word() {
    holds(
        Setting { skew: 3_600_000.0, ..OURS },
        &[
            vec![login(57, 1), Operate(192, Operation::SignOut)],
            happen(&[178, 98, 46, 20]),
            vec![Open, Operate(251, Operation::Refresh), Steal, Pass(3_700_000), Happen(150)],
            vec![Request(95, Route::Public), login(62, 2), UseLoot(Route::Refresh)],
        ]
        .concat(),
    );
}

#[test]
fn nor_without_one_in_a_tab_that_did_not_bring_it_back() {
    let users = |number| Request(number, Route::Users);
    holds(
        Setting { has_locks: false, ..SLOW },
        &[
            vec![Operate(64, Operation::SignOut)],
            happen(&[40, 248, 27]),
            vec![Operate(148, Operation::Refresh), users(228)],
            happen(&[37, 159, 218, 196]),
            vec![Request(55, Route::Public), users(191)],
            happen(&[19, 107, 14]),
            vec![login(81, 2), Open],
            happen(&[150, 41, 112, 106, 192]),
            vec![Show(0), Happen(46), Pass(3_700_000), Operate(133, Operation::Exists), Steal],
            vec![UseLoot(Route::Refresh), login(221, 1)],
        ]
        .concat(),
    );
}

#[test]
fn a_server_that_cannot_forget_is_not_asked_again_and_again() {
    let leave = |number| Request(number, Route::Leave);
    holds(
        Setting { mode: AnonymousMode::Unspecified, has_channel: false, ..OURS },
        &[
            vec![leave(232), leave(59), Happen(101), Happen(185), login(138, 1), login(112, 2)],
            happen(&[166, 197, 184]),
            vec![Open, Happen(195), Happen(45), leave(97), Operate(172, Operation::Forget)],
            happen(&[179, 249]),
            vec![Freeze(108), Happen(22), Down],
        ]
        .concat(),
    );
}

#[test]
fn a_user_who_is_found_shows_that_the_first_answer_proved_nothing() {
    let form = |number, user| Form(number, Route::Login(user));
    holds(
        Setting { is_curious: true, ..OURS },
        &[
            vec![form(185, 1), Happen(197), Happen(63), Request(119, Route::Users), Away(450)],
            vec![form(183, 2)],
        ]
        .concat(),
    );
}

#[test]
fn an_answer_that_only_deletes_older_cookies_leaves_the_question_open() {
    let visit = |number| Request(number, Route::Public);
    holds(
        Setting { has_locks: false, forgets_soon: true, ..OURS },
        &[
            vec![login(161, 1), Happen(99), login(87, 1), Happen(210), Happen(77)],
            vec![Pass(13_000), Request(205, Route::Users), Happen(232), Happen(160)],
            vec![visit(202), Happen(139), Pass(3_700_000)],
            happen(&[202, 186, 122, 88, 1]),
            vec![login(252, 1), Open, Happen(28), Happen(207), Cached(221)],
            happen(&[178, 121, 42]),
            vec![Release],
            happen(&[250, 68, 201]),
        ]
        .concat(),
    );
}

#[test]
fn nor_does_it_prove_that_there_are_no_anonymous_sessions() {
    holds(
        OURS,
        &[
            vec![login(168, 1)],
            happen(&[62, 174, 189]),
            vec![Release, Happen(178), Form(121, Route::Login(2))],
        ]
        .concat(),
    );
}

#[test]
fn the_first_seeds_hold() {
    for seed in 0..3_000 {
        let fault = History::of(seed).run(false).fault;
        assert_eq!(fault, None, "cargo xtask simulate --seed {seed}");
    }
}

const SLOW: Setting = Setting { stores_slowly: true, ..OURS };

#[test]
fn storing_that_takes_long_tells_of_no_session_that_is_gone_since() {
    holds(
        SLOW,
        &[
            Open,
            Operate(35, Operation::Exists),
            Happen(231),
            Request(35, Route::Users),
            Happen(243),
            Happen(202),
            Operate(138, Operation::Refresh),
            Happen(195),
            Pass(9_000),
            Happen(67),
            Request(133, Route::Users),
            Happen(180),
            Request(194, Route::Public),
            Operate(109, Operation::Forget),
            Happen(171),
            Request(222, Route::Public),
            Happen(13),
            Happen(164),
            Happen(192),
            Pass(13_000),
            login(76, 1),
            Happen(231),
            Pass(40_000),
            Operate(249, Operation::Forget),
        ],
    );
}

#[test]
fn a_login_in_another_tab_is_no_token_that_could_not_be_deleted() {
    let mut steps = vec![Operate(182, Operation::Forget)];
    steps.extend(happen(&[43, 135, 213, 110, 183]));
    steps.push(Open);
    steps.extend(happen(&[241, 151, 89]));
    steps.push(login(181, 1));
    holds(Setting { mode: AnonymousMode::Unspecified, ..SLOW }, &steps);
}

#[test]
fn a_sign_out_is_told_before_the_end_that_is_still_being_stored() {
    let mut steps = vec![login(237, 1), Happen(31), Happen(118), Operate(243, Operation::SignOut)];
    steps.extend(happen(&[115, 76, 100, 185]));
    steps.push(login(35, 2));
    steps.extend(happen(&[28, 135, 236, 186, 14, 170]));
    steps.push(Request(118, Route::Users));
    steps.extend(happen(&[120, 44, 112, 94, 145, 91, 28]));
    steps.push(Operate(70, Operation::SignOut));
    holds(Setting { has_channel: false, ..SLOW }, &steps);
}

/// A cache that answers within a minute with an earlier session, whose age could be the difference
/// of two servers' clocks.
#[test]
fn a_cached_answer_of_a_moment_ago_does_not_replace_a_login() {
    let endpoint = Setting {
        is_ours: false,
        mode: AnonymousMode::Endpoint,
        has_locks: false,
        has_endpoint: true,
        ..OURS
    };
    let refresh = Operate(2, Operation::Refresh);
    let visit = Request(80, Route::Public);
    holds(
        endpoint,
        &[login(160, 1), Rest, refresh, Rest, Pass(40_000), visit, login(39, 1), Rest, Cached(97)],
    );
}

/// The clock that both marks are of was set back, so they are far from the time of day.
#[test]
fn logins_of_one_moment_are_asked_about_after_the_clock_was_set_back() {
    let late = Setting { shows_late: true, ..OURS };
    let mut steps = vec![Operate(47, Operation::Exists), Clock(110), Open];
    steps.extend(happen(&[158, 62, 193, 58, 148, 233, 124, 205, 200]));
    steps.extend([Request(78, Route::Users), login(19, 2), Happen(245), Clock(134), Happen(151)]);
    steps.push(login(48, 1));
    steps.extend(happen(&[20, 12, 88, 131]));
    holds(late, &steps);
}

/// Each of two tabs heard of the other's failure, and tried anew.
#[test]
fn two_tabs_do_not_ask_in_turn_a_server_that_cannot_forget() {
    let stuck = Setting {
        mode: AnonymousMode::Unspecified,
        has_locks: false,
        forgets_soon: true,
        knows_others: false,
        ..OURS
    };
    let forget = |tab| Operate(tab, Operation::Forget);
    let mut steps = vec![login(146, 1), Open, Rest, Release, Request(75, Route::Leave)];
    steps.extend([forget(25), forget(36), Rest, Pass(3_700_000), Request(203, Route::Users)]);
    holds(stuck, &steps);
}

/// The end of the session was not written down, so no mark told that it was known already.
#[test]
fn a_cache_that_repeats_itself_asks_once_where_they_are_off() {
    let endpoint =
        Setting { is_ours: false, mode: AnonymousMode::Endpoint, has_endpoint: true, ..OURS };
    let off = Setting { forgets_soon: true, ..endpoint };
    let visit = |tab| Request(tab, Route::Public);
    let mut steps = vec![visit(244), Operate(144, Operation::SwitchOff), login(204, 2), Rest];
    steps.extend([visit(207), Happen(51), Pass(3_700_000), Request(68, Route::Leave), Rest]);
    steps.push(Drop(59));
    holds(off, &steps);
}

#[test]
fn a_login_is_told_though_the_session_before_it_is_gone_by_then() {
    holds(OURS, &[login(0, 1), Rest, login(0, 2), Drop(3)]);
}

#[test]
fn a_visitor_who_was_refused_a_session_for_a_while_stays_one_visitor() {
    let setting = Setting { has_locks: false, has_channel: false, in_headers: true, ..OURS };
    let sign_out = Operate(0, Operation::SignOut);
    let steps = [sign_out, Happen(0), Happen(0), Limit, Open, Operate(1, Operation::SignOut)];
    holds(setting, &[&steps[..], &[Happen(0), login(0, 2), Happen(1)]].concat());
}

const ENDPOINT: Setting =
    Setting { is_ours: false, has_endpoint: true, mode: AnonymousMode::Endpoint, ..OURS };

#[test]
fn nothing_counts_that_is_planted_where_sessions_are_switched_off() {
    let wide = Setting { scripts_for_site: true, ..ENDPOINT };
    holds(wide, &[Operate(0, Operation::SwitchOff), Rest, Plant]);
}

#[test]
fn a_forged_session_is_replaced() {
    let wide = Setting { scripts_for_site: true, ..ENDPOINT };
    holds(wide, &[Request(0, Route::Public), Rest, Plant]);
}

#[test]
fn a_session_that_follows_an_end_in_another_tab_is_told() {
    let setting = Setting { has_channel: false, stores_slowly: true, ..ENDPOINT };
    let [public, users] = [Route::Public, Route::Users].map(|route| Request(0, route));
    let steps = [login(0, 1), users, Happen(110), public, public, users, Happen(179), Lose(167)];
    let rest = [Open, Request(0, Route::Leave), login(0, 1), Happen(233), Happen(218), Happen(109)];
    let end = [Request(1, Route::Users), Happen(206), public];
    holds(setting, &[&steps[..], &rest, &end].concat());
}

#[test]
fn a_session_is_told_that_takes_the_place_of_one_that_ended_in_a_sign_out() {
    let setting = Setting { stores_slowly: true, skew: 3_600_000.0, ..ENDPOINT };
    let begin = [login(0, 1), Happen(234), Happen(30), Pass(9_000)];
    let middle = [Request(1, Route::Public), Init(143), Open, Happen(105), Happen(157)];
    let end = [Happen(109), Operate(165, Operation::SignOut), Happen(31), Happen(44)];
    let steps = [&begin[..], &happen(&[35, 236, 214, 68]), &middle, &end].concat();
    holds(setting, &[&steps[..], &[Pass(3_700_000)]].concat());
}

#[test]
fn an_operation_does_not_wait_for_a_session_that_waits_for_the_operation() {
    let setting = Setting { has_channel: false, ..ENDPOINT };
    let (leave, sign_out) = (Request(232, Route::Leave), Operate(223, Operation::SignOut));
    let steps = [Open, login(99, 2), Happen(178), leave, sign_out, Happen(150), Pass(9_000)];
    holds(setting, &[&steps[..], &[Operate(92, Operation::SwitchOn)]].concat());
}

/// Two processes answered two tabs, each of which took the answer of the clock that is behind for
/// an old one, and asked again.
#[test]
fn two_tabs_do_not_ask_in_turn_two_processes_whose_clocks_differ() {
    let apart = Setting {
        has_locks: false,
        has_channel: false,
        skew: -86_400_000.0,
        knows_others: false,
        balancer: 0b1010_1010,
        ahead: -3_000.0,
        ..OURS
    };
    let (users, leave) = (|tab| Request(tab, Route::Users), |tab| Request(tab, Route::Leave));
    let mut steps = vec![login(64, 1), Happen(13), Happen(89), Happen(45), Open, Happen(6)];
    steps.extend([users(135), Happen(100), Happen(82), Open, Pass(3_700_000), Happen(59)]);
    steps.extend([Operate(122, Operation::Forget), Request(114, Route::Public), login(181, 1)]);
    steps.extend([leave(109), Happen(118), Happen(24), leave(105), Happen(66)]);
    steps.extend([Operate(30, Operation::SignOut), Happen(29), Happen(32)]);
    steps.push(Operate(220, Operation::Exists));
    holds(apart, &steps);
}

/// The browser took a session for one that had ended, because another process, whose clock is
/// behind, said that it had not.
#[test]
fn a_session_that_has_not_ended_after_all_comes_back_from_a_process_whose_clock_is_behind() {
    let behind = Setting {
        mode: AnonymousMode::Unspecified,
        skew: -86_400_000.0,
        forgets_soon: true,
        balancer: 30,
        ahead: 20_000.0,
        ..OURS
    };
    let (visit, users) = (|tab| Request(tab, Route::Public), |tab| Request(tab, Route::Users));
    let mut steps = vec![Open, visit(43), Happen(122), Happen(180), Happen(1), Pass(3_700_000)];
    steps.extend([Request(24, Route::Leave), Happen(240), Happen(226), Happen(160), users(171)]);
    steps.extend([Init(39), users(229), users(139), Happen(154), Happen(17), Happen(70)]);
    steps.extend([Happen(190), Pass(9_000), visit(245), Happen(187), Pass(3_700_000)]);
    steps.extend([users(113), visit(59), login(201, 1), Operate(64, Operation::Forget)]);
    holds(behind, &steps);
}

/// The answer to the forgetting was older than the token of before, by the clocks of two processes.
#[test]
fn a_user_is_forgotten_by_a_process_whose_clock_is_behind() {
    let behind = Setting {
        has_locks: false,
        shows_late: true,
        balancer: 0b1010_1010,
        ahead: 3_000.0,
        ..OURS
    };
    let visit = |tab| Request(tab, Route::Public);
    let mut steps = vec![visit(194), Happen(185), Happen(61), Happen(34), Open, Open, Happen(194)];
    steps.extend([Request(200, Route::Leave), login(226, 2), login(45, 2), Happen(84)]);
    steps.extend([login(201, 1), Happen(222), visit(41), visit(166), Happen(161), Happen(69)]);
    steps.extend([Pass(3_700_000), Operate(51, Operation::Forget)]);
    holds(behind, &steps);
}

/// The other process has just read the keys because of the deleted one, when the next new one is
/// made.
#[test]
fn a_process_that_has_just_looked_for_a_key_knows_the_next_one() {
    let alternate = Setting { rotates: true, balancer: 0b1010_1010, ..OURS };
    let visit = Request(166, Route::Public);
    holds(alternate, &[ReplaceKey(97), visit, RotateKey(231), Rest, Request(196, Route::Users)]);
}

/// A process that has not read the keys since the theft made the token anew with the new key, by
/// a clock that is behind. The tab that heard of that wrote nothing down, so the other one believed
/// what it was told before.
#[test]
fn a_tab_hears_that_a_guest_is_the_same_by_a_clock_that_is_behind() {
    let behind = Setting {
        mode: AnonymousMode::Unspecified,
        has_channel: false,
        rotates: true,
        skew: 3_600_000.0,
        knows_others: false,
        balancer: 0b1010_1010,
        ahead: 3_000.0,
        ..OURS
    };
    let (visit, users) = (|tab| Request(tab, Route::Public), |tab| Request(tab, Route::Users));
    let mut steps = vec![users(124), ReplaceKey(220), Happen(96), Cut(52), visit(107)];
    steps.extend([Happen(162), Happen(146), Pass(3_700_000), users(248), Happen(101)]);
    steps.extend([Happen(109), Happen(27), Open, Pass(3_700_000), Cached(93)]);
    holds(behind, &steps);
}

/// Of two logins of one moment one tab alone could have heard, and it was closed.
#[test]
fn nobody_hears_of_two_logins_of_one_moment_once_the_first_tab_is_closed() {
    let late = Setting {
        mode: AnonymousMode::Unspecified,
        has_channel: false,
        is_curious: true,
        knows_others: false,
        shows_late: true,
        ..OURS
    };
    let mut steps = vec![Open, Open, Request(63, Route::Users)];
    steps.extend(happen(&[60, 225, 13, 237, 144, 107]));
    steps.extend([login(229, 1), login(5, 1)]);
    steps.extend(happen(&[217, 85, 116, 199, 149, 175]));
    steps.push(Reload(7));
    holds(late, &steps);
}

/// The answer set the cookie again that a forgetting of another tab had replaced.
#[test]
fn a_refresh_of_a_guest_brings_no_forgotten_id_back() {
    let plain = Setting { mode: AnonymousMode::Unspecified, has_locks: false, ..OURS };
    let plain = Setting { skew: 3_600_000.0, is_curious: true, shares_host: false, ..plain };
    let forget = |tab| Operate(tab, Operation::Forget);
    let visit = |tab| Request(tab, Route::Public);
    let mut steps = vec![Open, login(106, 2), visit(13)];
    steps.extend(happen(&[4, 40, 55, 7, 49, 198, 12, 122, 94]));
    steps.extend([visit(11), Request(143, Route::Users), visit(41), Reload(85)]);
    steps.extend(happen(&[121, 100, 172]));
    steps.extend([Open, Pass(3_700_000), Happen(220), Happen(153), Request(132, Route::Leave)]);
    steps.extend([Happen(36), Happen(246), forget(160), forget(44), Happen(111), login(252, 2)]);
    steps.extend([Happen(105), Happen(248), Happen(224), login(199, 1), Happen(201)]);
    holds(plain, &steps);
}

/// One tab knew without a mark that there is nothing, and the form's answer left none.
#[test]
fn a_login_by_a_form_is_found_late_where_nothing_is_written_down() {
    let mut steps = vec![Operate(30, Operation::SwitchOff), Open, Request(227, Route::Users)];
    steps.extend([Rest, login(142, 1), Rest, Form(4, Route::Login(2))]);
    holds(Setting { forgets_soon: true, ..OURS }, &steps);
}

#[test]
fn a_planted_refresh_cookie_goes_at_the_first_refresh_after_a_login() {
    let apart = Setting { shares_host: false, stores_slowly: true, shows_late: true, ..OURS };
    let form = Form(21, Route::Login(1));
    holds(apart, &[PlantUser(35), Request(215, Route::Users), form, Happen(178), Happen(13)]);
}

/// It lay at a path that the server does not know.
#[test]
fn a_planted_refresh_token_that_stays_ends_its_own_session_only() {
    let plain = Setting { mode: AnonymousMode::Unspecified, skew: -86_400_000.0, ..OURS };
    let mut steps = vec![PlantUser(6), Request(75, Route::Public), Open, Away(60)];
    steps.extend([login(32, 2), Request(97, Route::Leave), login(161, 1)]);
    holds(Setting { shares_host: false, forgets_soon: true, ..plain }, &steps);
}

#[test]
fn what_another_host_wrote_shows_again_after_an_end() {
    let curious = Setting { is_curious: true, ..OURS };
    holds(curious, &[Open, Write(30), login(126, 1), Rest, Revoke]);
}

#[test]
fn cookies_of_the_sdk_that_another_host_deletes_come_back() {
    let wide = Setting { for_site: true, scripts_for_site: true, ..OURS };
    let mut steps = vec![Operate(163, Operation::Exists), Happen(107), Open];
    steps.extend([Happen(29), Happen(41), Operate(158, Operation::SignOut), Happen(50)]);
    steps.extend([Happen(108), Request(179, Route::Users)]);
    steps.extend(happen(&[225, 147, 139, 217]));
    steps.push(Delete(146));
    holds(Setting { shares_host: false, forgets_soon: true, ..wide }, &steps);
}

/// Each end brings the front token of another host back, and so an end that can be told.
#[test]
fn a_front_token_of_another_host_may_end_more_than_once() {
    let endpoint = Setting { is_ours: false, mode: AnonymousMode::Endpoint, ..OURS };
    let users = |tab| Request(tab, Route::Users);
    let refresh = |tab| Operate(tab, Operation::Refresh);
    let mut steps = vec![users(32), Write(128), Happen(232), Happen(86), refresh(66), Happen(168)];
    steps.extend([Open, Happen(51), Happen(138), users(171), login(226, 1), Pass(3_700_000)]);
    steps.extend([Happen(156), Happen(49), Happen(50), Operate(229, Operation::SignOut)]);
    steps.extend([Happen(116), Happen(72), users(117), Delete(150), Happen(184)]);
    steps.extend([Request(9, Route::Leave), login(101, 2), refresh(154)]);
    steps.extend([Happen(169), Happen(141), Happen(191), Open, login(179, 2)]);
    holds(Setting { has_endpoint: true, has_locks: false, ..endpoint }, &steps);
}

/// The tab expected no anonymous session any more, so a refusal started no refresh.
#[test]
fn a_login_by_a_form_stays_unseen_where_the_server_made_no_session_for_a_while() {
    let apart = Setting { shares_host: false, ahead: 3_000.0, ..OURS };
    holds(apart, &[Limit, Request(84, Route::Users), Rest, Form(91, Route::Login(1))]);
}

/// Seed 6176110. The login had another id than the first, and both came from one visitor.
#[test]
fn an_id_that_was_forgotten_once_is_asked_about_once() {
    let setting = Setting {
        has_locks: false,
        has_channel: false,
        rotates: true,
        shares_host: false,
        forgets_soon: true,
        balancer: 170,
        ahead: 9000.0,
        ..OURS
    };
    let mut steps = vec![login(118, 2), Happen(32), login(131, 1)];
    steps.extend(happen(&[250, 179, 134, 242, 141]));
    steps.push(Operate(18, Operation::Forget));
    steps.extend(happen(&[199, 199, 53]));
    steps.extend([Pass(3_700_000), Happen(42), PlantUser(225)]);
    holds(setting, &steps);
}

/// Seed 21245, where the end of a session is not written down.
#[test]
fn without_consent_a_login_does_not_come_back_after_the_app_signed_out() {
    let setting = Setting { mode: AnonymousMode::Off, ..OURS };
    let mut steps = vec![Request(119, Route::Public), login(44, 1)];
    steps.extend(happen(&[196, 55, 61, 4, 83]));
    steps.push(Request(61, Route::Leave));
    steps.extend(happen(&[85, 125, 57]));
    holds(setting, &steps);
}

/// Seed 13033460. The browser has an anonymous cookie of a former release, which the server does
/// not delete: three tabs had it forgotten, each because of what another one read.
#[test]
fn an_id_that_the_server_cannot_forget_is_not_asked_about_in_turn() {
    let setting = Setting {
        shares_host: false,
        knows_others: false,
        shows_late: true,
        balancer: 38,
        ahead: -3000.0,
        ..OURS
    };
    let mut steps = vec![login(124, 1), login(44, 1), Pass(9000), Happen(21)];
    steps.extend([Request(37, Route::Users), Open, Operate(22, Operation::Exists), login(41, 1)]);
    steps.extend([Request(161, Route::Public), Happen(75), Open, login(245, 2)]);
    steps.extend([Request(214, Route::Public), login(244, 1), login(85, 1), login(145, 1)]);
    steps.extend(happen(&[225, 197, 128]));
    steps.extend([Request(220, Route::Leave), Happen(73), login(41, 2)]);
    steps.extend([Request(104, Route::Public), Operate(57, Operation::Forget)]);
    steps.extend(happen(&[132, 67, 128, 47, 215]));
    steps.extend([login(91, 1), login(58, 2), Request(54, Route::Leave)]);
    steps.extend(happen(&[240, 89, 102]));
    steps.push(Release);
    steps.extend(happen(&[172, 1, 9, 57, 31, 239, 246]));
    steps.push(Operate(26, Operation::Forget));
    steps.extend(happen(&[28, 131]));
    steps.extend([Request(167, Route::Users), Happen(196)]);
    holds(setting, &steps);
}

/// Seed 1796076894514. A tab knew an end that is not written down. Another tab wrote a login, and a
/// form's answer deleted it.
#[test]
fn an_end_that_is_not_written_down_does_not_outlive_a_login() {
    let setting = Setting { has_locks: false, has_channel: false, skew: 3_600_000.0, ..SLOW };
    let mut steps = vec![Request(172, Route::Users), Open, Operate(167, Operation::SwitchOff)];
    steps.extend([Away(60), Request(216, Route::Leave), Happen(32), login(83, 1)]);
    steps.extend(happen(&[35, 251, 211]));
    steps.push(Form(203, Route::Login(1)));
    holds(setting, &steps);
}

/// Seed 1796095717227. An answer told of another id of the visitor before a login, and the server
/// was asked. After the sign-out the same token came again, and was the visitor's.
#[test]
fn a_token_that_was_doubted_before_a_login_is_asked_about_after_it() {
    let setting = Setting {
        mode: AnonymousMode::Unspecified,
        has_channel: false,
        forgets_soon: true,
        knows_others: false,
        shows_late: true,
        balancer: 166,
        ahead: -3000.0,
        ..OURS
    };
    let mut steps = vec![Request(100, Route::Public), Rest, login(189, 1), ReplaceKey(160)];
    steps.extend([Request(112, Route::Public), ReplaceKey(237), Happen(115)]);
    steps.extend([Request(130, Route::Leave), Rest, Request(228, Route::Users)]);
    holds(setting, &steps);
}

/// Seed 1796112216007. A visitor lost sight of their session, and the question about it was not
/// sent, because another host had written a mark meanwhile. The next request has to ask.
#[test]
fn a_question_that_was_not_sent_is_asked_again() {
    let setting = Setting {
        has_locks: false,
        in_headers: true,
        rotates: true,
        forgets_soon: true,
        knows_others: false,
        shows_late: true,
        balancer: 170,
        ahead: 9000.0,
        for_site: true,
        scripts_for_site: true,
        ..OURS
    };
    let mut steps = vec![Request(81, Route::Users)];
    steps.extend(happen(&[177, 229, 235, 204]));
    steps.extend([Delete(79), Request(163, Route::Public)]);
    steps.extend(happen(&[55, 166, 171, 186]));
    steps.push(Write(73));
    holds(setting, &steps);
}

/// Seed 1796113060920. Two tabs without locks asked in turn whose cookies the browser holds, each
/// because of what the other one had stored meanwhile.
#[test]
fn two_tabs_do_not_ask_in_turn_whose_cookies_there_are() {
    let setting = Setting {
        has_locks: false,
        skew: -86_400_000.0,
        ahead: -3000.0,
        scripts_for_site: true,
        ..OURS
    };
    let mut steps = vec![Operate(122, Operation::Forget), Happen(189), Lose(153), Write(6), Open];
    steps.extend([Request(197, Route::Public), Happen(255), Happen(179), Freeze(186)]);
    steps.extend([PlantUser(55), Write(242), Happen(118), Pass(3_700_000), Happen(42)]);
    steps.extend([Operate(229, Operation::Forget), Operate(5, Operation::Forget)]);
    holds(setting, &steps);
}

/// Seed 97193. One process goes on signing with a key that another one knows is deleted, so the
/// sign-out is refused as often as it may be tried. Then it ends, and the session goes on.
#[test]
fn a_key_of_access_tokens_that_was_deleted_costs_refreshes() {
    let setting = Setting {
        mode: AnonymousMode::Unspecified,
        knows_others: false,
        balancer: 0b1010_1010,
        ..OURS
    };
    let mut steps = vec![login(0, 1)];
    steps.extend(happen(&[148, 198, 214]));
    steps.extend([Operate(216, Operation::SignOut), Pass(31_000), ReplaceAccessKey(81)]);
    holds(setting, &steps);
}

#[test]
fn and_no_session() {
    let setting = Setting { balancer: 0b1010_1010, ..OURS };
    let visit = Request(0, Route::Users);
    let deleted = [login(0, 1), Rest, ReplaceAccessKey(0), visit, Rest];
    holds(setting, &deleted);
    holds(setting, &[&deleted[..], &[Pass(61_000), visit, Rest]].concat());
}

/// Seed 1796093675614751. A tab that had heard of two ends, and wrote neither down, took a refresh
/// of another tab for what it knew: both had the same mark.
#[test]
fn no_mark_is_that_of_a_state_which_another_tab_has_not_written() {
    let setting = Setting {
        mode: AnonymousMode::Off,
        rotates: true,
        shares_host: false,
        forgets_soon: true,
        ahead: 3000.0,
        ..OURS
    };
    let mut steps = vec![Open, Operate(191, Operation::Refresh), Happen(15), Happen(217), Open];
    steps.extend(happen(&[243, 67, 27]));
    steps.push(login(122, 2));
    steps.extend(happen(&[180, 91, 150, 33, 28]));
    steps.extend([Request(157, Route::Leave), Happen(209), Request(150, Route::Public)]);
    steps.extend([Operate(167, Operation::Refresh), Happen(1), Happen(230)]);
    steps.extend([Request(233, Route::Public), Happen(92), login(125, 2)]);
    steps.push(Request(124, Route::Users));
    holds(setting, &steps);
}

/// Seed 190126. Another host wrote a front token that has expired, and a mark after which no number
/// comes. The app asks at each event.
#[test]
fn a_mark_that_is_later_than_all_does_not_bring_question_after_question() {
    let setting = Setting { has_locks: false, in_headers: true, is_curious: true, ..OURS };
    let mut steps = vec![login(91, 2)];
    steps.extend(happen(&[255, 141, 63, 198]));
    steps.extend([Pass(3_700_000), Write(42), Pass(3_700_000)]);
    steps.extend([Operate(238, Operation::SignOut), Write(22)]);
    holds(setting, &steps);
}

/// Seed 933184. The visitor deleted the front token, and the app's hook before the question failed.
#[test]
fn a_question_whose_hook_failed_is_asked_again() {
    let setting =
        Setting { in_headers: true, skew: 3_600_000.0, balancer: 13, for_site: true, ..OURS };
    let mut steps = vec![login(226, 2)];
    steps.extend(happen(&[30, 91, 231, 24]));
    steps.extend([Drop(69), Operate(118, Operation::SignOut)]);
    steps.extend(happen(&[240, 106, 180]));
    steps.extend([Pass(3_700_000), Happen(93), Request(77, Route::Public)]);
    steps.extend(happen(&[139, 216, 27, 156]));
    steps.push(Lose(7));
    holds(setting, &steps);
}

/// Seed 1796101029319530. Two tabs without locks forget, and each asks because of what the other
/// one stored. Three questions in turn leave the doubt, and the fourth is right.
#[test]
fn a_fourth_question_in_turn_is_asked_at_once() {
    let setting = Setting {
        has_locks: false,
        skew: 3_600_000.0,
        is_curious: true,
        shares_host: false,
        balancer: 168,
        ahead: -3000.0,
        for_site: true,
        scripts_for_site: true,
        ..OURS
    };
    let mut steps = vec![Operate(96, Operation::Exists), Happen(207), Open];
    steps.extend([Request(183, Route::Users), Operate(197, Operation::Forget)]);
    steps.extend(happen(&[220, 206, 13, 7]));
    steps.push(Operate(58, Operation::Forget));
    holds(setting, &steps);
}
