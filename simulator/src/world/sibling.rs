//! Another host of the same site, which somebody else runs. It sets cookies for all of the site.

use passerby_protocol::state::Mark;

use crate::{
    document::Shown,
    jar::{Domain, Host, LONGEST_LIFE, Name, Path, SetCookie, Value, Writer},
    processes::KeyKind,
    server::{Credentials, PresentedAnonymous, Put, Reply, Route},
    tokens::{Anonymous, DAY, ENDPOINT_KEY, FOREIGN, INVENTED, Time, is_foreign},
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
    /// It plants an anonymous cookie. Browsers take none with the prefix, so a visitor who has one
    /// of their own, or a user session, keeps their id.
    pub(crate) fn plant(&mut self) {
        if self.setting.has_endpoint {
            return self.forge();
        }
        let is_nobody = self.access_cookie().is_none() && !self.has_anonymous_cookie();
        if !self.setting.is_ours || self.server.for_site || is_nobody {
            return;
        }
        let (issued_at, process) = (self.now, self.server.cluster.process());
        let key = process.signing(process.time(issued_at));
        let token = Anonymous { id: FOREIGN, issued_at, key };
        for name in [Name::HostAnonymous, Name::Anonymous] {
            self.plant_cookie(name, Path::Root, Value::Anonymous(token));
        }
        self.say(|| "another host of the site plants an anonymous session".into());
    }

    /// It writes the front token of an anonymous session. Where an endpoint makes them, a script
    /// wrote that cookie, and it has no prefix.
    fn forge(&mut self) {
        let (issued_at, key) = (self.now, ENDPOINT_KEY);
        let token = Anonymous { id: FOREIGN, issued_at, key }.front();
        let expires_at = issued_at + LONGEST_LIFE;
        // The SDK believes it, and asks nobody about a login of before that it does not know of.
        let is_unknown = self.browser.shown().mark.is_none();
        self.has_unseen_cookies |= is_unknown && self.access_cookie().is_some();
        self.set_for_site(Name::AnonymousFront, Path::Root, Value::Front(token), expires_at);
        self.expect_nothing_told();
        self.say(|| "another host of the site forges an anonymous session".into());
    }

    /// Whether the SDK reads that token.
    pub(crate) fn has_forged_token(&self) -> bool {
        let token = self.browser.shown().anonymous_front;
        self.setting.has_endpoint && token.is_some_and(|token| token.id == FOREIGN)
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
        self.may_change_id |= self.has_released;
        // The first refresh call tells nothing: its answer deletes one of both.
        self.has_hidden_end = true;
    }

    /// Whether the browser sends a user's cookie that it planted.
    pub(crate) fn has_planted_user(&self) -> bool {
        self.browser.jar.sent(Host::Api, Path::Refresh).any(|cookie| match &cookie.value {
            Value::Access(access) => is_foreign(access.handle),
            Value::Refresh(refresh) => is_foreign(refresh.handle),
            _ => false,
        })
    }

    /// It deletes cookies of the SDK's. The browser keeps those that are for the website's host
    /// only.
    pub(crate) fn delete_script_cookies(&mut self, number: u8) {
        let names = [Name::Front, Name::AnonymousFront, Name::Mark];
        let names = names.into_iter().enumerate();
        let names = names.filter(|(index, _)| (number % 7 + 1) & (1 << index) != 0);
        self.say(|| "another host of the site deletes cookies of the SDK".into());
        // That takes longer than all marks of a moment, so no later one is the one that goes.
        self.now += 100.0;
        self.expect_nothing_told();
        let told = self.browser.shown();
        // While that mark hid the SDK's own, answers could not be told to be late.
        self.has_unseen_cookies |= self.is_frozen(&told);
        for (_, name) in names {
            let is_there = self.browser.jar.at((name, Domain::Site, Path::Root)).is_some();
            self.set_for_site(name, Path::Root, Value::Empty, 0.0);
            if is_there {
                self.note_lost_script_cookie(name);
            }
        }
        // An answer of before the login, which comes after that, hides the login from the tab that
        // has read it, until the access token has run out. Not mended.
        let is_lost = told.front.is_some() && self.browser.shown().mark.is_none();
        self.has_unread_cookies |= is_lost && !self.pending.is_empty();
    }

    /// It writes a front token of a session that does not exist, or a mark, or both.
    pub(crate) fn write_script_cookies(&mut self, number: u8) {
        // Such a browser keeps none.
        if self.setting.keeps_nothing {
            return;
        }
        self.say(|| "another host of the site writes cookies of the SDK's names".into());
        // That takes longer than all marks of a moment, so none is written a second time.
        self.now += 100.0;
        let (writes_front, writes_mark) =
            [(true, false), (false, true), (true, true)][usize::from(number % 3)];
        let expires_at = self.now + LONGEST_LIFE;
        self.expect_nothing_told();
        if writes_front {
            let token = self.server.invent(self.now).front();
            self.set_for_site(Name::Front, Path::Root, Value::Front(token), expires_at);
        }
        if writes_mark {
            // After the last one there is no later number.
            let ahead = [-DAY, 0.0, DAY, 1e300][usize::from(number / 3 % 4)];
            // Those of the SDK are whole.
            let mark = Mark(self.browser.device_time(self.now) + ahead + 0.5);
            self.planted_mark = Some(mark);
            self.set_for_site(Name::Mark, Path::Root, Value::Mark(mark), expires_at);
        }
        self.was_lied_to = true;
        self.is_meddled = true;
        self.may_change_id = true;
        self.has_lost_front = true;
    }

    /// No id of a planted user session takes the place of one in a cookie with the prefix, at its
    /// end or at a login.
    pub(crate) fn expect_own_id(&mut self, route: Route, credentials: &Credentials, reply: &Reply) {
        let given = match (route, reply.anonymous, reply.access) {
            (Route::Login(_), _, Put::Set(access)) => access.anonymous_id,
            (_, Put::Set(anonymous), _) => anonymous.id,
            _ => return,
        };
        let has_own = !credentials.off
            && credentials.anonymous.iter().any(|held| {
                let PresentedAnonymous { token, name } = held;
                name.is_bound_to_host()
                    && self.server.cluster.keys.has(KeyKind::Anonymous, token.key)
                    && !is_foreign(token.id)
            });
        if has_own && is_foreign(given) {
            self.fail(|| format!("c: the id {given} was planted, and the visitor has another"));
        }
    }

    /// Whether the SDK reads what another host wrote, be it that it cannot overwrite that, be it
    /// that nothing made it write since. Nobody signed what scripts write, so it is believed.
    pub(crate) fn is_lied_to(&self) -> bool {
        let shown = self.browser.shown();
        shown.front.is_some_and(|front| front.id >= INVENTED)
            || self.is_frozen(&shown)
            || self.has_forged_token() && !self.browser.scripts_for_site
    }

    /// Whether the mark is one that another host wrote, and that the SDK cannot overwrite.
    fn is_frozen(&self, shown: &Shown) -> bool {
        let is_planted = shown.mark.is_some() && shown.mark == self.planted_mark;
        is_planted && !self.browser.scripts_for_site
    }

    fn plant_cookie(&mut self, name: Name, path: Path, value: Value) {
        self.set_for_site(name, path, value, self.now + LONGEST_LIFE);
    }

    fn set_for_site(&mut self, name: Name, path: Path, value: Value, expires_at: Time) {
        let cookie = SetCookie {
            name,
            value,
            for_site: true,
            path,
            http_only: !matches!(name, Name::Front | Name::AnonymousFront | Name::Mark),
            secure: true,
            expires_at,
        };
        self.browser.jar.set(Writer::Response, Host::Sibling, cookie, self.now);
    }
}
