//! Settings of a server: names, defaults and checks, as plain data.
//!
//! [`Config`] has all of them. [`Storage`] has those of the data folder.
//!
//! ```
//! use minikeeper::config::ClockKind;
//!
//! let server = minikeeper::Server::builder().clock(ClockKind::Manual).start()?;
//! assert_eq!(server.config().clock, ClockKind::Manual);
//! # Ok::<(), minikeeper::StartError>(())
//! ```

// `lib.rs` shows items of the `pub(crate)` modules elsewhere, so that each item has one public path.
mod clock_kind;
pub(crate) mod compression;
mod digest_algorithm;
mod four_letter_words;
pub(crate) mod journal_mode;
mod rules;
pub(crate) mod server;
pub(crate) mod storage;

pub use crate::protocol::metrics_provider::MetricsProvider;
pub use clock_kind::ClockKind;
pub(crate) use compression::Compression;
pub use digest_algorithm::DigestAlgorithm;
pub use four_letter_words::FourLetterWords;
pub(crate) use journal_mode::JournalMode;
pub(crate) use rules::Rules;
pub(crate) use server::Config;
pub(crate) use storage::Storage;
