//! A world in which time passes and things happen in any order: one browser with its tabs, the
//! network, a back end.

mod clock;
mod cookies;
mod events;
mod navigation;
pub(crate) mod processes;
mod release;
mod sibling;
mod thief;

use passerby_protocol::{
    machine::{
        Action, Answer, Bearer, Call, Config, Failure, Kept, LockName, Machine, Message, Operation,
        Outcome, Plain, TaskId, View, Wish,
    },
    request::AnonymousMode,
    response::{Announced, Verdict, Write},
    state::{HostTypes, Mark, SessionState, Token},
};

use self::{navigation::Navigation, thief::Theft};
use crate::{
    browser::{Browser, Lock, Meta, Tab, read_mark},
    document::Shown,
    jar::{Host, Jar, LONGEST_LIFE, Name, Value},
    processes::Cluster,
    server::{Credentials, Principal, Put, Reply, Route, Server},
    tokens::{DAY, Refresh, Sim, Time, is_foreign},
};

/// The properties in which worlds differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) is_ours: bool,
    pub(crate) mode: AnonymousMode,
    pub(crate) has_locks: bool,
    pub(crate) has_channel: bool,
    pub(crate) in_headers: bool,
    pub(crate) rotates: bool,
    pub(crate) skew: Time,
    /// Whether storing is slow to say that it is done, as an app's own cookie handler may be.
    pub(crate) stores_slowly: bool,
    /// Whether an endpoint of the app makes the anonymous sessions.
    pub(crate) has_endpoint: bool,
    /// Whether the app asks for the session at each event.
    pub(crate) is_curious: bool,
    /// Whether scripts can keep nothing: the browser blocks their cookies.
    pub(crate) keeps_nothing: bool,
    /// Whether the browser keeps no front token of a user session: it is too large for a cookie.
    pub(crate) is_too_large: bool,
    /// Whether the website is on the API's host, so that page loads bring the SDK's cookies.
    pub(crate) shares_host: bool,
    /// Whether the browser keeps the cookies of scripts for a week only.
    pub(crate) forgets_soon: bool,
    /// Whether the server was told where the cookies of a former release are.
    pub(crate) knows_others: bool,
    /// Whether a tab that stores a login does not see yet that another one has just stored one.
    pub(crate) shows_late: bool,
    /// The processes that answer the requests, a bit for each of eight requests, and so on.
    pub(crate) balancer: u8,
    /// By how many milliseconds the clock of the second process is ahead of that of the first.
    pub(crate) ahead: Time,
    /// Whether the server's cookies are for the whole site at first.
    pub(crate) for_site: bool,
    /// Whether the SDK's are.
    pub(crate) scripts_for_site: bool,
}

impl Setting {
    /// The configuration of every tab.
    fn config(&self) -> Config {
        Config {
            has_endpoint: self.has_endpoint,
            verifies: self.has_endpoint,
            expired_status: 401,
            invalid_claim_status: 403,
            retry_limit: 10,
        }
    }
}

/// Milliseconds. Some browsers keep the cookies of scripts for a week.
const SHORT_LIFE: Time = 7.0 * DAY;

/// The SDK's own calls, by tab and caller that waits, that may follow once nothing new happens.
const MOST_CALLS: usize = 6;

/// When a history begins, in epoch milliseconds.
const START: Time = 1.7e12;

/// Milliseconds after which a request that has not come to the server does not come any more.
const CONNECT_TIMEOUT: Time = 20_000.0;

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    tab: usize,
    task: TaskId,
    route: Route,
    credentials: Credentials,
    /// The user session that the browser told of when it was sent.
    told: Option<u32>,
    sent: Time,
    /// When it counts as failed.
    due: Time,
    stage: Stage,
    was_given_up: bool,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Outbound,
    Inbound(Reply),
    Unread(Reply),
}

/// An event that waits to happen.
#[derive(Clone, Debug)]
pub(crate) enum Pending {
    Flight(Box<Flight>),
    Navigation(Box<Navigation>),
    /// Something that the shell of a tab does by itself.
    Local(usize, TaskId, Local),
    /// A lock was handed over.
    Granted(usize, TaskId),
    /// Word of a change in another tab.
    Hint(usize),
}

/// A login that a tab has just stored, and that some answers do not see.
pub(crate) struct StoredLogin {
    tab: usize,
    at: Time,
    /// The storage of before.
    jar: Jar,
    /// The tabs and tasks whose answers the browser had by then.
    answered: Vec<(usize, TaskId)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Local {
    Message,
    Done,
    Written,
    /// Of the token that is stored, or of the one in the answer.
    Verified {
        answered: bool,
    },
}

pub(crate) struct World {
    pub(crate) setting: Setting,
    pub(crate) server: Server,
    pub(crate) browser: Browser,
    pub(crate) pending: Vec<Pending>,
    /// By the true clock, in epoch milliseconds.
    pub(crate) now: Time,
    /// When the browser had the last answer to a visitor whom the server knew.
    pub(crate) last_visit: Time,
    /// Whether something happened that no answer told the browser of.
    pub(crate) is_meddled: bool,
    /// Whether the visitor's id may be another one now.
    pub(crate) may_change_id: bool,
    /// Ids that were lost, because the key was deleted that the token was signed with, and those
    /// that came in their place. That happens again if a process signs that does not know of it
    /// yet, and to each of several tokens that were under way.
    pub(crate) lost: Vec<(u32, u32)>,
    /// When keys were last deleted.
    pub(crate) deleted_at: Time,
    pub(crate) theft: Theft,
    /// Whether a session ended by the doing of somebody else, of which only a later answer tells.
    pub(crate) has_hidden_end: bool,
    /// Whether a stock server's refresh was answered in a tab that was frozen until it should have
    /// been given up, or replaced the tokens of one in another tab.
    pub(crate) was_overdue: bool,
    /// Whether a tab wrote a mark that another one had written, because it was shown that late.
    has_equal_marks: bool,
    pub(crate) has_switched: bool,
    /// Whether the server made no new anonymous sessions for a while.
    pub(crate) has_limited: bool,
    /// Whether the device's clock did.
    pub(crate) has_jumped: bool,
    /// Whether somebody went on without a lock, because they waited too long for it.
    pub(crate) has_missed_lock: bool,
    /// Whether the browser got cookies of a former release.
    pub(crate) has_released: bool,
    /// Whether the visitor deleted the front token and left the tombstone: only where the app
    /// expects anonymous sessions, somebody asks.
    pub(crate) has_lost_front: bool,
    /// Whether the browser took cookies of an answer that no script read. Until an answer shows it,
    /// the SDK cannot know.
    pub(crate) has_unread_cookies: bool,
    /// Whether the browser took cookies of an answer that is not for scripts, and nothing told the
    /// SDK. A refusal does, an hour later.
    pub(crate) has_unseen_cookies: bool,
    /// Whether there was such an answer before.
    pub(crate) has_seen_no_login: bool,
    /// Whether the browser itself made a request.
    pub(crate) has_navigated: bool,
    /// Whether a visitor may have been signed out by a late answer of an earlier session.
    pub(crate) first_id: Option<u32>,
    pub(crate) forgotten: Vec<u32>,
    /// An answer to `Public` that the browser's HTTP cache has. Ours may not be kept.
    pub(crate) cached: Option<Reply>,
    /// Where that shows late.
    pub(crate) just_stored: Option<StoredLogin>,
    /// The one tab that can hear of both, where that showed late.
    knows_both: Option<usize>,
    /// Whether another host of the site wrote cookies of the SDK's names.
    pub(crate) was_lied_to: bool,
    /// The latest mark among them.
    pub(crate) planted_mark: Option<Mark>,
    /// How many calls of its own the SDK has sent.
    pub(crate) calls: usize,
    next_key: u32,
    pub(crate) log: Option<Vec<String>>,
    pub(crate) fault: Option<String>,
}

impl World {
    pub(crate) fn new(setting: Setting, traces: bool) -> Self {
        let Setting { is_ours, rotates, knows_others, for_site, .. } = setting;
        let cluster = Cluster::new(setting.balancer, setting.ahead, START);
        let mut world = Self {
            setting,
            server: Server::new(is_ours, rotates, knows_others, for_site, cluster),
            browser: Browser {
                jar: Jar::new(if setting.forgets_soon { SHORT_LIFE } else { LONGEST_LIFE }),
                key: None,
                page: if setting.shares_host { Host::Api } else { Host::Website },
                scripts_for_site: setting.scripts_for_site,
                tabs: Vec::new(),
                refresh_lock: Lock::default(),
                leader_lock: Lock::default(),
                has_locks: setting.has_locks,
                has_channel: setting.has_channel,
                in_headers: setting.in_headers,
                skew: setting.skew,
                correction: 0.0,
            },
            pending: Vec::new(),
            now: START,
            last_visit: START,
            is_meddled: false,
            // Nobody keeps one where they are off.
            may_change_id: setting.mode == AnonymousMode::Off,
            lost: Vec::new(),
            deleted_at: 0.0,
            theft: Theft::default(),
            has_hidden_end: false,
            was_overdue: false,
            has_equal_marks: false,
            has_switched: false,
            has_limited: false,
            has_jumped: false,
            has_missed_lock: false,
            has_released: false,
            has_lost_front: false,
            has_unread_cookies: false,
            has_unseen_cookies: false,
            has_seen_no_login: false,
            has_navigated: false,
            first_id: None,
            forgotten: Vec::new(),
            cached: None,
            just_stored: None,
            knows_both: None,
            was_lied_to: false,
            planted_mark: None,
            calls: 0,
            next_key: 0,
            log: traces.then(Vec::new),
            fault: None,
        };
        world.open_tab();
        world
    }

    pub(crate) fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(text());
        }
    }

    pub(crate) fn fail(&mut self, text: impl FnOnce() -> String) {
        if self.fault.is_none() {
            self.fault = Some(text());
        }
    }

    // --- tabs ------------------------------------------------------------------------------------

    pub(crate) fn open_tab(&mut self) {
        self.browser.tabs.push(Tab::new(Machine::new(self.setting.config(), self.setting.mode)));
        let tab = self.browser.tabs.len() - 1;
        self.say(|| format!("tab {tab} opens"));
        self.start(tab);
    }

    pub(crate) fn start_again(&mut self, tab: usize) {
        self.say(|| format!("tab {tab} calls init again"));
        self.browser.tabs[tab].machine.configure(self.setting.config(), self.setting.mode, true);
        self.browser.tabs[tab].began_again = true;
        self.start(tab);
    }

    fn start(&mut self, tab: usize) {
        let view = self.browser.view(tab, self.now);
        self.browser.tabs[tab].machine.started(&view);
        self.act(tab);
    }

    pub(crate) fn close_tab(&mut self, tab: usize) {
        self.say(|| format!("tab {tab} closes"));
        // That takes longer than a tab needs to see what another one stored.
        self.just_stored = None;
        self.browser.tabs[tab].is_open = false;
        self.browser.tabs[tab].timers.clear();
        self.browser.tabs[tab].tasks.clear();
        for name in [LockName::Refresh, LockName::Leader] {
            self.browser.lock(name).waiting.retain(|(waiting, ..)| *waiting != tab);
            if self.browser.lock(name).holder.is_some_and(|(holder, _)| holder == tab) {
                self.browser.lock(name).holder = None;
                self.grant(name);
            }
        }
        // Its next steps are not taken.
        let (mut meddled, mut unread) = (!self.browser.tabs[tab].machine.is_idle(), false);
        for pending in &mut self.pending {
            if let Pending::Flight(flight) = pending
                && flight.tab == tab
            {
                flight.was_given_up = true;
                // The server may act on it, and nobody hears of that.
                meddled = true;
                unread |= matches!(flight.stage, Stage::Unread(_));
            }
        }
        self.is_meddled |= meddled;
        // With it goes what only this tab knew, or was about to know.
        let machine = &self.browser.tabs[tab].machine;
        self.has_unread_cookies |= unread || machine.has_doubts() || !machine.is_idle();
        self.has_unread_cookies |= self.knows_both == Some(tab);
        self.forgotten.retain(|id| !machine.forgets(id));
        self.pending.retain(|pending| match pending {
            Pending::Flight(flight) => flight.tab != tab || matches!(flight.stage, Stage::Outbound),
            Pending::Navigation(_) => true,
            Pending::Local(at, ..) | Pending::Granted(at, _) | Pending::Hint(at) => *at != tab,
        });
    }

    pub(crate) fn request(&mut self, tab: usize, route: Route) -> TaskId {
        self.say(|| format!("tab {tab} requests {route:?}"));
        let id = self.new_task(tab, route);
        let view = self.browser.view(tab, self.now);
        self.browser.tabs[tab].machine.request(id, false, &view);
        self.act(tab);
        id
    }

    pub(crate) fn operate(&mut self, tab: usize, operation: Operation) {
        self.say(|| format!("tab {tab} calls {operation:?}"));
        let id = self.new_task(tab, Route::Public);
        self.meta(tab, id).operation = Some((operation, self.browser.shown().mark));
        let view = self.browser.view(tab, self.now);
        let machine = &mut self.browser.tabs[tab].machine;
        if operation == Operation::Forget {
            let state = machine.state(&view);
            if let Some(id) = state.token().and_then(Sim::anonymous_id) {
                self.forgotten.push(id);
            }
        }
        machine.operation(id, operation, &view);
        self.act(tab);
    }

    fn new_task(&mut self, tab: usize, route: Route) -> TaskId {
        let tab = &mut self.browser.tabs[tab];
        tab.next += 1;
        let ends_before = tab.ends;
        tab.tasks.insert(
            tab.next,
            Meta {
                call: None,
                route,
                reply: None,
                mark: None,
                waits_since: 0.0,
                has_caller: true,
                ends_before,
                operation: None,
                about: None,
                headers: None,
                kept: Kept::All,
            },
        );
        tab.next
    }

    /// Carries out what the machine of the tab wants.
    pub(crate) fn act(&mut self, tab: usize) {
        while let Some(action) = self.browser.tabs[tab].machine.next_action().copied() {
            self.carry_out(tab, action);
        }
        if self.browser.state(tab, self.now).user().is_some() {
            self.browser.tabs[tab].told_end = None;
        }
    }

    fn meta(&mut self, tab: usize, task: TaskId) -> &mut Meta {
        self.browser.tabs[tab].tasks.entry(task).or_insert(Meta {
            call: None,
            route: Route::Public,
            reply: None,
            mark: None,
            waits_since: 0.0,
            has_caller: false,
            ends_before: 0,
            operation: None,
            about: None,
            headers: None,
            kept: Kept::All,
        })
    }

    fn carry_out(&mut self, tab: usize, action: Action) {
        match action {
            Action::Prepare { task, call, headers } => {
                let mark = self.browser.shown().mark;
                let meta = self.meta(tab, task);
                (meta.call, meta.mark) = (Some(call), mark);
                // The hook has seen them, so a refresh goes with them, whatever happens meanwhile.
                meta.headers = Some(headers).filter(|_| call == Call::Refresh);
                self.pending.push(Pending::Local(tab, task, Local::Done));
            }
            Action::Send { task, call, headers, names, timeout } => {
                let route = match call {
                    Call::App => self.meta(tab, task).route,
                    Call::Refresh => Route::Refresh,
                    Call::SignOut => Route::SignOut,
                    Call::Forget => Route::Forget,
                    Call::Endpoint => Route::Endpoint,
                };
                let headers = self.meta(tab, task).headers.unwrap_or(headers);
                self.meta(tab, task).call = Some(call);
                self.calls += usize::from(call != Call::App);
                if call == Call::Refresh {
                    self.expect_to_be_needed(tab, task);
                }
                let wants_key = names && call == Call::Refresh
                    || matches!(headers.wish, Wish::Key | Wish::KeyIfSameOrigin);
                if wants_key && self.browser.key.is_none() {
                    self.next_key += 1;
                    self.browser.key = Some(self.next_key);
                }
                let shown = self.browser.shown();
                // Without its mark nobody knows of it.
                let told = shown.front.filter(|_| shown.mark.is_some()).map(|token| token.id);
                self.meta(tab, task).about = told;
                let mut credentials = Credentials {
                    key: self.browser.key.filter(|_| wants_key),
                    named: told.filter(|_| names && call == Call::SignOut),
                    off: headers.wish == Wish::Off,
                    in_headers: self.browser.in_headers,
                    ..Credentials::of(&self.browser.jar, route.path())
                };
                match headers.bearer {
                    Bearer::Access => credentials.add_access(shown.own_access),
                    Bearer::Refresh => credentials.add_refresh(shown.own_refresh),
                    Bearer::Anonymous => credentials.add_anonymous(shown.own_anonymous),
                }
                self.say(|| format!("  tab {tab} sends {route:?} (task {task})"));
                let due = if timeout > 0.0 { self.now + timeout } else { f64::INFINITY };
                let stage = Stage::Outbound;
                let sent = self.now;
                let flight = Flight {
                    tab,
                    task,
                    route,
                    credentials,
                    told,
                    sent,
                    due,
                    stage,
                    was_given_up: false,
                };
                if call == Call::App {
                    self.expect_to_be_first(&flight);
                }
                self.pending.push(Pending::Flight(Box::new(flight)));
            }
            Action::Lock { task, name, timeout } => {
                if !self.browser.has_locks {
                    self.pending.push(Pending::Granted(tab, task));
                    return;
                }
                let (now, due) = (self.now, self.now + timeout);
                self.meta(tab, task).waits_since = now;
                self.browser.lock(name).waiting.push((tab, task, due));
                self.grant(name);
            }
            Action::StartTimer { task, after } => {
                let due = self.now + after;
                self.browser.tabs[tab].timers.push((due, task));
            }
            Action::Store { task, storing } => {
                let Meta { reply, route, .. } = *self.meta(tab, task);
                if matches!(route, Route::Login(_)) && self.setting.shows_late {
                    self.note_login(tab);
                }
                let kept = match self.setting.keeps_nothing {
                    true => Kept::NotUser,
                    false => self.store(tab, reply, storing),
                };
                self.meta(tab, task).kept = kept;
                if self.setting.stores_slowly {
                    self.pending.push(Pending::Local(tab, task, Local::Written));
                } else {
                    let view = self.browser.view(tab, self.now);
                    self.browser.tabs[tab].machine.written(task, kept, &view);
                }
            }
            Action::Fire { event, .. } => {
                self.fire(tab, event);
                if self.setting.is_curious && self.browser.tabs[tab].is_open {
                    self.operate(tab, Operation::Exists);
                }
            }
            Action::Settle { task, outcome } => self.settle(tab, task, outcome),
            Action::Plain { task, what } => self.carry_out_plain(tab, task, what),
        }
    }

    fn carry_out_plain(&mut self, tab: usize, task: TaskId, what: Plain) {
        let wait = |for_what| Pending::Local(tab, task, for_what);
        match what {
            Plain::Abort => {
                self.say(|| format!("  tab {tab} gives task {task} up"));
                self.give_up(tab, task);
            }
            Plain::UnlockRefresh => self.unlock(tab, task, LockName::Refresh),
            Plain::UnlockLeader => self.unlock(tab, task, LockName::Leader),
            Plain::StopTimer => self.browser.tabs[tab].timers.retain(|(_, timer)| *timer != task),
            Plain::ReadMessage => self.pending.push(wait(Local::Message)),
            Plain::VerifyStored => self.pending.push(wait(Local::Verified { answered: false })),
            Plain::VerifyAnswered => self.pending.push(wait(Local::Verified { answered: true })),
            Plain::ReadClaims | Plain::ShowAnswer | Plain::ReadSignOut => {
                self.pending.push(wait(Local::Done))
            }
            Plain::Free => {
                self.browser.tabs[tab].tasks.remove(&task);
            }
            Plain::ForgetKey => self.browser.key = None,
            Plain::Notify => {
                for other in 0..self.browser.tabs.len() {
                    if other != tab && self.browser.has_channel && self.browser.tabs[other].is_open
                    {
                        self.pending.push(Pending::Hint(other));
                    }
                }
            }
        }
    }

    fn unlock(&mut self, tab: usize, task: TaskId, name: LockName) {
        let lock = self.browser.lock(name);
        lock.waiting.retain(|(at, waiting, _)| (*at, *waiting) != (tab, task));
        if lock.holder == Some((tab, task)) {
            lock.holder = None;
            self.grant(name);
        }
    }

    /// A refresh is not sent beside another one, nor after another one did what it was wanted for.
    fn expect_to_be_needed(&mut self, tab: usize, task: TaskId) {
        let since = self.meta(tab, task).waits_since;
        let holder = self.browser.refresh_lock.holder;
        let is_alone = !self.browser.has_locks;
        let is_beside_another = self.pending.iter().any(|pending| {
            // A task that waits too long goes on, but not before a call with the lock was given up.
            matches!(pending, Pending::Flight(flight)
                if flight.route == Route::Refresh
                    && !flight.was_given_up
                    && flight.due > self.now
                    && (!is_alone || flight.tab == tab && !self.browser.tabs[tab].began_again)
                    && (!self.has_missed_lock
                        || holder == Some((flight.tab, flight.task)) && flight.sent <= since)
                    && !self.browser.tabs[flight.tab].is_frozen)
        });
        if is_beside_another {
            self.fail(|| format!("f: tab {tab} refreshes beside another one (task {task})"));
        }
        let (before, now) = (self.meta(tab, task).mark, self.browser.shown().mark);
        let is_known = !self.browser.state(tab, self.now).is_unknown();
        // A mark that another host wrote and deleted shows an earlier one again. Two tabs that do
        // not see each other's cookies yet write one mark for two states.
        if before != now && is_known && !self.was_lied_to && !self.has_equal_marks {
            self.fail(|| format!("f: tab {tab} refreshes what was refreshed (task {task})"));
        }
    }

    /// A new visitor's requests wait for the first one, and for those of other tabs as well where
    /// there are locks.
    fn expect_to_be_first(&mut self, flight: &Flight) {
        let is_new = |flight: &Flight| {
            flight.credentials.access.is_empty() && flight.credentials.anonymous.is_empty()
        };
        let is_beside_another = self.pending.iter().any(|pending| {
            matches!(pending, Pending::Flight(other)
                if matches!(other.route, Route::Public | Route::Users | Route::Login(_))
                    && is_new(other)
                    && !other.was_given_up
                    && (self.browser.has_locks || other.tab == flight.tab))
        });
        let Setting { is_ours, mode, .. } = self.setting;
        // After an answer without a session nobody waits for one that may not come either. The key
        // of the first visit sees to it that all get the same id.
        let is_expected =
            is_ours && mode == AnonymousMode::On && !self.has_switched && !self.has_limited;
        let Flight { tab, task, .. } = *flight;
        let is_nobody = is_new(flight) && self.browser.state(tab, self.now).token().is_none();
        // A tab of long ago may have learned from a guest, whose front token the browser had
        // forgotten, that the server makes none.
        let is_of_long_ago = self.has_hidden_end;
        let waits = is_expected && !self.is_meddled && !self.has_missed_lock && !is_of_long_ago;
        if waits && is_nobody && is_beside_another {
            self.fail(|| {
                format!("c: a new visitor's request does not wait (tab {tab}, task {task})")
            });
        }
    }

    /// The login that this tab is about to store.
    fn note_login(&mut self, tab: usize) {
        let answered = self.pending.iter().filter_map(|pending| match pending {
            Pending::Flight(flight)
                if flight.tab != tab
                    && matches!(flight.route, Route::Login(_))
                    && matches!(flight.stage, Stage::Unread(_)) =>
            {
                Some((flight.tab, flight.task))
            }
            _ => None,
        });
        let (at, jar, answered) = (self.now, self.browser.jar.clone(), answered.collect());
        self.just_stored = Some(StoredLogin { tab, at, jar, answered });
    }

    fn store(
        &mut self,
        tab: usize,
        reply: Option<Reply>,
        storing: passerby_protocol::machine::Storing,
    ) -> Kept {
        let is_too_large = self.setting.is_too_large;
        let ids = |shown: &Shown| {
            let id = |token: &Option<Token<Sim>>| token.as_ref().map(|token| token.id);
            (id(&shown.front), id(&shown.anonymous_front))
        };
        let shown = self.browser.shown();
        let before = ids(&shown);
        if before.0.is_some() {
            // Another tab brought a session back, which may end once more.
            self.browser.tabs[tab].told_end = None;
        }
        if let Some(reply) = reply.filter(|reply| reply.in_headers) {
            if storing.keeps_user_tokens {
                self.keep(Name::OwnAccess, reply.access.map(Value::Access));
                self.keep(Name::OwnRefresh, reply.refresh.map(Value::Refresh));
            }
            if let (Write::Store, Put::Set(anonymous)) = (storing.anonymous, reply.anonymous) {
                self.keep(Name::OwnAnonymous, Put::Set(Value::Anonymous(anonymous)));
            }
        }
        let mut told_time = None;
        let tokens = reply.map(|reply| (reply.user_front(), reply.anonymous_front()));
        if let (Write::Store, Some((_, Announced::Token(token)))) = (storing.anonymous, &tokens) {
            self.keep(Name::AnonymousFront, Put::Set(Value::Front(*token)));
        }
        match (storing.user, &tokens) {
            (Write::Store, _) if is_too_large => self.keep(Name::Front, Put::Clear),
            (Write::Store, Some((Announced::Token(token), _))) => {
                self.keep(Name::Front, Put::Set(Value::Front(*token)));
                self.browser.tabs[tab].is_over = false;
                if storing.tells_time {
                    told_time = Some(token.issued_at);
                }
            }
            (Write::Remove, _) => {
                for name in [Name::Front, Name::OwnAccess, Name::OwnRefresh] {
                    self.keep(name, Put::Clear);
                }
            }
            _ => {}
        }
        if storing.anonymous == Write::Remove {
            self.keep(Name::AnonymousFront, Put::Clear);
            self.keep(Name::OwnAnonymous, Put::Clear);
        }
        if storing.mark > 0.0 {
            let is_new = shown.mark.is_none_or(|mark| read_mark(mark).0 < storing.mark);
            self.has_equal_marks |= !is_new;
            if !is_new && !self.setting.shows_late {
                self.fault = Some(format!("a: tab {tab} marks a change as one of before"));
            }
            self.keep(Name::Mark, Put::Set(Value::Mark(Mark(storing.mark))));
        }
        let now_shown = self.browser.shown();
        let after = ids(&now_shown);
        if let Some(issued_at) = told_time {
            self.browser.set_clock(tab, issued_at, self.now);
        }
        self.expect_to_tell(tab, before, after);
        self.say(|| {
            format!(
                "  tab {tab} stores: user {:?} -> {:?}, anonymous {:?} -> {:?}",
                before.0, after.0, before.1, after.1
            )
        });
        // A token is read back, and another one than before is of a tab that wrote in that moment.
        let is_later = now_shown.mark.is_some_and(|mark| read_mark(mark).0 > storing.mark);
        let tells = |token: &Token<Sim>| (token.id, token.issued_at, token.expires_at);
        let is_kept = |write, announced: &Announced<Token<Sim>>, before, after| {
            let (before, after): (&Option<Token<Sim>>, &Option<Token<Sim>>) = (before, after);
            let Announced::Token(token) = announced else { return true };
            let after = after.as_ref().map(tells);
            write != Write::Store
                || after == Some(tells(token))
                || after != before.as_ref().map(tells)
                || is_later
        };
        tokens.map_or(Kept::All, |(user, anonymous)| {
            Kept::of(
                !(is_too_large && storing.user == Write::Store)
                    && is_kept(storing.user, &user, &shown.front, &now_shown.front),
                is_kept(
                    storing.anonymous,
                    &anonymous,
                    &shown.anonymous_front,
                    &now_shown.anonymous_front,
                ),
            )
        })
    }

    /// The SDK writes a cookie, or deletes it.
    fn keep(&mut self, name: Name, put: Put<Value>) {
        match put {
            Put::Leave => {}
            Put::Clear => self.browser.write(name, None, self.now),
            Put::Set(value) => self.browser.write(name, Some(value), self.now),
        }
    }

    fn settle(&mut self, tab: usize, task: TaskId, outcome: Outcome) {
        self.say(|| format!("  tab {tab} settles task {task}: {outcome:?}"));
        let Some(meta) = self.browser.tabs[tab].tasks.remove(&task) else {
            return self.fail(|| format!("f: tab {tab} settles task {task} twice"));
        };
        self.judge_outcome(tab, &meta, outcome);
        let Tab { ends, told_end, .. } = self.browser.tabs[tab];
        if meta.call == Some(Call::SignOut)
            && outcome == Outcome::Undefined
            && ends == meta.ends_before
            && told_end.is_none()
        {
            self.fail(|| format!("d: tab {tab} signed out, and never heard of it"));
        }
        if meta.call == Some(Call::Forget) && outcome != Outcome::Undefined {
            if outcome != Outcome::Failure(Failure::NotForgotten) {
                self.is_meddled = true;
            }
            self.forgotten.clear();
        }
    }

    /// An outcome is true when the caller hears of it.
    fn judge_outcome(&mut self, tab: usize, meta: &Meta, outcome: Outcome) {
        let state = self.browser.state(tab, self.now);
        let user = state.user();
        // A refresh may bring a token that is as old, where an answer was slow.
        let is_as_before = |mark| self.browser.shown().mark == mark;
        let server_time = self.browser.server_time(tab, self.now);
        let is_over = user.is_some_and(|token| token.expires_at < server_time);
        if let Some((Operation::Exists, mark)) = meta.operation
            && outcome == Outcome::Is(true)
            && (state.token().is_none() || is_over && is_as_before(mark))
            // The answer to a form takes the SDK's cookies away without a word. Those
            // that another host writes come and go without one, too.
            && !(self.has_unseen_cookies || self.was_lied_to)
        {
            self.fail(|| format!("d: tab {tab} says that there is a session: {state:?}"));
        }
        // Where a login shows late, the sign-out may be about the one before it. A front
        // token of another host looks like another session, for whose sake it is given up.
        if meta.call == Some(Call::SignOut)
            && outcome == Outcome::Undefined
            && !self.setting.shows_late
            && !self.was_lied_to
            && meta.about.is_some()
            && meta.about == user.map(|token| token.id)
        {
            self.fail(|| format!("d: tab {tab} signed out, and the session is there"));
        }
        let is_refused = meta.reply.is_some_and(|reply| reply.status == 401);
        let is_apps = meta.call.is_none() && meta.operation.is_none();
        if is_apps && is_refused && outcome == Outcome::Answer && !self.browser.tabs[tab].has_told {
            self.fail(|| format!("d: tab {tab} does not tell that a user is wanted"));
        }
    }

    // --- locks -----------------------------------------------------------------------------------

    fn grant(&mut self, name: LockName) {
        let lock = self.browser.lock(name);
        if lock.holder.is_none() && !lock.waiting.is_empty() {
            let (tab, task, _) = lock.waiting.remove(0);
            lock.holder = Some((tab, task));
            self.pending.push(Pending::Granted(tab, task));
        }
    }

    // --- the network -----------------------------------------------------------------------------

    /// The answers that have not come to the browser yet.
    fn replies_under_way(&mut self) -> impl Iterator<Item = &mut Reply> {
        self.pending.iter_mut().filter_map(|pending| match pending {
            Pending::Flight(flight) => match &mut flight.stage {
                Stage::Inbound(reply) => Some(reply),
                Stage::Outbound | Stage::Unread(_) => None,
            },
            Pending::Navigation(navigation) => navigation.reply(),
            Pending::Local(..) | Pending::Granted(..) | Pending::Hint(_) => None,
        })
    }

    /// The shell aborts the call: of an answer that has not come to this browser yet, no cookie is
    /// stored.
    fn give_up(&mut self, tab: usize, task: TaskId) {
        for pending in &mut self.pending {
            if let Pending::Flight(flight) = pending
                && (flight.tab, flight.task) == (tab, task)
            {
                flight.was_given_up = true;
            }
        }
        self.pending.retain(|pending| match pending {
            Pending::Flight(flight) => {
                !flight.was_given_up || matches!(flight.stage, Stage::Outbound)
            }
            _ => true,
        });
    }

    /// The events that can happen next.
    pub(crate) fn choices(&self) -> Vec<usize> {
        let can = |pending: &Pending| match pending {
            Pending::Local(tab, ..) | Pending::Granted(tab, _) | Pending::Hint(tab) => {
                !self.browser.tabs[*tab].is_frozen
            }
            Pending::Navigation(_) => true,
            Pending::Flight(flight) => {
                !(matches!(flight.stage, Stage::Unread(_))
                    && self.browser.tabs[flight.tab].is_frozen)
            }
        };
        (0..self.pending.len()).filter(|index| can(&self.pending[*index])).collect()
    }

    pub(crate) fn happen(&mut self, index: usize) {
        if let Pending::Flight(flight) = &self.pending[index]
            && matches!(flight.stage, Stage::Outbound)
            && self.now - flight.sent > CONNECT_TIMEOUT
        {
            return self.lose(index);
        }
        match self.pending.remove(index) {
            Pending::Flight(flight) => self.fly(flight),
            Pending::Navigation(navigation) => self.go_on(navigation),
            Pending::Local(tab, task, local) => {
                let view = self.browser.view(tab, self.now);
                let message =
                    self.browser.tabs[tab].tasks.get(&task).and_then(|meta| meta.reply?.message);
                if matches!(local, Local::Message) {
                    self.expect_theft(tab, task);
                }
                let is_forged = self.has_forged_token();
                let has_keys = !self.server.cluster.is_down;
                let meta = self.browser.tabs[tab].tasks.get(&task);
                let kept = meta.map_or(Kept::All, |meta| meta.kept);
                let machine = &mut self.browser.tabs[tab].machine;
                match local {
                    Local::Done => machine.done(task, true, &view),
                    Local::Written => machine.written(task, kept, &view),
                    Local::Verified { answered } => {
                        let is_good = answered || !is_forged;
                        machine.verified(task, has_keys.then_some(is_good), &view);
                    }
                    Local::Message => {
                        let message = match message {
                            Some("try refresh token") => Message::TryRefresh,
                            message => Message::Other(Verdict::of(|text| message == Some(text))),
                        };
                        machine.message(task, message, &view);
                    }
                }
                self.act(tab);
            }
            Pending::Granted(tab, task) => {
                let view = self.browser.view(tab, self.now);
                self.browser.tabs[tab].machine.locked(task, &view);
                self.act(tab);
            }
            Pending::Hint(tab) => {
                self.just_stored = None;
                let view = self.browser.view(tab, self.now);
                self.browser.tabs[tab].machine.changed(&view);
                self.act(tab);
            }
        }
    }

    fn fly(&mut self, mut flight: Box<Flight>) {
        let Flight { tab, task, route, .. } = *flight;
        match flight.stage {
            Stage::Outbound => {
                let reply = self.serve(route, &flight.credentials);
                self.say(|| {
                    let who = reply.saw;
                    format!(
                        "  the server answers tab {tab}'s {route:?} (task {task}) with {} to \
                         {who:?}",
                        reply.status
                    )
                });
                // One that ends a session is not kept here: nobody could tell it from the answer to
                // the app's own way of signing out.
                let has_tokens = matches!(reply.user_front(), Announced::Token(_));
                if route == Route::Public && !self.setting.is_ours && has_tokens {
                    self.cached = Some(reply);
                }
                // A sign-out that was given up may end a session that a refresh has brought back
                // meanwhile.
                self.has_hidden_end |= flight.was_given_up && route == Route::SignOut && reply.ends;
                if !flight.was_given_up {
                    flight.stage = Stage::Inbound(reply);
                    self.pending.push(Pending::Flight(flight));
                }
            }
            Stage::Inbound(reply) => {
                self.say(|| {
                    format!("  the browser gets the answer to tab {tab}'s {route:?} (task {task})")
                });
                // A frozen tab gives nothing up, and its answer replaces a token that another tab
                // got since. A stock server knows no grace after so long, and cannot tell.
                let is_overdue = route == Route::Refresh && flight.due <= self.now;
                self.was_overdue |= is_overdue && !self.setting.is_ours;
                let kept = self.kept_login(&flight);
                self.take_cookies(&reply);
                // A refusal makes nothing anew: the refresh after it does, if it is not lost. Nor
                // does a failure, an answer that only removes second cookies, or a server that
                // makes no sessions for a while.
                let is_asked_again = matches!(reply.saw, Principal::Expired(_))
                    || reply.status >= 500
                    || reply.is_limited
                    || reply.clears_others && !reply.puts();
                if !is_asked_again {
                    self.last_visit = self.now;
                }
                let left = self.refresh_cookie().map(|refresh| refresh.handle);
                if let Some(id) = kept.filter(|id| left != Some(*id)) {
                    self.fail(|| {
                        format!(
                            "b: the answer to tab {tab}'s {route:?} (task {task}) undoes the login \
                             of session {id}, and is about another one"
                        )
                    });
                }
                self.note_id(&reply);
                flight.stage = Stage::Unread(reply);
                self.pending.push(Pending::Flight(flight));
            }
            Stage::Unread(reply) => {
                self.has_unread_cookies |= self.comes_after_an_unheard_login(&flight, &reply);
                self.was_overdue |= self.replaces_one_of_its_second(&flight, &reply);
                self.deliver(tab, task, reply);
            }
        }
    }

    /// Whether scripts keep the tokens, and the answer to a refresh replaces one that another tab
    /// got in the same second, so that its age says nothing. A stock server knows no grace.
    fn replaces_one_of_its_second(&self, refresh: &Flight, reply: &Reply) -> bool {
        let second = |token: Refresh| (token.issued_at / 1_000.0).floor();
        let (Put::Set(new), Some(used), Some(held)) =
            (reply.refresh, refresh.credentials.refresh.first(), self.browser.shown().own_refresh)
        else {
            return false;
        };
        !self.setting.is_ours
            && reply.in_headers
            && refresh.route == Route::Refresh
            && used.number != held.number
            && second(new) == second(held)
    }

    /// Whether a refresh's answer put its cookies over those of a login that another tab has not
    /// read yet. Without a channel, neither of the two hears of the other.
    fn comes_after_an_unheard_login(&self, refresh: &Flight, reply: &Reply) -> bool {
        let handle = |reply: &Reply| match reply.access {
            Put::Set(access) => Some(access.handle),
            _ => None,
        };
        let told = handle(reply);
        let is_unheard = |pending: &Pending| {
            matches!(pending, Pending::Flight(login)
                if login.tab != refresh.tab
                    && matches!(login.route, Route::Login(_))
                    && matches!(&login.stage, Stage::Unread(other) if handle(other) != told))
        };
        !self.browser.has_channel
            && refresh.route == Route::Refresh
            && self.access_cookie().map(|access| access.handle) == told
            && self.pending.iter().any(is_unheard)
    }

    /// The session of a login that was read, if the answer to this call of the SDK's is about
    /// another one, and the call's tab has heard of the login. Where the app's own storage is slow
    /// to say that it has the login, no call can be given up in time.
    fn kept_login(&self, flight: &Flight) -> Option<u32> {
        let Browser { tabs, has_channel, .. } = &self.browser;
        let id = self.refresh_cookie()?.handle;
        let shown = self.browser.shown();
        let has_seen = *has_channel || shown.mark == tabs[flight.tab].heard;
        let has_heard = has_seen
            && !tabs[flight.tab].is_frozen
            && !self
                .pending
                .iter()
                .any(|pending| matches!(pending, Pending::Hint(tab) if *tab == flight.tab));
        let was_read = shown.mark.is_some() && shown.front.is_some_and(|token| token.id == id);
        let Credentials { access, refresh, off, .. } = flight.credentials;
        let is_about_it = flight.told == Some(id)
            || access.iter().any(|access| access.handle == id)
            || refresh.iter().any(|refresh| refresh.handle == id);
        let is_ours = match flight.route {
            // After the visitor deleted cookies, it cannot say which session it is about. Nor does
            // it once it was refused twice, however long ago that was.
            Route::SignOut => flight.credentials.named.is_some(),
            // The SDK knows nothing of the one, and the other is a login, too.
            Route::Leave | Route::Login(_) | Route::Endpoint => false,
            Route::Refresh | Route::Forget => true,
            // Without consent nothing may be left that has the id.
            Route::Public | Route::Users | Route::Who => !off,
        };
        // A front token of another host may have hidden the login.
        let is_told = has_heard && !self.setting.stores_slowly && !self.was_lied_to;
        (self.setting.is_ours && is_told && was_read && !is_about_it && is_ours).then_some(id)
    }

    pub(crate) fn deliver(&mut self, tab: usize, task: TaskId, reply: Reply) {
        self.meta(tab, task).reply = Some(reply);
        let answer = Answer {
            status: reply.status,
            limited: reply.is_limited,
            has_tokens: reply.in_headers
                && (reply.access, reply.refresh) != (Put::Leave, Put::Leave),
            user: reply.user_front(),
            anonymous: reply.anonymous_front(),
        };
        let says_nothing = answer.status < 300
            && !answer.has_tokens
            && matches!(answer.user, Announced::Nothing)
            && matches!(answer.anonymous, Announced::Nothing);
        let before = self.browser.view_of_before(tab);
        let machine = &self.browser.tabs[tab].machine;
        let view = if says_nothing && machine.needs_no_look() {
            before
        } else {
            self.view_of_late(tab, task).unwrap_or_else(|| self.browser.view(tab, self.now))
        };
        if self.meta(tab, task).call.is_none() {
            self.browser.tabs[tab].heard = self.browser.shown().mark;
        }
        self.browser.tabs[tab].machine.answered(task, answer, &view);
        self.act(tab);
        self.expect_to_forget(tab);
    }

    /// The storage as a tab sees it that is told late of another one's login.
    fn view_of_late(&mut self, tab: usize, task: TaskId) -> Option<View<Sim>> {
        let StoredLogin { tab: first, at, jar, answered } = self.just_stored.take()?;
        if at != self.now || !answered.contains(&(tab, task)) {
            return None;
        }
        // Nobody else knows of both, and without a channel they hear of it at their next answer.
        self.is_meddled |= !self.browser.has_channel;
        self.knows_both = Some(first).filter(|_| !self.browser.has_channel);
        let now = core::mem::replace(&mut self.browser.jar, jar);
        let view = self.browser.view(tab, self.now);
        self.browser.jar = now;
        Some(view)
    }

    /// A tab that has an answer notices what came back.
    fn expect_to_forget(&mut self, tab: usize) {
        let state = self.browser.state(tab, self.now);
        let id = state.token().and_then(Sim::anonymous_id);
        let machine = &self.browser.tabs[tab].machine;
        // A server that could not forget is not asked again at once.
        let can_forget = !self.is_meddled && machine.is_idle();
        if can_forget && id.is_some_and(|id| machine.forgets(&id)) {
            self.fail(|| format!("c: tab {tab} lets a forgotten id come back"));
        }
    }

    pub(crate) fn note_id(&mut self, reply: &Reply) {
        let id = match (reply.anonymous, reply.access) {
            (Put::Set(anonymous), _) => anonymous.id,
            (_, Put::Set(access)) => access.anonymous_id,
            _ => return,
        };
        self.first_id = self.first_id.or(Some(id).filter(|id| !is_foreign(*id)));
    }

    /// The HTTP cache answers a request that has not gone yet. No cookie is stored with that.
    pub(crate) fn answer_from_cache(&mut self) -> bool {
        let Some(reply) = self.cached else { return false };
        // Two sessions of one second cannot be told apart by their age.
        let is_as_old = |tab: &Tab| match reply.user_front() {
            Announced::Token(cached) => {
                tab.latest.id != Some(cached.id) && cached.issued_at == tab.latest.issued_at
            }
            _ => false,
        };
        if self.browser.tabs.iter().any(is_as_old) {
            return false;
        }
        let waiting = self.pending.iter_mut().find_map(|pending| match pending {
            Pending::Flight(flight)
                if flight.route == Route::Public
                    && matches!(flight.stage, Stage::Outbound)
                    && !flight.was_given_up =>
            {
                flight.stage = Stage::Unread(reply);
                Some((flight.tab, flight.task))
            }
            _ => None,
        });
        if let Some((tab, task)) = waiting {
            self.say(|| format!("  the cache answers tab {tab}'s Public (task {task})"));
            // A tab that has seen nothing as new cannot know that this session is over, and a stock
            // back end says so of no request that needs no user.
            let seen = self.browser.tabs[tab].latest.issued_at;
            self.has_lost_front |= match reply.user_front() {
                Announced::Token(cached) => seen.is_nan() || cached.issued_at > seen,
                _ => seen.is_nan(),
            };
        }
        waiting.is_some()
    }

    /// A tab is looked at again, be it after it was frozen or from the back/forward cache.
    pub(crate) fn show(&mut self, tab: usize) {
        self.say(|| format!("tab {tab} is looked at"));
        self.browser.tabs[tab].is_frozen = false;
        self.pending.push(Pending::Hint(tab));
    }

    /// A hook of the app throws, or an answer's body cannot be read.
    fn fail_hook(&mut self, index: usize, tab: usize, task: TaskId) {
        self.pending.remove(index);
        self.say(|| format!("  a hook of the app fails in tab {tab} (task {task})"));
        // Nobody could be asked, so requests go without for a while.
        self.is_meddled |= self.meta(tab, task).call == Some(Call::Refresh);
        let view = self.browser.view(tab, self.now);
        self.browser.tabs[tab].machine.done(task, false, &view);
        self.act(tab);
    }

    /// The network fails: before the server had the request, or after.
    pub(crate) fn lose(&mut self, index: usize) {
        if let Pending::Local(tab, task, Local::Done) = self.pending[index] {
            return self.fail_hook(index, tab, task);
        }
        let Pending::Flight(flight) = &self.pending[index] else { return self.happen(index) };
        let Flight { tab, task, route, stage, was_given_up, .. } = **flight;
        // Nobody could be asked, so requests go without for a while.
        self.is_meddled |= route == Route::Refresh;
        if let Stage::Inbound(reply) | Stage::Unread(reply) = stage {
            // The server may have ended a session, and nobody heard of that.
            self.is_meddled |=
                (reply.access, reply.anonymous) != (Put::Leave, Put::Leave) || reply.ends;
            let is_sdks = matches!(route, Route::SignOut | Route::Forget | Route::Refresh);
            let puts = (reply.access, reply.anonymous) != (Put::Leave, Put::Leave);
            self.has_unread_cookies |= matches!(stage, Stage::Unread(_)) && puts && !is_sdks;
        }
        self.pending.remove(index);
        self.say(|| format!("  the network loses tab {tab}'s task {task} ({stage:?})"));
        if !was_given_up && self.browser.tabs[tab].is_open {
            let view = self.browser.view(tab, self.now);
            self.browser.tabs[tab].machine.done(task, false, &view);
            self.act(tab);
        }
    }

    // --- time ------------------------------------------------------------------------------------

    /// When something is due.
    fn next_due(&self) -> Option<Time> {
        let tabs = self.browser.tabs.iter().enumerate();
        let timers = tabs
            .filter(|(_, tab)| !tab.is_frozen)
            .flat_map(|(_, tab)| tab.timers.iter().map(|(due, _)| *due));
        let calls = self.pending.iter().filter_map(|pending| match pending {
            Pending::Flight(flight)
                if !flight.was_given_up && !self.browser.tabs[flight.tab].is_frozen =>
            {
                Some(flight.due)
            }
            _ => None,
        });
        let locks = [&self.browser.refresh_lock, &self.browser.leader_lock]
            .into_iter()
            .flat_map(|lock| lock.waiting.iter());
        let locks =
            locks.filter(|(tab, ..)| !self.browser.tabs[*tab].is_frozen).map(|(_, _, due)| *due);
        timers.chain(calls).chain(locks).filter(|due| due.is_finite()).min_by(f64::total_cmp)
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, time: Time) {
        let end = self.now + time;
        while let Some(due) = self.next_due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.drop_expired();
            self.ring();
        }
        self.now = end;
        self.drop_expired();
        self.say(|| format!("{} s pass", time / 1000.0));
    }

    fn ring(&mut self) {
        let now = self.now;
        for tab in 0..self.browser.tabs.len() {
            if self.browser.tabs[tab].is_frozen {
                continue;
            }
            while let Some(index) =
                self.browser.tabs[tab].timers.iter().position(|(due, _)| *due <= now)
            {
                let (_, task) = self.browser.tabs[tab].timers.remove(index);
                self.has_missed_lock = true;
                let view = self.browser.view(tab, now);
                self.browser.tabs[tab].machine.locked(task, &view);
                self.act(tab);
            }
            for name in [LockName::Refresh, LockName::Leader] {
                let waiting = &mut self.browser.lock(name).waiting;
                while let Some(index) =
                    waiting.iter().position(|(at, _, due)| *at == tab && *due <= now)
                {
                    let (_, task, _) = waiting.remove(index);
                    self.has_missed_lock = true;
                    self.pending.push(Pending::Granted(tab, task));
                }
            }
        }
        let late = self.pending.iter().position(|pending| {
            matches!(pending, Pending::Flight(flight)
                if flight.due <= now
                    && !flight.was_given_up
                    && !self.browser.tabs[flight.tab].is_frozen)
        });
        if let Some(Pending::Flight(flight)) = late.map(|index| self.pending[index].clone()) {
            self.say(|| format!("  tab {}'s task {} takes too long", flight.tab, flight.task));
            // Nobody could be asked, so requests go without for a while.
            self.is_meddled = true;
            self.give_up(flight.tab, flight.task);
            let view = self.browser.view(flight.tab, now);
            self.browser.tabs[flight.tab].machine.done(flight.task, false, &view);
            self.act(flight.tab);
        }
    }

    /// Goes on until everything waits for time to pass, or for a tab that is frozen.
    pub(crate) fn rest(&mut self) {
        for _ in 0..1_000 {
            let Some(first) = self.choices().first().copied() else { return };
            self.happen(first);
        }
    }

    /// Goes on until nothing more happens.
    pub(crate) fn settle_down(&mut self) {
        for tab in &mut self.browser.tabs {
            tab.is_frozen = false;
        }
        // Where one process goes on signing with a key that another one knows is gone, each request
        // refreshes until it may not try again.
        let is_in_vain = self.server.cluster.believes_deleted_key();
        let before = self.calls;
        let tasks = self.browser.tabs.iter().flat_map(|tab| tab.tasks.values());
        let callers = tasks.filter(|meta| meta.has_caller).count();
        let most = MOST_CALLS * (self.browser.tabs.len() + callers);
        for _ in 0..3_000 {
            if let Some(first) = self.choices().first() {
                self.happen(*first);
                self.take_time();
            } else if self.next_due().is_some() {
                // A patience that runs out would help, and nothing else would.
                return self.fail(|| "f: somebody waits, and nothing is under way".into());
            } else {
                let calls = self.calls - before;
                if calls > most && !is_in_vain {
                    self.fail(|| format!("f: {calls} calls, and nothing new happened"));
                }
                return;
            }
        }
        self.fail(|| "f: it never ends".into());
    }

    /// The principal that the server sees in the next request, and the state that the tab tells,
    /// before the request or when it is sent.
    pub(crate) fn ask_who(
        &mut self,
        tab: usize,
        at_sending: bool,
    ) -> Option<(SessionState<Sim>, Principal)> {
        let mut told = self.browser.state(tab, self.now);
        self.request(tab, Route::Who);
        // Until the server has it.
        for _ in 0..200 {
            let index = self.pending.iter().position(|pending| {
                matches!(pending, Pending::Flight(flight)
                    if flight.route == Route::Who && matches!(flight.stage, Stage::Outbound))
            });
            if let Some(index) = index {
                // It may have asked before it went.
                if at_sending {
                    told = self.browser.state(tab, self.now);
                }
                self.happen(index);
                let saw = self.pending.iter().find_map(|pending| match pending {
                    Pending::Flight(flight) => match flight.stage {
                        Stage::Inbound(reply) if flight.route == Route::Who => Some(reply.saw),
                        _ => None,
                    },
                    _ => None,
                });
                return saw.map(|saw| (told, saw));
            }
            self.happen(*self.choices().first()?);
        }
        None
    }
}
