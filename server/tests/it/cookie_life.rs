//! Cookies do not live for ever: renewal, recovery, and the cookie's name.

use std::time::Duration;

use passerby_server::{AnonymousTokenError, SessionsBuilder};
use serde_json::json;

use crate::app::{Answer, App, Browser};

const DAY: Duration = Duration::from_secs(24 * 3600);
const HOST_BOUND: &str = "__Host-sAnonymousToken";

/// In days from now, rounded.
fn cookie_life(answer: &Answer, app_skew_days: u64) -> u64 {
    let line = answer.set_cookie("sAnonymousToken").unwrap();
    let expires = line.split("; ").find_map(|part| part.strip_prefix("Expires=")).unwrap();
    let expires = cookie::Cookie::parse(format!("x=y; Expires={expires}"))
        .unwrap()
        .expires_datetime()
        .unwrap();
    let now = cookie::time::OffsetDateTime::now_utc();
    u64::try_from(((expires - now).whole_seconds() + 3600) / 86_400).unwrap() - app_skew_days
}

#[tokio::test]
async fn rule_11_the_cookie_is_renewed_while_the_visitor_keeps_coming() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let before =
        browser.post_json("/api/cart", json!({"cart": ["tea"]})).await.anonymous_front_token();
    app.wait(99 * DAY);
    assert!(browser.get("/api/me").await.is_silent(), "not a quarter of 400 days yet");
    app.wait(DAY);
    let token = browser.cookie("sAnonymousToken").unwrap().to_owned();
    let renewed = browser.get("/api/me").await;
    assert_ne!(browser.cookie("sAnonymousToken").unwrap(), token);
    assert_eq!(cookie_life(&renewed, 100), 400);
    assert_eq!(renewed.announced_id(), id);
    let after = renewed.anonymous_front_token();
    assert!(after.ate > before.ate);
    // The SDK compares payloads without these two, so that a renewal is no event.
    let same = |mut token: passerby_protocol::front_token::FrontToken| {
        token.up.retain(|claim, _| !["iat", "exp"].contains(&claim.as_str()));
        token.up
    };
    assert_eq!(same(after), same(before));
    assert!(browser.get("/api/me").await.is_silent(), "renewed once");
    for _ in 0..12 {
        app.wait(100 * DAY);
        assert_eq!(browser.id().await, id);
        assert_eq!(browser.get("/api/me").await.body["payload"], json!({"cart": ["tea"]}));
    }
}

#[tokio::test]
async fn rule_11_pages_renew_nothing() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    app.wait(200 * DAY);
    let page = browser.open("/any-page").await;
    assert_eq!(page.body["id"], id);
    assert!(page.is_silent());
}

#[tokio::test]
async fn rule_11_no_cookie_asks_for_more_than_400_days() {
    let app = App::new().await;
    assert_eq!(cookie_life(&app.browser().get("/api/me").await, 0), 400);
    let app = App::with(|builder| builder.anonymous_validity(30 * DAY)).await;
    assert_eq!(
        cookie_life(&app.browser().get("/api/me").await, 0),
        30,
        "and for no more than the token's life"
    );
}

#[tokio::test]
async fn rule_11_the_share_is_configurable_and_of_the_shorter_life() {
    for (configure, quiet, loud) in [
        (
            (|builder| builder.anonymous_renewal(0.5)) as fn(SessionsBuilder) -> SessionsBuilder,
            199,
            201,
        ),
        (|builder| builder.anonymous_renewal(1.0), 399, 401),
        (|builder| builder.anonymous_validity(40 * DAY), 9, 11),
    ] {
        let app = App::with(configure).await;
        let mut browser = app.browser();
        let id = browser.id().await;
        app.wait(quiet * DAY);
        assert!(browser.get("/api/me").await.is_silent());
        app.wait((loud - quiet) * DAY);
        assert_eq!(browser.get("/api/me").await.announced_id(), id);
    }
}

#[tokio::test]
async fn rule_11_renewal_in_header_mode() {
    let app = App::new().await;
    let plain = app.browser().header("st-auth-mode", "header");
    let first = plain.clone().get("/api/me").await;
    app.wait(101 * DAY);
    let bearer = format!("Bearer {}", first.text("st-anonymous-token").unwrap());
    let renewed = plain.header("authorization", &bearer).get("/api/me").await;
    assert_eq!(renewed.announced_id(), first.announced_id());
    assert_ne!(renewed.text("st-anonymous-token"), first.text("st-anonymous-token"));
    assert!(renewed.set_cookies().is_empty());
}

#[tokio::test]
async fn rule_11_one_refresh_call_recovers_the_front_token() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    for (days, is_renewed) in [(1, false), (100, true)] {
        app.wait(days * DAY);
        let answer = browser.refresh().await;
        answer.assert_demoted("unauthorised");
        assert_eq!(answer.announced_id(), id);
        assert_eq!(answer.set_cookie("sAnonymousToken").is_some(), is_renewed);
    }
    assert!(browser.get("/api/me").await.is_silent(), "the call renewed the token too");
}

fn https(builder: SessionsBuilder) -> SessionsBuilder {
    builder.api_domain("https://localhost:3000")
}

/// As [`https`], before the prefix came.
fn https_as_before(builder: SessionsBuilder) -> SessionsBuilder {
    https(builder).anonymous_cookie_name("sAnonymousToken")
}

fn with_line(app: &App, line: &str) -> Browser {
    app.browser().header("cookie", line)
}

#[tokio::test]
async fn the_cookie_is_bound_to_its_host_where_the_configuration_allows_it() {
    let app = App::with(https).await;
    let mut browser = app.browser();
    let first = browser.get("/api/me").await;
    let line = first.set_cookie(HOST_BOUND).unwrap();
    assert!(
        line.contains("; Secure") && line.contains("; Path=/;") && !line.contains("Domain"),
        "{line}"
    );
    assert_eq!(browser.id().await, first.announced_id());
    assert!(browser.login("alice").await.cleared(HOST_BOUND));
    let shared = App::with(|builder| {
        builder.api_domain("https://api.example.com").cookie_domain("example.com")
    })
    .await;
    let first = shared.browser().get("/api/me").await;
    assert!(
        first.set_cookie("sAnonymousToken").is_some() && first.set_cookie(HOST_BOUND).is_none()
    );
}

#[tokio::test]
async fn a_cookie_moves_to_the_name_that_the_configuration_allows() {
    let app = App::with(|builder| https(builder).anonymous_cookie_name("sAnonymousToken")).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.post_json("/api/cart", json!({"cart": [1]})).await;

    let bound = app.restarted(https).await;
    let mut browser = browser.moved_to(&bound);
    let page = browser.open("/any-page").await;
    assert_eq!(page.body["id"], id);
    assert!(page.is_silent(), "pages move nothing");
    let moved = browser.get("/api/me").await;
    assert_eq!((moved.announced_id(), &moved.body["payload"]), (id.clone(), &json!({"cart": [1]})));
    assert!(moved.set_cookie(HOST_BOUND).is_some() && moved.cleared("sAnonymousToken"));
    assert!(browser.get("/api/me").await.is_silent());

    let back = app.restarted(|builder| https(builder).cookie_domain("localhost")).await;
    let mut browser = browser.moved_to(&back);
    let moved = browser.get("/api/me").await;
    assert_eq!(moved.announced_id(), id);
    assert!(moved.set_cookie("sAnonymousToken").is_some());
    let cleared = moved.set_cookie(HOST_BOUND).unwrap();
    assert!(cleared.contains("Secure") && !cleared.contains("Domain"), "{cleared}");
}

/// A payload that fitted under the former configuration may be too large for a new token now.
#[tokio::test]
async fn rule_11_a_token_that_cannot_be_renewed_stays() {
    let app = App::with(https_as_before).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let mut length = 3000;
    // To within four bytes, which is less than `__Host-` takes.
    while browser.post_json("/api/cart", json!({ "cart": "x".repeat(length) })).await.status != 200
    {
        length -= 4;
    }
    for changed in [
        app.restarted(https).await,
        app.restarted(|builder| https_as_before(builder).anonymous_subject(true)).await,
    ] {
        let mut browser = browser.moved_to(&changed);
        for _ in 0..2 {
            let refused = browser.refresh().await;
            refused.assert_demoted("unauthorised");
            assert_eq!(refused.announced_id(), id);
            assert_eq!(
                refused.anonymous_front_token().up["cart"].as_str().map(str::len),
                Some(length)
            );
            assert!(
                refused.set_cookie("sAnonymousToken").is_none()
                    && refused.set_cookie(HOST_BOUND).is_none()
            );
            let seen = browser.get("/api/me").await;
            assert_eq!((&seen.body["id"], seen.is_silent()), (&json!(id), true));
        }
    }
}

#[tokio::test]
async fn the_former_name_is_refused_when_the_migration_is_over() {
    let app = App::with(|builder| https(builder).accept_former_cookie_name(false)).await;
    let mut browser = app.browser();
    let first = browser.get("/api/me").await;
    let token = browser.cookie(HOST_BOUND).unwrap();
    let answer = with_line(&app, &format!("sAnonymousToken={token}")).get("/api/me").await;
    assert_ne!(answer.announced_id(), first.announced_id());
}

#[tokio::test]
async fn off_and_sign_out_leave_no_cookie_under_either_name() {
    let app = App::with(https).await;
    let mut browser = app.browser();
    browser.get("/api/me").await;
    let token = browser.cookie(HOST_BOUND).unwrap().to_owned();
    app.sessions.set_anonymous_enabled(false);
    let answer = with_line(&app, &format!("sAnonymousToken={token}; {HOST_BOUND}={token}"))
        .get("/api/plain")
        .await;
    assert!(answer.cleared("sAnonymousToken") && answer.cleared(HOST_BOUND));
}

#[tokio::test]
async fn other_parts_of_the_app_verify_the_token_themselves() {
    let app = App::with(|builder| builder.anonymous_validity(DAY)).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.post_json("/api/cart", json!({"cart": [1]})).await;
    let token = browser.cookie("sAnonymousToken").unwrap().to_owned();
    let session = app.sessions.verify_anonymous(&token).await.unwrap();
    assert_eq!((session.anonymous_id(), &session.payload()["cart"]), (id.as_str(), &json!([1])));
    browser.login("alice").await;
    for other in [&token[1..], "", browser.cookie("sAccessToken").unwrap()] {
        assert!(matches!(
            app.sessions.verify_anonymous(other).await,
            Err(AnonymousTokenError::Invalid)
        ));
    }
    app.wait(2 * DAY);
    assert!(matches!(
        app.sessions.verify_anonymous(&token).await,
        Err(AnonymousTokenError::Expired)
    ));
}

#[tokio::test]
async fn a_visitor_who_is_renewed_keeps_the_rest_of_the_response() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.get("/api/me").await;
    app.wait(101 * DAY);
    // Signing in with the very request that would renew: only the outcome is sent.
    let answer = browser.login("alice").await;
    assert!(answer.cleared("sAnonymousToken"));
    assert_eq!(answer.set_cookies().len(), 3);
    assert_eq!(answer.headers.get_all("st-anonymous-front-token").iter().count(), 1);
}
