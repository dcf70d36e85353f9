//! The promises, held against what a client received.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::Ask;
use super::world::Client;
use crate::client::{self, Event, Fields, NO_AUTH, NO_NODE, Reply};

/// What a client received, in order.
pub(super) struct Received<'a> {
    client: &'a Client,
    messages: Vec<Message>,
}

enum Message {
    Event(i64, Event),
    /// With what it answers.
    Reply(Reply, Ask),
}

/// All that ever changed, as the client saw it that sees everything.
pub(super) struct Seen(BTreeMap<i64, Vec<Event>>);

impl Seen {
    pub(super) fn by(witness: &Received<'_>) -> Result<Self, TestCaseError> {
        prop_assert!(!witness.client.ended, "nothing ends its connection");
        let mut changes = BTreeMap::new();
        for (zxid, event) in witness.events() {
            let newest = changes.last_key_value().map_or(0, |(zxid, _)| *zxid);
            // The end of a session deletes several znodes at once.
            let goes = matches!(event, Event::Deleted(_)) && zxid == newest;
            prop_assert!(
                zxid > newest || goes,
                "{event:?} of {zxid:x} after {newest:x}"
            );
            let at_once: &mut Vec<Event> = changes.entry(zxid).or_default();
            at_once.push(event.clone());
        }
        Ok(Self(changes))
    }

    /// When a path was last created, changed or deleted in this state; and whether it is there.
    fn last(&self, path: &str, zxid: i64) -> Option<(i64, bool)> {
        let changes = self.0.range(..=zxid).rev();
        let mut events =
            changes.flat_map(|(zxid, events)| events.iter().map(move |event| (zxid, event)));
        events.find_map(|(zxid, event)| match event {
            Event::Created(of) | Event::Changed(of) if of == path => Some((*zxid, true)),
            Event::Deleted(of) if of == path => Some((*zxid, false)),
            _ => None,
        })
    }
}

impl<'a> Received<'a> {
    /// Reads the frames. Each session's replies are in the order of its requests: all of them, up to where its connection
    /// ended.
    pub(super) fn of(client: &'a Client) -> Result<Self, TestCaseError> {
        let mut asked = client.asked.iter();
        let mut messages = Vec::new();
        for frame in client.received() {
            messages.push(match client::message(frame) {
                Ok(event) => {
                    let mut fields = Fields(frame);
                    fields.int();
                    Message::Event(fields.long(), event)
                }
                Err(reply) => {
                    let next = asked.next();
                    let is_it = |asked: &&(i32, Ask)| asked.0 == reply.xid;
                    let answered = if client.loses {
                        next.filter(is_it).or_else(|| asked.find(is_it))
                    } else {
                        next.filter(is_it)
                    };
                    let Some((_, ask)) = answered else {
                        prop_assert!(false, "{reply:?} is out of order: {:?}", client.asked);
                        continue;
                    };
                    Message::Reply(reply, *ask)
                }
            });
        }
        if !client.ended && !client.loses {
            let unanswered: Vec<_> = asked.collect();
            prop_assert!(unanswered.is_empty(), "not answered: {unanswered:?}");
        }
        Ok(Self { client, messages })
    }

    fn events(&self) -> impl Iterator<Item = (i64, &Event)> {
        self.messages.iter().filter_map(|message| match message {
            Message::Event(zxid, event) => Some((*zxid, event)),
            Message::Reply(..) => None,
        })
    }

    fn replies(&self) -> impl Iterator<Item = (&Reply, Ask)> {
        self.messages.iter().filter_map(|message| match message {
            Message::Reply(reply, ask) => Some((reply, *ask)),
            Message::Event(..) => None,
        })
    }

    pub(super) fn keeps_promises(&self, seen: &Seen) -> Result<(), TestCaseError> {
        self.never_goes_back()?;
        for (reply, ask) in self.replies() {
            self.is_true(reply, ask, seen)?;
        }
        self.loses_no_event(seen)
    }

    /// What a client is told never goes back; and of a change it is told by the event first.
    fn never_goes_back(&self) -> Result<(), TestCaseError> {
        let (mut told, mut replied) = (0, 0);
        for message in &self.messages {
            let zxid = match message {
                Message::Event(zxid, event) => {
                    prop_assert!(*zxid > replied, "{event:?} of {zxid:x} behind {replied:x}");
                    *zxid
                }
                Message::Reply(reply, ask) => {
                    replied = reply.zxid;
                    prop_assert!(replied >= told, "{ask:?} at {replied:x} behind {told:x}");
                    replied
                }
            };
            prop_assert!(zxid >= told);
            told = zxid;
        }
        Ok(())
    }

    /// A reply tells of the state that its zxid names: all writes up to that one, and none after it.
    fn is_true(&self, reply: &Reply, ask: Ask, seen: &Seen) -> Result<(), TestCaseError> {
        let wrote = seen.0.get(&reply.zxid).and_then(|events| events.first());
        let of = |path: &str| seen.last(path, reply.zxid);
        let is_done = reply.error == 0;
        match ask {
            Ask::Create(path, _) if is_done => {
                prop_assert_eq!(wrote, Some(&Event::Created(path.to_owned())));
            }
            Ask::Set(path) if is_done => {
                prop_assert_eq!(wrote, Some(&Event::Changed(path.to_owned())));
            }
            Ask::Delete(path) if is_done => {
                prop_assert_eq!(wrote, Some(&Event::Deleted(path.to_owned())));
            }
            // A fault refuses before anything is numbered, so the zxid is that of what came before.
            Ask::Create(..) if reply.error == NO_AUTH => {}
            Ask::Create(..) | Ask::Set(_) | Ask::Delete(_) => {
                prop_assert_eq!(wrote, None, "{:?} was refused", ask);
            }
            Ask::Get(path, _) | Ask::Exists(path, _) | Ask::Children(path, _) => {
                let is_there = of(path).is_some_and(|(_, is_there)| is_there);
                let expected = if is_there { 0 } else { NO_NODE };
                prop_assert_eq!(reply.error, expected, "{:?} at {:x}", ask, reply.zxid);
            }
            Ask::Ping => prop_assert!(is_done),
        }
        if let (Ask::Get(path, _), true) = (ask, is_done) {
            let mut fields = Fields(&reply.body);
            let data = fields.buffer().unwrap_or_default().to_vec();
            let (_czxid, mzxid) = (fields.long(), fields.long());
            prop_assert_eq!(of(path), Some((mzxid, true)));
            // What it wrote itself it knows by heart.
            let own = self.replies().find(|(wrote, ask)| {
                let writes = matches!(ask, Ask::Create(..) | Ask::Set(_));
                wrote.zxid == mzxid && wrote.error == 0 && writes
            });
            if let Some((wrote, _)) = own {
                let data = String::from_utf8_lossy(&data);
                prop_assert_eq!(data, self.client.data_of(wrote.xid));
            }
        }
        Ok(())
    }

    /// Each watch is told of the first change after it was set, once, and of all that happened, up to where the connection
    /// ended.
    fn loses_no_event(&self, seen: &Seen) -> Result<(), TestCaseError> {
        let mut watches = Watches::default();
        let mut expected = Vec::new();
        let mut changes = seen.0.iter().peekable();
        for (reply, ask) in self.replies() {
            while let Some((zxid, events)) = changes.next_if(|(zxid, _)| **zxid <= reply.zxid) {
                watches.fire(*zxid, events, &mut expected);
            }
            watches.set(reply, ask);
        }
        changes.for_each(|(zxid, events)| watches.fire(*zxid, events, &mut expected));
        let told: Vec<(i64, Event)> = self
            .events()
            .map(|(zxid, event)| (zxid, event.clone()))
            .collect();
        if self.client.ended {
            expected.truncate(told.len());
        }
        prop_assert_eq!(told, expected);
        Ok(())
    }
}

/// The watches of one client, as ZooKeeper's `DataTree` keeps and fires them.
#[derive(Default)]
struct Watches {
    data: BTreeSet<String>,
    children: BTreeSet<String>,
}

impl Watches {
    fn set(&mut self, reply: &Reply, ask: Ask) {
        match ask {
            Ask::Exists(path, true) => self.data.insert(path.to_owned()),
            Ask::Get(path, true) if reply.error == 0 => self.data.insert(path.to_owned()),
            Ask::Children(path, true) if reply.error == 0 => self.children.insert(path.to_owned()),
            _ => false,
        };
    }

    fn fire(&mut self, zxid: i64, changes: &[Event], told: &mut Vec<(i64, Event)>) {
        for change in changes {
            self.fire_one(zxid, change, told);
        }
    }

    fn fire_one(&mut self, zxid: i64, change: &Event, told: &mut Vec<(i64, Event)>) {
        let (Event::Created(path)
        | Event::Deleted(path)
        | Event::Changed(path)
        | Event::Children(path)) = change;
        let gone = matches!(change, Event::Deleted(_)) && self.children.remove(path);
        if self.data.remove(path) || gone {
            told.push((zxid, change.clone()));
        }
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if !matches!(change, Event::Changed(_)) && self.children.remove(parent) {
            told.push((zxid, Event::Children(parent.to_owned())));
        }
    }
}
