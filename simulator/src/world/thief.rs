//! Another browser with a copy of this one's tokens, and the simulator's own record of their uses,
//! so that the server's verdicts are judged by something else than its rules.

use passerby_protocol::{machine::TaskId, rotation::DEFAULT_GRACE_MS};

use crate::{
    browser::Tab,
    server::{ACCESS_LIFE, Credentials, Put, Reply, Route},
    tokens::{Access, Refresh, Time, is_foreign},
    world::{World, processes::CLOCK_LEEWAY},
};

/// The copy.
#[derive(Clone, Copy, Debug)]
struct Loot {
    access: Option<Access>,
    refresh: Option<Refresh>,
}

impl Loot {
    fn of(world: &World) -> Option<Self> {
        let shown = world.browser.shown();
        let access = world.access_cookie().or(shown.own_access);
        let refresh = world.refresh_cookie().or(shown.own_refresh);
        refresh.is_some().then_some(Self { access, refresh })
    }

    /// A thief runs no SDK, and takes what each answer gives.
    fn take(&mut self, reply: &Reply) {
        put(&mut self.access, reply.access);
        put(&mut self.refresh, reply.refresh);
    }
}

/// Does to one token what the answer says.
fn put<T>(place: &mut Option<T>, what: Put<T>) {
    match what {
        Put::Leave => {}
        Put::Clear => *place = None,
        Put::Set(value) => *place = Some(value),
    }
}

/// All that is known of a theft. Nothing, in most histories.
#[derive(Debug, Default)]
pub(crate) struct Theft {
    loot: Option<Loot>,
    /// The sessions of which the thief had a token exchanged.
    shared: Vec<u32>,
    /// Whether a planted token was used after it had been exchanged.
    is_planted: bool,
    /// Refresh tokens whose child was used since the copy was made, and when that was first.
    overtaken: Vec<(u32, Time)>,
}

impl Theft {
    /// Whether one token was used twice, by two browsers or as a copy that was planted.
    pub(crate) fn was_used(&self) -> bool {
        self.is_planted || !self.shared.is_empty()
    }

    fn is_overtaken(&self, number: u32, grace: Time, now: Time) -> bool {
        let is_it = |(parent, at): &(u32, Time)| *parent == number && now - at > grace;
        self.overtaken.iter().any(is_it)
    }

    fn note_use(&mut self, parent: Option<u32>, now: Time) {
        if let Some(parent) = parent
            && self.overtaken.iter().all(|(number, _)| *number != parent)
        {
            self.overtaken.push((parent, now));
        }
    }
}

impl World {
    /// Somebody copies the tokens that the browser has now.
    pub(crate) fn steal(&mut self) {
        if let Some(loot) = Loot::of(self) {
            self.say(|| "a thief copies the tokens".into());
            self.theft.loot = Some(loot);
        }
    }

    /// The thief makes a request, with the copy or with what came of it.
    pub(crate) fn use_loot(&mut self, route: Route) {
        let Some(mut loot) = self.theft.loot else { return };
        let credentials = Credentials {
            access: loot.access.into(),
            refresh: loot.refresh.filter(|_| route == Route::Refresh).into(),
            ..Credentials::default()
        };
        let reply = self.server.serve(route, &credentials, self.now);
        self.say(|| {
            format!("the thief's {route:?} is answered {} {:?}", reply.status, reply.message)
        });
        if let (Put::Set(_), Some(refresh)) = (reply.refresh, credentials.refresh.first()) {
            self.theft.shared.push(refresh.handle);
        }
        // The visitor's browser hears of that with a later answer.
        self.has_hidden_end |= reply.theft.is_some();
        loot.take(&reply);
        self.theft.loot = Some(loot);
        self.note_uses(route, &credentials, &reply);
    }

    /// An answer to the visitor: theft is told only if two browsers used one token.
    pub(crate) fn judge(&mut self, route: Route, credentials: &Credentials, reply: &Reply) {
        // A planted refresh token may stay beside the one that it was exchanged for. To the server
        // its second use is a theft, of the planted session.
        let presented = credentials.refresh.first();
        let is_copy = reply.theft.is_some() && presented.is_some_and(|it| is_foreign(it.number));
        self.theft.is_planted |= is_copy;
        if let Some(handle) = reply.theft
            && !is_copy
            && !self.theft.shared.contains(&handle)
            && !self.was_overdue
        {
            self.fail(|| format!("e: session {handle} counts as stolen, and nobody stole it"));
        }
        self.note_uses(route, credentials, reply);
    }

    /// A token is not exchanged long after its child was used, by whomever.
    fn note_uses(&mut self, route: Route, credentials: &Credentials, reply: &Reply) {
        if self.theft.loot.is_none() {
            return;
        }
        let now = self.now;
        if let (Route::Refresh, Some(presented), Put::Set(_)) =
            (route, credentials.refresh.first(), reply.refresh)
        {
            // One process may have noted the use, and another one compare it with its own clock.
            let grace = DEFAULT_GRACE_MS as Time + self.server.cluster.clock_difference();
            if self.theft.is_overtaken(presented.number, grace, now) {
                let handle = presented.handle;
                self.fail(|| format!("e: an old token of session {handle} is exchanged"));
            }
            self.theft.note_use(presented.parent, now);
        } else if let (Some(presented), Put::Set(new)) = (credentials.access.first(), reply.access)
            && (new.refresh, new.parent) == (presented.refresh, None)
        {
            self.theft.note_use(presented.parent, now);
        }
    }

    /// The tab reads that its session was stolen: unless it has told of the end already, it tells
    /// the app why that came. Where there are others, one of them may bring the session back in
    /// between, so that it ends once more, and the later answer does not say why.
    pub(crate) fn expect_theft(&mut self, tab: usize, task: TaskId) {
        let theft = self.browser.tabs[tab].tasks.get(&task).and_then(|meta| meta.reply?.theft);
        let told = self.browser.state(tab, self.now).user().map(|token| token.id);
        let is_alone = self.browser.tabs.iter().filter(|tab| tab.is_open).count() == 1;
        let Tab { is_over, expects_theft, .. } = &mut self.browser.tabs[tab];
        *expects_theft |= theft.is_some() && theft == told && !*is_over && is_alone;
    }

    /// The session of which the thief had a token exchanged, and that the visitor's tab goes on
    /// with.
    fn shared_with(&mut self, tab: usize) -> Option<u32> {
        let handle = self.theft.loot?.refresh?.handle;
        let own = Loot::of(self)?.refresh?.handle;
        let told = self.browser.state(tab, self.now).user()?.id;
        let is_shared = self.theft.shared.contains(&handle) && self.server.has(handle, self.now);
        ([own, told] == [handle; 2] && is_shared).then_some(handle)
    }

    /// Both go on for as long as they can, each at a time when the access tokens have run out.
    /// `false` if there is nothing that both have.
    pub(crate) fn show_down(&mut self) -> bool {
        let Some(tab) = self.browser.tabs.iter().position(|tab| tab.is_open) else { return false };
        let Some(handle) = self.shared_with(tab) else { return false };
        self.say(|| format!("from here on, both use session {handle}"));
        for _ in 0..2 {
            self.pass(ACCESS_LIFE + CLOCK_LEEWAY);
            self.use_loot(Route::Refresh);
            self.use_loot(Route::Users);
            self.pass(ACCESS_LIFE + CLOCK_LEEWAY);
            self.request(tab, Route::Users);
            self.settle_down();
        }
        if self.server.has(handle, self.now) {
            self.fail(|| format!("e: session {handle} goes on, and two browsers have it"));
        }
        true
    }
}
