//! Bytes read and written, and refusals for a quota, by the first name of the path.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::protocol::{Txn, TxnRecord};
use crate::wire::Summary;

/// Number of bytes of a `Stat` in Java (`DataTree.STAT_OVERHEAD_BYTES`), which each read counts.
const STAT_BYTES: usize = 68;

/// Number of first names that are counted. A real server has no limit; a client that invents names could fill the
/// memory with their counts.
const LIMIT: usize = 10_000;

/// Counts of all first names.
#[derive(Clone, Debug, Default)]
pub(super) struct Namespaces {
    /// In the order of their first use.
    list: Vec<Namespace>,
    by_name: HashMap<Box<str>, usize, FixedState>,
    /// Place of the name that was counted last, which is often the next one too.
    last: usize,
}

/// Counts of one first name.
#[derive(Clone, Debug, Default)]
struct Namespace {
    name: Box<str>,
    read: Summary,
    written: Summary,
    quota_exceeded: u64,
}

/// Returns the first name of a path: `PathUtils.getTopNamespace`.
fn first_name(path: &[u8]) -> Option<&[u8]> {
    let rest = path.strip_prefix(b"/").filter(|rest| !rest.is_empty())?;
    rest.split(|byte| *byte == b'/').next()
}

fn number(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl Namespaces {
    #[inline]
    fn of(&mut self, path: &[u8]) -> Option<&mut Namespace> {
        let is_last = self.list.get(self.last).is_some_and(|last| {
            let name = last.name.as_bytes();
            let rest = path.get(1..).and_then(|rest| rest.strip_prefix(name));
            matches!(rest, Some([] | [b'/', ..]))
        });
        if !is_last {
            self.last = self.place_of(path)?;
        }
        self.list.get_mut(self.last)
    }

    /// Returns the place of the first name of a path, after adding the name if it is missing.
    fn place_of(&mut self, path: &[u8]) -> Option<usize> {
        let name = String::from_utf8_lossy(first_name(path)?);
        if let Some(place) = self.by_name.get(&*name) {
            return Some(*place);
        }
        let place = self.list.len();
        if place == LIMIT {
            return None;
        }
        let name: Box<str> = name.into();
        self.by_name.insert(name.clone(), place);
        self.list.push(Namespace {
            name,
            ..Namespace::default()
        });
        Some(place)
    }

    /// Counts a successful read of so many bytes of data or names (`DataTree.updateReadStat`).
    #[inline]
    pub(super) fn count_read(&mut self, path: &[u8], bytes: usize) {
        let bytes = number(path.len() + bytes + STAT_BYTES);
        if let Some(namespace) = self.of(path) {
            namespace.read.add(bytes, 1);
        }
    }

    /// Counts the changes of a transaction (`DataTree.updateWriteStat`). Changes of an ACL are not counted.
    pub(super) fn count_written(&mut self, txn: &Txn<'_>) {
        let TxnRecord::Multi(records) = &txn.record else {
            self.count_record(&txn.record);
            return;
        };
        let is_refused = |record: &TxnRecord<'_>| matches!(record, TxnRecord::Error { .. });
        if !records.iter().any(is_refused) {
            records.iter().for_each(|record| self.count_record(record));
        }
    }

    fn count_record(&mut self, record: &TxnRecord<'_>) {
        let length = |data: Option<&[u8]>| data.map_or(0, <[u8]>::len);
        match record {
            TxnRecord::Create(created) => {
                self.count_write(&created.path, length(created.data.as_deref()))
            }
            TxnRecord::Delete { path } | TxnRecord::DeleteContainer { path } => {
                self.count_write(path, 0)
            }
            TxnRecord::SetData { path, data, .. } => {
                self.count_write(path, length(data.as_deref()))
            }
            TxnRecord::CloseSession { paths } => {
                paths.iter().for_each(|path| self.count_write(path, 0));
            }
            TxnRecord::CreateSession { .. }
            | TxnRecord::Error { .. }
            | TxnRecord::SetAcl { .. }
            | TxnRecord::Check { .. }
            | TxnRecord::Multi(_) => {}
        }
    }

    fn count_write(&mut self, path: &str, bytes: usize) {
        let bytes = number(path.len() + bytes);
        if let Some(namespace) = self.of(path.as_bytes()) {
            namespace.written.add(bytes, 1);
        }
    }

    /// Counts a write that was refused because of a quota on `path`.
    pub(super) fn count_quota_exceeded(&mut self, path: &str) {
        if let Some(namespace) = self.of(path.as_bytes()) {
            namespace.quota_exceeded += 1;
        }
    }

    pub(super) fn read(&self) -> Vec<(String, Summary)> {
        self.collect(|namespace| Some(namespace.read).filter(|read| read.count > 0))
    }

    pub(super) fn written(&self) -> Vec<(String, Summary)> {
        self.collect(|namespace| Some(namespace.written).filter(|written| written.count > 0))
    }

    pub(super) fn quota_exceeded(&self) -> Vec<(String, u64)> {
        self.collect(|namespace| Some(namespace.quota_exceeded).filter(|number| *number > 0))
    }

    fn collect<T>(&self, of: impl Fn(&Namespace) -> Option<T>) -> Vec<(String, T)> {
        let counted = self.list.iter().filter_map(|namespace| {
            let counts = of(namespace)?;
            Some((namespace.name.to_string(), counts))
        });
        counted.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_counts_for_its_first_name() {
        let mut namespaces = Namespaces::default();
        for path in ["/a", "/a/b", "/ab", "/a", "/", ""] {
            namespaces.count_read(path.as_bytes(), 1);
        }
        let counts: Vec<(String, u64, u64)> = namespaces
            .read()
            .into_iter()
            .map(|(name, read)| (name, read.count, read.sum))
            .collect();
        let read = |lengths: u64, count: u64| lengths + count * 69;
        assert_eq!(
            counts,
            [
                ("a".to_owned(), 3, read(8, 3)),
                ("ab".to_owned(), 1, read(3, 1))
            ]
        );
        assert!(namespaces.written().is_empty());
    }

    #[test]
    fn a_client_that_invents_names_does_not_fill_the_memory() {
        let mut namespaces = Namespaces::default();
        for number in 0..=LIMIT {
            namespaces.count_write(&format!("/{number}"), 0);
        }
        assert_eq!(namespaces.written().len(), LIMIT);
    }
}
