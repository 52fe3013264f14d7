//! The first request of a new visitor goes alone, in this tab and over all tabs, so that the
//! session it brings is the only one that is made. Others wait for it.

use alloc::boxed::Box;

use super::{Action, Cause, LockName, Machine, NO_TASK, Node, Plain, Step, Task, TaskId, View};
use crate::state::HostTypes;

/// How long a request waits for another one, in milliseconds: that could be one that takes for
/// ever, and a second session for the visitor is better than no answer.
const TIMEOUT: f64 = 5_000.0;

/// In place of a task that others wait for: they wait for their turn.
const TURN: TaskId = NO_TASK;

impl<V: HostTypes> Machine<V> {
    /// Has the task wait for its turn.
    pub(super) fn want_turn(&mut self, task: &mut Task<V>) -> bool {
        task.step = Step::Turn;
        if self.leader == NO_TASK {
            self.leader = task.id;
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
        if self.leader != task.id {
            return;
        }
        self.leader = NO_TASK;
        self.act_plainly(task.id, Plain::UnlockLeader);
        // All of them look again, and the first for whom nothing has changed leads. The new leader,
        // and those behind them, wait on.
        while self.leader == NO_TASK
            && let Some(waiting) = self.take_waiting(TURN)
        {
            self.act_plainly(waiting.id, Plain::StopTimer);
            self.advance(waiting, Cause::Locked(false), view);
        }
    }

    /// Of the tasks that wait for that one, or for their turn, the one that began first.
    pub(super) fn take_waiting(&mut self, what: TaskId) -> Option<Box<Node<Task<V>>>> {
        // By hand: `min_by_key` takes 80 bytes more (brotli).
        let mut first = TaskId::MAX;
        for task in self.tasks.iter() {
            let is_meant = if what == TURN { task.step == Step::Turn } else { task.flight == what };
            if is_meant && task.id.unsigned_abs() < first.unsigned_abs() {
                first = task.id;
            }
        }
        let mut task = self.tasks.take(|task| task.id == first)?;
        task.flight = NO_TASK;
        Some(task)
    }
}
