//! Which URLs are ours: the configuration's normalisation (reference 3.2) and the interception decision (reference 4.1).
//!
//! Parsing URLs is left to the host, which has a parser anyway.

use alloc::{format, string::String};

/// A parsed absolute URL; the members are those of the URL standard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Scheme with colon, for example `https:`.
    pub protocol: String,
    /// Host and, unless it is the default one, port.
    pub host: String,
    /// Host without port.
    pub hostname: String,
    /// Path, beginning with `/`.
    pub pathname: String,
}

/// Parses an absolute URL, or says that it is none.
pub type Parse<'a> = &'a dyn Fn(&str) -> Option<Parsed>;

fn has_scheme(text: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

fn is_ipv4(host: &str) -> bool {
    host.split('.').count() == 4 && host.split('.').all(|part| part.parse::<u8>().is_ok())
}

/// The domain rule: scheme, host and port of `input`, for example `https://api.example.com`. `None` means "not a valid domain name".
#[must_use]
pub fn domain(input: &str, parse: Parse<'_>) -> Option<String> {
    let text = input.trim();
    if has_scheme(text) {
        let url = parse(text)?;
        return Some(format!("{}//{}", url.protocol, url.host));
    }
    let text = text.strip_prefix('.').unwrap_or(text);
    let is_local = text.starts_with("localhost") || text.starts_with('[');
    if text.starts_with('/') || !(text.contains('.') || is_local) {
        return None;
    }
    let url = parse(&format!("https://{text}"))?;
    if is_local || is_ipv4(&url.hostname) {
        // Parsed again, because the port that is the default differs.
        let url = parse(&format!("http://{text}"))?;
        return Some(format!("http://{}", url.host));
    }
    Some(format!("https://{}", url.host))
}

/// The path rule: the path of `input` without a trailing slash, empty for the root. `None` means "not a valid URL path".
#[must_use]
pub fn path(input: &str, parse: Parse<'_>) -> Option<String> {
    let text = input.trim();
    let with_host = |text: &str| parse(&format!("http://{text}"));
    let url = if has_scheme(text) {
        parse(text)?
    } else if let Some(url) =
        with_host(text).filter(|url| !text.starts_with('/') && (url.hostname.contains('.') || text.starts_with("localhost")))
    {
        url
    } else {
        let rest = text.strip_prefix('/').unwrap_or(text);
        with_host(&format!("x/{rest}"))?
    };
    Some(url.pathname.strip_suffix('/').unwrap_or(&url.pathname).into())
}

/// Whether a request to `url`, already resolved against the document, is ours: its host is the API's (any port and scheme of the web,
/// as with the peer), or `backend_domain` (normalised, with or without a leading dot) is its host or a parent of it.
#[must_use]
pub fn is_ours(protocol: &str, hostname: &str, api_hostname: &str, backend_domain: Option<&str>) -> bool {
    if protocol != "https:" && protocol != "http:" {
        return false;
    }
    hostname == api_hostname
        || backend_domain.map(|domain| domain.strip_prefix('.').unwrap_or(domain)).is_some_and(|domain| {
            hostname == domain || !is_ipv4(hostname) && hostname.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
        })
}

/// Whether a page may follow a redirect to a URL of `origin`: only its own origin, and those the app listed.
///
/// Opaque origins are refused even to a page that has one itself: `javascript:` has it too.
#[must_use]
pub fn may_follow<'a>(origin: &str, own_origin: &str, mut allowed: impl Iterator<Item = &'a str>) -> bool {
    origin != "null" && (origin == own_origin || allowed.any(|listed| listed == origin))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn parse(text: &str) -> Option<Parsed> {
        let url = url::Url::parse(text).ok()?;
        let hostname = url.host_str()?.to_string();
        let host = url.port().map_or(hostname.clone(), |port| format!("{hostname}:{port}"));
        Some(Parsed { protocol: format!("{}:", url.scheme()), host, hostname, pathname: url.path().into() })
    }

    #[test]
    fn domains_are_normalised_as_in_the_reference() {
        for (input, expected) in [
            ("api.example.com", Some("https://api.example.com")),
            (".example.com/one/two", Some("https://example.com")),
            ("http://api.example.com:8080/one?x#y", Some("http://api.example.com:8080")),
            ("localhost:4000/one/two", Some("http://localhost:4000")),
            ("https://localhost", Some("https://localhost")),
            ("localhost.org", Some("http://localhost.org")),
            (".localhost:8080", Some("http://localhost:8080")),
            ("127.0.0.1:4000/one", Some("http://127.0.0.1:4000")),
            ("https://127.0.0.1:80/", Some("https://127.0.0.1:80")),
            ("http://x.com:80", Some("http://x.com")),
            ("https://x.com:443", Some("https://x.com")),
            ("API.Example.com", Some("https://api.example.com")),
            ("  api.example.com ", Some("https://api.example.com")),
            ("exämple.com", Some("https://xn--exmple-cua.com")),
            ("http://[::1]:3000", Some("http://[::1]:3000")),
            ("foo/bar.json", Some("https://foo")),
            ("foo", None),
            ("foo:3000", None),
            ("", None),
            ("/app.example.com", None),
            ("/.netlify/functions/api", None),
            ("/", None),
            ("one/two/", None),
            ("//x.com/a", None),
            // Better than the peer (reference section 9, item 72).
            ("HTTP://Api.example.com", Some("http://api.example.com")),
            ("[::1]:3000", Some("http://[::1]:3000")),
        ] {
            assert_eq!(domain(input, &parse).as_deref(), expected, "{input}");
        }
    }

    #[test]
    fn paths_are_normalised_as_in_the_reference() {
        for (input, expected) in [
            ("api.example.com", ""),
            (".example.com/one/two", "/one/two"),
            ("http://api.example.com:8080/one?x#y", "/one"),
            ("localhost:4000/one/two", "/one/two"),
            ("https://localhost", ""),
            ("localhost.org", ""),
            ("foo", "/foo"),
            ("", ""),
            ("foo/bar.json", "/foo/bar.json"),
            ("/app.example.com", "/app.example.com"),
            ("/.netlify/functions/api", "/.netlify/functions/api"),
            ("exists?email=a%40b.com", "/exists"),
            ("/", ""),
            ("one/two/", "/one/two"),
            ("/a/../b", "/b"),
            ("/auth", "/auth"),
        ] {
            assert_eq!(path(input, &parse).as_deref(), Some(expected), "{input}");
        }
    }

    fn ours(url: &str, api: &str, backend: Option<&str>) -> bool {
        let url = url::Url::parse(url).unwrap();
        let api = parse(api).map(|parsed| parsed.hostname).unwrap_or_default();
        is_ours(&format!("{}:", url.scheme()), url.host_str().unwrap_or(""), &api, backend)
    }

    #[test]
    fn our_urls_are_those_of_the_reference() {
        for (url, api, backend, expected) in [
            ("https://api.example.com", "http://api.example.com:8080", None, true),
            ("http://api.example.com:3000", "https://api.example.com", None, true),
            ("https://localhost:3000", "http://localhost:3001", None, true),
            ("http://127.0.0.1:3000", "https://127.0.0.1:3000", None, true),
            ("https://api.example.com", "https://example.com", None, false),
            ("https://api.example.com", "https://a.api.example.com", None, false),
            ("https://example.com", "https://api.example.com", None, false),
            ("http://localhost", "http://localhost.org", None, false),
            ("http://localhost", "http://localhost", Some("localhost.org"), true),
            ("https://sub.api.example.com:3000", "", Some("example.com"), true),
            ("https://sub.api.example.com:3000", "", Some(".example.com"), true),
            ("https://sub.api.example.com:3000", "", Some("api.example.com"), true),
            ("https://api.example.com:3000", "", Some(".a.api.example.com"), false),
            ("https://sub1.api.example.co.uk:3000", "", Some(".api.example.co.uk"), true),
            ("http://a.localhost:3000", "", Some(".localhost"), true),
            ("http://127.0.0.1:3000", "", Some("127.0.0.1"), true),
            ("https://notexample.com", "", Some("example.com"), false),
            ("https://1.2.3.4", "", Some("3.4"), false),
            // Better than the peer (reference section 9, item 1).
            ("blob:https://api.example.com/x", "https://api.example.com", None, false),
            ("data:text/plain,x", "https://api.example.com", None, false),
        ] {
            assert_eq!(ours(url, api, backend), expected, "{url} {api} {backend:?}");
        }
    }

    #[test]
    fn redirects_stay_at_home() {
        let own = "https://shop.example";
        let listed = ["https://account.example"];
        for (origin, expected) in [
            ("https://shop.example", true),
            ("https://account.example", true),
            ("http://shop.example", false),
            ("https://shop.example:8443", false),
            ("https://evil.example", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(may_follow(origin, own, listed.into_iter()), expected, "{origin}");
        }
        assert!(!may_follow("null", "null", core::iter::empty()));
    }
}
