//! The reaper: finds containers and TTL znodes that are expired, and removes them one by one.

use super::deadline::{Deadline, next_look};
use super::output::Outputs;
use super::reap::Reapable;
use super::state::Keeper;
use super::transaction::refusal;
use super::write;
use super::znode::Znode;
use crate::protocol::{Owner, SessionId, Timestamp, Xid};

impl Keeper {
    /// Looks for expired znodes: `ContainerManager.getCandidates`.
    pub(super) fn look_for_reapable(&mut self, now: Timestamp) {
        self.deadlines
            .add(next_look(&self.rules, now), Deadline::LookForReapable);
        // Only the leader looks.
        if !self.reap_queue.is_empty() || self.members.leader().is_none() {
            return;
        }
        self.reap_queue = self.due(now).map(|znode| znode.path().into()).collect();
        if !self.reap_queue.is_empty() {
            self.deadlines.add(now, Deadline::Reap);
        }
    }

    /// Returns the expired znodes.
    fn due(&self, now: Timestamp) -> impl Iterator<Item = &Znode> {
        let age_ms = move |znode: &Znode| now.0.saturating_sub(znode.mtime().0);
        let never_used_ms = self.rules.container_max_never_used_ms;
        self.tree
            .reapable()
            .filter(|znode| !znode.has_children())
            .filter(move |znode| match znode.owner() {
                Owner::Container => {
                    znode.creates() > 0 || never_used_ms != 0 && age_ms(znode) > never_used_ms
                }
                Owner::Ttl { ms } => ms != 0 && age_ms(znode) > ms,
                Owner::Unowned | Owner::Session(_) => false,
            })
    }

    /// Removes expired znodes now, without waiting for the next look.
    pub(super) fn reap_now(&mut self, now: Timestamp, what: Reapable, out: &mut impl Outputs) {
        let wanted = |znode: &&Znode| match what {
            Reapable::Containers => znode.owner() == Owner::Container,
            Reapable::TtlZnodes => matches!(znode.owner(), Owner::Ttl { .. }),
        };
        // A container whose last child is removed here is expired too.
        loop {
            let due = self.due(now).filter(wanted);
            let paths: Vec<Box<str>> = due.map(|znode| znode.path().into()).collect();
            if paths.is_empty() {
                return;
            }
            for path in &paths {
                if let Ok(record) = write::check_reap(&self.tree, path) {
                    self.write_unasked(now, SessionId::NONE, Xid(0), record, out);
                }
            }
        }
    }

    pub(super) fn reap(&mut self, now: Timestamp, out: &mut impl Outputs) {
        if self.members.leader().is_none() {
            self.reap_queue.clear();
        }
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
