//! The configuration of an app's sessions: its options and their defaults.

mod build;
mod error;
mod site;

use std::{net::IpAddr, sync::Arc, time::Duration};

use http::request::Parts;

pub use self::error::BuildError;
use crate::{
    claims::{GlobalValidators, SessionClaimValidator},
    clock::{Clock, millis},
    engine::{KeyAlgorithm, Lifetimes},
    hooks::{AfterSignOut, HookError, Hooks},
    mint::{ClientAddress, MintLimit, MintRequest, MintSettings},
    principal::{AnonymousSession, UserSession},
    sessions::Sessions,
    store::SessionStore,
    web::AntiCsrf,
};

const DEFAULT_API_BASE_PATH: &str = "/auth";
const DEFAULT_ANONYMOUS_VALIDITY: Duration = Duration::from_secs(315_360_000);

/// How much of its life an anonymous token may have behind it before it is renewed.
const DEFAULT_ANONYMOUS_RENEWAL: f64 = 0.25;

/// Sets up [`Sessions`](crate::Sessions). Only [`api_domain`](Self::api_domain) and
/// [`store`](Self::store) are required.
///
/// ```
/// use passerby_server::{
///     AfterSignOut, AntiCsrf, BuildError, KeyAlgorithm, MemoryStore, MintLimit, Sessions,
///     claims::BooleanClaim,
/// };
/// use serde_json::Map;
/// use std::time::Duration;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// let sessions = Sessions::builder()
///     .api_domain("https://api.example.com")
///     .website_domain("https://www.example.com")
///     .store(store.clone())
///     .access_token_validity(Duration::from_secs(600))
///     .anonymous_algorithm(KeyAlgorithm::Es256)
///     .mint_limit(MintLimit::new(100, Duration::from_secs(60)))
///     .anti_csrf(AntiCsrf::ViaCustomHeader)
///     .after_sign_out_by(|session| match session.payload().get("sharedDevice") {
///         Some(_) => AfterSignOut::Rotate,
///         None => AfterSignOut::Keep,
///     })
///     .on_sign_out(|user| async move {
///         // Everything else of the user's stays with the user.
///         let theme = user.payload().get("theme").cloned();
///         Ok::<_, std::io::Error>(
///             theme.map(|theme| ("theme".to_owned(), theme)).into_iter().collect::<Map<_, _>>(),
///         )
///     })
///     .claim_validator(BooleanClaim::new("st-ev").is_true())
///     .build()
///     .await?;
/// assert!(sessions.anonymous_enabled());
///
/// // The error names an option that is missing or wrong.
/// let error = Sessions::builder().store(store).build().await.unwrap_err();
/// assert!(matches!(error, BuildError::ApiDomainMissing));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct SessionsBuilder {
    api_domain: Option<String>,
    website_domain: Option<String>,
    trusted_origins: Vec<String>,
    /// Origin and path.
    forms: Vec<(String, String)>,
    api_base_path: String,
    cookie_domain: Option<String>,
    older_cookie_domain: Option<String>,
    embedded: bool,
    max_payload: Option<usize>,
    expose_access_token: bool,
    lifetimes: Lifetimes,
    anonymous_enabled: bool,
    anonymous_validity: Duration,
    anonymous_cookie_name: Option<String>,
    accept_former_cookie_name: bool,
    anonymous_renewal: f64,
    anonymous_subject: bool,
    anonymous_algorithm: KeyAlgorithm,
    mint: MintSettings,
    /// Outer `None`: not said.
    mint_budget: Option<Option<u32>>,
    client_address_header: Option<String>,
    hooks: Hooks,
    claim_validators: GlobalValidators,
    anti_csrf: AntiCsrf,
    store: Option<Arc<dyn SessionStore>>,
    clock: Clock,
}

impl Default for SessionsBuilder {
    fn default() -> Self {
        Self {
            api_domain: None,
            website_domain: None,
            trusted_origins: Vec::new(),
            forms: Vec::new(),
            api_base_path: DEFAULT_API_BASE_PATH.to_owned(),
            cookie_domain: None,
            older_cookie_domain: None,
            embedded: false,
            max_payload: None,
            expose_access_token: false,
            lifetimes: Lifetimes::default(),
            anonymous_enabled: true,
            anonymous_validity: DEFAULT_ANONYMOUS_VALIDITY,
            anonymous_cookie_name: None,
            accept_former_cookie_name: true,
            anonymous_renewal: DEFAULT_ANONYMOUS_RENEWAL,
            anonymous_subject: false,
            anonymous_algorithm: KeyAlgorithm::default(),
            mint: MintSettings::default(),
            mint_budget: None,
            client_address_header: None,
            hooks: Hooks::default(),
            claim_validators: GlobalValidators::default(),
            anti_csrf: AntiCsrf::default(),
            store: None,
            clock: Clock::default(),
        }
    }
}

impl Sessions {
    /// Starts the configuration.
    pub fn builder() -> SessionsBuilder {
        SessionsBuilder::default()
    }
}

impl SessionsBuilder {
    /// Where browsers reach this server: `https://api.example.com`. Without a scheme `https` is
    /// meant, and `http` for IP addresses and `localhost`. Other hosts that begin with `localhost`
    /// need their scheme. The SDK's `apiDomain` is read in the same way. Required. Tokens name it
    /// as their issuer, so changing it ends all sessions.
    pub fn api_domain(mut self, domain: impl Into<String>) -> Self {
        self.api_domain = Some(domain.into());
        self
    }

    /// The origin of the website. Default: `api_domain`. Decides `SameSite`, CORS and CSRF
    /// protection.
    pub fn website_domain(mut self, domain: impl Into<String>) -> Self {
        self.website_domain = Some(domain.into());
        self
    }

    /// One more website, or packaged app, whose scripts may use this API as the visitor, and read
    /// the answers: it is trusted as [`website_domain`](Self::website_domain) is.
    /// `https://shop.example.com`, or what apps and extensions have as origin:
    /// `capacitor://localhost`, `ionic://localhost`, `tauri://localhost`, `app://name`,
    /// `chrome-extension://id`, written exactly as the app sends it. May be given several times.
    /// For a form that somebody else posts use [`accept_form_from`](Self::accept_form_from).
    pub fn trusted_origin(mut self, origin: impl Into<String>) -> Self {
        self.trusted_origins.push(origin.into());
        self
    }

    /// Lets pages of another website post a form to one path, as sign-in providers do, and nothing
    /// else: their scripts read no answer. Browsers send no `SameSite=Lax` cookies with such a form
    /// (`docs/anonymous-sessions.md`, "Sign-in providers that post a form"). May be given several
    /// times.
    pub fn accept_form_from(mut self, origin: impl Into<String>, path: impl Into<String>) -> Self {
        self.forms.push((origin.into(), path.into()));
        self
    }

    /// Path under which the session endpoints lie. Default `/auth`.
    pub fn api_base_path(mut self, path: impl Into<String>) -> Self {
        self.api_base_path = path.into();
        self
    }

    /// `Domain` of the cookies, to share the session between subdomains. Default: none, the API's
    /// host only.
    pub fn cookie_domain(mut self, domain: impl Into<String>) -> Self {
        self.cookie_domain = Some(domain.into());
        self
    }

    /// The value of `cookie_domain` before it was changed; empty when there was none. Browsers that
    /// hold cookies of both then send two of a name, and a refresh removes the old ones. Default:
    /// such a refresh fails with 500. Keep it set for as long as a refresh token is valid after the
    /// change.
    pub fn older_cookie_domain(mut self, domain: impl Into<String>) -> Self {
        self.older_cookie_domain = Some(domain.into());
        self
    }

    /// Whether the app is shown in frames of other websites too, where `init` of the SDK gets
    /// `isInIframe`. All cookies are then `SameSite=None; Secure; Partitioned`: browsers send them
    /// from within a frame, also where third-party cookies are blocked, and keep a session for each
    /// website that shows the app, and one for the app by itself. Default `false`.
    ///
    /// Browsers that hold cookies of before send two of a name, and a refresh removes the old ones.
    /// Over HTTPS only, but for `localhost`.
    ///
    /// ```
    /// use passerby_server::{MemoryStore, Sessions};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder =
    ///     Sessions::builder().api_domain("https://chat.example.com").store(MemoryStore::new());
    /// let sessions = builder.embedded(true).build().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn embedded(mut self, embedded: bool) -> Self {
        self.embedded = embedded;
        self
    }

    /// How many bytes the payload of a session, anonymous or a user's, may take as JSON when the
    /// app gives or changes it. Beyond, that is refused with
    /// [`PayloadError::OverLimit`](crate::PayloadError::OverLimit), and the session goes on as it
    /// was. Default: what fits a cookie, some 2,300 bytes.
    ///
    /// The token travels twice, in its cookie and in the announcement that the SDK keeps in
    /// another. Below 1,800 bytes all cookies of a visitor take less than 8 kB in a request; below
    /// 500 a response that issues a user's session fits the 4 kB that nginx has for its head by
    /// default.
    ///
    /// ```
    /// use passerby_server::{MemoryStore, Sessions};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder =
    ///     Sessions::builder().api_domain("http://localhost:3000").store(MemoryStore::new());
    /// let sessions = builder.max_payload(500).build().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = Some(bytes);
        self
    }

    /// Sends the access token in the response header `st-access-token` too when it travels in a
    /// cookie, for scripts that call other services with it. Any script in the page can then read
    /// it; default `false`.
    pub fn expose_access_token_to_frontend_in_cookie_based_auth(mut self, expose: bool) -> Self {
        self.expose_access_token = expose;
        self
    }

    /// How long an access token is valid. Default one hour. A revoked session is noticed after this
    /// time at the latest.
    pub fn access_token_validity(mut self, validity: Duration) -> Self {
        self.lifetimes.access_ms = millis(validity);
        self
    }

    /// How long a session lives without being used. Default 100 days.
    pub fn refresh_token_validity(mut self, validity: Duration) -> Self {
        self.lifetimes.refresh_ms = millis(validity);
        self
    }

    /// How long a refresh token stays acceptable after another took its place: networks and tabs
    /// are slow, and an answer may arrive when another tab has gone on already. Default 30 seconds.
    /// A token that is used again later than this was copied, and ends the session; with zero, one
    /// that is used again at all.
    pub fn refresh_grace(mut self, grace: Duration) -> Self {
        self.lifetimes.grace_ms = millis(grace);
        self
    }

    /// How long a key signs access tokens before a new one takes its place, at least two minutes.
    /// Default 168 hours. The same for all processes on one database. Keys of anonymous tokens do
    /// not rotate; see [`Sessions::rotate_static_key`](crate::Sessions::rotate_static_key).
    pub fn key_rotation(mut self, interval: Duration) -> Self {
        self.lifetimes.rotation_ms = millis(interval);
        self
    }

    /// Whether visitors get anonymous sessions. Default `true`;
    /// [`Sessions::set_anonymous_enabled`](crate::Sessions::set_anonymous_enabled) switches at run
    /// time.
    pub fn anonymous_enabled(mut self, enabled: bool) -> Self {
        self.anonymous_enabled = enabled;
        self
    }

    /// How long an anonymous token is valid. Default 315 360 000 s (ten years).
    pub fn anonymous_validity(mut self, validity: Duration) -> Self {
        self.anonymous_validity = validity;
        self
    }

    /// Name of the anonymous cookie. Default `__Host-sAnonymousToken` when `api_domain` is `https`
    /// and there is no `cookie_domain`, so that no sub-domain can plant one, else
    /// `sAnonymousToken`. A name that is given here is used as it is.
    pub fn anonymous_cookie_name(mut self, name: impl Into<String>) -> Self {
        self.anonymous_cookie_name = Some(name.into());
        self
    }

    /// Whether an anonymous cookie is also accepted under the other of its two names, without or
    /// with `__Host-`. It moves to the present name at the next API request. Default `true`, so
    /// that visitors keep their ids when the configuration changes. Set it to `false` when they
    /// have moved: then no sub-domain can plant a cookie even for a new visitor.
    pub fn accept_former_cookie_name(mut self, accept: bool) -> Self {
        self.accept_former_cookie_name = accept;
        self
    }

    /// When the anonymous token is renewed (same id, same payload), as a share of its life. An API
    /// response renews it when this share is over. Its life is 400 days, the longest that browsers
    /// keep a cookie (RFC 6265bis), or `anonymous_validity` if that is shorter. Above 0, at most 1;
    /// default 1/4.
    pub fn anonymous_renewal(mut self, share: f64) -> Self {
        self.anonymous_renewal = share;
        self
    }

    /// Whether anonymous tokens have a `sub`: `G-` and the anonymousId, for gateways that insist on
    /// one. Default `false`, so that software which takes `sub` for a user finds no user.
    pub fn anonymous_subject(mut self, has_subject: bool) -> Self {
        self.anonymous_subject = has_subject;
        self
    }

    /// How anonymous tokens are signed. Default [`KeyAlgorithm::Es256`]. Use
    /// [`KeyAlgorithm::Rs256`] where a service that verifies them knows nothing else: signing takes
    /// ten times as long, and tokens are 256 characters longer. All processes on one database need
    /// the same. A change makes a new static key at the next start, which signs one minute later;
    /// tokens of the former key stay valid. It is also the key of
    /// [`Sessions::create_jwt`](crate::Sessions::create_jwt) with
    /// [`JwtKey::Static`](crate::JwtKey::Static).
    pub fn anonymous_algorithm(mut self, algorithm: KeyAlgorithm) -> Self {
        self.anonymous_algorithm = algorithm;
        self
    }

    /// Whether loading a page gives a new visitor an anonymous session, too. Default `false`: only
    /// requests of scripts that can read the answer, as Fetch Metadata tells them (without it,
    /// `Accept`). Images, frames, prefetching, streams and beacons never do.
    pub fn mint_for_navigations(mut self, mint: bool) -> Self {
        self.mint.for_navigations = mint;
        self
    }

    /// Whether a new visitor gets an anonymous session only if the request has a key of a first
    /// visit. The SDK sends one with each request of such a visitor, once the visitor has agreed.
    /// Default `false`: then only the SDK can say that a visitor has not agreed, and only in
    /// requests that it sees. Set it to `true` where consent comes first. A visitor who has an id
    /// keeps it, and the end of a user session gives the anonymous one back.
    ///
    /// ```
    /// use axum::{Router, body::Body, routing::get};
    /// use http::Request;
    /// use passerby_server::{MemoryStore, Sessions};
    /// use tower::ServiceExt as _;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder =
    ///     Sessions::builder().api_domain("http://localhost:3000").store(MemoryStore::new());
    /// let sessions = builder.mint_only_with_key(true).build().await?;
    /// let app =
    ///     Router::new().route("/api/stock", get(|| async { "2 ferns" })).layer(sessions.layer());
    /// let request = || Request::get("/api/stock");
    /// // A worker's.
    /// let response = app.clone().oneshot(request().body(Body::empty())?).await?;
    /// assert!(!response.headers().contains_key("set-cookie"));
    /// // The SDK's.
    /// let response = app
    ///     .oneshot(
    ///         request()
    ///             .header("st-anonymous-mode", "k2Xp0vT9sQ4mZ7bL1cR8wd")
    ///             .body(Body::empty())?,
    ///     )
    ///     .await?;
    /// assert!(response.headers().contains_key("set-cookie"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn mint_only_with_key(mut self, only: bool) -> Self {
        self.mint.only_with_key = only;
        self
    }

    /// How many new anonymous sessions one client address gets; `None` for no limit. Over the limit
    /// a request goes on without a session, and the response says `st-anonymous-mode: limited`.
    /// Default: see [`MintLimit`].
    ///
    /// The address is that of the connection, if the app is served with
    /// `into_make_service_with_connect_info::<SocketAddr>()`. Where it is unknown, or private (a
    /// proxy's), nothing is limited; behind a proxy set
    /// [`client_address_header`](Self::client_address_header).
    pub fn mint_limit(mut self, limit: impl Into<Option<MintLimit>>) -> Self {
        self.mint.limit = limit.into();
        self
    }

    /// How many new anonymous sessions are made in a second for all clients together; `None` for no
    /// limit. Beyond it, strangers go without, as over [`mint_limit`](Self::mint_limit), so that a
    /// flood of many addresses leaves the server to those who have a session. Their renewals have a
    /// budget of their own, ten times as large. Default: 1000; with [`KeyAlgorithm::Rs256`], whose
    /// signatures take ten times as long, 200. Bursts of two seconds' worth are allowed.
    pub fn mint_budget(mut self, per_second: impl Into<Option<u32>>) -> Self {
        self.mint_budget = Some(per_second.into());
        self
    }

    /// The header in which the proxy in front of this server writes the address of its client, for
    /// example `x-forwarded-for`; of a list, the last address counts. Set it only if the proxy
    /// always writes it: everybody can send such a header. Requests whose address cannot be read
    /// there count as one client's. Default: none, the address of the connection counts.
    pub fn client_address_header(mut self, name: impl Into<String>) -> Self {
        self.client_address_header = Some(name.into());
        self
    }

    /// Finds the address of a client where neither the connection nor a plain header tells it.
    /// Where it returns `None`, nothing is limited. Default: the address of the connection.
    pub fn client_address(
        mut self,
        address_of: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.mint.address = ClientAddress::Custom(Arc::new(address_of));
        self
    }

    /// Tells crawlers by their `User-Agent` (empty if there is none); they get no anonymous
    /// session, as if over the limit. Default: nobody is taken for a crawler.
    pub fn known_crawler(
        mut self,
        is_crawler: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.mint.is_crawler = Some(Arc::new(is_crawler));
        self
    }

    /// Is asked before a new anonymous session is made, within the limit. If it returns `false`,
    /// the request goes on without a session, as over the limit. For a proof of work, a captcha's
    /// cookie, a reputation list. The visitor's first request waits for it. Default: nothing is
    /// asked.
    pub fn mint_challenge<F, Fut>(mut self, challenge: F) -> Self
    where
        F: Fn(MintRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.mint.challenge = Some(Arc::new(move |request| Box::pin(challenge(request))));
        self
    }

    /// The fate of the anonymousId at sign-out. Default [`AfterSignOut::Keep`].
    pub fn after_sign_out(self, policy: AfterSignOut) -> Self {
        self.after_sign_out_by(move |_| policy)
    }

    /// The same, decided for each session: by a mark in its payload, for example, that says "this
    /// is a shared device". Takes the place of [`after_sign_out`](Self::after_sign_out), and has
    /// its default.
    pub fn after_sign_out_by(
        mut self,
        policy: impl Fn(&UserSession) -> AfterSignOut + Send + Sync + 'static,
    ) -> Self {
        self.hooks.set_after_sign_out(policy);
        self
    }

    /// Runs whenever a user session is created for a visitor who had an anonymous one, whatever the
    /// way of signing in. Gets the old session and the user id. The claims that it returns go into
    /// the access token's payload. If it fails, or returns more than fits, login goes on without
    /// them. Default: nothing is carried.
    pub fn on_sign_in<F, Fut, E>(mut self, hook: F) -> Self
    where
        F: Fn(AnonymousSession, String) -> Fut + Send + Sync + 'static,
        Fut:
            Future<Output = Result<serde_json::Map<String, serde_json::Value>, E>> + Send + 'static,
        E: Into<HookError>,
    {
        self.hooks.set_on_sign_in(hook);
        self
    }

    /// Runs at sign-out. Gets the old session. The claims that it returns go into the new anonymous
    /// session's payload. If it fails, or returns more than fits, sign-out goes on without them.
    /// Default: nothing is carried.
    pub fn on_sign_out<F, Fut, E>(mut self, hook: F) -> Self
    where
        F: Fn(UserSession) -> Fut + Send + Sync + 'static,
        Fut:
            Future<Output = Result<serde_json::Map<String, serde_json::Value>, E>> + Send + 'static,
        E: Into<HookError>,
    {
        self.hooks.set_on_sign_out(hook);
        self
    }

    /// The proof that requests must show besides their cookies, in addition to where they come
    /// from. Default [`AntiCsrf::None`].
    pub fn anti_csrf(mut self, mode: AntiCsrf) -> Self {
        self.anti_csrf = mode;
        self
    }

    /// A demand on the access token of every user, on all routes: a user who does not satisfy
    /// it is refused with 403 by [`User`](crate::User), [`CheckedUser`](crate::CheckedUser) and
    /// [`Principal`](crate::Principal). Routes with demands of their own use
    /// [`Visitor::require`](crate::Visitor::require). May be given several times.
    pub fn claim_validator(mut self, validator: impl SessionClaimValidator) -> Self {
        self.claim_validators.add(validator);
        self
    }

    /// Where sessions and keys are kept. Required.
    pub fn store(mut self, store: impl SessionStore) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    #[cfg(test)]
    pub(crate) fn compared_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Another clock than the system's, which is the default, for tests that want to see tokens
    /// expire.
    pub fn clock(
        mut self,
        now: impl Fn() -> std::time::SystemTime + Send + Sync + 'static,
    ) -> Self {
        self.clock = Clock::new(now);
        self
    }
}
