//! The configuration.

use js_sys::{JsString, Object, Reflect};
use passerby_protocol::{
    names::{INVALID_CLAIM_STATUS, SESSION_EXPIRED_STATUS},
    request::AnonymousMode,
};
use wasm_bindgen::prelude::*;

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
    /// Scheme, host and port of the API; without scheme `https`, or `http` for localhost and IP
    /// addresses.
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
    /// Where an anonymous session is made, if the server knows nothing of them: answers
    /// `{"token": "<jwt>"}` to a `POST`. Goes with [`AnonymousMode::Endpoint`].
    pub anonymous_endpoint: Option<JsString>,
    /// The key set that its tokens are verified with (RS256 or ES256). Default: they are not
    /// verified here.
    pub anonymous_jwks: Option<JsString>,
    /// A JavaScript function that is called with each event. Default: none.
    pub on_handle_event: JsValue,
}

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

/// How tokens travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferMethod {
    /// In `HttpOnly` cookies, which scripts cannot read.
    Cookie,
    /// In headers; the SDK keeps the tokens.
    Header,
}

impl Config {
    /// As `init` of the npm package takes it.
    pub(crate) fn options(&self) -> JsValue {
        let object = |properties: &[(&str, JsValue)]| {
            let object = Object::new();
            for (name, value) in properties {
                // A new object takes any property.
                let _ = Reflect::set(&object, &(*name).into(), value);
            }
            JsValue::from(object)
        };
        let text = |text: &Option<JsString>| JsValue::from(text.clone());
        let anonymous = match self.anonymous {
            AnonymousMode::Unspecified => JsValue::UNDEFINED,
            mode => object(&[
                ("enabled", (mode != AnonymousMode::Off).into()),
                ("endpoint", text(&self.anonymous_endpoint)),
                ("jwks", text(&self.anonymous_jwks)),
            ]),
        };
        object(&[
            ("apiDomain", self.api_domain.clone().into()),
            ("apiBasePath", self.api_base_path.clone().into()),
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
            ("onHandleEvent", self.on_handle_event.clone()),
        ])
    }
}
