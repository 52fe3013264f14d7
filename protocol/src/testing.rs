//! Short ways to write states in tests.

use alloc::string::String;

use crate::state::{HostTypes, Mark, Slot, Stored, Token};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Native;

impl HostTypes for Native {
    type Id = &'static str;
    type Payload = u8;

    /// Ids of anonymous sessions begin with `a`. All users are one visitor.
    fn anonymous_id(token: &Token<Self>) -> Option<&'static str> {
        Some(if token.id.starts_with('a') { token.id } else { "visitor" })
    }
}

pub(crate) fn token(id: &str, issued_at: f64) -> Token<Native> {
    Token {
        id: String::from(id).leak(),
        issued_at,
        expires_at: issued_at * 1000.0 + 3_600_000.0,
        payload: 0,
    }
}

pub(crate) fn with_payload(mut token: Token<Native>, payload: u8) -> Token<Native> {
    token.payload = payload;
    token
}

pub(crate) fn stored(
    changed: Option<f64>,
    user: Option<Token<Native>>,
    anonymous: Option<Token<Native>>,
) -> Stored<Native> {
    let slot = |token: Option<Token<Native>>| token.map_or(Slot::Empty, Slot::Token);
    Stored {
        changed: changed.map_or(Mark::NONE, Mark),
        user: slot(user),
        anonymous: slot(anonymous),
    }
}
