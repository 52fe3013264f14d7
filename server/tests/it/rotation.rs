//! Rotation by promotion at first use, and theft.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{App, REFRESH, SIGN_OUT};

const AFTER_THE_GRACE: Duration = Duration::from_secs(31);

#[tokio::test]
async fn refresh_hands_out_a_child_that_its_first_use_promotes() {
    let mut browser = App::new().await.browser();
    browser.login("alice").await;
    let refreshed = browser.refresh().await;
    assert_eq!((refreshed.status.as_u16(), &refreshed.body), (200, &json!({})));
    assert!(
        refreshed.set_cookie("sAccessToken").is_some()
            && refreshed.set_cookie("sRefreshToken").is_some()
    );
    assert!(refreshed.front_token().up["parentRefreshTokenHash1"].is_string());

    let used = browser.get("/api/plain").await;
    let up = used.front_token().up;
    assert_eq!(up["parentRefreshTokenHash1"], Value::Null);
    assert_eq!(up["refreshTokenHash1"], refreshed.front_token().up["refreshTokenHash1"]);
    assert!(used.set_cookie("sAccessToken").is_some());
    assert!(used.set_cookie("sRefreshToken").is_none());
    assert!(browser.get("/api/plain").await.is_silent(), "promoted once");
}

#[tokio::test]
async fn a_lost_answer_is_harmless() {
    let mut browser = App::new().await.browser();
    browser.login("alice").await;
    for _ in 0..3 {
        let before = browser.clone();
        assert_eq!(browser.refresh().await.status, 200);
        browser = before;
    }
    assert_eq!(browser.refresh().await.status, 200);
    assert_eq!(
        browser.refresh().await.status,
        200,
        "a child that was never used otherwise promotes itself"
    );
    assert_eq!(browser.get("/api/user").await.body, "alice");
}

#[tokio::test]
async fn a_clock_that_was_ahead_and_is_set_right_ends_nothing() {
    let app = App::new().await;
    let mut alice = app.browser();
    let id = alice.id().await;
    alice.login("alice").await;
    // A day, within the life of sessions and keys; and a year, after which there are new keys, too.
    for hours in [24, 24 * 365] {
        app.wait(Duration::from_secs(hours * 3600));
        let (mut bob, mut visitor) = (app.browser_of("bob").await, app.browser());
        let visitors_id = visitor.id().await;
        if hours == 24 {
            assert_eq!(alice.refresh().await.status, 200);
            assert_eq!(alice.get("/api/user").await.body, "alice");
        }
        app.set_clock_back();
        assert_eq!(bob.get("/api/user").await.body, "bob", "{hours} hours: issued in the future");
        assert_eq!(bob.refresh().await.status, 200, "{hours} hours");
        assert_eq!(bob.get("/api/fresh").await.body, "bob", "{hours} hours");
        assert_eq!(visitor.id().await, visitors_id, "{hours} hours");
        if hours == 24 {
            assert_eq!(alice.refresh().await.status, 200);
            assert_eq!(alice.get("/api/fresh").await.body, "alice");
        }
    }
    // In that year her session ran out, and Bob's login swept it away. Her former id is signed, and
    // stored nowhere.
    alice.refresh().await.assert_demoted("unauthorised");
    assert_eq!(alice.id().await, id);
}

#[tokio::test]
async fn the_body_of_a_refresh_is_not_read() {
    let app = App::new().await;
    let mut browser = app.browser_of("alice").await;
    for content_type in ["text/xml", "application/x-www-form-urlencoded", "nonsense"] {
        browser = browser.header("content-type", content_type);
        assert_eq!(
            browser.post_json(REFRESH, json!("<not json>")).await.status,
            200,
            "{content_type}"
        );
    }
    assert_eq!(browser.post_json(SIGN_OUT, json!("{")).await.status, 200);
}

#[tokio::test]
async fn the_parent_after_its_child_was_used_is_theft() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let handle = browser.login("alice").await.body["handle"].as_str().unwrap().to_owned();
    let mut thief = browser.clone();
    assert_eq!(browser.refresh().await.status, 200);
    assert_eq!(browser.get("/api/user").await.status, 200);

    app.wait(AFTER_THE_GRACE);
    let answer = thief.refresh().await;
    answer.assert_demoted("token theft detected");
    assert_eq!(answer.announced_id(), id);
    assert!(
        app.sessions.session_information(&handle).await.unwrap().is_none(),
        "the session has been ended"
    );

    let answer = browser.refresh().await;
    answer.assert_demoted("unauthorised");
    assert_eq!(answer.announced_id(), id);
}

/// A tab on a bad network, and another one that goes on meanwhile: whichever answer arrives last,
/// the session goes on, also tomorrow.
#[tokio::test]
async fn a_slow_answer_is_harmless() {
    for first_use in [Duration::ZERO, Duration::from_secs(3000), Duration::from_secs(24 * 3600)] {
        let app = App::new().await;
        let mut quick = app.browser_of("alice").await;
        let mut slow = quick.clone();
        assert_eq!(slow.refresh().await.status, 200);
        app.wait(Duration::from_secs(13));
        assert_eq!(quick.refresh().await.status, 200);
        assert_eq!(quick.get("/api/user").await.status, 200);
        // The slow answer's cookies are over the others now.
        app.wait(first_use);
        if first_use < Duration::from_secs(3600) {
            let answer = slow.get("/api/user").await;
            // The browser may hold the refresh token of another answer, so its access token takes
            // no other's place.
            assert_eq!(
                (answer.status.as_u16(), answer.text("front-token")),
                (200, None),
                "{first_use:?}"
            );
        }
        for _ in 0..3 {
            assert_eq!(slow.refresh().await.status, 200, "{first_use:?}");
            assert_eq!(slow.get("/api/fresh").await.body, "alice", "{first_use:?}");
            app.wait(Duration::from_secs(4000));
        }
    }
}

/// A call that was on its way for long: its token was replaced when it arrived.
#[tokio::test]
async fn a_slow_call_is_harmless() {
    let app = App::new().await;
    let mut quick = app.browser_of("alice").await;
    let mut slow = quick.clone();
    assert_eq!(quick.refresh().await.status, 200);
    assert_eq!(quick.get("/api/user").await.status, 200);
    app.wait(Duration::from_secs(20));
    assert_eq!(slow.refresh().await.status, 200);
    app.wait(Duration::from_secs(1800));
    for _ in 0..2 {
        assert_eq!(slow.get("/api/user").await.body, "alice");
        assert_eq!(slow.refresh().await.status, 200);
    }
}

#[tokio::test]
async fn without_a_grace_the_parent_and_its_other_children_are_theft_at_once() {
    let app = App::with(|builder| builder.refresh_grace(Duration::ZERO)).await;
    for with_child in [false, true] {
        let mut browser = app.browser_of("alice").await;
        let mut other = browser.clone();
        assert_eq!(browser.refresh().await.status, 200);
        if with_child {
            assert_eq!(other.refresh().await.status, 200);
        }
        assert_eq!(browser.get("/api/user").await.status, 200);
        other.refresh().await.assert_demoted("token theft detected");
    }
}

#[tokio::test]
async fn a_sibling_of_the_promoted_child_that_was_made_long_before_is_theft() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.login("alice").await;
    let mut other = browser.clone();
    assert_eq!(other.refresh().await.status, 200);
    app.wait(AFTER_THE_GRACE);
    assert_eq!(browser.refresh().await.status, 200);
    assert_eq!(browser.get("/api/user").await.status, 200);
    assert_eq!(other.get("/api/user").await.status, 200, "its access token stays good");
    assert!(other.get("/api/user").await.is_silent());
    other.refresh().await.assert_demoted("token theft detected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_refreshes_of_one_token_at_once_are_no_theft() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.login("alice").await;
    let mut parent = browser.clone();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let mut browser = browser.clone();
            tokio::spawn(async move {
                assert_eq!(browser.refresh().await.status, 200);
                browser
            })
        })
        .collect();
    let mut winners = Vec::new();
    for call in calls {
        winners.push(call.await.unwrap());
    }
    assert_eq!(app.sessions.session_handles_of_user("alice").await.unwrap().len(), 1);
    let mut winner = winners.pop().unwrap();
    let uses: Vec<_> = (0..20)
        .map(|_| {
            let mut winner = winner.clone();
            tokio::spawn(async move { winner.get("/api/user").await.status })
        })
        .collect();
    for used in uses {
        assert_eq!(used.await.unwrap(), 200);
    }
    assert_eq!(winner.get("/api/user").await.status, 200);
    assert_eq!(winner.refresh().await.status, 200);
    assert_eq!(app.sessions.session_handles_of_user("alice").await.unwrap().len(), 1);
    // One of the twenty answers that arrived last is as good; their parent is not, once it is out
    // of the grace.
    assert_eq!(winners[0].refresh().await.status, 200);
    app.wait(AFTER_THE_GRACE);
    parent.refresh().await.assert_demoted("token theft detected");
}

#[tokio::test]
async fn promotion_extends_the_session() {
    let app = App::with(|builder| builder.refresh_token_validity(Duration::from_secs(1000))).await;
    let mut browser = app.browser();
    browser.login("alice").await;
    for _ in 0..5 {
        app.wait(Duration::from_secs(900));
        assert_eq!(browser.refresh().await.status, 200);
        assert_eq!(browser.get("/api/user").await.status, 200);
    }
    app.wait(Duration::from_secs(1001));
    browser.refresh().await.assert_demoted("unauthorised");
}

#[tokio::test]
async fn a_session_revoked_before_promotion_ends_at_its_first_use() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    browser.refresh().await;
    app.sessions.revoke_all_sessions_of_user("alice").await.unwrap();
    assert!(browser.clone().get("/api/plain").await.is_silent(), "who does not ask is not told");
    let answer = browser.get("/api/user").await;
    answer.assert_demoted_by_app("unauthorised");
    assert_eq!(answer.announced_id(), id);
}

#[tokio::test]
async fn refreshing_shows_what_was_merged_by_handle() {
    let app = App::new().await;
    let mut browser = app.browser();
    let handle = browser.login("alice").await.body["handle"].as_str().unwrap().to_owned();
    let update = crate::app::map(json!({"role": "admin"}));
    assert!(app.sessions.merge_into_access_token_payload(&handle, &update).await.unwrap());
    assert_eq!(browser.get("/api/me").await.body["payload"], json!({}));
    assert_eq!(browser.refresh().await.front_token().up["role"], "admin");
    assert_eq!(browser.get("/api/me").await.body["payload"], json!({"role": "admin"}));
}

#[tokio::test]
async fn garbage_is_refused_calmly() {
    let app = App::new().await;
    for garbage in ["x", "a.b.V2", "%00", "a.b.c.d.V2", &"x".repeat(100_000)] {
        let mut browser = app.browser();
        let id = browser.id().await;
        browser.set_cookie("sRefreshToken", garbage);
        let answer = browser.refresh().await;
        answer.assert_demoted("unauthorised");
        assert_eq!(answer.announced_id(), id);
    }
}

#[tokio::test]
async fn an_access_token_does_not_refresh_and_a_refresh_token_does_not_open() {
    let mut browser = App::new().await.browser();
    browser.login("alice").await;
    let (access, refresh) = (
        browser.cookie("sAccessToken").unwrap().to_owned(),
        browser.cookie("sRefreshToken").unwrap().to_owned(),
    );
    let mut swapped = browser.clone();
    swapped.set_cookie("sRefreshToken", &access);
    swapped.refresh().await.assert_demoted("unauthorised");
    let mut swapped = browser.clone();
    swapped.set_cookie("sAccessToken", &refresh);
    assert_eq!(swapped.get("/api/user").await.message(), "unauthorised");
}
