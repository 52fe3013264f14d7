//! The core driver interface on the wire.

use axum::{
    Json,
    body::Bytes,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use passerby_protocol::{
    claims::TENANT,
    payload::PayloadError,
    stock::{StockClaims, StockVersion},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{
    INTERFACE_VERSIONS, SessionCore,
    apps::Configured,
    engine::{CoreEngine, Issued, NewSession, Refreshed, Token, Verified},
    path::{Place, new_app_id, place},
};
use crate::{
    engine::{EngineError, JwtKey},
    store::DEFAULT_APP,
    web::PUBLIC_CACHING,
};

const API_KEY: &str = "api-key";
const INTERFACE_VERSION: &str = "cdi-version";

const SUPPORTED: &str = "\
This is Passerby's session core, which answers what the Session and JWT recipes ask:
GET  /hello, /apiversion, /.well-known/jwks.json, /recipe/jwt/jwks
POST /recipe/jwt
POST /recipe/session, GET /recipe/session?sessionHandle=
POST /recipe/session/verify, /recipe/session/refresh, /recipe/session/regenerate, \
/recipe/session/remove
GET  /recipe/session/user?userId=
PUT  /recipe/session/data, /recipe/jwt/data
PUT  /recipe/multitenancy/app/v2, for an app with token lifetimes of its own
GET  /user/id, which knows nobody
GET  /recipe/user/roles?userId=, /recipe/roles, because nobody has any
GET  /recipe/user/email/verify?userId=&email=, because none is verified
each also below /appid-<app>, /<tenant> or both. For other recipes run the SuperTokens core.
";

const FOR_BACK_ENDS_ONLY: &str = "\
This request seems to come from a web page, or under a name that is not known to be this core's, \
and no API key is configured that could tell.
Set `api_keys`, or name the core by its address, by a name without dots, or by one of `hosts`.
";

/// Why a request is refused, as the SDKs expect it: a status other than 200, and a text.
enum Refusal {
    BadRequest(String),
    ContentType,
    ApiKey,
    Website,
    OfAnotherApp,
    Unknown,
    Engine(EngineError),
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        match error {
            // Spelled like the SuperTokens core, because SDKs look for it.
            EngineError::Payload(PayloadError::Protected { .. }) => {
                Self::BadRequest("The user payload contains protected field".into())
            }
            EngineError::EmptyUserId | EngineError::UnstorableUserId => {
                Self::BadRequest(error.to_string())
            }
            error => Self::Engine(error),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::BadRequest(what) => (StatusCode::BAD_REQUEST, what).into_response(),
            Self::ContentType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Invalid content type, send the body as application/json",
            )
                .into_response(),
            Self::ApiKey => (StatusCode::UNAUTHORIZED, "Invalid API key").into_response(),
            Self::Website => (StatusCode::FORBIDDEN, FOR_BACK_ENDS_ONLY).into_response(),
            Self::OfAnotherApp => {
                (StatusCode::FORBIDDEN, "Send this without an app and a tenant in the path")
                    .into_response()
            }
            Self::Unknown => (StatusCode::NOT_FOUND, SUPPORTED).into_response(),
            Self::Engine(error) => {
                tracing::error!(%error, "a request of a back end failed");
                let status = match error {
                    EngineError::Store(_) | EngineError::ClockJumped => {
                        StatusCode::SERVICE_UNAVAILABLE
                    }
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                (status, "the session database failed, try again later").into_response()
            }
        }
    }
}

type Answer = Result<Response, Refusal>;

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

/// The operation that a request asked for; for logs and metrics, which must not repeat paths and
/// queries. It lies in the extensions of the core's response, and [`Operation::of`] tells it where
/// another layer answered.
///
/// ```
/// use passerby_server::session_core::Operation;
/// # use axum::body::Body;
/// # use http::Request;
/// # use passerby_server::{MemoryStore, session_core::{CoreSettings, SessionCore}};
/// # use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let core = SessionCore::open(MemoryStore::new(), CoreSettings::default()).await?;
/// let request = Request::get("/recipe/session/user?userId=alice").body(Body::empty())?;
/// let response = core.router().oneshot(request).await?;
/// // For the log: not who was asked for.
/// let operation = response.extensions().get::<Operation>().expect("each response has one");
/// assert_eq!(operation.name(), "handles_of_user");
/// assert_eq!(*operation, Operation::of(&http::Method::GET, "/recipe/session/user"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation(&'static str);

impl Operation {
    /// The operation of a request of this method and path.
    #[must_use]
    pub fn of(method: &Method, path: &str) -> Self {
        Self(operation(method, path))
    }

    /// One of a few fixed names; `unknown` for what is not supported.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0
    }
}

fn operation(method: &Method, path: &str) -> &'static str {
    let rest = place(path).rest;
    match (method, rest.strip_suffix('/').unwrap_or(rest)) {
        (_, "/hello") => "hello",
        (&Method::GET, "/.well-known/jwks.json" | "/recipe/jwt/jwks") => "jwks",
        (&Method::GET, "/apiversion") => "apiversion",
        (&Method::GET, "/user/id") => "user",
        (&Method::POST, "/recipe/jwt") => "create_jwt",
        (&Method::PUT, "/recipe/jwt/data") => "replace_payload",
        (&Method::POST, "/recipe/session") => "create",
        (&Method::GET, "/recipe/session") => "information",
        (&Method::POST, "/recipe/session/verify") => "verify",
        (&Method::POST, "/recipe/session/refresh") => "refresh",
        (&Method::POST, "/recipe/session/regenerate") => "regenerate",
        (&Method::POST, "/recipe/session/remove") => "remove",
        (&Method::GET, "/recipe/session/user") => "handles_of_user",
        (&Method::PUT, "/recipe/session/data") => "replace_data",
        (&Method::PUT, "/recipe/multitenancy/app/v2") => "configure_app",
        (&Method::GET, "/recipe/user/roles" | "/recipe/roles") => "roles",
        (&Method::GET, "/recipe/user/email/verify") => "is_verified",
        _ => "unknown",
    }
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
    let operation = operation(method, uri.path());
    // A page of any website can have a browser send forms and texts to a core on the same machine,
    // but no JSON.
    if operation != "unknown" && method != Method::GET && !may_be_json(headers) {
        return Err(Refusal::ContentType);
    }
    match operation {
        "apiversion" => Ok(Json(json!({ "versions": INTERFACE_VERSIONS })).into_response()),
        "user" => Ok(status("UNKNOWN_USER_ID_ERROR")),
        "jwks" => {
            let mut keys = match call.engine_to_read().await? {
                Some(engine) => engine.jwks().await,
                None => json!({ "keys": [] }),
            };
            keys["status"] = "OK".into();
            Ok(Json(keys).into_response())
        }
        "create_jwt" => call.create_jwt().await,
        "replace_payload" => call.replace_payload().await,
        "create" => call.create().await,
        "information" => call.information().await,
        "verify" => call.verify().await,
        "refresh" => call.refresh().await,
        "regenerate" => call.regenerate().await,
        "remove" => call.remove().await,
        "handles_of_user" => call.handles_of_user().await,
        "replace_data" => call.replace_data().await,
        "configure_app" => call.configure_app().await,
        // Those of new sessions are asked for at every sign-in.
        "roles" => Ok(Json(json!({ "status": "OK", "roles": [] })).into_response()),
        "is_verified" => Ok(Json(json!({ "status": "OK", "isVerified": false })).into_response()),
        _ => Err(Refusal::Unknown),
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateInput {
    user_id: String,
    #[serde(default, rename = "userDataInJWT")]
    payload: Map<String, Value>,
    #[serde(default, rename = "userDataInDatabase")]
    data: Map<String, Value>,
    enable_anti_csrf: bool,
    use_dynamic_signing_key: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerifyInput {
    access_token: String,
    anti_csrf_token: Option<String>,
    do_anti_csrf_check: bool,
    enable_anti_csrf: bool,
    #[serde(default)]
    check_database: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefreshInput {
    refresh_token: String,
    anti_csrf_token: Option<String>,
    enable_anti_csrf: bool,
    use_dynamic_signing_key: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegenerateInput {
    access_token: String,
    #[serde(rename = "userDataInJWT")]
    payload: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemoveInput {
    user_id: Option<String>,
    session_handles: Option<Vec<String>>,
    revoke_across_all_tenants: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DataInput {
    session_handle: String,
    #[serde(rename = "userDataInDatabase")]
    data: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PayloadInput {
    session_handle: String,
    #[serde(rename = "userDataInJWT")]
    payload: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JwtInput {
    #[serde(default)]
    payload: Map<String, Value>,
    /// Seconds.
    validity: u64,
    use_static_signing_key: Option<bool>,
    algorithm: String,
    jwks_domain: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppInput {
    app_id: String,
    #[serde(default)]
    core_config: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HandleQuery {
    session_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserQuery {
    user_id: String,
    fetch_across_all_tenants: Option<bool>,
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

fn status(status: &str) -> Response {
    Json(json!({ "status": status })).into_response()
}

fn refused(status: &str, why: &str) -> Response {
    Json(json!({ "status": status, "message": why })).into_response()
}

fn no_session() -> Response {
    refused("UNAUTHORISED", "Session does not exist.")
}

fn session(claims: &StockClaims) -> Value {
    json!({
        "handle": claims.session_handle,
        "userId": claims.user_id,
        "recipeUserId": claims.user_id,
        "tenantId": claims.tenant_id,
        "userDataInJWT": claims.custom,
    })
}

fn token(token: &Token) -> Value {
    json!({ "token": token.token, "createdTime": token.created_at, "expiry": token.expires_at })
}

fn session_and_token(claims: &StockClaims, access: Option<&Token>) -> Response {
    let mut body = json!({ "status": "OK", "session": session(claims) });
    // Absent rather than null: SDKs look for the key.
    if let Some(access) = access {
        body["accessToken"] = token(access);
    }
    Json(body).into_response()
}

fn tokens(issued: &Issued) -> Response {
    let mut body = json!({
        "status": "OK",
        "session": session(&issued.claims),
        "accessToken": token(&issued.access),
        "refreshToken": token(&issued.refresh),
    });
    if let Some(anti_csrf) = &issued.claims.anti_csrf_token {
        body["antiCsrfToken"] = anti_csrf.as_str().into();
    }
    Json(body).into_response()
}
