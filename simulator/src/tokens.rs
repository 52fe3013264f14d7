//! Tokens as the simulated servers make them. Nothing is signed: what cannot be forged is not
//! forged here.

use passerby_protocol::state::{HostTypes, Token};

/// Numbers in place of texts.
pub(crate) struct Sim;

impl HostTypes for Sim {
    /// Session handles are odd, anonymousIds are even.
    type Id = u32;
    type Payload = Payload;

    fn anonymous_id(token: &Token<Self>) -> Option<u32> {
        // Tokens of a stock back end name none.
        Some(token.payload.anonymous_id).filter(|id| *id > 0)
    }
}

/// The visitor as a token names them. An anonymous one has no user, which is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Payload {
    user: u32,
    anonymous_id: u32,
}

/// Epoch milliseconds of the servers.
pub(crate) type Time = f64;

/// A day.
pub(crate) const DAY: Time = 86_400_000.0;

/// Session handles, anonymousIds and refresh tokens from here on are those that another host of the
/// site plants.
pub(crate) const FOREIGN: u32 = 4_000_000;

/// Whether it is one of those.
pub(crate) fn is_foreign(id: u32) -> bool {
    (FOREIGN..LOST).contains(&id)
}

/// AnonymousIds from here on came in the place of those that were lost.
pub(crate) const LOST: u32 = 0x4000_0000;

/// Handles of sessions that no server knows, in front tokens that another host of the site writes.
pub(crate) const INVENTED: u32 = 8_000_000;

/// An access token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Access {
    pub(crate) handle: u32,
    pub(crate) user: u32,
    pub(crate) anonymous_id: u32,
    /// The refresh token that came with it, and the one that this came of.
    pub(crate) refresh: u32,
    pub(crate) parent: Option<u32>,
    pub(crate) issued_at: Time,
    pub(crate) expires_at: Time,
    /// The key that signed it.
    pub(crate) key: u32,
}

/// A refresh token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Refresh {
    pub(crate) handle: u32,
    pub(crate) anonymous_id: u32,
    pub(crate) number: u32,
    pub(crate) parent: Option<u32>,
    pub(crate) issued_at: Time,
}

/// An anonymous token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Anonymous {
    pub(crate) id: u32,
    pub(crate) issued_at: Time,
    /// The key that signed it.
    pub(crate) key: u32,
}

/// Milliseconds that an anonymous token is valid: years.
const ANONYMOUS_LIFE: Time = 315_360_000_000.0;

/// The key of the app's endpoint.
pub(crate) const ENDPOINT_KEY: u32 = u32::MAX;

/// Milliseconds that its tokens are valid: less than a visitor may be away.
const ENDPOINT_LIFE: Time = 120.0 * DAY;

fn seconds(time: Time) -> f64 {
    (time / 1000.0).floor()
}

impl Access {
    /// The front token that comes with it.
    pub(crate) fn front(&self) -> Token<Sim> {
        Token {
            id: self.handle,
            issued_at: seconds(self.issued_at),
            expires_at: self.expires_at,
            payload: Payload { user: self.user, anonymous_id: self.anonymous_id },
        }
    }
}

impl Anonymous {
    /// The front token that comes with it.
    pub(crate) fn front(&self) -> Token<Sim> {
        Token {
            id: self.id,
            issued_at: seconds(self.issued_at),
            expires_at: self.issued_at
                + match self.key {
                    ENDPOINT_KEY => ENDPOINT_LIFE,
                    _ => ANONYMOUS_LIFE,
                },
            payload: Payload { user: 0, anonymous_id: self.id },
        }
    }
}
