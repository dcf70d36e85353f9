//! Settings of a server: names, defaults and checks, as plain data.
//!
//! ```
//! use minikeeper::config::ClockKind;
//!
//! let server = minikeeper::Server::builder().clock(ClockKind::Manual).start()?;
//! assert_eq!(server.config().clock, ClockKind::Manual);
//! # Ok::<(), minikeeper::StartError>(())
//! ```

mod clock_kind;
mod compression;
mod digest_algorithm;
mod four_letter_words;
mod journal_mode;
mod rules;
mod server;
mod storage;

pub use clock_kind::ClockKind;
pub use compression::{Compression, NoSuchCompression};
pub use digest_algorithm::DigestAlgorithm;
pub use four_letter_words::FourLetterWords;
pub use journal_mode::JournalMode;
pub(crate) use rules::Rules;
pub use server::Config;
pub use storage::Storage;
