//! The websites that may send requests with a visitor's cookies.

use http::Method;
use passerby_server::AntiCsrf;
use serde_json::json;

use crate::app::{App, Browser, FORGET, REFRESH, SIGN_OUT};

async fn website(app: &App) -> Browser {
    let mut browser = app.browser();
    browser.login("alice").await;
    browser
}

fn two_origins() -> impl std::future::Future<Output = App> {
    App::with(|builder| {
        builder.website_domain("http://localhost:4000").trusted_origin("https://appleid.apple.com")
    })
}

#[tokio::test]
async fn other_websites_change_nothing() {
    let app = two_origins().await;
    let browser = website(&app).await;
    for path in ["/api/logout", SIGN_OUT, REFRESH, "/api/login?user=mallory"] {
        let mut forged = browser
            .clone()
            .header("origin", "https://evil.example")
            .header("sec-fetch-site", "cross-site");
        let answer = forged.post(path).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.is_silent());
        assert_eq!(answer.message(), "cross-origin request refused");
        let mut old_browser = browser.clone().header("origin", "https://evil.example");
        assert_eq!(old_browser.post(path).await.status, 403, "{path}");
    }
    assert_eq!(browser.clone().get("/api/user").await.status, 200);
}

/// Names that are nearly ours, and browsers that say less.
#[tokio::test]
async fn what_is_nearly_our_origin_changes_nothing() {
    let app = two_origins().await;
    let browser = website(&app).await;
    for (origin, site) in NEARLY_OURS
        .into_iter()
        .map(|origin| (Some(origin), None))
        .chain(NEARLY_OURS.map(|origin| (Some(origin), Some("same-site"))))
        .chain([(None, Some("cross-site")), (None, Some("same-site")), (None, Some("x"))])
    {
        let mut forged = browser.clone();
        for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
            forged = value.iter().fold(forged, |forged, value| forged.header(name, value));
        }
        let forged = forged.header("x-http-method-override", "POST");
        for path in ["/api/logout", SIGN_OUT, REFRESH, FORGET] {
            let answer = forged.clone().post(path).await;
            assert_eq!(answer.status, 403, "{origin:?} {site:?} {path}");
            assert!(answer.is_silent());
            // Only the request line names the method.
            let read = forged.clone().get(&format!("{path}?_method=POST")).await;
            assert!(read.is_silent() && read.status != 200, "{origin:?} {site:?} {path}");
        }
        for method in ["PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "post", "FOO"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = forged.clone().request(method.clone(), "/api/maybe").await;
            assert_eq!(answer.status, 403, "{origin:?} {site:?} {method}");
            assert!(answer.is_silent());
        }
    }
    assert_eq!(browser.clone().get("/api/fresh").await.status, 200);
}

const NEARLY_OURS: [&str; 10] = [
    "null",
    "garbage",
    "http://localhost",
    "http://localhost:3001",
    "http://localhost:3000.evil.example",
    "http://evil-localhost:3000",
    "http://user@localhost:3000",
    "HTTP://LOCALHOST:3000",
    "http://localhost:4000 http://evil.example",
    "https://appleid.apple.com.evil.example",
];

#[tokio::test]
async fn our_website_and_trusted_origins_may() {
    let app = two_origins().await;
    for (origin, site) in [
        ("http://localhost:4000", "same-site"),
        ("https://appleid.apple.com", "cross-site"),
        ("http://localhost:3000", "same-origin"),
    ] {
        let mut browser =
            website(&app).await.header("origin", origin).header("sec-fetch-site", site);
        assert_eq!(browser.refresh().await.status, 200, "{origin}");
    }
    let mut no_browser = website(&app).await;
    assert_eq!(no_browser.refresh().await.status, 200);
}

#[tokio::test]
async fn everybody_may_read_the_keys_and_nothing_else() {
    let app = two_origins().await;
    let other = app.browser().header("origin", "https://other.example");
    assert_eq!(
        other.clone().get("/auth/jwt/jwks.json").await.text("access-control-allow-origin"),
        Some("*")
    );
    assert_eq!(other.clone().get("/api/me").await.text("access-control-allow-origin"), None);
}

#[tokio::test]
async fn preflights_are_answered_for_our_website_only() {
    let app = two_origins().await;
    let preflight = |origin: &'static str| {
        let mut browser = app
            .browser()
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "rid,st-auth-mode,st-anonymous-mode,anti-csrf,fdi-version,\
                 authorization,content-type",
            );
        async move { browser.request(Method::OPTIONS, REFRESH).await }
    };
    let answer = preflight("http://localhost:4000").await;
    assert_eq!(answer.text("access-control-allow-origin"), Some("http://localhost:4000"));
    assert_eq!(answer.text("access-control-allow-credentials"), Some("true"));
    let allowed = answer.text("access-control-allow-headers").unwrap();
    for name in [
        "rid",
        "fdi-version",
        "anti-csrf",
        "authorization",
        "st-auth-mode",
        "st-anonymous-mode",
        "content-type",
    ] {
        assert!(allowed.split(',').any(|allowed| allowed == name), "{name}");
    }
    for other in NEARLY_OURS.into_iter().chain(["https://evil.example"]) {
        let answer = preflight(other).await;
        assert_eq!(answer.text("access-control-allow-origin"), None, "{other}");
        let read = app.browser().header("origin", other).get("/api/me").await;
        assert_eq!(read.text("access-control-allow-origin"), None, "{other}");
    }
}

/// The browser SDK keeps the token of the last response that had one.
fn with_token(browser: &Browser, token: &str) -> Browser {
    browser.clone().header("anti-csrf", token)
}

#[tokio::test]
async fn via_token_asks_for_the_token_of_the_session() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let login = browser.login("alice").await;
    let token = login.text("anti-csrf").unwrap().to_owned();
    assert_eq!(login.front_token().up["antiCsrfToken"], token);
    assert_eq!(browser.get("/api/user").await.body, "alice", "reading needs none");
    for mut forged in [
        browser.clone(),
        with_token(&browser, "x"),
        with_token(&browser, ""),
        browser.clone().header("rid", "x"),
    ] {
        let answer = forged.post("/api/maybe").await;
        assert_eq!((answer.status.as_u16(), answer.message()), (401, "try refresh token"));
        assert!(answer.is_silent());
        assert_eq!(forged.post("/auth/signout").await.status, 401);
    }
    let mut own = with_token(&browser, &token);
    assert_eq!(own.post("/api/maybe").await.body["user"], "alice");
    let refreshed = own.refresh().await;
    assert_eq!(refreshed.status, 200);
    assert_eq!(refreshed.text("anti-csrf"), Some(token.as_str()));
    assert_eq!(own.post("/api/maybe").await.body["user"], "alice", "promoted with the same token");
    assert_eq!(own.post_json("/api/merge", json!({"a": 1})).await.status, 200);
    assert_eq!(own.post("/api/maybe").await.body["payload"], json!({"a": 1}));

    let mut forged = own.clone();
    forged.headers.clear();
    let answer = forged.refresh().await;
    answer.assert_demoted("unauthorised");
    assert_eq!(answer.announced_id(), id);
    assert_eq!(own.refresh().await.status, 200, "the session itself was not touched");
    assert_eq!(own.post("/auth/signout").await.status, 200);
}

#[tokio::test]
async fn via_token_asks_nothing_in_header_mode() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let mut browser = app.browser().header("st-auth-mode", "header");
    let login = browser.login("alice").await;
    assert_eq!(login.text("anti-csrf"), None);
    let mut browser = browser
        .header("authorization", &format!("Bearer {}", login.text("st-access-token").unwrap()));
    assert_eq!(browser.post("/api/maybe").await.body["user"], "alice");
    let mut browser = browser
        .header("authorization", &format!("Bearer {}", login.text("st-refresh-token").unwrap()));
    assert_eq!(browser.refresh().await.status, 200);
}

#[tokio::test]
async fn via_custom_header_asks_for_rid() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaCustomHeader)).await;
    let mut browser = app.browser();
    browser.login("alice").await;
    assert_eq!(browser.get("/api/user").await.body, "alice");
    let answer = browser.post("/api/maybe").await;
    assert_eq!((answer.status.as_u16(), answer.message()), (401, "try refresh token"));
    browser.clone().refresh().await.assert_demoted("unauthorised");
    let mut own = browser.header("rid", "anti-csrf");
    assert_eq!(own.post("/api/maybe").await.body["user"], "alice");
    assert_eq!(own.refresh().await.status, 200);
    assert_eq!(own.post("/api/maybe").await.body["user"], "alice");
}

/// A page of another host opens a WebSocket with the visitor's cookies, and reads what comes.
#[tokio::test]
async fn a_web_socket_of_another_origin_is_refused() {
    let app = App::with(|builder| builder.trusted_origin("https://shop.example.com")).await;
    let user = app
        .browser_of("alice")
        .await
        .header("upgrade", "websocket")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (origin, site, status) in [
        (Some("https://evil.example.com"), Some("same-site"), 403),
        (Some("https://evil.example.com"), None, 403),
        (Some("null"), None, 403),
        (Some("http://localhost:3000"), None, 200),
        (Some("http://localhost:3000"), Some("same-origin"), 200),
        (Some("https://shop.example.com"), Some("cross-site"), 200),
        (None, None, 200),
    ] {
        let mut browser = user.clone();
        for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
            browser = match value {
                Some(value) => browser.header(name, value),
                None => browser,
            };
        }
        assert_eq!(browser.get("/api/user").await.status, status, "{origin:?} {site:?}");
    }
}

/// A packaged app is trusted as the website is.
#[tokio::test]
async fn packaged_apps_sign_in_and_read_answers() {
    let apps = [
        "capacitor://localhost",
        "tauri://localhost",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    ];
    let app = App::with(|builder| {
        apps.into_iter().fold(builder, |builder, origin| builder.trusted_origin(origin))
    })
    .await;
    for (origin, trusted) in apps.map(|origin| (origin, true)).into_iter().chain([
        ("capacitor://localhost.evil", false),
        ("capacitor://LOCALHOST", false),
        ("ionic://localhost", false),
        ("null", false),
    ]) {
        let mut phone = app
            .browser()
            .header("origin", origin)
            .header("sec-fetch-site", "cross-site")
            .header("st-auth-mode", "header");
        let first = phone.get("/api/maybe").await;
        assert_eq!(
            first.text("access-control-allow-origin"),
            trusted.then_some(origin),
            "{origin}"
        );
        assert_eq!(first.text("st-anonymous-token").is_some(), trusted, "{origin}");
        let login = phone.post("/api/login?user=alice").await;
        assert_eq!(login.status == 200, trusted, "{origin}");
        assert_eq!(login.text("st-access-token").is_some(), trusted, "{origin}");
    }
}

/// A sign-in provider's form, and nothing but the form.
#[tokio::test]
async fn a_form_is_accepted_at_its_path_and_opens_nothing_else() {
    let app =
        App::with(|builder| builder.accept_form_from("https://appleid.apple.com", "/api/login"))
            .await;
    let apple = || {
        app.browser()
            .header("origin", "https://appleid.apple.com")
            .header("sec-fetch-site", "cross-site")
    };
    assert_eq!(apple().post("/api/login?user=alice").await.status, 200);
    assert_eq!(apple().post("/api/logout").await.status, 403, "another path");
    assert_eq!(
        apple().request(http::Method::PUT, "/api/login").await.status,
        403,
        "another method"
    );
    let other = app
        .browser()
        .header("origin", "https://evil.example")
        .header("sec-fetch-site", "cross-site");
    assert_eq!(other.clone().post("/api/login?user=alice").await.status, 403);
    let read = apple().get("/api/maybe").await;
    assert_eq!(read.text("access-control-allow-origin"), None, "its scripts read nothing");
    assert!(read.is_silent(), "nor is a session made for them");
}
