//! The names, domains and paths of a back end's cookies.

use crate::jar::{Domain, Host, Name, Path, Place};

/// The name of the anonymous cookie of a back end whose cookies are for the whole site, or not.
pub(crate) fn anonymous_name(for_site: bool) -> Name {
    if for_site { Name::Anonymous } else { Name::HostAnonymous }
}

/// Where a back end's cookie of that name is.
pub(crate) fn place(name: Name, for_site: bool) -> Place {
    let domain = if for_site { Domain::Site } else { Domain::Host(Host::Api) };
    (name, domain, path(name))
}

/// The path of that cookie.
pub(crate) fn path(name: Name) -> Path {
    if name == Name::Refresh { Path::Refresh } else { Path::Root }
}
