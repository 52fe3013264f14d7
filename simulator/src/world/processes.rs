//! Requests at the processes of the back end, and the life of these processes.

use crate::{
    processes::{KeyKind, REREAD},
    server::{Credentials, PresentedAnonymous, Principal, Reply, Route, id_of_lost},
    tokens::{Access, Time, is_foreign},
    world::World,
};

/// After so many milliseconds more, a token has expired by the clock of every process.
pub(crate) const CLOCK_LEEWAY: Time = 61_000.0;

impl World {
    /// The process whose turn it is answers a request of this browser.
    pub(crate) fn serve(&mut self, route: Route, credentials: &Credentials) -> Reply {
        self.expect_published_keys(credentials);
        let has_noticed = self.server.cluster.has_read_since(self.deleted_at);
        let good = self.good_access(credentials);
        let reply = self.server.serve(route, credentials, self.now);
        self.judge(route, credentials, &reply);
        self.judge_user(good, has_noticed, route, credentials, &reply);
        self.expect_own_id(route, credentials, &reply);
        if let Some(anonymous) = credentials.own_anonymous().filter(|_| self.setting.is_ours) {
            self.judge_id(anonymous, has_noticed, route, credentials, &reply);
        }
        reply
    }

    /// A key that was published before it signed is known by then, so that the process needs no
    /// database for it.
    fn expect_published_keys(&mut self, credentials: &Credentials) {
        let anonymous = credentials.own_anonymous().filter(|_| self.setting.is_ours);
        let anonymous = anonymous.map(|held| (KeyKind::Anonymous, held.token.key));
        let access = credentials.access.first().map(|access| (KeyKind::Access, access.key));
        let cluster = &self.server.cluster;
        if !cluster.should_know_all(self.now) {
            return;
        }
        let unknown = [anonymous, access].into_iter().flatten().find(|(kind, number)| {
            cluster.keys.was_published(*kind, *number) && !cluster.process().knows(*kind, *number)
        });
        if let Some((kind, number)) = unknown {
            self.fail(|| format!("c: a process does not know key {number} ({kind:?}), published"));
        }
    }

    /// The one access token, if it is good and its session is there.
    fn good_access(&self, credentials: &Credentials) -> Option<Access> {
        let access = credentials.access.first().filter(|_| !credentials.access.has_several())?;
        let cluster = &self.server.cluster;
        let is_good = cluster.keys.has(KeyKind::Access, access.key)
            && access.expires_at >= cluster.begin(self.now)
            && self.server.has(access.handle, cluster.begin(self.now));
        is_good.then_some(access)
    }

    /// A user with a good token is who it says, and nobody is by a key that was deleted.
    fn judge_user(
        &mut self,
        good: Option<Access>,
        has_noticed: bool,
        route: Route,
        credentials: &Credentials,
        reply: &Reply,
    ) {
        let is_stored = |access: Access| self.server.cluster.keys.has(KeyKind::Access, access.key);
        let is_stored = credentials.access.iter().any(is_stored);
        // Nobody can tell whose a token of no key is. So a login beside it may make an id, and so
        // may a refusal where there is no refresh token, which says it, too.
        let makes_id = match route {
            Route::Login(_) => true,
            // Of several sessions, those that can be read are ended.
            Route::SignOut => credentials.access.has_several(),
            _ => route == Route::Refresh && credentials.refresh.is_empty(),
        };
        self.may_change_id |= makes_id && !credentials.access.is_empty() && !is_stored;
        if !matches!(route, Route::Public | Route::Users | Route::Who) {
            return;
        }
        let saw = match reply.saw {
            Principal::User { handle, .. } => Some(handle),
            _ => None,
        };
        if let Some(access) = good
            && saw != Some(access.handle)
            && reply.status != 503
        {
            let handle = access.handle;
            self.fail(|| format!("a: session {handle} has a good token, and is refused"));
        }
        if let Some(handle) = saw
            && has_noticed
            && !is_stored
        {
            self.fail(|| format!("a: session {handle} is believed by a key that was deleted"));
        }
    }

    /// A visitor who has nothing but an anonymous token is who it says. Once its key was deleted,
    /// every answer makes the same other id of it.
    fn judge_id(
        &mut self,
        anonymous: PresentedAnonymous,
        has_noticed: bool,
        route: Route,
        credentials: &Credentials,
        reply: &Reply,
    ) {
        let Credentials { off, is_page, .. } = *credentials;
        let has_several = credentials.anonymous.has_several();
        let is_former = self.server.is_former(anonymous.name);
        let anonymous = anonymous.token;
        let (Principal::Anonymous(id) | Principal::User { anonymous_id: id, .. }) = reply.saw
        else {
            return;
        };
        let is_stored = self.server.cluster.keys.has(KeyKind::Anonymous, anonymous.key);
        if credentials.has_user() || off || route == Route::Forget {
            // A login beside a user's token, planted or not, may make an id of a token of no key.
            self.may_change_id |= !is_stored;
            return;
        }
        let known = anonymous.id;
        if is_stored && id != known {
            self.fail(|| format!("c: visitor {known} has a good token, and becomes {id}"));
        } else if !is_stored && (is_page || has_several || is_former) {
            // A page makes no id, so a login by a form does not have the one that other answers
            // make of this token. And a session that another host has planted counts before that.
            // Nor does any answer make one of a token by its former name.
            self.may_change_id = true;
        } else if !is_stored && has_noticed && id == known {
            self.fail(|| format!("c: visitor {id} is believed by a key that was deleted"));
        } else if !is_stored && id == id_of_lost(&anonymous) {
            self.lost.push((known, id));
        } else if id != known {
            self.fail(|| format!("c: visitor {known} becomes {id}, and another answer differs"));
        }
    }

    /// The key of anonymous tokens is rotated as planned: nobody loses an id. That of access tokens
    /// rotates by itself.
    pub(crate) fn rotate_key(&mut self, process: u8) {
        if self.publish_key(KeyKind::Anonymous, process) {
            self.say(|| "a new key of anonymous tokens is published".into());
        }
    }

    /// The key of anonymous tokens was stolen. A new one is made, and all others are deleted.
    pub(crate) fn replace_key(&mut self, process: u8) {
        if self.delete_keys(KeyKind::Anonymous, process) {
            self.say(|| "the key of anonymous tokens is replaced".into());
            // The next answer tells the visitor, and until all processes know it, not each of them.
            self.has_hidden_end = true;
        }
    }

    /// The same of the key of access tokens. Users refresh, and their sessions go on.
    pub(crate) fn replace_access_key(&mut self, process: u8) {
        if self.delete_keys(KeyKind::Access, process) {
            self.say(|| "the key of access tokens is replaced".into());
        }
    }

    /// `false` if nobody can.
    fn publish_key(&mut self, kind: KeyKind, process: u8) -> bool {
        let is_there = kind == KeyKind::Access || self.server.is_ours;
        is_there && self.server.cluster.publish_key(kind, process, self.now)
    }

    /// A new key takes the place of all others of this kind. `false` if nobody can make one.
    fn delete_keys(&mut self, kind: KeyKind, process: u8) -> bool {
        let can = self.publish_key(kind, process);
        if can {
            self.server.cluster.keys.keep_newest(kind);
            self.deleted_at = self.now;
        }
        can
    }

    /// A process starts anew, if it can reach the database.
    pub(crate) fn restart(&mut self, process: u8) {
        if self.server.cluster.restart(process, self.now) {
            self.say(|| format!("process {} starts anew", process % 2));
        }
    }

    /// The database is away for one process, while the other has it.
    pub(crate) fn cut(&mut self, process: u8) {
        self.say(|| format!("process {} loses the database", process % 2));
        self.is_meddled = true;
        self.server.cluster.cut(process);
    }

    /// After a key was deleted, other visitors go on, so that each process notices it.
    pub(crate) fn notice_deleted_keys(&mut self) {
        if self.deleted_at > 0.0 {
            self.pass(REREAD);
            self.server.cluster.rest(self.now);
        }
    }

    /// Whether the first id has become the last one, because keys were deleted.
    pub(crate) fn is_successor(&self, first: u32, last: u32) -> bool {
        let mut ids = vec![first];
        for (id, next) in &self.lost {
            // A visitor keeps the id of a session that was planted, until its key is deleted.
            if is_foreign(*id) || ids.contains(id) {
                ids.push(*next);
            }
        }
        ids.contains(&last)
    }
}
