//! Sill, the demo shop of Passerby: a guest's cart that survives the login, a dashboard that the
//! server renders, and buttons that break the session in every way worth watching.

pub mod api;
pub mod calls;
pub mod cart;
pub mod catalogue;
pub mod customers;
pub mod dashboard;
pub mod demo;
pub mod error;
pub mod options;
pub mod serve;
pub mod shop;
pub mod site;
pub mod state;
