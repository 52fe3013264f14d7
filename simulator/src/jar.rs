//! The cookies and the local storage of a browser.

use passerby_protocol::state::{Mark, Token};

use crate::{
    server::{Put, Reply},
    tokens::{Access, Anonymous, DAY, Others, Refresh, Sim, Time},
};

/// Cookies and local storage. Those of the server are `HttpOnly`; scripts write the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jar {
    pub(crate) access: Option<Access>,
    pub(crate) refresh: Option<Refresh>,
    pub(crate) anonymous: Option<Anonymous>,
    pub(crate) front: Option<Token<Sim>>,
    pub(crate) anonymous_front: Option<Token<Sim>>,
    pub(crate) mark: Option<Mark>,
    /// Header mode.
    pub(crate) own_access: Option<Access>,
    pub(crate) own_refresh: Option<Refresh>,
    pub(crate) own_anonymous: Option<Anonymous>,
    /// The key of a first visit.
    pub(crate) key: Option<u32>,
    /// When scripts wrote their cookies.
    pub(crate) written: Written,
    pub(crate) others: Others,
}

/// By the server's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) front: Time,
    pub(crate) anonymous_front: Time,
    pub(crate) mark: Time,
}

/// How long browsers keep what the server set: the access token, the refresh token, the anonymous
/// one. No browser keeps anything for longer than the last.
const LIVES: [Time; 3] = [365.0 * DAY, 100.0 * DAY, 400.0 * DAY];

/// Some browsers keep the cookies of scripts for a week.
const SHORT_LIFE: Time = 7.0 * DAY;

/// Does to one cookie what the answer says.
pub(crate) fn put<T: Copy>(place: &mut Option<T>, what: Put<T>) {
    match what {
        Put::Leave => {}
        Put::Clear => *place = None,
        Put::Set(value) => *place = Some(value),
    }
}

impl Jar {
    /// Does what `Set-Cookie` says.
    pub(crate) fn take_cookies(&mut self, reply: &Reply) {
        if !reply.in_headers {
            put(&mut self.access, reply.access);
            put(&mut self.refresh, reply.refresh);
            put(&mut self.anonymous, reply.anonymous);
        }
        if reply.clears_others {
            (self.others.access, self.others.refresh) = (None, None);
        }
    }

    /// Drops what has expired.
    pub(crate) fn expire(&mut self, now: Time, is_short: bool) {
        let [access, refresh, anonymous] = LIVES;
        self.access.take_if(|token| token.issued_at + access < now);
        self.refresh.take_if(|token| token.issued_at + refresh < now);
        self.anonymous.take_if(|token| token.issued_at + anonymous < now);
        self.others.access.take_if(|token| token.issued_at + access < now);
        self.others.refresh.take_if(|token| token.issued_at + refresh < now);
        self.others.anonymous.take_if(|token| token.issued_at + anonymous < now);
        let oldest = now - if is_short { SHORT_LIFE } else { anonymous };
        let Written { front, anonymous_front, mark } = self.written;
        self.front.take_if(|_| front < oldest);
        self.anonymous_front.take_if(|_| anonymous_front < oldest);
        self.mark.take_if(|_| mark < oldest);
        self.own_access.take_if(|token| token.issued_at < oldest);
        self.own_refresh.take_if(|token| token.issued_at < oldest);
        self.own_anonymous.take_if(|token| token.issued_at < oldest);
    }

    /// Whether a token of the server's names the visitor.
    pub(crate) fn names_visitor(&self) -> bool {
        self.access.or(self.own_access).is_some()
            || self.refresh.or(self.own_refresh).is_some()
            || self.anonymous.or(self.own_anonymous).is_some()
    }
}
