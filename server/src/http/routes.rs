//! The endpoints of the protocol: refresh, sign-out, public keys (reference 1.8).

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use passerby_protocol::names::{DISCOVERY_PATH, JWKS_PATH, REFRESH_PATH, SIGN_OUT_PATH, cookie};
use serde_json::{Map, Value, json};

use super::{
    changes::{Changes, ClearScope, UserChange},
    cookies,
    refused::Refused,
    request::{RequestFacts, Transfer, bearer},
    resolve::{self, Who},
    visitor::{Visitor, VisitorError},
};
use crate::{
    engine::{AnonymousCheck, EngineError, Refreshed, refresh_token},
    sessions::Sessions,
};

const PUBLIC_CACHING: &str = "max-age=60, must-revalidate";

/// Which endpoint of ours a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Refresh,
    SignOut,
    Jwks,
    Discovery,
}

impl Route {
    pub(crate) fn of(method: &Method, path: &str, base_path: &str) -> Option<Self> {
        match (method, path.strip_prefix(base_path)?) {
            (&Method::POST, REFRESH_PATH) => Some(Self::Refresh),
            (&Method::POST, SIGN_OUT_PATH) => Some(Self::SignOut),
            (&Method::GET, JWKS_PATH) => Some(Self::Jwks),
            (&Method::GET, DISCOVERY_PATH) => Some(Self::Discovery),
            _ => None,
        }
    }

    /// The whole response, tokens attached.
    pub(crate) async fn answer(self, sessions: &Sessions, headers: &HeaderMap, facts: RequestFacts) -> Response<Value> {
        match self {
            Self::Refresh => refresh(sessions, headers, facts).await,
            Self::SignOut => sign_out(sessions, headers, facts).await,
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

/// Reference 8.7.
async fn sign_out(sessions: &Sessions, headers: &HeaderMap, facts: RequestFacts) -> Response<Value> {
    // What is about to be revoked need not be promoted first.
    let verify_only = RequestFacts { is_api: false, ..facts.clone() };
    let (who, _) = resolve::resolve(sessions, headers, &verify_only).await;
    let visitor = Visitor::new(sessions.clone(), facts, who, Changes::default());
    let response = match visitor.sign_out().await {
        Ok(()) => Response::new(json!({ "status": "OK" })),
        Err(VisitorError::Refused(refused)) => refusal(&refused),
        Err(error) => {
            tracing::error!(%error, "a sign-out failed");
            refusal(&Refused::Unavailable)
        }
    };
    sessions.attach(&visitor, response)
}

/// Reference 8.4 and 8.5; for a visitor whose user session is over, design section 3.
async fn refresh(sessions: &Sessions, headers: &HeaderMap, facts: RequestFacts) -> Response<Value> {
    for name in [cookie::ACCESS_TOKEN, cookie::REFRESH_TOKEN] {
        if cookies::values(headers, name).len() > 1 {
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
    let visitor = Visitor::new(sessions.clone(), facts, Who::Nobody, Changes::default());
    let response = match refreshed(sessions, headers, &visitor).await {
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

async fn refreshed(sessions: &Sessions, headers: &HeaderMap, visitor: &Visitor) -> Result<Response<Value>, EngineError> {
    let cookie = cookies::values(headers, cookie::REFRESH_TOKEN).pop();
    let from_header = bearer(headers).filter(|token| refresh_token::looks_like_one(token)).map(str::to_owned);
    let had_both = cookie.is_some() && from_header.is_some();
    let presented = from_header.map(|token| (token, Transfer::Header)).or(cookie.map(|token| (token, Transfer::Cookie)));
    let Some((token, transfer)) = presented else {
        give_back_anonymous(sessions, headers, visitor, None).await?;
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
                Response::new(Value::Object(Map::new()))
            }
            Refreshed::Unauthorised { anonymous_id } => {
                give_back_anonymous(sessions, headers, visitor, anonymous_id).await?;
                refusal(&Refused::Unauthorised)
            }
            Refreshed::Theft { anonymous_id } => {
                tracing::warn!("a refresh token was used again after its child was used; the session has been ended");
                give_back_anonymous(sessions, headers, visitor, Some(anonymous_id)).await?;
                refusal(&Refused::TokenTheft)
            }
        },
    )
}

/// Clears the user session and announces the anonymous one: with the id of the user session where one can be trusted, else the one that
/// the visitor has, else a new one.
async fn give_back_anonymous(
    sessions: &Sessions,
    headers: &HeaderMap,
    visitor: &Visitor,
    user_session_id: Option<String>,
) -> Result<(), EngineError> {
    visitor.clear_user(ClearScope::Both);
    let known_id = match user_session_id {
        Some(id) => Some(id),
        None => resolve::anonymous_id_of_access_token(sessions, headers).await?,
    };
    let allowed = sessions.anonymous_enabled() && !visitor.facts().anonymous_off;
    let presented = if allowed { resolve::presented_anonymous(sessions, headers).await? } else { None };
    let fits = |id: &str| known_id.as_deref().is_none_or(|known| known == id);
    match presented {
        Some(found) => match found.check {
            AnonymousCheck::Valid(session) if fits(session.anonymous_id()) => {
                let issued = sessions.engine().announce_again(session, &found.token)?;
                visitor.announce(found.transfer, issued);
            }
            AnonymousCheck::Expired { anonymous_id } => {
                visitor.become_anonymous(known_id.or(Some(anonymous_id)), Map::new());
            }
            AnonymousCheck::Valid(_) | AnonymousCheck::Invalid => visitor.become_anonymous(known_id, Map::new()),
        },
        None => visitor.become_anonymous(known_id, Map::new()),
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
