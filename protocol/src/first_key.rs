//! The key by which a browser names a visitor who has no session yet: 22 to 64 visible ASCII
//! characters, at random.
//!
//! A server that is asked more than once, because its first answer was lost or because tabs asked
//! side by side, makes the same anonymousId of the same key. It does so within a *period*, and with
//! a secret of its own: somebody who saw a key, in a log or on a shared device, can neither tell
//! the id nor bring it back later.
//!
//! A key may end in `.` and the epoch minutes of its making, in decimal:
//! `k2Xp0vT9sQ4mZ7bL1cR8wd.29400000`. Its period is that minute, and it counts for a day. A key
//! that does not say when it was made has the server's day as its period, so that what it names
//! changes at midnight (UTC).

use core::ops::RangeInclusive;

/// How long keys are, in characters. Two visitors could have the same shorter one, and
/// the SDK never sends a longer one.
pub const LENGTH: RangeInclusive<usize> = 22..=64;

/// How old a key may be, and how far ahead of the server's clock, in milliseconds.
pub const MAX_AGE_MS: u64 = 24 * 3600 * 1000;

const MINUTE_MS: u64 = 60 * 1000;

/// Whether a text can be a key.
#[must_use]
pub fn is_key(text: &str) -> bool {
    LENGTH.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A number that goes into the derivation of the id beside the key. `None` when the key is too old,
/// and its id is to be a random one. `now` in epoch milliseconds.
#[must_use]
pub fn period(key: &str, now: u64) -> Option<u64> {
    let minutes = key.rsplit_once('.').and_then(|(_, text)| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u64>().ok()).flatten()
    });
    match minutes {
        Some(minutes) => {
            (minutes.saturating_mul(MINUTE_MS).abs_diff(now) <= MAX_AGE_MS).then_some(minutes)
        }
        None => Some(now / MAX_AGE_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = MAX_AGE_MS;

    #[test]
    fn a_key_counts_for_a_day() {
        let minutes = 29_400_000;
        let now = minutes * MINUTE_MS;
        let key = "k2Xp0vT9sQ4mZ7bL1cR8wd.29400000";
        for (time, expected) in [
            (now, Some(minutes)),
            (now + 5, Some(minutes)),
            (now + DAY, Some(minutes)),
            (now + DAY + 1, None),
            (now - DAY, Some(minutes)),
            (now - DAY - 1, None),
            (0, None),
            (u64::MAX, None),
        ] {
            assert_eq!(period(key, time), expected, "{time}");
        }
    }

    #[test]
    fn a_key_without_a_time_has_the_servers_day() {
        for key in [
            "1094861636-4294967295-2717908991-77",
            "k2Xp0vT9sQ4mZ7bL1cR8wd.",
            "k2Xp0vT9sQ4mZ7bL1cR.8wd",
            "",
        ] {
            assert_eq!(period(key, 7 * DAY), Some(7), "{key}");
            assert_eq!(period(key, 8 * DAY - 1), Some(7), "{key}");
            assert_eq!(period(key, 8 * DAY), Some(8), "{key}");
        }
        // A number that is not a time.
        assert_eq!(period("k2Xp0vT9sQ4mZ7bL1cR.99999999999999999999999999", 7 * DAY), Some(7));
        assert_eq!(period("k2Xp0vT9sQ4mZ7bL1cR.18446744073709551615", 7 * DAY), None);
    }

    #[test]
    fn keys_are_of_one_visitor_each() {
        assert!(is_key("1094861636-4294967295-2717908991-77"));
        let long = "k".repeat(65);
        for bad in ["", "off", "123456789012345678901", "1094861636 4294967295 2717908991", &long] {
            assert!(!is_key(bad), "{bad}");
        }
    }
}
