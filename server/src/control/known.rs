//! Names that matchers may use: labels, members, places in the journal.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::matcher::Matcher;
use crate::protocol::MemberId;

/// Names that matchers may use for one server or one journal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Number of the server's journal in this process; 0 for a journal that was read from text.
    pub(crate) journal: u64,
    /// Labels that the test has named.
    labels: Arc<BTreeSet<Arc<str>>>,
    /// Number of members; `None` if it is unknown.
    members: Option<u8>,
    /// Whether the journal has no separate events for transactions.
    pub(crate) without_transactions: bool,
}

/// Maximum number of labels that a message lists; more are only counted.
const MOST_NAMED: usize = 20;

impl Known {
    /// Names of a new server. `journal` is the number of its journal in this process.
    pub(crate) fn new(members: u8, journal: u64) -> Self {
        Self {
            journal,
            labels: Arc::default(),
            members: Some(members),
            without_transactions: true,
        }
    }

    /// Adds a label.
    pub(crate) fn name(&mut self, label: &Arc<str>) {
        if !self.labels.contains(label) {
            Arc::make_mut(&mut self.labels).insert(Arc::clone(label));
        }
    }

    /// Reason why the label of a matcher is unknown, with advice.
    pub(crate) fn unknown_label(&self, matcher: &Matcher) -> Option<String> {
        let label = matcher
            .label
            .as_deref()
            .filter(|label| !self.labels.contains(*label))?;
        let known: Vec<String> = self.labels.iter().map(|it| format!("{it:?}")).collect();
        let known = match known.len() {
            0 => "no label is known".to_owned(),
            1..=MOST_NAMED => format!("known labels: {}", known.join(", ")),
            others => format!("{others} others are known"),
        };
        Some(if self.journal == 0 {
            format!("no entry of this journal has the label {label:?} ({known})")
        } else {
            format!(
                "the label {label:?} is not known ({known}): add it to the server first (in Rust: labelled({label:?}), \
                 serve_labelled(..), or label(..) of the builder)"
            )
        })
    }

    /// Reason why the server has no such member; `None` if it has.
    pub(crate) fn unknown_member(&self, MemberId(member): MemberId) -> Option<String> {
        let members = self.members.unwrap_or(u8::MAX);
        (member == 0 || member > members).then(|| match self.members {
            Some(1) => format!("the server is not an ensemble, so it has no member {member}"),
            Some(_) | None => {
                format!("there is no member {member}: members are numbered from 1 to {members}")
            }
        })
    }
}
