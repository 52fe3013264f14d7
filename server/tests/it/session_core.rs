//! The session core, as the back-end SDKs call it; on both stores. `tests/interop.rs` runs the real
//! SDKs on it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use axum::{Router, body::Body};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use passerby_server::{
    MemoryStore, SqliteStore,
    session_core::{CoreError, CoreSettings, SessionCore},
    store::{AppStores, SessionStore},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::{app, cluster};

/// A core with another clock, and what its database lies in.
struct Core {
    router: Router,
    skew: Arc<AtomicU64>,
    _folder: Option<TempDir>,
}

async fn sqlite() -> Core {
    let (store, folder) = empty_store().await;
    open(app::store_with_keys_of_a_core(store).await, Some(folder), CoreSettings::default()).await
}

async fn empty_store() -> (SqliteStore, TempDir) {
    let folder = TempDir::new().unwrap();
    (SqliteStore::open(folder.path().join("core.db")).await.unwrap(), folder)
}

async fn postgres() -> Core {
    open(
        app::store_with_keys_of_a_core(cluster::store().await).await,
        None,
        CoreSettings::default(),
    )
    .await
}

async fn open<S: SessionStore + AppStores>(
    store: S,
    folder: Option<TempDir>,
    settings: CoreSettings,
) -> Core {
    let skew = Arc::new(AtomicU64::new(0));
    let seconds = skew.clone();
    let settings = settings
        .clock(move || SystemTime::now() + Duration::from_secs(seconds.load(Ordering::SeqCst)));
    Core {
        router: SessionCore::open(store, settings).await.unwrap().router(),
        skew,
        _folder: folder,
    }
}

impl Core {
    async fn call(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn try_send(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path).header("cdi-version", "5.4");
        self.call(request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, body) = self.try_send(method, path, body).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.send(Method::POST, path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, Value::Null).await
    }

    async fn create(&self, at: &str, user: &str) -> Value {
        let body = json!({
            "userId": user,
            "userDataInJWT": { "iss": "http://localhost/auth", "role": "admin" },
            "userDataInDatabase": {},
            "enableAntiCsrf": false,
            "useDynamicSigningKey": true,
        });
        self.post(&format!("{at}/recipe/session"), body).await
    }

    async fn refresh(&self, at: &str, session: &Value) -> Value {
        let body =
            json!({ "refreshToken": session["refreshToken"]["token"], "enableAntiCsrf": false });
        self.post(&format!("{at}/recipe/session/refresh"), body).await
    }

    async fn verify(&self, at: &str, session: &Value, check_database: bool) -> Value {
        let body = json!({
            "accessToken": session["accessToken"]["token"],
            "doAntiCsrfCheck": false,
            "enableAntiCsrf": false,
            "checkDatabase": check_database,
        });
        self.post(&format!("{at}/recipe/session/verify"), body).await
    }

    fn wait(&self, seconds: u64) {
        self.skew.fetch_add(seconds, Ordering::SeqCst);
    }
}

fn decoded(token: &Value, part: usize) -> Value {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let text = token["token"].as_str().unwrap().split('.').nth(part).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

/// A back end with `UserRoles.init()` or `EmailVerification.init()` asks at every sign-in, and one
/// that gets no answer signs nobody in.
#[tokio::test]
async fn nobody_has_a_role_and_no_address_is_verified() {
    let core = sqlite().await;
    for at in ["", "/public", "/appid-shop/tenant"] {
        let roles = core.get(&format!("{at}/recipe/user/roles?userId=alice")).await;
        assert_eq!(roles, json!({ "status": "OK", "roles": [] }));
    }
    assert_eq!(core.get("/recipe/roles").await, json!({ "status": "OK", "roles": [] }));
    let verified =
        core.get("/recipe/user/email/verify?userId=alice&email=alice%40example.com").await;
    assert_eq!(verified, json!({ "status": "OK", "isVerified": false }));
    // A request that would change something is refused: the change would not be kept.
    for (method, path) in [
        (Method::PUT, "/recipe/user/role"),
        (Method::PUT, "/recipe/role"),
        (Method::POST, "/recipe/user/email/verify/token"),
        (Method::POST, "/recipe/user/email/verify"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::from("{}")).unwrap();
        assert_eq!(core.call(request).await.0, 404, "{path}");
    }
}

/// Create, refresh, promote, expire, steal, in the words of the core.
async fn a_session_lives_and_ends(core: &Core) {
    let first = core.create("", "alice").await;
    assert_eq!((&first["status"], &first["session"]["tenantId"]), (&json!("OK"), &json!("public")));
    assert_eq!(first["session"]["recipeUserId"], "alice");
    assert_eq!(first["session"]["userDataInJWT"]["iss"], "http://localhost/auth");
    assert!(first.get("antiCsrfToken").is_none());
    let claims = decoded(&first["accessToken"], 1);
    assert_eq!(
        claims["exp"].as_u64().unwrap() * 1000,
        first["accessToken"]["expiry"].as_u64().unwrap()
    );
    assert!(claims.get("anonymousId").is_none(), "a stock core adds no claims");
    assert_eq!(decoded(&first["accessToken"], 0)["version"], "5");

    let second = core.refresh("", &first).await;
    assert_eq!(core.refresh("", &first).await["status"], "OK", "a lost answer is harmless");
    let verified = core.verify("", &second, false).await;
    assert_eq!(decoded(&verified["accessToken"], 1)["parentRefreshTokenHash1"], Value::Null);
    let promoted = json!({ "accessToken": verified["accessToken"] });
    assert!(
        core.verify("", &promoted, false).await.get("accessToken").is_none(),
        "nothing new to send"
    );

    assert_eq!(core.refresh("", &first).await["status"], "OK", "within the grace");
    core.wait(31);
    let stolen = core.refresh("", &first).await;
    assert_eq!(stolen["status"], "TOKEN_THEFT_DETECTED");
    assert_eq!(
        stolen["session"],
        json!({ "handle": first["session"]["handle"], "userId": "alice", "recipeUserId": "alice" })
    );
    assert_eq!(
        core.refresh("", &second).await["status"],
        "OK",
        "what to do is the back end's decision"
    );

    core.wait(3601);
    assert_eq!(core.verify("", &promoted, false).await["status"], "TRY_REFRESH_TOKEN");
    let third = core.refresh("", &second).await;
    assert_eq!(core.verify("", &third, true).await["status"], "OK");
    core.wait(100 * 24 * 3600);
    assert_eq!(core.refresh("", &third).await["status"], "UNAUTHORISED");
    let handle = first["session"]["handle"].as_str().unwrap();
    assert_eq!(
        core.get(&format!("/recipe/session?sessionHandle={handle}")).await["status"],
        "UNAUTHORISED"
    );
}

#[tokio::test]
async fn a_session_lives_and_ends_on_sqlite() {
    a_session_lives_and_ends(&sqlite().await).await;
}

#[tokio::test]
async fn a_session_lives_and_ends_on_postgres() {
    a_session_lives_and_ends(&postgres().await).await;
}

/// Apps share nothing; tenants of an app share its keys.
async fn apps_are_apart(core: &Core) {
    let here = core.create("", "alice").await;
    let there = core.create("/appid-x", "alice").await;
    let tenant = core.create("/appid-x/t1", "alice").await;
    assert!(tenant["session"]["handle"].as_str().unwrap().ends_with("_t1"));
    assert_eq!(decoded(&tenant["accessToken"], 1)["tId"], "t1");
    assert_eq!(core.verify("/appid-x", &tenant, true).await["session"]["tenantId"], "t1");
    for (at, session) in [("/appid-x", &here), ("", &there), ("/appid-y", &there)] {
        assert_eq!(core.verify(at, session, false).await["status"], "TRY_REFRESH_TOKEN", "{at}");
        assert_eq!(core.refresh(at, session).await["status"], "UNAUTHORISED", "{at}");
        let handle = session["session"]["handle"].as_str().unwrap();
        assert_eq!(
            core.get(&format!("{at}/recipe/session?sessionHandle={handle}")).await["status"],
            "UNAUTHORISED"
        );
        let removed = core
            .post(&format!("{at}/recipe/session/remove"), json!({ "sessionHandles": [handle] }))
            .await;
        assert_eq!(removed["sessionHandlesRevoked"], json!([]));
    }
    let handles = |path: &'static str| async move {
        core.get(path).await["sessionHandles"].as_array().unwrap().len()
    };
    assert_eq!(handles("/recipe/session/user?userId=alice").await, 1);
    assert_eq!(handles("/appid-x/recipe/session/user?userId=alice").await, 2);
    assert_eq!(
        handles("/appid-x/t1/recipe/session/user?userId=alice&fetchAcrossAllTenants=false").await,
        1
    );
    assert_eq!(
        handles("/appid-x/t2/recipe/session/user?userId=alice&fetchAcrossAllTenants=false").await,
        0
    );
    let only = core
        .post(
            "/appid-x/t1/recipe/session/remove",
            json!({ "userId": "alice", "revokeAcrossAllTenants": false }),
        )
        .await;
    assert_eq!(only["sessionHandlesRevoked"], json!([tenant["session"]["handle"]]));
    let all = core.post("/appid-x/recipe/session/remove", json!({ "userId": "alice" })).await;
    assert_eq!(all["sessionHandlesRevoked"], json!([there["session"]["handle"]]));
    let ids = |keys: Value| {
        keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect::<Vec<_>>()
    };
    let (mine, other) = (
        ids(core.get("/.well-known/jwks.json").await),
        ids(core.get("/appid-x/.well-known/jwks.json").await),
    );
    assert!(!mine.is_empty() && mine.iter().all(|id| !other.contains(id)));
    // No API key is needed for this, so nothing may be made for it.
    assert_eq!(core.get("/appid-unheard-of/.well-known/jwks.json").await, json!({ "keys": [] }));
}

#[tokio::test]
async fn apps_are_apart_on_sqlite() {
    apps_are_apart(&sqlite().await).await;
}

#[tokio::test]
async fn apps_are_apart_on_postgres() {
    apps_are_apart(&postgres().await).await;
}

#[tokio::test]
async fn the_apps_of_one_database_outlive_the_process() {
    let (store, folder) = app::store().await;
    let core = open(store, None, CoreSettings::default()).await;
    let session = core.create("/appid-x", "alice").await;
    let store = SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
    let again = open(store, None, CoreSettings::default()).await;
    assert_eq!(again.verify("/appid-x", &session, true).await["status"], "OK");
    assert_eq!(again.refresh("/appid-x", &session).await["status"], "OK");
    assert_eq!(again.refresh("", &session).await["status"], "UNAUTHORISED");
}

const APP: &str = "/recipe/multitenancy/app/v2";

/// Asks for an app, as the test suites of the SDKs do, and gives status and answer.
async fn configure(core: &Core, app_id: &str, config: Value) -> (StatusCode, Value) {
    core.try_send(Method::PUT, APP, json!({ "appId": app_id, "coreConfig": config })).await
}

async fn an_app_has_lifetimes_of_its_own(core: &Core) {
    let lifetime = |session: &Value, token: &str| {
        let token = &session[token];
        token["expiry"].as_u64().unwrap() - token["createdTime"].as_u64().unwrap()
    };
    // Long enough for a busy machine, which makes keys for two apps below.
    let config = json!({ "access_token_validity": 200, "refresh_token_validity": 10 });
    let made = configure(core, "short", config).await;
    assert_eq!(made, (StatusCode::OK, json!({ "status": "OK", "createdNew": true })));
    let session = core.create("/appid-short", "alice").await;
    assert_eq!(lifetime(&session, "accessToken"), 200_000);
    assert_eq!(lifetime(&session, "refreshToken"), 600_000);
    assert_eq!(core.verify("/appid-short", &session, false).await["status"], "OK");

    // Others have those of the core.
    for path in ["", "/appid-other"] {
        assert_eq!(lifetime(&core.create(path, "alice").await, "accessToken"), 3_600_000, "{path}");
    }

    // A change counts at once, and a setting that is not named stays.
    let changed = configure(core, "short", json!({ "access_token_validity": 300 })).await;
    assert_eq!(changed, (StatusCode::OK, json!({ "status": "OK", "createdNew": false })));
    let later = core.create("/appid-short", "alice").await;
    assert_eq!(lifetime(&later, "accessToken"), 300_000);
    assert_eq!(lifetime(&later, "refreshToken"), 600_000);
    assert_eq!(core.verify("/appid-short", &session, true).await["status"], "OK", "same keys");
    core.wait(301);
    assert_eq!(
        core.verify("/appid-short", &later, false).await["status"],
        "TRY_REFRESH_TOKEN",
        "it has expired"
    );
    assert_eq!(core.refresh("/appid-short", &later).await["status"], "OK");
    core.wait(601);
    assert_eq!(core.refresh("/appid-short", &later).await["status"], "UNAUTHORISED");
}

#[tokio::test]
async fn an_app_has_lifetimes_of_its_own_on_sqlite() {
    an_app_has_lifetimes_of_its_own(&sqlite().await).await;
}

#[tokio::test]
async fn an_app_has_lifetimes_of_its_own_on_postgres() {
    an_app_has_lifetimes_of_its_own(&postgres().await).await;
}

#[tokio::test]
async fn an_app_that_cannot_be_is_refused_and_changes_nothing() {
    let core = sqlite().await;
    for (app_id, config, named) in [
        ("public", json!({}), "public"),
        ("Shop", json!({}), "appId"),
        ("appid-shop", json!({}), "appId"),
        ("", json!({}), "appId"),
        ("shop", json!({ "access_token_validity": 0 }), "access_token_validity"),
        ("shop", json!({ "refresh_token_validity": 60 }), "refresh_token_validity"),
        ("shop", json!({ "firstFactors": [] }), "firstFactors"),
        ("shop", json!([]), "Invalid Json"),
    ] {
        let (status, text) = configure(&core, app_id, config).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{app_id}");
        assert!(text.as_str().unwrap().contains(named), "{app_id}: {text}");
    }
    for path in ["/appid-x", "/t1"] {
        let body = json!({ "appId": "shop", "coreConfig": {} });
        let answer = core.try_send(Method::PUT, &format!("{path}{APP}"), body).await;
        assert_eq!(answer.0, StatusCode::FORBIDDEN, "{path}");
    }
    let keys = core.get("/appid-shop/.well-known/jwks.json").await;
    assert_eq!(keys, json!({ "keys": [] }), "none was made");
}

#[tokio::test]
async fn settings_of_an_app_reach_another_process_and_outlive_both() {
    let (store, folder) = app::store().await;
    let core = open(store, None, CoreSettings::default()).await;
    let file = folder.path().join("sessions.db");
    configure(&core, "short", json!({ "access_token_validity": 2 })).await;
    let again = open(SqliteStore::open(file).await.unwrap(), None, CoreSettings::default()).await;
    let session = again.create("/appid-short", "alice").await;
    let token = &session["accessToken"];
    let lifetime = token["expiry"].as_u64().unwrap() - token["createdTime"].as_u64().unwrap();
    assert_eq!(lifetime, 2_000);
}

#[tokio::test]
async fn payload_and_data_are_replaced() {
    let core = sqlite().await;
    let session = core.create("", "alice").await;
    let handle = session["session"]["handle"].as_str().unwrap();
    let put = |path: &'static str, body: Value| core.send(Method::PUT, path, body);
    let changed = put(
        "/recipe/jwt/data",
        json!({ "sessionHandle": handle, "userDataInJWT": { "a": null, "b": [1] } }),
    )
    .await;
    assert_eq!(changed["status"], "OK");
    assert!(core.verify("", &session, false).await.get("accessToken").is_none());
    let verified = core.verify("", &session, true).await;
    assert_eq!(decoded(&verified["accessToken"], 1)["b"], json!([1]));
    assert_eq!(
        put(
            "/recipe/session/data",
            json!({ "sessionHandle": handle, "userDataInDatabase": { "n": 1 } })
        )
        .await["status"],
        "OK"
    );
    let information = core.get(&format!("/recipe/session?sessionHandle={handle}")).await;
    assert_eq!(information["userDataInDatabase"], json!({ "n": 1 }));
    assert_eq!(information["userDataInJWT"], json!({ "a": null, "b": [1] }));
    for (path, body) in [
        ("/recipe/jwt/data", json!({ "sessionHandle": "none", "userDataInJWT": {} })),
        ("/recipe/session/data", json!({ "sessionHandle": "none", "userDataInDatabase": {} })),
    ] {
        assert_eq!(put(path, body).await["status"], "UNAUTHORISED");
    }

    let regenerate = |token: &Value| {
        core.post(
            "/recipe/session/regenerate",
            json!({ "accessToken": token["token"], "userDataInJWT": { "c": true } }),
        )
    };
    let regenerated = regenerate(&session["accessToken"]).await;
    assert_eq!(
        regenerated["accessToken"]["expiry"], session["accessToken"]["expiry"],
        "the same expiry"
    );
    assert_eq!(decoded(&regenerated["accessToken"], 1)["c"], true);
    core.wait(3601);
    let late = regenerate(&regenerated["accessToken"]).await;
    assert_eq!(
        (&late["status"], late.get("accessToken")),
        (&json!("OK"), None),
        "only the database changes"
    );
    core.post("/recipe/session/remove", json!({ "sessionHandles": [handle] })).await;
    assert_eq!(regenerate(&regenerated["accessToken"]).await["status"], "UNAUTHORISED");
}

#[tokio::test]
async fn anti_csrf_is_checked_where_the_back_end_asks_for_it() {
    let core = sqlite().await;
    let body = json!({ "userId": "alice", "enableAntiCsrf": true });
    let session = core.post("/recipe/session", body).await;
    let (token, access) = (&session["antiCsrfToken"], &session["accessToken"]["token"]);
    for (given, check, status) in [
        (token.clone(), true, "OK"),
        (json!("wrong"), true, "TRY_REFRESH_TOKEN"),
        (Value::Null, true, "TRY_REFRESH_TOKEN"),
        (Value::Null, false, "OK"),
    ] {
        let body = json!({
            "accessToken": access,
            "antiCsrfToken": given,
            "doAntiCsrfCheck": check,
            "enableAntiCsrf": true,
        });
        assert_eq!(
            core.post("/recipe/session/verify", body).await["status"],
            status,
            "{given} {check}"
        );
    }
    let refresh = |given: Value| {
        let body = json!({
            "refreshToken": session["refreshToken"]["token"],
            "antiCsrfToken": given,
            "enableAntiCsrf": true,
        });
        core.post("/recipe/session/refresh", body)
    };
    assert_eq!(refresh(Value::Null).await["status"], "UNAUTHORISED");
    assert_eq!(refresh(token.clone()).await["antiCsrfToken"], *token);
}

#[tokio::test]
async fn static_keys_and_older_interfaces() {
    let core = sqlite().await;
    let body = json!({ "userId": "alice", "enableAntiCsrf": false, "useDynamicSigningKey": false });
    let request = Request::post("/recipe/session")
        .header("cdi-version", "3.1")
        .body(Body::from(body.to_string()))
        .unwrap();
    let (_, session) = core.call(request).await;
    let header = decoded(&session["accessToken"], 0);
    assert!(header["kid"].as_str().unwrap().starts_with("s-"));
    assert_eq!(header["version"], "4");
    assert!(decoded(&session["accessToken"], 1).get("rsub").is_none());
    let second = core.refresh("", &session).await;
    assert!(
        decoded(&second["accessToken"], 0)["kid"].as_str().unwrap().starts_with("d-"),
        "as the back end is configured now"
    );
    assert_eq!(core.verify("", &session, true).await["status"], "OK");
}

#[tokio::test]
async fn jwts_are_signed_and_are_no_sessions() {
    let core = sqlite().await;
    let make = |algorithm: &'static str, payload: Value| {
        let body = json!({
            "payload": payload,
            "validity": 60,
            "algorithm": algorithm,
            "jwksDomain": "http://localhost",
            "useStaticSigningKey": true,
        });
        core.post("/recipe/jwt", body)
    };
    assert_eq!(make("HS256", json!({})).await["status"], "UNSUPPORTED_ALGORITHM_ERROR");
    let made = make("RS256", json!({ "anonymousId": "x", "isAnonymous": true })).await;
    let token = json!({ "token": made["jwt"] });
    assert_eq!(decoded(&token, 1)["iss"], "http://localhost");
    assert_eq!(
        core.verify("", &json!({ "accessToken": token }), false).await["status"],
        "TRY_REFRESH_TOKEN"
    );
}

#[tokio::test]
async fn bad_input_is_refused_with_a_reason() {
    let core = sqlite().await;
    let session = core.create("", "alice").await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (path, body, reason) in [
        ("/recipe/session", "", "Invalid Json"),
        ("/recipe/session", "{", "Invalid Json"),
        ("/recipe/session", deep.as_str(), "Invalid Json"),
        ("/recipe/session", r#"{"enableAntiCsrf":false}"#, "userId"),
        ("/recipe/session", r#"{"userId":"","enableAntiCsrf":false}"#, "empty"),
        ("/recipe/session", r#"{"userId":"a\u0000b","enableAntiCsrf":false}"#, "U+0000"),
        (
            "/recipe/session",
            r#"{"userId":"a","enableAntiCsrf":false,"userDataInJWT":{"sub":"b"}}"#,
            "protected field",
        ),
        ("/recipe/session/remove", "{}", "use one of"),
        ("/recipe/session/remove", r#"{"userId":"a","sessionHandles":[]}"#, "use one of"),
    ] {
        let (status, body) =
            core.call(Request::post(path).body(Body::from(body.to_owned())).unwrap()).await;
        assert_eq!(status, 400, "{path}: {body}");
        assert!(body.as_str().unwrap().contains(reason), "{body}");
    }
    let (status, _) = core.call(Request::get("/recipe/session").body(Body::empty()).unwrap()).await;
    assert_eq!(status, 400);
    // A refresh token where an access token is due, and the reverse.
    let swapped =
        json!({ "accessToken": session["refreshToken"], "refreshToken": session["accessToken"] });
    assert_eq!(core.verify("", &swapped, true).await["status"], "TRY_REFRESH_TOKEN");
    assert_eq!(core.refresh("", &swapped).await["status"], "UNAUTHORISED");
    // Characters that would split headers stay data.
    let evil = core.create("", "a\r\nset-cookie: x=1").await;
    assert_eq!(core.verify("", &evil, true).await["session"]["userId"], "a\r\nset-cookie: x=1");
}

#[tokio::test]
async fn a_body_that_says_it_is_no_json_is_refused() {
    let core = sqlite().await;
    let session = core.create("", "alice").await;
    let revoke = json!({ "userId": "alice" }).to_string();
    let send = |path: &str, method: Method, content_type: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        core.call(request.body(Body::from(revoke.clone())).unwrap())
    };
    for wrong in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "",
        "\u{e4}",
    ] {
        let (status, body) = send("/recipe/session/remove", Method::POST, Some(wrong)).await;
        assert_eq!(status, 415, "{wrong}");
        assert!(body.as_str().unwrap().contains("application/json"), "{body}");
    }
    let (status, _) = send("/recipe/session/data", Method::PUT, Some("text/plain")).await;
    assert_eq!(status, 415);
    assert_eq!(core.verify("", &session, true).await["status"], "OK", "nothing was revoked");
    let (status, _) = send("/recipe/signup", Method::POST, Some("text/plain")).await;
    assert_eq!(status, 404);
    let (status, _) =
        send("/recipe/session/user?userId=alice", Method::GET, Some("text/plain")).await;
    assert_eq!(status, 200, "no body is read");
    for right in [
        Some("application/json"),
        Some("application/json; charset=utf-8"),
        Some("Application/JSON;charset=UTF-8"),
        None,
    ] {
        assert_eq!(send("/recipe/session/remove", Method::POST, right).await.0, 200, "{right:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_not_supported_is_told_what_there_is() {
    let core = sqlite().await;
    for (method, path) in [
        (Method::POST, "/recipe/signup"),
        (Method::GET, "/"),
        (Method::DELETE, "/recipe/session"),
        (Method::GET, "/appid-x/users"),
    ] {
        let (status, body) = core
            .call(Request::builder().method(method).uri(path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(status, 404, "{path}");
        assert!(body.as_str().unwrap().contains("/recipe/session/verify"), "{body}");
    }
    let versions = core.get("/apiversion").await;
    assert_eq!(versions["versions"].as_array().unwrap().last().unwrap(), "5.4");
    let (_, hello) = core.call(Request::get("/hello").body(Body::empty()).unwrap()).await;
    assert_eq!(hello, "Hello\n");
}

#[tokio::test]
async fn an_api_key_is_asked_for_where_there_is_one() {
    let (store, folder) = app::store().await;
    let mut settings = CoreSettings::default();
    settings.api_keys = vec!["one-key-for-tests".into(), "another-key".into()];
    let core = open(store, Some(folder), settings).await;
    for (key, status) in [
        (None, 401),
        (Some("wrong"), 401),
        (Some("one-key-for-tests"), 200),
        (Some("another-key"), 200),
    ] {
        let mut request = Request::get("/apiversion");
        if let Some(key) = key {
            request = request.header("api-key", key);
        }
        assert_eq!(core.call(request.body(Body::empty()).unwrap()).await.0, status, "{key:?}");
    }
    // No other way of writing the path leads past the key, nor a key that is nearly one.
    for path in [
        "/./recipe/session/user?userId=a",
        "//recipe/session/user?userId=a",
        "/hello/../recipe/session/user?userId=a",
        "/hello%2f..%2frecipe/session/user?userId=a",
        "/hello;/recipe/session/user?userId=a",
        "/.well-known/../recipe/session/user?userId=a",
        "/.well-known/jwks.json/../../recipe/session/user?userId=a",
        "/recipe/session/user?userId=a&api-key=another-key",
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(core.call(request).await.0, 401, "{path}");
    }
    for (name, value) in [
        ("api-key", "another"),
        ("api-key", "another-key2"),
        ("api-key", "ANOTHER-KEY"),
        ("api-key", "one-key-for-tests,another-key"),
        ("api-key", ""),
        ("authorization", "another-key"),
        ("authorization", "Bearer another-key"),
    ] {
        let request = Request::get("/apiversion").header(name, value).body(Body::empty()).unwrap();
        assert_eq!(core.call(request).await.0, 401, "{name}: {value}");
    }
    let head = Request::head("/.well-known/jwks.json").body(Body::empty()).unwrap();
    assert_eq!(core.call(head).await.0, 200, "as its `GET`");
    let keys = core
        .router
        .clone()
        .oneshot(Request::get("/.well-known/jwks.json").body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(
        (keys.status(), &keys.headers()[header::CACHE_CONTROL]),
        (StatusCode::OK, &"max-age=60, must-revalidate".parse().unwrap())
    );
}

#[tokio::test]
async fn settings_out_of_range_are_refused() {
    let (store, _folder) = app::store().await;
    let mut short = CoreSettings::default();
    short.key_rotation = Duration::from_secs(119);
    assert!(matches!(
        SessionCore::open(store.clone(), short).await,
        Err(CoreError::TooShort("key_rotation"))
    ));
    let mut keys = CoreSettings::default();
    keys.api_keys = vec![String::new()];
    assert!(matches!(SessionCore::open(store, keys).await, Err(CoreError::BadApiKey)));
}

#[tokio::test]
async fn a_database_that_goes_away_is_answered_503() {
    let (store, _folder) = app::store().await;
    let core = open(store.clone(), None, CoreSettings::default()).await;
    let session = core.create("", "alice").await;
    store.close().await;
    assert_eq!(core.verify("", &session, false).await["status"], "OK", "needs no database");
    let body = json!({ "refreshToken": session["refreshToken"]["token"], "enableAntiCsrf": false });
    let request =
        Request::post("/recipe/session/refresh").body(Body::from(body.to_string())).unwrap();
    assert_eq!(core.call(request).await.0, 503);
}

/// The requests that a web page can have a browser of the same network send to a core without a
/// key.
#[tokio::test]
async fn a_core_without_a_key_takes_no_orders_from_web_pages() {
    let core = sqlite().await;
    let session = core.create("", "victim").await;
    let body = json!({ "userId": "victim" }).to_string();
    let send =
        |method: Method, path: &str, headers: Vec<(&'static str, &'static str)>, body: String| {
            let mut request = Request::builder().method(method).uri(path);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let sent = core.router.clone().oneshot(request.body(Body::from(body)).unwrap());
            async move { sent.await.unwrap().status().as_u16() }
        };
    let remove = "/recipe/session/remove";
    for headers in [
        // Bytes without a type, and JSON that `no-cors` made nothing of: no preflight.
        vec![("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        vec![("origin", "null")],
        vec![("sec-fetch-site", "same-site")],
        vec![("sec-fetch-site", "none")],
        vec![("origin", "https://evil.example"), ("content-type", "application/json")],
        // A name of the attacker's that points here.
        vec![("host", "evil.example:3567")],
        vec![("host", "127.0.0.1.evil.example")],
        vec![("host", "passerby.evil.example.")],
    ] {
        assert_eq!(
            send(Method::POST, remove, headers.clone(), body.clone()).await,
            403,
            "{headers:?}"
        );
        assert_eq!(
            send(Method::GET, "/recipe/session/user?userId=victim", headers.clone(), String::new())
                .await,
            403,
            "{headers:?}"
        );
    }
    assert_eq!(
        core.get("/recipe/session/user?userId=victim").await["sessionHandles"],
        json!([session["session"]["handle"]])
    );
    // Reading makes no app, because a browser may say nothing of where it reads from.
    assert_eq!(
        core.get("/appid-a/recipe/session/user?userId=victim").await,
        json!({ "status": "OK", "sessionHandles": [] })
    );
    assert_eq!(core.get("/appid-a/recipe/jwt/jwks").await["keys"], json!([]));
    for host in [
        "localhost:3567",
        "127.0.0.1:3567",
        "[::1]:3567",
        "10.0.0.5",
        "passerby:3567",
        "core.svc.cluster.local",
        "db.internal",
    ] {
        assert_eq!(
            send(Method::POST, "/recipe/session/remove", vec![("host", host)], body.clone()).await,
            200,
            "{host}"
        );
    }

    let (mut named, mut locked) = (CoreSettings::default(), CoreSettings::default());
    named.hosts = vec!["core.example.com".into()];
    locked.api_keys = vec!["key".into()];
    for settings in [named, locked] {
        let (store, folder) = empty_store().await;
        let core = open(app::store_with_keys_of_a_core(store).await, Some(folder), settings).await;
        let request = Request::get("/apiversion")
            .header("host", "Core.example.com:80")
            .header("api-key", "key");
        assert_eq!(core.call(request.body(Body::empty()).unwrap()).await.0, 200);
    }
}

#[tokio::test]
async fn many_sessions_of_one_user_end_at_once() {
    let core = sqlite().await;
    for number in 0..30 {
        core.create(if number % 2 == 0 { "" } else { "/t1" }, "script").await;
    }
    let of_tenant = json!({ "userId": "script", "revokeAcrossAllTenants": false });
    let removed = core.post("/t1/recipe/session/remove", of_tenant).await;
    assert_eq!(removed["sessionHandlesRevoked"].as_array().unwrap().len(), 15, "of the tenant");
    let rest = core.post("/recipe/session/remove", json!({ "userId": "script" })).await;
    assert_eq!(rest["sessionHandlesRevoked"].as_array().unwrap().len(), 15);
    assert!(
        core.get("/recipe/session/user?userId=script").await["sessionHandles"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

/// One after the other, a request that takes too long, or fails in between, would leave some of
/// them alive.
#[tokio::test]
async fn sessions_of_one_user_end_together_or_not_at_all() {
    let (store, folder) = empty_store().await;
    let options = SqliteConnectOptions::new().filename(folder.path().join("core.db"));
    let core =
        open(app::store_with_keys_of_a_core(store).await, Some(folder), CoreSettings::default())
            .await;
    for number in 0..10 {
        core.create(if number % 2 == 0 { "" } else { "/t1" }, "script").await;
    }
    let handles = core.get("/recipe/session/user?userId=script").await["sessionHandles"].clone();
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    for handle in ["(SELECT min(handle) FROM sessions)", "(SELECT max(handle) FROM sessions)"] {
        let trigger = format!(
            "CREATE TRIGGER fails BEFORE DELETE ON sessions WHEN OLD.handle = {handle} BEGIN \
             SELECT RAISE(ABORT, 'not this one'); END"
        );
        sqlx::query(AssertSqlSafe(trigger)).execute(&mut database).await.unwrap();
        for body in [json!({ "userId": "script" }), json!({ "sessionHandles": handles })] {
            let (status, _) =
                core.try_send(Method::POST, "/recipe/session/remove", body.clone()).await;
            assert_eq!(status, 503, "{body}");
            assert_eq!(
                core.get("/recipe/session/user?userId=script").await["sessionHandles"],
                handles,
                "{body}"
            );
        }
        sqlx::query("DROP TRIGGER fails").execute(&mut database).await.unwrap();
    }
    let removed = core.post("/recipe/session/remove", json!({ "userId": "script" })).await;
    assert_eq!(removed["sessionHandlesRevoked"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn expired_sessions_are_pruned_by_a_task() {
    let skew = Arc::new(AtomicU64::new(0));
    let seconds = skew.clone();
    let settings = CoreSettings::default()
        .clock(move || SystemTime::now() + Duration::from_secs(seconds.load(Ordering::SeqCst)));
    let store = MemoryStore::new();
    let open = SessionCore::open(store.clone(), settings).await.unwrap();
    let core = Core { router: open.router(), skew, _folder: None };
    let handle = core.create("", "frank").await["session"]["handle"].as_str().unwrap().to_owned();
    let pruning = open.prune_every(Duration::from_millis(5));
    core.wait(99 * 24 * 3600);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(store.load(&handle).await.unwrap().is_some(), "it has not expired");
    core.wait(2 * 24 * 3600);
    tokio::time::timeout(Duration::from_secs(10), async {
        while store.load(&handle).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the task removes it");
    pruning.abort();
}
