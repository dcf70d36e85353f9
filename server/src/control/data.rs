//! Data of an event, as far as the journal has recorded it.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Data of an event, as far as the journal has recorded it.
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
pub struct Data<'a> {
    /// Length of all data, in bytes.
    pub length: usize,
    /// First bytes of the data.
    pub begin: Cow<'a, [u8]>,
}

/// Maximum number of bytes that a line shows.
const SHOWN: usize = 40;

impl<'a> Data<'a> {
    /// Makes a value with all data.
    #[must_use]
    pub fn of(data: &'a [u8]) -> Self {
        Self {
            length: data.len(),
            begin: Cow::Borrowed(data),
        }
    }
}

impl Data<'_> {
    /// Whether all data is recorded.
    ///
    /// ```
    /// assert!(minikeeper::journal::Data::of(b"v1").is_whole());
    /// ```
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.begin.len() == self.length
    }

    /// Copies the bytes, if they are borrowed.
    ///
    /// ```
    /// let data = minikeeper::journal::Data::of(b"v1").into_owned();
    /// assert_eq!(data.length, 2);
    /// ```
    #[must_use]
    pub fn into_owned(self) -> Data<'static> {
        Data {
            length: self.length,
            begin: Cow::Owned(self.begin.into_owned()),
        }
    }

    /// Returns the data cut to at most `cap` bytes.
    pub(super) fn capped(&self, cap: usize) -> Data<'_> {
        Data {
            length: self.length,
            begin: Cow::Borrowed(self.begin.get(..cap).unwrap_or(&self.begin)),
        }
    }
}

/// The data in quotes, with its length where the line does not show all of it.
impl fmt::Display for Data<'_> {
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

/// JSON form of [`Data`].
#[derive(Serialize, Deserialize)]
#[serde(rename = "Data", deny_unknown_fields)]
struct DataJson {
    length: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Data<'_> {
    fn schema_name() -> Cow<'static, str> {
        "EventData".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "description": "Data of a message: text, or hexadecimal digits. They may be the beginning of the data.",
            "properties": {
                "length": {"type": "integer", "minimum": 0, "description": "Length of all data, in bytes."},
                "text": {"type": "string"},
                "hex": {"type": "string", "pattern": "^([0-9a-f]{2})*$"}
            },
            "required": ["length"],
            "additionalProperties": false
        })
    }
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(&self.begin).ok().map(str::to_owned);
        let hex = text.is_none().then(|| {
            let mut hex = String::with_capacity(self.begin.len() * 2);
            for byte in self.begin.iter() {
                let _ = write!(hex, "{byte:02x}");
            }
            hex
        });
        let length = self.length;
        DataJson { length, text, hex }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Data<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let DataJson { length, text, hex } = DataJson::deserialize(deserializer)?;
        let begin: Vec<u8> = match (text, hex) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(hex)) => bytes_of(&hex)
                .ok_or_else(|| de::Error::custom("`hex` is not made of hexadecimal digits"))?,
            (None, None) => Vec::new(),
            (Some(_), Some(_)) => return Err(de::Error::custom("either `text` or `hex`")),
        };
        Ok(Self {
            length,
            begin: Cow::Owned(begin),
        })
    }
}

/// Parses hexadecimal digits; `None` if they are none.
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
