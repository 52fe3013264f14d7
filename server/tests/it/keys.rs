//! Keys: JWKS, rotation, and who may use what.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use passerby_server::{
    JwtKey, KeyAlgorithm, Sessions, SqliteStore,
    store::{Decide, KeyKind, KeyRecord, SessionRecord, SessionStore, StoreError},
};
use serde_json::{Map, Value, json};

use crate::app::{App, Browser, ORIGIN, map};

const JWKS: &str = "/auth/jwt/jwks.json";

async fn jwks(browser: &mut Browser) -> JwkSet {
    serde_json::from_value(browser.get(JWKS).await.body).unwrap()
}

fn verify(jwks: &JwkSet, token: &str) -> Option<Map<String, Value>> {
    let header = decode_header(token).unwrap();
    let key = DecodingKey::from_jwk(jwks.find(&header.kid?)?).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[format!("{ORIGIN}/auth")]);
    validation.validate_exp = false;
    decode(token, &key, &validation).ok().map(|token| token.claims)
}

#[tokio::test]
async fn other_services_verify_both_kinds_from_the_key_set_alone() {
    let mut browser = App::new().await.browser();
    let id = browser.id().await;
    let anonymous = browser.cookie("sAnonymousToken").unwrap().to_owned();
    browser.login("alice").await;
    let access = browser.cookie("sAccessToken").unwrap().to_owned();
    let set = jwks(&mut browser).await;
    assert_eq!(verify(&set, &anonymous).unwrap()["anonymousId"], id);
    assert_eq!(verify(&set, &access).unwrap()["sub"], "alice");
}

#[tokio::test]
async fn the_key_set_may_be_cached_and_read_by_all() {
    let answer = App::new().await.browser().get(JWKS).await;
    assert_eq!(answer.text("cache-control"), Some("max-age=60, must-revalidate"));
    assert_eq!(answer.text("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.text("content-type"), Some("application/json"));
    assert!(answer.is_silent());
    for key in answer.body["keys"].as_array().unwrap() {
        let (kty, alg, members) = match key["kid"].as_str().unwrap().starts_with("d-") {
            true => ("RSA", "RS256", 6),
            false => ("EC", "ES256", 7),
        };
        assert_eq!(
            (&key["kty"], &key["alg"], &key["use"]),
            (&kty.into(), &alg.into(), &"sig".into())
        );
        assert_eq!(key.as_object().unwrap().len(), members, "public parts only");
    }
}

#[tokio::test]
async fn dynamic_keys_rotate_and_old_ids_stay_readable() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    let old_token = browser.cookie("sAccessToken").unwrap().to_owned();
    let key_of = |browser: &Browser| {
        decode_header(browser.cookie("sAccessToken").unwrap()).unwrap().kid.unwrap()
    };
    let old_key = key_of(&browser);

    app.wait(Duration::from_secs(169 * 3600));
    assert_eq!(browser.refresh().await.status, 200);
    assert_eq!(key_of(&browser), old_key, "the new key is published a minute before it signs");
    assert_eq!(jwks(&mut browser).await.keys.len(), 3);
    app.wait(Duration::from_secs(61));
    assert_eq!(browser.refresh().await.status, 200);
    assert_ne!(key_of(&browser), old_key);
    assert!(verify(&jwks(&mut browser).await, browser.cookie("sAccessToken").unwrap()).is_some());

    app.wait(Duration::from_secs(2 * 3600));
    assert!(
        verify(&jwks(&mut browser).await, &old_token).is_none(),
        "a retired key is not published"
    );
    let mut late = app.browser();
    late.set_cookie("sAccessToken", &old_token);
    assert_eq!(late.get("/api/user").await.message(), "try refresh token");
    assert_eq!(late.refresh().await.announced_id(), id);
}

#[tokio::test]
async fn two_servers_on_one_database_share_keys() {
    let first = App::new().await;
    let second = App::on(first.store.clone()).await;
    let mut browser = first.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    assert_eq!(browser.moved_to(&second).id().await, id);

    // One rotates; the other meets the new key in a token and looks it up.
    first.wait(Duration::from_secs(169 * 3600));
    browser.refresh().await;
    first.wait(Duration::from_secs(61));
    browser.refresh().await;
    assert_eq!(browser.moved_to(&second).id().await, id);
}

#[tokio::test]
async fn two_servers_that_start_at_once_agree_on_keys() {
    let folder = tempfile::TempDir::new().unwrap();
    let store = SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
    let start = || Sessions::builder().api_domain(ORIGIN).store(store.clone()).build();
    let (first, second) = tokio::join!(start(), start());
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(store.keys().await.unwrap().len(), 3, "one of each kind");
}

#[tokio::test]
async fn rule_5_a_new_static_key_keeps_every_id() {
    let app = App::new().await;
    let mut visitor = app.browser();
    let id = visitor.id().await;
    visitor.post_json("/api/cart", serde_json::json!({"cart": [1]})).await;
    let old_token = visitor.cookie("sAnonymousToken").unwrap().to_owned();
    let key_of = |token: &str| decode_header(token).unwrap().kid.unwrap();

    app.sessions.rotate_static_key().await.unwrap();
    assert!(
        visitor.get("/api/me").await.is_silent(),
        "the new key is published a minute before it signs"
    );
    app.wait(Duration::from_secs(61));
    let page = visitor.open("/any-page").await;
    assert_eq!(page.body["id"], id);
    assert!(page.is_silent(), "pages renew nothing");
    let renewed = visitor.get("/api/me").await;
    assert_eq!(renewed.announced_id(), id);
    assert_eq!(renewed.body["payload"], serde_json::json!({"cart": [1]}));
    let new_token = visitor.cookie("sAnonymousToken").unwrap().to_owned();
    assert_ne!(key_of(&new_token), key_of(&old_token));
    assert!(visitor.get("/api/me").await.is_silent());
    let set = jwks(&mut visitor).await;
    for token in [&old_token, &new_token] {
        assert_eq!(verify(&set, token).unwrap()["anonymousId"], id);
    }

    // The refresh call announces with the new key too.
    let mut late = app.browser();
    late.set_cookie("sAnonymousToken", &old_token);
    assert_eq!(late.refresh().await.announced_id(), id);
    assert_eq!(key_of(late.cookie("sAnonymousToken").unwrap()), key_of(&new_token));
}

#[tokio::test]
async fn rule_5_other_processes_follow_to_the_new_static_key() {
    let first = App::new().await;
    let second = first.restarted(|builder| builder).await;
    let mut visitor = first.browser();
    let id = visitor.id().await;
    first.sessions.rotate_static_key().await.unwrap();
    first.sessions.rotate_static_key().await.unwrap();
    first.wait(Duration::from_secs(61));
    visitor.get("/api/me").await;
    let token = visitor.cookie("sAnonymousToken").unwrap().to_owned();
    let answer = visitor.moved_to(&second).get("/api/me").await;
    assert_eq!(answer.body["id"], id);
    assert!(answer.is_silent(), "no going back and forth between keys");
    let fresh = second.browser().get("/api/me").await;
    let minted =
        fresh.set_cookie("sAnonymousToken").unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
    assert_eq!(decode_header(minted).unwrap().kid, decode_header(token).unwrap().kid);
}

#[tokio::test]
async fn an_app_signs_tokens_of_its_own_that_are_no_sessions() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let set = jwks(&mut browser).await;
    let payload = map(json!({"sub": "alice", "anonymousId": id, "sessionHandle": "x", "exp": 1}));
    for (key, prefix) in [(JwtKey::Static, "s-"), (JwtKey::Dynamic, "d-")] {
        let token =
            app.sessions.create_jwt(payload.clone(), Duration::from_secs(60), key).await.unwrap();
        let header = decode_header(&token).unwrap();
        assert!(header.kid.unwrap().starts_with(prefix));
        let claims = verify(&set, &token).unwrap();
        assert_eq!(
            (&claims["sub"], &claims["iss"]),
            (&json!("alice"), &json!(format!("{ORIGIN}/auth")))
        );
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
        let mut thief = app.browser().header("authorization", &format!("Bearer {token}"));
        assert_eq!(thief.get("/api/user").await.status, 401);
        assert_ne!(thief.id().await, id);
        for cookie in ["sAccessToken", "sAnonymousToken"] {
            let mut thief = app.browser();
            thief.set_cookie(cookie, &token);
            assert_eq!(thief.get("/api/user").await.status, 401, "{cookie}");
        }
    }
    let anonymous = map(json!({"isAnonymous": true, "anonymousId": id}));
    assert!(
        app.sessions.create_jwt(anonymous, Duration::from_secs(60), JwtKey::Static).await.is_err()
    );
    let own = map(json!({"iss": "https://elsewhere.example"}));
    let token = app.sessions.create_jwt(own, Duration::MAX, JwtKey::Static).await.unwrap();
    assert!(decode_header(&token).is_ok(), "a validity without end is one");
}

#[tokio::test]
async fn the_discovery_document_leads_to_the_keys() {
    let answer = App::new().await.browser().get("/auth/.well-known/openid-configuration").await;
    assert_eq!(
        answer.body,
        json!({"issuer": format!("{ORIGIN}/auth"), "jwks_uri": format!("{ORIGIN}{JWKS}")}),
    );
    assert_eq!(answer.text("access-control-allow-origin"), Some("*"));
    assert!(answer.is_silent());
}

#[tokio::test]
async fn a_database_of_the_time_of_rs256_moves_to_es256_and_back() {
    let before = started_with(KeyAlgorithm::Rs256).await;
    let mut visitor = before.browser();
    let id = visitor.id().await;
    let algorithm =
        |browser: &Browser| decode_header(browser.cookie("sAnonymousToken").unwrap()).unwrap().alg;
    let size = visitor.cookie("sAnonymousToken").unwrap().len();

    let app = before.restarted(|builder| builder).await;
    let mut visitor = visitor.moved_to(&app);
    assert_eq!(visitor.id().await, id);
    assert_eq!(algorithm(&visitor), jsonwebtoken::Algorithm::RS256, "published first");
    app.wait(Duration::from_secs(61));
    assert_eq!(visitor.id().await, id);
    // The keys are read again in the background.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(visitor.id().await, id);
    assert_eq!(algorithm(&visitor), jsonwebtoken::Algorithm::ES256);
    assert!(visitor.cookie("sAnonymousToken").unwrap().len() + 200 < size);

    let set = jwks(&mut visitor).await;
    assert_eq!(
        verify(&set, visitor.cookie("sAnonymousToken").unwrap()).unwrap()["anonymousId"],
        id
    );
    visitor.login("alice").await;
    assert_eq!(
        decode_header(visitor.cookie("sAccessToken").unwrap()).unwrap().alg,
        jsonwebtoken::Algorithm::RS256
    );
    assert_eq!(visitor.id().await, id);
    let keys = app.store.keys().await.unwrap().len();
    let app = app.restarted(|builder| builder).await;
    assert_eq!(app.store.keys().await.unwrap().len(), keys, "made once");
    let back = app.restarted(|builder| builder.anonymous_algorithm(KeyAlgorithm::Rs256)).await;
    assert_eq!(visitor.moved_to(&back).get("/api/me").await.status, 200, "both verify");
}

#[tokio::test]
async fn a_new_database_begins_with_es256_or_as_it_is_told() {
    for (told, expected) in [
        (None, jsonwebtoken::Algorithm::ES256),
        (Some(KeyAlgorithm::Es256), jsonwebtoken::Algorithm::ES256),
        (Some(KeyAlgorithm::Rs256), jsonwebtoken::Algorithm::RS256),
    ] {
        let folder = tempfile::TempDir::new().unwrap();
        let store = SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
        let builder = Sessions::builder().api_domain(ORIGIN).store(store.clone());
        let builder = match told {
            Some(algorithm) => builder.anonymous_algorithm(algorithm),
            None => builder,
        };
        let sessions = builder.build().await.unwrap();
        let token =
            sessions.create_jwt(Map::new(), Duration::from_secs(60), JwtKey::Static).await.unwrap();
        assert_eq!(decode_header(&token).unwrap().alg, expected);
        assert_eq!(store.keys().await.unwrap().len(), 3);
    }
}

/// A server on a new database, whose first static key is of this kind.
async fn started_with(algorithm: KeyAlgorithm) -> App {
    App::in_new_database(|builder| builder.anonymous_algorithm(algorithm)).await
}

/// A process whose clock was a year ahead made a key. It must neither sign for that year, nor keep
/// others from being made.
async fn a_key_from_the_future_stops_nothing<S: SessionStore + Clone>(store: S) {
    let app = App::on(store).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    let made = app.store.keys().await.unwrap();
    let dynamic = made.iter().find(|key| key.kind == KeyKind::Dynamic).unwrap();
    let year = 365 * 24 * 3600 * 1000;
    let ahead = KeyRecord::new(
        "d-ahead",
        KeyKind::Dynamic,
        dynamic.created_at + year,
        dynamic.secret.clone(),
    );
    app.store.add_key_unless_newer(&ahead, u64::MAX).await.unwrap();
    app.wait(Duration::from_secs(169 * 3600));
    assert_eq!(browser.refresh().await.status, 200);
    let key = decode_header(browser.cookie("sAccessToken").unwrap()).unwrap().kid.unwrap();
    assert_eq!(app.store.keys().await.unwrap().len(), made.len() + 2, "rotated all the same");
    assert_ne!(key, "d-ahead");
    app.wait(Duration::from_secs(120));
    assert_eq!(browser.refresh().await.status, 200);
    assert_ne!(
        decode_header(browser.cookie("sAccessToken").unwrap()).unwrap().kid.unwrap(),
        key,
        "the new one signs"
    );
    app.sessions.rotate_static_key().await.unwrap();
    assert_eq!(browser.id().await, id);
}

#[tokio::test]
async fn a_key_from_the_future_stops_nothing_on_sqlite() {
    let (store, _folder) = crate::app::store().await;
    a_key_from_the_future_stops_nothing(store).await;
}

#[tokio::test]
async fn a_key_from_the_future_stops_nothing_on_postgres() {
    a_key_from_the_future_stops_nothing(
        crate::app::store_with_keys(crate::cluster::store().await).await,
    )
    .await;
}

/// A store whose keys take long to read, as one does that is away.
#[derive(Clone, Debug)]
struct Slow {
    store: SqliteStore,
    is_slow: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl SessionStore for Slow {
    async fn remember_forgotten(&self, id_hash: &str, until: u64) -> Result<(), StoreError> {
        self.store.remember_forgotten(id_hash, until).await
    }

    async fn is_forgotten(&self, id_hash: &str) -> Result<bool, StoreError> {
        self.store.is_forgotten(id_hash).await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        if self.is_slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_secs(2)).await;
            return Err(StoreError::Unreachable("away".into()));
        }
        self.store.keys().await
    }
    async fn create(&self, session: &SessionRecord) -> Result<(), StoreError> {
        self.store.create(session).await
    }
    async fn load(&self, handle: &str) -> Result<Option<SessionRecord>, StoreError> {
        self.store.load(handle).await
    }
    async fn update(
        &self,
        handle: &str,
        decide: Decide<'_>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        self.store.update(handle, decide).await
    }
    async fn remove(&self, handle: &str) -> Result<bool, StoreError> {
        self.store.remove(handle).await
    }
    async fn remove_all(&self, handles: &[String]) -> Result<Vec<String>, StoreError> {
        self.store.remove_all(handles).await
    }
    async fn remove_all_of_user(&self, user_id: &str) -> Result<Vec<String>, StoreError> {
        self.store.remove_all_of_user(user_id).await
    }
    async fn handles_of_user(&self, user_id: &str, now: u64) -> Result<Vec<String>, StoreError> {
        self.store.handles_of_user(user_id, now).await
    }
    async fn remove_expired(&self, now: u64, limit: u32) -> Result<u64, StoreError> {
        self.store.remove_expired(now, limit).await
    }
    async fn check_writable(&self, now: u64) -> Result<(), StoreError> {
        self.store.check_writable(now).await
    }
    async fn add_key_unless_newer(
        &self,
        key: &KeyRecord,
        fresh_since: u64,
    ) -> Result<(), StoreError> {
        self.store.add_key_unless_newer(key, fresh_since).await
    }
}

/// Each request names another key, and each could have the database asked. Nobody waits for more
/// than one such question, and who needs none does not wait at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn unknown_keys_do_not_queue_up_behind_a_database_that_is_away() {
    let (store, _folder) = crate::app::store().await;
    let is_slow = Arc::new(AtomicBool::new(false));
    let app = App::on(Slow { store, is_slow: is_slow.clone() }).await;
    let alice = app.browser_of("alice").await;
    is_slow.store(true, Ordering::SeqCst);
    let mut calls = Vec::new();
    for number in 0..30 {
        let mut browser = app.browser();
        browser.set_cookie("sAnonymousToken", &of_nobody(number));
        calls.push(tokio::spawn(async move {
            let start = std::time::Instant::now();
            browser.get("/api/maybe").await;
            start.elapsed()
        }));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    app.wait(Duration::from_secs(40));
    for path in [JWKS, "/api/user"] {
        let start = std::time::Instant::now();
        assert_eq!(alice.clone().get(path).await.status, 200, "{path}");
        assert!(start.elapsed() < Duration::from_millis(1500), "{path}: {:?}", start.elapsed());
    }
    for call in calls {
        let took = call.await.unwrap();
        assert!(took < Duration::from_millis(4500), "{took:?}");
    }
}

/// A text that looks like an anonymous token of a key that nobody has.
fn of_nobody(number: usize) -> String {
    let head = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"ES256","kid":"s-x{number}"}}"#));
    format!("{head}.e30.AA")
}

/// The keys of this kind are replaced after a theft. One process has started anew since. The other
/// one knows nothing of that, and has just looked for a key that nobody has.
async fn with_replaced_keys(kind: KeyKind) -> (App, App) {
    let app = App::new().await;
    let late = app.twin(app.store.clone()).await;
    let folder = tempfile::TempDir::new().unwrap();
    let other = SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
    let made = crate::app::store_with_keys_of_a_core(other).await.keys().await.unwrap();
    let new = made.iter().find(|key| key.kind == kind).unwrap();
    let database =
        sqlx::SqlitePool::connect(&format!("sqlite:{}", app.database().display())).await.unwrap();
    let mut stranger = late.browser();
    stranger.set_cookie("sAnonymousToken", &of_nobody(0));
    stranger.get("/api/maybe").await;
    let deleted = sqlx::query("DELETE FROM keys WHERE kind = ?")
        .bind(if kind == KeyKind::Static { "static" } else { "dynamic" })
        .execute(&database);
    assert!(deleted.await.unwrap().rows_affected() > 0);
    app.store.add_key_unless_newer(new, u64::MAX).await.unwrap();
    let first = app.restarted(|builder| builder.anonymous_algorithm(KeyAlgorithm::Rs256));
    (first.await, late)
}

#[tokio::test]
async fn a_process_that_was_asked_for_unknown_keys_makes_nobody_another_id() {
    let (first, late) = with_replaced_keys(KeyKind::Static).await;
    let mut visitor = first.browser();
    let id = visitor.id().await;
    let visitor = visitor.moved_to(&late);
    let (mut one, mut two, mut three) = (visitor.clone(), visitor.clone(), visitor);
    let (page, refreshed, user) =
        tokio::join!(one.get("/api/me"), two.refresh(), three.login("alice"));
    assert_eq!(page.body["id"], id);
    assert_eq!(refreshed.announced_id(), id);
    assert_eq!(user.front_token().up["anonymousId"], id);
}

#[tokio::test]
async fn a_user_whose_key_is_looked_up_keeps_their_id() {
    let (first, late) = with_replaced_keys(KeyKind::Dynamic).await;
    let user = first.browser_of("alice").await;
    let id = user.clone().id().await;
    let again = user.moved_to(&late).login("bob").await;
    assert_eq!(again.front_token().up["anonymousId"], id);
}

/// Nobody knows whether the key is there, so nobody may make another id instead.
#[tokio::test]
async fn nobody_gets_another_id_while_the_database_is_away() {
    let elsewhere = App::in_new_database(|builder| builder).await;
    let mut visitor = elsewhere.browser();
    visitor.id().await;
    let (store, _folder) = crate::app::store().await;
    let is_slow = Arc::new(AtomicBool::new(false));
    let late = App::on(Slow { store, is_slow: is_slow.clone() }).await;
    is_slow.store(true, Ordering::SeqCst);
    let visitor = visitor.moved_to(&late);
    let calls = (0..10).map(|number| {
        let mut visitor = visitor.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(200 * number)).await;
            let answers = [
                visitor.clone().get("/api/me").await,
                visitor.clone().post("/api/login?user=bob").await,
            ];
            (answers, visitor.refresh().await)
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let (answers, refreshed) = call.await.unwrap();
        for answer in answers.iter().chain([&refreshed]) {
            assert_eq!(answer.status, 503);
            assert!(answer.is_silent());
        }
    }
}

/// A process that only verifies users' tokens notices that a key was deleted.
#[tokio::test]
async fn a_deleted_key_ends_where_tokens_are_only_verified() {
    let app = App::new().await;
    let alice = app.browser_of("alice").await;
    assert_eq!(alice.clone().get("/api/user").await.status, 200);
    let database =
        sqlx::SqlitePool::connect(&format!("sqlite:{}", app.database().display())).await.unwrap();
    sqlx::query("DELETE FROM keys WHERE kind = 'dynamic'").execute(&database).await.unwrap();
    app.wait(Duration::from_secs(31));
    let _ = alice.clone().get("/api/user").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(alice.clone().get("/api/user").await.message(), "try refresh token");
}
