//! Which URLs are ours: the configuration's normalisation and the interception decision.
//!
//! Parsing URLs is left to the host, which has a parser anyway.

/// Text as the host holds it: `String` natively, a JavaScript string in the browser, which never has to be copied to be judged.
pub trait Text: Clone + PartialEq {
    /// Without white space at both ends, in lower case.
    fn tidy(&self) -> Self;
    /// Whether it begins with `prefix`.
    fn starts_with(&self, prefix: &str) -> bool;
    /// Whether it ends with `suffix`.
    fn ends_with(&self, suffix: &Self) -> bool;
    /// Whether `part` is in it.
    fn contains(&self, part: &str) -> bool;
    /// Without the first character.
    fn skip_first(&self) -> Self;
    /// `prefix`, then this.
    fn after(&self, prefix: &str) -> Self;
}

/// A parsed absolute URL; the members are those of the URL standard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<T> {
    /// Scheme, host and, unless it is the default one, port: `https://api.example.com:8080`.
    pub origin: T,
    /// Host without port.
    pub hostname: T,
    /// Path without a slash at its end; empty for the root.
    pub path: T,
    /// Whether the host is an IPv4 address.
    pub is_ipv4: bool,
}

/// Parses an absolute URL, or says that it is none.
pub type Parse<'a, T> = &'a dyn Fn(&T) -> Option<Parsed<T>>;

fn is_web(text: &impl Text) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

fn without_dot<T: Text>(text: &T) -> T {
    if text.starts_with(".") { text.skip_first() } else { text.clone() }
}

fn is_local(text: &impl Text) -> bool {
    text.starts_with("localhost") || text.starts_with("[")
}

/// The domain rule: scheme, host and port of `input`, for example `https://api.example.com`, in `origin` and `hostname`. `None` means
/// "not a valid domain name".
#[must_use]
pub fn domain<T: Text>(input: &T, parse: Parse<'_, T>) -> Option<Parsed<T>> {
    let text = input.tidy();
    if is_web(&text) {
        return parse(&text);
    }
    let text = without_dot(&text);
    if text.starts_with("/") || !(text.contains(".") || is_local(&text)) {
        return None;
    }
    let secure = parse(&text.after("https://"))?;
    if is_local(&text) || secure.is_ipv4 { parse(&text.after("http://")) } else { Some(secure) }
}

/// The scope rule: the host of `input`, behind a leading dot if it had one. `None` means "not a valid scope".
///
/// IPv4 addresses and names of one label, as localhost is, have no dot in front.
#[must_use]
pub fn scope<T: Text>(input: &T, parse: Parse<'_, T>) -> Option<T> {
    let text = input.tidy();
    let bare = without_dot(&text);
    let url = parse(&if is_web(&bare) { bare } else { bare.after("http://") })?;
    let has_dot = text.starts_with(".") && url.hostname.contains(".") && !url.is_ipv4;
    Some(if has_dot { url.hostname.after(".") } else { url.hostname })
}

/// The path rule: the path of `input` without a slash at its end, empty for the root. `None` means "not a valid URL path".
#[must_use]
pub fn path<T: Text>(input: &T, parse: Parse<'_, T>) -> Option<T> {
    if is_web(&input.tidy()) {
        return parse(input).map(|url| url.path);
    }
    let with_host = parse(&input.after("http://"))
        .filter(|url| !input.starts_with("/") && (url.hostname.contains(".") || url.hostname.starts_with("localhost")));
    match with_host {
        Some(url) => Some(url.path),
        None => parse(&input.after(if input.starts_with("/") { "http://x" } else { "http://x/" })).map(|url| url.path),
    }
}

/// Whether a request to `url`, already resolved against the document, is ours: its host is the API's (any port and scheme of the web, as
/// with the peer), or `backend_domain`, as [`scope`] made it, is its host or a parent of it.
#[must_use]
pub fn is_ours<T: Text>(url: &Parsed<T>, api_hostname: &T, backend_domain: Option<&T>) -> bool {
    is_web(&url.origin)
        && (url.hostname == *api_hostname
            || backend_domain
                .map(without_dot)
                .is_some_and(|domain| url.hostname == domain || !url.is_ipv4 && url.hostname.ends_with(&domain.after("."))))
}

/// Whether a page may follow a redirect to `url`, whose origin is `origin`: only to a page of the web, of its own origin or of one
/// that the app listed.
///
/// The origin alone does not tell: `blob:` has the one of its maker, and `javascript:` has an opaque one, as sandboxed pages have.
#[must_use]
pub fn may_follow<T: Text>(url: &T, origin: &T, own_origin: &T, is_listed: bool) -> bool {
    is_web(url) && (origin == own_origin || is_listed)
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use super::*;

    impl Text for String {
        fn tidy(&self) -> Self {
            self.trim().to_lowercase()
        }
        fn starts_with(&self, prefix: &str) -> bool {
            str::starts_with(self, prefix)
        }
        fn ends_with(&self, suffix: &Self) -> bool {
            str::ends_with(self, &**suffix)
        }
        fn contains(&self, part: &str) -> bool {
            str::contains(self, part)
        }
        fn skip_first(&self) -> Self {
            self.chars().skip(1).collect()
        }
        fn after(&self, prefix: &str) -> Self {
            format!("{prefix}{self}")
        }
    }

    #[expect(clippy::ptr_arg, reason = "the type of `Parse`")]
    fn parse(text: &String) -> Option<Parsed<String>> {
        let url = url::Url::parse(text).ok()?;
        let path = url.path().strip_suffix('/').unwrap_or(url.path());
        Some(Parsed {
            origin: url.origin().ascii_serialization(),
            hostname: url.host_str().unwrap_or("").into(),
            path: path.into(),
            is_ipv4: matches!(url.host(), Some(url::Host::Ipv4(_))),
        })
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
            // Better than the peer.
            ("HTTP://Api.example.com", Some("http://api.example.com")),
            ("[::1]:3000", Some("http://[::1]:3000")),
        ] {
            assert_eq!(domain(&String::from(input), &parse).map(|url| url.origin).as_deref(), expected, "{input}");
        }
    }

    #[test]
    fn scopes_are_normalised_as_in_the_reference() {
        for (input, expected) in [
            ("api.example.com", Some("api.example.com")),
            (".example.com/one/two", Some(".example.com")),
            ("http://api.example.com:8080/one?x#y", Some("api.example.com")),
            ("localhost:4000/one/two", Some("localhost")),
            ("https://localhost", Some("localhost")),
            ("localhost.org", Some("localhost.org")),
            (".localhost:8080", Some("localhost")),
            ("127.0.0.1:4000/one", Some("127.0.0.1")),
            (".127.0.0.1", Some("127.0.0.1")),
            ("https://127.0.0.1:80/", Some("127.0.0.1")),
            ("http://x.com:80", Some("x.com")),
            ("API.Example.com", Some("api.example.com")),
            ("HTTP://Api.example.com", Some("api.example.com")),
            ("exämple.com", Some("xn--exmple-cua.com")),
            ("[::1]:3000", Some("[::1]")),
            ("foo", Some("foo")),
            ("foo:3000", Some("foo")),
            ("foo/bar.json", Some("foo")),
            ("", None),
            ("http://", None),
        ] {
            assert_eq!(scope(&String::from(input), &parse).as_deref(), expected, "{input}");
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
            assert_eq!(path(&String::from(input), &parse).as_deref(), Some(expected), "{input}");
        }
    }

    fn ours(url: &str, api: &str, backend: Option<&str>) -> bool {
        let url = parse(&url.into()).unwrap();
        let api = parse(&api.into()).map(|parsed| parsed.hostname).unwrap_or_default();
        let backend = backend.map(|domain| scope(&domain.into(), &parse).unwrap());
        is_ours(&url, &api, backend.as_ref())
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
            ("https://sub.api.example.com:3000", "", Some(".example.com:3001"), true),
            ("https://sub.api.example.com:3000", "", Some(".com"), true),
            ("http://127.0.0.1:3000", "", Some("https://127.0.0.1:3010"), true),
            ("http://a.localhost:3000", "", Some(".localhost:3000"), true),
            ("https://api.example.com:3000", "", Some(".a.api.example.com"), false),
            ("https://sub1.api.example.co.uk:3000", "", Some(".api.example.co.uk"), true),
            ("http://a.localhost:3000", "", Some(".localhost"), true),
            ("http://127.0.0.1:3000", "", Some("127.0.0.1"), true),
            ("https://notexample.com", "", Some("example.com"), false),
            ("https://1.2.3.4", "", Some("3.4"), false),
            // Better than the peer.
            ("blob:https://api.example.com/x", "https://api.example.com", None, false),
            ("data:text/plain,x", "https://api.example.com", None, false),
        ] {
            assert_eq!(ours(url, api, backend), expected, "{url} {api} {backend:?}");
        }
    }

    #[test]
    fn redirects_stay_at_home() {
        let own = String::from("https://shop.example");
        for (url, is_listed, expected) in [
            ("https://shop.example/dashboard", false, true),
            ("https://account.example/", true, true),
            ("https://account.example/", false, false),
            ("http://shop.example/", false, false),
            ("https://shop.example:8443/", false, false),
            ("https://shop.example@evil.example/", false, false),
            ("javascript:alert(1)", false, false),
            ("data:text/html,x", false, false),
            ("blob:https://shop.example/x", false, false),
            ("blob:https://shop.example/x", true, false),
        ] {
            let origin = url::Url::parse(url).unwrap().origin().ascii_serialization();
            assert_eq!(may_follow(&String::from(url), &origin, &own, is_listed), expected, "{url}");
        }
        let opaque = String::from("null");
        assert!(!may_follow(&String::from("javascript:alert(1)"), &opaque, &opaque, false));
    }
}
