//! The facts of a request.

use http::{HeaderMap, Method, Uri, header};
use passerby_protocol::{first_key, identity::MintFacts, names};

use super::{cookies::OF_SCRIPTS, incoming::Incoming};
use crate::{
    engine::{PresentedToken, jwt::TokenKind, refresh_token},
    headers::{Headers, text},
    mint::MintSettings,
};

/// How tokens travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransferMethod {
    /// `HttpOnly` cookies.
    Cookie,
    /// Response headers in, `Authorization` out.
    Header,
}

/// The facts of a request that matter besides its tokens.
#[derive(Clone, Debug)]
pub(crate) struct RequestFacts {
    /// Made by a script that can read the answer, so that a session may be minted, promoted or
    /// removed with it. Loading a page or an image never does any of that, nor does a stream: they
    /// see what is there.
    pub(crate) is_api: bool,
    /// The facts that decide whether a visitor who has no session gets one.
    pub(crate) mint: MintFacts,
    /// How a session that is created now shall travel. Cookies unless the request asks for headers:
    /// a client that says nothing may be one that understands cookies only.
    pub(crate) transfer: TransferMethod,
    /// The name that a visitor without a session gave themselves
    /// ([`names::header::ANONYMOUS_MODE`]).
    pub(crate) anonymous_key: Option<String>,
    /// Not `GET` or `HEAD`, so that anti-CSRF is checked.
    pub(crate) is_unsafe: bool,
    /// The header `anti-csrf`.
    pub(crate) anti_csrf: Option<String>,
    pub(crate) has_rid: bool,
    /// Under either name.
    pub(crate) has_anonymous_cookie: bool,
    /// Under the name that it is no longer set under.
    pub(crate) has_former_anonymous_cookie: bool,
    pub(crate) has_anonymous_bearer: bool,
    /// An `sIdRefreshToken` came along. Stock servers want a refresh first then, because a session
    /// of an old version may lie beside. No such session is one of ours, and a sub-domain can plant
    /// the cookie, so it is cleared on occasion, and means nothing.
    pub(crate) has_legacy_cookie: bool,
    /// An access or refresh token came in a cookie, whatever it is worth.
    pub(crate) has_user_cookie: bool,
    /// A refresh token did. Browsers send it with refresh calls only.
    pub(crate) has_refresh_cookie: bool,
    /// The same in a header.
    pub(crate) has_user_bearer: bool,
    /// The SDK's cookies that came along with a page load, whose answer no script sees.
    pub(crate) script_cookies: Vec<&'static str>,
    /// Where a page load goes, as the browser sees it. `None` for scripts, and for parts of a page
    /// such as images.
    pub(crate) page: Option<Uri>,
    /// A WebSocket that a page of another website opens. CORS does not protect these.
    pub(crate) is_foreign_socket: bool,
}

impl RequestFacts {
    pub(crate) fn read(request: &Incoming<'_>, mint: &MintSettings) -> Self {
        let Incoming { parts, headers, cookies, bearer } = request;
        let method = &parts.method;
        let says = |header, value: &str| {
            text(header).is_some_and(|text| text.trim().eq_ignore_ascii_case(value))
        };
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        let is_api = !matches!(*method, Method::OPTIONS | Method::TRACE) && made_by_script(headers);
        let script_cookies = OF_SCRIPTS.into_iter().zip(&cookies.of_scripts);
        let script_cookies = script_cookies.filter(|(_, found)| !is_api && found.is_there);
        let anonymous_key =
            text(headers.anonymous_mode).filter(|key| first_key::is_key(key)).map(str::to_owned);
        let bearer_kind = bearer.as_ref().and_then(PresentedToken::claimed_kind);
        Self {
            script_cookies: script_cookies.map(|(name, _)| name).collect(),
            is_api,
            mint: MintFacts {
                is_read_by_script: is_api && mint.readers.include_sender_of(headers),
                is_wanted_page: mint.for_navigations
                    && *method == Method::GET
                    && shows_a_page(headers),
                is_off: says(headers.anonymous_mode, names::ANONYMOUS_OFF),
                has_key: anonymous_key.is_some(),
                ends_session: false,
            },
            transfer: if says(headers.auth_mode, "header") {
                TransferMethod::Header
            } else {
                TransferMethod::Cookie
            },
            anonymous_key,
            is_unsafe: !is_read,
            anti_csrf: text(headers.anti_csrf).map(str::to_owned),
            has_rid: headers.rid.is_some(),
            has_anonymous_cookie: cookies.anonymous.has_values()
                || cookies.former_anonymous.has_values(),
            has_former_anonymous_cookie: cookies.former_anonymous.has_values(),
            has_anonymous_bearer: bearer_kind == Some(TokenKind::Anonymous),
            has_legacy_cookie: cookies.legacy.is_there,
            has_user_cookie: cookies.access.is_there || cookies.refresh.is_there,
            has_refresh_cookie: cookies.refresh.is_there,
            has_user_bearer: bearer_kind == Some(TokenKind::Access)
                || bearer.as_ref().is_some_and(|it| refresh_token::looks_like_one(&it.text)),
            page: (is_read && loads_a_page(headers)).then(|| request.uri().clone()),
            is_foreign_socket: headers.websocket_key.is_some()
                && !mint.readers.include_sender_of(headers),
        }
    }

    /// Whether it brings a token that may tell who the visitor is.
    pub(crate) fn has_any_token(&self) -> bool {
        self.has_anonymous_cookie
            || self.has_anonymous_bearer
            || self.has_user_cookie
            || self.has_user_bearer
    }

    /// For the refresh call, which names a visitor in `Accept` where the client must not send a
    /// header of ours. No other request may: every website can have a browser send such a header
    /// without asking.
    pub(crate) fn with_key_of_accept(mut self, headers: &HeaderMap) -> Self {
        if self.anonymous_key.is_none() {
            let key = text(headers.get(header::ACCEPT))
                .and_then(|accept| accept.strip_prefix(names::NAMED_TYPE));
            self.anonymous_key = key.filter(|key| first_key::is_key(key)).map(str::to_owned);
            self.mint.has_key = self.anonymous_key.is_some();
        }
        self
    }
}

/// Made by a script that can read the answer. Fetch Metadata tells. Without it, a request
/// for HTML, or first of all for a part of a page such as an image, is that of a browser that loads
/// a page.
///
/// Scripts make the requests of `EventSource`, `WebSocket` and `sendBeacon` too, but these do not
/// wait for the first request of a page and have no key of a first visit. A session that they
/// minted would have a second id, and no script would hear of it.
fn made_by_script(headers: &Headers<'_>) -> bool {
    let first_type = headers.first_accepted();
    // A script that reads such a stream by `fetch` has the SDK's header, which nobody can give to
    // an `EventSource`.
    let is_event_source =
        first_type.eq_ignore_ascii_case("text/event-stream") && headers.rid.is_none();
    if is_event_source || headers.websocket_key.is_some() {
        return false;
    }
    match (text(headers.fetch_mode), text(headers.fetch_dest)) {
        (Some("navigate" | "no-cors" | "websocket"), _) => false,
        (_, Some(destination)) => destination == "empty",
        (Some(_), None) => true,
        (None, None) => {
            let begins = |part: &str| {
                let start = first_type.get(..part.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(part))
            };
            let is_part =
                ["image/", "text/css", "font/", "video/", "audio/"].into_iter().any(begins);
            !is_part && !headers.accept_html()
        }
    }
}

/// A browser that loads a page or a frame, and not what a page consists of.
fn loads_a_page(headers: &Headers<'_>) -> bool {
    match (text(headers.fetch_mode), text(headers.fetch_dest)) {
        (_, Some(destination)) => matches!(destination, "document" | "iframe" | "frame"),
        (Some(mode), None) => mode == "navigate",
        (None, None) => headers.accept_html(),
    }
}

/// A page in a tab, which somebody looks at: no frame, and nothing fetched ahead of a click that
/// may never come.
fn shows_a_page(headers: &Headers<'_>) -> bool {
    let ahead = ["sec-purpose", "purpose", "x-moz"].into_iter().any(|name| {
        text(headers.all.get(name)).is_some_and(|purpose| purpose.contains("prefetch"))
    });
    !ahead
        && loads_a_page(headers)
        && text(headers.fetch_dest).is_none_or(|destination| destination == "document")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use passerby_protocol::identity::{Mint, MintRules, mint_decision};

    use super::*;
    use crate::{readers::Readers, web::cookies::CookieSettings};

    impl RequestFacts {
        fn of(
            method: &Method,
            headers: &HeaderMap,
            settings: &CookieSettings,
            mint: &MintSettings,
        ) -> Self {
            let (mut parts, ()) = http::Request::new(()).into_parts();
            (parts.method, parts.headers) = (method.clone(), headers.clone());
            Self::read(&Incoming::read(&parts, settings, PresentedToken::unknown), mint)
        }
    }

    fn bearer(headers: &HeaderMap) -> Option<&str> {
        Headers::of(headers).bearer()
    }

    fn facts(pairs: &[(&'static str, &'static str)]) -> RequestFacts {
        RequestFacts::of(&Method::GET, &headers(pairs), &settings(), &MintSettings::default())
    }

    fn may_mint(facts: &RequestFacts) -> bool {
        let rules = MintRules { enabled: true, only_with_key: false };
        mint_decision(&facts.mint, &rules, false) == Mint::Stranger
    }

    fn with_pages() -> MintSettings {
        MintSettings { for_navigations: true, ..MintSettings::default() }
    }

    fn settings() -> CookieSettings {
        CookieSettings {
            secure: true,
            same_site: crate::web::cookies::SameSite::Lax,
            partitioned: false,
            domain: None,
            refresh_path: String::new(),
            anonymous_name: "__Host-t".into(),
            former_anonymous_name: Some("t".into()),
            older_domain: None,
            expose_access_token: false,
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn tells_scripts_from_pages() {
        for (pairs, is_api) in [
            (&[][..], true),
            (&[("accept", "*/*")], true),
            (&[("accept", "text/html,application/xhtml+xml")], false),
            (&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], false),
            (&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], false),
            (&[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")], true),
            (
                &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), ("accept", "text/html")],
                true,
            ),
            (&[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], false),
            (&[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "script")], false),
            // `sendBeacon`, `EventSource` and `WebSocket`, with and without Fetch Metadata.
            (
                &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "empty"), ("accept", "*/*")],
                false,
            ),
            (
                &[
                    ("sec-fetch-mode", "cors"),
                    ("sec-fetch-dest", "empty"),
                    ("accept", "text/event-stream"),
                ],
                false,
            ),
            (&[("accept", "text/event-stream")], false),
            (&[("sec-fetch-mode", "websocket"), ("sec-fetch-dest", "empty")], false),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")], false),
            // Other types that scripts may accept.
            (
                &[
                    ("sec-fetch-mode", "same-origin"),
                    ("sec-fetch-dest", "empty"),
                    ("accept", "image/png"),
                ],
                true,
            ),
            (&[("accept", "application/json, text/event-stream")], true),
            (&[("accept", "text/event-stream"), ("rid", "anti-csrf")], true),
            (
                &[
                    ("sec-fetch-mode", "cors"),
                    ("sec-fetch-dest", "empty"),
                    ("accept", "text/event-stream"),
                    ("rid", "x"),
                ],
                true,
            ),
            (&[("accept", "application/json, image/*")], true),
            // Images, style sheets, fonts and films without Fetch Metadata.
            (&[("accept", "image/avif,image/webp,*/*;q=0.8")], false),
            (&[("accept", " Image/*")], false),
            (&[("accept", "text/css,*/*;q=0.1")], false),
            (&[("accept", "font/woff2;q=1.0,*/*")], false),
            (&[("accept", "video/webm,video/*;q=0.9")], false),
            (&[("accept", "audio/*")], false),
        ] {
            assert_eq!(facts(pairs).is_api, is_api, "{pairs:?}");
        }
        assert!(!may_mint(&RequestFacts::of(
            &Method::OPTIONS,
            &HeaderMap::new(),
            &settings(),
            &with_pages()
        )));
    }

    #[test]
    fn page_loads_mint_where_the_app_wants_that() {
        for (pairs, may_mint) in [
            (&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")][..], true),
            (&[("accept", "text/html")], true),
            (&[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")], true),
            (&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], false),
            (&[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], false),
            (&[("accept", "image/*")], false),
            (&[("accept", "text/event-stream")], false),
            (&[("sec-fetch-mode", "no-cors")], false),
            (
                &[
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "document"),
                    ("sec-purpose", "prefetch;prerender"),
                ],
                false,
            ),
        ] {
            let with_pages =
                RequestFacts::of(&Method::GET, &headers(pairs), &settings(), &with_pages());
            assert_eq!(self::may_mint(&with_pages), may_mint, "{pairs:?}");
            assert_eq!(self::may_mint(&facts(pairs)), facts(pairs).is_api, "{pairs:?}");
        }
    }

    #[test]
    fn sees_the_anonymous_cookie_under_both_names() {
        for (line, has, has_former) in [
            ("x=1", false, false),
            ("__Host-t=1", true, false),
            ("t=1", true, true),
            ("t=1; __Host-t=1", true, true),
        ] {
            let facts = facts(&[("cookie", line)]);
            assert_eq!(
                (facts.has_anonymous_cookie, facts.has_former_anonymous_cookie),
                (has, has_former),
                "{line}"
            );
        }
    }

    #[test]
    fn transfer_is_cookie_unless_asked() {
        assert_eq!(facts(&[]).transfer, TransferMethod::Cookie);
        assert_eq!(facts(&[("st-auth-mode", "cookie")]).transfer, TransferMethod::Cookie);
        assert_eq!(facts(&[("st-auth-mode", "Header")]).transfer, TransferMethod::Header);
    }

    #[test]
    fn only_a_script_that_can_read_the_answer_gets_a_session() {
        let ours = Readers {
            origins: vec!["https://www.example.com".into(), "capacitor://localhost".into()],
        };
        let settings = MintSettings { readers: ours, ..MintSettings::default() };
        let script = [("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];
        for (pairs, reads) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site"), ("origin", "https://www.example.com")], true),
            (&[("sec-fetch-site", "cross-site"), ("origin", "capacitor://localhost")], true),
            (&[("sec-fetch-site", "same-site"), ("origin", "https://evil.example.com")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "null")], false),
            (&[("origin", "https://www.example.com")], true),
            (&[("origin", "https://api.example.com"), ("host", "api.example.com")], true),
            (&[("origin", "https://evil.example.com"), ("host", "api.example.com")], false),
            (
                &[("origin", "https://www.example.com.evil.example"), ("host", "api.example.com")],
                false,
            ),
            (&[("origin", "null"), ("host", "null")], false),
        ] {
            let headers = headers(&[&script[..], pairs].concat());
            let facts = RequestFacts::of(&Method::GET, &headers, &self::settings(), &settings);
            assert_eq!(facts.mint.is_read_by_script, reads, "{pairs:?}");
        }
    }

    #[test]
    fn a_client_that_must_not_send_a_header_of_ours_names_the_visitor_in_accept() {
        let key = "1094861636-4294967295-2717908991-77";
        let accept: &'static str = format!("*/*, application/vnd.passerby;key={key}").leak();
        assert_eq!(facts(&[("accept", accept)]).anonymous_key, None, "not in any request");
        let in_the_refresh_call = |pairs: &[_]| facts(pairs).with_key_of_accept(&headers(pairs));
        let named = in_the_refresh_call(&[("accept", accept)]);
        assert_eq!((named.anonymous_key.as_deref(), named.mint.has_key), (Some(key), true));
        assert_eq!(in_the_refresh_call(&[("accept", "*/*")]).anonymous_key, None);
        let both = in_the_refresh_call(&[
            ("accept", accept),
            ("st-anonymous-mode", "k2Xp0vT9sQ4mZ7bL1cR8wd"),
        ]);
        assert_eq!(both.anonymous_key.as_deref(), Some("k2Xp0vT9sQ4mZ7bL1cR8wd"));
    }

    #[test]
    fn bearer_is_read_leniently() {
        assert_eq!(bearer(&headers(&[("authorization", "Bearer  abc ")])), Some("abc"));
        assert_eq!(bearer(&headers(&[("authorization", "bearer abc")])), Some("abc"));
        for other in ["Basic abc", "Bearer", "Bearer ", ""] {
            assert_eq!(bearer(&headers(&[("authorization", other)])), None);
        }
    }
}
