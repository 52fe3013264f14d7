//! The server's clock.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

type Now = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A clock that goes ahead by more, in less time, has jumped. A machine that slept does so, too.
const JUMP_MS: u64 = 24 * 3600 * 1000;
/// A jump is believed when the clock has stayed there for so long.
const BELIEVED_AFTER_MS: u64 = 3600 * 1000;

/// Tells the time; replaced in tests.
#[derive(Clone)]
pub(crate) struct Clock {
    now: Now,
    /// Nothing, where the app replaced the clock: it means what it says.
    jumps: Option<Arc<Jumps>>,
}

/// A time, and what to think of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Epoch milliseconds.
    pub(crate) ms: u64,
    /// The clock has just jumped ahead. A session that seems to have expired may be all right when
    /// somebody sets the clock.
    pub(crate) is_doubtful: bool,
}

impl Clock {
    pub(crate) fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), jumps: None }
    }

    /// A clock that is compared with one that never jumps.
    pub(crate) fn compared(
        now: impl Fn() -> SystemTime + Send + Sync + 'static,
        steady: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        let clock = Self::new(now);
        let seen =
            Mutex::new(Seen { ms: clock.now_ms(), steady_ms: millis(steady()), jumped_at: None });
        Self { jumps: Some(Arc::new(Jumps { steady: Box::new(steady), seen })), ..clock }
    }

    /// Epoch milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        let since_epoch = (self.now)().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn moment(&self) -> Moment {
        let ms = self.now_ms();
        Moment { ms, is_doubtful: self.jumps.as_ref().is_some_and(|jumps| jumps.is_doubtful(ms)) }
    }

    /// Epoch seconds, cut off as token times are.
    pub(crate) fn now_s(&self) -> u64 {
        self.now_ms() / 1000
    }
}

impl Default for Clock {
    fn default() -> Self {
        let start = Instant::now();
        Self::compared(SystemTime::now, move || start.elapsed())
    }
}

struct Jumps {
    steady: Box<dyn Fn() -> Duration + Send + Sync>,
    seen: Mutex<Seen>,
}

/// The last time that was believed, by both clocks.
struct Seen {
    ms: u64,
    steady_ms: u64,
    /// When a jump was noticed, by the steady clock.
    jumped_at: Option<u64>,
}

impl Jumps {
    fn is_doubtful(&self, ms: u64) -> bool {
        let steady_ms = millis((self.steady)());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let expected = seen.ms.saturating_add(steady_ms.saturating_sub(seen.steady_ms));
        if ms > expected.saturating_add(JUMP_MS) {
            if seen.jumped_at.is_none() {
                tracing::warn!(
                    days = (ms - expected) / JUMP_MS,
                    "the clock jumped ahead; no session ends by it within an hour"
                );
            }
            let jumped_at = *seen.jumped_at.get_or_insert(steady_ms);
            if steady_ms.saturating_sub(jumped_at) < BELIEVED_AFTER_MS {
                return true;
            }
        }
        *seen = Seen { ms, steady_ms, jumped_at: None };
        false
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A time of a token or record as the standard library's type.
pub(crate) fn system_time(epoch_ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(epoch_ms)
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    const YEAR: u64 = 365 * DAY;

    /// A clock that can be set, and one beside it that cannot; in seconds.
    #[derive(Clone)]
    pub(crate) struct Hands {
        shown: Arc<AtomicU64>,
        passed: Arc<AtomicU64>,
    }

    impl Hands {
        pub(crate) fn new() -> (Self, Clock) {
            let hands = Self { shown: Arc::new(AtomicU64::new(50 * YEAR)), passed: Arc::default() };
            let (now, steady) = (hands.clone(), hands.clone());
            let clock = Clock::compared(
                move || UNIX_EPOCH + Duration::from_secs(now.shown.load(Ordering::SeqCst)),
                move || Duration::from_secs(steady.passed.load(Ordering::SeqCst)),
            );
            (hands, clock)
        }

        /// Time passes.
        pub(crate) fn pass(&self, seconds: u64) {
            self.shown.fetch_add(seconds, Ordering::SeqCst);
            self.passed.fetch_add(seconds, Ordering::SeqCst);
        }

        pub(crate) fn jump_ahead(&self, seconds: u64) {
            self.shown.fetch_add(seconds, Ordering::SeqCst);
        }

        pub(crate) fn jump_back(&self, seconds: u64) {
            self.shown.fetch_sub(seconds, Ordering::SeqCst);
        }
    }

    #[test]
    fn time_that_passes_is_believed_however_long_nobody_looked() {
        let (hands, clock) = Hands::new();
        for time in [1, HOUR, YEAR, 20 * YEAR] {
            hands.pass(time);
            assert!(!clock.moment().is_doubtful, "{time}");
        }
    }

    #[test]
    fn a_jump_ahead_is_doubted_for_an_hour_and_a_jump_back_never() {
        let (hands, clock) = Hands::new();
        hands.jump_ahead(DAY);
        assert!(!clock.moment().is_doubtful, "as large as a correction may be");
        hands.jump_ahead(YEAR);
        assert!(clock.moment().is_doubtful);
        hands.pass(HOUR - 1);
        assert!(clock.moment().is_doubtful);
        hands.pass(1);
        assert!(!clock.moment().is_doubtful, "it has been so for an hour");
        hands.jump_back(YEAR);
        assert!(!clock.moment().is_doubtful, "nothing expires by this");
        hands.jump_ahead(YEAR);
        assert!(clock.moment().is_doubtful, "and this is another one");
        hands.jump_back(YEAR);
        assert!(!clock.moment().is_doubtful);
        hands.pass(2 * HOUR);
        hands.jump_ahead(2 * DAY);
        assert!(clock.moment().is_doubtful, "an hour that passed before a jump does not count");
    }

    #[test]
    fn a_clock_of_the_app_is_taken_at_its_word() {
        let shown = Arc::new(AtomicU64::new(YEAR));
        let now = shown.clone();
        let clock =
            Clock::new(move || UNIX_EPOCH + Duration::from_secs(now.load(Ordering::SeqCst)));
        shown.fetch_add(YEAR, Ordering::SeqCst);
        assert!(!clock.moment().is_doubtful);
    }
}
