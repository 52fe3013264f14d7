//! The cookies that a back end sets, and those that it reads.

use crate::{
    jar::{Host, Jar, LONGEST_LIFE, Name, Path, SetCookie, Value},
    places::{anonymous_name, path},
    server::{Credentials, PresentedAnonymous, Put, Reply, SESSION_LIFE},
    tokens::{DAY, Time},
};

/// Milliseconds. The access cookie outlives its token.
const ACCESS_COOKIE_LIFE: Time = 365.0 * DAY;

fn cookie(name: Name, for_site: bool, value: Value, expires_at: Time) -> SetCookie {
    SetCookie {
        name,
        value,
        for_site: for_site && !name.is_bound_to_host(),
        path: path(name),
        http_only: true,
        secure: true,
        expires_at,
    }
}

fn deletion(name: Name, for_site: bool) -> SetCookie {
    cookie(name, for_site, Value::Empty, 0.0)
}

/// Deletes a cookie that the SDK wrote, with the domain of the back end's own and without.
pub(crate) fn clear_script(name: Name, for_site: bool) -> impl Iterator<Item = SetCookie> {
    for_site.then(|| deletion(name, true)).into_iter().chain([deletion(name, false)])
}

impl Reply {
    /// Its `Set-Cookie` headers, without those about the SDK's cookies.
    pub(crate) fn cookies(&self) -> impl Iterator<Item = SetCookie> + use<> {
        let Self { for_site, at, .. } = *self;
        let anonymous = anonymous_name(for_site);
        let put = |name, put: Put<Value>, life: Time| match put {
            Put::Leave => None,
            Put::Clear => Some(deletion(name, for_site)),
            Put::Set(value) => Some(cookie(name, for_site, value, at + life)),
        };
        let own = match self.in_headers {
            true => [None, None, None, None],
            false => [
                put(Name::Access, self.access.map(Value::Access), ACCESS_COOKIE_LIFE),
                put(Name::Refresh, self.refresh.map(Value::Refresh), SESSION_LIFE),
                put(anonymous, self.anonymous.map(Value::Anonymous), LONGEST_LIFE),
                self.clears_former.then(|| deletion(anonymous_name(!for_site), for_site)),
            ],
        };
        let older = [Name::Access, Name::Refresh].map(|name| deletion(name, !for_site));
        own.into_iter().flatten().chain(older.into_iter().filter({
            let clears = self.clears_others;
            move |_| clears
        }))
    }
}

impl Credentials {
    /// The cookies that a request to the API brings.
    pub(crate) fn of(jar: &Jar, path: Path) -> Self {
        let mut credentials = Self::default();
        for cookie in jar.sent(Host::Api, path) {
            match (cookie.name, &cookie.value) {
                (Name::Access, Value::Access(access)) => credentials.access.push(*access),
                (Name::Refresh, Value::Refresh(refresh)) => credentials.refresh.push(*refresh),
                (name @ (Name::HostAnonymous | Name::Anonymous), Value::Anonymous(token)) => {
                    credentials.anonymous.push(PresentedAnonymous { token: *token, name });
                }
                _ => {}
            }
        }
        credentials
    }
}
