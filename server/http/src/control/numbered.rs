//! Things of a server, by ids that the server gives: `f1`, `f2`, ...

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::Failure;

/// Things of one kind.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    /// Kind of the things, for messages.
    kind: &'static str,
    prefix: char,
    by_number: BTreeMap<u64, Arc<T>>,
    next: u64,
}

/// Maximum number of ids that a message lists; more are only counted.
const MOST_NAMED: usize = 20;

/// The ids that exist, in words.
pub(super) fn in_words<'i>(kind: &str, ids: impl ExactSizeIterator<Item = &'i str>) -> String {
    match ids.len() {
        0 => format!("no {kind} exists"),
        1..=MOST_NAMED => {
            let ids: Vec<&str> = ids.collect();
            format!("those that exist are {}", ids.join(", "))
        }
        count => format!("there are {count} others"),
    }
}

impl<T> Numbered<T> {
    pub(super) fn new(kind: &'static str, prefix: char) -> Self {
        Self {
            kind,
            prefix,
            by_number: BTreeMap::new(),
            next: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Adds a thing, and returns its id.
    pub(super) fn add(&mut self, thing: T) -> String {
        self.next += 1;
        self.by_number.insert(self.next, Arc::new(thing));
        self.id(self.next)
    }

    /// Returns a thing.
    ///
    /// # Errors
    ///
    /// If nothing has the id.
    pub(super) fn get(&self, id: &str) -> Result<Arc<T>, Failure> {
        let found = self
            .number(id)
            .and_then(|number| self.by_number.get(&number));
        found.cloned().ok_or_else(|| self.missing(id))
    }

    /// Removes a thing.
    ///
    /// # Errors
    ///
    /// If nothing has the id.
    pub(super) fn remove(&mut self, id: &str) -> Result<Arc<T>, Failure> {
        let found = self
            .number(id)
            .and_then(|number| self.by_number.remove(&number));
        found.ok_or_else(|| self.missing(id))
    }

    /// Returns all things with their ids, oldest first.
    pub(super) fn all(&self) -> Vec<(String, Arc<T>)> {
        let all = self.by_number.iter();
        all.map(|(number, thing)| (self.id(*number), Arc::clone(thing)))
            .collect()
    }

    /// Takes all things. Later ids differ from theirs.
    pub(super) fn take(&mut self) -> Self {
        Self {
            by_number: std::mem::take(&mut self.by_number),
            ..*self
        }
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.by_number
            .keys()
            .map(|number| self.id(*number))
            .collect()
    }

    fn id(&self, number: u64) -> String {
        format!("{}{number}", self.prefix)
    }

    fn number(&self, id: &str) -> Option<u64> {
        let number: u64 = id.strip_prefix(self.prefix)?.parse().ok()?;
        // One spelling: not `f01`, not `f+1`.
        (self.id(number) == id).then_some(number)
    }

    fn missing(&self, id: &str) -> Failure {
        let ids = self.ids();
        let kind = self.kind;
        Failure::not_found(format!(
            "there is no {kind} {id}; {}",
            in_words(kind, ids.iter().map(String::as_str))
        ))
    }
}
