//! The server as a browser meets it: an axum router, a cookie jar, and the rules of the protocol.

#![allow(clippy::unwrap_used, missing_docs)]
#![allow(
    clippy::explicit_write,
    reason = "past the test harness, which keeps what passes to itself"
)]

mod actix;
mod anonymous;
mod app;
mod claims;
mod cluster;
mod concurrency;
mod continuity;
mod cookie_life;
mod counters;
mod csrf_and_cors;
mod embedded;
mod faults;
mod forgery;
mod forget;
mod frameworks;
mod guide;
mod header_mode;
mod keys;
mod late_answers;
mod minting;
mod pages;
mod payload;
mod planted;
mod postgres;
mod program;
mod rotation;
mod session_core;
mod setup;
mod store_conformance;
mod storm;
mod users;
