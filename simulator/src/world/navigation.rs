//! Requests that the browser makes by itself: a form that is posted, a link, a frame. It takes the
//! cookies of the answers, and no script reads a header of them.

use passerby_protocol::request::AnonymousMode;

use crate::{
    cookies::clear_script,
    document::Shown,
    jar::{Host, Name, Path, Writer},
    server::{Credentials, Reply, Route},
    world::{Pending, World},
};

/// One of them on its way.
#[derive(Clone, Debug)]
pub(crate) struct Navigation {
    /// The tab that shows the answer. None for a frame.
    tab: Option<usize>,
    route: Route,
    credentials: Credentials,
    script_cookies: ScriptCookies,
    reply: Option<Reply>,
}

impl Navigation {
    /// The answer that is on its way.
    pub(super) fn reply(&mut self) -> Option<&mut Reply> {
        self.reply.as_mut()
    }
}

/// Whether the cookies that the SDK wrote are there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct ScriptCookies {
    front: bool,
    anonymous_front: bool,
    mark: bool,
}

impl ScriptCookies {
    fn of(shown: &Shown) -> Self {
        Self {
            front: shown.front.is_some(),
            anonymous_front: shown.anonymous_front.is_some(),
            mark: shown.mark.is_some(),
        }
    }

    fn names(self) -> impl Iterator<Item = Name> {
        let Self { front, anonymous_front, mark } = self;
        [(Name::Front, front), (Name::AnonymousFront, anonymous_front), (Name::Mark, mark)]
            .into_iter()
            .filter_map(|(name, is_there)| is_there.then_some(name))
    }
}

impl World {
    /// A form is posted, in this tab or in a frame.
    pub(crate) fn navigate(&mut self, tab: Option<usize>, route: Route) {
        // An app of header mode has no cookies to take.
        if self.browser.in_headers {
            return;
        }
        self.say(|| format!("a form posts {route:?} (tab {tab:?})"));
        self.has_navigated = true;
        let jar = &self.browser.jar;
        let credentials = Credentials { is_page: true, ..Credentials::of(jar, Path::Api) };
        // It has no key of a first visit, so it may make another visitor of one who has nothing.
        self.may_change_id |= credentials.access.is_empty() && credentials.anonymous.is_empty();
        let script_cookies = ScriptCookies::of(&Shown::of_page_load(jar));
        let navigation = Navigation { tab, route, credentials, script_cookies, reply: None };
        self.pending.push(Pending::Navigation(Box::new(navigation)));
    }

    /// It comes to the server, or its answer to the browser.
    pub(crate) fn go_on(&mut self, mut navigation: Box<Navigation>) {
        let Navigation { tab, route, credentials, script_cookies, reply } = *navigation;
        let Some(reply) = reply else {
            let reply = self.serve(route, &credentials);
            let (status, saw) = (reply.status, reply.saw);
            self.say(|| format!("  the server answers the form with {status} to {saw:?}"));
            navigation.reply = Some(reply);
            return self.pending.push(Pending::Navigation(navigation));
        };
        self.say(|| format!("  the browser gets the answer to the form ({route:?})"));
        self.take_cookies(&reply);
        self.note_id(&reply);
        self.expect_nothing_told();
        if reply.clears_script_cookies {
            // Those that came with the request. Any that were written since go with them, and those
            // under way are written again.
            for name in script_cookies.names() {
                for cookie in clear_script(name, reply.for_site) {
                    self.browser.jar.set(Writer::Response, Host::Api, cookie, self.now);
                }
            }
            // Or a mark of this moment could be written a second time.
            self.now += 100.0;
        }
        // Without consent, a tab writes nothing down, and knows all the same that there is nothing.
        // Where the server made no sessions for a while, a tab does not wait for one any more.
        let is_told =
            self.tells_nothing() && self.setting.mode != AnonymousMode::Off && !self.has_limited;
        let is_quiet = self.pending.is_empty()
            && self.browser.tabs.iter().all(|tab| !tab.is_open || tab.machine.is_idle());
        self.has_unseen_cookies |= reply.puts() && !(is_told && is_quiet);
        if let Some(tab) = tab.filter(|tab| self.browser.tabs[*tab].is_open) {
            self.reload(tab);
        }
    }

    /// Whether no cookie of the SDK's is left.
    fn tells_nothing(&self) -> bool {
        ScriptCookies::of(&self.browser.shown()) == ScriptCookies::default()
    }

    /// The page of a tab begins anew. The browser's storage stays.
    pub(crate) fn reload(&mut self, tab: usize) {
        self.close_tab(tab);
        self.open_tab();
    }
}
