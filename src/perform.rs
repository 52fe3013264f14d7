//! Hands what the machine wants to the host module, which does it.

use passerby_protocol::{
    machine::{Action, Failure, Headers, Outcome, Reason},
    state::Event,
};
use wasm_bindgen::JsValue;

use crate::{app, browser, error::Fault};

/// Does one thing.
pub(crate) fn perform(action: Action) {
    match action {
        Action::Prepare { task, call, headers: Headers { anti_csrf, bearer, wish } } => {
            browser::prepare_call(task, call as i32, anti_csrf, bearer as i32, wish as i32);
        }
        Action::Send { task, call, headers: Headers { anti_csrf, bearer, wish }, key_in_accept, timeout } => {
            browser::send_call(task, call as i32, anti_csrf, bearer as i32, wish as i32, key_in_accept, timeout);
        }
        Action::Abort { task } => browser::abort(task),
        Action::Lock { task, name, timeout } => browser::lock_for(task, name as i32, timeout),
        Action::Unlock { task, name } => browser::unlock_for(task, name as i32),
        Action::StartTimer { task, after } => browser::start_timer(task, after),
        Action::StopTimer { task } => browser::stop_timer(task),
        Action::ReadMessage { task } => browser::read_message(task),
        Action::ReadClaims { task } => browser::read_claims(task),
        Action::ShowAnswer { task } => browser::show_answer(task),
        Action::ReadSignOut { task } => browser::read_sign_out(task),
        Action::Store { task, storing } => browser::store(
            task,
            storing.user as i32,
            storing.anonymous as i32,
            storing.drop_unreadable,
            storing.keeps_user_tokens,
            storing.tells_time,
            storing.forgets_key,
            storing.mark,
        ),
        Action::Verify { task, answered } => browser::verify(task, answered),
        Action::Fire { task, event } => {
            let detail = match event {
                Event::Unauthorised { expired_or_revoked } => expired_or_revoked.into(),
                _ => JsValue::UNDEFINED,
            };
            browser::fire(task, event.action(), &detail);
        }
        Action::Settle { task, outcome } => settle(task, outcome),
        Action::Free { task } => browser::free(task),
        Action::ForgetKey => browser::forget_first_key(),
        Action::Notify => browser::changed(),
    }
}

fn settle(task: i32, outcome: Outcome) {
    match outcome {
        Outcome::Answer => browser::finish_with_answer(task, true, false),
        Outcome::AnswerToSpentBody => browser::finish_with_answer(task, true, true),
        Outcome::AnswerAsError => browser::finish_with_answer(task, false, false),
        Outcome::Rejection => browser::finish_with_reason(task, task, true),
        Outcome::Refresh(Reason::Of(flight)) => browser::finish_with_reason(task, flight, false),
        Outcome::Refresh(Reason::Nothing) => browser::finish_with_answer(task, true, false),
        Outcome::RefreshAsError(Reason::Of(flight)) => browser::finish_with_reason(task, flight, true),
        Outcome::TooManyRetries(attempts) => browser::finish_with_too_many(task, attempts.cast_signed()),
        Outcome::Failure(failure)
        | Outcome::Refresh(Reason::Failure(failure))
        | Outcome::RefreshAsError(Reason::Failure(failure)) => {
            let fault = match failure {
                Failure::NoSession => Fault::NoSession,
                Failure::RefreshFailed => Fault::RefreshFailed,
                Failure::FrontTokenMissing => Fault::FrontTokenMissing,
                Failure::NotForgotten => Fault::NotForgotten,
            };
            browser::finish(task, false, &fault.into());
        }
        Outcome::RefreshAsError(Reason::Nothing) => browser::finish(task, false, &JsValue::UNDEFINED),
        Outcome::Undefined => browser::finish(task, true, &JsValue::UNDEFINED),
        Outcome::Is(answer) => browser::finish(task, true, &answer.into()),
        Outcome::Property(property) => {
            let token = app::state().token().map_or(-1, |token| token.payload.0.0.cast_signed());
            browser::finish_with_property(task, token, property as i32);
        }
        Outcome::Token(bearer) => browser::finish_with_token(task, bearer as i32),
    }
}
