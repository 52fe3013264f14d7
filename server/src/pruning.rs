//! Removing expired sessions in the background.

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{engine::EngineError, sessions::Sessions};

/// Few enough that no login waits for the locks of a batch.
const BATCH: u32 = 500;
/// Between full batches, so that a backlog of millions leaves the database time for visitors.
const PAUSE_BETWEEN_BATCHES: Duration = Duration::from_millis(100);

impl Sessions {
    /// Starts a task that removes expired sessions now and then every `period`, in small batches.
    /// Start it in every process: on PostgreSQL one at a time does the work. Failures are logged,
    /// and tried again after the next period. It ends with the runtime, or by
    /// [`JoinHandle::abort`]; dropping the handle does not stop it.
    ///
    /// Without the task, each login removes a few expired sessions, which keeps the table from
    /// growing while people log in.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or when `period` is zero.
    pub fn prune_every(&self, period: Duration) -> JoinHandle<()> {
        let sessions = self.clone();
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::spawn(async move {
            loop {
                ticks.tick().await;
                match prune_all(&sessions).await {
                    Ok(0) => {}
                    Ok(removed) => tracing::info!(removed, "expired sessions were removed"),
                    Err(error) => {
                        tracing::warn!(%error, "expired sessions could not be removed; trying \
                            again later")
                    }
                }
            }
        })
    }
}

async fn prune_all(sessions: &Sessions) -> Result<u64, EngineError> {
    let mut all = 0;
    loop {
        let removed = sessions.prune(BATCH).await?;
        all += removed;
        if removed < u64::from(BATCH) {
            return Ok(all);
        }
        sleep(PAUSE_BETWEEN_BATCHES).await;
    }
}
