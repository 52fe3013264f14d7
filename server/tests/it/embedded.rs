//! An app that other websites show in frames. Where third-party cookies are blocked, only
//! partitioned ones reach it.

use crate::app::{App, ORIGIN};

const PARTITIONED: &str = "; SameSite=None; Partitioned; Secure;";

#[tokio::test]
async fn every_cookie_is_partitioned_also_one_that_is_cleared() {
    for (address, names) in [
        (ORIGIN, ["sAnonymousToken", "sAccessToken", "sRefreshToken"]),
        ("https://chat.example.com", ["__Host-sAnonymousToken", "sAccessToken", "sRefreshToken"]),
    ] {
        let app = App::with(|builder| builder.api_domain(address).embedded(true)).await;
        let mut browser = app.browser();
        let answers = [
            browser.get("/api/me").await,
            browser.login("alice").await,
            browser.refresh().await,
            browser.post("/auth/signout").await,
        ];
        let all: Vec<&str> = answers.iter().flat_map(|answer| answer.set_cookies()).collect();
        for cookie in &all {
            // The end of a session also removes what is left of before the app was embedded.
            let partitioned = cookie.replace("; SameSite=None; Secure;", PARTITIONED);
            let is_of_before = cookie.contains("=;") && all.contains(&partitioned.as_str());
            assert!(cookie.contains(PARTITIONED) || is_of_before, "{cookie}");
        }
        assert!(answers[0].anonymous_front_token().partitioned, "the SDK is told");
        assert!(answers[1].front_token().partitioned && answers[2].front_token().partitioned);
        for name in names {
            assert!(
                all.iter().any(|cookie| cookie.starts_with(&format!("{name}="))),
                "{name} in {all:?}"
            );
        }
    }
}

#[tokio::test]
async fn no_cookie_is_partitioned_otherwise() {
    for website in ["https://api.example.com", "https://www.shop.example"] {
        let app = App::with(|builder| {
            builder.api_domain("https://api.example.com").website_domain(website)
        })
        .await;
        let mut browser = app.browser();
        let answers = [browser.get("/api/me").await, browser.login("alice").await];
        assert!(!answers[0].anonymous_front_token().partitioned);
        assert!(!answers[1].front_token().partitioned);
        for answer in answers {
            assert!(
                answer.set_cookies().iter().all(|cookie| !cookie.contains("Partitioned")),
                "{:?}",
                answer.set_cookies()
            );
        }
    }
}

/// A browser that was here before the app was embedded holds cookies of before and sends both. A
/// refresh removes those of before.
#[tokio::test]
async fn cookies_of_before_do_not_stand_in_the_way() {
    let before = App::with(|builder| builder.api_domain("https://chat.example.com")).await;
    let embedded = before
        .restarted(|builder| builder.api_domain("https://chat.example.com").embedded(true))
        .await;
    let old = before.browser_of("alice").await;
    let mut new = embedded.browser_of("alice").await;
    let doubled = ["sAccessToken", "sRefreshToken"].map(|name| {
        format!("{name}={}; {name}={}", old.cookie(name).unwrap(), new.cookie(name).unwrap())
    });
    let mut both = embedded.browser().header("cookie", &doubled.join("; "));
    let answer = both.refresh().await;
    assert_eq!(answer.status, 200);
    assert!(answer.cleared("sAccessToken") && answer.cleared("sRefreshToken"));
    assert!(
        answer.set_cookies().iter().all(|cookie| !cookie.contains("Partitioned")),
        "the new ones stay"
    );
    assert_eq!(new.refresh().await.status, 200, "what remains is good");
    // One of before is all there is at first: it is good, and the next one is partitioned.
    let mut moving = old.moved_to(&embedded);
    let moved = moving.refresh().await;
    assert_eq!(moved.status, 200);
    assert!(moved.set_cookie("sRefreshToken").unwrap().contains(PARTITIONED));
}

/// The script of a page in a frame reads its answers as any script does: the site around it does
/// not matter.
#[tokio::test]
async fn a_frame_of_another_website_gets_a_session_and_that_website_gets_none() {
    let app =
        App::with(|builder| builder.api_domain("https://chat.example.com").embedded(true)).await;
    let script = |site: &str, origin: &str| {
        let browser =
            app.browser().header("sec-fetch-mode", "cors").header("sec-fetch-dest", "empty");
        browser
            .header("host", "chat.example.com")
            .header("sec-fetch-site", site)
            .header("origin", origin)
    };
    let framed = script("same-origin", "https://chat.example.com").get("/api/me").await;
    assert!(framed.set_cookie("__Host-sAnonymousToken").is_some());
    let around = script("cross-site", "https://shop.example").get("/api/me").await;
    assert!(around.set_cookies().is_empty(), "{:?}", around.set_cookies());
    let mut alice = app.browser_of("alice").await.header("host", "chat.example.com");
    alice = alice.header("sec-fetch-site", "cross-site").header("origin", "https://shop.example");
    assert_eq!(alice.post("/api/logout").await.status, 403, "though its cookies are sent along");
}
