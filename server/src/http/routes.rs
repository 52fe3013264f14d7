//! The endpoints of the protocol: refresh, sign-out, public keys (reference 1.8), and forgetting (design section 3, rule 12).

use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use passerby_protocol::names::{DISCOVERY_PATH, FORGET_PATH, JWKS_PATH, REFRESH_PATH, SIGN_OUT_PATH, cookie};
use serde_json::{Map, Value, json};

use super::{
    changes::{Changes, ClearScope, UserChange},
    cookies,
    refused::Refused,
    request::{RequestFacts, Transfer, bearer},
    resolve::{self, Former, Who},
    visitor::{Visitor, VisitorError},
};
use crate::{
    engine::{AnonymousCheck, EngineError, Refreshed, Whose, refresh_token},
    sessions::Sessions,
};

/// How long other services may keep the public keys.
pub(crate) const PUBLIC_CACHING: &str = "max-age=60, must-revalidate";

/// Which endpoint of ours a request is for.
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
    pub(crate) async fn answer(self, sessions: &Sessions, request: &Parts, facts: RequestFacts) -> Response<Value> {
        match self {
            Self::Refresh => refresh(sessions, request, facts).await,
            Self::SignOut => sign_out(sessions, request, facts).await,
            Self::Forget => forget(sessions, request, facts).await,
            Self::Jwks => public(sessions.engine().jwks().await),
            Self::Discovery => public(sessions.engine().discovery()),
        }
    }
}

/// What any website may read, and keep for a minute.
fn public(body: Value) -> Response<Value> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(PUBLIC_CACHING));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// The visitor as he came: nothing is minted, renewed or promoted, because it is about to go.
async fn visitor_as_is(sessions: &Sessions, request: &Parts, facts: RequestFacts) -> Visitor {
    let verify_only = RequestFacts { is_api: false, may_mint: false, ..facts.clone() };
    let (who, _) = resolve::resolve(sessions, request, &verify_only).await;
    Visitor::new(sessions.clone(), facts, who, Changes::default())
}

/// Reference 8.7.
async fn sign_out(sessions: &Sessions, request: &Parts, facts: RequestFacts) -> Response<Value> {
    let visitor = visitor_as_is(sessions, request, facts).await;
    let done = visitor.sign_out().await;
    sessions.attach(&visitor, done_or_refused(done))
}

/// Design section 3, rule 12.
async fn forget(sessions: &Sessions, request: &Parts, facts: RequestFacts) -> Response<Value> {
    let visitor = visitor_as_is(sessions, request, facts).await;
    // A new id in place of the old one is one more id.
    let limited = visitor.wants_anonymous() && !sessions.may_mint(request).await;
    let done = if limited {
        visitor.go_without();
        Ok(())
    } else {
        visitor.forget_anonymous_id().await
    };
    sessions.attach(&visitor, done_or_refused(done))
}

fn done_or_refused(done: Result<(), VisitorError>) -> Response<Value> {
    match done {
        Ok(()) => with_status(StatusCode::OK, json!({ "status": "OK" })),
        Err(VisitorError::Refused(refused)) => refusal(&refused),
        Err(error) => {
            tracing::error!(%error, "ending a session failed");
            refusal(&Refused::Unavailable)
        }
    }
}

/// Reference 8.4 and 8.5; for a visitor whose user session is over, design section 3.
async fn refresh(sessions: &Sessions, request: &Parts, facts: RequestFacts) -> Response<Value> {
    for name in [cookie::ACCESS_TOKEN, cookie::REFRESH_TOKEN] {
        if cookies::values(&request.headers, name).len() > 1 {
            if let Some(cleared) = sessions.cookies().clear_older() {
                return without_older_cookies(cleared);
            }
            tracing::warn!(
                "a refresh call had several cookies of one name; if a former cookie domain is the cause, set `older_cookie_domain`"
            );
            return with_status(
                StatusCode::INTERNAL_SERVER_ERROR,
                json!({ "message": format!("The request contains multiple session cookies. Clear the `{name}` cookies of former domains or paths.") }),
            );
        }
    }
    let visitor = Visitor::new(sessions.clone(), facts, Who::Nobody(Former::Unknown), Changes::default());
    let response = match refreshed(sessions, request, &visitor).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a refresh failed");
            visitor.take_changes();
            refusal(&Refused::Unavailable)
        }
    };
    sessions.attach(&visitor, response)
}

/// Reference 8.4, step 1: the browser is to try again with the cookies that remain.
fn without_older_cookies(cleared: [HeaderValue; 2]) -> Response<Value> {
    let mut response = with_status(StatusCode::OK, json!({ "message": "The cookies of a former domain were removed." }));
    for cookie in cleared {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

async fn refreshed(sessions: &Sessions, request: &Parts, visitor: &Visitor) -> Result<Response<Value>, EngineError> {
    let headers = &request.headers;
    let cookie = cookies::values(headers, cookie::REFRESH_TOKEN).pop();
    let from_header = bearer(headers).filter(|token| refresh_token::looks_like_one(token)).map(str::to_owned);
    let had_both = cookie.is_some() && from_header.is_some();
    let presented = from_header.map(|token| (token, Transfer::Header)).or(cookie.map(|token| (token, Transfer::Cookie)));
    let Some((token, transfer)) = presented else {
        give_back_anonymous(sessions, request, visitor, None).await?;
        return Ok(refusal(&Refused::Unauthorised));
    };
    Ok(
        match sessions
            .engine()
            .refresh(&token, |anti_csrf| sessions.anti_csrf().allows(visitor.facts(), transfer, anti_csrf))
            .await?
        {
            Refreshed::Tokens(access, refresh) => {
                let session = access.session.clone();
                let change = UserChange::Issue { transfer, access, refresh: Some(refresh), clear_other: had_both };
                visitor.issue(session, transfer, change);
                crate::metrics::session_refreshed();
                Response::new(Value::Object(Map::new()))
            }
            Refreshed::Unauthorised { anonymous_id } => {
                give_back_anonymous(sessions, request, visitor, anonymous_id).await?;
                refusal(&Refused::Unauthorised)
            }
            Refreshed::Theft { anonymous_id } => {
                crate::metrics::theft_detected();
                tracing::warn!("a refresh token was used again after its child was used; the session has been ended");
                give_back_anonymous(sessions, request, visitor, Some(anonymous_id)).await?;
                refusal(&Refused::TokenTheft)
            }
        },
    )
}

/// Clears the user session and announces the anonymous one: with the id of the user session where one can be trusted, else the one that
/// the visitor has, else a new one.
async fn give_back_anonymous(
    sessions: &Sessions,
    request: &Parts,
    visitor: &Visitor,
    user_session_id: Option<String>,
) -> Result<(), EngineError> {
    // Who agreed to nothing, and holds nothing, is sent no cookies.
    let holds_tokens = request.headers.contains_key(header::AUTHORIZATION)
        || [cookie::ACCESS_TOKEN, cookie::REFRESH_TOKEN].iter().any(|name| !cookies::values(&request.headers, name).is_empty());
    if holds_tokens || !visitor.facts().anonymous_off {
        visitor.clear_user(ClearScope::Both);
    }
    let mut known_id = match user_session_id {
        Some(id) => Some(id),
        None => resolve::anonymous_id_of_access_token(sessions, &request.headers).await?,
    };
    let allowed = sessions.anonymous_enabled() && !visitor.facts().anonymous_off;
    let presented = if allowed { resolve::presented_anonymous(sessions, &request.headers).await? } else { None };
    let fits = |id: &str| known_id.as_deref().is_none_or(|known| known == id);
    match presented.map(|found| (found.check, found.token, found.transfer)) {
        Some((AnonymousCheck::Valid { session, outdated }, token, transfer)) if fits(session.anonymous_id()) => {
            let engine = sessions.engine();
            let issued =
                if outdated { engine.renew_anonymous(&session) } else { engine.announce_again(session.clone(), &token) };
            match issued {
                Ok(issued) => visitor.announce(transfer, issued),
                Err(error) => {
                    tracing::warn!(%error, "an anonymous token could not be renewed; the old one stays");
                    visitor.stay(session);
                }
            }
            return Ok(());
        }
        Some((AnonymousCheck::Expired { anonymous_id }, ..)) => known_id = known_id.or(Some(anonymous_id)),
        Some((AnonymousCheck::Valid { .. } | AnonymousCheck::Invalid, ..)) | None => {}
    }
    let limited = allowed && known_id.is_none() && visitor.facts().may_be_new && !sessions.may_mint(request).await;
    if limited {
        visitor.go_without();
    } else {
        visitor.become_anonymous(Whose::of(known_id, visitor.facts().anonymous_key.clone()), Map::new());
    }
    if limited || visitor.facts().anonymous_off {
        visitor.announce_none();
    }
    Ok(())
}

fn refusal(refused: &Refused) -> Response<Value> {
    with_status(refused.status(), refused.body())
}

fn with_status(status: StatusCode, body: Value) -> Response<Value> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
