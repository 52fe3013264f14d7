//! How long tokens, sessions and keys live: the defaults, and the shortest times that work.

use passerby_protocol::rotation::DEFAULT_GRACE_MS;

use super::keys::PUBLISH_AHEAD_MS;

/// The shortest validity of a token.
pub(crate) const LEAST_VALIDITY_MS: u64 = 1000;
/// A key that signs for less than this would be replaced before all processes know it.
pub(crate) const LEAST_KEY_ROTATION_MS: u64 = 2 * PUBLISH_AHEAD_MS;

/// The option that has a least time of its own.
pub(crate) const KEY_ROTATION: &str = "key_rotation";

const HOUR_MS: u64 = 3600 * 1000;

/// Lifetimes, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    /// Of an access token.
    pub(crate) access_ms: u64,
    /// Of a session that is not used.
    pub(crate) refresh_ms: u64,
    /// Of a refresh token after another took its place.
    pub(crate) grace_ms: u64,
    /// Of a key that signs access tokens.
    pub(crate) rotation_ms: u64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            access_ms: HOUR_MS,
            refresh_ms: 100 * 24 * HOUR_MS,
            grace_ms: DEFAULT_GRACE_MS,
            rotation_ms: 168 * HOUR_MS,
        }
    }
}

impl Lifetimes {
    /// The option whose time is too short to work, if there is one.
    pub(crate) fn too_short(&self) -> Option<&'static str> {
        [
            ("access_token_validity", self.access_ms, LEAST_VALIDITY_MS),
            ("refresh_token_validity", self.refresh_ms, LEAST_VALIDITY_MS),
            (KEY_ROTATION, self.rotation_ms, LEAST_KEY_ROTATION_MS),
        ]
        .into_iter()
        .find_map(|(option, value, least)| (value < least).then_some(option))
    }
}
