//! The origins that the check lets through besides websites: packaged apps, whose origins have
//! schemes that it does not know, and forms of sign-in providers.

use http::{HeaderValue, Method, header, request::Parts};

const SITE: &str = "sec-fetch-site";

/// The origins that are let through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exempt {
    pub(crate) apps: Vec<HeaderValue>,
    /// Origin and path.
    pub(crate) forms: Vec<(HeaderValue, String)>,
}

/// The origin headers of a request, while the check looks at it.
#[derive(Clone)]
struct Hidden {
    origin: HeaderValue,
    site: Option<HeaderValue>,
}

impl Exempt {
    /// Makes a request that is let through look like one of the own origin.
    pub(crate) fn hide(&self, parts: &mut Parts) {
        let mut origins = parts.headers.get_all(header::ORIGIN).iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else { return };
        let posts = |(from, path): &(HeaderValue, String)| {
            from == origin && parts.method == Method::POST && parts.uri.path() == path
        };
        if !self.apps.contains(origin) && !self.forms.iter().any(posts) {
            return;
        }
        let origin = origin.clone();
        parts.headers.remove(header::ORIGIN);
        let site = parts.headers.insert(SITE, HeaderValue::from_static("same-origin"));
        parts.extensions.insert(Hidden { origin, site });
    }

    /// Takes that back.
    pub(crate) fn show(parts: &mut Parts) {
        let Some(Hidden { origin, site }) = parts.extensions.remove::<Hidden>() else { return };
        parts.headers.insert(header::ORIGIN, origin);
        match site {
            Some(site) => parts.headers.insert(SITE, site),
            None => parts.headers.remove(SITE),
        };
    }
}
