//! The app and the tenant that a path names: `[/appid-<app>][/<tenant>]/<what is asked for>`.

use passerby_protocol::claims::TENANT;

use crate::store::DEFAULT_APP;

const APP_PREFIX: &str = "appid-";
/// The first part of a path after app and tenant. A tenant cannot be called so.
const ROOTS: [&str; 7] = ["recipe", ".well-known", "apiversion", "hello", "user", "users", "appid"];
/// As long as the SuperTokens core takes them.
const MAX_ID_LENGTH: usize = 64;

/// A path, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) app_id: &'a str,
    pub(super) tenant_id: &'a str,
    /// The rest of the path, with its leading `/`.
    pub(super) rest: &'a str,
}

/// Reads a path.
pub(super) fn place(path: &str) -> Place<'_> {
    let (app_id, rest) = match first_segment(path) {
        Some((segment, rest)) => match segment.strip_prefix(APP_PREFIX).filter(|id| is_id(id)) {
            Some(app_id) => (app_id, rest),
            None => (DEFAULT_APP, path),
        },
        None => (DEFAULT_APP, path),
    };
    match first_segment(rest) {
        Some((tenant_id, rest))
            if !rest.is_empty() && is_id(tenant_id) && !ROOTS.contains(&tenant_id) =>
        {
            Place { app_id, tenant_id, rest }
        }
        _ => Place { app_id, tenant_id: TENANT, rest },
    }
}

fn first_segment(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    let end = path.find('/').unwrap_or(path.len());
    Some(path.split_at(end))
}

/// The app that a back end names in a request to make one.
pub(super) fn new_app_id(text: &str) -> Option<&str> {
    Some(text).filter(|id| is_id(id) && !id.starts_with(APP_PREFIX))
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID_LENGTH).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_and_tenant_are_optional() {
        for (path, app_id, tenant_id, rest) in [
            ("/recipe/session", "public", "public", "/recipe/session"),
            ("/public/recipe/session", "public", "public", "/recipe/session"),
            ("/t1/recipe/session", "public", "t1", "/recipe/session"),
            ("/appid-x/recipe/session", "x", "public", "/recipe/session"),
            ("/appid-x/t1/recipe/session", "x", "t1", "/recipe/session"),
            ("/appid-x/.well-known/jwks.json", "x", "public", "/.well-known/jwks.json"),
            ("/apiversion", "public", "public", "/apiversion"),
            ("/appid-x/hello", "x", "public", "/hello"),
            ("/appid-/hello", "public", "appid-", "/hello"),
            ("/T1/recipe/session", "public", "public", "/T1/recipe/session"),
            ("/appid-X_/recipe/session", "public", "public", "/appid-X_/recipe/session"),
            ("/appid-x", "x", "public", ""),
            ("/hello", "public", "public", "/hello"),
            ("/t1", "public", "public", "/t1"),
            ("/", "public", "public", "/"),
            ("", "public", "public", ""),
            ("//recipe", "public", "public", "//recipe"),
        ] {
            assert_eq!(place(path), Place { app_id, tenant_id, rest }, "{path}");
        }
    }

    #[test]
    fn fuzz() {
        bolero::check!().for_each(|bytes| {
            let path = String::from_utf8_lossy(bytes);
            for path in [path.to_string(), format!("/appid-{path}"), format!("/appid-a/{path}")] {
                let Place { app_id, tenant_id, rest } = place(&path);
                assert!(is_id(app_id) && is_id(tenant_id), "{path}");
                assert!(path.ends_with(rest), "{path}");
                // No part of the path is read twice, and none is passed over.
                let parts = path.len() - rest.len();
                let named = [
                    String::new(),
                    format!("/{tenant_id}"),
                    format!("/{APP_PREFIX}{app_id}"),
                    format!("/{APP_PREFIX}{app_id}/{tenant_id}"),
                ];
                assert!(named.contains(&path[..parts].to_owned()), "{path}");
            }
        });
    }
}
