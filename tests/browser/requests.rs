//! The app's requests: which of them are ours, and what they carry.

use gloo_net::http::Request;
use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::RequestCredentials;

use crate::support::{self, API, Gate, Page, REFRESH, Reply, SIGN_OUT, Token, cookie, set_cookie};

#[wasm_bindgen_test]
async fn requests_of_gloo_net_carry_what_the_protocol_asks_for() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::ok().body("[1]")]);
    let answer = page.get("/orders").await;
    assert_eq!(answer.text().await.unwrap(), "[1]");
    let seen = page.server.one("/orders");
    assert_eq!(seen.header("rid").as_deref(), Some("anti-csrf"));
    assert_eq!(seen.header("st-auth-mode").as_deref(), Some("cookie"));
    assert_eq!(seen.header("anti-csrf"), None);
    assert_eq!(seen.header("st-anonymous-mode"), None);
    assert_eq!(seen.credentials, RequestCredentials::Include);
    assert_eq!(page.server.urls(), ["/orders"]);
}

#[wasm_bindgen_test]
async fn a_rid_of_the_caller_is_kept_and_its_auth_mode_is_not() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::ok()]);
    let request = Request::get(&format!("{API}/orders"))
        .header("rid", "mine")
        .header("st-auth-mode", "header");
    request.header("x-app", "kept").send().await.unwrap();
    let seen = page.server.one("/orders");
    assert_eq!(seen.header("rid").as_deref(), Some("mine"));
    assert_eq!(seen.header("st-auth-mode").as_deref(), Some("cookie"));
    assert_eq!(seen.header("x-app").as_deref(), Some("kept"));
}

#[wasm_bindgen_test]
async fn the_anti_csrf_token_is_stored_sent_and_forgotten_with_the_session() {
    let page = Page::start();
    page.server.on(REFRESH, [Reply::ended("unauthorised")]);
    page.server.on("/login", [Reply::ok().user(&Token::user("s1")).header("anti-csrf", "csrf-1")]);
    page.server.on("/orders", [Reply::ok()]);
    page.server
        .on(SIGN_OUT, [Reply::ok().body(r#"{"status":"OK"}"#).header("front-token", "remove")]);
    page.get("/login").await;
    page.get("/orders").await;
    assert_eq!(page.server.one("/login").header("anti-csrf"), None);
    assert_eq!(page.server.one("/orders").header("anti-csrf").as_deref(), Some("csrf-1"));
    page.sign_out().await;
    assert_eq!(page.server.one(SIGN_OUT).header("anti-csrf").as_deref(), Some("csrf-1"));
    assert_eq!(cookie("sAntiCsrf"), None);
}

#[wasm_bindgen_test]
async fn an_anti_csrf_token_without_a_session_is_neither_stored_nor_sent() {
    let page = Page::start();
    page.server.on(REFRESH, [Reply::ended("unauthorised")]);
    page.server.on("/orders", [Reply::ok().header("anti-csrf", "csrf-1")]);
    page.get("/orders").await;
    assert_eq!(cookie("sAntiCsrf"), None);
    set_cookie("sAntiCsrf", "left-over");
    page.get("/orders").await;
    assert!(page.server.seen("/orders").iter().all(|seen| seen.header("anti-csrf").is_none()));
}

#[wasm_bindgen_test]
async fn other_origins_are_left_alone() {
    let page = Page::signed_in(&Token::user("s1"));
    let foreign = "https://passerby.test.evil.example/orders";
    page.server.on(foreign, [Reply::status(401).user(&Token::user("evil"))]);
    let answer = Request::get(foreign).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let seen = page.server.one(foreign);
    assert_eq!((seen.header("rid"), seen.header("st-auth-mode")), (None, None));
    assert_eq!(seen.credentials, RequestCredentials::SameOrigin);
    assert_eq!(page.server.urls(), [foreign], "nothing is refreshed");
    assert_eq!(passerby::user_id().await.unwrap(), "alice");
    assert_eq!(cookie("sFrontToken"), Some(Token::user("s1").text()));
}

#[wasm_bindgen_test]
async fn a_relative_url_is_ours_only_where_the_page_is_the_api() {
    let own = web_sys::window().unwrap().location().origin().unwrap();
    let url = format!("{own}/orders");
    for (api, rid) in [(API, None), (own.as_str(), Some("anti-csrf"))] {
        let page =
            Page::signed_in_with(&Token::user("s1"), |config| config.api_domain = api.into());
        page.server.on(&url, [Reply::ok()]);
        Request::get("/orders").send().await.unwrap();
        assert_eq!(page.server.one(&url).header("rid").as_deref(), rid, "{api}");
    }
}

#[wasm_bindgen_test]
async fn a_mark_in_the_fragment_leaves_a_request_alone() {
    let page = Page::signed_in(&Token::user("s1"));
    let url = "/orders#superTokensDoNotDoInterception";
    page.server.on(url, [Reply::status(401)]);
    assert_eq!(page.get(url).await.status(), 401);
    assert_eq!(page.server.one(url).header("rid"), None);
}

#[wasm_bindgen_test]
async fn hosts_of_the_backend_domain_are_ours_and_hosts_that_look_like_them_are_not() {
    let page = Page::signed_in_with(&Token::user("s1"), |config| {
        config.session_token_backend_domain = Some(".passerby.test".into());
    });
    for (url, rid) in [
        ("https://passerby.test/x", Some("anti-csrf")),
        ("https://a.b.passerby.test:8443/x", Some("anti-csrf")),
        ("https://evilpasserby.test/x", None),
        ("https://passerby.test.evil.example/x", None),
    ] {
        page.server.on(url, [Reply::ok()]);
        Request::get(url).send().await.unwrap();
        assert_eq!(page.server.one(url).header("rid").as_deref(), rid, "{url}");
    }
}

#[wasm_bindgen_test]
async fn credentials_that_the_caller_refused_stay_refused() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::ok()]);
    Request::get(&format!("{API}/orders"))
        .credentials(RequestCredentials::Omit)
        .send()
        .await
        .unwrap();
    assert_eq!(page.server.one("/orders").credentials, RequestCredentials::Omit);
}

#[wasm_bindgen_test]
async fn credentials_are_the_callers_where_the_app_wants_it_so() {
    let page =
        Page::signed_in_with(&Token::user("s1"), |config| config.auto_add_credentials = false);
    page.server.on("/orders", [Reply::ok()]);
    page.get("/orders").await;
    assert_eq!(page.server.one("/orders").credentials, RequestCredentials::SameOrigin);
}

#[wasm_bindgen_test]
async fn a_body_goes_again_with_the_retry() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::try_refresh(), Reply::status(201)]);
    page.server.on(REFRESH, [Reply::ok().user(&Token::user("s1").issued(1.0))]);
    let answer =
        Request::post(&format!("{API}/orders")).body("two apples").unwrap().send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let bodies: Vec<String> =
        page.server.seen("/orders").iter().map(|seen| seen.body.borrow().clone()).collect();
    assert_eq!(bodies, ["two apples", "two apples"]);
    assert!(page.server.seen("/orders").iter().all(|seen| seen.method == "POST"));
}

#[wasm_bindgen_test]
async fn an_answer_that_is_not_a_refusal_reaches_the_caller_as_it_is() {
    let page = Page::signed_in(&Token::user("s1"));
    for status in [201, 400, 403, 404, 405, 500, 503] {
        page.server.on("/orders", [Reply::status(status).body("the app's own")]);
        let answer = page.get("/orders").await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.text().await.unwrap(), "the app's own");
    }
    assert_eq!(page.server.count(REFRESH), 0);
    assert!(page.events.take().is_empty());
}

#[wasm_bindgen_test]
async fn a_network_failure_reaches_the_caller_and_ends_nothing() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::unreachable()]);
    let error = page.try_get("/orders").await.unwrap_err();
    assert!(error.to_string().contains("Failed to fetch"), "{error}");
    assert_eq!(page.server.urls(), ["/orders"]);
    assert_eq!(support::state(), "authenticated");
}

#[wasm_bindgen_test]
async fn tokens_count_on_every_status() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on(
        "/orders",
        [Reply::status(500).user(&Token::user("s1").issued(1.0).with("role", "admin"))],
    );
    page.get("/orders").await;
    assert_eq!(page.events.take(), ["ACCESS_TOKEN_PAYLOAD_UPDATED in authenticated"]);
    let payload: serde_json::Value = passerby::access_token_payload().await.unwrap();
    assert_eq!(payload["role"], "admin");
}

#[wasm_bindgen_test]
async fn a_token_that_cannot_be_read_changes_nothing() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::ok().header("front-token", "%%%")]);
    page.get("/orders").await;
    assert_eq!(cookie("sFrontToken"), Some(Token::user("s1").text()));
    assert!(page.events.take().is_empty());
}

#[wasm_bindgen(inline_js = r#"
const calls = {
  "a string": (url) => fetch(url),
  "a string and options": (url) => fetch(url, { headers: { "x-app": "1" } }),
  "a list of headers": (url) => fetch(url, { headers: [["x-app", "1"]] }),
  "a URL": (url) => fetch(new URL(url)),
  "a String": (url) => fetch(new String(url)),
  "what has toString": (url) => fetch({ toString: () => url }),
  "a Request": (url) => fetch(new Request(url, { headers: { "x-app": "1" } })),
  "a Request and options": (url) =>
    fetch(new Request(url, { headers: { "x-app": "0" } }), { headers: { "x-app": "1" } }),
  "a Request as options": (url) => fetch(url, new Request(url, { headers: { "x-app": "1" } })),
  "a method of another object": (url) => ({ fetch }).fetch(url),
};
export const ways = () => Object.keys(calls);
export const call = (way, url) => calls[way](url);
// Each must reject, as native fetch does; what throws instead, or never settles, is named.
export async function wrongCalls(url) {
  const spent = new Request(url, { method: "POST", body: "x" });
  await spent.text();
  const wrong = {
    "a spent body": [spent],
    "a bad header": [url, { headers: { "\n": "" } }],
    "a body with GET": [url, { body: "x" }],
  };
  const bad = [];
  for (const [name, args] of Object.entries(wrong)) {
    try {
      const outcome = fetch(...args).then(
        () => "was fine",
        (error) => error instanceof TypeError ? "" : "another error",
      );
      const late = new Promise((done) => setTimeout(done, 1000, "never ended"));
      const said = await Promise.race([outcome, late]);
      if (said) bad.push(`${name} ${said}`);
    } catch {
      bad.push(`${name} threw`);
    }
  }
  return bad.join();
}
export async function abort(url) {
  const abort = new AbortController();
  const running = fetch(url, { signal: abort.signal });
  setTimeout(() => abort.abort(), 20);
  return running.catch((error) => error.name);
}
"#)]
extern "C" {
    fn ways() -> Array;
    fn call(way: &JsValue, url: &str) -> Promise;
    #[wasm_bindgen(js_name = wrongCalls)]
    fn wrong_calls(url: &str) -> Promise;
    fn abort(url: &str) -> Promise;
}

#[wasm_bindgen_test]
async fn every_way_to_call_fetch_is_intercepted() {
    let page = Page::signed_in(&Token::user("s1"));
    for way in ways().to_vec() {
        let name = way.as_string().unwrap();
        let path = format!("/{}", name.replace(' ', "-"));
        page.server.on(&path, [Reply::try_refresh(), Reply::ok()]);
        page.server.on(REFRESH, [Reply::ok().user(&Token::user("s1").issued(1.0))]);
        let answer: web_sys::Response =
            JsFuture::from(call(&way, &format!("{API}{path}"))).await.unwrap().unchecked_into();
        assert_eq!(answer.status(), 200, "{name}");
        let seen = page.server.seen(&path);
        assert_eq!(seen.len(), 2, "{name}: refreshed and sent again");
        for request in seen {
            assert_eq!(request.header("rid").as_deref(), Some("anti-csrf"), "{name}");
            let own = name.contains("options") || name.contains("headers") || name == "a Request";
            assert_eq!(request.header("x-app").as_deref(), own.then_some("1"), "{name}");
        }
    }
}

#[wasm_bindgen_test]
async fn a_wrong_call_rejects_as_native_fetch_does() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::ok()]);
    let bad = JsFuture::from(wrong_calls(&format!("{API}/orders"))).await.unwrap();
    assert_eq!(bad, "");
    assert_eq!(support::state(), "authenticated");
}

#[wasm_bindgen_test]
async fn the_caller_can_abort_and_nothing_is_refreshed() {
    let page = Page::signed_in(&Token::user("s1"));
    page.server.on("/orders", [Reply::ok().behind(&Gate::closed())]);
    assert_eq!(JsFuture::from(abort(&format!("{API}/orders"))).await.unwrap(), "AbortError");
    assert_eq!(page.server.urls(), ["/orders"]);
}
