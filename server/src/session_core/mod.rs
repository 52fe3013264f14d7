//! The session core for SuperTokens back ends: the part of the core driver interface that the
//! Session and JWT recipes of `supertokens-node`, `supertokens-python` and `supertokens-golang`
//! use, on this crate's engine and stores.
//!
//! ```no_run
//! use passerby_server::{
//!     SqliteStore,
//!     session_core::{CoreSettings, SessionCore},
//! };
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let core =
//!         SessionCore::open(SqliteStore::open("core.db").await?, CoreSettings::default()).await?;
//!     // `connectionURI: "http://localhost:3567"` in the back end.
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3567").await?;
//!     axum::serve(listener, core.router()).await?;
//!     Ok(())
//! }
//! ```
//!
//! Keep it where only your back ends reach it. Everybody who can send it a request can sign in as
//! any user. Without `api_keys` it refuses requests that a web page made a browser send.
//!
//! The first request to an app (`/appid-x/…`) or a tenant creates it. Apps share nothing. The
//! tenants of an app share its keys.

mod app_settings;
mod apps;
mod engine;
mod input;
mod operation;
mod path;
mod reply;
mod wire;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::Router;

use self::apps::Apps;
pub use self::operation::Operation;
use crate::{
    clock::{Clock, millis},
    engine::{EngineError, Lifetimes},
    store::AppStores,
};

/// The versions of the core driver interface that are spoken.
///
/// ```
/// use axum::body::{Body, to_bytes};
/// use passerby_server::session_core::INTERFACE_VERSIONS;
/// # use http::Request;
/// # use passerby_server::{
/// #     MemoryStore,
/// #     session_core::{CoreSettings, SessionCore},
/// # };
/// # use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let core = SessionCore::open(MemoryStore::new(), CoreSettings::default()).await?;
/// // The first question of a back end.
/// let response = core.router().oneshot(Request::get("/apiversion").body(Body::empty())?).await?;
/// let answer: serde_json::Value =
///     serde_json::from_slice(&to_bytes(response.into_body(), 1000).await?)?;
/// assert_eq!(answer["versions"], serde_json::json!(INTERFACE_VERSIONS));
/// # Ok(())
/// # }
/// ```
pub const INTERFACE_VERSIONS: &[&str] = &["3.0", "3.1", "4.0", "5.0", "5.1", "5.2", "5.3", "5.4"];

/// The settings. The defaults are those of the SuperTokens core.
///
/// ```
/// use passerby_server::session_core::{CoreSettings, SessionCore};
/// # use passerby_server::MemoryStore;
/// use std::time::Duration;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = MemoryStore::new();
/// let mut settings = CoreSettings::default();
/// assert_eq!(settings.access_token_validity, Duration::from_secs(3600));
/// settings.access_token_validity = Duration::from_secs(600);
/// settings.api_keys = vec!["a-long-random-text".into()];
/// let core = SessionCore::open(store, settings).await?;
/// core.ready().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CoreSettings {
    /// How long an access token is valid; at least one second. Default one hour.
    pub access_token_validity: Duration,
    /// How long a session lives without being used; at least one second. Default 100 days.
    pub refresh_token_validity: Duration,
    /// How long a refresh token stays acceptable after another took its place, for slow answers.
    /// Default 30 seconds, as cores of today; zero as those before.
    pub refresh_grace: Duration,
    /// How long a dynamic key signs; at least two minutes. Default 168 hours.
    pub key_rotation: Duration,
    /// The keys of which back ends must send one in the header `api-key`. Default: none, and no key
    /// is asked for.
    pub api_keys: Vec<String>,
    /// Names that back ends call this core by, where there is no key: `core.example.com`. Always
    /// known are addresses, names without a dot, and those that end in `.localhost`, `.local` or
    /// `.internal`, because no website can have one. Under any other name a request may be that of
    /// a web page whose host name was pointed here, and is refused.
    pub hosts: Vec<String>,
    clock: Clock,
}

impl Default for CoreSettings {
    fn default() -> Self {
        let Lifetimes { access_ms, refresh_ms, grace_ms, rotation_ms } = Lifetimes::default();
        Self {
            access_token_validity: Duration::from_millis(access_ms),
            refresh_token_validity: Duration::from_millis(refresh_ms),
            refresh_grace: Duration::from_millis(grace_ms),
            key_rotation: Duration::from_millis(rotation_ms),
            api_keys: Vec::new(),
            hosts: Vec::new(),
            clock: Clock::default(),
        }
    }
}

impl CoreSettings {
    /// Another clock than the system's, for tests that want to see tokens expire.
    #[must_use]
    pub fn clock(
        mut self,
        now: impl Fn() -> std::time::SystemTime + Send + Sync + 'static,
    ) -> Self {
        self.clock = Clock::new(now);
        self
    }

    /// Whether a core can start with these settings. [`SessionCore::open`] checks them too.
    ///
    /// # Errors
    /// [`CoreError::TooShort`] and [`CoreError::BadApiKey`].
    pub fn check(&self) -> Result<(), CoreError> {
        if let Some(option) = self.lifetimes().too_short() {
            return Err(CoreError::TooShort(option));
        }
        let is_sendable =
            |key: &String| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if self.api_keys.iter().all(is_sendable) { Ok(()) } else { Err(CoreError::BadApiKey) }
    }

    fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            access_ms: millis(self.access_token_validity),
            refresh_ms: millis(self.refresh_token_validity),
            grace_ms: millis(self.refresh_grace),
            rotation_ms: millis(self.key_rotation),
        }
    }
}

/// Why a core does not start.
///
/// ```
/// use passerby_server::session_core::{CoreError, CoreSettings, SessionCore};
/// # use passerby_server::MemoryStore;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = MemoryStore::new();
/// let mut settings = CoreSettings::default();
/// settings.api_keys = vec!["two words".into()];
/// let error = SessionCore::open(store, settings).await.unwrap_err();
/// assert!(matches!(error, CoreError::BadApiKey), "{error}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// A lifetime is shorter than what works.
    #[error("`{0}` is too short; give at least one second, and two minutes for `key_rotation`")]
    TooShort(&'static str),
    /// An API key that nobody could send, or guess at once.
    #[error(
        "an entry of `api_keys` is empty or has spaces; give texts of visible ASCII characters"
    )]
    BadApiKey,
    /// The keys could not be read or made.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A session core. Cheap to clone; clones share everything.
///
/// ```
/// use axum::body::Body;
/// use http::Request;
/// use passerby_server::{
///     MemoryStore,
///     session_core::{CoreError, CoreSettings, Operation, SessionCore},
/// };
/// use std::time::Duration;
/// use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// let mut settings = CoreSettings::default();
/// settings.access_token_validity = Duration::from_secs(600);
/// settings.api_keys = vec!["a-long-random-text".into()];
/// let core = SessionCore::open(store.clone(), settings.clone()).await?;
/// core.ready().await?;
/// let login = Request::post("/recipe/session")
///     .header("api-key", "a-long-random-text")
///     .body(Body::from(r#"{ "userId": "alice", "enableAntiCsrf": false }"#))?;
/// let response = core.router().oneshot(login).await?;
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.extensions().get::<Operation>().map(|done| done.name()), Some("create"));
/// assert_eq!(
///     core.router()
///         .oneshot(Request::get("/recipe/session/user?userId=alice").body(Body::empty())?)
///         .await?
///         .status(),
///     401
/// );
///
/// settings.key_rotation = Duration::ZERO;
/// assert!(matches!(
///     SessionCore::open(store, settings).await,
///     Err(CoreError::TooShort("key_rotation"))
/// ));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SessionCore(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    apps: Apps,
    api_keys: Vec<String>,
    hosts: Vec<String>,
    /// When something was last written for the readiness check. The lock lets one request at a time
    /// write.
    last_ready: tokio::sync::Mutex<Option<Instant>>,
}

/// How long a positive answer about readiness counts.
const READINESS_KEPT: Duration = Duration::from_secs(1);

impl SessionCore {
    /// Checks the settings, and makes the keys of the default app at the first start.
    ///
    /// # Errors
    /// See [`CoreError`].
    pub async fn open(stores: impl AppStores, settings: CoreSettings) -> Result<Self, CoreError> {
        settings.check()?;
        let times = settings.lifetimes();
        let apps = Apps::new(Box::new(stores), times, settings.clock);
        apps.get(crate::store::DEFAULT_APP).await?;
        Ok(Self(Arc::new(Parts {
            apps,
            api_keys: settings.api_keys,
            hosts: settings.hosts,
            last_ready: tokio::sync::Mutex::default(),
        })))
    }

    /// The service that answers the back ends, to be served as it is.
    pub fn router(&self) -> Router {
        Router::new().fallback(wire::answer).with_state(self.clone())
    }

    /// Whether sessions can be read and written, for load balancers. Writes a row, unless that
    /// succeeded within the last second.
    ///
    /// # Errors
    /// When the database does not answer, or nothing can be written.
    pub async fn ready(&self) -> Result<(), EngineError> {
        let mut last_success = self.0.last_ready.lock().await;
        if last_success.is_none_or(|success| success.elapsed() >= READINESS_KEPT) {
            *last_success = None;
            self.0.apps.get(crate::store::DEFAULT_APP).await?.ready().await?;
            *last_success = Some(Instant::now());
        }
        Ok(())
    }

    /// Removes at most `limit` expired sessions of all apps, and returns how many there were.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn prune(&self, limit: u32) -> Result<u64, EngineError> {
        self.0.apps.get(crate::store::DEFAULT_APP).await?.prune(limit).await
    }

    fn apps(&self) -> &Apps {
        &self.0.apps
    }

    fn asks_for_key(&self) -> bool {
        !self.0.api_keys.is_empty()
    }

    /// Whether an authority, `host[:port]`, can be no website's name.
    fn is_called(&self, authority: &str) -> bool {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_private = |suffix: &&str| host.ends_with(*suffix);
        !host.contains('.')
            || host.starts_with('[')
            || host.parse::<std::net::Ipv4Addr>().is_ok()
            || [".localhost", ".local", ".internal"].iter().any(is_private)
            || self.0.hosts.iter().any(|known| known.eq_ignore_ascii_case(&host))
    }

    /// Whether this header value may see what is for operators: any, where no key is asked for.
    #[must_use]
    pub fn admits_operator(&self, given: Option<&[u8]>) -> bool {
        self.admits(given)
    }

    /// Whether this value of `api-key` is one of the keys, or no key is asked for. The comparison
    /// takes the same time for every key of the same length.
    fn admits(&self, given: Option<&[u8]>) -> bool {
        let keys = &self.0.api_keys;
        let equal = |key: &String| {
            given.is_some_and(|given| {
                aws_lc_rs::constant_time::verify_slices_are_equal(key.as_bytes(), given).is_ok()
            })
        };
        keys.is_empty() || keys.iter().any(equal)
    }
}
