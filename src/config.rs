//! The configuration and what follows from it (reference section 3).
#![cfg_attr(not(feature = "api"), expect(unreachable_pub, reason = "public with the Rust API"))]

#[cfg(feature = "api")]
use js_sys::JsString;
#[cfg(feature = "api")]
use passerby_protocol::names::{INVALID_CLAIM_STATUS, SESSION_EXPIRED_STATUS};
use passerby_protocol::{
    names::{FORGET_PATH, REFRESH_PATH, SIGN_OUT_PATH, front_cookie},
    request::AnonymousMode,
    scope::{self, Parsed},
};
use wasm_bindgen::prelude::*;

#[cfg(not(feature = "api"))]
use crate::browser::Text as JsString;
use crate::{
    browser::{self, Text, Url},
    error::Fault,
};

/// What [`init`](crate::init) takes. Only the API's domain is required.
///
/// ```no_run
/// use passerby::{AnonymousMode, Config};
///
/// let config = Config { anonymous: AnonymousMode::On, ..Config::new("https://api.example.com") };
/// passerby::init(config)?;
/// # Ok::<(), passerby::Fault>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// Scheme, host and port of the API; without scheme `https`, or `http` for localhost and IP addresses.
    pub api_domain: JsString,
    /// Path below which the session routes are. Default `/auth`.
    pub api_base_path: JsString,
    /// Domain of the SDK's own cookies. Default: the page's host only.
    pub session_token_frontend_domain: Option<JsString>,
    /// A domain whose hosts are all ours, beside the API's host. Default: none.
    pub session_token_backend_domain: Option<JsString>,
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
    /// Where an anonymous session is made, if the server knows nothing of them: answers `{"token": "<jwt>"}` to a `POST`. Goes with
    /// [`AnonymousMode::Endpoint`].
    pub anonymous_endpoint: Option<JsString>,
    /// The key set that its tokens are verified with (RS256 or ES256). Default: they are not verified here.
    pub anonymous_jwks: Option<JsString>,
    /// A JavaScript function that is called with each event. Default: none.
    #[cfg(feature = "api")]
    pub on_handle_event: JsValue,
}

#[cfg(feature = "api")]
impl Config {
    /// Defaults for the API at `api_domain`.
    #[must_use]
    pub fn new(api_domain: impl Into<JsString>) -> Self {
        Self {
            api_domain: api_domain.into(),
            api_base_path: "/auth".into(),
            session_token_frontend_domain: None,
            session_token_backend_domain: None,
            session_expired_status_code: SESSION_EXPIRED_STATUS,
            invalid_claim_status_code: INVALID_CLAIM_STATUS,
            max_retry_attempts_for_session_refresh: 10,
            auto_add_credentials: true,
            token_transfer_method: TransferMethod::Cookie,
            is_in_iframe: false,
            anonymous: AnonymousMode::Unspecified,
            anonymous_endpoint: None,
            anonymous_jwks: None,
            on_handle_event: JsValue::UNDEFINED,
        }
    }
}

/// How tokens travel (reference 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferMethod {
    /// In `HttpOnly` cookies, which scripts cannot read.
    Cookie,
    /// In headers; the SDK keeps the tokens.
    Header,
}

/// The configuration as it is used.
pub(crate) struct Settings {
    pub(crate) refresh_url: JsValue,
    pub(crate) sign_out_url: JsValue,
    pub(crate) forget_url: JsValue,
    pub(crate) api_hostname: Text,
    pub(crate) backend_domain: Option<Text>,
    pub(crate) frontend_domain: Option<Text>,
    pub(crate) expired_status: u16,
    pub(crate) invalid_claim_status: u16,
    pub(crate) retry_limit: u32,
    pub(crate) add_credentials: bool,
    pub(crate) transfer_method: JsValue,
    pub(crate) anonymous_endpoint: JsValue,
    pub(crate) anonymous_jwks: JsValue,
    /// The one that shows the anonymous session. The token of an endpoint is readable, so that nothing else need be kept.
    pub(crate) anonymous_cookie: &'static str,
}

impl Settings {
    /// Checks and normalises.
    #[cfg_attr(not(feature = "api"), expect(clippy::useless_conversion, reason = "texts of the Rust API are of another type"))]
    pub(crate) fn new(config: Config) -> Result<Self, Fault> {
        let api = scope::domain(&config.api_domain.into(), &parse).ok_or(Fault::BadApiDomain)?;
        let path = scope::path(&config.api_base_path.into(), &parse).ok_or(Fault::BadApiBasePath)?;
        if config.session_expired_status_code == config.invalid_claim_status_code {
            return Err(Fault::BadStatusCodes);
        }
        let base = browser::concat(&api.origin, &path);
        let scope = |domain: Option<JsString>| match domain {
            Some(domain) => scope::scope(&domain.into(), &parse).map(Some).ok_or(Fault::BadDomain),
            None => Ok(None),
        };
        let url = |path: &str| browser::concat(&base, &path.into()).into();
        Ok(Self {
            anonymous_cookie: match config.anonymous_endpoint {
                Some(_) => front_cookie::ANONYMOUS_TOKEN,
                None => front_cookie::ANONYMOUS_FRONT_TOKEN,
            },
            refresh_url: url(REFRESH_PATH),
            sign_out_url: url(SIGN_OUT_PATH),
            forget_url: url(FORGET_PATH),
            api_hostname: api.hostname,
            backend_domain: scope(config.session_token_backend_domain)?,
            frontend_domain: scope(config.session_token_frontend_domain)?,
            expired_status: config.session_expired_status_code,
            invalid_claim_status: config.invalid_claim_status_code,
            retry_limit: config.max_retry_attempts_for_session_refresh,
            add_credentials: config.auto_add_credentials,
            transfer_method: match config.token_transfer_method {
                TransferMethod::Cookie => "cookie".into(),
                TransferMethod::Header => "header".into(),
            },
            anonymous_endpoint: config.anonymous_endpoint.into(),
            anonymous_jwks: config.anonymous_jwks.into(),
        })
    }
}

/// Nothing where it is no URL.
pub(crate) fn parse(text: &Text) -> Option<Parsed<Text>> {
    let url = browser::parse_url(text);
    (!url.is_undefined()).then(|| parsed(url.unchecked_ref()))
}

/// What the rules need of a URL.
pub(crate) fn parsed(url: &Url) -> Parsed<Text> {
    let text = |key| browser::get(url, key).unchecked_into();
    Parsed {
        origin: text("origin"),
        hostname: text("hostname"),
        path: text("path"),
        is_ipv4: !browser::get(url, "isIpv4").is_falsy(),
    }
}
