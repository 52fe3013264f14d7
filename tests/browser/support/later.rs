//! Futures that run beside the test.

use std::{cell::RefCell, rc::Rc};

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

/// A future that is under way.
pub(crate) struct Later<T> {
    result: Rc<RefCell<Option<T>>>,
    end: Promise,
}

/// Starts a future.
pub(crate) fn later<T: 'static>(future: impl Future<Output = T> + 'static) -> Later<T> {
    let result = Rc::new(RefCell::new(None));
    let place = result.clone();
    let end = future_to_promise(async move {
        let value = future.await;
        place.replace(Some(value));
        Ok(JsValue::UNDEFINED)
    });
    Later { result, end }
}

impl<T> Later<T> {
    pub(crate) fn is_done(&self) -> bool {
        self.result.borrow().is_some()
    }

    pub(crate) async fn done(self) -> T {
        JsFuture::from(self.end).await.expect("it never rejects");
        self.result.take().expect("a future that ended has a result")
    }
}

/// Waits for all of them.
pub(crate) async fn all<T>(running: Vec<Later<T>>) -> Vec<T> {
    let mut results = Vec::new();
    for one in running {
        results.push(one.done().await);
    }
    results
}
