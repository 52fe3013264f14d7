//! How a domain of the configuration is read, such as the API's.

use alloc::{format, string::String};

/// The URL that a domain stands for, which a URL parser has yet to accept; `None` for a text that
/// is not a domain. Without a scheme it is `https`, and `http` for an IP address and for a host
/// that begins with `localhost`. SuperTokens' packages read domains in this way, so `a.localhost`
/// needs its scheme. `src/browser/scope.js` repeats the rule; the cases below are tried there, too.
pub fn url_of(domain: &str) -> Option<String> {
    let text = domain.trim().to_lowercase();
    if text.starts_with("http://") || text.starts_with("https://") {
        return Some(text);
    }
    let text = text.strip_prefix('.').unwrap_or(&text);
    let is_local = text.starts_with("localhost") || text.starts_with('[');
    if text.starts_with('/') || !(text.contains('.') || is_local) {
        return None;
    }
    let scheme = if is_local || is_ipv4(host_of(text)) { "http" } else { "https" };
    Some(format!("{scheme}://{text}"))
}

fn host_of(text: &str) -> &str {
    text.split([':', '/', '?', '#']).next().unwrap_or_default()
}

/// A URL parser lets a host end in a number only if it is an IPv4 address.
fn is_ipv4(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests/unit/scope.test.mjs` reads these lines.
    const CASES: &[(&str, Option<&str>)] = &[
        ("api.example.com", Some("https://api.example.com")),
        ("API.Example.com", Some("https://api.example.com")),
        ("  api.example.com ", Some("https://api.example.com")),
        (".example.com/one/two", Some("https://example.com/one/two")),
        ("HTTP://Api.Example.com:8080/one?x#y", Some("http://api.example.com:8080/one?x#y")),
        ("https://127.0.0.1:80/", Some("https://127.0.0.1:80/")),
        ("http://intranet:8080", Some("http://intranet:8080")),
        ("foo/bar.json", Some("https://foo/bar.json")),
        ("localhost", Some("http://localhost")),
        ("localhost:4000/one", Some("http://localhost:4000/one")),
        (".localhost:8080", Some("http://localhost:8080")),
        ("localhost.org", Some("http://localhost.org")),
        ("https://localhost", Some("https://localhost")),
        ("a.localhost:3000", Some("https://a.localhost:3000")),
        ("http://a.localhost:3000", Some("http://a.localhost:3000")),
        ("127.0.0.1:4000/one", Some("http://127.0.0.1:4000/one")),
        ("1.example.com", Some("https://1.example.com")),
        ("[::1]:3000", Some("http://[::1]:3000")),
        ("[2001:db8::1]", Some("http://[2001:db8::1]")),
        ("", None),
        ("foo", None),
        ("foo:3000", None),
        ("/", None),
        ("/app.example.com", None),
        ("//x.com/a", None),
        ("one/two/", None),
    ];

    #[test]
    fn domains_are_read_as_the_peers_read_them() {
        for (domain, expected) in CASES {
            assert_eq!(url_of(domain).as_deref(), *expected, "{domain:?}");
        }
    }
}
