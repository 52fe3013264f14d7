//! The websites whose scripts can read the answers of this server.

use crate::headers::{Headers, text};

/// The websites whose scripts can read the answers of this server: its own origin, and those that
/// it serves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readers {
    /// Origins as browsers write them.
    pub(crate) origins: Vec<String>,
}

impl Readers {
    /// Browsers send `Origin` with every request of a script to another origin, and say by
    /// `Sec-Fetch-Site` where it comes from. A request with neither is of the own origin, or of no
    /// browser.
    pub(crate) fn include_sender_of(&self, headers: &Headers<'_>) -> bool {
        let origin = headers.origin.map(|origin| origin.to_str().unwrap_or_default());
        let is_listed = origin.is_some_and(|origin| self.origins.iter().any(|ours| ours == origin));
        match (text(headers.fetch_site), origin) {
            (Some("same-origin" | "none"), _) => true,
            (Some(_), _) => is_listed,
            (None, None) => true,
            (None, Some(origin)) => is_listed || is_host_of(origin, headers),
        }
    }
}

/// The origin of the address that the request was sent to, as far as a server behind a proxy can
/// tell.
fn is_host_of(origin: &str, headers: &Headers<'_>) -> bool {
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_some() && host == text(headers.host)
}
