//! The rules for what names a site: origins, paths, and cookies with their domains.

use std::net::Ipv4Addr;

use passerby_protocol::{
    domain,
    names::{cookie, front_cookie},
};
use url::{Host, Url};

use super::BuildError;
use crate::web::cookies::SameSite;

/// A domain as the SDK reads it, too. Credentials and other schemes are refused. So is a name such
/// as `localhost.org` without its scheme: the SDK takes `http` for it, but it is another machine,
/// whose cookies would go without `Secure`.
pub(super) fn origin(option: &'static str, value: &str) -> Result<Url, BuildError> {
    domain::url_of(value)
        .filter(|text| text.matches("://").count() == 1)
        .and_then(|text| Url::parse(&text).ok())
        .filter(|url| url.username().is_empty() && url.password().is_none())
        .filter(|url| {
            let is_name = matches!(url.host(), Some(Host::Domain(_)));
            url.scheme() == "https" || value.contains("://") || !is_name || is_local(url)
        })
        .ok_or_else(|| BuildError::NotAnOrigin { option, value: value.to_owned() })
}

/// The origin of a website or a packaged app, as it is sent.
pub(super) fn trusted_origin(option: &'static str, value: &str) -> Result<String, BuildError> {
    if is_of_an_app(value) {
        Ok(value.to_owned())
    } else {
        Ok(origin(option, value)?.origin().ascii_serialization())
    }
}

/// An origin of a packaged app or an extension. Schemes of websites are excluded, and those that
/// any page may have because they have no host of their own.
pub(super) fn is_of_an_app(origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    let others = [
        "http",
        "https",
        "ws",
        "wss",
        "ftp",
        "file",
        "data",
        "blob",
        "javascript",
        "about",
        "filesystem",
    ];
    let mut letters = scheme.bytes();
    letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte)
        })
        && !others.contains(&scheme)
        && !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte))
}

pub(super) fn base_path(value: &str) -> Result<String, BuildError> {
    let path = format!("/{}", value.trim().trim_matches('/'));
    let valid =
        path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%\"<>\\^`{|};".contains(&byte))
            && !path.contains("//");
    match (valid, path.len()) {
        (false, _) => Err(BuildError::BadBasePath(value.to_owned())),
        (true, 1) => Ok(String::new()),
        (true, _) => Ok(path),
    }
}

pub(super) fn cookie_domain(value: &str, api: &Url) -> Result<String, BuildError> {
    let domain = value.trim().trim_start_matches('.').to_ascii_lowercase();
    let host = api.host_str().unwrap_or_default();
    let covers =
        host == domain || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'));
    if domain.is_empty() || !covers {
        Err(BuildError::BadCookieDomain(value.to_owned()))
    } else {
        Ok(domain)
    }
}

fn cookie_name(name: String) -> Result<String, BuildError> {
    let taken = [
        cookie::ACCESS_TOKEN,
        cookie::REFRESH_TOKEN,
        cookie::ID_REFRESH_TOKEN,
        front_cookie::LAST_UPDATE,
        front_cookie::FRONT_TOKEN,
        front_cookie::ANTI_CSRF,
        front_cookie::ANONYMOUS_FRONT_TOKEN,
        front_cookie::ACCESS_TOKEN,
        front_cookie::REFRESH_TOKEN,
        front_cookie::ANONYMOUS_TOKEN,
    ];
    let valid = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    // It is read under the name without the prefix as well.
    let bare = name.strip_prefix(cookie::HOST_PREFIX).unwrap_or(&name);
    if valid && !bare.is_empty() && !taken.contains(&bare) {
        Ok(name)
    } else {
        Err(BuildError::BadCookieName(name))
    }
}

/// The name that is given, or the safest default that browsers take.
pub(super) fn anonymous_cookie_name(
    given: Option<String>,
    secure: bool,
    has_domain: bool,
) -> Result<String, BuildError> {
    let Some(name) = given else {
        let prefix = if secure && !has_domain { cookie::HOST_PREFIX } else { "" };
        return Ok([prefix, cookie::ANONYMOUS_TOKEN].concat());
    };
    let name = cookie_name(name)?;
    // Browsers compare prefixes without regard to case.
    let lower = name.to_ascii_lowercase();
    let host_bound = lower.starts_with("__host-");
    if (host_bound && (!secure || has_domain)) || (lower.starts_with("__secure-") && !secure) {
        return Err(BuildError::PrefixNotAllowed(name));
    }
    Ok(name)
}

/// The same name on the other side of a configuration change.
pub(super) fn former_cookie_name(name: &str) -> String {
    match name.strip_prefix(cookie::HOST_PREFIX) {
        Some(bare) => bare.to_owned(),
        None => [cookie::HOST_PREFIX, name].concat(),
    }
}

pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(_)) => true,
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.to_ipv4() == Some(Ipv4Addr::LOCALHOST)
        }
        None => false,
    }
}

/// Browsers take `Secure` cookies from their own machine without encryption.
pub(super) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        _ => is_local(url),
    }
}

/// `SameSite`: `none` when the registrable domain or the scheme differ, else `lax`.
pub(super) fn same_site(api: &Url, website: &Url) -> SameSite {
    let one_site = api.scheme() == website.scheme() && site(api) == site(website);
    if one_site { SameSite::Lax } else { SameSite::None }
}

fn site(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    if is_local(url) && matches!(url.host(), Some(Host::Domain(_))) {
        return "localhost".to_owned();
    }
    psl::domain_str(host).unwrap_or(host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        origin("api_domain", text).unwrap()
    }

    #[test]
    fn origins_are_normalised() {
        for (text, expected) in [
            ("api.example.com", "https://api.example.com"),
            ("HTTP://Api.Example.com:8080/one", "http://api.example.com:8080"),
            ("localhost:3000", "http://localhost:3000"),
            ("127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("https://localhost", "https://localhost"),
            ("https://x.com:443", "https://x.com"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("[2001:db8::1]:3000", "http://[2001:db8::1]:3000"),
            (".example.com", "https://example.com"),
            ("http://intranet:8080", "http://intranet:8080"),
            ("http://a.localhost:3000", "http://a.localhost:3000"),
            ("http://localhost.org", "http://localhost.org"),
            ("a.localhost:3000", "https://a.localhost:3000"),
        ] {
            assert_eq!(url(text).origin().ascii_serialization(), expected, "{text}");
        }
        for text in [
            "",
            " ",
            "foo",
            "ftp://example.com",
            "localhost.org",
            "localhosting.example",
            "https://",
            "https://a b.com",
            "https://user:pass@example.com",
            "/auth",
            "null",
        ] {
            let error = origin("api_domain", text).unwrap_err();
            assert!(error.to_string().contains("api_domain"), "{text}: {error}");
        }
    }

    #[test]
    fn apps_have_origins_of_their_own_schemes() {
        for app in [
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "app://com.example.shop",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "moz-extension://0b54e3c8-5a3a-4f4e-9d0a-6a1d3c1f0a11",
        ] {
            assert_eq!(trusted_origin("trusted_origin", app).unwrap(), app);
        }
        for bad in [
            "capacitor://",
            "file://x",
            "file:///x",
            "app://a/b",
            "app://a b",
            "app:a",
            "Capacitor://localhost",
            "null",
            "://x",
        ] {
            assert!(trusted_origin("trusted_origin", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn base_paths_are_normalised() {
        for (text, expected) in
            [("/auth", "/auth"), ("auth/", "/auth"), ("/", ""), ("", ""), ("/a/b", "/a/b")]
        {
            assert_eq!(base_path(text).unwrap(), expected);
        }
        for text in ["/a?b", "/a#b", "/a b", "/a//b", "/ä"] {
            assert!(base_path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn same_site_follows_the_registrable_domain() {
        assert_eq!(
            same_site(&url("https://api.example.co.uk"), &url("https://www.example.co.uk")),
            SameSite::Lax
        );
        assert_eq!(same_site(&url("https://a.co.uk"), &url("https://b.co.uk")), SameSite::None);
        assert_eq!(
            same_site(&url("https://a.github.io"), &url("https://b.github.io")),
            SameSite::None
        );
        assert_eq!(
            same_site(&url("https://example.com"), &url("http://example.com")),
            SameSite::None
        );
        assert_eq!(same_site(&url("localhost:3000"), &url("localhost:3001")), SameSite::Lax);
        assert_eq!(same_site(&url("127.0.0.1:3000"), &url("127.0.0.1:4000")), SameSite::Lax);
    }

    #[test]
    fn cookie_domains_must_cover_the_api() {
        let api = url("https://api.example.com");
        assert_eq!(cookie_domain(".Example.com", &api).unwrap(), "example.com");
        for bad in ["other.com", "ample.com", "", "a.api.example.com"] {
            assert!(cookie_domain(bad, &api).is_err(), "{bad}");
        }
    }

    #[test]
    fn cookie_names_are_checked() {
        assert_eq!(cookie_name("jwt".into()).unwrap(), "jwt");
        for bad in ["", "a b", "a=b", "ü", "__Host-"] {
            assert!(cookie_name(bad.into()).is_err(), "{bad}");
        }
        for taken in [
            "sAccessToken",
            "sRefreshToken",
            "sIdRefreshToken",
            "sFrontToken",
            "sAnonymousFrontToken",
            "sAntiCsrf",
            "st-last-access-token-update",
            "st-access-token",
            "st-refresh-token",
            "st-anonymous-token",
        ] {
            for bad in [taken.to_owned(), format!("__Host-{taken}")] {
                let error = anonymous_cookie_name(Some(bad.clone()), true, false).unwrap_err();
                assert!(matches!(error, BuildError::BadCookieName(_)), "{bad}");
            }
        }
    }

    #[test]
    fn the_anonymous_cookie_is_bound_to_its_host_where_browsers_allow_it() {
        for (secure, has_domain, expected) in [
            (true, false, "__Host-sAnonymousToken"),
            (true, true, "sAnonymousToken"),
            (false, false, "sAnonymousToken"),
        ] {
            assert_eq!(anonymous_cookie_name(None, secure, has_domain).unwrap(), expected);
            assert_eq!(
                anonymous_cookie_name(Some("jwt".into()), secure, has_domain).unwrap(),
                "jwt"
            );
            let given = anonymous_cookie_name(Some("__Host-jwt".into()), secure, has_domain);
            assert_eq!(given.is_ok(), secure && !has_domain);
        }
        assert!(anonymous_cookie_name(Some("__secure-jwt".into()), false, false).is_err());
        assert!(anonymous_cookie_name(Some("__SECURE-jwt".into()), true, true).is_ok());
        assert_eq!(former_cookie_name("__Host-jwt"), "jwt");
        assert_eq!(former_cookie_name("jwt"), "__Host-jwt");
    }
}
