//! Finds out who sent a request: reads its tokens, asks the engine, and notes what the response
//! must carry.

use std::{borrow::Cow, cmp::Reverse};

use passerby_protocol::identity::{
    AnonymousToken, Mint, PriorIdentity, UserTokens, mint_decision, prior_identity,
};

use super::{
    changes::{AnonymousChange, Changes},
    context::AppContext,
    incoming::Incoming,
    request::{RequestFacts, TransferMethod},
};
use crate::{
    engine::{
        AccessCheck, AnonymousCheck, Bearer, DatabaseCheck, EngineError, MintFor, PresentedToken,
        Seed, jwt::TokenKind,
    },
    principal::{AnonymousSession, UserSession},
};

/// A visitor who has no session now, for when they sign in.
#[derive(Clone)]
pub(crate) enum PriorVisitor {
    Unknown,
    /// The anonymousId of a token that is of no more use, and whose signature was right.
    Id(String),
    /// Beside the access token that cannot be used there is this session.
    Anonymous(AnonymousSession),
}

impl PriorVisitor {
    fn of((prior, presented): (PriorIdentity, Option<PresentedAnonymous<'_>>)) -> Self {
        match (prior, presented.map(|presented| presented.check)) {
            (PriorIdentity::Session, Some(AnonymousCheck::Valid { session, .. })) => {
                Self::Anonymous(session)
            }
            (PriorIdentity::Id(id), _) => Self::Id(id),
            (PriorIdentity::Session | PriorIdentity::Unknown, _) => Self::Unknown,
        }
    }
}

/// The sender of a request.
#[derive(Clone)]
pub(crate) enum Identity {
    /// No session, and none was made.
    Nobody(PriorVisitor),
    Anonymous(AnonymousSession),
    User(UserSession, TransferMethod),
    /// There is an access token, but it cannot be used. The session is there when nothing is wrong
    /// but that its time is over.
    TryRefresh(PriorVisitor, Option<UserSession>),
    /// The access token is valid, but the session was revoked or has expired.
    Ended(PriorVisitor),
    /// The store or the keys could not be asked.
    Unavailable,
}

/// The findings about a request.
pub(crate) struct Resolved {
    pub(crate) identity: Identity,
    /// Beside a user session, the anonymous session that the visitor has when it ends.
    pub(crate) beside: Option<AnonymousSession>,
    pub(crate) changes: Changes,
}

impl Resolved {
    pub(crate) fn of(identity: Identity) -> Self {
        Self { identity, beside: None, changes: Changes::default() }
    }
}

/// An anonymous token of a request, verified.
pub(crate) struct PresentedAnonymous<'a> {
    pub(crate) token: Cow<'a, str>,
    pub(crate) transfer: TransferMethod,
    pub(crate) check: AnonymousCheck,
    bound_to_host: bool,
    /// Under the name that the cookie is no longer set under.
    former_name: bool,
    /// A cookie, and another token was as valid.
    contested: bool,
}

impl PresentedAnonymous<'_> {
    /// Of several the one that ranks highest counts.
    fn rank(&self) -> impl Ord {
        let by_header = self.transfer == TransferMethod::Header;
        (self.fact().rank(self.bound_to_host, by_header), Reverse(&*self.token))
    }

    fn fact(&self) -> AnonymousToken<'_> {
        let bound_to_host = self.bound_to_host;
        match &self.check {
            AnonymousCheck::Invalid => AnonymousToken::None,
            AnonymousCheck::Expired { anonymous_id } => {
                AnonymousToken::Expired { anonymous_id, bound_to_host }
            }
            AnonymousCheck::Valid { session, .. } => AnonymousToken::Valid {
                anonymous_id: session.anonymous_id(),
                issued_at: session.claims.issued_at,
                bound_to_host,
            },
        }
    }

    /// The source of the id of a new visitor who holds this.
    fn seed(&self) -> Option<Seed> {
        let was_ours = matches!(self.check, AnonymousCheck::Invalid)
            && !self.former_name
            && TokenKind::claimed_by(&self.token) == Some(TokenKind::Anonymous);
        was_ours.then(|| Seed::Unverifiable(self.token.clone().into_owned()))
    }
}

/// The visitor by the user tokens of a request.
pub(crate) struct OldUser {
    anonymous_id: String,
    /// Epoch seconds.
    issued_at: Option<u64>,
    by_cookie: bool,
}

impl OldUser {
    pub(crate) fn of_session(session: &UserSession, transfer: TransferMethod) -> Self {
        let claims = &session.claims;
        let (anonymous_id, issued_at) = (claims.anonymous_id.clone(), Some(claims.issued_at));
        Self { anonymous_id, issued_at, by_cookie: transfer == TransferMethod::Cookie }
    }

    pub(crate) fn of_bearer(bearer: Bearer, transfer: TransferMethod) -> Self {
        let Bearer { anonymous_id, issued_at } = bearer;
        Self { anonymous_id, issued_at, by_cookie: transfer == TransferMethod::Cookie }
    }
}

/// The source of a new visitor's id.
pub(crate) fn seed(presented: Option<&PresentedAnonymous<'_>>, facts: &RequestFacts) -> Seed {
    let of_token = presented.and_then(PresentedAnonymous::seed);
    of_token.or_else(|| facts.anonymous_key.clone().map(Seed::Key)).unwrap_or(Seed::Random)
}

/// The access token of a request, before any check.
enum PresentedAccess<'a> {
    None,
    One(PresentedToken<'a>, TransferMethod),
    /// Several cookies, or one of a former protocol version: refreshing clears that up.
    Ambiguous,
}

/// Finds out who sent a request, and mints an anonymous session when there is none and may be one.
pub(crate) async fn resolve(
    context: &AppContext,
    request: &Incoming<'_>,
    facts: &RequestFacts,
) -> Resolved {
    match resolve_or_fail(context, request, facts).await {
        Ok(resolved) => resolved,
        Err(error) => {
            tracing::error!(%error, "a session could not be resolved");
            Resolved::of(Identity::Unavailable)
        }
    }
}

async fn resolve_or_fail(
    context: &AppContext,
    request: &Incoming<'_>,
    facts: &RequestFacts,
) -> Result<Resolved, EngineError> {
    let prior_visitor = async |user: Option<OldUser>| -> Result<PriorVisitor, EngineError> {
        Ok(PriorVisitor::of(prior(context, request, facts, user.as_ref()).await?))
    };
    Ok(match access_token(context, request) {
        PresentedAccess::Ambiguous => {
            let user = old_user_of_cookies(context, request).await?;
            Resolved::of(Identity::TryRefresh(prior_visitor(user).await?, None))
        }
        PresentedAccess::One(token, transfer) => match context.engine.verify(&token).await? {
            AccessCheck::TryRefresh { expired } => {
                let user = expired.as_ref().map(|session| OldUser::of_session(session, transfer));
                Resolved::of(Identity::TryRefresh(prior_visitor(user).await?, expired))
            }
            AccessCheck::Valid(session) if is_forged(context, facts, transfer, &session) => {
                Resolved::of(Identity::TryRefresh(
                    PriorVisitor::Id(session.claims.anonymous_id.clone()),
                    None,
                ))
            }
            AccessCheck::Valid(session) => user(context, session, transfer, request, facts).await?,
        },
        PresentedAccess::None => anonymous(context, request, facts).await?,
    })
}

/// The access token: of a header before that of a cookie, and only one that is an access token.
fn access_token<'a>(context: &AppContext, request: &Incoming<'a>) -> PresentedAccess<'a> {
    let is_access = |token: &&PresentedToken<'_>| token.claimed_kind() == Some(TokenKind::Access);
    if let Some(token) = request.bearer.as_ref().filter(is_access) {
        return PresentedAccess::One(token.clone(), TransferMethod::Header);
    }
    let cookies = &request.cookies.access;
    if cookies.has_several() {
        return PresentedAccess::Ambiguous;
    }
    let token = cookies.values().next().map(|token| context.engine.look_up(token));
    match token {
        Some(token) if is_access(&&token) => PresentedAccess::One(token, TransferMethod::Cookie),
        _ => PresentedAccess::None,
    }
}

/// Whether another website may have made the visitor's browser send it.
fn is_forged(
    context: &AppContext,
    facts: &RequestFacts,
    transfer: TransferMethod,
    session: &UserSession,
) -> bool {
    facts.is_unsafe
        && !context.anti_csrf.allows(facts, transfer, session.claims.anti_csrf_token.as_deref())
}

/// A user whose token is valid, as the database has the session.
async fn user(
    context: &AppContext,
    session: UserSession,
    transfer: TransferMethod,
    request: &Incoming<'_>,
    facts: &RequestFacts,
) -> Result<Resolved, EngineError> {
    let mut changes = Changes::default();
    let beside = if facts.has_anonymous_cookie {
        let user = OldUser::of_session(&session, transfer);
        PriorVisitor::of(prior(context, request, facts, Some(&user)).await?)
    } else {
        PriorVisitor::Id(session.claims.anonymous_id.clone())
    };
    let promotes = facts.is_api && session.claims.parent_refresh_token_hash1.is_some();
    let checked = if promotes {
        // Apart, because the memory for it is part of every request's otherwise.
        Some(Box::pin(context.engine.check_database(&session)).await?)
    } else {
        None
    };
    let identity = match checked {
        None | Some(DatabaseCheck::Exists) => Identity::User(session, transfer),
        Some(DatabaseCheck::Gone) => Identity::Ended(beside.clone()),
        Some(DatabaseCheck::Promoted(access)) => {
            let session = access.session.clone();
            changes.renew_access(transfer, access);
            Identity::User(session, transfer)
        }
    };
    let beside = match (&identity, beside) {
        // A late answer may have brought it, or somebody planted the user tokens. It stays: an
        // answer that removed it could come after the one to a sign-out, and take the visitor's new
        // cookie away. The end of the session replaces it.
        (Identity::User(..), PriorVisitor::Anonymous(beside)) => Some(beside),
        _ => None,
    };
    Ok(Resolved { identity, beside, changes })
}

async fn anonymous(
    context: &AppContext,
    request: &Incoming<'_>,
    facts: &RequestFacts,
) -> Result<Resolved, EngineError> {
    let mut resolved = Resolved::of(Identity::Nobody(PriorVisitor::Unknown));
    let changes = &mut resolved.changes;
    if !context.offers_anonymous(facts) {
        if facts.is_api && (facts.has_anonymous_cookie || facts.has_anonymous_bearer) {
            changes.anonymous = AnonymousChange::Remove;
        }
        return Ok(resolved);
    }
    let presented = presented_anonymous(context, request).await?;
    let seed = seed(presented.as_ref(), facts);
    let known_id = match presented {
        Some(PresentedAnonymous {
            check: AnonymousCheck::Valid { session, outdated },
            transfer,
            contested,
            ..
        }) => {
            let session = if outdated
                && facts.is_api
                && context.take_mint_permit(request.parts, Mint::Known).await
            {
                renewed(context, session, transfer, changes).await
            } else {
                // The browser may have been told of another. Its cookies stay: a planted one
                // must not take the place of the visitor's.
                if contested && facts.is_api {
                    changes.anonymous = announcement(context, &session);
                }
                session
            };
            resolved.identity = Identity::Anonymous(session);
            return Ok(resolved);
        }
        Some(PresentedAnonymous { check: AnonymousCheck::Expired { anonymous_id }, .. }) => {
            Some(anonymous_id)
        }
        Some(PresentedAnonymous { check: AnonymousCheck::Invalid, .. }) | None => None,
    };
    let mint = mint_decision(&facts.mint, &context.mint_rules(), known_id.is_some());
    if mint == Mint::Forbidden || !context.take_mint_permit(request.parts, mint).await {
        changes.limited = mint != Mint::Forbidden;
        resolved.identity =
            Identity::Nobody(known_id.map_or(PriorVisitor::Unknown, PriorVisitor::Id));
        return Ok(resolved);
    }
    let mint_for = known_id.map_or(MintFor::New(seed), MintFor::Known);
    let issued = context.engine.mint_anonymous(mint_for, serde_json::Map::new()).await?;
    resolved.identity = Identity::Anonymous(issued.session.clone());
    changes.anonymous =
        AnonymousChange::Issue { transfer: facts.transfer, issued: Box::new(issued) };
    Ok(resolved)
}

/// The same session with a new token. The old one is still good, so that a failure costs nothing.
async fn renewed(
    context: &AppContext,
    session: AnonymousSession,
    transfer: TransferMethod,
    changes: &mut Changes,
) -> AnonymousSession {
    match context.engine.renew_anonymous(&session).await {
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
pub(crate) fn announcement(context: &AppContext, session: &AnonymousSession) -> AnonymousChange {
    context.engine.announcement(session).map_or_else(
        |error| {
            tracing::warn!(%error, "an anonymous session could not be announced");
            AnonymousChange::Keep
        },
        AnonymousChange::Announce,
    )
}

/// The visitor's anonymous token, verified; of several the one that ranks highest.
pub(crate) async fn presented_anonymous<'a>(
    context: &AppContext,
    request: &Incoming<'a>,
) -> Result<Option<PresentedAnonymous<'a>>, EngineError> {
    let mut best: Option<PresentedAnonymous<'a>> = None;
    let mut consider = |found: PresentedAnonymous<'a>| {
        if best.as_ref().is_none_or(|best| best.rank() < found.rank()) {
            best = Some(found);
        }
    };
    let (mut valid, mut are_different) = (None, false);
    let bearer = request.bearer.as_ref();
    if let Some(token) = bearer.filter(|token| token.claimed_kind() == Some(TokenKind::Anonymous)) {
        let check = context.engine.verify_anonymous(token).await?;
        let token = token.text.clone();
        if let AnonymousCheck::Valid { .. } = check {
            valid = Some(token.clone());
        }
        consider(PresentedAnonymous {
            token,
            transfer: TransferMethod::Header,
            check,
            bound_to_host: false,
            former_name: false,
            contested: false,
        });
    }
    for cookie in request.cookies.of_anonymous(&context.cookies) {
        let token = context.engine.look_up(cookie.value);
        let mut check = context.engine.verify_anonymous(&token).await?;
        let token = token.text;
        if let AnonymousCheck::Valid { outdated, .. } = &mut check {
            // Moves to the name that it is set under now.
            *outdated |= cookie.former;
            are_different |= *valid.get_or_insert_with(|| token.clone()) != token;
        }
        consider(PresentedAnonymous {
            token,
            transfer: TransferMethod::Cookie,
            check,
            bound_to_host: cookie.bound_to_host,
            former_name: cookie.former,
            contested: false,
        });
    }
    if let Some(best) = best.as_mut().filter(|best| best.transfer == TransferMethod::Cookie) {
        best.contested = are_different;
    }
    Ok(best)
}

/// The claims of the access cookies whose signature is right, expired or not.
pub(crate) async fn old_user_of_cookies(
    context: &AppContext,
    request: &Incoming<'_>,
) -> Result<Option<OldUser>, EngineError> {
    for token in request.cookies.access.values() {
        let session = match context.engine.verify(&context.engine.look_up(token)).await? {
            AccessCheck::Valid(session) | AccessCheck::TryRefresh { expired: Some(session) } => {
                session
            }
            AccessCheck::TryRefresh { expired: None } => continue,
        };
        return Ok(Some(OldUser::of_session(&session, TransferMethod::Cookie)));
    }
    Ok(None)
}

/// The visitor whose user session is over or about to be replaced, and the anonymous token that
/// came along.
pub(crate) async fn prior<'a>(
    context: &AppContext,
    request: &Incoming<'a>,
    facts: &RequestFacts,
    user: Option<&OldUser>,
) -> Result<(PriorIdentity, Option<PresentedAnonymous<'a>>), EngineError> {
    let presented = if context.offers_anonymous(facts) {
        presented_anonymous(context, request).await?
    } else {
        None
    };
    let said = user.map(|user| UserTokens {
        anonymous_id: &user.anonymous_id,
        issued_at: user.issued_at,
        by_cookie: user.by_cookie,
    });
    let anonymous = presented.as_ref().map_or(AnonymousToken::None, PresentedAnonymous::fact);
    Ok((prior_identity(said.as_ref(), &anonymous), presented))
}
