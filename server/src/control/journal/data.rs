//! Data, as far as the journal keeps it.

use std::fmt::{self, Write};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Data, as far as it is kept.
///
/// As JSON it is `{"length": 2, "text": "v1"}`, or `{"length": 1, "hex": "ff"}` if its first bytes are no text.
///
/// ```
/// use minikeeper::journal::Data;
///
/// assert_eq!(Data::of(b"v1").to_string(), "\"v1\"");
/// assert_eq!(Data::of(b"\xff").to_string(), r#""\xff""#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Data {
    /// How long it is, in bytes.
    pub length: usize,
    /// Its first bytes.
    pub begin: Vec<u8>,
}

/// How much of it a line shows.
const SHOWN: usize = 40;

impl Data {
    /// All of it.
    #[must_use]
    pub fn of(data: &[u8]) -> Self {
        Self {
            length: data.len(),
            begin: data.to_vec(),
        }
    }

    /// Whether all of it is kept.
    ///
    /// ```
    /// assert!(minikeeper::journal::Data::of(b"v1").is_whole());
    /// ```
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.begin.len() == self.length
    }
}

/// In quotes, and its length if that does not show.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.begin.get(..SHOWN).unwrap_or(&self.begin);
        match std::str::from_utf8(shown) {
            Ok(text) => write!(f, "\"{}\"", text.escape_debug())?,
            Err(_) => write!(f, "\"{}\"", shown.escape_ascii())?,
        }
        if shown.len() < self.length {
            write!(f, "... of {} bytes", self.length)?;
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Data", deny_unknown_fields)]
struct Written {
    length: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(&self.begin).ok().map(str::to_owned);
        let hex = text.is_none().then(|| {
            let mut hex = String::with_capacity(self.begin.len() * 2);
            for byte in &self.begin {
                let _ = write!(hex, "{byte:02x}");
            }
            hex
        });
        let length = self.length;
        Written { length, text, hex }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { length, text, hex } = Written::deserialize(deserializer)?;
        let begin = match (text, hex) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(hex)) => bytes_of(&hex)
                .ok_or_else(|| de::Error::custom("`hex` is not made of hexadecimal digits"))?,
            (None, None) => Vec::new(),
            (Some(_), Some(_)) => return Err(de::Error::custom("either `text` or `hex`")),
        };
        Ok(Self { length, begin })
    }
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            let digits_alone =
                pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            digits_alone.then(|| u8::from_str_radix(pair, 16).ok())?
        })
        .collect()
}
