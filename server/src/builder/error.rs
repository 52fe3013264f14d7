//! Why a configuration is refused.

use crate::engine::EngineError;

/// Why a configuration is refused. Each message says what to write instead.
///
/// ```
/// use passerby_server::{BuildError, MemoryStore, Sessions};
/// use std::time::Duration;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = MemoryStore::new();
/// let builder = Sessions::builder().api_domain("https://api.example.com").store(store);
/// let error = builder.access_token_validity(Duration::ZERO).build().await.unwrap_err();
/// assert!(matches!(error, BuildError::TooShort("access_token_validity")));
/// assert_eq!(error.to_string(), "`access_token_validity` must be at least one second");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// `api_domain` was not given.
    #[error(
        "give `api_domain`: where browsers reach this server, for example `https://api.example.com`"
    )]
    ApiDomainMissing,
    /// `store` was not given.
    #[error(
        "give `store`: where sessions are kept, for example \
         `SqliteStore::open(\"sessions.db\").await?`"
    )]
    StoreMissing,
    /// An option is not an origin.
    #[error(
        "`{option}` must be scheme and host (and port), like `https://api.example.com`; it is \
         `{value}`"
    )]
    NotAnOrigin {
        /// The option's name.
        option: &'static str,
        /// The value that was given.
        value: String,
    },
    /// `api_base_path` has a query, a fragment, spaces or an empty part.
    #[error(
        "`api_base_path` must be a path like `/auth`, without query, fragment or spaces; it is \
         `{0}`"
    )]
    BadBasePath(String),
    /// `cookie_domain` is not a host name, or `api_domain` does not belong to it.
    #[error(
        "`cookie_domain` must be a host name like `example.com` that `api_domain` belongs to; it \
         is `{0}`"
    )]
    BadCookieDomain(String),
    /// `anonymous_cookie_name` has other characters than a cookie's name may have, or is taken.
    #[error(
        "`anonymous_cookie_name` must be letters, digits, `-` or `_`, and none of the other \
         session cookies' names; it is `{0}`"
    )]
    BadCookieName(String),
    /// Browsers would refuse a cookie with this prefix.
    #[error(
        "browsers take `{0}` only over HTTPS, and a `__Host-` cookie only without `cookie_domain`; \
         choose another `anonymous_cookie_name`"
    )]
    PrefixNotAllowed(String),
    /// `anonymous_renewal` is not a share of a whole.
    #[error("`anonymous_renewal` must be above 0 and at most 1; it is `{0}`")]
    BadShare(f64),
    /// `client_address_header` has characters that a header's name may not have.
    #[error("`client_address_header` must be a header's name like `x-forwarded-for`; it is `{0}`")]
    BadHeaderName(String),
    /// A lifetime is shorter than a second.
    #[error("`{0}` must be at least one second")]
    TooShort(&'static str),
    /// A key would be replaced before it signed anything.
    #[error(
        "`key_rotation` must be at least two minutes, because other services learn of a new key \
         one minute before it signs"
    )]
    KeyRotationTooShort,
    /// The domain in `older_cookie_domain` is in use.
    #[error(
        "`older_cookie_domain` must differ from `cookie_domain`; give an empty text if there was \
         no `cookie_domain` before"
    )]
    SameCookieDomain,
    /// Browsers refuse cross-site cookies that are not `Secure`.
    #[error(
        "website and API are different sites, so browsers send cookies only over HTTPS; make \
         `api_domain` an `https://` address, or serve both from one site"
    )]
    InsecureCrossSite,
    /// Browsers refuse cookies of a page in another website's frame that are not `Secure`.
    #[error(
        "`embedded` needs HTTPS, because browsers send cookies from another website's frame only \
         then; make `api_domain` an `https://` address"
    )]
    InsecureEmbedded,
    /// The keys could not be read or made.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
