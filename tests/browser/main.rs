//! The SDK in a page, with a scripted server.
//!
//! All tests share the page, and `wasm-bindgen-test` runs them one after the other, so each begins
//! with `Page::fresh` or one of its kind.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, reason = "an error here fails the test")]

mod endings;
mod lifecycle;
mod refresh;
mod requests;
mod support;
mod visitors;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
