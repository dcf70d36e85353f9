//! Panic hook: prints the last events for a test that panics, and its holds, cuts and budgets.
//!
//! Unwinding releases held messages, heals links and disconnects clients. So a panic hook prints the events before
//! the panic while nothing is unwound yet, for the servers that the panicking thread has used. A handle in a `static`
//! is never dropped, and other handles are dropped too late or not at all. Where a test has set a hook of its own, or
//! the lock was not free, the first guard or handle to be dropped prints the same. Where `MINIKEEPER_TIMELINE` names
//! a folder, the timeline is written to it.

use std::cell::RefCell;
use std::fmt::Write;
use std::panic;
use std::sync::{Arc, Once, Weak};
use std::thread;

use super::engine::{Engine, PanicReporter, State};
use super::journal::Copied;
use super::machine;
use crate::control::Journal;

/// Number of lines that are printed for a test that panics.
const LINES: usize = 30;

thread_local! {
    /// Servers that this thread has used and that still exist.
    static USED: RefCell<Vec<Weak<Engine>>> = const { RefCell::new(Vec::new()) };
}

/// Prints the reports of the servers that this thread has used.
fn report_used_servers() {
    let used = USED.try_with(|used| {
        let used = used.try_borrow();
        used.map_or_else(|_| Vec::new(), |used| used.clone())
    });
    for engine in used.unwrap_or_default() {
        if let Some(engine) = engine.upgrade() {
            engine.print_panic_report();
        }
    }
}

impl Engine {
    /// From now on a test that panics sees the last events, if its thread has used this server.
    pub(crate) fn report_on_panic(self: &Arc<Self>, address: String) {
        static HOOK: Once = Once::new();
        let panic_reporter = PanicReporter {
            engine: Arc::downgrade(self),
            address,
        };
        if self.panic_reporter.set(panic_reporter).is_err() || thread::panicking() {
            return;
        }
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                before(info);
                report_used_servers();
            }));
        });
    }

    /// Records that this thread uses the server.
    pub(super) fn used(&self) {
        let Some(panic_reporter) = self.panic_reporter.get() else {
            return;
        };
        // A thread that is ending prints nothing any more.
        let _ = USED.try_with(|used| {
            if let Ok(mut used) = used.try_borrow_mut()
                && !used
                    .iter()
                    .any(|other| other.ptr_eq(&panic_reporter.engine))
            {
                used.retain(|other| other.strong_count() > 0);
                used.push(Weak::clone(&panic_reporter.engine));
            }
        });
    }

    /// Prints the last events for a thread that panics, unless they were printed already, nothing has passed, or the
    /// test has switched this off.
    pub(crate) fn print_panic_report(&self) {
        if let Some(PanicReporter { address, .. }) = self.panic_reporter.get()
            && let Some((lines, journal)) = self.panic_report()
        {
            let timeline = journal.map_or_else(String::new, |journal| write_timeline(&journal));
            eprintln!(
                "the last that minikeeper at {address} saw (Server::journal() has all of it):{lines}{timeline}"
            );
        }
    }

    /// Text for a test that panics, unless it was printed already or nothing has passed. The journal is returned too
    /// if a timeline of it is wanted.
    fn panic_report(&self) -> Option<(String, Option<Journal>)> {
        // Nothing may panic here.
        let mut state = self.panicked_state()?;
        let mut lines = state.panic_report()?;
        state.append_controls(&mut lines);
        if lines.is_empty() {
            return None;
        }
        let copied = machine::timeline_folder().map(|_| self.copy_journal(&state.control));
        drop(state);
        Some((lines, copied.map(Copied::journal)))
    }
}

impl State {
    /// Returns the last lines for a test that panics; `None` if they were printed already.
    fn panic_report(&mut self) -> Option<String> {
        let should_print = self.panic_reports.should_print();
        should_print.then(|| self.control.journal.tail(LINES))
    }

    /// Appends the held messages, cut links and exceeded budgets.
    fn append_controls(&self, lines: &mut String) {
        for held in self.all_held() {
            let _ = write!(
                lines,
                "\nstill held: {} for {}",
                held.message,
                held.client()
            );
        }
        for cut in self.control.cuts.describe() {
            let _ = write!(lines, "\nlinks cut: {cut}");
        }
        for exceeded in self.control.journal.budgets.exceeded() {
            let _ = write!(lines, "\nbudget exceeded: {exceeded}");
        }
    }
}

/// Maximum number of bytes that a file name takes from the name of a test.
const MOST_NAME: usize = 200;

/// Writes the page to the folder that `MINIKEEPER_TIMELINE` names. Returns a line with the path of the file, or
/// with the error. The file is named after the test, and after the server's port or, without one, the number of
/// the server's journal.
fn write_timeline(journal: &Journal) -> String {
    let Some(folder) = machine::timeline_folder() else {
        return String::new();
    };
    let thread = thread::current();
    let test = thread.name().unwrap_or("test");
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    // A file name may have 255 bytes.
    let test = test.replace("::", ".").replace(|c| !plain(c), "_");
    let test = test.get(..MOST_NAME).unwrap_or(&test);
    let name = format!("{test}-{}.html", journal.server_in_file_name());
    match machine::write_to(&folder, &name, &journal.to_html()) {
        Ok(file) => format!("\nthe timeline is in {}", file.display()),
        Err(error) => format!(
            "\nthe timeline cannot be written to {}: {error}; MINIKEEPER_TIMELINE must name a folder that the test \
             can write to",
            folder.join(name).display()
        ),
    }
}

impl Journal {
    /// Returns the journal as a timeline: one self-contained HTML page.
    ///
    /// The page has a lane per label, in which its sessions are numbered, a lane per session without a label, a lane
    /// for the test and the server, and a row per step. It marks faults, holds and cut links, and shows the events of
    /// one transaction by its zxid. It can be filtered by path and client, navigated by keyboard, and printed. Its
    /// title has the name of the current thread, which is that of the test, and the port and start of the server.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// server.create("/config", b"v1")?;
    /// let page = server.journal().to_html();
    /// assert!(page.starts_with("<!doctype html>"));
    /// // std::fs::write("target/timeline.html", page)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_html(&self) -> String {
        self.timeline(thread::current().name())
    }
}
