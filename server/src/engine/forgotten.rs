//! Ids that somebody asked to forget, or left behind at sign-out. A session's record knows its id;
//! where there is no record any more, a token that is older than the forgetting must not bring the
//! id back.

use super::{Engine, EngineError, Hash1};

impl Engine {
    /// Remembers that this id is not to be given to anybody again, for as long as a token could
    /// bring it back.
    pub(crate) async fn forget(&self, anonymous_id: &str) -> Result<(), EngineError> {
        let until = self.clock.now_ms().saturating_add(self.settings.anonymous_validity_ms);
        Ok(self.store.remember_forgotten(&hash(anonymous_id), until).await?)
    }

    /// The id that a user's token names, unless it is not to be given to anybody again.
    pub(crate) async fn unless_forgotten(&self, id: String) -> Result<Option<String>, EngineError> {
        let is_forgotten = self.store.is_forgotten(&hash(&id)).await?;
        Ok(Some(id).filter(|_| !is_forgotten))
    }
}

/// The database shall not list the ids of those who asked to be forgotten.
fn hash(anonymous_id: &str) -> String {
    Hash1::of(anonymous_id).as_str().to_owned()
}
