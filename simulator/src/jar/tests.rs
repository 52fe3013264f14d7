//! A table of the ways of browsers.

use passerby_protocol::state::Mark;

use super::*;

const NOW: Time = 1.7e12;

/// A letter of the table, written by its order.
fn letter(cookie: &Cookie) -> char {
    match cookie.value {
        Value::Mark(Mark(number)) => char::from(b'a' + number as u8),
        _ => '?',
    }
}

fn cookie(name: Name, number: u8) -> SetCookie {
    SetCookie {
        name,
        value: Value::Mark(Mark(f64::from(number))),
        for_site: false,
        path: Path::Root,
        http_only: true,
        secure: true,
        expires_at: NOW + 1e3,
    }
}

/// Cookies set in this order, the first one with the value `a`; then those that go to the API's
/// refresh endpoint, and those that scripts of the API's host read.
type Case = (&'static str, Vec<(Writer, Host, SetCookie)>, &'static str, &'static str);

fn cases() -> Vec<Case> {
    use Host::{Api, Sibling, Website};
    use Writer::{Response, Script};
    let deletes = |cookie: SetCookie| SetCookie { value: Value::Empty, expires_at: 0.0, ..cookie };
    let readable = |cookie: SetCookie| SetCookie { http_only: false, ..cookie };
    let for_site = |cookie: SetCookie| SetCookie { for_site: true, ..cookie };
    let below = |path, cookie: SetCookie| SetCookie { path, ..cookie };
    let insecure = |cookie: SetCookie| SetCookie { secure: false, ..cookie };
    let access = |number| cookie(Name::Access, number);
    let bound = |number| cookie(Name::HostAnonymous, number);
    vec![
        ("a host's own", vec![(Response, Api, access(0))], "a", ""),
        ("another host's", vec![(Response, Website, access(0))], "", ""),
        ("another host's, for the site", vec![(Response, Sibling, for_site(access(0)))], "a", ""),
        ("the same place", vec![(Response, Api, access(0)), (Response, Api, access(1))], "b", ""),
        (
            "the same place, which is as old as before",
            vec![
                (Response, Api, access(0)),
                (Response, Sibling, for_site(access(1))),
                (Response, Api, access(2)),
            ],
            "cb",
            "",
        ),
        (
            "another domain",
            vec![(Response, Api, access(0)), (Response, Sibling, for_site(access(1)))],
            "ab",
            "",
        ),
        (
            "a longer path comes first",
            vec![
                (Response, Api, access(0)),
                (Response, Api, below(Path::Auth, access(1))),
                (Response, Api, below(Path::Refresh, access(2))),
            ],
            "cba",
            "",
        ),
        ("a path beside", vec![(Response, Api, below(Path::Api, access(0)))], "", ""),
        (
            "a deletion",
            vec![(Response, Api, access(0)), (Response, Api, deletes(access(1)))],
            "",
            "",
        ),
        (
            "a deletion for another domain",
            vec![(Response, Sibling, for_site(access(0))), (Response, Api, deletes(access(1)))],
            "a",
            "",
        ),
        (
            "a deletion for another path",
            vec![
                (Response, Api, below(Path::Refresh, access(0))),
                (Response, Api, deletes(access(1))),
            ],
            "a",
            "",
        ),
        (
            "a deletion by a host that is not meant",
            vec![(Response, Api, access(0)), (Response, Sibling, deletes(access(1)))],
            "a",
            "",
        ),
        (
            "a deletion of another name",
            vec![(Response, Api, access(0)), (Response, Api, deletes(bound(1)))],
            "a",
            "",
        ),
        ("`__Host-`", vec![(Response, Api, bound(0))], "a", ""),
        ("`__Host-` with a domain", vec![(Response, Sibling, for_site(bound(0)))], "", ""),
        ("`__Host-` with a path", vec![(Response, Api, below(Path::Refresh, bound(0)))], "", ""),
        ("`__Host-` without `Secure`", vec![(Response, Api, insecure(bound(0)))], "", ""),
        ("a script's", vec![(Script, Api, readable(access(0)))], "a", "a"),
        ("a script's `HttpOnly`", vec![(Script, Api, access(0))], "", ""),
        (
            "a script over an `HttpOnly` one",
            vec![(Response, Api, access(0)), (Script, Api, readable(access(1)))],
            "a",
            "",
        ),
        (
            "a script deletes an `HttpOnly` one",
            vec![(Response, Api, access(0)), (Script, Api, readable(deletes(access(1))))],
            "a",
            "",
        ),
        (
            "a script beside an `HttpOnly` one",
            vec![(Response, Api, access(0)), (Script, Sibling, for_site(readable(access(1))))],
            "ab",
            "b",
        ),
        (
            "a response over a script's",
            vec![(Script, Api, readable(access(0))), (Response, Api, access(1))],
            "b",
            "",
        ),
        (
            "a response deletes a script's",
            vec![(Script, Api, readable(access(0))), (Response, Api, deletes(access(1)))],
            "",
            "",
        ),
        (
            "scripts of a page at `/` see none of a longer path",
            vec![(Script, Api, below(Path::Refresh, readable(access(0))))],
            "a",
            "",
        ),
    ]
}

#[test]
fn does_what_browsers_do() {
    for (case, steps, sent, shown) in cases() {
        let mut jar = Jar::new(LONGEST_LIFE);
        for (writer, host, cookie) in steps {
            jar.set(writer, host, cookie, NOW);
        }
        let all: String = jar.sent(Host::Api, Path::Refresh).map(letter).collect();
        assert_eq!(all, sent, "{case}: sent");
        let readable: String = jar.shown(Host::Api).map(letter).collect();
        assert_eq!(readable, shown, "{case}: shown");
    }
}

#[test]
fn keeps_none_for_longer_than_browsers_do() {
    let forever =
        SetCookie { expires_at: Time::INFINITY, http_only: false, ..cookie(Name::Mark, 0) };
    for (writer, script_life, life) in [
        (Writer::Response, 7.0 * DAY, LONGEST_LIFE),
        (Writer::Script, 7.0 * DAY, 7.0 * DAY),
        (Writer::Script, LONGEST_LIFE, LONGEST_LIFE),
    ] {
        let mut jar = Jar::new(script_life);
        jar.set(writer, Host::Website, forever.clone(), NOW);
        assert!(!jar.expire(NOW + life - 1.0), "{writer:?}");
        assert_eq!(jar.shown(Host::Website).count(), 1, "{writer:?}");
        assert!(jar.expire(NOW + life), "{writer:?}");
        assert_eq!(jar.shown(Host::Website).count(), 0, "{writer:?}");
    }
}

#[test]
fn one_that_is_written_again_lives_on() {
    let mut jar = Jar::new(LONGEST_LIFE);
    jar.set(Writer::Response, Host::Api, cookie(Name::Access, 0), NOW);
    let later = SetCookie { expires_at: NOW + 2e3, ..cookie(Name::Access, 1) };
    jar.set(Writer::Response, Host::Api, later, NOW);
    assert!(!jar.expire(NOW + 1e3));
    let place = (Name::Access, Domain::Host(Host::Api), Path::Root);
    assert!(jar.at(place).is_some());
    jar.discard((Name::Access, Domain::Site, Path::Root));
    assert!(jar.at(place).is_some());
    jar.discard(place);
    assert!(jar.at(place).is_none());
}
