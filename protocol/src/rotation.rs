//! What a presented refresh token means (reference 8.5).
//!
//! The server stores one hash: that of the *current* refresh token. A refresh hands out a child and leaves the stored hash as it
//! is; the child becomes current when it is first used. So an answer that never arrives costs nothing, and a token that is used
//! after its child was used was copied.

/// What to do with a presented token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It is the current token. Issue a child; nothing to store.
    Current,
    /// It is a child of the current token, used for the first time. Store its hash as the current one and push the session's expiry.
    PromoteChild,
    /// Neither. For a refresh token: it was used again after its child was used, so somebody else has a copy; end the session. For an
    /// access token: a sibling took over; it stays valid until it expires and is not renewed.
    Theft,
}

/// Judges a token by its hash, the hash of the token it was obtained with (`None` at creation), and the stored hash.
///
/// The caller's `PartialEq` is expected to take the same time for equal and unequal hashes.
#[must_use]
pub fn judge<Hash: PartialEq>(stored: &Hash, presented: &Hash, parent: Option<&Hash>) -> Rotation {
    if presented == stored {
        Rotation::Current
    } else if parent == Some(stored) {
        Rotation::PromoteChild
    } else {
        Rotation::Theft
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn follows_the_table() {
        assert_eq!(judge(&1, &1, None), Rotation::Current);
        assert_eq!(judge(&1, &2, Some(&1)), Rotation::PromoteChild);
        assert_eq!(judge(&2, &1, None), Rotation::Theft, "the parent after its child was used");
        assert_eq!(judge(&2, &3, Some(&1)), Rotation::Theft, "a sibling of the promoted child");
        assert_eq!(judge(&2, &2, Some(&1)), Rotation::Current, "a promoted child");
    }

    proptest! {
        /// One holder who always uses the newest token he received is never taken for a thief, whatever answers get lost.
        #[test]
        fn a_lost_answer_is_harmless(lost in proptest::collection::vec(any::<bool>(), 0..50)) {
            let (mut stored, mut held, mut held_parent, mut next) = (0_u32, 0_u32, None, 1_u32);
            for lost in lost {
                match judge(&stored, &held, held_parent.as_ref()) {
                    Rotation::Current => {}
                    Rotation::PromoteChild => stored = held,
                    Rotation::Theft => prop_assert!(false, "false alarm"),
                }
                if !lost {
                    (held_parent, held) = (Some(held), next);
                }
                next += 1;
            }
        }

        /// Once a descendant was used, none of its ancestors is accepted.
        #[test]
        fn reuse_is_always_theft(generations in 2_u32..30, pick in any::<proptest::sample::Index>()) {
            let used: Vec<u32> = (0..generations).collect();
            let stored = generations - 1;
            let old = used[pick.index(used.len() - 1)];
            prop_assert_eq!(judge(&stored, &old, old.checked_sub(1).as_ref()), Rotation::Theft);
        }
    }
}
