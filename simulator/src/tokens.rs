//! Tokens as the simulated servers make them. Nothing is signed: what cannot be forged is not forged here.

use passerby_protocol::state::{Token, Values};

/// Numbers in place of texts.
pub(crate) struct Sim;

impl Values for Sim {
    /// Session handles are odd, anonymousIds are even.
    type Text = u32;
    type Payload = u32;
}

/// Epoch milliseconds of the servers.
pub(crate) type Time = f64;

/// What an access token says.
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
}

/// What a refresh token says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Refresh {
    pub(crate) handle: u32,
    pub(crate) anonymous_id: u32,
    pub(crate) number: u32,
    pub(crate) parent: Option<u32>,
    pub(crate) issued_at: Time,
}

/// What an anonymous token says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Anonymous {
    pub(crate) id: u32,
    pub(crate) issued_at: Time,
    /// Which key signed it.
    pub(crate) key: u32,
}

/// Milliseconds that an anonymous token is valid: years.
const ANONYMOUS_LIFE: Time = 315_360_000_000.0;

fn seconds(time: Time) -> f64 {
    (time / 1000.0).floor()
}

impl Access {
    /// The front token that comes with it.
    pub(crate) fn front(&self) -> Token<Sim> {
        Token {
            id: self.handle,
            anonymous_id: Some(self.anonymous_id),
            issued_at: seconds(self.issued_at),
            expires_at: self.expires_at,
            payload: self.user * 1_000_000 + self.anonymous_id,
        }
    }
}

impl Anonymous {
    /// The front token that comes with it.
    pub(crate) fn front(&self) -> Token<Sim> {
        Token {
            id: self.id,
            anonymous_id: Some(self.id),
            issued_at: seconds(self.issued_at),
            expires_at: self.issued_at + ANONYMOUS_LIFE,
            payload: self.id,
        }
    }
}
