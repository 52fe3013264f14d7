//! Passerby: a session for every visitor of a web app, anonymous from the first request,
//! authenticated after login.
//!
//! This crate is the browser half for Rust front ends (Leptos, Yew, Dioxus). After [`init`] every
//! `fetch` of the page to the API carries the session, whoever makes it: `gloo-net`, `reqwest`,
//! JavaScript.
//!
//! ```no_run
//! use passerby::{AnonymousMode, Config, Event};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::new("https://api.example.com");
//! config.anonymous = AnonymousMode::On;
//! passerby::init(config)?;
//! let _changes = passerby::subscribe(|| {
//!     // Read `passerby::snapshot()` and render.
//! });
//! let _events = passerby::on_event(|event| {
//!     if event == Event::SessionCreated {
//!         // The visitor signed in.
//!     }
//! });
//! if passerby::does_session_exist().await? && passerby::is_anonymous().await? {
//!     // A visitor who has not signed in.
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The rules are in `passerby-protocol`, whose session machine decides what is done when.
//! `src/browser/` does it, in JavaScript; `src/shell.rs` connects the two.
//!
//! # Features
//! - `api` (default): this API. The npm build goes without.
//! - `serde` (default): [`access_token_payload`] into your own type.
//! - `npm`: the module of the npm package; not for Rust users. Where `api` is on, it adds nothing.

#![cfg_attr(not(feature = "api"), no_std)]

#[cfg(feature = "api")]
mod api;
#[cfg(feature = "api")]
mod browser;
#[cfg(feature = "api")]
mod config;
#[cfg(feature = "api")]
mod error;
#[cfg(feature = "api")]
mod events;
#[cfg(all(test, feature = "api", not(target_arch = "wasm32")))]
mod names;
#[cfg(all(feature = "npm", not(feature = "api"), target_arch = "wasm32"))]
mod npm;
#[cfg_attr(
    not(any(feature = "api", feature = "npm")),
    expect(dead_code, reason = "nobody calls the machine")
)]
mod shell;
mod single_thread;
#[cfg(feature = "api")]
mod snapshot;
#[cfg(feature = "api")]
mod subscription;

#[cfg(feature = "serde")]
pub use api::access_token_payload;
#[cfg(feature = "api")]
pub use api::{
    SessionError, access_token, anonymous_id, attempt_refreshing_session, dispose,
    does_session_exist, forget_anonymous_id, init, is_anonymous, refresh_session_page,
    set_anonymous_sessions, sign_out, subscribe, user_id,
};
#[cfg(feature = "api")]
pub use config::{AnonymousEndpoint, AnonymousMode, Config, TransferMethod};
#[cfg(feature = "api")]
pub use error::SdkError;
#[cfg(feature = "api")]
pub use events::on_event;
#[cfg(feature = "api")]
pub use passerby_protocol::state::Event;
#[cfg(feature = "api")]
pub use snapshot::{SessionState, Snapshot, snapshot};
#[cfg(feature = "api")]
pub use subscription::Subscription;
