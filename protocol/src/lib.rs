//! The rules of Passerby sessions, without I/O.
//!
//! Everything in this crate is a pure function or a state transition: no clock, no cookies, no
//! network. The browser SDK and the server read the world, ask this crate, and carry out its
//! answer. The protocol is that of SuperTokens' sessions, with additions for anonymous ones.
#![no_std]

extern crate alloc;

#[cfg(feature = "json")]
pub mod claims;
pub mod domain;
pub mod first_key;
#[cfg(feature = "json")]
pub mod front_token;
pub mod identity;
pub mod machine;
pub mod names;
#[cfg(feature = "json")]
pub mod payload;
pub mod refresh;
pub mod request;
pub mod response;
pub mod rotation;
pub mod state;
#[cfg(feature = "json")]
pub mod stock;
#[cfg(test)]
mod testing;
