//! Every znode of a state, one at a time.

use minikeeper::{Snapshot, inspect::ZnodeView};

/// Parents before their children, siblings by name; ZooKeeper's own znodes are among them. What is held in memory is one
/// znode and the paths that are still to come beside it.
pub(crate) struct Walk<'s> {
    snapshot: &'s Snapshot,
    next: Vec<String>,
}

impl<'s> Walk<'s> {
    pub(crate) fn of(snapshot: &'s Snapshot) -> Self {
        Self {
            snapshot,
            next: vec![String::from("/")],
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = ZnodeView;

    fn next(&mut self) -> Option<ZnodeView> {
        let path = self.next.pop()?;
        let znode = self.snapshot.znode(&path)?;
        let above = if path == "/" { "" } else { &path };
        let below = znode.children.iter().rev();
        self.next
            .extend(below.map(|name| format!("{above}/{name}")));
        Some(znode)
    }
}

/// Which of two paths such a walk comes to first.
pub(crate) fn order(one: &str, other: &str) -> std::cmp::Ordering {
    // The root's name is empty, so it comes first.
    one.split('/').cmp(other.split('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_is_in_its_own_order() {
        let server = minikeeper::Server::builder()
            .seed(minikeeper::tree! { "/a/b" => "", "/a-b" => "", "/a/b-c" => "", "/b" => "" })
            .start()
            .expect("a server starts");
        let snapshot = server.snapshot();
        let paths: Vec<String> = Walk::of(&snapshot).map(|znode| znode.path).collect();
        assert_eq!(
            paths,
            [
                "/",
                "/a",
                "/a/b",
                "/a/b-c",
                "/a-b",
                "/b",
                "/zookeeper",
                "/zookeeper/config",
                "/zookeeper/quota"
            ]
        );
        assert!(paths.is_sorted_by(|one, other| order(one, other).is_lt()));
    }
}
