//! The visitors who get a new anonymous session.

use std::{
    collections::HashSet,
    io::{self, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{HeaderName, HeaderValue};
use passerby_server::{MintLimit, SessionsBuilder};
use serde_json::json;

use crate::app::{Answer, App, FORGET, ORIGIN, REFRESH, SIGN_OUT};

const MINUTE: Duration = Duration::from_secs(60);
const HOME: &str = "203.0.113.7";
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

fn two_a_minute(builder: SessionsBuilder) -> SessionsBuilder {
    builder.mint_limit(MintLimit::new(2, MINUTE))
}

fn is_limited(answer: &Answer) -> bool {
    let limited = answer.text("st-anonymous-mode") == Some("limited");
    assert_eq!(
        limited,
        answer.text("st-anonymous-front-token").is_none_or(|token| token == "remove")
    );
    limited
}

#[tokio::test]
async fn rule_13_over_the_limit_the_request_goes_on_without_a_session() {
    let app = App::with(two_a_minute).await;
    for _ in 0..2 {
        assert!(!is_limited(&app.browser().at(HOME).get("/api/maybe").await));
    }
    let answer = app.browser().at(HOME).get("/api/maybe").await;
    assert!(is_limited(&answer));
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &json!({"kind": "none"})));
    assert!(answer.set_cookies().is_empty());
    assert_eq!(answer.text("cache-control"), Some("no-store"));
    let mut strict = app.browser().at(HOME);
    assert_eq!(strict.get("/api/me").await.message(), "unauthorised");
    assert!(
        !is_limited(&app.browser().at("203.0.113.8").get("/api/maybe").await),
        "another address"
    );
    app.wait(MINUTE / 2);
    assert!(!is_limited(&strict.get("/api/me").await), "a later request gets one");
    assert!(is_limited(&app.browser().at(HOME).get("/api/maybe").await));
}

#[tokio::test]
async fn rule_13_who_has_an_id_is_not_limited() {
    let app =
        App::with(|builder| two_a_minute(builder).anonymous_validity(Duration::from_secs(1000)))
            .await;
    let mut visitor = app.browser().at(HOME);
    let id = visitor.id().await;
    let mut user = app.browser().at(HOME);
    user.login("alice").await;
    assert!(is_limited(&app.browser().at(HOME).get("/api/maybe").await));
    for _ in 0..5 {
        assert_eq!(visitor.id().await, id);
        assert_eq!(visitor.refresh().await.announced_id(), id);
    }
    user.post(SIGN_OUT).await.announced_id();
    app.wait(Duration::from_secs(1001));
    for _ in 0..2 {
        app.browser().at(HOME).get("/api/maybe").await;
    }
    assert_eq!(
        visitor.get("/api/me").await.announced_id(),
        id,
        "an expired token is not a new visitor"
    );
}

#[tokio::test]
async fn rule_13_every_way_to_a_new_id_counts() {
    let app = App::with(two_a_minute).await;
    let mut visitor = app.browser().at(HOME);
    assert!(!is_limited(&visitor.get("/api/me").await));
    assert!(!is_limited(&app.browser().at(HOME).refresh().await));
    let refused = app.browser().at(HOME).refresh().await;
    refused.assert_demoted("unauthorised");
    assert!(is_limited(&refused));
    assert_eq!(
        refused.text("st-anonymous-front-token"),
        Some("remove"),
        "the browser may hold the announcement alone"
    );
    assert_eq!(refused.set_cookie("sAnonymousToken"), None);
    let damaged =
        app.browser().at(HOME).header("cookie", "sAnonymousToken=x").get("/api/maybe").await;
    assert!(is_limited(&damaged));
    assert_eq!(
        damaged.text("st-anonymous-front-token"),
        None,
        "who asked for something else is not told"
    );
    let forgotten = visitor.post(FORGET).await;
    assert_eq!(forgotten.status, 200);
    assert_eq!(forgotten.text("st-anonymous-mode"), Some("limited"));
    assert!(forgotten.cleared("sAnonymousToken"), "forgotten all the same");
    assert_eq!(forgotten.text("st-anonymous-front-token"), Some("remove"));
    assert_eq!(
        app.browser().at(HOME).login("alice").await.status,
        200,
        "signing in is another matter"
    );
}

/// Of a form, say, or of a program that says it is a browser.
#[tokio::test]
async fn rule_13_requests_that_nobody_reads_count_too() {
    let app = App::with(two_a_minute).await;
    let mut visitor = app.browser().at(HOME);
    let mut ids = HashSet::from([visitor.id().await]);
    let mut visitor = visitor.header("accept", "text/html");
    for _ in 0..5 {
        let forgotten = visitor.post(FORGET).await;
        let announced = forgotten.text("st-anonymous-front-token");
        if announced.is_some_and(|front| front != "remove") {
            ids.insert(forgotten.announced_id());
        }
    }
    assert_eq!(ids.len(), 2, "the first, and one more");
}

#[tokio::test]
async fn a_refresh_that_nobody_reads_makes_no_session_and_costs_no_id() {
    let app = App::with(|builder| builder.anonymous_validity(Duration::from_secs(1000))).await;
    let mut visitor = app.browser().at(HOME);
    let id = visitor.id().await;
    app.wait(Duration::from_secs(1001));
    let mut page = visitor.clone().header("accept", "text/html");
    let answer = page.post("/auth/session/refresh").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.set_cookie("sAnonymousToken"), None);
    assert!(!answer.cleared("sAnonymousToken"));
    assert_eq!(visitor.id().await, id);
}

#[tokio::test]
async fn rule_13_one_request_counts_once() {
    let app = App::with(two_a_minute).await;
    for path in [FORGET, "/auth/session/refresh"] {
        assert!(!is_limited(&app.browser().at(HOME).post(path).await), "{path}");
    }
    assert!(is_limited(&app.browser().at(HOME).get("/api/maybe").await));
}

#[tokio::test]
async fn rule_13_an_ipv6_client_is_its_64() {
    let app = App::with(two_a_minute).await;
    for (address, limited) in [
        ("2001:db8:1:2::1", false),
        ("2001:db8:1:2:aaaa::1", false),
        ("2001:db8:1:2:ffff::9", true),
        ("2001:db8:1:3::1", false),
        ("::ffff:203.0.113.7", false),
        ("203.0.113.7", false),
        ("203.0.113.7", true),
    ] {
        assert_eq!(
            is_limited(&app.browser().at(address).get("/api/maybe").await),
            limited,
            "{address}"
        );
    }
}

#[tokio::test]
async fn rule_13_behind_a_proxy_the_proxys_word_counts() {
    let app =
        App::with(|builder| two_a_minute(builder).client_address_header("x-forwarded-for")).await;
    let through = |list: &str| app.browser().at("10.0.0.1").header("x-forwarded-for", list);
    for (list, limited) in [
        ("203.0.113.7", false),
        ("198.51.100.1, 203.0.113.7", false),
        ("198.51.100.2, 203.0.113.7", true),
        ("203.0.113.7, 203.0.113.8", false),
    ] {
        assert_eq!(is_limited(&through(list).get("/api/maybe").await), limited, "{list}");
    }
    let unreadable = [Some(&b"\xff"[..]), Some(b"203.0.113.9, unknown"), None, Some(b"\xff, \xff")];
    for (list, limited) in unreadable.into_iter().zip([false, false, true, true]) {
        let mut browser = app.browser().at("10.0.0.1");
        browser
            .headers
            .extend(list.map(|list| (X_FORWARDED_FOR, HeaderValue::from_bytes(list).unwrap())));
        assert_eq!(is_limited(&browser.get("/api/maybe").await), limited, "one client: {list:?}");
    }
    let custom = App::with(|builder| {
        two_a_minute(builder)
            .client_address(|request| request.headers.get("x-client")?.to_str().ok()?.parse().ok())
    })
    .await;
    let answers = [false, false, true]
        .map(|limited| (custom.browser().header("x-client", "10.1.1.1"), limited));
    for (mut browser, limited) in answers {
        assert_eq!(is_limited(&browser.get("/api/maybe").await), limited);
    }
}

#[tokio::test]
async fn rule_13_a_proxy_is_never_taken_for_one_visitor() {
    let app = App::with(two_a_minute).await;
    for _ in 0..5 {
        for address in ["10.0.0.1", "127.0.0.1", "::1"] {
            assert!(!is_limited(&app.browser().at(address).get("/api/maybe").await));
        }
        assert!(!is_limited(&app.browser().get("/api/maybe").await), "an unknown address");
    }
}

/// The lines of a log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn rule_13_where_the_limit_may_not_work_the_log_says_so_at_the_start() {
    for (what, warns, configure) in [
        ("https", true, (|builder| builder) as fn(SessionsBuilder) -> SessionsBuilder),
        ("a header", false, |builder| builder.client_address_header("x-forwarded-for")),
        ("a function", false, |builder| builder.client_address(|_| None)),
        ("no limit", false, |builder| builder.mint_limit(None)),
        ("http", false, |builder| builder.api_domain(ORIGIN)),
    ] {
        let log = Log::default();
        let lines = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || lines.clone()).finish();
        let while_this_lives = tracing::subscriber::set_default(subscriber);
        App::with(|builder| configure(builder.api_domain("https://api.example.com"))).await;
        drop(while_this_lives);
        let said = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(said.contains("client_address_header"), warns, "{what}: {said}");
    }
}

#[tokio::test]
async fn rule_13_the_limit_can_be_taken_away() {
    let app = App::with(|builder| two_a_minute(builder).mint_limit(None)).await;
    for _ in 0..5 {
        assert!(!is_limited(&app.browser().at(HOME).get("/api/maybe").await));
    }
}

#[tokio::test]
async fn rule_13_the_challenge_may_refuse() {
    let solved = Arc::new(AtomicBool::new(false));
    let seen = solved.clone();
    let app = App::with(|builder| {
        two_a_minute(builder).mint_challenge(move |request| {
            let solved = seen.clone();
            async move {
                assert_eq!(request.client.unwrap().to_string(), HOME);
                assert_eq!((request.method.as_str(), request.uri.path()), ("GET", "/api/maybe"));
                tokio::task::yield_now().await;
                solved.load(Ordering::SeqCst) || request.headers.contains_key("x-proof")
            }
        })
    })
    .await;
    assert!(is_limited(&app.browser().at(HOME).get("/api/maybe").await));
    assert!(!is_limited(&app.browser().at(HOME).header("x-proof", "1").get("/api/maybe").await));
    solved.store(true, Ordering::SeqCst);
    assert!(
        is_limited(&app.browser().at(HOME).get("/api/maybe").await),
        "the limit counts what was refused, too"
    );
}

#[tokio::test]
async fn rule_13_known_crawlers_get_none() {
    let app = App::with(|builder| builder.known_crawler(|agent| agent.contains("Googlebot"))).await;
    let crawler = app
        .browser()
        .header("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)")
        .get("/api/maybe")
        .await;
    assert!(is_limited(&crawler));
    assert!(!is_limited(
        &app.browser().header("user-agent", "Mozilla/5.0").get("/api/maybe").await
    ));
    assert!(!is_limited(&app.browser().get("/api/maybe").await));
}

#[tokio::test]
async fn rule_13_pages_mint_when_asked_to() {
    let app = App::with(|builder| builder.mint_for_navigations(true)).await;
    let mut browser = app.browser();
    let page = browser.open("/any-page").await;
    assert_eq!(page.body["kind"], "anonymous");
    assert_eq!(page.body["id"], page.announced_id());
    assert!(browser.open("/any-page").await.is_silent());
    assert_eq!(browser.id().await, page.announced_id());
    let image = app
        .browser()
        .header("sec-fetch-mode", "no-cors")
        .header("sec-fetch-dest", "image")
        .get("/api/plain")
        .await;
    assert!(image.is_silent());
    let ahead = app.browser().header("sec-purpose", "prefetch").open("/any-page").await;
    assert!(ahead.is_silent());
    let off = app.browser().header("st-anonymous-mode", "off").open("/any-page").await;
    assert!(off.is_silent());
    let mut user = app.browser();
    user.login("alice").await;
    assert!(
        user.open("/any-page").await.is_silent(),
        "rule 7: a signed-in session is never replaced"
    );
}

#[tokio::test]
async fn rule_1_where_consent_comes_first_a_stranger_names_himself() {
    let app = App::with(|builder| {
        let builder = builder
            .mint_only_with_key(true)
            .mint_for_navigations(true)
            .mint_limit(MintLimit::new(4, MINUTE));
        builder.anonymous_validity(Duration::from_secs(1000))
    })
    .await;
    let stranger = || app.browser().at(HOME);
    assert!(stranger().get("/api/maybe").await.is_silent());
    assert!(stranger().open("/any-page").await.is_silent());
    assert!(stranger().header("cookie", "sAnonymousToken=x").get("/api/maybe").await.is_silent());
    for path in [FORGET, REFRESH] {
        for mut stranger in
            [stranger(), stranger().header("cookie", "sAnonymousToken=x; sRefreshToken=x")]
        {
            let answer = stranger.post(path).await;
            assert!(
                answer
                    .set_cookie("sAnonymousToken")
                    .is_none_or(|_| answer.cleared("sAnonymousToken")),
                "{path}"
            );
            assert_eq!(stranger.get("/api/maybe").await.body["kind"], "none", "{path}");
        }
    }

    let mut visitor = stranger().header("st-anonymous-mode", KEY);
    let id = visitor.get("/api/me").await.announced_id();
    let accept = format!("*/*, application/vnd.passerby;key={KEY}");
    assert_eq!(stranger().header("accept", &accept).refresh().await.announced_id(), id);
    visitor.headers.clear();
    app.wait(Duration::from_secs(1001));
    assert_eq!(visitor.get("/api/me").await.announced_id(), id, "who is known needs no key");
    let forgotten = visitor.post(FORGET).await.announced_id();
    assert_ne!(forgotten, id);

    for user in [&mut visitor, &mut stranger()] {
        let id = user.login("alice").await.front_token().up["anonymousId"].clone();
        assert_eq!(user.post(SIGN_OUT).await.announced_id(), id, "a user is no stranger");
        let id = user.login("alice").await.front_token().up["anonymousId"].clone();
        app.sessions.revoke_all_sessions_of_user("alice").await.unwrap();
        assert_eq!(user.refresh().await.announced_id(), id);
    }
    let stranger = stranger().header("st-anonymous-mode", KEY).get("/api/maybe").await;
    assert!(!is_limited(&stranger), "who got none took nothing of the limit");
}

/// Consent mode: nothing is written anywhere until the visitor agrees.
#[tokio::test]
async fn rule_1_without_consent_nothing_is_written() {
    let app = App::new().await;
    let mut browser = app.browser().header("st-anonymous-mode", "off");
    for path in ["/api/maybe", "/api/plain", "/api/user"] {
        assert!(browser.get(path).await.is_silent(), "{path}");
    }
    assert_eq!(browser.post_json("/api/cart", json!({"a": 1})).await.status, 401);
    let refused = browser.refresh().await;
    assert_eq!((refused.status.as_u16(), refused.message()), (401, "unauthorised"));
    assert!(refused.says_only_that_there_is_none(), "{refused:?}");
    assert!(browser.cookies.is_empty());
    browser.headers.clear();
    browser.get("/api/maybe").await.announced_id();
}

const KEY: &str = "17-4-250-99-3-0-41-7-88-120-6-55-201-9-13-2";

#[tokio::test]
async fn rule_10_who_asks_twice_with_one_key_is_one_visitor() {
    let app = App::new().await;
    let with_key = |key: &str| app.browser().header("st-anonymous-mode", key);
    let id = with_key(KEY).get("/api/me").await.announced_id();
    assert_eq!(with_key(KEY).get("/api/me").await.announced_id(), id, "the first answer was lost");
    assert_eq!(
        with_key(KEY).refresh().await.announced_id(),
        id,
        "by way of the refresh endpoint, too"
    );
    let accept = format!("*/*, application/vnd.passerby;key={KEY}");
    assert_eq!(
        app.browser().header("accept", &accept).refresh().await.announced_id(),
        id,
        "in the other header, too"
    );
    assert_eq!(
        with_key(KEY).header("st-auth-mode", "header").get("/api/me").await.announced_id(),
        id
    );
    let restarted = app.restarted(|builder| builder).await;
    assert_eq!(
        restarted.browser().header("st-anonymous-mode", KEY).get("/api/me").await.announced_id(),
        id
    );
    assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 8);

    let other = KEY.replace("17", "18");
    assert_ne!(with_key(&other).get("/api/me").await.announced_id(), id);
    let elsewhere = App::with(|builder| builder.api_base_path("/elsewhere")).await;
    assert_ne!(
        elsewhere.browser().header("st-anonymous-mode", KEY).get("/api/me").await.announced_id(),
        id
    );
}

#[tokio::test]
async fn rule_10_a_key_that_many_may_have_is_none() {
    let app = App::new().await;
    for key in ["1", "on", &"k".repeat(65)] {
        let id = || async {
            app.browser().header("st-anonymous-mode", key).get("/api/me").await.announced_id()
        };
        assert_ne!(id().await, id().await, "{key}");
    }
}

#[tokio::test]
async fn rule_10_a_key_changes_nothing_for_who_is_known() {
    let app = App::new().await;
    let mut visitor = app.browser();
    let id = visitor.id().await;
    let mut visitor = visitor.header("st-anonymous-mode", KEY);
    assert_eq!(visitor.id().await, id);
    visitor.post(FORGET).await;
    let forgotten = visitor.id().await;
    assert_ne!(forgotten, id);
    assert_ne!(
        app.browser().header("st-anonymous-mode", KEY).get("/api/me").await.announced_id(),
        forgotten,
        "forgetting asks for an id of nobody"
    );
    visitor.login("alice").await;
    assert_eq!(visitor.post(SIGN_OUT).await.announced_id(), forgotten);
}

#[tokio::test]
async fn rule_13_asking_again_with_one_key_is_limited_too() {
    let app = App::with(two_a_minute).await;
    let again = || async {
        is_limited(&app.browser().at(HOME).header("st-anonymous-mode", KEY).get("/api/maybe").await)
    };
    assert_eq!([again().await, again().await, again().await], [false, false, true]);
}

/// A page of another host of the site, or of any site where cookies are sent there: CORS hides the
/// answer from its script, and the browser would keep the cookie.
#[tokio::test]
async fn a_script_that_cannot_read_the_answer_gets_no_session() {
    let app = App::with(|builder| builder.trusted_origin("https://shop.example.com")).await;
    let script = |site: &str, origin: Option<&str>| {
        let script = app
            .browser()
            .header("sec-fetch-mode", "cors")
            .header("sec-fetch-dest", "empty")
            .header("sec-fetch-site", site);
        match origin {
            Some(origin) => script.header("origin", origin),
            None => script,
        }
    };
    for (site, origin, gets_one) in [
        ("same-origin", None, true),
        ("cross-site", Some("https://shop.example.com"), true),
        ("same-site", Some("https://evil.example.com"), false),
        ("cross-site", Some("https://other.example"), false),
        ("cross-site", Some("null"), false),
        ("cross-site", None, false),
    ] {
        let key = "*/*, application/vnd.passerby;key=attackerattackerattacker";
        for (name, value) in
            [("accept", "*/*"), ("accept", key), ("st-anonymous-mode", "attackerattackerattacker")]
        {
            let answer = script(site, origin).header(name, value).get("/api/maybe").await;
            assert_eq!(
                answer.set_cookie("sAnonymousToken").is_some(),
                gets_one,
                "{site} {origin:?} {value}"
            );
            assert!(
                gets_one || (answer.is_silent() && answer.body["kind"] == "none"),
                "{site} {origin:?} {value}"
            );
        }
    }
}

/// Only the refresh call, which no other website can send, is asked for a key in `Accept`.
#[tokio::test]
async fn the_key_in_accept_counts_in_the_refresh_call_only() {
    let app = App::new().await;
    let named = || {
        app.browser().header("accept", "*/*, application/vnd.passerby;key=attackerattackerattacker")
    };
    let of_key = named().refresh().await.announced_id();
    assert_eq!(named().refresh().await.announced_id(), of_key);
    assert_ne!(named().get("/api/me").await.announced_id(), of_key);
}

#[tokio::test]
async fn a_key_names_its_visitor_for_a_day_and_at_this_server() {
    let app = App::new().await;
    let minutes =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 60;
    for key in ["k2Xp0vT9sQ4mZ7bL1cR8wd".to_owned(), format!("k2Xp0vT9sQ4mZ7bL1cR8wd.{minutes}")] {
        let named = |app: &App| app.browser().header("st-anonymous-mode", &key);
        let id = named(&app).get("/api/me").await.announced_id();
        assert_eq!(named(&app).get("/api/me").await.announced_id(), id);
        assert_eq!(named(&app).refresh().await.announced_id(), id);
        let elsewhere = App::with(|builder| builder.api_base_path("/elsewhere")).await;
        assert_ne!(named(&elsewhere).get("/api/me").await.announced_id(), id);
        let database =
            sqlx::SqlitePool::connect(&format!("sqlite:{}", elsewhere.database().display()))
                .await
                .unwrap();
        sqlx::query("DELETE FROM keys WHERE kind = 'refresh'").execute(&database).await.unwrap();
        let of_other_secret = elsewhere.restarted(|builder| builder).await;
        assert_ne!(
            named(&of_other_secret).get("/api/me").await.announced_id(),
            id,
            "nobody can tell it without the secret"
        );
        app.wait(Duration::from_secs(24 * 3600 + 61));
        assert_ne!(
            named(&app).get("/api/me").await.announced_id(),
            id,
            "{key}: it does not come back"
        );
        app.set_clock_back();
    }
}

/// Renewals, and endings with a known id, make no new visitor, but cost a signature as well.
#[tokio::test]
async fn renewals_and_known_ids_are_counted() {
    let app = App::with(|builder| builder.mint_limit(MintLimit::new(2, MINUTE))).await;
    let mut home = app.browser().at(HOME);
    let id = home.id().await;
    // A token under the former name is signed anew with each request.
    let token = home.cookie("sAnonymousToken").unwrap().to_owned();
    let mut moved = 0;
    for _ in 0..50 {
        let mut former = app.browser().at(HOME);
        former.set_cookie("__Host-sAnonymousToken", &token);
        let answer = former.get("/api/me").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["id"]),
            (200, &json!(id)),
            "who has a token keeps the id"
        );
        moved += u32::from(answer.set_cookie("sAnonymousToken").is_some());
    }
    assert_eq!(moved, 20, "ten times as many as new ones");

    let mut alice = app.browser_of("alice").await.at("203.0.113.8");
    app.sessions.revoke_all_sessions_of_user("alice").await.unwrap();
    alice.cookies.remove("sAccessToken");
    let mut given = 0;
    for _ in 0..50 {
        given += u32::from(alice.clone().refresh().await.set_cookie("sAnonymousToken").is_some());
    }
    assert_eq!(given, 20);
}

/// A flood of many addresses, each within its limit: strangers go without, and visitors go on.
#[tokio::test]
async fn all_strangers_together_have_a_budget() {
    let app = App::with(|builder| builder.mint_budget(10)).await;
    let mut known = app.browser().at(HOME);
    let id = known.id().await;
    let (mut minted, start) = (0, std::time::Instant::now());
    for number in 0..100 {
        let answer = app.browser().at(&format!("198.51.100.{number}")).get("/api/maybe").await;
        assert_eq!(answer.status, 200);
        match answer.set_cookie("sAnonymousToken") {
            Some(_) => minted += 1,
            None => assert_eq!(answer.text("st-anonymous-mode"), Some("limited")),
        }
    }
    // Of a busy machine it is more, because time passes.
    let most = 21 + start.elapsed().as_millis() / 100;
    assert!((19..=most).contains(&minted), "two seconds' worth: {minted} of {most}");
    assert_eq!(known.id().await, id);
    // A client whose address is not known is counted here, too.
    assert!(app.browser().get("/api/maybe").await.set_cookie("sAnonymousToken").is_none());
    app.wait(Duration::from_secs(2));
    assert!(app.browser().get("/api/maybe").await.set_cookie("sAnonymousToken").is_some());
}
