//! The protocol's own protection against requests that other websites send with a visitor's cookies (reference 8.3, 8.4).

use super::request::{RequestFacts, Transfer};

/// What a request must show besides its cookies. The layer checks where requests come from (Fetch Metadata and `Origin`) in any case,
/// which is enough for today's browsers; the other two are for those that send neither, and for parity with a SuperTokens back end.
/// In header mode nothing is asked, because other websites cannot set headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AntiCsrf {
    /// Nothing.
    #[default]
    None,
    /// A header that other websites cannot set without asking: `rid`.
    ViaCustomHeader,
    /// The session's own token in the header `anti-csrf`. Sessions that began under another mode end at their next refresh.
    ViaToken,
}

impl AntiCsrf {
    /// Whether sessions that begin now get a token.
    pub(crate) fn gives_token(self, transfer: Transfer) -> bool {
        self == Self::ViaToken && transfer == Transfer::Cookie
    }

    /// Whether a request may use a session whose tokens came this way and have this anti-CSRF token.
    pub(crate) fn allows(self, facts: &RequestFacts, transfer: Transfer, token: Option<&str>) -> bool {
        match self {
            _ if transfer == Transfer::Header => true,
            Self::None => true,
            Self::ViaCustomHeader => facts.has_rid,
            Self::ViaToken => token.is_some() && token == facts.anti_csrf.as_deref(),
        }
    }
}
