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

/// Formats the whitelist: `*`, or the words separated by commas, `srvr` first.
impl std::fmt::Display for FourLetterWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Only(words) => {
                f.write_str("srvr")?;
                let mut others = words.iter().filter(|word| *word != "srvr");
                others.try_for_each(|word| write!(f, ",{word}"))
            }
        }
    }
}

/// Parses a whitelist like `FourLetterCommands.isEnabled`; any text is one.
impl std::str::FromStr for FourLetterWords {
    type Err = std::convert::Infallible;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        // Java's String.trim removes the space and all characters below it.
        let words = list.split(',').map(|word| word.trim_matches(|c| c <= ' '));
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        if words.contains(&"*") {
            return Ok(Self::All);
        }
        Ok(Self::Only(words.into_iter().map(str::to_owned).collect()))
    }
}
