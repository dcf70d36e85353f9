//! The promises, checked against the bytes that a client received.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::Ask;
use super::world::Client;
use crate::client::{self, Event, Fields, NO_AUTH, NO_NODE, Reply};

/// Messages that a client received, in order.
pub(super) struct Received<'a> {
    client: &'a Client,
    messages: Vec<Message>,
}

enum Message {
    Event(i64, Event),
    /// Reply, with its request.
    Reply(Reply, Ask),
}

/// All changes, as seen by the observer.
pub(super) struct Seen(BTreeMap<i64, Vec<Event>>);

impl Seen {
    pub(super) fn by(witness: &Received<'_>) -> Result<Self, TestCaseError> {
        prop_assert!(!witness.client.ended, "nothing ends its connection");
        let mut changes = BTreeMap::new();
        for (zxid, event) in witness.events() {
            let newest = changes.last_key_value().map_or(0, |(zxid, _)| *zxid);
            // The end of a session deletes several znodes in one transaction.
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

    /// Transaction that last created, changed or deleted a path in this state, and whether the path exists then.
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
    /// Decodes the frames. The replies of each session are in the order of its requests, without gaps, up to the end of
    /// its connection.
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

    /// Checks that zxids never decrease, and that the event of a change precedes replies that reflect the change.
    fn never_goes_back(&self) -> Result<(), TestCaseError> {
        let (mut newest, mut replied) = (0, 0);
        for message in &self.messages {
            let zxid = match message {
                Message::Event(zxid, event) => {
                    prop_assert!(*zxid > replied, "{event:?} of {zxid:x} behind {replied:x}");
                    *zxid
                }
                Message::Reply(reply, ask) => {
                    replied = reply.zxid;
                    prop_assert!(
                        replied >= newest,
                        "{ask:?} at {replied:x} behind {newest:x}"
                    );
                    replied
                }
            };
            prop_assert!(zxid >= newest);
            newest = zxid;
        }
        Ok(())
    }

    /// Checks that a reply reflects the state of its zxid: all writes up to that one, and none after it.
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
            // A fault refuses a request before it takes a zxid, so the reply has the zxid of the state before.
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
            // The client knows its own writes.
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

    /// Checks that each watch fires for the first change after it was set, once, and that no event is missing up to the
    /// end of the connection.
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
        let fired: Vec<(i64, Event)> = self
            .events()
            .map(|(zxid, event)| (zxid, event.clone()))
            .collect();
        if self.client.ended {
            expected.truncate(fired.len());
        }
        prop_assert_eq!(fired, expected);
        Ok(())
    }
}

/// Watches of one client, as ZooKeeper's `DataTree` stores and fires them.
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

    fn fire(&mut self, zxid: i64, changes: &[Event], fired: &mut Vec<(i64, Event)>) {
        for change in changes {
            self.fire_one(zxid, change, fired);
        }
    }

    fn fire_one(&mut self, zxid: i64, change: &Event, fired: &mut Vec<(i64, Event)>) {
        let (Event::Created(path)
        | Event::Deleted(path)
        | Event::Changed(path)
        | Event::Children(path)) = change;
        let gone = matches!(change, Event::Deleted(_)) && self.children.remove(path);
        if self.data.remove(path) || gone {
            fired.push((zxid, change.clone()));
        }
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if !matches!(change, Event::Changed(_)) && self.children.remove(parent) {
            fired.push((zxid, Event::Children(parent.to_owned())));
        }
    }
}
