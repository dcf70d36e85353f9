//! Settings of a server: names, units, defaults, checks, keys and flags, as plain data.
//!
//! [`SETTINGS`] is the table of all settings. [`Config`] has their values, [`Storage`] those of the data folder.
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
mod declare;
mod digest_algorithm;
mod four_letter_words;
pub(crate) mod journal_mode;
mod key;
mod reachable;
mod rules;
pub(crate) mod settings;
mod value;

pub use crate::protocol::metrics_provider::MetricsProvider;
pub use clock_kind::{ClockKind, NoSuchClock};
pub(crate) use compression::Compression;
pub use digest_algorithm::{DigestAlgorithm, NoSuchDigest};
pub use four_letter_words::FourLetterWords;
pub(crate) use journal_mode::JournalMode;
pub use key::{Check, Place};
pub use reachable::reachable;
pub(crate) use rules::Rules;
pub(crate) use settings::{Config, Storage, with_settings};
pub use settings::{Flag, Key, SETTINGS, Setting};
pub use value::{BadValue, Values};
