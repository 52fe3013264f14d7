//! One request, from the call to the response: wait until it may go, send it with the visitor's
//! session, take over what the response says, perhaps refresh and send it again.

use super::{
    Action, Call, Cause, Failure, Kind, Machine, Message, NO_TASK, Node, Outcome, Plain, Reason,
    Refreshed, Step, Task, View, Wish, is_ok, refresh::CALL_TIMEOUT,
};
use crate::{
    refresh::{AfterRefusal, after_refusal},
    request::{Admission, AnonymousMode, admission, may_probe},
    response::Asked,
    state::{Event, HostTypes, SessionState},
};

/// Milliseconds until a sign-out that hangs is given up.
const SIGN_OUT_TIMEOUT: f64 = 60_000.0;

impl<V: HostTypes> Machine<V> {
    pub(super) fn advance_request(
        &mut self,
        task: &mut Task<V>,
        cause: Cause,
        view: &View<V>,
    ) -> bool {
        match (task.step, cause) {
            (Step::Begin, Cause::Begun) => self.admit(task, view),
            (Step::Turn, Cause::Locked(leads)) => {
                if leads {
                    self.lead(task);
                }
                self.admit(task, view)
            }
            // The request goes in any case, and the server decides.
            (Step::Probe, Cause::Refreshed(_)) => self.admit(task, view),
            (Step::Endpoint, Cause::Created) => self.send(task, view),
            (Step::Answer, Cause::Done(false)) => {
                // The answer may have been lost after the browser had its cookies.
                if !task.is_for(Call::App) {
                    self.doubt(view);
                    self.settle_contest(view);
                }
                self.settle(task, Outcome::Rejection, view)
            }
            (Step::Answer, Cause::Answered) => self.take(task, view),
            (Step::Store, Cause::Written(kept)) => {
                self.note_written(task, kept, view);
                self.tell(task, view)
            }
            (Step::EndpointBeforeEvents, Cause::Created) => self.fire_and_judge(task, view),
            (Step::Message, Cause::Message(message)) => {
                self.refuse(task, matches!(message, Message::TryRefresh), view)
            }
            (Step::Claims, Cause::Done(_)) => self.finish(task, Outcome::Answer, view),
            (Step::Refresh, Cause::Refreshed(refreshed)) => self.retry(task, refreshed, view),
            (Step::ShowAnswer, Cause::Done(_)) => {
                task.step = Step::ReadSignOut;
                self.act_plainly(task.id, Plain::ReadSignOut);
                true
            }
            (Step::ReadSignOut, Cause::Done(true)) => self.end_after_sign_out(task, view),
            (Step::ReadSignOut, Cause::Done(false)) => self.settle(task, Outcome::Rejection, view),
            (Step::StoreEnd, Cause::Written(kept)) => {
                self.note_written(task, kept, view);
                // As after any end: callbacks find the anonymous session in place.
                self.want_creation(task, false, view) || self.tell_of_sign_out(task, view)
            }
            (Step::StoreEnd, Cause::Created) => self.tell_of_sign_out(task, view),
            _ => true,
        }
    }

    /// Sends it as soon as it may go.
    pub(super) fn admit(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        if self.is_in_doubt(view) && !task.has_asked {
            task.has_asked = true;
            return self.want_refresh(task, self.now, Step::Probe, view);
        }
        let may_probe = !task.has_asked && self.may_probe(view);
        match admission(&self.now, self.mode, may_probe, self.no_anonymous_support) {
            Admission::Probe => {
                task.has_asked = true;
                self.want_refresh(task, SessionState::Unknown, Step::Probe, view)
            }
            Admission::Lead if !task.leads => self.want_turn(task),
            Admission::Lead => self.send(task, view),
            Admission::Proceed => {
                self.stop_leading(task, view);
                if self.want_creation(task, true, view) {
                    task.step = Step::Endpoint;
                    return true;
                }
                self.send(task, view)
            }
        }
    }

    /// Whether a question may be asked now.
    pub(super) fn may_probe(&self, view: &View<V>) -> bool {
        may_probe(self.mode, view.now, self.probe_failed_at)
    }

    /// Whether the browser may hold cookies of another session than the one that is stored, and the
    /// server can be asked.
    pub(super) fn is_in_doubt(&self, view: &View<V>) -> bool {
        self.contested
            && (self.flight != NO_TASK || may_probe(self.mode, view.now, self.doubt_failed_at))
    }

    fn send(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        let Kind::Request(call) = task.kind else { return true };
        task.before = self.now;
        task.step = Step::Answer;
        let session = task.before.user().map(|token| token.id);
        if call == Call::SignOut && !task.before.is_unknown() && task.subject != session {
            // The session that it is about is over.
            return self.tell_of_sign_out(task, view);
        }
        task.is_crossed = false;
        let headers = self.headers(view);
        task.says_off = headers.wish == Wish::Off;
        let timeout = match call {
            // Its answer brings a refresh token, which must not come after one that was made later.
            Call::Forget => CALL_TIMEOUT,
            Call::SignOut => SIGN_OUT_TIMEOUT,
            _ => 0.0,
        };
        let names = task.names_session();
        self.act(Action::Send { task: task.id, call, headers, names, timeout });
        true
    }

    fn take(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        // A server that says it is limited makes none now, and has no other to give back.
        task.recovers = task.leads && task.status < 500 && !task.limited;
        let asked = if task.is_for(Call::App) { Asked::App } else { Asked::Own };
        let stores = self.commit(task, asked, view);
        // Another answer with the former id may have left its cookie after this one.
        if task.is_for(Call::Forget) && task.is_crossed && task.change.events[0].is_some() {
            self.doubt(view);
        }
        if stores {
            task.step = Step::Store;
            return true;
        }
        self.tell(task, view)
    }

    /// Everything is stored: the next request may go, and the app hears of it. When the user
    /// session ended, be it in another tab, the anonymous one is made first: callbacks find it in
    /// place.
    fn tell(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        self.stop_leading(task, view);
        if task.before.user().is_some() && self.want_creation(task, self.tells_nothing(task), view)
        {
            task.step = Step::EndpointBeforeEvents;
            return true;
        }
        self.fire_and_judge(task, view)
    }

    /// After the answer to a first request, which announces nothing to a visitor whose session the
    /// server knows: asks once for what this browser lost. Nobody waits for it.
    fn recover(&mut self, view: &View<V>) {
        // A browser that keeps nothing has lost what the answer brought, and would lose it again.
        let has_kept = may_probe(AnonymousMode::Unspecified, view.now, self.refused_at);
        if self.now.token().is_some() || self.mode != AnonymousMode::On || !has_kept {
            return;
        }
        if self.flight == NO_TASK {
            self.start_refresh(self.now, view);
        } else {
            // That one is on behalf of another state, and may ask nothing: the next request leads
            // again.
            self.no_anonymous_support = false;
        }
    }

    fn fire_and_judge(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        self.tell_change(task, view);
        if task.recovers {
            self.recover(view);
        }
        if task.status != self.config.expired_status {
            if task.status == self.config.invalid_claim_status {
                task.step = Step::Claims;
                self.act_plainly(task.id, Plain::ReadClaims);
                return true;
            }
            return self.finish(task, Outcome::Answer, view);
        }
        // Back ends of an endpoint say so of its tokens, too.
        if matches!(task.before, SessionState::Anonymous(..))
            && self.mode != AnonymousMode::Endpoint
        {
            task.step = Step::Message;
            self.act_plainly(task.id, Plain::ReadMessage);
            return true;
        }
        self.refuse(task, false, view)
    }

    /// The server wants a valid session. `is_expired` says that it saw an access token of a user in
    /// the request of a visitor.
    fn refuse(&mut self, task: &mut Task<V>, is_expired: bool, view: &View<V>) -> bool {
        match after_refusal(&self.now, is_expired, task.attempts, self.config.retry_limit) {
            AfterRefusal::GiveUp => self.settle(task, Outcome::TooManyRetries(task.attempts), view),
            AfterRefusal::Return => {
                self.tell_of_refusal(task);
                self.finish(task, Outcome::Answer, view)
            }
            AfterRefusal::Refresh => {
                task.attempts += 1;
                self.want_refresh(task, task.before, Step::Refresh, view)
            }
        }
    }

    fn retry(&mut self, task: &mut Task<V>, refreshed: Refreshed, view: &View<V>) -> bool {
        match refreshed {
            // The next request of the app will go with the new token.
            Refreshed::Retry if task.is_once => {
                return self.finish(task, Outcome::AnswerToSpentBody, view);
            }
            Refreshed::Retry => {
                task.has_asked = false;
                return self.admit(task, view);
            }
            Refreshed::Ended => self.tell_of_refusal(task),
            Refreshed::Failed => {}
        }
        // The refresh endpoint's answer takes the place of the API's, as with the peers.
        self.finish(task, Outcome::Refresh(task.reason), view)
    }

    /// Says that a user session is wanted, where the caller did not want to end one.
    fn tell_of_refusal(&mut self, task: &Task<V>) {
        if !task.is_for(Call::SignOut) {
            self.fire_unauthorised(task);
        }
    }

    /// Hands the outcome to the caller, or to what the machine made the request for.
    fn finish(&mut self, task: &mut Task<V>, outcome: Outcome, view: &View<V>) -> bool {
        let is_sign_out = task.is_for(Call::SignOut);
        if !is_sign_out && !task.is_for(Call::Forget) {
            return self.settle(task, outcome, view);
        }
        let told = match outcome {
            Outcome::Refresh(reason) if reason != Reason::Nothing => {
                if is_sign_out && self.now.user().is_none() {
                    return self.tell_of_sign_out(task, view);
                }
                Outcome::RefreshAsError(reason)
            }
            _ if is_sign_out && task.status == self.config.expired_status => {
                return self.tell_of_sign_out(task, view);
            }
            _ if !is_ok(task.status) => Outcome::AnswerAsError,
            _ if is_sign_out => {
                task.step = Step::ShowAnswer;
                self.act_plainly(task.id, Plain::ShowAnswer);
                return true;
            }
            _ => return self.end_after_forgetting(task, view),
        };
        self.settle(task, told, view)
    }

    /// The header that says so may have been stripped, or not exposed.
    fn end_after_sign_out(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        let is_there = self.now.user().is_some_and(|token| task.subject == Some(token.id));
        if is_there {
            task.before = self.now;
            if self.commit_removal(task, true, view) {
                task.step = Step::StoreEnd;
                return true;
            }
        }
        self.tell_of_sign_out(task, view)
    }

    /// Tells of the end in the tab that wanted it, be it that another one was first.
    pub(super) fn tell_of_sign_out(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        if task.step == Step::StoreEnd {
            self.tell_change(task, view);
        } else if !self.was_told_of_the_end(task.subject) {
            self.ended = task.subject;
            self.fire(task.id, Event::SignOut);
        }
        self.settle(task, Outcome::Undefined, view)
    }

    /// Another login or a late answer may have brought the id back.
    fn end_after_forgetting(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        /// How often the server is asked.
        const LIMIT: u32 = 3;
        let id = |state: &SessionState<V>| state.token().and_then(V::anonymous_id);
        // The one that the visitor had when they asked, and the one that the server saw.
        let gone = [task.subject, id(&task.before)];
        let now = id(&self.now);
        task.attempts += 1;
        let is_there = now.is_some() && gone.contains(&now);
        if is_there && task.attempts < LIMIT {
            return self.admit(task, view);
        }
        let outcome = if is_there {
            Outcome::Failure(Failure::NotForgotten)
        } else {
            for id in &gone {
                if let Some(id) = *id
                    && !self.forgets(&id)
                {
                    self.forgotten.push(Node::new(id));
                }
            }
            Outcome::Undefined
        };
        self.settle(task, outcome, view);
        // Meanwhile another one may have come back.
        self.forget_again(view);
        false
    }

    /// Asks the server once more, when an answer that was under way has brought back what was to be
    /// forgotten. If it does, the id is one that was forgotten again.
    pub(super) fn forget_again(&mut self, view: &View<V>) {
        let id = self.now.token().and_then(V::anonymous_id);
        let is_asking = self.tasks.iter().any(|task| task.is_for(Call::Forget));
        if let Some(id) = id.filter(|id| !is_asking && self.forgets(id)) {
            self.forgotten.push(Node::new(id));
            let mut task = self.own_task(Kind::Request(Call::Forget));
            task.subject = Some(id);
            self.advance(task, Cause::Begun, view);
        }
    }
}
