//! Four-letter words, sent as `nc` sends them.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use semver::Version;

/// Time for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sends a four-letter word and returns the answer.
///
/// # Errors
///
/// If no server listens, or if the answer does not end within two seconds.
pub fn four_letter_word(address: &str, word: &str) -> io::Result<String> {
    let mut stream = connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(word.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Returns whether a server answers this word, other than by a refusal.
pub(super) fn answers(address: &str, word: &str) -> bool {
    four_letter_word(address, word)
        .is_ok_and(|text| !text.is_empty() && !text.contains("is not in the whitelist"))
}

/// Returns the version of a server that answers `srvr`.
pub(super) fn version(address: &str) -> Option<Version> {
    version_in(&four_letter_word(address, "srvr").ok()?)
}

/// Parses `Zookeeper version: 3.9.5-0123abc, built on …`.
fn version_in(text: &str) -> Option<Version> {
    let said = text.strip_prefix("Zookeeper version: ")?;
    let end = said.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    Version::parse(said.get(..end)?).ok()
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn a_version_is_read_without_the_text_after_it() {
        let version = |text| version_in(text).map(|version| version.to_string());
        for text in [
            "Zookeeper version: 3.9.5-0123abc, built on 2026-01-01\nMode: standalone\n",
            "Zookeeper version: 3.9.5--1, built on 2026-01-01\n",
        ] {
            assert_eq!(version(text).as_deref(), Some("3.9.5"));
        }
        assert_eq!(version("srvr is not executed because"), None);
    }
}
