//! The rules of docs/anonymous-sessions.md.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::app::{App, Browser, FORGET, ORIGIN, REFRESH, SIGN_OUT, map};

#[tokio::test]
async fn rule_1_the_first_api_request_mints_and_the_handler_sees_it() {
    let mut browser = App::new().await.browser();
    let first = browser.get("/api/me").await;
    assert_eq!(first.body["kind"], "anonymous");
    assert_eq!(first.body["id"], first.announced_id());
    assert_eq!(first.body["payload"], json!({}));
    let cookie = first.set_cookie("sAnonymousToken").unwrap();
    assert!(
        cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Lax")
            && cookie.contains("Path=/;"),
        "{cookie}"
    );
    assert!(!cookie.contains("Secure"));
    let token = first.anonymous_front_token();
    assert_eq!(token.up["iss"], format!("{ORIGIN}/auth"));
    assert_eq!(token.up["exp"].as_u64().unwrap() - token.up["iat"].as_u64().unwrap(), 315_360_000);
    assert_eq!(token.ate, token.up["exp"].as_u64().unwrap() * 1000);
    assert!(!token.up.contains_key("sub"));

    let second = browser.get("/api/me").await;
    assert_eq!(second.body["id"], first.body["id"]);
    assert!(second.is_silent(), "a valid anonymous cookie needs no announcement");
}

#[tokio::test]
async fn a_route_without_extractor_mints_too() {
    let answer = App::new().await.browser().get("/api/plain").await;
    assert_eq!(answer.body, "plain");
    answer.announced_id();
}

#[tokio::test]
async fn rule_2_no_row_is_stored() {
    let app = App::new().await;
    // All keys that a first session needs.
    app.browser().get("/api/me").await;
    let before = rows(&app).await;
    assert!(before.contains_key("sessions") && before["keys"] > 0, "{before:?}");

    let mut browser = app.browser();
    let id = browser.id().await;
    browser.post_json("/api/cart", json!({"cart": [1]})).await;
    app.wait(Duration::from_secs(101 * 24 * 3600));
    assert_eq!(browser.get("/api/me").await.announced_id(), id, "renewed");
    assert_eq!(browser.refresh().await.announced_id(), id);
    assert_ne!(browser.post(FORGET).await.announced_id(), id);
    assert_eq!(rows(&app).await, before);

    browser.login("alice").await;
    assert_eq!(rows(&app).await["sessions"], before["sessions"] + 1, "the test itself works");
}

/// How many rows each table of the database has.
async fn rows(app: &App) -> BTreeMap<String, i64> {
    let pool =
        sqlx::SqlitePool::connect(&format!("sqlite://{}", app.database().display())).await.unwrap();
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'")
            .fetch_all(&pool)
            .await
            .unwrap();
    let mut rows = BTreeMap::new();
    for table in tables {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM \"{table}\""));
        rows.insert(table, sqlx::query_scalar(count).fetch_one(&pool).await.unwrap());
    }
    rows
}

#[tokio::test]
async fn rule_13_pages_and_images_mint_nothing() {
    let app = App::new().await;
    let page = app.browser().open("/any-page").await;
    assert_eq!(page.body["kind"], "none");
    assert!(page.is_silent());
    let image = app
        .browser()
        .header("sec-fetch-mode", "no-cors")
        .header("sec-fetch-dest", "image")
        .get("/api/plain")
        .await;
    assert!(image.is_silent());
    let old_browser =
        app.browser().header("accept", "text/html,application/xhtml+xml").get("/any-page").await;
    assert!(old_browser.is_silent());
}

/// `EventSource`, `sendBeacon`, `WebSocket`; images, style sheets and films over plain HTTP.
const UNHEARD: [&[(&str, &str)]; 7] = [
    &[("accept", "text/event-stream"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
    &[("accept", "text/event-stream")],
    &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "empty")],
    &[("sec-fetch-mode", "websocket"), ("sec-fetch-dest", "empty")],
    &[("accept", "image/webp,*/*;q=0.8")],
    &[("accept", "text/css,*/*;q=0.1")],
    &[("accept", "video/*")],
];

#[tokio::test]
async fn rule_13_what_no_script_hears_the_answer_of_mints_renews_and_removes_nothing() {
    let app = App::with(|builder| builder.mint_for_navigations(true)).await;
    for facts in UNHEARD {
        let with = |browser: &Browser| {
            facts.iter().fold(browser.clone(), |browser, (name, value)| browser.header(name, value))
        };
        let stranger = with(&app.browser()).get("/api/maybe").await;
        assert_eq!(
            (&stranger.body["kind"], stranger.is_silent()),
            (&json!("none"), true),
            "{facts:?}"
        );
        assert_eq!(
            with(&app.browser()).get("/both/x").await.status,
            401,
            "no page that could be sent elsewhere: {facts:?}"
        );

        let mut visitor = app.browser();
        let id = visitor.id().await;
        app.wait(Duration::from_secs(101 * 24 * 3600));
        let seen = with(&visitor).get("/api/maybe").await;
        assert_eq!((&seen.body["id"], seen.is_silent()), (&json!(id), true), "{facts:?}");
        app.sessions.set_anonymous_enabled(false);
        assert!(with(&visitor).get("/api/maybe").await.is_silent(), "{facts:?}");
        app.sessions.set_anonymous_enabled(true);
        assert_eq!(
            visitor.get("/api/me").await.announced_id(),
            id,
            "a script hears of the renewal: {facts:?}"
        );

        let mut user = app.browser_of("alice").await;
        user.refresh().await;
        let seen = with(&user).get("/api/maybe").await;
        assert_eq!((&seen.body["user"], seen.is_silent()), (&json!("alice"), true), "{facts:?}");
        assert!(
            user.get("/api/maybe").await.text("front-token").is_some(),
            "a script hears of the promotion: {facts:?}"
        );
    }
}

#[tokio::test]
async fn pages_see_the_visitor_who_is_there() {
    let mut browser = App::new().await.browser();
    let id = browser.id().await;
    let page = browser.open("/any-page").await;
    assert_eq!(page.body["id"], id);
    assert!(page.is_silent());
}

#[tokio::test]
async fn rule_1_consent_withdrawn_removes() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.get("/api/me").await;
    let mut browser = browser.header("st-anonymous-mode", "off");
    let answer = browser.get("/api/maybe").await;
    assert_eq!(answer.body["kind"], "none");
    assert!(answer.cleared("sAnonymousToken"));
    assert_eq!(answer.text("st-anonymous-front-token"), Some("remove"));
    assert_eq!(browser.cookie("sAnonymousToken"), None);
    assert!(browser.get("/api/maybe").await.is_silent(), "nothing left to remove");
    assert_eq!(browser.get("/api/me").await.status, 401);
    let refused = browser.refresh().await;
    assert_eq!((refused.status.as_u16(), refused.message()), (401, "unauthorised"));
    assert!(refused.says_only_that_there_is_none(), "{refused:?}");
}

#[tokio::test]
async fn rule_1_without_consent_an_end_leaves_no_token_that_has_the_id() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    app.sessions.revoke_all_sessions_of_user("alice").await.unwrap();
    let mut browser = browser.header("st-anonymous-mode", "off");
    assert_eq!(browser.get("/api/fresh").await.status, 401);
    assert_eq!(browser.cookie("sRefreshToken"), None);
    let mut browser = browser.header("st-anonymous-mode", "");
    assert_ne!(browser.id().await, id);
    assert_ne!(browser.refresh().await.announced_id(), id);
}

#[tokio::test]
async fn rule_1_off_at_run_time_removes_and_on_again_mints() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.get("/api/me").await;
    app.sessions.set_anonymous_enabled(false);
    let answer = browser.get("/api/plain").await;
    assert!(answer.cleared("sAnonymousToken"));
    assert_eq!(answer.text("st-anonymous-front-token"), Some("remove"));
    assert!(app.browser().get("/api/plain").await.is_silent());
    app.sessions.set_anonymous_enabled(true);
    browser.get("/api/plain").await.announced_id();
}

#[tokio::test]
async fn rule_1_off_from_the_start_still_signs_in() {
    let app = App::with(|builder| builder.anonymous_enabled(false)).await;
    let mut browser = app.browser();
    let answer = browser.login("alice").await;
    assert_eq!(answer.text("st-anonymous-front-token"), None);
    let out = browser.post(SIGN_OUT).await;
    assert_eq!(out.text("st-anonymous-front-token"), None);
    assert_eq!(browser.get("/api/maybe").await.body["kind"], "none");
}

#[tokio::test]
async fn rule_4_refresh_of_a_visitor_repeats_the_announcement() {
    let mut browser = App::new().await.browser();
    browser.get("/api/me").await;
    let updated = browser.post_json("/api/cart", json!({"cart": [1]})).await;
    let answer = browser.refresh().await;
    answer.assert_demoted("unauthorised");
    assert_eq!(answer.announced_id(), updated.announced_id());
    assert_eq!(
        answer.anonymous_front_token(),
        updated.anonymous_front_token(),
        "same id, same payload"
    );
    // A forgetting may have been answered before this call was, and its cookie must stay.
    assert!(answer.set_cookies().is_empty());
}

#[tokio::test]
async fn rule_9_refresh_of_a_new_visitor_mints_and_is_refused() {
    let mut browser = App::new().await.browser();
    let answer = browser.refresh().await;
    answer.assert_demoted("unauthorised");
    let id = answer.announced_id();
    assert_eq!(browser.id().await, id);
}

#[tokio::test]
async fn rule_5_an_expired_token_keeps_its_id_and_a_damaged_one_does_not() {
    let app = App::with(|builder| builder.anonymous_validity(Duration::from_secs(60))).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    app.wait(Duration::from_secs(61));
    let renewed = browser.get("/api/me").await;
    assert_eq!(renewed.announced_id(), id);

    let token = browser.cookie("sAnonymousToken").unwrap().to_owned();
    browser.set_cookie("sAnonymousToken", &token[..token.len() - 4]);
    let replaced = browser.get("/api/me").await;
    assert_ne!(replaced.announced_id(), id);
    assert_eq!(browser.id().await, replaced.announced_id(), "the replacement stays");
}

#[tokio::test]
async fn two_anonymous_cookies_settle_on_one_that_verifies() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let token = browser.cookie("sAnonymousToken").unwrap().to_owned();
    browser.cookies.clear();
    let mut browser =
        browser.header("cookie", &format!("sAnonymousToken=planted; sAnonymousToken={token}"));
    let answer = browser.get("/api/me").await;
    assert_eq!(answer.body["id"], id);
    assert!(answer.is_silent());
}

#[tokio::test]
async fn the_cookie_can_have_another_name() {
    let app = App::with(|builder| builder.anonymous_cookie_name("jwt")).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    assert!(browser.cookie("jwt").is_some());
    assert_eq!(browser.id().await, id);
}

#[tokio::test]
async fn rule_5_one_id_through_three_cycles_of_two_users() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    for round in 0..3 {
        for user in ["alice", "bob"] {
            let login = browser.login(user).await;
            assert!(login.cleared("sAnonymousToken"));
            assert_eq!(login.text("st-anonymous-front-token"), Some("remove"));
            assert_eq!(login.front_token().up["anonymousId"], id);
            assert_eq!(browser.id().await, id);
            assert_eq!(browser.refresh().await.status, 200);
            assert_eq!(browser.id().await, id);
            match (round + user.len()) % 3 {
                0 => assert_eq!(browser.post(SIGN_OUT).await.announced_id(), id),
                1 => {
                    app.sessions.revoke_all_sessions_of_user(user).await.unwrap();
                    let refused = browser.refresh().await;
                    refused.assert_demoted("unauthorised");
                    assert_eq!(refused.announced_id(), id);
                }
                _ => {
                    app.wait(Duration::from_secs(101 * 24 * 3600));
                    let refused = browser.refresh().await;
                    refused.assert_demoted("unauthorised");
                    assert_eq!(refused.announced_id(), id);
                }
            }
            assert_eq!(browser.id().await, id);
        }
    }
}

#[tokio::test]
async fn rule_5_the_id_survives_when_only_the_refresh_token_is_left() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    app.sessions.revoke_all_sessions_of_user("alice").await.unwrap();
    browser.cookies.remove("sAccessToken");
    assert_eq!(browser.refresh().await.announced_id(), id);
}

#[tokio::test]
async fn rule_5_the_id_survives_when_only_an_expired_access_token_is_left() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    app.wait(Duration::from_secs(2 * 3600));
    browser.cookies.remove("sRefreshToken");
    assert_eq!(browser.get("/api/me").await.message(), "try refresh token");
    let refused = browser.post(REFRESH).await;
    refused.assert_demoted("unauthorised");
    assert_eq!(refused.announced_id(), id);
}

#[tokio::test]
async fn rule_7_a_planted_anonymous_cookie_does_not_replace_the_users_id() {
    let app = App::new().await;
    let mut attacker = app.browser();
    attacker.get("/api/me").await;
    let planted = attacker.cookie("sAnonymousToken").unwrap().to_owned();

    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    browser.set_cookie("sAnonymousToken", &planted);
    assert_eq!(browser.id().await, id, "a signed-in session is not replaced");
    app.sessions.revoke_all_sessions_of_user("alice").await.unwrap();
    assert_eq!(browser.refresh().await.announced_id(), id);
}

#[tokio::test]
async fn rule_7_an_expired_user_is_not_replaced_by_an_anonymous_session() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.login("alice").await;
    app.wait(Duration::from_secs(2 * 3600));
    for path in ["/api/me", "/api/maybe", "/api/user", "/api/fresh"] {
        let answer = browser.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.message()),
            (401, "try refresh token"),
            "{path}"
        );
        assert!(answer.is_silent(), "{path}");
    }
    assert!(browser.get("/api/plain").await.is_silent());
}

#[tokio::test]
async fn rule_6_carries_what_the_hooks_return() {
    let app = App::with(|builder| {
        builder
            .on_sign_in(|old, user_id| async move {
                Ok::<_, std::io::Error>(map(json!({
                    "cart": old.payload().get("cart"),
                    "greeting": format!("hi {user_id}"),
                    "sub": "evil",
                })))
            })
            .on_sign_out(|old| async move {
                let kept = json!({"last": old.user_id(), "isAnonymous": false});
                Ok::<_, std::io::Error>(map(kept))
            })
    })
    .await;
    let mut browser = app.browser();
    browser.get("/api/me").await;
    browser.post_json("/api/cart", json!({"cart": ["tea"]})).await;
    let login =
        browser.post_json("/api/login?user=alice", json!({"greeting": "explicit wins"})).await;
    let up = login.front_token().up;
    assert_eq!(
        (&up["cart"], &up["greeting"], &up["sub"]),
        (&json!(["tea"]), &json!("explicit wins"), &json!("alice"))
    );
    let out = browser.post(SIGN_OUT).await;
    let up = out.anonymous_front_token().up;
    assert_eq!((&up["last"], &up["isAnonymous"]), (&json!("alice"), &json!(true)));
}

#[tokio::test]
async fn rule_6_failing_hooks_stop_nothing() {
    let app = App::with(|builder| {
        builder.on_sign_in(|_, _| async { Err("no") }).on_sign_out(|_| async { Err("no") })
    })
    .await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    let out = browser.post(SIGN_OUT).await;
    assert_eq!(out.status, 200);
    assert_eq!(out.announced_id(), id);
}

#[tokio::test]
async fn an_upgrade_hook_that_returns_too_much_stops_nothing() {
    let app = App::with(|builder| {
        builder.on_sign_in(|old, _| async move { Ok::<_, std::io::Error>(old.payload().clone()) })
    })
    .await;
    let mut browser = app.browser();
    let id = browser.id().await;
    // Fits the anonymous token, but not the access token, which has more claims of its own.
    assert_eq!(browser.post_json("/api/cart", json!({"cart": "x".repeat(2400)})).await.status, 200);
    let login = browser.post_json("/api/login?user=alice", json!({"role": "admin"})).await;
    assert_eq!(login.status, 200);
    assert_eq!(login.front_token().up["role"], "admin");
    assert!(!login.front_token().up.contains_key("cart"));
    assert_eq!(browser.id().await, id);
}

#[tokio::test]
async fn a_sign_out_hook_that_returns_too_much_stops_nothing() {
    let app = App::with(|builder| {
        builder
            .on_sign_out(|_| async { Ok::<_, std::io::Error>(map(json!({"x": "y".repeat(5000)}))) })
    })
    .await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    assert_eq!(browser.post(SIGN_OUT).await.announced_id(), id);
}

#[tokio::test]
async fn a_user_session_ends_even_where_no_anonymous_one_can_be_made() {
    // With this name not even an empty token fits a cookie.
    let app = App::with(|builder| builder.anonymous_cookie_name("n".repeat(4000))).await;
    for ended_by in ["sign-out", "revocation"] {
        let mut browser = app.browser_of("alice").await;
        let answer = if ended_by == "sign-out" {
            browser.post(SIGN_OUT).await
        } else {
            app.sessions.revoke_all_sessions_of_user("alice").await.unwrap();
            browser.refresh().await
        };
        assert_eq!(answer.status, if ended_by == "sign-out" { 200 } else { 401 }, "{answer:?}");
        assert!(answer.cleared("sAccessToken") && answer.cleared("sRefreshToken"), "{ended_by}");
        assert_eq!(answer.text("front-token"), Some("remove"));
        assert_eq!(answer.text("st-anonymous-front-token"), None);
        assert!(browser.cookies.is_empty(), "{ended_by}");
    }
    assert!(app.sessions.session_handles_of_user("alice").await.unwrap().is_empty());
}

#[tokio::test]
async fn rule_8_a_login_only_route_answers_401_and_clears_nothing() {
    let mut browser = App::new().await.browser();
    browser.get("/api/me").await;
    browser.post_json("/api/cart", json!({"role": "admin", "user_id": "alice"})).await;
    for path in ["/api/user", "/api/fresh"] {
        let answer = browser.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.message()), (401, "unauthorised"));
        assert!(answer.is_silent(), "nothing is cleared");
    }
}
