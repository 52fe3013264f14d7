//! Cookies, as hosts and scripts set them and as a browser keeps them.

use passerby_protocol::state::{Mark, Token};

use crate::tokens::{Access, Anonymous, Refresh, Sim, Time};

/// The hosts of one site. Where the website is on the API's host, it has no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Api,
    Website,
    /// Of somebody else.
    Sibling,
}

/// The hosts that a cookie is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    /// The one that set it without `Domain`.
    Host(Host),
    /// All of the site.
    Site,
}

impl Domain {
    pub(crate) fn covers(self, host: Host) -> bool {
        self == Self::Site || self == Self::Host(host)
    }
}

/// A cookie's `Path`, or that of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// `/`.
    Root,
    /// `/api`: the app's routes.
    Api,
    /// `/auth`: the SDK's calls.
    Auth,
    /// `/auth/session/refresh`.
    Refresh,
}

impl Path {
    fn text(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Api => "/api",
            Self::Auth => "/auth",
            Self::Refresh => "/auth/session/refresh",
        }
    }

    /// In bytes.
    pub(crate) fn length(self) -> usize {
        self.text().len()
    }

    /// Whether a cookie with this path is sent with requests to that one.
    pub(crate) fn covers(self, request: Self) -> bool {
        self == Self::Root || self == request || (self, request) == (Self::Auth, Self::Refresh)
    }
}

/// The names of our cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Access,
    Refresh,
    /// `__Host-sAnonymousToken`.
    HostAnonymous,
    /// `sAnonymousToken`.
    Anonymous,
    /// These are the SDK's.
    Front,
    AnonymousFront,
    Mark,
    /// The tokens of header mode, which the SDK keeps.
    OwnAccess,
    OwnRefresh,
    OwnAnonymous,
}

impl Name {
    /// Whether it begins with `__Host-`.
    pub(crate) fn is_bound_to_host(self) -> bool {
        self == Self::HostAnonymous
    }
}

/// A cookie's value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Of one that is being deleted.
    Empty,
    Access(Access),
    Refresh(Refresh),
    Anonymous(Anonymous),
    Front(Token<Sim>),
    Mark(Mark),
}

/// A `Set-Cookie` header, or what a script assigns.
#[derive(Clone, Debug)]
pub(crate) struct SetCookie {
    pub(crate) name: Name,
    pub(crate) value: Value,
    /// Whether `Domain` names the site.
    pub(crate) for_site: bool,
    pub(crate) path: Path,
    pub(crate) http_only: bool,
    pub(crate) secure: bool,
    /// In epoch milliseconds. One in the past deletes.
    pub(crate) expires_at: Time,
}

/// Browsers keep one cookie of a name here.
pub(crate) type Place = (Name, Domain, Path);

/// A cookie that a browser keeps.
#[derive(Clone, Debug)]
pub(crate) struct Cookie {
    pub(crate) name: Name,
    pub(crate) value: Value,
    pub(super) domain: Domain,
    pub(super) path: Path,
    pub(super) http_only: bool,
    /// In epoch milliseconds.
    pub(super) expires_at: Time,
    /// Its number among all cookies that the browser was ever given.
    pub(super) created: u32,
}

impl Cookie {
    pub(crate) fn place(&self) -> Place {
        (self.name, self.domain, self.path)
    }
}
