//! Runs futures on JavaScript promises.
//!
//! `wasm-bindgen-futures` does this for everybody; this does it for futures that wait for one promise at a time, with one
//! JavaScript callback for all of them, and saves every visitor 2 kB (`docs/decisions/0004-own-executor.md`).

use alloc::boxed::Box;
use core::{
    cell::Cell,
    future::Future,
    mem::ManuallyDrop,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use wasm_bindgen::prelude::*;

use super::Promise;
use crate::single_thread::page_local;

#[wasm_bindgen(module = "/src/browser/host.js")]
extern "C" {
    fn settle(value: &JsValue, task: i32);
    fn promise(task: i32) -> Promise;
    fn finish(task: i32, ok: bool, value: &JsValue);
}

type Outcome = Result<JsValue, JsValue>;
type Task = Pin<Box<dyn Future<Output = Outcome>>>;

/// A future whose destructor never runs. When it is complete, nothing is left in it to destroy; until then it is kept. So the destructors
/// of all the states in which a task can wait, which nobody would call, need not be downloaded.
struct Kept<F>(ManuallyDrop<F>);

impl<F: Future> Future for Kept<F> {
    type Output = F::Output;

    #[expect(unsafe_code, reason = "a pinned field of a pinned value")]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: the field is never moved out, and nothing but this hands it out.
        unsafe { self.map_unchecked_mut(|this| &mut *this.0) }.poll(context)
    }
}

/// As a part of a task, [`kept`](Kept).
pub(crate) fn kept<F: Future>(future: F) -> impl Future<Output = F::Output> {
    Kept(ManuallyDrop::new(future))
}

/// A place for a task. Places are made when all are taken, and stay: as many as there ever were tasks at once.
struct Place {
    /// Signed, because such a number crosses to JavaScript as it is.
    number: i32,
    is_taken: Cell<bool>,
    /// Empty while it runs.
    task: Cell<Option<Task>>,
    next: Option<&'static Place>,
}

#[derive(Default)]
struct Executor {
    newest: Cell<Option<&'static Place>>,
    /// The number of the task that is running.
    current: Cell<i32>,
    /// What the promise that the running task waits for came to.
    settled: Cell<Option<Outcome>>,
}

page_local! {
    // Leaked: what needs no destructor costs no code that checks whether it ran.
    static EXECUTOR: Cell<Option<&'static Executor>> = Cell::new(None);
}

fn executor() -> &'static Executor {
    EXECUTOR.get().unwrap_or_else(|| {
        let executor = &*Box::leak(Box::<Executor>::default());
        EXECUTOR.set(Some(executor));
        // Before the first promise can settle.
        #[cfg(not(feature = "npm"))]
        super::connect();
        executor
    })
}

impl Executor {
    fn find(&self, wanted: impl Fn(&Place) -> bool) -> Option<&'static Place> {
        let mut place = self.newest.get();
        while let Some(candidate) = place {
            if wanted(candidate) {
                break;
            }
            place = candidate.next;
        }
        place
    }

    fn take_place(&self) -> &'static Place {
        let place = self.find(|place| !place.is_taken.get()).unwrap_or_else(|| {
            let next = self.newest.get();
            let number = next.map_or(0, |place| place.number + 1);
            let place = &*Box::leak(Box::new(Place { number, is_taken: Cell::default(), task: Cell::default(), next }));
            self.newest.set(Some(place));
            place
        });
        place.is_taken.set(true);
        place
    }

    fn resume(&self, number: i32, outcome: Outcome) {
        let place = self.find(|place| place.number == number);
        if let Some((place, task)) = place.and_then(|place| Some((place, place.task.take()?))) {
            self.settled.set(Some(outcome));
            self.run(place, task);
        }
    }

    fn run(&self, place: &Place, mut task: Task) {
        // A task may start another one.
        let outer = self.current.replace(place.number);
        let poll = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.current.set(outer);
        match poll {
            Poll::Pending => place.task.set(Some(task)),
            Poll::Ready(outcome) => {
                drop(task);
                let (ok, value) = match outcome {
                    Ok(value) => (true, value),
                    Err(reason) => (false, reason),
                };
                finish(place.number, ok, &value);
                place.is_taken.set(false);
            }
        }
    }
}

/// What the host module calls when a promise that a task waits for has settled.
pub(crate) fn resume(number: i32, ok: bool, value: JsValue) {
    executor().resume(number, if ok { Ok(value) } else { Err(value) });
}

/// Has the host module know what to call, in good time for [`start`](crate::page::start).
#[cfg(not(feature = "npm"))]
pub(crate) fn ready() {
    executor();
}

/// Starts the future now; the promise settles as it does.
pub(crate) fn spawn(future: impl Future<Output = Outcome> + 'static) -> Promise {
    start(Box::pin(kept(future)))
}

fn start(task: Task) -> Promise {
    let executor = executor();
    let place = executor.take_place();
    let promise = promise(place.number);
    executor.run(place, task);
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

#[cfg(test)]
#[cfg(target_arch = "wasm32")]
mod tests {
    use alloc::{rc::Rc, vec::Vec};

    use js_sys::Promise;
    use wasm_bindgen_futures::JsFuture;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn start(future: impl Future<Output = Outcome> + 'static) -> Promise {
        spawn(future).into()
    }

    async fn end(promise: Promise) -> Outcome {
        JsFuture::from(promise).await
    }

    /// A promise that settles after so many turns of the microtask queue.
    async fn turns(count: u32) -> Outcome {
        for _ in 0..count {
            settled(JsValue::NULL).await?;
        }
        Ok(count.into())
    }

    /// How many places there are, and how many of them are taken.
    fn places() -> (usize, usize) {
        let taken = Cell::new(0);
        let count = Cell::new(0);
        executor().find(|place| {
            count.set(count.get() + 1);
            taken.set(taken.get() + usize::from(place.is_taken.get()));
            false
        });
        (count.get(), taken.get())
    }

    #[wasm_bindgen_test]
    async fn a_task_starts_at_once_and_its_promise_settles_as_it_does() {
        let started = Rc::new(Cell::new(false));
        let flag = started.clone();
        let promise = start(async move {
            flag.set(true);
            Ok(7.into())
        });
        assert!(started.get());
        assert_eq!(end(promise).await, Ok(7.into()));
        assert_eq!(end(start(async { Err("no".into()) })).await, Err("no".into()));
    }

    #[wasm_bindgen_test]
    async fn a_promise_that_rejects_is_an_error_where_it_is_awaited() {
        let promise = start(async {
            let rejected: Promise = Promise::reject(&JsValue::from("gone"));
            let resolved: Promise = Promise::resolve(&JsValue::from("here"));
            let reason = settled(rejected.into()).await.unwrap_err();
            let value = settled(resolved.into()).await?;
            Ok(js_sys::Array::of2(&reason, &value).into())
        });
        let values: js_sys::Array = end(promise).await.unwrap().unchecked_into();
        assert_eq!((values.get(0), values.get(1)), ("gone".into(), "here".into()));
    }

    #[wasm_bindgen_test]
    async fn many_tasks_run_beside_each_other_and_each_gets_its_own_values() {
        let running: Vec<Promise> = (0..500_u32)
            .map(|number| {
                start(async move {
                    for step in 0..number % 7 {
                        let value = settled((number * 10 + step).into()).await?;
                        assert_eq!(value, number * 10 + step);
                    }
                    Ok(number.into())
                })
            })
            .collect();
        for (number, promise) in (0_u32..).zip(running) {
            assert_eq!(end(promise).await, Ok(number.into()));
        }
    }

    #[wasm_bindgen_test]
    async fn a_task_may_start_and_await_others() {
        let promise = start(async {
            let inner = start(async {
                let innermost = start(turns(3));
                settled(turns_later(2).into()).await?;
                settled(innermost.into()).await
            });
            let before = settled("before".into()).await?;
            assert_eq!(before, "before");
            settled(inner.into()).await
        });
        assert_eq!(end(promise).await, Ok(3.into()));
    }

    fn turns_later(count: u32) -> Promise {
        start(turns(count))
    }

    #[wasm_bindgen_test]
    async fn a_callback_of_javascript_may_start_a_task_in_the_middle_of_another() {
        let callback = Closure::<dyn Fn() -> Promise>::new(|| start(turns(2)));
        let function: js_sys::Function = callback.as_ref().unchecked_ref::<js_sys::Function>().clone();
        let promise = start(async move {
            let mut inner = Vec::new();
            for _ in 0..3 {
                // From Rust to JavaScript and back, while this task is running.
                inner.push(function.call0(&JsValue::UNDEFINED)?);
                assert_eq!(settled("mine".into()).await?, "mine");
            }
            for promise in inner {
                assert_eq!(settled(promise).await?, 2);
            }
            Ok("all".into())
        });
        assert_eq!(end(promise).await, Ok("all".into()));
        drop(callback);
    }

    #[wasm_bindgen_test]
    async fn places_are_used_again() {
        end(start(turns(1))).await.unwrap();
        let before = places();
        for _ in 0..100 {
            end(start(turns(1))).await.unwrap();
        }
        assert_eq!(places(), before);
    }

    #[wasm_bindgen_test]
    async fn thousands_of_awaits_leave_nothing_behind() {
        end(start(turns(1))).await.unwrap();
        let before = places();
        assert_eq!(end(start(turns(5000))).await, Ok(5000.into()));
        assert_eq!(places(), before);
    }

    #[wasm_bindgen_test]
    async fn what_a_task_holds_is_dropped_when_it_ends() {
        let held = Rc::new(());
        let inside = held.clone();
        let promise = start(async move {
            settled(JsValue::NULL).await?;
            drop(inside.clone());
            Ok(JsValue::NULL)
        });
        assert_eq!(Rc::strong_count(&held), 2);
        end(promise).await.unwrap();
        assert_eq!(Rc::strong_count(&held), 1);
    }
}
