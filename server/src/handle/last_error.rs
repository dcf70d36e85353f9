//! Last error that a thread was given, shown by a guard whose panic would hide the error.
//!
//! A test that returns an error drops its guards before the error is reported. If one of them panics then, because
//! its fault never happened, the error is dropped unseen, and no `Drop` can read it. The errors that the library
//! itself returned are known here.

use std::cell::RefCell;
use std::fmt::Display;

thread_local! {
    /// Number of errors that this thread was given, and the last of them.
    static LAST: RefCell<(u64, String)> = RefCell::default();
}

/// Remembers an error that is given to this thread.
pub(super) fn note<E: Display>(error: E) -> E {
    // A thread that is ending needs the error no more.
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            last.0 += 1;
            last.1 = error.to_string();
        }
    });
    error
}

/// Number of errors that this thread has been given.
pub(super) fn count() -> u64 {
    LAST.try_with(|last| last.try_borrow().map_or(0, |last| last.0))
        .unwrap_or(0)
}

/// Text about an error that a panic may hide: the last one that was returned to this thread after the first `since`
/// errors.
pub(super) fn hidden(since: u64) -> String {
    last_since(since).map_or_else(String::new, |error| {
        format!("\nthe last error that minikeeper returned to this thread, which this panic may hide: {error}")
    })
}

/// Last error, if the thread was given one after the first `count` errors.
fn last_since(count: u64) -> Option<String> {
    let last = LAST.try_with(|last| {
        let last = last.try_borrow().ok()?;
        (last.0 > count).then(|| last.1.clone())
    });
    last.ok().flatten()
}
