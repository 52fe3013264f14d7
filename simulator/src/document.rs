//! The SDK's cookies as the scripts of the website read and write them.

use passerby_protocol::state::{Mark, Token};

use crate::{
    jar::{Cookie, Host, Jar, Name, Path, SetCookie, Value},
    tokens::{Access, Anonymous, Refresh, Sim, Time},
};

/// The values in `document.cookie`. Of several of one name the SDK reads the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) front: Option<Token<Sim>>,
    pub(crate) anonymous_front: Option<Token<Sim>>,
    pub(crate) mark: Option<Mark>,
    /// Header mode.
    pub(crate) own_access: Option<Access>,
    pub(crate) own_refresh: Option<Refresh>,
    pub(crate) own_anonymous: Option<Anonymous>,
}

impl Shown {
    /// Those that a page of that host reads.
    pub(crate) fn to(jar: &Jar, page: Host) -> Self {
        Self::of(jar.shown(page))
    }

    fn of<'a>(cookies: impl Iterator<Item = &'a Cookie>) -> Self {
        let mut shown = Self::default();
        for cookie in cookies {
            match (cookie.name, &cookie.value) {
                (Name::Front, Value::Front(token)) => shown.front = Some(*token),
                (Name::AnonymousFront, Value::Front(token)) => {
                    shown.anonymous_front = Some(*token);
                }
                (Name::Mark, Value::Mark(mark)) => shown.mark = Some(*mark),
                (Name::OwnAccess, Value::Access(token)) => shown.own_access = Some(*token),
                (Name::OwnRefresh, Value::Refresh(token)) => shown.own_refresh = Some(*token),
                (Name::OwnAnonymous, Value::Anonymous(token)) => {
                    shown.own_anonymous = Some(*token);
                }
                _ => {}
            }
        }
        shown
    }

    /// Of those, the ones that come with a page load of the API's host.
    pub(crate) fn of_page_load(jar: &Jar) -> Self {
        Self::of(jar.sent(Host::Api, Path::Api))
    }
}

/// An assignment of the SDK to `document.cookie`. Without a value it deletes.
pub(crate) fn assigned(name: Name, value: Option<Value>, for_site: bool) -> SetCookie {
    SetCookie {
        name,
        expires_at: if value.is_some() { Time::INFINITY } else { 0.0 },
        value: value.unwrap_or(Value::Empty),
        for_site,
        path: Path::Root,
        http_only: false,
        secure: false,
    }
}
