//! Anonymous sessions for a back end that knows nothing of them: an endpoint of the app makes the
//! tokens.

use super::{
    Action, Bearer, Call, Cause, Headers, Kind, Machine, NO_TASK, Plain, Step, Task, View, Wish,
};
use crate::{
    request::{AnonymousMode, needs_endpoint_token},
    response::Announced,
    state::{HostTypes, SessionState},
};

/// Milliseconds until the endpoint counts as out of reach; requests wait for it.
const CALL_TIMEOUT: f64 = 5_000.0;

impl<V: HostTypes> Machine<V> {
    /// Has the task wait until there is an anonymous session, or none can be had; the next request
    /// tries again then. `false` when there is nothing to wait for. The caller sets the step.
    pub(super) fn want_creation(
        &mut self,
        task: &mut Task<V>,
        tells: bool,
        view: &View<V>,
    ) -> bool {
        if self.mode != AnonymousMode::Endpoint {
            return false;
        }
        // One at a time in this tab: a failure counts for all who waited.
        if self.creation == NO_TASK {
            let needs_look = match &self.now {
                SessionState::Anonymous(_, token) => {
                    self.config.verifies || Self::is_expired(token, view)
                }
                SessionState::None(_) => true,
                SessionState::Unknown | SessionState::Authenticated(..) => false,
            };
            if !needs_look {
                return false;
            }
            let mut creation = self.own_task(Kind::Creation);
            creation.tells = tells;
            self.creation = creation.id;
            task.flight = creation.id;
            self.advance(creation, Cause::Begun, view);
            return true;
        }
        task.flight = self.creation;
        true
    }

    pub(super) fn advance_creation(
        &mut self,
        task: &mut Task<V>,
        cause: Cause,
        view: &View<V>,
    ) -> bool {
        match (task.step, cause) {
            (Step::Begin, Cause::Begun) => self.look_at_token(task, view),
            (Step::Turn, Cause::Locked(leads)) => {
                // Another tab may have been first, so look again.
                if leads {
                    self.lead(task);
                }
                self.look_at_token(task, view)
            }
            (Step::Verify, Cause::Verified(is_good)) => {
                // In its favour while the keys cannot be had.
                let is_forged = is_good == Some(false);
                match task.response.anonymous {
                    Announced::Token(_) if is_forged => self.end_creation(task, view),
                    Announced::Token(_) => self.keep_token(task, view),
                    _ => self.judge_token(task, is_forged, view),
                }
            }
            (Step::Answer, Cause::Done(false)) => self.end_creation(task, view),
            (Step::Answer, Cause::Answered) => self.take_token(task, view),
            (Step::Store, Cause::Written(kept)) => {
                self.note_written(task, kept, view);
                self.stop_leading(task, view);
                if task.tells {
                    self.fire_all(task);
                }
                self.end_creation(task, view)
            }
            _ => true,
        }
    }

    fn look_at_token(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        task.before = self.now;
        match &task.before {
            SessionState::Anonymous(_, token)
                if !Self::is_expired(token, view) && self.config.verifies =>
            {
                task.step = Step::Verify;
                self.act_plainly(task.id, Plain::VerifyStored);
                true
            }
            SessionState::Anonymous(_, token) => {
                self.judge_token(task, Self::is_expired(token, view), view)
            }
            _ => self.judge_token(task, false, view),
        }
    }

    fn judge_token(&mut self, task: &mut Task<V>, has_failed: bool, view: &View<V>) -> bool {
        if !needs_endpoint_token(&task.before, has_failed) {
            return self.end_creation(task, view);
        }
        if !task.leads {
            return self.want_turn(task);
        }
        task.step = Step::Answer;
        // A failed token goes along: the endpoint may take its id over, once it has verified it.
        let headers = Headers { anti_csrf: false, bearer: Bearer::Anonymous, wish: Wish::Nothing };
        self.act(Action::Send {
            task: task.id,
            call: Call::Endpoint,
            headers,
            names: false,
            timeout: CALL_TIMEOUT,
        });
        true
    }

    fn take_token(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        match &task.response.anonymous {
            Announced::Token(token) if !Self::is_expired(token, view) => {
                if self.config.verifies {
                    task.step = Step::Verify;
                    self.act_plainly(task.id, Plain::VerifyAnswered);
                    return true;
                }
                self.keep_token(task, view)
            }
            _ => self.end_creation(task, view),
        }
    }

    fn keep_token(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        // Meanwhile they may have been switched off, or what was there forgotten.
        let is_same = task.before.anonymous().map(|token| &token.payload)
            == self.now.anonymous().map(|token| &token.payload);
        let is_wanted = self.mode == AnonymousMode::Endpoint && self.creation == task.id && is_same;
        let Announced::Token(token) = &mut task.response.anonymous else {
            return self.end_creation(task, view);
        };
        if !is_wanted {
            return self.end_creation(task, view);
        }
        // It was asked for, so it is newer than one that has failed, whatever that says.
        token.issued_at = f64::INFINITY;
        task.response.user = Announced::Nothing;
        task.response.anonymous_is_servers = false;
        task.before = self.now;
        if self.store(task, false, view) {
            task.step = Step::Store;
            return true;
        }
        self.end_creation(task, view)
    }

    fn end_creation(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        if self.creation == task.id {
            self.creation = NO_TASK;
        }
        self.stop_leading(task, view);
        while let Some(waiting) = self.take_waiting(task.id) {
            self.advance(waiting, Cause::Created, view);
        }
        self.act_plainly(task.id, Plain::Free);
        false
    }
}
