//! Removing expired sessions in the background.

use std::{future::Future, time::Duration};

use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

#[cfg(feature = "core")]
use crate::session_core::SessionCore;
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
        prune_every(period, move || {
            let sessions = sessions.clone();
            async move { sessions.prune(BATCH).await }
        })
    }
}

#[cfg(feature = "core")]
impl SessionCore {
    /// Starts a task that removes expired sessions of all apps, as [`Sessions::prune_every`] does.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or when `period` is zero.
    pub fn prune_every(&self, period: Duration) -> JoinHandle<()> {
        let core = self.clone();
        prune_every(period, move || {
            let core = core.clone();
            async move { core.prune(BATCH).await }
        })
    }
}

/// `prune_batch` removes at most [`BATCH`] sessions, and returns how many there were.
fn prune_every<F>(
    period: Duration,
    prune_batch: impl Fn() -> F + Send + Sync + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = Result<u64, EngineError>> + Send,
{
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::spawn(async move {
        loop {
            ticks.tick().await;
            match prune_all(&prune_batch).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "expired sessions were removed"),
                Err(error) => {
                    tracing::warn!(%error, "expired sessions could not be removed; trying again \
                        later")
                }
            }
        }
    })
}

async fn prune_all<F>(prune_batch: impl Fn() -> F) -> Result<u64, EngineError>
where
    F: Future<Output = Result<u64, EngineError>>,
{
    let mut all = 0;
    loop {
        let removed = prune_batch().await?;
        all += removed;
        if removed < u64::from(BATCH) {
            return Ok(all);
        }
        sleep(PAUSE_BETWEEN_BATCHES).await;
    }
}
