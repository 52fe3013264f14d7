//! Visitors who are not signed in.

use gloo_storage::{LocalStorage, Storage};
use passerby::AnonymousMode;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{
    self, ANONYMOUS_ID, Gate, Page, REFRESH, Reply, Token, all, cookie, later, set_cookie, sleep,
    state, until,
};

const OTHER_ID: &str = "11111111-5a3a-4f4e-9d0a-6a1d3c1f0a11";

fn visitor() -> Token {
    Token::anonymous(ANONYMOUS_ID)
}

#[wasm_bindgen_test]
async fn the_first_answer_brings_the_session() {
    let page = Page::start_with(|config| config.anonymous = AnonymousMode::On);
    page.server.on("/products", [Reply::ok().anonymous(&visitor())]);
    assert_eq!(state(), "unknown");
    page.get("/products").await;
    assert_eq!(page.server.urls(), ["/products"], "no refresh that cannot succeed comes before");
    assert_eq!(page.events.take(), ["ANONYMOUS_SESSION_CREATED in anonymous"]);
    assert!(passerby::does_session_exist().await.unwrap());
    assert!(passerby::is_anonymous().await.unwrap());
    assert_eq!(passerby::anonymous_id().await.unwrap().as_deref(), Some(ANONYMOUS_ID));
    assert_eq!(passerby::user_id().await.unwrap(), format!("G-{ANONYMOUS_ID}"));
    assert_eq!(cookie("sAnonymousFrontToken"), Some(visitor().text()));
}

#[wasm_bindgen_test]
async fn rule_10_the_first_request_goes_alone_and_the_others_follow_with_its_session() {
    let page = Page::start_with(|config| config.anonymous = AnonymousMode::On);
    let gate = Gate::closed();
    page.server.on("/products", [Reply::ok().anonymous(&visitor()).behind(&gate), Reply::ok()]);
    let running: Vec<_> = (0..10).map(|_| page.get_later("/products")).collect();
    page.server.arrived(1, "/products").await;
    sleep(30).await;
    assert_eq!(page.server.count("/products"), 1);
    gate.open();
    all(running).await;
    assert_eq!(page.server.count("/products"), 10);
    assert_eq!(page.events.take(), ["ANONYMOUS_SESSION_CREATED in anonymous"]);
}

#[wasm_bindgen_test]
async fn rule_10_who_asks_again_does_so_with_the_same_key_until_there_is_a_session() {
    let key = || LocalStorage::raw().get_item("passerby-first").unwrap();
    let sent = |page: &Page| {
        let seen = page.server.seen("/products");
        seen.iter().map(|seen| seen.header("st-anonymous-mode")).collect::<Vec<_>>()
    };
    let page = Page::start_with(|config| config.anonymous = AnonymousMode::On);
    page.server
        .on("/products", [Reply::unreachable(), Reply::ok().anonymous(&visitor()), Reply::ok()]);
    assert_eq!(key(), None);
    page.try_get("/products").await.unwrap_err();
    let first = key().unwrap();
    assert!((22..=64).contains(&first.len()), "{first}");
    page.get("/products").await;
    assert_eq!(key(), None);
    page.get("/products").await;
    assert_eq!(sent(&page), [Some(first.clone()), Some(first.clone()), None]);

    let page = Page::start_with(|config| config.anonymous = AnonymousMode::On);
    page.server.on("/products", [Reply::ok().anonymous(&visitor())]);
    page.get("/products").await;
    assert_ne!(sent(&page), [Some(first)], "another visitor");
}

#[wasm_bindgen_test]
async fn rule_10_without_a_wish_the_question_names_the_visitor_until_it_is_answered() {
    let key = || LocalStorage::raw().get_item("passerby-first").unwrap();
    let page = Page::start();
    page.server.on(REFRESH, [Reply::unreachable(), Reply::ended("unauthorised")]);
    page.server.on("/products", [Reply::ok()]);
    assert!(!passerby::does_session_exist().await.unwrap());
    let first = key().unwrap();
    assert!(!passerby::does_session_exist().await.unwrap());
    assert_eq!(key(), None, "there is no session, and nobody made a wish");
    page.get("/products").await;
    let accept = format!("*/*, application/vnd.passerby;key={first}");
    assert!(accept.len() <= 128, "more would not be allowed without a CORS preflight");
    let sent =
        |url| page.server.seen(url).iter().map(|seen| seen.header("accept")).collect::<Vec<_>>();
    assert_eq!(sent(REFRESH), [Some(accept.clone()), Some(accept)]);
    assert_eq!(sent("/products"), [None]);
    assert_eq!(page.server.seen(REFRESH)[0].header("st-anonymous-mode"), None);
}

#[wasm_bindgen_test]
async fn rule_10_where_the_question_failed_the_first_request_goes_alone() {
    let page = Page::start();
    let gate = Gate::closed();
    page.server.on(REFRESH, [Reply::unreachable()]);
    page.server.on("/products", [Reply::ok().anonymous(&visitor()).behind(&gate), Reply::ok()]);
    let running: Vec<_> = (0..10).map(|_| page.get_later("/products")).collect();
    page.server.arrived(1, "/products").await;
    sleep(30).await;
    assert_eq!((page.server.count(REFRESH), page.server.count("/products")), (1, 1));
    gate.open();
    all(running).await;
    assert_eq!((page.server.count(REFRESH), page.server.count("/products")), (1, 10));
    assert_eq!(page.events.take(), ["ANONYMOUS_SESSION_CREATED in anonymous"]);
}

#[wasm_bindgen_test]
async fn without_consent_no_key_is_made() {
    let page = Page::start_with(|config| config.anonymous = AnonymousMode::Off);
    page.server.on("/products", [Reply::ok()]);
    page.get("/products").await;
    assert_eq!(LocalStorage::length(), 0);
    page.server.on(REFRESH, [Reply::unreachable()]);
    assert!(!passerby::does_session_exist().await.unwrap());
    assert_eq!(LocalStorage::length(), 0);
    assert_eq!(page.server.seen(REFRESH)[0].header("accept"), None);
}

#[wasm_bindgen_test]
async fn a_first_request_that_fails_lets_the_next_one_lead() {
    let page = Page::start_with(|config| config.anonymous = AnonymousMode::On);
    page.server.on("/products", [Reply::unreachable(), Reply::ok().anonymous(&visitor())]);
    let first = later({
        let url = format!("{}/products", support::API);
        async move { gloo_net::http::Request::get(&url).send().await.is_err() }
    });
    let second = page.get_later("/products");
    assert!(first.done().await);
    assert_eq!(second.done().await.status(), 200);
    assert_eq!(state(), "anonymous");
}

#[wasm_bindgen_test]
async fn a_server_without_anonymous_sessions_holds_one_request_up_and_no_more() {
    let page = Page::start_with(|config| config.anonymous = AnonymousMode::On);
    let gate = Gate::closed();
    page.server.on("/products", [Reply::ok(), Reply::ok().behind(&gate), Reply::ok()]);
    page.server.on(REFRESH, [Reply::ok().behind(&gate)]);
    page.get("/products").await;
    let slow = page.get_later("/products");
    page.server.arrived(2, "/products").await;
    assert_eq!(page.get("/products").await.status(), 200);
    assert!(!slow.is_done());
    gate.open();
    slow.done().await;
    assert!(page.server.count(REFRESH) <= 1);
}

#[wasm_bindgen_test]
async fn a_session_that_the_server_knows_comes_back_after_the_first_answer() {
    let page = Page::start_with(|config| config.anonymous = AnonymousMode::On);
    page.server.on("/products", [Reply::ok()]);
    page.server.on(REFRESH, [Reply::ok().user(&Token::user("s1"))]);
    page.get("/products").await;
    until("the session is back", || state() == "authenticated").await;
    page.get("/products").await;
    assert_eq!(page.server.count(REFRESH), 1);
    assert_eq!(
        page.events.take().first().map(String::as_str),
        Some("SESSION_CREATED in authenticated")
    );
}

#[wasm_bindgen_test]
async fn where_the_app_says_nothing_an_unknown_visitor_is_asked_for_as_the_peer_does() {
    let page = Page::start();
    page.server.on(REFRESH, [Reply::ended("unauthorised")]);
    page.server.on("/products", [Reply::ok()]);
    page.get("/products").await;
    page.get("/products").await;
    assert_eq!(page.server.urls(), [REFRESH, "/products", "/products"]);
    assert!(page.events.take().is_empty());
    assert_eq!(state(), "none");
    assert!(!passerby::does_session_exist().await.unwrap());
    assert_eq!(page.server.count(REFRESH), 1);
}

#[wasm_bindgen_test]
async fn a_session_that_the_browser_forgot_comes_back_with_one_call() {
    let page = Page::start();
    page.server.on(REFRESH, [Reply::ok().user(&Token::user("s1"))]);
    assert!(passerby::does_session_exist().await.unwrap());
    assert!(!passerby::is_anonymous().await.unwrap());
    assert_eq!(page.server.urls(), [REFRESH]);
    assert_eq!(
        page.events.take(),
        ["SESSION_CREATED in authenticated", "REFRESH_SESSION in authenticated"]
    );
}

#[wasm_bindgen_test]
async fn a_corrupt_cookie_costs_one_call_and_not_the_session() {
    for corrupt in ["%%%", "bm90IEpTT04=", "eyJ1aWQiOiJhIn0="] {
        let page = Page::fresh();
        set_cookie("st-last-access-token-update", "1");
        set_cookie("sFrontToken", corrupt);
        page.init();
        page.server.on(REFRESH, [Reply::ok().user(&Token::user("s1"))]);
        page.server.on("/orders", [Reply::ok()]);
        assert_eq!(state(), "unknown", "{corrupt}");
        page.get("/orders").await;
        assert_eq!(page.server.urls(), [REFRESH, "/orders"], "{corrupt}");
        assert_eq!(passerby::user_id().await.unwrap(), "alice");
    }
}

#[wasm_bindgen_test]
async fn rule_8_an_anonymous_visitor_who_is_refused_is_told_so_and_nothing_is_refreshed() {
    let page = Page::visited_by(&visitor());
    page.server.on("/dashboard", [Reply::refused("unauthorised")]);
    assert_eq!(page.get("/dashboard").await.status(), 401);
    assert_eq!(page.server.urls(), ["/dashboard"]);
    assert_eq!(page.events.take(), ["UNAUTHORISED(false) in anonymous"]);
}

#[wasm_bindgen_test]
async fn rule_9_refreshing_is_for_user_sessions() {
    let page = Page::visited_by(&visitor());
    assert!(!passerby::attempt_refreshing_session().await.unwrap());
    assert!(page.server.urls().is_empty());
    // And one who turns out to be anonymous is not sent in a loop.
    let page = Page::start();
    page.server.on(REFRESH, [Reply::refused("unauthorised").anonymous(&visitor())]);
    assert!(!passerby::attempt_refreshing_session().await.unwrap());
    assert_eq!(page.events.take(), ["ANONYMOUS_SESSION_CREATED in anonymous"]);
    assert_eq!(page.server.count(REFRESH), 1);
}

#[wasm_bindgen_test]
async fn signing_in_replaces_the_anonymous_session() {
    let page = Page::visited_by(&visitor());
    page.server.on(
        "/login",
        [Reply::ok().user(&Token::user("s1")).header("st-anonymous-front-token", "remove")],
    );
    page.get("/login").await;
    assert_eq!(page.events.take(), ["SESSION_CREATED in authenticated"]);
    assert_eq!(cookie("sAnonymousFrontToken"), None);
    assert!(!passerby::is_anonymous().await.unwrap());
    assert_eq!(
        passerby::anonymous_id().await.unwrap().as_deref(),
        Some(ANONYMOUS_ID),
        "the same as before"
    );
}

#[wasm_bindgen_test]
async fn rule_7_a_user_session_is_never_replaced_by_an_anonymous_one() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::ok().anonymous(&visitor())]);
    page.server.on(REFRESH, [Reply::ok().user(&Token::user("s1"))]);
    page.get("/orders").await;
    assert_eq!((state().as_str(), cookie("sAnonymousFrontToken")), ("authenticated", None));
    // The server did not see the user, and is asked whom it sees now.
    until("told so", || page.events.take() == ["REFRESH_SESSION in authenticated"]).await;
    assert_eq!(page.server.urls(), ["/orders", REFRESH]);
}

#[wasm_bindgen_test]
async fn another_anonymous_id_is_an_event_and_the_same_one_again_is_none() {
    let page = Page::visited_by(&visitor());
    page.server.on("/a", [Reply::ok().anonymous(&visitor().issued(1.0))]);
    page.server.on("/b", [Reply::ok().anonymous(&visitor().issued(2.0).with("cart", "2 apples"))]);
    page.server.on("/c", [Reply::ok().anonymous(&Token::anonymous(OTHER_ID).issued(3.0))]);
    page.server.on("/cached", [Reply::ok().anonymous(&visitor())]);
    page.get("/a").await;
    assert_eq!(cookie("sAnonymousFrontToken"), Some(visitor().issued(1.0).text()), "it is renewed");
    assert!(page.events.take().is_empty(), "and not changed");
    page.get("/b").await;
    assert_eq!(page.events.take(), ["ACCESS_TOKEN_PAYLOAD_UPDATED in anonymous"]);
    page.get("/c").await;
    assert_eq!(page.events.take(), ["ANONYMOUS_SESSION_REPLACED in anonymous"]);
    assert_eq!(passerby::anonymous_id().await.unwrap().as_deref(), Some(OTHER_ID));
    // An answer out of a cache, as a service worker's, names one that the visitor no longer has.
    page.get("/cached").await;
    assert!(page.events.take().is_empty());
    assert_eq!(passerby::anonymous_id().await.unwrap().as_deref(), Some(OTHER_ID));
}

#[wasm_bindgen_test]
async fn without_consent_the_server_is_told_with_each_request() {
    let page = Page::start_with(|config| config.anonymous = AnonymousMode::Off);
    page.server.on("/products", [Reply::ok()]);
    page.get("/products").await;
    assert_eq!(page.server.one("/products").header("st-anonymous-mode").as_deref(), Some("off"));
    assert_eq!(page.server.urls(), ["/products"]);
}

#[wasm_bindgen_test]
async fn taking_consent_back_removes_the_session_at_once() {
    let page = Page::visited_by(&visitor());
    page.server
        .on(REFRESH, [Reply::refused("unauthorised").header("st-anonymous-front-token", "remove")]);
    passerby::set_anonymous_sessions(false).await.unwrap();
    assert_eq!(page.server.one(REFRESH).header("st-anonymous-mode").as_deref(), Some("off"));
    assert_eq!(page.events.take(), ["ANONYMOUS_SESSION_REMOVED in none"]);
    assert_eq!(cookie("sAnonymousFrontToken"), None);
}

#[wasm_bindgen_test]
async fn consent_makes_the_session_at_once() {
    let page = Page::start_with(|config| config.anonymous = AnonymousMode::Off);
    page.server.on(REFRESH, [Reply::refused("unauthorised").anonymous(&visitor())]);
    passerby::set_anonymous_sessions(true).await.unwrap();
    let mode = page.server.one(REFRESH).header("st-anonymous-mode");
    assert!(mode.is_some_and(|key| key != "off"), "the key of a new visitor");
    assert_eq!(page.events.take(), ["ANONYMOUS_SESSION_CREATED in anonymous"]);
}

#[wasm_bindgen_test]
async fn the_payload_is_the_visitors_in_any_script() {
    let page = Page::visited_by(&visitor().with("name", "Ærøskøbing 漢字 🍏"));
    let payload: serde_json::Value = passerby::access_token_payload().await.unwrap();
    assert_eq!(payload["name"], "Ærøskøbing 漢字 🍏");
    assert_eq!(payload["anonymousId"], ANONYMOUS_ID);
    assert!(page.server.urls().is_empty());
}

#[wasm_bindgen_test]
async fn many_first_requests_ask_once_and_nobody_is_told_of_a_refusal_that_was_none() {
    let page = Page::start();
    page.server.on(REFRESH, [Reply::ended("unauthorised")]);
    page.server.on("/products", [Reply::ok()]);
    all((0..10).map(|_| page.get_later("/products")).collect()).await;
    assert_eq!((page.server.count(REFRESH), page.server.count("/products")), (1, 10));
    assert!(page.events.take().is_empty());
}

#[wasm_bindgen_test]
async fn a_visitor_who_cannot_be_asked_for_is_served_all_the_same() {
    for failure in [Reply::status(500), Reply::unreachable()] {
        let page = Page::start();
        page.server.on(REFRESH, [failure]);
        page.server.on("/products", [Reply::ok()]);
        assert_eq!(page.get("/products").await.status(), 200);
        assert_eq!(state(), "unknown", "nothing was learned");
        assert!(!passerby::does_session_exist().await.unwrap());
    }
}
