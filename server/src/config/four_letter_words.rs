//! Four-letter words that are answered.

/// Four-letter words that a server answers.
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
    /// All words that a real server knows.
    All,
    /// These words and `srvr`, which is always answered.
    Only(Vec<String>),
}
