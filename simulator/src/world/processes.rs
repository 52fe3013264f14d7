//! Requests at the processes of the back end, and the life of these processes.

use crate::{
    processes::REREAD,
    server::{Credentials, PresentedAnonymous, Principal, Reply, Route, id_of_lost},
    tokens::{Time, is_foreign},
    world::World,
};

/// After so many milliseconds more, a token has expired by the clock of every process.
pub(crate) const CLOCK_LEEWAY: Time = 61_000.0;

impl World {
    /// The process whose turn it is answers a request of this browser.
    pub(crate) fn serve(&mut self, route: Route, credentials: &Credentials) -> Reply {
        self.expect_published_key(credentials);
        let has_noticed = self.server.cluster.has_read_since(self.deleted_at);
        let reply = self.server.serve(route, credentials, self.now);
        self.judge(route, credentials, &reply);
        self.expect_own_id(route, credentials, &reply);
        if let Some(anonymous) = credentials.own_anonymous().filter(|_| self.setting.is_ours) {
            self.judge_id(anonymous, has_noticed, route, credentials, &reply);
        }
        reply
    }

    /// A key that was published before it signed is known by then, so that the process needs no
    /// database for it.
    fn expect_published_key(&mut self, credentials: &Credentials) {
        let Some(anonymous) = credentials.own_anonymous().filter(|_| self.setting.is_ours) else {
            return;
        };
        let key = anonymous.token.key;
        if self.server.cluster.keys.was_published(key)
            && self.server.cluster.should_know_all(self.now)
            && !self.server.cluster.process().knows(key)
        {
            self.fail(|| format!("c: a process does not know key {key}, which was published"));
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
        let is_stored = self.server.cluster.keys.has(anonymous.key);
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

    /// The key of anonymous tokens is rotated as planned: nobody loses an id.
    pub(crate) fn rotate_key(&mut self, process: u8) {
        if self.publish_key(process) {
            self.say(|| "a new key of anonymous tokens is published".into());
        }
    }

    /// The key of anonymous tokens was stolen. A new one is made, and all others are deleted.
    pub(crate) fn replace_key(&mut self, process: u8) {
        if !self.publish_key(process) {
            return;
        }
        self.say(|| "the key of anonymous tokens is replaced".into());
        self.server.cluster.keys.keep_newest();
        self.deleted_at = self.now;
        // The next answer tells the visitor, and until all processes know it, not each of them.
        self.has_hidden_end = true;
    }

    /// `false` if nobody can.
    fn publish_key(&mut self, process: u8) -> bool {
        self.server.is_ours && self.server.cluster.rotate_key(process, self.now)
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
