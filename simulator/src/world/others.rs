//! How cookies of one name come to be there twice.

use crate::{
    jar::{Host, LONGEST_LIFE, Name, Path, SetCookie, Value, Writer},
    tokens::Anonymous,
    world::World,
};

/// The anonymousId of the one who plants a session, to share it with the visitor.
const PLANTED: u32 = 4_000_000;

impl World {
    /// A new release sets its cookies for another domain. Those of the one before stay.
    /// Once, because the server knows one other domain.
    pub(crate) fn release(&mut self) {
        // Of a stock back end nobody knows which of two it takes.
        if !self.setting.is_ours || self.has_released || self.access_cookie().is_none() {
            return;
        }
        self.has_released = true;
        // The first refresh call tells nothing: its answer deletes one of both.
        self.has_hidden_end = true;
        self.server.for_site = !self.server.for_site;
        // No answer is under way for as long as a release takes.
        let for_site = self.server.for_site;
        self.replies_under_way().for_each(|reply| reply.for_site = for_site);
        self.say(|| "a new release sets its cookies for another domain".into());
    }

    /// Another host of the site plants an anonymous cookie. It has no prefix, so a visitor who has
    /// one of their own, or a user session, keeps their id.
    pub(crate) fn plant(&mut self) {
        let is_nobody = self.access_cookie().is_none() && !self.has_anonymous_cookie();
        if !self.setting.is_ours || self.server.for_site || is_nobody {
            return;
        }
        let (issued_at, key) = (self.now, self.server.key);
        let cookie = SetCookie {
            name: Name::Anonymous,
            value: Value::Anonymous(Anonymous { id: PLANTED, issued_at, key }),
            for_site: true,
            path: Path::Root,
            http_only: true,
            secure: true,
            expires_at: self.now + LONGEST_LIFE,
        };
        self.browser.jar.set(Writer::Response, Host::Sibling, cookie, self.now);
        self.say(|| "another host of the site plants an anonymous session".into());
    }
}
