//! Lists of names that are too long to be read within one turn.

use std::fmt;
use std::sync::Arc;

/// List of names in a copy of the state, which later transactions do not change.
pub(crate) trait LongList: fmt::Debug + Send + Sync {
    /// Passes at most `most` names from `cursor` on to `take` and moves the cursor past them. Returns whether more
    /// names follow.
    fn read(&self, cursor: &mut Cursor, most: usize, take: &mut dyn FnMut(&str)) -> bool;
}

/// Position in a [`LongList`]; the default is the beginning.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    pub(crate) has_begun: bool,
    /// For each open level of the tree: the next znode, and the one at which the ring of its siblings closes.
    pub(crate) open: Vec<(u32, u32)>,
}

/// Names in a reply.
#[derive(Clone, Debug)]
pub(crate) enum Names<'a> {
    Short(Vec<&'a str>),
    /// A list so long that it is encoded after the turn, a part at a time.
    Long {
        count: usize,
        list: Arc<dyn LongList>,
    },
}

impl Names<'_> {
    /// Number of names.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Short(names) => names.len(),
            Self::Long { count, .. } => *count,
        }
    }

    /// Passes every name to `take`, in order.
    pub(crate) fn for_each(&self, take: &mut dyn FnMut(&str)) {
        match self {
            Self::Short(names) => names.iter().for_each(|name| take(name)),
            Self::Long { list, .. } => {
                list.read(&mut Cursor::default(), usize::MAX, take);
            }
        }
    }

    /// Returns all names as owned values.
    pub(crate) fn to_vec(&self) -> Vec<String> {
        let mut names = Vec::with_capacity(self.len());
        self.for_each(&mut |name| names.push(name.to_owned()));
        names
    }
}

impl<'a> From<Vec<&'a str>> for Names<'a> {
    fn from(names: Vec<&'a str>) -> Self {
        Self::Short(names)
    }
}

/// Two lists are equal if they have the same names in the same order.
impl PartialEq for Names<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Short(names), Self::Short(others)) => names == others,
            _ => self.to_vec() == other.to_vec(),
        }
    }
}

impl Eq for Names<'_> {}

/// Number of names in a list, not yet counted, plus a number.
#[derive(Clone, Debug)]
pub(crate) struct LongCount {
    pub(crate) list: Arc<dyn LongList>,
    pub(crate) plus: usize,
}

impl LongCount {
    /// Counts at most `most` more names. Returns whether more names follow.
    pub(crate) fn count(&mut self, cursor: &mut Cursor, most: usize) -> bool {
        let plus = &mut self.plus;
        self.list.read(cursor, most, &mut |_| *plus += 1)
    }

    /// Counts all names at once. Returns the sum.
    pub(crate) fn total(&self) -> i32 {
        let mut counted = self.clone();
        counted.count(&mut Cursor::default(), usize::MAX);
        i32::try_from(counted.plus).unwrap_or(i32::MAX)
    }
}

/// Two counts are equal if their sums are.
impl PartialEq for LongCount {
    fn eq(&self, other: &Self) -> bool {
        self.total() == other.total()
    }
}

impl Eq for LongCount {}
