//! The server without a browser: what each endpoint does to the visitor's session and cart.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

mod visitor;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use passerby_www::customers::Customers;
use passerby_www::options::Options;
use passerby_www::shop;
use serde_json::json;
use tempfile::TempDir;
use visitor::{Answer, Visitor};

/// A shop that lives as long as the folder does.
async fn shop() -> (Router, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    front_end(folder.path());
    let customers = Arc::new(Customers::default());
    let mut options = Options::default();
    options.database = folder.path().join("sill.db");
    let sessions =
        shop::sessions("http://localhost:3000", &options, customers.clone()).await.unwrap();
    (shop::router(&sessions, customers, folder.path()).unwrap(), folder)
}

/// The files that Vite would have built, as far as the server cares.
fn front_end(web: &Path) {
    std::fs::create_dir(web.join("assets")).unwrap();
    for (file, text) in [
        ("index.html", "shop"),
        ("login.html", "login"),
        ("refresh-session.html", "one moment"),
        ("dashboard.html", "<main><!-- ssr --></main>"),
        ("assets/app-1a2b.js", "0"),
    ] {
        std::fs::write(web.join(file), text).unwrap();
    }
}

async fn log_in(visitor: &mut Visitor, name: &str) -> Answer {
    let answer =
        visitor.post("/api/login", Some(json!({ "name": name, "password": "windowsill" }))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer
}

async fn put(visitor: &mut Visitor, product: &str, quantity: i64) -> Answer {
    visitor.post("/api/cart", Some(json!({ "productId": product, "quantity": quantity }))).await
}

#[tokio::test]
async fn a_guests_cart_travels_in_the_session_and_moves_in_with_the_login() {
    let (shop, _folder) = shop().await;
    let mut guest = Visitor::new(&shop);
    let id = guest.get("/api/me").await.json()["anonymousId"].clone();
    assert!(id.is_string());
    assert_eq!(put(&mut guest, "fern", 2).await.json()["total"], 3000);
    assert_eq!(
        Visitor::new(&shop).get("/api/cart").await.json()["count"],
        0,
        "somebody else's cart"
    );

    log_in(&mut guest, "Zoë").await;
    assert_eq!(
        guest.get("/api/me").await.json(),
        json!({ "kind": "user", "anonymousId": id, "userId": "zoë" })
    );
    assert_eq!(guest.get("/api/cart").await.json()["lines"][0]["productId"], "fern");
    assert_eq!(guest.cookie("sAnonymousToken"), None);

    // Out again: the cart stays with the customer, the id with the visitor.
    assert_eq!(guest.post("/auth/signout", None).await.status, StatusCode::OK);
    assert_eq!(
        guest.get("/api/me").await.json(),
        json!({ "kind": "anonymous", "anonymousId": id })
    );
    assert_eq!(guest.get("/api/cart").await.json()["count"], 0);
    put(&mut guest, "fern", 1).await;
    log_in(&mut guest, " zoë ").await;
    assert_eq!(guest.get("/api/cart").await.json()["count"], 3);
}

#[tokio::test]
async fn the_access_token_says_how_many_plants_came_along() {
    let (shop, _folder) = shop().await;
    for (quantity, brought) in [(0, json!(null)), (3, json!(3))] {
        let mut guest = Visitor::new(&shop);
        put(&mut guest, "fern", quantity).await;
        let payload = log_in(&mut guest, "Ada").await.front_token("front-token");
        assert_eq!(payload["plantsBrought"], brought);
        assert_eq!(payload.get("cart"), None, "the plants themselves are in the books");
    }
}

#[tokio::test]
async fn every_visitor_chooses_what_sign_out_does() {
    let (shop, _folder) = shop().await;
    let choose = |policy: &str| Some(json!({ "policy": policy }));
    let mut keeper = Visitor::new(&shop);
    log_in(&mut keeper, "Grace").await;

    // Chosen as a guest, it comes along.
    let mut visitor = Visitor::new(&shop);
    let id = visitor.get("/api/me").await.json()["anonymousId"].clone();
    let chosen = visitor.post("/api/demo/after-sign-out", choose("rotate")).await;
    assert_eq!(chosen.status, StatusCode::NO_CONTENT);
    assert_eq!(chosen.front_token("st-anonymous-front-token")["afterSignOut"], "rotate");
    assert_eq!(
        log_in(&mut visitor, "Ada").await.front_token("front-token")["afterSignOut"],
        "rotate"
    );
    let out = visitor.post("/auth/signout", None).await.front_token("st-anonymous-front-token");
    assert_ne!(out["anonymousId"], id);
    assert_eq!(out["afterSignOut"], "rotate", "and stays");

    // Chosen as a customer.
    let id = out["anonymousId"].clone();
    log_in(&mut visitor, "Ada").await;
    let kept =
        visitor.post("/api/demo/after-sign-out", choose("keep")).await.front_token("front-token");
    assert_eq!(kept.get("afterSignOut"), None);
    let left = visitor.post("/auth/signout", None).await.front_token("st-anonymous-front-token");
    assert_eq!(left["anonymousId"], id);

    let id = keeper.get("/api/me").await.json()["anonymousId"].clone();
    let out = keeper.post("/auth/signout", None).await.front_token("st-anonymous-front-token");
    assert_eq!(out["anonymousId"], id, "another visitor's choice is theirs");
}

#[tokio::test]
async fn ordering_is_for_customers() {
    let (shop, _folder) = shop().await;
    let mut visitor = Visitor::new(&shop);
    put(&mut visitor, "aloe", 1).await;
    assert_eq!(visitor.post("/api/orders", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(visitor.get("/api/account").await.status, StatusCode::UNAUTHORIZED);
    log_in(&mut visitor, "Ada").await;
    assert_eq!(
        visitor.post("/api/orders", None).await.json(),
        json!({ "number": 1, "total": 1200 })
    );
    assert_eq!(visitor.post("/api/orders", None).await.status, StatusCode::CONFLICT);
    assert_eq!(visitor.get("/api/account").await.json()["orders"], 1);
}

#[tokio::test]
async fn bad_input_is_refused_with_a_message_and_never_with_401() {
    let (shop, _folder) = shop().await;
    let mut visitor = Visitor::new(&shop);
    let long_name = "x".repeat(65);
    for (path, body, status) in [
        ("/api/login", json!({ "name": "Ada", "password": "wrong" }), StatusCode::FORBIDDEN),
        ("/api/login", json!({ "name": "  ", "password": "windowsill" }), StatusCode::BAD_REQUEST),
        (
            "/api/login",
            json!({ "name": long_name, "password": "windowsill" }),
            StatusCode::BAD_REQUEST,
        ),
        ("/api/login", json!({ "name": "Ada" }), StatusCode::UNPROCESSABLE_ENTITY),
        ("/api/cart", json!({ "productId": "triffid", "quantity": 1 }), StatusCode::BAD_REQUEST),
        ("/api/cart", json!({ "productId": "fern", "quantity": 21 }), StatusCode::BAD_REQUEST),
        (
            "/api/cart",
            json!({ "productId": "fern", "quantity": -1 }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        ("/api/demo/after-sign-out", json!({ "policy": "burn" }), StatusCode::UNPROCESSABLE_ENTITY),
        ("/api/nothing", json!(null), StatusCode::NOT_FOUND),
        ("/auth/nothing", json!(null), StatusCode::NOT_FOUND),
        ("/auth/session/refresh/steal", json!(null), StatusCode::CONFLICT),
    ] {
        let answer = visitor.post(path, Some(body)).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        assert!(answer.json()["message"].is_string(), "{path}: {}", answer.text);
    }
    assert_eq!(visitor.get("/api/cart").await.json()["count"], 0);
}

#[tokio::test]
async fn the_dashboard_is_rendered_for_customers_and_sends_others_to_refresh() {
    let (shop, _folder) = shop().await;
    let mut visitor = Visitor::new(&shop);
    let refresh = "/refresh-session?redirectBack=%2Fdashboard";
    assert_eq!(visitor.get("/dashboard").await.header("location"), refresh);

    put(&mut visitor, "ficus", 1).await;
    log_in(&mut visitor, "<b>Eve</b>").await;
    let page = visitor.get("/dashboard").await;
    assert_eq!((page.status, page.header("cache-control")), (StatusCode::OK, "no-store"));
    assert!(
        page.text.starts_with("<main><div>") && page.text.ends_with("</main>"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("Rubber plant × 1") && page.text.contains("€28.00"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("<b>Eve"), "{}", page.text);

    visitor.post("/api/demo/expire", None).await;
    assert_eq!(visitor.get("/dashboard").await.header("location"), refresh);
    assert_eq!(visitor.post("/auth/session/refresh", None).await.status, StatusCode::OK);
    assert_eq!(visitor.get("/dashboard").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_expired_access_token_is_refreshed() {
    let (shop, _folder) = shop().await;
    let mut visitor = Visitor::new(&shop);
    log_in(&mut visitor, "Ada").await;
    assert_eq!(visitor.post("/api/demo/expire", None).await.status, StatusCode::OK);
    let refused = visitor.get("/api/account").await;
    assert_eq!(
        (refused.status, refused.json()),
        (StatusCode::UNAUTHORIZED, json!({ "message": "try refresh token" }))
    );
    assert_eq!(visitor.post("/auth/session/refresh", None).await.status, StatusCode::OK);
    assert_eq!(visitor.get("/api/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_revoked_customer_is_a_guest_with_the_same_id() {
    let (shop, _folder) = shop().await;
    let mut visitor = Visitor::new(&shop);
    log_in(&mut visitor, "Ada").await;
    let id = visitor.get("/api/me").await.json()["anonymousId"].clone();
    assert_eq!(visitor.post("/api/demo/revoke", None).await.json(), json!({ "revoked": true }));
    assert_eq!(visitor.get("/api/account").await.json(), json!({ "message": "try refresh token" }));
    let refused = visitor.post("/auth/session/refresh", None).await;
    assert_eq!(
        (refused.status, refused.header("front-token")),
        (StatusCode::UNAUTHORIZED, "remove")
    );
    assert_eq!(
        visitor.get("/api/me").await.json(),
        json!({ "kind": "anonymous", "anonymousId": id })
    );
}

#[tokio::test]
async fn a_stolen_refresh_token_is_noticed_when_its_owner_refreshes() {
    let (shop, _folder) = shop().await;
    let mut visitor = Visitor::new(&shop);
    log_in(&mut visitor, "Ada").await;
    let id = visitor.get("/api/me").await.json()["anonymousId"].clone();
    let mine = visitor.cookie("sRefreshToken").map(str::to_owned);
    let answer = visitor.post("/auth/session/refresh/steal", None).await;
    assert_eq!(answer.json(), json!({ "stolen": true }));
    assert_eq!(
        visitor.cookie("sRefreshToken").map(str::to_owned),
        mine,
        "the owner is told nothing"
    );
    assert_eq!(visitor.get("/api/account").await.status, StatusCode::OK);

    visitor.post("/api/demo/expire", None).await;
    let refused = visitor.post("/auth/session/refresh", None).await;
    assert_eq!(
        (refused.status, refused.json()),
        (StatusCode::UNAUTHORIZED, json!({ "message": "token theft detected" }))
    );
    assert_eq!(
        visitor.get("/api/me").await.json(),
        json!({ "kind": "anonymous", "anonymousId": id })
    );
}

#[tokio::test]
async fn pages_and_files_have_their_headers_and_no_session() {
    let (shop, _folder) = shop().await;
    let mut visitor = Visitor::new(&shop);
    for (path, text, caching) in [
        ("/", "shop", "no-cache"),
        ("/login", "login", "no-cache"),
        ("/refresh-session?redirectBack=%2F", "one moment", "no-cache"),
        ("/assets/app-1a2b.js", "0", "public, max-age=31536000, immutable"),
    ] {
        let answer = visitor.get(path).await;
        assert_eq!(
            (answer.text.as_str(), answer.header("cache-control")),
            (text, caching),
            "{path}"
        );
        assert!(
            answer
                .header("content-security-policy")
                .contains("script-src 'self' 'wasm-unsafe-eval'"),
            "{path}"
        );
        assert_eq!(answer.header("set-cookie"), "", "{path}");
    }
    assert_eq!(visitor.get("/assets/gone.js").await.status, StatusCode::NOT_FOUND);
    assert_eq!(visitor.get("/assets/gone.js").await.header("cache-control"), "no-cache");
    assert_eq!(visitor.get("/nothing").await.status, StatusCode::NOT_FOUND);
    assert_eq!(visitor.get("/../Cargo.toml").await.status, StatusCode::NOT_FOUND);
    assert_eq!(visitor.get("/dashboard.html").await.header("location"), "/dashboard");
}

#[tokio::test]
async fn calls_are_counted() {
    let (shop, _folder) = shop().await;
    let mut visitor = Visitor::new(&shop);
    for path in ["/api/me", "/api/me?x=1", "/"] {
        visitor.get(path).await;
    }
    let mut test = Visitor::new(&shop);
    let counted = test.get("/api/demo/calls").await;
    assert_eq!(
        (counted.json(), counted.header("set-cookie")),
        (json!({ "GET /": 1, "GET /api/me": 2 }), "")
    );
    assert_eq!(test.post("/api/demo/calls/reset", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(test.get("/api/demo/calls").await.json(), json!({}));
}
