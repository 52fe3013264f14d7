//! Another host of the same site, which somebody else runs. It sets cookies for all of the site.

use crate::{
    jar::{Host, LONGEST_LIFE, Name, Path, SetCookie, Value, Writer},
    tokens::{Anonymous, FOREIGN},
    world::World,
};

/// Where it plants an access and a refresh cookie. The server's own are at the first places.
const PATHS: [(Option<Path>, Option<Path>); 8] = [
    (Some(Path::Root), Some(Path::Refresh)),
    (Some(Path::Root), Some(Path::Refresh)),
    (Some(Path::Root), None),
    (None, Some(Path::Refresh)),
    (Some(Path::Api), Some(Path::Refresh)),
    (Some(Path::Root), Some(Path::Root)),
    (Some(Path::Auth), Some(Path::Auth)),
    (Some(Path::Refresh), None),
];

impl World {
    /// It plants an anonymous cookie. That has no prefix, so a visitor who has one of their own, or
    /// a user session, keeps their id.
    pub(crate) fn plant(&mut self) {
        let is_nobody = self.access_cookie().is_none() && !self.has_anonymous_cookie();
        if !self.setting.is_ours || self.server.for_site || is_nobody {
            return;
        }
        let (issued_at, key) = (self.now, self.server.key);
        let token = Anonymous { id: FOREIGN, issued_at, key };
        self.plant_cookie(Name::Anonymous, Path::Root, Value::Anonymous(token));
        self.say(|| "another host of the site plants an anonymous session".into());
    }

    /// It plants the cookies of a user session of its own, or some of them. A login that no script
    /// of the website saw is the same.
    pub(crate) fn plant_user(&mut self, number: u8) {
        // Of a stock back end nobody knows which of two it takes. Header mode has tokens that come
        // first.
        if !self.setting.is_ours || self.setting.in_headers {
            return;
        }
        let (access, refresh) = PATHS[usize::from(number) % PATHS.len()];
        let Some((access_token, refresh_token)) = self.server.sign_in_elsewhere(self.now) else {
            return;
        };
        self.say(|| {
            let handle = access_token.handle;
            format!("another host of the site plants session {handle} ({access:?}, {refresh:?})")
        });
        if let Some(path) = access {
            self.plant_cookie(Name::Access, path, Value::Access(access_token));
        }
        if let Some(path) = refresh {
            self.plant_cookie(Name::Refresh, path, Value::Refresh(refresh_token));
        }
        self.has_unseen_cookies = true;
        // The first refresh call tells nothing: its answer deletes one of both.
        self.has_hidden_end = true;
    }

    fn plant_cookie(&mut self, name: Name, path: Path, value: Value) {
        let cookie = SetCookie {
            name,
            value,
            for_site: true,
            path,
            http_only: true,
            secure: true,
            expires_at: self.now + LONGEST_LIFE,
        };
        self.browser.jar.set(Writer::Response, Host::Sibling, cookie, self.now);
    }
}
