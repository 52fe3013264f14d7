//! The meaning of a presented refresh token.
//!
//! The server keeps the *current* refresh token of a session (as a hash), and the *former* ones:
//! those that were current and were replaced a short while ago. A refresh hands out a child and
//! leaves the current token as it is; the child becomes current when it is first used. So an answer
//! that never arrives costs nothing.
//!
//! A slow answer costs nothing either. Tabs and networks are slow, so a token stays acceptable for
//! a *grace* after it was replaced, and so does every child that was made of it at about that time.
//! A token that is used later than that, after its child was used, was copied.

use alloc::vec::Vec;

/// How long a token stays acceptable after it was replaced, in milliseconds, unless the server is
/// told otherwise.
pub const DEFAULT_GRACE_MS: u64 = 30_000;

/// How many former tokens are kept at most; that many tabs may have answers of their own within one
/// grace.
pub const MAX_FORMERS: usize = 32;

/// The judgement of a presented token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It is the current token. Issue a child; nothing to store.
    Current,
    /// It is a child of the current token, or came with a slow answer, and is used for the first
    /// time. [`Lineage::promote`] makes it the current one; push the session's expiry.
    Promote,
    /// It was replaced a moment ago. For a refresh token: issue a child of it; nothing to store.
    /// For an access token: it stays valid until it expires and is not renewed.
    Replaced,
    /// It was used again after its child was used, so somebody else has a copy: end the session.
    /// Only [`Lineage::judge`] says so. For an access token nobody is a thief.
    Theft,
}

/// A token that was current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former<Hash> {
    /// Its hash.
    pub hash: Hash,
    /// When another took its place, in epoch milliseconds.
    pub replaced_at: u64,
}

/// A server's memory of the refresh tokens of one session.
///
/// The `PartialEq` of the hashes is expected to take the same time whether or not they are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage<Hash> {
    /// The current token.
    pub current: Hash,
    /// Those before it, oldest first.
    pub formers: Vec<Former<Hash>>,
}

/// A token that a request presents.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a, Hash> {
    /// Its hash.
    pub hash: &'a Hash,
    /// The hash of the token it was obtained with; `None` at creation.
    pub parent: Option<&'a Hash>,
    /// When it was made, in epoch milliseconds; `None` when it does not say.
    pub issued_at: Option<u64>,
}

impl<Hash: PartialEq> Lineage<Hash> {
    /// Judges a token. Times in epoch milliseconds.
    #[must_use]
    pub fn judge(&self, presented: &Presented<'_, Hash>, now: u64, grace: u64) -> Rotation {
        if *presented.hash == self.current {
            return Rotation::Current;
        }
        if presented.parent == Some(&self.current) {
            return Rotation::Promote;
        }
        // The distance counts in both directions, because a clock may be off either way. Without a
        // grace nothing is close.
        let is_close =
            |replaced_at: u64, time: u64| grace > 0 && time.abs_diff(replaced_at) <= grace;
        // It was the current one already, so this is not a slow answer.
        if let Some(former) = self.formers.iter().find(|former| former.hash == *presented.hash) {
            return if is_close(former.replaced_at, now) {
                Rotation::Replaced
            } else {
                Rotation::Theft
            };
        }
        // When the token was made counts, not when it is used: the visitor of a slow answer may
        // come back tomorrow.
        let made_at = presented.issued_at.unwrap_or(now);
        let is_parent = |former: &Former<Hash>| {
            presented.parent == Some(&former.hash) && is_close(former.replaced_at, made_at)
        };
        if self.formers.iter().any(is_parent) { Rotation::Promote } else { Rotation::Theft }
    }

    /// Judges the refresh token that an access token came with. One of a slow answer takes no
    /// other's place: the browser may hold the refresh token of another answer beside it, which
    /// would then be one that was replaced.
    #[must_use]
    pub fn judge_by_access(&self, presented: &Presented<'_, Hash>) -> Rotation {
        if *presented.hash == self.current {
            Rotation::Current
        } else if presented.parent == Some(&self.current) {
            Rotation::Promote
        } else {
            Rotation::Replaced
        }
    }

    /// Makes a token the current one that was judged [`Rotation::Promote`].
    pub fn promote(&mut self, hash: Hash, now: u64, grace: u64) {
        let hash = core::mem::replace(&mut self.current, hash);
        self.formers.retain(|former| now.abs_diff(former.replaced_at) <= grace);
        self.formers.push(Former { hash, replaced_at: now });
        let surplus = self.formers.len().saturating_sub(MAX_FORMERS);
        self.formers.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const GRACE: u64 = 30_000;

    /// A session's tokens as one holder has them.
    #[derive(Clone, Copy, Debug)]
    struct Token {
        hash: u32,
        parent: Option<u32>,
        issued_at: u64,
    }

    /// A server that keeps the rules.
    struct Server {
        lineage: Lineage<u32>,
        next: u32,
        grace: u64,
    }

    impl Server {
        fn new() -> (Self, Token) {
            let server = Self {
                lineage: Lineage { current: 0, formers: Vec::new() },
                next: 1,
                grace: GRACE,
            };
            (server, Token { hash: 0, parent: None, issued_at: 0 })
        }

        fn judge(&self, token: &Token, now: u64) -> Rotation {
            let presented = Presented {
                hash: &token.hash,
                parent: token.parent.as_ref(),
                issued_at: Some(token.issued_at),
            };
            self.lineage.judge(&presented, now, self.grace)
        }

        /// A request with the access token that came with it.
        fn uses(&mut self, token: &Token, now: u64) -> Rotation {
            let judged = self.judge(token, now);
            if judged == Rotation::Promote {
                self.lineage.promote(token.hash, now, self.grace);
            }
            judged
        }

        /// The refresh call: the new token, or what it was refused for.
        fn refresh(&mut self, token: &Token, now: u64) -> Result<Token, Rotation> {
            match self.uses(token, now) {
                Rotation::Theft => Err(Rotation::Theft),
                _ => {
                    self.next += 1;
                    Ok(Token { hash: self.next, parent: Some(token.hash), issued_at: now })
                }
            }
        }
    }

    #[test]
    fn follows_the_table() {
        let lineage =
            Lineage { current: 2, formers: alloc::vec![Former { hash: 1, replaced_at: 100_000 }] };
        let judge = |hash: u32, parent: Option<u32>, issued_at: Option<u64>, now: u64| {
            lineage.judge(
                &Presented { hash: &hash, parent: parent.as_ref(), issued_at },
                now,
                GRACE,
            )
        };
        for (case, judged, expected) in [
            ("the current one", judge(2, Some(1), Some(0), 900_000), Rotation::Current),
            ("a child of it", judge(3, Some(2), Some(0), 900_000), Rotation::Promote),
            ("the one before, at once", judge(1, None, Some(0), 100_000), Rotation::Replaced),
            (
                "the one before, within the grace",
                judge(1, None, Some(0), 130_000),
                Rotation::Replaced,
            ),
            ("the one before, later", judge(1, None, Some(0), 130_001), Rotation::Theft),
            (
                "a sibling of about the same time",
                judge(4, Some(1), Some(80_000), 110_000),
                Rotation::Promote,
            ),
            (
                "the same, used the next day",
                judge(4, Some(1), Some(80_000), 86_500_000),
                Rotation::Promote,
            ),
            (
                "a sibling made within the grace",
                judge(4, Some(1), Some(129_000), 86_500_000),
                Rotation::Promote,
            ),
            (
                "a sibling made long before",
                judge(4, Some(1), Some(69_999), 110_000),
                Rotation::Theft,
            ),
            (
                "a sibling made long after",
                judge(4, Some(1), Some(130_001), 140_000),
                Rotation::Theft,
            ),
            (
                "a sibling that does not say, at once",
                judge(4, Some(1), None, 110_000),
                Rotation::Promote,
            ),
            (
                "a sibling that does not say, later",
                judge(4, Some(1), None, 130_001),
                Rotation::Theft,
            ),
            ("of another line", judge(5, Some(6), Some(100_000), 100_000), Rotation::Theft),
            ("of no line", judge(5, None, Some(100_000), 100_000), Rotation::Theft),
        ] {
            assert_eq!(judged, expected, "{case}");
        }
    }

    #[test]
    fn without_a_grace_only_the_current_one_and_its_children_count() {
        let lineage =
            Lineage { current: 2, formers: alloc::vec![Former { hash: 1, replaced_at: 5 }] };
        let judge = |hash: u32, parent| {
            lineage.judge(&Presented { hash: &hash, parent, issued_at: Some(5) }, 5, 0)
        };
        assert_eq!(judge(2, Some(&1)), Rotation::Current);
        assert_eq!(judge(3, Some(&2)), Rotation::Promote);
        assert_eq!(judge(1, None), Rotation::Theft, "the parent after its child was used");
        assert_eq!(judge(4, Some(&1)), Rotation::Theft, "a sibling of the promoted child");
    }

    /// Two copies of one session, each of which goes its own way: found out as soon as both were
    /// used after the grace.
    #[test]
    fn two_holders_are_found_out() {
        let (mut server, token) = Server::new();
        let (mut owner, mut thief) = (token, token);
        // At the same time, so that the grace covers the first step.
        owner = server.refresh(&owner, 10_000).unwrap();
        thief = server.refresh(&thief, 10_000).unwrap();
        assert_eq!(server.uses(&owner, 11_000), Rotation::Promote);
        assert_eq!(server.uses(&thief, 12_000), Rotation::Promote);
        let hour = 3_600_000;
        let owner = server.refresh(&owner, hour);
        let thief = server.refresh(&thief, hour + 60_000);
        assert!(owner.is_err() || thief.is_err(), "{owner:?} {thief:?}");
    }

    proptest! {
        /// One holder who always uses the newest token received is never taken for a thief,
        /// whatever answers get lost.
        #[test]
        fn a_lost_answer_is_harmless(
            steps in proptest::collection::vec((any::<bool>(), 0_u64..5_000_000), 0..50),
        ) {
            let (mut server, mut held) = Server::new();
            let mut now = 0;
            for (lost, wait) in steps {
                now += wait;
                let child = server.refresh(&held, now);
                prop_assert!(child.is_ok(), "false alarm");
                if let (Ok(child), false) = (child, lost) {
                    held = child;
                }
            }
        }

        /// One browser with many tabs and slow answers: each answer arrives within the grace or
        /// never, in whatever order, and puts its token over the one that is there. Nobody is a
        /// thief. Tabs refresh when the token has run out, so not twice within seconds.
        #[test]
        fn a_slow_answer_is_harmless(
            rounds in proptest::collection::vec(
                // The delays of the answers of the tabs that see the expired token, and when each
                // tab asked.
                (
                    proptest::collection::vec((0_u64..8_000, 0_u64..20_000, any::<bool>()), 1..5),
                    60_000_u64..100_000_000,
                ),
                0..20,
            ),
        ) {
            let (mut server, mut held) = Server::new();
            let mut now = 0;
            for (tabs, pause) in rounds {
                now += pause;
                // All ask with the token that is there when the first one notices.
                let mut answers: Vec<(usize, Token)> = Vec::new();
                let before = held;
                let mut events: Vec<(u64, usize, bool)> = tabs
                    .iter()
                    .enumerate()
                    .map(|(tab, (asked, ..))| (now + asked, tab, true))
                    .collect();
                events.extend(
                    tabs.iter()
                        .enumerate()
                        .map(|(tab, (asked, delay, _))| (now + asked + delay, tab, false)),
                );
                events.sort_unstable();
                for (time, tab, asks) in events {
                    let lost = tabs[tab].2;
                    if asks {
                        let answer = server.refresh(&before, time);
                        prop_assert!(answer.is_ok(), "false alarm at {time}");
                        answers.extend(answer.ok().map(|token| (tab, token)));
                    } else if let Some((_, token)) =
                        answers.iter().find(|(of, _)| !lost && *of == tab)
                    {
                        held = *token;
                        // The app goes on with what is there now.
                        prop_assert_ne!(server.uses(&held, time), Rotation::Theft, "at {}", time);
                    }
                }
                now += 60_000;
            }
        }

        /// Once a descendant was used and the grace is over, none of its ancestors is accepted.
        #[test]
        fn reuse_after_the_grace_is_always_theft(
            generations in 2_usize..30,
            pick in any::<proptest::sample::Index>(),
            after in 1_u64..1_000_000_000,
        ) {
            let (mut server, token) = Server::new();
            let mut used = alloc::vec![token];
            for generation in 1..generations {
                let now = generation as u64 * 1000;
                let child = server.refresh(used.last().unwrap(), now).unwrap();
                prop_assert_eq!(server.uses(&child, now), Rotation::Promote);
                used.push(child);
            }
            let now = generations as u64 * 1000 + GRACE + after;
            let old = used[pick.index(used.len() - 1)];
            prop_assert_eq!(server.refresh(&old, now).unwrap_err(), Rotation::Theft);
        }

        /// A copy that was taken, refreshed and laid aside is found out when it is used after the
        /// owner went on.
        #[test]
        fn a_copy_that_waited_is_theft(wait in GRACE + 1..1_000_000_000_u64) {
            let (mut server, owner) = Server::new();
            let thief = server.refresh(&owner, 0).unwrap();
            let owner = server.refresh(&owner, wait).unwrap();
            prop_assert_eq!(server.uses(&owner, wait), Rotation::Promote);
            prop_assert_eq!(server.refresh(&thief, wait + 1).unwrap_err(), Rotation::Theft);
        }

        #[test]
        fn memory_is_bounded(times in proptest::collection::vec(0_u64..100_000, 0..100)) {
            let mut lineage = Lineage { current: 0_u32, formers: Vec::new() };
            for (number, time) in (1..).zip(times) {
                lineage.promote(number, time, GRACE);
                prop_assert!(lineage.formers.len() <= MAX_FORMERS);
            }
        }
    }
}
