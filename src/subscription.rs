//! A listener that can be removed.

use core::fmt;

/// Ends when dropped.
#[must_use = "the listener is removed when this is dropped"]
pub struct Subscription {
    stop: Option<Box<dyn FnOnce()>>,
}

impl Subscription {
    pub(crate) fn new(stop: impl FnOnce() + 'static) -> Self {
        Self { stop: Some(Box::new(stop)) }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }
}
