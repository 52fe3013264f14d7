//! The anonymousId of a visitor, and whether a session may be made, where a request brings
//! tokens of both kinds.
//!
//! Both rules are pure, so that the server and a simulation of many browsers share them.

use alloc::{borrow::ToOwned, string::String};

/// The visitor by the tokens of a user session: an access token or a refresh token of ours, valid,
/// expired or of a session that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserTokens<'a> {
    /// The session's anonymousId; the record's where there is a record.
    pub anonymous_id: &'a str,
    /// When the token was made, in epoch seconds. Refresh tokens of a former version do not say.
    pub issued_at: Option<u64>,
    /// They came in cookies, which any host of the site can plant.
    pub by_cookie: bool,
}

/// The request's anonymous token after its verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnonymousToken<'a> {
    /// There is no token, or it is not one of ours.
    None,
    /// It was ours and has expired, so only its id counts.
    Expired {
        /// Its id.
        anonymous_id: &'a str,
        /// It came in a cookie that no other host can have set.
        bound_to_host: bool,
    },
    /// It is good.
    Valid {
        /// Its id.
        anonymous_id: &'a str,
        /// `iat`.
        issued_at: u64,
        /// It came in a cookie that no other host can have set.
        bound_to_host: bool,
    },
}

impl AnonymousToken<'_> {
    /// Of several tokens of one request the one that ranks highest counts, in whatever order they
    /// come; of equal ones any, as long as it is always the same. First by what it is worth; then
    /// by how it came: a `__Host-` cookie is this host's own doing, a header is a script's, with
    /// what a sub-domain may have planted; then the newest, because it has the latest payload.
    #[must_use]
    pub fn rank(&self, bound_to_host: bool, by_header: bool) -> (u8, bool, bool, u64) {
        let (worth, issued_at) = match self {
            Self::Valid { issued_at, .. } => (2, *issued_at),
            Self::Expired { .. } => (1, 0),
            Self::None => (0, 0),
        };
        (worth, bound_to_host, by_header, issued_at)
    }
}

/// The identity of a visitor whose user session is over, or is about to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriorIdentity {
    /// The anonymous session that the request brought, whole: with its payload.
    Session,
    /// The visitor with this id. The payload starts empty.
    Id(String),
    /// Nobody we know.
    Unknown,
}

/// Whether a sign-out that names a session is about the one whose token came along. One that names
/// none is about that in any case.
///
/// The browser may have kept another session since the sign-out was wanted. Then it has to be told
/// of that one, which stays.
pub fn is_meant<T: PartialEq + ?Sized>(named: Option<&T>, presented: &T) -> bool {
    named.is_none_or(|named| named == presented)
}

/// Decides who the visitor is.
///
/// User tokens name the session that was in use last, so their id counts, and an anonymous token
/// with the same id is a leftover: what it holds went into the user session long ago. There are two
/// exceptions. An anonymous token with the same id that is newer came after the user session. And
/// one with another id in a cookie that is bound to this host was set by this host, while the user
/// tokens beside it can have been planted.
#[must_use]
pub fn prior_identity(
    user: Option<&UserTokens<'_>>,
    anonymous: &AnonymousToken<'_>,
) -> PriorIdentity {
    let (anonymous_id, bound_to_host) = match *anonymous {
        AnonymousToken::None => {
            return user.map_or(PriorIdentity::Unknown, |user| {
                PriorIdentity::Id(user.anonymous_id.to_owned())
            });
        }
        AnonymousToken::Expired { anonymous_id, bound_to_host }
        | AnonymousToken::Valid { anonymous_id, bound_to_host, .. } => {
            (anonymous_id, bound_to_host)
        }
    };
    let counts = match user {
        None => true,
        Some(user) if user.anonymous_id == anonymous_id => match (anonymous, user.issued_at) {
            (AnonymousToken::Valid { issued_at, .. }, Some(user_issued_at)) => {
                *issued_at > user_issued_at
            }
            _ => false,
        },
        Some(user) => bound_to_host && user.by_cookie,
    };
    match (counts, anonymous, user) {
        (true, AnonymousToken::Valid { .. }, _) => PriorIdentity::Session,
        (false, _, Some(user)) => PriorIdentity::Id(user.anonymous_id.to_owned()),
        _ => PriorIdentity::Id(anonymous_id.to_owned()),
    }
}

/// The facts of a request that could get an anonymous session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MintFacts {
    /// A script made it that can read the answer: no page load, no image, no stream, and of the
    /// API's own origin or of one that is trusted.
    pub is_read_by_script: bool,
    /// A page load, where the app wants these to make sessions.
    pub is_wanted_page: bool,
    /// The visitor has switched anonymous sessions off.
    pub is_off: bool,
    /// It names the visitor by the key of a first visit.
    pub has_key: bool,
    /// A user session ends with the answer, so that an id which is known would be lost.
    pub ends_session: bool,
}

/// The app's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MintRules {
    /// Visitors get anonymous sessions.
    pub enabled: bool,
    /// Strangers only when their request has a key.
    pub only_with_key: bool,
}

/// Whether a request gets an anonymous session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mint {
    /// No.
    Forbidden,
    /// Yes: the visitor is known by an id. Counted, with more patience than strangers.
    Known,
    /// If the limits of new sessions allow it.
    Stranger,
}

/// Decides whether a request without a usable session gets an anonymous one. `known` when the
/// visitor's id is known.
#[must_use]
pub fn mint_decision(request: &MintFacts, rules: &MintRules, known: bool) -> Mint {
    let keeps_an_id = known && request.ends_session;
    if !rules.enabled
        || request.is_off
        || !(request.is_read_by_script || request.is_wanted_page || keeps_an_id)
    {
        Mint::Forbidden
    } else if known {
        Mint::Known
    } else if rules.only_with_key && !request.has_key {
        Mint::Forbidden
    } else {
        Mint::Stranger
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const ADA: &str = "ada";
    const EVE: &str = "eve";

    fn user(anonymous_id: &str, issued_at: Option<u64>, by_cookie: bool) -> Option<UserTokens<'_>> {
        Some(UserTokens { anonymous_id, issued_at, by_cookie })
    }

    fn valid(anonymous_id: &str, issued_at: u64, bound_to_host: bool) -> AnonymousToken<'_> {
        AnonymousToken::Valid { anonymous_id, issued_at, bound_to_host }
    }

    fn expired(anonymous_id: &str, bound_to_host: bool) -> AnonymousToken<'_> {
        AnonymousToken::Expired { anonymous_id, bound_to_host }
    }

    #[test]
    fn a_sign_out_is_about_the_session_that_it_names_or_about_any() {
        assert!(is_meant(Some("s1"), "s1") && is_meant(None, "s1"));
        assert!(!is_meant(Some("s2"), "s1") && !is_meant(Some(""), "s1"));
    }

    #[test]
    fn the_visitor_is_who_the_table_says() {
        use PriorIdentity::{Session, Unknown};
        let id = |id: &str| PriorIdentity::Id(id.to_owned());
        for (case, user, anonymous, expected) in [
            ("nothing", None, AnonymousToken::None, Unknown),
            ("a guest", None, valid(ADA, 1, false), Session),
            ("a guest of long ago", None, expired(ADA, false), id(ADA)),
            ("a user", user(ADA, Some(9), true), AnonymousToken::None, id(ADA)),
            (
                "the guest's late answer, from before",
                user(ADA, Some(9), true),
                valid(ADA, 5, true),
                id(ADA),
            ),
            ("in the same second", user(ADA, Some(9), true), valid(ADA, 9, true), id(ADA)),
            (
                "the user's late answer, after the end",
                user(ADA, Some(9), true),
                valid(ADA, 10, false),
                Session,
            ),
            ("the same in header mode", user(ADA, Some(9), false), valid(ADA, 10, false), Session),
            (
                "a refresh token that does not say when",
                user(ADA, None, true),
                valid(ADA, 10, true),
                id(ADA),
            ),
            ("planted anonymous cookie", user(ADA, Some(9), true), valid(EVE, 99, false), id(ADA)),
            ("planted, and expired", user(ADA, Some(9), true), expired(EVE, false), id(ADA)),
            ("planted user cookies", user(EVE, Some(99), true), valid(ADA, 1, true), Session),
            (
                "planted user cookies, own token expired",
                user(EVE, Some(99), true),
                expired(ADA, true),
                id(ADA),
            ),
            (
                "user tokens in a header cannot be planted",
                user(ADA, Some(9), false),
                valid(EVE, 99, true),
                id(ADA),
            ),
            ("expired beside the same user", user(ADA, Some(9), true), expired(ADA, true), id(ADA)),
        ] {
            assert_eq!(prior_identity(user.as_ref(), &anonymous), expected, "{case}");
        }
    }

    #[test]
    fn a_session_is_made_as_the_table_says() {
        let script = MintFacts {
            is_read_by_script: true,
            is_wanted_page: false,
            is_off: false,
            has_key: false,
            ends_session: false,
        };
        let (named, off) =
            (MintFacts { has_key: true, ..script }, MintFacts { is_off: true, ..script });
        let page = MintFacts { is_read_by_script: false, is_wanted_page: true, ..script };
        let image = MintFacts { is_read_by_script: false, ..named };
        let form = MintFacts { ends_session: true, ..image };
        let open = MintRules { enabled: true, only_with_key: false };
        let (strict, closed) =
            (MintRules { only_with_key: true, ..open }, MintRules { enabled: false, ..open });
        for (case, request, rules, known, expected) in [
            ("a script", script, open, false, Mint::Stranger),
            ("a script of somebody known", script, open, true, Mint::Known),
            ("a script that names its visitor", named, strict, false, Mint::Stranger),
            ("a script that does not", script, strict, false, Mint::Forbidden),
            ("a script that does not, of somebody known", script, strict, true, Mint::Known),
            ("no consent", off, open, true, Mint::Forbidden),
            ("nobody gets any", named, closed, true, Mint::Forbidden),
            ("a page", page, open, false, Mint::Stranger),
            ("nobody who reads it", image, open, false, Mint::Forbidden),
            ("nobody who reads it, known", image, open, true, Mint::Forbidden),
            ("a form that signs out", form, strict, true, Mint::Known),
            ("a form that signs out, without a known id", form, open, false, Mint::Forbidden),
            (
                "a form that signs out, no consent",
                MintFacts { is_off: true, ..form },
                open,
                true,
                Mint::Forbidden,
            ),
        ] {
            assert_eq!(mint_decision(&request, &rules, known), expected, "{case}");
        }
    }

    #[test]
    fn the_token_that_counts_is_the_first_of_the_table() {
        // Each before all that follow: its worth, whether it is bound to the host, and whether it
        // came in a header.
        let order = [
            (valid(ADA, 1, true), true, false),
            (valid(ADA, 2, false), false, true),
            (valid(ADA, 1, false), false, true),
            (valid(EVE, 9, false), false, false),
            (valid(EVE, 8, false), false, false),
            (expired(ADA, true), true, false),
            (expired(ADA, false), false, true),
            (expired(EVE, false), false, false),
            (AnonymousToken::None, true, false),
            (AnonymousToken::None, false, true),
            (AnonymousToken::None, false, false),
        ];
        let ranks: Vec<_> =
            order.iter().map(|(token, bound, header)| token.rank(*bound, *header)).collect();
        assert!(ranks.is_sorted_by(|one, next| one > next));
    }

    proptest! {
        /// A visitor keeps an id beside planted tokens: their own host-bound one, or that of tokens
        /// that scripts sent.
        #[test]
        fn a_token_that_cannot_be_planted_counts(
            issued_at in any::<u64>(),
            user_issued_at in any::<Option<u64>>(),
            is_valid: bool,
        ) {
            let own = if is_valid { valid(ADA, issued_at, true) } else { expired(ADA, true) };
            let planted = user(EVE, user_issued_at, true);
            prop_assert_ne!(
                prior_identity(planted.as_ref(), &own),
                PriorIdentity::Id(EVE.to_owned())
            );
            let planted = if is_valid { valid(EVE, issued_at, false) } else { expired(EVE, false) };
            let own = user(ADA, user_issued_at, true);
            prop_assert_eq!(
                prior_identity(own.as_ref(), &planted),
                PriorIdentity::Id(ADA.to_owned())
            );
        }
    }
}
