//! Statics of a page, which has one thread.

/// Like `thread_local!` with a constant for its beginning. The npm build goes without std, and with
/// it without 1 kB of code that formats panic messages for nobody.
macro_rules! page_local {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $beginning:expr;) => {
        #[cfg(not(feature = "api"))]
        $(#[$attribute])*
        static $name: $crate::single_thread::SingleThread<$type> =
            $crate::single_thread::SingleThread($beginning);
        #[cfg(feature = "api")]
        std::thread_local! {
            $(#[$attribute])*
            static $name: $type = const { $beginning };
        }
    };
}
pub(crate) use page_local;

/// A value that only one thread can reach.
#[cfg(not(feature = "api"))]
pub(crate) struct SingleThread<T>(pub(crate) T);

#[cfg(not(feature = "api"))]
#[expect(unsafe_code, reason = "wasm in a page has one thread")]
// SAFETY: the npm package's loader instantiates the module once and without shared memory, so that
// no second thread exists.
unsafe impl<T> Sync for SingleThread<T> {}

#[cfg(not(feature = "api"))]
impl<T> SingleThread<T> {
    /// As that of `thread_local!`.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&T) -> R) -> R {
        act(&self.0)
    }
}
