//! The first request of a new visitor goes alone, in this tab and over all tabs, so that the
//! session it brings is the only one that is made. Others wait for it.

use super::{Action, Cause, LockName, Machine, Step, Task, View};
use crate::state::HostTypes;

/// How long a request waits for another one, in milliseconds: that could be one that takes for
/// ever, and a second session for the visitor is better than no answer.
const TIMEOUT: f64 = 5_000.0;

impl<V: HostTypes> Machine<V> {
    /// Has the task wait for its turn.
    pub(super) fn want_turn(&mut self, task: &mut Task<V>) -> bool {
        task.step = Step::Turn;
        if self.leader.is_none() {
            self.leader = Some(task.id);
            self.act(Action::Lock { task: task.id, name: LockName::Leader, timeout: TIMEOUT });
        } else {
            self.act(Action::StartTimer { task: task.id, after: TIMEOUT });
        }
        true
    }

    /// It has its turn: by the lock, or because it waited long enough.
    pub(super) fn lead(&mut self, task: &mut Task<V>) {
        task.leads = true;
    }

    /// Lets the next one go. Nothing for a task that does not lead.
    pub(super) fn stop_leading(&mut self, task: &mut Task<V>, view: &View<V>) {
        task.leads = false;
        if self.leader != Some(task.id) {
            return;
        }
        self.leader = None;
        self.act(Action::Unlock { task: task.id, name: LockName::Leader });
        // All of them look again, and the first for whom nothing has changed leads.
        while let Some(waiting) = self.next_waiting(|task| task.step == Step::Turn) {
            // The new leader, and those behind them, wait on.
            if self.leader.is_some() {
                break;
            }
            self.act(Action::StopTimer { task: waiting });
            self.resume(waiting, Cause::Locked(false), view);
        }
    }

    /// The task that has waited longest among those.
    pub(super) fn next_waiting(
        &self,
        is_meant: impl Fn(&Task<V>) -> bool,
    ) -> Option<super::TaskId> {
        let waiting = self.tasks.iter().filter(|task| is_meant(task));
        waiting.map(|task| task.id).min_by_key(|id| id.unsigned_abs())
    }
}
