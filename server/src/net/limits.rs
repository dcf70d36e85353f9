//! Limits on bytes, turns and words.

use std::time::Duration;

use crate::control::JournalMode;
use crate::wire::FourLetterWord;

/// Which four-letter words are answered.
///
/// ```
/// use minikeeper::{Server, config::FourLetterWords};
///
/// let words = FourLetterWords::Only(vec!["ruok".to_owned(), "mntr".to_owned()]);
/// let server = Server::builder().four_letter_words(words).start()?;
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FourLetterWords {
    /// Every word that a real server knows.
    All,
    /// These, and `srvr`, which is always answered.
    Only(Vec<String>),
}

/// Settings of a server that concern bytes and sockets, and those that `conf` shows.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The longest frame that is read.
    pub(crate) max_frame: usize,
    /// After so long it is the turn of the next connection, if the one whose turn it is has not done.
    pub(crate) slice: Duration,
    pub(crate) four_letter_words: FourLetterWords,
    /// The rest is what `conf` shows.
    pub(crate) port: u16,
    pub(crate) listen_backlog: i32,
    pub(crate) data_dir: String,
    pub(crate) data_log_dir: String,
    pub(crate) tick_time: Duration,
    pub(crate) min_session_timeout: Duration,
    pub(crate) max_session_timeout: Duration,
    pub(crate) max_client_connections: usize,
    pub(crate) journal: JournalMode,
}

impl Limits {
    /// Whether a four-letter word is answered.
    pub(super) fn lists(&self, word: FourLetterWord) -> bool {
        match &self.four_letter_words {
            FourLetterWords::All => true,
            FourLetterWords::Only(words) => word.is_listed(words),
        }
    }
}
