//! The operations of the core driver interface, by method and path.

use http::Method;

use super::path::place;

/// The operation that a request asked for; for logs and metrics, which must not repeat paths and
/// queries. It lies in the extensions of the core's response, and [`Operation::of`] tells it where
/// another layer answered.
///
/// ```
/// use passerby_server::session_core::Operation;
/// # use axum::body::Body;
/// # use http::Request;
/// # use passerby_server::{MemoryStore, session_core::{CoreSettings, SessionCore}};
/// # use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let core = SessionCore::open(MemoryStore::new(), CoreSettings::default()).await?;
/// let request = Request::get("/recipe/session/user?userId=alice").body(Body::empty())?;
/// let response = core.router().oneshot(request).await?;
/// // For the log: not who was asked for.
/// let operation = response.extensions().get::<Operation>().expect("each response has one");
/// assert_eq!(operation.name(), "handles_of_user");
/// assert_eq!(*operation, Operation::of(&http::Method::GET, "/recipe/session/user"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation(pub(super) Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Hello,
    Jwks,
    Apiversion,
    User,
    CreateJwt,
    ReplacePayload,
    Create,
    Information,
    Verify,
    Refresh,
    Regenerate,
    Remove,
    HandlesOfUser,
    ReplaceData,
    ConfigureApp,
    Roles,
    IsVerified,
    Unknown,
}

impl Operation {
    /// The operation of a request of this method and path.
    #[must_use]
    pub fn of(method: &Method, path: &str) -> Self {
        let rest = place(path).rest;
        Self(match (method, rest.strip_suffix('/').unwrap_or(rest)) {
            (_, "/hello") => Kind::Hello,
            (&Method::GET, "/.well-known/jwks.json" | "/recipe/jwt/jwks") => Kind::Jwks,
            (&Method::GET, "/apiversion") => Kind::Apiversion,
            (&Method::GET, "/user/id") => Kind::User,
            (&Method::POST, "/recipe/jwt") => Kind::CreateJwt,
            (&Method::PUT, "/recipe/jwt/data") => Kind::ReplacePayload,
            (&Method::POST, "/recipe/session") => Kind::Create,
            (&Method::GET, "/recipe/session") => Kind::Information,
            (&Method::POST, "/recipe/session/verify") => Kind::Verify,
            (&Method::POST, "/recipe/session/refresh") => Kind::Refresh,
            (&Method::POST, "/recipe/session/regenerate") => Kind::Regenerate,
            (&Method::POST, "/recipe/session/remove") => Kind::Remove,
            (&Method::GET, "/recipe/session/user") => Kind::HandlesOfUser,
            (&Method::PUT, "/recipe/session/data") => Kind::ReplaceData,
            (&Method::PUT, "/recipe/multitenancy/app/v2") => Kind::ConfigureApp,
            (&Method::GET, "/recipe/user/roles" | "/recipe/roles") => Kind::Roles,
            (&Method::GET, "/recipe/user/email/verify") => Kind::IsVerified,
            _ => Kind::Unknown,
        })
    }

    /// One of a few fixed names; `unknown` for what is not supported.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Hello => "hello",
            Kind::Jwks => "jwks",
            Kind::Apiversion => "apiversion",
            Kind::User => "user",
            Kind::CreateJwt => "create_jwt",
            Kind::ReplacePayload => "replace_payload",
            Kind::Create => "create",
            Kind::Information => "information",
            Kind::Verify => "verify",
            Kind::Refresh => "refresh",
            Kind::Regenerate => "regenerate",
            Kind::Remove => "remove",
            Kind::HandlesOfUser => "handles_of_user",
            Kind::ReplaceData => "replace_data",
            Kind::ConfigureApp => "configure_app",
            Kind::Roles => "roles",
            Kind::IsVerified => "is_verified",
            Kind::Unknown => "unknown",
        }
    }
}
