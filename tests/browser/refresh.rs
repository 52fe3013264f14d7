//! Refreshing.

use passerby::{Event, SdkError};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{
    self, Gate, Page, REFRESH, Reply, SIGN_OUT, Token, all, cookie, later, sleep, state, until,
};

fn renewed() -> Token {
    Token::user("s1").issued(1.0)
}

/// A visitor who is signed in, whose access token the API refuses once.
fn expired_once() -> Page {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::try_refresh(), Reply::ok()]);
    page
}

#[wasm_bindgen_test]
async fn the_caller_sees_the_final_response_only() {
    let page = expired_once();
    page.server.on(REFRESH, [Reply::ok().user(&renewed())]);
    assert_eq!(page.get("/orders").await.status(), 200);
    assert_eq!(page.server.urls(), ["/orders", REFRESH, "/orders"]);
    assert_eq!(
        page.events.take(),
        ["ACCESS_TOKEN_PAYLOAD_UPDATED in authenticated", "REFRESH_SESSION in authenticated"]
    );
    assert_eq!(cookie("sFrontToken"), Some(renewed().text()));
}

#[wasm_bindgen_test]
async fn the_refresh_call_is_that_of_the_protocol() {
    let page = expired_once();
    page.server.on(REFRESH, [Reply::ok().user(&renewed())]);
    support::set_cookie("sAntiCsrf", "csrf-1");
    page.get("/orders").await;
    let seen = page.server.one(REFRESH);
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.credentials, web_sys::RequestCredentials::Include);
    assert_eq!(seen.header("rid").as_deref(), Some("session"));
    assert_eq!(seen.header("st-auth-mode").as_deref(), Some("cookie"));
    assert_eq!(seen.header("anti-csrf").as_deref(), Some("csrf-1"));
    assert_eq!(
        seen.header("fdi-version").as_deref(),
        Some("1.16,1.17,1.18,1.19,2.0,3.0,3.1,4.0,4.1,4.2")
    );
    assert_eq!(*seen.body.borrow(), "");
}

#[wasm_bindgen_test]
async fn twenty_refused_requests_share_one_refresh() {
    let page = Page::signed_in(&Token::user("s1"));
    let gate = Gate::closed();
    page.server.on(REFRESH, [Reply::ok().user(&renewed()).behind(&gate)]);
    let paths: Vec<String> = (0..20).map(|number| format!("/orders/{number}")).collect();
    let running = paths.iter().map(|path| {
        page.server.on(path, [Reply::try_refresh(), Reply::ok()]);
        page.get_later(path)
    });
    let running = running.collect();
    page.server.arrived(1, REFRESH).await;
    gate.open();
    assert!(all(running).await.iter().all(gloo_net::http::Response::ok));
    assert_eq!(page.server.count(REFRESH), 1);
    assert!(paths.iter().all(|path| page.server.count(path) == 2));
}

#[wasm_bindgen_test]
async fn a_late_refusal_of_the_old_token_is_retried_without_another_refresh() {
    let page = expired_once();
    page.server.on(REFRESH, [Reply::ok().user(&renewed())]);
    let gate = Gate::closed();
    page.server.on("/slow", [Reply::try_refresh().behind(&gate), Reply::ok()]);
    let slow = page.get_later("/slow");
    page.server.arrived(1, "/slow").await;
    page.get("/orders").await;
    gate.open();
    assert_eq!(slow.done().await.status(), 200);
    assert_eq!(page.server.count(REFRESH), 1);
}

#[wasm_bindgen_test]
async fn a_refresh_that_the_server_fails_keeps_the_session_and_its_answer_reaches_the_caller() {
    let page = expired_once();
    page.server.on(REFRESH, [Reply::status(500).body("the server's trouble")]);
    let answer = page.get("/orders").await;
    assert_eq!(
        (answer.status(), answer.text().await.unwrap().as_str()),
        (500, "the server's trouble")
    );
    assert_eq!(state(), "authenticated");
    assert!(page.events.take().is_empty());
}

#[wasm_bindgen_test]
async fn everybody_who_waited_for_a_failed_refresh_can_read_its_answer() {
    let page = Page::signed_in(&Token::user("s1"));
    let gate = Gate::closed();
    page.server.on("/orders", [Reply::try_refresh()]);
    page.server.on(REFRESH, [Reply::status(503).body("later").behind(&gate)]);
    let running = (0..5).map(|_| page.get_later("/orders")).collect();
    page.server.arrived(1, REFRESH).await;
    gate.open();
    for answer in all(running).await {
        assert_eq!((answer.status(), answer.text().await.unwrap().as_str()), (503, "later"));
    }
    assert_eq!(page.server.count(REFRESH), 1);
}

#[wasm_bindgen_test]
async fn a_server_that_cannot_be_reached_is_not_the_end_of_the_session() {
    let page = expired_once();
    page.server.on(REFRESH, [Reply::unreachable(), Reply::ok().user(&renewed())]);
    let error = page.try_get("/orders").await.unwrap_err();
    assert!(error.to_string().contains("Failed to fetch"), "{error}");
    assert_eq!(state(), "authenticated");
    assert!(page.events.take().is_empty());
    assert!(passerby::attempt_refreshing_session().await.unwrap(), "the next attempt works");
}

#[wasm_bindgen_test]
async fn a_success_without_front_token_is_reported() {
    let page = expired_once();
    page.server.on(REFRESH, [Reply::ok()]);
    let error = page.try_get("/orders").await.unwrap_err();
    assert!(error.to_string().contains(
        "The 'front-token' header is missing from a successful refresh-session response"
    ));
    let error = passerby::attempt_refreshing_session().await.unwrap_err();
    assert_eq!(error.code().as_deref(), Some("FRONT_TOKEN_MISSING"));
    assert_eq!(error.sdk(), Some(SdkError::FrontTokenMissing));
    assert_eq!(state(), "authenticated");
    assert!(page.events.take().is_empty());
}

#[wasm_bindgen_test]
async fn a_success_with_an_unreadable_front_token_is_no_refresh() {
    let page = expired_once();
    page.server.on(REFRESH, [Reply::ok().header("front-token", "%%%")]);
    page.try_get("/orders").await.unwrap_err();
    assert!(page.events.take().is_empty(), "nothing was refreshed");
    assert_eq!(cookie("sFrontToken"), Some(Token::user("s1").text()));
}

#[wasm_bindgen_test]
async fn an_api_that_goes_on_refusing_is_given_up_after_the_limit() {
    let page = Page::signed_in_with(&Token::user("s1"), |config| {
        config.max_retry_attempts_for_session_refresh = 2
    });
    page.server.on("/orders", [Reply::refused("wrong password")]);
    page.server.on(REFRESH, [Reply::ok().user(&renewed())]);
    let error = page.try_get("/orders").await.unwrap_err();
    assert!(error.to_string().contains(
        "Received a 401 response from https://api.passerby.test/orders. Attempted to refresh"
    ));
    assert_eq!((page.server.count("/orders"), page.server.count(REFRESH)), (3, 2));
    assert_eq!(state(), "authenticated");
}

#[wasm_bindgen_test]
async fn a_limit_of_zero_means_no_refresh() {
    let page = Page::signed_in_with(&Token::user("s1"), |config| {
        config.max_retry_attempts_for_session_refresh = 0
    });
    page.server.on("/orders", [Reply::try_refresh()]);
    let error = page.try_get("/orders").await.unwrap_err();
    assert!(error.to_string().contains("Received a 401 response from"), "{error}");
    assert_eq!(page.server.urls(), ["/orders"]);
}

#[wasm_bindgen_test]
async fn another_status_can_mean_that_the_session_has_expired() {
    let page =
        Page::signed_in_with(&Token::user("s1"), |config| config.session_expired_status_code = 440);
    page.server.on("/login-only", [Reply::refused("not ours")]);
    assert_eq!(page.get("/login-only").await.status(), 401);
    page.server.on("/orders", [Reply::status(440), Reply::ok()]);
    page.server.on(REFRESH, [Reply::ok().user(&renewed())]);
    assert_eq!(page.get("/orders").await.status(), 200);
    assert_eq!(page.server.count(REFRESH), 1);
}

#[wasm_bindgen_test]
async fn a_refusal_of_the_refresh_without_any_header_ends_the_session() {
    let page = expired_once();
    page.server.on(REFRESH, [Reply::refused("unauthorised")]);
    assert_eq!(page.get("/orders").await.status(), 401);
    assert_eq!(page.events.take(), ["UNAUTHORISED(true) in none"]);
    assert_eq!((cookie("sFrontToken"), state().as_str()), (None, "none"));
}

#[wasm_bindgen_test]
async fn a_hanging_refresh_holds_nobody_whose_token_still_works() {
    let page = expired_once();
    let gate = Gate::closed();
    page.server
        .on(REFRESH, [Reply::ok().user(&renewed()).behind(&gate), Reply::ended("unauthorised")]);
    page.server.on("/open", [Reply::ok()]);
    let refused = page.get_later("/orders");
    page.server.arrived(1, REFRESH).await;
    assert_eq!(page.get("/open").await.status(), 200);
    page.server.on(SIGN_OUT, [Reply::ok().header("front-token", "remove")]);
    page.sign_out().await;
    // A refresh for a session that is gone is given up.
    refused.done().await;
    gate.open();
    // Its answer may have left cookies, so the server is asked whose they are.
    until("asked once more", || page.server.count(REFRESH) == 2).await;
    sleep(50).await;
    assert_eq!(state(), "none");
}

#[wasm_bindgen_test]
async fn a_refresh_that_hangs_for_too_long_counts_as_failed() {
    let limits = hurry();
    let page = expired_once();
    page.server.on(REFRESH, [Reply::ok().behind(&Gate::closed()), Reply::ok().user(&renewed())]);
    let outcome = page.try_get("/orders").await;
    let limit = limits.take();
    assert!(outcome.is_err(), "the request ends");
    assert!((5_000.0..60_000.0).contains(&limit), "after {limit} ms");
    assert_eq!(state(), "authenticated");
    assert!(passerby::attempt_refreshing_session().await.unwrap());
}

/// Makes the limit of a refresh call, which is shorter than that of its lock, a thousand times
/// shorter until it is taken.
fn hurry() -> Hurry {
    Hurry::new()
}

#[wasm_bindgen(inline_js = "
export class Hurry {
  constructor() {
    const original = (this.original = window.setTimeout);
    window.setTimeout = (act, limit) => {
      const isCall = limit > 5000 && limit < 10000;
      if (isCall) this.limit = limit;
      return original(act, isCall ? limit / 1000 : limit);
    };
  }
  take() {
    window.setTimeout = this.original;
    return this.limit ?? 0;
  }
}
")]
extern "C" {
    type Hurry;
    #[wasm_bindgen(constructor)]
    fn new() -> Hurry;
    #[wasm_bindgen(method)]
    fn take(this: &Hurry) -> f64;
}

#[wasm_bindgen_test]
async fn an_expired_session_is_refreshed_before_it_is_said_to_exist() {
    let page = Page::signed_in(&Token::user("s1").issued(-10.0).living(5.0));
    page.server.on(REFRESH, [Reply::ok().user(&Token::user("s1"))]);
    assert!(passerby::does_session_exist().await.unwrap());
    assert_eq!(page.server.urls(), [REFRESH]);
    assert!(passerby::does_session_exist().await.unwrap());
    assert_eq!(page.server.urls(), [REFRESH]);
}

#[wasm_bindgen_test]
async fn a_session_that_cannot_be_refreshed_now_does_not_exist_and_is_kept() {
    let page = Page::signed_in(&Token::user("s1").issued(-10.0).living(5.0));
    page.server.on(REFRESH, [Reply::status(500)]);
    assert!(!passerby::does_session_exist().await.unwrap());
    let error = passerby::access_token_payload::<serde_json::Value>().await.unwrap_err();
    assert_eq!(error.response().map(|response| response.status()), Some(500));
    assert!(page.events.take().is_empty());
    assert_eq!(state(), "authenticated");
}

#[wasm_bindgen_test]
async fn a_clock_that_is_an_hour_ahead_expires_nothing() {
    // The server is an hour behind this computer, by whose clock this token expired half an hour
    // ago.
    let page = Page::start();
    page.server.on(REFRESH, [Reply::ended("unauthorised")]);
    page.server.on("/login", [Reply::ok().user(&Token::user("s1").issued(-3600.0).living(1800.0))]);
    page.get("/login").await;
    assert_eq!(page.server.count(REFRESH), 1, "of the new visitor");
    assert!(passerby::does_session_exist().await.unwrap());
    assert_eq!(page.server.count(REFRESH), 1);
    // The next page load knows it, too.
    passerby::dispose();
    page.init();
    assert!(passerby::does_session_exist().await.unwrap());
    assert_eq!(page.server.count(REFRESH), 1);
}

#[wasm_bindgen_test]
async fn a_clock_that_is_an_hour_behind_keeps_nothing_alive() {
    // Lives for one second by the server's clock, for an hour by ours.
    let page = Page::start();
    page.server.on("/login", [Reply::ok().user(&Token::user("s1").issued(3600.0).living(1.0))]);
    page.server.on(
        REFRESH,
        [Reply::ended("unauthorised"), Reply::ok().user(&Token::user("s1").issued(3700.0))],
    );
    page.get("/login").await;
    sleep(2100).await;
    assert!(passerby::does_session_exist().await.unwrap());
    assert_eq!(page.server.count(REFRESH), 2);
}

#[wasm_bindgen_test]
async fn a_callback_may_ask_for_a_refresh() {
    let page = Page::fresh();
    support::set_cookie("st-last-access-token-update", "1");
    support::set_cookie("sFrontToken", &Token::user("s1").text());
    let inner = std::rc::Rc::new(std::cell::RefCell::new(None));
    let place = inner.clone();
    let _subscription = passerby::on_event(move |event| {
        if event == Event::RefreshSession && place.borrow().is_none() {
            place.replace(Some(later(passerby::attempt_refreshing_session())));
        }
    });
    page.init();
    let again = renewed().issued(1.0);
    page.server.on(REFRESH, [Reply::ok().user(&renewed()), Reply::ok().user(&again)]);
    assert!(passerby::attempt_refreshing_session().await.unwrap());
    let inner = inner.take().expect("the callback ran");
    assert!(inner.done().await.unwrap());
    assert_eq!(page.server.count(REFRESH), 2);
    assert_eq!(cookie("sFrontToken"), Some(again.text()));
}

#[wasm_bindgen_test]
async fn a_refusal_that_ends_the_session_itself_is_not_followed_by_a_refresh() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::ended("unauthorised")]);
    assert_eq!(page.get("/orders").await.status(), 401);
    assert_eq!(page.server.urls(), ["/orders"]);
    assert_eq!(page.events.take(), ["UNAUTHORISED(true) in none"]);
}

#[wasm_bindgen_test]
async fn a_tombstone_is_not_refreshed() {
    let page = Page::fresh();
    support::set_cookie("st-last-access-token-update", "1");
    page.init();
    page.server.on("/orders", [Reply::refused("unauthorised")]);
    assert!(!passerby::does_session_exist().await.unwrap());
    assert!(!passerby::attempt_refreshing_session().await.unwrap());
    assert_eq!(page.events.take(), ["UNAUTHORISED(false) in none"]);
    assert_eq!(page.get("/orders").await.status(), 401);
    assert_eq!(page.events.take(), ["UNAUTHORISED(false) in none"]);
    assert_eq!(page.server.urls(), ["/orders"]);
}
