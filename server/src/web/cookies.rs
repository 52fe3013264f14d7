//! Reading and writing cookies.

use std::{borrow::Cow, time::Duration};

use ::cookie::{Cookie, time::OffsetDateTime};
use http::{HeaderMap, HeaderValue, header};
use memchr::memchr;
use passerby_protocol::names::{cookie, front_cookie};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::headers::LONGEST_TOKEN;

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

/// Cookies that the SDK writes.
pub(crate) const OF_SCRIPTS: [&str; 3] =
    [front_cookie::FRONT_TOKEN, front_cookie::ANONYMOUS_FRONT_TOKEN, front_cookie::LAST_UPDATE];

/// The cookies of a request that matter.
pub(crate) struct RequestCookies<'a> {
    pub(crate) access: Found<'a>,
    pub(crate) refresh: Found<'a>,
    pub(crate) legacy: Found<'a>,
    /// In the order of [`OF_SCRIPTS`].
    pub(crate) of_scripts: [Found<'a>; 3],
    pub(crate) anonymous: Found<'a>,
    pub(crate) former_anonymous: Found<'a>,
}

impl<'a> RequestCookies<'a> {
    pub(crate) fn of(headers: &'a HeaderMap, settings: &CookieSettings) -> Self {
        // No cookie has this name.
        const NONE: &str = ";";
        let [user, guest, latest] = OF_SCRIPTS;
        let [access, refresh, legacy, anonymous, former_anonymous, of_scripts @ ..] = find(
            headers,
            [
                cookie::ACCESS_TOKEN,
                cookie::REFRESH_TOKEN,
                cookie::ID_REFRESH_TOKEN,
                &settings.anonymous_name,
                settings.former_anonymous_name.as_deref().unwrap_or(NONE),
                user,
                guest,
                latest,
            ],
        );
        Self { access, refresh, legacy, of_scripts, anonymous, former_anonymous }
    }

    /// The anonymous cookies, those first that no other host can have set.
    pub(crate) fn of_anonymous(
        &self,
        settings: &CookieSettings,
    ) -> impl Iterator<Item = PresentedCookie<'a>> {
        let is_bound = |name: &str| name.starts_with(cookie::HOST_PREFIX);
        let bound = is_bound(&settings.anonymous_name);
        let former_bound = settings.former_anonymous_name.as_deref().is_some_and(is_bound);
        let present =
            |bound_to_host, former| move |value| PresentedCookie { value, bound_to_host, former };
        let former = self.former_anonymous.values().map(present(former_bound, true));
        self.anonymous.values().map(present(bound, false)).chain(former)
    }
}

/// An anonymous cookie as a request has it.
pub(crate) struct PresentedCookie<'a> {
    pub(crate) value: Cow<'a, str>,
    /// Set by this host over HTTPS, as browsers vouch for.
    pub(crate) bound_to_host: bool,
    /// Under the name that it is no longer set under.
    pub(crate) former: bool,
}

/// Of several cookies of one name so many are looked at. Browsers send those of longer paths and
/// older ones first.
const MOST_OF_A_NAME: usize = 8;

/// The cookies of one name. Empty ones count as absent.
#[derive(Default)]
pub(crate) struct Found<'a> {
    /// Whether there is one that is not empty, whatever it is worth.
    pub(crate) is_there: bool,
    /// As sent. There is seldom another, and then nothing is allocated.
    first: Option<&'a str>,
    others: Vec<&'a str>,
}

impl<'a> Found<'a> {
    fn add(&mut self, value: &'a str) {
        self.is_there = true;
        if value.len() > LONGEST_TOKEN {
            return;
        }
        if self.first.is_none() {
            self.first = Some(value);
        } else if self.others.len() + 1 < MOST_OF_A_NAME {
            self.others.push(value);
        }
    }

    /// Whether there are [`values`](Self::values).
    pub(crate) fn has_values(&self) -> bool {
        self.first.is_some()
    }

    pub(crate) fn has_several(&self) -> bool {
        !self.others.is_empty()
    }

    /// In order, percent-decoded, without those that are too long or too many.
    pub(crate) fn values(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.first.iter().chain(&self.others).map(|value| decoded(value))
    }
}

fn decoded(value: &str) -> Cow<'_, str> {
    // Tokens have none, and to decode looks at each byte.
    if memchr(b'%', value.as_bytes()).is_none() {
        return value.into();
    }
    percent_decode_str(value).decode_utf8().unwrap_or(value.into())
}

/// The cookies of exactly these names, in one pass over all, which may be many and of any size.
fn find<'a, const N: usize>(headers: &'a HeaderMap, names: [&str; N]) -> [Found<'a>; N] {
    let mut found = names.map(|_| Found::default());
    for line in headers.get_all(header::COOKIE) {
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            let (pair, later) = split_at(rest, b';').unwrap_or((rest, &[]));
            rest = later;
            let Some((name, value)) = split_at(pair, b'=') else { continue };
            // Another's cookie need not be text, and must not cost the visitor the session.
            let Ok(name) = str::from_utf8(name) else { continue };
            let name = name.trim();
            let Some(place) = names.iter().position(|wanted| *wanted == name) else { continue };
            let Ok(value) = str::from_utf8(value) else { continue };
            let value = value.trim();
            if !value.is_empty() {
                found[place].add(value);
            }
        }
    }
    found
}

/// Before the byte, and after it.
fn split_at(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let position = memchr(byte, bytes)?;
    Some((&bytes[..position], &bytes[position + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
        let [found] = find(headers, [name]);
        found.values().map(Into::into).collect()
    }

    fn are_there<const N: usize>(headers: &HeaderMap, names: [&str; N]) -> [bool; N] {
        find(headers, names).map(|found| found.is_there)
    }

    impl CookieSettings {
        fn anonymous_values<'a>(&self, headers: &'a HeaderMap) -> Vec<PresentedCookie<'a>> {
            RequestCookies::of(headers, self).of_anonymous(self).collect()
        }
    }

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

    fn of_lines<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> HeaderMap {
        let values = lines.into_iter().filter_map(|line| HeaderValue::from_bytes(line).ok());
        values.map(|value| (header::COOKIE, value)).collect()
    }

    #[test]
    fn reads_what_browsers_and_others_send() {
        let many = (0..10_000).map(|number| format!("c{number}={number}; ")).collect::<String>();
        let [among, after] = [format!("{many}a=x; {many}"), format!("{many}a=x")];
        for (lines, expected) in [
            (&["a=x"][..], &["x"][..]),
            // Several of a name, on one line, and on several as HTTP/2 has them.
            (&["a=x; a=y; a=x"], &["x", "y", "x"]),
            (&["a=x", "b=1", "a=y"], &["x", "y"]),
            (&["a=x; b=1", "", "; ;", "a=y"], &["x", "y"]),
            // Quotes are part of a value, as with SuperTokens; they keep nothing together.
            (&["a=\"x\""], &["\"x\""]),
            (&["a=\"x; a=y\""], &["\"x", "y\""]),
            (&["\"a\"=x"], &[]),
            // Nothing is not a value.
            (&["a="], &[]),
            (&["a"], &[]),
            (&["a=; a= ; a=x; a=\t"], &["x"]),
            (&["a;=x"], &[]),
            (&["=a; ==a"], &[]),
            // Spaces around, and none within.
            (&["  a = x ;a=y;\ta\t=\tz\t"], &["x", "y", "z"]),
            (&["\u{a0}a\u{2003}=\u{a0}x\u{3000}"], &["x"]),
            (&["a b=x; b a=x; a=x y"], &["x y"]),
            // The first equals sign ends the name.
            (&["a=x=y=; b=a=z"], &["x=y="]),
            (&["a=%3B%3D%25; a=%; a=%FF; %61=x"], &[";=%", "%", "%FF"]),
            // Exactly this name.
            (&["A=x; aa=x; xa=x; a-=x; $a=x"], &[]),
            (&[&among], &["x"]),
            (&["a=w", &after, "a=z"], &["w", "x", "z"]),
            (
                &["a=1;a=2;a=3;a=4;a=5;a=6;a=7", "a=8;a=9"],
                &["1", "2", "3", "4", "5", "6", "7", "8"],
            ),
        ] {
            let headers = of_lines(lines.iter().map(|line| line.as_bytes()));
            let shown = lines.iter().map(|line| line.get(..40).unwrap_or(line)).collect::<Vec<_>>();
            assert_eq!(values(&headers, "a"), expected, "{shown:?}");
            let [found] = find(&headers, ["a"]);
            assert_eq!(found.is_there, !expected.is_empty(), "{shown:?}");
            assert_eq!(found.has_values(), !expected.is_empty(), "{shown:?}");
            assert_eq!(found.has_several(), expected.len() > 1, "{shown:?}");
        }
    }

    #[test]
    fn another_cookie_need_not_be_text() {
        for (line, expected) in [
            (&b"b=\xff; a=x"[..], &["x"][..]),
            (b"a=x; b=\xff", &["x"]),
            (b"\xff=b; a=x", &["x"]),
            (b"a=\xff; a=x", &["x"]),
            (b"a\xff=x; \xffa=x", &[]),
            // Half of a character on either side.
            (b"b=\xc3;\xb6=b; a=x", &["x"]),
        ] {
            assert_eq!(values(&of_lines([line]), "a"), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn one_that_is_too_long_is_there_and_takes_no_place() {
        let long = "x".repeat(LONGEST_TOKEN + 1);
        let line = format!("a={long}; a=1; a={long}; a=2");
        let headers = of_lines([line.as_bytes()]);
        assert_eq!(values(&headers, "a"), ["1", "2"]);
        let alone = of_lines([&line.as_bytes()[..long.len() + 2]]);
        let [found] = find(&alone, ["a"]);
        assert!(found.is_there && !found.has_values() && !found.has_several());
        let longest = of_lines([&line.as_bytes()[..long.len() + 1]]);
        assert_eq!(values(&longest, "a"), [&long[1..]]);
    }

    #[test]
    fn tells_the_names_of_a_session_apart() {
        let settings = CookieSettings {
            anonymous_name: "__Host-t".into(),
            former_anonymous_name: Some("t".into()),
            ..settings()
        };
        let line = b"t=1; sAccessToken=2; sRefreshToken=3; sIdRefreshToken=4; sFrontToken=5; \
            sAnonymousFrontToken=6; st-last-access-token-update=7; __Host-t=8; ;=9; t=10";
        let headers = of_lines([&line[..]]);
        let found = RequestCookies::of(&headers, &settings);
        let [user, guest, latest] = &found.of_scripts;
        let of = |found: &Found<'_>| found.values().collect::<Vec<_>>().join(" ");
        assert_eq!(
            [&found.access, &found.refresh, &found.legacy, user, guest, latest].map(of),
            ["2", "3", "4", "5", "6", "7"]
        );
        let anonymous = found.of_anonymous(&settings);
        let anonymous: Vec<_> = anonymous
            .map(|cookie| (cookie.value.into_owned(), cookie.bound_to_host, cookie.former))
            .collect();
        let expected = [("8", true, false), ("1", false, true), ("10", false, true)];
        assert_eq!(anonymous, expected.map(|(value, bound, former)| (value.into(), bound, former)));
        // Where there is no other name, nothing is of it.
        let settings = CookieSettings { former_anonymous_name: None, ..settings };
        assert!(!RequestCookies::of(&headers, &settings).former_anonymous.is_there);
    }

    /// The rule, said in the plainest way: pieces between semicolons that are text.
    #[test]
    fn fuzz_one_pass_finds_what_the_rule_says() {
        let names = ["a", "b", "", "sAccessToken", "c"];
        bolero::check!().for_each(|bytes| {
            // Few different bytes, so that names come up.
            let near = |byte: &u8| b"ab=; %\xc2\xa0\n\t\"3"[usize::from(*byte) % 12];
            for bytes in [bytes.to_vec(), bytes.iter().map(near).collect()] {
                let headers = of_lines(bytes.split(|byte| *byte == b'\n'));
                let pairs: Vec<(&str, &str)> = headers
                    .get_all(header::COOKIE)
                    .iter()
                    .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
                    .filter_map(|pair| str::from_utf8(pair).ok()?.split_once('='))
                    .map(|(name, value)| (name.trim(), value.trim()))
                    .filter(|(_, value)| !value.is_empty())
                    .collect();
                for (name, found) in names.into_iter().zip(find(&headers, names)) {
                    let of_name = pairs.iter().filter(|pair| pair.0 == name).map(|pair| pair.1);
                    assert_eq!(found.is_there, of_name.clone().next().is_some(), "{name}");
                    let short = of_name.filter(|value| value.len() <= LONGEST_TOKEN);
                    let sent: Vec<_> = found.first.iter().chain(&found.others).copied().collect();
                    assert_eq!(sent, short.take(MOST_OF_A_NAME).collect::<Vec<_>>(), "{name}");
                }
            }
        });
    }
}
