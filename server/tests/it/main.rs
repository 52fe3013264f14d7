//! The server as a browser meets it: an axum router, a cookie jar, and the rules of the reference and the design.

#![allow(clippy::unwrap_used, missing_docs)]

mod anonymous;
mod app;
mod claims;
mod cluster;
mod concurrency;
mod csrf_and_cors;
mod forgery;
mod header_mode;
mod keys;
mod pages;
mod payload;
mod postgres;
mod rotation;
mod setup;
mod store_conformance;
mod users;
