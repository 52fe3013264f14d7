//! The parts of an app's sessions that a request may need.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use http::{HeaderValue, request::Parts};
use passerby_protocol::identity::{Mint, MintRules};
use tower_http::csrf::CsrfLayer;

use super::{
    anti_csrf::AntiCsrf, cookies::CookieSettings, exempt::Exempt, incoming::Incoming,
    request::RequestFacts,
};
use crate::{
    claims::GlobalValidators,
    clock::{Clock, system_time},
    engine::Engine,
    hooks::Hooks,
    mint::MintPolicy,
};

/// The engine, and the app's configuration. [`Sessions`](crate::Sessions) is the app's view of it.
#[derive(Debug)]
pub(crate) struct AppContext {
    pub(crate) engine: Engine,
    pub(crate) hooks: Hooks,
    pub(crate) claim_validators: GlobalValidators,
    pub(crate) anti_csrf: AntiCsrf,
    pub(crate) cookies: CookieSettings,
    pub(crate) base_path: String,
    pub(crate) trusted_origins: Vec<HeaderValue>,
    pub(crate) csrf: CsrfLayer,
    pub(crate) exempt: Exempt,
    pub(crate) anonymous_enabled: AtomicBool,
    pub(crate) mint: MintPolicy,
    pub(crate) clock: Clock,
}

impl AppContext {
    pub(crate) fn read<'a>(&self, request: &'a Parts) -> Incoming<'a> {
        Incoming::read(request, &self.cookies, |token| self.engine.look_up(token))
    }

    pub(crate) fn facts_of(&self, request: &Incoming<'_>) -> RequestFacts {
        RequestFacts::read(request, self.mint.settings())
    }

    /// Whether visitors get anonymous sessions now.
    pub(crate) fn anonymous_enabled(&self) -> bool {
        self.anonymous_enabled.load(Ordering::Relaxed)
    }

    /// Whether this visitor can have an anonymous session now: neither the app nor the visitor has
    /// switched them off.
    pub(crate) fn offers_anonymous(&self, facts: &RequestFacts) -> bool {
        self.anonymous_enabled() && !facts.mint.is_off
    }

    pub(crate) fn mint_rules(&self) -> MintRules {
        MintRules {
            enabled: self.anonymous_enabled(),
            only_with_key: self.mint.settings().only_with_key,
        }
    }

    /// Whether the limits let a session be made that the rules allow. Counts it.
    pub(crate) async fn take_mint_permit(&self, request: &Parts, mint: Mint) -> bool {
        self.mint.take_permit(request, mint, self.clock.now_ms()).await
    }

    pub(crate) fn now(&self) -> SystemTime {
        system_time(self.clock.now_ms())
    }
}
