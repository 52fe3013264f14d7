//! Leaving an anonymousId behind: a new one at sign-out, and forgetting.

use std::time::Duration;

use passerby_server::{AfterSignOut, AntiCsrf};
use serde_json::json;

use crate::app::{App, FORGET, SIGN_OUT, map};

#[tokio::test]
async fn rule_12_sign_out_keeps_by_default() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    assert_eq!(browser.post(SIGN_OUT).await.announced_id(), id);
}

#[tokio::test]
async fn rule_12_rotate_gives_the_next_person_a_new_id() {
    let app = App::with(|builder| {
        builder
            .after_sign_out(AfterSignOut::Rotate)
            .on_sign_out(|_| async { Ok::<_, std::io::Error>(map(json!({"tip": 1}))) })
    })
    .await;
    for path in [SIGN_OUT, "/api/logout"] {
        let mut browser = app.browser();
        let id = browser.id().await;
        browser.login("alice").await;
        assert_eq!(browser.id().await, id, "until sign-out nothing changes");
        let out = browser.post(path).await;
        assert_eq!(out.status, 200);
        assert_ne!(out.announced_id(), id);
        assert_eq!(out.anonymous_front_token().up["tip"], 1, "the hook decides what is carried");
        assert_eq!(browser.id().await, out.announced_id());
        browser.login("bob").await;
        assert_eq!(browser.id().await, out.announced_id());
    }
}

#[tokio::test]
async fn rule_12_the_app_decides_for_each_session() {
    let app = App::with(|builder| {
        builder.after_sign_out_by(|session| match session.user_id() {
            "alice" => AfterSignOut::Keep,
            _ => AfterSignOut::Rotate,
        })
    })
    .await;
    for (user, keeps) in [("alice", true), ("bob", false)] {
        for path in [SIGN_OUT, "/api/logout"] {
            let mut browser = app.browser();
            let id = browser.id().await;
            browser.login(user).await;
            assert_eq!(browser.post(path).await.announced_id() == id, keeps, "{user}, {path}");
        }
    }
}

#[tokio::test]
async fn rule_12_rotate_is_for_sign_out_only() {
    let app = App::with(|builder| builder.after_sign_out(AfterSignOut::Rotate)).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    app.sessions.revoke_all_sessions_of_user("alice").await.unwrap();
    assert_eq!(browser.refresh().await.announced_id(), id);
}

#[tokio::test]
async fn rule_12_rotate_in_header_mode_and_while_off() {
    let app = App::with(|builder| builder.after_sign_out(AfterSignOut::Rotate)).await;
    let plain = app.browser().header("st-auth-mode", "header");
    let login = plain.clone().login("alice").await;
    let id = login.front_token().up["anonymousId"].clone();
    let bearer = format!("Bearer {}", login.text("st-access-token").unwrap());
    let out = plain.header("authorization", &bearer).post(SIGN_OUT).await;
    assert_ne!(out.announced_id(), id);
    assert!(out.text("st-anonymous-token").is_some());

    let mut browser = app.browser();
    browser.login("alice").await;
    let out = browser.header("st-anonymous-mode", "off").post(SIGN_OUT).await;
    assert_eq!(out.text("st-anonymous-front-token"), None);
}

#[tokio::test]
async fn rule_12_a_visitor_is_forgotten() {
    let mut browser = App::new().await.browser();
    let id = browser.id().await;
    browser.post_json("/api/cart", json!({"cart": [1]})).await;
    let answer = browser.post(FORGET).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &json!({"status": "OK"})));
    assert_ne!(answer.announced_id(), id);
    assert!(!answer.anonymous_front_token().up.contains_key("cart"));
    assert_eq!(answer.text("cache-control"), Some("no-store"));
    let seen = browser.get("/api/me").await;
    assert_eq!(
        (&seen.body["id"], &seen.body["payload"]),
        (&json!(answer.announced_id()), &json!({}))
    );
    assert!(seen.is_silent());
}

#[tokio::test]
async fn rule_12_forgetting_while_off_leaves_nothing() {
    let app = App::new().await;
    let mut visitor = app.browser();
    visitor.get("/api/me").await;
    let answer = visitor.clone().header("st-anonymous-mode", "off").post(FORGET).await;
    assert_eq!(answer.status, 200);
    assert!(answer.cleared("sAnonymousToken"));
    assert_eq!(answer.text("st-anonymous-front-token"), Some("remove"));
    let never = app.browser().header("st-anonymous-mode", "off").post(FORGET).await;
    assert_eq!(never.status, 200);
    assert!(never.is_silent(), "there was nothing to forget");
    app.sessions.set_anonymous_enabled(false);
    assert!(visitor.post(FORGET).await.cleared("sAnonymousToken"));
}

#[tokio::test]
async fn rule_12_forgetting_in_header_mode() {
    let app = App::new().await;
    let plain = app.browser().header("st-auth-mode", "header");
    let first = plain.clone().get("/api/me").await;
    let with_token = plain
        .header("authorization", &format!("Bearer {}", first.text("st-anonymous-token").unwrap()));
    let answer = with_token.clone().post(FORGET).await;
    assert_ne!(answer.announced_id(), first.announced_id());
    assert!(
        answer.set_cookies().is_empty()
            && answer.text("st-anonymous-token").is_some_and(|token| !token.is_empty())
    );
    let off = with_token.header("st-anonymous-mode", "off").post(FORGET).await;
    assert_eq!(
        (off.text("st-anonymous-token"), off.text("st-anonymous-front-token")),
        (Some(""), Some("remove"))
    );
}

/// The id that a user gets back, however the session ends, once the old one was forgotten.
#[tokio::test]
async fn rule_12_a_user_is_forgotten_too() {
    let app = App::new().await;
    for end in [
        "sign-out",
        "revocation",
        "revocation before the first use",
        "expiry",
        "theft",
        "refresh token only",
    ] {
        let mut browser = app.browser();
        let id = browser.id().await;
        let login = browser.post_json("/api/login?user=alice", json!({"role": "admin"})).await;
        let handle = login.body["handle"].as_str().unwrap().to_owned();
        let thief = browser.clone();
        let answer = browser.post(FORGET).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body),
            (200, &json!({"status": "OK"})),
            "{end}"
        );
        let new_id = answer.front_token().up["anonymousId"].as_str().unwrap().to_owned();
        assert_ne!(new_id, id, "{end}");
        assert_eq!(answer.front_token().up["role"], "admin");
        assert_eq!(answer.front_token().up["sessionHandle"], handle.as_str());
        assert!(
            answer.set_cookie("sAccessToken").is_some()
                && answer.set_cookie("sRefreshToken").is_some()
        );
        let stored = app.sessions.session_information(&handle).await.unwrap().unwrap();
        assert_eq!(stored.anonymous_id, new_id);
        if !end.contains("before") {
            assert_eq!(browser.id().await, new_id, "{end}");
            assert_eq!(browser.refresh().await.status, 200);
            assert_eq!(browser.id().await, new_id, "{end}");
        }
        let ended = match end {
            "sign-out" => browser.post(SIGN_OUT).await,
            "expiry" => {
                app.wait(Duration::from_secs(101 * 24 * 3600));
                browser.refresh().await
            }
            "theft" => {
                app.wait(Duration::from_secs(31));
                let theft = thief.clone().refresh().await;
                theft.assert_demoted("token theft detected");
                assert_eq!(
                    theft.announced_id(),
                    new_id,
                    "the thief's old token does not bring the old id back"
                );
                browser.refresh().await
            }
            _ => {
                app.sessions.revoke_session(&handle).await.unwrap();
                if end == "refresh token only" {
                    browser.cookies.remove("sAccessToken");
                }
                browser.refresh().await
            }
        };
        assert_eq!(ended.announced_id(), new_id, "{end}");
        assert_eq!(browser.id().await, new_id, "{end}");
    }
}

#[tokio::test]
async fn rule_12_forgetting_a_user_in_header_mode() {
    let app = App::new().await;
    let plain = app.browser().header("st-auth-mode", "header");
    let login = plain.clone().login("alice").await;
    let bearer = |token: &str| plain.clone().header("authorization", &format!("Bearer {token}"));
    let answer = bearer(login.text("st-access-token").unwrap()).post(FORGET).await;
    assert!(answer.set_cookies().is_empty());
    let new_id = &answer.front_token().up["anonymousId"];
    assert_ne!(*new_id, login.front_token().up["anonymousId"]);
    let refreshed = bearer(answer.text("st-refresh-token").unwrap()).refresh().await;
    assert_eq!(refreshed.front_token().up["anonymousId"], *new_id);
}

#[tokio::test]
async fn rule_12_a_lost_answer_to_forgetting_costs_no_session() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.login("alice").await;
    let answer = browser.clone().post(FORGET).await;
    assert_eq!(answer.status, 200);
    let refreshed = browser.refresh().await;
    assert_eq!(refreshed.status, 200, "the old refresh token is still the current one");
    assert_eq!(refreshed.front_token().up["anonymousId"], answer.front_token().up["anonymousId"]);
}

#[tokio::test]
async fn rule_12_forgetting_between_refresh_and_first_use() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.login("alice").await;
    let before = browser.clone();
    browser.refresh().await;
    let new_id =
        browser.post(FORGET).await.front_token().up["anonymousId"].as_str().unwrap().to_owned();
    assert_eq!(browser.refresh().await.status, 200);
    assert_eq!(browser.id().await, new_id);
    app.wait(Duration::from_secs(31));
    before.clone().refresh().await.assert_demoted("token theft detected");
}

/// Two refreshes with one token, the first of which was never used, and is long ago when the
/// other's answer is: this browser's tokens are good until they expire.
#[tokio::test]
async fn rule_12_forgetting_with_the_tokens_of_a_sibling_that_lost() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    let mut sibling = browser.clone();
    sibling.refresh().await;
    app.wait(Duration::from_secs(31));
    browser.refresh().await;
    browser.get("/api/user").await;
    let answer = sibling.post(FORGET).await;
    assert_eq!(answer.status, 200);
    let new_id = answer.front_token().up["anonymousId"].as_str().unwrap().to_owned();
    assert_ne!(new_id, id);
    assert!(answer.set_cookie("sRefreshToken").is_none(), "it would be taken for a stolen one");
    assert_eq!(browser.refresh().await.status, 200);
    assert_eq!(browser.id().await, new_id);
}

#[tokio::test]
async fn rule_12_who_must_refresh_first_is_told() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    app.wait(Duration::from_secs(2 * 3600));
    let answer = browser.post(FORGET).await;
    assert_eq!((answer.status.as_u16(), answer.message()), (401, "try refresh token"));
    assert!(answer.is_silent());
    browser.refresh().await;
    assert_ne!(browser.post(FORGET).await.front_token().up["anonymousId"], id);
}

#[tokio::test]
async fn rule_12_forgetting_in_a_session_that_is_over() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    app.sessions.revoke_all_sessions_of_user("alice").await.unwrap();
    let answer = browser.post(FORGET).await;
    answer.assert_demoted_by_app("unauthorised");
    assert_ne!(answer.announced_id(), id);
}

#[tokio::test]
async fn rule_12_a_failing_store_forgets_nothing() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.login("alice").await;
    app.store.close().await;
    let answer = browser.post(FORGET).await;
    assert_eq!(answer.status, 503);
    assert!(answer.is_silent());
}

#[tokio::test]
async fn rule_12_other_websites_make_nobody_forgotten() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.get("/api/me").await;
    let forged = browser
        .clone()
        .header("origin", "https://evil.example")
        .header("sec-fetch-site", "cross-site")
        .post(FORGET)
        .await;
    assert_eq!(forged.status, 403);
    assert!(forged.is_silent());
}

#[tokio::test]
async fn rule_12_forgetting_with_anti_csrf_tokens() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let token = browser.login("alice").await.text("anti-csrf").unwrap().to_owned();
    for mut forged in [browser.clone(), browser.clone().header("anti-csrf", "x")] {
        let answer = forged.post(FORGET).await;
        assert_eq!((answer.status.as_u16(), answer.message()), (401, "try refresh token"));
        assert!(answer.is_silent());
    }
    assert_eq!(browser.id().await, id);

    let mut own = browser.header("anti-csrf", &token);
    let answer = own.post(FORGET).await;
    let new_id = answer.front_token().up["anonymousId"].as_str().unwrap().to_owned();
    assert_ne!(new_id, id);
    let mut own = own.header("anti-csrf", answer.text("anti-csrf").unwrap());
    assert_eq!(own.post("/api/maybe").await.body["id"], new_id);
    assert_eq!(own.refresh().await.status, 200);
    assert_eq!(own.post("/api/maybe").await.body["id"], new_id);
    assert_eq!(own.post(SIGN_OUT).await.announced_id(), new_id);

    let mut guest = app.browser();
    let id = guest.id().await;
    assert_ne!(guest.post(FORGET).await.announced_id(), id, "guests have no token");
}
