//! The browser's cookies as the back end sets them, and what the world notes of them.

use passerby_protocol::request::AnonymousMode;

use crate::{
    jar::{Cookie, Host, LONGEST_LIFE, Name, Path, SetCookie, Value, Writer},
    places::{anonymous_name, place},
    server::{Credentials, Reply, Server},
    tokens::{Access, Refresh},
    world::World,
};

impl World {
    /// The browser does what `Set-Cookie` says.
    pub(crate) fn take_cookies(&mut self, reply: &Reply) {
        for cookie in reply.cookies() {
            self.browser.jar.set(Writer::Response, Host::Api, cookie, self.now);
        }
        // Second cookies went, and with them the only access cookie. The anonymous session that is
        // made then shows it, unless there is one already.
        let is_cleaning = reply.clears_others && !reply.puts();
        let left = Credentials::of(&self.browser.jar, Path::Api);
        self.has_unread_cookies |=
            is_cleaning && left.access.is_empty() && !left.anonymous.is_empty();
    }

    fn own_cookie(&self, name: Name) -> Option<&Value> {
        self.browser.jar.at(place(name, self.server.for_site))
    }

    /// Where the back end sets it now.
    pub(crate) fn access_cookie(&self) -> Option<Access> {
        match self.own_cookie(Name::Access)? {
            Value::Access(access) => Some(*access),
            _ => None,
        }
    }

    /// The same of the refresh token.
    pub(crate) fn refresh_cookie(&self) -> Option<Refresh> {
        match self.own_cookie(Name::Refresh)? {
            Value::Refresh(refresh) => Some(*refresh),
            _ => None,
        }
    }

    /// Whether there is an anonymous one where the back end sets it now.
    pub(crate) fn has_anonymous_cookie(&self) -> bool {
        self.own_cookie(anonymous_name(self.server.for_site)).is_some()
    }

    /// Whether the browser sends a user's cookie that lies where the back end deletes none: it does
    /// not know of the place. Nobody but whoever set that can help.
    pub(crate) fn is_stuck(&self) -> bool {
        let Server { for_site, knows_others, .. } = self.server;
        let is_known = |cookie: &Cookie| {
            let name = cookie.name;
            let is_older = knows_others && cookie.place() == place(name, !for_site);
            cookie.place() == place(name, for_site) || is_older
        };
        let jar = &self.browser.jar;
        let mut sent = jar.sent(Host::Api, Path::Api).chain(jar.sent(Host::Api, Path::Refresh));
        sent.any(|cookie| matches!(cookie.name, Name::Access | Name::Refresh) && !is_known(cookie))
    }

    /// The visitor deletes a cookie of the back end's.
    pub(crate) fn drop_cookie(&mut self, name: Name) {
        self.browser.jar.discard(place(name, self.server.for_site));
    }

    /// A script of the website deletes the back end's cookies by their names, or overwrites them.
    /// Browsers keep them, because they are `HttpOnly`.
    pub(crate) fn overwrite_by_script(&mut self, number: u8) {
        self.say(|| "a script deletes the server's cookies, and the browser keeps them".into());
        let names = [Name::Access, Name::Refresh, anonymous_name(self.server.for_site)];
        let life = if number.is_multiple_of(2) { 0.0 } else { LONGEST_LIFE };
        for name in names {
            let (_, _, path) = place(name, self.server.for_site);
            let cookie = SetCookie {
                name,
                value: Value::Empty,
                for_site: self.server.for_site,
                path,
                http_only: false,
                secure: true,
                expires_at: self.now + life,
            };
            // Where there is none, a script may set one.
            if self.own_cookie(name).is_some() {
                self.browser.jar.set(Writer::Script, self.browser.page, cookie, self.now);
            }
        }
    }

    /// The visitor deletes a cookie of the SDK's.
    pub(crate) fn drop_script_cookie(&mut self, name: Name) {
        self.browser.jar.discard(self.browser.place(name));
        self.note_lost_script_cookie(name);
    }

    /// A cookie of the SDK's is gone, and no script of the website knows.
    pub(crate) fn note_lost_script_cookie(&mut self, name: Name) {
        self.is_meddled = true;
        self.may_change_id = true;
        self.has_lost_front |= name != Name::Mark || self.setting.mode == AnonymousMode::Off;
    }

    /// Cookies that have expired are gone.
    pub(crate) fn drop_expired(&mut self) {
        if self.browser.jar.expire(self.now) {
            self.note_losses();
        }
    }

    /// The SDK does not know of cookies that are gone.
    pub(crate) fn note_losses(&mut self) {
        let shown = self.browser.shown();
        let access = self.access_cookie();
        // A mark that is left says that there is nothing, so only an app that expects anonymous
        // sessions asks. Where they are off, a tab that was told so says it without a mark.
        let is_off = self.setting.mode == AnonymousMode::Off;
        self.has_lost_front |= (shown.mark.is_some() || is_off) && shown.front.is_none();
        // A guest's cookie that an answer of before the login left is not told of.
        self.has_unread_cookies |= access.is_none() && self.has_anonymous_cookie();
        // The next answer shows it. A stock back end answers as to anybody.
        let mut sent = self.browser.jar.sent(Host::Api, Path::Refresh);
        let is_token = |name| {
            let names = [Name::Access, Name::Refresh, Name::HostAnonymous, Name::Anonymous];
            names.contains(&name)
        };
        let has_own = shown.own_access.is_some()
            || shown.own_refresh.is_some()
            || shown.own_anonymous.is_some();
        self.has_hidden_end |= !has_own && !sent.any(|cookie| is_token(cookie.name));
        self.has_lost_front |= !self.setting.is_ours && access.or(shown.own_access).is_none();
    }
}
