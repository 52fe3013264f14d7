//! The cookies and headers that a response carries besides the app's own.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use passerby_protocol::names::{self, REMOVE};

use super::{
    cookies::CookieSettings,
    request::{RequestFacts, TransferMethod},
};
use crate::{
    clock::Clock,
    engine::{IssuedAccess, IssuedAnonymous, IssuedRefresh},
};

#[derive(Clone, Default)]
pub(crate) enum UserChange {
    #[default]
    Keep,
    Issue {
        transfer: TransferMethod,
        access: Box<IssuedAccess>,
        refresh: Option<IssuedRefresh>,
        /// The session moved from the other transfer method.
        clear_other: bool,
    },
    /// The session that the request presented is over: what it presented is cleared. Requests of
    /// the app do not have the refresh cookie, so that one stays. Browsers remove cookies by their
    /// names, and if the visitor has signed in since, it is the new session's, which the next
    /// refresh brings back. One of the session that is over is of no use, and goes with that
    /// refresh.
    End,
    /// The same, and the call was about all that the session left in the browser: a refresh or a
    /// sign-out.
    Clear,
    /// A guest is forgotten. A refresh cookie that an [`End`](Self::End) left would bring the id
    /// back.
    Forget,
}

#[derive(Clone, Default)]
pub(crate) enum AnonymousChange {
    #[default]
    Keep,
    Issue {
        transfer: TransferMethod,
        issued: Box<IssuedAnonymous>,
    },
    /// The browser keeps its token, and the response announces this about it: a front token, or
    /// [`REMOVE`] where it holds an announcement alone.
    Announce(String),
    Remove,
}

/// Everything that happened to the visitor's session during one request. A later change takes the
/// place of an earlier one, so that the browser sees the outcome only.
#[derive(Clone, Default)]
pub(crate) struct Changes {
    pub(crate) user: UserChange,
    pub(crate) anonymous: AnonymousChange,
    /// The visitor should have got an anonymous session, and did not.
    pub(crate) limited: bool,
}

impl Changes {
    /// A new access token for a session that keeps its refresh token, which may itself be new in
    /// this response.
    pub(crate) fn renew_access(&mut self, transfer: TransferMethod, access: Box<IssuedAccess>) {
        let (refresh, clear_other) = match std::mem::take(&mut self.user) {
            UserChange::Issue { refresh, clear_other, .. } => (refresh, clear_other),
            UserChange::Keep | UserChange::End | UserChange::Clear | UserChange::Forget => {
                (None, false)
            }
        };
        self.user = UserChange::Issue { transfer, access, refresh, clear_other };
    }

    /// Writes the changes into the headers of a response, whatever its status.
    pub(crate) fn attach(
        self,
        headers: &mut HeaderMap,
        facts: &RequestFacts,
        cookies: &CookieSettings,
        clock: &Clock,
    ) {
        let mut out = Attached { headers, cookies, exposed: Vec::new(), touched: false };
        let has_other_session = !matches!(self.user, UserChange::Keep)
            || matches!(self.anonymous, AnonymousChange::Issue { .. } | AnonymousChange::Remove);
        if has_other_session {
            // A form signed in or out. The SDK, which hears nothing of it, is to know nothing and
            // ask.
            for name in &facts.script_cookies {
                cookies.clear_script(name).into_iter().for_each(|cookie| out.cookie(cookie));
            }
        }
        let clears_refresh = facts.has_refresh_cookie
            || matches!(self.user, UserChange::Clear)
            // It has the id of a visitor who does not want one any more.
            || facts.mint.is_off;
        match self.user {
            UserChange::Keep => {}
            UserChange::Issue { transfer, access, refresh, clear_other } => {
                if facts.has_legacy_cookie && refresh.is_some() {
                    out.cookie(cookies.clear_legacy());
                }
                if clear_other {
                    out.clear(if transfer == TransferMethod::Cookie {
                        TransferMethod::Header
                    } else {
                        TransferMethod::Cookie
                    });
                }
                if let Some(anti_csrf) =
                    access.session.claims.anti_csrf_token.as_deref().filter(|_| refresh.is_some())
                {
                    out.token(names::header::ANTI_CSRF, anti_csrf);
                }
                match transfer {
                    TransferMethod::Cookie => {
                        out.cookie(cookies.access(&access.token, clock.now_ms()));
                        if cookies.expose_access_token {
                            out.token(names::header::ACCESS_TOKEN, &access.token);
                        }
                        if let Some(refresh) = refresh {
                            out.cookie(cookies.refresh(&refresh.token, refresh.expires_at));
                        }
                    }
                    TransferMethod::Header => {
                        out.token(names::header::ACCESS_TOKEN, &access.token);
                        if let Some(refresh) = refresh {
                            out.token(names::header::REFRESH_TOKEN, &refresh.token);
                        }
                    }
                }
                out.token(names::header::FRONT_TOKEN, &access.front_token);
            }
            UserChange::End | UserChange::Clear => {
                // The cookies of the request belong to the session that ended. The browser may hold
                // another by now.
                if facts.has_user_cookie {
                    out.cookie(cookies.clear_access());
                    if clears_refresh {
                        out.cookie(cookies.clear_refresh());
                    }
                    // Those of a former configuration may be all that the browser has. They would
                    // count with each request to come, and nothing else deletes them.
                    cookies.clear_older().into_iter().for_each(|cookie| out.cookie(cookie));
                }
                if facts.has_user_bearer {
                    out.clear(TransferMethod::Header);
                }
                if facts.has_legacy_cookie {
                    out.cookie(cookies.clear_legacy());
                }
                out.token(names::header::FRONT_TOKEN, REMOVE);
            }
            UserChange::Forget => {
                if facts.transfer == TransferMethod::Cookie {
                    out.cookie(cookies.clear_refresh());
                }
            }
        }
        match self.anonymous {
            AnonymousChange::Keep => {}
            AnonymousChange::Issue { transfer, issued } => {
                // A token that came the other way would be taken for the visitor's again: with the
                // old payload, or with an id that was forgotten.
                match transfer {
                    TransferMethod::Cookie => {
                        let expires = issued.session.claims.expires_at.saturating_mul(1000);
                        let now = clock.now_ms();
                        out.cookie(cookies.anonymous(&issued.token, expires, now));
                        out.clear_former(facts);
                        if facts.has_anonymous_bearer {
                            out.token(names::header::ANONYMOUS_TOKEN, "");
                        }
                    }
                    TransferMethod::Header => {
                        if facts.has_anonymous_cookie {
                            out.cookie(cookies.clear_anonymous());
                            out.clear_former(facts);
                        }
                        out.token(names::header::ANONYMOUS_TOKEN, &issued.token);
                    }
                }
                out.token(names::header::ANONYMOUS_FRONT_TOKEN, &issued.front_token);
            }
            AnonymousChange::Announce(front_token) => {
                out.token(names::header::ANONYMOUS_FRONT_TOKEN, &front_token)
            }
            AnonymousChange::Remove => {
                if facts.has_anonymous_cookie || facts.transfer == TransferMethod::Cookie {
                    out.cookie(cookies.clear_anonymous());
                    out.clear_former(facts);
                }
                if facts.transfer == TransferMethod::Header {
                    out.token(names::header::ANONYMOUS_TOKEN, "");
                }
                out.token(names::header::ANONYMOUS_FRONT_TOKEN, REMOVE);
            }
        }
        if self.limited {
            out.token(names::header::ANONYMOUS_MODE, names::ANONYMOUS_LIMITED);
        }
        out.finish();
    }
}

/// The headers of one response while they are written.
struct Attached<'a> {
    headers: &'a mut HeaderMap,
    cookies: &'a CookieSettings,
    exposed: Vec<&'static str>,
    touched: bool,
}

impl Attached<'_> {
    fn cookie(&mut self, cookie: HeaderValue) {
        self.headers.append(header::SET_COOKIE, cookie);
        self.touched = true;
    }

    fn token(&mut self, name: &'static str, value: &str) {
        // Tokens are base64 and dots; nothing else could be refused here.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
            self.exposed.push(name);
            self.touched = true;
        }
    }

    fn clear_former(&mut self, facts: &RequestFacts) {
        if let Some(cookie) =
            self.cookies.clear_former_anonymous().filter(|_| facts.has_former_anonymous_cookie)
        {
            self.cookie(cookie);
        }
    }

    fn clear(&mut self, transfer: TransferMethod) {
        match transfer {
            TransferMethod::Cookie => {
                self.cookie(self.cookies.clear_access());
                self.cookie(self.cookies.clear_refresh());
            }
            TransferMethod::Header => {
                self.token(names::header::ACCESS_TOKEN, "");
                self.token(names::header::REFRESH_TOKEN, "");
            }
        }
    }

    fn finish(self) {
        if !self.touched {
            return;
        }
        self.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if !self.exposed.is_empty() {
            let list = expose(self.headers, &self.exposed);
            if let Ok(list) = HeaderValue::from_str(&list) {
                self.headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, list);
            }
        }
    }
}

/// The list of exposed headers with these added, each name once; compared name by name.
fn expose(headers: &HeaderMap, names: &[&'static str]) -> String {
    let mut list: Vec<String> = headers
        .get_all(header::ACCESS_CONTROL_EXPOSE_HEADERS)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    for name in names {
        if !list.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            list.push((*name).to_owned());
        }
    }
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposed_headers_are_merged_name_by_name() {
        let mut headers = HeaderMap::new();
        assert_eq!(expose(&headers, &["front-token"]), "front-token");
        headers.append(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("x-count, st-anonymous-front-token"),
        );
        headers
            .append(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Anti-CSRF,"));
        assert_eq!(
            expose(&headers, &["front-token", "anti-csrf", "front-token"]),
            "x-count, st-anonymous-front-token, Anti-CSRF, front-token"
        );
    }
}
