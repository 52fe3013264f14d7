//! How cookies of one name come to be there twice.

use crate::{
    tokens::{Anonymous, ENDPOINT_KEY},
    world::World,
};

/// The anonymousId of the one who plants a session, to share it with the visitor.
const PLANTED: u32 = 4_000_000;

impl World {
    /// A new release sets its cookies for another domain. Those of the one before stay.
    /// Once, because the server knows one other domain.
    pub(crate) fn release(&mut self) {
        let jar = &mut self.browser.jar;
        // Of a stock back end nobody knows which of two it takes.
        if !self.setting.is_ours || self.has_released || jar.access.is_none() {
            return;
        }
        self.has_released = true;
        // The first refresh call tells nothing: its answer deletes one of both.
        self.has_hidden_end = true;
        (jar.others.access, jar.others.refresh) = (jar.access.take(), jar.refresh.take());
        self.say(|| "a new release sets its cookies for another domain".into());
    }

    /// Another host of the site writes the front token of an anonymous session. Where an endpoint
    /// makes them, a script wrote that cookie, and it has no prefix.
    fn forge(&mut self) {
        let (issued_at, key) = (self.now, ENDPOINT_KEY);
        let token = Anonymous { id: PLANTED, issued_at, key }.front();
        let jar = &mut self.browser.jar;
        jar.anonymous_front = Some(token);
        jar.written.anonymous_front = issued_at;
        self.expect_nothing_told();
        self.say(|| "another host of the site forges an anonymous session".into());
    }

    /// Whether the browser has that token.
    pub(crate) fn has_forged_token(&self) -> bool {
        let token = self.browser.jar.anonymous_front.as_ref();
        self.setting.has_endpoint && token.is_some_and(|token| token.id == PLANTED)
    }

    /// Another host of the site plants an anonymous cookie. It has no prefix, so a visitor who has
    /// one of their own, or a user session, keeps their id.
    pub(crate) fn plant(&mut self) {
        if self.setting.has_endpoint {
            return self.forge();
        }
        let jar = &mut self.browser.jar;
        if !self.setting.is_ours || (jar.access, jar.anonymous) == (None, None) {
            return;
        }
        let (issued_at, key) = (self.now, self.server.key);
        jar.others.anonymous = Some(Anonymous { id: PLANTED, issued_at, key });
        self.say(|| "another host of the site plants an anonymous session".into());
    }
}
