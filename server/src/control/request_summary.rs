//! Summary of the request that is being carried out.

use std::borrow::Cow;

use super::data::Data;
use super::event::Event;
use super::multi_part::MultiPart;
use super::paths::Paths;
use crate::protocol::{
    CreateMode, ErrorCode, MultiResult, Operation, Reply, Request, Response, Xid,
};

/// Summary of a request, stored until its reply has passed.
///
/// A reply names the operation and the paths of its request, and the request itself is gone by then. The memory is used
/// again for the next request.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestSummary {
    /// Operation; `None` for an unknown one.
    pub(super) operation: Option<Operation>,
    /// Whether the request sets a watch.
    pub(super) watch: bool,
    ephemeral: bool,
    sequential: bool,
    pub(super) paths: Paths<'static>,
    /// Operations of a multi or multiRead, in order.
    parts: Vec<Part>,
}

/// Operation of a multi or multiRead.
#[derive(Clone, Copy, Debug)]
struct Part {
    operation: Option<Operation>,
    ephemeral: bool,
    sequential: bool,
    /// Index of its path among those of the request; `None` if the path is null.
    path: Option<usize>,
}

/// Maximum capacity that stays allocated for the next request.
const MOST_CAPACITY: usize = 4096;

impl RequestSummary {
    /// Summarizes a request.
    pub(super) fn set(&mut self, request: &Request<'_>) {
        self.operation = request.operation();
        self.watch = request.watches();
        self.ephemeral = request.creates(CreateMode::is_ephemeral);
        self.sequential = request.creates(CreateMode::is_sequential);
        self.paths.clear(MOST_CAPACITY);
        request.paths(|path| self.paths.push(path));
        self.parts.clear();
        self.parts.shrink_to(MOST_CAPACITY);
        let mut next_path = 0;
        request.operations(|part| {
            self.parts.push(Part {
                operation: part.operation,
                ephemeral: part.mode.is_some_and(CreateMode::is_ephemeral),
                sequential: part.mode.is_some_and(CreateMode::is_sequential),
                path: part.path.map(|_| next_path),
            });
            next_path += usize::from(part.path.is_some());
        });
    }

    /// Returns the event of the request. `data` is the data that the request would write.
    pub(super) fn request<'a>(&'a self, xid: Xid, data: Option<&'a [u8]>) -> Event<'a> {
        Event::Request {
            xid: xid.0,
            operation: self.operation,
            paths: self.paths.borrow(),
            watch: self.watch,
            ephemeral: self.ephemeral,
            sequential: self.sequential,
            data: data.map(Data::of),
            parts: self.parts(&[]),
        }
    }

    /// Returns the event of the reply.
    pub(super) fn reply<'a>(&'a self, reply: &'a Reply<'_>) -> Event<'a> {
        let Reply { xid, zxid, result } = reply;
        let response = result.as_ref().ok();
        let results = match response {
            Some(Response::Multi(results) | Response::MultiReadBrokenOff(results)) => results,
            _ => &[][..],
        };
        Event::Reply {
            xid: xid.0,
            operation: self.operation,
            paths: self.paths.borrow(),
            watch: self.watch,
            ephemeral: self.ephemeral,
            sequential: self.sequential,
            zxid: *zxid,
            error: match result {
                Ok(_) => self.failure(results),
                Err(code) => Some(*code),
            },
            created: response.and_then(created).map(Cow::Borrowed),
            data: match response {
                Some(Response::Data(data, _)) => data.map(|data| Data::of(data)),
                _ => None,
            },
            children: match response {
                Some(Response::Children(children) | Response::ChildrenAndStat(children, _)) => {
                    Some(children.len())
                }
                _ => None,
            },
            parts: self.parts(results),
        }
    }

    /// Operations of a multi or multiRead, with their results as far as they are known.
    fn parts<'a>(&'a self, results: &'a [MultiResult<'_>]) -> Vec<MultiPart<'a>> {
        let parts = self.parts.iter().enumerate().map(|(at, part)| {
            let result = results.get(at);
            MultiPart {
                operation: part.operation,
                path: part
                    .path
                    .and_then(|path| self.paths.get(path))
                    .map(Cow::Borrowed),
                ephemeral: part.ephemeral,
                sequential: part.sequential,
                error: result.and_then(error_of),
                created: result.and_then(created_by).map(Cow::Borrowed),
            }
        });
        parts.collect()
    }

    /// Error by which a multi failed, if it did. The operations of a multiRead fail one by one.
    fn failure(&self, results: &[MultiResult<'_>]) -> Option<ErrorCode> {
        if self.operation == Some(Operation::Multi) {
            results.iter().find_map(error_of)
        } else {
            None
        }
    }
}

fn error_of(result: &MultiResult<'_>) -> Option<ErrorCode> {
    if let MultiResult::Error(error) = result {
        *error
    } else {
        None
    }
}

fn created_by<'a>(result: &'a MultiResult<'_>) -> Option<&'a str> {
    if let MultiResult::Create(path) | MultiResult::Create2(path, _) = result {
        Some(path)
    } else {
        None
    }
}

/// Path that a write created, the first one for a multi.
fn created<'a>(response: &'a Response<'_>) -> Option<&'a str> {
    if let Response::Path(path) = response {
        path.as_deref()
    } else if let Response::PathAndStat(path, _) = response {
        Some(path)
    } else if let Response::Multi(results) = response {
        results.iter().find_map(created_by)
    } else {
        None
    }
}
