//! Pages rendered on the server: verification changes nothing.

use std::time::Duration;

use crate::app::App;

#[tokio::test]
async fn a_page_shows_its_user() {
    let mut browser = App::new().await.browser();
    browser.login("alice").await;
    let page = browser.open("/page").await;
    assert_eq!(page.body, "alice");
    assert!(page.is_silent());
}

#[tokio::test]
async fn others_are_sent_to_refresh_and_come_back() {
    let app = App::new().await;
    let mut visitor = app.browser();
    visitor.get("/api/me").await;
    let mut expired = app.browser();
    expired.login("alice").await;
    app.wait(Duration::from_secs(2 * 3600));
    for mut browser in [app.browser(), visitor, expired] {
        let page = browser.open("/page?tab=orders&next=//evil.example").await;
        assert_eq!(page.status, 303);
        assert_eq!(
            page.text("location"),
            Some(
                "/refresh-session?redirectBack=%2Fpage%3Ftab%3Dorders%26next%3D%2F%2Fevil.example"
            )
        );
        assert_eq!(page.text("cache-control"), Some("no-store"));
        assert!(page.is_silent());
    }
}

#[tokio::test]
async fn a_page_never_promotes() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.login("alice").await;
    let before = browser.clone();
    browser.refresh().await;
    for path in ["/page", "/fresh-page"] {
        let page = browser.open(path).await;
        assert_eq!(page.status, 200);
        assert!(page.is_silent());
    }
    assert_eq!(before.clone().refresh().await.status, 200, "the parent is still the current token");
    assert!(browser.get("/api/user").await.text("front-token").is_some());
    app.wait(std::time::Duration::from_secs(31));
    before.clone().refresh().await.assert_demoted("token theft detected");
}

#[tokio::test]
async fn a_page_may_check_the_database_and_still_writes_nothing() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.login("alice").await;
    app.sessions.revoke_all_sessions_of_user("alice").await.unwrap();
    let page = browser.open("/fresh-page").await;
    assert_eq!(page.body, "refused");
    assert!(page.is_silent());
}

#[tokio::test]
async fn a_switched_off_visitor_keeps_his_cookie_on_pages() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.get("/api/me").await;
    app.sessions.set_anonymous_enabled(false);
    let page = browser.open("/any-page").await;
    assert_eq!(page.body["kind"], "none");
    assert!(page.is_silent());
}

#[tokio::test]
async fn one_route_refuses_pages_and_scripts_each_in_its_way() {
    let app = App::new().await;
    let mut browser = app.browser();
    let page = browser.open("/both/orders?tab=1").await;
    assert_eq!(
        (page.status.as_u16(), page.text("location")),
        (303, Some("/refresh-session?redirectBack=%2Fboth%2Forders%3Ftab%3D1"))
    );
    let answer = browser.get("/both/orders").await;
    assert_eq!((answer.status.as_u16(), answer.message()), (401, "unauthorised"));
    browser.login("alice").await;
    assert_eq!(browser.open("/both/orders").await.body, "alice");
    assert_eq!(browser.get("/both/orders").await.body, "alice");
    app.wait(Duration::from_secs(2 * 3600));
    assert_eq!(browser.open("/both/orders").await.status, 303);
    let answer = browser.get("/both/orders").await;
    assert_eq!((answer.status.as_u16(), answer.message()), (401, "try refresh token"));
    // Without Fetch Metadata, `Accept` decides; an image is no page.
    let mut old = app.browser().header("accept", "text/html");
    assert_eq!(old.get("/both/orders").await.status, 303);
    assert_eq!(old.post("/both/orders").await.status, 401, "what was posted would be lost");
    let mut image =
        app.browser().header("sec-fetch-mode", "no-cors").header("sec-fetch-dest", "image");
    assert_eq!(image.get("/both/orders").await.status, 401);
}

#[tokio::test]
async fn a_page_never_leads_to_another_site() {
    let mut browser = App::new().await.browser();
    for (path, back) in [
        ("/both//evil.example/x", "%2Fboth%2F%2Fevil.example%2Fx"),
        (
            "/both/x?redirectBack=https://evil.example",
            "%2Fboth%2Fx%3FredirectBack%3Dhttps%3A%2F%2Fevil.example",
        ),
        ("/both/%5C%5Cevil.example", "%2Fboth%2F%255C%255Cevil.example"),
        ("/both/x?a=%0d%0aset-cookie:x", "%2Fboth%2Fx%3Fa%3D%250d%250aset-cookie%3Ax"),
        ("/both/javascript:alert(1)", "%2Fboth%2Fjavascript%3Aalert%281%29"),
    ] {
        let page = browser.open(path).await;
        assert_eq!(
            page.text("location"),
            Some(format!("/refresh-session?redirectBack={back}").as_str()),
            "{path}"
        );
    }
}
