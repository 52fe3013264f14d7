//! Passerby: a session for every visitor of a web app, anonymous from the first request, authenticated after login.
//!
//! This crate is the browser half for Rust front ends (Leptos, Yew, Dioxus). After [`init`] every `fetch` of the page to the API carries
//! the session, whoever makes it: `gloo-net`, `reqwest`, JavaScript.
//!
//! ```no_run
//! use passerby::{AnonymousMode, Config, Event};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! passerby::init(Config { anonymous: AnonymousMode::On, ..Config::new("https://api.example.com") })?;
//! let _subscription = passerby::subscribe(|| {
//!     // Read `passerby::snapshot()` and render.
//! });
//! if passerby::does_session_exist().await? && passerby::is_anonymous().await? {
//!     // A visitor who has not signed in.
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The rules, and the order of events, are in `passerby-protocol`: its session machine decides. This crate tells it what the browser says
//! (`app.rs`) and has the browser do what it wants (`perform.rs`).
//!
//! # Features
//! - `api` (default): this API. The npm build goes without.
//! - `serde` (default): [`access_token_payload`] into your own type.
//! - `npm`: exports for the npm package; not for Rust users.

#![cfg_attr(feature = "npm", no_std)]

extern crate alloc;

#[cfg(feature = "api")]
mod api;
mod app;
mod browser;
mod config;
mod error;
#[cfg(feature = "npm")]
mod npm;
mod page;
mod perform;
mod single_thread;

#[cfg(feature = "api")]
pub use api::*;
#[cfg(feature = "api")]
pub use config::{Config, TransferMethod};
pub use error::Fault;
pub use passerby_protocol::{request::AnonymousMode, state::Event};
