//! Answers that arrive late, and requests that were under way: what they bring into the browser's
//! jar, and what becomes of it. The SDK's part is elsewhere; here is what the server does with a
//! jar that holds tokens of two sessions.

use std::time::Duration;

use axum::{Router, routing::post};
use passerby_server::{AfterSignOut, CheckedUser, SessionRejection, Visitor};
use serde_json::json;

use crate::app::{App, Browser, FORGET, REFRESH, SIGN_OUT};

const USER_COOKIES: [&str; 2] = ["sAccessToken", "sRefreshToken"];

/// A guest with a cart, whose hooks carry it over.
async fn app_and_guest() -> (App, Browser, String) {
    let app = App::with(|builder| {
        builder.on_sign_in(|old, _| async move { Ok::<_, std::io::Error>(old.payload().clone()) })
    })
    .await;
    let mut guest = app.browser();
    let id = guest.id().await;
    guest.post_json("/api/cart", json!({ "cart": ["tea"] })).await;
    (app, guest, id)
}

/// Cookies that an answer set, in another browser state.
fn arrives(late: &Browser, browser: &mut Browser, names: &[&str]) {
    for name in names {
        let cookie = late.cookies[*name].clone();
        browser.cookies.insert((*name).to_owned(), cookie);
    }
}

#[tokio::test]
async fn a_refusal_clears_what_its_request_presented_and_nothing_else() {
    let app = App::new().await;
    let (mut ada, mut guest) = (app.browser_of("ada").await, app.browser());
    guest.id().await;
    app.sessions.revoke_all_sessions_of_user("ada").await.unwrap();
    for (browser, presents) in [(&mut guest, false), (&mut ada, true)] {
        let refused = browser.refresh().await;
        refused.assert_demoted("unauthorised");
        assert_eq!(refused.set_cookie("sAccessToken").is_some(), presents);
    }
    let out = app.browser_of("bob").await.post(SIGN_OUT).await;
    assert!(out.cleared("sAccessToken") && out.cleared("sRefreshToken"));
    assert_eq!(out.text("st-access-token"), None, "it presented none");
    let mut header = app.browser().header("st-auth-mode", "header");
    let login = header.login("bob").await;
    let bearer = format!("Bearer {}", login.text("st-access-token").unwrap());
    let out = header.header("authorization", &bearer).post(SIGN_OUT).await;
    assert_eq!((out.text("st-access-token"), out.text("st-refresh-token")), (Some(""), Some("")));
    assert!(out.set_cookie("sAccessToken").is_none(), "it presented none");
}

/// A refresh that was answered after the sign-out puts the ended session's cookies back.
#[tokio::test]
async fn a_public_route_answers_an_ended_session_as_a_guest() {
    let (app, guest, id) = app_and_guest().await;
    for path in ["/api/maybe", "/api/me"] {
        let mut browser = guest.clone();
        browser.login("ada").await;
        let mut late = browser.clone();
        late.refresh().await;
        assert_eq!(browser.post(SIGN_OUT).await.status, 200);
        arrives(&late, &mut browser, &USER_COOKIES);
        let answer = browser.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["kind"]),
            (200, &json!("anonymous")),
            "{path}"
        );
        assert_eq!(answer.body["id"], id.as_str());
        assert_eq!(answer.text("front-token"), Some("remove"));
        assert!(answer.cleared("sAccessToken") && answer.announced_id() == id);
        assert_eq!(browser.get("/api/me").await.body["kind"], "anonymous");
        assert!(browser.get("/api/maybe").await.is_silent());
    }
    let _ = app;
}

/// A guest keeps what they had at sign-out: it is newer than the session that came back.
#[tokio::test]
async fn data_of_the_guest_after_the_sign_out_survives_a_late_refresh() {
    let (app, mut browser, id) = app_and_guest().await;
    browser.login("ada").await;
    let mut late = browser.clone();
    late.refresh().await;
    app.wait(Duration::from_secs(3));
    browser.post(SIGN_OUT).await;
    browser.post_json("/api/cart", json!({ "cart": ["soap"] })).await;
    arrives(&late, &mut browser, &USER_COOKIES);
    let answer = browser.get("/api/me").await;
    assert_eq!(
        (&answer.body["id"], &answer.body["payload"]["cart"]),
        (&json!(id), &json!(["soap"]))
    );
}

/// Ada's refresh was under way when Bob signed in; its answer brings her tokens back.
#[tokio::test]
async fn a_sign_in_over_another_user_ends_that_session() {
    let app = App::new().await;
    for expired in [false, true] {
        let mut browser = app.browser_of("ada").await;
        let mut late = browser.clone();
        late.refresh().await;
        if expired {
            app.wait(Duration::from_secs(2 * 3600));
        }
        browser.login("bob").await;
        assert!(
            app.sessions.session_handles_of_user("ada").await.unwrap().is_empty(),
            "expired: {expired}"
        );
        arrives(&late, &mut browser, &USER_COOKIES);
        assert_ne!(browser.get("/api/maybe").await.body["user"], "ada", "expired: {expired}");
        browser.refresh().await.assert_demoted("unauthorised");
    }
    // A user who signs in again on the same device keeps the other session until it expires: it may
    // be another tab's.
    let mut browser = app.browser_of("carol").await;
    browser.login("carol").await;
    assert_eq!(app.sessions.session_handles_of_user("carol").await.unwrap().len(), 2);
}

/// A guest's answer arrives after the sign-in, and brings the guest's cookie back beside the user
/// session.
#[tokio::test]
async fn a_guests_late_cookie_beside_a_user_session_is_left_and_its_cart_counts_no_more() {
    let (app, guest, id) = app_and_guest().await;
    let mut browser = guest.clone();
    assert_eq!(browser.login("ada").await.front_token().up["cart"], json!(["tea"]));
    arrives(&guest, &mut browser, &["sAnonymousToken"]);
    let answer = browser.get("/api/user").await;
    assert_eq!(answer.body, "ada");
    // An answer that removed it could come after the one to a sign-out, and take the visitor's new
    // cookie away.
    assert!(answer.is_silent());

    // Nothing was asked in between: the session ends, and the old cart is not there again.
    for way in ["refresh", "sign-out", "fresh"] {
        let mut browser = guest.clone();
        browser.login("ada").await;
        arrives(&guest, &mut browser, &["sAnonymousToken"]);
        if way != "sign-out" {
            app.sessions.revoke_all_sessions_of_user("ada").await.unwrap();
        }
        let answer = match way {
            "refresh" => browser.refresh().await,
            "sign-out" => browser.post(SIGN_OUT).await,
            _ => browser.get("/api/fresh").await,
        };
        assert_eq!(answer.announced_id(), id, "{way}");
        assert!(!answer.anonymous_front_token().up.contains_key("cart"), "{way}");
        assert!(
            !browser.login("ada").await.front_token().up.contains_key("cart"),
            "{way}: carried over once"
        );
    }
}

/// The key of all anonymous tokens is gone, as after a theft: a burst of requests gets one new id.
#[tokio::test]
async fn a_burst_with_a_token_that_nobody_can_verify_gets_one_new_id() {
    let app = App::new().await;
    let (mut visitor, mut other) = (app.browser(), app.browser());
    let (old, of_other) = (visitor.id().await, other.id().await);
    let elsewhere = App::with(|builder| builder.api_base_path("/elsewhere")).await;
    let database =
        sqlx::SqlitePool::connect(&format!("sqlite:{}", app.database().display())).await.unwrap();
    let deleted =
        sqlx::query("DELETE FROM keys WHERE kind = 'static'").execute(&database).await.unwrap();
    assert!(deleted.rows_affected() > 0);
    let app = app.restarted(|builder| builder).await;
    let (visitor, other) = (visitor.moved_to(&app), other.moved_to(&app));
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(visitor.clone().get("/api/me").await.announced_id());
        ids.push(visitor.clone().refresh().await.announced_id());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert!(![&old, &of_other].contains(&&ids[0]));
    assert_ne!(
        other.clone().get("/api/me").await.announced_id(),
        ids[0],
        "each visitor has another"
    );
    // Nobody can tell the id outside: another server makes another of the same token.
    assert_ne!(visitor.moved_to(&elsewhere).get("/api/me").await.announced_id(), ids[0]);
    // Nor does it come back later.
    app.wait(Duration::from_secs(24 * 3600));
    assert_ne!(visitor.clone().get("/api/me").await.announced_id(), ids[0]);
    // A visitor whose token is not ours at all gets a random id, and so does one whose token has
    // the name that any host of the site can use.
    let mut garbage = app.browser();
    garbage.set_cookie("sAnonymousToken", "garbage");
    assert_ne!(
        garbage.clone().get("/api/me").await.announced_id(),
        garbage.clone().get("/api/me").await.announced_id()
    );
    let mut planted = app.browser();
    planted.set_cookie("__Host-sAnonymousToken", visitor.cookie("sAnonymousToken").unwrap());
    assert_ne!(
        planted.clone().get("/api/me").await.announced_id(),
        planted.clone().get("/api/me").await.announced_id()
    );
}

/// The browser may have kept another session since the sign-out was wanted, or hold the cookies of
/// one of two logins that crossed.
#[tokio::test]
async fn a_sign_out_that_names_a_session_ends_no_other_and_leaves_its_cookies() {
    let app = App::new().await;
    let mut grace = app.browser_of("grace").await;
    let handle = app.sessions.session_handles_of_user("grace").await.unwrap().pop().unwrap();
    let names = |handle: &str| format!("*/*, application/vnd.passerby;key={handle}");

    let answer = grace.clone().header("accept", &names("of-ada")).post(SIGN_OUT).await;
    assert_eq!(
        (answer.status.as_u16(), answer.message()),
        (401, "try refresh token"),
        "a refresh tells whose cookies they are"
    );
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    assert_eq!(answer.text("front-token"), None);
    assert_eq!(grace.get("/api/fresh").await.body, "grace");

    let answer = grace.clone().header("accept", &names(&handle)).post(SIGN_OUT).await;
    assert_eq!(answer.status, 200);
    assert!(answer.cleared("sAccessToken") && answer.cleared("sRefreshToken"));
    assert!(app.sessions.session_handles_of_user("grace").await.unwrap().is_empty());
}

/// A sign-out that was under way while the id was forgotten names the record's id.
#[tokio::test]
async fn a_sign_out_with_an_older_token_does_not_bring_a_forgotten_id_back() {
    let app = App::new().await;
    let mut browser = app.browser();
    let forgotten = browser.id().await;
    browser.login("ada").await;
    let mut under_way = browser.clone();
    let new =
        browser.post(FORGET).await.front_token().up["anonymousId"].as_str().unwrap().to_owned();
    assert_ne!(new, forgotten);
    assert_eq!(under_way.post(SIGN_OUT).await.announced_id(), new);
    // The same where the session has run out, and its record still tells.
    let mut browser = app.browser();
    browser.login("ada").await;
    let mut lost = browser.clone();
    let new =
        browser.post(FORGET).await.front_token().up["anonymousId"].as_str().unwrap().to_owned();
    app.wait(Duration::from_secs(101 * 24 * 3600));
    assert_eq!(lost.refresh().await.announced_id(), new);
}

/// The answer to the forgetting is lost, and the session is revoked: its record tells nothing any
/// more, and the browser's tokens name the forgotten id.
#[tokio::test]
async fn no_token_of_before_brings_a_forgotten_id_back_when_the_session_is_gone() {
    let app = App::new().await;
    for (name, path) in [
        ("refused refresh", REFRESH),
        ("sign-out", SIGN_OUT),
        ("a route that asks the database", "/api/fresh"),
        ("forgetting again", FORGET),
    ] {
        let mut browser = app.browser();
        let forgotten = browser.id().await;
        browser.login("ada").await;
        let mut lost = browser.clone();
        let next = browser.post(FORGET).await.front_token().up["anonymousId"].clone();
        app.sessions.revoke_all_sessions_of_user("ada").await.unwrap();
        let answer =
            if path == "/api/fresh" { lost.get(path).await } else { lost.post(path).await };
        let id = answer.announced_id();
        assert_ne!(id, forgotten, "{name}");
        assert_ne!(next, id, "{name}: nothing links the ids");
        assert_eq!(lost.id().await, id, "{name}: it stays");
    }
    // Signing in needs no refresh before.
    let mut browser = app.browser();
    let forgotten = browser.id().await;
    browser.login("ada").await;
    let mut lost = browser.clone();
    browser.post(FORGET).await;
    app.wait(Duration::from_secs(2 * 3600));
    lost.login("ada").await;
    assert_ne!(lost.id().await, forgotten);
}

/// An answer of the app that ends a session leaves the refresh cookie. A guest who is forgotten
/// after that leaves it behind, too.
#[tokio::test]
async fn a_refresh_cookie_that_outlived_its_session_brings_no_forgotten_id_back() {
    let (plain, over_domains) = (
        App::new().await,
        App::with(|builder| {
            builder.api_domain("https://api.example.com").cookie_domain("example.com")
        })
        .await,
    );
    let in_one_request = Router::new()
        .route(
            "/api/leave",
            post(|visitor: Visitor, _: Result<CheckedUser, SessionRejection>| async move {
                visitor.forget_anonymous_id().await
            }),
        )
        .layer(plain.sessions.layer());
    for (name, app) in [("plain", &plain), ("domain", &over_domains), ("in one request", &plain)] {
        let mut browser = app.browser();
        let forgotten = browser.id().await;
        browser.login("ada").await;
        app.sessions.revoke_all_sessions_of_user("ada").await.unwrap();
        let new = if name == "in one request" {
            let mut elsewhere = browser.routed_to(in_one_request.clone());
            let answer = elsewhere.post("/api/leave").await;
            browser.cookies = elsewhere.cookies;
            answer
        } else {
            browser.get("/api/fresh").await.assert_demoted_by_app("unauthorised");
            assert!(browser.cookie("sRefreshToken").is_some(), "{name}: the test itself works");
            browser.post(FORGET).await
        };
        assert_eq!(new.status, 200, "{name}");
        let new = new.announced_id();
        assert_ne!(new, forgotten, "{name}");
        assert_eq!(browser.refresh().await.announced_id(), new, "{name}");
        assert_eq!(browser.id().await, new, "{name}");
    }
}

/// One answer tells the outcome, whatever the app's route did before.
#[tokio::test]
async fn several_changes_in_one_request_leave_the_last_one() {
    let app = App::new().await;
    let routes = Router::new()
        .route(
            "/api/out-twice",
            post(|visitor: Visitor| async move {
                visitor.sign_out().await?;
                visitor.sign_out().await
            }),
        )
        .route(
            "/api/out-and-in",
            post(|visitor: Visitor| async move {
                visitor.sign_out().await?;
                visitor.sign_in("bob").await.map(drop)
            }),
        )
        .route(
            "/api/ended-and-in",
            post(|visitor: Visitor, _: Result<CheckedUser, SessionRejection>| async move {
                visitor.sign_in("bob").await.map(drop)
            }),
        )
        .layer(app.sessions.layer());
    for path in ["/api/out-twice", "/api/out-and-in", "/api/ended-and-in"] {
        let mut browser = app.browser();
        let id = browser.id().await;
        browser.login("ada").await;
        if path == "/api/ended-and-in" {
            app.sessions.revoke_all_sessions_of_user("ada").await.unwrap();
        }
        let mut there = browser.routed_to(routes.clone());
        let answer = there.post(path).await;
        let mut browser = there.moved_to(&app);
        assert!(app.sessions.session_handles_of_user("ada").await.unwrap().is_empty(), "{path}");
        if path == "/api/out-twice" {
            assert_eq!((answer.status.as_u16(), answer.announced_id()), (401, id.clone()));
            assert!(answer.cleared("sAccessToken") && answer.cleared("sRefreshToken"));
            assert_eq!(browser.get("/api/me").await.body["kind"], "anonymous");
        } else {
            assert_eq!((answer.status.as_u16(), answer.front_token().uid.as_str()), (200, "bob"));
            assert!(!answer.cleared("sAccessToken") && !answer.cleared("sRefreshToken"), "{path}");
            assert_eq!(browser.refresh().await.status, 200, "{path}");
            assert_eq!(browser.get("/api/fresh").await.body, "bob", "{path}");
        }
        assert_eq!(browser.id().await, id, "{path}");
    }
}

/// The id that a sign-out left behind, where the app wants the next person to have another.
#[tokio::test]
async fn no_token_of_before_brings_back_the_id_that_a_sign_out_left() {
    let app = App::with(|builder| builder.after_sign_out(AfterSignOut::Rotate)).await;
    let mut browser = app.browser();
    let left = browser.id().await;
    browser.login("ada").await;
    let mut lost = browser.clone();
    browser.post(SIGN_OUT).await;
    let answer = lost.refresh().await;
    answer.assert_demoted("unauthorised");
    assert_ne!(answer.announced_id(), left);
}

/// A sub-domain plants the cookies of its own user session. Only cookies that no other host can
/// have set count.
#[tokio::test]
async fn planted_user_cookies_cost_no_host_bound_session() {
    let app = App::with(|builder| {
        builder
            .api_domain("https://localhost:3000")
            .on_sign_in(|old, _| async move { Ok::<_, std::io::Error>(old.payload().clone()) })
    })
    .await;
    let mut victim = app.browser();
    let id = victim.id().await;
    victim.post_json("/api/cart", json!({ "cart": ["tea"] })).await;
    assert!(victim.cookie("__Host-sAnonymousToken").is_some());
    let cart_of = |answer: &crate::app::Answer| answer.anonymous_front_token().up["cart"].clone();

    // Of a session that is over.
    let mut mallory = app.browser_of("mallory").await;
    let ended = mallory.clone();
    mallory.post(SIGN_OUT).await;
    let mut planted = victim.clone();
    arrives(&ended, &mut planted, &USER_COOKIES);
    app.wait(Duration::from_secs(2 * 3600));
    assert_eq!(planted.get("/api/me").await.message(), "try refresh token");
    let refused = planted.refresh().await;
    assert_eq!((refused.announced_id(), cart_of(&refused)), (id.clone(), json!(["tea"])));

    // Of a live one: the cookie of this host stays, whatever is asked, and a sign-in or sign-out
    // finds it.
    let live = app.browser_of("mallory").await;
    let mut planted = victim.clone();
    arrives(&live, &mut planted, &USER_COOKIES);
    assert_eq!(planted.get("/api/user").await.body, "mallory");
    assert_eq!(planted.refresh().await.status, 200);
    assert_eq!(planted.get("/api/user").await.body, "mallory");
    assert!(planted.cookie("__Host-sAnonymousToken").is_some());
    let up = planted.clone().login("alice").await.front_token().up;
    assert_eq!((&up["anonymousId"], &up["cart"]), (&json!(id), &json!(["tea"])));
    let live = app.browser_of("mallory").await;
    let mut planted = victim.clone();
    arrives(&live, &mut planted, &USER_COOKIES);
    let out = planted.post(SIGN_OUT).await;
    assert_eq!((out.announced_id(), cart_of(&out)), (id.clone(), json!(["tea"])));

    // Beside the victim's own user session: signing out works all the same, and ends both.
    let mut carol = victim.clone();
    carol.login("carol").await;
    let live = app.browser_of("mallory").await;
    let both = format!(
        "sAccessToken={}; sAccessToken={}",
        live.cookie("sAccessToken").unwrap(),
        carol.cookie("sAccessToken").unwrap()
    );
    let out = app.browser().header("cookie", &both).post(SIGN_OUT).await;
    assert_eq!((out.status.as_u16(), &out.body), (200, &json!({ "status": "OK" })));
    assert!(out.cleared("sAccessToken") && out.cleared("sRefreshToken"));
    assert!(app.sessions.session_handles_of_user("carol").await.unwrap().is_empty());
}
