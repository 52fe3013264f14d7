//! The browser's knowledge of its visitor's session.

use core::fmt;

/// How the host holds what the rules only compare: numbers that stand for texts and JSON values in
/// the browser. They are copied as they are, which is far less code than to copy each by its kind.
pub trait HostTypes {
    /// An identifier: a session handle or an anonymousId.
    type Id: Copy + PartialEq;
    /// A token payload, compared by value.
    type Payload: Copy + PartialEq;

    /// The anonymousId that the token names, of either kind; `None` where the server gave none.
    fn anonymous_id(token: &Token<Self>) -> Option<Self::Id>
    where
        Self: Sized;
}

/// The parts of a front token, of either kind, that the rules need.
pub struct Token<V: HostTypes> {
    /// The session handle of a user session, the anonymousId of an anonymous one.
    pub id: V::Id,
    /// `iat`, in epoch seconds, by the server's clock.
    pub issued_at: f64,
    /// `ate`, in epoch milliseconds, by the server's clock.
    pub expires_at: f64,
    /// The payload of the token that this one summarises.
    pub payload: V::Payload,
}

/// When the stored state last changed: epoch milliseconds, made unique by whoever writes it (see
/// [`Mark::after`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark(pub f64);

impl Mark {
    /// Where nothing was ever written. An optional mark would be two numbers: 30 bytes of the built
    /// module (brotli).
    pub const NONE: Self = Self(-1.0);

    /// Whether something was written.
    #[must_use]
    pub fn is_there(self) -> bool {
        self.0 >= 0.0
    }

    /// The mark of a change at `now` (epoch milliseconds). Two changes in one millisecond, or a
    /// clock set back, must not look like none.
    #[must_use]
    pub fn after(previous: Self, now: f64) -> Self {
        Self(if previous.0 >= now { previous.0 + 1.0 } else { now })
    }
}

/// One place where a front token can be stored.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub enum Slot<T> {
    /// Nothing is there.
    Empty,
    /// Something is there that is not a front token.
    Unreadable,
    /// A front token.
    Token(T),
}

impl<T> Slot<T> {
    /// The token, if there is a readable one.
    pub fn token(&self) -> Option<&T> {
        match self {
            Self::Token(token) => Some(token),
            Self::Empty | Self::Unreadable => None,
        }
    }
}

/// The session as the browser's storage has it.
pub struct Stored<V: HostTypes> {
    /// When it last changed, or [`Mark::NONE`]; alone it is the tombstone of a session.
    pub changed: Mark,
    /// The front token of the user session.
    pub user: Slot<Token<V>>,
    /// The front token of the anonymous session.
    pub anonymous: Slot<Token<V>>,
}

/// The session of the visitor, as far as this browser knows. Exactly one of these holds.
#[repr(u8)]
pub enum SessionState<V: HostTypes> {
    /// Nothing is known: first visit, or the browser dropped what it knew. The server has to be
    /// asked.
    Unknown,
    /// There is no session, and the server said so.
    None(Mark),
    /// The visitor has an anonymous session.
    Anonymous(Mark, Token<V>),
    /// The visitor is signed in.
    Authenticated(Mark, Token<V>),
}

impl<V: HostTypes> Stored<V> {
    /// Whether there is no front token, not even one that cannot be read.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        matches!((&self.user, &self.anonymous), (Slot::Empty, Slot::Empty))
    }

    /// The state that this storage amounts to.
    ///
    /// A token that cannot be read counts as lost, not as "no session": the server still knows, and
    /// one call brings it back.
    #[must_use]
    pub fn state(&self) -> SessionState<V> {
        let changed = self.changed;
        match (changed.is_there(), &self.user, &self.anonymous) {
            (true, Slot::Token(user), _) => SessionState::Authenticated(changed, *user),
            (false, Slot::Token(_), _)
            | (_, Slot::Unreadable, _)
            | (_, Slot::Empty, Slot::Unreadable) => SessionState::Unknown,
            (is_there, Slot::Empty, Slot::Token(anonymous)) => {
                SessionState::Anonymous(if is_there { changed } else { Mark(0.0) }, *anonymous)
            }
            (true, Slot::Empty, Slot::Empty) => SessionState::None(changed),
            (false, Slot::Empty, Slot::Empty) => SessionState::Unknown,
        }
    }
}

impl<V: HostTypes> SessionState<V> {
    /// The front token of the user session, if the visitor is signed in.
    pub fn user(&self) -> Option<&Token<V>> {
        match self {
            Self::Authenticated(_, token) => Some(token),
            _ => None,
        }
    }

    /// The front token of the anonymous session, if the visitor has one and is not signed in.
    pub fn anonymous(&self) -> Option<&Token<V>> {
        match self {
            Self::Anonymous(_, token) => Some(token),
            _ => None,
        }
    }

    /// The front token of the session, of either kind.
    pub fn token(&self) -> Option<&Token<V>> {
        match self {
            Self::Authenticated(_, token) | Self::Anonymous(_, token) => Some(token),
            Self::Unknown | Self::None(_) => None,
        }
    }

    /// The mark of this state. No other state has it, before or after it, unless two tabs wrote in
    /// one millisecond. [`Mark::NONE`] where nobody knows, and 0 of an anonymous session without
    /// one.
    pub fn mark(&self) -> Mark {
        match self {
            Self::Unknown => Mark::NONE,
            Self::None(mark) | Self::Anonymous(mark, _) | Self::Authenticated(mark, _) => *mark,
        }
    }

    /// Whether the server has to be asked.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

/// The events that the app is told of, always after the new state is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum Event {
    /// The visitor has an anonymous session now.
    AnonymousSessionCreated,
    /// The anonymous session has another id now.
    AnonymousSessionReplaced,
    /// Anonymous sessions were switched off.
    AnonymousSessionRemoved,
    /// The visitor signed in.
    SessionCreated,
    /// The session has another payload now.
    AccessTokenPayloadUpdated,
    /// The browser refused to keep the front token of a session, so that nobody here can know of
    /// it.
    TokenNotStored,
    /// The user session was refreshed.
    RefreshSession,
    /// The visitor signed out.
    SignOut,
    /// The refresh token had been used by somebody else; followed by `Unauthorised`.
    TokenTheftDetected,
    /// A user session is required and there is none.
    Unauthorised {
        /// Whether there was one until now.
        expired_or_revoked: bool,
    },
}

impl Event {
    /// The value of `action` in the event that the app receives.
    #[must_use]
    pub fn action(self) -> &'static str {
        match self {
            Self::AnonymousSessionCreated => "ANONYMOUS_SESSION_CREATED",
            Self::AnonymousSessionReplaced => "ANONYMOUS_SESSION_REPLACED",
            Self::AnonymousSessionRemoved => "ANONYMOUS_SESSION_REMOVED",
            Self::SessionCreated => "SESSION_CREATED",
            Self::AccessTokenPayloadUpdated => "ACCESS_TOKEN_PAYLOAD_UPDATED",
            Self::TokenNotStored => "TOKEN_NOT_STORED",
            Self::RefreshSession => "REFRESH_SESSION",
            Self::SignOut => "SIGN_OUT",
            Self::TokenTheftDetected => "TOKEN_THEFT_DETECTED",
            Self::Unauthorised { .. } => "UNAUTHORISED",
        }
    }
}

// Derived implementations would ask for bounds on `V` itself.
impl<V: HostTypes> Copy for Token<V> {}
impl<V: HostTypes> Copy for SessionState<V> {}
impl<V: HostTypes> Copy for Stored<V> {}

impl<V: HostTypes> Clone for Token<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: HostTypes> Clone for Stored<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: HostTypes> Clone for SessionState<V> {
    fn clone(&self) -> Self {
        *self
    }
}

// Debug output names kinds only: ids and payloads have no place in a log.
impl<V: HostTypes> fmt::Debug for Token<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl<V: HostTypes> fmt::Debug for SessionState<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown",
            Self::None(_) => "None",
            Self::Anonymous(..) => "Anonymous",
            Self::Authenticated(..) => "Authenticated",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Native, stored, token};

    fn kind(stored: &Stored<Native>) -> &'static str {
        match stored.state() {
            SessionState::Unknown => "unknown",
            SessionState::None(_) => "none",
            SessionState::Anonymous(..) => "anonymous",
            SessionState::Authenticated(..) => "authenticated",
        }
    }

    #[test]
    fn is_the_table_of_the_design() {
        assert_eq!(kind(&stored(None, None, None)), "unknown");
        assert_eq!(kind(&stored(Some(1.0), None, None)), "none");
        assert_eq!(kind(&stored(Some(1.0), None, Some(token("a", 1.0)))), "anonymous");
        assert_eq!(kind(&stored(Some(1.0), Some(token("s", 1.0)), None)), "authenticated");
        assert_eq!(
            kind(&stored(Some(1.0), Some(token("s", 1.0)), Some(token("a", 1.0)))),
            "authenticated"
        );
    }

    #[test]
    fn state_that_the_browser_dropped_is_unknown() {
        assert_eq!(kind(&stored(None, Some(token("s", 1.0)), None)), "unknown");
        assert_eq!(kind(&stored(None, None, Some(token("a", 1.0)))), "anonymous");
    }

    #[test]
    fn a_token_that_cannot_be_read_is_unknown() {
        let mut corrupt = stored(Some(1.0), None, Some(token("a", 1.0)));
        corrupt.user = Slot::Unreadable;
        assert_eq!(kind(&corrupt), "unknown");
        let mut corrupt = stored(Some(1.0), None, None);
        corrupt.anonymous = Slot::Unreadable;
        assert_eq!(kind(&corrupt), "unknown");
        let mut leftover = stored(Some(1.0), Some(token("s", 1.0)), None);
        leftover.anonymous = Slot::Unreadable;
        assert_eq!(kind(&leftover), "authenticated");
    }

    #[test]
    fn marks_never_repeat() {
        let first = Mark::after(Mark::NONE, 5.0);
        let second = Mark::after(first, 5.0);
        let third = Mark::after(second, 2.0);
        assert_eq!((first, second, third), (Mark(5.0), Mark(6.0), Mark(7.0)));
        assert_eq!(Mark::after(third, 100.0), Mark(100.0));
    }
}
