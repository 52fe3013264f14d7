//! Who sent a request: reads its tokens, asks the engine, and notes what the response must carry.

use std::cmp::Reverse;

use http::{HeaderMap, request::Parts};
use passerby_protocol::names::cookie;

use super::{
    changes::{AnonymousChange, Changes},
    cookies,
    request::{RequestFacts, Transfer, bearer},
};
use crate::{
    engine::{AccessCheck, AnonymousCheck, DatabaseCheck, EngineError, Whose, jwt::TokenKind},
    principal::{AnonymousSession, UserSession},
    sessions::Sessions,
};

/// What is known of a visitor who has no session now, for when he signs in.
#[derive(Clone)]
pub(crate) enum Former {
    Unknown,
    /// The anonymousId of a token that is of no more use, and whose signature was right.
    Id(String),
    /// Beside the access token that cannot be used there is this session.
    Anonymous(AnonymousSession),
}

impl Former {
    fn of(anonymous_id: Option<String>) -> Self {
        anonymous_id.map_or(Self::Unknown, Self::Id)
    }
}

/// Who sent a request.
#[derive(Clone)]
pub(crate) enum Who {
    /// No session, and none was made.
    Nobody(Former),
    Anonymous(AnonymousSession),
    User(UserSession, Transfer),
    /// There is an access token, but it cannot be used.
    TryRefresh(Former),
    /// The access token is valid, but the session was revoked or has expired.
    Ended {
        anonymous_id: String,
    },
    /// The store or the keys could not be asked.
    Unavailable,
}

/// An anonymous token of a request, verified.
pub(crate) struct PresentedAnonymous {
    pub(crate) token: String,
    pub(crate) transfer: Transfer,
    pub(crate) check: AnonymousCheck,
    bound_to_host: bool,
    /// A cookie, and another token was as valid.
    contested: bool,
}

impl PresentedAnonymous {
    /// Of several tokens the one that ranks highest counts, whatever order they come in. First what it is worth; then how it came: a
    /// `__Host-` cookie is this host's own doing, a header a script's, with what a sub-domain may have planted; then the newest, because it
    /// has the latest payload.
    fn rank(&self) -> impl Ord {
        let (worth, issued_at) = match &self.check {
            AnonymousCheck::Valid { session, .. } => (2, session.claims.issued_at),
            AnonymousCheck::Expired { .. } => (1, 0),
            AnonymousCheck::Invalid => (0, 0),
        };
        (worth, self.bound_to_host, self.transfer == Transfer::Header, issued_at, Reverse(self.token.clone()))
    }
}

/// The access token of a request, before any check.
enum PresentedAccess {
    None,
    One(String, Transfer),
    /// Several cookies, or one of a former protocol version: refreshing clears that up.
    Ambiguous,
}

/// Finds out who sent a request, and mints an anonymous session when there is none and may be one.
pub(crate) async fn resolve(sessions: &Sessions, request: &Parts, facts: &RequestFacts) -> (Who, Changes) {
    match resolve_or_fail(sessions, request, facts).await {
        Ok(resolved) => resolved,
        Err(error) => {
            tracing::error!(%error, "a session could not be resolved");
            (Who::Unavailable, Changes::default())
        }
    }
}

async fn resolve_or_fail(sessions: &Sessions, request: &Parts, facts: &RequestFacts) -> Result<(Who, Changes), EngineError> {
    let headers = &request.headers;
    let mut changes = Changes::default();
    let who = match access_token(headers, facts) {
        PresentedAccess::Ambiguous => Who::TryRefresh(former(sessions, headers, facts, None).await?),
        PresentedAccess::One(token, transfer) => match sessions.engine().verify(&token).await? {
            AccessCheck::TryRefresh { anonymous_id } => Who::TryRefresh(former(sessions, headers, facts, anonymous_id).await?),
            AccessCheck::Valid(session) if is_forged(sessions, facts, transfer, &session) => {
                Who::TryRefresh(Former::Id(session.claims.anonymous_id))
            }
            AccessCheck::Valid(session) => user(sessions, session, transfer, facts, &mut changes).await?,
        },
        PresentedAccess::None => anonymous(sessions, request, facts, &mut changes).await?,
    };
    Ok((who, changes))
}

/// Reference 8.3, steps 1 and 2.
fn access_token(headers: &HeaderMap, facts: &RequestFacts) -> PresentedAccess {
    if facts.has_legacy_cookie {
        return PresentedAccess::Ambiguous;
    }
    let is_access = |token: &str| TokenKind::claimed_by(token) == Some(TokenKind::Access);
    if let Some(token) = bearer(headers).filter(|token| is_access(token)) {
        return PresentedAccess::One(token.to_owned(), Transfer::Header);
    }
    let mut tokens = cookies::values(headers, cookie::ACCESS_TOKEN);
    match (tokens.pop(), tokens.is_empty()) {
        (Some(token), true) if is_access(&token) => PresentedAccess::One(token, Transfer::Cookie),
        (Some(_), false) => PresentedAccess::Ambiguous,
        _ => PresentedAccess::None,
    }
}

/// Reference 8.3, steps 3 and 7.
fn is_forged(sessions: &Sessions, facts: &RequestFacts, transfer: Transfer, session: &UserSession) -> bool {
    facts.is_unsafe && !sessions.anti_csrf().allows(facts, transfer, session.claims.anti_csrf_token.as_deref())
}

/// Reference 8.3, step 8.
async fn user(
    sessions: &Sessions,
    session: UserSession,
    transfer: Transfer,
    facts: &RequestFacts,
    changes: &mut Changes,
) -> Result<Who, EngineError> {
    if !facts.is_api || session.claims.parent_refresh_token_hash1.is_none() {
        return Ok(Who::User(session, transfer));
    }
    Ok(match sessions.engine().check_database(&session).await? {
        DatabaseCheck::Exists => Who::User(session, transfer),
        DatabaseCheck::Gone => Who::Ended { anonymous_id: session.claims.anonymous_id },
        DatabaseCheck::Promoted(access) => {
            let session = access.session.clone();
            changes.renew_access(transfer, access);
            Who::User(session, transfer)
        }
    })
}

async fn anonymous(
    sessions: &Sessions,
    request: &Parts,
    facts: &RequestFacts,
    changes: &mut Changes,
) -> Result<Who, EngineError> {
    if !sessions.anonymous_enabled() || facts.anonymous_off {
        if facts.is_api && (facts.has_anonymous_cookie || facts.has_anonymous_bearer) {
            changes.anonymous = AnonymousChange::Remove;
        }
        return Ok(Who::Nobody(Former::Unknown));
    }
    let known_id = match presented_anonymous(sessions, &request.headers).await? {
        Some(PresentedAnonymous { check: AnonymousCheck::Valid { session, outdated }, transfer, contested, .. }) => {
            if outdated && facts.is_api {
                return Ok(Who::Anonymous(renewed(sessions, session, transfer, changes)));
            }
            // The browser may have been told of another. Its cookies stay: a planted one must not take the place of the visitor's.
            if contested && facts.is_api {
                changes.anonymous = announcement(sessions, &session);
            }
            return Ok(Who::Anonymous(session));
        }
        Some(PresentedAnonymous { check: AnonymousCheck::Expired { anonymous_id }, .. }) => Some(anonymous_id),
        Some(PresentedAnonymous { check: AnonymousCheck::Invalid, .. }) | None => None,
    };
    if !facts.may_mint || (known_id.is_none() && !facts.may_be_new) {
        return Ok(Who::Nobody(Former::of(known_id)));
    }
    if known_id.is_none() && !sessions.may_mint(request).await {
        changes.limited = true;
        return Ok(Who::Nobody(Former::Unknown));
    }
    let whose = Whose::of(known_id, facts.anonymous_key.clone());
    let issued = sessions.engine().mint_anonymous(whose, serde_json::Map::new())?;
    let session = issued.session.clone();
    changes.anonymous = AnonymousChange::Issue { transfer: facts.transfer, issued: Box::new(issued) };
    Ok(Who::Anonymous(session))
}

/// The same session with a new token. The old one is still good, so that a failure costs nothing.
fn renewed(sessions: &Sessions, session: AnonymousSession, transfer: Transfer, changes: &mut Changes) -> AnonymousSession {
    match sessions.engine().renew_anonymous(&session) {
        Ok(issued) => {
            let session = issued.session.clone();
            changes.anonymous = AnonymousChange::Issue { transfer, issued: Box::new(issued) };
            session
        }
        Err(error) => {
            tracing::warn!(%error, "an anonymous token could not be renewed; the old one stays");
            session
        }
    }
}

/// The announcement of a session whose token stays as it is.
pub(crate) fn announcement(sessions: &Sessions, session: &AnonymousSession) -> AnonymousChange {
    sessions.engine().announcement(session).map_or_else(
        |error| {
            tracing::warn!(%error, "an anonymous session could not be announced");
            AnonymousChange::Keep
        },
        AnonymousChange::Announce,
    )
}

/// The visitor's anonymous token, verified; of several the one that ranks highest.
pub(crate) async fn presented_anonymous(
    sessions: &Sessions,
    headers: &HeaderMap,
) -> Result<Option<PresentedAnonymous>, EngineError> {
    let mut best: Option<PresentedAnonymous> = None;
    let mut consider = |found: PresentedAnonymous| {
        if best.as_ref().is_none_or(|best| best.rank() < found.rank()) {
            best = Some(found);
        }
    };
    let mut valid = Vec::new();
    if let Some(token) = bearer(headers).filter(|token| TokenKind::claimed_by(token) == Some(TokenKind::Anonymous)) {
        let check = sessions.engine().verify_anonymous(token).await?;
        let token = token.to_owned();
        if let AnonymousCheck::Valid { .. } = check {
            valid.push(token.clone());
        }
        consider(PresentedAnonymous { token, transfer: Transfer::Header, check, bound_to_host: false, contested: false });
    }
    for cookie in sessions.cookies().anonymous_values(headers) {
        let mut check = sessions.engine().verify_anonymous(&cookie.value).await?;
        if let AnonymousCheck::Valid { outdated, .. } = &mut check {
            // Moves to the name that it is set under now.
            *outdated |= cookie.former;
            if !valid.contains(&cookie.value) {
                valid.push(cookie.value.clone());
            }
        }
        let (token, bound_to_host) = (cookie.value, cookie.bound_to_host);
        consider(PresentedAnonymous { token, transfer: Transfer::Cookie, check, bound_to_host, contested: false });
    }
    if let Some(best) = best.as_mut().filter(|best| best.transfer == Transfer::Cookie) {
        best.contested = valid.len() > 1;
    }
    Ok(best)
}

/// The anonymousId of the access cookie when its signature is right, expired or not. For refusals of the refresh endpoint.
pub(crate) async fn anonymous_id_of_access_token(
    sessions: &Sessions,
    headers: &HeaderMap,
) -> Result<Option<String>, EngineError> {
    for token in cookies::values(headers, cookie::ACCESS_TOKEN) {
        match sessions.engine().verify(&token).await? {
            AccessCheck::Valid(session) => return Ok(Some(session.claims.anonymous_id)),
            AccessCheck::TryRefresh { anonymous_id: Some(id) } => return Ok(Some(id)),
            AccessCheck::TryRefresh { anonymous_id: None } => {}
        }
    }
    Ok(None)
}

/// What a visitor whose access token is of no use signs in with. That token's id counts before any other, because an anonymous cookie can
/// be planted.
async fn former(
    sessions: &Sessions,
    headers: &HeaderMap,
    facts: &RequestFacts,
    anonymous_id: Option<String>,
) -> Result<Former, EngineError> {
    let known_id = match anonymous_id {
        Some(id) => Some(id),
        None => anonymous_id_of_access_token(sessions, headers).await?,
    };
    if !sessions.anonymous_enabled() || facts.anonymous_off {
        return Ok(Former::of(known_id));
    }
    let fits = |id: &str| known_id.as_deref().is_none_or(|known| known == id);
    Ok(match presented_anonymous(sessions, headers).await?.map(|found| found.check) {
        Some(AnonymousCheck::Valid { session, .. }) if fits(session.anonymous_id()) => Former::Anonymous(session),
        Some(AnonymousCheck::Expired { anonymous_id }) => Former::Id(known_id.unwrap_or(anonymous_id)),
        Some(AnonymousCheck::Valid { .. } | AnonymousCheck::Invalid) | None => Former::of(known_id),
    })
}
