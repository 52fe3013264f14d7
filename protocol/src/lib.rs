//! The rules of Passerby sessions, without I/O.
//!
//! Everything in this crate is a pure function or a state transition: no clock, no cookies, no network. The browser SDK and the
//! server read the world, ask this crate, and carry out its answer. "The reference" in these docs is the description of
//! the SuperTokens session protocol that Passerby is compatible with.
#![no_std]

extern crate alloc;

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
