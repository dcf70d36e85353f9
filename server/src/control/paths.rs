//! Paths of an event, in one text.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Paths of an event, in order.
///
/// All paths are in one text, so that a request is recorded without an allocation for each path. As JSON it is a
/// list of texts.
///
/// ```
/// use minikeeper::journal::Paths;
///
/// let paths: Paths = ["/a", "/b"].into_iter().collect();
/// assert_eq!(paths, ["/a", "/b"]);
/// assert!(paths.contains("/b") && !paths.contains("/c"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Paths<'a> {
    /// The paths, one after the other.
    text: Cow<'a, str>,
    /// End of each path in the text.
    ends: Cow<'a, [usize]>,
}

impl<'a> Paths<'a> {
    /// Makes paths of their text, and of the end of each path in it.
    pub(super) fn new(text: String, ends: Vec<usize>) -> Self {
        Self {
            text: Cow::Owned(text),
            ends: Cow::Owned(ends),
        }
    }

    /// Returns the same paths without a copy.
    pub(super) fn borrow(&self) -> Paths<'_> {
        Paths {
            text: Cow::Borrowed(&self.text),
            ends: Cow::Borrowed(&self.ends),
        }
    }

    /// Returns the number of paths.
    ///
    /// ```
    /// assert_eq!(minikeeper::journal::Paths::default().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no paths.
    ///
    /// ```
    /// assert!(minikeeper::journal::Paths::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the path at a position; `None` behind the last one.
    ///
    /// ```
    /// let paths: minikeeper::journal::Paths = ["/a", "/b"].into_iter().collect();
    /// assert_eq!(paths.get(1), Some("/b"));
    /// ```
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&str> {
        let begin = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(begin..*self.ends.get(at)?)
    }

    /// Returns an iterator over the paths.
    ///
    /// ```
    /// let paths: minikeeper::journal::Paths = ["/a", "/b"].into_iter().collect();
    /// assert!(paths.iter().all(|path| path.len() == 2));
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let path = self.text.get(begin..*end);
            begin = *end;
            path.unwrap_or_default()
        })
    }

    /// Whether one of the paths is this one.
    ///
    /// ```
    /// let paths: minikeeper::journal::Paths = ["/a"].into_iter().collect();
    /// assert!(paths.contains("/a"));
    /// ```
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        self.iter().any(|own| own == path)
    }

    /// Text of all paths, one after the other.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// End of each path in [`text`](Self::text).
    pub(super) fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// Number of bytes that the paths take in the journal.
    pub(super) fn size(&self) -> usize {
        self.text.len() + self.ends.len() * size_of::<u32>()
    }

    /// Removes all paths, and releases capacity beyond `most` bytes.
    pub(super) fn clear(&mut self, most: usize) {
        let (text, ends) = (self.text.to_mut(), self.ends.to_mut());
        text.clear();
        text.shrink_to(most);
        ends.clear();
        ends.shrink_to(most);
    }

    /// Adds a path.
    pub(super) fn push(&mut self, path: &str) {
        let text = self.text.to_mut();
        text.push_str(path);
        self.ends.to_mut().push(text.len());
    }
}

impl<P: AsRef<str>> FromIterator<P> for Paths<'_> {
    fn from_iter<I: IntoIterator<Item = P>>(paths: I) -> Self {
        let mut all = Self::default();
        for path in paths {
            all.push(path.as_ref());
        }
        all
    }
}

impl<P: AsRef<str>, const N: usize> PartialEq<[P; N]> for Paths<'_> {
    fn eq(&self, other: &[P; N]) -> bool {
        self.iter().eq(other.iter().map(AsRef::as_ref))
    }
}

impl<P: AsRef<str>> PartialEq<Vec<P>> for Paths<'_> {
    fn eq(&self, other: &Vec<P>) -> bool {
        self.iter().eq(other.iter().map(AsRef::as_ref))
    }
}

impl fmt::Debug for Paths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Paths<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Paths".into()
    }

    fn json_schema(schemas: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemas.subschema_for::<Vec<String>>()
    }
}

impl Serialize for Paths<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Paths<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let paths = Vec::<Cow<'_, str>>::deserialize(deserializer)?;
        Ok(paths.into_iter().collect())
    }
}
