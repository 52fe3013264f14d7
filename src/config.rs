//! The configuration.

use js_sys::{Object, Reflect};
use passerby_protocol::names::{INVALID_CLAIM_STATUS, SESSION_EXPIRED_STATUS};
use wasm_bindgen::prelude::*;

/// The options of [`init`](crate::init). Only the API's domain is required.
///
/// ```no_run
/// use passerby::{AnonymousMode, Config};
///
/// let mut config = Config::new("https://api.example.com");
/// config.anonymous = AnonymousMode::On;
/// passerby::init(config)?;
/// # Ok::<(), passerby::SdkError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Scheme, host and port of the API. Without a scheme it is `https`, and `http` for IP
    /// addresses and hosts that begin with `localhost`.
    pub api_domain: String,
    /// Path below which the session routes are. Default `/auth`.
    pub api_base_path: String,
    /// Domain of the SDK's own cookies. Default: the page's host only.
    pub session_token_frontend_domain: Option<String>,
    /// A domain whose hosts are all ours, beside the API's host. Default: none.
    pub session_token_backend_domain: Option<String>,
    /// Status code of a refusal for want of a valid session. Default 401.
    pub session_expired_status_code: u16,
    /// Status code of a refusal because of a claim; must differ from the former. Default 403.
    pub invalid_claim_status_code: u16,
    /// How often one request may refresh and be sent again. Default 10.
    pub max_retry_attempts_for_session_refresh: u32,
    /// Whether requests get `credentials: "include"` when the caller says nothing. Default true.
    pub auto_add_credentials: bool,
    /// How new sessions travel; an existing one keeps its way until it ends. Default: in cookies.
    pub token_transfer_method: TransferMethod,
    /// Whether the page runs in an iframe of another site. Default false.
    pub is_in_iframe: bool,
    /// How the app wants anonymous sessions. Default: as the server does.
    pub anonymous: AnonymousMode,
    /// The endpoint that makes anonymous sessions, for a server that knows nothing of them. Naming
    /// one asks for such sessions, unless `anonymous` is [`AnonymousMode::Off`]. Default: none.
    pub anonymous_endpoint: Option<AnonymousEndpoint>,
}

impl Config {
    /// Defaults for the API at `api_domain`.
    #[must_use]
    pub fn new(api_domain: impl Into<String>) -> Self {
        Self {
            api_domain: api_domain.into(),
            api_base_path: "/auth".into(),
            session_token_frontend_domain: None,
            session_token_backend_domain: None,
            session_expired_status_code: SESSION_EXPIRED_STATUS,
            invalid_claim_status_code: INVALID_CLAIM_STATUS,
            max_retry_attempts_for_session_refresh: 10,
            auto_add_credentials: true,
            token_transfer_method: TransferMethod::default(),
            is_in_iframe: false,
            anonymous: AnonymousMode::default(),
            anonymous_endpoint: None,
        }
    }
}

/// How tokens travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferMethod {
    /// In `HttpOnly` cookies, which scripts cannot read.
    #[default]
    Cookie,
    /// In headers; the SDK keeps the tokens.
    Header,
}

/// How the app wants anonymous sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnonymousMode {
    /// As the server does.
    #[default]
    Unspecified,
    /// Every visitor has one.
    On,
    /// Nobody gets one, until [`set_anonymous_sessions`](crate::set_anonymous_sessions) allows it:
    /// the visitor has not agreed yet.
    Off,
}

/// An endpoint of the app that makes anonymous sessions.
///
/// ```no_run
/// use passerby::{AnonymousEndpoint, Config};
///
/// let mut endpoint = AnonymousEndpoint::new("/api/anonymous");
/// endpoint.jwks = Some("/api/jwks.json".into());
/// let mut config = Config::new("https://api.example.com");
/// config.anonymous_endpoint = Some(endpoint);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnonymousEndpoint {
    /// Answers `{"token": "<jwt>"}` to a `POST`.
    pub url: String,
    /// The key set that its tokens are verified with (RS256 or ES256). Default: they are not
    /// verified here.
    pub jwks: Option<String>,
}

impl AnonymousEndpoint {
    /// The endpoint at `url`, whose tokens are not verified here.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), jwks: None }
    }
}

impl Config {
    /// As `init` of the npm package takes it.
    pub(crate) fn options(&self, on_handle_event: &JsValue) -> JsValue {
        let object = |properties: &[(&str, JsValue)]| {
            let object = Object::new();
            for (name, value) in properties {
                // A new object takes any property.
                let _ = Reflect::set(&object, &(*name).into(), value);
            }
            JsValue::from(object)
        };
        let text = |text: &Option<String>| JsValue::from(text.clone());
        let anonymous = match (self.anonymous, &self.anonymous_endpoint) {
            (AnonymousMode::Unspecified, None) => JsValue::UNDEFINED,
            (mode, endpoint) => object(&[
                ("enabled", (mode != AnonymousMode::Off).into()),
                ("endpoint", text(&endpoint.as_ref().map(|endpoint| endpoint.url.clone()))),
                ("jwks", text(&endpoint.as_ref().and_then(|endpoint| endpoint.jwks.clone()))),
            ]),
        };
        object(&[
            ("apiDomain", self.api_domain.as_str().into()),
            ("apiBasePath", self.api_base_path.as_str().into()),
            ("sessionTokenFrontendDomain", text(&self.session_token_frontend_domain)),
            ("sessionTokenBackendDomain", text(&self.session_token_backend_domain)),
            ("sessionExpiredStatusCode", self.session_expired_status_code.into()),
            ("invalidClaimStatusCode", self.invalid_claim_status_code.into()),
            (
                "maxRetryAttemptsForSessionRefresh",
                self.max_retry_attempts_for_session_refresh.into(),
            ),
            ("autoAddCredentials", self.auto_add_credentials.into()),
            (
                "tokenTransferMethod",
                if self.token_transfer_method == TransferMethod::Header {
                    "header"
                } else {
                    "cookie"
                }
                .into(),
            ),
            ("isInIframe", self.is_in_iframe.into()),
            ("anonymous", anonymous),
            ("onHandleEvent", on_handle_event.clone()),
        ])
    }
}
