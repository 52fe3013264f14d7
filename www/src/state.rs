//! The state that all handlers share.

use std::sync::Arc;

use passerby_server::Sessions;

use crate::customers::Customers;
use crate::site::Shell;

/// The state that all handlers share.
#[derive(Debug, Clone)]
pub struct Shop {
    /// For revoking.
    pub sessions: Sessions,
    /// The shop's books.
    pub customers: Arc<Customers>,
    /// The frame of pages rendered here.
    pub shell: Arc<Shell>,
}
