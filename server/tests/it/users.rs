//! User sessions from login to sign-out.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{Answer, App, ORIGIN, SIGN_OUT};

#[tokio::test]
async fn login_sends_what_stock_servers_send() {
    let mut browser = App::new().await.browser();
    let answer = browser
        .post_json(
            "/api/login?user=alice",
            json!({"role": "admin", "sub": "mallory", "gone": null}),
        )
        .await;
    let access = answer.set_cookie("sAccessToken").unwrap();
    let refresh = answer.set_cookie("sRefreshToken").unwrap();
    assert!(access.contains("; HttpOnly; SameSite=Lax; Path=/; Expires="), "{access}");
    assert!(
        refresh.contains("; HttpOnly; SameSite=Lax; Path=/auth/session/refresh; Expires="),
        "{refresh}"
    );
    let front = answer.front_token();
    assert_eq!(front.uid, "alice");
    let up = front.up;
    assert_eq!(front.ate, up["exp"].as_u64().unwrap() * 1000);
    assert_eq!(up["exp"].as_u64().unwrap() - up["iat"].as_u64().unwrap(), 3600);
    for (claim, expected) in [
        ("sub", json!("alice")),
        ("rsub", json!("alice")),
        ("tId", json!("public")),
        ("iss", json!(format!("{ORIGIN}/auth"))),
        ("parentRefreshTokenHash1", Value::Null),
        ("antiCsrfToken", Value::Null),
        ("role", json!("admin")),
        ("sessionHandle", answer.body["handle"].clone()),
    ] {
        assert_eq!(up[claim], expected, "{claim}");
    }
    assert!(!up.contains_key("gone") && !up.contains_key("isAnonymous"));
    let header = jsonwebtoken::decode_header(browser.cookie("sAccessToken").unwrap()).unwrap();
    assert_eq!(header.alg, jsonwebtoken::Algorithm::RS256);
    assert_eq!(header.extras.inner()["version"], "5");
    assert!(header.kid.unwrap().starts_with("d-"));
    let refresh = browser.cookie("sRefreshToken").unwrap();
    assert!(refresh.ends_with(".V2") && refresh.split('.').count() == 3);
}

#[tokio::test]
async fn cookies_are_secure_on_https() {
    let app = App::with(|builder| {
        builder
            .api_domain("https://api.example.com")
            .website_domain("https://www.example.com")
            .cookie_domain("example.com")
    })
    .await;
    let answer = app.browser().login("alice").await;
    for line in answer.set_cookies() {
        assert!(
            line.contains("; Secure")
                && line.contains("; SameSite=Lax")
                && line.contains("; Domain=example.com"),
            "{line}"
        );
    }
    let app = App::with(|builder| {
        builder.api_domain("https://api.example.com").website_domain("https://shop.example")
    })
    .await;
    let answer = app.browser().login("alice").await;
    for line in answer.set_cookies() {
        assert!(
            line.contains("; Secure")
                && line.contains("; SameSite=None")
                && !line.contains("Domain"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn login_makes_everything_new_and_revokes_nothing() {
    let app = App::new().await;
    let mut browser = app.browser();
    browser.login("alice").await;
    let before = browser.cookies.clone();
    let id = browser.id().await;
    browser.login("alice").await;
    assert_ne!(browser.cookies["sAccessToken"], before["sAccessToken"]);
    assert_ne!(browser.cookies["sRefreshToken"], before["sRefreshToken"]);
    assert_eq!(browser.id().await, id);
    assert_eq!(app.sessions.session_handles_of_user("alice").await.unwrap().len(), 2);
}

#[tokio::test]
async fn tokens_count_on_errors_too() {
    let mut browser = App::new().await.browser();
    let answer = browser.post("/api/login-then-fail").await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.front_token().uid, "alice");
    assert_eq!(browser.get("/api/user").await.body, "alice");
}

#[tokio::test]
async fn a_form_post_may_sign_in() {
    let mut browser = App::new().await.browser();
    let id = browser.id().await;
    let mut form =
        browser.clone().header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document");
    let answer = form.login("alice").await;
    assert_eq!(answer.front_token().up["anonymousId"], id);
}

#[tokio::test]
async fn the_knowledge_of_scripts_goes_with_a_page_that_signs_in_or_out() {
    let app = App::with(|builder| builder.cookie_domain("localhost")).await;
    let mut browser = app.browser();
    browser.id().await;
    for name in ["sAnonymousFrontToken", "st-last-access-token-update", "sFrontToken", "theme"] {
        browser.set_cookie(name, "x");
    }
    let mut page =
        browser.clone().header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document");
    let gone = |answer: &Answer| {
        let deleted: Vec<_> =
            answer.set_cookies().into_iter().filter(|line| line.contains("=; ")).collect();
        ["sFrontToken", "sAnonymousFrontToken", "st-last-access-token-update", "theme"]
            .map(|name| deleted.iter().filter(|line| line.starts_with(&format!("{name}="))).count())
    };
    assert_eq!(gone(&browser.login("alice").await), [0; 4], "a script reads the header");
    assert_eq!(gone(&page.login("alice").await), [2, 2, 2, 0], "with and without the domain");
    assert_eq!(gone(&page.get("/api/user").await), [0; 4], "nothing changed");
}

#[tokio::test]
async fn signing_in_again_over_useless_tokens_keeps_the_id() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let anonymous = browser.cookies["sAnonymousToken"].clone();
    browser.login("alice").await;
    let mut expired = browser.clone();
    app.wait(Duration::from_secs(2 * 3600));
    assert_eq!(expired.login("bob").await.front_token().up["anonymousId"], id);

    let mut damaged = browser.clone();
    let token = damaged.cookie("sAccessToken").unwrap().to_owned();
    damaged.set_cookie("sAccessToken", &token[..token.len() - 4]);
    damaged.cookies.insert("sAnonymousToken".into(), anonymous);
    assert_eq!(damaged.login("bob").await.front_token().up["anonymousId"], id);

    let mut twice =
        app.browser().header("cookie", &format!("sAccessToken=damaged; sAccessToken={token}"));
    assert_eq!(twice.login("bob").await.front_token().up["anonymousId"], id);
}

#[tokio::test]
async fn rule_6_a_useless_access_token_beside_the_anonymous_one_costs_no_cart() {
    let app = App::with(|builder| {
        builder.on_sign_in(|old, _| async move { Ok::<_, std::io::Error>(old.payload().clone()) })
    })
    .await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let mut visitor = browser.clone();
    let mut leftover = visitor.clone();
    leftover.post_json("/api/cart", json!({"cart": ["long carried over"]})).await;
    browser.login("alice").await;
    let own = browser.cookie("sAccessToken").unwrap().to_owned();
    let foreign =
        App::with(|builder| builder.api_base_path("/elsewhere")).await.browser_of("alice").await;
    let foreign = foreign.cookie("sAccessToken").unwrap();
    let damaged = &own[..own.len() - 4];
    app.wait(Duration::from_secs(2 * 3600));
    visitor.post_json("/api/cart", json!({"cart": ["tea"]})).await;

    let anonymous = visitor.cookie("sAnonymousToken").unwrap();
    let with = |access: &str| {
        app.browser().header("cookie", &format!("{access}; sAnonymousToken={anonymous}"))
    };
    for (name, access) in [
        ("expired", format!("sAccessToken={own}")),
        ("foreign", format!("sAccessToken={foreign}")),
        ("damaged", format!("sAccessToken={damaged}")),
        ("two", format!("sAccessToken={own}; sAccessToken={damaged}")),
        ("two of others", format!("sAccessToken={foreign}; sAccessToken={foreign}")),
    ] {
        let up = with(&access).login("bob").await.front_token().up;
        assert_eq!((&up["anonymousId"], &up["cart"]), (&json!(id), &json!(["tea"])), "{name}");
        let mut off = with(&access).header("st-anonymous-mode", "off");
        assert!(
            !off.login("bob").await.front_token().up.contains_key("cart"),
            "{name}: the visitor has none while off"
        );
    }

    let late = format!(
        "sAccessToken={own}; sAnonymousToken={}",
        leftover.cookie("sAnonymousToken").unwrap()
    );
    let up = app.browser().header("cookie", &late).login("alice").await.front_token().up;
    assert_eq!(up["anonymousId"], id);
    assert!(!up.contains_key("cart"), "what went into the user session is not carried over twice");

    let mut attacker = app.browser();
    attacker.post_json("/api/cart", json!({"cart": ["poison"]})).await;
    let planted = format!(
        "sAccessToken={own}; sAnonymousToken={}",
        attacker.cookie("sAnonymousToken").unwrap()
    );
    let up = app.browser().header("cookie", &planted).login("alice").await.front_token().up;
    assert_eq!(up["anonymousId"], id, "of the token that is no longer good");
    assert!(!up.contains_key("cart"), "nor is anything carried of somebody else");
}

#[tokio::test]
async fn rule_5_a_form_post_signs_in_with_the_id_of_an_expired_token() {
    let app = App::with(|builder| builder.anonymous_validity(Duration::from_secs(60))).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    app.wait(Duration::from_secs(61));
    let form = browser.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document");
    assert_eq!(form.clone().login("alice").await.front_token().up["anonymousId"], id);
    let token = form.header("st-anonymous-mode", "off").login("alice").await.front_token();
    assert_ne!(token.up["anonymousId"], id);
}

#[tokio::test]
async fn only_the_outcome_of_a_request_is_sent() {
    let app = App::new().await;
    let mut browser = app.browser();
    let answer = browser.post("/api/login-and-merge").await;
    assert_eq!(
        answer.set_cookies().len(),
        3,
        "access, refresh, anonymous: {:?}",
        answer.set_cookies()
    );
    assert_eq!(
        (&answer.front_token().up["a"], &answer.front_token().up["b"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(browser.get("/api/me").await.body["payload"], json!({"a": 1, "b": 2}));
    let answer = app.browser().post("/api/login-and-out").await;
    assert_eq!(answer.text("front-token"), Some("remove"));
    answer.announced_id();
}

#[tokio::test]
async fn an_empty_user_id_is_refused() {
    let mut browser = App::new().await.browser();
    let id = browser.id().await;
    // Many apps take such names from a form. PostgreSQL could not keep the second.
    for user in ["", "a%00b"] {
        let answer = browser.post(&format!("/api/login?user={user}")).await;
        assert_eq!(answer.status, 400, "{user}");
        assert!(answer.message().contains("user id"), "{}", answer.message());
    }
    assert_eq!(browser.id().await, id);
}

#[tokio::test]
async fn sign_out_clears_and_announces() {
    let app = App::new().await;
    for path in [SIGN_OUT, "/api/logout"] {
        let mut browser = app.browser();
        let id = browser.id().await;
        browser.login("alice").await;
        let answer = browser.post(path).await;
        assert_eq!(answer.status, 200);
        assert!(answer.cleared("sAccessToken") && answer.cleared("sRefreshToken"));
        assert_eq!(answer.text("front-token"), Some("remove"));
        assert_eq!(answer.text("st-access-token"), None, "only the transfer method in use");
        assert_eq!(answer.announced_id(), id);
        assert_eq!(browser.get("/api/user").await.message(), "unauthorised");
        assert!(app.sessions.session_handles_of_user("alice").await.unwrap().is_empty());
    }
    let mut browser = app.browser();
    browser.login("alice").await;
    assert_eq!(browser.post(SIGN_OUT).await.body, json!({"status": "OK"}));
}

#[tokio::test]
async fn sign_out_needs_a_session() {
    let app = App::new().await;
    let answer = app.browser().post(SIGN_OUT).await;
    assert_eq!((answer.status.as_u16(), answer.message()), (401, "unauthorised"));
    assert!(answer.is_silent());
    let mut browser = app.browser();
    browser.login("alice").await;
    app.wait(Duration::from_secs(2 * 3600));
    let answer = browser.post(SIGN_OUT).await;
    assert_eq!((answer.status.as_u16(), answer.message()), (401, "try refresh token"));
    assert_eq!(browser.refresh().await.status, 200);
    assert_eq!(browser.post(SIGN_OUT).await.status, 200);
}

#[tokio::test]
async fn sign_out_of_a_revoked_session_clears_all_the_same() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    app.sessions.revoke_all_sessions_of_user("alice").await.unwrap();
    let answer = browser.post(SIGN_OUT).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.announced_id(), id);
}

#[tokio::test]
async fn revocation_counts_at_once_where_asked() {
    let app = App::new().await;
    let mut browser = app.browser();
    let id = browser.id().await;
    let handle = browser.login("alice").await.body["handle"].as_str().unwrap().to_owned();
    assert_eq!(browser.get("/api/fresh").await.body, "alice");
    assert!(app.sessions.revoke_session(&handle).await.unwrap());
    assert!(!app.sessions.revoke_session(&handle).await.unwrap());
    assert_eq!(browser.get("/api/user").await.status, 200, "the token itself is still good");
    let answer = browser.get("/api/fresh").await;
    answer.assert_demoted_by_app("unauthorised");
    assert_eq!(answer.announced_id(), id);
    assert_eq!(browser.get("/api/me").await.body["kind"], "anonymous");
}

#[tokio::test]
async fn sessions_are_listed_and_described() {
    let app = App::new().await;
    let (mut first, mut second) = (app.browser(), app.browser());
    let id = first.id().await;
    let handle =
        first.post_json("/api/login?user=alice", json!({"role": "admin"})).await.body["handle"]
            .as_str()
            .unwrap()
            .to_owned();
    second.login("alice").await;
    let handles = app.sessions.session_handles_of_user("alice").await.unwrap();
    assert_eq!(handles.len(), 2);
    assert!(handles.contains(&handle));
    let information = app.sessions.session_information(&handle).await.unwrap().unwrap();
    assert_eq!((information.user_id.as_str(), information.anonymous_id), ("alice", id));
    assert_eq!(information.payload["role"], "admin");
    assert_eq!(
        information.expires_at.duration_since(information.created_at).unwrap(),
        Duration::from_secs(100 * 24 * 3600)
    );
    assert_eq!(app.sessions.revoke_all_sessions_of_user("alice").await.unwrap().len(), 2);
    assert!(app.sessions.session_information(&handle).await.unwrap().is_none());
}

#[tokio::test]
async fn expired_on_demand_refreshes() {
    let mut browser = App::new().await.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    let answer = browser.post("/api/expire").await;
    assert_eq!(answer.status, 200);
    let front = answer.front_token();
    assert!(u128::from(front.ate) <= std::time::UNIX_EPOCH.elapsed().unwrap().as_millis());
    assert_eq!(front.up["exp"].as_u64().unwrap() * 1000, front.ate);
    assert_eq!(browser.get("/api/user").await.message(), "try refresh token");
    assert_eq!(browser.refresh().await.status, 200);
    assert_eq!(browser.get("/api/user").await.body, "alice");
    assert_eq!(browser.id().await, id);
}

#[tokio::test]
async fn several_access_cookies_ask_for_a_refresh() {
    let mut browser = App::new().await.browser();
    browser.login("alice").await;
    let token = browser.cookie("sAccessToken").unwrap().to_owned();
    browser.cookies.clear();
    let mut browser =
        browser.header("cookie", &format!("sAccessToken={token}; sAccessToken={token}"));
    let answer = browser.get("/api/user").await;
    assert_eq!((answer.status.as_u16(), answer.message()), (401, "try refresh token"));
    assert!(answer.is_silent());
    let answer = browser.refresh().await;
    assert_eq!(answer.status, 500);
    assert!(answer.message().starts_with("The request contains multiple session cookies."));
    assert!(answer.is_silent());
}

#[tokio::test]
async fn a_legacy_cookie_that_somebody_planted_asks_for_nothing() {
    let mut browser = App::new().await.browser();
    let planted = "planted by a sub-domain, which nobody else can remove";
    browser.set_cookie("sIdRefreshToken", planted);
    let guest = browser.get("/api/me").await;
    assert_eq!((guest.status.as_u16(), &guest.body["kind"]), (200, &json!("anonymous")));
    browser.login("alice").await;
    browser.set_cookie("sIdRefreshToken", planted);
    assert_eq!(browser.get("/api/user").await.status, 200);
    let answer = browser.refresh().await;
    assert_eq!(answer.status, 200);
    assert!(answer.cleared("sIdRefreshToken"), "a cookie of an old version goes on this occasion");
    browser.set_cookie("sIdRefreshToken", planted);
    assert_eq!(browser.get("/api/user").await.status, 200);
}

#[tokio::test]
async fn cookies_of_a_former_domain_are_removed_by_a_refresh() {
    for (older, attribute) in [("", None), (".Example.com", Some("; Domain=example.com;"))] {
        let app = App::with(|builder| {
            let builder = builder.api_domain("https://api.example.com").older_cookie_domain(older);
            if older.is_empty() { builder.cookie_domain("example.com") } else { builder }
        })
        .await;
        let mut browser = app.browser();
        browser.login("alice").await;
        let mut both = browser.clone();
        let doubled = ["sAccessToken", "sRefreshToken"]
            .map(|name| format!("{name}={}; {name}=old", browser.cookie(name).unwrap()));
        both.cookies.clear();
        let mut both = both.header("cookie", &doubled.join("; "));
        let answer = both.refresh().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text("front-token"), None, "the session is as it was");
        assert!(answer.message().contains("former domain"));
        assert!(answer.cleared("sAccessToken") && answer.cleared("sRefreshToken"));
        for cookie in answer.set_cookies() {
            assert_eq!(attribute.is_none(), !cookie.contains("Domain="), "{cookie}");
            assert!(attribute.is_none_or(|attribute| cookie.contains(attribute)), "{cookie}");
        }
        assert_eq!(browser.refresh().await.status, 200, "what remains is good");
    }
}

#[tokio::test]
async fn a_session_that_ends_leaves_no_cookies_of_a_former_domain() {
    let app = App::with(|builder| {
        builder
            .api_domain("https://api.example.com")
            .cookie_domain("example.com")
            .older_cookie_domain("")
    })
    .await;
    let mut browser = app.browser();
    browser.login("alice").await;
    let answer = browser.post("/auth/signout").await;
    assert_eq!(answer.status, 200);
    for name in ["sAccessToken", "sRefreshToken"] {
        let cleared = format!("{name}=;");
        let of_name =
            answer.set_cookies().into_iter().filter(|cookie| cookie.starts_with(&cleared));
        let (present, former): (Vec<&str>, Vec<&str>) =
            of_name.partition(|cookie| cookie.contains("Domain=example.com"));
        assert_eq!((present.len(), former.len()), (1, 1), "{name}");
    }
}

#[tokio::test]
async fn scripts_get_the_access_token_where_asked() {
    let app =
        App::with(|builder| builder.expose_access_token_to_frontend_in_cookie_based_auth(true))
            .await;
    let mut browser = app.browser();
    let login = browser.login("alice").await;
    assert_eq!(login.text("st-access-token"), browser.cookie("sAccessToken"));
    assert_eq!(login.text("st-refresh-token"), None);
    let refreshed = browser.refresh().await;
    assert_eq!(refreshed.text("st-access-token"), browser.cookie("sAccessToken"));
    assert_eq!(App::new().await.browser().login("alice").await.text("st-access-token"), None);
}

#[tokio::test]
async fn several_sessions_are_revoked_by_their_handles() {
    let app = App::new().await;
    let (mut one, mut two, mut three) = (app.browser(), app.browser(), app.browser());
    let mut handles = Vec::new();
    for (browser, user) in [(&mut one, "alice"), (&mut two, "bob"), (&mut three, "bob")] {
        handles.push(browser.login(user).await.body["handle"].as_str().unwrap().to_owned());
    }
    let revoked = app.sessions.revoke_sessions([
        handles[0].as_str(),
        "no-such-handle",
        handles[1].as_str(),
        handles[0].as_str(),
    ]);
    assert_eq!(revoked.await.unwrap(), handles[..2]);
    assert_eq!(
        (
            one.get("/api/fresh").await.status.as_u16(),
            three.get("/api/fresh").await.status.as_u16()
        ),
        (401, 200)
    );
}
