//! Rule 5: one anonymousId through everything that can happen to a visitor, in any order.

use std::time::Duration;

use passerby_server::AfterSignOut;
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::json;

use crate::app::{App, Browser, FORGET, SIGN_OUT};

const HOUR: Duration = Duration::from_secs(3600);
const USERS: [&str; 2] = ["alice", "bob"];

/// The things that can happen. The browser does what the SDK does: when asked to, it refreshes, and
/// sends the request again.
#[derive(Clone, Copy, Debug)]
enum Step {
    Request,
    Page,
    Login(usize),
    Refresh,
    /// The answer to a refresh call gets lost.
    LostRefresh,
    UpdatePayload,
    /// The access token expires.
    Hours(u32),
    /// Longer than a session lives unused.
    LongAbsence,
    Revoke {
        without_access_cookie: bool,
    },
    Theft,
    SignOut,
    SignOutRotating,
    Forget,
    NewStaticKey,
    /// Longer than a dynamic key signs.
    NewDynamicKey,
    LoseAccessCookie {
        request_in_between: bool,
    },
    Restart,
    Off,
    On,
    Consent(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Request),
        1 => Just(Step::Page),
        6 => (0..USERS.len()).prop_map(Step::Login),
        4 => Just(Step::Refresh),
        2 => Just(Step::LostRefresh),
        3 => Just(Step::UpdatePayload),
        3 => (0_u32..5).prop_map(Step::Hours),
        2 => Just(Step::LongAbsence),
        3 => any::<bool>().prop_map(|without_access_cookie| Step::Revoke { without_access_cookie }),
        2 => Just(Step::Theft),
        3 => Just(Step::SignOut),
        1 => Just(Step::SignOutRotating),
        1 => Just(Step::Forget),
        1 => Just(Step::NewStaticKey),
        1 => Just(Step::NewDynamicKey),
        2 => any::<bool>()
            .prop_map(|request_in_between| Step::LoseAccessCookie { request_in_between }),
        2 => Just(Step::Restart),
        1 => Just(Step::Off),
        2 => Just(Step::On),
        1 => any::<bool>().prop_map(Step::Consent),
    ]
}

/// The things that must be true of the visitor.
struct Model {
    user: Option<&'static str>,
    /// `None` when the next anonymous session is a new one.
    id: Option<String>,
    /// Of the server, and of the visitor.
    enabled: bool,
    consent: bool,
}

struct World {
    app: App,
    browser: Browser,
    model: Model,
}

impl World {
    async fn new() -> Self {
        let app = App::new().await;
        let browser = app.browser();
        Self { app, browser, model: Model { user: None, id: None, enabled: true, consent: true } }
    }

    async fn serve(&mut self, policy: AfterSignOut) {
        let enabled = self.model.enabled;
        self.app = self
            .app
            .restarted(|builder| builder.after_sign_out(policy).anonymous_enabled(enabled))
            .await;
        self.browser = self.browser.moved_to(&self.app);
    }

    /// The user session is over, and the browser finds out.
    async fn find_out(&mut self, message: &str) {
        let refused = self.browser.refresh().await;
        refused.assert_demoted(message);
        if self.anonymous_allowed() {
            assert_eq!(
                Some(refused.announced_id()),
                self.model.id,
                "in the very response that ends the session"
            );
        }
        self.ended();
    }

    fn ended(&mut self) {
        self.model.user = None;
        if !self.anonymous_allowed() {
            self.model.id = None;
        }
    }

    fn anonymous_allowed(&self) -> bool {
        self.model.enabled && self.model.consent
    }

    async fn refresh_if_asked(&mut self) {
        if self.browser.get("/api/user").await.message() == "try refresh token" {
            assert_eq!(self.browser.refresh().await.status, 200);
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Request => {}
            Step::Page => assert!(self.browser.open("/any-page").await.is_silent()),
            Step::Login(user) => {
                let login = self.browser.login(USERS[user]).await;
                let id = login.front_token().up["anonymousId"].as_str().unwrap().to_owned();
                assert_eq!(self.model.id.get_or_insert(id.clone()), &id);
                self.model.user = Some(USERS[user]);
            }
            Step::Refresh => {
                let expected = if self.model.user.is_some() { 200 } else { 401 };
                let answer = self.browser.refresh().await;
                assert_eq!(answer.status, expected, "{answer:?}");
            }
            Step::LostRefresh => {
                self.browser.clone().refresh().await;
            }
            Step::UpdatePayload => {
                self.refresh_if_asked().await;
                let path = if self.model.user.is_some() { "/api/merge" } else { "/api/cart" };
                let answer = self.browser.post_json(path, json!({"cart": [1], "gone": null})).await;
                assert_eq!(
                    answer.status == 200,
                    self.model.user.is_some() || self.anonymous_allowed()
                );
            }
            Step::Hours(hours) => self.app.wait(hours * HOUR),
            Step::LongAbsence => {
                self.app.wait(101 * 24 * HOUR);
                if self.model.user.is_some() {
                    self.find_out("unauthorised").await;
                }
            }
            Step::Revoke { without_access_cookie } => {
                if let Some(user) = self.model.user {
                    if without_access_cookie {
                        self.browser.cookies.remove("sAccessToken");
                    }
                    self.app.sessions.revoke_all_sessions_of_user(user).await.unwrap();
                    self.find_out("unauthorised").await;
                }
            }
            Step::Theft => {
                if self.model.user.is_some() {
                    let mut thief = self.browser.clone();
                    assert_eq!(self.browser.refresh().await.status, 200);
                    assert_eq!(self.browser.get("/api/user").await.status, 200);
                    self.app.wait(Duration::from_secs(31));
                    assert_eq!(thief.refresh().await.message(), "token theft detected");
                    self.find_out("unauthorised").await;
                }
            }
            Step::SignOut | Step::SignOutRotating => {
                let rotate = matches!(step, Step::SignOutRotating);
                if rotate {
                    self.serve(AfterSignOut::Rotate).await;
                }
                if self.model.user.is_some() {
                    self.refresh_if_asked().await;
                    assert_eq!(self.browser.post(SIGN_OUT).await.status, 200);
                    if rotate {
                        self.changed_id().await;
                    }
                    self.ended();
                }
                if rotate {
                    self.serve(AfterSignOut::Keep).await;
                }
            }
            Step::Forget => {
                self.refresh_if_asked().await;
                assert_eq!(self.browser.post(FORGET).await.status, 200);
                self.changed_id().await;
            }
            Step::NewStaticKey => {
                self.app.sessions.rotate_static_key().await.unwrap();
                self.app.wait(Duration::from_secs(61));
            }
            Step::NewDynamicKey => {
                // Twice, so that the session is used in between and lives on.
                for hours in [169, 1] {
                    self.app.wait(hours * HOUR);
                    if self.model.user.is_some() {
                        assert_eq!(self.browser.refresh().await.status, 200);
                        assert_eq!(self.browser.get("/api/user").await.status, 200);
                    }
                }
            }
            Step::LoseAccessCookie { request_in_between } => {
                if self.browser.cookies.remove("sAccessToken").is_some() {
                    if request_in_between {
                        assert_ne!(self.browser.get("/api/maybe").await.body["kind"], "user");
                    }
                    assert_eq!(
                        self.browser.refresh().await.status,
                        200,
                        "the refresh token tells who it is"
                    );
                }
            }
            Step::Restart => self.serve(AfterSignOut::Keep).await,
            Step::Off | Step::On => {
                self.model.enabled = matches!(step, Step::On);
                self.app.sessions.set_anonymous_enabled(self.model.enabled);
            }
            Step::Consent(given) => {
                self.model.consent = given;
                self.browser.headers.remove("st-anonymous-mode");
                if !given {
                    self.browser = self.browser.clone().header("st-anonymous-mode", "off");
                }
            }
        }
    }

    /// The id is another one now, and stays that.
    async fn changed_id(&mut self) {
        let id = self.browser.get("/api/maybe").await.body["id"].as_str().map(str::to_owned);
        if let (Some(before), Some(after)) = (&self.model.id, &id) {
            assert_ne!(before, after);
        }
        self.model.id = id;
    }

    /// Asks the server who this is, as the SDK would, and compares.
    async fn check(&mut self) {
        self.refresh_if_asked().await;
        let answer = self.browser.get("/api/maybe").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let id = answer.body["id"].as_str().map(str::to_owned);
        let (access, refresh, anonymous) = ["sAccessToken", "sRefreshToken", "sAnonymousToken"]
            .map(|name| self.browser.cookie(name).is_some())
            .into();
        match self.model.user {
            Some(user) => {
                assert_eq!(
                    (&answer.body["kind"], &answer.body["user"]),
                    (&json!("user"), &json!(user))
                );
                assert!(access && refresh && !anonymous, "one kind holds");
            }
            None if self.anonymous_allowed() => {
                assert_eq!(answer.body["kind"], "anonymous");
                assert!(!access && !refresh && anonymous, "one kind holds");
                assert_eq!(self.browser.get("/api/user").await.status, 401);
            }
            None => {
                assert_eq!(answer.body["kind"], "none");
                assert!(!access && !refresh && !anonymous, "nothing is left");
                self.model.id = None;
            }
        }
        if let Some(known) = &self.model.id {
            assert_eq!(id.as_ref(), Some(known), "the id is the same");
        }
        self.model.id = id;
    }
}

#[test]
fn rule_5_one_id_through_everything() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = ProptestConfig {
        cases: 32,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&proptest::collection::vec(step(), 1..25), |steps| {
            runtime.block_on(async {
                let mut world = World::new().await;
                for step in steps {
                    world.take(step).await;
                    world.check().await;
                }
            });
            Ok(())
        })
        .unwrap();
}
