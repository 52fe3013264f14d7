//! The shell around the engine: cookies, headers, routes, extractors.

mod anti_csrf;
mod changes;
mod context;
pub(crate) mod cookies;
mod cors;
mod exempt;
mod extract;
mod incoming;
mod layer;
mod refused;
mod request;
mod resolve;
mod routes;
mod ssr;
mod visitor;

pub(crate) use self::context::AppContext;
pub(crate) use self::exempt::Exempt;
#[cfg(feature = "actix")]
pub(crate) use self::layer::{CrossOrigin, Dispatch, begin};
#[cfg(feature = "core")]
pub(crate) use self::routes::PUBLIC_CACHING;
pub use self::{
    anti_csrf::AntiCsrf,
    cors::{SessionsCors, SessionsCorsFuture, SessionsCorsService},
    extract::{CheckedUser, PageUser, User},
    layer::{SessionsFuture, SessionsLayer, SessionsService},
    refused::SessionRejection,
    ssr::redirect_to_refresh,
    visitor::{AnonymousVisitor, Visitor, VisitorError},
};
