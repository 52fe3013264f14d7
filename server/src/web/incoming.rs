//! A request as it came in.

use axum::extract::OriginalUri;
use http::{Uri, request::Parts};

use super::cookies::{CookieSettings, RequestCookies};
use crate::{engine::PresentedToken, headers::Headers};

/// A request, with everything in it that matters to more than one step. It is read once.
pub(crate) struct Incoming<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) headers: Headers<'a>,
    pub(crate) cookies: RequestCookies<'a>,
    /// The token of `Authorization: Bearer`.
    pub(crate) bearer: Option<PresentedToken<'a>>,
}

impl<'a> Incoming<'a> {
    pub(crate) fn read(
        parts: &'a Parts,
        settings: &CookieSettings,
        look_up: impl FnOnce(&'a str) -> PresentedToken<'a>,
    ) -> Self {
        let headers = Headers::of(&parts.headers);
        let cookies = RequestCookies::of(&parts.headers, settings);
        Self { parts, headers, cookies, bearer: headers.bearer().map(look_up) }
    }

    /// The address as the browser sees it: a nested router cuts its prefix off.
    pub(crate) fn uri(&self) -> &'a Uri {
        let original = self.parts.extensions.get::<OriginalUri>();
        original.map_or(&self.parts.uri, |original| &original.0)
    }
}
