//! Checks a configuration as a whole, and starts with it.

use http::{HeaderName, HeaderValue};
use tower_http::csrf::CsrfLayer;

use super::{
    BuildError, SessionsBuilder,
    site::{
        anonymous_cookie_name, base_path, cookie_domain, former_cookie_name, is_local,
        is_of_an_app, is_this_machine, origin, same_site, trusted_origin,
    },
};
use crate::{
    clock::millis,
    engine::{
        Engine, EngineSettings, KeyAlgorithm,
        lifetimes::{KEY_ROTATION, LEAST_VALIDITY_MS},
    },
    mint::{ClientAddress, MintPolicy},
    readers::Readers,
    sessions::Sessions,
    web::{
        AppContext, Exempt,
        cookies::{CookieSettings, LONGEST_COOKIE_LIFE, SameSite},
    },
};

/// A tenth of a core or less, per second.
const DEFAULT_MINT_BUDGET: u32 = 1000;
const DEFAULT_MINT_BUDGET_RS256: u32 = 200;

impl SessionsBuilder {
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
        match self.lifetimes.too_short() {
            None => {}
            Some(KEY_ROTATION) => return Err(BuildError::KeyRotationTooShort),
            Some(option) => return Err(BuildError::TooShort(option)),
        }
        if millis(self.anonymous_validity) < LEAST_VALIDITY_MS {
            return Err(BuildError::TooShort("anonymous_validity"));
        }
        let settings = EngineSettings {
            issuer: format!("{}{base_path}", api.origin().ascii_serialization()),
            lifetimes: self.lifetimes,
            anonymous_validity_ms: millis(self.anonymous_validity),
            anonymous_renewal_ms: millis(
                self.anonymous_validity.min(LONGEST_COOKIE_LIFE).mul_f64(self.anonymous_renewal),
            ),
            anonymous_subject: self.anonymous_subject,
            anonymous_cookie: cookies.anonymous_name.clone(),
            partitioned: self.embedded,
            anonymous_algorithm: self.anonymous_algorithm,
            max_payload: self.max_payload,
        };
        let store = self.store.ok_or(BuildError::StoreMissing)?;
        let engine = Engine::new(store, settings, self.clock.clone()).await?;
        Ok(Sessions::new(AppContext {
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
