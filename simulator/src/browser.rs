//! One browser: what all its tabs share, and what a tab has of its own.

use std::collections::BTreeMap;

use passerby_protocol::{
    machine::{Call, Headers, Kept, LockName, Machine, Operation, TaskId, View},
    response::LatestSeen,
    state::{Event, Mark, SessionState, Slot, Stored, Token},
};

use crate::{
    document::{Shown, assigned},
    jar::{Domain, Host, Jar, Name, Path, Place, Value, Writer},
    server::{Reply, Route},
    tokens::{Sim, Time},
};

/// A lock over all tabs: its holder, and those that wait, each with the time at which they give
/// up.
#[derive(Debug, Default)]
pub(crate) struct Lock {
    pub(crate) holder: Option<(usize, TaskId)>,
    pub(crate) waiting: Vec<(usize, TaskId, Time)>,
}

/// The shell's part of a task.
#[derive(Clone, Debug)]
pub(crate) struct Meta {
    pub(crate) call: Option<Call>,
    pub(crate) route: Route,
    pub(crate) reply: Option<Reply>,
    /// The stored mark when its refresh call was made ready.
    pub(crate) mark: Option<Mark>,
    /// When it began to wait for the lock of refreshes.
    pub(crate) waits_since: Time,
    /// Whether somebody waits for its outcome.
    pub(crate) has_caller: bool,
    /// How many ends this tab had told when it began.
    pub(crate) ends_before: u32,
    /// The operation, and the stored mark when it began.
    pub(crate) operation: Option<(Operation, Option<Mark>)>,
    /// The user session that the browser told of when it was sent.
    pub(crate) about: Option<u32>,
    /// Those of a call that is prepared.
    pub(crate) headers: Option<Headers>,
    /// Whether the browser kept what was stored.
    pub(crate) kept: Kept,
}

pub(crate) struct Tab {
    pub(crate) machine: Machine<Sim>,
    pub(crate) is_open: bool,
    pub(crate) is_frozen: bool,
    pub(crate) tasks: BTreeMap<TaskId, Meta>,
    pub(crate) timers: Vec<(Time, TaskId)>,
    /// The difference of the server's clock from this device's, once this page knows it.
    pub(crate) correction: Option<Time>,
    pub(crate) latest: LatestSeen<u32>,
    /// The cookies that it saw when it looked last, and when that was.
    pub(crate) seen: (Shown, Time),
    pub(crate) next: TaskId,
    /// Ends of user sessions that were told.
    pub(crate) ends: u32,
    /// Whether it ever told that a user session is over, or wanted.
    pub(crate) has_told: bool,
    /// The latest of them, while it is the last word.
    pub(crate) told_end: Option<Event>,
    /// Whether it has told of an end, and has stored no user's token since.
    pub(crate) is_over: bool,
    /// Whether the server has told it of a theft, of which the app has to hear.
    pub(crate) expects_theft: bool,
    /// Whether it has stored a session where there was none, and has not told the app yet.
    pub(crate) expects_event: bool,
    /// Whether it told of a sign-out last, when there was no other session yet.
    pub(crate) told_early: bool,
    /// Whether the app called `init` again.
    pub(crate) began_again: bool,
    /// The stored mark at the latest answer to a request of the app.
    pub(crate) heard: Option<Mark>,
}

impl Tab {
    pub(crate) fn new(machine: Machine<Sim>) -> Self {
        Self {
            machine,
            is_open: true,
            is_frozen: false,
            tasks: BTreeMap::new(),
            timers: Vec::new(),
            correction: None,
            latest: LatestSeen { id: None, issued_at: f64::NAN },
            seen: (Shown::default(), 0.0),
            next: 0,
            ends: 0,
            has_told: false,
            told_end: None,
            is_over: false,
            expects_theft: false,
            expects_event: false,
            told_early: false,
            heard: None,
            began_again: false,
        }
    }

    /// It tells the app of the end of a user session.
    pub(crate) fn note_end(&mut self, event: Event) {
        self.ends += 1;
        self.told_end = Some(event);
        self.is_over = true;
    }
}

pub(crate) struct Browser {
    pub(crate) jar: Jar,
    /// The key of a first visit, in the local storage.
    pub(crate) key: Option<u32>,
    /// The website's host.
    pub(crate) page: Host,
    /// Whether the SDK sets its cookies for the whole site.
    pub(crate) scripts_for_site: bool,
    pub(crate) tabs: Vec<Tab>,
    pub(crate) refresh_lock: Lock,
    pub(crate) leader_lock: Lock,
    pub(crate) has_locks: bool,
    pub(crate) has_channel: bool,
    pub(crate) in_headers: bool,
    /// By how much this device's clock is ahead, in milliseconds.
    pub(crate) skew: Time,
    /// The stored difference of the server's clock from this device's.
    pub(crate) correction: Time,
}

impl Browser {
    pub(crate) fn lock(&mut self, name: LockName) -> &mut Lock {
        match name {
            LockName::Refresh => &mut self.refresh_lock,
            LockName::Leader => &mut self.leader_lock,
        }
    }

    /// The SDK's cookies as it reads them.
    pub(crate) fn shown(&self) -> Shown {
        Shown::to(&self.jar, self.page)
    }

    /// Where the SDK keeps that cookie.
    pub(crate) fn place(&self, name: Name) -> Place {
        let domain = if self.scripts_for_site { Domain::Site } else { Domain::Host(self.page) };
        (name, domain, Path::Root)
    }

    /// The SDK writes a cookie. None deletes it.
    pub(crate) fn write(&mut self, name: Name, value: Option<Value>, now: Time) {
        let cookie = assigned(name, value, self.scripts_for_site);
        self.jar.set(Writer::Script, self.page, cookie, now);
    }

    /// The storage and clocks as the shell of that tab sees them.
    pub(crate) fn view(&mut self, tab: usize, now: Time) -> View<Sim> {
        let shown = self.shown();
        if let Some(token) = &shown.front {
            self.tabs[tab].latest = LatestSeen { id: Some(token.id), issued_at: token.issued_at };
        }
        self.tabs[tab].seen = (shown, now);
        self.view_of_before(tab)
    }

    /// The same as that shell saw them last.
    pub(crate) fn view_of_before(&self, tab: usize) -> View<Sim> {
        let Tab { seen: (shown, now), latest, .. } = &self.tabs[tab];
        let slot = |token: &Option<Token<Sim>>| (*token).map_or(Slot::Empty, Slot::Token);
        View {
            stored: Stored {
                changed: shown.mark.map_or(Mark::NONE, read_mark),
                user: slot(&shown.front),
                anonymous: slot(&shown.anonymous_front),
            },
            latest: latest.clone(),
            now: self.device_time(*now),
            server_now: self.server_time(tab, *now),
            has_access_token: shown.own_access.is_some() && shown.own_refresh.is_some(),
            has_refresh_token: shown.own_refresh.is_some(),
        }
    }

    pub(crate) fn state(&mut self, tab: usize, now: Time) -> SessionState<Sim> {
        let view = self.view(tab, now);
        self.tabs[tab].machine.state(&view)
    }
}

/// A mark as the shell reads it: never so large that no later number comes.
pub(crate) fn read_mark(mark: Mark) -> Mark {
    Mark(mark.0 % 1e15)
}
