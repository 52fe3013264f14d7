//! Runs futures on JavaScript promises.
//!
//! `wasm-bindgen-futures` does this for everybody; this does it for futures that wait for one promise at a time, with one
//! JavaScript callback for all of them, and saves every visitor 2 kB (`docs/decisions/0004-own-executor.md`).

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use js_sys::Promise;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/browser/host.js")]
extern "C" {
    #[wasm_bindgen(js_name = onSettled)]
    fn on_settled(callback: &Closure<dyn Fn(usize, bool, JsValue)>);
    fn settle(value: &JsValue, task: usize);
    fn promise(task: usize) -> Promise;
    fn finish(task: usize, ok: bool, value: &JsValue);
}

type Outcome = Result<JsValue, JsValue>;
pub(crate) type Task = Pin<Box<dyn Future<Output = Outcome>>>;

#[derive(Default)]
struct Executor {
    /// By number; empty places are free or running.
    tasks: Cell<Vec<Option<Task>>>,
    /// Numbers to use again.
    free: Cell<Vec<usize>>,
    /// The task that is running.
    current: Cell<usize>,
    /// What the promise that the running task waits for came to.
    settled: Cell<Option<Outcome>>,
}

thread_local! {
    // Leaked: what needs no destructor costs no code that checks whether it ran.
    static EXECUTOR: Cell<Option<&'static Executor>> = const { Cell::new(None) };
}

/// Changes what a cell holds, without the checks of a `RefCell`: nothing in `change` comes back here.
fn update<T: Default, R>(cell: &Cell<T>, change: impl FnOnce(&mut T) -> R) -> R {
    let mut value = cell.take();
    let result = change(&mut value);
    cell.set(value);
    result
}

fn executor() -> &'static Executor {
    EXECUTOR.get().unwrap_or_else(|| {
        let executor = &*Box::leak(Box::default());
        EXECUTOR.set(Some(executor));
        let callback = Closure::<dyn Fn(usize, bool, JsValue)>::new(|number, ok, value| {
            executor.resume(number, if ok { Ok(value) } else { Err(value) });
        });
        on_settled(&callback);
        callback.forget();
        executor
    })
}

impl Executor {
    fn resume(&self, number: usize, outcome: Outcome) {
        let task = update(&self.tasks, |tasks| tasks.get_mut(number).and_then(Option::take));
        if let Some(task) = task {
            self.settled.set(Some(outcome));
            self.run(number, task);
        }
    }

    fn run(&self, number: usize, mut task: Task) {
        // A task may start another one.
        let outer = self.current.replace(number);
        let poll = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.current.set(outer);
        match poll {
            Poll::Pending => update(&self.tasks, |tasks| {
                if let Some(place) = tasks.get_mut(number) {
                    *place = Some(task);
                }
            }),
            Poll::Ready(outcome) => {
                drop(task);
                let (ok, value) = match outcome {
                    Ok(value) => (true, value),
                    Err(reason) => (false, reason),
                };
                finish(number, ok, &value);
                update(&self.free, |free| free.push(number));
            }
        }
    }
}

/// Starts the future now; the promise settles as it does.
pub(crate) fn spawn(task: Task) -> Promise {
    let executor = executor();
    let number = update(&executor.free, Vec::pop).unwrap_or_else(|| {
        update(&executor.tasks, |tasks| {
            tasks.push(None);
            tasks.len() - 1
        })
    });
    let promise = promise(number);
    executor.run(number, task);
    promise
}

/// Waits for a promise (or any value, which is there at once). Only inside of [`spawn`].
pub(crate) fn settled(value: JsValue) -> impl Future<Output = Outcome> {
    Settled(Some(value))
}

struct Settled(Option<JsValue>);

impl Future for Settled {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Outcome> {
        let executor = executor();
        if let Some(value) = self.0.take() {
            settle(&value, executor.current.get());
            return Poll::Pending;
        }
        executor.settled.take().map_or(Poll::Pending, Poll::Ready)
    }
}
