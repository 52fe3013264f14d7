//! The operations of an app: questions about the session, and changes of it.

use super::{
    Action, Bearer, Call, Cause, Failure, Kind, Machine, NO_TASK, Outcome, Plain, Property, Reason,
    Refreshed, Step, Task, View,
};
use crate::{
    request::{AnonymousMode, expects_anonymous_session, may_probe},
    state::{Event, HostTypes, Mark, SessionState},
};

/// An operation of the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Is there a session, of either kind?
    Exists,
    /// Is it anonymous?
    IsAnonymous,
    /// The user id, or `G-` and the anonymousId. Fails without a session.
    UserId,
    /// The anonymousId, or `undefined`.
    AnonymousId,
    /// The payload, refreshed if it has expired. Fails without a session.
    Payload,
    /// The token behind it if scripts have it, refreshed if it has expired, or `undefined`.
    AccessToken,
    /// Refreshes. Yes only if a *user* session was refreshed.
    Refresh,
    /// Ends the user session.
    SignOut,
    /// Another anonymousId for this visitor, for good.
    Forget,
    /// Switches anonymous sessions off.
    SwitchOff,
    /// Switches them on.
    SwitchOn,
}

impl<V: HostTypes> Machine<V> {
    pub(super) fn advance_operation(
        &mut self,
        task: &mut Task<V>,
        operation: Operation,
        cause: Cause,
        view: &View<V>,
    ) -> bool {
        match (task.step, cause) {
            (Step::Begin, Cause::Begun) => self.begin_operation(task, operation, view),
            // Behind a request that goes first, whose answer may do as well.
            (Step::Turn, Cause::Locked(leads)) => {
                if leads {
                    self.lead(task);
                }
                self.want_refresh(task, task.wanted, Step::Probe, view)
            }
            (Step::Probe, Cause::Refreshed(refreshed)) => {
                self.stop_leading(task, view);
                match operation {
                    Operation::Refresh => self.end_refreshing(task, refreshed, view),
                    Operation::SwitchOff | Operation::SwitchOn if !self.config.has_endpoint => {
                        match refreshed {
                            Refreshed::Failed => {
                                self.settle(task, Outcome::RefreshAsError(task.reason), view)
                            }
                            _ => self.settle(task, Outcome::Undefined, view),
                        }
                    }
                    _ => self.create_and_look(task, operation, view),
                }
            }
            (Step::Endpoint, Cause::Created) => self.look(task, operation, view),
            (Step::Refresh, Cause::Refreshed(refreshed)) => {
                task.has_failed = refreshed == Refreshed::Failed;
                self.answer(task, operation, view)
            }
            (Step::Prepare, Cause::Done(true)) => {
                task.kind = Kind::Request(Call::SignOut);
                task.has_asked = false;
                self.admit(task, view)
            }
            (Step::Prepare, Cause::Done(false)) => self.settle(task, Outcome::Rejection, view),
            (Step::Store, Cause::Written(kept)) => {
                self.note_written(task, kept, view);
                self.tell_change(task, view);
                self.go_on_without_tokens(task, operation, view)
            }
            _ => true,
        }
    }

    fn begin_operation(
        &mut self,
        task: &mut Task<V>,
        operation: Operation,
        view: &View<V>,
    ) -> bool {
        match operation {
            Operation::Refresh => {
                if task.before.user().is_none()
                    && !task.before.is_unknown()
                    && !self.is_in_doubt(view)
                {
                    self.fire_unauthorised(task);
                    return self.settle(task, Outcome::Is(false), view);
                }
                self.refresh_in_turn(task, view)
            }
            Operation::Forget if self.config.has_endpoint => {
                self.remove_endpoint_token(task, operation, view)
            }
            Operation::Forget => {
                task.kind = Kind::Request(Call::Forget);
                task.subject = task.before.token().and_then(V::anonymous_id);
                self.admit(task, view)
            }
            Operation::SwitchOff | Operation::SwitchOn => {
                let enabled = operation == Operation::SwitchOn;
                self.mode = match enabled {
                    false => AnonymousMode::Off,
                    true if self.config.has_endpoint => AnonymousMode::Endpoint,
                    true => AnonymousMode::On,
                };
                self.no_anonymous_support = false;
                self.unstored_none = Mark::NONE;
                self.look_at(view);
                if !enabled {
                    self.act_plainly(NO_TASK, Plain::ForgetKey);
                }
                if !enabled && self.config.has_endpoint {
                    return self.remove_endpoint_token(task, operation, view);
                }
                if self.config.has_endpoint {
                    return self.resolve(task, operation, view);
                }
                // The next response removes the session that is there, or makes the one that is
                // missing. Be it this one.
                let is_there = matches!(self.now, SessionState::Anonymous(..));
                if self.now.user().is_none() && enabled != is_there {
                    return self.refresh_in_turn(task, view);
                }
                self.settle(task, Outcome::Undefined, view)
            }
            // The server may know a session that this browser does not show, and has to end it.
            Operation::SignOut => self.resolve(task, operation, view),
            // Asking is of no use, and an app that asks at each event would have every answer bring
            // the next question.
            _ if !may_probe(AnonymousMode::Unspecified, view.now, self.refused_at) => {
                if task.before.user().is_some_and(|token| Self::is_expired(token, view)) {
                    task.has_failed = true;
                    task.reason = Reason::Failure(Failure::RefreshFailed);
                }
                self.answer(task, operation, view)
            }
            _ => self.resolve(task, operation, view),
        }
    }

    /// Refreshes; on behalf of a visitor without session after a request of the app that goes
    /// first. With an endpoint no such answer brings a session, and the refresh has the endpoint
    /// make one, which would wait for its turn behind this.
    fn refresh_in_turn(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        task.wanted = self.now;
        if task.wanted.token().is_none() && !self.config.has_endpoint {
            return self.want_turn(task);
        }
        self.want_refresh(task, task.wanted, Step::Probe, view)
    }

    /// Asks the server if nothing is known, or whose session it is if that is in doubt.
    fn resolve(&mut self, task: &mut Task<V>, operation: Operation, view: &View<V>) -> bool {
        let is_due = expects_anonymous_session(&self.now, self.mode, self.no_anonymous_support);
        if self.now.is_unknown() || is_due || self.is_in_doubt(view) {
            return self.refresh_in_turn(task, view);
        }
        self.create_and_look(task, operation, view)
    }

    fn create_and_look(
        &mut self,
        task: &mut Task<V>,
        operation: Operation,
        view: &View<V>,
    ) -> bool {
        if self.want_creation(task, true, view) {
            task.step = Step::Endpoint;
            return true;
        }
        self.look(task, operation, view)
    }

    /// The state is known. An expired session is refreshed where the operation needs a valid one.
    fn look(&mut self, task: &mut Task<V>, operation: Operation, view: &View<V>) -> bool {
        if matches!(operation, Operation::SignOut) {
            task.subject = self.now.user().map(|token| token.id);
            // Should this tab have told of its end before, it came back since.
            if self.was_told_of_the_end(task.subject) {
                self.ended = None;
            }
        }
        let refreshes = matches!(
            operation,
            Operation::Exists | Operation::Payload | Operation::AccessToken | Operation::SignOut
        );
        if refreshes && self.now.user().is_some_and(|token| Self::is_expired(token, view)) {
            return self.want_refresh(task, self.now, Step::Refresh, view);
        }
        self.answer(task, operation, view)
    }

    fn answer(&mut self, task: &mut Task<V>, operation: Operation, view: &View<V>) -> bool {
        let is_there = self.now.token().is_some();
        let is_users = self.now.user().is_some();
        let outcome = match (operation, task.has_failed) {
            (Operation::Exists, has_failed) => Outcome::Is(is_there && !has_failed),
            (Operation::IsAnonymous, _) => {
                Outcome::Is(matches!(self.now, SessionState::Anonymous(..)))
            }
            (Operation::AnonymousId, _) if is_there => {
                Outcome::Property(Property::AnonymousId, is_users)
            }
            (Operation::AccessToken, false) if is_users => Outcome::Token(Bearer::Access),
            (Operation::AccessToken, false) if is_there => Outcome::Token(Bearer::Anonymous),
            (
                Operation::AnonymousId
                | Operation::AccessToken
                | Operation::SwitchOff
                | Operation::SwitchOn
                | Operation::Forget
                | Operation::Refresh,
                _,
            ) => Outcome::Undefined,
            // Nobody knows whether the session still exists, and saying that it does not would not
            // end it.
            (Operation::UserId | Operation::Payload | Operation::SignOut, true) => {
                Outcome::RefreshAsError(task.reason)
            }
            (Operation::SignOut, false) => return self.begin_sign_out(task, view),
            (Operation::UserId | Operation::Payload, false) if !is_there => {
                Outcome::Failure(Failure::NoSession)
            }
            (Operation::UserId, false) => Outcome::Property(Property::UserId, is_users),
            (Operation::Payload, false) => Outcome::Property(Property::Payload, is_users),
        };
        self.settle(task, outcome, view)
    }

    fn end_refreshing(&mut self, task: &mut Task<V>, refreshed: Refreshed, view: &View<V>) -> bool {
        match refreshed {
            Refreshed::Retry => self.settle(task, Outcome::Is(self.now.user().is_some()), view),
            Refreshed::Ended => {
                if !task.before.is_unknown() {
                    self.fire_unauthorised(task);
                }
                self.settle(task, Outcome::Is(false), view)
            }
            Refreshed::Failed => self.settle(task, Outcome::RefreshAsError(task.reason), view),
        }
    }

    fn begin_sign_out(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        if self.now.user().is_none() {
            self.fire(task.id, Event::SignOut);
            return self.settle(task, Outcome::Undefined, view);
        }
        task.step = Step::Prepare;
        let headers = self.headers(view);
        self.act(Action::Prepare { task: task.id, call: Call::SignOut, headers });
        true
    }

    /// Of an anonymous session that no server knows.
    fn remove_endpoint_token(
        &mut self,
        task: &mut Task<V>,
        operation: Operation,
        view: &View<V>,
    ) -> bool {
        task.before = self.now;
        // One that is being made does not count.
        self.creation = NO_TASK;
        if self.commit_removal(task, false, view) {
            task.step = Step::Store;
            return true;
        }
        self.go_on_without_tokens(task, operation, view)
    }

    fn go_on_without_tokens(
        &mut self,
        task: &mut Task<V>,
        operation: Operation,
        view: &View<V>,
    ) -> bool {
        match operation {
            Operation::SwitchOff | Operation::SwitchOn => self.resolve(task, operation, view),
            _ => self.create_and_look(task, operation, view),
        }
    }
}
