//! The common part of the tests: a page of their own, a scripted server behind `window.fetch`,
//! tokens, and the events that were fired.
//!
//! All tests of a binary share one page; `wasm-bindgen-test` runs them one after the other, and
//! [`Page::fresh`] cleans up before each.

mod events;
mod later;
mod page;
mod server;
mod tokens;

pub(crate) use events::{Events, describe};
pub(crate) use later::{Later, all, later};
pub(crate) use page::{Page, cookie, delete_cookies, set_cookie, sleep, state, until};
pub(crate) use server::{API, Gate, REFRESH, Reply, SIGN_OUT, Server};
pub(crate) use tokens::{ANONYMOUS_ID, Token};
