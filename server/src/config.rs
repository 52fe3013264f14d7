//! Configuration: what can be set, its defaults, and what is refused.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use http::{HeaderName, HeaderValue, request::Parts};
use passerby_protocol::{
    names::{cookie, front_cookie},
    rotation::DEFAULT_GRACE_MS,
};
use tower_http::csrf::CsrfLayer;
use url::{Host, Url};

use crate::{
    claims::{GlobalValidators, SessionClaimValidator},
    clock::{Clock, millis},
    engine::{Engine, EngineError, EngineSettings, KeyAlgorithm, PUBLISH_AHEAD_MS},
    hooks::{HookError, Hooks},
    mint::{ClientAddress, MintLimit, MintPolicy, MintRequest, MintSettings},
    principal::{AnonymousSession, UserSession},
    sessions::Sessions,
    store::SessionStore,
    web::{
        AntiCsrf, Exempt, Readers,
        cookies::{CookieSettings, LONGEST_COOKIE_LIFE, SameSite},
    },
};

const DEFAULT_API_BASE_PATH: &str = "/auth";
const DEFAULT_ACCESS_VALIDITY: Duration = Duration::from_secs(3600);
const DEFAULT_REFRESH_VALIDITY: Duration = Duration::from_secs(100 * 24 * 3600);
const DEFAULT_KEY_ROTATION: Duration = Duration::from_secs(168 * 3600);
const DEFAULT_ANONYMOUS_VALIDITY: Duration = Duration::from_secs(315_360_000);

/// How much of its life an anonymous token may have behind it before it is renewed.
const DEFAULT_ANONYMOUS_RENEWAL: f64 = 0.25;

/// A tenth of a core or less, per second.
const DEFAULT_MINT_BUDGET: u32 = 1000;
const DEFAULT_MINT_BUDGET_RS256: u32 = 200;

/// Why a configuration is refused. Each message says what to write instead.
///
/// ```
/// use passerby_server::{BuildError, MemoryStore, Sessions};
/// use std::time::Duration;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = MemoryStore::new();
/// let builder = Sessions::builder().api_domain("https://api.example.com").store(store);
/// let error = builder.access_token_validity(Duration::ZERO).build().await.unwrap_err();
/// assert!(matches!(error, BuildError::TooShort("access_token_validity")));
/// assert_eq!(error.to_string(), "`access_token_validity` must be at least one second");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// `api_domain` was not given.
    #[error(
        "give `api_domain`: where browsers reach this server, for example `https://api.example.com`"
    )]
    ApiDomainMissing,
    /// `store` was not given.
    #[error(
        "give `store`: where sessions are kept, for example \
         `SqliteStore::open(\"sessions.db\").await?`"
    )]
    StoreMissing,
    /// An option that should be an origin is none.
    #[error(
        "`{option}` must be scheme and host (and port), like `https://api.example.com`; it is \
         `{value}`"
    )]
    NotAnOrigin {
        /// The option's name.
        option: &'static str,
        /// The value that was given.
        value: String,
    },
    /// The base path is no path.
    #[error(
        "`api_base_path` must be a path like `/auth`, without query, fragment or spaces; it is \
         `{0}`"
    )]
    BadBasePath(String),
    /// The cookie domain is no host name.
    #[error(
        "`cookie_domain` must be a host name like `example.com` that `api_domain` belongs to; it \
         is `{0}`"
    )]
    BadCookieDomain(String),
    /// The name cannot be a cookie's, or is taken.
    #[error(
        "`anonymous_cookie_name` must be letters, digits, `-` or `_`, and none of the other \
         session cookies' names; it is `{0}`"
    )]
    BadCookieName(String),
    /// Browsers would refuse the cookie.
    #[error(
        "browsers take `{0}` only over HTTPS, and a `__Host-` cookie only without `cookie_domain`; \
         choose another `anonymous_cookie_name`"
    )]
    PrefixNotAllowed(String),
    /// The share is no share.
    #[error("`anonymous_renewal` must be above 0 and at most 1; it is `{0}`")]
    BadShare(f64),
    /// The name cannot be a header's.
    #[error("`client_address_header` must be a header's name like `x-forwarded-for`; it is `{0}`")]
    BadHeaderName(String),
    /// A lifetime is shorter than a second.
    #[error("`{0}` must be at least one second")]
    TooShort(&'static str),
    /// A key would be replaced before it signed anything.
    #[error(
        "`key_rotation` must be at least two minutes, because other services learn of a new key \
         one minute before it signs"
    )]
    KeyRotationTooShort,
    /// The domain in `older_cookie_domain` is in use.
    #[error(
        "`older_cookie_domain` must be another one than `cookie_domain`; an empty one means that \
         there was none"
    )]
    SameCookieDomain,
    /// Browsers refuse cross-site cookies that are not `Secure`.
    #[error(
        "website and API are different sites, so browsers send cookies only over HTTPS; make \
         `api_domain` an `https://` address, or serve both from one site"
    )]
    InsecureCrossSite,
    /// Browsers refuse cookies of a page in another website's frame that are not `Secure`.
    #[error(
        "`embedded` needs HTTPS, because browsers send cookies from another website's frame only \
         then; make `api_domain` an `https://` address"
    )]
    InsecureEmbedded,
    /// The keys could not be read or made.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The fate of the anonymousId at sign-out.
///
/// ```
/// use passerby_server::{AfterSignOut, Principal, Sessions, Visitor, VisitorError};
/// # use axum::{Router, body::Body, routing::post};
/// # use passerby_server::MemoryStore;
/// # use tower::ServiceExt as _;
///
/// async fn out(visitor: Visitor) -> Result<(), VisitorError> {
/// #     visitor.sign_in("alice").await?;
///     let before = visitor.principal();
///     visitor.sign_out().await?;
///     let id = |who: Option<Principal>| who.map(|who| who.anonymous_id().to_owned());
///     assert_ne!(id(visitor.principal()), id(before));
///     Ok(())
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder =
/// #     Sessions::builder().api_domain("http://localhost:3000").store(MemoryStore::new());
/// let sessions = builder.after_sign_out(AfterSignOut::Rotate).build().await?;
/// # let app = Router::new().route("/api/out", post(out)).layer(sessions.layer());
/// # assert_eq!(
/// #     app.oneshot(http::Request::post("/api/out").body(Body::empty())?).await?.status(),
/// #     200
/// # );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterSignOut {
    /// The visitor keeps it.
    #[default]
    Keep,
    /// The visitor gets a new one; for devices that several people share.
    Rotate,
}

/// Sets up [`Sessions`]. Only [`api_domain`](Self::api_domain) and [`store`](Self::store) are
/// required.
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
/// // What is missing or wrong is named.
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
    access_token_validity: Duration,
    refresh_token_validity: Duration,
    refresh_grace: Duration,
    key_rotation: Duration,
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
            access_token_validity: DEFAULT_ACCESS_VALIDITY,
            refresh_token_validity: DEFAULT_REFRESH_VALIDITY,
            refresh_grace: Duration::from_millis(DEFAULT_GRACE_MS),
            key_rotation: DEFAULT_KEY_ROTATION,
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

impl SessionsBuilder {
    /// Where browsers reach this server: `https://api.example.com`. Without a scheme `https` is
    /// meant, for `localhost` and IPv4 addresses `http`. Required. Tokens name it as their issuer,
    /// so changing it ends all sessions.
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
        self.access_token_validity = validity;
        self
    }

    /// How long a session lives without being used. Default 100 days.
    pub fn refresh_token_validity(mut self, validity: Duration) -> Self {
        self.refresh_token_validity = validity;
        self
    }

    /// How long a refresh token stays acceptable after another took its place: networks and tabs
    /// are slow, and an answer may arrive when another tab has gone on already. Default 30 seconds.
    /// A token that is used again later than this was copied, and ends the session; with zero, one
    /// that is used again at all.
    pub fn refresh_grace(mut self, grace: Duration) -> Self {
        self.refresh_grace = grace;
        self
    }

    /// How long a key signs access tokens before a new one takes its place, at least two minutes.
    /// Default 168 hours. The same for all processes on one database. Keys of anonymous tokens do
    /// not rotate; see [`Sessions::rotate_static_key`].
    pub fn key_rotation(mut self, interval: Duration) -> Self {
        self.key_rotation = interval;
        self
    }

    /// Whether visitors get anonymous sessions. Default `true`; [`Sessions::set_anonymous_enabled`]
    /// switches at run time.
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

    /// Whether an anonymous cookie is also accepted under the name that it has without, or with,
    /// `__Host-`; it moves to the present name at the next API request. Default `true`, so that
    /// visitors keep their ids when the configuration changes. `false` once they have moved: then
    /// no sub-domain can plant a cookie even for a new visitor.
    pub fn accept_former_cookie_name(mut self, accept: bool) -> Self {
        self.accept_former_cookie_name = accept;
        self
    }

    /// The anonymous token is renewed (same id, same payload) with an API response when this share
    /// of its life is over: of 400 days, which is what browsers keep a cookie (RFC 6265bis), or of
    /// `anonymous_validity` if that is shorter. Above 0, at most 1; default 1/4.
    pub fn anonymous_renewal(mut self, share: f64) -> Self {
        self.anonymous_renewal = share;
        self
    }

    /// Whether anonymous tokens have a `sub`: `G-` and the anonymousId, for gateways that insist on
    /// one. Default `false`, so that what looks for a user in `sub` finds none.
    pub fn anonymous_subject(mut self, has_subject: bool) -> Self {
        self.anonymous_subject = has_subject;
        self
    }

    /// How anonymous tokens are signed. Default [`KeyAlgorithm::Es256`]; [`KeyAlgorithm::Rs256`]
    /// where a service that verifies them knows nothing else: it signs ten times slower, in tokens
    /// that are 256 characters longer. The same for all processes on one database. A change makes a
    /// new static key at the next start, which signs one minute later; tokens of the former one
    /// stay good. It is also the key of [`Sessions::create_jwt`] with
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

    /// Whether a new visitor gets an anonymous session only if his request names him with a key, as
    /// the SDK's requests do unless the visitor has not agreed. Default `false`: consent is then
    /// the SDK's to say, which it can only with requests that it sees. Set it where consent comes
    /// first. A visitor who has an id keeps it, and the end of a user session gives the anonymous
    /// one back.
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
    /// there count as one client's.
    pub fn client_address_header(mut self, name: impl Into<String>) -> Self {
        self.client_address_header = Some(name.into());
        self
    }

    /// How to tell the address of a client, if neither the connection nor a plain header does.
    /// Where it tells none, nothing is limited.
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

    /// Asked before a new anonymous session is made, within the limit; `false` refuses, and the
    /// request goes on as if over the limit. For a proof of work, a captcha's cookie, a reputation
    /// list. The visitor's first request waits for it.
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
    /// is a shared device". Takes the place of [`after_sign_out`](Self::after_sign_out).
    pub fn after_sign_out_by(
        mut self,
        policy: impl Fn(&UserSession) -> AfterSignOut + Send + Sync + 'static,
    ) -> Self {
        self.hooks.set_after_sign_out(policy);
        self
    }

    /// Runs whenever a user session is created for a visitor who had an anonymous one, whatever the
    /// way of signing in. Gets the old session and the user id; what it returns goes into the
    /// access token's payload. If it fails, or returns more than fits, login goes on without.
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

    /// Runs at sign-out. Gets the old session; what it returns goes into the new anonymous
    /// session's payload. If it fails, or returns more than fits, sign-out goes on without.
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

    /// A demand on the access token of every user, on all routes: who does not satisfy it is
    /// refused with 403 by [`User`](crate::User), [`CheckedUser`](crate::CheckedUser) and
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

    /// Another clock than the system's, for tests that want to see tokens expire.
    pub fn clock(
        mut self,
        now: impl Fn() -> std::time::SystemTime + Send + Sync + 'static,
    ) -> Self {
        self.clock = Clock::new(now);
        self
    }

    /// Checks the configuration, and makes the keys at the first start.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub async fn build(self) -> Result<Sessions, BuildError> {
        let api = origin("api_domain", &self.api_domain.ok_or(BuildError::ApiDomainMissing)?)?;
        let website = match &self.website_domain {
            Some(domain) => origin("website_domain", domain)?,
            None => api.clone(),
        };
        let mut csrf = CsrfLayer::new();
        let mut trusted_origins = Vec::new();
        let mut exempt = Exempt::default();
        let texts =
            self.trusted_origins.iter().map(|trusted| trusted_origin("trusted_origin", trusted));
        for text in std::iter::once(Ok(website.origin().ascii_serialization())).chain(texts) {
            let text = text?;
            let refused =
                || BuildError::NotAnOrigin { option: "trusted_origin", value: text.clone() };
            let value = HeaderValue::from_str(&text).map_err(|_| refused())?;
            if is_of_an_app(&text) {
                exempt.apps.push(value.clone());
            } else {
                csrf = csrf.add_trusted_origin(&text).map_err(|_| refused())?;
            }
            trusted_origins.push(value);
        }
        for (origin, path) in self.forms {
            let text = trusted_origin("accept_form_from", &origin)?;
            let value = HeaderValue::from_str(&text).map_err(|_| BuildError::NotAnOrigin {
                option: "accept_form_from",
                value: origin.clone(),
            })?;
            exempt.forms.push((value, path));
        }
        let base_path = base_path(&self.api_base_path)?;
        let https = api.scheme() == "https";
        let secure = https || (self.embedded && is_this_machine(&api));
        let domain = self.cookie_domain.map(|domain| cookie_domain(&domain, &api)).transpose()?;
        let anonymous_name =
            anonymous_cookie_name(self.anonymous_cookie_name, https, domain.is_some())?;
        let cookies = CookieSettings {
            secure,
            same_site: if self.embedded { SameSite::None } else { same_site(&api, &website) },
            partitioned: self.embedded,
            domain,
            refresh_path: format!("{base_path}{}", passerby_protocol::names::REFRESH_PATH),
            former_anonymous_name: self
                .accept_former_cookie_name
                .then(|| former_cookie_name(&anonymous_name)),
            anonymous_name,
            older_domain: match self.older_cookie_domain.as_deref() {
                None => None,
                Some("") => Some(None),
                Some(domain) => Some(Some(cookie_domain(domain, &api)?)),
            },
            expose_access_token: self.expose_access_token,
        };
        if cookies.older_domain.as_ref() == Some(&cookies.domain) {
            return Err(BuildError::SameCookieDomain);
        }
        if !(self.anonymous_renewal > 0.0 && self.anonymous_renewal <= 1.0) {
            return Err(BuildError::BadShare(self.anonymous_renewal));
        }
        let mut mint = self.mint;
        let own = std::iter::once(api.origin().ascii_serialization());
        let websites =
            trusted_origins.iter().filter_map(|origin| origin.to_str().ok().map(str::to_owned));
        mint.readers = Readers { origins: own.chain(websites).collect() };
        if let Some(name) = self.client_address_header {
            let name = HeaderName::try_from(&name).map_err(|_| BuildError::BadHeaderName(name))?;
            mint.address = ClientAddress::Header(name);
        }
        mint.budget = self.mint_budget.unwrap_or(Some(match self.anonymous_algorithm {
            KeyAlgorithm::Es256 => DEFAULT_MINT_BUDGET,
            KeyAlgorithm::Rs256 => DEFAULT_MINT_BUDGET_RS256,
        }));
        if https && mint.limit.is_some() && matches!(mint.address, ClientAddress::Connection) {
            tracing::warn!(
                "`api_domain` is https: if a proxy in front of this server ends the encryption, \
                 each connection is the proxy's, and new \
                 anonymous sessions cannot be limited by client; set `client_address_header` (or \
                 `client_address`)"
            );
        }
        if self.embedded && !secure {
            return Err(BuildError::InsecureEmbedded);
        }
        if cookies.same_site == SameSite::None
            && !cookies.secure
            && !(is_local(&api) && is_local(&website))
        {
            return Err(BuildError::InsecureCrossSite);
        }
        for (option, validity) in [
            ("access_token_validity", self.access_token_validity),
            ("refresh_token_validity", self.refresh_token_validity),
            ("anonymous_validity", self.anonymous_validity),
        ] {
            if validity < Duration::from_secs(1) {
                return Err(BuildError::TooShort(option));
            }
        }
        let key_rotation_ms = millis(self.key_rotation);
        if key_rotation_ms < 2 * PUBLISH_AHEAD_MS {
            return Err(BuildError::KeyRotationTooShort);
        }
        let settings = EngineSettings {
            issuer: format!("{}{base_path}", api.origin().ascii_serialization()),
            access_validity_ms: millis(self.access_token_validity),
            refresh_validity_ms: millis(self.refresh_token_validity),
            refresh_grace_ms: millis(self.refresh_grace),
            anonymous_validity_ms: millis(self.anonymous_validity),
            anonymous_renewal_ms: millis(
                self.anonymous_validity.min(LONGEST_COOKIE_LIFE).mul_f64(self.anonymous_renewal),
            ),
            anonymous_subject: self.anonymous_subject,
            anonymous_cookie: cookies.anonymous_name.clone(),
            key_rotation_ms,
            anonymous_algorithm: self.anonymous_algorithm,
            max_payload: self.max_payload,
        };
        let store = self.store.ok_or(BuildError::StoreMissing)?;
        let engine = Engine::new(store, settings, self.clock.clone()).await?;
        Ok(Sessions::new(crate::sessions::Parts {
            engine,
            hooks: self.hooks,
            claim_validators: self.claim_validators,
            anti_csrf: self.anti_csrf,
            cookies,
            base_path,
            trusted_origins,
            csrf,
            exempt,
            anonymous_enabled: self.anonymous_enabled.into(),
            mint: MintPolicy::new(mint),
            clock: self.clock,
        }))
    }
}

/// The domain rule as servers apply it: lower case, a scheme is added when there is none.
fn origin(option: &'static str, value: &str) -> Result<Url, BuildError> {
    let refused = || BuildError::NotAnOrigin { option, value: value.to_owned() };
    let text = value.trim().to_ascii_lowercase();
    let url = if text.contains("://") {
        Url::parse(&text)
    } else {
        Url::parse(&format!("https://{text}"))
    };
    let mut url = url.map_err(|_| refused())?;
    let known_host = match url.host() {
        Some(Host::Domain(name)) => name.contains('.') || name == "localhost",
        Some(_) => true,
        None => false,
    };
    if !matches!(url.scheme(), "http" | "https")
        || !known_host
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(refused());
    }
    if !text.contains("://") && is_local(&url) {
        url.set_scheme("http").map_err(|()| refused())?;
    }
    Ok(url)
}

/// The origin of a website or a packaged app, as it is sent.
fn trusted_origin(option: &'static str, value: &str) -> Result<String, BuildError> {
    if is_of_an_app(value) {
        Ok(value.to_owned())
    } else {
        Ok(origin(option, value)?.origin().ascii_serialization())
    }
}

/// An origin whose scheme is no website's, nor one without a host of its own that anybody's page
/// may have.
fn is_of_an_app(origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    let others = [
        "http",
        "https",
        "ws",
        "wss",
        "ftp",
        "file",
        "data",
        "blob",
        "javascript",
        "about",
        "filesystem",
    ];
    let mut letters = scheme.bytes();
    letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte)
        })
        && !others.contains(&scheme)
        && !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte))
}

fn base_path(value: &str) -> Result<String, BuildError> {
    let path = format!("/{}", value.trim().trim_matches('/'));
    let valid =
        path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%\"<>\\^`{|};".contains(&byte))
            && !path.contains("//");
    match (valid, path.len()) {
        (false, _) => Err(BuildError::BadBasePath(value.to_owned())),
        (true, 1) => Ok(String::new()),
        (true, _) => Ok(path),
    }
}

fn cookie_domain(value: &str, api: &Url) -> Result<String, BuildError> {
    let domain = value.trim().trim_start_matches('.').to_ascii_lowercase();
    let host = api.host_str().unwrap_or_default();
    let covers =
        host == domain || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'));
    if domain.is_empty() || !covers {
        Err(BuildError::BadCookieDomain(value.to_owned()))
    } else {
        Ok(domain)
    }
}

fn cookie_name(name: String) -> Result<String, BuildError> {
    let taken = [
        cookie::ACCESS_TOKEN,
        cookie::REFRESH_TOKEN,
        cookie::ID_REFRESH_TOKEN,
        front_cookie::LAST_UPDATE,
        front_cookie::FRONT_TOKEN,
        front_cookie::ANTI_CSRF,
        front_cookie::ANONYMOUS_FRONT_TOKEN,
        front_cookie::ACCESS_TOKEN,
        front_cookie::REFRESH_TOKEN,
        front_cookie::ANONYMOUS_TOKEN,
    ];
    let valid = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    // It is read under the name without the prefix as well.
    let bare = name.strip_prefix(cookie::HOST_PREFIX).unwrap_or(&name);
    if valid && !bare.is_empty() && !taken.contains(&bare) {
        Ok(name)
    } else {
        Err(BuildError::BadCookieName(name))
    }
}

/// The name that is given, or the safest default that browsers take.
fn anonymous_cookie_name(
    given: Option<String>,
    secure: bool,
    has_domain: bool,
) -> Result<String, BuildError> {
    let Some(name) = given else {
        let prefix = if secure && !has_domain { cookie::HOST_PREFIX } else { "" };
        return Ok([prefix, cookie::ANONYMOUS_TOKEN].concat());
    };
    let name = cookie_name(name)?;
    // Browsers compare prefixes without regard to case.
    let lower = name.to_ascii_lowercase();
    let host_bound = lower.starts_with("__host-");
    if (host_bound && (!secure || has_domain)) || (lower.starts_with("__secure-") && !secure) {
        return Err(BuildError::PrefixNotAllowed(name));
    }
    Ok(name)
}

/// The same name on the other side of a configuration change.
fn former_cookie_name(name: &str) -> String {
    match name.strip_prefix(cookie::HOST_PREFIX) {
        Some(bare) => bare.to_owned(),
        None => [cookie::HOST_PREFIX, name].concat(),
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(_)) => true,
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.to_ipv4() == Some(Ipv4Addr::LOCALHOST)
        }
        None => false,
    }
}

/// Browsers take `Secure` cookies from their own machine without encryption.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        _ => is_local(url),
    }
}

/// `SameSite`: `none` when the registrable domain or the scheme differ, else `lax`.
fn same_site(api: &Url, website: &Url) -> SameSite {
    let one_site = api.scheme() == website.scheme() && site(api) == site(website);
    if one_site { SameSite::Lax } else { SameSite::None }
}

fn site(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    if is_local(url) && matches!(url.host(), Some(Host::Domain(_))) {
        return "localhost".to_owned();
    }
    psl::domain_str(host).unwrap_or(host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        origin("api_domain", text).unwrap()
    }

    #[test]
    fn origins_are_normalised() {
        for (text, expected) in [
            ("api.example.com", "https://api.example.com"),
            ("HTTP://Api.Example.com:8080/one", "http://api.example.com:8080"),
            ("localhost:3000", "http://localhost:3000"),
            ("127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("https://localhost", "https://localhost"),
            ("https://x.com:443", "https://x.com"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            assert_eq!(url(text).origin().ascii_serialization(), expected, "{text}");
        }
        for text in [
            "",
            " ",
            "foo",
            "ftp://example.com",
            "https://",
            "https://a b.com",
            "https://user:pass@example.com",
            "/auth",
            "null",
        ] {
            let error = origin("api_domain", text).unwrap_err();
            assert!(error.to_string().contains("api_domain"), "{text}: {error}");
        }
    }

    #[test]
    fn apps_have_origins_of_their_own_schemes() {
        for app in [
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "app://com.example.shop",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "moz-extension://0b54e3c8-5a3a-4f4e-9d0a-6a1d3c1f0a11",
        ] {
            assert_eq!(trusted_origin("trusted_origin", app).unwrap(), app);
        }
        for bad in [
            "capacitor://",
            "file://x",
            "file:///x",
            "app://a/b",
            "app://a b",
            "app:a",
            "Capacitor://localhost",
            "null",
            "://x",
        ] {
            assert!(trusted_origin("trusted_origin", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn base_paths_are_normalised() {
        for (text, expected) in
            [("/auth", "/auth"), ("auth/", "/auth"), ("/", ""), ("", ""), ("/a/b", "/a/b")]
        {
            assert_eq!(base_path(text).unwrap(), expected);
        }
        for text in ["/a?b", "/a#b", "/a b", "/a//b", "/ä"] {
            assert!(base_path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn same_site_follows_the_registrable_domain() {
        assert_eq!(
            same_site(&url("https://api.example.co.uk"), &url("https://www.example.co.uk")),
            SameSite::Lax
        );
        assert_eq!(same_site(&url("https://a.co.uk"), &url("https://b.co.uk")), SameSite::None);
        assert_eq!(
            same_site(&url("https://a.github.io"), &url("https://b.github.io")),
            SameSite::None
        );
        assert_eq!(
            same_site(&url("https://example.com"), &url("http://example.com")),
            SameSite::None
        );
        assert_eq!(same_site(&url("localhost:3000"), &url("localhost:3001")), SameSite::Lax);
        assert_eq!(same_site(&url("127.0.0.1:3000"), &url("127.0.0.1:4000")), SameSite::Lax);
    }

    #[test]
    fn cookie_domains_must_cover_the_api() {
        let api = url("https://api.example.com");
        assert_eq!(cookie_domain(".Example.com", &api).unwrap(), "example.com");
        for bad in ["other.com", "ample.com", "", "a.api.example.com"] {
            assert!(cookie_domain(bad, &api).is_err(), "{bad}");
        }
    }

    #[test]
    fn cookie_names_are_checked() {
        assert_eq!(cookie_name("jwt".into()).unwrap(), "jwt");
        for bad in ["", "a b", "a=b", "ü", "__Host-"] {
            assert!(cookie_name(bad.into()).is_err(), "{bad}");
        }
        for taken in [
            "sAccessToken",
            "sRefreshToken",
            "sIdRefreshToken",
            "sFrontToken",
            "sAnonymousFrontToken",
            "sAntiCsrf",
            "st-last-access-token-update",
            "st-access-token",
            "st-refresh-token",
            "st-anonymous-token",
        ] {
            for bad in [taken.to_owned(), format!("__Host-{taken}")] {
                let error = anonymous_cookie_name(Some(bad.clone()), true, false).unwrap_err();
                assert!(matches!(error, BuildError::BadCookieName(_)), "{bad}");
            }
        }
    }

    #[test]
    fn the_anonymous_cookie_is_bound_to_its_host_where_browsers_allow_it() {
        for (secure, has_domain, expected) in [
            (true, false, "__Host-sAnonymousToken"),
            (true, true, "sAnonymousToken"),
            (false, false, "sAnonymousToken"),
        ] {
            assert_eq!(anonymous_cookie_name(None, secure, has_domain).unwrap(), expected);
            assert_eq!(
                anonymous_cookie_name(Some("jwt".into()), secure, has_domain).unwrap(),
                "jwt"
            );
            let given = anonymous_cookie_name(Some("__Host-jwt".into()), secure, has_domain);
            assert_eq!(given.is_ok(), secure && !has_domain);
        }
        assert!(anonymous_cookie_name(Some("__secure-jwt".into()), false, false).is_err());
        assert!(anonymous_cookie_name(Some("__SECURE-jwt".into()), true, true).is_ok());
        assert_eq!(former_cookie_name("__Host-jwt"), "jwt");
        assert_eq!(former_cookie_name("jwt"), "__Host-jwt");
    }
}
