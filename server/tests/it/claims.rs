//! Claims and validators.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use passerby_server::{
    SessionsBuilder,
    claims::{BooleanClaim, PrimitiveArrayClaim, SessionClaimValidator},
};
use serde_json::{Value, json};

use crate::app::App;

/// The app's knowledge of whether somebody's mail address is verified.
#[derive(Clone, Default)]
struct Mail {
    verified: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
}

impl Mail {
    fn claim(&self) -> BooleanClaim {
        let mail = self.clone();
        BooleanClaim::new("st-ev").max_age(Duration::from_secs(600)).fetch(move |user| {
            let mail = mail.clone();
            async move {
                assert_eq!(user.user_id(), "alice");
                mail.asked.fetch_add(1, Ordering::SeqCst);
                Ok::<_, std::io::Error>(Some(mail.verified.load(Ordering::SeqCst).into()))
            }
        })
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

fn global(mail: &Mail) -> impl FnOnce(SessionsBuilder) -> SessionsBuilder {
    let claim = mail.claim();
    move |builder| builder.claim_validator(claim.is_true())
}

#[tokio::test]
async fn a_global_validator_refuses_with_the_body_that_the_peers_send() {
    let mail = Mail::default();
    let app = App::with(global(&mail)).await;
    let mut browser = app.browser();
    assert_eq!(
        browser.get("/api/me").await.body["kind"],
        "anonymous",
        "visitors have no claims to validate"
    );
    assert_eq!(browser.get("/api/user").await.status, 401);
    browser.login("alice").await;
    for path in ["/api/user", "/api/fresh", "/api/me", "/api/maybe"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 403, "{path}");
        assert_eq!(
            answer.body,
            json!({
                "message": "invalid claim",
                "claimValidationErrors": [
                    {
                        "id": "st-ev",
                        "reason": {
                            "message": "wrong value",
                            "expectedValue": true,
                            "actualValue": false,
                        },
                    },
                ]
            })
        );
        assert!(answer.set_cookie("sRefreshToken").is_none(), "the session goes on");
    }
    assert_eq!(mail.asked(), 1, "what is known is not asked again");
    assert_eq!(browser.get("/api/plain").await.status, 200);
    assert_eq!(browser.refresh().await.status, 200);
    assert_eq!(
        browser.post("/auth/signout").await.status,
        200,
        "whoever is refused may still leave"
    );
}

#[tokio::test]
async fn an_old_claim_is_fetched_and_reaches_the_browser_with_the_response() {
    let mail = Mail::default();
    let app = App::with(global(&mail)).await;
    let mut browser = app.browser();
    browser.login("alice").await;
    let answer = browser.get("/api/user").await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.front_token().up["st-ev"]["v"],
        json!(false),
        "the updated token comes with the refusal"
    );
    mail.verified.store(true, Ordering::SeqCst);
    assert_eq!(browser.get("/api/user").await.status, 403, "not asked yet");
    app.wait(Duration::from_secs(601));
    let answer = browser.get("/api/user").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.front_token().up["st-ev"]["v"], json!(true));
    assert!(browser.get("/api/user").await.is_silent());
    assert_eq!(mail.asked(), 2);
    assert_eq!(
        browser.refresh().await.front_token().up["st-ev"]["v"],
        json!(true),
        "and it is stored"
    );
}

#[tokio::test]
async fn a_page_fetches_nothing() {
    let mail = Mail::default();
    let app = App::with(global(&mail)).await;
    let mut browser = app.browser();
    browser.login("alice").await;
    let answer = browser.open("/page").await;
    assert!(answer.is_silent());
    assert_eq!(mail.asked(), 0);
}

#[tokio::test]
async fn a_revoked_session_is_noticed_when_a_claim_is_stored() {
    let app = App::with(global(&Mail::default())).await;
    let mut browser = app.browser();
    let id = browser.id().await;
    browser.login("alice").await;
    app.sessions.revoke_all_sessions_of_user("alice").await.unwrap();
    let answer = browser.get("/api/user").await;
    answer.assert_demoted_by_app("unauthorised");
    assert_eq!(answer.announced_id(), id);
}

#[tokio::test]
async fn a_source_that_fails_leaves_what_is_there() {
    let claim = BooleanClaim::new("st-ev")
        .fetch(|_| async { Err(std::io::Error::other("the mail server is down")) });
    let app = App::with(|builder| builder.claim_validator(claim.is_true())).await;
    let mut browser = app.browser();
    browser.login("alice").await;
    let answer = browser.get("/api/user").await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.body["claimValidationErrors"][0]["reason"]["message"],
        "value does not exist"
    );
    browser.post_json("/api/merge", Value::Object(claim.with_value(true, SystemTime::now()))).await;
    assert_eq!(browser.get("/api/user").await.status, 200);
}

#[tokio::test]
async fn a_route_may_ask_for_something_else() {
    let mail = Mail::default();
    let app = App::with(global(&mail)).await;
    let mut browser = app.browser();
    assert_eq!(browser.get("/api/admin").await.message(), "unauthorised");
    browser.login("alice").await;
    let answer = browser.get("/api/admin").await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.body["claimValidationErrors"],
        json!([{
            "id": "st-role",
            "reason": {
                "message": "value does not exist",
                "expectedToInclude": "admin",
                "actualValue": null,
            },
        }]),
        "only its own demands"
    );
    let role = PrimitiveArrayClaim::new("st-role");
    browser
        .post_json(
            "/api/merge",
            Value::Object(role.with_value(json!(["admin"]), SystemTime::now())),
        )
        .await;
    assert_eq!(browser.get("/api/admin").await.body, "alice");
    browser.post_json("/api/merge", Value::Object(role.removed())).await;
    assert_eq!(browser.get("/api/admin").await.status, 403);
    assert_eq!(mail.asked(), 0, "the global ones were overridden");
}

#[tokio::test]
async fn claims_of_a_session_are_validated_outside_of_its_requests() {
    let mail = Mail::default();
    let app = App::new().await;
    let mut browser = app.browser();
    let handle = browser.login("alice").await.body["handle"].as_str().unwrap().to_owned();
    let (verified, admin) =
        (mail.claim().is_true(), PrimitiveArrayClaim::new("st-role").includes("admin"));
    let validators: [&dyn SessionClaimValidator; 2] = [&verified, &admin];
    let validate = || app.sessions.validate_claims_of_session(&handle, &validators);
    let ids = |invalid: Vec<passerby_server::claims::InvalidClaim>| {
        invalid.into_iter().map(|claim| claim.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(validate().await.unwrap().unwrap()), ["st-ev", "st-role"]);
    assert_eq!(mail.asked(), 1);
    assert_eq!(ids(validate().await.unwrap().unwrap()), ["st-ev", "st-role"]);
    assert_eq!(mail.asked(), 1, "what was fetched was stored");
    browser.refresh().await;
    assert_eq!(
        browser.get("/api/me").await.body["payload"]["st-ev"]["v"],
        false,
        "and the browser learns of it"
    );
    mail.verified.store(true, Ordering::SeqCst);
    app.wait(Duration::from_secs(700));
    assert_eq!(ids(validate().await.unwrap().unwrap()), ["st-role"]);
    app.sessions.revoke_session(&handle).await.unwrap();
    assert!(validate().await.unwrap().is_none());
}
