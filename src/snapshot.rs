//! The session as this browser knows it, without asking anybody.

use js_sys::Reflect;
use wasm_bindgen::prelude::*;

use crate::browser;

/// Whether the visitor has a session, and of which kind, as far as this browser knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Nothing is known: the server has to be asked.
    Unknown,
    /// There is no session.
    None,
    /// The visitor has an anonymous session.
    Anonymous,
    /// The visitor is signed in.
    Authenticated,
}

/// The session as this browser knows it. Two snapshots are equal when nothing changed between them.
///
/// ```no_run
/// use passerby::SessionState;
///
/// let snapshot = passerby::snapshot();
/// let greeting = match (snapshot.state(), snapshot.user_id()) {
///     (SessionState::Authenticated, Some(user_id)) => format!("Hello {user_id}"),
///     _ => "Hello".to_owned(),
/// };
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot(JsValue);

/// The state that this browser knows now, without asking anybody.
#[must_use]
pub fn snapshot() -> Snapshot {
    Snapshot(browser::get_snapshot())
}

impl Snapshot {
    /// The kind of the session.
    #[must_use]
    pub fn state(&self) -> SessionState {
        match self.text("state").as_deref() {
            Some("authenticated") => SessionState::Authenticated,
            Some("anonymous") => SessionState::Anonymous,
            Some("none") => SessionState::None,
            _ => SessionState::Unknown,
        }
    }

    /// The user id, or `G-` and the anonymousId; `None` without a session.
    #[must_use]
    pub fn user_id(&self) -> Option<String> {
        self.text("userId")
    }

    /// The id that the visitor keeps through every login and logout; `None` without a session, or
    /// where the server gives none.
    #[must_use]
    pub fn anonymous_id(&self) -> Option<String> {
        self.text("anonymousId")
    }

    /// When the token expires, in epoch milliseconds of the server's clock; `None` without a
    /// session.
    #[must_use]
    pub fn expires_at(&self) -> Option<f64> {
        self.property("expiresAt").as_f64()
    }

    /// The payload of the token; `None` without a session.
    ///
    /// # Errors
    /// When the payload has another shape than `T`.
    #[cfg(feature = "serde")]
    pub fn payload<T: serde::de::DeserializeOwned>(
        &self,
    ) -> Result<Option<T>, crate::SessionError> {
        let payload = self.property("payload");
        if payload.is_undefined() { Ok(None) } else { crate::api::typed(payload).map(Some) }
    }

    fn property(&self, name: &str) -> JsValue {
        // A snapshot is an object, which may lack the property.
        Reflect::get(&self.0, &name.into()).unwrap_or_default()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.property(name).as_string()
    }
}
