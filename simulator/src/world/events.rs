//! The events that the app hears.

use passerby_protocol::{machine::Call, state::Event};

use super::{Meta, Setting, World};

/// The ids of the front tokens of the user session and of the anonymous one.
pub(super) type Ids = (Option<u32>, Option<u32>);

impl World {
    /// A tab that stores a session where there was none tells the app of it, unless somebody else
    /// changes the session first.
    pub(super) fn expect_to_tell(&mut self, tab: usize, before: Ids, after: Ids) {
        if before == after {
            return;
        }
        self.expect_nothing_told();
        // Of two sign-outs in one tab the first that is done tells of the end, and the other may
        // have had the endpoint make the session.
        let is_signing_out =
            |meta: &Meta| self.setting.has_endpoint && meta.call == Some(Call::SignOut);
        let told_early = core::mem::take(&mut self.browser.tabs[tab].told_early);
        let signs_out = self.setting.has_endpoint && told_early
            || self.browser.tabs[tab].tasks.values().any(is_signing_out);
        self.browser.tabs[tab].expects_event = before == (None, None) && !signs_out;
    }

    /// Somebody else changed the session.
    pub(crate) fn expect_nothing_told(&mut self) {
        for tab in &mut self.browser.tabs {
            tab.expects_event = false;
        }
    }

    pub(super) fn fire(&mut self, tab: usize, event: Event) {
        let state = self.browser.state(tab, self.now);
        self.say(|| format!("  tab {tab} tells {} while {state:?}", event.action()));
        let told = self.browser.tabs[tab].told_end;
        let is_refusal = matches!(event, Event::Unauthorised { expired_or_revoked: false });
        self.browser.tabs[tab].expects_event &= is_refusal;
        self.browser.tabs[tab].has_told |=
            matches!(event, Event::Unauthorised { .. } | Event::SignOut);
        match event {
            Event::TokenTheftDetected if !self.theft.was_used() && !self.was_overdue => {
                self.fail(|| "e: theft is told, and nobody stole".into())
            }
            Event::TokenTheftDetected => self.browser.tabs[tab].expects_theft = false,
            Event::Unauthorised { expired_or_revoked: true } => {
                // A sign-out that found nothing may be told before the end that came first, where
                // storing that took longer, or the endpoint is asked before it is told.
                let Setting { stores_slowly, has_endpoint, .. } = self.setting;
                let was_told = match told {
                    Some(Event::SignOut) => !(stores_slowly || has_endpoint),
                    told => told.is_some(),
                };
                // A front token of another host shows again after each end.
                if was_told && !self.was_lied_to {
                    self.fail(|| format!("d: tab {tab} tells the same end twice"));
                }
                self.browser.tabs[tab].note_end(event);
            }
            Event::SignOut => {
                // A tab that asks for the end hears of that one.
                self.browser.tabs[tab].expects_theft = false;
                self.browser.tabs[tab].told_early = state.token().is_none();
                self.browser.tabs[tab].note_end(event);
            }
            Event::SessionCreated | Event::RefreshSession if state.user().is_none() => {
                self.fail(|| format!("d: tab {tab} tells {} while {state:?}", event.action()));
            }
            Event::AnonymousSessionCreated | Event::AnonymousSessionReplaced
                if state.anonymous().is_none() =>
            {
                self.fail(|| format!("d: tab {tab} tells {} while {state:?}", event.action()));
            }
            Event::AccessTokenPayloadUpdated if state.token().is_none() => {
                self.fail(|| format!("d: tab {tab} tells {} while {state:?}", event.action()));
            }
            _ => {}
        }
    }
}
