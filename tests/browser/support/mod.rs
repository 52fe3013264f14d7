//! The common part of the tests: a page of their own, a scripted server behind `window.fetch`,
//! tokens, and the events that were fired.
//!
//! [`Page::fresh`] cleans up what the test before left.

mod events;
mod later;
mod page;
mod server;
mod tokens;

pub(crate) use events::describe;
pub(crate) use later::{all, later};
pub(crate) use page::{Page, cookie, delete_cookies, set_cookie, sleep, state, until};
pub(crate) use server::{API, Gate, REFRESH, Reply, SIGN_OUT};
pub(crate) use tokens::{ANONYMOUS_ID, Token};
