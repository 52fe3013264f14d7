//! The headers of a request that matter here.

use http::{HeaderMap, HeaderValue, header};
use passerby_protocol::names;

/// No token of ours is longer. A longer one is not looked at, because it costs time.
pub(crate) const LONGEST_TOKEN: usize = 8192;

/// The first value of each, found in one pass over all headers. To look them up one by one takes
/// several times as long, because each name is hashed, and most requests have few of them.
#[derive(Clone, Copy)]
pub(crate) struct Headers<'a> {
    pub(crate) all: &'a HeaderMap,
    pub(crate) accept: Option<&'a HeaderValue>,
    pub(crate) anonymous_mode: Option<&'a HeaderValue>,
    pub(crate) anti_csrf: Option<&'a HeaderValue>,
    pub(crate) auth_mode: Option<&'a HeaderValue>,
    pub(crate) authorization: Option<&'a HeaderValue>,
    pub(crate) fetch_dest: Option<&'a HeaderValue>,
    pub(crate) fetch_mode: Option<&'a HeaderValue>,
    pub(crate) fetch_site: Option<&'a HeaderValue>,
    pub(crate) host: Option<&'a HeaderValue>,
    pub(crate) origin: Option<&'a HeaderValue>,
    pub(crate) rid: Option<&'a HeaderValue>,
    pub(crate) websocket_key: Option<&'a HeaderValue>,
}

impl<'a> Headers<'a> {
    pub(crate) fn of(all: &'a HeaderMap) -> Self {
        let mut found = Self {
            all,
            accept: None,
            anonymous_mode: None,
            anti_csrf: None,
            auth_mode: None,
            authorization: None,
            fetch_dest: None,
            fetch_mode: None,
            fetch_site: None,
            host: None,
            origin: None,
            rid: None,
            websocket_key: None,
        };
        for (name, value) in all {
            let place = match name.as_str() {
                names::header::ACCEPT => &mut found.accept,
                names::header::ANONYMOUS_MODE => &mut found.anonymous_mode,
                names::header::ANTI_CSRF => &mut found.anti_csrf,
                names::header::AUTH_MODE => &mut found.auth_mode,
                names::header::AUTHORIZATION => &mut found.authorization,
                names::header::RID => &mut found.rid,
                "host" => &mut found.host,
                "origin" => &mut found.origin,
                "sec-fetch-dest" => &mut found.fetch_dest,
                "sec-fetch-mode" => &mut found.fetch_mode,
                "sec-fetch-site" => &mut found.fetch_site,
                "sec-websocket-key" => &mut found.websocket_key,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        found
    }

    /// The token of `Authorization: Bearer`.
    pub(crate) fn bearer(&self) -> Option<&'a str> {
        let (scheme, token) = text(self.authorization)?.split_once(' ')?;
        Some(token.trim()).filter(|token| {
            scheme.eq_ignore_ascii_case("bearer")
                && !token.is_empty()
                && token.len() <= LONGEST_TOKEN
        })
    }

    /// The media type that `Accept` names first; empty when it names none.
    pub(crate) fn first_accepted(&self) -> &'a str {
        let accept = text(self.accept).unwrap_or_default();
        accept.split([',', ';']).next().unwrap_or_default().trim()
    }

    pub(crate) fn accept_html(&self) -> bool {
        self.accept.is_some()
            && self
                .all
                .get_all(header::ACCEPT)
                .iter()
                .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")))
    }
}

/// A header that is text.
pub(crate) fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().copied();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn finds_each_name() {
        let names = [
            "Accept",
            "St-Anonymous-Mode",
            "Anti-Csrf",
            "St-Auth-Mode",
            "Authorization",
            "Sec-Fetch-Dest",
            "Sec-Fetch-Mode",
            "Sec-Fetch-Site",
            "Host",
            "Origin",
            "Rid",
            "Sec-WebSocket-Key",
        ];
        let all = headers(&names.map(|name| (name, name)));
        let found = Headers::of(&all);
        let values = [
            found.accept,
            found.anonymous_mode,
            found.anti_csrf,
            found.auth_mode,
            found.authorization,
            found.fetch_dest,
            found.fetch_mode,
            found.fetch_site,
            found.host,
            found.origin,
            found.rid,
            found.websocket_key,
        ];
        assert_eq!(values.map(|value| text(value).unwrap_or("none")), names);
        let others = headers(&[("x-accept", "1"), ("accept-language", "en"), ("originx", "2")]);
        let found = Headers::of(&others);
        assert!(found.accept.is_none() && found.origin.is_none());
    }

    #[test]
    fn the_first_of_a_name_counts() {
        let mut all = headers(&[("origin", "a"), ("host", "h")]);
        for other in ["b", "c"] {
            all.append("origin", HeaderValue::from_static(other));
        }
        assert_eq!(text(Headers::of(&all).origin), Some("a"));
    }
}
