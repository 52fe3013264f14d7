//! Front tokens, encoded by the server's code.

use std::cell::Cell;

use passerby_protocol::front_token::FrontToken;
use serde_json::{Map, Value, json};

pub(crate) const ANONYMOUS_ID: &str = "0b54e3c8-5a3a-4f4e-9d0a-6a1d3c1f0a11";

thread_local! {
    /// Epoch seconds when the test began, so that a token made twice is the same.
    static NOW: Cell<f64> = const { Cell::new(0.0) };
}

/// Sets the time of tokens to now.
pub(super) fn wind() {
    NOW.set((js_sys::Date::now() / 1000.0).floor());
}

/// A front token in the making.
#[derive(Clone)]
pub(crate) struct Token {
    uid: String,
    /// Seconds after the test began.
    ahead: f64,
    life: f64,
    payload: Map<String, Value>,
}

impl Token {
    /// Of a user session that was made when the test began and lives for an hour.
    pub(crate) fn user(session: &str) -> Self {
        Self::new(
            "alice",
            &json!({"sub": "alice", "sessionHandle": session, "anonymousId": ANONYMOUS_ID}),
        )
    }

    /// Of an anonymous session.
    pub(crate) fn anonymous(id: &str) -> Self {
        Self::new(&format!("G-{id}"), &json!({"anonymousId": id, "isAnonymous": true}))
    }

    fn new(uid: &str, payload: &Value) -> Self {
        let payload = payload.as_object().cloned().unwrap_or_default();
        Self { uid: uid.into(), ahead: 0.0, life: 3600.0, payload }
    }

    /// By a clock that is that many seconds ahead.
    pub(crate) fn issued(mut self, ahead: f64) -> Self {
        self.ahead += ahead;
        self
    }

    /// For that many seconds.
    pub(crate) fn living(mut self, seconds: f64) -> Self {
        self.life = seconds;
        self
    }

    /// With a claim.
    pub(crate) fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.payload.insert(claim.into(), value.into());
        self
    }

    /// As it travels.
    pub(crate) fn text(&self) -> String {
        let mut up = self.payload.clone();
        let issued_at = NOW.get() + self.ahead;
        let expires_at = issued_at + self.life;
        up.insert("iat".into(), (issued_at as u64).into());
        up.insert("exp".into(), (expires_at as u64).into());
        let token = FrontToken {
            uid: self.uid.clone(),
            ate: (expires_at * 1000.0) as u64,
            up,
            partitioned: false,
        };
        token.encode("sFrontToken").expect("a test's token fits a cookie")
    }
}
