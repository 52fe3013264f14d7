//! The JavaScript has names, texts and orders of its own; here they are compared with those of the
//! rules.

use passerby_protocol::{names, state::Event};

use crate::{SdkError, events::events};

const NAMES: &str = include_str!("browser/names.js");
const RARE: &str = include_str!("browser/rare.js");

fn constant(name: &str) -> &'static str {
    let head = format!("export const {name} = \"");
    NAMES
        .split_once(&head)
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("", |(value, _)| value)
}

/// The texts between quotation marks of a list. A long text is in pieces, with `+` between them.
fn list(name: &str) -> Vec<String> {
    list_in(NAMES, name)
}

fn list_in(file: &str, name: &str) -> Vec<String> {
    let head = format!("const {name} = [");
    let list = file
        .split_once(&head)
        .and_then(|(_, rest)| rest.split_once("];"))
        .map_or("", |(list, _)| list);
    let mut pieces = list.split("\" +");
    let mut joined = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        joined.push_str(piece.trim_start().strip_prefix('"').unwrap_or_default());
    }
    joined.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn names_are_those_of_the_protocol() {
    use names::{front_cookie as cookie, header};
    for (name, value) in [
        ("COOKIE_LAST_UPDATE", cookie::LAST_UPDATE),
        ("COOKIE_FRONT_TOKEN", cookie::FRONT_TOKEN),
        ("COOKIE_ANTI_CSRF", cookie::ANTI_CSRF),
        ("COOKIE_ANONYMOUS_FRONT_TOKEN", cookie::ANONYMOUS_FRONT_TOKEN),
        ("ACCESS_TOKEN", cookie::ACCESS_TOKEN),
        ("ACCESS_TOKEN", header::ACCESS_TOKEN),
        ("REFRESH_TOKEN", cookie::REFRESH_TOKEN),
        ("REFRESH_TOKEN", header::REFRESH_TOKEN),
        ("ANONYMOUS_TOKEN", cookie::ANONYMOUS_TOKEN),
        ("ANONYMOUS_TOKEN", header::ANONYMOUS_TOKEN),
        ("HEADER_FRONT_TOKEN", header::FRONT_TOKEN),
        ("HEADER_ANONYMOUS_FRONT_TOKEN", header::ANONYMOUS_FRONT_TOKEN),
        ("HEADER_ANTI_CSRF", header::ANTI_CSRF),
        ("HEADER_AUTHORIZATION", header::AUTHORIZATION),
        ("HEADER_RID", header::RID),
        ("HEADER_AUTH_MODE", header::AUTH_MODE),
        ("HEADER_ANONYMOUS_MODE", header::ANONYMOUS_MODE),
        ("HEADER_ACCEPT", header::ACCEPT),
        ("HEADER_FDI_VERSION", header::FDI_VERSION),
        ("REMOVE", names::REMOVE),
        ("ANONYMOUS_OFF", names::ANONYMOUS_OFF),
        ("NAMED_TYPE", names::NAMED_TYPE),
        ("FDI_VERSIONS", names::FDI_VERSIONS),
        ("REFRESH_PATH", names::REFRESH_PATH),
        ("SIGN_OUT_PATH", names::SIGN_OUT_PATH),
        ("FORGET_PATH", names::FORGET_PATH),
    ] {
        assert_eq!(constant(name), value, "{name}");
    }
    let messages = [
        names::message::UNAUTHORISED,
        names::message::TOKEN_THEFT_DETECTED,
        names::message::TRY_REFRESH_TOKEN,
    ];
    assert_eq!(list("MESSAGES"), messages);
}

#[test]
fn events_are_in_the_order_of_the_rules() {
    assert_eq!(list("EVENTS"), events(true).map(Event::action));
}

#[test]
fn errors_are_in_the_order_of_the_rust_api() {
    let errors = [
        SdkError::NotInitialised,
        SdkError::BadApiDomain,
        SdkError::BadApiBasePath,
        SdkError::BadDomain,
        SdkError::BadStatusCodes,
        SdkError::BadRetryLimit,
        SdkError::NoSession,
        SdkError::RefreshFailed,
        SdkError::FrontTokenMissing,
        SdkError::NotForgotten,
    ];
    let texts: Vec<&str> =
        errors.iter().flat_map(|error| [error.code(), error.message()]).collect();
    assert_eq!([list("FAULTS"), list_in(RARE, "FAULTS")].concat(), texts);
}
