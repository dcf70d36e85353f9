//! Labels of clients: addresses, sessions by label, and sessions that the test itself owns.

mod address;
mod no_such_session;
mod sessions;
mod test_session;

pub use address::Address;
pub use no_such_session::NoSuchSession;
pub(super) use no_such_session::in_words;
pub use test_session::TestSession;
