//! The guides of `docs/anonymous-sessions.md`: their code is that of programs which the tests run.

use axum::{Router, body::Body};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use passerby_server::SqliteStore;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::program::command;

/// The program as it stands in the guide.
#[allow(dead_code, reason = "its `main` opens a port")]
mod guest_cart {
    include!("guest_cart.rs");

    pub(super) async fn open(store: SqliteStore) -> Router {
        shop(store).await.unwrap()
    }
}

/// The one block of code below this heading.
fn guide<'a>(document: &'a str, heading: &str, language: &str) -> &'a str {
    let (_, chapter) = document.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, rest) = chapter.split_once(&format!("\n```{language}\n")).unwrap();
    let (code, rest) = rest.split_once("```\n").unwrap();
    assert!(!rest.split("\n## ").next().unwrap().contains("```"), "more code below {heading}");
    code
}

#[test]
fn the_guides_are_the_programs_that_run_here() {
    let document = include_str!("../../../docs/anonymous-sessions.md");
    let axum = guide(document, "From guest cart to account: axum", "rust,no_run");
    assert_eq!(axum, include_str!("guest_cart.rs"));
    let express =
        guide(document, "From guest cart to account: Express with `supertokens-node`", "js");
    assert_eq!(express, include_str!("../../../tests/interop/guide/guest-cart.mjs"));
}

#[test]
fn the_checks_for_other_services_are_those_that_run_in_their_languages() {
    let document = include_str!("../../../docs/anonymous-sessions.md");
    for (language, script) in [
        ("js", include_str!("../../../tests/interop/verify.mjs")),
        ("python", include_str!("../../../tests/interop/verify.py")),
    ] {
        // After what is imported, and what this service is told.
        let (_, check) = script
            .split_once("\nkeys = ")
            .or_else(|| script.split_once("\nconst keys = "))
            .unwrap();
        let (check, _) = check.rsplit_once("\n\n").unwrap();
        let (_, chapter) =
            document.split_once("\n## Verifying the token in other services\n").unwrap();
        let (_, printed) = chapter.split_once(&format!("\n```{language}\n")).unwrap();
        assert!(
            printed.split("```").next().unwrap().ends_with(&format!("{check}\n")),
            "{language}: another one in the guide"
        );
    }
}

#[test]
fn the_next_js_files_of_the_guide_are_those_that_run_in_the_packaging_tests() {
    let document = include_str!("../../../docs/server.md");
    for (name, file) in [
        (
            "app/orders/page.jsx",
            include_str!("../../../tests/packaging/apps/next/app/orders/page.jsx"),
        ),
        (
            "app/refresh-session/page.jsx",
            include_str!("../../../tests/packaging/apps/next/app/refresh-session/page.jsx"),
        ),
        (
            "app/auth/[...path]/route.js",
            include_str!("../../../tests/packaging/apps/next/app/auth/[...path]/route.js"),
        ),
    ] {
        assert!(
            document.contains(&format!("\n// {name}\n{file}```\n")),
            "{name} is another one in docs/server.md"
        );
    }
}

#[test]
fn the_program_takes_the_configuration_of_the_guide() {
    let (_, rest) = include_str!("../../../docs/server.md").split_once("\n```toml\n").unwrap();
    let (example, rest) = rest.split_once("```\n").unwrap();
    assert!(!rest.contains("\n```toml\n"), "another example, which nobody tries");
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("server.toml");
    std::fs::write(&file, example).unwrap();
    let checked = command().arg("check").arg("--config").arg(&file).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// Someone with a browser; of cookies it knows name and value.
struct Visitor<'a> {
    shop: &'a Router,
    cookies: Vec<(String, String)>,
}

impl<'a> Visitor<'a> {
    fn new(shop: &'a Router) -> Self {
        Self { shop, cookies: Vec::new() }
    }

    async fn post(&mut self, path: &str, body: Value) -> (StatusCode, Value) {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::post(path)
            .header(header::HOST, "localhost:3000")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::COOKIE, cookies.join("; "))
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = self.shop.clone().oneshot(request).await.unwrap();
        for line in response.headers().get_all(header::SET_COOKIE) {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            let value = rest.split(';').next().unwrap();
            if !value.is_empty() && !rest.contains("Path=/auth") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn add(&mut self, item: &str) -> Value {
        let (status, cart) = self.post("/api/cart", item.into()).await;
        assert_eq!(status, 200, "{cart}");
        cart
    }

    async fn login(&mut self) {
        assert_eq!(
            self.post("/api/login", Value::Null).await,
            (StatusCode::OK, serde_json::json!({ "user": "user-1" }))
        );
    }
}

#[tokio::test]
async fn the_axum_guide_brings_the_guests_cart_into_the_account() {
    let folder = TempDir::new().unwrap();
    let shop =
        guest_cart::open(SqliteStore::open(folder.path().join("sessions.db")).await.unwrap()).await;
    let mut first = Visitor::new(&shop);
    assert_eq!(first.add("fern").await, serde_json::json!(["fern"]));
    assert_eq!(first.add("aloe").await, serde_json::json!(["fern", "aloe"]));
    first.login().await;
    assert_eq!(first.add("ficus").await, serde_json::json!(["fern", "aloe", "ficus"]));

    let mut second = Visitor::new(&shop);
    assert_eq!(second.add("cactus").await, serde_json::json!(["cactus"]));
    second.login().await;
    assert_eq!(
        second.add("pilea").await,
        serde_json::json!(["fern", "aloe", "ficus", "cactus", "pilea"])
    );

    assert_eq!(second.post("/auth/signout", Value::Null).await.0, StatusCode::OK);
    assert_eq!(
        second.add("fern").await,
        serde_json::json!(["fern"]),
        "the guest starts with an empty cart"
    );

    let mut greedy = Visitor::new(&shop);
    let (status, refused) = greedy.post("/api/cart", "x".repeat(5000).into()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(refused["message"].as_str().unwrap().contains("4096"), "{refused}");
}
