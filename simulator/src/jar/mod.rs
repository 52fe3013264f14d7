//! The cookies of a browser, and what hosts, scripts and time do to them.

mod cookie;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

pub(crate) use self::cookie::{Cookie, Domain, Host, Name, Path, Place, SetCookie, Value};
use crate::tokens::{DAY, Time};

/// Milliseconds. No browser keeps a cookie for longer.
pub(crate) const LONGEST_LIFE: Time = 400.0 * DAY;

/// The way in which a host sets a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    Response,
    Script,
}

/// The cookies of one site.
#[derive(Clone, Debug)]
pub(crate) struct Jar {
    /// In the order in which a request carries them: of the longest path first, then the oldest.
    cookies: Vec<Cookie>,
    /// How many there were so far.
    count: u32,
    /// Milliseconds that the cookies of scripts are kept at most.
    script_life: Time,
    /// Nothing expires before that.
    next_expiry: Time,
}

impl Jar {
    pub(crate) fn new(script_life: Time) -> Self {
        Self { cookies: Vec::new(), count: 0, script_life, next_expiry: Time::INFINITY }
    }

    /// A host of the site sets a cookie, or deletes one. The browser may refuse.
    pub(crate) fn set(&mut self, writer: Writer, host: Host, cookie: SetCookie, now: Time) {
        let SetCookie { name, value, for_site, path, http_only, secure, expires_at } = cookie;
        let is_script = writer == Writer::Script;
        let is_bound = !for_site && path == Path::Root && secure;
        if is_script && http_only || name.is_bound_to_host() && !is_bound {
            return;
        }
        let domain = if for_site { Domain::Site } else { Domain::Host(host) };
        let same = self.cookies.iter().position(|kept| kept.place() == (name, domain, path));
        if is_script && same.is_some_and(|index| self.cookies[index].http_only) {
            return;
        }
        let life = if is_script { self.script_life } else { LONGEST_LIFE };
        let expires_at = expires_at.min(now + life);
        let before = same.map(|index| self.cookies.remove(index));
        if expires_at <= now {
            return;
        }
        let created = before.map_or(self.count, |before| before.created);
        self.count += 1;
        self.next_expiry = self.next_expiry.min(expires_at);
        let new = Cookie { name, value, domain, path, http_only, expires_at, created };
        let order = |cookie: &Cookie| (Reverse(cookie.path.length()), cookie.created);
        let index = self.cookies.partition_point(|kept| order(kept) < order(&new));
        self.cookies.insert(index, new);
    }

    /// The cookies of a request, in order.
    pub(crate) fn sent(&self, host: Host, path: Path) -> impl Iterator<Item = &Cookie> {
        self.cookies
            .iter()
            .filter(move |cookie| cookie.domain.covers(host) && cookie.path.covers(path))
    }

    /// The cookies that the scripts of a page read. Its path is `/`.
    pub(crate) fn shown(&self, host: Host) -> impl Iterator<Item = &Cookie> {
        self.sent(host, Path::Root).filter(|cookie| !cookie.http_only)
    }

    pub(crate) fn at(&self, place: Place) -> Option<&Value> {
        self.cookies.iter().find(|cookie| cookie.place() == place).map(|cookie| &cookie.value)
    }

    /// The visitor deletes one.
    pub(crate) fn discard(&mut self, place: Place) {
        self.cookies.retain(|cookie| cookie.place() != place);
    }

    /// Drops all that has expired. Whether there was any.
    pub(crate) fn expire(&mut self, now: Time) -> bool {
        if now < self.next_expiry {
            return false;
        }
        let before = self.cookies.len();
        self.cookies.retain(|cookie| now < cookie.expires_at);
        let expiries = self.cookies.iter().map(|cookie| cookie.expires_at);
        self.next_expiry = expiries.fold(Time::INFINITY, Time::min);
        self.cookies.len() < before
    }
}
