//! Tokens in headers.

use serde_json::json;

use crate::app::{App, Browser, FORGET, REFRESH, SIGN_OUT};

fn bearer(browser: &Browser, token: &str) -> Browser {
    browser.clone().header("authorization", &format!("Bearer {token}"))
}

#[tokio::test]
async fn the_whole_way_in_headers() {
    let app = App::new().await;
    let plain = app.browser().header("st-auth-mode", "header");

    let first = plain.clone().get("/api/me").await;
    assert!(first.set_cookies().is_empty());
    let id = first.announced_id();
    let anonymous = first.text("st-anonymous-token").unwrap().to_owned();
    let again = bearer(&plain, &anonymous).get("/api/me").await;
    assert_eq!(again.body["id"], id);
    assert!(again.is_silent());
    let updated = bearer(&plain, &anonymous).post_json("/api/cart", json!({"a": 1})).await;
    let anonymous = updated.text("st-anonymous-token").unwrap().to_owned();

    let refused = bearer(&plain, &anonymous).post(REFRESH).await;
    refused.assert_demoted("unauthorised");
    assert_eq!(refused.text("st-anonymous-token"), Some(anonymous.as_str()));

    let login = bearer(&plain, &anonymous).login("alice").await;
    assert!(login.set_cookies().is_empty());
    assert_eq!(login.text("st-anonymous-token"), Some(""));
    assert_eq!(login.text("st-anonymous-front-token"), Some("remove"));
    let (access, refresh) =
        (login.text("st-access-token").unwrap(), login.text("st-refresh-token").unwrap());
    assert_eq!(bearer(&plain, access).get("/api/me").await.body["id"], id);

    let refreshed = bearer(&plain, refresh).post(REFRESH).await;
    assert_eq!(refreshed.status, 200);
    assert!(refreshed.set_cookies().is_empty());
    let promoted = bearer(&plain, refreshed.text("st-access-token").unwrap()).get("/api/me").await;
    let access = promoted.text("st-access-token").unwrap();
    assert!(promoted.set_cookies().is_empty());

    let out = bearer(&plain, access).post(SIGN_OUT).await;
    assert_eq!((out.text("st-access-token"), out.text("st-refresh-token")), (Some(""), Some("")));
    assert!(out.set_cookies().is_empty());
    assert_eq!(out.announced_id(), id);
    assert!(out.text("st-anonymous-token").is_some());
}

#[tokio::test]
async fn foreign_bearer_tokens_are_ignored() {
    let mut browser = App::new().await.browser();
    browser.login("alice").await;
    for foreign in ["abc", "a.b.c", "eyJhbGciOiJIUzI1NiJ9.e30.x"] {
        assert_eq!(bearer(&browser, foreign).get("/api/user").await.body, "alice", "{foreign}");
    }
}

#[tokio::test]
async fn switching_the_method_clears_the_former_one() {
    let mut browser = App::new().await.browser();
    browser.login("alice").await;
    let mut browser = browser.header("st-auth-mode", "header");
    let answer = browser.login("alice").await;
    assert!(answer.cleared("sAccessToken") && answer.cleared("sRefreshToken"));
    assert!(answer.text("st-access-token").is_some_and(|token| !token.is_empty()));
}

#[tokio::test]
async fn both_refresh_tokens_leave_one() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.login("alice").await;
    let login = app.browser().header("st-auth-mode", "header").login("alice").await;
    let answer = bearer(&browser, login.text("st-refresh-token").unwrap()).refresh().await;
    assert_eq!(answer.status, 200);
    assert!(answer.cleared("sAccessToken") && answer.cleared("sRefreshToken"));
    assert!(answer.text("st-refresh-token").is_some());
}

#[tokio::test]
async fn off_removes_in_headers_too() {
    let app = App::new().await;
    let plain = app.browser().header("st-auth-mode", "header");
    let token = plain.clone().get("/api/me").await.text("st-anonymous-token").unwrap().to_owned();
    let answer = bearer(&plain, &token).header("st-anonymous-mode", "off").get("/api/maybe").await;
    assert_eq!(answer.body["kind"], "none");
    assert_eq!(answer.text("st-anonymous-token"), Some(""));
    assert_eq!(answer.text("st-anonymous-front-token"), Some("remove"));
}

/// A token that is left of the former way would win over the new one, or outlive it.
#[tokio::test]
async fn rule_12_an_anonymous_session_that_changes_its_way_leaves_nothing_behind() {
    let app = App::new().await;
    for update in [true, false] {
        let change = async |mut browser: Browser| {
            if update {
                browser.post_json("/api/cart", json!({"a": 2})).await
            } else {
                browser.post(FORGET).await
            }
        };
        let token = app.browser().header("st-auth-mode", "header").get("/api/me").await;
        let token = token.text("st-anonymous-token").unwrap();
        let to_cookie = change(bearer(&app.browser(), token)).await;
        assert_eq!(to_cookie.text("st-anonymous-token"), Some(""));
        assert!(
            to_cookie.set_cookie("sAnonymousToken").is_some()
                && !to_cookie.cleared("sAnonymousToken")
        );

        let mut browser = app.browser();
        browser.get("/api/me").await;
        let to_header = change(browser.header("st-auth-mode", "header")).await;
        assert!(to_header.cleared("sAnonymousToken"));
        assert!(to_header.text("st-anonymous-token").is_some_and(|token| !token.is_empty()));
    }
}
