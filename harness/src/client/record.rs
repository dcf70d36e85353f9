//! Writer and reader of jute primitives. Both record the name of each field, so that a frame can be shown field by
//! field.

use std::ops::Range;

/// A field of a frame: its name and the range of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name in `zookeeper.jute`; `len` for a length prefix.
    pub name: &'static str,
    /// Range of the field's bytes in the frame.
    pub at: Range<usize>,
}

/// Writer of one frame, including its length prefix.
#[derive(Clone, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    fields: Vec<Field>,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            bytes: vec![0; 4],
            fields: vec![Field {
                name: "length",
                at: 0..4,
            }],
        }
    }
}

impl Writer {
    /// Returns the finished frame and its fields.
    #[must_use]
    pub fn finish(mut self) -> (Vec<u8>, Vec<Field>) {
        let length = count(self.bytes.len() - 4).to_be_bytes();
        for (to, from) in self.bytes.iter_mut().zip(length) {
            *to = from;
        }
        (self.bytes, self.fields)
    }

    /// Writes bytes without a length.
    pub fn raw(&mut self, name: &'static str, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        if !bytes.is_empty() {
            self.fields.push(Field {
                name,
                at: start..self.bytes.len(),
            });
        }
    }

    pub(super) fn int(&mut self, name: &'static str, value: i32) {
        self.raw(name, &value.to_be_bytes());
    }

    pub(super) fn long(&mut self, name: &'static str, value: i64) {
        self.raw(name, &value.to_be_bytes());
    }

    pub(super) fn bool(&mut self, name: &'static str, value: bool) {
        self.raw(name, &[u8::from(value)]);
    }

    pub(super) fn buffer(&mut self, name: &'static str, value: Option<&[u8]>) {
        self.int("len", value.map_or(-1, |bytes| count(bytes.len())));
        self.raw(name, value.unwrap_or_default());
    }

    pub(super) fn string(&mut self, name: &'static str, value: &str) {
        self.buffer(name, Some(value.as_bytes()));
    }

    pub(super) fn strings(&mut self, name: &'static str, values: &[String]) {
        self.int("count", count(values.len()));
        for value in values {
            self.string(name, value);
        }
    }
}

pub(super) fn count(length: usize) -> i32 {
    i32::try_from(length).expect("frames of the harness are shorter than 2 GiB")
}

/// Malformed bytes from the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at} of {frame:02x?}")]
pub struct Malformed {
    what: &'static str,
    at: usize,
    frame: Vec<u8>,
}

/// Reader of one frame, including its length prefix.
#[derive(Debug)]
pub struct Reader<'a> {
    frame: &'a [u8],
    at: usize,
    fields: Vec<Field>,
}

impl<'a> Reader<'a> {
    /// Creates a reader at the start of a complete frame.
    ///
    /// # Errors
    ///
    /// Returns an error if the length prefix is not the length of the frame.
    pub fn new(frame: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Self {
            frame,
            at: 0,
            fields: Vec::new(),
        };
        let length = reader.int("length")?;
        if usize::try_from(length).is_ok_and(|length| length + 4 == frame.len()) {
            Ok(reader)
        } else {
            Err(reader.malformed("a wrong length prefix"))
        }
    }

    /// Returns the fields, if every byte was read.
    ///
    /// # Errors
    ///
    /// Returns an error if bytes follow the last field: strict clients refuse them.
    pub fn finish(self) -> Result<Vec<Field>, Malformed> {
        if self.at == self.frame.len() {
            Ok(self.fields)
        } else {
            Err(self.malformed("bytes after the last field"))
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.frame.len()
    }

    pub(super) fn malformed(&self, what: &'static str) -> Malformed {
        Malformed {
            what,
            at: self.at,
            frame: self.frame.to_vec(),
        }
    }

    fn raw(&mut self, name: &'static str, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.saturating_add(length);
        let Some(bytes) = self.frame.get(self.at..end) else {
            return Err(self.malformed(name));
        };
        if length > 0 {
            self.fields.push(Field {
                name,
                at: self.at..end,
            });
        }
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], Malformed> {
        let bytes = self.raw(name, N)?;
        Ok(bytes
            .try_into()
            .expect("raw returns the requested number of bytes"))
    }

    pub(super) fn int(&mut self, name: &'static str) -> Result<i32, Malformed> {
        self.array(name).map(i32::from_be_bytes)
    }

    pub(super) fn long(&mut self, name: &'static str) -> Result<i64, Malformed> {
        self.array(name).map(i64::from_be_bytes)
    }

    pub(super) fn bool(&mut self, name: &'static str) -> Result<bool, Malformed> {
        match self.array(name)? {
            [0] => Ok(false),
            [1] => Ok(true),
            [_] => Err(self.malformed("a boolean that is neither 0 nor 1")),
        }
    }

    /// Reads a length or a count; `None` is null.
    fn length(&mut self, name: &'static str) -> Result<Option<usize>, Malformed> {
        match self.int(name)? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => Ok(Some(length)),
                Err(_) => Err(self.malformed("a negative length")),
            },
        }
    }

    pub(super) fn buffer(&mut self, name: &'static str) -> Result<Option<Vec<u8>>, Malformed> {
        match self.length("len")? {
            None => Ok(None),
            Some(length) => Ok(Some(self.raw(name, length)?.to_vec())),
        }
    }

    /// Reads text; null is `None`.
    pub(super) fn string(&mut self, name: &'static str) -> Result<Option<String>, Malformed> {
        match self.buffer(name)? {
            None => Ok(None),
            Some(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(self.malformed("text that is not UTF-8")),
            },
        }
    }

    /// Reads text that a server never sends as null.
    pub(super) fn text(&mut self, name: &'static str) -> Result<String, Malformed> {
        match self.string(name)? {
            Some(text) => Ok(text),
            None => Err(self.malformed("null instead of text")),
        }
    }

    pub(super) fn vector<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        match self.length("count")? {
            None => Err(self.malformed("null instead of a vector")),
            Some(length) => (0..length).map(|_| item(self)).collect(),
        }
    }
}
