//! Fixation and forgery with anonymous tokens. Forged signatures are in `forgery.rs`.

use std::time::Duration;

use jsonwebtoken::{decode_header, encode};
use passerby_server::store::{KeyKind, SessionStore};
use serde_json::{Map, Value, json};

use crate::app::{App, Browser, SIGN_OUT, stolen};

/// A token of this payload that our own static key signed: the strongest forgery there is.
async fn signed(app: &App, like: &str, payload: &Map<String, Value>) -> String {
    let keys = app.store.keys().await.unwrap();
    let key = keys.iter().rfind(|key| key.kind == KeyKind::Static).unwrap();
    encode(&decode_header(like).unwrap(), payload, &stolen(key)).unwrap()
}

async fn visitor(app: &App) -> (Browser, String, Map<String, Value>) {
    let mut browser = app.browser();
    let front = browser.refresh().await.anonymous_front_token();
    let token = browser.cookie("sAnonymousToken").unwrap().to_owned();
    (browser, token, front.up)
}

async fn is_no_user(app: &App, token: &str, name: &str) {
    for cookie in ["sAnonymousToken", "sAccessToken"] {
        let mut browser = app.browser();
        browser.set_cookie(cookie, token);
        for path in ["/api/user", "/api/fresh"] {
            let answer = browser.get(path).await;
            assert_eq!(answer.status, 401, "{name} as {cookie}");
        }
        let principal = browser.get("/api/maybe").await;
        assert_ne!(principal.body["kind"], "user", "{name} as {cookie}");
        assert_eq!(browser.refresh().await.status, 401);
        assert_eq!(browser.post(SIGN_OUT).await.status, 401);
    }
    let bearer =
        app.browser().header("authorization", &format!("Bearer {token}")).get("/api/user").await;
    assert_eq!(bearer.status, 401, "{name} as bearer");
}

#[tokio::test]
async fn rule_7_an_anonymous_token_never_becomes_a_user_session_whatever_it_contains() {
    let app = App::new().await;
    let (mut browser, token, payload) = visitor(&app).await;
    let handle = browser.login("alice").await.body["handle"].clone();
    let year_10000 = json!(253_402_300_800_u64);
    for (name, claims, is_kept) in [
        ("sub", json!({"sub": "alice"}), false),
        ("sub and rsub", json!({"sub": "alice", "rsub": "alice", "tId": "public"}), false),
        ("sessionHandle", json!({ "sessionHandle": handle }), false),
        (
            "everything",
            json!({
                "sub": "alice",
                "rsub": "alice",
                "sessionHandle": handle,
                "refreshTokenHash1": "x",
            }),
            false,
        ),
        ("not anonymous", json!({"isAnonymous": false}), false),
        ("anonymous as text", json!({"isAnonymous": "true"}), false),
        ("no id", json!({"anonymousId": "alice"}), false),
        ("year 10000", json!({ "exp": year_10000 }), true),
        ("the end of time", json!({ "exp": u64::MAX, "iat": u64::MAX }), true),
        ("negative exp", json!({ "exp": -1 }), false),
        ("exp as text", json!({ "exp": "253402300800" }), false),
        ("exp as a fraction", json!({ "exp": 253_402_300_800.5 }), false),
        ("no exp", json!({ "exp": null }), false),
        ("no iat", json!({ "iat": null }), false),
        ("anonymous as number", json!({ "isAnonymous": 1 }), false),
        (
            "id in capitals",
            json!({ "anonymousId": payload["anonymousId"].as_str().unwrap().to_uppercase() }),
            false,
        ),
        (
            "our sub",
            json!({"sub": format!("G-{}", payload["anonymousId"].as_str().unwrap())}),
            true,
        ),
        ("custom claims", json!({"role": "admin", "userId": "alice"}), true),
    ] {
        let mut payload = payload.clone();
        payload.extend(claims.as_object().unwrap().clone());
        let token = signed(&app, &token, &payload).await;
        is_no_user(&app, &token, name).await;
        for mut browser in app.browsers_with(&token) {
            let answer = browser.get("/api/me").await;
            assert_eq!(answer.status, 200, "{name}");
            assert_eq!(answer.body["kind"], "anonymous", "{name}");
            assert_eq!(answer.body["id"] == payload["anonymousId"], is_kept, "{name}");
            assert_eq!(browser.clone().login("bob").await.front_token().uid, "bob", "{name}");
        }
    }
}

#[tokio::test]
async fn a_foreign_issuer_is_nobody() {
    let app = App::new().await;
    let (_, token, mut payload) = visitor(&app).await;
    for issuer in [
        json!("https://evil.example/auth"),
        json!(null),
        json!(["http://localhost:3000/auth", "x"]),
    ] {
        payload.insert("iss".into(), issuer.clone());
        let token = signed(&app, &token, &payload).await;
        is_no_user(&app, &token, "foreign issuer").await;
        for mut browser in app.browsers_with(&token) {
            assert_ne!(browser.get("/api/me").await.body["id"], payload["anonymousId"], "{issuer}");
        }
    }
}

#[tokio::test]
async fn anonymous_tokens_can_have_a_subject() {
    let app = App::with(|builder| builder.anonymous_subject(true)).await;
    let mut browser = app.browser();
    let first = browser.get("/api/me").await;
    let (id, up) = (first.announced_id(), first.anonymous_front_token().up);
    assert_eq!(up["sub"], format!("G-{id}"));
    assert_eq!(first.body["payload"], json!({}), "it is no claim of the app's");
    assert!(browser.get("/api/me").await.is_silent());
    is_no_user(&app, browser.cookie("sAnonymousToken").unwrap(), "with a subject").await;
    assert_eq!(browser.login("alice").await.front_token().up["anonymousId"], id);
    assert_eq!(browser.post(SIGN_OUT).await.anonymous_front_token().up["sub"], format!("G-{id}"));

    let without = app.restarted(|builder| builder).await;
    let answer = browser.moved_to(&without).get("/api/me").await;
    assert_eq!(answer.announced_id(), id, "an app that turns it off keeps its visitors");
    assert!(!answer.anonymous_front_token().up.contains_key("sub"));
}

fn with_cookies(app: &App, tokens: &[&str]) -> Browser {
    let line: Vec<String> = tokens.iter().map(|token| format!("sAnonymousToken={token}")).collect();
    app.browser().header("cookie", &line.join("; "))
}

#[tokio::test]
async fn of_two_anonymous_cookies_one_is_chosen_in_any_order_and_announced_where_both_are_valid() {
    let app = App::with(|builder| builder.anonymous_validity(Duration::from_secs(1000))).await;
    let (_, expired, _) = visitor(&app).await;
    app.wait(Duration::from_secs(900));
    let (_, old, _) = visitor(&app).await;
    app.wait(Duration::from_secs(101));
    let (_, new, new_payload) = visitor(&app).await;
    let new_id = &new_payload["anonymousId"];
    for (tokens, expected) in [
        (vec![expired.as_str(), "planted", new.as_str(), new.as_str()], Some(new_id)),
        (vec!["planted", "a.b.c"], None),
        (vec![old.as_str(), new.as_str()], None),
    ] {
        let reversed: Vec<&str> = tokens.iter().rev().copied().collect();
        for tokens in [&tokens, &reversed] {
            let answer = with_cookies(&app, tokens).get("/api/me").await;
            assert_eq!(answer.status, 200);
            match expected {
                Some(id) => assert_eq!(
                    (&answer.body["id"], answer.is_silent()),
                    (id, true),
                    "the newest that is valid"
                ),
                None => assert_eq!(answer.body["id"], answer.announced_id()),
            }
            if tokens.contains(&old.as_str()) {
                assert_eq!(
                    (&answer.body["id"], answer.set_cookies().len()),
                    (new_id, 0),
                    "the cookies stay as they are"
                );
                assert!(with_cookies(&app, tokens).open("/any-page").await.is_silent());
                let bearer = format!("Bearer {old}");
                let by_header = with_cookies(&app, tokens)
                    .header("authorization", &bearer)
                    .get("/api/me")
                    .await;
                assert!(by_header.is_silent(), "the script itself chose");
            }
            assert_eq!(
                with_cookies(&app, tokens).refresh().await.status,
                401,
                "never a server error"
            );
            assert_eq!(with_cookies(&app, tokens).login("alice").await.status, 200);
        }
    }
}

#[tokio::test]
async fn the_newest_of_one_visitors_cookies_has_the_latest_payload() {
    let app = App::new().await;
    // Several visitors, because the text of a token depends on the id, and must not be what
    // decides.
    for _ in 0..8 {
        let (mut browser, old, _) = visitor(&app).await;
        app.wait(Duration::from_secs(2));
        browser.post_json("/api/cart", json!({"cart": [1]})).await;
        let new = browser.cookie("sAnonymousToken").unwrap();
        for tokens in [[old.as_str(), new], [new, old.as_str()]] {
            assert_eq!(
                with_cookies(&app, &tokens).get("/api/me").await.body["payload"],
                json!({"cart": [1]})
            );
        }
    }
}

#[tokio::test]
async fn no_sub_domain_can_overrule_a_host_bound_cookie() {
    let app = App::with(|builder| builder.api_domain("https://localhost:3000")).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let own = browser.cookie("__Host-sAnonymousToken").unwrap().to_owned();
    app.wait(Duration::from_secs(60));
    let mut attacker = app.browser();
    attacker.get("/api/me").await;
    let planted = attacker.cookie("__Host-sAnonymousToken").unwrap();
    let line = format!("sAnonymousToken={planted}; __Host-sAnonymousToken={own}");
    let answer = app.browser().header("cookie", &line).get("/api/me").await;
    assert_eq!(answer.body["id"], id, "though the planted one is newer");
    assert_eq!((answer.announced_id(), answer.set_cookies().len()), (id.clone(), 0));
    // As `st-anonymous-token`, which the SDK sends in the header.
    let bearer = format!("Bearer {planted}");
    let answer = app
        .browser()
        .header("cookie", &format!("__Host-sAnonymousToken={own}"))
        .header("authorization", &bearer)
        .get("/api/me")
        .await;
    assert_eq!((&answer.body["id"], answer.announced_id()), (&id.clone().into(), id));
}

/// The attacker's anonymous session in the victim's browser, and then the victim signs in.
#[tokio::test]
async fn rule_6_a_planted_session_brings_only_what_the_apps_hook_carries() {
    let app = App::new().await;
    let (mut attacker, _, _) = visitor(&app).await;
    attacker.post_json("/api/cart", json!({"role": "admin", "cart": ["poison"]})).await;
    let mut victim = attacker.clone();
    let login = victim.login("victim").await;
    assert!(["role", "cart"].iter().all(|claim| !login.front_token().up.contains_key(*claim)));
    assert_eq!(
        attacker.get("/api/user").await.status,
        401,
        "the planted token is worth no more than before"
    );
    assert_eq!(attacker.refresh().await.status, 401);
}
