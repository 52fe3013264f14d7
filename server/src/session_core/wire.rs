//! The core driver interface on the wire.

use axum::{
    Json,
    body::Bytes,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use passerby_protocol::{claims::TENANT, stock::StockVersion};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    INTERFACE_VERSIONS, SessionCore,
    apps::Configured,
    engine::{CoreEngine, NewSession, Refreshed, Verified},
    input::{
        AppInput, CreateInput, DataInput, HandleQuery, JwtInput, PayloadInput, RefreshInput,
        RegenerateInput, RemoveInput, UserQuery, VerifyInput,
    },
    operation::{Kind, Operation},
    path::{Place, new_app_id, place},
    reply::{Answer, Refusal, no_session, refused, session_and_token, status, tokens},
};
use crate::{engine::JwtKey, store::DEFAULT_APP, web::PUBLIC_CACHING};

const API_KEY: &str = "api-key";
const INTERFACE_VERSION: &str = "cdi-version";

/// Answers any request.
pub(super) async fn answer(
    State(core): State<SessionCore>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut response = dispatch(&core, &method, &uri, &headers, &body)
        .await
        .unwrap_or_else(IntoResponse::into_response);
    response.extensions_mut().insert(Operation::of(&method, uri.path()));
    response
}

async fn dispatch(
    core: &SessionCore,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Answer {
    let Place { app_id, tenant_id, rest } = place(uri.path());
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    // Like the SuperTokens core: a health check and the public keys need no API key.
    match (method, rest) {
        (_, "/hello") => return Ok("Hello\n".into_response()),
        (&Method::GET | &Method::HEAD, "/.well-known/jwks.json") => {
            let keys = match core.apps().known(app_id).await? {
                Some(engine) => engine.jwks().await,
                None => json!({ "keys": [] }),
            };
            return Ok((
                [(header::CACHE_CONTROL, HeaderValue::from_static(PUBLIC_CACHING))],
                Json(keys),
            )
                .into_response());
        }
        _ => {}
    }
    if !core.admits(headers.get(API_KEY).map(HeaderValue::as_bytes)) {
        return Err(Refusal::ApiKey);
    }
    if !core.asks_for_key() && !may_be_a_back_end(core, uri, headers) {
        return Err(Refusal::Website);
    }
    let call = Call {
        core,
        app_id,
        tenant_id,
        version: StockVersion::for_interface(
            headers.get(INTERFACE_VERSION).and_then(|version| version.to_str().ok()),
        ),
        uri,
        body,
    };
    let Operation(operation) = Operation::of(method, uri.path());
    // A page of any website can have a browser send forms and texts to a core on the same machine,
    // but no JSON.
    if operation != Kind::Unknown && method != Method::GET && !may_be_json(headers) {
        return Err(Refusal::ContentType);
    }
    match operation {
        Kind::Apiversion => Ok(Json(json!({ "versions": INTERFACE_VERSIONS })).into_response()),
        Kind::User => Ok(status("UNKNOWN_USER_ID_ERROR")),
        Kind::Jwks => {
            let mut keys = match call.engine_to_read().await? {
                Some(engine) => engine.jwks().await,
                None => json!({ "keys": [] }),
            };
            keys["status"] = "OK".into();
            Ok(Json(keys).into_response())
        }
        Kind::CreateJwt => call.create_jwt().await,
        Kind::ReplacePayload => call.replace_payload().await,
        Kind::Create => call.create().await,
        Kind::Information => call.information().await,
        Kind::Verify => call.verify().await,
        Kind::Refresh => call.refresh().await,
        Kind::Regenerate => call.regenerate().await,
        Kind::Remove => call.remove().await,
        Kind::HandlesOfUser => call.handles_of_user().await,
        Kind::ReplaceData => call.replace_data().await,
        Kind::ConfigureApp => call.configure_app().await,
        // Those of new sessions are asked for at every sign-in.
        Kind::Roles => Ok(Json(json!({ "status": "OK", "roles": [] })).into_response()),
        Kind::IsVerified => {
            Ok(Json(json!({ "status": "OK", "isVerified": false })).into_response())
        }
        Kind::Hello | Kind::Unknown => Err(Refusal::Unknown),
    }
}

/// Without a key, a core tells its back ends from pages that a browser of the same network shows:
/// these say where they come from, except where a page of another host got an address of ours under
/// its own name (DNS rebinding). A request that a browser sends without any of these, and without
/// asking, only reads.
fn may_be_a_back_end(core: &SessionCore, uri: &Uri, headers: &HeaderMap) -> bool {
    let says_where_from =
        [header::ORIGIN.as_str(), "sec-fetch-site"].iter().any(|name| headers.contains_key(*name));
    let authority = match headers.get(header::HOST) {
        Some(host) => host.to_str().ok(),
        None => uri.authority().map(|authority| authority.as_str()).or(Some("")),
    };
    !says_where_from && authority.is_some_and(|authority| core.is_called(authority))
}

/// A client that says nothing about the body may send it.
fn may_be_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    types.all(|value| {
        let essence =
            value.to_str().ok().and_then(|value| value.split(';').next()).unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    })
}

/// One request, to one app.
struct Call<'a> {
    core: &'a SessionCore,
    app_id: &'a str,
    tenant_id: &'a str,
    version: StockVersion,
    uri: &'a Uri,
    body: &'a Bytes,
}

impl Call<'_> {
    async fn engine(&self) -> Result<CoreEngine, Refusal> {
        Ok(self.core.apps().get(self.app_id).await?)
    }

    /// The app, for a request that only reads. Where no key is asked for, reading makes no app:
    /// that much a page can have a browser send.
    async fn engine_to_read(&self) -> Result<Option<CoreEngine>, Refusal> {
        if self.core.asks_for_key() {
            return Ok(Some(self.engine().await?));
        }
        Ok(self.core.apps().known(self.app_id).await?)
    }

    fn input<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(self.body)
            .map_err(|error| Refusal::BadRequest(format!("Invalid Json Input: {error}")))
    }

    fn query<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let query = Query::try_from_uri(self.uri);
        query
            .map(|Query(query)| query)
            .map_err(|error| Refusal::BadRequest(format!("Invalid query: {error}")))
    }

    async fn create(&self) -> Answer {
        let input: CreateInput = self.input()?;
        let new = NewSession {
            tenant_id: self.tenant_id,
            user_id: input.user_id,
            payload: input.payload,
            data: input.data,
            with_anti_csrf: input.enable_anti_csrf,
            key: dynamic_unless(input.use_dynamic_signing_key),
            version: self.version,
        };
        Ok(tokens(&self.engine().await?.create(new).await?))
    }

    async fn verify(&self) -> Answer {
        let input: VerifyInput = self.input()?;
        let anti_csrf = (input.enable_anti_csrf && input.do_anti_csrf_check)
            .then_some(input.anti_csrf_token.as_deref());
        let verified = self
            .engine()
            .await?
            .verify(&input.access_token, anti_csrf, input.check_database, self.version)
            .await?;
        Ok(match verified {
            Verified::Ok(claims, access) => session_and_token(&claims, access.as_ref()),
            Verified::Unauthorised(why) => refused("UNAUTHORISED", why),
            Verified::TryRefresh(why) => refused("TRY_REFRESH_TOKEN", why),
        })
    }

    async fn refresh(&self) -> Answer {
        let input: RefreshInput = self.input()?;
        let anti_csrf = input.enable_anti_csrf.then_some(input.anti_csrf_token.as_deref());
        let key = dynamic_unless(input.use_dynamic_signing_key);
        Ok(
            match self
                .engine()
                .await?
                .refresh(&input.refresh_token, anti_csrf, key, self.version)
                .await?
            {
                Refreshed::Ok(issued) => tokens(&issued),
                Refreshed::Unauthorised(why) => refused("UNAUTHORISED", why),
                Refreshed::Theft { handle, user_id } => Json(json!({
                    "status": "TOKEN_THEFT_DETECTED",
                    "session": { "handle": handle, "userId": user_id, "recipeUserId": user_id },
                }))
                .into_response(),
            },
        )
    }

    async fn regenerate(&self) -> Answer {
        let input: RegenerateInput = self.input()?;
        let regenerated = self
            .engine()
            .await?
            .regenerate(&input.access_token, input.payload, self.version)
            .await?;
        Ok(match regenerated {
            Some((claims, access)) => session_and_token(&claims, access.as_ref()),
            None => no_session(),
        })
    }

    async fn remove(&self) -> Answer {
        let input: RemoveInput = self.input()?;
        let engine = self.engine().await?;
        let revoked = match (input.user_id, input.session_handles) {
            (Some(user_id), None) => {
                let tenant =
                    (input.revoke_across_all_tenants == Some(false)).then_some(self.tenant_id);
                engine.revoke_all_of_user(&user_id, tenant).await?
            }
            (None, Some(handles)) => engine.revoke(&handles).await?,
            _ => {
                return Err(Refusal::BadRequest(
                    "Invalid JSON input - use one of userId or sessionHandles array".into(),
                ));
            }
        };
        Ok(Json(json!({ "status": "OK", "sessionHandlesRevoked": revoked })).into_response())
    }

    async fn handles_of_user(&self) -> Answer {
        let query: UserQuery = self.query()?;
        let tenant = (query.fetch_across_all_tenants == Some(false)).then_some(self.tenant_id);
        let handles = match self.engine_to_read().await? {
            Some(engine) => engine.handles_of_user(&query.user_id, tenant).await?,
            None => Vec::new(),
        };
        Ok(Json(json!({ "status": "OK", "sessionHandles": handles })).into_response())
    }

    async fn information(&self) -> Answer {
        let query: HandleQuery = self.query()?;
        let Some(engine) = self.engine_to_read().await? else { return Ok(no_session()) };
        let Some(record) = engine.information(&query.session_handle).await? else {
            return Ok(no_session());
        };
        Ok(Json(json!({
            "status": "OK",
            "sessionHandle": record.handle,
            "userId": record.user_id,
            "recipeUserId": record.user_id,
            "tenantId": crate::engine::refresh_token::tenant_of(&record.handle),
            "timeCreated": record.created_at,
            "expiry": record.expires_at,
            "userDataInJWT": record.payload,
            "userDataInDatabase": record.data,
        }))
        .into_response())
    }

    async fn replace_data(&self) -> Answer {
        let input: DataInput = self.input()?;
        let changed =
            self.engine().await?.change(&input.session_handle, None, Some(input.data)).await?;
        Ok(if changed.is_some() { status("OK") } else { no_session() })
    }

    async fn replace_payload(&self) -> Answer {
        let input: PayloadInput = self.input()?;
        let changed =
            self.engine().await?.change(&input.session_handle, Some(input.payload), None).await?;
        Ok(if changed.is_some() { status("OK") } else { no_session() })
    }

    async fn configure_app(&self) -> Answer {
        let input: AppInput = self.input()?;
        // Like the SuperTokens core: an app cannot make others.
        if self.app_id != DEFAULT_APP || self.tenant_id != TENANT {
            return Err(Refusal::OfAnotherApp);
        }
        let app_id = new_app_id(&input.app_id).ok_or_else(|| {
            Refusal::BadRequest(
                "appId must have 1 to 64 of the characters a-z, 0-9 and -, and not begin with \
                 appid-"
                    .into(),
            )
        })?;
        if app_id == DEFAULT_APP {
            return Err(Refusal::BadRequest(
                "the settings of the app `public` are those of the core".into(),
            ));
        }
        let change = input.core_config.unwrap_or_default();
        match self.core.apps().configure(app_id, &change).await? {
            Configured::Refused(why) => {
                Err(Refusal::BadRequest(format!("Invalid core config: {why}")))
            }
            configured => {
                let created = matches!(configured, Configured::Created);
                Ok(Json(json!({ "status": "OK", "createdNew": created })).into_response())
            }
        }
    }

    async fn create_jwt(&self) -> Answer {
        let input: JwtInput = self.input()?;
        if input.algorithm != "RS256" {
            return Ok(status("UNSUPPORTED_ALGORITHM_ERROR"));
        }
        let key = if input.use_static_signing_key == Some(false) {
            JwtKey::Dynamic
        } else {
            JwtKey::Static
        };
        let jwt = self
            .engine()
            .await?
            .create_jwt(input.payload, &input.jwks_domain, input.validity, key)
            .await?;
        Ok(Json(json!({ "status": "OK", "jwt": jwt })).into_response())
    }
}

fn dynamic_unless(use_dynamic: Option<bool>) -> JwtKey {
    if use_dynamic == Some(false) { JwtKey::Static } else { JwtKey::Dynamic }
}
