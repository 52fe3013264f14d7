//! The protocol's own protection against requests that other websites send with a visitor's
//! cookies.

use super::request::{RequestFacts, TransferMethod};
use crate::engine::is_same_secret;

/// The proof that a request must show besides its cookies. The layer checks where requests come
/// from (Fetch Metadata and `Origin`) in any case, which is enough for today's browsers. The two
/// other modes are for browsers that send neither, and for parity with a SuperTokens back end. In
/// header mode no proof is needed, because other websites cannot set headers.
///
/// ```
/// use passerby_server::{AntiCsrf, Sessions};
/// # use axum::{Router, body::Body, routing::post};
/// # use http::Request;
/// # use passerby_server::{MemoryStore, Visitor};
/// # use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder =
/// #     Sessions::builder().api_domain("http://localhost:3000").store(MemoryStore::new());
/// let sessions = builder.anti_csrf(AntiCsrf::ViaToken).build().await?;
/// # let login = |visitor: Visitor| async move { visitor.sign_in("alice").await.map(drop) };
/// # let app = Router::new().route("/api/login", post(login)).layer(sessions.layer());
/// # let login = Request::post("/api/login").body(Body::empty())?;
/// // The web client keeps this token, and sends it with each request.
/// let signed_in = app.oneshot(login).await?;
/// assert!(signed_in.headers().contains_key("anti-csrf"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AntiCsrf {
    /// Nothing.
    #[default]
    None,
    /// A header that other websites cannot set without asking: `rid`.
    ViaCustomHeader,
    /// The session's own token in the header `anti-csrf`. Sessions that began under another mode
    /// end at their next refresh.
    ViaToken,
}

impl AntiCsrf {
    /// Whether sessions that begin now get a token.
    pub(crate) fn gives_token(self, transfer: TransferMethod) -> bool {
        self == Self::ViaToken && transfer == TransferMethod::Cookie
    }

    /// Whether a request may use a session whose tokens came this way and have this anti-CSRF
    /// token.
    pub(crate) fn allows(
        self,
        facts: &RequestFacts,
        transfer: TransferMethod,
        token: Option<&str>,
    ) -> bool {
        match self {
            _ if transfer == TransferMethod::Header => true,
            Self::None => true,
            Self::ViaCustomHeader => facts.has_rid,
            Self::ViaToken => is_same_secret(token, facts.anti_csrf.as_deref()),
        }
    }
}
