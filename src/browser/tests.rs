//! The modules in JavaScript, function by function.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{Response, ResponseInit};

use super::subscribe;

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen(inline_js = r#"
export class Cookies {
  // Takes the place of document.cookie: reads say `text`, writes are kept.
  constructor(text) {
    this.written = [];
    Object.defineProperty(document, "cookie", {
      configurable: true,
      get: () => text,
      set: (value) => this.written.push(value),
    });
  }
  last() { return this.written.at(-1); }
  end() { delete document.cookie; }
}
export class Warnings {
  constructor() {
    this.texts = [];
    this.original = console.warn;
    console.warn = (text) => this.texts.push(text);
  }
  end() { console.warn = this.original; return this.texts; }
}
export function replace(object, name, value) {
  Object.defineProperty(object, name, { configurable: true, ...value });
  return () => delete object[name];
}
export function frontToken(json) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(json)));
}
export const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
export const databases = () => indexedDB.databases().then(({ length }) => length);
export const held = (name) =>
  navigator.locks.query().then(({ held }) => held.some((lock) => lock.name === name));
"#)]
extern "C" {
    type Cookies;
    #[wasm_bindgen(constructor)]
    fn new(text: &str) -> Cookies;
    #[wasm_bindgen(method)]
    fn last(this: &Cookies) -> Option<String>;
    #[wasm_bindgen(method)]
    fn end(this: &Cookies);

    type Warnings;
    #[wasm_bindgen(constructor)]
    fn new() -> Warnings;
    #[wasm_bindgen(method)]
    fn end(this: &Warnings) -> js_sys::Array;

    /// Until the returned function is called.
    fn replace(object: &JsValue, name: &str, descriptor: &JsValue) -> Function;
    #[wasm_bindgen(js_name = frontToken)]
    fn front_token(json: &str) -> String;
    fn wait(milliseconds: f64) -> Promise;
    fn held(name: &str) -> Promise;
    fn databases() -> Promise;
}

#[wasm_bindgen(module = "/src/browser/handlers.js")]
extern "C" {
    #[wasm_bindgen(js_name = setInitOptions)]
    fn set_init_options(options: &JsValue);
    #[wasm_bindgen(js_name = serverNow)]
    fn server_now() -> f64;
    #[wasm_bindgen(js_name = setClock)]
    fn set_clock(response: &Response, token: &JsValue);
}

#[wasm_bindgen(module = "/src/browser/host.js")]
extern "C" {
    #[wasm_bindgen(js_name = configureCookies)]
    fn configure(domain: &JsValue, is_in_iframe: bool);
    #[wasm_bindgen(js_name = getCookie)]
    fn get_cookie(name: &str) -> JsValue;
    #[wasm_bindgen(js_name = setCookie)]
    fn set_cookie(name: &str, value: &JsValue);
    fn lock(name: &str, timeout: f64) -> Promise;
    #[wasm_bindgen(js_name = announceChange)]
    fn announce_change();
    #[wasm_bindgen(js_name = fireEvent)]
    fn fire_event(event: &JsValue);
    #[wasm_bindgen(js_name = takeSnapshot)]
    fn take_snapshot(state: &str, token: &JsValue) -> JsValue;
}

#[wasm_bindgen(module = "/src/browser/tasks.js")]
extern "C" {
    #[wasm_bindgen(js_name = storedToken)]
    fn stored_token(name: &str) -> JsValue;
    #[wasm_bindgen(js_name = announcedToken)]
    fn announced_token(response: &Response, name: &str) -> JsValue;
}

#[wasm_bindgen(module = "/src/browser/scope.js")]
extern "C" {
    #[wasm_bindgen(js_name = parseUrl)]
    fn parse_url(text: &str) -> JsValue;
    fn path(text: &str) -> JsValue;
    fn scope(text: &str) -> JsValue;
}

fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap()
}

/// The content of a cookie, or the announcement of a header.
#[derive(Debug, PartialEq)]
enum Seen {
    Nothing,
    /// A cookie that cannot be read; a header that says that the token is removed.
    Not,
    Token(JsValue),
}

fn seen(value: JsValue) -> Seen {
    if value.is_undefined() {
        Seen::Nothing
    } else if value.is_falsy() {
        Seen::Not
    } else {
        Seen::Token(value)
    }
}

async fn sleep(milliseconds: f64) {
    JsFuture::from(wait(milliseconds)).await.unwrap();
}

fn window() -> JsValue {
    js_sys::global().into()
}

fn navigator() -> JsValue {
    Reflect::get(&window(), &"navigator".into()).unwrap()
}

fn descriptor(key: &str, value: &JsValue) -> JsValue {
    let descriptor = Object::new();
    Reflect::set(&descriptor, &key.into(), value).unwrap();
    descriptor.into()
}

// --- cookies -------------------------------------------------------------------------------------

fn written(domain: &JsValue, is_in_iframe: bool, value: &str) -> String {
    let cookies = Cookies::new(&format!("sFrontToken={value}"));
    configure(domain, is_in_iframe);
    set_cookie("sFrontToken", &value.into());
    cookies.end();
    configure(&JsValue::UNDEFINED, false);
    cookies.last().unwrap()
}

#[wasm_bindgen_test]
fn a_cookie_is_written_as_the_peers_write_it() {
    let none = JsValue::UNDEFINED;
    assert_eq!(
        written(&none, false, "a=b"),
        "sFrontToken=a=b;expires=Fri, 31 Dec 9999 23:59:59 GMT;path=/;samesite=lax"
    );
    assert_eq!(
        written(&none, true, "x"),
        "sFrontToken=x;expires=Fri, 31 Dec 9999 23:59:59 GMT;path=/;samesite=none;secure"
    );
}

#[wasm_bindgen_test]
fn a_domain_is_written_where_it_says_something() {
    let with = |domain: &str| written(&domain.into(), false, "x").contains("domain=");
    assert!(
        written(&".example.com".into(), false, "x")
            .ends_with(";domain=.example.com;path=/;samesite=lax")
    );
    assert!(!with("localhost"));
    assert!(!with(""));
    let own =
        Reflect::get(&Reflect::get(&window(), &"location".into()).unwrap(), &"hostname".into())
            .unwrap();
    assert!(!with(&own.as_string().unwrap()));
}

#[wasm_bindgen_test]
fn an_empty_value_deletes() {
    let text = written(&JsValue::UNDEFINED, false, "");
    assert_eq!(text, "sFrontToken=;expires=Thu, 01 Jan 1970 00:00:00 GMT;path=/;samesite=lax");
}

#[wasm_bindgen_test]
fn the_last_cookie_of_that_name_that_is_not_empty_counts() {
    for (text, expected) in [
        ("", None),
        ("a=1", Some("1")),
        ("a=1; a=2", Some("2")),
        ("a=1; a=", Some("1")),
        ("a=; a=2", Some("2")),
        ("b=3;a=1;c=4", Some("1")),
        ("b=3;  a=1", Some("1")),
        ("a=b=c==", Some("b=c==")),
        ("xa=1; ax=2; A=3", None),
        ("b=a=1", None),
    ] {
        let cookies = Cookies::new(text);
        let value = get_cookie("a").as_string();
        cookies.end();
        assert_eq!(value.as_deref(), expected, "{text:?}");
    }
}

#[wasm_bindgen_test]
async fn the_browser_keeps_what_is_written_and_drops_what_is_deleted() {
    let token = front_token(r#"{"uid":"a","ate":1,"up":{}}"#);
    let warnings = Warnings::new();
    set_cookie("passerby-test", &token.as_str().into());
    let kept = get_cookie("passerby-test");
    set_cookie("passerby-test", &"".into());
    let dropped = get_cookie("passerby-test");
    // The text of a warning is loaded when it is needed.
    JsFuture::from(wait(1000.0)).await.unwrap();
    assert_eq!(warnings.end().length(), 0);
    assert_eq!(kept.as_string(), Some(token));
    assert!(dropped.is_falsy());
}

#[wasm_bindgen_test]
async fn a_cookie_that_the_browser_refuses_is_said() {
    let warnings = Warnings::new();
    set_cookie("passerby-test", &"x".repeat(4096).as_str().into());
    JsFuture::from(wait(1000.0)).await.unwrap();
    let texts = warnings.end();
    assert!(get_cookie("passerby-test").is_falsy());
    assert_eq!(texts.length(), 1);
    let text = texts.get(0).as_string().unwrap();
    assert!(text.starts_with("Saving to cookies was not successful"), "{text}");
    assert!(text.contains("passerby-test") && text.contains("4096"), "{text}");
}

// --- front tokens --------------------------------------------------------------------------------

/// The token that storage reads in this cookie value.
fn read(raw: &str) -> Seen {
    let cookies = Cookies::new(&format!("passerby-test={raw}"));
    let seen = seen(stored_token("passerby-test"));
    cookies.end();
    seen
}

fn token(raw: &str) -> JsValue {
    match read(raw) {
        Seen::Token(token) => token,
        Seen::Nothing | Seen::Not => panic!("unreadable: {raw}"),
    }
}

/// The time of its making, as the machine sees it.
fn issued_at(token: &JsValue) -> f64 {
    Reflect::get_u32(&get(token, "numbers"), 1).unwrap().as_f64().unwrap()
}

/// The number that the machine compares payloads by.
fn payload_of(json: &str) -> JsValue {
    let token = token(&front_token(&format!(r#"{{"uid":"u","ate":1,"up":{json}}}"#)));
    Reflect::get_u32(&get(&token, "numbers"), 3).unwrap()
}

#[wasm_bindgen_test]
fn a_front_token_is_read() {
    let json = concat!(
        r#"{"uid":"u-1","ate":2000,"up":{"iat":1,"sessionHandle":"s-1","#,
        r#""anonymousId":"a-1","name":"Ærø 漢字 🍏"}}"#
    );
    let raw = front_token(json);
    let token = token(&raw);
    assert_eq!(get(&token, "id"), "s-1");
    assert_eq!((issued_at(&token), get(&token, "ate").as_f64()), (1.0, Some(2000.0)));
    assert_eq!(get(&token, "raw"), raw.as_str());
    assert_eq!(get(&get(&token, "up"), "name"), "Ærø 漢字 🍏");
}

#[wasm_bindgen_test]
fn a_session_is_known_by_its_handle_then_by_the_anonymous_id_then_by_the_user() {
    for (up, id) in [
        (r#"{"sessionHandle":"s","anonymousId":"a"}"#, "s"),
        (r#"{"anonymousId":"a","isAnonymous":true}"#, "a"),
        ("{}", "u"),
    ] {
        let token = token(&front_token(&format!(r#"{{"uid":"u","ate":1,"up":{up}}}"#)));
        assert_eq!(get(&token, "id"), id);
        assert_eq!(issued_at(&token), 0.0, "no iat, no clock");
    }
}

#[wasm_bindgen_test]
fn what_was_seen_long_ago_is_given_up_and_a_session_that_goes_on_keeps_its_number() {
    let numbers = |session: u32, step: u32| {
        let json =
            format!(r#"{{"uid":"u","ate":1,"up":{{"sessionHandle":"s{session}","step":{step}}}}}"#);
        let numbers = get(&token(&front_token(&json)), "numbers");
        [0, 3].map(|at| Reflect::get_u32(&numbers, at).unwrap().as_f64().unwrap())
    };
    let [session, payload] = numbers(0, 0);
    assert_eq!(numbers(0, 0), [session, payload]);
    for step in 1..=1_000 {
        assert_eq!(numbers(0, step)[0], session, "however often its payload changes");
    }
    assert_ne!(numbers(0, 0)[1], payload, "memory that nobody needs is free again");
    for session in 1..=1_000 {
        numbers(session, 0);
    }
    assert_ne!(numbers(0, 0)[0], session);
}

#[wasm_bindgen_test]
fn text_that_is_not_a_front_token_is_unreadable_and_harms_nobody() {
    for raw in [
        "%%%",
        "remove",
        "a",
        &front_token("not json"),
        &front_token("null"),
        &front_token("1"),
        &front_token("[]"),
        &front_token(r#"{"uid":"u","ate":1}"#),
        &front_token(r#"{"uid":"u","ate":1,"up":null}"#),
        &front_token(r#"{"uid":"u","ate":1,"up":{}"#),
    ] {
        assert_eq!(read(raw), Seen::Not, "{raw}");
    }
    assert_eq!(read(""), Seen::Nothing);
}

#[wasm_bindgen_test]
fn a_front_token_has_a_time_and_an_object() {
    for json in [
        r#"{"uid":"u","up":{}}"#,
        r#"{"uid":"u","ate":"soon","up":{}}"#,
        r#"{"uid":"u","ate":1,"up":"text"}"#,
        r#"{"uid":"u","ate":1,"up":7}"#,
    ] {
        assert_eq!(read(&front_token(json)), Seen::Not, "{json}");
    }
}

#[wasm_bindgen_test]
fn the_token_of_a_cookie_follows_the_cookie() {
    let [first, second] =
        ["1", "2"].map(|time| front_token(&format!(r#"{{"uid":"u","ate":{time},"up":{{}}}}"#)));
    let time = |raw: &str| match read(raw) {
        Seen::Token(token) => get(&token, "ate").as_f64(),
        Seen::Nothing | Seen::Not => None,
    };
    assert_eq!(time(&first), Some(1.0));
    assert_eq!(time(&second), Some(2.0));
    assert_eq!(time("%%%"), None);
    assert_eq!(time(&first), Some(1.0));
}

#[wasm_bindgen_test]
fn payloads_are_the_same_whatever_the_order_of_their_keys() {
    let same = |a: &str, b: &str| payload_of(a) == payload_of(b);
    assert!(same(
        r#"{"a":1,"b":{"c":[1,{"d":2,"e":3}],"f":null}}"#,
        r#"{"b":{"f":null,"c":[1,{"e":3,"d":2}]},"a":1}"#
    ));
    assert!(!same(r#"{"a":1}"#, r#"{"a":2}"#));
    assert!(!same(r#"{"a":1}"#, r#"{"a":"1"}"#));
    assert!(!same(r#"{"a":1}"#, r#"{"a":1,"b":null}"#));
    assert!(!same(r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#));
    assert!(!same(r#"{"a":{"b":1}}"#, r#"{"a":{"c":1}}"#));
    assert!(!same(r#"{"a":[]}"#, r#"{"a":{}}"#));
}

#[wasm_bindgen_test]
fn an_anonymous_token_that_was_renewed_is_the_same_and_a_user_token_is_not() {
    let same = |a: &str, b: &str| payload_of(a) == payload_of(b);
    assert!(same(
        r#"{"isAnonymous":true,"iat":1,"exp":2}"#,
        r#"{"exp":4,"iat":3,"isAnonymous":true}"#
    ));
    assert!(!same(
        r#"{"isAnonymous":true,"iat":1,"cart":1}"#,
        r#"{"isAnonymous":true,"iat":1,"cart":2}"#
    ));
    assert!(!same(r#"{"iat":1}"#, r#"{"iat":2}"#));
}

fn response(name: &str, value: &str) -> Response {
    let headers = web_sys::Headers::new().unwrap();
    headers.append(name, value).unwrap();
    let init = ResponseInit::new();
    init.set_headers(&headers);
    Response::new_with_opt_str_and_init(None, &init).unwrap()
}

#[wasm_bindgen_test]
fn a_response_announces_a_token_its_end_or_nothing() {
    let announced =
        |name: &str, value: &str| seen(announced_token(&response(name, value), "front-token"));
    let raw = front_token(r#"{"uid":"u","ate":7,"up":{}}"#);
    assert!(
        matches!(announced("Front-Token", &raw), Seen::Token(token) if get(&token, "ate") == 7.0)
    );
    assert_eq!(announced("front-token", "remove"), Seen::Not);
    assert_eq!(announced("st-anonymous-front-token", "remove"), Seen::Nothing);
    for malformed in ["", "Remove", "removed", "%%%", "bm90IEpTT04="] {
        assert_eq!(announced("front-token", malformed), Seen::Nothing, "{malformed}");
    }
}

// --- the clock -----------------------------------------------------------------------------------

/// A response with a front token that was made `seconds` from now, and by how many milliseconds the
/// clock is ahead after it.
fn skew_after(seconds: f64) -> f64 {
    let now = js_sys::Date::now;
    let issued_at = now() / 1000.0 + seconds;
    let token =
        token(&front_token(&format!(r#"{{"uid":"u","ate":1,"up":{{"iat":{issued_at}}}}}"#)));
    set_clock(&response("x", "y"), &token);
    server_now() - now()
}

fn stored_skew() -> Option<String> {
    web_sys::window()
        .unwrap()
        .local_storage()
        .unwrap()
        .unwrap()
        .get_item("__st_clockSkewInMillis")
        .unwrap()
}

#[wasm_bindgen_test]
fn the_clock_follows_the_servers_and_what_the_network_takes_does_not_count() {
    let ahead = skew_after(3600.0);
    assert!((ahead - 3_600_000.0).abs() < 1000.0, "{ahead}");
    assert!(
        stored_skew()
            .is_some_and(|text| (text.parse::<f64>().unwrap() - 3_600_000.0).abs() < 1000.0)
    );
    assert!(skew_after(-60.0) < -59_000.0);
    assert_eq!(skew_after(5.0), 0.0);
    assert_eq!(stored_skew().as_deref(), Some("0"), "what is used is what is stored");
}

#[wasm_bindgen_test]
fn storage_that_is_denied_does_not_throw_and_the_clock_holds() {
    let original = Object::get_own_property_descriptor(&js_sys::global(), &"localStorage".into());
    let denied = Function::new_no_args("throw new DOMException('denied', 'SecurityError')");
    replace(&window(), "localStorage", &descriptor("get", &denied));
    let ahead = skew_after(3600.0);
    replace(&window(), "localStorage", &original);
    assert!(ahead > 3_599_000.0, "{ahead}");
    assert_eq!(skew_after(0.0), 0.0);
}

// --- locks ---------------------------------------------------------------------------------------

/// Nothing for one that was not had.
fn unlock(release: &JsValue) {
    if let Some(release) = release.dyn_ref::<Function>() {
        release.call0(&JsValue::UNDEFINED).unwrap();
    }
}

/// Two tasks that want the lock at once: whether they ever had it together.
async fn overlap(name: &'static str) -> bool {
    use std::{cell::Cell, rc::Rc};
    let inside = Rc::new(Cell::new(0));
    let most = Rc::new(Cell::new(0));
    let tasks: Vec<Promise> = (0..3)
        .map(|_| {
            let (inside, most) = (inside.clone(), most.clone());
            future_to_promise(async move {
                let release = JsFuture::from(lock(name, 5000.0)).await?;
                inside.set(inside.get() + 1);
                most.set(inside.get().max(most.get()));
                JsFuture::from(wait(10.0)).await?;
                inside.set(inside.get() - 1);
                unlock(&release);
                Ok(JsValue::UNDEFINED)
            })
        })
        .collect();
    for task in tasks {
        JsFuture::from(task).await.unwrap();
    }
    most.get() > 1
}

/// Whether somebody else gets the lock while it is held, and after it was dropped.
async fn given_up_and_given_back(name: &'static str) -> (bool, bool) {
    let first = JsFuture::from(lock(name, 1000.0)).await.unwrap();
    let second = JsFuture::from(lock(name, 20.0)).await.unwrap();
    unlock(&first);
    let third = JsFuture::from(lock(name, 1000.0)).await.unwrap();
    let result = (second.is_function(), third.is_function());
    unlock(&third);
    result
}

#[wasm_bindgen_test]
async fn one_at_a_time_holds_a_lock() {
    assert!(!overlap("passerby-test-1").await);
}

#[wasm_bindgen_test]
async fn a_lock_that_cannot_be_had_in_time_is_gone_without_and_a_dropped_one_is_free() {
    assert_eq!(given_up_and_given_back("passerby-test-2").await, (false, true));
}

#[wasm_bindgen_test]
async fn a_lock_is_over_all_tabs() {
    let release = JsFuture::from(lock("passerby-test-3", 1000.0)).await.unwrap();
    assert_eq!(JsFuture::from(held("passerby-test-3")).await.unwrap(), true);
    unlock(&release);
    sleep(20.0).await;
    assert_eq!(JsFuture::from(held("passerby-test-3")).await.unwrap(), false);
}

#[wasm_bindgen_test]
async fn where_the_browser_has_no_locks_transactions_do_the_same() {
    let restore = replace(&navigator(), "locks", &descriptor("value", &JsValue::UNDEFINED));
    let overlapped = overlap("passerby-test-5").await;
    let given = given_up_and_given_back("passerby-test-5").await;
    sleep(100.0).await;
    let left = JsFuture::from(databases()).await.unwrap();
    restore.call0(&JsValue::UNDEFINED).unwrap();
    assert!(!overlapped);
    assert_eq!(given, (false, true));
    assert_eq!(left, 0, "databases that are left behind");
}

#[wasm_bindgen_test]
async fn where_it_has_neither_nothing_waits() {
    let restore = replace(&navigator(), "locks", &descriptor("value", &JsValue::UNDEFINED));
    let denied = Function::new_no_args("throw new DOMException('denied', 'SecurityError')");
    let original = Object::get_own_property_descriptor(&js_sys::global(), &"indexedDB".into());
    replace(&window(), "indexedDB", &descriptor("get", &denied));
    let release = JsFuture::from(lock("passerby-test-4", 60_000.0)).await.unwrap();
    replace(&window(), "indexedDB", &original);
    restore.call0(&JsValue::UNDEFINED).unwrap();
    assert!(release.is_undefined());
}

#[wasm_bindgen_test]
async fn locks_that_are_denied_hold_nothing_up() {
    let denied = Function::new_no_args(
        "return { request: async () => { throw new DOMException('denied', 'SecurityError') } }",
    );
    let restore = replace(&navigator(), "locks", &descriptor("get", &denied));
    let release = JsFuture::from(lock("passerby-test-6", 60_000.0)).await.unwrap();
    restore.call0(&JsValue::UNDEFINED).unwrap();
    assert!(release.is_undefined());
}

// --- the app -------------------------------------------------------------------------------------

#[wasm_bindgen_test]
fn a_snapshot_is_the_same_until_state_or_token_change() {
    let [first, second] =
        ["1", "2"].map(|time| front_token(&format!(r#"{{"uid":"u","ate":{time},"up":{{}}}}"#)));
    let shown = take_snapshot("anonymous", &token(&first));
    assert_eq!(take_snapshot("anonymous", &token(&first)), shown);
    assert_ne!(take_snapshot("authenticated", &token(&first)), shown);
    assert_ne!(take_snapshot("anonymous", &token(&second)), shown);
    let none = take_snapshot("none", &JsValue::UNDEFINED);
    assert_eq!(take_snapshot("none", &JsValue::UNDEFINED), none);
    assert_eq!(
        Object::keys(none.unchecked_ref::<Object>()).length(),
        1,
        "a state and nothing else"
    );
    assert!(Object::is_frozen(shown.unchecked_ref::<Object>()));
}

#[wasm_bindgen_test]
fn a_listener_may_change_the_listeners() {
    // Calls itself back in, as frameworks that re-render do; each round is one call.
    let subscriber = Closure::<dyn Fn(Function) -> Function>::new(|listener: Function| {
        subscribe(&listener).unchecked_into()
    });
    let renewing = Function::new_with_args(
        "subscribe",
        "let stop; let calls = 0;
         const listener = () => {
           if (++calls > 50) return;
           stop();
           stop = subscribe(() => listener());
         };
         stop = subscribe(() => listener());
         return () => { stop(); return calls; }",
    );
    let calls: Function =
        renewing.call1(&JsValue::UNDEFINED, subscriber.as_ref()).unwrap().unchecked_into();
    announce_change();
    let calls = calls.call0(&JsValue::UNDEFINED).unwrap();
    assert_eq!(calls, 1);
}

#[wasm_bindgen_test]
fn an_event_is_told_to_the_one_who_wants_it() {
    let seen = js_sys::Array::new();
    let handler = Function::new_with_args("event", "this.push(JSON.stringify(event))").bind0(&seen);
    let options = |handler: &JsValue| descriptor("onHandleEvent", handler);
    let event = descriptor("action", &"SIGN_OUT".into());
    Reflect::set(&event, &"userContext".into(), &Object::new()).unwrap();
    set_init_options(&options(&handler));
    fire_event(&event);
    set_init_options(&options(&JsValue::UNDEFINED));
    fire_event(&event);
    assert_eq!(seen.get(0), r#"{"action":"SIGN_OUT","userContext":{}}"#);
    assert_eq!(seen.length(), 1);
}

// --- URLs ----------------------------------------------------------------------------------------

#[wasm_bindgen_test]
fn a_url_is_taken_apart_as_the_browser_does() {
    let url = |text: &str| {
        let url = parse_url(text);
        let text = |key| get(&url, key).as_string().unwrap();
        (!url.is_undefined()).then(|| (text("origin"), text("hostname")))
    };
    let expect = |origin: &str, host: &str| Some((origin.to_owned(), host.to_owned()));
    assert_eq!(
        url("HTTPS://API.example.com:443/a/b/?q#f"),
        expect("https://api.example.com", "api.example.com")
    );
    assert_eq!(url("http://127.0.0.1:8080/"), expect("http://127.0.0.1:8080", "127.0.0.1"));
    assert_eq!(url("http://[::1]:3000/a"), expect("http://[::1]:3000", "[::1]"));
    assert_eq!(url("https://[oops]"), None);
    let own = web_sys::window().unwrap().location().origin().unwrap();
    assert_eq!(url("/x").map(|(origin, ..)| origin), Some(own), "resolved against the document");
}

#[wasm_bindgen_test]
fn a_path_has_no_slash_at_its_end_and_an_address_has_no_domains_below_it() {
    let read = |text: &str| path(text).as_string();
    assert_eq!(read("https://api.example.com:443/a/b/?q#f").as_deref(), Some("/a/b"));
    assert_eq!(read("http://intranet/a").as_deref(), Some("/a"));
    assert_eq!(read("https://api.example.com//").as_deref(), Some("/"));
    assert_eq!(read("api.example.com/a").as_deref(), Some("/a"));
    assert_eq!(read("a/b").as_deref(), Some("/a/b"));
    assert_eq!(read("/").as_deref(), Some(""));
    assert_eq!(read("https://[oops]"), None);
    let read = |text: &str| scope(text).as_string();
    assert_eq!(read(".1.example.com").as_deref(), Some(".1.example.com"));
    assert_eq!(read(".127.0.0.1").as_deref(), Some("127.0.0.1"));
}
