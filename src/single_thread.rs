//! Statics of a page, which has one thread.

/// Like `thread_local!` with a constant for its beginning. The npm build goes without std, and with it without 1 kB of code that
/// formats panic messages for nobody.
macro_rules! page_local {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $beginning:expr;) => {
        #[cfg(feature = "npm")]
        $(#[$attribute])*
        static $name: $crate::single_thread::SingleThread<$type> = $crate::single_thread::SingleThread($beginning);
        #[cfg(not(feature = "npm"))]
        std::thread_local! {
            $(#[$attribute])*
            static $name: $type = const { $beginning };
        }
    };
}
pub(crate) use page_local;

/// A value that only one thread can reach.
#[cfg(feature = "npm")]
pub(crate) struct SingleThread<T>(pub(crate) T);

#[cfg(feature = "npm")]
#[expect(unsafe_code, reason = "wasm in a page has one thread")]
// SAFETY: the npm package's loader instantiates the module once and without shared memory, so that no second thread exists.
unsafe impl<T> Sync for SingleThread<T> {}

#[cfg(feature = "npm")]
impl<T> core::ops::Deref for SingleThread<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
