//! Containers and TTL znodes: which have had their time, and their removal one by one.

use super::deadline::Deadline;
use super::transaction::refusal;
use super::znode::{OwnerKind, Znode};
use super::{Keeper, Outputs, Rules, write};
use crate::protocol::{SessionId, Timestamp, Xid};

impl Keeper {
    /// `ContainerManager.getCandidates`.
    pub(super) fn look_for_reapable(&mut self, now: Timestamp) {
        self.deadlines
            .add(look_at(&self.rules, now), Deadline::LookForReapable);
        if !self.reap_queue.is_empty() {
            return;
        }
        let age_ms = |znode: &Znode| now.0.saturating_sub(znode.mtime().0);
        let never_used_ms = self.rules.container_max_never_used_ms;
        let due = self
            .tree
            .reapable()
            .filter(|znode| !znode.has_children())
            .filter(|znode| match znode.owner() {
                OwnerKind::Container => {
                    planted!("unused-container-goes", true, znode.creates() > 0)
                        || never_used_ms != 0 && age_ms(znode) > never_used_ms
                }
                OwnerKind::Ttl { ms } => {
                    let age = planted!(
                        "ttl-from-birth",
                        now.0 - znode.stat().ctime.0,
                        age_ms(znode)
                    );
                    ms != 0 && age > ms
                }
                OwnerKind::Nobody | OwnerKind::Session(_) => false,
            });
        self.reap_queue = due.map(|znode| znode.path().into()).collect();
        if !self.reap_queue.is_empty() {
            self.deadlines.add(now, Deadline::Reap);
        }
    }

    pub(super) fn reap(&mut self, now: Timestamp, out: &mut impl Outputs) {
        let Some(path) = self.reap_queue.pop_front() else {
            return;
        };
        let record = write::check_reap(&self.tree, &path).unwrap_or_else(refusal);
        self.write_unasked(now, SessionId::NONE, Xid(0), record, out);
        if !self.reap_queue.is_empty() {
            self.deadlines.add(
                Timestamp(now.0 + self.rules.container_interval_ms),
                Deadline::Reap,
            );
        }
    }
}

pub(super) fn look_at(rules: &Rules, now: Timestamp) -> Timestamp {
    Timestamp(
        now.0
            .saturating_add(rules.container_check_interval_ms.max(1)),
    )
}
