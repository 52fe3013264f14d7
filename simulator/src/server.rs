//! Servers: ours, by the rules that `passerby-server` uses, and a stock SuperTokens back end.

use std::{cmp::Reverse, collections::BTreeMap};

use passerby_protocol::{
    identity::{
        AnonymousToken, Mint, MintFacts, MintRules, PriorIdentity, UserTokens, is_meant,
        mint_decision, prior_identity,
    },
    response::Announced,
    rotation::{DEFAULT_GRACE_MS, Lineage, Presented, Rotation},
    state::Token,
};

use crate::{
    jar::{Name, Path},
    places::anonymous_name,
    processes::{Cluster, KeyKind},
    several::Several,
    tokens::{Access, Anonymous, DAY, ENDPOINT_KEY, FOREIGN, INVENTED, LOST, Refresh, Sim, Time},
};

/// The id that every answer makes of this token, once its key is gone: an even number that nobody
/// else has.
pub(crate) fn id_of_lost(token: &Anonymous) -> u32 {
    let text = (u64::from(token.id) << 32) ^ (token.issued_at as u64) ^ u64::from(token.key) << 56;
    let mixed = text.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 34;
    LOST | (mixed as u32) & !1
}

/// Milliseconds that an access token is valid.
pub(crate) const ACCESS_LIFE: Time = 3_600_000.0;

/// Milliseconds that a session lives without being used.
pub(crate) const SESSION_LIFE: Time = 100.0 * DAY;

/// An anonymous token that is older than this is made anew.
const RENEWAL: Time = 100.0 * DAY;

/// The routes of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Answers everybody.
    Public,
    /// Answers users, and asks the database whether their session is still there.
    Users,
    /// Signs a user in.
    Login(u32),
    /// Looks who asks, as `Public` does, for the simulator.
    Who,
    Refresh,
    SignOut,
    /// The app's own route for signing out, of which the SDK knows nothing.
    Leave,
    Forget,
    /// The app's own endpoint for anonymous sessions, which is another server.
    Endpoint,
}

impl Route {
    /// The path of a request to it.
    pub(crate) fn path(self) -> Path {
        match self {
            Self::Refresh => Path::Refresh,
            Self::SignOut | Self::Forget => Path::Auth,
            _ => Path::Api,
        }
    }
}

/// An anonymous token as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PresentedAnonymous {
    pub(crate) token: Anonymous,
    /// The name of the cookie; that of the script's own one for the header.
    pub(crate) name: Name,
}

/// The credentials that a request carries. Those of one name are in the order of the request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Credentials {
    pub(crate) access: Several<Access>,
    pub(crate) refresh: Several<Refresh>,
    pub(crate) anonymous: Several<PresentedAnonymous>,
    /// The key of a first visit.
    pub(crate) key: Option<u32>,
    /// The session that a sign-out is about.
    pub(crate) named: Option<u32>,
    /// The app does not want anonymous sessions.
    pub(crate) off: bool,
    /// New tokens go in headers.
    pub(crate) in_headers: bool,
    /// The browser loads a page. Nothing is made or promoted for that.
    pub(crate) is_page: bool,
}

impl Credentials {
    /// A token in the header, which counts before any cookie.
    pub(crate) fn add_access(&mut self, token: Option<Access>) {
        if token.is_some() {
            self.access = token.into();
        }
    }

    /// The same of a refresh token.
    pub(crate) fn add_refresh(&mut self, token: Option<Refresh>) {
        if token.is_some() {
            self.refresh = token.into();
        }
    }

    /// An anonymous token in the header. Of several the server chooses.
    pub(crate) fn add_anonymous(&mut self, token: Option<Anonymous>) {
        if let Some(token) = token {
            self.anonymous.push(PresentedAnonymous { token, name: Name::OwnAnonymous });
        }
    }

    /// The anonymous token that counts before all others, if it is valid.
    pub(crate) fn own_anonymous(&self) -> Option<PresentedAnonymous> {
        let rank = |name: Name| (name.is_bound_to_host(), name == Name::OwnAnonymous);
        self.anonymous.iter().max_by_key(|held| rank(held.name))
    }

    /// Whether there is a token of a user session.
    pub(crate) fn has_user(&self) -> bool {
        !(self.access.is_empty() && self.refresh.is_empty())
    }

    fn has_anonymous_cookie(&self) -> bool {
        self.anonymous.iter().any(|held| held.name != Name::OwnAnonymous)
    }

    /// Whether nobody can say which session it is about.
    fn is_ambiguous(&self) -> bool {
        self.access.has_several() || self.refresh.has_several()
    }
}

/// The visitor whose user session is over, or about to be replaced.
#[derive(Clone, Copy, Debug)]
enum Prior {
    Unknown,
    Id(u32),
    /// Beside the tokens of the user session there is this one of their own.
    Own(Anonymous),
}

impl Prior {
    fn id(self) -> Option<u32> {
        match self {
            Self::Unknown => None,
            Self::Id(id) => Some(id),
            Self::Own(own) => Some(own.id),
        }
    }
}

/// The sender of a request, as the server saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    Nobody,
    Anonymous(u32),
    User {
        handle: u32,
        anonymous_id: u32,
    },
    /// A user whose access token has expired.
    Expired(u32),
}

/// The effect of a response on one cookie, or its header in header mode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Put<T> {
    Leave,
    Clear,
    Set(T),
}

impl<T> Put<T> {
    pub(crate) fn map<U>(self, with: impl FnOnce(T) -> U) -> Put<U> {
        match self {
            Self::Leave => Put::Leave,
            Self::Clear => Put::Clear,
            Self::Set(value) => Put::Set(with(value)),
        }
    }
}

/// A response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) message: Option<&'static str>,
    pub(crate) access: Put<Access>,
    pub(crate) refresh: Put<Refresh>,
    pub(crate) anonymous: Put<Anonymous>,
    /// Whether the anonymous front token is announced, and which.
    pub(crate) announces: Option<Anonymous>,
    /// `front-token: remove`.
    pub(crate) ends: bool,
    /// `st-anonymous-front-token: remove`.
    pub(crate) removes_anonymous: bool,
    pub(crate) in_headers: bool,
    pub(crate) saw: Principal,
    /// The session that this answer says was stolen.
    pub(crate) theft: Option<u32>,
    /// Whether the cookies that scripts wrote are to go: they would not know of this answer.
    pub(crate) clears_script_cookies: bool,
    /// Whether the user's cookies of a former configuration are to go.
    pub(crate) clears_others: bool,
    /// Whether no anonymous session was made, because there were too many.
    pub(crate) is_limited: bool,
    /// Whether the anonymous cookie of the name that is no longer set is to go.
    pub(crate) clears_former: bool,
    /// Whether its cookies are for the whole site.
    pub(crate) for_site: bool,
    /// When it was given, in epoch milliseconds.
    pub(crate) at: Time,
}

impl Reply {
    fn new(status: u16, saw: Principal, in_headers: bool) -> Self {
        Self {
            status,
            message: None,
            access: Put::Leave,
            refresh: Put::Leave,
            anonymous: Put::Leave,
            announces: None,
            ends: false,
            removes_anonymous: false,
            in_headers,
            saw,
            theft: None,
            clears_script_cookies: false,
            clears_others: false,
            is_limited: false,
            clears_former: false,
            for_site: false,
            at: 0.0,
        }
    }

    /// Whether it changes a session.
    pub(crate) fn puts(&self) -> bool {
        self.ends
            || (self.access, self.refresh, self.anonymous) != (Put::Leave, Put::Leave, Put::Leave)
    }

    /// The header `front-token`.
    pub(crate) fn user_front(&self) -> Announced<Token<Sim>> {
        match self.access {
            Put::Set(access) => Announced::Token(access.front()),
            _ if self.ends => Announced::Removed,
            _ => Announced::Nothing,
        }
    }

    /// The header `st-anonymous-front-token`.
    pub(crate) fn anonymous_front(&self) -> Announced<Token<Sim>> {
        match self.announces {
            Some(anonymous) => Announced::Token(anonymous.front()),
            None if self.removes_anonymous => Announced::Removed,
            None => Announced::Nothing,
        }
    }

    fn give(&mut self, anonymous: Anonymous) {
        self.anonymous = Put::Set(anonymous);
        self.announces = Some(anonymous);
    }

    fn clear_user(&mut self) {
        self.refresh = Put::Clear;
        self.end_user();
    }

    /// The refresh cookie may be another session's by the time the answer comes.
    fn end_user(&mut self) {
        self.access = Put::Clear;
        self.ends = true;
        if self.in_headers {
            self.refresh = Put::Clear;
        }
    }
}

#[derive(Clone, Debug)]
struct Session {
    user: u32,
    anonymous_id: u32,
    lineage: Lineage<u32>,
    expires_at: Time,
}

impl Session {
    /// The token becomes the current one, and the session lives on.
    fn promote(&mut self, number: u32, now: Time) {
        self.lineage.promote(number, now as u64, DEFAULT_GRACE_MS);
        self.expires_at = now + SESSION_LIFE;
    }
}

/// A back end with its database and its processes.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Whether it is ours, and makes anonymous sessions.
    pub(crate) is_ours: bool,
    /// Whether a sign-out gives the visitor another id.
    pub(crate) rotates: bool,
    /// Whether it was told where the cookies of a former release are.
    pub(crate) knows_others: bool,
    /// Whether its cookies are for the whole site.
    pub(crate) for_site: bool,
    sessions: BTreeMap<u32, Session>,
    pub(crate) cluster: Cluster,
    next: u32,
    /// Whether there were too many new anonymous sessions.
    pub(crate) is_limited: bool,
}

impl Server {
    pub(crate) fn new(
        is_ours: bool,
        rotates: bool,
        knows_others: bool,
        for_site: bool,
        cluster: Cluster,
    ) -> Self {
        Self {
            is_ours,
            rotates,
            knows_others,
            for_site,
            sessions: BTreeMap::new(),
            cluster,
            next: 2,
            is_limited: false,
        }
    }

    /// An odd number that nobody had.
    fn odd(&mut self) -> u32 {
        self.next += 2;
        self.next + 1
    }

    /// An even number that nobody had, or the same one for the same key.
    fn id(&mut self, key: Option<u32>) -> u32 {
        self.next += 2;
        key.map_or(self.next, |key| 1_000_000 + key * 2)
    }

    /// Whether this user session has not ended.
    pub(crate) fn has(&self, handle: u32, now: Time) -> bool {
        self.sessions.get(&handle).is_some_and(|session| now < session.expires_at)
    }

    /// Somebody signs in with another browser, to plant the tokens in this one.
    /// `now` by the true clock.
    pub(crate) fn sign_in_elsewhere(&mut self, now: Time) -> Option<(Access, Refresh)> {
        let now = self.cluster.begin(now);
        let (handle, number) = (FOREIGN + self.odd(), FOREIGN + self.odd());
        let session = Session {
            user: FOREIGN,
            anonymous_id: FOREIGN + self.id(None),
            lineage: Lineage { current: number, formers: Vec::new() },
            expires_at: now + SESSION_LIFE,
        };
        self.sessions.insert(handle, session);
        self.tokens(handle, number, None, now)
    }

    /// The access token of a session that does not exist.
    pub(crate) fn invent(&mut self, now: Time) -> Access {
        let handle = INVENTED + self.odd();
        Access {
            handle,
            user: FOREIGN,
            anonymous_id: INVENTED + self.id(None),
            refresh: self.odd(),
            parent: None,
            issued_at: now,
            expires_at: now + ACCESS_LIFE,
            key: 0,
        }
    }

    /// Ends all sessions, as an administrator would.
    pub(crate) fn revoke_all(&mut self) {
        self.sessions.clear();
    }

    fn tokens(
        &mut self,
        handle: u32,
        number: u32,
        parent: Option<u32>,
        now: Time,
    ) -> Option<(Access, Refresh)> {
        let Session { user, anonymous_id, .. } = *self.sessions.get(&handle)?;
        let key = self.cluster.access_key(now);
        let access = Access {
            handle,
            user,
            anonymous_id,
            refresh: number,
            parent,
            issued_at: now,
            expires_at: now + ACCESS_LIFE,
            key,
        };
        Some((access, Refresh { handle, anonymous_id, number, parent, issued_at: now }))
    }

    /// The process whose turn it is answers a request. `now` by the true clock.
    pub(crate) fn serve(&mut self, route: Route, credentials: &Credentials, now: Time) -> Reply {
        let now = self.cluster.begin(now);
        let anonymous = credentials.anonymous.iter().filter(|_| self.is_ours && !credentials.off);
        let anonymous = anonymous.map(|held| (KeyKind::Anonymous, held.token.key));
        // A refresh call reads them where there is no refresh token.
        let needs_access = route != Route::Refresh || credentials.refresh.is_empty();
        let access = credentials.access.iter().filter(|_| needs_access);
        let access = access.map(|access| (KeyKind::Access, access.key));
        let is_unknown = self.cluster.look_up(access.chain(anonymous), now).is_err();
        let needs_database = !matches!(route, Route::Public | Route::Who);
        let reply = if is_unknown || needs_database && !self.cluster.has_database() {
            Reply::new(503, Principal::Nobody, credentials.in_headers)
        } else {
            self.answer(route, credentials, now)
        };
        self.cluster.end(now);
        reply
    }

    fn answer(&mut self, route: Route, credentials: &Credentials, now: Time) -> Reply {
        let mut reply = match route {
            Route::Endpoint => return self.endpoint(credentials, now),
            Route::Refresh => self.refresh(credentials, now),
            _ => self.api(route, credentials, now),
        };
        // An anonymous cookie beside a user session stays: an answer that removed it could come
        // after one that gave the visitor their anonymous session back. The end of the session
        // replaces it, with its payload.
        let is_users =
            matches!(reply.saw, Principal::User { .. }) || matches!(reply.access, Put::Set(_));
        if self.is_ours && credentials.off && !is_users && !credentials.anonymous.is_empty() {
            reply.anonymous = Put::Clear;
            reply.announces = None;
            reply.removes_anonymous = true;
        }
        // Those of a former release may be all that the browser has.
        reply.clears_others |= self.knows_others && reply.ends && credentials.has_user();
        reply.clears_former = reply.anonymous != Put::Leave
            && credentials.anonymous.iter().any(|held| self.is_former(held.name));
        reply.clears_script_cookies = self.is_ours && credentials.is_page && reply.puts();
        (reply.for_site, reply.at) = (self.for_site, now);
        reply
    }

    /// Whether the anonymous cookie had this name before its domain changed.
    pub(crate) fn is_former(&self, name: Name) -> bool {
        name == anonymous_name(!self.for_site)
    }

    fn is_valid(&self, held: &PresentedAnonymous) -> bool {
        self.is_ours && self.cluster.process().knows(KeyKind::Anonymous, held.token.key)
    }

    /// Whether it can be verified. It may have expired.
    fn is_verified(&self, access: &Access) -> bool {
        self.cluster.process().knows(KeyKind::Access, access.key)
    }

    /// The visitor by the first of the access tokens that can be verified.
    fn user_of(&self, credentials: &Credentials) -> Option<(u32, Time)> {
        let access = credentials.access.iter().find(|access| self.is_verified(access))?;
        Some((access.anonymous_id, access.issued_at))
    }

    /// Of several the one that ranks highest.
    fn best_anonymous(&self, credentials: &Credentials) -> Option<PresentedAnonymous> {
        credentials.anonymous.iter().max_by_key(|held| {
            let bound_to_host = held.name.is_bound_to_host();
            let token = match self.is_valid(held) {
                true => AnonymousToken::Valid {
                    anonymous_id: "",
                    issued_at: (held.token.issued_at / 1_000.0) as u64,
                    bound_to_host,
                },
                false => AnonymousToken::None,
            };
            let by_header = held.name == Name::OwnAnonymous;
            (token.rank(bound_to_host, by_header), Reverse(held.token.id))
        })
    }

    fn valid_anonymous(&self, credentials: &Credentials) -> Option<PresentedAnonymous> {
        self.best_anonymous(credentials).filter(|held| self.is_valid(held))
    }

    /// Whether the token that counts came in a cookie, and another one is as valid.
    fn is_contested(&self, held: &PresentedAnonymous, credentials: &Credentials) -> bool {
        held.name != Name::OwnAnonymous
            && credentials
                .anonymous
                .iter()
                .any(|other| self.is_valid(&other) && other.token != held.token)
    }

    /// The visitor by the tokens of a user session, which name this id and were made then, and by
    /// the anonymous token that came along.
    fn prior(&self, user: Option<(u32, Time)>, credentials: &Credentials) -> Prior {
        let held = self.valid_anonymous(credentials).filter(|_| !credentials.off);
        let (user_id, own_id) = (
            user.map_or(String::new(), |(id, _)| id.to_string()),
            held.map_or(String::new(), |held| held.token.id.to_string()),
        );
        let user = user.map(|(_, issued_at)| UserTokens {
            anonymous_id: &user_id,
            issued_at: Some((issued_at / 1_000.0) as u64),
            by_cookie: !credentials.in_headers,
        });
        let anonymous = held.map_or(AnonymousToken::None, |held| AnonymousToken::Valid {
            anonymous_id: &own_id,
            issued_at: (held.token.issued_at / 1_000.0) as u64,
            bound_to_host: held.name.is_bound_to_host(),
        });
        match (prior_identity(user.as_ref(), &anonymous), held) {
            (PriorIdentity::Session, Some(held)) => Prior::Own(held.token),
            (PriorIdentity::Id(id), _) => id.parse().map_or(Prior::Unknown, Prior::Id),
            _ => Prior::Unknown,
        }
    }

    /// Another id than that of these tokens of a user, if it is the visitor's own.
    fn own_beside(&self, id: u32, credentials: &Credentials) -> Option<u32> {
        match self.prior(Some((id, Time::INFINITY)), credentials) {
            Prior::Own(own) => Some(own.id).filter(|own| *own != id),
            Prior::Id(_) | Prior::Unknown => None,
        }
    }

    /// A visitor without a user session gets their own session again if `repeats`, or a new one.
    fn anonymous(
        &mut self,
        reply: &mut Reply,
        credentials: &Credentials,
        known: Option<u32>,
        repeats: bool,
        now: Time,
    ) {
        if !self.is_ours || credentials.off {
            return;
        }
        let held = self.valid_anonymous(credentials);
        let facts = MintFacts {
            is_read_by_script: !credentials.is_page,
            is_wanted_page: false,
            is_off: credentials.off,
            has_key: credentials.key.is_some(),
            ends_session: known.is_some(),
        };
        let rules = MintRules { enabled: self.is_ours, only_with_key: false };
        let mint = mint_decision(&facts, &rules, known.is_some());
        match (held, known) {
            (Some(held), None) => {
                let token = held.token;
                reply.saw = Principal::Anonymous(token.id);
                // The browser may have been told of another.
                let is_contested = self.is_contested(&held, credentials);
                let process = self.cluster.process();
                let (key, is_superseded) =
                    (process.signing(now), process.is_superseded(token.key, now));
                // One of a former name moves to the present one.
                let is_former = self.is_former(held.name);
                let is_outdated = token.issued_at + RENEWAL < now || is_former || is_superseded;
                if is_outdated && !credentials.is_page {
                    reply.give(Anonymous { issued_at: now, key, ..token });
                } else if repeats && credentials.has_user() {
                    // A login that came first has deleted it.
                    reply.give(token);
                } else if repeats || is_contested && !credentials.is_page {
                    reply.announces = Some(token);
                }
            }
            _ if mint == Mint::Forbidden => {}
            (None, None) if self.is_limited => reply.is_limited = true,
            (_, known) => {
                let id = known.unwrap_or_else(|| self.new_id(credentials));
                reply.saw = Principal::Anonymous(id);
                reply.give(Anonymous { id, issued_at: now, key: self.signing(now) });
            }
        }
    }

    /// The key that signs by the process whose turn it is.
    fn signing(&self, now: Time) -> u32 {
        self.cluster.process().signing(now)
    }

    /// The id of somebody who has none that counts.
    fn new_id(&mut self, credentials: &Credentials) -> u32 {
        // Of a token that nobody can verify, every answer makes the same new id. A page makes none.
        let lost = self.best_anonymous(credentials).filter(|lost| !self.is_former(lost.name));
        let lost = lost.filter(|_| !credentials.is_page);
        lost.map_or_else(|| self.id(credentials.key), |lost| id_of_lost(&lost.token))
    }

    /// A token in the body: of the id that came along, or of a new one.
    fn endpoint(&mut self, credentials: &Credentials, now: Time) -> Reply {
        let held = credentials.anonymous.first();
        let id = held.map_or_else(|| self.id(None), |held| held.token.id);
        let mut reply = Reply::new(200, Principal::Anonymous(id), false);
        reply.announces = Some(Anonymous { id, issued_at: now, key: ENDPOINT_KEY });
        reply
    }

    /// The answer to a refused refresh has the anonymous session that the visitor has now.
    fn give_back(
        &mut self,
        reply: &mut Reply,
        user: Option<(u32, Time)>,
        credentials: &Credentials,
        now: Time,
    ) {
        let known = match self.prior(user, credentials) {
            Prior::Id(id) => Some(id),
            Prior::Own(_) | Prior::Unknown => None,
        };
        self.anonymous(reply, credentials, known, true, now);
    }

    fn refresh(&mut self, credentials: &Credentials, now: Time) -> Reply {
        let mut reply = Reply::new(401, Principal::Nobody, credentials.in_headers);
        if self.is_ours && credentials.is_ambiguous() {
            // The browser is to try again with the cookies that remain.
            reply.status = if self.knows_others { 200 } else { 500 };
            reply.clears_others = self.knows_others;
            return reply;
        }
        reply.message = Some("unauthorised");
        let Some(presented) = credentials.refresh.first() else {
            reply.ends = true;
            // Ours clears what was presented. A stock back end clears by name.
            if !self.is_ours || !credentials.access.is_empty() {
                reply.clear_user();
            }
            let user = self.user_of(credentials);
            self.give_back(&mut reply, user, credentials, now);
            return reply;
        };
        let session = self.sessions.get(&presented.handle);
        let live = session.filter(|session| now < session.expires_at);
        let rotation = live.map(|session| {
            let token = Presented {
                hash: &presented.number,
                parent: presented.parent.as_ref(),
                issued_at: Some(presented.issued_at as u64),
            };
            session.lineage.judge(&token, now as u64, DEFAULT_GRACE_MS)
        });
        match rotation {
            Some(Rotation::Theft) | None => {
                if rotation.is_some() {
                    reply.message = Some("token theft detected");
                    reply.theft = Some(presented.handle);
                }
                let known =
                    self.sessions.remove(&presented.handle).map(|session| session.anonymous_id);
                reply.clear_user();
                let id = known.unwrap_or(presented.anonymous_id);
                self.give_back(&mut reply, Some((id, presented.issued_at)), credentials, now);
                reply
            }
            Some(rotation) => {
                let number = self.odd();
                if let (Rotation::Promote, Some(session)) =
                    (rotation, self.sessions.get_mut(&presented.handle))
                {
                    session.promote(presented.number, now);
                }
                let Some((access, refresh)) =
                    self.tokens(presented.handle, number, Some(presented.number), now)
                else {
                    return reply;
                };
                let saw =
                    Principal::User { handle: access.handle, anonymous_id: access.anonymous_id };
                let mut reply = Reply {
                    access: Put::Set(access),
                    refresh: Put::Set(refresh),
                    ..Reply::new(200, saw, credentials.in_headers)
                };
                // A browser has one session or the other, but tokens that somebody planted take
                // nothing away.
                let own = self.own_beside(access.anonymous_id, credentials);
                if self.is_ours && credentials.has_anonymous_cookie() && own.is_none() {
                    reply.anonymous = Put::Clear;
                    reply.removes_anonymous = true;
                }
                reply
            }
        }
    }

    fn api(&mut self, route: Route, credentials: &Credentials, now: Time) -> Reply {
        let mut reply = Reply::new(200, Principal::Nobody, credentials.in_headers);
        let asks_database = matches!(route, Route::Users | Route::Forget | Route::Who);
        let mut over = None;
        let access = credentials.access.first();
        // By the tokens of the request.
        let prior = self.prior(self.user_of(credentials), credentials).id();
        if let Some(access) = access.filter(|_| self.is_ours && credentials.access.has_several()) {
            match route {
                Route::Login(_) => over = prior,
                Route::SignOut => {
                    for access in credentials.access.iter() {
                        if self.is_verified(&access) {
                            self.sessions.remove(&access.handle);
                        }
                    }
                    reply.clear_user();
                    self.anonymous(&mut reply, credentials, prior, true, now);
                    return reply;
                }
                _ => {
                    reply.status = 401;
                    reply.message = Some("try refresh token");
                    reply.saw = Principal::Expired(access.handle);
                    return reply;
                }
            }
        } else if let Some(access) = access {
            if self.is_ours && !is_meant(credentials.named.as_ref(), &access.handle) {
                reply.status = 401;
                reply.message = Some("try refresh token");
                reply.saw = Principal::Expired(access.handle);
                return reply;
            }
            if access.expires_at < now || !self.is_verified(&access) {
                if let Route::Login(_) = route {
                    over = prior;
                } else {
                    reply.status = 401;
                    reply.message = Some("try refresh token");
                    reply.saw = Principal::Expired(access.handle);
                    return reply;
                }
            } else if access.parent.is_some()
                && !credentials.is_page
                && !self.cluster.has_database()
            {
                // The first use of a refreshed token has to be written down.
                return Reply::new(503, Principal::Nobody, credentials.in_headers);
            } else {
                match self.look_up(&access, asks_database, !credentials.is_page, now) {
                    Some(new) => {
                        reply.saw = Principal::User {
                            handle: access.handle,
                            anonymous_id: access.anonymous_id,
                        };
                        if let Some(new) = new {
                            reply.access = Put::Set(new);
                        }
                    }
                    None => over = prior,
                }
            }
        }
        if let Route::Login(user) = route {
            return self.login(user, credentials, over, reply, now);
        }
        if let Principal::User { handle, anonymous_id } = reply.saw {
            return self.act(route, handle, anonymous_id, credentials, reply, now);
        }
        // Of a session that has ended, as of a guest.
        if over.is_some() {
            reply.end_user();
            if !self.is_ours || credentials.off {
                reply.clear_user();
            }
        }
        if !(self.is_ours && matches!(route, Route::Forget)) {
            self.anonymous(&mut reply, credentials, over, false, now);
        }
        match route {
            Route::Forget if self.is_ours && !credentials.off => {
                let id = self.id(None);
                reply.give(Anonymous { id, issued_at: now, key: self.signing(now) });
                // One that outlived its session has the id.
                if !reply.in_headers {
                    reply.refresh = Put::Clear;
                }
            }
            Route::Public | Route::Who | Route::Forget => {}
            _ => {
                reply.status = 401;
                reply.message = Some("unauthorised");
            }
        }
        reply
    }

    /// Whether the session is there: nothing if it is not, and perhaps another access token.
    fn look_up(
        &mut self,
        access: &Access,
        asks_database: bool,
        may_promote: bool,
        now: Time,
    ) -> Option<Option<Access>> {
        let promotes = may_promote && access.parent.is_some();
        let key = if promotes { self.cluster.access_key(now) } else { access.key };
        if !asks_database && !promotes {
            return Some(None);
        }
        let session = self.sessions.get_mut(&access.handle)?;
        if session.expires_at <= now {
            return None;
        }
        if !promotes {
            return Some(None);
        }
        let token = Presented {
            hash: &access.refresh,
            parent: access.parent.as_ref(),
            issued_at: Some(access.issued_at as u64),
        };
        match session.lineage.judge_by_access(&token) {
            Rotation::Promote => {
                session.promote(access.refresh, now);
                let anonymous_id = session.anonymous_id;
                Some(Some(Access { parent: None, anonymous_id, key, ..*access }))
            }
            // It stays valid until it expires.
            _ => Some(None),
        }
    }

    fn login(
        &mut self,
        user: u32,
        credentials: &Credentials,
        over: Option<u32>,
        mut reply: Reply,
        now: Time,
    ) -> Reply {
        let known = match reply.saw {
            Principal::User { handle, anonymous_id } => {
                let session = self.sessions.get(&handle);
                let (is_other, known) = session.map_or((false, anonymous_id), |session| {
                    (session.user != user, session.anonymous_id)
                });
                if self.is_ours && is_other {
                    self.sessions.remove(&handle);
                }
                Some(self.own_beside(anonymous_id, credentials).unwrap_or(known))
            }
            _ => over,
        };
        let held = self.valid_anonymous(credentials).map(|held| held.token.id);
        let anonymous_id = match known.or(held) {
            Some(id) => id,
            None if self.is_ours => self.new_id(credentials),
            None => 0,
        };
        let (handle, number) = (self.odd(), self.odd());
        let lineage = Lineage { current: number, formers: Vec::new() };
        let expires_at = now + SESSION_LIFE;
        self.sessions.insert(handle, Session { user, anonymous_id, lineage, expires_at });
        if let Some((access, refresh)) = self.tokens(handle, number, None, now) {
            reply.access = Put::Set(access);
            reply.refresh = Put::Set(refresh);
            reply.saw = Principal::User { handle, anonymous_id };
        }
        if self.is_ours {
            reply.anonymous = Put::Clear;
            reply.removes_anonymous = true;
        }
        reply
    }

    fn act(
        &mut self,
        route: Route,
        handle: u32,
        anonymous_id: u32,
        credentials: &Credentials,
        mut reply: Reply,
        now: Time,
    ) -> Reply {
        match route {
            Route::SignOut | Route::Leave => {
                let known = self
                    .sessions
                    .remove(&handle)
                    .map_or(anonymous_id, |session| session.anonymous_id);
                reply.clear_user();
                let id = match self.own_beside(anonymous_id, credentials) {
                    Some(own) => own,
                    None if self.rotates => self.id(None),
                    None => known,
                };
                self.anonymous(&mut reply, credentials, Some(id), true, now);
                reply.saw = Principal::User { handle, anonymous_id };
            }
            Route::Forget if self.is_ours => {
                let id = self.id(None);
                let number = self.odd();
                if let Some(session) = self.sessions.get_mut(&handle) {
                    session.anonymous_id = id;
                }
                let Some(presented) = credentials.access.first() else { return reply };
                let token = Presented {
                    hash: &presented.refresh,
                    parent: presented.parent.as_ref(),
                    issued_at: Some(presented.issued_at as u64),
                };
                let judged = self
                    .sessions
                    .get(&handle)
                    .map(|session| session.lineage.judge_by_access(&token));
                if matches!(judged, Some(Rotation::Current | Rotation::Promote)) {
                    // A child, so that an answer that is lost costs nothing.
                    if let Some((access, refresh)) =
                        self.tokens(handle, number, Some(presented.refresh), now)
                    {
                        reply.access = Put::Set(access);
                        reply.refresh = Put::Set(refresh);
                    }
                    if credentials.has_anonymous_cookie() {
                        reply.anonymous = Put::Clear;
                        reply.removes_anonymous = true;
                    }
                } else {
                    // A slow answer's: the browser keeps the refresh token that it has.
                    let key = self.cluster.access_key(now);
                    reply.access = Put::Set(Access { anonymous_id: id, key, ..presented });
                }
            }
            _ => {}
        }
        reply
    }
}
