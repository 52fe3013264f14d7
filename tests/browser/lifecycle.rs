//! The SDK's life in a page: start, listeners, what it leaves alone, end.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use gloo_storage::{LocalStorage, SessionStorage, Storage};
use js_sys::Reflect;
use passerby::{Config, SdkError, SessionState};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{BroadcastChannel, MessageEvent};

use crate::support::{self, API, Gate, Page, REFRESH, Reply, SIGN_OUT, Token, sleep, state, until};

#[wasm_bindgen(inline_js = "
export function wrapFetch() {
  const inner = window.fetch;
  window.fetch = (input, init) => inner(input, init);
}
export function denyStorage() {
  const original = Object.getOwnPropertyDescriptor(window, 'localStorage');
  const get = () => { throw new DOMException('denied', 'SecurityError'); };
  Object.defineProperty(window, 'localStorage', { configurable: true, get });
  return original;
}
export function denyCookies() {
  Object.defineProperty(document, 'cookie', { configurable: true, get: () => '', set() {} });
}
export function writeBehind(text) {
  const native = Object.getOwnPropertyDescriptor(Document.prototype, 'cookie');
  Object.defineProperty(document, 'cookie', {
    configurable: true,
    get: () => native.get.call(document),
    set(own) {
      native.set.call(document, own);
      if (own.startsWith('sFrontToken=')) native.set.call(document, text);
    },
  });
}
export function allowCookies() {
  delete document.cookie;
}
export class Errors {
  constructor() {
    this.texts = [];
    this.original = console.error;
    console.error = (error) => this.texts.push(String(error));
  }
  end() {
    console.error = this.original;
    return this.texts.join();
  }
}
export function allowStorage(original) {
  Object.defineProperty(window, 'localStorage', original);
}
")]
extern "C" {
    /// As another library does.
    #[wasm_bindgen(js_name = wrapFetch)]
    fn wrap_fetch();
    /// As a browser set to refuse it.
    #[wasm_bindgen(js_name = denyStorage)]
    fn deny_storage() -> JsValue;
    #[wasm_bindgen(js_name = denyCookies)]
    fn deny_cookies();
    /// As another tab does, right after each front token of ours.
    #[wasm_bindgen(js_name = writeBehind)]
    fn write_behind(text: &str);
    #[wasm_bindgen(js_name = allowCookies)]
    fn allow_cookies();
    /// The errors that go to `console.error`.
    type Errors;
    #[wasm_bindgen(constructor)]
    fn new() -> Errors;
    #[wasm_bindgen(method)]
    fn end(this: &Errors) -> String;
    #[wasm_bindgen(js_name = allowStorage)]
    fn allow_storage(original: &JsValue);
}

fn current_fetch() -> JsValue {
    Reflect::get(&js_sys::global(), &"fetch".into()).unwrap()
}

fn counter() -> (Rc<Cell<u32>>, impl Fn() + 'static) {
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    (calls, move || counted.set(counted.get() + 1))
}

#[wasm_bindgen_test]
async fn nothing_works_before_init_and_everything_says_so() {
    let page = Page::fresh();
    let fault = Some("NOT_INITIALISED");
    let error = passerby::does_session_exist().await.unwrap_err();
    assert_eq!((error.sdk(), error.code().as_deref()), (Some(SdkError::NotInitialised), fault));
    assert_eq!(passerby::is_anonymous().await.unwrap_err().code().as_deref(), fault);
    assert_eq!(passerby::anonymous_id().await.unwrap_err().code().as_deref(), fault);
    assert_eq!(passerby::user_id().await.unwrap_err().code().as_deref(), fault);
    assert_eq!(passerby::attempt_refreshing_session().await.unwrap_err().code().as_deref(), fault);
    assert_eq!(passerby::set_anonymous_sessions(true).await.unwrap_err().code().as_deref(), fault);
    assert_eq!(
        passerby::refresh_session_page("/login", &[]).await.unwrap_err().code().as_deref(),
        fault
    );
    let error = passerby::sign_out().await.unwrap_err();
    assert!(error.to_string().starts_with("init function not called"), "{error}");
    assert_eq!(state(), "unknown");
    assert!(page.server.urls().is_empty());
}

#[wasm_bindgen_test]
fn a_second_init_changes_nothing() {
    Page::start();
    let fetch = current_fetch();
    assert_eq!(passerby::init(Config::new("https://other.test")), Ok(false));
    assert_eq!(current_fetch(), fetch);
}

#[wasm_bindgen_test]
fn a_wrong_configuration_is_named_and_leaves_the_page_alone() {
    Page::fresh();
    let fetch = current_fetch();
    for domain in ["", "/", "nonsense", "https://", "https://[oops]"] {
        assert_eq!(passerby::init(Config::new(domain)), Err(SdkError::BadApiDomain), "{domain:?}");
    }
    let mut same = Config::new(API);
    same.invalid_claim_status_code = 401;
    assert_eq!(passerby::init(same), Err(SdkError::BadStatusCodes));
    assert_eq!(current_fetch(), fetch);
    assert_eq!(passerby::init(Config::new(API)), Ok(true), "and can be put right");
}

#[wasm_bindgen_test]
async fn a_request_on_the_line_after_init_is_intercepted() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::ok()]);
    let running = page.get_later("/orders");
    running.done().await;
    assert_eq!(page.server.one("/orders").header("rid").as_deref(), Some("anti-csrf"));
}

#[wasm_bindgen_test]
async fn dispose_gives_the_page_its_fetch_back_and_init_takes_it_again() {
    let page = Page::fresh();
    let fetch = current_fetch();
    page.init();
    assert_ne!(current_fetch(), fetch);
    passerby::dispose();
    assert_eq!(current_fetch(), fetch);
    page.server.on("/orders", [Reply::ok()]);
    page.get("/orders").await;
    assert_eq!(page.server.one("/orders").header("rid"), None);

    support::set_cookie("st-last-access-token-update", "1");
    page.init();
    page.get("/orders").await;
    assert_eq!(page.server.seen("/orders")[1].header("rid").as_deref(), Some("anti-csrf"));
}

#[wasm_bindgen_test]
async fn dispose_keeps_what_is_stored() {
    let page = Page::signed_in(&Token::user("s1"));
    passerby::dispose();
    assert_eq!(state(), "unknown", "nothing is known without the SDK");
    page.init();
    assert_eq!(state(), "authenticated");
}

#[wasm_bindgen_test]
async fn dispose_leaves_another_librarys_wrapper_in_place() {
    let page = Page::signed_in(&Token::user("s1"));
    wrap_fetch();
    let wrapper = current_fetch();
    passerby::dispose();
    assert_eq!(current_fetch(), wrapper);
    page.server.on("/orders", [Reply::ok()]);
    assert_eq!(page.get("/orders").await.status(), 200);
}

#[wasm_bindgen_test]
async fn a_request_that_is_under_way_survives_dispose() {
    let page = Page::signed_in(&Token::user("s1"));
    let gate = Gate::closed();
    page.server.on("/orders", [Reply::ok().user(&Token::user("s1").issued(1.0)).behind(&gate)]);
    let running = page.get_later("/orders");
    page.server.arrived(1, "/orders").await;
    passerby::dispose();
    gate.open();
    until("the app has its answer", || running.is_done()).await;
    assert_eq!(running.done().await.status(), 200);
}

#[wasm_bindgen_test]
async fn listeners_hear_of_changes_until_they_are_dropped() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on(
        "/orders",
        [
            Reply::ok(),
            Reply::ok().user(&Token::user("s1").issued(1.0)),
            Reply::ok().user(&Token::user("s1").issued(2.0)),
        ],
    );
    let (calls, listener) = counter();
    let subscription = passerby::subscribe(listener);
    page.get("/orders").await;
    assert_eq!(calls.get(), 0, "nothing changed");
    page.get("/orders").await;
    assert_eq!(calls.get(), 1);
    drop(subscription);
    page.get("/orders").await;
    assert_eq!(calls.get(), 1);
}

#[wasm_bindgen_test]
async fn a_listener_reads_the_new_state() {
    let page = Page::start();
    page.server.on("/login", [Reply::ok().user(&Token::user("s1"))]);
    page.server.on(REFRESH, [Reply::ended("unauthorised")]);
    let seen = Rc::new(RefCell::new(Vec::<String>::new()));
    let place = seen.clone();
    let _subscription = passerby::subscribe(move || place.borrow_mut().push(state()));
    page.get("/login").await;
    assert_eq!(seen.take(), ["none", "authenticated"]);
}

#[wasm_bindgen_test]
async fn a_listener_that_throws_breaks_neither_the_request_nor_the_others() {
    let page = Page::fresh();
    let _throws_at_events = passerby::on_event(|_| wasm_bindgen::throw_str("the app's listener"));
    let (events, listener) = counter();
    let _listens_to_events = passerby::on_event(move |_| listener());
    page.init();
    page.server.on(REFRESH, [Reply::ended("unauthorised")]);
    page.server.on("/login", [Reply::ok().user(&Token::user("s1"))]);
    let _throws = passerby::subscribe(|| wasm_bindgen::throw_str("the app's listener"));
    let (calls, listener) = counter();
    let _listens = passerby::subscribe(listener);
    assert_eq!(page.get("/login").await.status(), 200);
    assert_eq!((calls.get(), events.get()), (2, 1));
    assert_eq!(state(), "authenticated");
}

#[wasm_bindgen_test]
async fn a_listener_may_drop_another_one() {
    let page = Page::signed_in(&Token::user("s1"));
    let other = Rc::new(RefCell::new(None));
    let place = other.clone();
    let _first = passerby::subscribe(move || drop(place.take()));
    let (calls, listener) = counter();
    other.replace(Some(passerby::subscribe(listener)));
    page.server.on("/orders", [Reply::ok().user(&Token::user("s1").issued(1.0))]);
    let errors = Errors::new();
    page.get("/orders").await;
    assert_eq!(errors.end(), "");
    assert_eq!(calls.get(), 0, "it was dropped before its turn");
}

#[wasm_bindgen_test]
async fn another_tab_that_writes_in_the_same_moment_is_no_refusal_of_the_browser() {
    let page = Page::signed_in(&Token::user("s1"));
    let theirs = Token::user("s1").issued(2.0).with("role", "theirs");
    write_behind(&format!("sFrontToken={};path=/", theirs.text()));
    page.server
        .on("/orders", [Reply::ok().user(&Token::user("s1").issued(1.0).with("role", "ours"))]);
    page.get("/orders").await;
    allow_cookies();
    assert_eq!(page.events.take(), ["ACCESS_TOKEN_PAYLOAD_UPDATED in authenticated"]);
    assert_eq!(support::cookie("sFrontToken"), Some(theirs.text()));
}

#[wasm_bindgen_test]
async fn cookies_that_the_browser_denies_end_in_an_answer_and_not_in_a_loop() {
    let page = Page::start();
    page.server.on("/orders", [Reply::refused("unauthorised")]);
    page.server.on(REFRESH, [Reply::ok().user(&Token::user("s1"))]);
    deny_cookies();
    let outcome = page.try_get("/orders").await;
    allow_cookies();
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("Could not refresh session"), "{error}");
    assert!(page.server.count(REFRESH) <= 2, "{:?}", page.server.urls());
}

#[wasm_bindgen_test]
async fn snapshots_are_equal_until_something_changes() {
    let page = Page::signed_in(&Token::user("s1").with("role", "admin"));
    let before = passerby::snapshot();
    assert_eq!(passerby::snapshot(), before);
    page.server.on("/orders", [Reply::ok(), Reply::ok().user(&Token::user("s1").issued(1.0))]);
    page.get("/orders").await;
    assert_eq!(passerby::snapshot(), before, "nothing changed");
    assert_eq!(before.state(), SessionState::Authenticated);
    assert_eq!(before.user_id().as_deref(), Some("alice"));
    assert_eq!(before.anonymous_id().as_deref(), Some(support::ANONYMOUS_ID));
    let payload: serde_json::Value = before.payload().unwrap().unwrap();
    assert_eq!(payload["role"], "admin");
    assert!(before.expires_at().is_some_and(|time| time > js_sys::Date::now()));
    page.get("/orders").await;
    assert_ne!(passerby::snapshot(), before);
}

#[wasm_bindgen_test]
async fn a_change_in_another_tab_is_heard() {
    let page = Page::signed_in(&Token::user("s1"));
    let (calls, listener) = counter();
    let _subscription = passerby::subscribe(listener);
    let other = BroadcastChannel::new("passerby").unwrap();
    other.post_message(&JsValue::NULL).unwrap();
    until("it is heard", || calls.get() == 1).await;

    let (heard, on_message) = counter();
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |_| on_message());
    other.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    page.server.on("/orders", [Reply::ok().user(&Token::user("s1").issued(1.0))]);
    page.get("/orders").await;
    until("other tabs hear of ours", || heard.get() == 1).await;
    other.close();
}

#[wasm_bindgen_test]
async fn after_dispose_nothing_is_heard() {
    let page = Page::signed_in(&Token::user("s1"));
    let (calls, listener) = counter();
    let _subscription = passerby::subscribe(listener);
    passerby::dispose();
    let other = BroadcastChannel::new("passerby").unwrap();
    other.post_message(&JsValue::NULL).unwrap();
    sleep(50).await;
    other.close();
    assert_eq!(calls.get(), 0);
    drop(page);
}

#[wasm_bindgen_test]
async fn data_that_the_app_stores_itself_is_left_alone() {
    let page = Page::fresh();
    LocalStorage::set("cart", vec!["apple", "pear"]).unwrap();
    SessionStorage::set("st-own", 7).unwrap();
    support::set_cookie("theme", "dark");
    support::set_cookie("sFrontTokenOfTheApp", "mine");
    page.init();
    page.server.on(REFRESH, [Reply::ended("unauthorised")]);
    // With a clock skew, which is what goes to localStorage.
    page.server.on("/login", [Reply::ok().user(&Token::user("s1").issued(3600.0))]);
    page.server.on(SIGN_OUT, [Reply::ok().header("front-token", "remove")]);
    page.get("/login").await;
    page.sign_out().await;
    passerby::dispose();
    assert_eq!(LocalStorage::get::<Vec<String>>("cart").unwrap(), ["apple", "pear"]);
    assert_eq!(SessionStorage::get::<u32>("st-own").unwrap(), 7);
    assert_eq!(support::cookie("theme").as_deref(), Some("dark"));
    assert_eq!(support::cookie("sFrontTokenOfTheApp").as_deref(), Some("mine"));
    assert_eq!(LocalStorage::length(), 2, "the clock skew beside it");
    SessionStorage::delete("st-own");
}

#[wasm_bindgen_test]
async fn storage_that_the_browser_denies_costs_nothing_but_memory() {
    let page = Page::fresh();
    let original = deny_storage();
    page.init();
    page.server.on(REFRESH, [Reply::ended("unauthorised")]);
    page.server.on("/login", [Reply::ok().user(&Token::user("s1").issued(-3600.0).living(1800.0))]);
    let answer = page.try_get("/login").await;
    let exists = passerby::does_session_exist().await;
    allow_storage(&original);
    assert_eq!(answer.unwrap().status(), 200);
    assert!(exists.unwrap(), "the server's clock is known in this page");
}
