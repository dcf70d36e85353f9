//! The last error that a thread was given: told by a guard whose panic would hide it.
//!
//! A test that returns an error drops its guards before the error is reported. Where one of them panics then, because its
//! fault never happened, the error is dropped unseen, and nothing in a `Drop` can learn of it. What the library itself gave
//! is known here.

use std::cell::RefCell;
use std::fmt::Display;

thread_local! {
    /// How many errors this thread was given, and the last of them.
    static LAST: RefCell<(u64, String)> = RefCell::default();
}

/// Remembers an error that is given to this thread.
pub(super) fn note<E: Display>(error: E) -> E {
    // A thread that ends has no use for it any more.
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            last.0 += 1;
            last.1 = error.to_string();
        }
    });
    error
}

/// How many errors this thread has been given.
pub(super) fn count() -> u64 {
    LAST.try_with(|last| last.try_borrow().map_or(0, |last| last.0))
        .unwrap_or(0)
}

/// The last error, if there was one since so many.
pub(super) fn since(count: u64) -> Option<String> {
    let last = LAST.try_with(|last| {
        let last = last.try_borrow().ok()?;
        (last.0 > count).then(|| last.1.clone())
    });
    last.ok().flatten()
}
