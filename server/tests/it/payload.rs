//! Payloads.

use passerby_protocol::payload::{MAX_DEPTH, PROTECTED_CLAIMS};
use passerby_server::{AntiCsrf, EngineError, KeyAlgorithm, PayloadError};
use serde_json::{Map, Value, json};

use crate::app::{App, map};

#[tokio::test]
async fn a_merge_is_visible_with_its_response() {
    let mut browser = App::new().await.browser();
    let login = browser.post_json("/api/login?user=alice", json!({"a": 1, "b": 2})).await;
    let answer = browser.post_json("/api/merge", json!({"a": null, "name": "李雷 🛒"})).await;
    assert_eq!(answer.body, json!({"b": 2, "name": "李雷 🛒"}));
    let (before, after) = (login.front_token().up, answer.front_token().up);
    assert_eq!(after["name"], "李雷 🛒");
    assert!(!after.contains_key("a"));
    for kept in ["exp", "sessionHandle", "refreshTokenHash1", "anonymousId", "sub"] {
        assert_eq!(before[kept], after[kept]);
    }
    assert!(
        answer.set_cookie("sAccessToken").is_some() && answer.set_cookie("sRefreshToken").is_none()
    );
    assert_eq!(browser.refresh().await.front_token().up["name"], "李雷 🛒");
}

#[tokio::test]
async fn a_merge_between_refresh_and_first_use_keeps_both() {
    let mut browser = App::new().await.browser();
    browser.login("alice").await;
    browser.refresh().await;
    let answer = browser.post_json("/api/merge", json!({"a": 1})).await;
    assert_eq!(answer.front_token().up["parentRefreshTokenHash1"], Value::Null);
    assert_eq!(browser.get("/api/me").await.body["payload"], json!({"a": 1}));
    assert_eq!(browser.refresh().await.status, 200);
}

#[tokio::test]
async fn an_offline_merge_is_not_lost_to_an_online_one() {
    let app = App::new().await;
    let mut browser = app.browser();
    let handle = browser.login("alice").await.body["handle"].as_str().unwrap().to_owned();
    app.sessions
        .merge_into_access_token_payload(&handle, &map(json!({"offline": 1})))
        .await
        .unwrap();
    let answer = browser.post_json("/api/merge", json!({"online": 1})).await;
    assert_eq!(answer.body, json!({"offline": 1, "online": 1}));
}

#[tokio::test]
async fn rule_3_protected_claims_cannot_be_overwritten() {
    let app = App::new().await;
    let mut browser = app.browser();
    let evil: Map<String, Value> =
        PROTECTED_CLAIMS.iter().map(|claim| ((*claim).to_owned(), json!("evil"))).collect();
    let id = browser.id().await;
    let login = browser.post_json("/api/login?user=alice", Value::Object(evil)).await;
    assert!(login.front_token().up.values().all(|value| value != "evil"));
    assert_eq!(browser.id().await, id);
    let handle = login.body["handle"].as_str().unwrap();
    for &claim in PROTECTED_CLAIMS {
        let answer = browser.post_json("/api/merge", json!({ claim: "evil" })).await;
        assert_eq!(answer.status, 400);
        assert!(answer.message().contains(claim), "{}", answer.message());
        assert!(answer.is_silent());
        assert!(
            app.sessions
                .merge_into_access_token_payload(handle, &map(json!({ claim: null })))
                .await
                .is_err()
        );
    }
    let mut visitor = app.browser();
    visitor.get("/api/me").await;
    for &claim in PROTECTED_CLAIMS {
        let answer = visitor.post_json("/api/cart", json!({ claim: "evil" })).await;
        assert_eq!(answer.status, 400);
        assert!(answer.is_silent());
    }
}

#[tokio::test]
async fn anonymous_payload_is_merged_and_announced() {
    let mut browser = App::new().await.browser();
    let id = browser.id().await;
    browser.post_json("/api/cart", json!({"a": 1, "b": {"x": 1}})).await;
    let answer = browser.post_json("/api/cart", json!({"a": null, "b": {"y": 2}, "c": 3})).await;
    assert_eq!(answer.body, json!({"b": {"y": 2}, "c": 3}));
    assert_eq!(answer.announced_id(), id);
    assert_eq!(browser.get("/api/me").await.body["payload"], json!({"b": {"y": 2}, "c": 3}));
}

#[tokio::test]
async fn the_very_first_request_may_update() {
    let mut browser = App::new().await.browser();
    let answer = browser.post_json("/api/cart", json!({"a": 1})).await;
    assert_eq!(answer.set_cookies().len(), 1);
    assert_eq!(browser.get("/api/me").await.body["id"], answer.announced_id());
}

#[tokio::test]
async fn rule_3_what_no_cookie_can_hold_is_refused_with_the_limit_named() {
    let app = App::new().await;
    let mut browser = app.browser();
    let before = browser.id().await;
    let answer = browser.post_json("/api/cart", json!({"cart": "x".repeat(4000)})).await;
    assert_eq!(answer.status, 400);
    assert!(answer.message().contains("4096"), "{}", answer.message());
    assert!(answer.is_silent());
    assert_eq!(browser.id().await, before);

    let answer =
        browser.post_json("/api/login?user=alice", json!({"cart": "x".repeat(4000)})).await;
    assert_eq!(answer.status, 400);
    assert!(
        app.sessions.session_handles_of_user("alice").await.unwrap().is_empty(),
        "what cannot be sent is not stored"
    );
    assert_eq!(browser.id().await, before);

    let handle = browser.login("alice").await.body["handle"].as_str().unwrap().to_owned();
    assert_eq!(
        browser.post_json("/api/merge", json!({"cart": "x".repeat(4000)})).await.status,
        400
    );
    assert!(
        app.sessions
            .merge_into_access_token_payload(&handle, &map(json!({"cart": "x".repeat(4000)})))
            .await
            .is_err()
    );
    assert!(app.sessions.session_information(&handle).await.unwrap().unwrap().payload.is_empty());
}

/// A value nested so deep.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!(1), |inner, _| json!([inner]))
}

#[tokio::test]
async fn a_payload_nested_too_deep_to_be_read_again_is_refused() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let handle = browser.login("alice").await.body["handle"].as_str().unwrap().to_owned();
    for levels in [MAX_DEPTH + 1, 200, 900] {
        let deep = map(json!({ "deep": nested(levels) }));
        let merged = app.sessions.merge_into_access_token_payload(&handle, &deep).await;
        assert!(
            matches!(merged, Err(EngineError::Payload(PayloadError::TooDeep))),
            "{levels}: {merged:?}"
        );
        let updated = app.sessions.update_session_data(&handle, |data| *data = deep.clone()).await;
        assert!(
            matches!(updated, Err(EngineError::Payload(PayloadError::TooDeep))),
            "{levels}: {updated:?}"
        );
    }
    assert_eq!(app.sessions.session_data(&handle).await.unwrap(), Some(Map::new()));
    let deepest = map(json!({ "deep": nested(MAX_DEPTH) }));
    assert!(app.sessions.merge_into_access_token_payload(&handle, &deepest).await.unwrap());
    assert!(
        app.sessions
            .update_session_data(&handle, |data| *data = deepest.clone())
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(browser.refresh().await.status, 200);
    assert_eq!(browser.get("/api/me").await.body["payload"], Value::Object(deepest.clone()));
    assert_eq!(app.sessions.session_data(&handle).await.unwrap(), Some(deepest));

    let mut visitor = app.browser();
    visitor.get("/api/me").await;
    assert_eq!(
        visitor.post_json("/api/cart", json!({ "deep": nested(MAX_DEPTH + 1) })).await.status,
        400
    );
    assert_eq!(
        visitor.post_json("/api/cart", json!({ "deep": nested(MAX_DEPTH) })).await.status,
        200
    );
    assert_eq!(visitor.get("/api/me").await.body["payload"]["deep"], nested(MAX_DEPTH));
    assert_eq!(browser.id().await, id);
}

#[tokio::test]
async fn the_largest_payload_that_is_accepted_fits_every_cookie() {
    // With the longest signatures that there are.
    let app =
        App::in_new_database(|builder| builder.anonymous_algorithm(KeyAlgorithm::Rs256)).await;
    let mut browser = app.browser();
    browser.get("/api/me").await;
    let (mut fits, mut too_large) = (0_usize, 4096_usize);
    while too_large - fits > 1 {
        let middle = fits.midpoint(too_large);
        let accepted =
            browser.post_json("/api/cart", json!({"x": "y".repeat(middle)})).await.status == 200;
        *(if accepted { &mut fits } else { &mut too_large }) = middle;
    }
    let answer = browser.post_json("/api/cart", json!({"x": "y".repeat(fits)})).await;
    let pair = answer.set_cookie("sAnonymousToken").unwrap().split(';').next().unwrap();
    assert!(pair.len() <= 4096 && pair.len() > 4000, "{}", pair.len());
    assert!(
        "sAnonymousFrontToken=".len() + answer.text("st-anonymous-front-token").unwrap().len()
            <= 4096
    );
}

#[tokio::test]
async fn a_merge_needs_a_living_session() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    assert_eq!(browser.post_json("/api/merge", json!({"a": 1})).await.message(), "unauthorised");
    let handle = browser.login("alice").await.body["handle"].as_str().unwrap().to_owned();
    assert_eq!(
        browser.post_json("/api/cart", json!({"a": 1})).await.message(),
        "unauthorised",
        "not anonymous any more"
    );
    app.sessions.revoke_session(&handle).await.unwrap();
    assert!(
        !app.sessions
            .merge_into_access_token_payload(&handle, &map(json!({"a": 1})))
            .await
            .unwrap()
    );
    let answer = browser.post_json("/api/merge", json!({"a": 1})).await;
    answer.assert_demoted_by_app("unauthorised");
    assert_eq!(answer.announced_id(), id);
}

#[tokio::test]
async fn session_data_stays_on_the_server() {
    let app = App::new().await;
    let mut browser = app.browser();
    assert_eq!(browser.get("/api/data").await.message(), "unauthorised");
    let handle = browser.login("alice").await.body["handle"].as_str().unwrap().to_owned();
    assert_eq!(browser.get("/api/data").await.body, json!({}));
    let answer =
        browser.post_json("/api/data", json!({"secret": "x".repeat(10_000), "visits": 1})).await;
    assert_eq!(answer.body["visits"], 1);
    assert!(answer.is_silent(), "no token changes");
    assert!(!browser.refresh().await.front_token().up.contains_key("secret"));
    assert_eq!(browser.get("/api/data").await.body["visits"], 1);

    let mut count = |data: &mut Map<String, Value>| {
        data.remove("secret");
        data.insert("visits".into(), (data["visits"].as_u64().unwrap() + 1).into());
    };
    let changed = app.sessions.update_session_data(&handle, &mut count).await.unwrap();
    assert_eq!(changed, Some(map(json!({"visits": 2}))));
    assert_eq!(app.sessions.session_data(&handle).await.unwrap(), changed);
    assert_eq!(
        browser.get("/api/me").await.body["payload"],
        json!({}),
        "and apart from the payload"
    );

    app.sessions.revoke_session(&handle).await.unwrap();
    assert_eq!(app.sessions.session_data(&handle).await.unwrap(), None);
    assert_eq!(app.sessions.update_session_data(&handle, &mut count).await.unwrap(), None);
    browser.get("/api/data").await.assert_demoted_by_app("unauthorised");
}

#[tokio::test]
async fn exposed_headers_of_the_app_stay_and_its_caching_does_not() {
    let answer = App::new().await.browser().get("/api/exposing").await;
    assert_eq!(answer.text("cache-control"), Some("no-store"));
    assert_eq!(
        answer.text("access-control-expose-headers"),
        Some("x-count, x-st-anonymous-front-token, st-anonymous-front-token")
    );
    answer.announced_id();
}

/// A payload that fits at sign-in or at a change must fit at each refresh after that, whose token
/// is longer.
#[tokio::test]
async fn a_payload_that_was_accepted_can_be_refreshed() {
    for anti_csrf in [AntiCsrf::None, AntiCsrf::ViaToken] {
        let app = App::with(|builder| builder.anti_csrf(anti_csrf)).await;
        let mut accepted = 0;
        for length in (2100..2450).step_by(5) {
            let (payload, mut browser, mut merged) =
                (json!({ "a": "x".repeat(length) }), app.browser(), app.browser());
            let signed_in = browser.post_json("/api/login?user=alice", payload.clone()).await;
            let other = merged.login("carol").await;
            browser = browser.header("anti-csrf", signed_in.text("anti-csrf").unwrap_or_default());
            merged = merged.header("anti-csrf", other.text("anti-csrf").unwrap_or_default());
            let changed = merged.post_json("/api/merge", payload).await;
            assert_eq!(signed_in.status == 200, changed.status == 200, "{length}");
            if signed_in.status != 200 {
                assert_eq!(
                    (signed_in.status.as_u16(), changed.status.as_u16()),
                    (400, 400),
                    "{length}"
                );
                continue;
            }
            accepted += 1;
            for browser in [&mut browser, &mut merged] {
                assert_eq!(browser.refresh().await.status, 200, "{length}, {anti_csrf:?}");
            }
        }
        assert!(accepted > 10);
    }
}

#[tokio::test]
async fn an_app_may_allow_less_and_what_there_was_before_stays_good() {
    let roomy = App::new().await;
    let (mut guest, mut alice) = (roomy.browser(), roomy.browser_of("alice").await);
    let large = |length: usize| json!({ "cart": "x".repeat(length) });
    assert_eq!(guest.post_json("/api/cart", large(1000)).await.status, 200);
    assert_eq!(alice.post_json("/api/merge", large(1000)).await.status, 200);

    let app = roomy.restarted(|builder| builder.max_payload(600)).await;
    let (mut guest, mut alice) = (guest.moved_to(&app), alice.moved_to(&app));
    assert_eq!(guest.get("/api/me").await.body["payload"], large(1000));
    assert_eq!(alice.refresh().await.status, 200);
    assert_eq!(alice.get("/api/user").await.status, 200);
    for refused in [
        guest.post_json("/api/cart", large(600)).await,
        alice.post_json("/api/merge", large(600)).await,
    ] {
        assert_eq!(refused.status, 400);
        assert!(refused.is_silent(), "the session goes on as it was");
        assert!(
            refused.message().contains("takes 611 bytes")
                && refused.message().contains("allows 600"),
            "{}",
            refused.message()
        );
    }
    // `{"cart":"…"}` is 11 bytes around the text.
    assert_eq!(guest.post_json("/api/cart", large(589)).await.status, 200);
    assert_eq!(alice.post_json("/api/merge", large(589)).await.status, 200);
    assert_eq!(app.browser().post_json("/api/login?user=bob", large(600)).await.status, 400);
}

/// The promises that the documentation of `max_payload` makes for nginx with its defaults, and for
/// an 8 kB limit on a request's cookies.
#[tokio::test]
async fn the_recommended_limits_keep_heads_small() {
    let head = |answer: &crate::app::Answer| -> usize {
        answer
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
            .sum()
    };
    for (limit, most_of_a_response, most_of_a_request) in [(500, 3900, 8000), (1800, 12_000, 8000)]
    {
        let app = App::with(|builder| builder.max_payload(limit)).await;
        let payload = json!({ "cart": "x".repeat(limit - 11) });
        let mut browser = app.browser();
        let guest = browser.post_json("/api/cart", payload.clone()).await;
        assert!(head(&guest) < most_of_a_response, "{}", head(&guest));
        browser.login("alice").await;
        let merged = browser.post_json("/api/merge", payload).await;
        assert_eq!(merged.status, 200);
        let refreshed = browser.refresh().await;
        assert!(head(&refreshed) < most_of_a_response, "{}", head(&refreshed));
        // The cookies that the SDK writes besides.
        let front = refreshed.text("front-token").unwrap().len() + "; sFrontToken=".len();
        let cookies: usize = browser
            .cookies
            .iter()
            .map(|(name, (value, _))| name.len() + value.len() + "; =".len())
            .sum();
        assert!(cookies + front < most_of_a_request, "{}", cookies + front);
    }
}

#[tokio::test]
async fn a_value_is_kept_in_whichever_session_there_is_and_read_as_a_type() {
    let mut browser = App::new().await.browser();
    browser.id().await;
    for sign_in in [false, true] {
        if sign_in {
            browser.login("alice").await;
        }
        assert_eq!(
            browser.post_json("/api/set", json!({"plants": ["fern"], "count": 2})).await.status,
            200
        );
        let answer = browser.get("/api/cart").await;
        assert_eq!(answer.body, json!({"plants": ["fern"], "count": 2}), "signed in: {sign_in}");
        assert_eq!(browser.post_json("/api/set", json!(null)).await.status, 200);
        assert_eq!(browser.get("/api/cart").await.body, json!(null), "removed");
        // A value of another type is an error, and not a missing one.
        assert_eq!(browser.post_json("/api/set", json!("no cart")).await.status, 200);
        assert_eq!(browser.get("/api/cart").await.status, 418);
    }
}
