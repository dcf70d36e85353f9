//! Model of the znodes below a writer's parent, after any number of its requests.

use std::collections::BTreeMap;

use crate::client::{Acl, CreateKind, Request, Stat};
use crate::random::Random;

/// Approximate maximum number of znodes below the parent.
const MAX_CHILDREN: usize = 60;
/// Number of znodes that exist from the beginning, for readers to watch.
pub(super) const WATCHED: usize = 4;

const NO_NODE: i32 = -101;
const BAD_VERSION: i32 = -103;

/// The zxid of a write: known from its reply, or that of an unanswered request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteZxid {
    Known(i64),
    In(u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Child {
    pub(super) data: Vec<u8>,
    pub(super) version: i32,
    pub(super) ephemeral: bool,
    pub(super) created: WriteZxid,
    pub(super) changed: WriteZxid,
}

/// Expected state below the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) parent: String,
    pub(super) children: BTreeMap<String, Child>,
    /// Number of created znodes, which numbers the next sequential one.
    pub(super) created: i32,
    /// Zxid of the last created or deleted child.
    pub(super) children_changed: WriteZxid,
}

/// A request of a writer. Names are relative to the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create {
        name: String,
        data: Vec<u8>,
        ephemeral: bool,
    },
    Number {
        prefix: &'static str,
        data: Vec<u8>,
        ephemeral: bool,
    },
    Set {
        name: String,
        data: Vec<u8>,
        version: i32,
    },
    Delete {
        name: String,
    },
    Check {
        name: String,
        version: i32,
    },
    Multi(Vec<Self>),
}

impl Model {
    pub(super) fn new(parent: String) -> Self {
        Self {
            parent,
            children: BTreeMap::new(),
            created: 0,
            children_changed: WriteZxid::Known(0),
        }
    }

    /// Returns a random operation for request `number` of this writer; about one in eight is refused.
    pub(super) fn draw(&self, number: u64, random: &mut Random) -> Operation {
        if random.percent(25) {
            let mut parts = Vec::new();
            let mut after = self.clone();
            for part in 0..random.number(2..6) {
                let act = after.draw_one(&format!("{number}.{part}"), number, random);
                if after.apply(&act, WriteZxid::In(number)).is_ok() {
                    parts.push(act);
                }
            }
            if random.percent(30) {
                let at = random.number(0..parts.len() + 1);
                let name = watched(0);
                parts.insert(at, Operation::Check { name, version: -7 });
            }
            return Operation::Multi(parts);
        }
        self.draw_one(&number.to_string(), number, random)
    }

    fn draw_one(&self, name: &str, number: u64, random: &mut Random) -> Operation {
        let data = |random: &mut Random| {
            let mut text = format!("{number};").into_bytes();
            text.resize(text.len() + random.number(0..120), b'.');
            text
        };
        let any = |random: &mut Random| {
            let names: Vec<&String> = self.children.keys().collect();
            if names.is_empty() {
                "none".to_owned()
            } else {
                (*random.one(&names)).clone()
            }
        };
        let ephemeral = random.percent(20);
        let full = self.children.len() > MAX_CHILDREN;
        match random.number(0..10) {
            0..2 if !full => Operation::Create {
                name: format!("n{name}"),
                data: data(random),
                ephemeral,
            },
            2..4 if !full => Operation::Number {
                prefix: if random.percent(50) { "q-" } else { "" },
                data: data(random),
                ephemeral,
            },
            4..6 => Operation::Set {
                name: watched(random.number(0..WATCHED)),
                data: data(random),
                version: -1,
            },
            6..8 => Operation::Set {
                name: any(random),
                data: data(random),
                version: if random.percent(80) { -1 } else { 3 },
            },
            _ => {
                let name = any(random);
                let stays = name.starts_with('w');
                Operation::Delete {
                    name: if stays { "none".to_owned() } else { name },
                }
            }
        }
    }

    /// Applies an operation, or returns the error code with which it is refused.
    pub(super) fn apply(&mut self, act: &Operation, when: WriteZxid) -> Result<(), i32> {
        match act {
            Operation::Create {
                name,
                data,
                ephemeral,
            } => self.create(name.clone(), data, *ephemeral, when),
            Operation::Number {
                prefix,
                data,
                ephemeral,
            } => self.create(self.numbered(prefix), data, *ephemeral, when),
            Operation::Set {
                name,
                data,
                version,
            } => {
                let child = self.children.get_mut(name).ok_or(NO_NODE)?;
                if *version != -1 && *version != child.version {
                    return Err(BAD_VERSION);
                }
                child.data.clone_from(data);
                child.version += 1;
                child.changed = when;
            }
            Operation::Delete { name } => {
                self.children.remove(name).ok_or(NO_NODE)?;
                self.children_changed = when;
            }
            Operation::Check { name, version } => {
                let child = self.children.get(name).ok_or(NO_NODE)?;
                if *version != -1 && *version != child.version {
                    return Err(BAD_VERSION);
                }
            }
            Operation::Multi(parts) => {
                let mut after = self.clone();
                for part in parts {
                    after.apply(part, when)?;
                }
                *self = after;
            }
        }
        Ok(())
    }

    pub(super) fn numbered(&self, prefix: &str) -> String {
        format!("{prefix}{:010}", self.created)
    }

    fn create(&mut self, name: String, data: &[u8], ephemeral: bool, when: WriteZxid) {
        let child = Child {
            data: data.to_vec(),
            version: 0,
            ephemeral,
            created: when,
            changed: when,
        };
        self.children.insert(name, child);
        self.created += 1;
        self.children_changed = when;
    }

    pub(super) fn request(&self, act: &Operation) -> Request {
        let path = |name: &str| format!("{}/{name}", self.parent);
        let create = |path: String, data: &Vec<u8>, flags: i32| Request::Create {
            kind: CreateKind::Create,
            path,
            data: Some(data.clone()),
            acl: Acl::open(),
            flags,
        };
        match act {
            Operation::Create {
                name,
                data,
                ephemeral,
            } => create(path(name), data, i32::from(*ephemeral)),
            Operation::Number {
                prefix,
                data,
                ephemeral,
            } => create(path(prefix), data, 2 + i32::from(*ephemeral)),
            Operation::Set {
                name,
                data,
                version,
            } => Request::SetData {
                path: path(name),
                data: Some(data.clone()),
                version: *version,
            },
            Operation::Delete { name } => Request::Delete {
                path: path(name),
                version: -1,
            },
            Operation::Check { name, version } => Request::Check {
                path: path(name),
                version: *version,
            },
            Operation::Multi(parts) => {
                Request::Multi(parts.iter().map(|part| self.request(part)).collect())
            }
        }
    }

    /// Returns the first difference from the found state, whatever the zxids of unanswered requests are.
    pub(super) fn mismatch(&self, found: &Found, session: i64) -> Option<String> {
        let created = (found.parent.cversion + found.parent.num_children) / 2;
        if created != self.created {
            return Some(format!(
                "{created} znodes were created instead of {}",
                self.created
            ));
        }
        if let Some(name) = self
            .children
            .keys()
            .find(|name| !found.children.contains_key(*name))
        {
            return Some(format!("{name} is missing"));
        }
        for (name, (data, stat)) in &found.children {
            let Some(child) = self.children.get(name) else {
                return Some(format!("{name} should not exist"));
            };
            let owner = if child.ephemeral { session } else { 0 };
            if child.data != *data
                || child.version != stat.version
                || stat.ephemeral_owner != owner
                || !child.created.may_be(stat.czxid)
                || !child.changed.may_be(stat.mzxid)
            {
                return Some(format!("{name} is {stat:?}, and should be {child:?}"));
            }
        }
        if !self.children_changed.may_be(found.parent.pzxid) {
            return Some(format!(
                "children changed at {:#x} instead of {:?}",
                found.parent.pzxid, self.children_changed
            ));
        }
        None
    }

    /// Takes the zxids of unanswered requests from the found state, where they must agree with each other.
    pub(super) fn learn(&mut self, found: &Found, after: i64, last: i64) -> Result<(), String> {
        let mut known: BTreeMap<u64, i64> = BTreeMap::new();
        let mut learn = |when: &mut WriteZxid, zxid: i64| {
            if let WriteZxid::In(number) = *when {
                if zxid <= after || zxid > last {
                    return Err(format!("{zxid:#x} is not in {after:#x} to {last:#x}"));
                }
                if *known.entry(number).or_insert(zxid) != zxid {
                    return Err(format!("request {number} has several zxids"));
                }
                *when = WriteZxid::Known(zxid);
            }
            Ok(())
        };
        for (name, child) in &mut self.children {
            let Some((_, stat)) = found.children.get(name) else {
                continue;
            };
            learn(&mut child.created, stat.czxid)?;
            learn(&mut child.changed, stat.mzxid)?;
        }
        learn(&mut self.children_changed, found.parent.pzxid)?;
        let zxids: Vec<i64> = known.values().copied().collect();
        if zxids.is_sorted() {
            Ok(())
        } else {
            Err(format!("later requests have earlier zxids: {known:x?}"))
        }
    }
}

/// State below a parent on a restarted server.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) parent: Stat,
    pub(super) children: BTreeMap<String, (Vec<u8>, Stat)>,
}

impl WriteZxid {
    fn may_be(self, zxid: i64) -> bool {
        match self {
            Self::Known(known) => known == zxid,
            Self::In(_) => true,
        }
    }
}

/// Returns the name of a znode that exists from the beginning.
pub(super) fn watched(number: usize) -> String {
    format!("w{number}")
}

/// Returns the number of the writer's request that wrote this data, from 0.
pub(super) fn writer_of(data: &[u8]) -> Option<u64> {
    let end = data.iter().position(|byte| *byte == b';')?;
    std::str::from_utf8(data.get(..end)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Model, Operation, WriteZxid, writer_of};
    use crate::random::Random;

    #[test]
    fn a_multi_is_applied_completely_or_not_at_all() {
        let mut model = Model::new("/a".to_owned());
        let create = |name: &str| Operation::Create {
            name: name.to_owned(),
            data: Vec::new(),
            ephemeral: false,
        };
        let check = Operation::Check {
            name: "x".to_owned(),
            version: 4,
        };
        let before = model.clone();
        let failing = Operation::Multi(vec![create("x"), check]);
        assert_eq!(model.apply(&failing, WriteZxid::In(1)), Err(-103));
        assert_eq!(model, before);
        let whole = Operation::Multi(vec![create("x"), create("y")]);
        assert_eq!(model.apply(&whole, WriteZxid::In(2)), Ok(()));
        assert_eq!(model.created, 2);
    }

    #[test]
    fn data_contains_the_number_of_its_request() {
        assert_eq!(writer_of(b"17;..."), Some(17));
        assert_eq!(writer_of(b"..."), None);
    }

    #[test]
    fn equal_seeds_give_equal_operations() {
        let model = Model::new("/a".to_owned());
        let draw = |seed| {
            let mut random = Random::new(seed, 1);
            (0..20)
                .map(|number| model.draw(number, &mut random))
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
    }
}
