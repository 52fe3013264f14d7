//! The clock of a device, which may be off and may jump, and what the SDK's shell makes of it.

use crate::{
    browser::Browser,
    tokens::{DAY, Time},
    world::World,
};

/// Differences below this many milliseconds are the network's.
const LEAST: Time = 7_000.0;

/// Of one event.
const ANSWER_TIME: Time = 200.0;

const HOUR: Time = DAY / 24.0;

/// By how much a device's clock may be ahead.
pub(crate) const SKEWS: [Time; 7] = [0.0, HOUR, -HOUR, DAY, -DAY, 30.0 * DAY, -30.0 * DAY];

impl Browser {
    /// This device's time.
    pub(crate) fn device_time(&self, now: Time) -> Time {
        now + self.skew
    }

    /// The server's time as the page of that tab takes it to be. A page reads what is stored once.
    pub(crate) fn server_time(&self, tab: usize, now: Time) -> Time {
        self.device_time(now) + self.tabs[tab].correction.unwrap_or(self.correction)
    }

    /// A token was just made at this second of the server's, as far as the tab knows.
    pub(crate) fn set_clock(&mut self, tab: usize, issued_at: f64, now: Time) {
        let difference = issued_at * 1_000.0 - self.device_time(now);
        let kept = if difference.abs() >= LEAST { difference } else { 0.0 };
        if kept != self.tabs[tab].correction.unwrap_or(self.correction) {
            self.tabs[tab].correction = Some(kept);
            self.correction = kept;
        }
    }
}

impl World {
    /// After a jump, answers take their time once nothing new happens. Tokens tell the time in
    /// seconds, and one of the same second as the last tells none. So an app that asks at each
    /// event has the SDK refresh until that second is over, which it never is where answers take no
    /// time.
    pub(crate) fn take_time(&mut self) {
        if self.has_jumped {
            self.pass(ANSWER_TIME);
        }
    }

    /// Somebody sets the device's clock, or it sets itself.
    pub(crate) fn jump(&mut self, number: u8) {
        self.has_jumped = true;
        // By then every tab has seen what another one stored.
        self.just_stored = None;
        self.browser.skew = SKEWS[usize::from(number) % SKEWS.len()];
        let skew = self.browser.skew;
        self.say(|| format!("the device's clock jumps: it is {} s ahead", skew / 1_000.0));
    }

    /// By a day.
    pub(crate) fn set_back(&mut self) {
        self.say(|| "the device's clock is set back by a day".into());
        self.browser.skew -= DAY;
    }

    /// The visitor goes away, and comes back after so many days. Until then nothing is under way.
    pub(crate) fn stay_away(&mut self, days: u16) {
        self.settle_down();
        self.pass(f64::from(days) * DAY);
        self.say(|| format!("the visitor comes back after {days} days"));
        // No cache keeps an answer that long.
        self.cached = None;
        self.note_losses();
        // A visitor who stays away for longer may be another one: a token is not made anew while it
        // is young, and so lives for 300 days at least.
        let tokens_are_scripts = self.setting.in_headers && self.setting.forgets_soon;
        let is_late = self.now - self.last_visit > 300.0 * DAY;
        self.may_change_id |= tokens_are_scripts || is_late;
    }
}
