//! A new release of the app.

use crate::world::World;

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
        // Of the visitor's own refresh token and a planted one, the server deletes the older place.
        self.may_change_id |= self.has_planted_user();
        self.server.for_site = !self.server.for_site;
        // No answer is under way for as long as a release takes.
        let for_site = self.server.for_site;
        self.replies_under_way().for_each(|reply| reply.for_site = for_site);
        self.say(|| "a new release sets its cookies for another domain".into());
    }
}
