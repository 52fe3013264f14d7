//! The endpoints of the protocol: refresh, sign-out, public keys, and forgetting.

use std::sync::Arc;

use http::{HeaderValue, Method, Response, StatusCode, header};
use passerby_protocol::{
    identity::{Mint, MintFacts, PriorIdentity, is_meant, mint_decision},
    names::{
        DISCOVERY_PATH, FORGET_PATH, JWKS_PATH, NAMED_TYPE, REFRESH_PATH, SIGN_OUT_PATH, cookie,
    },
};
use serde_json::{Map, Value, json};

use super::{
    changes::UserChange,
    context::AppContext,
    incoming::Incoming,
    refused::SessionRejection,
    request::{RequestFacts, TransferMethod},
    resolve::{self, Identity, OldUser, PriorVisitor, Resolved},
    visitor::{Visitor, VisitorError},
};
use crate::{
    engine::{AccessCheck, AnonymousCheck, EngineError, MintFor, Refreshed, refresh_token},
    headers::text,
    principal::{Principal, UserSession},
};

/// How long other services may keep the public keys.
pub(crate) const PUBLIC_CACHING: &str = "max-age=60, must-revalidate";

/// The endpoint of ours that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Refresh,
    SignOut,
    Forget,
    Jwks,
    Discovery,
}

impl Route {
    pub(crate) fn of(method: &Method, path: &str, base_path: &str) -> Option<Self> {
        match (method, path.strip_prefix(base_path)?) {
            (&Method::POST, REFRESH_PATH) => Some(Self::Refresh),
            (&Method::POST, SIGN_OUT_PATH) => Some(Self::SignOut),
            (&Method::POST, FORGET_PATH) => Some(Self::Forget),
            (&Method::GET, JWKS_PATH) => Some(Self::Jwks),
            (&Method::GET, DISCOVERY_PATH) => Some(Self::Discovery),
            _ => None,
        }
    }

    /// The whole response, tokens attached.
    pub(crate) async fn answer(
        self,
        context: &Arc<AppContext>,
        request: &Incoming<'_>,
        facts: RequestFacts,
    ) -> Response<Value> {
        match self {
            Self::Refresh => refresh(context, request, facts).await,
            Self::SignOut => sign_out(context, request, facts).await,
            Self::Forget => forget(context, request, facts).await,
            Self::Jwks => public(context.engine.jwks().await),
            Self::Discovery => public(context.engine.discovery()),
        }
    }
}

/// An answer that any website may read, and keep for a minute.
fn public(body: Value) -> Response<Value> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(PUBLIC_CACHING));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// The visitor as they came: nothing is minted, renewed or promoted, because it is about to go.
async fn visitor_as_is(
    context: &Arc<AppContext>,
    request: &Incoming<'_>,
    facts: RequestFacts,
) -> Visitor {
    let nothing = MintFacts { is_read_by_script: false, is_wanted_page: false, ..facts.mint };
    let verify_only = RequestFacts { is_api: false, mint: nothing, ..facts.clone() };
    let resolved = resolve::resolve(context, request, &verify_only).await;
    Visitor::new(context.clone(), facts, resolved)
}

/// Ends the session of the access token, unless the request names another one.
async fn sign_out(
    context: &Arc<AppContext>,
    request: &Incoming<'_>,
    facts: RequestFacts,
) -> Response<Value> {
    let visitor = visitor_as_is(context, request, facts).await;
    let named = text(request.headers.accept).and_then(|accept| accept.strip_prefix(NAMED_TYPE));
    let done = if request.cookies.access.has_several() {
        sign_out_of_all(context, &visitor, request).await
    } else {
        match visitor.principal() {
            // A refresh tells the browser which session it has.
            Some(Principal::User(session)) if !is_meant(named, session.handle()) => {
                Err(SessionRejection::TryRefresh.into())
            }
            _ => visitor.sign_out().await,
        }
    };
    visitor.attach(done_or_refused(done))
}

/// Somebody planted a second access cookie, or a former configuration left one: each session that
/// can be verified is ended. Refreshing first would not help, because it finds the same cookies.
async fn sign_out_of_all(
    context: &Arc<AppContext>,
    visitor: &Visitor,
    request: &Incoming<'_>,
) -> Result<(), VisitorError> {
    for token in request.cookies.access.values() {
        let (AccessCheck::Valid(session) | AccessCheck::TryRefresh { expired: Some(session) }) =
            context.engine.verify(&context.engine.look_up(token)).await?
        else {
            continue;
        };
        let anti_csrf = session.claims.anti_csrf_token.as_deref();
        if !context.anti_csrf.allows(visitor.facts(), TransferMethod::Cookie, anti_csrf) {
            return Err(SessionRejection::TryRefresh.into());
        }
        context.engine.end(session.handle()).await?;
    }
    visitor.leave().await;
    Ok(())
}

/// Rule 12 of docs/anonymous-sessions.md.
async fn forget(
    context: &Arc<AppContext>,
    request: &Incoming<'_>,
    facts: RequestFacts,
) -> Response<Value> {
    let visitor = visitor_as_is(context, request, facts).await;
    // A new id in place of the old one is one more id.
    let limited = visitor.mint_after_forgetting() != Mint::Forbidden
        && !context.take_mint_permit(request.parts, Mint::Stranger).await;
    let done = if limited {
        visitor.deny_anonymous();
        visitor.leave_no_refresh_token();
        Ok(())
    } else {
        visitor.forget_anonymous_id().await
    };
    visitor.attach(done_or_refused(done))
}

fn done_or_refused(done: Result<(), VisitorError>) -> Response<Value> {
    match done {
        Ok(()) => with_status(StatusCode::OK, json!({ "status": "OK" })),
        Err(VisitorError::Refused(refused)) => refusal(&refused),
        Err(error) => {
            tracing::error!(%error, "ending a session failed");
            refusal(&SessionRejection::Unavailable)
        }
    }
}

/// New tokens for the refresh token; the anonymous session for a visitor whose user session is
/// over.
async fn refresh(
    context: &Arc<AppContext>,
    request: &Incoming<'_>,
    facts: RequestFacts,
) -> Response<Value> {
    let cookies = &request.cookies;
    for (name, found) in
        [(cookie::ACCESS_TOKEN, &cookies.access), (cookie::REFRESH_TOKEN, &cookies.refresh)]
    {
        if found.has_several() {
            let cleared = context.cookies.clear_older();
            if !cleared.is_empty() {
                return without_older_cookies(cleared);
            }
            tracing::warn!(
                "a refresh call had several cookies of one name; if a former cookie domain is the \
                 cause, set `older_cookie_domain`"
            );
            return with_status(
                StatusCode::INTERNAL_SERVER_ERROR,
                json!({
                    "message": format!(
                        "The request contains multiple session cookies. Clear the `{name}` cookies \
                         of former domains or paths."
                    ),
                }),
            );
        }
    }
    let facts = facts.with_key_of_accept(&request.parts.headers);
    let visitor =
        Visitor::new(context.clone(), facts, Resolved::of(Identity::Nobody(PriorVisitor::Unknown)));
    let response = match refreshed(context, request, &visitor).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a refresh failed");
            visitor.take_changes();
            refusal(&SessionRejection::Unavailable)
        }
    };
    visitor.attach(response)
}

/// The browser is to try again with the cookies that remain.
fn without_older_cookies(cleared: Vec<HeaderValue>) -> Response<Value> {
    let mut response = with_status(
        StatusCode::OK,
        json!({ "message": "The cookies of a former domain or configuration were removed." }),
    );
    for cookie in cleared {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

async fn refreshed(
    context: &Arc<AppContext>,
    request: &Incoming<'_>,
    visitor: &Visitor,
) -> Result<Response<Value>, EngineError> {
    let cookie = request.cookies.refresh.values().next();
    let from_header = request.bearer.as_ref().map(|bearer| bearer.text.clone());
    let from_header = from_header.filter(|token| refresh_token::looks_like_one(token));
    let had_both = cookie.is_some() && from_header.is_some();
    let presented = from_header
        .map(|token| (token, TransferMethod::Header))
        .or(cookie.map(|token| (token, TransferMethod::Cookie)));
    let Some((token, transfer)) = presented else {
        give_back_anonymous(context, request, visitor, None).await?;
        return Ok(refusal(&SessionRejection::Unauthorised));
    };
    Ok(
        match context
            .engine
            .refresh(&token, |anti_csrf| {
                context.anti_csrf.allows(visitor.facts(), transfer, anti_csrf)
            })
            .await?
        {
            Refreshed::Tokens(access, refresh) => {
                let session = access.session.clone();
                let change = UserChange::Issue {
                    transfer,
                    access,
                    refresh: Some(refresh),
                    clear_other: had_both,
                };
                let keeps_own =
                    has_own_beside(context, request, visitor.facts(), &session, transfer).await?;
                visitor.issue(session, transfer, change, keeps_own);
                crate::counters::session_refreshed();
                Response::new(Value::Object(Map::new()))
            }
            Refreshed::Unauthorised(bearer) => {
                let user = bearer.map(|bearer| OldUser::of_bearer(bearer, transfer));
                give_back_anonymous(context, request, visitor, user).await?;
                refusal(&SessionRejection::Unauthorised)
            }
            Refreshed::Theft(bearer) => {
                crate::counters::theft_detected();
                tracing::warn!(
                    "a refresh token was used again after its child was used; the session has been \
                     ended"
                );
                let user = OldUser::of_bearer(bearer, transfer);
                give_back_anonymous(context, request, visitor, Some(user)).await?;
                refusal(&SessionRejection::TokenTheft)
            }
        },
    )
}

/// Whether the request brought, beside the tokens of this user session, a session of the visitor's
/// own that these tokens must not take away.
async fn has_own_beside(
    context: &Arc<AppContext>,
    request: &Incoming<'_>,
    facts: &RequestFacts,
    session: &UserSession,
    transfer: TransferMethod,
) -> Result<bool, EngineError> {
    if !facts.has_anonymous_cookie {
        return Ok(false);
    }
    let user = OldUser::of_session(session, transfer);
    let (prior, presented) = resolve::prior(context, request, facts, Some(&user)).await?;
    Ok(match presented.map(|presented| presented.check) {
        Some(AnonymousCheck::Valid { session: own, .. }) => {
            prior == PriorIdentity::Session && own.anonymous_id() != session.anonymous_id()
        }
        _ => false,
    })
}

/// Clears the user session that the request presented, and announces the anonymous one that the
/// visitor has now.
async fn give_back_anonymous(
    context: &Arc<AppContext>,
    request: &Incoming<'_>,
    visitor: &Visitor,
    user: Option<OldUser>,
) -> Result<(), EngineError> {
    let facts = visitor.facts();
    // A visitor who agreed to nothing, and holds nothing, is told nothing.
    if facts.has_user_cookie || facts.has_user_bearer || !facts.mint.is_off {
        visitor.clear_user();
    }
    let user = match user {
        Some(user) => Some(user),
        None => resolve::old_user_of_cookies(context, request).await?,
    };
    let (prior, presented) = resolve::prior(context, request, facts, user.as_ref()).await?;
    let seed = resolve::seed(presented.as_ref(), facts);
    let known_id = match (prior, presented.map(|found| (found.check, found.token, found.transfer)))
    {
        (
            PriorIdentity::Session,
            Some((AnonymousCheck::Valid { session, outdated }, token, transfer)),
        ) => {
            let engine = &context.engine;
            let issued = if outdated && context.take_mint_permit(request.parts, Mint::Known).await {
                engine.renew_anonymous(&session).await
            } else if user.is_some() || transfer == TransferMethod::Header {
                // Beside a user session it may have been deleted meanwhile, by another sign-in. A
                // script looks before it stores a token.
                engine.announce_again(session.clone(), &token)
            } else {
                // A guest has it. To set it again could bring back what was forgotten meanwhile.
                visitor.keep_anonymous_token(session);
                return Ok(());
            };
            match issued {
                Ok(issued) => visitor.announce(transfer, issued),
                Err(error) => {
                    tracing::warn!(%error, "an anonymous token could not be renewed; the old one \
                        stays");
                    visitor.keep_anonymous_token(session);
                }
            }
            return Ok(());
        }
        (PriorIdentity::Id(id), _) => context.engine.unless_forgotten(id).await?,
        (PriorIdentity::Session | PriorIdentity::Unknown, _) => None,
    };
    let ends = MintFacts { ends_session: user.is_some(), ..facts.mint };
    let mint = mint_decision(&ends, &context.mint_rules(), known_id.is_some());
    if mint == Mint::Forbidden && known_id.is_some() && context.offers_anonymous(facts) {
        // Nobody could read the answer. The next request that a script makes brings the id.
        return Ok(());
    }
    let mint_for = known_id.map_or(MintFor::New(seed), MintFor::Known);
    let limited = mint != Mint::Forbidden && !context.take_mint_permit(request.parts, mint).await;
    if limited {
        visitor.deny_anonymous();
    } else {
        visitor.become_anonymous(mint, mint_for, Map::new()).await;
    }
    if limited || facts.mint.is_off {
        visitor.announce_removal();
    }
    Ok(())
}

fn refusal(refused: &SessionRejection) -> Response<Value> {
    with_status(refused.status(), refused.body())
}

fn with_status(status: StatusCode, body: Value) -> Response<Value> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
