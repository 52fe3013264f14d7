//! The conditions that must hold at the end of a history.

use passerby_protocol::{
    request::AnonymousMode,
    state::{HostTypes, SessionState},
};

use crate::{
    browser::Tab,
    server::{ACCESS_LIFE, Principal, Route},
    tokens::{Sim, is_foreign},
    world::{World, processes::CLOCK_LEEWAY},
};

/// Whether the session that the tab told of is the one that the server saw.
fn agree(told: &SessionState<Sim>, saw: Principal, is_known: bool, has_endpoint: bool) -> bool {
    match (told, saw) {
        (SessionState::Authenticated(_, token), Principal::User { handle, anonymous_id }) => {
            token.id == handle && Sim::anonymous_id(token).is_none_or(|id| id == anonymous_id)
        }
        (SessionState::Authenticated(_, token), Principal::Expired(handle)) => token.id == handle,
        (SessionState::Anonymous(_, token), Principal::Anonymous(id)) => token.id == id,
        (SessionState::None(_) | SessionState::Unknown, Principal::Nobody) => true,
        // Its back end knows nothing of the sessions that an endpoint makes.
        (SessionState::Anonymous(..), Principal::Nobody) => has_endpoint,
        // The server has made one for this request.
        (SessionState::None(_) | SessionState::Unknown, Principal::Anonymous(_)) => !is_known,
        (SessionState::Unknown, _) => !is_known,
        // A cookie was lost, and no answer tells of that.
        (SessionState::Authenticated(..), Principal::Nobody) => !is_known,
        _ => false,
    }
}

/// The conditions that must hold once nothing is under way.
pub(crate) fn check(world: &mut World) {
    world.notice_deleted_keys();
    check_tabs(world);
    let is_unknowable = world.is_stuck()
        || world.is_lied_to()
        || world.setting.keeps_nothing
        || world.setting.is_too_large;
    if world.fault.is_some() || is_unknowable {
        // Nobody can say who the visitor is. That all of it comes to an end is what counts.
        return;
    }
    check_visitor(world);
    if world.fault.is_none() && world.show_down() {
        check_tabs(world);
        check_visitor(world);
    }
    if world.fault.is_none() && world.has_unseen_cookies {
        find_out(world);
    }
}

/// Once the access token has run out, a refusal tells each tab of a login that no script saw.
fn find_out(world: &mut World) {
    world.pass(ACCESS_LIFE + CLOCK_LEEWAY);
    for tab in open_tabs(world) {
        world.request(tab, Route::Users);
        world.settle_down();
    }
    world.has_unseen_cookies = false;
    world.has_seen_no_login = true;
    check_tabs(world);
    check_visitor(world);
}

/// No tab has left anything undone.
fn check_tabs(world: &mut World) {
    for tab in open_tabs(world) {
        let Tab { tasks, machine, expects_theft, expects_event, .. } = &world.browser.tabs[tab];
        if *expects_event {
            return world.fail(|| format!("d: tab {tab} has a session, and told nobody"));
        }
        if *expects_theft {
            return world.fail(|| format!("e: tab {tab} knows of a theft, and tells nobody"));
        }
        let left = tasks.values().filter(|meta| meta.has_caller).count();
        if left > 0 || !machine.is_idle() {
            return world.fail(|| format!("f: {left} callers of tab {tab} wait for ever"));
        }
    }
}

fn open_tabs(world: &World) -> Vec<usize> {
    (0..world.browser.tabs.len()).filter(|tab| world.browser.tabs[*tab].is_open).collect()
}

/// Each tab says who the visitor is, and the server sees just them.
fn check_visitor(world: &mut World) {
    let mut seen = Principal::Nobody;
    for round in 0..4 {
        if round == 2 {
            // After a question that failed, requests go without one for a while, and not for
            // longer where the clock was set back.
            if world.has_jumped {
                world.set_back();
            }
            world.pass(11_000.0);
        }
        for tab in open_tabs(world) {
            let Some(saw) = check_tab(world, tab, round == 3) else { return };
            seen = saw;
        }
    }
    repeat_from_cache(world);
    check_identity(world, seen);
}

/// A cache repeats itself. The server is asked once because of it.
fn repeat_from_cache(world: &mut World) {
    // The token that another host planted shows again after each end, and is news each time.
    if world.was_lied_to {
        return;
    }
    let Some(tab) = open_tabs(world).first().copied() else { return };
    for round in 0..3 {
        let before = world.calls;
        // By then a token of before is known as one, by the clocks of several servers.
        world.pass(61_000.0);
        world.request(tab, Route::Public);
        let is_cached = world.answer_from_cache();
        world.settle_down();
        if !is_cached {
            return;
        }
        if round == 2 && world.calls > before {
            world.fail(|| format!("f: tab {tab} asks because of the cache, again and again"));
        }
    }
}

/// The sender whom the server saw; nothing if something is wrong.
fn check_tab(world: &mut World, tab: usize, is_last: bool) -> Option<Principal> {
    let Some((told, saw)) = world.ask_who(tab, is_last) else {
        world.fail(|| format!("f: a request of tab {tab} is never sent"));
        return None;
    };
    // A stock back end has none to give, which the first answer shows.
    let expects_one = world.setting.mode == AnonymousMode::On && world.setting.is_ours;
    let nobody_asks = world.has_lost_front && (!expects_one || world.has_switched);
    let may_lag = world.is_meddled || world.has_hidden_end;
    // As with the peer, a refusal to a visitor who has no session at all starts no refresh. Nor
    // does one to a visitor whose session an endpoint made, because the back end says the same of
    // that.
    let is_deaf = world.has_seen_no_login
        && match told {
            // Where the server made no session for a while, a tab expects none either.
            SessionState::None(_) => {
                world.setting.mode != AnonymousMode::On
                    || !world.setting.is_ours
                    || world.has_limited
                    // Another host wrote the mark that says so.
                    || world.was_lied_to
            }
            // Nor does any answer say which guest it sees.
            SessionState::Anonymous(..) if let Principal::Anonymous(id) = saw => {
                world.setting.rotates || world.may_change_id || is_foreign(id)
            }
            SessionState::Anonymous(..) => world.setting.has_endpoint,
            _ => false,
        };
    // A cookie of another host shows again where the SDK deletes its own.
    let is_blind =
        is_deaf || world.has_unread_cookies || world.has_unseen_cookies || world.is_lied_to();
    let is_strict = !is_blind && !nobody_asks && (!may_lag || is_last);
    // Where they are off, an end without consent is not written down. So no other tab knows the
    // order of that answer and of a login's.
    let is_off = world.setting.mode == AnonymousMode::Off && world.browser.tabs.len() > 1;
    let is_known = is_last && !world.has_switched && !is_off;
    // The endpoint was asked for one before the request went.
    let is_without = is_last
        && world.setting.mode == AnonymousMode::Endpoint
        && matches!(told, SessionState::None(_) | SessionState::Unknown);
    if is_without || is_last && told.anonymous().is_some() && world.has_forged_token() {
        world.fail(|| format!("c: tab {tab} says {told:?}, and the endpoint makes sessions"));
        return None;
    }
    if is_strict && !agree(&told, saw, is_known, world.setting.has_endpoint) {
        let detail = told.token().map(|token| token.id);
        world
            .fail(|| format!("a: tab {tab} says {told:?} {detail:?}, and the server sees {saw:?}"));
        return None;
    }
    world.settle_down();
    world.fault.is_none().then_some(saw)
}

fn check_identity(world: &mut World, seen: Principal) {
    let id = match seen {
        Principal::Anonymous(id) | Principal::User { anonymous_id: id, .. } => Some(id),
        _ => None,
    };
    // A late answer may have taken the access token away. Of a login that nobody read, nobody can
    // tell.
    if world.setting.is_ours
        && !world.is_meddled
        && !world.has_unread_cookies
        && !world.has_unseen_cookies
        && (!world.has_seen_no_login || !world.has_navigated)
        && let Some(refresh) = world.refresh_cookie()
        // A guest never uses a refresh token that was planted alone.
        && !is_foreign(refresh.handle)
        && world.server.has(refresh.handle, world.now)
        && !matches!(seen, Principal::User { handle, .. } if handle == refresh.handle)
    {
        let id = refresh.handle;
        world.fail(|| format!("b: session {id} goes on, and the server sees {seen:?}"));
    }
    if world.setting.is_ours
        && !world.setting.rotates
        && !world.may_change_id
        && !world.is_meddled
        && let (Some(first), Some(last)) = (world.first_id, id)
        && !world.is_successor(first, last)
        // The id of a session that was planted stays after its end, like that of any other.
        && !is_foreign(last)
    {
        world.fail(|| format!("c: the visitor was {first}, and is {last} now"));
    }
    // A login that no script saw may have it, until the tab that forgot it hears of that. Where a
    // sign-out that no script saw has ended it since, no answer says which guest it sees.
    let is_unseen = world.has_unseen_cookies
        || world.has_seen_no_login && matches!(seen, Principal::Anonymous(_));
    if let Some(id) = id
        && world.forgotten.contains(&id)
        && !world.is_meddled
        && !is_unseen
    {
        world.fail(|| format!("c: the id {id} was to be forgotten"));
    }
}
