//! The ends of sessions: sign-out, demotion, theft, and answers that come too late.

use std::{cell::RefCell, rc::Rc};

use gloo_storage::{LocalStorage, Storage};
use passerby::SdkError;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{
    self, ANONYMOUS_ID, Gate, Page, REFRESH, Reply, SIGN_OUT, Token, cookie, describe, later, state,
};

fn signed_out() -> Reply {
    Reply::ok().body(r#"{"status":"OK"}"#).header("front-token", "remove")
}

fn visitor() -> Token {
    Token::anonymous(ANONYMOUS_ID)
}

#[wasm_bindgen_test]
async fn signing_out_leaves_the_tombstone_only() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on(SIGN_OUT, [signed_out()]);
    page.sign_out().await;
    let seen = page.server.one(SIGN_OUT);
    assert_eq!((seen.method.as_str(), seen.header("rid").as_deref()), ("POST", Some("session")));
    assert!(seen.header("fdi-version").is_some());
    assert_eq!(page.events.take(), ["SIGN_OUT in none"]);
    assert_eq!(cookie("sFrontToken"), None);
    assert!(cookie("st-last-access-token-update").is_some());
    assert_eq!(page.server.urls(), [SIGN_OUT]);
}

#[wasm_bindgen_test]
async fn after_signing_out_the_visitor_is_anonymous_with_the_same_id() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on(SIGN_OUT, [signed_out().anonymous(&visitor())]);
    page.sign_out().await;
    assert_eq!(page.events.take(), ["SIGN_OUT in anonymous"]);
    assert_eq!(passerby::anonymous_id().await.unwrap().as_deref(), Some(ANONYMOUS_ID));
}

#[wasm_bindgen_test]
async fn signing_out_works_where_the_header_is_stripped() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on(SIGN_OUT, [Reply::ok().body(r#"{"status":"OK"}"#)]);
    page.sign_out().await;
    assert_eq!(page.events.take(), ["SIGN_OUT in none"]);
    assert_eq!(cookie("sFrontToken"), None);
}

#[wasm_bindgen_test]
async fn signing_out_accepts_an_empty_body() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on(SIGN_OUT, [Reply::ok().body("")]);
    page.sign_out().await;
    assert_eq!(state(), "none");
}

#[wasm_bindgen_test]
async fn a_back_end_may_say_no_to_a_sign_out() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server
        .on(SIGN_OUT, [Reply::ok().body(r#"{"status":"GENERAL_ERROR","message":"not now"}"#)]);
    let error = passerby::sign_out().await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.code().as_deref()),
        ("not now", Some("GENERAL_ERROR"))
    );
    assert_eq!(state(), "authenticated");
    assert!(page.events.take().is_empty());
}

#[wasm_bindgen_test]
async fn a_sign_out_that_the_server_fails_keeps_the_session() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on(SIGN_OUT, [Reply::status(500), Reply::unreachable()]);
    let error = passerby::sign_out().await.unwrap_err();
    assert_eq!(error.response().map(|response| response.status()), Some(500));
    let error = passerby::sign_out().await.unwrap_err();
    assert!(error.to_string().contains("Failed to fetch"), "{error}");
    assert_eq!(state(), "authenticated");
    assert!(page.events.take().is_empty());
}

#[wasm_bindgen_test]
async fn signing_out_with_an_expired_token_refreshes_first() {
    let page = Page::signed_in(&Token::user("s1").issued(-10.0).living(5.0));
    page.server.on(REFRESH, [Reply::ok().user(&Token::user("s1"))]);
    page.server.on(SIGN_OUT, [signed_out()]);
    page.sign_out().await;
    assert_eq!(page.server.urls(), [REFRESH, SIGN_OUT]);
    assert_eq!(page.events.take().last().map(String::as_str), Some("SIGN_OUT in none"));
}

#[wasm_bindgen_test]
async fn signing_out_without_a_session_is_said_and_calls_nobody() {
    let page = Page::visited_by(&visitor());
    page.sign_out().await;
    assert_eq!(page.events.take(), ["SIGN_OUT in anonymous"]);
    assert!(page.server.urls().is_empty());
}

#[wasm_bindgen_test]
async fn a_demoted_visitor_is_anonymous_before_the_callback_runs() {
    let page = Page::fresh();
    support::set_cookie("st-last-access-token-update", "1");
    support::set_cookie("sFrontToken", &Token::user("s1").text());
    let heard = Rc::new(RefCell::new(Vec::new()));
    let place = heard.clone();
    let _subscription = passerby::on_event(move |event| {
        let questions = later(async {
            let exists = passerby::does_session_exist().await.unwrap();
            (
                exists,
                passerby::is_anonymous().await.unwrap(),
                passerby::anonymous_id().await.unwrap(),
            )
        });
        place.borrow_mut().push((describe(event), questions));
    });
    page.init();
    page.server.on("/orders", [Reply::try_refresh()]);
    page.server.on(REFRESH, [Reply::ended("unauthorised").anonymous(&visitor())]);
    assert_eq!(page.get("/orders").await.status(), 401);
    let [(event, questions)] = heard.take().try_into().unwrap_or_else(|_| panic!("one event"));
    assert_eq!(event, "UNAUTHORISED(true) in anonymous");
    assert_eq!(questions.done().await, (true, true, Some(ANONYMOUS_ID.into())));
    assert_eq!(page.server.urls(), ["/orders", REFRESH]);
    assert_eq!(cookie("sFrontToken"), None);
}

#[wasm_bindgen_test]
async fn theft_is_told_before_the_end() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::try_refresh()]);
    page.server.on(REFRESH, [Reply::ended("token theft detected").anonymous(&visitor())]);
    let answer = page.get("/orders").await;
    let events = page.events.take();
    assert_eq!(events, ["TOKEN_THEFT_DETECTED in anonymous", "UNAUTHORISED(true) in anonymous"]);
    assert!(
        answer.text().await.unwrap().contains("token theft detected"),
        "the body can still be read"
    );
}

#[wasm_bindgen_test]
async fn the_body_of_a_refusal_is_no_theft_unless_the_refresh_says_so() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::ended("token theft detected")]);
    page.get("/orders").await;
    assert_eq!(page.events.take(), ["UNAUTHORISED(true) in none"]);
}

#[wasm_bindgen_test]
async fn requests_that_shared_the_refused_refresh_hear_of_it_once() {
    let page = Page::signed_in(&Token::user("s1"));
    let gate = Gate::closed();
    page.server.on("/orders", [Reply::try_refresh()]);
    page.server.on(REFRESH, [Reply::ended("unauthorised").anonymous(&visitor()).behind(&gate)]);
    let running = (0..5).map(|_| page.get_later("/orders")).collect();
    page.server.arrived(1, REFRESH).await;
    gate.open();
    assert!(support::all(running).await.iter().all(|answer| answer.status() == 401));
    assert_eq!(page.events.take(), ["UNAUTHORISED(true) in anonymous"]);
    assert_eq!(page.server.count(REFRESH), 1);
}

#[wasm_bindgen_test]
async fn an_answer_after_signing_out_does_not_bring_the_session_back() {
    let page = Page::signed_in(&Token::user("s1"));
    let gate = Gate::closed();
    page.server.on(
        "/slow",
        [Reply::ok()
            .user(&Token::user("s1").issued(1.0))
            .header("anti-csrf", "late")
            .behind(&gate)],
    );
    page.server.on(SIGN_OUT, [signed_out()]);
    let slow = page.get_later("/slow");
    page.server.arrived(1, "/slow").await;
    page.sign_out().await;
    gate.open();
    assert_eq!(slow.done().await.status(), 200);
    assert_eq!(
        (state().as_str(), cookie("sFrontToken"), cookie("sAntiCsrf")),
        ("none", None, None)
    );
    assert_eq!(page.events.take(), ["SIGN_OUT in none"]);
}

#[wasm_bindgen_test]
async fn a_cached_answer_of_before_the_sign_out_does_not_bring_the_session_back() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on(SIGN_OUT, [signed_out()]);
    page.server.on("/cached", [Reply::ok().user(&Token::user("s1")).header("anti-csrf", "old")]);
    page.sign_out().await;
    assert_eq!(page.get("/cached").await.status(), 200);
    assert_eq!(
        (state().as_str(), cookie("sFrontToken"), cookie("sAntiCsrf")),
        ("none", None, None)
    );
    assert_eq!(page.events.take(), ["SIGN_OUT in none"]);
}

#[wasm_bindgen_test]
async fn a_cached_answer_of_an_earlier_session_does_not_end_the_present_one() {
    let page = Page::signed_in(&Token::user("s2"));
    page.server.on("/cached", [Reply::ok().user(&Token::user("s1").issued(-600.0))]);
    page.get("/cached").await;
    assert_eq!(cookie("sFrontToken"), Some(Token::user("s2").text()));
    assert!(page.events.take().is_empty());
}

#[wasm_bindgen_test]
async fn a_cached_answer_does_not_set_the_clock() {
    let old = Token::user("s1").issued(-1800.0);
    let page = Page::signed_in(&old);
    page.server.on("/cached", [Reply::ok().user(&old)]);
    page.get("/cached").await;
    assert_eq!(LocalStorage::raw().get_item("__st_clockSkewInMillis"), Ok(None));
    assert!(passerby::does_session_exist().await.unwrap());
    assert!(page.events.take().is_empty());
}

#[wasm_bindgen_test]
async fn a_refresh_answered_after_signing_out_is_discarded() {
    let page = Page::signed_in(&Token::user("s1"));
    let gate = Gate::closed();
    page.server.on("/orders", [Reply::try_refresh().header("x-from", "api")]);
    page.server.on(
        REFRESH,
        [Reply::ok()
            .user(&Token::user("s1").issued(1.0))
            .header("x-from", "refresh")
            .behind(&gate)],
    );
    page.server.on(SIGN_OUT, [signed_out()]);
    let refused = page.get_later("/orders");
    page.server.arrived(1, REFRESH).await;
    page.sign_out().await;
    gate.open();
    let answer = refused.done().await;
    assert_eq!((state().as_str(), cookie("sFrontToken")), ("none", None));
    assert_eq!(page.events.take(), ["SIGN_OUT in none"]);
    assert_eq!(answer.status(), 401, "the API said no; the answer of the refresh is not the API's");
    assert_eq!(answer.headers().get("x-from").as_deref(), Some("api"));
}

#[wasm_bindgen_test]
async fn a_late_end_of_the_former_session_does_not_end_its_successor() {
    let page = Page::signed_in(&Token::user("s1"));
    let gate = Gate::closed();
    page.server.on("/slow", [Reply::ended("unauthorised").behind(&gate), Reply::ok()]);
    page.server.on(SIGN_OUT, [signed_out()]);
    page.server.on("/login", [Reply::ok().user(&Token::user("s2"))]);
    page.server.on(REFRESH, [Reply::ok().user(&Token::user("s2"))]);
    let slow = page.get_later("/slow");
    page.server.arrived(1, "/slow").await;
    page.sign_out().await;
    page.get("/login").await;
    gate.open();
    // The browser may have deleted the cookies of the one that is there, so the server is asked.
    page.server.arrived(1, REFRESH).await;
    // The API refused a session that is over; the request goes again with the one that is.
    assert_eq!(slow.done().await.status(), 200);
    assert_eq!(cookie("sFrontToken"), Some(Token::user("s2").text()));
    assert_eq!(
        page.events.take(),
        [
            "SIGN_OUT in none",
            "SESSION_CREATED in authenticated",
            "REFRESH_SESSION in authenticated"
        ]
    );
}

#[wasm_bindgen_test]
async fn an_older_token_does_not_replace_a_newer_one() {
    let page = Page::signed_in(&Token::user("s1"));
    let gate = Gate::closed();
    page.server
        .on("/slow", [Reply::ok().user(&Token::user("s1").with("role", "old")).behind(&gate)]);
    page.server.on("/fast", [Reply::ok().user(&Token::user("s1").issued(1.0).with("role", "new"))]);
    let slow = page.get_later("/slow");
    page.server.arrived(1, "/slow").await;
    page.get("/fast").await;
    gate.open();
    slow.done().await;
    let payload: serde_json::Value = passerby::access_token_payload().await.unwrap();
    assert_eq!(payload["role"], "new");
    assert_eq!(page.events.take(), ["ACCESS_TOKEN_PAYLOAD_UPDATED in authenticated"]);
}

#[wasm_bindgen_test]
async fn a_sign_out_in_another_tab_is_seen_by_the_next_question() {
    let page = Page::signed_in(&Token::user("s1"));
    assert!(passerby::does_session_exist().await.unwrap());
    support::delete_cookies();
    support::set_cookie("st-last-access-token-update", "2");
    assert!(!passerby::does_session_exist().await.unwrap());
    let error = passerby::user_id().await.unwrap_err();
    assert_eq!(
        (error.sdk(), error.code().as_deref()),
        (Some(SdkError::NoSession), Some("NO_SESSION"))
    );
    assert!(page.server.urls().is_empty());
}

#[wasm_bindgen_test]
async fn a_token_that_another_tab_refreshed_while_the_request_was_under_way_is_used() {
    let page = Page::signed_in(&Token::user("s1"));
    let gate = Gate::closed();
    page.server.on("/orders", [Reply::try_refresh().behind(&gate), Reply::ok()]);
    let refused = page.get_later("/orders");
    page.server.arrived(1, "/orders").await;
    support::set_cookie("sFrontToken", &Token::user("s1").issued(1.0).text());
    support::set_cookie("st-last-access-token-update", "2");
    gate.open();
    assert_eq!(refused.done().await.status(), 200);
    assert_eq!(page.server.count(REFRESH), 0);
}

#[wasm_bindgen_test]
async fn a_late_anti_csrf_token_of_the_former_session_is_discarded_with_it() {
    let page = Page::signed_in(&Token::user("s1"));
    let gate = Gate::closed();
    let late = Reply::ok().user(&Token::user("s1").issued(1.0)).header("anti-csrf", "former");
    page.server.on("/slow", [late.behind(&gate)]);
    page.server.on(SIGN_OUT, [signed_out()]);
    page.server.on("/login", [Reply::ok().user(&Token::user("s2")).header("anti-csrf", "current")]);
    let slow = page.get_later("/slow");
    page.server.arrived(1, "/slow").await;
    page.sign_out().await;
    page.get("/login").await;
    gate.open();
    slow.done().await;
    assert_eq!(cookie("sFrontToken"), Some(Token::user("s2").text()));
    assert_eq!(cookie("sAntiCsrf").as_deref(), Some("current"));
}

#[wasm_bindgen_test]
async fn a_refresh_answered_after_another_tab_signed_in_is_discarded_and_the_request_goes_again() {
    let page = Page::signed_in(&Token::user("s1"));
    let gate = Gate::closed();
    page.server.on("/orders", [Reply::try_refresh(), Reply::ok()]);
    let late = Reply::ok().user(&Token::user("s1").issued(1.0)).header("anti-csrf", "former");
    let truth = Reply::ok().user(&Token::user("s2"));
    page.server.on(REFRESH, [late.behind(&gate), truth]);
    let refused = page.get_later("/orders");
    page.server.arrived(1, REFRESH).await;
    support::set_cookie("sFrontToken", &Token::user("s2").text());
    support::set_cookie("sAntiCsrf", "current");
    support::set_cookie("st-last-access-token-update", "2");
    gate.open();
    assert_eq!(refused.done().await.status(), 200);
    assert_eq!(cookie("sFrontToken"), Some(Token::user("s2").text()));
    // The browser has kept the cookies of the late answer, so the server is asked whose they are.
    assert_eq!(page.server.count(REFRESH), 2);
    assert_eq!(page.server.seen("/orders")[1].header("anti-csrf").as_deref(), Some("current"));
}

#[wasm_bindgen_test]
async fn three_logins_and_logouts_are_told_once_each() {
    let page = Page::visited_by(&visitor());
    for session in ["s1", "s2", "s3"] {
        page.server.on(
            "/login",
            [Reply::ok().user(&Token::user(session)).header("st-anonymous-front-token", "remove")],
        );
        page.server.on(SIGN_OUT, [signed_out().anonymous(&visitor())]);
        page.get("/login").await;
        page.sign_out().await;
        assert_eq!(
            page.events.take(),
            ["SESSION_CREATED in authenticated", "SIGN_OUT in anonymous"]
        );
        assert_eq!(passerby::anonymous_id().await.unwrap().as_deref(), Some(ANONYMOUS_ID));
    }
}
