//! An app to test with, and a browser that remembers cookies.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, OriginalUri, Query},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use jsonwebtoken::EncodingKey;
use passerby_protocol::front_token::FrontToken;
use passerby_server::{
    CheckedUser, KeyAlgorithm, PageUser, Principal, SessionRejection, Sessions, SessionsBuilder,
    SqliteStore, User, Visitor, VisitorError,
    claims::PrimitiveArrayClaim,
    redirect_to_refresh,
    store::{KeyRecord, SessionStore},
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tower::ServiceExt;

#[derive(serde::Deserialize, serde::Serialize)]
struct Cart {
    plants: Vec<String>,
    count: u32,
}

pub(crate) const ORIGIN: &str = "http://localhost:3000";
pub(crate) const REFRESH: &str = "/auth/session/refresh";
pub(crate) const SIGN_OUT: &str = "/auth/signout";
pub(crate) const FORGET: &str = "/auth/anonymous/forget";

const TOKEN_HEADERS: [&str; 7] = [
    "front-token",
    "st-anonymous-front-token",
    "st-anonymous-token",
    "st-access-token",
    "st-refresh-token",
    "anti-csrf",
    "st-anonymous-mode",
];

/// Making RSA keys takes long; all tests start from these.
static KEYS: OnceCell<Vec<KeyRecord>> = OnceCell::const_new();
static KEYS_OF_A_CORE: OnceCell<Vec<KeyRecord>> = OnceCell::const_new();

pub(crate) fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("not an object: {value}") };
    map
}

/// A store of its own, with keys in it.
pub(crate) async fn store() -> (SqliteStore, TempDir) {
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
    (store_with_keys(store).await, folder)
}

/// Puts the keys that all tests start from into an empty store.
pub(crate) async fn store_with_keys<S: SessionStore>(store: S) -> S {
    with_keys(store, &KEYS, KeyAlgorithm::Es256).await
}

/// The same, with keys as a session core makes them.
pub(crate) async fn store_with_keys_of_a_core<S: SessionStore>(store: S) -> S {
    with_keys(store, &KEYS_OF_A_CORE, KeyAlgorithm::Rs256).await
}

async fn with_keys<S: SessionStore>(
    store: S,
    keys: &OnceCell<Vec<KeyRecord>>,
    algorithm: KeyAlgorithm,
) -> S {
    let keys = keys
        .get_or_init(|| async {
            let folder = TempDir::new().unwrap();
            let store = SqliteStore::open(folder.path().join("keys.db")).await.unwrap();
            let builder = Sessions::builder().api_domain(ORIGIN).store(store.clone());
            builder.anonymous_algorithm(algorithm).build().await.unwrap();
            store.keys().await.unwrap()
        })
        .await;
    for key in keys {
        store.add_key_unless_newer(key, u64::MAX).await.unwrap();
    }
    store
}

/// A key of the server's, as an attacker who stole the database has it.
pub(crate) fn stolen(key: &KeyRecord) -> EncodingKey {
    let pem = key.secret.as_bytes();
    EncodingKey::from_rsa_pem(pem).or_else(|_| EncodingKey::from_ec_pem(pem)).unwrap()
}

/// The server under test.
#[derive(Clone)]
pub(crate) struct App<S = SqliteStore> {
    pub(crate) sessions: Sessions,
    pub(crate) store: S,
    router: Router,
    skew: Arc<AtomicU64>,
    /// The folder of the store.
    folder: Option<Arc<TempDir>>,
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// With no key in it yet.
    pub(crate) async fn in_new_database(
        configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let store = SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
        Self::build(store, Some(Arc::new(folder)), Arc::default(), configure).await
    }

    pub(crate) async fn with(configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder) -> Self {
        let (store, folder) = store().await;
        Self::build(store, Some(Arc::new(folder)), Arc::default(), configure).await
    }
}

impl<S: SessionStore + Clone> App<S> {
    /// A server on this database, which somebody else keeps alive.
    pub(crate) async fn on(store: S) -> Self {
        Self::build(store, None, Arc::default(), |builder| builder).await
    }

    /// Another process: with its own keys in memory, on another connection to the same database,
    /// with the same time.
    pub(crate) async fn twin(&self, store: S) -> Self {
        Self::build(store, self.folder.clone(), self.skew.clone(), |builder| builder).await
    }

    /// The same server after a restart, or with another configuration: same database, same time.
    pub(crate) async fn restarted(
        &self,
        configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) -> Self {
        Self::build(self.store.clone(), self.folder.clone(), self.skew.clone(), configure).await
    }

    async fn build(
        store: S,
        folder: Option<Arc<TempDir>>,
        skew: Arc<AtomicU64>,
        configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) -> Self {
        let seconds = skew.clone();
        let builder = Sessions::builder()
            .api_domain(ORIGIN)
            .store(store.clone())
            .clock(move || SystemTime::now() + Duration::from_secs(seconds.load(Ordering::SeqCst)));
        let sessions = configure(builder).build().await.unwrap();
        let router = router(&sessions);
        Self { sessions, store, router, skew, folder }
    }

    /// The file that the database lies in.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().join("sessions.db")
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser {
            router: self.router.clone(),
            cookies: BTreeMap::new(),
            headers: HeaderMap::new(),
            address: None,
            _folder: self.folder.clone(),
        }
    }

    /// A browser that holds this anonymous token, once for each way in which it can come: cookie
    /// and header.
    pub(crate) fn browsers_with(&self, anonymous_token: &str) -> [Browser; 2] {
        let mut by_cookie = self.browser();
        by_cookie.set_cookie("sAnonymousToken", anonymous_token);
        let by_header = self.browser().header("st-auth-mode", "header");
        [by_cookie, by_header.header("authorization", &format!("Bearer {anonymous_token}"))]
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, time: Duration) {
        self.skew.fetch_add(time.as_secs(), Ordering::SeqCst);
    }

    /// The clock is set right again: back by as much as it was ahead.
    pub(crate) fn set_clock_back(&self) {
        self.skew.store(0, Ordering::SeqCst);
    }

    /// The browser of somebody who signed in.
    pub(crate) async fn browser_of(&self, user: &str) -> Browser {
        let mut browser = self.browser();
        browser.login(user).await;
        browser
    }

    /// Does everything that needs the database, with a user of before and with a new one.
    pub(crate) async fn goes_on_with(&self, mut before: Browser) {
        let user = before.get("/api/fresh").await.body.as_str().unwrap().to_owned();
        let mut new = self.browser_of(&user).await;
        for browser in [&mut before, &mut new] {
            assert_eq!(browser.refresh().await.status, 200);
            assert_eq!(browser.get("/api/user").await.body, user);
            assert_eq!(browser.post_json("/api/merge", json!({ "a": 1 })).await.body["a"], 1);
            assert_eq!(browser.post_json("/api/data", json!({ "b": 2 })).await.body["b"], 2);
        }
        self.wait(Duration::from_secs(169 * 3600));
        for browser in [&mut before, &mut new] {
            assert_eq!(browser.refresh().await.status, 200, "under a new key");
            assert_eq!(browser.get("/api/fresh").await.body, user);
        }
        self.sessions.rotate_static_key().await.unwrap();
        assert_eq!(before.post("/api/logout").await.status, 200);
        assert_eq!(self.sessions.revoke_all_sessions_of_user(&user).await.unwrap().len(), 1);
        assert_eq!(new.refresh().await.status, 401);
        self.sessions.prune(10).await.unwrap();
    }
}

fn router(sessions: &Sessions) -> Router {
    let seen = |principal: Option<Principal>| {
        Json(match principal {
            None => json!({ "kind": "none" }),
            Some(Principal::Anonymous(session)) => {
                let (id, payload) = (session.anonymous_id(), session.payload());
                json!({ "kind": "anonymous", "id": id, "payload": payload })
            }
            Some(Principal::User(session)) => json!({
                "kind": "user",
                "user": session.user_id(),
                "handle": session.handle(),
                "id": session.anonymous_id(),
                "payload": session.payload(),
            }),
        })
    };
    Router::new()
        .route("/api/me", get(move |principal: Principal| async move { seen(Some(principal)) }))
        .route(
            "/api/maybe",
            get(move |principal: Option<Principal>| async move { seen(principal) })
                .post(move |principal: Option<Principal>| async move { seen(principal) }),
        )
        .route("/api/user", get(|user: User| async move { user.user_id().to_owned() }))
        .route("/api/fresh", get(|user: CheckedUser| async move { user.user_id().to_owned() }))
        .route("/api/plain", get(|| async { "plain" }))
        .route(
            "/api/exposing",
            get(|visitor: Visitor| async move {
                visitor.anonymous().update_payload(map(json!({"a": 1}))).await?;
                Ok::<_, VisitorError>([
                    ("access-control-expose-headers", "x-count, x-st-anonymous-front-token"),
                    ("cache-control", "max-age=60"),
                ])
            }),
        )
        .route(
            "/api/set",
            post(|visitor: Visitor, Json(cart): Json<Value>| async move {
                visitor.set("cart", cart).await
            }),
        )
        .route(
            "/api/cart",
            get(|principal: Principal| async move {
                principal.get::<Cart>("cart").map(Json).map_err(|_| StatusCode::IM_A_TEAPOT)
            }),
        )
        .route("/api/login", post(login))
        .route(
            "/api/login-then-fail",
            post(|visitor: Visitor| async move {
                visitor.sign_in("alice").await?;
                Ok::<_, VisitorError>(StatusCode::INTERNAL_SERVER_ERROR)
            }),
        )
        .route(
            "/api/login-and-merge",
            post(|visitor: Visitor| async move {
                visitor.sign_in_with("alice", map(json!({"a": 1}))).await?;
                visitor.merge_into_access_token_payload(map(json!({"b": 2}))).await?;
                Ok::<_, VisitorError>(())
            }),
        )
        .route(
            "/api/login-and-out",
            post(|visitor: Visitor| async move {
                visitor.sign_in("alice").await?;
                visitor.sign_out().await
            }),
        )
        .route("/api/logout", post(|visitor: Visitor| async move { visitor.sign_out().await }))
        .route(
            "/api/merge",
            post(|visitor: Visitor, Json(update): Json<Map<String, Value>>| async move {
                visitor
                    .merge_into_access_token_payload(update)
                    .await
                    .map(|session| Json(session.payload().clone()))
            }),
        )
        .route(
            "/api/cart",
            post(|visitor: Visitor, Json(update): Json<Map<String, Value>>| async move {
                visitor
                    .anonymous()
                    .update_payload(update)
                    .await
                    .map(|session| Json(session.payload().clone()))
            }),
        )
        .route(
            "/api/data",
            get(|visitor: Visitor| async move { visitor.session_data().await.map(Json) }).post(
                |visitor: Visitor, Json(update): Json<Map<String, Value>>| async move {
                    visitor.update_session_data(|data| data.extend(update.clone())).await.map(Json)
                },
            ),
        )
        .route(
            "/api/admin",
            get(|visitor: Visitor| async move {
                let is_admin = PrimitiveArrayClaim::new("st-role").includes("admin");
                visitor.require(&[&is_admin]).await.map(|user| user.user_id().to_owned())
            }),
        )
        .route(
            "/api/expire",
            post(|visitor: Visitor| async move { visitor.expire_access_token().await }),
        )
        // Nested, because the browser must come back to the whole address.
        .nest(
            "/both",
            Router::new().fallback(|user: PageUser| async move { user.user_id().to_owned() }),
        )
        .route("/page", get(page))
        .route(
            "/fresh-page",
            get(|user: Result<CheckedUser, SessionRejection>| async move {
                user.map_or("refused", |_| "fresh")
            }),
        )
        .route("/any-page", get(move |principal: Option<Principal>| async move { seen(principal) }))
        .layer(sessions.layer())
        .layer(sessions.cors())
}

async fn login(
    visitor: Visitor,
    Query(query): Query<BTreeMap<String, String>>,
    Json(payload): Json<Map<String, Value>>,
) -> Result<Json<Value>, VisitorError> {
    let session = visitor.sign_in_with(&query["user"], payload).await?;
    assert_eq!(visitor.principal(), Some(Principal::User(session.clone())));
    Ok(Json(json!({ "handle": session.handle() })))
}

async fn page(user: Result<User, SessionRejection>, OriginalUri(uri): OriginalUri) -> Response {
    match user {
        Ok(user) => user.user_id().to_owned().into_response(),
        Err(_) => redirect_to_refresh(&uri),
    }
}

/// A browser: remembers cookies by name, with their path. Checks of every response what must hold
/// of all.
#[derive(Clone)]
pub(crate) struct Browser {
    router: Router,
    /// Name to value and path.
    pub(crate) cookies: BTreeMap<String, (String, String)>,
    /// Sent with every request.
    pub(crate) headers: HeaderMap,
    /// The other end of its connections, as the server sees it.
    address: Option<SocketAddr>,
    /// The server's store opens its file again when it needs one more connection, so the file stays
    /// for as long as somebody can ask that server.
    _folder: Option<Arc<TempDir>>,
}

impl Browser {
    /// The same browser at another place.
    pub(crate) fn at(mut self, address: &str) -> Self {
        self.address = Some(SocketAddr::new(address.parse().unwrap(), 4711));
        self
    }

    /// The same browser, routed to another server.
    pub(crate) fn moved_to<S>(&self, app: &App<S>) -> Self {
        Self { router: app.router.clone(), _folder: app.folder.clone(), ..self.clone() }
    }

    /// The same browser, at other routes of the same server.
    pub(crate) fn routed_to(&self, router: Router) -> Self {
        Self { router, ..self.clone() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(|(value, _)| value.as_str())
    }

    pub(crate) fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.into(), (value.into(), "/".into()));
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&mut self, path: &str) -> Answer {
        self.send(Method::POST, path, Some(json!({}))).await
    }

    pub(crate) async fn post_json(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// A page load.
    pub(crate) async fn open(&mut self, path: &str) -> Answer {
        let headers = self.headers.clone();
        for (name, value) in [
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            ("accept", "text/html,*/*"),
        ] {
            self.headers.insert(name, value.parse().unwrap());
        }
        let answer = self.get(path).await;
        self.headers = headers;
        answer
    }

    pub(crate) async fn login(&mut self, user: &str) -> Answer {
        let answer = self.post(&format!("/api/login?user={user}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    pub(crate) async fn refresh(&mut self) -> Answer {
        self.post(REFRESH).await
    }

    /// The anonymousId that the server sees.
    pub(crate) async fn id(&mut self) -> String {
        self.get("/api/me").await.body["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn request(&mut self, method: Method, path: &str) -> Answer {
        self.send(method, path, None).await
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header(header::HOST, "localhost:3000");
        request.headers_mut().unwrap().extend(self.headers.clone());
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|(_, (_, cookie_path))| path.starts_with(cookie_path.as_str()))
            .map(|(name, (value, _))| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        if let Some(address) = self.address {
            request = request.extension(ConnectInfo(address));
        }
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let mut answer = Answer::read(response).await;
        answer.sent_user_cookie = cookies.iter().any(|cookie| {
            ["sAccessToken=", "sRefreshToken="].iter().any(|name| cookie.starts_with(name))
        });
        // An anonymous token is no user's.
        answer.sent_bearer = self
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .is_some_and(is_of_a_user);
        answer.check();
        self.remember(&answer);
        answer
    }

    fn remember(&mut self, answer: &Answer) {
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let path = line.split("; ").find_map(|part| part.strip_prefix("Path=")).unwrap();
            if line.contains("Expires=Thu, 01 Jan 1970") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.into(), (value.into(), path.into()));
            }
        }
    }
}

fn is_of_a_user(token: &str) -> bool {
    token.ends_with(".V2")
        || jsonwebtoken::decode_header(token)
            .is_ok_and(|head| head.kid.is_some_and(|kid| kid.starts_with("d-")))
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    /// The headers of the request.
    sent_user_cookie: bool,
    sent_bearer: bool,
}

impl Answer {
    async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
            sent_user_cookie: false,
            sent_bearer: false,
        }
    }

    /// Two rules for every response: tokens are never cached, and always exposed.
    fn check(&self) {
        let present: Vec<&str> =
            TOKEN_HEADERS.into_iter().filter(|name| self.headers.contains_key(*name)).collect();
        if present.is_empty() && !self.headers.contains_key(header::SET_COOKIE) {
            return;
        }
        assert_eq!(self.headers[header::CACHE_CONTROL], "no-store");
        let exposed: Vec<&str> = self
            .headers
            .get_all(header::ACCESS_CONTROL_EXPOSE_HEADERS)
            .iter()
            .flat_map(|value| value.to_str().unwrap().split(','))
            .map(str::trim)
            .collect();
        for name in present {
            assert!(exposed.contains(&name), "{name} is not exposed: {exposed:?}");
            assert_eq!(self.headers.get_all(name).iter().count(), 1, "{name} twice");
        }
    }

    pub(crate) fn text(&self, header: &str) -> Option<&str> {
        self.headers.get(header).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(header::SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect()
    }

    pub(crate) fn set_cookie(&self, name: &str) -> Option<&str> {
        self.set_cookies()
            .into_iter()
            .find(|line| line.split_once('=').is_some_and(|(key, _)| key == name))
    }

    pub(crate) fn cleared(&self, name: &str) -> bool {
        self.set_cookie(name).is_some_and(|line| line.contains("Expires=Thu, 01 Jan 1970"))
    }

    pub(crate) fn front_token(&self) -> FrontToken {
        FrontToken::decode(self.text("front-token").unwrap()).unwrap()
    }

    pub(crate) fn anonymous_front_token(&self) -> FrontToken {
        FrontToken::decode(self.text("st-anonymous-front-token").unwrap()).unwrap()
    }

    /// The id that the response announces.
    pub(crate) fn announced_id(&self) -> String {
        let token = self.anonymous_front_token();
        assert_eq!(token.up["isAnonymous"], true);
        let id = token.up["anonymousId"].as_str().unwrap().to_owned();
        assert_eq!(token.uid, format!("G-{id}"));
        id
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// No header about sessions at all.
    pub(crate) fn is_silent(&self) -> bool {
        self.set_cookies().is_empty()
            && TOKEN_HEADERS.iter().all(|name| !self.headers.contains_key(*name))
    }

    /// Nothing about sessions but that there is no anonymous one, for a browser that holds the
    /// announcement alone.
    pub(crate) fn says_only_that_there_is_none(&self) -> bool {
        let said: Vec<_> =
            TOKEN_HEADERS.iter().filter_map(|name| Some((*name, self.text(name)?))).collect();
        self.set_cookies().is_empty() && said == [("st-anonymous-front-token", "remove")]
    }

    /// A refusal of the refresh that ends the user session: what a stock server sends, and the
    /// visitor's anonymous session.
    pub(crate) fn assert_demoted(&self, message: &str) {
        self.assert_ended(message, self.sent_user_cookie);
    }

    /// The same of a refusal by the app, whose request does not have the refresh cookie.
    pub(crate) fn assert_demoted_by_app(&self, message: &str) {
        self.assert_ended(message, false);
    }

    fn assert_ended(&self, message: &str, clears_refresh: bool) {
        assert_eq!(self.status, 401);
        assert_eq!(self.message(), message);
        // The session that the request presented is cleared, and nothing else: the browser may hold
        // another session by now.
        let cookies = self.set_cookies();
        assert_eq!(self.cleared("sAccessToken"), self.sent_user_cookie, "{cookies:?}");
        assert_eq!(self.cleared("sRefreshToken"), clears_refresh, "{cookies:?}");
        assert_eq!(self.text("front-token"), Some("remove"));
        for name in ["st-access-token", "st-refresh-token"] {
            assert_eq!(self.text(name), self.sent_bearer.then_some(""), "{name}");
        }
        assert_eq!(self.text("anti-csrf"), None);
    }
}
