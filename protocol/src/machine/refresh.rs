//! The refresh of this tab: one at a time and, as far as locks can be had, over all tabs.

use super::{
    Action, Bearer, Call, Cause, Failure, Headers, Kind, LockName, Machine, Message, NO_TASK,
    Plain, Reason, Refreshed, Step, Task, TaskId, View, Wish, is_ok,
};
use crate::{
    refresh::{self, AfterLock, after_lock},
    request::{AnonymousMode, may_probe},
    response::{Asked, Verdict, Write},
    state::{Event, HostTypes, SessionState},
};

/// Milliseconds. A tab that the browser froze may hold the lock; the server makes repeated
/// refreshes harmless.
const LOCK_TIMEOUT: f64 = 10_000.0;
/// Milliseconds until a refresh call that hangs is given up. Shorter than the wait for the lock, so
/// that no answer arrives after others went on without it.
pub(super) const CALL_TIMEOUT: f64 = 8_000.0;

/// Milliseconds from this tab's writing to another's, after which the other one has seen it.
/// Browsers show tabs each other's cookies after a few.
const CROSSING_TIME: f64 = 25.0;

/// How many refreshes in turn may leave in doubt whose cookies the browser holds, and have another
/// one follow at once. If that leaves it, too, the next one waits for a while.
const MOST_DOUBTS: u8 = 3;

impl<V: HostTypes> Machine<V> {
    /// Has the task wait for a refresh on behalf of `wanted`, at `step`.
    pub(super) fn want_refresh(
        &mut self,
        task: &mut Task<V>,
        wanted: SessionState<V>,
        step: Step,
        view: &View<V>,
    ) -> bool {
        task.shares = self.flight != NO_TASK;
        task.flight = if task.shares { self.flight } else { self.start_refresh(wanted, view) };
        task.wanted = wanted;
        task.step = step;
        true
    }

    /// Asks whose cookies the browser holds, when that is in doubt, and nobody else asks already.
    pub(super) fn settle_contest(&mut self, view: &View<V>) {
        // Nobody waits for this one in any mode, so a server that cannot be reached is left alone
        // for a while.
        let may_probe = may_probe(AnonymousMode::Unspecified, view.now, self.doubt_failed_at);
        if self.flight == NO_TASK && self.contested && may_probe {
            self.start_refresh(self.now, view);
        }
    }

    pub(super) fn start_refresh(&mut self, wanted: SessionState<V>, view: &View<V>) -> TaskId {
        let mut task = self.own_task(Kind::Refresh);
        task.wanted = wanted;
        let id = task.id;
        self.flight = id;
        self.advance(task, Cause::Begun, view);
        id
    }

    /// Gives up a refresh on behalf of a session that is no longer the one that is stored, and a
    /// sign-out or a forgetting where another session took the place of the one that it is about:
    /// browsers remove and replace cookies by their names. By then the answer may have left its
    /// own, so that the server has to be asked whose they are.
    ///
    /// It has to be asked, too, where another tab has just replaced the user session that this one
    /// has just written. If both were answered in one moment, the browser may have taken the
    /// cookies in another order than the tabs wrote, and neither saw what the other wrote.
    pub(super) fn give_up_calls(&mut self, view: &View<V>) {
        // Of what the browser lost, the answer may bring it back.
        if self.now.is_unknown() {
            return;
        }
        let id_now = self.now.user().map(|token| token.id);
        if let Some((written, at)) = &self.written
            && id_now.is_some_and(|id| id != *written)
            && (view.stored.changed.0 - at).abs() < CROSSING_TIME
        {
            self.written = None;
            self.contested = true;
        }
        let is_to_be_given_up = |task: &Task<V>| {
            let can_be_given_up = match task.kind {
                Kind::Refresh => true,
                // In header mode no cookie comes with an answer.
                Kind::Request(Call::Forget) => id_now.is_some() && !view.has_refresh_token,
                _ => id_now.is_some() && task.names_session(),
            };
            can_be_given_up
                && matches!(task.step, Step::Answer | Step::Message)
                && task.before.user().map(|token| token.id) != id_now
        };
        while let Some(mut task) = self.tasks.take(is_to_be_given_up) {
            self.act_plainly(task.id, Plain::Abort);
            self.doubt(view);
            let goes_on = match task.kind {
                Kind::Refresh => {
                    self.end_call(&task);
                    self.end_flight(&task, Ok(()), view)
                }
                // Another session of the visitor may have the id that was to be forgotten.
                Kind::Request(Call::Forget) => {
                    task.has_asked = false;
                    self.admit(&mut task, view)
                }
                // There is nothing left to sign out of.
                _ => self.tell_of_sign_out(&mut task, view),
            };
            if goes_on {
                self.tasks.push(task);
            }
        }
    }

    pub(super) fn advance_refresh(
        &mut self,
        task: &mut Task<V>,
        cause: Cause,
        view: &View<V>,
    ) -> bool {
        match (task.step, cause) {
            (Step::Begin, Cause::Begun) => {
                let headers = self.refresh_headers(view);
                task.says_off = headers.wish == Wish::Off;
                task.step = Step::Prepare;
                // Before the lock, because the hook is the app's code. Should the state change
                // until then, nothing is sent.
                self.act(Action::Prepare { task: task.id, call: Call::Refresh, headers });
                true
            }
            (Step::Prepare, Cause::Done(true)) => {
                task.step = Step::Lock;
                self.act(Action::Lock {
                    task: task.id,
                    name: LockName::Refresh,
                    timeout: LOCK_TIMEOUT,
                });
                true
            }
            (Step::Prepare, Cause::Done(false)) => {
                // A hook that fails is not called again at once because of a doubt. Nothing was
                // asked: the next request leads again.
                self.no_anonymous_support = false;
                self.doubt_failed_at = view.now;
                self.end_flight(task, Err(Reason::Of(task.id)), view)
            }
            (Step::Lock, Cause::Locked(_)) => {
                task.before = self.now;
                if after_lock(&task.wanted, &task.before) != AfterLock::Call {
                    self.end_call(task);
                    // It asked nothing: the next request leads again.
                    self.no_anonymous_support = false;
                    // Another tab may have found that the session is over: a task that waits for
                    // this one finds the anonymous session in place.
                    if task.wanted.user().is_some() && self.want_creation(task, true, view) {
                        return true;
                    }
                    return self.end_flight(task, Ok(()), view);
                }
                // This answer tells the truth about the cookies of now.
                task.has_asked = core::mem::take(&mut self.contested);
                task.is_crossed = false;
                task.step = Step::Answer;
                let headers = self.refresh_headers(view);
                self.act(Action::Send {
                    task: task.id,
                    call: Call::Refresh,
                    headers,
                    names: task.before.is_unknown() && self.mode == AnonymousMode::Unspecified,
                    timeout: CALL_TIMEOUT,
                });
                true
            }
            (Step::Answer, Cause::Done(false)) => {
                self.note_failure(task, view);
                self.end_call(task);
                self.end_flight(task, Err(Reason::Of(task.id)), view)
            }
            (Step::Answer, Cause::Answered) => {
                if task.status == self.config.expired_status {
                    task.step = Step::Message;
                    self.act_plainly(task.id, Plain::ReadMessage);
                    return true;
                }
                self.take_refresh(task, Verdict::Unclear, view)
            }
            (Step::Message, Cause::Message(message)) => {
                let verdict = match message {
                    Message::TryRefresh => Verdict::Ended,
                    Message::Other(verdict) => verdict,
                };
                self.take_refresh(task, verdict, view)
            }
            (Step::Store, Cause::Written(kept)) => {
                self.note_written(task, kept, view);
                self.tell_of_refresh(task, view)
            }
            (Step::Lock, Cause::Created) => self.end_flight(task, Ok(()), view),
            (Step::EndpointBeforeEvents, Cause::Created) => self.show_refresh(task, view),
            (Step::ShowAnswer, Cause::Done(_)) => self.judge_refresh(task, view),
            _ => true,
        }
    }

    /// A server that knows anonymous sessions gives one back to a visitor who has no other.
    pub(super) fn refresh_headers(&self, view: &View<V>) -> Headers {
        let is_visitors = !view.has_refresh_token
            && self.now.user().is_none()
            && self.mode != AnonymousMode::Endpoint;
        let headers = self.headers(view);
        Headers {
            bearer: if is_visitors { Bearer::Anonymous } else { Bearer::Refresh },
            // The key goes along in `accept`.
            wish: if headers.wish == Wish::KeyIfSameOrigin { Wish::Nothing } else { headers.wish },
            ..headers
        }
    }

    fn take_refresh(&mut self, task: &mut Task<V>, verdict: Verdict, view: &View<V>) -> bool {
        let stores = self.commit(task, Asked::Refresh(verdict), view);
        if !task.is_announced() && !task.response.refused {
            // The server could not say, be it that it had to delete cookies first.
            self.note_failure(task, view);
        }
        // It may have been answered before the browser had the cookies of that one.
        if task.is_crossed && task.change.events[0].is_some() {
            self.doubt(view);
        }
        // Without locks two tabs may ask in turn, each because of what the other one stored.
        self.doubts = if self.contested { self.doubts.saturating_add(1) } else { 0 };
        if self.doubts > MOST_DOUBTS {
            self.doubt_failed_at = view.now;
        }
        if stores {
            task.step = Step::Store;
            return true;
        }
        self.tell_of_refresh(task, view)
    }

    /// Nobody knows more than before.
    fn note_failure(&mut self, task: &Task<V>, view: &View<V>) {
        self.probe_failed_at = view.now;
        // Perhaps there is a session that this browser has lost sight of.
        if task.status < 300 || task.status >= 500 {
            self.no_anonymous_support = false;
        }
        // The answer may have been lost after the browser had its cookies.
        if task.has_asked || task.status == 0 && !view.has_refresh_token {
            self.contested = true;
            self.doubt_failed_at = view.now;
        }
    }

    /// The browser may hold cookies of another session than the one that is stored. Tokens of
    /// header mode are discarded with what announced them, so of a session that is known there is
    /// no doubt.
    pub(super) fn doubt(&mut self, view: &View<V>) {
        if !view.has_refresh_token || self.now.user().is_none() {
            self.contested = true;
            self.doubt_failed_at = 0.0;
        }
    }

    fn tell_of_refresh(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        self.end_call(task);
        // Before any event: the app's callbacks may ask for a refresh.
        self.clear_flight(task);
        if task.before.user().is_some() && self.want_creation(task, self.tells_nothing(task), view)
        {
            task.step = Step::EndpointBeforeEvents;
            return true;
        }
        self.show_refresh(task, view)
    }

    fn show_refresh(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        self.fire_all(task);
        self.give_up_calls(view);
        task.step = Step::ShowAnswer;
        self.act_plainly(task.id, Plain::ShowAnswer);
        true
    }

    fn judge_refresh(&mut self, task: &mut Task<V>, view: &View<V>) -> bool {
        let result = match refresh::answer(is_ok(task.status), task.is_announced(), &self.now) {
            refresh::Answer::Refreshed => {
                // Of an answer that came too late, there is nothing to tell.
                if task.change.user == Write::Store {
                    self.fire(task.id, Event::RefreshSession);
                }
                Ok(())
            }
            // Ended meanwhile by somebody else: this answer tells the caller nothing.
            refresh::Answer::Ended if is_ok(task.status) => Ok(()),
            refresh::Answer::Ended | refresh::Answer::Failed => Err(Reason::Of(task.id)),
            refresh::Answer::HeaderMissing => Err(Reason::Failure(Failure::FrontTokenMissing)),
            refresh::Answer::NotStored => Err(Reason::Failure(Failure::RefreshFailed)),
        };
        self.end_flight(task, result, view)
    }

    fn end_call(&mut self, task: &Task<V>) {
        self.act_plainly(task.id, Plain::UnlockRefresh);
    }

    fn clear_flight(&mut self, task: &Task<V>) {
        if self.flight == task.id {
            self.flight = NO_TASK;
        }
    }

    /// Wakes all who wait for it.
    fn end_flight(&mut self, task: &Task<V>, result: Result<(), Reason>, view: &View<V>) -> bool {
        self.clear_flight(task);
        while let Some(mut waiting) = self.take_waiting(task.id) {
            waiting.reason = result.err().unwrap_or(Reason::Nothing);
            let refreshed = match (after_lock(&waiting.wanted, &self.now), result) {
                (AfterLock::Retry, _) => Refreshed::Retry,
                (AfterLock::Ended, _) => {
                    if waiting.shares {
                        waiting.reason = Reason::Nothing;
                    }
                    Refreshed::Ended
                }
                (AfterLock::Call, Err(_)) => Refreshed::Failed,
                // That one was on behalf of another state.
                (AfterLock::Call, Ok(())) if waiting.shares => {
                    let (wanted, step) = (waiting.wanted, waiting.step);
                    self.want_refresh(&mut waiting, wanted, step, view);
                    self.tasks.push(waiting);
                    continue;
                }
                (AfterLock::Call, Ok(())) => {
                    waiting.reason = Reason::Failure(Failure::RefreshFailed);
                    Refreshed::Failed
                }
            };
            self.advance(waiting, Cause::Refreshed(refreshed), view);
        }
        self.act_plainly(task.id, Plain::Free);
        self.settle_contest(view);
        false
    }

    /// The headers of any call but the refresh.
    pub(super) fn headers(&self, view: &View<V>) -> Headers {
        let state = &self.now;
        // Nobody checked a token of an endpoint while there is no session.
        let is_unchecked = state.token().is_none() && self.mode == AnonymousMode::Endpoint;
        let is_users = view.has_access_token || state.user().is_some() || is_unchecked;
        Headers {
            anti_csrf: state.token().is_some(),
            bearer: if is_users { Bearer::Access } else { Bearer::Anonymous },
            wish: match self.mode {
                // A back end that knows nothing of them would not allow the header.
                AnonymousMode::Off if !self.config.has_endpoint => Wish::Off,
                AnonymousMode::On if state.token().is_none() => Wish::Key,
                // The question failed, so this request may be the one that brings the session.
                AnonymousMode::Unspecified if state.is_unknown() => Wish::KeyIfSameOrigin,
                _ => Wish::Nothing,
            },
        }
    }
}
