//! Reading and writing cookies.

use std::time::Duration;

use ::cookie::{Cookie, time::OffsetDateTime};
use http::{HeaderMap, HeaderValue, header};
use passerby_protocol::names::cookie;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The characters that JavaScript's `encodeURIComponent` leaves alone; the peers' cookie library
/// uses it.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The access cookie outlives its token, so that an expired one can still be seen and refreshed.
const ACCESS_COOKIE_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);

/// Longer than this no browser keeps a cookie (RFC 6265bis, section 5.5), whatever we ask for.
pub(crate) const LONGEST_COOKIE_LIFE: Duration = Duration::from_secs(400 * 24 * 3600);

/// When browsers send a cookie along with requests from other sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SameSite {
    Lax,
    None,
}

/// Attributes that all our cookies share.
#[derive(Clone, Debug)]
pub(crate) struct CookieSettings {
    pub(crate) secure: bool,
    pub(crate) same_site: SameSite,
    /// Whether browsers keep them apart by the site that the visitor sees in the address bar. Only
    /// such cookies reach a page in another site's frame where third-party cookies are blocked.
    pub(crate) partitioned: bool,
    pub(crate) domain: Option<String>,
    pub(crate) refresh_path: String,
    /// The anonymous cookie is set under this name.
    pub(crate) anonymous_name: String,
    /// It is read under this name too: the one it had before the `__Host-` prefix came, or went.
    pub(crate) former_anonymous_name: Option<String>,
    /// Where cookies lie that a former configuration set. The inner `None` is the API's host only.
    pub(crate) older_domain: Option<Option<String>>,
    /// Whether scripts get the access token in a header besides.
    pub(crate) expose_access_token: bool,
}

impl CookieSettings {
    /// The anonymous cookies of a request, those first that no other host can have set.
    pub(crate) fn anonymous_values(&self, headers: &HeaderMap) -> Vec<PresentedCookie> {
        let names = std::iter::once(&self.anonymous_name).chain(&self.former_anonymous_name);
        names
            .flat_map(|name| {
                let (bound_to_host, former) =
                    (name.starts_with(cookie::HOST_PREFIX), *name != self.anonymous_name);
                values(headers, name).into_iter().map(move |value| PresentedCookie {
                    value,
                    bound_to_host,
                    former,
                })
            })
            .collect()
    }

    pub(crate) fn access(&self, token: &str, now_ms: u64) -> HeaderValue {
        let expires = now_ms.saturating_add(crate::clock::millis(ACCESS_COOKIE_LIFE));
        self.set(cookie::ACCESS_TOKEN, token, "/", expires)
    }

    pub(crate) fn refresh(&self, token: &str, expires_ms: u64) -> HeaderValue {
        self.set(cookie::REFRESH_TOKEN, token, &self.refresh_path, expires_ms)
    }

    pub(crate) fn anonymous(&self, token: &str, expires_ms: u64, now_ms: u64) -> HeaderValue {
        let latest = now_ms.saturating_add(crate::clock::millis(LONGEST_COOKIE_LIFE));
        self.set(&self.anonymous_name, token, "/", expires_ms.min(latest))
    }

    pub(crate) fn clear_access(&self) -> HeaderValue {
        self.set(cookie::ACCESS_TOKEN, "", "/", 0)
    }

    pub(crate) fn clear_refresh(&self) -> HeaderValue {
        self.set(cookie::REFRESH_TOKEN, "", &self.refresh_path, 0)
    }

    /// Removes what a former configuration left; nothing when none is known. Never touches a cookie
    /// of the present one.
    pub(crate) fn clear_older(&self) -> Vec<HeaderValue> {
        let of_before = |domain| Self { domain, partitioned: false, ..self.clone() };
        let elsewhere = self.older_domain.clone().map(of_before);
        // Browsers keep both of a name, one partitioned and one not.
        let unpartitioned = self.partitioned.then(|| of_before(self.domain.clone()));
        elsewhere
            .into_iter()
            .chain(unpartitioned)
            .flat_map(|older| [older.clear_access(), older.clear_refresh()])
            .collect()
    }

    /// Removes a cookie that the SDK wrote, with the domain of ours and without.
    pub(crate) fn clear_script(&self, name: &str) -> Vec<HeaderValue> {
        let own = self.domain.is_some().then(|| self.set(name, "", "/", 0));
        own.into_iter()
            .chain([Self { domain: None, ..self.clone() }.set(name, "", "/", 0)])
            .collect()
    }

    pub(crate) fn clear_anonymous(&self) -> HeaderValue {
        self.set(&self.anonymous_name, "", "/", 0)
    }

    pub(crate) fn clear_former_anonymous(&self) -> Option<HeaderValue> {
        self.former_anonymous_name.as_ref().map(|name| self.set(name, "", "/", 0))
    }

    pub(crate) fn clear_legacy(&self) -> HeaderValue {
        self.set(cookie::ID_REFRESH_TOKEN, "", "/", 0)
    }

    fn set(&self, name: &str, value: &str, path: &str, expires_ms: u64) -> HeaderValue {
        let seconds = i64::try_from(expires_ms / 1000).unwrap_or(i64::MAX);
        // Cookie dates have four-digit years.
        let latest = OffsetDateTime::from_unix_timestamp(253_402_300_799)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let expires = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(latest).min(latest);
        let value = utf8_percent_encode(value, COMPONENT).to_string();
        // Browsers take such a cookie, also one that clears, only with `Secure` and without
        // `Domain`.
        let bound_to_host = name.starts_with(cookie::HOST_PREFIX);
        let secure = self.secure || bound_to_host;
        let cookie =
            Cookie::build((name, value)).path(path).expires(expires).http_only(true).secure(secure);
        let mut cookie = cookie.partitioned(self.partitioned).same_site(match self.same_site {
            SameSite::Lax => ::cookie::SameSite::Lax,
            SameSite::None => ::cookie::SameSite::None,
        });
        if let Some(domain) = self.domain.as_ref().filter(|_| !bound_to_host) {
            cookie = cookie.domain(domain);
        }
        // Names, paths and domains were checked when the server was configured, and the value is
        // encoded.
        HeaderValue::from_str(&cookie.build().to_string()).unwrap_or(HeaderValue::from_static(""))
    }
}

/// An anonymous cookie as a request has it.
pub(crate) struct PresentedCookie {
    pub(crate) value: String,
    /// Set by this host over HTTPS, as browsers vouch for.
    pub(crate) bound_to_host: bool,
    /// Under the name that it is no longer set under.
    pub(crate) former: bool,
}

/// No token of ours is longer. A longer one is not looked at, because it costs time.
pub(crate) const LONGEST_TOKEN: usize = 8192;
/// Of several cookies of one name so many are looked at. Browsers send those of longer paths and
/// older ones first.
const MOST_OF_A_NAME: usize = 8;

/// The values of the cookies of a request that have exactly this name, in order, percent-decoded.
/// Empty ones count as absent, and so do those that are too long or too many.
pub(crate) fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    all(headers, name)
        .filter(|value| value.len() <= LONGEST_TOKEN)
        .take(MOST_OF_A_NAME)
        .map(decoded)
        .collect()
}

fn decoded(value: &str) -> String {
    // Tokens have none, and to decode looks at each byte.
    if !value.contains('%') {
        return value.to_owned();
    }
    percent_decode_str(value).decode_utf8().map_or_else(|_| value.to_owned(), Into::into)
}

/// Whether a request has cookies of exactly these names that are not empty, whatever they are
/// worth.
pub(crate) fn are_there<const N: usize>(headers: &HeaderMap, names: [&str; N]) -> [bool; N] {
    let mut found = [false; N];
    for (name, _) in pairs(headers) {
        if let Some(position) = names.iter().position(|wanted| *wanted == name) {
            found[position] = true;
        }
    }
    found
}

fn all<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    pairs(headers).filter(move |(key, _)| *key == name).map(|(_, value)| value)
}

/// Names and values of all cookies that are not empty.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|line| {
            let bytes = line.as_bytes();
            let text = str::from_utf8(bytes).ok();
            // Another's cookie need not be text, and must not cost the visitor the session. Of a
            // text several bytes are looked at in one step.
            let pieces = text.is_none().then(|| bytes.split(|byte| *byte == b';'));
            let of_bytes =
                pieces.into_iter().flatten().filter_map(|pair| str::from_utf8(pair).ok());
            text.into_iter().flat_map(|text| text.split(';')).chain(of_bytes)
        })
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim()))
        .filter(|(_, value)| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line of the input is a `Cookie` header.
    #[test]
    fn fuzz() {
        let names = [cookie::ACCESS_TOKEN, cookie::REFRESH_TOKEN, "__Host-sAnonymousToken", ""];
        let settings = CookieSettings { anonymous_name: names[2].into(), ..settings() };
        let settings =
            CookieSettings { former_anonymous_name: Some("sAnonymousToken".into()), ..settings };
        bolero::check!().for_each(|bytes| {
            let mut headers = HeaderMap::new();
            for line in bytes.split(|byte| *byte == b'\n') {
                // Among others of ours, which is where a fuzzer would come to slowly.
                for before in ["", "sAccessToken=", "__Host-sAnonymousToken=a; sAnonymousToken="] {
                    let line = [before.as_bytes(), line].concat();
                    if let Ok(line) = HeaderValue::from_bytes(&line) {
                        headers.append(header::COOKIE, line);
                    }
                }
            }
            for (name, is_there) in names.iter().zip(are_there(&headers, names)) {
                let found = values(&headers, name);
                assert!(found.len() <= MOST_OF_A_NAME);
                assert!(is_there || found.is_empty(), "{name}");
            }
            let anonymous = settings.anonymous_values(&headers);
            assert!(anonymous.is_sorted_by_key(|cookie| !cookie.bound_to_host));
            assert!(anonymous.iter().all(|cookie| cookie.value.len() <= LONGEST_TOKEN));
        });
    }

    fn settings() -> CookieSettings {
        CookieSettings {
            secure: true,
            same_site: SameSite::Lax,
            partitioned: false,
            domain: None,
            refresh_path: "/auth/session/refresh".into(),
            anonymous_name: "sAnonymousToken".into(),
            former_anonymous_name: None,
            older_domain: None,
            expose_access_token: false,
        }
    }

    #[test]
    fn has_the_attributes_that_stock_servers_give() {
        let text = settings().refresh("a=b+c/d.e_f-g", 1_700_000_000_000);
        assert_eq!(
            text,
            "sRefreshToken=a%3Db%2Bc%2Fd.e_f-g; HttpOnly; SameSite=Lax; Secure; \
             Path=/auth/session/refresh; Expires=Tue, 14 Nov 2023 22:13:20 GMT"
        );
        let cleared =
            CookieSettings { secure: false, domain: Some("example.com".into()), ..settings() }
                .clear_access();
        assert_eq!(
            cleared,
            "sAccessToken=; HttpOnly; SameSite=Lax; Path=/; Domain=example.com; Expires=Thu, 01 \
             Jan 1970 00:00:00 GMT"
        );
    }

    #[test]
    fn a_partitioned_cookie_is_cleared_as_one_and_leaves_none_of_before() {
        let (same_site, domain) = (SameSite::None, Some("example.com".to_owned()));
        let embedded = CookieSettings { same_site, domain, partitioned: true, ..settings() };
        let attributes = "HttpOnly; SameSite=None; Partitioned; Secure; Path=/; \
            Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        assert_eq!(embedded.clear_access(), format!("sAccessToken=; {attributes}"));
        let older = embedded.clear_older();
        assert_eq!(older[0], format!("sAccessToken=; {}", attributes.replace("Partitioned; ", "")));
        assert_eq!(older.len(), 2);
        let moved = CookieSettings { older_domain: Some(None), ..embedded };
        assert_eq!(moved.clear_older().len(), 4, "at the former domain, and at this one");
        assert!(settings().clear_older().is_empty());
    }

    #[test]
    fn survives_the_end_of_time() {
        assert!(settings().refresh("t", u64::MAX).to_str().unwrap().contains("9999"));
        assert!(settings().anonymous("t", u64::MAX, u64::MAX).to_str().unwrap().contains("9999"));
    }

    #[test]
    fn the_anonymous_cookie_asks_for_400_days_at_most() {
        let day = 24 * 3600 * 1000;
        assert!(
            settings()
                .anonymous("t", u64::MAX, 0)
                .to_str()
                .unwrap()
                .ends_with("Expires=Fri, 05 Feb 1971 00:00:00 GMT")
        );
        assert!(
            settings()
                .anonymous("t", day, 0)
                .to_str()
                .unwrap()
                .ends_with("Expires=Fri, 02 Jan 1970 00:00:00 GMT")
        );
    }

    #[test]
    fn a_host_cookie_has_what_browsers_demand() {
        let named = CookieSettings {
            secure: false,
            domain: Some("example.com".into()),
            anonymous_name: "__Host-t".into(),
            ..settings()
        };
        let text = named.clear_anonymous();
        assert_eq!(
            text,
            "__Host-t=; HttpOnly; SameSite=Lax; Secure; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 \
             GMT"
        );
    }

    #[test]
    fn looks_at_no_more_than_a_few_and_none_that_is_too_long() {
        let mut headers = HeaderMap::new();
        let many = (0..700).map(|number| format!("a={number}")).collect::<Vec<_>>().join("; ");
        headers.append(
            header::COOKIE,
            HeaderValue::from_str(&format!("a={}; {many}", "x".repeat(8193))).unwrap(),
        );
        assert_eq!(values(&headers, "a"), ["0", "1", "2", "3", "4", "5", "6", "7"]);
        let mut long = HeaderMap::new();
        long.append(
            header::COOKIE,
            HeaderValue::from_str(&format!("a={}", "x".repeat(8193))).unwrap(),
        );
        assert!(values(&long, "a").is_empty());
        assert_eq!(are_there(&long, ["b", "a"]), [false, true]);
    }

    #[test]
    fn reads_exact_names_from_any_number_of_lines() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("sAccessToken=a%3D; xsAccessToken=b;sAccessToken=c"),
        );
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("sAccessToken2=d; sAccessToken=; sAccessToken; %=%zz"),
        );
        assert_eq!(values(&headers, "sAccessToken"), ["a=", "c"]);
        // Of other software, as browsers send it.
        let line = b"city=K\xc3\xb6ln; broken=\xff; sAccessToken=e";
        headers.append(header::COOKIE, HeaderValue::from_bytes(line).unwrap());
        assert_eq!(values(&headers, "sAccessToken"), ["a=", "c", "e"]);
    }
}
