//! Four-letter words, asked as `nc` does it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Sends a four-letter word and reads all that comes.
///
/// # Errors
/// If nobody listens, or no answer ends within two seconds.
pub fn four_letter_word(address: &str, word: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(word.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
