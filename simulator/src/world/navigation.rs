//! Requests that the browser makes by itself: a form that is posted, a link, a frame. It takes the
//! cookies of the answers, and no script reads a header of them.

use passerby_protocol::request::AnonymousMode;

use crate::{
    jar::Jar,
    server::{Credentials, Reply, Route},
    tokens::Others,
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

/// Whether the cookies that the SDK wrote are there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct ScriptCookies {
    front: bool,
    anonymous_front: bool,
    mark: bool,
}

impl ScriptCookies {
    fn of(jar: &Jar) -> Self {
        Self {
            front: jar.front.is_some(),
            anonymous_front: jar.anonymous_front.is_some(),
            mark: jar.mark.is_some(),
        }
    }

    /// The server deletes those that came with the request.
    fn clear(self, jar: &mut Jar) {
        jar.front.take_if(|_| self.front);
        jar.anonymous_front.take_if(|_| self.anonymous_front);
        jar.mark.take_if(|_| self.mark);
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
        let jar = &self.browser.jar;
        let credentials = Credentials {
            access: jar.access,
            anonymous: jar.anonymous,
            is_page: true,
            others: Others { refresh: None, ..jar.others },
            ..Credentials::default()
        };
        // It has no key of a first visit, so it may make another visitor of one who has nothing.
        self.may_change_id |= (jar.access, jar.anonymous) == (None, None);
        let script_cookies = ScriptCookies::of(jar);
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
        self.browser.jar.take_cookies(&reply);
        self.note_id(&reply);
        self.expect_nothing_told();
        // Cookies that were written since the request went stay, and those under way are written
        // again.
        let there = ScriptCookies::of(&self.browser.jar);
        // Without consent, a tab writes nothing down, and knows all the same that there is nothing.
        // Where the server made no sessions for a while, a tab does not wait for one any more.
        let is_told = match there == ScriptCookies::default() {
            true => self.setting.mode != AnonymousMode::Off && !self.has_limited,
            false => self.setting.shares_host && self.server.is_ours && there == script_cookies,
        };
        let is_quiet = self.pending.is_empty()
            && self.browser.tabs.iter().all(|tab| !tab.is_open || tab.machine.is_idle());
        self.has_unseen_cookies |= reply.puts() && !(is_told && is_quiet);
        if self.setting.shares_host && reply.clears_script_cookies {
            script_cookies.clear(&mut self.browser.jar);
            // Or a mark of this moment could be written a second time.
            self.now += 100.0;
        }
        if let Some(tab) = tab.filter(|tab| self.browser.tabs[*tab].is_open) {
            self.reload(tab);
        }
    }

    /// The page of a tab begins anew. The browser's storage stays.
    pub(crate) fn reload(&mut self, tab: usize) {
        self.close_tab(tab);
        self.open_tab();
    }
}
